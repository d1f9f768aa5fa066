"""Deeper, plain or residual: errors, gradients and paths of recorded nets.

``runs.json`` is what `summary` makes of ``results/degradation.json``, which
``benchmarks/degradation.py`` records.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import comb, log10
from pathlib import Path
from typing import Any

import traitlets

from cnnbook.widgets.base import BookWidget

RUNS_FILE = Path(__file__).parent / "runs.json"
KINDS = ("plain", "residual")
SHOWN = 1000
"""How many digits an error is counted on."""


def summary(result: Mapping[str, Any]) -> dict[str, Any]:
    """What the widget shows of a recorded result, in whole numbers.

    ``train`` and ``test`` count wrong digits of a thousand, for each seed and
    epoch.  ``steep`` has hundredths of a decade, for each moment and
    convolution: the mean over the seeds of the logarithm of the gradient's
    norm times that of the weights; ``decades`` are the powers of ten around.
    """
    nets: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        for depth in sorted({run["depth"] for run in result["runs"]}):
            runs = [
                run
                for run in result["runs"]
                if run["kind"] == kind and run["depth"] == depth
            ]
            nets[f"{kind}-{depth}"] = {
                "train": [_counts(run["train_error"]) for run in runs],
                "test": [_counts(run["test_error"]) for run in runs],
                "steep": [
                    _steep(runs, place)
                    for place in range(len(result["moments"]))
                ],
            }
    every = [
        value
        for net in nets.values()
        for layers in net["steep"]
        for value in layers
    ]
    return {
        "moments": list(result["moments"]),
        "decades": [min(every) // 100, -(-max(every) // 100)],
        "nets": nets,
    }


def _counts(errors: Sequence[float]) -> list[int]:
    return [round(SHOWN * error) for error in errors]


def _steep(runs: Sequence[Mapping[str, Any]], place: int) -> list[int]:
    """The mean logarithm over the runs, for each convolution."""
    logs = [
        [
            log10(weight * gradient)
            for weight, gradient in zip(
                run["weight"][place], run["gradient"][place], strict=True
            )
        ]
        for run in runs
    ]
    return [
        round(100 * sum(layer) / len(runs))
        for layer in zip(*logs, strict=True)
    ]


# ---- What Python and the page's script both compute ----


def depths(data: Mapping[str, Any]) -> list[int]:
    """The depths that were recorded, in order."""
    found = {int(name.split("-")[1]) for name in data["nets"]}
    return sorted(found)


def percent(wrong: Sequence[Sequence[int]]) -> str:
    """The mean error over the seeds after the last epoch: 25.2 %."""
    total = sum(seed[-1] for seed in wrong)
    tenths = (2 * total + len(wrong)) // (2 * len(wrong))
    return f"{tenths // 10}.{tenths % 10} %"


def times(decades: int) -> str:
    """Write a ratio that is given in hundredths of a decade: 1.6, 280."""
    ratio = 10 ** (decades / 100)
    if ratio < 9.95:
        tenths = int(10 * ratio + 0.5)
        return f"{tenths // 10}.{tenths % 10}"
    return f"{int(ratio + 0.5):,}"


def middle(blocks: int) -> tuple[int, int]:
    """The shortest stretch in the middle that holds 90 % of the paths."""
    low, high = blocks // 2, (blocks + 1) // 2
    while 10 * sum(comb(blocks, k) for k in range(low, high + 1)) < (
        9 * 2**blocks
    ):
        low, high = low - 1, high + 1
    return low, high


def sentence(
    data: Mapping[str, Any], kind: str, depth: int, moment: int
) -> str:
    """Say in words how wrong the net is, how steep, and how many paths."""
    net = data["nets"][f"{kind}-{depth}"]
    steep = net["steep"][data["moments"].index(moment)]
    when = f"After {moment} epoch{'s' * (moment != 1)}"
    first, last = ("first", "last") if steep[0] >= steep[-1] else (
        "last", "first")  # fmt: skip
    blocks = (depth - 2) // 2
    low, high = middle(blocks)
    ways = (
        f"{2**blocks:,} paths lead through its {blocks} blocks, nine in ten "
        f"of them through {low} to {high}."
        if kind == "residual"
        else f"One path leads through its {blocks} pairs of layers, and all "
        f"{blocks} are on it."
    )
    return (
        f"{kind}-{depth}: at the end {percent(net['train'])} of the training "
        f"digits are read wrong, {percent(net['test'])} of the test digits. "
        f"{when if moment else 'Before the first step'} the loss is "
        f"{times(abs(steep[0] - steep[-1]))} times as steep in the {first} "
        f"layer as in the {last}. {ways}"
    )


def picture(
    data: Mapping[str, Any], kind: str, depth: int, moment: int
) -> dict[str, Any]:
    """Where the lines run and the bars stand, in per cent of each chart."""
    nets, place = data["nets"], data["moments"].index(moment)
    here = nets[f"{kind}-{depth}"]
    other = nets[f"{KINDS[kind == 'plain']}-{depth}"]
    low, high = data["decades"]

    def decades(layers: Sequence[int]) -> str:
        span = 100 * (high - low)
        return _line([100 * high - value for value in layers], span)

    blocks = (depth - 2) // 2
    counts = [comb(blocks, k) for k in range(blocks + 1)]
    if kind == "plain":
        counts = [0] * blocks + [1]
    return {
        "seeds": "".join(_mean([seed]) for seed in here["train"]),
        "train": _mean(here["train"]),
        "test": _mean(here["test"]),
        "others": _mean(other["train"]),
        "steep": decades(here["steep"][place]),
        "calm": decades(other["steep"][place]),
        "bars": "".join(
            f"M{_share(k, blocks + 1):g} 100"
            f"V{_share(max(counts) - count, max(counts)):g}"
            f"H{_share(k + 1, blocks + 1):g}V100"
            for k, count in enumerate(counts)
        ),
    }


def _mean(wrong: Sequence[Sequence[int]]) -> str:
    """The line of the mean error over the seeds."""
    whole = SHOWN * len(wrong)
    sums = [sum(seeds) for seeds in zip(*wrong, strict=True)]
    return _line([whole - total for total in sums], whole)


def _line(drops: Sequence[int], whole: int) -> str:
    """A line from left to right, *drops* below the top of the chart."""
    last = max(1, len(drops) - 1)
    points = [
        f"{_share(i, last):g} {_share(drop, whole):g}"
        for i, drop in enumerate(drops)
    ]
    return f"M{'L'.join(points)}"


def _share(part: int, whole: int) -> float:
    """A part in per cent, to two decimals, rounded alike everywhere."""
    return (20_000 * part + whole) // (2 * whole) / 100


# ---- The widget ----


class DepthExplorer(BookWidget):
    """Choose a depth, plain or residual; see errors, gradients, paths.

    ``kind`` is "plain" or "residual", ``depth`` one of the recorded ones,
    ``moment`` the number of epochs after which the gradients are shown.
    """

    _name = "depth_explorer"

    kind = traitlets.Unicode("plain").tag(sync=True)
    depth = traitlets.Int(56).tag(sync=True)
    moment = traitlets.Int(0).tag(sync=True)
    data = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(
        self, kind: str = "plain", depth: int = 56, moment: int = 0
    ) -> None:
        super().__init__()
        runs = json.loads(RUNS_FILE.read_text(encoding="utf-8"))
        self.set_trait("data", runs)
        self.kind, self.depth, self.moment = kind, depth, moment

    @traitlets.validate("kind", "depth", "moment")
    def _recorded(self, proposal: dict[str, Any]) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        known = {
            "kind": list(KINDS),
            "depth": depths(self.data),
            "moment": self.data["moments"],
        }[name]
        if value not in known:
            raise ValueError(
                f"DepthExplorer has no {name} {value!r}; "
                f"try {', '.join(map(repr, known))}."
            )
        return value

    def __repr__(self) -> str:
        return (
            f"DepthExplorer(kind={self.kind!r}, depth={self.depth}, "
            f"moment={self.moment})"
        )

    def _static(self) -> str:
        chosen = self.kind, self.depth, self.moment
        return (
            f'<figure class="dp">{charts(self.data, *chosen)}'
            f"{table(self.data, self.kind, self.depth)}"
            f"<figcaption>{sentence(self.data, *chosen)}</figcaption></figure>"
        )


POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def charts(data: Mapping[str, Any], kind: str, depth: int, moment: int) -> str:
    """Draw the errors, the gradients and the paths."""
    drawn = picture(data, kind, depth, moment)
    other = KINDS[kind == "plain"]
    low, high = data["decades"]
    rules = "".join(
        f'<line class="dp-rule" x2="100%" y1="{_share(i, high - low):g}%" '
        f'y2="{_share(i, high - low):g}%" stroke="currentColor" '
        'stroke-opacity="0.2"/>'
        for i in range(high - low + 1)
    )
    bars = (
        f'<path class="dp-bars" d="{drawn["bars"]}" fill="currentColor" '
        'fill-opacity="0.4"/>'
    )
    power = [f"10{str(end).translate(POWERS)}" for end in (high, low)]
    return (
        '<div class="dp-charts">'
        + _chart(
            "Wrong digits",
            f"dots: test; grey: {other}",
            _path("seeds", drawn["seeds"])
            + _path("other", drawn["others"])
            + _path("here", drawn["train"])
            + _path("test", drawn["test"]),
            ("100 %", "", "epoch 1", str(len(drawn["train"].split("L")))),
        )
        + _chart(
            "‖W‖ · ‖gradient‖",
            f"grey: {other}",
            _path("other", drawn["calm"]) + _path("here", drawn["steep"]),
            (*power, "layer 1", str(depth - 1)),
            rules,
        )
        + _chart(
            "Paths",
            "by the blocks on them",
            bars,
            ("", "", "0", str((depth - 2) // 2)),
        )
        + "</div>"
    )


def _path(name: str, line: str) -> str:
    width = "1" if name == "seeds" else "2"
    dots = ' stroke-dasharray="2 4"' if name == "test" else ""
    faint = ' stroke-opacity="0.35"' if name in ("seeds", "other") else ""
    return (
        f'<path class="dp-{name}" d="{line}" fill="none" '
        f'stroke="currentColor" stroke-width="{width}"{dots}{faint} '
        'vector-effect="non-scaling-stroke"/>'
    )


def _chart(
    title: str,
    note: str,
    inside: str,
    ends: tuple[str, str, str, str],
    behind: str = "",
) -> str:
    """A chart with its title and the ends of its axes."""
    top, bottom, left, right = ends
    return (
        f'<div class="dp-chart"><p><strong>{title}</strong> '
        f"<span>{note}</span></p>"
        '<svg width="220" height="152" overflow="visible" '
        'aria-hidden="true">'
        f'<svg y="16" width="100%" height="114" overflow="visible">{behind}'
        '<svg width="100%" height="100%" viewBox="0 0 100 100" '
        f'preserveAspectRatio="none" overflow="visible">{inside}</svg>'
        '<line class="dp-axis" x2="100%" y1="100%" y2="100%" '
        'stroke="currentColor"/></svg>'
        f'<text y="11">{top}</text>'
        f'<text x="100%" y="126" text-anchor="end">{bottom}</text>'
        f'<text y="146">{left}</text>'
        f'<text x="100%" y="146" text-anchor="end">{right}</text></svg></div>'
    )


def table(data: Mapping[str, Any], kind: str, depth: int) -> str:
    """The errors of all nets at the end."""
    rows = ""
    for row in depths(data):
        cells = ""
        for column in KINDS:
            net = data["nets"][f"{column}-{row}"]
            on = ' class="dp-on"' * (column == kind and row == depth)
            cells += f"<td{on}>{percent(net['train'])}</td>"
            cells += f"<td{on}>{percent(net['test'])}</td>"
        rows += f'<tr><th scope="row">{row} layers</th>{cells}</tr>'
    heads = "".join(
        f'<th scope="col">{column}, {part}</th>'
        for column in KINDS
        for part in ("training", "test")
    )
    return (
        '<table class="dp-table"><thead><tr><th scope="col">wrong</th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )
