"""A paper's table, executed: each cell beside what the network gives."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnbook.claims.check import SIGNS

if TYPE_CHECKING:
    from cnnbook.claims import Claim, Registry

HEADS = ("what", "paper", "computed", "difference", "reason")
SIDES = "<>>><"
WRAPS = "white-space:normal;min-width:12rem"


class Table:
    """The cells of one table in the registry's order; a notebook shows it."""

    def __init__(self, claims: Sequence[Claim], registry: Registry) -> None:
        self.claims = claims
        places = dict.fromkeys(claim.place for claim in claims)
        place = f", {next(iter(places))}" if len(places) == 1 else ""
        self.source = registry.title(claims[0].source) + place

    @property
    def cells(self) -> list[tuple[str, ...]]:
        """A line for each: what, paper, computed, difference, reason."""
        columns = {claim.column for claim in self.claims}
        return [
            (
                claim.row + f", {claim.column}" * (len(columns) > 1),
                claim.figure,
                f"{SIGNS[claim.finding]} {claim.computed}"
                if claim.computed
                else "–",
                claim.difference or "–",
                claim.reason,
            )
            for claim in self.claims
        ]

    @property
    def caption(self) -> str:
        """Where it is printed, and how its cells fare."""
        found = Counter(claim.finding for claim in self.claims)
        words = [
            f"{found[finding]} {text}"
            for finding, text in (
                ("confirmed", "exact (=)"),
                ("rounds to", "equal once rounded (≈)"),
                ("disagrees", "not (≠)"),
                ("reported", "reported only"),
            )
            if found[finding]
        ]
        return f"{self.source}: {', '.join(words)}."

    def to_text(self) -> str:
        """The table as aligned text."""
        lines = [HEADS, *self.cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = [
            "  ".join(
                f"{cell:{side}{width}}"
                for cell, side, width in zip(line, SIDES, widths, strict=True)
            ).rstrip()
            for line in lines
        ]
        rule = "─" * max(map(len, texts))
        return "\n".join([self.caption, "", texts[0], rule, *texts[1:]])

    def to_html(self) -> str:
        """The table as HTML: a caption, headers with a scope."""
        caption = html.escape(self.caption)
        heads = "".join(
            f'<th scope="col" style="text-align:{_side(i)}">{head}</th>'
            for i, head in enumerate(HEADS)
        )
        body = "\n".join(
            f"<tr>{''.join(_cell(i, text) for i, text in enumerate(line))}"
            "</tr>"
            for line in self.cells
        )
        return (
            '<div class="cnn-claims-table" style="overflow-x:auto" '
            f'role="group" tabindex="0" aria-label="{caption}">\n<table>\n'
            f"<caption>{caption}</caption>\n"
            f"<thead><tr>{heads}</tr></thead>\n"
            f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
        )

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return f"Table({self.caption})"


def _side(column: int) -> str:
    return "right" if SIDES[column] == ">" else "left"


def _cell(column: int, text: str) -> str:
    if column == 0:
        return (
            f'<th scope="row" style="text-align:left">{html.escape(text)}</th>'
        )
    wraps = f";{WRAPS}" if HEADS[column] == "reason" and text else ""
    return (
        f'<td style="text-align:{_side(column)}{wraps}">{html.escape(text)}'
        "</td>"
    )
