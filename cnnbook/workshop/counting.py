"""From layers and forks to rows: shapes, costs, fields, and what is wrong.

What is counted is what `cnnbook.anatomy` counts; a test builds the modules
and compares.  A size or a count that cannot be known is None, and so is one
beyond `reading.MOST`.  The twin in JavaScript is
``cnnbook/widgets/workshop/core.mjs``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from cnnbook.workshop.reading import (
    LIMITS,
    MOST,
    CountClaim,
    Input,
    Item,
    Number,
    Place,
    Reader,
    Size,
    Suffix,
    Walk,
    blank,
    read_items,
)

Known = int | float | None
"""A number, None where it is not known, infinity where it is too large."""
Shape = tuple[int | None, ...]


def times_all(*factors: Known) -> Known:
    """The product, if all factors are known."""
    if None in factors:
        return None
    product = 1
    for factor in factors:
        if factor == math.inf:
            return math.inf
        product *= factor
        if product > MOST:
            return math.inf
    return product


def plus(a: Known, b: Known) -> Known:
    """The sum, if both are known."""
    if a is None or b is None:
        return None
    return math.inf if a + b > MOST else a + b


class Axis(NamedTuple):
    """One axis of the input, as the units of a map see it.

    Unit i sees the pixels from ``lo + i * jump`` to ``hi + i * jump``;
    *whole* is what all of them see.  Without a jump nothing moves.
    `cnnbook.fields.View` says the same of a tensor.
    """

    lo: int | None
    hi: int | None
    jump: int | None
    whole: tuple[int, int] | None = None

    def step(self, span: int, stride: int, before: int) -> Axis:
        """A window of this span walks along."""
        if self.jump is None:
            return self
        return Axis(
            self.lo - before * self.jump,
            self.hi + (span - 1 - before) * self.jump,
            self.jump * stride,
            self.whole,
        )

    def hull(self, size: int) -> tuple[int, int]:
        """The first and the last pixel that any of *size* units sees."""
        if self.jump is None:
            return self.whole
        end = self.hi + (size - 1) * self.jump
        if self.whole is None:
            return self.lo, end
        return min(self.lo, self.whole[0]), max(end, self.whole[1])

    @property
    def exact(self) -> bool:
        """Whether a page can count so far."""
        numbers = [self.lo, self.hi, self.jump, *(self.whole or ())]
        if self.jump is not None:
            numbers.append(self.hi - self.lo + 1)
        return all(n is None or abs(n) <= MOST for n in numbers)


def spread(axis: Axis | None, size: int | None) -> Axis | None:
    """Every unit sees now what any of them saw."""
    if axis is None or size is None:
        return None
    return Axis(None, None, None, axis.hull(size))


def _union(spans: list[tuple[int, int]]) -> tuple[int, int]:
    return min(lo for lo, _ in spans), max(hi for _, hi in spans)


def merge(axes: list[Axis | None], size: int | None) -> Axis | None:
    """One axis of maps that lie side by side or on top of each other."""
    if None in axes:
        return None
    moving = [axis for axis in axes if axis.jump is not None]
    if len({axis.jump for axis in moving}) > 1:
        if size is None:
            return None
        hulls = [axis.hull(size) for axis in axes]
        return Axis(None, None, None, _union(hulls))
    wholes = [axis.whole for axis in axes if axis.whole is not None]
    whole = _union(wholes) if wholes else None
    if not moving:
        return Axis(None, None, None, whole)
    lo, hi = _union([(axis.lo, axis.hi) for axis in moving])
    return Axis(lo, hi, moving[0].jump, whole)


def measure(
    axis: Axis | None, size: int | None, pixels: int
) -> tuple[int | None, int | None]:
    """The field's size and jump; a whole one is cut to the input."""
    if axis is None:
        return None, None
    if axis.whole is not None:
        if axis.jump is not None and size is None:
            return None, None
        lo, hi = axis.hull(size)
        return min(hi, pixels - 1) - max(lo, 0) + 1, None
    return axis.hi - axis.lo + 1, axis.jump


def show_shape(shape: Shape | list[int | None]) -> str:
    """(96, 55, 55) as "96×55×55"; what is not known is a question mark."""
    return "×".join("?" if n is None else str(n) for n in shape)


def sides(pair: tuple[int, int] | list[int]) -> str:
    """(3, 3) as "3", (1, 7) as "1x7"."""
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + "s" * (number != 1)


Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """What walks over the maps."""

    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]
    dilation: Pair
    groups: int | None
    bias: bool
    mode: str | None
    ceil: bool

    @property
    def spans(self) -> Pair:
        """How far the kernel reaches along both axes."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return dh * (kh - 1) + 1, dw * (kw - 1) + 1

    @property
    def words(self) -> str:
        """A phrase such as "3×3, stride 2, padding 1"."""
        words = [show_shape(self.kernel)]
        before = [pair[0] for pair in self.padding]
        if sides(self.stride) != "1":
            words.append(f"stride {_show_sides(self.stride)}")
        if any(pair[0] != pair[1] for pair in self.padding):
            words.append("padding same")
        elif any(before):
            words.append(f"padding {_show_sides(before)}")
        if sides(self.dilation) != "1":
            words.append(f"dilation {_show_sides(self.dilation)}")
        if (self.groups or 1) > 1:
            words.append(f"{self.groups} groups")
        if self.ceil:
            words.append("ceil")
        return ", ".join(words)


def _show_sides(pair: Pair | list[int]) -> str:
    return sides(pair).replace("x", "×")


@dataclass
class Made:
    """What a layer makes of its input, and what that costs.

    Whatever is left at None stays as it was; counts of None are not known.
    """

    words: str
    shape: Shape | None = None
    axes: list[Axis | None] | None = None
    parameters: Known = 0
    macs: Known = 0
    activations: Known | str = "all"
    window: Window | None = None
    large: bool = False
    bias: bool = False
    rate: str = ""
    mode: str = ""
    stride: Pair = (1, 1)
    inputs: tuple[int, ...] | None = None
    layers: int | None = None


@dataclass
class Row:
    """A layer or a join; see the package for what its fields say."""

    index: int
    line: int
    column: int
    length: int
    name: str
    op: str
    words: str
    input: Shape
    shape: Shape
    parameters: int | None
    macs: int | None
    activations: int | None
    field: tuple[int | None, ...]
    jump: tuple[int | None, ...]
    relu: bool
    depth: int
    path: tuple[int, ...]
    inputs: tuple[int, ...]
    maps: Window | None


@dataclass(frozen=True)
class Flow:
    """What comes out of the layers so far."""

    shape: Shape
    axes: tuple[Axis | None, ...]
    source: int = -1
    layers: int = 0
    window: tuple[Row, Item] | None = None
    off: bool = False


@dataclass(frozen=True)
class Where:
    """The names and the branches that a layer stands in."""

    prefix: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    path: tuple[int, ...] = ()


@dataclass
class Part:
    """A piece of the code: a layer, a fork, or repeats."""

    row: Row | None = None
    made: Made | None = None
    branches: list[list[Part]] | None = None
    turns: list[list[Part]] | None = None


STEMS = {"dense": "fc", "dropout": "drop"}
INPLACE = {"conv", "dense", "bn", "pool", "norm", "global", "add", "concat"}
ACTS = {"relu", "tanh", "sigmoid", "softmax"}


class Counter:
    """Walks through the items and puts rows down."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.rows: list[Row] = []
        self.names: dict[str, int] = {}
        self.forks = self.steps = 0
        shape = tuple(reader.input.shape)
        self.pixels = shape[1:]
        self.flow = Flow(shape, (Axis(0, 0, 1), Axis(0, 0, 1)))

    def sequence(
        self, items: list[Item], where: Where, still: bool
    ) -> list[Part]:
        """Run items in order; *still* drops the last one's ReLU."""
        plan: list[Part] = []
        items = _merged(items)
        for i, item in enumerate(items):
            last = i == len(items) - 1
            before = not last and items[i + 1].op == "softmax"
            self.repeat(item, where, before or (last and still), plan)
        return plan

    def repeat(
        self, item: Item, where: Where, still: bool, plan: list[Part]
    ) -> None:
        """Run an item as often as it says."""
        turns = []
        for turn in range(1, item.times + 1):
            if self.full(item.span):
                break
            label = item.label
            if label and item.times > 1:
                label += f".{turn}"
            quiet = still and turn == item.times
            part: list[Part] = []
            if item.op == "fork":
                self.fork(item, label, where, quiet, turn, part)
            else:
                self.layer(item, label, where, quiet, part)
            turns.append(part)
        if len(turns) == 1:
            plan.extend(turns[0])
        elif turns:
            plan.append(Part(turns=turns))

    def full(self, at: Place) -> bool:
        """Whether there is no room for one more."""
        self.steps += 1
        full = len(self.rows) >= LIMITS["rows"]
        if full or self.steps > LIMITS["steps"]:
            self.reader.stop(
                at,
                f"Here the network passes {LIMITS['rows']:,} layers, "
                "and no more are counted; try fewer repeats.",
            )
        return self.reader.stopped

    def layer(
        self,
        item: Item,
        label: str,
        where: Where,
        still: bool,
        plan: list[Part],
    ) -> None:
        """A layer and what stands behind it."""
        made = LAYERS[item.op](self, item, self.flow)
        row = None
        if made:
            row = self.add(item, made, label, where, item.span)
            plan.append(Part(row, made))
            self.check(item, row, made)
        does = item.op in ("conv", "dense")
        self.after(item, row, does and not still, where, plan)

    def after(
        self,
        item: Item,
        row: Row | None,
        activates: bool,
        where: Where,
        plan: list[Part],
    ) -> None:
        """What stands behind a layer: its ReLU, batch norm, dropout..."""
        suffixes = list(item.suffixes)
        told = any(suffix.op in ACTS for suffix in suffixes)
        if activates and not told and item.relu is not False:
            i = 0
            while i < len(suffixes) and suffixes[i].op == "bn":
                i += 1
            suffixes.insert(i, Suffix("relu", item.span))
        owner = row.name if row else ""
        for suffix in suffixes:
            if self.full(suffix.place):
                return
            if suffix.op == "relu" and row and row.op in INPLACE:
                row.relu = True
                continue
            small = blank(suffix.op, suffix.place)
            small.rate = suffix.rate
            made = LAYERS[suffix.op](self, small, self.flow)
            if not made:
                continue
            stem = STEMS.get(suffix.op, suffix.op)
            label = owner and f"{owner}.{stem}"
            inside = replace(where, prefix="") if owner else where
            row = self.add(small, made, label, inside, suffix.place)
            plan.append(Part(row, made))

    def add(
        self, item: Item, made: Made, label: str, where: Where, at: Place
    ) -> Row:
        """Put a row down and move the flow behind it."""
        flow = self.flow
        axes = flow.axes if made.axes is None else made.axes
        shape = flow.shape if made.shape is None else made.shape
        values = made.activations
        if values == "all":
            values = times_all(*shape)
        counts = [made.parameters, made.macs, values]
        axes = tuple(axes)
        exact = [axis is None or axis.exact for axis in axes]
        if math.inf in counts or made.large or not all(exact):
            self.reader.problem(
                at,
                f"Numbers are exact up to {MOST:,}, "
                "and here they go beyond; try smaller sizes.",
            )
        counts = [None if n == math.inf else n for n in counts]
        axes = tuple(
            axis if fine else None
            for axis, fine in zip(axes, exact, strict=True)
        )
        fields = [
            measure(axis, shape[i + 1] if len(shape) == 3 else 1, pixels)
            for i, (axis, pixels) in enumerate(
                zip(axes, self.pixels, strict=True)
            )
        ]
        row = Row(
            index=len(self.rows),
            line=at.line,
            column=at.column,
            length=at.length,
            name=self.name(label, item.op, where),
            op=item.op,
            words=made.words,
            input=flow.shape,
            shape=shape,
            parameters=counts[0],
            macs=counts[1],
            activations=counts[2],
            field=tuple(size for size, _ in fields),
            jump=tuple(jump for _, jump in fields),
            relu=False,
            depth=len(where.path) // 2,
            path=where.path,
            inputs=made.inputs or (flow.source,),
            maps=made.window,
        )
        self.rows.append(row)
        layers = flow.layers if made.layers is None else made.layers
        self.flow = replace(
            flow,
            shape=shape,
            axes=axes,
            source=row.index,
            layers=layers + (item.op in ("conv", "dense")),
            window=(row, item) if made.window else flow.window,
        )
        return row

    def name(self, label: str, op: str, where: Where) -> str:
        """A name such as conv3, or the label; one that is taken counts."""
        name = where.prefix + label
        if not label:
            where.counts[op] = where.counts.get(op, 0) + 1
            name += f"{STEMS.get(op, op)}{where.counts[op]}"
        taken = self.names[name] = self.names.get(name, 0) + 1
        return name if taken == 1 else f"{name} ({taken})"

    # Forks

    def fork(
        self,
        item: Item,
        label: str,
        where: Where,
        still: bool,
        turn: int,
        plan: list[Part],
    ) -> None:
        """Branches and where they meet; or a group, which has one only."""
        prefix = f"{where.prefix}{label}." if label else where.prefix
        counts = {} if label else where.counts
        if not item.join:
            inside = Where(prefix, counts, where.path)
            quiet = still and not item.suffixes
            plan += self.sequence(item.branches[0], inside, quiet)
            self.after(item, None, False, where, plan)
            return
        self.forks += 1
        number, start = self.forks, self.flow
        branches = _branches(item, start, turn)
        ends, plans = [], []
        for i, items in enumerate(branches):
            self.flow = start
            inside = Where(prefix, counts, (*where.path, number, i))
            plans.append(self.sequence(items, inside, item.join == "add"))
            ends.append(self.flow)
        made = self.join(item, start, ends)
        self.flow = replace(start, off=any(end.off for end in ends))
        joint = replace(item, op=item.join)
        row = self.add(joint, made, label, where, item.span)
        row.input = ends[0].shape
        plan.append(Part(row, made, plans))
        activates = item.join == "add" and not still
        self.after(item, row, activates, where, plan)

    def join(self, item: Item, start: Flow, ends: list[Flow]) -> Made:
        """Where branches meet: one shape, and what all of them see."""
        sums = item.join == "add"
        shape, large = _joined_shape(ends, sums)
        self.meet(item, start, ends, sums)
        sizes = shape[1:] if len(shape) == 3 else (1, 1)
        axes = []
        for a, size in enumerate(sizes):
            one, *others = [end.axes[a] for end in ends]
            if sums:
                for other in others:
                    one = merge([one, other], size)
            else:
                one = merge([one, *others], size)
            axes.append(one)
        words = "sum" if sums else "concatenation"
        return Made(
            f"{words} of {len(ends)}",
            shape,
            axes,
            activations=0,
            large=large,
            inputs=tuple(end.source for end in ends),
            layers=max(end.layers for end in ends),
        )

    def meet(
        self, item: Item, start: Flow, ends: list[Flow], sums: bool
    ) -> None:
        """Say which branch does not fit the first, and what would."""
        first = ends[0].shape
        for i, end in enumerate(ends[1:], start=1):
            shape = end.shape
            rank = len(shape) != len(first)
            if not rank:
                pairs = list(zip(shape, first, strict=True))
                pairs = pairs[0 if sums else 1 :]
                if not any(None not in p and p[0] != p[1] for p in pairs):
                    continue
            given = (
                f"Branch {i + 1} gives {show_shape(shape)}, "
                f"and branch 1 {show_shape(first)}"
            )
            if rank:
                self.reader.problem(
                    item.span,
                    f"{given}; maps meet only maps, and vectors only vectors.",
                )
            elif sums:
                self.meet_sum(item, start, ends, i, given)
            else:
                self.meet_side(item, start, ends, i, given)
            return

    def meet_sum(
        self, item: Item, start: Flow, ends: list[Flow], i: int, given: str
    ) -> None:
        """A shortcut of another shape: a projection may fit."""
        maps, *ups = ends[0].shape
        given_sides = start.shape[1:]
        known = (
            ends[i].source == start.source
            and len(ups) == len(given_sides) == 2
            and None not in (maps, *ups, *given_sides)
        )
        strides = (
            [
                -(-before // up)
                for before, up in zip(given_sides, ups, strict=True)
            ]
            if known
            else []
        )
        if not known or any(
            (before - 1) // stride + 1 != up
            for before, stride, up in zip(
                given_sides, strides, ups, strict=True
            )
        ):
            self.reader.problem(
                item.span,
                f"{given}; a sum needs one shape, so let both end alike.",
            )
            return
        plain = sides(strides) == "1"
        layer = f"{maps} 1x1{'' if plain else f' s{sides(strides)}'} bn"
        implied = len(item.branches) == 1
        own = item.branches[i] if not implied else []
        fits, at = "", item.span
        if implied and item.close:
            fits, at = f"| {layer} }}", item.close
        elif len(own) == 1:
            fits, at = layer, own[0].span
        self.reader.problem(
            at,
            f"{given}; a sum needs one shape, so project the shortcut: "
            f"{layer}.",
            fits,
        )

    def meet_side(
        self, item: Item, start: Flow, ends: list[Flow], i: int, given: str
    ) -> None:
        """Maps of another height and width: a padding may fit."""
        says = f"{given}; concatenated maps need one height and width"
        for end, other in ((ends[i], ends[0]), (ends[0], ends[i])):
            inside = end.window and end.window is not start.window
            pad = _pad_for(end.window[0], other.shape[1:]) if inside else ""
            if not pad:
                continue
            own = end.window[1]
            place = own.places.get("padding")
            text = self.reader.text_at(own.span)
            self.reader.problem(
                place or own.span,
                f"{says}, so try {pad} here.",
                pad if place else f"{text} {pad}",
            )
            return
        self.reader.problem(item.span, f"{says}.")

    # Printed claims

    def check(self, item: Item, row: Row, made: Made) -> None:
        """Compare a row with what its line prints."""
        if item.shape_claim:
            self.check_shape(item.shape_claim, row)
        for claim in item.claims:
            self.check_count(claim, row, made)

    def check_shape(self, claim: Size, row: Row) -> None:
        """A printed shape."""
        shape, printed = row.shape, tuple(claim.sizes)
        if None in shape:
            return
        if _agrees(printed, shape):
            self.flow = replace(self.flow, off=False)
            return
        was = self.flow.off
        self.flow = replace(self.flow, off=True)
        if was:  # it follows from an earlier one
            return
        turned = len(shape) == len(printed) == 3 and printed[0] != shape[0]
        order = (*shape[1:], shape[0]) if turned else shape
        needs = _needs(printed, row)
        what = "an input" if row.inputs[0] == -1 else "maps"
        self.reader.note(
            claim.place,
            f"This line prints {show_shape(printed)}, but the network gives "
            f"{show_shape(order)}"
            + (f"; {what} of {needs} would fit." if needs else "."),
            f"[{'x'.join(map(str, order))}]",
        )

    def check_count(self, claim: CountClaim, row: Row, made: Made) -> None:
        """A printed number of parameters or values."""
        if self.flow.off:
            return
        if claim.what == "memory":
            self.compare(claim, [times_all(*row.shape)], "value")
            return
        full = bare = row.parameters
        if full is not None and made.bias:
            bare = full - row.shape[0]
        self.compare(claim, [full, bare], "parameter")

    def compare(
        self, claim: CountClaim, counts: list[Known], noun: str
    ) -> None:
        """A printed count, which may be rounded, with those that are."""
        if any(n is None or n == math.inf for n in counts):
            return
        value, step = claim.value, claim.step
        said = None
        for count in counts:
            slack = 0 if step == 1 else max(100 * step, value)
            if 100 * abs(count - value) <= slack:
                said = count
                break
        if said is None:
            bare = ""
            full, *others = counts
            if noun == "parameter" and others and others[0] != full:
                bare = f", or {others[0]:,} without biases"
            self.reader.note(
                claim.place,
                f"This line prints {claim.number} {noun}s, but the network "
                f"has {full:,}{bare}.",
                f"{claim.what}: {full:,}",
            )
        elif claim.product is not None and claim.product not in counts:
            self.reader.note(
                claim.place,
                f"This line prints a product that is {claim.product:,}, "
                f"but the network has {_count(said, noun)}.",
                f"{claim.what}: {said:,}",
            )


def _merged(items: list[Item]) -> list[Item]:
    """Put `bn`, `relu` and the like to the line before them."""
    merged: list[Item] = []
    for item in items:
        last = merged[-1] if merged else None
        small = item.op in ("bn", "relu", "tanh", "sigmoid")
        joins = small and item.times == 1 and not item.label and last
        if joins and last.times == 1 and last.op != "same":
            own = Suffix(item.op, item.span)
            merged[-1] = replace(
                last,
                suffixes=[*last.suffixes, own, *item.suffixes],
                relu=last.relu if item.relu is None else item.relu,
            )
        else:
            merged.append(item)
    return merged


def _branches(item: Item, start: Flow, turn: int) -> list[list[Item]]:
    """The branches of a fork; a sum's shortcut is implied.

    A block of the ResNet paper projects where its shape changes.
    """
    if item.join != "add" or len(item.branches) > 1:
        return item.branches
    if not item.residual:
        return [item.branches[0], []]
    stride = item.stride if turn == 1 else [1, 1]
    first, *others = item.branches[0]
    strided = replace(first, keys={**first.keys, "stride": stride})
    numbers = (others or [first])[-1].numbers
    maps = numbers[0].value if numbers else None
    same = sides(stride) == "1" and start.shape[0] == maps
    if same or maps is None:
        return [[strided, *others], []]
    project = replace(
        blank("conv", item.span),
        numbers=[Number(item.span, maps)],
        sizes=[Size(item.span, [1, 1])],
        keys={"stride": stride},
        suffixes=[Suffix("bn", item.span)],
    )
    return [[strided, *others], [project]]


def _joined_shape(ends: list[Flow], sums: bool) -> tuple[Shape, bool]:
    """Whatever is known of the shape in which branches meet."""
    first = ends[0].shape
    alike = [end.shape for end in ends if len(end.shape) == len(first)]
    known = tuple(
        next((n for n in (first[a], *sizes) if n is not None), None)
        for a, sizes in enumerate(zip(*alike, strict=True))
    )
    if sums:
        return known, False
    maps: Known = 0
    for shape in alike:
        maps = plus(maps, shape[0])
    large = maps == math.inf
    return (None if large else maps, *known[1:]), large


def _pad_for(row: Row, wanted: Shape) -> str:
    """The padding that makes a window's maps as large as these, or ""."""
    window, pads = row.maps, []
    for a, side in enumerate(wanted):
        size = row.input[a + 1]
        if side is None or size is None:
            return ""
        span, stride = window.spans[a], window.stride[a]
        pad = -(-((side - 1) * stride + span - size) // 2)
        if (
            pad < 0
            or (size + 2 * pad - span) // stride + 1 != side
            or (window.mode and 2 * pad > window.kernel[a])
        ):
            return ""
        pads.append(pad)
    return f"p{sides(pads)}"


def _agrees(claim: Shape, shape: Shape) -> bool:
    """Whether a printed shape means this: maps first or last, or flat."""
    if len(shape) == 1:
        return claim in (shape, (1, 1, *shape), (*shape, 1, 1))
    if len(claim) == 1:
        return claim[0] == times_all(*shape)
    return claim in (shape[1:], shape, (*shape[1:], shape[0]))


def _needs(claim: Shape, row: Row) -> str:
    """The size before a window that would give the printed one, or ""."""
    window = row.maps
    if not window or len(claim) < 2:
        return ""
    last = len(claim) == 2 or (len(claim) == 3 and claim[0] == claim[1])
    wanted = [
        (side - 1) * window.stride[a]
        + window.spans[a]
        - sum(window.padding[a])
        for a, side in enumerate(claim[:2] if last else claim[1:3])
    ]
    if any(n < 1 or n > LIMITS["number"] for n in wanted):
        return ""
    needs = show_shape(wanted)
    return "" if needs == show_shape(row.input[1:]) else needs


# Each kind of layer: what it makes, what it costs, what is wrong


def _reads_maps(net: Counter, item: Item, flow: Flow, what: str) -> bool:
    """Whether maps come in; a sentence if not."""
    if len(flow.shape) == 3:
        return True
    units = flow.shape[0]
    net.reader.problem(
        item.span,
        f"{what} reads maps, and here comes a vector of "
        f"{'?' if units is None else f'{units:,}'}; "
        "put it before the dense layers.",
    )
    return False


@dataclass
class Kernel:
    """The kernel that a line gives, where, and how deep it is printed."""

    pair: Pair | None
    place: Place
    depth: int | None
    given: bool


def _kernel(net: Counter, item: Item, numbers: list[Number]) -> Kernel:
    """The kernel; a number that stands for it is taken from the list."""
    for second in item.sizes[1:2]:
        net.reader.problem(
            second.place,
            "A layer has one kernel, and this is a second one; leave it out.",
        )
    if item.sizes:
        size = item.sizes[0]
        kernel = Kernel(tuple(size.sizes[:2]), size.place, None, True)
        if len(size.sizes) == 3:
            kernel.depth = size.sizes[2]
        elif len(size.sizes) > 3:
            text = "x".join(map(str, kernel.pair))
            net.reader.problem(
                size.place,
                "A kernel has a height and a width, not "
                f"{len(size.sizes)} numbers; try {text}.",
                text,
            )
    elif numbers:
        number = numbers.pop(0)
        pair = (number.value, number.value)
        kernel = Kernel(pair, number.place, None, True)
    else:
        return Kernel(None, item.span, None, False)
    if 0 in kernel.pair:
        net.reader.problem(
            kernel.place, "A kernel is at least 1x1; try 1x1.", "1x1"
        )
        kernel.pair = None
    return kernel


def _left_over(net: Counter, numbers: list[Number]) -> None:
    """Numbers that nothing in the line explains."""
    for number in numbers:
        value = number.value
        net.reader.problem(
            number.place,
            f"Nothing says what this {value} is; try s{value or 1} for a "
            "stride, "
            f"or p{value} for padding.",
            f"s{value or 1}",
        )


def _refuse(net: Counter, item: Item, what: str, words: str) -> None:
    """Words that this kind of layer cannot keep."""
    for key in words.split():
        at = item.places.get(key) or item.flags.get(key)
        if at:
            net.reader.problem(at, f"{what} knows no {key}; leave it out.")


def _padding(
    net: Counter, item: Item, kernel: Pair, stride: Pair, dilation: Pair
) -> tuple[Pair, Pair] | None:
    """The padding of both axes, before and after; None if it cannot be."""
    same = item.flags.get("same")
    if not same:
        high, wide = item.keys.get("padding", (0, 0))
        return (high, high), (wide, wide)
    totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    even = any(total % 2 for total in totals)
    if even and (item.op == "pool" or sides(stride) != "1"):
        odd = "x".join(str(k + (k % 2 == 0)) for k in kernel)
        net.reader.problem(
            same,
            f"The kernel {sides(kernel)} has no centre, so padding cannot be "
            f"the same on both sides; try {odd}, or p1.",
            "p1",
        )
        return None
    high, wide = totals
    return (high // 2, high - high // 2), (wide // 2, wide - wide // 2)


def _slide(
    net: Counter, item: Item, flow: Flow, window: Window, at: Place
) -> Shape:
    """The maps' sizes behind a window; unknown where it does not fit."""
    found, rooms = [], []
    bad = None
    for a, side in enumerate(flow.shape[1:]):
        room = None
        if side is not None:
            room = side + sum(window.padding[a]) - window.spans[a]
        rooms.append(room)
        if room is None:
            found.append(None)
            continue
        stride, places = window.stride[a], 0
        if window.ceil:
            places = -(-room // stride) + 1
            if (places - 1) * stride >= side + window.padding[a][0]:
                places -= 1
        if places < 1 and room < 0:
            bad = a if bad is None else bad
        found.append(places if places >= 1 else room // stride + 1)
    if bad is None:
        return tuple(found)
    fit = []
    for a, k in enumerate(window.kernel):
        if rooms[a] is None or rooms[a] >= 0:
            fit.append(k)
        else:
            most = flow.shape[a + 1] + sum(window.padding[a])
            fit.append((most - 1) // window.dilation[a] + 1)
    pad = window.padding[bad][0] + -(rooms[bad] // 2)
    text = "x".join(map(str, fit))
    dilation, kernel = window.dilation[bad], window.kernel[bad]
    dilated = f", dilation {dilation}" if dilation > 1 else ""
    fits_padded = item.op != "pool" or 2 * pad <= kernel
    padded = f" or padding {pad}" if fits_padded else ""
    net.reader.problem(
        at,
        f"{flow.shape[bad + 1]:,} {'wide' if bad else 'high'}, kernel "
        f"{kernel}{dilated}, stride {window.stride[bad]}, padding "
        f"{window.padding[bad][0]}: the kernel is too large; kernel {text}"
        f"{padded} fits.",
        text,
    )
    return None, None


def _walk(flow: Flow, window: Window) -> list[Axis | None]:
    return [
        axis
        and axis.step(window.spans[a], window.stride[a], window.padding[a][0])
        for a, axis in enumerate(flow.axes)
    ]


def _conv(net: Counter, item: Item, flow: Flow) -> Made:
    maps = flow.shape[0]
    dw = "dw" in item.flags
    numbers = list(item.numbers)
    first = None
    if numbers and (not dw or len(numbers) > (0 if item.sizes else 1)):
        first = numbers.pop(0)
    if first:
        out = first.value
    elif dw:
        out = maps if len(flow.shape) == 3 else None
    else:
        out = item.shape_claim.sizes[-1] if item.shape_claim else None
    kernel = _kernel(net, item, numbers)
    _left_over(net, numbers)
    _refuse(net, item, "A convolution", "ceil")
    text = "x".join(map(str, kernel.pair or (3, 3)))
    if out == 0:
        net.reader.problem(
            first.place if first else item.span,
            "A convolution makes at least 1 map; try 64.",
            "64",
        )
        out = None
    elif out is None and not (dw or item.broken):
        net.reader.problem(
            item.span,
            "This convolution lacks its number of filters; try conv 64 "
            f"{text}.",
            f"conv 64 {text}",
        )
    if kernel.pair is None and not (item.sizes or item.broken):
        cure = f"conv {'dw' if dw else 64 if out is None else out} 3x3"
        net.reader.problem(
            item.span,
            f"This convolution lacks the size of its kernel; try {cure}.",
            cure,
        )
    reads = _reads_maps(net, item, flow, "A convolution")
    bias = item.bias
    if bias is None:
        bias = not (item.suffixes and item.suffixes[0].op == "bn")
    lost = Made(
        "a convolution",
        (out, None, None),
        [None, None],
        parameters=None,
        macs=None,
        bias=bias,
    )
    if not reads or kernel.pair is None:
        return lost
    stride = tuple(item.keys.get("stride", (1, 1)))
    dilation = tuple(item.keys.get("dilation", (1, 1)))
    padding = _padding(net, item, kernel.pair, stride, dilation)
    groups = _groups(net, item, maps, out, dw)
    if kernel.depth is not None and maps not in (None, kernel.depth):
        net.reader.note(
            kernel.place,
            f"This kernel is printed {kernel.depth} deep, but "
            f"{_count(maps, 'map')} come in.",
            text,
        )
    weights = None
    if None not in (groups, maps, out):
        weights = times_all(maps // groups, out, *kernel.pair)
    lost.parameters = plus(weights, out if bias else 0)
    if padding is None:
        return lost
    window = Window(
        kernel.pair, stride, padding, dilation, groups, bias, None, False
    )
    found = _slide(net, item, flow, window, kernel.place)
    words = "depthwise " + replace(window, groups=1).words
    if not dw:
        filters = "filters" if out is None else _count(out, "filter")
        words = f"{filters} {window.words}"
    return Made(
        words + ("" if bias else ", no bias"),
        (out, *found),
        _walk(flow, window),
        parameters=lost.parameters,
        macs=times_all(weights, *found),
        window=None if groups is None else window,
        bias=bias,
    )


def _groups(
    net: Counter, item: Item, maps: int | None, out: int | None, dw: bool
) -> int | None:
    """The number of groups, or None if they cannot share the maps."""
    asked = item.keys.get("groups")
    if not (dw or asked):
        return 1
    if maps is None or out is None:
        return None
    if dw:
        if out % maps == 0:
            return maps
        fits = max(1, (2 * out + maps) // (2 * maps)) * maps
        net.reader.problem(
            item.numbers[0].place,
            f"Depthwise, each of {_count(maps, 'map')} gets as many filters, "
            f"and {out} is no multiple of {maps}; try {fits}.",
            str(fits),
        )
        return None
    groups = asked[0]
    if maps % groups == 0 == out % groups:
        return groups
    shared = _divisors(math.gcd(maps, out), groups)
    net.reader.problem(
        item.places["groups"],
        f"{_count(groups, 'group')} cannot share {_count(maps, 'map')} in "
        f"and {out:,} out; try {' or '.join(f'g{g}' for g in shared)}.",
        f"g{shared[0]}",
    )
    return None


def _divisors(number: int, near: int) -> list[int]:
    """The divisors next to a number: the nearest first."""
    below, above = 1, None
    for i in range(1, math.isqrt(number) + 1):
        if number % i:
            continue
        for divisor in (i, number // i):
            if divisor < near:
                below = max(below, divisor)
            else:
                above = min(above or divisor, divisor)
    if above is None:
        return [below]
    pair = [below, above]
    return pair if near - below <= above - near else pair[::-1]


def _pool(net: Counter, item: Item, flow: Flow) -> Made | None:
    if not _reads_maps(net, item, flow, "A pooling"):
        return None
    numbers = list(item.numbers)
    claimed = numbers.pop(0) if item.sizes and numbers else None
    kernel = _kernel(net, item, numbers)
    _left_over(net, numbers)
    _refuse(net, item, "A pooling", "groups dilation bias dw")
    maps = flow.shape[0]
    if claimed and maps not in (None, claimed.value):
        net.reader.note(
            claimed.place,
            f"A pooling keeps its maps: here are {maps:,}, "
            f"not {claimed.value:,}.",
            str(maps),
        )
    lost = Made(
        "a pooling", (maps, None, None), [None, None], activations=None
    )
    if kernel.given and kernel.pair is None:
        return lost
    pair = kernel.pair or (2, 2)
    stride = tuple(item.keys.get("stride", pair))
    padding = _padding(net, item, pair, stride, (1, 1))
    if padding is None:
        return lost
    window = Window(
        pair,
        stride,
        padding,
        (1, 1),
        1,
        False,
        item.mode or "max",
        "ceil" in item.flags,
    )
    for a, (pad, _) in enumerate(padding):
        if 2 * pad > pair[a]:
            most = f"p{sides([k // 2 for k in pair])}"
            net.reader.problem(
                item.places.get("padding", item.span),
                f"Padding {pad} is more than half of the kernel {pair[a]}; "
                f"{most} fits.",
                most,
            )
            return lost
    found = _slide(net, item, flow, window, kernel.place)
    kind = "max" if window.mode == "max" else "mean"
    return Made(
        f"{kind} pool {window.words}",
        (maps, *found),
        _walk(flow, window),
        window=window,
    )


def _dense(net: Counter, item: Item, flow: Flow) -> Made:
    numbers = list(item.numbers)
    reads = numbers.pop(0) if len(numbers) > 1 else None
    first = numbers.pop(0) if numbers else None
    out, spare = None, item.spare
    if first:
        out = first.value
    elif item.shape_claim:
        out = item.shape_claim.sizes[-1]
    elif spare:
        out = net.reader.whole(spare.text, spare.place)
    _left_over(net, numbers)
    _refuse(
        net,
        item,
        "A dense layer",
        "stride padding groups dilation ceil dw same",
    )
    for size in item.sizes:
        net.reader.problem(
            size.place,
            "A dense layer has units, and no kernel; try dense 10.",
        )
    if out == 0:
        net.reader.problem(
            first.place if first else item.span,
            "A dense layer has at least 1 unit; try 10.",
            "10",
        )
        out = None
    elif out is None and not (spare or item.broken):
        net.reader.problem(
            item.span,
            "This layer lacks its number of units; try dense 10.",
            "dense 10",
        )
    inputs = times_all(*flow.shape)
    if reads and inputs is not None and reads.value != inputs:
        many = inputs == math.inf
        net.reader.note(
            reads.place,
            f"This line prints {reads.value:,} inputs, but "
            f"{'more' if many else f'{inputs:,}'} come in.",
            "" if many else str(inputs),
        )
    weights = times_all(inputs, out)
    bias = item.bias
    if bias is None:
        bias = not (item.suffixes and item.suffixes[0].op == "bn")
    units = "units" if out is None else _count(out, "unit")
    return Made(
        units + ("" if bias else ", no bias"),
        (out,),
        _flat(flow),
        parameters=plus(weights, out if bias else 0),
        macs=weights,
        bias=bias,
    )


def _flat(flow: Flow) -> list[Axis | None]:
    """What a vector's units see of what maps saw."""
    if len(flow.shape) == 1:
        return list(flow.axes)
    return [
        spread(axis, size)
        for axis, size in zip(flow.axes, flow.shape[1:], strict=True)
    ]


def _global(net: Counter, item: Item, flow: Flow) -> Made | None:
    if not _reads_maps(net, item, flow, "A global pooling"):
        return None
    _left_over(net, item.numbers)
    mode = item.mode or "avg"
    return Made(
        f"{'maximum' if mode == 'max' else 'mean'} of each map",
        flow.shape[:1],
        _flat(flow),
        activations=0,
        mode=mode,
    )


def _flatten(net: Counter, item: Item, flow: Flow) -> Made:
    values = times_all(*flow.shape)
    large = values == math.inf
    return Made(
        "all values in a row",
        (None if large else values,),
        _flat(flow),
        activations=0,
        large=large,
    )


def _same(net: Counter, item: Item, flow: Flow) -> Made | None:
    """Nothing at all; or, strided, every so many pixels and maps of zeros."""
    if not item.numbers and "stride" not in item.keys:
        return None
    if not _reads_maps(net, item, flow, "A strided shortcut"):
        return None
    maps, *ups = flow.shape
    out = item.numbers[0].value if item.numbers else maps
    _left_over(net, item.numbers[1:])
    stride = tuple(item.keys.get("stride", (1, 1)))
    more = 0
    if None not in (out, maps):
        more = max(0, out - maps)
        if out < maps:
            net.reader.problem(
                item.numbers[0].place,
                "The word same can add maps of zeros, not take maps away: "
                f"{maps:,} come in; try {maps}, or a {out} 1x1.",
                str(maps),
            )
    words = "the same maps"
    if sides(stride) != "1":
        words = f"every pixel at stride {_show_sides(stride)}"
    if more:
        words += f", {_count(more, 'map')} of zeros"
    return Made(
        words,
        (
            out,
            *(
                None if up is None else (up - 1) // s + 1
                for up, s in zip(ups, stride, strict=True)
            ),
        ),
        [
            axis and axis.step(1, s, 0)
            for axis, s in zip(flow.axes, stride, strict=True)
        ],
        stride=stride,
    )


def _norm(net: Counter, item: Item, flow: Flow) -> Made | None:
    if not _reads_maps(net, item, flow, "A local response norm"):
        return None
    return Made("local response norm")


def _bn(net: Counter, item: Item, flow: Flow) -> Made:
    return Made("batch norm", parameters=times_all(2, flow.shape[0]))


def _dropout(net: Counter, item: Item, flow: Flow) -> Made:
    rate = item.rate or "0.5"
    return Made(f"dropout {rate}", rate=rate)


def _plain(words: str) -> Any:
    return lambda net, item, flow: Made(words)


LAYERS = {
    "conv": _conv,
    "pool": _pool,
    "dense": _dense,
    "global": _global,
    "same": _same,
    "flatten": _flatten,
    "norm": _norm,
    "bn": _bn,
    "dropout": _dropout,
    "softmax": _plain("softmax"),
    "relu": _plain("ReLU"),
    "tanh": _plain("tanh"),
    "sigmoid": _plain("sigmoid"),
}


# All of it


@dataclass
class Totals:
    """What the rows add up to; None where that is not exact."""

    rows: int
    layers: int
    depth: int
    parameters: int | None
    macs: int | None
    activations: int | None
    complete: bool


@dataclass
class Built:
    """A text that is read and counted."""

    reader: Reader
    given: Input | None
    shape: Shape
    rows: list[Row]
    totals: Totals
    plan: list[Part]


def build(text: str) -> Built:
    """Read a text and count what it says."""
    reader = Reader(text)
    items = read_items(reader, Walk(reader.tokens), 0)[0]
    given = reader.input
    if not given:
        reader.problem(
            Place(1, 0, 0),
            "The first line says what comes in; try input 3x224x224.",
            "input 3x224x224\n",
        )
        reader.input = Input(Place(1, 0, 0), [3, 224, 224])
    net = Counter(reader)
    for claim in given.claims if given else []:
        memory = claim.what == "memory"
        net.compare(
            claim,
            [times_all(*given.shape) if memory else 0],
            "value" if memory else "parameter",
        )
    plan = net.sequence(items, Where(), True)
    totals = _totals(net)
    if totals.complete:
        for claim in reader.claims:
            if claim.what == "memory":
                values = totals.activations
                every = plus(values, times_all(*reader.input.shape))
                net.compare(claim, [every, values], "value")
            else:
                net.compare(claim, [totals.parameters], "parameter")
    reader.problems.sort(key=lambda problem: (problem.line, problem.column))
    return Built(reader, given, net.flow.shape, net.rows, totals, plan)


def _totals(net: Counter) -> Totals:
    counted = [row.op in ("conv", "dense") for row in net.rows]
    totals = Totals(
        len(net.rows),
        sum(counted),
        net.flow.layers,
        0,
        0,
        0,
        not net.reader.stopped,
    )
    for what in ("parameters", "macs", "activations"):
        counts = [getattr(row, what) for row in net.rows]
        total = sum(n for n in counts if n is not None)
        if None in counts or total > MOST:
            totals.complete = False
        setattr(totals, what, total if total <= MOST else None)
    return totals
