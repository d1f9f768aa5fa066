"""A pytest plugin: let nbval run the book on other people's versions.

    pytest -p tools.any_drawing --nbval chapters/lenet.ipynb

Another matplotlib writes other bytes for the same figure, and with
ipywidgets 7, as in Colab, a widget shows itself live and stores no picture.
With this plugin nbval still compares every printed word and number, but
neither drawings nor HTML. The book's own tests never use it; the weekly run
on Colab's versions does.
"""

from __future__ import annotations

import pytest
from nbval.plugin import IPyNbFile

NOT_COMPARED = ("image/svg+xml", "text/html")


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Tell nbval's collector what not to compare."""
    if isinstance(collector, IPyNbFile):
        collector.skip_compare = (*collector.skip_compare, *NOT_COMPARED)
