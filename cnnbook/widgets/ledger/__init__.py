"""The whole registry of claims, to be filtered without a kernel.

The rows stand once in a page: in the static table, which the page's script
takes over.  In a notebook with a kernel they come in a trait of their own.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from typing import Any

import traitlets

from cnnbook.claims import Claim, Registry, load
from cnnbook.claims.check import NETWORKS, SIGNS, VERDICTS
from cnnbook.widgets.base import BookWidget

NAMES = dict(
    zip(
        NETWORKS,
        ("Convolution", "LeNet", "AlexNet", "ZFNet", "VGG", "NiN",
         "GoogLeNet", "ResNet"),
        strict=True,
    )
)  # fmt: skip
FARES = {
    "disagrees": ("disagrees", "disagree"),
    "rounds to": ("agrees once rounded", "agree once rounded"),
    "confirmed": ("agrees exactly", "agree exactly"),
    "reported": ("is reported only", "are reported only"),
}
"""How one claim fares, and how several do."""


def sentence(shown: dict[str, int], total: int) -> str:
    """Say how many claims are shown, and how they fare."""
    count = sum(shown.values())
    if not count:
        return f"None of the {total} claims fits."
    of = f"{count} of " if count < total else ""
    noun = "claim" if total == 1 else "claims"
    fares = [
        f"{shown[verdict]} {FARES[verdict][shown[verdict] != 1]}"
        for verdict in VERDICTS
        if shown.get(verdict)
    ]
    return f"{of}{total} {noun}: {', '.join(fares)}."


def segments(shown: dict[str, int]) -> list[list[float]]:
    """Return where each verdict's part of the bar begins and how long it is.

    In per cent of the bar, to two decimals; of nothing, every part is empty.
    """
    total = sum(shown.values()) or 1
    parts, start = [], 0
    for verdict in VERDICTS:
        count = shown.get(verdict, 0)
        parts.append([_percent(start, total), _percent(count, total)])
        start += count
    return parts


def _percent(part: int, total: int) -> float:
    return (20_000 * part + total) // (2 * total) / 100


class Ledger(BookWidget):
    """Claims as a table, disagreements first, to filter and to search.

    Without *claims*, it is the book's whole registry.  ``network``,
    ``verdict`` and ``source`` choose one each, ``search`` asks for words;
    ``""`` asks for nothing.
    """

    _name = "ledger"

    network = traitlets.Unicode("").tag(sync=True)
    verdict = traitlets.Unicode("").tag(sync=True)
    source = traitlets.Unicode("").tag(sync=True)
    search = traitlets.Unicode("").tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    _table = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        registry: Registry | None = None,
        claims: Sequence[Claim] | None = None,
        **traits: Any,
    ) -> None:
        registry = registry or load()
        rows = sorted(
            registry if claims is None else claims,
            key=lambda claim: VERDICTS.index(claim.verdict),
        )
        if not rows:
            raise ValueError(
                "A ledger needs a claim to show; select() found none."
            )
        self._shown = dict(Counter(claim.verdict for claim in rows))
        super().__init__(
            choices=_choices(rows, registry),
            _table=_table(rows, registry),
            **traits,
        )

    @traitlets.validate("network", "verdict", "source")
    def _known(self, proposal: dict) -> str:
        name, value = proposal["trait"].name, proposal["value"]
        known = [key for key, _ in self.choices.get(name, ())]
        if value and value not in known:
            raise ValueError(
                f"No claim here has the {name} {value!r}; it is one of "
                f"{', '.join(known)}, or '' for all."
            )
        return value

    def __repr__(self) -> str:
        words = sentence(self._shown, sum(self._shown.values()))
        return f"Ledger({words.rstrip('.')})"

    def _static(self) -> str:
        words = sentence(self._shown, sum(self._shown.values()))
        return (
            f'<figure class="lg">{_bar(self._shown, words)}'
            f'<p class="lg-words">{words}</p><div class="lg-box" '
            'role="region" tabindex="0" aria-label="Claims">'
            f"{self._table}</div></figure>"
        )


def _choices(rows: Sequence[Claim], registry: Registry) -> dict[str, list]:
    """What each filter offers, in order: the key and its name."""

    def options(field: str, names: dict[str, str]) -> list[list[str]]:
        counts = Counter(getattr(claim, field) for claim in rows)
        return [
            [key, f"{name} ({counts[key]})"]
            for key, name in names.items()
            if counts[key]
        ]

    titles = {name: registry.title(name) for name in registry.sources}
    return {
        "network": options("network", NAMES),
        "verdict": options(
            "verdict", {v: f"{SIGNS[v]} {v}" for v in VERDICTS}
        ),
        "source": options("source", titles),
    }


def _bar(shown: dict[str, int], words: str) -> str:
    parts = "".join(
        f'<g class="lg-{_css(verdict)}"><rect x="{start:g}%" '
        f'width="{length:g}%" height="100%" fill="currentColor"/>'
        + (
            f'<text x="{start + length / 2:g}%" y="50%" dy=".36em" '
            f'text-anchor="middle" fill="#fff">{SIGNS[verdict]}</text>'
            if length >= 6
            else ""
        )
        + "</g>"
        for verdict, (start, length) in zip(
            VERDICTS, segments(shown), strict=True
        )
        if length
    )
    return (
        '<svg class="lg-bar" width="600" height="24" role="img" '
        f'aria-label="{html.escape(words)}">{parts}</svg>'
    )


def _table(rows: Sequence[Claim], registry: Registry) -> str:
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in ("Claim", "Printed", "Computed", "Verdict")
    )
    titles = {
        name: registry.title(name).partition(":")[0]
        for name in registry.sources
    }
    body = "".join(_row(claim, titles[claim.source]) for claim in rows)
    return (
        '<table class="lg-table"><thead>'
        f"<tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _row(claim: Claim, source: str) -> str:
    about = ", ".join([NAMES[claim.network], *claim.qualifiers])
    unit = claim.unit + f", to {claim.exact_to}" * bool(claim.exact_to)
    off = claim.difference if claim.verdict == "disagrees" else ""
    return (
        f'<tr id="claim-{claim.id}" data-network="{claim.network}" '
        f'data-verdict="{claim.verdict}" data-source="{claim.source}">'
        f'<th scope="row">{_text(claim.claim)}'
        + _tag("small", f"{about} · {source}, {claim.place}")
        + _tag("small", claim.reason, ' class="lg-why"')
        + _tag("code", claim.expression)
        + f"</th><td>{_text(claim.figure)}{_tag('small', unit)}</td>"
        f"<td>{_text(claim.computed) or '–'}{_tag('small', off)}</td>"
        f"<td>{SIGNS[claim.verdict]} {claim.verdict}</td></tr>"
    )


def _text(words: str) -> str:
    return html.escape(words, quote=False)


def _tag(name: str, words: str, attributes: str = "") -> str:
    """The words in a tag; nothing for none."""
    return f"<{name}{attributes}>{_text(words)}</{name}>" if words else ""


def _css(verdict: str) -> str:
    return verdict.replace(" ", "-")
