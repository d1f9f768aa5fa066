"""A chain of layers as volumes: stacks of maps, from left to right."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import log2

from cnnbook.anatomy import Anatomy, show_shape
from cnnbook.diagrams.nodes import Node, fold, nodes_of, towers
from cnnbook.diagrams.pen import MUTED, box, line, svg, text

COLUMN, COLUMNS, MARGIN = 106, 4, 10
SIDE = 64  # the longest side of a map
SHEET = 3.4  # how far a sheet peeps out behind the one before it
CELL = 7.5  # one of the cells that stand for a vector
SCALE = 1.35
LINE, WRAP = 16, 14  # a line of text: its height, its characters
GAP = 34  # between rows
APART = 12  # between towers
LONG = 5  # more rows than these have to mean something
FREQUENT = 4  # what is done so often is said once, below
RULE = (
    "A sheet's side grows with the square root of the map's. "
    "One sheet or cell more means twice as many maps or values."
)


class Volumes:
    """Gives the volumes of a chain their places and draws them."""

    def __init__(
        self,
        anatomy: Anatomy,
        ink: str,
        colours: dict[str, str],
        folded: bool = False,
    ) -> None:
        self.anatomy, self.ink = anatomy, ink
        self.colours = colours
        self.nodes = nodes_of(anatomy)
        self.simple = True
        if folded:
            self.nodes, runs = fold(self.nodes)
            self.simple = all(len(links) == 1 for links, _ in runs)
        self.rows = _rows(self.nodes)
        self.towers = towers(self.nodes)
        self.largest = max(
            max(node.shape[1:], default=1) for node in self.nodes
        )
        done = Counter(word for node in self.nodes for word in node.then)
        self.often = [w for w, n in done.items() if n >= FREQUENT]
        self.columns = max(map(len, self.rows))
        self.width = 2 * MARGIN + self.columns * COLUMN
        self._place()

    def _place(self) -> None:
        """The middle of every drawing, row by row."""
        top = 4.0
        self.at: dict[Node, tuple[float, float]] = {}
        self.tops, self.feet, self.step = {}, {}, {}
        for row in self.rows:
            parted = [n for n in row if self.towers[n] > 1]
            step = max((self.stack(n)[1] for n in parted), default=0) + APART
            self.step |= dict.fromkeys(row, step)
            tall = max(self.reach(node) for node in row)
            for column, node in enumerate(row):
                x = MARGIN + (column + 0.5) * COLUMN
                self.at[node] = x, top + tall / 2
                self.tops[node], self.feet[node] = top, top + tall
            top += tall + LINE * max(len(self._words(node)) for node in row)
            top += GAP
        self.height = top - GAP + 30
        self.notes = self._notes()

    @property
    def tall(self) -> float:
        """How high the picture is, shown in its own size."""
        return SCALE * (self.height + LINE * len(self.notes))

    @property
    def fits(self) -> bool:
        """Whether it can be drawn like this, and rows mean something."""
        long = self.rows != _blocks(self.nodes) and len(self.rows) > LONG
        return self.simple and not long

    # What a volume looks like

    def sheets(self, node: Node) -> int:
        """One more for each doubling of maps, or of a vector's values."""
        maps = (node.shape or (1,))[0] // self.towers[node]
        return 1 + round(log2(maps))

    def face(self, node: Node) -> tuple[float, float]:
        """The height and the width of one sheet, to scale by square root."""
        height, width = (1, *node.shape)[-2:]
        if len(node.shape) == 2:
            height = 1
        sides = (SIDE * (n / self.largest) ** 0.5 for n in (height, width))
        return tuple(sides)

    def stack(self, node: Node) -> tuple[float, float]:
        """The width and the height of one tower."""
        if len(node.shape) < 2:
            return CELL, self.sheets(node) * CELL
        peep = (self.sheets(node) - 1) * SHEET
        height, width = self.face(node)
        return width + peep, height + peep

    def reach(self, node: Node) -> float:
        """The height of all its towers."""
        return self.stack(node)[1] + (self.towers[node] - 1) * self.step[node]

    def middles(self, node: Node) -> list[tuple[float, float]]:
        """The middle of each tower."""
        x, y = self.at[node]
        last = self.towers[node] - 1
        places = (i - last / 2 for i in range(last + 1))
        return [(x, y + place * self.step[node]) for place in places]

    def _words(self, node: Node) -> list[tuple[str, bool]]:
        """The lines below a drawing; its name is bold."""
        times = f"{len(node.same)} × " if node.same else ""
        lines = [f"{times}{node.what} {node.size}".strip()]
        name = self._name(node)
        if name and name != node.what:
            lines.insert(0, name)
        options = ", ".join(node.options)
        lines += node.options if len(options) > WRAP else [options]
        lines.append(show_shape(node.shape))
        if node.parameters:
            lines.append(f"{times}{_amount(node.parameters, bool(times))}")
        lines += [word for word in node.then if word not in self.often]
        first, *others = filter(None, lines)
        named = textwrap.wrap(first.replace(".", ". "), WRAP - 2)
        return [(part.replace(". ", "."), True) for part in named] + [
            (part, False)
            for line in others
            for part in textwrap.wrap(line, WRAP)
        ]

    def _name(self, node: Node) -> str:
        """What tells a layer from all others, if it is more than a number."""
        if node.between:
            return ""
        names = [self._own(name) for name in node.same or (node.name,)]
        return " … ".join(filter(None, dict.fromkeys((names[0], names[-1]))))

    def _own(self, name: str) -> str:
        """The end of a name that no other name has."""
        others = [node.name for node in self.nodes if node.name != name]
        parts = name.split(".")
        for i in reversed(range(len(parts))):
            end = ".".join(parts[i:])
            if parts[-1].isdigit():
                break
            if not any(f".{n}".endswith(f".{end}") for n in others):
                return end
        return ""

    # What is drawn

    def svg(self) -> str:
        """The whole picture."""
        words = ". ".join(node.sentence() for node in self.nodes)
        parts = [
            *self._edges(),
            *(part for node in self.nodes for part in self._node(node)),
            *self._windows(),
        ]
        for i, note in enumerate(self.notes):
            y = self.height + LINE * i
            parts.append(text(self.width / 2, y, note, MUTED))
        return svg(
            self.anatomy.name,
            (self.width, self.tall / SCALE),
            SCALE,
            14,
            self.ink,
            "From left to right, row by row, each volume with its "
            f"shape: {words}. {' '.join([RULE, *self._sentences()])}",
            parts,
        )

    def _notes(self) -> list[str]:
        """What stands below the picture, line by line."""
        return [
            line
            for sentence in (RULE, *self._sentences())
            for line in textwrap.wrap(sentence, int(self.width / 7.5))
        ]

    def _sentences(self) -> Iterator[str]:
        """What else has to be said of this network."""
        most = max(self.towers.values())
        if most > 1:
            alone = self._listed(n for n in self.nodes if n.groups > 1)
            mixing = self._listed(
                b for a, b in pairwise(self.nodes) if self._mixes(a, b)
            )
            words = f"{alone} see only their own" * bool(alone)
            if mixing:
                words += f", {mixing} {'all' if most > 2 else 'both'}"
            words = f": {words.lstrip(', ')}" if words else ""
            yield f"Stacks above each other are towers{words}."
        for word in self.often:
            yield f"Not shown: {word}, after {self._after(word)}."

    def _after(self, word: str) -> str:
        """The kinds of layer that a word follows, and how many."""
        counts = Counter()
        for node in self.nodes:
            if word in node.then:
                counts[node.what] += max(1, len(node.same))
        return " and ".join(f"{n} × {what}" for what, n in counts.items())

    def _listed(self, nodes: Iterable[Node]) -> str:
        """Their names, as a sentence has them."""
        names = [name for node in nodes if (name := self._name(node))]
        return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))

    def _mixes(self, a: Node, b: Node) -> bool:
        """Whether a layer sees all towers of the one before."""
        return self.towers[a] > 1 and not (b.pools or b.groups > 1)

    def _node(self, node: Node) -> Iterator[str]:
        colour = self.colours[node.colour]
        width, height = self.stack(node)
        for x, y in self.middles(node):
            left, top = x - width / 2, y - height / 2
            if len(node.shape) < 2:
                for i in range(self.sheets(node)):
                    yield box(left, top + i * CELL, CELL, CELL, colour, 0.3)
                continue
            face = self.face(node)
            for i in reversed(range(self.sheets(node))):
                across, up = left + i * SHEET, top + height - i * SHEET
                fill = 0.2 if i else 0.4
                yield box(across, up - face[0], face[1], face[0], colour, fill)
        y = self.feet[node] + 4
        for i, (words, bold) in enumerate(self._words(node)):
            style = 'font-weight="bold"' if bold else MUTED
            yield text(self.at[node][0], y + LINE * (i + 0.75), words, style)

    def _windows(self) -> Iterator[str]:
        """The window of the next layer, and the value that it makes."""
        for a, b in self._neighbours():
            if not b.window or len(a.shape) != 3:
                continue
            width, height = self.stack(a)
            away, tall = self.stack(b)
            face, seen = self.face(a), self.face(b)
            sides = (b.window * 2)[:2]
            h, w = (
                max(3.0, min(1, k / n) * f)
                for k, n, f in zip(sides, a.shape[1:], face, strict=True)
            )
            for (from_x, from_y), (x, y) in self._ways(a, b, rays=True):
                x = x - away / 2 + seen[1] * 0.25
                y = y + tall / 2 - seen[0] * 0.75
                left = from_x - width / 2 + (face[1] - w) * 0.85
                top = from_y + height / 2 - face[0] + (face[0] - h) * 0.12
                rays = "".join(
                    f"M{left + w:.1f} {edge:.1f}L{x:.1f} {y:.1f}"
                    for edge in (top, top + h)
                )
                yield (
                    f'<path d="{rays}" stroke="{self.ink}" '
                    'stroke-width=".8" stroke-opacity=".55" fill="none"/>'
                )
                yield box(left, top, w, h, self.ink, 0.12, 1)
                yield (
                    f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8" '
                    f'fill="{self.ink}"/>'
                )

    def _neighbours(self) -> Iterator[tuple[Node, Node]]:
        """The pairs that stand side by side in a row."""
        for row in self.rows:
            yield from pairwise(row)

    def _ways(self, a: Node, b: Node, rays: bool = False) -> list[tuple]:
        """From which tower of a layer to which of the next values go."""
        starts, ends = self.middles(a), self.middles(b)
        if len(starts) == len(ends) and not self._mixes(a, b):
            return list(zip(starts, ends, strict=True))
        return [
            (one, other)
            for one in starts
            for other in ends[: 1 if rays else None]
        ]

    def _edges(self) -> Iterator[str]:
        beside = set(self._neighbours())
        for a, b in pairwise(self.nodes):
            yield from (self._across if (a, b) in beside else self._down)(a, b)

    def _ends(self, a: Node, b: Node) -> tuple[float, float]:
        """Where an arrow leaves a drawing, and where it points to."""
        start = self.at[a][0] + self.stack(a)[0] / 2 + 3
        return start, self.at[b][0] - self.stack(b)[0] / 2 - 4

    def _across(self, a: Node, b: Node) -> Iterator[str]:
        """To the next drawing in the row."""
        start, x = self._ends(a, b)
        for (_, from_y), (_, y) in self._ways(a, b):
            way = f"H{x:.1f}" if from_y == y else f"L{x:.1f} {y:.1f}"
            yield line(
                f"M{start:.1f} {from_y:.1f}{way}{_head(x, y)}", self.ink
            )

    def _down(self, a: Node, b: Node) -> Iterator[str]:
        """From the end of a row to the start of the next."""
        start, x = self._ends(a, b)
        ways = self._ways(a, b)
        apart = len(ways) > 1 and not self._mixes(a, b) and self.towers[a] > 1
        for i, ((_, from_y), (_, y)) in enumerate(ways):
            shift = 5 * (len(ways) - 1 - i) if apart else 0
            right, left = self.at[a][0] + COLUMN / 2 + 4 - shift, 4 + shift
            turn = self.tops[b] - GAP / 2 - shift
            yield line(
                f"M{start:.1f} {from_y:.1f}"
                + _elbow(right, from_y, turn, left + 6)
                + f"Q{left} {turn:.1f} {left} {turn + 6:.1f}V{y - 6:.1f}"
                f"Q{left} {y:.1f} {left + 6} {y:.1f}H{x:.1f}{_head(x, y)}",
                self.ink,
            )


def _blocks(nodes: list[Node]) -> list[list[Node]]:
    """The rows that end where maps are pooled, as long as there are maps."""
    rows: list[list[Node]] = [[]]
    for node in nodes:
        if rows[-1] and (rows[-1][-1].pools or _flat(rows[-1][-1], node)):
            rows.append([])
        rows[-1].append(node)
    return rows


def _flat(before: Node, node: Node) -> bool:
    """Whether maps end here, and a vector begins."""
    return len(before.shape) > 1 and len(node.shape) < 2 and not node.pools


def _rows(nodes: list[Node]) -> list[list[Node]]:
    """Full rows, or those that end at a pooling if few more are needed."""
    places = range(0, len(nodes), COLUMNS)
    full = [nodes[place : place + COLUMNS] for place in places]
    blocks = _blocks(nodes)
    allowed = len(full) + (len(full) >= COLUMNS)
    if len(blocks) <= allowed and max(map(len, blocks)) <= COLUMNS:
        return blocks
    return full


def _amount(number: int, exact: bool) -> str:
    if number >= 1_000_000 and not exact:
        return f"{number / 1e6:.1f} million parameters"
    return f"{number:,} parameters"


def _head(x: float, y: float) -> str:
    """The head of an arrow to the right."""
    return (
        f"M{x - 6:.1f} {y - 3.5:.1f}L{x:.1f} {y:.1f}L{x - 6:.1f} {y + 3.5:.1f}"
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
