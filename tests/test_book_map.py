"""The map of the front page says what the chapters say."""

import json
import re
from html import unescape

import pytest
from conftest import ROOT

from website.extensions import book_map


def stops(**needs):
    return [
        book_map.Chapter(name, f"{name.upper()}: x", 10, tuple(first.split()))
        for name, first in needs.items()
    ]


def test_every_chapter_says_what_the_map_needs():
    found = book_map.chapters(ROOT)
    assert found[0].name == "convolution"
    assert not {"errata", "glossary"} & {stop.name for stop in found}
    for stop in found[1:]:
        assert stop.first, f"{stop.name} links to nothing to know first"
        assert 5 <= stop.minutes <= 60


@pytest.mark.parametrize("missing", ["# A", "**Time**", "**Know first**"])
def test_an_opening_without_its_parts_is_refused(tmp_path, missing):
    text = "# A: b\n\n**Time** 30 minutes to read. **Know first** nothing."
    notebook = {"cells": [{"source": [text]}]}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(notebook))
    assert book_map.read(path) == book_map.Chapter("a", "A: b", 30, ())
    notebook["cells"][0]["source"] = [text.replace(missing, "")]
    path.write_text(json.dumps(notebook))
    with pytest.raises(ValueError, match=r"The opening of a\.ipynb lacks"):
        book_map.read(path)


def test_an_arc_that_others_imply_is_not_drawn():
    assert book_map.direct(stops(a="", b="a", c="a b", d="a c")) == [
        (0, 1),
        (1, 2),
        (2, 3),
    ]
    assert book_map.direct(stops(a="", b="", c="a b elsewhere")) == [
        (0, 2),
        (1, 2),
    ]


def test_a_chapter_cannot_build_on_a_later_one():
    with pytest.raises(ValueError, match="a is to be read after b"):
        book_map.direct(stops(a="b", b=""))


def test_the_front_page_shows_it(built_site):
    page = (built_site / "intro.html").read_text("utf-8")
    box = page.split('class="book-map')[1].split("</ol>")[0]
    found = book_map.chapters(ROOT)
    links = re.findall(r'href="chapters/(\w+)\.html"', box)
    assert links == [stop.name for stop in found]
    for stop in found:
        words = unescape(re.sub("<[^>]+>", "", box)).replace("\xa0", " ")
        assert stop.title in words
    assert box.count("<path") == len(found) + len(book_map.direct(found))
