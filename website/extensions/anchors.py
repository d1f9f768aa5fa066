"""Links to what an output shows: a row of a table, by its id.

MyST knows the anchors of headings alone. Here the ids in a page's HTML
outputs join them, so that ``[the claim](errata.ipynb#claim-…)`` is a link
that the build checks like any other.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

_ID = re.compile(r'<\w+ id="([\w-]+)"')


def note_ids(app: Sphinx, doctree: nodes.document) -> None:
    """Add the ids of the page's outputs to the anchors that MyST knows."""
    anchors = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for raw in doctree.findall(nodes.raw):
        for name in _ID.findall(raw.astext()):
            anchors.setdefault(name, (None, name, name))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", note_ids)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
