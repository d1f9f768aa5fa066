"""A small layer, forward and back: which product goes where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import traitlets

from cnnbook.geometry import output_size
from cnnbook.widgets.base import BookWidget

Grid = list[list[int]]
Place = tuple[int, int]

PIXELS: Grid = [[1, 3, 2, 0], [0, 2, 1, 4], [5, 1, 0, 2], [2, 0, 3, 1]]
"""The input; no window has its largest pixel twice."""

CHOICES = {
    "layer": ("convolution", "max pooling"),
    "kernel": (2, 3),
    "stride": (1, 2, 3),
    "padding": (0, 1),
    "stage": ("forward", "scatter", "gather", "weights"),
}
"""What can be chosen; all of it fits together."""

STAGES = {"convolution": CHOICES["stage"], "max pooling": CHOICES["stage"][:2]}
"""What there is to see of each layer, in order."""


class Case(NamedTuple):
    """A layer on given numbers: pixels, kernel, upstream gradient."""

    layer: str
    pixels: Grid
    kernel: Grid
    upstream: Grid
    stride: int
    padding: int

    @property
    def size(self) -> int:
        """The side of the input."""
        return len(self.pixels)

    @property
    def window(self) -> int:
        """The side of the kernel, or of the pooling window."""
        return len(self.kernel)

    @property
    def output(self) -> int:
        """The side of the output."""
        return len(self.upstream)

    def pixel(self, row: int, column: int) -> int | None:
        """The pixel at a place, None in the padding."""
        inside = 0 <= row < self.size and 0 <= column < self.size
        return self.pixels[row][column] if inside else None

    def places(self, i: int, j: int) -> list[Place]:
        """What the window of output (i, j) covers, row by row."""
        top, left = (self.stride * at - self.padding for at in (i, j))
        taps = range(self.window)
        return [(top + a, left + b) for a in taps for b in taps]

    def switch(self, i: int, j: int) -> Place:
        """Where the largest pixel under a window stands; the first one."""
        inside = [p for p in self.places(i, j) if self.pixel(*p) is not None]
        return max(inside, key=lambda place: self.pixel(*place))


def weights(kernel: int) -> Grid:
    """1, 2, 3, … row by row, so that a turn shows."""
    return [[kernel * a + b + 1 for b in range(kernel)] for a in range(kernel)]


def upstream(output: int) -> Grid:
    """Small numbers of both signs, none of them zero."""
    values = (1, -1, 2, -2, 3)
    return [
        [values[(3 * i + j) % 5] for j in range(output)] for i in range(output)
    ]


def steps(case: Case, stage: str) -> int:
    """How many steps a stage has."""
    side = {"gather": case.size, "weights": case.window}
    return side.get(stage, case.output) ** 2


def scene(case: Case, stage: str, step: int) -> dict[str, Any]:
    """Everything to draw and to say at one step.

    ``grids`` holds three grids with a title each; a cell is a text and its
    marks: *r* the rim of padding, *o* a zero put in between, *h* taking
    part, *t* receiving, *s* a switch.  ``sum`` is the arithmetic, ``words``
    says what happens.
    """
    pooling = case.layer == "max pooling"
    draw = {
        "forward": _pool_forward if pooling else _forward,
        "scatter": _pool_scatter if pooling else _scatter,
        "gather": _gather,
        "weights": _weights,
    }[stage]
    return draw(case, step)


def _forward(case: Case, step: int) -> dict[str, Any]:
    i, j = divmod(step, case.output)
    under = case.places(i, j)
    taps = [w for row in case.kernel for w in row]

    def answer(i: int, j: int) -> int:
        read = (case.pixel(*place) or 0 for place in case.places(i, j))
        return sum(w * x for w, x in zip(taps, read, strict=True))

    terms = [
        (w, case.pixel(*place))
        for w, place in zip(taps, under, strict=True)
        if case.pixel(*place) is not None
    ]
    return {
        "grids": [
            _input(case, "0", under),
            _used("Kernel w", case.kernel, (case.pixel(*p) for p in under)),
            _so_far("Output y", case.output, step, answer),
        ],
        "sum": _sum(terms),
        "words": (
            f"{_window(under)} meets the kernel: y[{i}, {j}] is "
            f"{_minus(answer(i, j))}."
        ),
    }


def _scatter(case: Case, step: int) -> dict[str, Any]:
    i, j = divmod(step, case.output)
    g = case.upstream[i][j]
    taps = [w for row in case.kernel for w in row]
    under = case.places(i, j)
    sums: dict[Place, int] = {}
    for earlier in range(step + 1):
        at = divmod(earlier, case.output)
        for w, place in zip(taps, case.places(*at), strict=True):
            share = w * case.upstream[at[0]][at[1]]
            sums[place] = sums.get(place, 0) + share
    dropped = sum(case.pixel(*place) is None for place in under)
    lost = (
        f" {dropped} of its {len(taps)} products fall on the padding, "
        "outside the picture."
        if dropped
        else ""
    )
    return {
        "grids": [
            _upstream(case, (i, j)),
            _used("Kernel w", case.kernel, (case.pixel(*p) for p in under)),
            _around(
                "Gradient for x",
                case.size,
                case.padding,
                lambda place: _minus(sums.get(place, 0)),
                lambda place: "t" if place in under else "",
            ),
        ],
        "sum": (
            f"{_minus(g)} · ({_list(taps)}) = ({_list(g * w for w in taps)})"
        ),
        "words": (
            f"g[{i}, {j}] = {_minus(g)} goes back to every pixel that "
            f"y[{i}, {j}] read, times the weight it was read with, and is "
            f"added there.{lost}"
        ),
    }


def _gather(case: Case, step: int) -> dict[str, Any]:
    m, n = divmod(step, case.size)
    rim = case.window - 1 - case.padding
    taps = range(case.window)

    def pairs(m: int, n: int) -> list[Place]:
        """The turned kernel on the full grid, where a gradient stands."""
        return [
            (case.kernel[-1 - a][-1 - b], g)
            for a in taps
            for b in taps
            if (g := _full(case, m + a - rim, n + b - rim)) is not None
        ]

    side = case.size + 2 * case.padding - case.window + 1
    terms = pairs(m, n)
    total = sum(w * g for w, g in terms)
    here = [(m + a - rim, n + b - rim) for a in taps for b in taps]
    readers = {0: "no output", 1: "1 output"}.get(
        len(terms), f"{len(terms)} outputs"
    )
    turned = [row[::-1] for row in case.kernel[::-1]]
    return {
        "grids": [
            _around(
                _dilated(case),
                side,
                rim,
                lambda place: _minus(_full(case, *place) or 0),
                lambda place: (
                    "h" * (place in here) + "o" * (_full(case, *place) is None)
                ),
            ),
            _used("Kernel w, turned", turned, (_full(case, *p) for p in here)),
            _so_far(
                "Gradient for x",
                case.size,
                step,
                lambda m, n: sum(w * g for w, g in pairs(m, n)),
            ),
        ],
        "sum": _sum(terms),
        "words": (
            "The kernel, turned by 180°, lies on the upstream gradient "
            f"({_zeros(case.stride - 1)} between neighbours, padding {rim}). "
            f"x[{m}, {n}] was read by {readers} and receives "
            f"{_minus(total)}."
        ),
    }


def _weights(case: Case, step: int) -> dict[str, Any]:
    a, b = divmod(step, case.window)
    at = range(case.output)

    def place(i: int, j: int, a: int, b: int) -> Place:
        """What weight (a, b) met on its way to output (i, j)."""
        return (
            case.stride * i + a - case.padding,
            case.stride * j + b - case.padding,
        )

    def pairs(a: int, b: int) -> list[Place]:
        return [
            (case.pixel(*place(i, j, a, b)), case.upstream[i][j])
            for i in at
            for j in at
            if case.pixel(*place(i, j, a, b)) is not None
        ]

    side = case.size + 2 * case.padding - case.window + 1
    total = sum(x * g for x, g in pairs(a, b))
    met = [place(i, j, a, b) for i in at for j in at]
    places = "1 place" if len(met) == 1 else f"{len(met)} places"
    apart = f", {case.stride} apart" if len(met) > 1 else ""
    return {
        "grids": [
            _input(case, "0", met),
            _around(
                _dilated(case),
                side,
                0,
                lambda place: _minus(_full(case, *place) or 0),
                lambda place: "o" if _full(case, *place) is None else "h",
            ),
            _so_far(
                "Gradient for w",
                case.window,
                step,
                lambda a, b: sum(x * g for x, g in pairs(a, b)),
            ),
        ],
        "sum": _sum(pairs(a, b)),
        "words": (
            f"w[{a}, {b}] met {places}{apart}. Each product "
            "with the gradient of the output it went to, added up, nothing "
            f"turned: it receives {_minus(total)}."
        ),
    }


def _pool_forward(case: Case, step: int) -> dict[str, Any]:
    i, j = divmod(step, case.output)
    under = case.places(i, j)
    seen = [x for p in under if (x := case.pixel(*p)) is not None]
    so_far = [case.switch(*divmod(s, case.output)) for s in range(step + 1)]
    row, column = case.switch(i, j)
    grid = _input(case, "−∞", under, so_far)
    return {
        "grids": [
            grid,
            _switches(case, step, (i, j), "t"),
            _so_far(
                "Output y",
                case.output,
                step,
                lambda i, j: case.pixel(*case.switch(i, j)),
            ),
        ],
        "sum": f"max({_list(seen)}) = {_minus(max(seen))}",
        "words": (
            f"{_window(under)} lets its largest pixel through: y[{i}, {j}] "
            f"is {_minus(max(seen))}. The switch remembers where it stood, "
            f"row {row}, column {column}."
        ),
    }


def _pool_scatter(case: Case, step: int) -> dict[str, Any]:
    i, j = divmod(step, case.output)
    sums: dict[Place, int] = {}
    for earlier in range(step + 1):
        at = divmod(earlier, case.output)
        place = case.switch(*at)
        sums[place] = sums.get(place, 0) + case.upstream[at[0]][at[1]]
    place = case.switch(i, j)
    g = case.upstream[i][j]
    before = sums[place] - g
    rings = {
        case.switch(*divmod(n, case.output)) for n in range(case.output**2)
    }
    return {
        "grids": [
            _upstream(case, (i, j)),
            _switches(case, case.output**2 - 1, (i, j), "h"),
            _around(
                "Gradient for x",
                case.size,
                0,
                lambda here: _minus(sums.get(here, 0)),
                lambda here: "t" * (here == place) + "s" * (here in rings),
            ),
        ],
        "sum": _sum([(before, 1), (g, 1)], factors=False),
        "words": (
            f"g[{i}, {j}] = {_minus(g)} goes to the pixel at the switch, "
            f"row {place[0]}, column {place[1]}, and is added there. The "
            "others in the window had no influence and receive nothing."
        ),
    }


# ---- Parts of a scene ----


def _full(case: Case, row: int, column: int) -> int | None:
    """The upstream gradient on the grid of stride 1; None between."""
    (i, down), (j, right) = (divmod(at, case.stride) for at in (row, column))
    there = range(case.output)
    if down or right or i not in there or j not in there:
        return None
    return case.upstream[i][j]


def _grid(
    title: str, values: Grid, mark: Callable[[int, int], str]
) -> dict[str, Any]:
    return {
        "title": title,
        "cells": [
            [[_minus(value), mark(a, b)] for b, value in enumerate(row)]
            for a, row in enumerate(values)
        ],
    }


def _used(
    title: str, kernel: Grid, met: Iterable[int | None]
) -> dict[str, Any]:
    """The kernel; lit is each weight that meets something."""
    lit = iter(["h" * (number is not None) for number in met])
    return _grid(title, kernel, lambda a, b: next(lit))


def _around(
    title: str,
    side: int,
    rim: int,
    text: Callable[[Place], str],
    mark: Callable[[Place], str],
) -> dict[str, Any]:
    """A square with a rim around it; places count from the square's corner."""
    axis = range(-rim, side + rim)

    def marks(row: int, column: int) -> str:
        inside = 0 <= row < side and 0 <= column < side
        return mark((row, column)) + "r" * (not inside)

    return {
        "title": title,
        "cells": [
            [[text((row, column)), marks(row, column)] for column in axis]
            for row in axis
        ],
    }


def _input(
    case: Case, empty: str, lit: list[Place], switches: Iterable[Place] = ()
) -> dict[str, Any]:
    def text(place: Place) -> str:
        pixel = case.pixel(*place)
        return empty if pixel is None else _minus(pixel)

    def mark(place: Place) -> str:
        return "h" * (place in lit) + "s" * (place in switches)

    return _around("Input x", case.size, case.padding, text, mark)


def _dilated(case: Case) -> str:
    return "Upstream g" + ", dilated" * (case.stride > 1)


def _upstream(case: Case, lit: Place) -> dict[str, Any]:
    return _grid(
        "Upstream g",
        case.upstream,
        lambda a, b: "h" if (a, b) == lit else "",
    )


def _switches(case: Case, last: int, lit: Place, mark: str) -> dict[str, Any]:
    at = range(case.output)

    def cell(i: int, j: int) -> list[str]:
        if i * case.output + j > last:
            return ["", ""]
        row, column = case.switch(i, j)
        return [f"{row}, {column}", mark * ((i, j) == lit)]

    return {
        "title": "Switches",
        "cells": [[cell(i, j) for j in at] for i in at],
    }


def _so_far(
    title: str, side: int, step: int, value: Callable[[int, int], int]
) -> dict[str, Any]:
    """What is known by now; the last one receives."""

    def cell(number: int) -> list[str]:
        if number > step:
            return ["", ""]
        shown = _minus(value(*divmod(number, side)))
        return [shown, "t" * (number == step)]

    return {
        "title": title,
        "cells": [
            [cell(side * row + column) for column in range(side)]
            for row in range(side)
        ],
    }


def _window(under: list[Place]) -> str:
    row, column = under[0]
    return (
        f"The window that starts at row {_minus(row)}, column {_minus(column)}"
    )


def _sum(terms: list[Place], factors: bool = True) -> str:
    total = sum(left * right for left, right in terms)
    shown = [
        f"{_signed(left)}·{_signed(right)}" if factors else _signed(left)
        for left, right in terms
    ]
    return f"{' + '.join(shown)} = {_minus(total)}" if terms else "0"


def _zeros(count: int) -> str:
    return {0: "no zeros", 1: "1 zero"}.get(count, f"{count} zeros")


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(_minus(number) for number in numbers)


def _signed(number: int) -> str:
    return f"({_minus(number)})" if number < 0 else str(number)


def _minus(number: int) -> str:
    return str(number).replace("-", "−")


# ---- The widget ----

NAMES = {
    "forward": "Forward",
    "scatter": "Back to x, handed out",
    "gather": "Back to x, collected",
    "weights": "Back to w",
}


class BackpropStepper(BookWidget):
    """A convolution or a max pooling of 4 × 4 pixels, step by step.

    ``stage`` is what is shown: "forward", "scatter" (each upstream gradient
    is handed out to its window), "gather" (each pixel collects what is due
    to it; convolution only) or "weights" (convolution only).  ``step``
    counts from 0; one past the end of a stage shows its last.
    """

    _name = "backprop_stepper"

    layer = traitlets.Unicode("convolution").tag(sync=True)
    kernel = traitlets.Int(3).tag(sync=True)
    stride = traitlets.Int(2).tag(sync=True)
    padding = traitlets.Int(1).tag(sync=True)
    stage = traitlets.Unicode("forward").tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)

    def __init__(
        self,
        layer: str = "convolution",
        kernel: int = 3,
        stride: int = 2,
        padding: int = 1,
        stage: str = "forward",
        step: int = 0,
    ) -> None:
        super().__init__(
            layer=layer,
            kernel=kernel,
            stride=stride,
            padding=padding,
            stage=stage,
            step=step,
        )

    @traitlets.validate(*CHOICES)
    def _known(self, proposal: dict[str, Any]) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        if value not in CHOICES[name]:
            *others, last = map(repr, CHOICES[name])
            raise ValueError(
                f"BackpropStepper has no {name} {value!r}; try "
                f"{', '.join(others)} or {last}."
            )
        return value

    @property
    def case(self) -> Case:
        """The layer with its numbers."""
        size = output_size(len(PIXELS), self.kernel, self.stride, self.padding)
        return Case(
            self.layer,
            PIXELS,
            weights(self.kernel),
            upstream(size),
            self.stride,
            self.padding,
        )

    def __repr__(self) -> str:
        return (
            f"BackpropStepper({self.layer!r}, kernel={self.kernel}, "
            f"stride={self.stride}, padding={self.padding})"
        )

    def _static(self) -> str:
        return "".join(
            picture(self.case, stage, self.step)
            for stage in STAGES[self.layer]
        )


def picture(case: Case, stage: str, step: int) -> str:
    """Draw one stage at one step, with what it computes and what it means."""
    now = scene(case, stage, min(step, steps(case, stage) - 1))
    marks, shift = [], 0
    for grid in now["grids"]:
        marks.append(_drawn(grid, shift))
        # A title is wider than a small grid.
        shift += max(10 * len(grid["cells"]), 3 * len(grid["title"])) + 12
    height = 10 * max(len(grid["cells"]) for grid in now["grids"])
    return (
        f'<figure><svg class="bp-static" viewBox="-1 -10 {shift} '
        f'{height + 11}" width="{3 * shift}" role="img" '
        f'aria-label="{NAMES[stage]}. {described(now)}"><g font-size="4.6" '
        f'fill="currentColor">{"".join(marks)}</g></svg><figcaption><p>'
        f"<strong>{NAMES[stage]}.</strong> {now['words']}</p>"
        f'<p class="bp-sum">{now["sum"]}</p></figcaption></figure>'
    )


def described(now: dict[str, Any]) -> str:
    """The numbers of a scene, grid by grid and row by row."""
    return " ".join(
        f"{grid['title']}: {_rows(grid)}." for grid in now["grids"]
    )


def _rows(grid: dict[str, Any]) -> str:
    rows = ([text for text, _ in row if text] for row in grid["cells"])
    return "; ".join(", ".join(row) for row in rows if row)


def _drawn(grid: dict[str, Any], shift: int) -> str:
    lines = {"plain": "", "r": "", "ht": "", "s": ""}
    texts = ""
    for y, row in enumerate(grid["cells"]):
        for x, (text, kinds) in enumerate(row):
            left, top = shift + 10 * x, 10 * y
            square = f"M{left} {top}h10v10h-10z"
            lines["r" if "r" in kinds else "plain"] += square
            if set(kinds) & set("ht"):
                lines["ht"] += square
            if "s" in kinds:
                lines["s"] += (
                    f"M{left + 1} {top + 5}a4 4 0 0 1 8 0a4 4 0 0 1-8 0"
                )
            if text:
                small = ' font-size="3.6"' if len(text) > 2 else ""
                place = f'x="{left + 5}" y="{top + 6.6:g}"{small}'
                texts += f"<text {place}>{text}</text>"
    style = {
        "plain": 'fill="none" stroke="#76818d" stroke-width=".3"',
        "r": 'fill="none" stroke="#14764f" stroke-width=".3" '
        'stroke-dasharray="1.2 1"',
        "ht": 'fill="#b83c18" fill-opacity=".2"',
        "s": 'fill="none" stroke="#7a4fb0" stroke-width=".8"',
    }
    paths = "".join(
        f'<path {style[name]} d="{line}"/>'
        for name, line in lines.items()
        if line
    )
    return (
        f'<text x="{shift}" y="-3">{grid["title"]}</text>{paths}'
        f'<g text-anchor="middle">{texts}</g>'
    )
