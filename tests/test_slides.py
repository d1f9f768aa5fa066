"""The decks: cut from the pages, complete, within the screen, by hand."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from test_browser import accessibility, completeness, visitor

from website import slides
from website.build import pack

CHAPTER = """<html><script>mode()</script>
<article class="bd-article"><section id="top"><h1>A net: its use</h1>
<p>Nobody could read digits. Then somebody could.</p>
<div class="opening admonition"><p class="admonition-title">In this chapter
</p><p><strong>You will be able to</strong></p><ul><li>count.</li></ul></div>
{text}
<section id="exercises"><h2>Exercises</h2>
<div class="exercise admonition">
<p class="admonition-title">Exercise 1 ★ Count S4</p><p>How many?</p></div>
<div class="summary admonition"><p class="admonition-title">Summary</p>
<ul><li>It counts.</li></ul></div></section></section></article></html>"""


def cut(text: str) -> list[slides.Slide]:
    return slides.cut(slides.article(CHAPTER.format(text=text)))


def section(text: str, name: str = "One") -> str:
    return f'<section id="{name.lower()}"><h2>{name}</h2>{text}</section>'


def cell(code: str = "", output: str = "", tags: str = "") -> str:
    shown = f'<div class="cell_output">{output}</div>' if output else ""
    return (
        f'<div class="cell {tags}"><div class="cell_input"><div class='
        f'"highlight"><pre>{code}</pre></div></div>{shown}</div>'
    )


def prints(lines: int) -> str:
    text = "line\n" * lines
    return f'<div class="output stream"><pre>{text}</pre></div>'


PICTURE = '<svg class="cnn-figure" aria-label="A curve falls. Then rises."/>'


def test_what_is_shown_becomes_a_slide_and_what_is_said_its_notes() -> None:
    deck = cut(
        section(
            "<p>The error is drawn below:</p>"
            + cell("plot()", PICTURE)
            + "<p>The error falls at once. It stays there.</p>"
        )
    )
    kinds = [slide.kind for slide in deck]
    assert kinds == ["title", "figure", "exercises", "summary"]
    figure = deck[1]
    assert figure.headline == "The error falls at once"
    assert "plot()" not in "".join(figure.shown)
    assert [slides.words(note) for note in figure.notes] == [
        "The error is drawn below:",
        "The error falls at once. It stays there.",
        "A curve falls. Then rises.",
    ]
    assert "Count S4" in deck[2].shown[0] and "How many?" in deck[2].notes[0]


@pytest.mark.parametrize(
    ("before", "after", "headline"),
    [
        ("<p>Look.</p>", "<p>It leans. Nothing is left.</p>", "A curve falls"),
        ("<p>Four of the nets compared:</p>", "", "Four of the nets compared"),
        ("<p><strong>Width does not help.</strong> See.</p>", "",
         "Width does not help"),
        ("<p>Early days.</p>", "<p>Deeper is <em>worse</em>.</p>",
         "Deeper is worse"),
    ],
)  # fmt: skip
def test_a_headline_is_a_sentence_of_the_page(before, after, headline) -> None:
    deck = cut(section(before + cell("", PICTURE) + after))
    assert slides.words(deck[1].headline) == headline


def test_citations_stay_out_of_headlines() -> None:
    text = (
        '<p>Deeper nets do worse <span class="bibtex-citation">[X]</span>.</p>'
    )
    deck = cut(section(cell("", PICTURE) + text))
    assert deck[1].headline == "Deeper nets do worse"


def test_authors_steer_by_tags() -> None:
    code = cell("x = 1", prints(1))
    text = section(
        "<p>First of all this.</p>"
        + code
        + cell("y", prints(1), "tag_slide-skip")
        + "<p>More.</p>"
        + cell("plot()", PICTURE, "tag_slide-with-previous")
        + cell("draw()", PICTURE, "tag_slide-code")
    )
    kinds = [slide.kind for slide in cut(text)]
    assert kinds == ["title", "code", "code", "figure", "exercises", "summary"]
    assert len(cut(text)[1].shown) == 3


def test_long_code_and_long_tables_are_split() -> None:
    code = "\n\n".join("a = 1\n" * 9 for _ in range(4))
    deck = cut(section("<p>Code.</p>" + cell(code, prints(3))))
    parts = [slide for slide in deck if slide.kind == "code"]
    assert len(parts) >= 2
    assert all(
        slides.lines_of("".join(slide.shown)) <= slides.LONGEST_CODE + 2
        for slide in parts
    )
    rows = "".join(f"<tr><td>{n}</td></tr>" for n in range(30))
    table = f"<table><thead><tr><th>n</th></tr></thead><tbody>{rows}</tbody>"
    parts = slides.split_table(table + "</table>")
    assert len(parts) == 3
    assert all("<th>n</th>" in part for part in parts)
    assert [re.findall(r"\d+", part)[0] for part in parts] == ["0", "10", "20"]


def test_two_cells_without_a_word_between_share_a_slide() -> None:
    deck = cut(section("<p>Go.</p>" + 2 * cell("x = 1", prints(1))))
    assert [slide.kind for slide in deck[1:3]] == ["code", "exercises"]
    assert len(deck[1].shown) == 4


def test_a_question_leaves_what_leads_on_to_what_follows_it() -> None:
    question = '<div class="output"><div class="cnn-question">How?</div></div>'
    widget = '<div class="output"><div class="cnn-widget">It</div></div>'
    deck = cut(
        section(
            "<p>Sort the layers by what they cost.</p>"
            + cell("", question)
            + cell("", widget)
        )
    )
    assert [slide.kind for slide in deck[1:3]] == ["question", "widget"]
    assert deck[1].headline == "Predict" and not deck[1].notes
    assert deck[2].headline == "Sort the layers by what they cost"


def test_a_page_that_is_no_chapter_has_no_deck() -> None:
    page = CHAPTER.format(text="").replace("summary admonition", "admonition")
    assert slides.deck(page, "chapters/x.html", {}) is None


@pytest.fixture(scope="module")
def decks(built_site: Path) -> list[Path]:
    found = sorted((built_site / "slides").glob("*.html"))
    return [path for path in found if path.name != "index.html"]


def test_every_chapter_has_a_deck_of_a_lecture(
    built_site: Path, decks: list[Path]
) -> None:
    chapters = {
        path.name
        for path in (built_site / "chapters").glob("*.html")
        if slides.article(path.read_text("utf-8")) is not None
    }
    assert len(chapters) >= 11
    assert {path.name for path in decks} == chapters
    index = (built_site / "slides" / "index.html").read_text("utf-8")
    for path in decks:
        text = path.read_text("utf-8")
        assert 20 <= text.count('<section class="slide ') <= 55, path.name
        assert f'href="{path.name}"' in index
        page = (built_site / "chapters" / path.name).read_text("utf-8")
        assert f'href="../slides/{path.name}"' in page
        assert text.count("data-widget=") == page.count("data-widget=")
        headlines = re.findall(r"<h2[^>]*>(.*?)</h2>", text)
        assert all(map(slides.words, headlines))


# ---- in a browser ----

CUT_OFF = """() => [...document.querySelectorAll(".slide")].flatMap(slide => {
  const edge = slide.querySelector(".stage").getBoundingClientRect();
  const box = slide.querySelector(".fit");
  const inner = box.getBoundingClientRect();
  const scale = inner.width / box.offsetWidth;
  const bottom = inner.top + box.scrollHeight * scale;
  const right = inner.left + box.scrollWidth * scale;
  const head = slide.querySelector("h2").getBoundingClientRect();
  const faults = [];
  if (bottom > edge.bottom + 1 || inner.top < head.bottom - 1)
    faults.push("too tall");
  if (right > edge.right + 1) faults.push("too wide");
  if (Number(slide.dataset.size) < 0.55) faults.push("too small");
  if (edge.right > innerWidth + 1 || edge.bottom > innerHeight + 1)
    faults.push("beyond the window");
  return faults.map(fault => `${slide.id}: ${fault}`);
})"""


def opened(page, path: Path, hash_: str = "") -> None:
    page.go(path.as_uri() + hash_)
    page.locator("html[data-loaded]").wait_for(state="attached")


def at(page) -> int:
    return int(page.locator(".slide.now .number").inner_text())


def test_nothing_is_cut_off_on_any_slide(browser, decks) -> None:
    complaints = []
    with visitor(browser) as page:
        for path in decks:
            page.set_viewport_size({"width": 1280, "height": 720})
            opened(page, path)
            page.wait_for_timeout(200)
            found = completeness(page) + page.evaluate(CUT_OFF)
            page.set_viewport_size({"width": 1920, "height": 1080})
            found += page.evaluate(CUT_OFF)
            complaints += [f"{path.name}: {text}" for text in found]
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def deck(browser, decks):
    """LeNet's deck, opened from its folder."""
    path = next(path for path in decks if path.name == "lenet.html")
    with visitor(browser) as page:
        page.set_viewport_size({"width": 1280, "height": 720})
        opened(page, path)
        yield page


def test_a_lecture_by_keys(deck) -> None:
    press = deck.keyboard.press
    press("ArrowRight")
    press("PageDown")
    assert at(deck) == 3 and deck.url.endswith("#3")
    deck.reload()
    deck.locator("html[data-loaded]").wait_for(state="attached")
    assert at(deck) == 3
    press("End")
    last = at(deck)
    assert last == deck.locator(".slide").count()
    press("ArrowRight")
    assert at(deck) == last
    deck.go_back()
    assert at(deck) == 3
    press("Home")
    assert at(deck) == 1
    live = deck.locator("footer [aria-live]")
    assert live.text_content().startswith(f"Slide 1 of {last}: LeNet")
    # The answer of a question is a step of its own.
    question = deck.locator(".slide.predict").first
    number = int(question.get_attribute("id").partition("-")[2])
    deck.evaluate(f"location.hash = '{number}'")
    fold = question.locator("details")
    assert fold.get_attribute("open") is None
    press("Space")
    assert at(deck) == number and fold.get_attribute("open") is not None
    deck.wait_for_timeout(100)
    assert not deck.evaluate(CUT_OFF)
    press("Space")
    assert at(deck) == number + 1


def test_a_control_keeps_its_arrows(deck) -> None:
    widget = deck.locator(".slide.widget:has(input[type=range])").first
    number = widget.get_attribute("id").partition("-")[2]
    deck.evaluate(f"location.hash = '{number}'")
    slider = widget.locator("input[type=range]").first
    before = slider.input_value()
    slider.focus()
    deck.keyboard.press("ArrowRight")
    assert slider.input_value() != before and str(at(deck)) == number
    deck.keyboard.press("PageDown")
    assert str(at(deck)) != number


def test_overview_black_help_and_colours(deck) -> None:
    press = deck.keyboard.press
    press("o")
    picks = deck.locator(".pick:visible")
    assert picks.count() == deck.locator(".slide").count()
    press("ArrowRight")
    press("ArrowRight")
    press("Enter")
    assert at(deck) == 3 and not deck.locator(".pick:visible").count()
    press("b")
    assert "black" in deck.locator("html").get_attribute("class")
    press("ArrowRight")
    assert at(deck) == 4
    assert "black" not in deck.locator("html").get_attribute("class")
    press("?")
    assert deck.locator("dialog").is_visible()
    press("Escape")
    press("d")
    assert deck.locator("html").get_attribute("data-theme") == "dark"
    link = deck.locator(".slide.now .place a")
    assert re.search(r"chapters/lenet\.html#", link.get_attribute("href"))


def test_the_speakers_window_keeps_in_step(deck) -> None:
    with deck.context.expect_page() as opening:
        deck.keyboard.press("s")
    speaker = opening.value
    speaker.locator(".now .notes").wait_for()
    speaker.locator(".clock").wait_for()
    assert speaker.locator(".slide.next").is_visible()
    deck.keyboard.press("ArrowRight")
    speaker.locator("#slide-2.now").wait_for()
    speaker.keyboard.press("PageDown")
    deck.locator("#slide-3.now").wait_for()
    deck.reload()
    speaker.wait_for_timeout(1200)
    speaker.keyboard.press("PageDown")
    deck.locator("#slide-4.now").wait_for()
    # What others post is not obeyed.
    deck.evaluate("postMessage({deck: location.pathname, slide: 9}, '*')")
    deck.wait_for_timeout(50)
    assert at(deck) == 4


def test_a_swipe_turns_the_slide(browser, decks) -> None:
    with visitor(browser, 844, has_touch=True) as page:
        opened(page, decks[0])
        swipe = """([from, to]) => { const touch = x => new Touch({
          identifier: 1, target: document.querySelector(".now"), clientX: x,
          clientY: 200}); const at = document.querySelector(".now");
          at.dispatchEvent(new TouchEvent("touchstart", {bubbles: true,
            touches: [touch(from)], changedTouches: [touch(from)]}));
          at.dispatchEvent(new TouchEvent("touchend", {bubbles: true,
            changedTouches: [touch(to)]})); }"""
        page.evaluate(swipe, [600, 200])
        assert at(page) == 2
        page.evaluate(swipe, [200, 600])
        assert at(page) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_accessible(browser, decks, theme) -> None:
    path = next(path for path in decks if path.name == "lenet.html")
    complaints = []
    with visitor(browser, theme=theme) as page:
        opened(page, path)
        for number in (1, 7, 12):
            page.evaluate(f"location.hash = '{number}'")
            complaints += accessibility(page)
        if theme == "light":
            page.keyboard.press("o")
            complaints += accessibility(page)
        page.go((path.parent / "index.html").as_uri())
        complaints += accessibility(page)
    assert not complaints, "\n".join(complaints)


def test_stands_without_a_script(browser, decks) -> None:
    with visitor(browser, java_script_enabled=False) as page:
        page.go(decks[0].as_uri())
        boxes = [
            slide.bounding_box() for slide in page.locator(".slide").all()
        ]
        assert all(box and box["height"] > 50 for box in boxes)
        assert page.locator(".notes").first.is_visible()


def test_the_check_sees_what_is_cut_off(deck) -> None:
    deck.evaluate(
        "document.querySelector('#slide-2 .fit').style.transform = 'scale(3)'"
    )
    assert any("slide-2: too" in text for text in deck.evaluate(CUT_OFF))


# ---- the offline edition ----


def test_the_unpacked_archive_stands_alone(
    browser, built_site: Path, tmp_path: Path
) -> None:
    """With the network off, in a folder whose name has to be quoted."""
    pack(built_site, tmp_path / "book.zip")
    with zipfile.ZipFile(tmp_path / "book.zip") as archive:
        archive.extractall(tmp_path / "a folder, é")
    home = tmp_path / "a folder, é" / "book"
    pages = [
        path for path in home.rglob("*.html") if path.name not in ("404.html",)
    ]
    rooted = re.compile(r'\s(?:src|href)="(?:/|file:)')
    assert not [path for path in pages if rooted.search(path.read_text())]
    with visitor(browser) as page:
        page.context.set_offline(True)
        page.go((home / "index.html").as_uri())
        page.wait_for_url("**/intro.html")
        page.locator('nav.bd-links a[href$="chapters/lenet.html"]').click()
        page.wait_for_url("**/chapters/lenet.html")
        assert not completeness(page)
        page.locator("[data-live] input[type=range]").first.wait_for()
        page.get_by_role("link", name="Slides").first.click()
        page.wait_for_url("**/slides/lenet.html")
        page.locator("html[data-deck][data-loaded]").wait_for(state="attached")
        assert not completeness(page)
        page.go((home / "search.html").as_uri() + "?q=convolution")
        found = page.locator("#search-results a[href*=convolution]")
        found.first.wait_for(timeout=5000)
        assert not page.seen["errors"] + page.seen["foreign"]
