"""The ImageNet years: reported errors against what the networks cost.

The errors are rows of the registry of claims, their qualifiers read; what the
networks cost comes from whoever counted and measured it.  The key and the
table stand once in a page, below the picture, and the page's script takes
them over; with a kernel they come in a trait of their own.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import traitlets

from cnnbook.claims import Claim, Registry, load
from cnnbook.widgets.base import BookWidget

MEASURES = {
    "year": "Year",
    "parameters": "Parameters",
    "macs": "MACs",
    "activations": "Activations",
    "time": "Time (LeNet-5: 1)",
}
"""What can stand along the bottom, and how it is called."""

SHOWS = {
    "all": "every result",
    "single": "single networks",
    "ensembles": "ensembles",
    "alike": "one net, ten crops",
}
"""Which results can be shown."""

COLOURS = {
    "AlexNet": "red",
    "ZFNet": "orange",
    "VGG": "purple",
    "GoogLeNet": "green",
    "ResNet": "blue",
}
"""The colour of a network, by how its name begins."""

NETS = {"two": 2, "five": 5, "six": 6, "seven": 7}
CROPS = {"one crop": 1, "ten crops": 10, "144 crops": 144}

TOP, BOTTOM = 20, 2
"""The errors at the top and at the bottom of the picture, in per cent."""

EDGE = 0.08
"""What stays free beside the first and the last cost, as a share."""

NEAR = 9
"""Networks less than this per cent apart are close to each other."""

Data = dict[str, Any]


def result(network: str, claim: Claim, source: str) -> Data:
    """Take a claim apart: the error, which images, how many nets and crops."""
    sets = [q for q in claim.qualifiers if q in ("validation", "test")]
    if len(sets) != 1 or claim.printed.kind != "share":
        raise ValueError(
            f"The claim {claim.id} is no error on validation or test images; "
            "try one such as 'krizhevsky2012-error-one'."
        )
    nets = [
        NETS[quality.removeprefix("ensemble of ")]
        for quality in claim.qualifiers
        if quality.startswith("ensemble of ")
    ]
    crops = [
        CROPS[quality] for quality in claim.qualifiers if quality in CROPS
    ]
    return {
        "network": network,
        "claim": claim.id,
        "error": float(100 * claim.printed.numbers[0]),
        "set": sets[0],
        "nets": sum(nets) or 1,
        "colour": next(
            (c for name, c in COLOURS.items() if network.startswith(name)),
            "grey",
        ),
        "crops": sum(crops),
        "how": ", ".join(claim.qualifiers),
        "where": f"{source}, {claim.place}",
    }


# ---- Where things stand: these have their twins in widget.mjs ----


def shown(data: Data, show: str) -> list[int]:
    """Return the results of a kind, by their place in the list."""

    def fits(one: Data) -> bool:
        if show == "alike":
            test = (one["nets"], one["crops"], one["set"])
            return test == (1, 10, "validation")
        return show == "all" or (one["nets"] == 1) == (show == "single")

    return [i for i, one in enumerate(data["results"]) if fits(one)]


def span(data: Data, x: str) -> tuple[float, float]:
    """Return where the axis of a measure begins and ends, as it is drawn."""
    values = [network[x] for network in data["networks"].values()]
    if x == "year":
        return min(values) - 0.5, max(values) + 0.5
    low, high = math.log10(min(values)), math.log10(max(values))
    room = EDGE * (high - low) or 0.5
    return low - room, high + room


def column(data: Data, x: str, network: str) -> float:
    """Return how far right a network stands, in per cent.

    Networks of one year stand side by side within it.
    """
    value = data["networks"][network][x]
    if x == "year":
        names = dict.fromkeys(one["network"] for one in data["results"])
        same = [n for n in names if data["networks"][n][x] == value]
        value += 0.7 * ((same.index(network) + 0.5) / len(same) - 0.5)
    else:
        value = math.log10(value)
    low, high = span(data, x)
    return _percent((value - low) / (high - low))


def ticks(data: Data, x: str) -> list[list]:
    """Return the marks of the axis: how far right, and what they say."""
    low, high = span(data, x)
    if x == "year":
        marks = [
            (n, str(n)) for n in range(math.ceil(low), math.floor(high) + 1)
        ]
    else:
        steps = [
            step * 10**power
            for power in range(max(0, math.floor(low)), math.ceil(high) + 1)
            for step in (1, 2, 5)
        ]
        marks = [
            (math.log10(step), brief(step))
            for step in steps
            if low <= math.log10(step) <= high
        ]
        if len(marks) > 7:
            marks = [mark for mark in marks if mark[1][0] == "1"]
    return [
        [_percent((value - low) / (high - low)), said] for value, said in marks
    ]


def height(error: float) -> float:
    """Return how far down an error stands, in per cent."""
    return _percent((TOP - error) / (TOP - BOTTOM))


def _percent(share: float) -> float:
    return math.floor(10_000 * share + 0.5) / 100


def brief(number: int) -> str:
    """Write a round number: 20M."""
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "K")):
        if number >= unit:
            return f"{number // unit}{letter}"
    return str(number)


def walk(data: Data, x: str, show: str) -> list[int]:
    """Return the results of a kind from left to right, from top to bottom."""
    results = data["results"]
    return sorted(
        shown(data, show),
        key=lambda i: (
            column(data, x, results[i]["network"]),
            -results[i]["error"],
            i,
        ),
    )


def named(data: Data, x: str, show: str) -> list[list]:
    """Return the topmost result of each network, and how its name stands.

    Of two networks close to each other, the names lean away.
    """
    tops: dict[str, int] = {}
    for i in shown(data, show):
        one = data["results"][i]
        top = tops.get(one["network"])
        if top is None or one["error"] > data["results"][top]["error"]:
            tops[one["network"]] = i
    places = [column(data, x, network) for network in tops]

    def anchor(place: float) -> str:
        right = any(0 < other - place < NEAR for other in places)
        left = any(0 < place - other < NEAR for other in places)
        return "middle" if right == left else "end" if right else "start"

    return [
        [i, anchor(place)]
        for i, place in zip(tops.values(), places, strict=True)
    ]


def sentence(data: Data, show: str, selected: str) -> str:
    """Say what a result is and what it cost; without one, what is shown."""
    results = data["results"]
    for one in results:
        if one["claim"] == selected:
            return _about(one, data["networks"][one["network"]])
    here = [results[i] for i in shown(data, show)]
    if not here:
        return "No result is of this kind."
    least = min(here, key=lambda one: one["error"])
    return (
        f"{len(here)} of {len(results)} results. The lowest error shown is "
        f"{least['error']:g} % ({least['network']}; {least['how']})."
    )


def _about(one: Data, network: Data) -> str:
    said = (
        f"{one['network']}, {network['year']}: {one['error']:g} % top-5 error "
        f"({one['how']}). One pass of one network: "
        f"{network['parameters']:,} parameters, {network['macs']:,} MACs, "
        f"{network['activations']:,} activations, {network['time']:g} times "
        "LeNet-5's time."
    )
    passes = one["nets"] * one["crops"]
    if passes > 1:
        said += (
            f" {one['nets']} × {one['crops']} = {passes:,} passes make the "
            "answer to one image."
        )
    return said


# ---- The widget ----


class ImageNetYears(BookWidget):
    """Reported errors on ImageNet, against the year or a cost of choice.

    *networks* has for each name its year, its parameters, MACs and
    activations, and its time as a multiple of LeNet-5's; *claims* has for
    each name the ids of errors in the registry.  ``x`` and ``show`` choose
    the measure and the results; ``selected`` is the id of the result that
    is told about, or "".
    """

    _name = "imagenet_years"

    x = traitlets.Unicode("macs").tag(sync=True)
    show = traitlets.Unicode("all").tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    data = traitlets.Dict().tag(sync=True)
    choices = traitlets.Dict(
        {"x": MEASURES, "show": SHOWS}, read_only=True
    ).tag(sync=True)
    _below = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        networks: Mapping[str, Mapping[str, float]],
        claims: Mapping[str, Sequence[str]],
        registry: Registry | None = None,
        **traits: Any,
    ) -> None:
        registry = registry or load()
        strangers = set(claims) - set(networks)
        if strangers or not claims:
            raise ValueError(
                f"Nothing is counted for {min(strangers, default='nothing')}; "
                "networks needs a year and the costs of each name in claims."
            )
        data = {
            "networks": {
                name: {
                    measure: networks[name][measure] for measure in MEASURES
                }
                for name in claims
            },
            "results": [
                result(name, registry[id], registry.title(registry[id].source))
                for name, ids in claims.items()
                for id in ids
            ],
        }
        super().__init__(data=data, _below=below(data), **traits)

    @traitlets.validate("x", "show")
    def _known(self, proposal: dict[str, Any]) -> str:
        name, value = proposal["trait"].name, proposal["value"]
        if value not in self.choices[name]:
            raise ValueError(
                f"ImageNetYears has no {name} {value!r}; "
                f"try {', '.join(map(repr, self.choices[name]))}."
            )
        return value

    @traitlets.validate("selected")
    def _there(self, proposal: dict[str, Any]) -> str:
        value = proposal["value"]
        known = [one["claim"] for one in self.data["results"]]
        if value and value not in known:
            raise ValueError(
                f"No result here has the claim {value!r}; try {known[0]!r}, "
                "or '' for none."
            )
        return value

    def __repr__(self) -> str:
        return (
            f"ImageNetYears({len(self.data['results'])} results, "
            f"x={self.x!r}, show={self.show!r}, selected={self.selected!r})"
        )

    def _static(self) -> str:
        words = sentence(self.data, self.show, self.selected)
        return (
            f'<figure class="iy"><div class="iy-words"><p>{_text(words)}</p>'
            "</div>"
            f"{picture(self.data, self.x, self.show, self.selected)}"
            f"{self._below}</figure>"
        )


def picture(data: Data, x: str, show: str, selected: str) -> str:
    """Draw the results that are shown."""
    parts = ['<text x="-40" dy="-14" font-size="12">Top-5 error</text>']
    for error in range(BOTTOM + 2, TOP + 1, 4):
        parts.append(
            f'<line class="iy-rule" x2="100%" y1="{height(error):g}%" '
            f'y2="{height(error):g}%" stroke="currentColor" '
            'stroke-opacity="0.2"/>'
            f'<text x="-8" y="{height(error):g}%" dy=".36em" '
            f'text-anchor="end" font-size="12">{error} %</text>'
        )
    for left, said in ticks(data, x):
        parts.append(
            f'<text x="{left:g}%" y="100%" dy="18" text-anchor="middle" '
            f'font-size="12">{said}</text>'
        )
    results, names = data["results"], dict(named(data, x, show))
    for i in walk(data, x, show):
        one = results[i]
        left, top = column(data, x, one["network"]), height(one["error"])
        kind = f"iy-mark iy-{one['colour']} iy-{one['set']}"
        kind += " iy-on" * (one["claim"] == selected)
        look = 'stroke="currentColor" fill="currentColor" fill-opacity="' + (
            '0.5"' if one["set"] == "validation" else '0"'
        )
        shape = (
            f'<circle class="{kind}" cx="{left:g}%" cy="{top:g}%" r="5.5"'
            if one["nets"] == 1
            else f'<rect class="{kind}" x="{left:g}%" y="{top:g}%" '
            'width="11" height="11" transform="translate(-5.5,-5.5)"'
        )
        parts.append(f"{shape} {look}/>")
        if i in names:
            parts.append(
                f'<text class="iy-name" x="{left:g}%" y="{top:g}%" dy="-10" '
                f'text-anchor="{names[i]}" font-size="12">'
                f"{one['network']}</text>"
            )
    title = f"Top-5 error, across: {MEASURES[x]}; the table has it all"
    return (
        '<div class="iy-frame"><svg class="iy-chart" width="600" '
        f'height="320" overflow="visible" role="img" aria-label="{title}" '
        f'fill="currentColor">{"".join(parts)}</svg>'
        f'<p class="iy-axis">{MEASURES[x]}</p></div>'
    )


def below(data: Data) -> str:
    """Write the key to the marks, and every result as a row."""
    families = "".join(
        f'<li class="iy-{colour}"><span></span>{name}</li>'
        for name, colour in COLOURS.items()
        if any(n.startswith(name) for n in data["networks"])
    )
    marks = (
        "Circles are single networks, squares ensembles; filled on "
        "validation images, hollow on test images. An ensemble stands where "
        "one pass of its largest network does."
    )
    rows = "".join(
        f'<tr data-claim="{one["claim"]}"><th scope="row">{one["network"]}'
        f"<small>{_text(one['how'])}</small></th>"
        f"<td>{one['error']:g} %</td>"
        f'<td><a href="errata.html#claim-{one["claim"]}">'
        f"{_text(one['where'])}</a></td></tr>"
        for one in data["results"]
    )
    return (
        f'<div class="iy-below"><ul class="iy-key">{families}</ul>'
        f'<figcaption>{marks}</figcaption><div class="iy-box" role="region" '
        'tabindex="0" aria-label="Every result"><table class="iy-table">'
        '<thead><tr><th scope="col">Network, how tested</th>'
        '<th scope="col">Top-5 error</th><th scope="col">Where</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div></div>"
    )


def _text(words: str) -> str:
    return html.escape(words, quote=False)
