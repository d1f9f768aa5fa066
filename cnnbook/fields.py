"""What a tensor sees of the input, carried through torch's operators.

`anatomy.trace` runs a module under a dispatch mode and asks `propagate` after
every operator.  A convolution inside a layer and one in the middle of a
``forward`` are the same operator here, and so are ``x + y`` and ``torch.add``.

For each axis of the input a tensor carries one `View`: along which of its own
dimensions the axis lies now, and which input pixels the unit at index i sees,
``lo + i * jump`` to ``hi + i * jump``, padding included.  What every unit
sees, wherever it lies (after a global pooling, say), is *whole*.

The field is where values can come from.  Statistics do not count: what batch
or layer normalisation averages over is not followed.  An operator that is not
known here sees all that its inputs see, so the field is then an upper bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import torch
from torch import Tensor

Number = int | Fraction


class View(NamedTuple):
    """One axis of the input, as a tensor sees it."""

    dim: int | None
    moving: tuple[Number, Number, Number] | None  # lo, hi, jump
    whole: tuple[Number, Number] | None = None

    def hull(self, shape: Sequence[int]) -> tuple[Number, Number]:
        """The first and the last pixel that any unit sees."""
        spans = [self.whole] if self.whole else []
        if self.moving:
            lo, hi, jump = self.moving
            spans.append((lo, hi + (shape[self.dim] - 1) * jump))
        return _union(spans)

    def spread(self, shape: Sequence[int], dim: int | None = None) -> View:
        """Every unit sees now what any of them saw."""
        return View(dim, None, self.hull(shape))

    def step(self, taps: int, stride: Number, before: Number) -> View:
        """A window of so many taps walks along, from *before* the start."""
        if not self.moving:
            return self
        lo, hi, jump = self.moving
        lo, hi = lo - before * jump, hi + (taps - 1 - before) * jump
        return self._replace(moving=(lo, hi, jump * stride))

    def measure(self, shape: Sequence[int], size: int) -> tuple:
        """The field's size and jump; a whole one is cut to the input."""
        if self.whole:
            lo, hi = self.hull(shape)
            return math.ceil(min(hi, size - 1) - max(lo, 0) + 1), None
        lo, hi, jump = self.moving
        return math.ceil(hi - lo + 1), _plain(jump)


Views = tuple[View, ...]


class Seen(NamedTuple):
    """A tensor's shape and what it sees."""

    shape: Sequence[int]
    views: Views


def first_views(shape: Sequence[int]) -> Views:
    """The views of an input (N, C, ...): each pixel sees itself."""
    return tuple(View(dim, (0, 0, 1)) for dim in range(2, len(shape)))


def propagate(func: Any, args: tuple, kwargs: dict, out: Any) -> Any:
    """The views of an operator's output, from those of its inputs.

    Inputs carry theirs in an attribute; without one they are constants.
    Where an operator has several outputs, all of them see the same.
    """
    name = func._overloadpacket.__name__.rstrip("_")
    seen = [look(t) for t in tensors((args, kwargs)) if look(t)]
    if not seen:
        return ()
    rule = RULES.get(name)
    if rule is None and torch.Tag.pointwise in func.tags:
        rule = _pointwise
    if rule is None:
        return _mix(seen)
    call = _bind(func, args, kwargs)
    return rule(call, seen, _first(out))


def look(tensor: Tensor) -> Seen | None:
    """What a tensor sees, or None for a constant."""
    trace = getattr(tensor, "_trace", None)
    return Seen(tensor.shape, trace[0]) if trace and trace[0] else None


def tensors(tree: Any) -> list[Tensor]:
    """The tensors in nested tuples, lists and dicts, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, tuple | list):
        return []
    return [tensor for branch in tree for tensor in tensors(branch)]


def merge(seen: Sequence[Seen], shape: Sequence[int]) -> Views:
    """What units see that combine tensors, aligned as in broadcasting."""
    aligned = [_align(one, shape) for one in seen]
    return tuple(
        _merge_axis(views, shape) for views in zip(*aligned, strict=True)
    )


def overwrite(base: Tensor, part: Seen) -> Views:
    """What a tensor sees once a part of it was overwritten in place."""
    old = look(base)
    fits = len(part.shape) == len(base.shape) and all(
        part.shape[view.dim] == base.shape[view.dim]
        for view in part.views
        if view.dim is not None
    )
    if not fits:
        return _mix([part, old] if old else [part])
    new = Seen(base.shape, part.views)
    return merge([new, old] if old else [new], base.shape)


def _align(one: Seen, shape: Sequence[int]) -> list[View]:
    """The views along the dimensions of a broadcast shape."""
    shift = len(shape) - len(one.shape)
    views = []
    for view in one.views:
        if view.dim is None:
            views.append(view)
        elif one.shape[view.dim] != shape[view.dim + shift]:
            views.append(view.spread(one.shape, view.dim + shift))
        else:
            views.append(view._replace(dim=view.dim + shift))
    return views


def _merge_axis(views: Sequence[View], shape: Sequence[int]) -> View:
    """One axis of several tensors that lie on top of each other."""
    moving = [view for view in views if view.moving]
    paces = {(view.dim, view.moving[2]) for view in moving}
    if len(paces) > 1:
        return View(None, None, _union([view.hull(shape) for view in views]))
    spans = [view.whole for view in views if view.whole]
    whole = _union(spans) if spans else None
    if not moving:
        dims = {view.dim for view in views}
        return View(dims.pop() if len(dims) == 1 else None, None, whole)
    (dim, jump), *_ = paces
    lo, hi = _union([view.moving[:2] for view in moving])
    return View(dim, (lo, hi, jump), whole)


def _union(spans: Sequence[tuple[Number, Number]]) -> tuple[Number, Number]:
    return min(lo for lo, _ in spans), max(hi for _, hi in spans)


def _mix(seen: Sequence[Seen]) -> Views:
    """Every unit sees all that any input sees."""
    return tuple(
        View(
            None,
            None,
            _union([one.views[a].hull(one.shape) for one in seen]),
        )
        for a in range(len(seen[0].views))
    )


def _bind(func: Any, args: tuple, kwargs: dict) -> dict[str, Any]:
    """The arguments of an operator by name, its defaults filled in."""
    call = {}
    for position, argument in enumerate(func._schema.arguments):
        if position < len(args):
            call[argument.name] = args[position]
        elif argument.name in kwargs:
            call[argument.name] = kwargs[argument.name]
        elif argument.has_default_value():
            call[argument.name] = argument.default_value
    return call


def _first(out: Any) -> Tensor:
    return out if isinstance(out, Tensor) else tensors(out)[0]


def _plain(number: Number) -> int | float:
    return int(number) if number == int(number) else float(number)


# Rules.  Each takes the operator's arguments by name, what its inputs see in
# order, and its (first) output.


def _forget(call: dict, seen: list[Seen], out: Tensor) -> Views:
    return ()


def _pointwise(call: dict, seen: list[Seen], out: Tensor) -> Views:
    return merge(seen, out.shape)


def _keep(call: dict, seen: list[Seen], out: Tensor) -> Views:
    return seen[0].views


def _move(seen: Seen, where: Callable[[int], int | None]) -> Views:
    """The views with their dimensions moved; None loses the place."""
    views = []
    for view in seen.views:
        dim = None if view.dim is None else where(view.dim)
        if dim is None:
            views.append(view.spread(seen.shape))
        else:
            views.append(view._replace(dim=dim))
    return tuple(views)


def _change(
    seen: Seen, change: Callable[[View, int], View], dims: int
) -> Views:
    """The views changed along the last dimensions, each with its number."""
    first = len(seen.shape) - dims
    return tuple(
        change(view, view.dim - first)
        if view.dim is not None and view.dim >= first
        else view
        for view in seen.views
    )


def _number(values: Any, i: int, default: int = 1) -> int:
    """Operators give one number for all dimensions, or one for each."""
    if isinstance(values, int):
        return values
    if not values:
        return default
    return values[i] if len(values) > i else values[0]


def _convolve(call: dict, seen: list[Seen], out: Tensor) -> Views:
    taps = call["weight"].shape[2:]

    def walk(view: View, i: int) -> View:
        stride, before = call["stride"][i], call["padding"][i]
        span = call["dilation"][i] * (taps[i] - 1) + 1
        if not call["transposed"]:
            return view.step(span, stride, before)
        # output o hears from the inputs between (o + before - span + 1) and
        # (o + before), divided by the stride
        reach = (span - 1) // stride + 1
        offset = Fraction(span - 1 - before, stride)
        return view.step(reach, Fraction(1, stride), offset)

    if look(call["weight"]) or not look(call["input"]):
        return _mix(seen)
    return _change(seen[0], walk, len(taps))


def _pool(dims: int) -> Callable:
    def rule(call: dict, seen: list[Seen], out: Tensor) -> Views:
        def walk(view: View, i: int) -> View:
            taps = _number(call["kernel_size"], i)
            stride = _number(call["stride"], i, default=taps)
            span = _number(call.get("dilation"), i) * (taps - 1) + 1
            return view.step(span, stride, _number(call["padding"], i, 0))

        return _change(seen[0], walk, dims)

    return rule


def _adapt(call: dict, seen: list[Seen], out: Tensor) -> Views:
    dims = len(call["output_size"])

    def walk(view: View, i: int) -> View:
        before, after = seen[0].shape[view.dim], out.shape[view.dim]
        if after == 1:
            return view.spread(seen[0].shape, view.dim)
        taps = -(-before // after) + (before % after > 0)
        slack = 1 if before % after else 0
        return view.step(taps + slack, Fraction(before, after), slack)

    return _change(seen[0], walk, dims)


def _upsample(taps: int) -> Callable:
    def rule(call: dict, seen: list[Seen], out: Tensor) -> Views:
        def walk(view: View, i: int) -> View:
            before, after = seen[0].shape[view.dim], out.shape[view.dim]
            offset = Fraction(taps - 1, 2)
            return view.step(taps, Fraction(before, after), offset)

        return _change(seen[0], walk, len(out.shape) - 2)

    return rule


def _pad(call: dict, seen: list[Seen], out: Tensor) -> Views:
    pad = call.get("pad") or call["padding"]
    dims = len(pad) // 2
    return _change(
        seen[0],
        lambda view, i: view.step(1, 1, pad[2 * (dims - 1 - i)]),
        dims,
    )


def _reshape(call: dict, seen: list[Seen], out: Tensor) -> Views:
    """A dimension survives if as many values lie before and after it."""
    old, new = seen[0].shape, out.shape
    if list(old) == list(new):
        return seen[0].views
    taken: set[int] = set()

    def where(dim: int) -> int | None:
        for other, size in enumerate(new):
            if (
                size == old[dim]
                and math.prod(new[:other]) == math.prod(old[:dim])
                and other not in taken
                and (size > 1 or len(new) - other == len(old) - dim)
            ):
                taken.add(other)
                return other
        return None

    return _move(seen[0], where)


def _squeeze(call: dict, seen: list[Seen], out: Tensor) -> Views:
    dims = call.get("dim", range(len(seen[0].shape)))
    dims = _positive(dims, len(seen[0].shape))
    gone = [d for d in dims if seen[0].shape[d] == 1]
    return _drop(seen[0], gone)


def _unsqueeze(call: dict, seen: list[Seen], out: Tensor) -> Views:
    (new,) = _positive(call["dim"], len(out.shape))
    return _move(seen[0], lambda dim: dim + (dim >= new))


def _permute(call: dict, seen: list[Seen], out: Tensor) -> Views:
    order = _positive(call["dims"], len(out.shape))
    return _move(seen[0], order.index)


def _transpose(call: dict, seen: list[Seen], out: Tensor) -> Views:
    rank = len(out.shape)
    pair = call.get("dim0", 0), call.get("dim1", rank - 1)
    one, other = _positive(pair, rank)
    swap = {one: other, other: one}
    return _move(seen[0], lambda dim: swap.get(dim, dim))


def _slice(call: dict, seen: list[Seen], out: Tensor) -> Views:
    (cut,) = _positive(call["dim"], len(out.shape))
    start, size = call.get("start") or 0, seen[0].shape[cut]
    start = min(max(start + size * (start < 0), 0), size)
    return tuple(
        view.step(1, call["step"], -start) if view.dim == cut else view
        for view in seen[0].views
    )


def _select(call: dict, seen: list[Seen], out: Tensor) -> Views:
    return _drop(seen[0], _positive(call["dim"], len(seen[0].shape)))


def _split(call: dict, seen: list[Seen], out: Tensor) -> Views:
    (cut,) = _positive(call["dim"], len(seen[0].shape))
    return tuple(
        view.spread(seen[0].shape) if view.dim == cut else view
        for view in seen[0].views
    )


def _cat(call: dict, seen: list[Seen], out: Tensor) -> Views:
    (cut,) = _positive(call["dim"], len(out.shape))
    return merge(
        [
            Seen(
                [*one.shape[:cut], out.shape[cut], *one.shape[cut + 1 :]],
                _split({"dim": cut}, [one], out),
            )
            for one in seen
        ],
        out.shape,
    )


def _stack(call: dict, seen: list[Seen], out: Tensor) -> Views:
    (new,) = _positive(call["dim"], len(out.shape))
    moved = [_move(one, lambda dim: dim + (dim >= new)) for one in seen]
    return merge([Seen(out.shape, views) for views in moved], out.shape)


def _reduce(call: dict, seen: list[Seen], out: Tensor) -> Views:
    dims = call.get("dim")
    rank = len(seen[0].shape)
    dims = _positive(range(rank) if dims in (None, []) else dims, rank)
    if len(out.shape) < rank:
        return _drop(seen[0], dims)
    return tuple(
        view.spread(seen[0].shape, view.dim) if view.dim in dims else view
        for view in seen[0].views
    )


def _multiply(call: dict, seen: list[Seen], out: Tensor) -> Views:
    """Matrix products: rows keep their place, and so do columns."""
    right = call.get("mat2", call.get("batch2"))
    left = call.get("mat1", call.get("batch1", call["self"]))
    bias = None if left is call["self"] else call["self"]
    last, found = len(out.shape) - 1, []
    for tensor, lost in ((left, last), (right, last - 1), (bias, None)):
        one = None if tensor is None else look(tensor)
        if one and lost is None:
            found.append(one)
        elif one:
            views = _move(one, lambda d, lost=lost: None if d == lost else d)
            found.append(Seen(out.shape, views))
    return merge(found, out.shape)


def _index(call: dict, seen: list[Seen], out: Tensor) -> Views:
    """Picking by a list along one dimension leaves the others alone."""
    places = [d for d, i in enumerate(call["indices"]) if i is not None]
    if len(places) != 1 or len(out.shape) != len(seen[0].shape):
        return _mix(seen)
    return _split({"dim": places[0]}, seen[:1], out)


def _drop(seen: Seen, dims: Sequence[int]) -> Views:
    return _move(
        seen,
        lambda dim: (
            None if dim in dims else dim - sum(other < dim for other in dims)
        ),
    )


def _positive(dims: int | Sequence[int], rank: int) -> list[int]:
    dims = [dims] if isinstance(dims, int) else dims
    return [dim % rank for dim in dims]


FAMILIES: dict[Callable, str] = {
    _convolve: "convolution",
    _pool(2): "max_pool2d_with_indices avg_pool2d",
    _pool(3): "max_pool3d_with_indices avg_pool3d",
    _adapt: """_adaptive_avg_pool2d _adaptive_avg_pool3d
        adaptive_max_pool2d adaptive_max_pool3d""",
    _pad: """constant_pad_nd reflection_pad1d reflection_pad2d
        replication_pad1d replication_pad2d""",
    _upsample(1): "upsample_nearest2d",
    _upsample(2): "upsample_bilinear2d",
    _reduce: """_softmax _log_softmax mean sum amax amin max min argmax argmin
        var std var_mean logsumexp linalg_vector_norm norm prod any all""",
    _multiply: "mm addmm bmm baddbmm",
    _cat: "cat",
    _stack: "stack",
    _index: "index",
    _slice: "slice",
    _select: "select unbind",
    _split: "split split_with_sizes",
    _squeeze: "squeeze",
    _unsqueeze: "unsqueeze",
    _permute: "permute",
    _transpose: "transpose t",
    _reshape: "view _unsafe_view reshape",
    _keep: """native_batch_norm _native_batch_norm_legit
        _native_batch_norm_legit_no_training _batch_norm_with_update
        cudnn_batch_norm native_group_norm native_layer_norm _fused_rms_norm
        native_dropout rrelu_with_noise""",
    _forget: """empty_like full_like ones_like rand_like randn_like zeros_like
        new_empty new_empty_strided new_full new_ones new_zeros fill zero""",
    _pointwise: """alias bernoulli clone contiguous copy detach expand
        lift_fresh _to_copy""",
}
RULES = {
    name: rule for rule, names in FAMILIES.items() for name in names.split()
}
