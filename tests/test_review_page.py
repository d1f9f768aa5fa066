"""Predict and review, as a person does: in a browser, over several days."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import ROOT, serve
from test_browser import accessibility

from cnnbook import quiz
from cnnbook.widgets import Question, Review
from cnnbook.widgets.question import picture
from website.extensions.scripts import as_classic, module_of

WIDGETS = ROOT / "cnnbook" / "widgets"
ASKED = "lenet-c3-modern"
CHOSEN = "lenet-most-macs"
DAY = datetime(2026, 3, 2, 9, 0)
NO_STORAGE = """
Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("denied", "SecurityError"); },
});
"""


def written(widget, name: str, folder: Path) -> None:
    """Write a page that holds a widget, as the site does."""
    kind = widget._name
    script = "\n".join(
        path.read_text("utf-8")
        for path in (WIDGETS / "base.mjs", ROOT / "website/assets/host.js")
    )
    script += as_classic(kind, module_of(kind))
    (folder / f"{name}.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{name}</title><style>{widget._css}</style>"
        f"<script>{script}</script><main><h1>{name}</h1>"
        f"{widget.to_html()}</main></html>",
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a page with a question, one with a choice, and the review."""
    folder = tmp_path_factory.mktemp("pages")
    written(Question(ASKED), "asked", folder)
    written(Question(CHOSEN), "chosen", folder)
    written(Review(), "review", folder)
    server = serve(folder)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Reader:
    """A person with a browser of their own, on a day that is given."""

    def __init__(self, browser, address: str, **options) -> None:
        self.script = options.pop("script", "")
        self.context = browser.new_context(accept_downloads=True, **options)
        if self.script:
            self.context.add_init_script(self.script)
        self.address = address
        self.errors: list[str] = []
        self.page = self.tab()

    def tab(self):
        """Open another tab."""
        page = self.context.new_page()
        page.set_default_timeout(5000)
        page.clock.set_fixed_time(DAY)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda found: self.errors.append(found.message))
        return page

    def read(self, name: str, days: int = 0):
        """Open a page, some days later."""
        self.page.clock.set_fixed_time(DAY + timedelta(days=days))
        self.page.goto(f"{self.address}/{name}.html")
        self.page.locator("[data-live]").wait_for()
        return self.page

    def answer(self, text: str) -> str:
        """Type an answer and commit to it; return what is said."""
        self.page.get_by_role("textbox").fill(text)
        self.page.get_by_role("button", name="Commit").click()
        return self.page.locator(".qz-said:visible").inner_text()


@pytest.fixture
def reader(browser, address: str) -> Iterator:
    """Make readers; in the end none of their pages may have failed."""
    made: list[Reader] = []

    def make(**options) -> Reader:
        made.append(Reader(browser, address, **options))
        return made[-1]

    yield make
    for one in made:
        one.context.close()
        assert one.errors == []


def deck(page) -> dict:
    """What the browser keeps."""
    return json.loads(page.evaluate("localStorage.getItem('cnn-review')"))


# ---- A question in a chapter ----


def test_a_wrong_answer_names_what_is_behind_it(reader) -> None:
    one = reader()
    page = one.read("asked")
    assert "2,416" not in page.locator("main").inner_text()
    said = one.answer("2400")
    assert "You left out the biases: each of the 16 filters has one." in said
    assert "5 × 5 × 6 × 16 + 16 = 2,416" in said
    assert page.locator("[data-right=false]").count() == 1
    assert "0 of 9 known" in page.locator(".qz-head").inner_text()
    link = page.locator(".qz-more a").first
    assert link.get_attribute("href") == "lenet.html#the-modern-twin"
    page.get_by_role("button", name="Answer again").click()
    assert "Right." in one.answer("(5·5·6 + 1) × 16")
    assert page.locator("[data-right=true]").count() == 1
    assert "1 of 9 known" in page.locator(".qz-head").inner_text()
    assert deck(page)["slips"] == {"bias": 1}


def test_what_was_answered_is_remembered_and_comes_back(reader) -> None:
    one = reader()
    one.read("asked")
    one.answer("2,416")
    page = one.read("asked")
    memo = page.locator(".qz-memo")
    assert memo.inner_text() == "You knew this today. It comes back in 3 days."
    page = one.read("review")
    words = page.locator(".rv-words")
    assert words.inner_text() == (
        f"Nothing is due today. You know 1 of {len(quiz.ids())}."
    )
    lenet = page.locator("summary", has_text="LeNet").first
    assert "1 of 9 known" in lenet.inner_text()
    page = one.read("review", days=3)
    assert words.inner_text().startswith("1 question is due.")
    page.get_by_role("button", name="Review 1 question").click()
    text = page.locator(".rv-stage .qz-text").inner_text()
    assert text == quiz.ask(ASKED).text
    one.answer("416")
    page.get_by_role("button", name="Done").click()
    assert deck(page)["cards"][ASKED]["box"] == 0
    page = one.read("review", days=4)
    assert words.inner_text().startswith("1 question is due.")
    assert "input channels forgotten" in page.locator("main").inner_text()
    memo = one.read("asked", days=4).locator(".qz-memo").inner_text()
    assert memo == "You did not know this yesterday. It is due again."


def test_by_keyboard_alone(reader) -> None:
    one = reader()
    page = one.read("asked")
    page.keyboard.press("Tab")
    page.keyboard.type("lots")
    page.keyboard.press("Enter")
    assert "“lots” cannot be read" in page.locator(".cnn-message").inner_text()
    page.keyboard.type("2.42K")
    page.keyboard.press("Enter")
    assert "rounded" in page.locator(".cnn-message").inner_text()
    page.keyboard.type("2416")
    page.keyboard.press("Enter")
    assert page.locator("[data-right=true]").count() == 1
    focus = "document.activeElement.textContent"
    assert page.evaluate(focus) == "Answer again"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(focus) == "Show me"
    page.keyboard.press("Enter")
    assert "You did not know" not in page.locator(".qz-said").inner_text()
    assert deck(page)["cards"][ASKED]["right"] is False
    live = page.locator("[aria-live=polite]")
    live.get_by_text("2,416").wait_for(state="attached")


def test_a_choice_by_its_number(reader) -> None:
    page = reader().read("chosen")
    page.keyboard.press("Tab")
    page.keyboard.press("3")
    said = page.locator(".qz-said").inner_text()
    assert "C5 holds the parameters, but uses each of them once." in said
    assert "C3, with a hundred places a map" in said
    assert page.locator("[data-mark=right]").inner_text().startswith("2")
    assert page.locator("[data-mark=wrong]").inner_text().startswith("3")
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    assert page.locator("[data-right=true]").count() == 1


ATTACKS = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "');alert(1)//",
    "javascript:alert(1)",
    "${alert(1)}",
    "constructor.constructor('alert(1)')()",
    "9^9^9^9^9",
    "(" * 99,
    "\u202e1",
]


def test_attacks_in_an_answer_are_only_text(reader) -> None:
    one = reader()
    page = one.read("asked")
    for text in ATTACKS:
        page.get_by_role("textbox").fill(text)
        page.get_by_role("textbox").press("Enter")
        said = page.locator(".cnn-message").inner_text()
        assert said.endswith("."), text
    assert page.locator("main :is(img, script)").count() == 0
    assert page.locator(".qz-said").is_hidden()


# ---- The review page ----


def test_two_tabs_do_not_lose_each_others_answers(reader) -> None:
    one = reader()
    first = one.read("asked")
    second = one.tab()
    second.goto(f"{one.address}/chosen.html")
    second.locator("[data-live]").wait_for()
    second.keyboard.press("Tab")
    second.keyboard.press("2")
    first.get_by_text("1 of 9 known").wait_for()
    one.answer("2416")
    assert set(deck(second)["cards"]) == {ASKED, CHOSEN}
    second.get_by_text("2 of 9 known").wait_for()


def test_every_question_can_be_asked(reader) -> None:
    one = reader()
    page = one.read("review")
    assert page.locator(".rv-chapter li").count() == len(quiz.ids())
    page.get_by_role("button", name="Ask me new ones").click()
    for place in range(5):
        tag = page.locator(".rv-stage .qz-progress").inner_text()
        assert tag == f"{place + 1} of 5"
        page.get_by_role("button", name="Show me").click()
        last = "Done" if place == 4 else "Next question"
        page.get_by_role("button", name=last).click()
    assert page.locator(".rv-stage").is_hidden()
    assert len(deck(page)["cards"]) == 5
    vgg = page.locator(".rv-chapter", has_text="VGG").first
    vgg.locator("summary").click()
    vgg.get_by_role("button", name="Ask me: conv1_2 gives").click()
    assert "Right." in one.answer("224*224*64")
    assert "1 of 9 known" in vgg.locator("summary").inner_text()


def test_fresh_numbers_as_often_as_one_likes(reader) -> None:
    one = reader()
    page = one.read("review")
    kinds = page.get_by_label("Kind of question")
    kinds.select_option(label="What batch norm learns")
    for row in range(1, 4):
        text = page.locator(".rv-fresh .qz-text").inner_text()
        maps = int(re.search(r"on (\d+) maps", text)[1])
        one.answer(str(2 * maps))
        assert page.locator(".rv-fresh [data-right=true]").count() == 1
        if row > 1:
            streak = page.locator(".rv-streak").inner_text()
            assert streak == f"{row} right in a row."
        page.get_by_role("button", name="New numbers").click()
    text = page.locator(".rv-fresh .qz-text").inner_text()
    maps = int(re.search(r"on (\d+) maps", text)[1])
    assert "buffers, not parameters" in one.answer(str(4 * maps))
    assert deck(page) == {
        "version": 1,
        "cards": {},
        "slips": {"statistics": 1},
    }
    tripped = page.locator("section", has_text="What tripped you up")
    assert "running averages taken" in tripped.inner_text()


def saved(page, name: str) -> str:
    """Press a button that saves a file; return what is in it."""
    with page.expect_download() as found:
        page.get_by_role("button", name=name).click()
    return Path(found.value.path()).read_text("utf-8")


def test_a_deck_is_saved_forgotten_and_opened(reader, tmp_path) -> None:
    one = reader()
    one.read("asked")
    one.answer("2400")
    page = one.read("review")
    text = saved(page, "Save the deck")
    assert json.loads(text) == deck(page)
    clear = page.get_by_role("button", name="Forget everything")
    clear.click()
    assert deck(page)["cards"]
    page.get_by_role("button", name="Press again").click()
    assert page.evaluate("localStorage.length") == 0
    file = tmp_path / "deck.json"
    file.write_text(text, encoding="utf-8")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_text("Read: 1 question.").wait_for()
    assert json.loads(text) == deck(page)


def test_a_forged_deck_gets_a_sentence(reader, tmp_path) -> None:
    page = reader().read("review")
    card = {"box": 1, "due": 1, "seen": 1, "last": 1, "right": True}
    attack = "<img src=x onerror=alert(1)>"
    forged = [
        attack,
        "[]",
        json.dumps({"version": 1, "cards": {attack: card}, "slips": {}}),
        json.dumps({"version": 1, "cards": {}, "slips": {attack: 1}}),
        json.dumps({"version": 7, "cards": {}, "slips": {}}),
        json.dumps({"version": 1, "cards": {"a": {**card, "box": attack}}}),
        "[" * 100_000,
        " " * 1_100_000,
    ]
    report = page.locator(".rv-report")
    for place, text in enumerate(forged):
        file = tmp_path / f"{place}.json"
        file.write_text(text, encoding="utf-8")
        page.evaluate("document.querySelector('.rv-report').textContent = ''")
        page.locator("input[type=file]").set_input_files(file)
        report.filter(has_text=re.compile(r"This (is no|deck is)")).wait_for()
    assert page.locator("main img").count() == 0
    # A question that this book does not have is kept, and never shown.
    known = {"version": 1, "cards": {"no-such": card}, "slips": {"nope": 2}}
    file.write_text(json.dumps(known), encoding="utf-8")
    page.locator("input[type=file]").set_input_files(file)
    report.get_by_text("Read: 0 questions.").wait_for()
    assert "nope" not in page.locator("main").inner_text()


def test_cards_for_anki(reader) -> None:
    one = reader()
    page = one.read("review")
    page.get_by_role("button", name="For Anki: what I did not know").click()
    page.get_by_text("There is no such question yet.").wait_for()
    lines = saved(page, "For Anki: all questions").splitlines()
    heads = [line for line in lines if line.startswith("#")]
    assert heads[:3] == ["#separator:tab", "#html:true", "#notetype:Basic"]
    assert "#deck:From LeNet to ResNet" in heads
    cards = [*csv.reader(lines[len(heads) :], delimiter="\t")]
    assert len(cards) == len(quiz.ids())
    assert {len(card) for card in cards} == {3}
    assert {tag for *_, tag in cards} == set(quiz.CHAPTERS)
    for front, back, _ in cards:
        assert not re.search(r"<(?!/?(b|br|i|ol|li)>)", front + back)
    one.read("asked")
    one.answer("2400")
    one.read("review")
    missed = saved(page, "For Anki: what I did not know").splitlines()
    assert len(missed) == len(heads) + 1
    assert "2,416" in missed[-1]


def test_where_nothing_is_kept_it_still_works(reader) -> None:
    one = reader(script=NO_STORAGE)
    page = one.read("asked")
    said = one.answer("2400")
    assert "You left out the biases" in said
    assert "This browser keeps nothing here" in said
    assert "0 of 9 known" in page.locator(".qz-head").inner_text()
    page = one.read("review")
    page.get_by_role("button", name="Ask me new ones").click()
    page.get_by_role("button", name="Show me").click()
    assert page.get_by_text("This browser keeps nothing here").is_visible()
    page.get_by_role("button", name="Forget everything").click()
    page.get_by_role("button", name="Press again").click()


def test_what_another_version_left_is_not_destroyed(reader) -> None:
    other = json.dumps({"version": 9, "cards": {"a": 1}})
    one = reader(script=f"localStorage.setItem('cnn-review', '{other}');")
    page = one.read("asked")
    assert "keeps nothing here" in one.answer("2416")
    assert deck(page) == {"version": 9, "cards": {"a": 1}}


# ---- Every reader ----


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_and_a_screen_reader(reader, scheme: str) -> None:
    one = reader(
        viewport={"width": 375, "height": 700},
        has_touch=True,
        is_mobile=True,
        color_scheme=scheme,
    )
    for name in ("asked", "chosen", "review"):
        page = one.read(name)
        if name == "asked":
            one.answer("2400")
        elif name == "chosen":
            page.get_by_role("button", name="3 C5").tap()
        else:
            page.locator("summary").first.tap()
            page.get_by_role("button", name="Fresh numbers").tap()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        small = page.locator(
            ".cnn-widget :is(button, select, input:not([type=file])):visible"
        ).evaluate_all(
            "all => all.map(c => c.getBoundingClientRect())"
            ".filter(box => Math.min(box.width, box.height) < 44).length"
        )
        assert small == 0, name
        assert accessibility(page, ".cnn-widget") == []


def test_without_a_script_the_answer_unfolds(reader) -> None:
    one = reader(java_script_enabled=False)
    one.page.goto(f"{one.address}/asked.html")
    answer = one.page.get_by_text("2,416 parameters")
    assert answer.is_hidden()
    one.page.locator("summary").click()
    assert answer.is_visible()
    assert one.page.get_by_text("If you said 1,516").is_visible()
    one.page.goto(f"{one.address}/review.html")
    assert one.page.locator("details").count() == len(quiz.ids())


def test_the_picture_escapes_what_it_says() -> None:
    asked = quiz.ask(ASKED)
    fields = {name: getattr(asked, name) for name in vars(asked)}
    attack = "<img src=x onerror=alert(1)>"
    text = picture(quiz.Question(**{**fields, "text": attack}))
    assert "<img" not in text
    assert "&lt;img" in text
