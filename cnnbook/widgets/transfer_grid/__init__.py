"""Transfer learning, measured: source, freezing depth, labelled examples.

`results/transfer-grid.json` has the measurements, and
`benchmarks/transfer_grid.py` makes them.  An error is kept as a whole number
of hundredths of a per cent, so that both languages write it alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import traitlets

from cnnbook.widgets.base import BookWidget

NAMES = {
    "hand": "handwritten 0–4",
    "digits": "printed digits",
    "letters": "printed letters",
    "stripes": "stripes",
    "none": "no source",
}
"""What the sources of the record are called."""

HEIGHT, BOTTOM, TOP = 210, 180, 12
LEAST, MOST, TICKS = 100, 9000, (200, 500, 1000, 2000, 5000)
"""The picture's height and the ends of its scale, 1 % to 90 % wrong."""


def packed(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the widget needs of the recorded result."""
    grid = {
        (cell["source"], cell["frozen"], cell["examples"]): cell
        for cell in record["grid"]
    }
    before = {one["source"]: _pair(one, "error") for one in record["sources"]}
    depths = sorted({frozen for _, frozen, _ in grid})
    examples = sorted({count for _, _, count in grid})

    def table(source: str, what: str) -> list[list[list[int]]]:
        return [
            [_pair(grid[source, frozen, n], what) for n in examples]
            for frozen in depths
        ]

    return {
        "examples": examples,
        "seeds": len(record["seeds"]),
        "sources": [
            {
                "key": source,
                "name": name,
                "errors": table(source, "error"),
                "before": before.get(source),
                "after": (
                    table(source, "source_error") if source in before else None
                ),
            }
            for source, name in NAMES.items()
        ],
    }


def _pair(cell: Mapping[str, Any], what: str) -> list[int]:
    return [round(1e4 * cell[f"{what}_{part}"]) for part in ("mean", "std")]


# ---- In words ----


def percent(error: int) -> str:
    """Write hundredths of a per cent with one decimal: 12.3."""
    tenths = (error + 5) // 10
    return f"{tenths // 10}.{tenths % 10}"


def best(errors: list[list[list[int]]], column: int) -> int:
    """The freezing depth with the least error for so many examples."""
    return min(range(len(errors)), key=lambda row: errors[row][column][0])


def ties(errors: list[list[list[int]]], column: int) -> int:
    """How many other depths are within one spread of the best."""
    mean, std = errors[best(errors, column)][column]
    near = sum(row[column][0] <= mean + std for row in errors)
    return near - 1


def depth(frozen: int) -> str:
    """Say what is frozen."""
    return (
        ("nothing", "1 block")[frozen]
        if frozen < 2
        else f"{'all ' * (frozen == 4)}{frozen} blocks"
    )


def sentence(data: Mapping, source: str, frozen: int, examples: int) -> str:
    """Say what came of a choice, what would be better, what was lost."""
    column = data["examples"].index(examples)
    one = next(one for one in data["sources"] if one["key"] == source)
    scratch = data["sources"][-1]["errors"][0][column][0]
    mean, std = one["errors"][frozen][column]
    plural = "s" * (examples > 1)
    said = (
        f"{one['name'].capitalize()}, {depth(frozen)} frozen, {examples} "
        f"example{plural} of each digit: {percent(mean)} ± {percent(std)} % "
        f"wrong, over {data['seeds']} seeds. "
    )
    top = best(one["errors"], column)
    if top == frozen:
        said += "No other depth is better here"
    else:
        least = percent(one["errors"][top][column][0])
        said += f"Better here: {depth(top)} frozen, {least} %"
    near = ties(one["errors"], column)
    said += f"; {near or 'no'} other{'s' * (near != 1)} within its spread."
    if source != "none":
        said += f" From scratch it is {percent(scratch)} %."
    if one["before"]:
        before = percent(one["before"][0])
        after = percent(one["after"][frozen][column][0])
        said += (
            f" The source itself: {before} % wrong before, {after} % after."
        )
    return said


# ---- Pictures ----


def table(data: Mapping, source: str, frozen: int, examples: int) -> str:
    """The errors from one source: a row a depth, a column a number."""
    one = next(one for one in data["sources"] if one["key"] == source)
    counts, errors = data["examples"], one["errors"]
    heads = "".join(f'<th scope="col">{count}</th>' for count in counts)
    rows = ""
    for row, cells in enumerate(errors):
        rows += f'<tr><th scope="row">{row}</th>'
        for column, (mean, std) in enumerate(cells):
            star = "★ " * (best(errors, column) == row)
            chosen = row == frozen and counts[column] == examples
            mark = ' aria-current="true"' * chosen
            rows += (
                f'<td data-row="{row}" data-count="{counts[column]}"'
                f'{mark} style="--tg: {tint(mean)}%">{star}{percent(mean)}'
                f"<small> ± {percent(std)}</small></td>"
            )
        rows += "</tr>"
    return (
        f'<table class="tg-table"><caption>Wrong, in %, from {one["name"]}: '
        "blocks frozen (rows) by examples of each digit (columns); ★ the "
        "least of its column</caption><thead><tr>"
        f'<th scope="col"><span class="cnn-hidden">frozen</span></th>{heads}'
        f"</tr></thead><tbody>{rows}</tbody></table>"
    )


def tint(error: int) -> int:
    """How dark a cell is, from 0 to 45."""
    return min(45, error // 120)


def height(error: int) -> float:
    """Where an error stands in the picture, on a logarithmic scale."""
    inside = min(max(error, LEAST), MOST)
    share = math.log(inside / LEAST) / math.log(MOST / LEAST)
    return BOTTOM - (BOTTOM - TOP) * share


def curves(data: Mapping, source: str, frozen: int, examples: int) -> str:
    """The errors at one depth, a curve a source, against the examples."""
    counts = data["examples"]

    def x(column: int) -> str:
        return f"{8 + 88 * column / (len(counts) - 1):.2f}%"

    def y(error: int) -> str:
        return f"{height(error):.1f}"

    drawn = "".join(
        f'<line class="tg-grid" x1="5%" x2="99%" y1="{y(tick)}" '
        f'y2="{y(tick)}" stroke="currentColor" stroke-opacity="0.2"/>'
        f'<text x="4%" y="{y(tick)}" dy=".35em" text-anchor="end" '
        f'font-size="12" fill="currentColor">{tick // 100}</text>'
        for tick in TICKS
    )
    drawn += "".join(
        f'<text x="{x(column)}" y="{BOTTOM + 20}" text-anchor="middle" '
        f'font-size="12" fill="currentColor">{count}</text>'
        for column, count in enumerate(counts)
    )
    at = x(counts.index(examples))
    drawn += (
        f'<line class="tg-at" x1="{at}" x2="{at}" y1="{TOP}" y2="{BOTTOM}" '
        'stroke="currentColor" stroke-dasharray="2 3"/>'
    )
    # The chosen source last, so that it lies on top.
    order = sorted(
        range(len(data["sources"])),
        key=lambda i: data["sources"][i]["key"] == source,
    )
    for place in order:
        one = data["sources"][place]
        cells = one["errors"][frozen]
        chosen = " tg-chosen" * (one["key"] == source)
        drawn += f'<g class="tg-{place}{chosen}">'
        for column, (mean, std) in enumerate(cells):
            if column:
                drawn += (
                    f'<line x1="{x(column - 1)}" x2="{x(column)}" '
                    f'y1="{y(cells[column - 1][0])}" y2="{y(mean)}" '
                    'stroke="currentColor"/>'
                )
            drawn += (
                f'<line x1="{x(column)}" x2="{x(column)}" '
                f'y1="{y(mean + std)}" y2="{y(mean - std)}" '
                'stroke="currentColor"/>'
                f'<svg x="{x(column)}" y="{y(mean)}" overflow="visible" '
                'aria-hidden="true">'
                f'<path d="{SHAPES[place]}" fill="currentColor"/></svg>'
            )
        drawn += "</g>"
    legend = "".join(
        f'<li class="tg-{place}"><svg width="14" height="12" '
        f'aria-hidden="true"><path d="{SHAPES[place]}" '
        'transform="translate(7 6)" fill="currentColor"/></svg>'
        f"{one['name']}</li>"
        for place, one in enumerate(data["sources"])
    )
    return (
        f'<p class="tg-title">Wrong, in %, with {depth(frozen)} frozen, from '
        "every source, by examples of each digit</p>"
        f'<svg class="tg-curves" width="600" height="{HEIGHT}" role="img" '
        f'aria-label="Wrong in % on a logarithmic scale, against examples of '
        f"each digit, with {depth(frozen)} frozen: a curve a source; the "
        f'table has the numbers of the chosen one">{drawn}</svg>'
        f'<ul class="tg-legend">{legend}</ul>'
    )


SHAPES = (
    "M-4 -4H4V4H-4Z",
    "M0 -5L5 0L0 5L-5 0Z",
    "M0 -5L5 4H-5Z",
    "M0 5L5 -4H-5Z",
    "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0 -4 0Z",
)
"""The marks of the sources: square, diamond, triangles, disc."""


# ---- The widget ----


class TransferGrid(BookWidget):
    """Choose a source, what is frozen and how many examples there are.

    *record* is the recorded result, as ``json.loads`` reads it.
    """

    _name = "transfer_grid"

    source = traitlets.Unicode("digits").tag(sync=True)
    frozen = traitlets.Int(3).tag(sync=True)
    examples = traitlets.Int(10).tag(sync=True)
    data = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, record: Mapping[str, Any], **choice: Any) -> None:
        self.set_trait("data", packed(record))
        super().__init__(**choice)

    @traitlets.validate("source", "frozen", "examples")
    def _known(self, proposal: dict[str, Any]) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        known = {
            "source": [one["key"] for one in self.data["sources"]],
            "frozen": range(len(self.data["sources"][0]["errors"])),
            "examples": self.data["examples"],
        }[name]
        if value not in known:
            raise ValueError(
                f"TransferGrid has no {name} {value!r}; "
                f"try {', '.join(map(repr, known))}."
            )
        return value

    @property
    def error(self) -> tuple[float, float]:
        """The share of the test digits read wrong: mean and deviation."""
        column = self.data["examples"].index(self.examples)
        one = next(
            one for one in self.data["sources"] if one["key"] == self.source
        )
        mean, std = one["errors"][self.frozen][column]
        return mean / 1e4, std / 1e4

    @property
    def _choice(self) -> tuple[dict, str, int, int]:
        return self.data, self.source, self.frozen, self.examples

    def __repr__(self) -> str:
        return (
            f"TransferGrid({self.source!r}, frozen={self.frozen}, "
            f"examples={self.examples})"
        )

    def _static(self) -> str:
        return (
            f'<figure class="tg"><figcaption>{sentence(*self._choice)}'
            f"</figcaption>{table(*self._choice)}"
            f"{curves(*self._choice)}</figure>"
        )
