"""The prose gate: every page passes, and each rule is seen to bite."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from tools import numerals, prose

BROKEN = ROOT / "tests" / "broken" / "prose"

# Each fixture, what the gate says of it, and the one change that it accepts.
REFUSED = {
    "alt-text.ipynb": (
        "alt text of code cell code: ",
        "to 61,706",
        "to 61,707",
    ),
    "asserted.ipynb": ("nothing covers 61,706", "61_707", "61_706"),
    "asserted-never.ipynb": (
        "nothing covers 61,706",
        "def test():",
        "for count in counts:",
    ),
    "asserted-of-itself.ipynb": (
        "nothing covers 61,706",
        "assert (61_706, 2)",
        "assert (count, 2)",
    ),
    "asserted-unequal.ipynb": ("nothing covers 61,706", "!=", "=="),
    "circle.md": ("nothing covers 61,706", "61,706 · 1", "(61·10^3 + 706)"),
    "cited.md": ("nothing covers 0.95 %", ". Its error", ": its error"),
    "cited-before.md": ("line 7: nothing covers 0.95 %", "`.", "`:"),
    "cited-head.md": ("nothing covers 1.24 %", "1.24 %", ""),
    "cited-item.md": ("line 3: nothing covers 0.95 %", "\n- It is", " It is"),
    "cited-row.md": ("nothing covers 0.23 %", "| |\n", "| {cite}`two` |\n"),
    "code-span.md": ("nothing covers 2000", "2000", "20"),
    "described.md": ("nothing covers 61,706", " to 61,706", ""),
    "directive.md": ("line 12: nothing covers 61,706", "- **61,706**", ""),
    "factor.md": ("nothing covers 12×", "12× smaller", "a twelfth as large"),
    "glossary.md": ("line 4: nothing covers 290,400", "96 has", "96 ="),
    "heading.md": ("nothing covers 61,706", " 61,706", ""),
    "hidden-state.ipynb": ("nothing covers 61,706", "61,707", "61,706"),
    "name.md": ("nothing covers 1202", "ResNet 1202", "ResNet-1202"),
    "other-unit.ipynb": ("nothing covers 24 MB", "24M values", "24 MB"),
    "printed.ipynb": ("text cell words: nothing", "61,707", "61,706"),
    "registered.md": ("nothing covers 36K", "36K", "35K"),
    "rounded.ipynb": ("nothing covers 61.8K", "61.8K", "61.7K"),
    "rounded-in-silence.ipynb": ("nothing covers 61,700", "has", "has about"),
    "share.ipynb": ("nothing covers 98.9 %", "98.9 %", "98.8 %"),
    "share-of-whole.ipynb": ("nothing covers 98.7 %", "98.7 %", "98.8 %"),
    "small-count.ipynb": ("nothing covers 12 %", '"12 wrong', '"12% wrong'),
    "sum.md": ("5 · 5 · 6 + 1 = 152 is not true", "152", "151"),
    "sum-elsewhere.md": ("nothing covers 4,708", "4,708", "4,704"),
    "sum-in-formula.md": (" + 1 = 54 is not true", "= 54.", "= 55."),
    "term.md": ("nothing covers 1025", "1025", "(32 · 32 + 1)"),
    "tick.ipynb": ("nothing covers 61,706", "61,707", "61,706"),
    "title.md": ("nothing covers 61,706", "61,706 and more", "A count"),
    "too-exact.ipynb": ("nothing covers 61,700", "61,700", "61.7K"),
    "unit-in-head.md": ("nothing covers 9.5%", "error (%)", "rank"),
    "year.md": ("nothing covers 2048", "2048", "2024"),
    "year-in-formula.md": ("nothing covers 1998", "$1998$", "$12$"),
}


def registered(text: str) -> bool:
    """A registry of one claim."""
    return text == "35K"


def test_each_fixture_has_its_place() -> None:
    assert {path.name for path in BROKEN.iterdir()} == set(REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_the_gate_bites(name: str, tmp_path: Path) -> None:
    says, wrong, right = REFUSED[name]
    faults = prose.check(BROKEN / name, registered)
    assert len(faults) == 1, faults
    assert says in faults[0]
    text = (BROKEN / name).read_text("utf-8")
    assert text.count(wrong) == 1
    neighbour = tmp_path / name
    neighbour.write_text(text.replace(wrong, right), "utf-8")
    assert prose.check(neighbour, registered) == []
