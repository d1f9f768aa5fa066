"""The bibliography as a list that today's screen readers know.

The writer's own role for an entry, ``doc-biblioentry``, has been withdrawn
from the standard, and its list had no items without it.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx


def _neighbour(node: nodes.Element, step: int) -> nodes.Node | None:
    index = node.parent.index(node) + step
    return node.parent[index] if 0 <= index < len(node.parent) else None


def visit_citation(self, node: nodes.citation) -> None:
    if not isinstance(_neighbour(node, -1), nodes.citation):
        self.body.append('<div role="list" class="citation-list">\n')
    self.body.append(
        self.starttag(node, "div", CLASS="citation", role="listitem")
    )


def depart_citation(self, node: nodes.citation) -> None:
    self.body.append("</div>\n")
    if not isinstance(_neighbour(node, 1), nodes.citation):
        self.body.append("</div>\n")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(
        nodes.citation,
        override=True,
        html=(visit_citation, depart_citation),
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
