"""The table of what ran where, from results/runs.json.

``{what-ran-where}`` shows one row for each place and set of versions on
which the whole book was run; ``tools/stamp_run.py`` writes them.
"""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

RUNS = Path(__file__).resolve().parents[2] / "results" / "runs.json"
COLUMNS = {
    "where": "Where",
    "date": "Date",
    "outcome": "Outcome",
    "python": "Python",
    "torch": "torch",
    "numpy": "numpy",
    "matplotlib": "matplotlib",
    "jupyter-book": "Jupyter Book",
}


def table(runs: list[dict[str, str]]) -> nodes.table:
    """Return the runs as a table, the newest first."""
    group = nodes.tgroup("", cols=len(COLUMNS))
    group += [nodes.colspec(colwidth=1) for _ in COLUMNS]
    group += nodes.thead("", _row(COLUMNS))
    newest_first = sorted(runs, key=lambda run: run["date"], reverse=True)
    group += nodes.tbody("", *(_row(run) for run in newest_first))
    return nodes.table("", group, classes=["cnn-runs"])


def _row(cells: dict[str, str]) -> nodes.row:
    return nodes.row(
        "",
        *(
            nodes.entry("", nodes.paragraph(text=cells.get(name, "–")))
            for name in COLUMNS
        ),
    )


class WhatRanWhere(SphinxDirective):
    """The directive; it takes no arguments."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(RUNS))
        return [table(json.loads(RUNS.read_text(encoding="utf-8")))]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("what-ran-where", WhatRanWhere)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
