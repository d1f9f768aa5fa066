"""The book as one PDF, printed by Chromium from the built site.

    python -m website.pdf                  # A4, into dist/lenet-to-resnet.pdf
    python -m website.pdf --paper letter

All pages become one, in reading order, behind a cover and the contents. Links
between pages become links within it; a link to anything else names the
published site. No script runs, so a widget is its picture. The book is
printed twice: the first time tells on which pages the chapters begin.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from website import addresses

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "dist" / "lenet-to-resnet.pdf"
PAPERS = {"a4": "A4", "letter": "letter"}
WIDTH = 660
"""The width of the text in CSS pixels: what both papers leave room for."""

_ARTICLE = re.compile(
    r'<article class="bd-article">(.*?)</article>', re.DOTALL
)
_ID = re.compile(r'(\s(?:id|for|aria-labelledby|aria-describedby)=")([^"]+)"')
_LINK = re.compile(r'(\s(?:href|src|xlink:href)=")([^"]*)"')
_OWN = re.compile(r"url\(#|#(?=cnn-figure-)")
_SHEET = re.compile(r'<link rel="stylesheet" href="([^"]*_static/[^"]*)"')
_TITLE = re.compile(r"<h1>(.*?)<a class=\"headerlink\"", re.DOTALL)


@dataclass(frozen=True)
class Page:
    """A page of the site: its name there, its title, its text."""

    name: str
    title: str
    text: str

    @property
    def key(self) -> str:
        """The page's own place in the whole."""
        return re.sub(r"\W+", "-", self.name.removesuffix(".html"))


# ---- One page out of many ----


def contents(book: Path) -> list[tuple[str, list[str]]]:
    """Return the captions of ``_toc.yml``, each with its pages' names."""
    toc = yaml.safe_load((book / "_toc.yml").read_text(encoding="utf-8"))
    parts = [("", [toc["root"]])]
    for part in toc.get("parts", [{"chapters": toc.get("chapters", [])}]):
        names = [entry["file"] for entry in part["chapters"]]
        parts.append((part.get("caption", ""), names))
    return parts


def read(site: Path, name: str) -> Page:
    """Read a page of the site."""
    page = (site / f"{name}.html").read_text(encoding="utf-8")
    found = _ARTICLE.search(page)
    title = _TITLE.search(found[1]) if found else None
    if not found or not title:
        raise ValueError(f"The page {name} of the site has no text or title.")
    return Page(f"{name}.html", title[1], found[1])


def placed(page: Page, names: set[str], home: str) -> str:
    """Return a page's text with ids and links as they read in the whole."""
    keys = {name: Page(name, "", "").key for name in names}
    folder = page.name.rpartition("/")[0]

    def own(match: re.Match) -> str:
        ids = " ".join(f"{page.key}--{name}" for name in match[2].split())
        return f'{match[1]}{ids}"'

    def link(match: re.Match) -> str:
        return f'{match[1]}{moved(unescape(match[2]))}"'

    def moved(address: str) -> str:
        if re.match(r"[a-z]+:|//", address):
            return escape(address)
        target, _, place = address.partition("#")
        full = os.path.normpath(f"{folder}/{target}").lstrip("/")
        full = full if target else page.name
        if full in keys:
            return f"#{keys[full]}" + (f"--{place}" if place else "")
        if full.startswith(("_static", "_images")):
            return escape(full)
        return escape(home + full)

    text = _ID.sub(own, _LINK.sub(link, page.text))
    text = _OWN.sub(lambda m: f"{m[0]}{page.key}--", text)
    text = text.replace(
        '<details class="dropdown', '<details open class="dropdown'
    )
    return f'<article class="bd-article" id="{page.key}">{text}</article>'


def whole(site: Path, book: Path, paper: str, numbers: dict[str, int]) -> str:
    """Return the whole book as one page of HTML."""
    config = yaml.safe_load((book / "_config.yml").read_text("utf-8"))
    home = addresses.site(config["repository"]["url"])
    parts = contents(book)
    pages = {name: read(site, name) for _, names in parts for name in names}
    names = {page.name for page in pages.values()}
    sheets = dict.fromkeys(
        sheet.replace("../", "")
        for name in pages
        for sheet in _SHEET.findall((site / f"{name}.html").read_text("utf-8"))
    )
    style = [
        (ROOT / "website" / "assets" / "pdf.css").read_text("utf-8"),
        f"@page {{ size: {PAPERS[paper]}; }}",
        *heads(pages.values()),
    ]
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en" data-theme="light">',
            f'<head><meta charset="utf-8"><title>{config["title"]}</title>',
            *(f'<link rel="stylesheet" href="{s}">' for s in sheets),
            f"<style>{''.join(style)}</style></head><body>",
            cover(config, home),
            table(parts, pages, numbers),
            *(placed(page, names, home) for page in pages.values()),
            "</body></html>",
        ]
    )


def heads(pages: Iterator[Page]) -> Iterator[str]:
    """Write each chapter's title over its pages."""
    for page in pages:
        title = plain(page.title).replace("\\", "").replace('"', "”")
        yield (
            f"#{page.key} {{ page: {page.key}; }} @page {page.key} {{"
            f' @top-left {{ content: "{title}"; }} }}'
        )


def plain(title: str) -> str:
    """Return a title's text, a formula once."""
    title = re.sub(r'<span class="katex-html.*|<annotation.*', "", title)
    return unescape(re.sub(r"<[^>]+>", "", title)).strip()


def cover(config: dict, home: str) -> str:
    drawing = (ROOT / "website" / "assets" / "logo.svg").read_text("utf-8")
    return (
        f'<section class="cover"><div>{drawing}</div>'
        f'<p class="title">{config["title"]}</p>'
        "<p>Executable lecture notes on deep convolutional networks</p>"
        f'<p class="home"><a href="{home}">{home}</a></p></section>'
    )


def table(
    parts: list[tuple[str, list[str]]],
    pages: dict[str, Page],
    numbers: dict[str, int],
) -> str:
    """Return the contents, with the number of each chapter's first page."""
    rows = []
    for caption, names in parts:
        if caption:
            rows.append(f'<p class="part">{escape(caption)}</p>')
        for name in names:
            page = pages[name]
            number = numbers.get(page.key, "")
            rows.append(
                f'<p><a href="#{page.key}">{page.title}</a>'
                f"<span>{number}</span></p>"
            )
    return (
        '<nav class="contents bd-article"><h1>Contents</h1>'
        f"{''.join(rows)}</nav>"
    )


# ---- Printing ----

# What is wider than the paper shrinks until it fits.
_FIT = """() => {
  for (const box of document.querySelectorAll(
      ".katex-display, table, article svg, pre")) {
    const room = (box.closest("li, dd, details, .admonition, article, nav"))
      .getBoundingClientRect();
    const right = Math.min(room.right, document.body.clientWidth);
    const at = box.getBoundingClientRect();
    const wide = box.matches("table, svg") ? at.width :
      Math.max(box.scrollWidth, ...[...box.querySelectorAll(".katex-html")]
        .map(part => part.scrollWidth));
    const number = box.closest("div.math")?.querySelector(".eqno");
    const least = right - at.left - (number ? number.offsetWidth + 16 : 0);
    if (wide > least + 1) box.style.zoom = Math.floor(99 * least / wide) / 100;
  }
}"""


def printed(browser: Browser, page: Path, final: bool) -> bytes:
    """Print an HTML file; for readers, or only to count its pages."""
    tab = browser.new_page(viewport={"width": WIDTH, "height": 950})
    tab.emulate_media(media="print")
    tab.goto(page.as_uri())
    tab.evaluate("document.fonts.ready.then(() => true)")
    tab.evaluate(_FIT)
    found = tab.pdf(
        prefer_css_page_size=True,
        print_background=True,
        outline=final,
        tagged=final,
    )
    tab.close()
    return found


def first_pages(pdf: bytes) -> dict[str, int]:
    """Return the page on which each linked place stands, counted from 1."""
    from pypdf import PdfReader

    reader = PdfReader(BytesIO(pdf))
    return {
        name.lstrip("/"): reader.get_destination_page_number(target) + 1
        for name, target in reader.named_destinations.items()
    }


def titled(pdf: bytes, pages: list[Page], title: str) -> bytes:
    """Name the document; mend titles that were printed on two lines."""
    from pypdf import PdfWriter
    from pypdf.generic import NameObject, TextStringObject

    writer = PdfWriter(clone_from=BytesIO(pdf))
    writer.add_metadata({"/Title": title, "/Author": f"{title}: the authors"})
    whole = {plain(page.title).replace(" ", ""): page for page in pages}
    entry = writer.root_object["/Outlines"].get("/First")
    while entry:
        entry = entry.get_object()
        if page := whole.get(str(entry["/Title"]).replace(" ", "")):
            name = TextStringObject(plain(page.title))
            entry[NameObject("/Title")] = name
        entry = entry.get("/Next")
    found = BytesIO()
    writer.write(found)
    return found.getvalue()


def make(
    site: Path, book: Path, target: Path, browser: Browser, paper: str = "a4"
) -> None:
    """Print a built site as one PDF."""
    numbers: dict[str, int] = {}
    for final in (False, True):
        with tempfile.NamedTemporaryFile(
            "w", suffix=".html", dir=site, delete=False, encoding="utf-8"
        ) as file:
            file.write(whole(site, book, paper, numbers))
        try:
            pdf = printed(browser, Path(file.name), final)
        finally:
            Path(file.name).unlink()
        numbers = numbers or first_pages(pdf)
    config = yaml.safe_load((book / "_config.yml").read_text("utf-8"))
    names = [name for _, names in contents(book) for name in names]
    pages = [read(site, name) for name in names]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(titled(pdf, pages, config["title"]))


def command(arguments: list[str] | None = None) -> int:
    """Print the book that `make html` built."""
    from playwright.sync_api import sync_playwright

    from tools.chromium import FLAGS, NoChromium, ensure

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html")
    parser.add_argument("--paper", choices=PAPERS, default="a4")
    parser.add_argument("--output", type=Path, default=BOOK)
    given = parser.parse_args(arguments)
    try:
        chromium = ensure()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=list(FLAGS)
            )
            make(given.site, ROOT, given.output, browser, given.paper)
            browser.close()
    except (NoChromium, FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    size = given.output.stat().st_size / 1e6
    print(f"{given.output}: {size:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(command())
