"""Where a network spends its parameters, activations and MACs."""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import traitlets
from torch import nn

from cnnbook.anatomy import Anatomy, trace
from cnnbook.widgets.base import BookWidget

MEASURES = {
    "parameters": "Parameters",
    "activations": "Activations",
    "macs": "MACs",
}
NAMES = {**MEASURES, "parameters": "parameters", "activations": "activations"}
Bar = dict[str, Any]


def compact(anatomy: dict) -> dict:
    """Pack `Anatomy.to_json()` for a page: each kind and shape once.

    A row is name, kind, shape, parameters, activations, MACs; kind and shape
    are places in the lists ``kinds`` and ``shapes``.  What has none of the
    three is no row, such as a ReLU in place: ``left_out`` says how many.
    """
    kinds: dict[str, int] = {}
    shapes: dict[str, int] = {}
    useful = [r for r in anatomy["rows"] if any(r[m] for m in MEASURES)]
    left_out = Counter(
        row["kind"] for row in anatomy["rows"] if row not in useful
    )
    rows = [
        [
            row["name"],
            kinds.setdefault(row["kind"], len(kinds)),
            shapes.setdefault(_shape(row["output_shape"]), len(shapes)),
            *(row[measure] for measure in MEASURES),
        ]
        for row in useful
    ]
    words = ", ".join(f"{n} × {kind}" for kind, n in left_out.items())
    return {
        **({"left_out": words} if words else {}),
        "name": anatomy["name"],
        "input": _shape(anatomy["input_shape"]),
        "kinds": list(kinds),
        "shapes": list(shapes),
        "rows": rows,
    }


def bars(data: dict, depth: int = 0, opened: Sequence[str] = ()) -> list[Bar]:
    """List what has a bar each: every layer, or neighbours as one.

    With a depth, neighbouring layers are one bar if the first *depth* parts
    of their names agree: ``layer1.0.conv1`` and ``layer1.0.bn1`` at depth 2.
    What is *opened* shows its own parts instead.
    """

    def key(item: tuple[int, list]) -> Any:
        index, row = item
        parts, length = row[0].split("."), depth
        while length < len(parts) and ".".join(parts[:length]) in opened:
            length += 1
        return ".".join(parts[:length]) if depth else index

    result = []
    for _, group in groupby(enumerate(data["rows"]), key):
        items = list(group)
        rows = [row for _, row in items]
        sums = [sum(row[3 + m] for row in rows) for m in range(len(MEASURES))]
        heaviest = max(rows, key=lambda row: (row[5], row[3]))
        alone = len(rows) == 1
        result.append(
            {
                "name": rows[0][0] if alone else key(items[0]),
                "kind": data["kinds"][rows[0][1]]
                if alone
                else f"{len(rows)} layers",
                "family": family(data["kinds"][heaviest[1]]),
                "shape": data["shapes"][rows[-1][2]],
                "first": items[0][0],
                "count": len(rows),
                **dict(zip(MEASURES, sums, strict=True)),
            }
        )
    return result


def usual_depth(data: dict, most: int = 60, groups: int = 40) -> int:
    """Return the finest depth with few enough bars; every layer, if short."""
    if len(data["rows"]) <= most:
        return 0
    parts = max(row[0].count(".") + 1 for row in data["rows"])
    for depth in range(parts, 0, -1):
        if 2 < len(bars(data, depth)) <= groups:
            return depth
    return 0


def family(kind: str) -> str:
    """Sort a layer's kind into convolution, fully connected, or other."""
    if "Conv" in kind:
        return "conv"
    return "dense" if "Linear" in kind else "other"


def order(items: Sequence[Bar], sort: str, descending: bool) -> list[int]:
    """Return the places of the bars as sorted; equals keep their order."""
    places = range(len(items))
    if sort == "order":
        return list(reversed(places) if descending else places)
    sign = -1 if descending else 1
    return sorted(places, key=lambda place: sign * items[place][sort])


def totals(data: dict) -> dict[str, int]:
    """Return the sum of each measure."""
    return {
        measure: sum(row[3 + m] for row in data["rows"])
        for m, measure in enumerate(MEASURES)
    }


def share(value: int, total: int) -> str:
    """Write a part of a total in per cent, to one decimal, half up."""
    if not value or not total:
        return "0 %"
    tenths = (2000 * value + total) // (2 * total)
    return f"{tenths // 10}.{tenths % 10} %" if tenths else "< 0.1 %"


def ticks(top: int, scale: str) -> list[int]:
    """Return the round numbers beside the chart, none above the tallest."""
    if scale == "log":
        decades = len(str(max(top, 1)))
        step = -(-decades // 5)
        return [10**power for power in range(0, decades, step)]
    step = 1
    while step * 4 < top:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return list(range(0, top + 1, step))


def labels(items: Sequence[Bar]) -> str:
    """Say where the names fit below the bars: "", "wide" or "all"."""
    room = 8 * len(items) * max(len(item["name"]) for item in items)
    return "all" if room <= 230 else "wide" if room <= 600 else ""


def height(value: int, top: int, scale: str) -> float:
    """Return a bar's height in per cent of the chart."""
    if value <= 0 or top <= 0:
        return 0.0
    if scale == "log":
        return 100 * math.log10(value) / math.log10(top) if top > 1 else 100.0
    return 100 * value / top


def short(number: int) -> str:
    """Write a round number for an axis: 25 M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size and number * 10 % size == 0:
            whole, tenth = divmod(number * 10 // size, 10)
            return f"{whole}{f'.{tenth}' if tenth else ''} {unit}"
    return f"{number:,}"


def sentence(
    data: dict,
    depth: int,
    measure: str,
    selected: int = -1,
    opened: Sequence[str] = (),
) -> str:
    """Say in words what the selected layer takes, or the whole network."""
    sums, items = totals(data), bars(data, depth, opened)
    if selected < 0:
        tallest = max(items, key=lambda item: item[measure])
        part = share(tallest[measure], sums[measure])
        return (
            f"{data['name']}, input {data['input']}: "
            f"{sums['parameters']:,} parameters, "
            f"{sums['activations']:,} activations and {sums['macs']:,} MACs "
            f"for one example. Most {NAMES[measure]}: "
            f"{tallest['name']}, {part}."
        )
    item = items[place_of(items, selected)]
    parts = [
        f"{item[m]:,} {name} ({share(item[m], sums[m])})"
        for m, name in NAMES.items()
    ]
    return (
        f"{item['name']} ({item['kind']}) gives {item['shape']}: "
        f"{parts[0]}, {parts[1]}, {parts[2]}."
    )


def place_of(items: Sequence[Bar], row: int) -> int:
    """Return the bar that a layer of the network is in; -1 for none."""
    for place, item in enumerate(items):
        if item["first"] <= row < item["first"] + item["count"]:
            return place
    return -1


class AnatomyExplorer(BookWidget):
    """A traced network's layers as bars and as a table, to sort and compare.

    With ``depth`` 1, 2, … neighbours whose names begin alike share a bar, as
    a long network's do at first; with 0 every layer has its own.  Such a
    group is opened by its name in ``opened``, or by a press.  ``selected`` is
    the place of a layer in ``data["rows"]``, -1 for none; ``sort`` is a
    measure or ``"order"``, the order in which the layers ran.
    """

    _name = "anatomy"

    data = traitlets.Dict().tag(sync=True)
    measure = traitlets.Enum(list(MEASURES), "parameters").tag(sync=True)
    sort = traitlets.Enum(["order", *MEASURES], "order").tag(sync=True)
    descending = traitlets.Bool(False).tag(sync=True)
    scale = traitlets.Enum(["linear", "log"], "linear").tag(sync=True)
    depth = traitlets.Int(0, min=0).tag(sync=True)
    opened = traitlets.List(traitlets.Unicode()).tag(sync=True)
    selected = traitlets.Int(-1, min=-1).tag(sync=True)

    def __init__(
        self,
        anatomy: Anatomy | nn.Module,
        input_size: int | Sequence[int] | None = None,
        **traits: Any,
    ) -> None:
        if isinstance(anatomy, nn.Module):
            if input_size is None:
                raise ValueError(
                    "A module needs the size of one example, such as "
                    "AnatomyExplorer(net, (1, 32, 32))."
                )
            anatomy = trace(anatomy, input_size)
        elif not isinstance(anatomy, Anatomy):
            raise TypeError(
                "AnatomyExplorer() takes an Anatomy or a torch module, not "
                f"{type(anatomy).__name__}; try trace(net, (1, 32, 32))."
            )
        elif input_size is not None:
            raise ValueError(
                "An Anatomy has its input size already; leave out "
                f"input_size={input_size!r}, or give the module itself."
            )
        data = compact(anatomy.to_json())
        if not data["rows"]:
            raise ValueError(
                f"{anatomy.name} has no layer to show; try a module with one."
            )
        super().__init__(data=data, **{"depth": usual_depth(data), **traits})

    @traitlets.validate("selected")
    def _known_row(self, proposal: dict) -> int:
        selected, rows = proposal["value"], len(self.data["rows"])
        if selected >= rows:
            raise ValueError(
                f"There is no layer {selected}; the rows are 0 to {rows - 1}, "
                "and -1 selects none."
            )
        return selected

    @traitlets.validate("opened")
    def _known_groups(self, proposal: dict) -> list[str]:
        names = [f"{row[0]}." for row in self.data["rows"]]
        for group in proposal["value"]:
            if not any(name.startswith(f"{group}.") for name in names):
                raise ValueError(
                    f"No layer's name begins with {group!r}; try "
                    f"{names[0].split('.')[0]!r}."
                )
        return proposal["value"]

    def __repr__(self) -> str:
        rows, sums = len(self.data["rows"]), totals(self.data)
        return (
            f"AnatomyExplorer({self.data['name']}, {rows} layers, "
            f"{sums['parameters']:,} parameters, {sums['macs']:,} MACs)"
        )

    def _static(self) -> str:
        items = bars(self.data, self.depth, self.opened)
        items = [items[i] for i in order(items, self.sort, self.descending)]
        sums = totals(self.data)
        words = sentence(
            self.data, self.depth, self.measure, self.selected, self.opened
        )
        lit = place_of(items, self.selected)
        chart = _chart(items, self.measure, self.scale, lit)
        name = html.escape(self.data["name"])
        return (
            f'<figure class="an">{LEGEND}{chart}'
            f'<p class="an-words">{html.escape(words)}</p>'
            f'<div class="an-box" role="region" tabindex="0" '
            f'aria-label="Layers of {name}">'
            f"{_table(items, self.measure, sums, lit)}</div>"
            f"{_note(self.data)}</figure>"
        )


LEGEND = (
    '<p class="an-legend"><span class="an-conv">convolution</span> '
    '<span class="an-dense">fully connected</span> '
    '<span class="an-other">other</span></p>'
)


def _note(data: dict) -> str:
    """What is no row, in words."""
    if "left_out" not in data:
        return ""
    return (
        '<p class="an-note">Without a row, as they add no parameters, '
        f"activations or MACs: {html.escape(data['left_out'])}.</p>"
    )


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "1"


def _chart(items: list[Bar], measure: str, scale: str, lit: int) -> str:
    top = max(item[measure] for item in items)
    slot = 100 / len(items)
    grid = "".join(
        f'<line x1="0" x2="100%" y1="{y}" y2="{y}" stroke="currentColor" '
        f'stroke-opacity="0.25"/><text x="-8" y="{y}" dy=".36em" '
        f'text-anchor="end" font-size="12" '
        f'fill="currentColor">{short(tick)}</text>'
        for tick in ticks(top, scale)
        for y in [f"{100 - height(tick, top, scale):.3f}%"]
    )
    columns = "".join(
        f'<rect class="an-bar an-{item["family"]}{" an-on" * (i == lit)}" '
        f'x="{i * slot + 0.1 * slot:.3f}%" y="{100 - tall:.3f}%" '
        f'width="{0.8 * slot:.3f}%" height="{tall:.3f}%" '
        'fill="currentColor"/>'
        for i, item in enumerate(items)
        for tall in [height(item[measure], top, scale)]
    )
    fits = labels(items)
    names = "".join(
        f'<text class="an-label-{fits}" x="{(i + 0.5) * slot:.3f}%" y="100%" '
        'dy="18" text-anchor="middle" font-size="12" fill="currentColor">'
        f"{html.escape(item['name'])}</text>"
        for i, item in enumerate(items)
        if fits
    )
    return (
        f'<svg class="an-chart{" an-named" if fits else ""}" width="600" '
        'height="200" overflow="visible" role="img" '
        f'aria-label="{MEASURES[measure]} of each layer, as bars; '
        f'the numbers are in the table">{grid}{columns}{names}</svg>'
    )


def _table(
    items: list[Bar], measure: str, sums: dict[str, int], lit: int
) -> str:
    heads = "".join(
        f'<th scope="col"{_chosen(m, measure)}>{name}</th>'
        for m, name in MEASURES.items()
    )
    lit_row, zero = ' class="an-on"', ' class="an-zero"'
    rows = "".join(
        f"<tr{lit_row if i == lit else ''}>"
        f'<th scope="row">{html.escape(item["name"])} '
        f"<small>{html.escape(item['kind'])}</small></th>"
        f"<td>{item['shape']}</td>"
        + "".join(
            f"<td{'' if item[m] else zero}>{item[m]:,}</td>" for m in MEASURES
        )
        + f'<td class="an-share">{share(item[measure], sums[measure])}</td>'
        "</tr>"
        for i, item in enumerate(items)
    )
    total = "".join(f"<td>{sums[m]:,}</td>" for m in MEASURES)
    return (
        '<table class="an-table"><thead><tr><th scope="col">Layer</th>'
        f'<th scope="col">Output</th>{heads}<th scope="col">Share</th></tr>'
        f"</thead><tbody>{rows}</tbody><tfoot><tr>"
        f'<th scope="row">Total</th><td></td>{total}'
        f"<td>{share(sums[measure], sums[measure])}</td></tr></tfoot></table>"
    )


def _chosen(one: str, measure: str) -> str:
    return ' class="an-chosen"' if one == measure else ""
