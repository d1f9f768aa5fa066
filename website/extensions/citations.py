"""The bibliography as a list that today's screen readers know.

The writer's own role for an entry, ``doc-biblioentry``, has been withdrawn
from the standard, and its list had no items without it.  The page with the
list is read again whenever another one was: it may cite something new.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


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


def read_again(
    app: Sphinx,
    env: BuildEnvironment,
    added: set[str],
    changed: set[str],
    removed: set[str],
) -> list[str]:
    if not (added or changed or removed):
        return []
    lists = env.get_domain("cite").bibliographies
    return [key.docname for key in lists if key.docname not in removed]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(
        nodes.citation,
        override=True,
        html=(visit_citation, depart_citation),
    )
    app.connect("env-get-outdated", read_again)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
