"""The print style, and the book as one PDF."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader
from test_browser import visitor

from website import pdf, scratch

WIDGET = """<div class="cnn-widget cnn-conv_explorer"
data-widget="conv_explorer" data-state="{}"><figure><svg viewBox="0 0 9 9"
width="90" height="90" role="img" aria-label="A square"><rect width="9"
height="9"/></svg><figcaption>The output is 4 × 4.</figcaption></figure></div>
"""
LONG = "The second page, with a long title: its bookmark must be whole"
PAGES = {
    "start.md": f"""# A book of two pages

See {{doc}}`deep/second`, {{ref}}`the end <the-end>`, and
[the paper](https://example.org/paper).

```{{raw}} html
{WIDGET}
```
""",
    "deep/second.md": f"""# {LONG}

$$y = x$$ (eq-same)

:::{{admonition}} Reveal
:class: dropdown reveal
The hidden answer is 42.
:::

(the-end)=
## The end

As {{eq}}`eq-same` says.
""",
}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = scratch.write_book(tmp_path_factory.mktemp("book"), PAGES)
    result = scratch.build(folder)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.fixture(scope="module")
def printed(book: Path, chromium: str, browser) -> PdfReader:
    """The small book as a PDF; Playwright is started once a process."""
    target = book / "book.pdf"
    pdf.make(book / "_build" / "html", book, target, browser)
    return PdfReader(BytesIO(target.read_bytes()))


def links(reader: PdfReader) -> tuple[set[str], set[str]]:
    """Return the links within and those to elsewhere."""
    within, outside = set(), set()
    for page in reader.pages:
        for note in page.get("/Annots") or []:
            note = note.get_object()
            action = note.get("/A")
            if action and "/URI" in action.get_object():
                outside.add(str(action.get_object()["/URI"]))
            elif "/Dest" in note:
                within.add(str(note["/Dest"]).lstrip("/"))
    return within, outside


def test_one_page_out_of_many(book: Path) -> None:
    html = pdf.whole(book / "_build" / "html", book, "a4", {"start": 3})
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    inside = re.findall(r'href="#([^"]+)"', html)
    assert {"start", "deep-second", "deep-second--the-end"} <= set(inside)
    assert set(inside) <= set(ids)
    assert "<details open" in html and "<script" not in html
    assert "<span>3</span>" in html


@pytest.mark.parametrize("missing", ["article", "h1"])
def test_a_page_without_text_is_refused(tmp_path: Path, missing) -> None:
    page = '<article class="bd-article"><h1>A<a class="headerlink"'
    (tmp_path / "a.html").write_text(
        page.replace(missing, "x") + "></article>", "utf-8"
    )
    with pytest.raises(ValueError, match=r"^The page a of the site .*\.$"):
        pdf.read(tmp_path, "a")


def test_the_book_is_printed_whole(printed: PdfReader) -> None:
    texts = [page.extract_text() for page in printed.pages]
    assert 4 <= len(texts) <= 6
    assert all(len(text.strip()) > 5 for text in texts)
    whole = " ".join(" ".join(texts).split())
    for words in (
        "A book of two pages",
        "The hidden answer is 42.",
        "The output is 4 × 4.",
        "(https://example.org/paper)",
    ):
        assert words in whole
    # The contents name the page on which each chapter begins.
    contents = texts[1].split("\n")
    for number, text in enumerate(texts, start=1):
        if text.count("The end"):
            assert any(line.strip().endswith(str(number)) for line in contents)
    assert printed.metadata.title == "From LeNet to ResNet"


def test_links_and_bookmarks_lead_on(printed: PdfReader) -> None:
    within, outside = links(printed)
    assert {"start", "deep-second", "deep-second--the-end"} <= within
    assert within <= {n.lstrip("/") for n in printed.named_destinations}
    assert all(
        link.startswith(("https://example.org/", "https://lenet-to-resnet."))
        for link in outside
    )
    titles = [
        item.title for item in printed.outline if not isinstance(item, list)
    ]
    assert LONG in titles


def test_fonts_are_embedded_and_letter_is_letter(
    book: Path, printed: PdfReader, browser
) -> None:
    for page in printed.pages:
        for font in (page["/Resources"].get("/Font") or {}).values():
            font = font.get_object()
            for kin in font.get("/DescendantFonts", [font]):
                kin = kin.get_object()
                described = kin.get("/FontDescriptor", {})
                assert kin["/Subtype"] == "/Type3" or any(
                    key.startswith("/FontFile") for key in described
                ), font
    assert round(float(printed.pages[0].mediabox.width)) in (595, 596)
    target = book / "letter.pdf"
    pdf.make(book / "_build" / "html", book, target, browser, "letter")
    assert PdfReader(target).pages[0].mediabox.width == 612


def test_a_widget_is_its_picture_on_paper(browser, built_site: Path) -> None:
    """In dark mode too: the printed page is black on white."""
    with visitor(browser, theme="dark") as page:
        page.go((built_site / "chapters" / "lenet.html").as_uri())
        page.locator("html[data-loaded]").wait_for()
        widget = page.locator(".cnn-c3_connections[data-live]")
        widget.wait_for()
        assert not widget.locator(".cnn-still").count()
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert widget.locator(".cnn-still svg").is_visible()
        assert not widget.locator(".cnn-stage").is_visible()
        ink = "getComputedStyle(document.querySelector('.cnn-still')).color"
        assert page.evaluate(ink) == "rgb(0, 0, 0)"
        page.emulate_media(media="screen")
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert widget.locator(".cnn-stage").is_visible()
        assert not widget.locator(".cnn-still").count()
