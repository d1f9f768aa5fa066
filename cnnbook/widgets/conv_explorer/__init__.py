"""A kernel walks over a grid: where it stops, what it reads, what it sums."""

from __future__ import annotations

from typing import Any, NamedTuple

import traitlets

from cnnbook.geometry import Rounding, output_size
from cnnbook.widgets.base import BookWidget

LIMITS = {
    "size": (1, 16),
    "kernel": (1, 7),
    "stride": (1, 6),
    "padding": (0, 4),
    "dilation": (1, 3),
}
"""What can be drawn so that one can still read it."""


class Walk(NamedTuple):
    """Where the windows lie along one axis, and what none of them reads."""

    output: int
    span: int
    unused: list[int]
    unread_padding: int
    overhang: int


def walk(
    size: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    rounding: Rounding,
) -> Walk:
    """Follow the windows along one axis; positions count from 0."""
    output = output_size(size, kernel, stride, padding, dilation, rounding)
    span = dilation * (kernel - 1) + 1
    read = {
        place * stride + tap * dilation
        for place in range(output)
        for tap in range(kernel)
    }
    rest = size + 2 * padding - ((output - 1) * stride + span)
    return Walk(
        output=output,
        span=span,
        unused=[i for i in range(size) if i + padding not in read],
        unread_padding=min(padding, max(0, rest)),
        overhang=max(0, -rest),
    )


def formula(
    size: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    rounding: Rounding,
) -> str:
    """The formula of the output size, with the numbers put in."""
    output = output_size(size, kernel, stride, padding, dilation, rounding)
    span = f"({dilation}·({kernel} − 1) + 1)" if dilation > 1 else kernel
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    left, right = {"floor": "⌊⌋", "ceil": "⌈⌉", "exact": "  "}[rounding]
    left, right = left.strip(), right.strip()
    steps = -(-room // stride) if rounding == "ceil" else room // stride
    text = (
        f"{left}({size} − {span} + 2·{padding}) / {stride}{right} + 1 = "
        f"{left}{_minus(room)} / {stride}{right} + 1 = "
        f"{_minus(steps)} + 1 = {steps + 1}"
    )
    if steps + 1 > output:
        text += f", less the window that would start past the input: {output}"
    return text


def words(
    size: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    rounding: Rounding,
) -> str:
    """Say what comes out, and which input nobody reads."""
    way = walk(size, kernel, stride, padding, dilation, rounding)
    said = [f"The output is {way.output} × {way.output}."]
    edge = size
    while edge - 1 in way.unused:
        edge -= 1
    off = [i for i in way.unused if i >= edge]
    between = [i for i in way.unused if i < edge]
    if off:
        said.append(f"{_lines(off)} fall off the edge: no window reads them.")
    if between:
        said.append(f"{_lines(between)} lie between what the windows read.")
    if not way.unused:
        said.append("Every input pixel is read.")
    if way.unread_padding:
        said.append(
            "The windows stop before the end of the padding: "
            f"{way.unread_padding} of {padding} after the input is not read."
        )
    if way.overhang:
        said.append(
            f"The last window hangs over the edge by {way.overhang}; what "
            "lies outside counts as nothing."
        )
    return " ".join(said)


def image(size: int) -> list[list[int]]:
    """A bright disc on a dark ground, in grey levels from 0 to 9."""
    return [
        [_level(size, 2 * row + 1 - size, 2 * column + 1 - size)
         for column in range(size)]
        for row in range(size)
    ]  # fmt: skip


def weights(kernel: int) -> list[list[int]]:
    """A kernel that answers to vertical edges: left −1, right +1."""
    if kernel == 1:
        return [[1]]
    middle = kernel - 1
    return [
        [(2 * i > middle) - (2 * i < middle) for i in range(kernel)]
    ] * kernel


def respond(
    size: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    rounding: Rounding,
) -> list[list[int]]:
    """What the kernel answers at each place; outside the image lies 0."""
    output = output_size(size, kernel, stride, padding, dilation, rounding)
    pixels, taps = image(size), weights(kernel)

    def pixel(row: int, column: int) -> int:
        inside = 0 <= row < size and 0 <= column < size
        return pixels[row][column] if inside else 0

    return [
        [
            sum(
                taps[a][b]
                * pixel(
                    row * stride + a * dilation - padding,
                    column * stride + b * dilation - padding,
                )
                for a in range(kernel)
                for b in range(kernel)
            )
            for column in range(output)
        ]
        for row in range(output)
    ]


class ConvExplorer(BookWidget):
    """Set W, F, S, P and the dilation; the kernel walks over the grid.

    ``position`` is the place of the window, counted row by row from 0.
    ``output_size`` is the result along one side, or None where the settings
    are impossible; ``message`` then says why and what would work.
    ``unused`` holds the input rows and columns that no window reads.
    """

    _name = "conv_explorer"

    size = traitlets.Int(7).tag(sync=True)
    kernel = traitlets.Int(3).tag(sync=True)
    stride = traitlets.Int(2).tag(sync=True)
    padding = traitlets.Int(1).tag(sync=True)
    dilation = traitlets.Int(1).tag(sync=True)
    rounding = traitlets.Unicode("floor").tag(sync=True)
    position = traitlets.Int(0, min=0).tag(sync=True)
    output_size = traitlets.Int(None, allow_none=True, read_only=True).tag(
        sync=True
    )
    unused = traitlets.List(traitlets.Int(), read_only=True).tag(sync=True)
    message = traitlets.Unicode("", read_only=True).tag(sync=True)

    def __init__(
        self,
        size: int = 7,
        kernel: int = 3,
        stride: int = 2,
        padding: int = 1,
        dilation: int = 1,
        rounding: Rounding = "floor",
        position: int = 0,
    ) -> None:
        super().__init__(
            size=size,
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            rounding=rounding,
            position=position,
        )
        self._compute()

    @traitlets.validate(*LIMITS)
    def _drawable(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        least, most = LIMITS[name]
        if not least <= value <= most:
            raise ValueError(
                f"ConvExplorer draws a {name} from {least} to {most}, not "
                f"{value}; cnnbook.geometry.output_size computes any."
            )
        return value

    @traitlets.validate("rounding")
    def _known_rounding(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in ("floor", "ceil", "exact"):
            raise ValueError(
                f"There is no rounding {proposal['value']!r}; "
                "try 'floor', 'ceil' or 'exact'."
            )
        return proposal["value"]

    @traitlets.observe(*LIMITS, "rounding")
    def _compute(self, _: object = None) -> None:
        try:
            way = walk(*self._settings)
        except ValueError as error:
            found: tuple = (None, [], str(error))
        else:
            found = (way.output, way.unused, "")
        for name, value in zip(
            ("output_size", "unused", "message"), found, strict=True
        ):
            self.set_trait(name, value)

    @property
    def _settings(self) -> tuple[int, int, int, int, int, Rounding]:
        return (
            self.size,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            self.rounding,
        )

    def __repr__(self) -> str:
        settings = ", ".join(
            f"{name}={value!r}"
            for name, value in zip(
                (*LIMITS, "rounding"), self._settings, strict=True
            )
        )
        return f"ConvExplorer({settings})"

    def _static(self) -> str:
        if self.output_size is None:
            return (
                '<figure><figcaption class="cnn-message">'
                f"{self.message}</figcaption></figure>"
            )
        return (
            f"<figure>{picture(self._settings, self.position)}<figcaption>"
            f'<p class="ce-numbers">{formula(*self._settings)}</p>'
            f"<p>{words(*self._settings)}</p></figcaption></figure>"
        )


Settings = tuple[int, int, int, int, int, Rounding]


def picture(settings: Settings, position: int = 0) -> str:
    """Draw the padded input, the window on it, and the output."""
    size, kernel, stride, padding, dilation, _ = settings
    way = walk(*settings)
    side = size + 2 * padding + way.overhang
    row, column = divmod(min(position, way.output**2 - 1), way.output)
    pixels, answers = image(size), respond(*settings)
    marks = [
        _input_cell(x, y, size, padding, pixels, way.unused)
        for y in range(side)
        for x in range(side)
    ]
    top, left = row * stride, column * stride
    taps = [
        _square("ce-tap", left + b * dilation, top + a * dilation)
        for a in range(kernel)
        for b in range(kernel)
    ]
    marks.append(
        f'<rect class="ce-border" x="{10 * padding}" y="{10 * padding}" '
        f'width="{10 * size}" height="{10 * size}" fill="none" '
        'stroke="currentColor"/>'
    )
    marks += taps
    marks.append(
        f'<rect class="ce-window" x="{10 * left}" y="{10 * top}" '
        f'width="{10 * way.span}" height="{10 * way.span}" fill="none" '
        'stroke="#b83c18" stroke-width="1.2"/>'
    )
    shift = 10 * side + 12
    for y, line in enumerate(answers):
        for x, value in enumerate(line):
            here = (x, y) == (column, row)
            marks.append(
                f'<rect class="{"ce-here" if here else "ce-out"}" '
                f'x="{shift + 10 * x}" y="{10 * y}" width="10" height="10" '
                f'fill="none" stroke="{"#b83c18" if here else "#76818d"}" '
                f'stroke-width="{1.2 if here else 0.3}"/>'
                + _text(shift + 10 * x, 10 * y, _minus(value), 4)
            )
    width, height = shift + 10 * way.output, 10 * max(side, way.output)
    return (
        f'<svg class="ce-static" viewBox="-1 -1 {width + 2} {height + 2}" '
        f'width="{min(704, 3 * width)}" role="img" aria-label="{size} × '
        f"{size} input with padding {padding}, a {kernel} × {kernel} kernel "
        f'on it, and its {way.output} × {way.output} output">'
        f"{''.join(marks)}</svg>"
    )


def _input_cell(
    x: int,
    y: int,
    size: int,
    padding: int,
    pixels: list[list[int]],
    unused: list[int],
) -> str:
    row, column = y - padding, x - padding
    if not (0 <= row < size and 0 <= column < size):
        outside = max(x, y) >= size + 2 * padding
        mark = _square("ce-over" if outside else "ce-pad", x, y, 0)
        return mark if outside else mark + _text(10 * x, 10 * y, "0", 5)
    level = pixels[row][column]
    mark = _square("ce-cell", x, y, level / 30)
    mark += _text(10 * x, 10 * y, str(level), 5)
    if row in unused or column in unused:
        mark += (
            f'<path class="ce-unread" d="{_hatch(10 * x, 10 * y)}" '
            'fill="none" stroke="#b8324a" stroke-width="0.7"/>'
        )
    return mark


def _square(name: str, x: int, y: int, opacity: float = 0.2) -> str:
    colour = "#b83c18" if name == "ce-tap" else "currentColor"
    return (
        f'<rect class="{name}" x="{10 * x}" y="{10 * y}" width="10" '
        f'height="10" fill="{colour}" fill-opacity="{opacity:.2g}" '
        'stroke="#76818d" stroke-width="0.3"/>'
    )


def _hatch(x: int, y: int) -> str:
    # Across two corners: the number between them stays legible.
    return f"M{x} {y + 5}l5 -5M{x + 5} {y + 10}l5 -5"


def _text(x: int, y: int, text: str, size: int) -> str:
    return (
        f'<text x="{x + 5}" y="{y + 5}" dy=".36em" text-anchor="middle" '
        f'font-size="{size}" fill="currentColor">{text}</text>'
    )


def _level(size: int, down: int, right: int) -> int:
    # Half pixels from the centre; the disc's edge is three levels a step.
    apart = 49 * size**2 - 100 * (down**2 + right**2)
    return max(0, min(9, (560 * size + 3 * apart) // (140 * size)))


def _lines(positions: list[int]) -> str:
    if len(positions) == 1:
        return f"Row and column {positions[0]} (counted from 0)"
    return (
        f"Rows and columns {', '.join(map(str, positions))} (counted from 0)"
    )


def _minus(number: int) -> str:
    return str(number).replace("-", "−")
