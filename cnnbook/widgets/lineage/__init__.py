"""The lineage in strokes: the picture of the front page.

A row a network; the view decides what a stroke of its bar counts, and the
area of its square is always its parameters.  Whoever makes the widget counts
the networks; errors are rows of the registry.  Everything is drawn here, for
all views at once, and the style shows one: so the views change without a
script, and the page's script only steps through the story.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Any

import traitlets

from cnnbook.claims import Claim
from cnnbook.widgets.base import BookWidget

VIEWS = {
    "error": "Error",
    "depth": "Depth",
    "parameters": "Parameters",
    "arithmetic": "Arithmetic",
}
"""What a bar can show, and how the reader calls it."""

STROKES = {
    "error": "A stroke is one of 1,000 photographs whose name is not among "
    "five guesses.",
    "depth": "A stroke is a layer with weights, along the longest way "
    "through the network.",
    "parameters": "A stroke is a million parameters.",
    "arithmetic": "A stroke is 100 million multiplications, for one picture.",
}

SIDE = 44
"""The side of the largest square, in pixels."""

LATER = 3
"""From this many years on, the picture says how long nothing came."""


@dataclass(frozen=True)
class Network:
    """A row of the picture."""

    name: str
    year: int
    chapter: str
    in_the_way: str
    idea: str
    layers: int
    parameters: int
    macs: int
    error: Claim | None = None
    source: str = ""

    @property
    def percent(self) -> float | None:
        """The error that its paper, or another, reports."""
        return (
            float(100 * self.error.printed.numbers[0]) if self.error else None
        )

    @property
    def comparable(self) -> bool:
        """Whether this is an error on the photographs of ImageNet."""
        return self.error is not None and self.error.claim.startswith("top-5")

    def strokes(self) -> dict[str, float]:
        """Return for each view how many strokes long the bar is."""
        return {
            "error": round(10 * (self.percent or 0), 4),
            "depth": self.layers,
            "parameters": round(self.parameters / 1e6, 4),
            "arithmetic": round(self.macs / 1e8, 4),
        }

    def labels(self) -> dict[str, str]:
        """Return for each view what stands at the end of the bar."""
        return {
            "error": self._error(),
            "depth": f"{self.layers} layers",
            "parameters": brief(self.parameters),
            "arithmetic": brief(self.macs),
        }

    def _error(self) -> str:
        if self.error is None:
            return "<small>no error on ImageNet in its paper</small>"
        said = f"{self.percent:g} %"
        other = " <small>of digits, another test</small>"
        return said if self.comparable else said + other


def brief(number: int) -> str:
    """Write a count as one says it: 61 million."""
    for unit, name in ((10**9, "billion"), (10**6, "million")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number / 1000:.3g} thousand"


def overview(networks: Sequence[Network]) -> dict[str, str]:
    """Say for each view what the picture shows as a whole."""
    errors = [net for net in networks if net.comparable]
    first, last = errors[0], errors[-1]
    largest = max(networks, key=lambda net: net.parameters)
    lightest = min(errors, key=lambda net: net.parameters)
    dearest = max(networks, key=lambda net: net.macs)
    return {
        "error": f"Of 1,000 photographs {first.name} gets "
        f"{10 * first.percent:.0f} wrong, with five guesses each; "
        f"{last.name} {10 * last.percent:.0f}. What happened between?",
        "depth": f"From {networks[0].layers} layers to {last.layers}. The "
        "last step was the longest: deeper networks had become worse.",
        "parameters": f"Better is not larger. {largest.name} has "
        f"{largest.parameters / lightest.parameters:.0f} times "
        f"{lightest.name}'s parameters, and {last.name} has fewer than "
        f"{first.name}.",
        "arithmetic": f"Deeper is not dearer. {dearest.name} multiplies "
        f"{dearest.macs / last.macs:.1f} times as often as {last.name}, with "
        f"{dearest.layers} layers to its {last.layers}.",
    }


class Lineage(BookWidget):
    """The networks of the book, a row each, and what led to the next.

    ``view`` is what the bars show: "error", "depth", "parameters" or
    "arithmetic"; ``selected`` is the chapter of the network that is told
    about, or "".
    """

    _name = "lineage"

    view = traitlets.Unicode("error").tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    _picture = traitlets.Unicode("").tag(sync=True)

    def __init__(self, networks: Sequence[Network], **traits: Any) -> None:
        self._networks = tuple(networks)
        if not any(net.comparable for net in networks):
            raise ValueError(
                "The picture needs a network with an error on ImageNet."
            )
        super().__init__(**traits)
        self._picture = self._static()

    @traitlets.validate("view", "selected")
    def _known(self, proposal: dict[str, Any]) -> str:
        name, value = proposal["trait"].name, proposal["value"]
        known = {
            "view": [*VIEWS],
            "selected": ["", *(net.chapter for net in self._networks)],
        }[name]
        if value not in known:
            raise ValueError(
                f"Lineage has no {name} {value!r}; "
                f"try {', '.join(map(repr, known))}."
            )
        return value

    def __repr__(self) -> str:
        return (
            f"Lineage({len(self._networks)} networks, view={self.view!r}, "
            f"selected={self.selected!r})"
        )

    def _static(self) -> str:
        rows = "".join(
            _row(net, before, self.view, max(n.parameters for n in nets))
            for nets in (self._networks,)
            for before, net in pairwise((None, *nets))
        )
        most = max(max(net.strokes().values()) for net in self._networks)
        return (
            f'<figure class="ln" style="--most:{most:g}">'
            f"{_choices(self.view)}"
            f"{_words(self._networks, self.selected)}"
            f'<ol class="ln-rows">{rows}</ol>'
            f"{_captions(self._networks)}{_table(self._networks)}</figure>"
        )


def _choices(view: str) -> str:
    options = "".join(
        f'<label><input type="radio" name="ln-view" value="{key}"'
        f"{' checked' * (key == view)}><span>{name}</span></label>"
        for key, name in VIEWS.items()
    )
    return (
        '<fieldset class="ln-views"><legend class="cnn-hidden">What the bars '
        f"show</legend>{options}</fieldset>"
    )


def _row(net: Network, before: Network | None, view: str, most: int) -> str:
    side = SIDE * sqrt(net.parameters / most)
    lengths = ";".join(f"--{key}:{n:g}" for key, n in net.strokes().items())
    labels = "".join(
        f'<span data-in="{key}">{said}</span>'
        for key, said in net.labels().items()
    )
    other = "" if net.comparable else " ln-other"
    gap = ""
    if before and net.year - before.year >= LATER:
        gap = f'<p class="ln-gap">{net.year - before.year} years later</p>'
    return (
        f'<li class="ln-net{other}" data-network="{net.chapter}" '
        f'style="{lengths}">{gap}<a href="chapters/{net.chapter}.html">'
        f'<span class="ln-name"><b>{net.name}</b> {net.year}</span>'
        f'<svg class="ln-square" width="{SIDE}" height="{SIDE}" '
        f'viewBox="{-SIDE / 2:g} {-SIDE / 2:g} {SIDE} {SIDE}" '
        f'aria-hidden="true"><rect x="{-side / 2:.2f}" y="{-side / 2:.2f}" '
        f'width="{side:.2f}" height="{side:.2f}"/></svg>'
        '<span class="ln-track"><svg class="ln-bar" aria-hidden="true">'
        '<line x2="100%" y1="50%" y2="50%"/></svg>'
        f'<span class="ln-label">{labels}</span></span></a></li>'
    )


def _words(networks: Sequence[Network], selected: str) -> str:
    said = "".join(
        f'<p data-in="{key}">{text}</p>'
        for key, text in overview(networks).items()
    )
    stories = "".join(
        f'<p data-of="{net.chapter}"'
        f"{' class=ln-on' * (net.chapter == selected)}>"
        f"<b>{net.name}.</b> <i>In the way:</i> {net.in_the_way} "
        f"<i>The idea:</i> {net.idea} "
        f'<a href="chapters/{net.chapter}.html">Open the chapter</a></p>'
        for net in networks
    )
    told = " ln-told" * bool(selected)
    return (
        f'<div class="ln-words{told}"><div class="ln-said">{said}{stories}'
        '</div><div class="ln-steps"></div></div>'
    )


def _captions(networks: Sequence[Network]) -> str:
    lines = "".join(
        f'<span data-in="{key}">{text}'
        f"{' ' + _how(networks) if key == 'error' else ''}</span>"
        for key, text in STROKES.items()
    )
    return (
        f'<figcaption class="ln-caption">{lines}<span>A square\'s area is the '
        "number of parameters.</span></figcaption>"
    )


def _how(networks: Sequence[Network]) -> str:
    """Say how the errors were found, and where that is not known."""
    said = ["As reported: one network, ten crops, validation images."]
    for net in networks:
        if not net.comparable:
            continue
        if "ten crops" not in net.error.qualifiers:
            said.append(f"{net.name}'s paper names no crops.")
        said += [
            f"{net.name} was {quality}."
            for quality in net.error.qualifiers
            if quality.startswith("tested by")
        ]
    return " ".join(said)


def _table(networks: Sequence[Network]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{net.name}</th><td>{net.year}</td>'
        f"<td>{net.layers}</td><td>{net.parameters:,}</td>"
        f"<td>{net.macs:,}</td><td>{_source(net)}</td></tr>"
        for net in networks
    )
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in (
            "Network",
            "Year",
            "Layers",
            "Parameters",
            "Multiplications",
            "Error, as reported",
        )
    )
    return (
        "<details><summary>Every figure, and where it is from</summary>"
        '<div class="ln-box" role="region" tabindex="0" '
        'aria-label="Every figure"><table class="ln-table"><thead><tr>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def _source(net: Network) -> str:
    if net.error is None:
        return "none on ImageNet"
    what = re.split(" of | on ", net.error.claim)[0]
    how = html.escape(", ".join(net.error.qualifiers), quote=False)
    return (
        f"{net.percent:g} % <small>{what} ({how})</small> "
        f'<a href="chapters/errata.html#claim-{net.error.id}">'
        f"{html.escape(net.source, quote=False)}, {net.error.place}</a>"
    )
