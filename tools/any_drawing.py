"""A pytest plugin: let nbval accept any drawing where the book has one.

    pytest -p tools.any_drawing --nbval chapters/lenet.ipynb

Another version of matplotlib writes other bytes for the same figure. With
this plugin nbval still compares every printed word and number, and that a
drawing is there at all, but not the drawing itself. The book's own tests never
use it; the weekly run on other people's versions does.
"""

from __future__ import annotations

import pytest
from nbval.plugin import IPyNbFile

DRAWING = "image/svg+xml"


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Tell nbval's collector what not to compare."""
    if isinstance(collector, IPyNbFile):
        collector.skip_compare = (*collector.skip_compare, DRAWING)
