"""How `figures.draw` draws a network: nodes, places, then SVG.

Units are those of the picture.  It is as wide as four columns, and the page
scales it, so that its text is still read on a phone.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import log2

from cnnbook.anatomy import Anatomy, Join, Row, show_shape

COLUMN, COLUMNS, MARGIN = 106, 4, 10
SIDE = 64  # the longest side of a map
SHEET = 3.4  # how far a sheet peeps out behind the one before it
CELL = 7.5  # one of the cells that stand for a vector
LINE, WRAP = 16, 14  # a line of text: its height, its characters
GAP = 34  # between rows, and between branches
SCALE = (
    "A sheet's side grows with the square root of the map's. "
    "One sheet or cell more means twice as many maps or values."
)

MUTED = 'fill-opacity=".8"'

COLOURED = (  # the first that a kind of layer contains
    ("Pool", "orange"),
    ("Subsampl", "orange"),
    ("Conv", "blue"),
    ("Linear", "green"),
    ("", "purple"),
)
WORDS = {
    "Conv": "conv",
    "SparseConv": "sparse conv",
    "ConvTranspose": "transposed conv",
    "MaxPool": "max pool",
    "AvgPool": "mean pool",
    "AdaptiveMaxPool": "max pool",
    "AdaptiveAvgPool": "mean pool",
    "Subsampling": "subsampling",
    "Linear": "dense",
    "BatchNorm": "batch norm",
    "LocalResponseNorm": "response norm",
    "Dropout": "dropout",
}
SILENT = {"Flatten", "Unflatten", "Identity"}


@dataclass(eq=False)
class Node:
    """A volume, or the place where branches meet."""

    name: str
    lines: list[str]
    shape: tuple[int, ...]
    inputs: tuple[Node, ...]
    colour: str
    sign: str = ""
    window: tuple[int, ...] = ()
    rank: int = 0
    lane: int = 0
    row: int = 0
    x: float = 0
    y: float = 0

    @property
    def sheets(self) -> int:
        """One more for each doubling of maps, or of a vector's values."""
        return 1 + round(log2(self.shape[0]))

    def size(self, largest: int) -> tuple[float, float]:
        """The width and the height of what is drawn."""
        if self.sign:
            return 22, 22
        if len(self.shape) == 1:
            return CELL, self.sheets * CELL
        peep = (self.sheets - 1) * SHEET
        height, width = self.face(largest)
        return width + peep, height + peep

    def face(self, largest: int) -> tuple[float, float]:
        """The height and the width of one sheet."""
        height, width = (1, *self.shape)[-2:]
        if len(self.shape) == 2:
            height = 1
        return side(height, largest), side(width, largest)

    def sentence(self) -> str:
        """What the node is, for those who do not see it."""
        sources = " and ".join(node.name for node in self.inputs)
        if self.sign:
            return f"{sources} meet in {self.sign}"
        words = ", ".join(self.lines)
        return f"{words}, from {sources}" if sources else words


def side(size: int, largest: int) -> float:
    """The drawn side of a map, to scale by square root."""
    return SIDE * (size / largest) ** 0.5


def word(kind: str) -> str:
    """The book's word for a kind of layer."""
    stem = re.sub(r"[123]d$", "", kind)
    return WORDS.get(stem, stem)


def nodes_of(anatomy: Anatomy) -> list[Node]:
    """The steps worth a place; those that only change values are folded."""
    shape = anatomy.input_shape
    first = Node("input", ["input", show_shape(shape)], shape, (), "grey")
    nodes, at = [first], {"input": first}
    for step in anatomy.steps:
        inputs = tuple(at[name] for name in dict.fromkeys(step.inputs))
        folded = isinstance(step, Row) and _changes_values_only(step)
        if isinstance(step, Join):
            node = _joined(step, inputs)
        elif folded and len(inputs) == 1:
            node = inputs[0]
            if step.kind not in SILENT and node is not first:
                node.lines.append(word(step.kind))
        else:
            node = _layer(step, inputs)
        at[step.name] = node
        if node not in nodes:
            nodes.append(node)
    return nodes


def _changes_values_only(row: Row) -> bool:
    """An activation, a normalisation, dropout, a change of shape."""
    before, after = _count(row.input_shape), _count(row.output_shape)
    moves = row.window or row.macs or row.kind.endswith("(own)")
    return before == after and not moves


def _count(shape: Sequence[int]) -> int:
    values = 1
    for size in shape:
        values *= size
    return values


def _joined(step: Join, inputs: tuple[Node, ...]) -> Node:
    shape = show_shape(step.output_shape)
    if len(step.kind) == 1:
        lines, sign = [shape], step.kind
    else:
        lines, sign = [step.kind, shape], ""
    return Node(step.name, lines, step.output_shape, inputs, "grey", sign)


def _layer(row: Row, inputs: tuple[Node, ...]) -> Node:
    colour = next(c for part, c in COLOURED if part in row.kind)
    size, *options = row.window.split(", ")
    name = word(row.kind)
    if row.kind.startswith("Adaptive") and _count(row.output_shape[1:]) == 1:
        name = f"global {name}"
    lines = [f"{name} {size}".strip()]
    if name := _short(row.name):
        lines.insert(0, name)
    if "pool" in lines[-1] or "sub" in lines[-1]:
        square = f"stride {size.split('×')[0]}"  # as everybody pools
        options = [option for option in options if option != square]
    if options:
        lines.append(", ".join(options))
    lines.append(show_shape(row.output_shape))
    if row.parameters:
        lines.append(_amount(row.parameters))
    sides = tuple(int(n) for n in size.split("×")) if size else ()
    return Node(
        row.name, lines, row.output_shape, inputs, colour, window=sides
    )


def _short(name: str) -> str:
    """A layer's name, or nothing where it only has numbers."""
    return "" if name.replace(".", "").isdigit() else name


def _amount(number: int) -> str:
    if number >= 1_000_000:
        return f"{number / 1e6:.1f} million parameters"
    return f"{number:,} parameters"


class Picture:
    """Gives the nodes of an anatomy their places and draws them."""

    def __init__(
        self, anatomy: Anatomy, ink: str, colours: dict[str, str]
    ) -> None:
        self.anatomy, self.ink = anatomy, ink
        self.colours = colours
        self.nodes = nodes_of(anatomy)
        self.largest = max(
            max(node.shape[1:], default=1) for node in self.nodes
        )
        self.edges = [(a, b) for b in self.nodes for a in b.inputs]
        self.arcs: list[tuple[Node, Node]] = []
        self._rank()
        self._rows()
        self._place()

    def _rank(self) -> None:
        """How far from the input, and on which lane."""
        taken: set[tuple[int, int]] = set()
        for node in self.nodes:
            ranks = [source.rank + 1 for source in node.inputs]
            node.rank = max(ranks, default=0)
            lane = min((source.lane for source in node.inputs), default=0)
            while (node.rank, lane) in taken:
                lane += 1
            node.lane = lane
            taken.add((node.rank, lane))
            for source in node.inputs:
                way = {
                    (rank, source.lane)
                    for rank in range(source.rank + 1, node.rank)
                }
                if way & taken:
                    self.arcs.append((source, node))
                taken |= way

    def _rows(self) -> None:
        """Fill rows; break them only where one arrow crosses."""
        last = max(node.rank for node in self.nodes)
        breaks = [0]
        for rank in range(last):
            crossing = {
                id(a) for a, b in self.edges if a.rank <= rank < b.rank
            }
            here = {id(node) for node in self.nodes if node.rank == rank}
            if crossing == here and len(here) == 1:
                breaks.append(rank + 1)
        breaks.append(last + 1)
        starts = [0]
        for begin, end in pairwise(breaks):
            if end - starts[-1] > COLUMNS and begin > starts[-1]:
                starts.append(begin)
        self.starts = starts
        for node in self.nodes:
            node.row = sum(start <= node.rank for start in starts) - 1
        ends = [*starts[1:], last + 1]
        self.columns = max(
            end - start for start, end in zip(starts, ends, strict=True)
        )
        self.width = 2 * MARGIN + self.columns * COLUMN

    def _place(self) -> None:
        """The middle of every drawing, row by row and lane by lane."""
        top = 4.0
        self.tops = []
        for row, start in enumerate(self.starts):
            here = [node for node in self.nodes if node.row == row]
            self.tops.append(top)
            if any(target.row == row for _, target in self.arcs):
                top += 18
            for lane in range(max(node.lane for node in here) + 1):
                there = [node for node in here if node.lane == lane]
                tall = max(
                    (node.size(self.largest)[1] for node in there), default=0
                )
                for node in there:
                    node.x = MARGIN + (node.rank - start + 0.5) * COLUMN
                    node.y = top + tall / 2
                text = max((len(list(_wrap(n))) for n in there), default=0)
                top += tall + text * LINE + GAP
        self.height = top - GAP + 30

    def svg(self) -> str:
        """The whole picture."""
        name = escape(self.anatomy.name)
        words = ". ".join(node.sentence() for node in self.nodes)
        notes = textwrap.wrap(SCALE, int(self.width / 7.5))
        height = self.height + LINE * len(notes)
        parts = [
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f'aria-label="The layers of {name}" '
            f'viewBox="0 0 {self.width} {height:.0f}" '
            f'width="{self.width * 1.35:.0f}" '
            'style="max-width:100%;height:auto" '
            'font-family="Helvetica, Arial, sans-serif" font-size="14" '
            f'text-anchor="middle" fill="{self.ink}">',
            f"<title>The layers of {name}</title>",
            "<desc>From left to right, row by row, each volume with its "
            f"shape: {escape(words)}. {SCALE}</desc>",
            *self._edges(),
            *(part for node in self.nodes for part in self._node(node)),
            *self._windows(),
        ]
        for i, note in enumerate(notes):
            y = self.height + LINE * i
            parts.append(_text(self.width / 2, y, note, MUTED))
        return "\n".join([*parts, "</svg>"])

    # What is drawn

    def _node(self, node: Node) -> Iterator[str]:
        width, height = node.size(self.largest)
        left, top = node.x - width / 2, node.y - height / 2
        colour = self.colours[node.colour]
        if node.sign:
            yield (
                f'<circle cx="{node.x:.1f}" cy="{node.y:.1f}" r="11" '
                f'fill="none" stroke="{self.ink}" stroke-width="1.4"/>'
            )
            yield _text(node.x, node.y + 5.5, node.sign, 'font-size="17"')
        elif len(node.shape) == 1:
            for i in range(node.sheets):
                yield _box(left, top + i * CELL, CELL, CELL, colour, 0.3)
        else:
            face = node.face(self.largest)
            for i in reversed(range(node.sheets)):
                x, y = left + i * SHEET, top + height - face[0] - i * SHEET
                yield _box(x, y, face[1], face[0], colour, 0.2 if i else 0.4)
        y = node.y + self._tallest(node) / 2 + 4
        for i, (line, bold) in enumerate(_wrap(node)):
            style = 'font-weight="bold"' if bold else MUTED
            yield _text(node.x, y + LINE * (i + 0.75), line, style)

    def _tallest(self, node: Node) -> float:
        """The height that the drawings of this row and lane share."""
        return max(
            other.size(self.largest)[1]
            for other in self.nodes
            if (other.row, other.lane) == (node.row, node.lane)
        )

    def _windows(self) -> Iterator[str]:
        """The window of the next layer, and the value that it makes."""
        for a, b in self.edges:
            if a.row != b.row or a.lane != b.lane or a.sign:
                continue
            if not b.window or len(a.shape) != 3 or b.rank != a.rank + 1:
                continue
            width, height = a.size(self.largest)
            face = a.face(self.largest)
            sides = (b.window * 2)[:2]
            h, w = (
                max(3.0, min(1, k / n) * f)
                for k, n, f in zip(sides, a.shape[1:], face, strict=True)
            )
            x = a.x - width / 2 + (face[1] - w) * 0.85
            y = a.y + height / 2 - face[0] + (face[0] - h) * 0.12
            away, tall = b.size(self.largest)
            seen = b.face(self.largest)
            to_x = b.x - away / 2 + seen[1] * 0.25
            to_y = b.y + tall / 2 - seen[0] * 0.75
            rays = "".join(
                f"M{x + w:.1f} {edge:.1f}L{to_x:.1f} {to_y:.1f}"
                for edge in (y, y + h)
            )
            yield (
                f'<path d="{rays}" stroke="{self.ink}" stroke-width=".8" '
                'stroke-opacity=".55" fill="none"/>'
            )
            yield _box(x, y, w, h, self.ink, 0.12, 1)
            yield (
                f'<circle cx="{to_x:.1f}" cy="{to_y:.1f}" r="1.8" '
                f'fill="{self.ink}"/>'
            )

    def _edges(self) -> Iterator[str]:
        for a, b in self.edges:
            wide = b.size(self.largest)[0]
            x, y = b.x - wide / 2 - 4, b.y
            start = a.x + a.size(self.largest)[0] / 2 + 3
            if (a, b) in self.arcs:
                yield self._arc(a, b)
            elif a.row != b.row:
                yield self._wrap_around(a, b)
            elif a.lane == b.lane:
                yield self._arrow(f"M{start:.1f} {a.y:.1f}H{x:.1f}", x, y)
            elif a.lane < b.lane:
                bend = b.x - COLUMN / 2 - 2
                path = f"M{start:.1f} {a.y:.1f}" + _elbow(bend, a.y, y, x)
                yield self._arrow(path, x, y)
            else:
                bend = b.x - COLUMN / 2 + 6
                path = f"M{start:.1f} {a.y:.1f}" + _elbow(bend, a.y, y, x)
                yield self._arrow(path, x, y)

    def _wrap_around(self, a: Node, b: Node) -> str:
        """From the end of a row to the start of the next."""
        x = b.x - b.size(self.largest)[0] / 2 - 4
        start = a.x + a.size(self.largest)[0] / 2 + 3
        right, left = a.x + COLUMN / 2 + 4, 4
        turn = self.tops[b.row] - GAP / 2
        return self._arrow(
            f"M{start:.1f} {a.y:.1f}"
            + _elbow(right, a.y, turn, left + 6)
            + f"Q{left} {turn:.1f} {left} {turn + 6:.1f}V{b.y - 6:.1f}"
            f"Q{left} {b.y:.1f} {left + 6} {b.y:.1f}H{x:.1f}",
            x,
            b.y,
        )

    def _arc(self, a: Node, b: Node) -> str:
        """A shortcut that passes above what lies between."""
        high = self.tops[b.row] + 4
        end = b.y - b.size(self.largest)[1] / 2 - 4
        if a.row == b.row:
            begin = a.x + a.size(self.largest)[0] / 2 + 9
            path = f"M{begin:.1f} {a.y:.1f}V{high + 8:.1f}"
        else:  # it leaves the line that comes down at the left
            begin = 4
            path = f"M{begin} {high - 8:.1f}"
        return self._arrow(
            f"{path}Q{begin:.1f} {high:.1f} {begin + 8:.1f} {high:.1f}"
            f"H{b.x - 8:.1f}Q{b.x:.1f} {high:.1f} {b.x:.1f} {high + 8:.1f}"
            f"V{end:.1f}",
            b.x,
            end,
            down=True,
        )

    def _arrow(self, path: str, x: float, y: float, down: bool = False) -> str:
        head = (
            f"M{x - 3.5:.1f} {y - 6:.1f}L{x:.1f} {y:.1f}L{x + 3.5:.1f} "
            f"{y - 6:.1f}"
            if down
            else f"M{x - 6:.1f} {y - 3.5:.1f}L{x:.1f} {y:.1f}L{x - 6:.1f} "
            f"{y + 3.5:.1f}"
        )
        return (
            f'<path d="{path}{head}" fill="none" stroke="{self.ink}" '
            'stroke-width="1.1"/>'
        )


def _elbow(bend: float, y: float, turn: float, x: float) -> str:
    """Along to a bend, up or down to another height, along to x."""
    r = 6 if turn > y else -6
    back = 6 if x > bend else -6
    return (
        f"H{bend - 6:.1f}Q{bend:.1f} {y:.1f} {bend:.1f} {y + r:.1f}"
        f"V{turn - r:.1f}Q{bend:.1f} {turn:.1f} {bend + back:.1f} {turn:.1f}"
        f"H{x:.1f}"
    )


def _wrap(node: Node) -> Iterator[tuple[str, bool]]:
    """The lines below a drawing; the first is its name, broken at dots."""
    first, *others = node.lines
    for part in textwrap.wrap(first.replace(".", ". "), WRAP - 2):
        yield part.replace(". ", "."), not node.sign
    for line in others:
        for part in textwrap.wrap(line, WRAP):
            yield part, False


def _text(x: float, y: float, words: str, style: str = "") -> str:
    style = f" {style}" if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{style}>{escape(words)}</text>'


def _box(
    x: float,
    y: float,
    width: float,
    height: float,
    colour: str,
    opacity: float,
    stroke: float = 1.2,
) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" fill="{colour}" fill-opacity="{opacity}" '
        f'stroke="{colour}" stroke-width="{stroke}"/>'
    )
