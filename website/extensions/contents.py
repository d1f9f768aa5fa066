"""The bar of chapters at the left of every page.

The theme resolves the whole book's contents anew for each page, which makes
a build cost the square of its pages. Here they are read once.
"""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

Part = tuple[str | None, list[tuple[str | None, str]]]
"""A caption, and the (title, page or address) of each entry."""


def read_parts(app: Sphinx) -> list[Part]:
    """Return the parts of the book as its front page lists them."""
    front = app.env.get_doctree(app.config.root_doc)
    return [
        (tree.get("caption"), tree["entries"])
        for tree in front.findall(addnodes.toctree)
    ]


def reading_order(app: Sphinx) -> list[str]:
    """Return the book's pages in the order in which they are read."""
    names, queue = [], [app.config.root_doc]
    while queue:
        names.append(queue.pop(0))
        queue[:0] = app.env.toctree_includes.get(names[-1], [])
    return names


def _title(app: Sphinx, name: str) -> str:
    """Return a page's title as HTML; it may hold formulas."""
    title = app.env.titles[name].deepcopy()
    wrapper = nodes.inline("", "", *title.children)
    return app.builder.render_partial(wrapper)["fragment"]


def start(app: Sphinx, *_: object) -> None:
    """Before pages are written: what is read once is read now."""
    parts = read_parts(app)
    root = app.config.root_doc

    @cache
    def title(name: str) -> str:
        return _title(app, name)

    def entry(page: str, name: str, text: str | None) -> str:
        if "://" in name:
            return _item(name, escape(text or name), False, "external")
        address = app.builder.get_relative_uri(page, name)
        inside = "".join(
            entry(page, child, None)
            for child in app.env.toctree_includes.get(name, [])
            if name != root
        )
        shown = escape(text) if text else title(name)
        here = page == name
        return _item("#" if here else address, shown, here, "internal", inside)

    def chapters(page: str) -> str:
        html = [_list(entry(page, root, None))]
        for caption, entries in parts:
            if caption:
                html.append(
                    '<p aria-level="2" class="caption" role="heading">'
                    f'<span class="caption-text">{escape(caption)}</span></p>'
                )
            items = (entry(page, name, text) for text, name in entries)
            html.append(_list("".join(items)))
        return "\n".join(html)

    app.builder.site_chapters = chapters  # type: ignore[attr-defined]


def _item(
    address: str, text: str, here: bool, kind: str, inside: str = ""
) -> str:
    item = "toctree-l1 current active" if here else "toctree-l1"
    link = f"current reference {kind}" if here else f"reference {kind}"
    mark = ' aria-current="page"' if here else ""
    return (
        f'<li class="{item}"><a class="{link}" href="{escape(address)}"{mark}>'
        f"{text}</a>{_list(inside) if inside else ''}</li>"
    )


def _list(items: str) -> str:
    return f'<ul class="nav bd-sidenav">{items}</ul>'


def add_chapters(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree
) -> None:
    """Give the template the bar of chapters."""
    chapters = app.builder.site_chapters  # type: ignore[attr-defined]
    context["chapters"] = chapters(page)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("env-check-consistency", start)
    app.connect("html-page-context", add_chapters)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
