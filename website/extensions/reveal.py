"""Dropdown admonitions as native ``<details>``.

An admonition of class ``dropdown`` folds. The browser folds a
``<details>`` by itself: by keyboard, by find-in-page, in print, and with
JavaScript off. Hence no script is shipped for it.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class details(nodes.General, nodes.Element):
    """A box that folds."""


class summary(nodes.General, nodes.TextElement):
    """The line that stays visible and is clicked."""


class FoldDropdowns(SphinxPostTransform):
    """Turn each dropdown admonition into a details node."""

    default_priority = 700
    formats = ("html",)

    def run(self) -> None:
        for box in list(self.document.findall(nodes.admonition)):
            if "dropdown" not in box["classes"]:
                continue
            fold = details("", classes=box["classes"], ids=box["ids"])
            title, *body = box.children
            fold += summary("", "", *title.children)
            fold += body
            box.replace_self(fold)


def visit_details(self, node: details) -> None:
    classes = " ".join(name for name in node["classes"] if name != "toggle")
    self.body.append(self.starttag(node, "details", CLASS=classes))


def depart_details(self, node: details) -> None:
    self.body.append("</details>\n")


def visit_summary(self, node: summary) -> None:
    self.body.append("<summary>")


def depart_summary(self, node: summary) -> None:
    self.body.append("</summary>\n")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(details, html=(visit_details, depart_details))
    app.add_node(summary, html=(visit_summary, depart_summary))
    app.add_post_transform(FoldDropdowns)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
