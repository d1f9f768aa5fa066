"""A network with branches, or a long one, as boxes from top to bottom.

The way that everything takes runs down at the left.  Where it parts, the
branches stand side by side, and a shortcut passes beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from math import log2

from cnnbook.anatomy import Anatomy, show_shape
from cnnbook.diagrams.nodes import (
    Node,
    Run,
    aside,
    branches,
    collapse,
    connected,
    cuts,
    fold,
    key,
    nodes_of,
    parts,
)
from cnnbook.diagrams.pen import (
    MUTED,
    WIDTH,
    bend,
    box,
    circle,
    fill,
    line,
    svg,
    text,
    wide,
)

FONT, LINE, SCALE = 13, 15, 1.2
MARGIN = 10
MAIN, WIDEST = 84, 148  # the main way: its middle, its widest box
SECOND, NARROW = 240, 120  # a second branch: its middle, its boxes
TRACK = 168  # where a shortcut passes beside one branch or two
WORDS, SHAPES, COUNTS = 180, 350, WIDTH - MARGIN  # columns of words
STEP = 9  # a box is narrower by so much where maps are half as many
GAP, FORK, HEAD = 10, 16, 22  # between boxes, where ways part, for a name
FUNNEL = 14  # above boxes that stand side by side
LANES = 6  # more branches than these have no room
BOLD = 'font-weight="bold"'
LEFT, RIGHT = 'text-anchor="start"', 'text-anchor="end"'
Lanes = list[dict[Node, int]]
Point = tuple[float, float]


class Scheme:
    """Gives the boxes of a network their places and draws them."""

    def __init__(
        self,
        anatomy: Anatomy,
        ink: str,
        colours: dict[str, str],
        depth: int = 0,
        folded: bool = False,
        roomy: bool = False,
    ) -> None:
        self.anatomy, self.ink, self.colours = anatomy, ink, colours
        self.roomy = roomy
        nodes = nodes_of(anatomy)
        self.done = Counter(word for node in nodes for word in node.then)
        self.extra = sum(node.extra for node in nodes)
        if depth:
            nodes = collapse(nodes, depth)
        self._find_heads(nodes)
        self.runs: list[Run] = []
        if folded:
            nodes, self.runs = fold(nodes)
        self.nodes, self.cuts = nodes, cuts(nodes)
        self.strips = {node for node in self.cuts if _lays(node)}
        self.most = max(_maps(node) for node in nodes)
        self.at: dict[Node, tuple[float, float]] = {}
        self.size: dict[Node, tuple[float, float]] = {}
        self.lines: dict[Node, list[str]] = {}
        self.lanes: dict[Node, int] = {}
        self.tracks: dict[tuple[Node, Node], tuple[float, float]] = {}
        self.forks: dict[Node, float] = {}
        self.names: dict[Node, float] = {}
        self.sides: list[tuple[float, float, float]] = []
        self._place()
        self.notes = [
            part for note in self._notes() for part in fill(note, WIDTH - 20)
        ]

    @property
    def tall(self) -> float:
        """How high the picture is, shown in its own size."""
        return SCALE * (self.height + LINE * len(self.notes) + 10)

    @property
    def fits(self) -> bool:
        """Whether there is room for all branches."""
        return max(self.lanes.values()) <= LANES

    def _find_heads(self, nodes: list[Node]) -> None:
        """The parts with a head of their own, by the node that begins them.

        They are all that lies between two nodes that everything goes through,
        or all of a second head.
        """
        ends, off = set(cuts(nodes)), set(aside(nodes))
        self.heads: dict[Node, tuple[str, str, str, str]] = {}
        self.headed: set[Node] = set()
        self.single: set[Node] = set()
        for name, group in parts(nodes, 1):
            if len(group) == 1:
                self.single.add(group[0])
                continue
            outside = {a for b in group for a in b.inputs} - {*group}
            whole = group[-1] in ends and outside <= ends
            if (whole or {*group} <= off) and not name.isdigit():
                count = sum(node.parameters + node.extra for node in group)
                numbered = [
                    n
                    for n, b in parts(group, 2)
                    if n.rpartition(".")[2].isdigit() and b[1:]
                ]
                blocks = f"{len(numbered)} blocks" if numbered[1:] else ""
                end = show_shape(group[-1].shape)
                self.heads[group[0]] = name, blocks, end, f"{count:,}"
                self.headed |= {*group}

    # Places

    def _place(self) -> None:
        """From top to bottom: what all take, and what lies between."""
        self.height = 24.0
        order = {node: i for i, node in enumerate(self.nodes)}
        off = aside(self.nodes)
        seconds = self._seconds(off, order)
        for node, after in zip(self.cuts, [*self.cuts[1:], None], strict=True):
            self._name(node)
            self.height += 6 * (node in self.heads)
            self._measure(node, MAIN, WIDEST, 1)
            self._stack([node], self.height)
            self.height += self.size[node][1]
            for lanes in seconds.get(node, []):
                self._beside(node, [{}, *lanes], None)
            if not after:
                break
            inner = self.nodes[order[node] + 1 : order[after]]
            inner = [n for n in inner if n not in off]
            if inner:
                lanes = branches(inner)
                if node in after.inputs and after in self.strips:
                    lanes.append({})
                self._beside(node, lanes, after)
            self.height += FUNNEL if inner and after in self.strips else GAP
        self.height += 32

    def _seconds(
        self, off: list[Node], order: dict[Node, int]
    ) -> dict[Node, list[Lanes]]:
        """The second heads, by the node of the main way above them."""
        found: dict[Node, list[Lanes]] = {}
        for part in connected(off):
            above = max(order[a] for b in part for a in {*b.inputs} - {*part})
            host = next(n for n in self.cuts if order[n] >= above)
            found.setdefault(host, []).append(branches(part))
        return found

    def _name(self, first: Node) -> None:
        """Leave room for the name of the part that begins here."""
        if first in self.heads:
            self.names[first] = self.height + HEAD - 5
            self.height += HEAD

    def _beside(self, node: Node, lanes: Lanes, after: Node | None) -> None:
        """Put branches side by side, below the node where they begin."""
        self._name(next(node for lane in lanes for node in lane))
        fork = self.height + FORK / 2 - 2
        self.height += FORK
        many = len(lanes) > 2
        track = WIDTH - 6 if many else TRACK
        room = (WIDTH - 2 * MARGIN) / len(lanes)
        for i, lane in enumerate(lanes):
            x, width = ((MAIN, WIDEST), (SECOND, NARROW))[i % 2]
            if many:
                x, width = MARGIN + (i + 0.5) * room, room - 8
            for inner in lane:
                self._measure(inner, x, width, len(lanes))
                self.forks[inner] = fork
            if after and not lane:
                track = x
        if after:
            self.tracks[node, after] = fork, track
        home = {node: i for i, lane in enumerate(lanes) for node in lane}
        parted = any(
            home.get(a, i) != i for b, i in home.items() for a in b.inputs
        )
        if many or parted:
            self._rows(lanes)
        else:
            tall = max(map(self._tall, lanes))
            for lane in lanes:
                self._stack(lane, self.height + (tall - self._tall(lane)) / 2)
            self.height += tall

    def _rows(self, lanes: Lanes) -> None:
        """What ends together stands in one row."""
        rows: dict[int, list[Node]] = {}
        for lane in lanes:
            for node, row in lane.items():
                rows.setdefault(row, []).append(node)
        for _, row in sorted(rows.items()):
            tall = max(self.size[node][1] for node in row)
            for node in row:
                self._stack([node], self.height + (tall - self.size[node][1]))
            self.height += tall + GAP
        self.height -= GAP

    def _tall(self, lane: dict[Node, int]) -> float:
        return sum(self.size[node][1] + GAP for node in lane) - GAP

    def _stack(self, lane: Iterable[Node], top: float) -> None:
        for node in lane:
            tall = self.size[node][1]
            self.at[node] = self.at[node][0], top + tall / 2
            top += tall + GAP

    def _measure(self, node: Node, x: float, width: float, lanes: int) -> None:
        """What stands in a box, and how large it is."""
        self.lanes[node] = lanes
        self.at[node] = x, 0
        lines = _label(node, width - 8)
        second = lanes > 1 and x != MAIN and (self.roomy or lanes == 2)
        if node.inside:
            own = node.name.partition(".")[2] if node in self.headed else ""
            lines = [_cut(own or node.name, width - 8)]
        if second and node.parameters:
            lines.append(f"{node.parameters:,}")
        if node in self.strips:
            width = WIDTH - 2 * MARGIN
            lines = [show_shape(node.shape)] if node not in self.headed else []
            lines.insert(0, "")
        elif x == MAIN and lanes < 3:
            least = max(wide(words, FONT) for words in lines) + 8
            shrunk = width - STEP * log2(self.most / _maps(node))
            width = max(least, shrunk)
        self.lines[node] = lines
        self.size[node] = (width, 4 + LINE * len(lines))
        if node.sign:
            self.size[node] = (16, 16)

    # What is drawn

    def svg(self) -> str:
        """The whole picture."""
        parts = [
            *self._columns(),
            *(part for run in self.runs for part in self._run(*run)),
            *(part for node in self.nodes for part in self._arrows(node)),
            *(part for node in self.nodes for part in self._node(node)),
        ]
        y = self.height - 10
        total = f"{self.anatomy.total_parameters:,}"
        parts += [
            line(f"M{WORDS} {y - 14:.1f}H{COUNTS}", self.ink),
            text(WORDS, y, "total", f"{LEFT} {BOLD}"),
            text(COUNTS, y, total, f"{RIGHT} {BOLD}"),
        ]
        for i, words in enumerate(self.notes):
            down = y + 12 + LINE * (i + 1)
            parts.append(text(WIDTH / 2, down, words, MUTED))
        words = ". ".join([*self._sentences(), *self._notes()])
        return svg(
            self.anatomy.name,
            (WIDTH, self.tall / SCALE),
            SCALE,
            FONT,
            self.ink,
            f"From top to bottom, each box with its shape: {words}",
            parts,
        )

    def _columns(self) -> Iterator[str]:
        """The words and figures at the right."""
        yield text(SHAPES, 14, "output", f"{RIGHT} {MUTED}")
        yield text(COUNTS, 14, "parameters", f"{RIGHT} {MUTED}")
        for node, y in self.names.items():
            name, blocks, shape, count = self.heads[node]
            name = _cut(name, SHAPES - WORDS - 1.1 * wide(shape, FONT) - 8)
            yield line(f"M{WORDS} {y - 14:.1f}H{COUNTS}", self.ink)
            yield text(WORDS, y, name, f"{LEFT} {BOLD}")
            if blocks:
                yield text(MARGIN - 2, y, blocks, f"{LEFT} {MUTED}")
            yield text(SHAPES, y, shape, f"{RIGHT} {BOLD}")
            yield text(COUNTS, y, count, f"{RIGHT} {BOLD}")
        for node in self.nodes:
            x, y = self.at[node]
            if x != MAIN or self.lanes[node] > 2:
                continue
            y += 4.5
            if node.parameters:
                yield text(COUNTS, y, f"{node.parameters:,}", RIGHT)
            if node in self.headed or self.lanes[node] > 1:
                continue
            if node not in self.strips:
                shape = show_shape(node.shape)
                yield text(SHAPES, y, shape, f"{RIGHT} {MUTED}")
            if name := self._title(node):
                yield text(WORDS, y, name, LEFT)

    def _title(self, node: Node) -> str:
        """A name beside a box, cut to the room that there is."""
        if node.between or node.same or not node.inputs:
            return ""
        name = key(node.name, 1) if node in self.single else node.label
        shape = wide(show_shape(node.shape), FONT)
        words = node.what if node.inside else name
        return _cut(words, SHAPES - WORDS - shape - 8)

    def _run(self, nodes: list[Node], times: int) -> Iterator[str]:
        """A frame around what comes several times, and how many."""
        first, last = nodes[0], nodes[-1]
        top = min(self._top(first), self.forks.get(first, self.height)) - 4
        right = max(self.at[n][0] + self.size[n][0] / 2 for n in nodes) + 5
        if any(a in last.inputs for a in first.inputs):
            right = max(right, TRACK + 5)
        y = self._bottom(last) + 3
        yield (
            f'<rect x="4" y="{top:.1f}" width="{right - 4:.1f}" '
            f'height="{y - top:.1f}" rx="6" fill="{self.ink}" '
            f'fill-opacity=".05" stroke="{self.ink}" stroke-opacity=".5" '
            'stroke-dasharray="4 3"/>'
        )
        style = f'{LEFT} {BOLD} font-size="16"'
        yield text(right + 8, self.at[last][1] + 5, f"× {times}", style)

    def _top(self, node: Node) -> float:
        return self.at[node][1] - self.size[node][1] / 2

    def _bottom(self, node: Node) -> float:
        if node in self.strips:
            return self._top(node) + 19
        return self.at[node][1] + self.size[node][1] / 2

    def _node(self, node: Node) -> Iterator[str]:
        (x, y), (width, height) = self.at[node], self.size[node]
        colour = self.colours[node.colour]
        if node.sign:
            yield circle(x, y, 8, node.sign, self.ink)
            return
        if node in self.strips:
            yield from self._strip(node)
        else:
            left, top = x - width / 2, y - height / 2
            if node.inside:
                yield box(left + 3, top - 3, width, height, colour, 0.12)
            yield box(left, top, width, height, colour, 0.22)
        for i, words in enumerate(self.lines[node]):
            down = self._top(node) + 2 + LINE * (i + 0.76)
            style = BOLD if node.inside and not i else ""
            place = x
            if node in self.strips:  # below the boxes, not in one
                place, down = WIDTH / 2, down + 4
            if words:
                yield text(place, down, words, style)

    def _strip(self, node: Node) -> Iterator[str]:
        """Maps side by side: how many come from where, to scale."""
        top = self._top(node)
        for source, (left, right) in self._shares(node).items():
            colour = self.colours[source.colour]
            yield box(left, top, right - left, 19, colour, 0.22)
            words = str(source.shape[0])
            if wide(words, FONT) < right - left:
                yield text((left + right) / 2, top + 14, words)

    def _shares(self, node: Node) -> dict[Node, tuple[float, float]]:
        """From where to where the maps of each source reach."""
        unit = (WIDTH - 2 * MARGIN) / node.shape[0]
        left, found = float(MARGIN), {}
        for source in node.inputs:
            found[source] = left, left + unit * source.shape[0]
            left = found[source][1]
        return found

    def _arrows(self, node: Node) -> Iterator[str]:
        for source in node.inputs:
            way, head = self._way(source, node)
            (x, y), (across, down) = way[-1], head
            yield line(
                bend(way) + f"M{x - 5 * across - 3 * down:.1f} "
                f"{y - 5 * down - 3 * across:.1f}L{x:.1f} {y:.1f}"
                f"L{x - 5 * across + 3 * down:.1f} "
                f"{y - 5 * down + 3 * across:.1f}",
                self.ink,
            )

    def _way(self, a: Node, b: Node) -> tuple[list[Point], tuple[int, int]]:
        """The corners from one box to the next, and where the arrow points."""
        (from_x, _), (x, y) = self.at[a], self.at[b]
        start, end = (from_x, self._bottom(a)), (x, self._top(b) - 1)
        if (a, b) in self.tracks:
            fork, track = self.tracks[a, b]
            first = [start, (from_x, fork), (track, fork)]
        elif from_x == x or b in self.strips:
            first = self._past(a, b)
        else:
            first = [start]
        if b in self.strips:
            left, right = self._shares(b)[a]
            above = first[-1][0], end[1] - FUNNEL + 3
            return [*first, above, ((left + right) / 2, end[1])], (0, 1)
        if len(first) > 1:
            side = x + self.size[b][0] / 2 + 1
            return [*first, (first[-1][0], y), (side, y)], (-1, 0)
        if from_x == x:
            return [start, end], (0, 1)
        if b in self.cuts:
            across = -1 if from_x > x else 1
            side = x - across * (self.size[b][0] / 2 + 1)
            return [start, (from_x, y), (side, y)], (across, 0)
        turn = self.forks[b] if a in self.cuts else end[1] - 7
        return [start, (from_x, turn), (x, turn), end], (0, 1)

    def _past(self, a: Node, b: Node) -> list[Point]:
        """Straight down, or round the boxes that stand in between."""
        x, top, y = self.at[a][0], self._bottom(a), self.at[b][1]
        between = [
            n
            for n in self.at
            if self.at[n][0] == x and top < self.at[n][1] < y
        ]
        if not between:
            return [(x, top)]
        side = x + max(self.size[n][0] for n in [*between, b]) / 2 + 4
        while any(t < y and top < e and s == side for s, t, e in self.sides):
            side += 4
        self.sides.append((side, top, y))
        return [(x, top), (x, top + GAP / 2), (side, top + GAP / 2)]

    # What is said

    def _sentences(self) -> Iterator[str]:
        """Every box, one after the other."""
        runs = {nodes[0]: (len(nodes), times) for nodes, times in self.runs}
        for node in self.nodes:
            if node in runs and runs[node][0] > 1:
                yield (
                    f"The next {runs[node][0]} boxes stand {runs[node][1]} "
                    "times in a row"
                )
            yield node.sentence()
        yield f"{self.anatomy.total_parameters:,} parameters in all"

    def _notes(self) -> Iterator[str]:
        """How to read the picture, and what it leaves out."""
        strides = any("stride" in " ".join(n.options) for n in self.nodes)
        words = "A box names a layer, its window and its maps"
        yield f"{words}; /2 is a stride of 2." if strides else f"{words}."
        if len({*map(_maps, self.nodes)}) > 2:
            yield "At the left, boxes widen as maps become more."
        if self.strips:
            yield "Joined boxes lay maps side by side, to scale."
        if self.runs:
            yield "× 2, × 3, …: so many alike in a row, with figures of one."
        if self.done:
            names = [f"{n} × {word}" for word, n in self.done.items()]
            words = f"Not drawn: {', '.join(names)}"
            if self.extra:
                words += f", with {self.extra:,} parameters"
            yield f"{words}."


def _lays(node: Node) -> bool:
    """Whether a node lays the maps of others side by side."""
    maps = sum(source.shape[0] for source in node.inputs if source.shape)
    return node.what == "cat" and node.shape[:1] == (maps,)


def _maps(node: Node) -> int:
    return (node.shape or (1,))[0]


def _label(node: Node, width: float) -> list[str]:
    """The lines in a box."""
    if not node.inputs:
        return ["input"]
    if node.sign:
        return [node.sign]
    words = [f"{node.what} {node.size}".strip()]
    if not node.pools:
        words.append(show_shape(node.shape[:1] or (1,)))
    for option in node.options:
        name, _, value = option.partition(" ")
        if name == "stride":
            words.append(f"/{value}")
        elif name in ("groups", "dilation"):
            words.append(option)
    first, rest = words[0], ", ".join(words[1:])
    whole = f"{first}, {rest}" if rest else first
    lines = [whole] if wide(whole, FONT) <= width else [first, rest]
    return [part for words in lines for part in fill(words, width)]


def _cut(words: str, room: float) -> str:
    """The end of a name, as much as there is room for."""
    while wide(words, FONT) > room:
        words = "…" + words.lstrip("…")[1:]
    return words
