"""The layer table of any module: shapes, parameters, costs, fields.

``trace(net, (1, 32, 32))`` runs the net once on the meta device, where a
tensor has a shape and no values: VGG-16 costs no memory and no arithmetic.
The module stays as it is: its parameters, its mode, its hooks.

What is counted:

- A *row* is a module without children, each time it runs.  A module with
  children has a row of its own, marked "(own)", only if its ``forward`` uses
  parameters or multiplies outside of them.
- *Parameters* belong to the first row that uses them, so a layer that runs
  twice, or a weight that two layers share, counts once.
- *MACs* are multiply-accumulates, half of what `torch.utils.flop_counter`
  counts: convolutions and matrix products, no biases, no pooling.
- *Activations* are the values that a row adds to memory: none for an output
  that is written in place or is a view of its input.  Of what happens outside
  of the layers, only products count.
- The *receptive field* is in input pixels with padding.  From a layer on that
  looks at the whole map, it is cut to the input and has no jump.
- All of it is for one example.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from cnnbook.fields import (
    Views,
    first_views,
    look,
    overwrite,
    propagate,
    tensors,
)

Field = int | tuple[int, ...] | None
"""One number for a square field, one for each axis else; None for no axis."""

INPUT = "input"
SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷"}
POOLS = {
    "mean": "mean",
    "amax": "max",
    "avg_pool2d": "mean pool",
    "max_pool2d_with_indices": "max pool",
}


@dataclass(frozen=True)
class Row:
    """One layer, at one of the times it runs; shapes without the batch."""

    name: str
    kind: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    activations: int
    receptive_field: Field
    jump: Field
    inputs: tuple[str, ...]
    """The rows and joins that its inputs come from, or "input"."""
    window: str
    """What walks over the map: "5×5, stride 2", or nothing."""


@dataclass(frozen=True)
class Join:
    """What happens between layers: branches meet, or maps are pooled.

    Its kind is a sum's sign, the name of what concatenates, or, where a
    ``forward`` takes the mean of each map by itself, "mean".
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    output_shape: tuple[int, ...]
    receptive_field: Field
    jump: Field
    after: int
    """How many rows ran before it."""


@dataclass(frozen=True, repr=False)
class Anatomy:
    """A traced network: its rows in the order in which they ran."""

    name: str
    input_shape: tuple[int, ...]
    rows: tuple[Row, ...]
    joins: tuple[Join, ...]
    unused: tuple[tuple[str, int], ...]
    """Parameters that the pass did not touch: name and number of values."""

    @property
    def total_parameters(self) -> int:
        """The parameters that the rows use, each counted once."""
        return sum(row.parameters for row in self.rows)

    @property
    def total_macs(self) -> int:
        """The multiply-accumulates of one example."""
        return sum(row.macs for row in self.rows)

    @property
    def total_activations(self) -> int:
        """The values that the rows add to memory; the input is not one."""
        return sum(row.activations for row in self.rows)

    @property
    def steps(self) -> Iterator[Row | Join]:
        """Rows and joins, in the order in which they ran."""
        joins = list(self.joins)
        for count, row in enumerate(self.rows):
            while joins and joins[0].after <= count:
                yield joins.pop(0)
            yield row
        yield from joins

    def to_text(self) -> str:
        """The table as aligned text, with totals."""
        heads, sides, body, totals = self._table()
        widths = [
            max(map(len, column))
            for column in zip(heads, *body, totals, strict=True)
        ]
        lines = [
            "  ".join(
                f"{cell:{side}{width}}"
                for cell, side, width in zip(line, sides, widths, strict=True)
            ).rstrip()
            for line in (heads, *body, totals)
        ]
        rule = "─" * max(map(len, lines))
        table = [lines[0], rule, *lines[1:-1], rule, lines[-1]]
        return "\n".join([self.caption, "", *table, *self._notes()])

    def to_html(self) -> str:
        """The table as HTML: a caption, headers with a scope, totals."""
        heads, sides, body, totals = self._table()

        def cell(i: int, text: str, scope: str) -> str:
            tag = f'th scope="{scope}"' if scope else "td"
            side = "right" if sides[i] == ">" else "left"
            return (
                f'<{tag} style="text-align:{side}">{html.escape(text)}'
                f"</{tag[:2]}>"
            )

        def row(cells: list[str], first: str, others: str = "") -> str:
            tags = [
                cell(i, text, others if i else first)
                for i, text in enumerate(cells)
            ]
            return f"<tr>{''.join(tags)}</tr>"

        caption = html.escape(" ".join([self.caption, *self._notes()]))
        return "\n".join(
            [
                '<div class="cnn-anatomy-table" style="overflow-x:auto" '
                'role="group" tabindex="0" '
                f'aria-label="{html.escape(self.caption)}">',
                "<table>",
                f"<caption>{caption}</caption>",
                f"<thead>{row(heads, 'col', 'col')}</thead>",
                "<tbody>",
                *(row(line, "row") for line in body),
                "</tbody>",
                f"<tfoot>{row(totals, 'row')}</tfoot>",
                "</table>",
                "</div>",
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """The table as plain data, for widgets."""
        return {
            "name": self.name,
            "input_shape": list(self.input_shape),
            "rows": [_plain(row) for row in self.rows],
            "joins": [_plain(join) for join in self.joins],
            "unused": [list(pair) for pair in self.unused],
            "totals": {
                "parameters": self.total_parameters,
                "macs": self.total_macs,
                "activations": self.total_activations,
            },
        }

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return (
            f"Anatomy({self.name}, input {show_shape(self.input_shape)}: "
            f"{len(self.rows)} layers, {self.total_parameters:,} parameters, "
            f"{self.total_macs:,} MACs)"
        )

    @property
    def caption(self) -> str:
        """Its name and its input, in a few words."""
        return f"{self.name}, input {show_shape(self.input_shape)}"

    def _notes(self) -> list[str]:
        if not self.unused:
            return []
        number = sum(count for _, count in self.unused)
        names = ", ".join(dict.fromkeys(_owner(n) for n, _ in self.unused))
        return [f"Not used in this pass: {number:,} parameters ({names})."]

    def _table(self) -> tuple[list[str], str, list[list[str]], list[str]]:
        """Heads, sides, cells and totals of both the text and the HTML."""
        columns = {
            "layer": ("<", lambda s: s.name),
            "kind": ("<", lambda s: s.kind),
            "window": ("<", lambda s: getattr(s, "window", "")),
            "from": ("<", self._origin()),
            "output": (">", lambda s: show_shape(s.output_shape)),
            "parameters": (">", lambda s: _count(s, "parameters")),
            "MACs": (">", lambda s: _count(s, "macs")),
            "activations": (">", lambda s: _count(s, "activations")),
            "field": (">", lambda s: _show_field(s.receptive_field)),
            "jump": (">", lambda s: _show_field(s.jump)),
        }
        steps = list(self.steps)
        body = [[show(s) for _, show in columns.values()] for s in steps]
        totals = {
            "layer": "total",
            "parameters": f"{self.total_parameters:,}",
            "MACs": f"{self.total_macs:,}",
            "activations": f"{self.total_activations:,}",
        }
        heads = list(columns)
        needed = [
            i
            for i, head in enumerate(heads)
            if head not in ("window", "from") or any(b[i] for b in body)
        ]
        return (
            [heads[i] for i in needed],
            "".join(columns[heads[i]][0] for i in needed),
            [[line[i] for i in needed] for line in body],
            [totals.get(heads[i], "") for i in needed],
        )

    def _origin(self) -> Any:
        """Where a step's input comes from, if not from the step above."""
        above, last = {}, INPUT
        for step in self.steps:
            plain = step.inputs == (last,)
            above[id(step)] = "" if plain else ", ".join(step.inputs)
            last = step.name
        return lambda step: above[id(step)]


def trace(module: nn.Module, input_size: int | Sequence[int]) -> Anatomy:
    """Run the module once without values and report what each layer does.

    *input_size* is the shape of one example, such as (3, 224, 224), or of a
    batch, such as (64, 3, 224, 224); the report is for one example.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"trace() takes a torch module, not {type(module).__name__}; "
            "try trace(nn.Linear(3, 2), (3,))."
        )
    if any(map(nn.parameter.is_lazy, module.parameters())):
        raise ValueError(
            f"{type(module).__name__} has lazy layers without a size yet; "
            "run it on one real example first."
        )
    shape = _example(module, input_size)
    tracer = _Tracer(module)
    try:
        return tracer.run(shape)
    except Exception as error:
        sentence = tracer.explain(error, shape)
        raise ValueError(sentence + _cure(module, shape)) from error


class _Frame:
    """A module that is running: what it has used so far."""

    def __init__(self, name: str, module: nn.Module, args: Any, rows: int):
        self.name, self.module, self.rows = name, module, rows
        container = isinstance(module, nn.Sequential)  # maybe an empty one
        self.leaf = not container and not any(module.children())
        self.given = tensors(args)
        self.parameters = self.macs = self.products = 0

    @property
    def kind(self) -> str:
        return type(self.module).__name__ + " (own)" * (not self.leaf)


class _Tracer(TorchDispatchMode):
    """Counts and follows every operator while a module runs on meta."""

    BATCH = 2  # batch norm in training mode refuses a single value

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self.name = module, type(module).__name__
        self.frames: list[_Frame] = []
        self.rows: list[Row] = []
        self.joins: list[Join] = []
        self.meta: dict[str, Tensor] = {}
        self.fresh: dict[int, str] = {}

    def run(self, shape: tuple[int, ...]) -> Anatomy:
        """Trace one pass for inputs of this shape."""
        self.size = shape[1:]
        for kind in ("parameters", "buffers"):
            for name, tensor in getattr(self.module, f"named_{kind}")():
                self.meta[name] = torch.empty_like(tensor, device="meta")
                if kind == "parameters":
                    self.fresh[id(self.meta[name])] = name
        x = torch.empty(self.BATCH, *shape, device="meta")
        x._trace = first_views(x.shape), INPUT
        with ExitStack() as stack:
            for name, part in self.module.named_modules():
                for hook in self._hooks(name or self.name, part):
                    stack.callback(hook.remove)
            stack.enter_context(torch.no_grad())
            stack.enter_context(self)
            torch.func.functional_call(self.module, self.meta, (x,))
        unused = [(n, self.meta[n].numel()) for n in self.fresh.values()]
        return Anatomy(
            self.name,
            shape,
            tuple(self.rows),
            tuple(self.joins),
            tuple(unused),
        )

    def _hooks(self, name: str, part: nn.Module) -> Iterator[Any]:
        def enter(module: nn.Module, args: tuple, kwargs: dict) -> None:
            rows = len(self.rows)
            self.frames.append(_Frame(name, module, (args, kwargs), rows))

        def leave(module: nn.Module, _: tuple, out: Any) -> None:
            frame = self.frames.pop()
            if frame.leaf or frame.parameters or frame.macs:
                self._add_row(frame, tensors(out))

        yield part.register_forward_pre_hook(enter, with_kwargs=True)
        yield part.register_forward_hook(leave)

    def _add_row(self, frame: _Frame, out: list[Tensor]) -> None:
        if not out:
            return
        given, seen = frame.given, look(out[0])
        first = given[0].shape if given else (1,)
        sources = [_source(t) for t in (given if frame.leaf else out[:1])]
        old = {t.untyped_storage()._cdata for t in given}
        new = [t for t in out if t.untyped_storage()._cdata not in old]
        values = sum(t.shape[1:].numel() for t in new)
        field, jump = self._measure(seen)
        self.rows.append(
            Row(
                name=frame.name,
                kind=frame.kind,
                input_shape=tuple(first[1:]),
                output_shape=tuple(out[0].shape[1:]),
                parameters=frame.parameters,
                macs=frame.macs // self.BATCH,
                activations=values
                if frame.leaf
                else frame.products // self.BATCH,
                receptive_field=field,
                jump=jump,
                inputs=tuple(dict.fromkeys(s for s in sources if s)),
                window=_window(frame.module) if frame.leaf else "",
            )
        )
        for tensor in out:
            tensor._trace = _views(tensor), frame.name

    def _measure(self, seen: Any) -> tuple[Field, Field]:
        if seen is None:
            return None, None
        pairs = [
            view.measure(seen.shape, size)
            for view, size in zip(seen.views, self.size, strict=True)
        ]
        size, jump = zip(*pairs, strict=True)
        return _same(size), _same(jump)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        args, kwargs = self._to_meta(args), self._to_meta(kwargs or {})
        if kwargs.get("device") is not None:
            kwargs["device"] = torch.device("meta")
        out = func(*args, **kwargs)
        given, made = tensors((args, kwargs)), tensors(out)
        frame = self.frames[-1]
        for tensor in given:
            name = self.fresh.pop(id(tensor), None)
            if name is not None:
                frame.parameters += tensor.numel()
        packet = func._overloadpacket
        if packet in flop_registry:
            flops = flop_registry[packet](*args, **kwargs, out_val=out)
            frame.macs += flops // 2
            frame.products += sum(t.numel() for t in made)
        if made:
            self._follow(func, args, kwargs, given, made)
        return out

    def _to_meta(self, tree: Any) -> Any:
        """Stray tensors of the module come along without their values."""
        if isinstance(tree, Tensor):
            if tree.device.type == "meta":
                return tree
            return torch.empty_like(tree, device="meta")
        if isinstance(tree, tuple | list):
            return type(tree)(map(self._to_meta, tree))
        if isinstance(tree, dict):
            return {key: self._to_meta(value) for key, value in tree.items()}
        return tree

    def _follow(
        self, func: Any, args: tuple, kwargs: dict, given: list, made: list
    ) -> None:
        """Hand on to the output what its inputs see and come from."""
        views = propagate(func, args, kwargs, made)
        sources = dict.fromkeys(s for t in given if (s := _source(t)))
        source = next(iter(sources), None)
        joins = len(sources) > 1 or (source and _pools(func, given[0], made))
        if joins and not self.frames[-1].leaf:
            source = self._join(func, tuple(sources), made[0], views)
        if not views and any(map(_views, given)):
            source = None  # a new constant, of the shape of an input
        for tensor in made:
            same = tensor.dim() == made[0].dim()
            tensor._trace = (views if same else ()), source
            base = tensor._base
            if base is not None and tensor is args[0]:
                part = look(tensor)
                views = overwrite(base, part) if part else _views(base)
                base._trace = views, source or _source(base)

    def _join(
        self, func: Any, sources: tuple, out: Tensor, views: tuple
    ) -> str:
        kind = func._overloadpacket.__name__.rstrip("_")
        out._trace = views, None
        field, jump = self._measure(look(out))
        taken = {step.name for step in (*self.rows, *self.joins)}
        name, count = self.frames[-1].name, 1
        while name in taken:
            count += 1
            name = f"{self.frames[-1].name} ({count})"
        self.joins.append(
            Join(
                name=name,
                kind=(SIGNS | POOLS).get(kind, kind),
                inputs=sources,
                output_shape=tuple(out.shape[1:]),
                receptive_field=field,
                jump=jump,
                after=len(self.rows),
            )
        )
        return name

    def explain(self, error: Exception, shape: tuple[int, ...]) -> str:
        """Which layer stopped the pass, what it got and what it expects."""
        reason = re.split(r"\n|\. ", str(error).strip() or repr(error))[0]
        given = f"With input_size={_tuple(shape)}, "
        if not self.frames:
            return f"{given}{self.name} stops: {reason.rstrip('.')}"
        frame = self.frames[-1]
        got = [_tuple(t.shape[1:]) for t in frame.given]
        wants = _expects(frame.module) or f"stops: {reason.rstrip('.')}"
        return (
            f"{given}the layer {frame.name!r} "
            f"({type(frame.module).__name__}) gets "
            f"{' and '.join(got) or 'no tensor'} and {wants}"
        )


def _example(
    module: nn.Module, input_size: int | Sequence[int]
) -> tuple[int, ...]:
    """The shape of one example, whether a batch was given or not."""
    shape = (input_size,) if isinstance(input_size, int) else tuple(input_size)
    if not shape or not all(isinstance(n, int) and n > 0 for n in shape):
        raise ValueError(
            f"The input size is a shape such as (3, 224, 224), not "
            f"{input_size!r}."
        )
    rank = 3
    for part in module.modules():
        found = re.search(r"^(?:Conv|.*Pool).*([123])d$", type(part).__name__)
        if found:
            rank = int(found[1]) + 1
            break
    if len(shape) in (rank + 1, 2) and len(shape) != rank:
        return shape[1:]
    if len(shape) in (rank, 1):
        return shape
    raise ValueError(
        f"{type(module).__name__} takes an input size of {rank} numbers, or "
        f"of {rank + 1} with the batch, not {_tuple(shape)}."
    )


def _cure(module: nn.Module, shape: tuple[int, ...]) -> str:
    """An input size that works, the nearest of the usual ones."""
    channels = [
        part.in_channels
        for part in module.modules()
        if hasattr(part, "in_channels")
    ][:1]
    sizes = sorted(
        {20, 28, 32, 64, 96, 128, 224, 227, 299}
        | {shape[-1] - 1, shape[-1] + 1, shape[-1]},
        key=lambda size: abs(size - shape[-1]),
    )
    for size in sizes if len(shape) == 3 else []:
        trial = (*(channels or shape[:1]), size, size)
        try:
            _Tracer(module).run(trial)
        except Exception:
            continue
        return f"; try input_size={_tuple(trial)}."
    return "."


def _expects(module: nn.Module) -> str:
    """What the common layers ask of their input."""
    if isinstance(module, nn.Linear):
        return f"expects {module.in_features} features at the end"
    if hasattr(module, "in_channels") and hasattr(module, "kernel_size"):
        size = "×".join(map(str, module.kernel_size))
        return (
            f"expects {module.in_channels} channels and a padded map of at "
            f"least {size}"
        )
    if hasattr(module, "num_features"):
        return f"expects {module.num_features} channels"
    if hasattr(module, "kernel_size"):
        return f"expects a padded map of at least {_window(module)}"
    return ""


def _window(module: nn.Module) -> str:
    """The window of a convolution or a pooling, defaults left out."""
    kernel = getattr(module, "kernel_size", None)
    if kernel is None:
        return ""
    rank = re.search(r"[123](?=d$)", type(module).__name__)
    rank = int(rank[0]) if rank else 2

    def sides(name: str) -> tuple[int, ...]:
        value = getattr(module, name, None)
        return (value,) * rank if isinstance(value, int) else value

    words = [show_shape(sides("kernel_size"))]
    for name, default in (("stride", 1), ("padding", 0), ("dilation", 1)):
        value = sides(name)
        if isinstance(value, str):
            words.append(f"{name} {value}")
        elif value is not None and set(value) != {default}:
            words.append(f"{name} {_sides(value)}")
    if getattr(module, "groups", 1) != 1:
        words.append(f"groups {module.groups}")
    if getattr(module, "ceil_mode", False):
        words.append("ceil")
    return ", ".join(words)


def _pools(func: Any, given: Tensor, made: list[Tensor]) -> bool:
    """Whether an operator makes one value of several."""
    name = func._overloadpacket.__name__
    return name in POOLS and made[0].numel() < given.numel()


def _views(tensor: Tensor) -> Views:
    return getattr(tensor, "_trace", ((), None))[0]


def _source(tensor: Tensor) -> str | None:
    return getattr(tensor, "_trace", ((), None))[1]


def _sides(value: Sequence[int]) -> str:
    return str(value[0]) if len(set(value)) == 1 else show_shape(value)


def _same(values: tuple) -> Field:
    return values[0] if len(set(values)) == 1 else values


def _owner(name: str) -> str:
    """The module that a parameter belongs to."""
    return name.rpartition(".")[0] or name


def _tuple(shape: Sequence[int]) -> str:
    return str(tuple(shape))


def show_shape(shape: Sequence[int]) -> str:
    """(3, 224, 224) as "3×224×224"."""
    return "×".join(map(str, shape))


def _show_field(field: Any) -> str:
    if isinstance(field, tuple):
        return "×".join("–" if f is None else f"{f:g}" for f in field)
    return "–" if field is None else f"{field:,}"


def _count(step: Row | Join, what: str) -> str:
    return f"{getattr(step, what):,}" if isinstance(step, Row) else ""


def _plain(step: Row | Join) -> dict[str, Any]:
    """A row as JSON: tuples become lists."""
    values = {f.name: getattr(step, f.name) for f in fields(step)}
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
    }
