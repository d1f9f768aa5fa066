"""The benchmark's verdicts: a page over any one budget is named."""

from dataclasses import replace

import pytest

from benchmarks.website import Page, Visit, complaints, middle

GOOD = Visit(240.0, 29, 0, 0.9, 1.3, 0.004)


def test_a_page_within_its_budgets_passes():
    assert complaints(Page("good", formulas=163, widgets=2, ours=GOOD)) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kilobytes": 251.0}, "kB"),
        ({"requests": 31}, "requests"),
        ({"refused": 1}, "other hosts"),
        ({"formulas": 1.2}, "formulas"),
        ({"formulas": None}, "formulas"),
        ({"usable": 1.6}, "widgets"),
        ({"shift": 0.02}, "layout shift"),
    ],
)
def test_each_budget_is_held(change, named):
    page = Page("heavy", 163, 2, replace(GOOD, **change))
    (text,) = complaints(page)
    assert text.startswith("heavy: ") and named in text


def test_a_page_without_formulas_has_the_smaller_budget():
    page = Page("light", 0, 2, replace(GOOD, requests=20))
    (text,) = complaints(page)
    assert "kB, budget 170" in text


def test_the_median_of_never():
    never = replace(GOOD, usable=None)
    assert middle([GOOD, never, never]).usable is None
    assert middle([GOOD, GOOD, never]).usable == 1.3
