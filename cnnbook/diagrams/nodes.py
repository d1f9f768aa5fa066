"""The graph that a picture shows: what an anatomy's steps become.

`nodes_of` leaves out what only changes values; `collapse` makes one node of
each part of the network, `fold` one of what comes several times in a row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from cnnbook.anatomy import Anatomy, Join, Row, show_shape

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
    "LocalNorm": "response norm",
    "Dropout": "dropout",
}
SILENT = {"Flatten", "Unflatten", "Identity"}
PARTED = 4  # a convolution in more groups than these is drawn as one


@dataclass(eq=False)
class Node:
    """A volume, or the place where branches meet."""

    name: str
    what: str
    shape: tuple[int, ...]
    inputs: tuple[Node, ...] = ()
    colour: str = "grey"
    between: bool = False
    """Whether it is no layer, but what happens between layers."""
    sign: str = ""
    size: str = ""
    options: tuple[str, ...] = ()
    parameters: int = 0
    then: list[str] = field(default_factory=list)
    """What is done to its values afterwards."""
    extra: int = 0
    """The parameters of what is done to its values."""
    inside: tuple[Node, ...] = ()
    """The nodes that it stands for, if it stands for a part."""
    same: tuple[str, ...] = ()
    """The names of what it stands for, if that comes several times."""

    @property
    def label(self) -> str:
        """A layer's name, or nothing where it only has numbers."""
        return "" if self.name.replace(".", "").isdigit() else self.name

    @property
    def window(self) -> tuple[int, ...]:
        """The sides of what walks over its input."""
        return tuple(map(int, self.size.split("×"))) if self.size else ()

    @property
    def groups(self) -> int:
        """Into how many towers its convolution is divided."""
        found = re.search(r"groups (\d+)", " ".join(self.options))
        return int(found[1]) if found and int(found[1]) <= PARTED else 1

    @property
    def pools(self) -> bool:
        """Whether each of its maps looks at one map."""
        return self.colour == "orange" and not self.sign

    @property
    def facts(self) -> list[str]:
        """Its words, one fact each, without its name."""
        first = f"{self.what} {self.size}".strip()
        words = [first, ", ".join(self.options), show_shape(self.shape)]
        if self.parameters:
            words.append(f"{self.parameters:,} parameters")
        return [word for word in [*words, *self.then] if word]

    def sentence(self) -> str:
        """What it is, for those who do not see it."""
        sources = " and ".join(node.name for node in self.inputs)
        if self.sign:
            return f"{sources} meet in {self.sign}"
        words = ", ".join(self.facts)
        if len(self.same) > 1:
            words = f"{len(self.same)} times {words}"
        if self.label and self.label != self.what:
            words = f"{self.label}, {words}"
        return f"{words}, from {sources}" if sources else words


def key(name: str, depth: int) -> str:
    """The first parts of a name."""
    return ".".join(re.sub(r" \(\d+\)$", "", name).split(".")[:depth])


def parts(nodes: Iterable[Node], depth: int) -> list[tuple[str, list[Node]]]:
    """Neighbours whose names begin alike, and how they begin."""
    return [
        (name, list(group))
        for name, group in groupby(nodes, lambda node: key(node.name, depth))
    ]


def deepest(nodes: Iterable[Node]) -> int:
    """How many parts the longest name has."""
    return max(node.name.count(".") + 1 for node in nodes)


def nodes_of(anatomy: Anatomy) -> list[Node]:
    """The steps worth a place; those that only change values are folded."""
    first = Node("input", "input", anatomy.input_shape)
    nodes, at = [first], {"input": first}
    for step in anatomy.steps:
        inputs = tuple(dict.fromkeys(at[name] for name in step.inputs))
        folded = isinstance(step, Row) and _changes_values_only(step)
        if isinstance(step, Join):
            node = _joined(step, inputs)
        elif folded and len(inputs) == 1:
            node = inputs[0]
            if step.kind not in SILENT and node is not first:
                node.then.append(word(step.kind))
                node.extra += step.parameters
        else:
            node = _layer(step, inputs)
        at[step.name] = node
        if node not in nodes:
            nodes.append(node)
    return nodes


def collapse(nodes: list[Node], depth: int) -> list[Node]:
    """Make neighbours one whose names agree in their first parts."""
    at: dict[Node, Node] = {}
    result = []
    for name, group in parts(nodes, depth):
        sources = dict.fromkeys(
            at[a] for b in group for a in b.inputs if a in at
        )
        last = group[-1]
        if len(group) > 1:
            node = Node(
                name,
                _contents(group),
                last.shape,
                tuple(sources),
                "purple",
                parameters=sum(n.parameters + n.extra for n in group),
                inside=tuple(group),
            )
        else:
            node = replace(last, inputs=tuple(sources))
        at |= dict.fromkeys(group, node)
        result.append(node)
    return result


Run = tuple[list[Node], int]
"""Nodes that stand for as many parts in a row, all built like them."""


def fold(nodes: list[Node]) -> tuple[list[Node], list[Run]]:
    """Keep one of the neighbours that are built alike.

    They are links of a chain: each reads only what the one before made.
    """
    runs: list[Run] = []
    done: set[Node] = set()
    for depth in range(1, deepest(nodes) + 1):
        ends = set(cuts(nodes)) - done
        links: list[list[list[Node]]] = []
        for _, group in parts(nodes, depth):
            if links and _alike(links[-1][-1], group, depth, ends):
                links[-1].append(group)
            else:
                links.append([group])
        nodes, at = [], {}
        for first, *others in links:
            for node in first:
                node.inputs = tuple(at.get(a, a) for a in node.inputs)
            nodes += first
            if others:
                names = [group[-1].name for group in (first, *others)]
                first[-1].same = tuple(names)
                runs.append((first, len(names)))
                done |= {*first}
                at[others[-1][-1]] = first[-1]
    return nodes, runs


def _alike(
    one: list[Node], other: list[Node], depth: int, ends: set[Node]
) -> bool:
    """Whether a link of a chain is built as the one before it."""
    first, second = (key(group[0].name, depth) for group in (one, other))
    return (
        first.rpartition(".")[0] == second.rpartition(".")[0]
        and one[-1] in ends
        and other[-1] in ends
        and len(_outside(one)) == 1
        and _built(one) == _built(other)
    )


def _outside(group: list[Node]) -> set[Node]:
    return {a for b in group for a in b.inputs} - {*group}


def _built(group: list[Node]) -> list[tuple]:
    """All that two links have to agree in."""
    place = {node: i for i, node in enumerate(group)}
    return [
        (
            (node.what, node.size, node.options, node.sign, node.then),
            (node.shape, node.parameters),
            [place.get(a, -1) for a in node.inputs],
        )
        for node in group
    ]


def aside(nodes: list[Node]) -> list[Node]:
    """What leads to another end than the last node: a second head."""
    ahead = {nodes[-1]}
    for node in reversed(nodes):
        if node in ahead:
            ahead |= {*node.inputs}
    return [node for node in nodes if node not in ahead]


def cuts(nodes: list[Node]) -> list[Node]:
    """The nodes that every way from the input to the end goes through."""
    off = {*aside(nodes)}
    way = [node for node in nodes if node not in off]
    last = {a: i for i, node in enumerate(way) for a in node.inputs}
    found, reach = [], 0
    for i, node in enumerate(way):
        if i >= reach:
            found.append(node)
        reach = max(reach, last.get(node, i))
    return found


def branches(inner: Sequence[Node]) -> list[dict[Node, int]]:
    """The lanes of what stands side by side: its nodes, and their rows.

    The last row is that of the branches' ends.  What is not connected has
    lanes of its own; a branch that parts again takes one more.
    """
    below: dict[Node, int] = {}
    for node in reversed(inner):
        users = [below[b] for b in inner if node in b.inputs]
        below[node] = 1 + max(users, default=-1)
    rows = max(below.values(), default=0)
    lanes: list[dict[Node, int]] = []
    for branch in connected(inner):
        first, taken = len(lanes), set()
        home: dict[Node, int] = {}
        for node in branch:
            lane = min((home[a] for a in node.inputs if a in home), default=0)
            while (below[node], lane) in taken:
                lane += 1
            home[node] = lane
            taken.add((below[node], lane))
        lanes += [{} for _ in range(1 + max(home.values()))]
        for node, lane in home.items():
            lanes[first + lane][node] = rows - below[node]
    return lanes


def connected(nodes: Sequence[Node]) -> list[list[Node]]:
    """The nodes in parts that no edge joins, in the nodes' order."""
    found: list[list[Node]] = []
    for node in nodes:
        joined = [part for part in found if {*node.inputs} & {*part}]
        rest = [part for part in found if part not in joined]
        merged = [n for part in joined for n in part]
        place = found.index(joined[0]) if joined else len(rest)
        rest.insert(place, [*merged, node])
        found = rest
    return found


def towers(chain: Sequence[Node]) -> dict[Node, int]:
    """Into how many towers the maps of each node of a chain are divided.

    They are if a layer with groups made them or will read them; a pooling
    keeps them apart.
    """
    found = {}
    behind = 1
    for node in chain:
        behind = behind if node.pools else node.groups
        found[node] = behind
    ahead = 1
    for node in reversed(chain):
        found[node] = max(found[node], ahead)
        if node.shape[0] % found[node] or len(node.shape) < 2:
            found[node] = 1
        ahead = ahead if node.pools else node.groups
    return found


def _changes_values_only(row: Row) -> bool:
    """An activation, a normalisation, dropout, a change of shape."""
    before, after = count(row.input_shape), count(row.output_shape)
    moves = row.window or row.macs or row.kind.endswith("(own)")
    return before == after and not moves


def count(shape: Sequence[int]) -> int:
    """How many values a shape holds."""
    values = 1
    for size in shape:
        values *= size
    return values


def word(kind: str) -> str:
    """The book's word for a kind of layer."""
    stem = re.sub(r"[123]d$", "", kind)
    return WORDS.get(stem, stem)


def _joined(step: Join, inputs: tuple[Node, ...]) -> Node:
    node = Node(step.name, step.kind, step.output_shape, inputs, between=True)
    if len(step.kind) == 1:
        node.sign = step.kind
    elif len(inputs) == 1:
        node.colour = "orange"
        if len(step.output_shape) == 1 and len(inputs[0].shape) > 1:
            node.what = f"global {step.kind}"
    return node


def _layer(row: Row, inputs: tuple[Node, ...]) -> Node:
    colour = next(c for part, c in COLOURED if part in row.kind)
    size, *options = row.window.split(", ")
    name = word(row.kind)
    if row.kind.startswith("Adaptive") and count(row.output_shape[1:]) == 1:
        name = f"global {name}"
    if "pool" in name or "sub" in name:
        square = f"stride {size.split('×')[0]}"  # as everybody pools
        options = [option for option in options if option != square]
    return Node(
        row.name,
        name,
        row.output_shape,
        inputs,
        colour,
        size=size,
        options=tuple(options),
        parameters=row.parameters,
    )


def _contents(group: list[Node]) -> str:
    """What weighs in a part: "6 conv" or "2 conv, 1 dense"."""
    counts = Counter(
        node.what for node in group if node.colour in ("blue", "green")
    )
    return ", ".join(f"{n} {what}" for what, n in counts.items())
