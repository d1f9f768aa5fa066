"""What a search engine or a messenger shows of a page.

Its description is how its text begins. The picture and the page's address
are those of the published site, which follow from the repository's.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from website import addresses

LONGEST = 200
"""How many characters of a description are shown anywhere."""

CARD = "_static/card.png"
"""The front page's picture at 1200 by 630 pixels, photographed by hand."""

INDEX = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8" />
<title>{title}</title>
{tags}<meta http-equiv="refresh" content="0; url={first}" />
</head><body><p><a href="{first}">{title}</a></p></body></html>
"""
"""What stands at the site's bare address: it is the one that people share."""

_CITED = re.compile(r"\s*[\[(][^\[\]()]*\d{4}[a-z]?[^\[\]()]*[\])]")


def opening(doctree: nodes.document) -> str:
    """Return the first sentences of a page, as many as are shown."""
    first = next(iter(doctree.findall(nodes.paragraph)), None)
    if first is None or next(iter(first.findall(nodes.math)), None):
        return ""
    words = _CITED.sub("", " ".join(first.astext().split()))
    if len(words) <= LONGEST:
        return words
    sentences = words[: LONGEST + 1].rpartition(". ")[0]
    return f"{sentences}." if sentences else words[: LONGEST - 1] + "…"


def tags(meta: dict[str, str]) -> str:
    """Write a page's tags; what is empty is left out."""
    return "".join(
        f'<meta {"property" if ":" in name else "name"}="{name}" '
        f'content="{escape(content)}" />\n'
        for name, content in meta.items()
        if content
    )


def describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree
) -> None:
    """Put the tags into a page's head."""
    if doctree is None:
        return
    front = page == app.config.root_doc
    repository = app.builder.theme_options.get("repository_url", "")
    words = opening(doctree)
    written = tags(
        {
            "description": words,
            "og:type": "website" if front else "article",
            "og:site_name": app.config.html_title,
            "og:title": app.env.titles[page].astext(),
            "og:description": words,
            "og:url": addresses.site(repository, f"{page}.html"),
            "og:image": addresses.site(repository, CARD),
            "twitter:card": "summary_large_image",
        }
    )
    context["metatags"] = context.get("metatags", "") + written
    if front:
        context["docstitle"] = ""  # its title is the book's, once
        first = f"{page}.html"
        index = INDEX.format(
            title=escape(app.config.html_title), tags=written, first=first
        )
        Path(app.outdir, "index.html").write_text(index, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", describe, priority=910)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
