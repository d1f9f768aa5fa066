"""Two networks side by side, layer by layer: what agrees, what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import chain, groupby
from typing import Any

import torch
import traitlets

from cnnbook.anatomy import Anatomy, Row, show_shape, trace
from cnnbook.diagrams.nodes import word
from cnnbook.nets.vgg import TABLE, vgg
from cnnbook.widgets.base import BookWidget

MEASURES = {
    "parameters": "Parameters",
    "activations": "Activations",
    "macs": "MACs",
}
NAMES = {**MEASURES, "parameters": "parameters", "activations": "activations"}
SHOWS = {
    "layers": "every layer",
    "differences": "only differences",
    "blocks": "blocks",
}
SIGNS = {"same": "=", "differs": "≠", "left": "−", "right": "+"}
"""How a row fares, and its sign: "left" is only in the left network."""

LONG = 60
"""With more layers than these, blocks are what is shown at first."""

Item = dict[str, Any]


def compact(networks: Mapping[str, Anatomy]) -> dict:
    """Pack anatomies for a page: each name, kind and shape once.

    Layers of the same name share a place.  A place is a name and a block; a
    row is place, what the layer is, shape, parameters, activations, MACs.
    What and shape are places in lists.  What has none of the three measures,
    such as a ReLU in place, is no row.
    """
    kept = {
        name: [row for row in anatomy.rows if any(_figures(row))]
        for name, anatomy in networks.items()
    }
    order = _order([[row.name for row in rows] for rows in kept.values()])
    first: dict[str, Row] = {}
    for row in chain.from_iterable(kept.values()):
        first.setdefault(row.name, row)
    labels = _labels([first[name] for name in order])
    blocks: dict[str, int] = {}
    places = [
        [_own(name, order), blocks.setdefault(label, len(blocks))]
        for name, label in zip(order, labels, strict=True)
    ]
    kinds: dict[str, int] = {}
    shapes: dict[str, int] = {}
    packed = {
        name: [
            [
                order.index(row.name),
                kinds.setdefault(_what(row), len(kinds)),
                shapes.setdefault(_shape(row), len(shapes)),
                *_figures(row),
            ]
            for row in rows
        ]
        for name, rows in kept.items()
    }
    return {
        "places": places,
        "blocks": list(blocks),
        "kinds": list(kinds),
        "shapes": list(shapes),
        "networks": packed,
        "inputs": {
            name: show_shape(anatomy.input_shape)
            for name, anatomy in networks.items()
        },
    }


def _figures(row: Row) -> tuple[int, int, int]:
    return row.parameters, row.activations, row.macs


def _order(networks: Sequence[Sequence[str]]) -> list[str]:
    """All names once; a new one stands behind the one it follows."""
    order: list[str] = []
    for names in networks:
        place = 0
        for name in names:
            if name not in order:
                order.insert(place, name)
            place = order.index(name) + 1
    return order


def _labels(rows: Sequence[Row]) -> list[str]:
    """The block of each layer: its part of the network, or its maps' size.

    In a network of parts within parts, the layers beside them are blocks too,
    as many as stand in a row.
    """
    if not any(row.name.count(".") > 1 for row in rows):
        sides = [show_shape(row.input_shape[1:]) for row in rows]
        return [f"at {side}" if side else "vectors" for side in sides]
    labels: list[str] = []
    for nested, group in groupby(rows, lambda row: "." in row.name):
        names = [row.name.split(".")[0] for row in group]
        if not nested:
            ends = dict.fromkeys((names[0], names[-1]))
            names = [" to ".join(ends)] * len(names)
        labels += names
    return labels


def _own(name: str, names: Sequence[str]) -> str:
    """The last part of a name, if no other ends like it."""
    last = name.split(".")[-1]
    alike = [other for other in names if other.split(".")[-1] == last]
    return name if len(alike) > 1 or last.isdigit() else last


def _what(row: Row) -> str:
    """What a layer is; a padding that keeps the size goes without saying."""
    size, *options = row.window.split(", ")
    side = size.split("×")[0]
    usual = {f"stride {side}"} if "Pool" in row.kind else set()
    if side.isdigit() and not any("stride" in option for option in options):
        usual.add(f"padding {int(side) // 2}")
    said = [option for option in options if option not in usual]
    return ", ".join([f"{word(row.kind)} {size}".strip(), *said])


def _shape(row: Row) -> str:
    return show_shape(row.output_shape) or "1"


def items(data: dict, left: str, right: str, show: str) -> list[Item]:
    """List the rows of the table: layers, those that differ, or blocks."""
    sides = [
        {row[0]: row for row in data["networks"][name]}
        for name in (left, right)
    ]
    layers = []
    for place, (name, block) in enumerate(data["places"]):
        pair = [_side(data, side.get(place)) for side in sides]
        if any(pair):
            layers.append(
                {
                    "name": name,
                    "block": block,
                    "first": place,
                    "fares": _fares(*pair),
                    "left": pair[0],
                    "right": pair[1],
                }
            )
    if show == "blocks":
        return [
            _joined(block, label, inside)
            for block, label in enumerate(data["blocks"])
            if (inside := [item for item in layers if item["block"] == block])
        ]
    if show == "differences":
        return [item for item in layers if item["fares"] != "same"]
    return layers


def _side(data: dict, row: list | None) -> dict | None:
    if row is None:
        return None
    _, what, shape, *figures = row
    return {
        "what": data["kinds"][what],
        "shape": data["shapes"][shape],
        **dict(zip(MEASURES, figures, strict=True)),
    }


def _fares(left: dict | None, right: dict | None) -> str:
    if left is None:
        return "right"
    if right is None:
        return "left"
    return "same" if left == right else "differs"


def _joined(block: int, label: str, inside: list[Item]) -> Item:
    """A block as one row: its layers counted, their figures added up."""
    pair = []
    for side in ("left", "right"):
        there = [item[side] for item in inside if item[side]]
        count = f"{len(there)} layer{'s' if len(there) != 1 else ''}"
        pair.append(
            {
                "what": count,
                "shape": there[-1]["shape"],
                **{m: sum(one[m] for one in there) for m in MEASURES},
            }
            if there
            else None
        )
    alike = all(item["fares"] == "same" for item in inside)
    fares = _fares(*pair)
    return {
        "name": label,
        "block": block,
        "first": inside[0]["first"],
        "fares": "differs" if fares == "same" and not alike else fares,
        "left": pair[0],
        "right": pair[1],
    }


def totals(data: dict, name: str) -> dict[str, int]:
    """Add up a network's figures."""
    rows = data["networks"][name]
    return {m: sum(row[3 + i] for row in rows) for i, m in enumerate(MEASURES)}


def change(left: int, right: int) -> str:
    """Write how much more the right one has: +1,234, −5 or 0."""
    sign = "+" if right > left else "−" if right < left else ""
    return f"{sign}{abs(right - left):,}"


def percent(left: int, right: int) -> str:
    """Write the change in per cent of the left one, half up."""
    if not left or left == right:
        return ""
    tenths = (2000 * abs(right - left) + left) // (2 * left)
    sign = "+" if right > left else "−"
    if not tenths:
        return f"{sign}< 0.1 %"
    return f"{sign}{tenths // 10:,}.{tenths % 10} %"


def short(number: int) -> str:
    """Write a number for the chart: 102.8 M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            tenths = (20 * number + size) // (2 * size)
            return f"{tenths // 10:,}.{tenths % 10} {unit}"
    return str(number)


def sentence(data: dict, left: str, right: str) -> str:
    """Say in words how two networks differ."""
    fares = [item["fares"] for item in items(data, left, right, "layers")]
    alike, differ = fares.count("same"), fares.count("differs")
    counts = {
        f"{alike} layer{' is' if alike == 1 else 's are'} the same": 1,
        f"{differ} differ{'s' if differ == 1 else ''}": differ,
        f"{fares.count('left')} only in {left}": fares.count("left"),
        f"{fares.count('right')} only in {right}": fares.count("right"),
    }
    counted = ", ".join(words for words, count in counts.items() if count)
    one, other = totals(data, left), totals(data, right)
    parts = []
    for measure, name in NAMES.items():
        a, b = one[measure], other[measure]
        more = f"{abs(b - a):,} {'more' if b > a else 'fewer'}"
        part = f" ({percent(a, b)})" if percent(a, b) else ""
        parts.append(f"{more if a != b else 'as many'} {name}{part}")
    return (
        f"{left} beside {right}: {counted}. {right} has {parts[0]}, "
        f"{parts[1]} and {parts[2]}."
    )


def about(item: Item, left: str, right: str) -> str:
    """Say in words what a row holds."""
    one, other = item["left"], item["right"]
    if item["fares"] == "same":
        return f"{item['name']} is the same in both: {_gives(one)}."
    if one is None:
        return f"{item['name']} is only in {right}: {_gives(other)}."
    if other is None:
        return f"{item['name']} is only in {left}: {_gives(one)}."
    return (
        f"{item['name']} differs. {left}: {_gives(one)}. "
        f"{right}: {_gives(other)}."
    )


def _gives(side: dict) -> str:
    figures = [f"{side[m]:,} {name}" for m, name in NAMES.items()]
    return f"{side['what']} to {side['shape']}, {', '.join(figures)}"


def place_of(rows: Sequence[Item], selected: int) -> int:
    """Return which row holds a place of the networks; -1 for none."""
    found = -1
    for i, item in enumerate(rows):
        if 0 <= item["first"] <= selected:
            found = i
    return found


class AnatomyCompare(BookWidget):
    """Choose two of several networks; see what differs, layer by layer.

    *networks* maps names to anatomies; layers of one name stand in one row.
    Without it, they are the six of VGG's Table 1.  ``left`` and ``right`` are
    two of the names, ``show`` is "layers", "differences" or "blocks", which
    long networks show at first; ``selected`` is a place in
    ``data["places"]``, -1 for none.
    """

    _name = "anatomy_compare"

    data = traitlets.Dict().tag(sync=True)
    left = traitlets.Unicode().tag(sync=True)
    right = traitlets.Unicode().tag(sync=True)
    measure = traitlets.Enum(list(MEASURES), "parameters").tag(sync=True)
    show = traitlets.Enum(list(SHOWS), "layers").tag(sync=True)
    selected = traitlets.Int(-1, min=-1).tag(sync=True)

    def __init__(
        self,
        networks: Mapping[str, Anatomy] | None = None,
        left: str | None = None,
        right: str | None = None,
        **traits: Any,
    ) -> None:
        usual = ""
        if networks is None:
            networks, usual = _vgg(), "D"
        if not isinstance(networks, Mapping) or not all(
            isinstance(anatomy, Anatomy) for anatomy in networks.values()
        ):
            raise TypeError(
                "AnatomyCompare() takes anatomies by name; try "
                "AnatomyCompare({'one': trace(net, (1, 32, 32)), 'other': …})."
            )
        if len(networks) < 2:
            raise ValueError(
                f"AnatomyCompare() takes two networks or more, not "
                f"{len(networks)}; add one to compare with."
            )
        first, *_, last = networks
        data = compact(networks)
        long = len(data["places"]) > LONG
        traits.setdefault("show", "blocks" if long else "layers")
        super().__init__(
            data=data,
            left=first if left is None else left,
            right=right if right is not None else usual or last,
            **traits,
        )

    @traitlets.validate("left", "right")
    def _known(self, proposal: dict) -> str:
        name, names = proposal["value"], self.data["networks"]
        if name not in names:
            raise ValueError(
                f"There is no network {name!r} to compare; try "
                f"{', '.join(map(repr, names))}."
            )
        return name

    @traitlets.validate("selected")
    def _known_place(self, proposal: dict) -> int:
        selected, places = proposal["value"], len(self.data["places"])
        if selected >= places:
            raise ValueError(
                f"There is no place {selected}; they are 0 to {places - 1}, "
                "and -1 selects none."
            )
        return selected

    def __repr__(self) -> str:
        names = ", ".join(self.data["networks"])
        return f"AnatomyCompare({self.left} beside {self.right}; of {names})"

    def _static(self) -> str:
        pair = self.left, self.right
        rows = items(self.data, *pair, self.show)
        place = place_of(rows, self.selected)
        words = (
            sentence(self.data, *pair)
            if place < 0
            else about(rows[place], *pair)
        )
        return (
            f'<figure class="ac">{_legend(*pair)}'
            f"{_chart(self.data, *pair, self.measure)}"
            f'<p class="ac-words">{escape(words)}</p>'
            '<div class="ac-box" role="region" tabindex="0" '
            f'aria-label="{" beside ".join(map(escape, pair))}, '
            'layer by layer">'
            f"{self._table(rows, place)}</div>"
            f"<figcaption>{_caption(*pair)}</figcaption></figure>"
        )

    def _table(self, rows: Sequence[Item], place: int) -> str:
        m, pair = self.measure, (self.left, self.right)
        heads = ("Layer", *pair, "Change")
        sums = [totals(self.data, name)[m] for name in pair]
        blocks = "".join(
            f"<tbody>{self._block_head(block)}"
            + "".join(
                _row(item, m, i == place)
                for i, item in enumerate(rows)
                if item["block"] == block
            )
            + "</tbody>"
            for block in dict.fromkeys(item["block"] for item in rows)
        )
        return (
            '<table class="ac-table"><thead><tr>'
            + "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
            + f"</tr></thead>{blocks}<tfoot><tr>"
            '<th scope="row">in all</th>'
            f"<td>{sums[0]:,}</td><td>{sums[1]:,}</td>"
            f"<td>{change(*sums)} <small>{percent(*sums)}</small></td>"
            "</tr></tfoot></table>"
        )

    def _block_head(self, block: int) -> str:
        if self.show == "blocks":
            return ""
        label = escape(self.data["blocks"][block])
        return (
            '<tr class="ac-block"><th colspan="4" scope="rowgroup">'
            f"{label}</th></tr>"
        )


def _vgg() -> dict[str, Anatomy]:
    """The six networks of VGG's Table 1, which take no memory here."""
    with torch.device("meta"):
        return {name: trace(vgg(name).eval(), (3, 224, 224)) for name in TABLE}


def _row(item: Item, measure: str, lit: bool) -> str:
    one, other = item["left"], item["right"]
    figures = [side[measure] if side else 0 for side in (one, other)]
    cells = "".join(
        f"<td>{side[measure]:,} <small>{escape(side['what'])} → "
        f"{side['shape']}</small></td>"
        if side
        else "<td>–</td>"
        for side in (one, other)
    )
    return (
        f'<tr class="ac-{item["fares"]}{" ac-on" * lit}">'
        f'<th scope="row"><span class="ac-sign">{SIGNS[item["fares"]]}</span> '
        f"{escape(item['name'])}</th>{cells}<td>{change(*figures)}</td></tr>"
    )


def _legend(left: str, right: str) -> str:
    return (
        f'<p class="ac-legend"><span class="ac-one">{escape(left)}</span> '
        f'<span class="ac-other">{escape(right)}</span></p>'
    )


def _caption(left: str, right: str) -> str:
    """What the signs mean."""
    return (
        f"= the same in both, ≠ differs, − only in {escape(left)}, + only in "
        f"{escape(right)}. What adds no parameters, activations or MACs has "
        "no row."
    )


def bars(data: dict, left: str, right: str, measure: str) -> list[dict]:
    """List two bars for each block, heights and places in per cent."""
    blocks = items(data, left, right, "blocks")
    pairs = [
        [
            item[side][measure] if item[side] else 0
            for side in ("left", "right")
        ]
        for item in blocks
    ]
    top = max(max(pair) for pair in pairs) or 1
    slot = 100 / len(blocks)
    return [
        {
            "name": item["name"],
            "middle": (i + 0.5) * slot,
            "sides": [
                {
                    "x": (i + at) * slot,
                    "width": 0.36 * slot,
                    "height": 100 * value / top,
                    "value": short(value),
                }
                for at, value in zip((0.12, 0.52), pair, strict=True)
            ],
        }
        for i, (item, pair) in enumerate(zip(blocks, pairs, strict=True))
    ]


def _chart(data: dict, left: str, right: str, measure: str) -> str:
    groups = bars(data, left, right, measure)
    few = len(groups) <= 8
    parts: list[str] = []
    for group in groups:
        for side, kind in zip(group["sides"], ("one", "other"), strict=True):
            x, top = side["x"], f"{100 - side['height']:.3f}%"
            opacity = 0.8 if kind == "one" else 0.2
            parts.append(
                f'<rect class="ac-bar ac-{kind}" x="{x:.3f}%" y="{top}" '
                f'width="{side["width"]:.3f}%" '
                f'height="{side["height"]:.3f}%" fill="currentColor" '
                f'fill-opacity="{opacity}" stroke="currentColor"/>'
            )
            if few:
                parts.append(
                    '<text class="ac-value" '
                    f'x="{x + side["width"] / 2:.3f}%" y="{top}" dy="-5" '
                    'text-anchor="middle" font-size="11" '
                    f'fill="currentColor">{side["value"]}</text>'
                )
        if few:
            parts.append(
                f'<text x="{group["middle"]:.3f}%" y="100%" dy="18" '
                'text-anchor="middle" font-size="12" fill="currentColor">'
                f"{escape(group['name'])}</text>"
            )
    return (
        '<svg class="ac-chart" width="600" height="160" overflow="visible" '
        f'role="img" aria-label="{MEASURES[measure]} of {escape(left)} and of '
        f'{escape(right)}, block by block; the numbers are in the table">'
        f"{''.join(parts)}</svg>"
    )
