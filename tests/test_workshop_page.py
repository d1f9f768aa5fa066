"""The workshop's face: in two languages, by hand, under attack, as a page."""

from __future__ import annotations

import json
import random
import re
from functools import cache
from html.parser import HTMLParser

import nbformat
import pytest
from conftest import ROOT
from playwright.sync_api import Page, expect
from py_mini_racer import MiniRacer
from test_browser import accessibility

from cnnbook import workshop
from cnnbook.widgets import Workshop
from cnnbook.widgets import workshop as ws

FOLDER = ROOT / "cnnbook" / "widgets"
BOOK = {title: text.rstrip() for title, text in workshop.BOOK.items()}
SOLVED = {
    "Half of VGG-16": """
        input 3x224x224
        x2 64 3x3 p1
        pool
        x2 128 3x3 p1
        pool
        x3 256 3x3 p1
        pool
        x3 512 3x3 p1
        pool
        x3 512 3x3 p1
        pool
        global avg
        dense 1000
    """,
    "See 224 pixels": """
        input 3x224x224
        16 7x7 s4 p3
        pool 3x3 s2 p1
        32 3x3 s2 p1
        x4 64 3x3 s1 p1
        64 3x3 s2 p1
        x3 64 3x3 p1
        global avg
        dense 1000
    """,
    "AlexNet in half the time": """
        input 3x227x227
        48 11x11 s4
        pool 3x3 s2
        128 5x5 p2 g2
        pool 3x3 s2
        192 3x3 p1
        192 3x3 p1
        256 3x3 p1
        pool 3x3 s2
        dense 5000
        dense 4096
        dense 1000
    """,
}


# ---- Python and JavaScript measure the same ----


@cache
def engine(old: str = "", new: str = "") -> MiniRacer:
    """The widget's functions, with a passage changed on demand."""
    files = ["base.mjs", "workshop/core.mjs", "workshop/diagram.mjs"]
    files.append("workshop/widget.mjs")
    source = "\n".join((FOLDER / name).read_text("utf-8") for name in files)
    assert source.count(old) or not old, f"the script has no {old!r}"
    source = source.replace(old, new) if old else source
    javascript = MiniRacer()
    javascript.eval(re.sub(r"^export default .*$", "", source, flags=re.M))
    return javascript


def ask(name: str, *given, script: MiniRacer | None = None):
    """Call a function of the widget."""
    script = script or engine()
    arguments = ", ".join(json.dumps(one) for one in given)
    return json.loads(script.eval(f"JSON.stringify({name}({arguments}))"))


@cache
def texts() -> list[str]:
    """The book's networks, and as many again with one number changed."""
    rng = random.Random(7)
    found = list(workshop.BOOK.values())
    for text in [*found]:
        numbers = [*re.finditer(r"\d+", text)]
        for _ in range(3):
            at = rng.choice(numbers)
            number = str(rng.choice([0, 1, 3, 7, 64, 10**9]))
            found.append(text[: at.start()] + number + text[at.end() :])
    return found


def differences(old: str = "", new: str = "") -> list[str]:
    script = engine(old, new)
    return [
        text
        for text in texts()
        if ask("((t) => wbMeasures(wsParse(t)))", text, script=script)
        != ws.measures(workshop.parse(text).to_json())
    ]


def test_both_languages_measure_the_same() -> None:
    assert len(texts()) > 40
    assert differences() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Math.min(...last.field)", "last.field[0] + 1"),
        ('row.op === "conv"', 'row.op === "dense"'),
        ("(row.shape?.[1] > 1 || row.shape?.[2] > 1)", "true"),
    ],
)
def test_a_difference_would_be_noticed(old: str, new: str) -> None:
    assert differences(old, new)


@pytest.mark.parametrize(
    ("now", "then", "said"),
    [
        (100, 100, ""),
        (112, 100, "+12 %"),
        (70, 100, "−30 %"),
        (1015, 1000, "+1.5 %"),
        (100_000, 100_001, "−< 0.1 %"),
        (250, 100, "× 2.5"),
        (0, 100, "−100 %"),
        (7, 0, "new"),
    ],
)
def test_a_change_is_told(now: int, then: int, said: str) -> None:
    assert ask("wbChange", now, then).replace("\u202f", " ") == said


# ---- Challenges ----


def tasks() -> list[str]:
    return [task.title for task in ws.challenges()]


def met(title: str, text: str) -> list[bool]:
    task = next(task for task in ws.challenges() if task.title == title)
    return ask(
        "((goals, t) => wbMet(goals, wsParse(t), wbMeasures(wsParse(t))))",
        task.goals,
        text,
    )


def test_challenges_are_open_where_they_start() -> None:
    for task in ws.challenges():
        goals = met(task.title, workshop.BOOK[task.start])
        assert not all(goals), task.title
        assert any(goals), task.title


@pytest.mark.parametrize("title", SOLVED)
def test_challenges_can_be_met(title: str) -> None:
    assert [*SOLVED] == tasks()
    assert all(met(title, SOLVED[title])), ask(
        "((t) => wbMeasures(wsParse(t)))", SOLVED[title]
    )


def test_nothing_is_met_by_what_cannot_be_built() -> None:
    for title, text in SOLVED.items():
        assert not any(met(title, f"{text}\npool 99x99"))


# ---- The address ----


def test_an_address_names_its_start() -> None:
    slugs = [ask("wbSlug", title) for title in workshop.BOOK]
    assert len({*slugs}) == len(slugs) and all(slugs)
    for title, text in workshop.BOOK.items():
        address = ask("wbAddress", text, title)
        assert re.fullmatch(r"#from=[a-z0-9-]+&net=\S+", address)
        opened = {"from": ask("wbSlug", title), "text": text}
        assert ask("wbOpened", address) == opened


@pytest.mark.parametrize("other", ["", "#", "#the-notation", "#internet=1"])
def test_other_addresses_are_left_alone(other: str) -> None:
    assert ask("wbOpened", other) is None


# ---- What stands in the page without a script ----


class Tags(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_picture_says_it_all() -> None:
    widget = Workshop(address="#")
    page = Tags(widget.to_html())
    network = widget.network.to_json()
    assert f"{network['totals']['parameters']:,} parameters" in page.words
    for row in network["rows"]:
        if row["op"] in ("conv", "dense"):
            assert f"{row['macs']:,}" in page.words
    state = json.loads(page.found[0][1]["data-state"])
    assert state == json.loads(json.dumps(widget.state()))
    assert sum(tag == "rect" for tag, _ in page.found) == 8
    assert repr(widget) == repr(Workshop(address="#"))
    assert len(widget.to_html()) < 40_000


def test_a_small_one_is_light() -> None:
    small = Workshop(small=True, challenge="AlexNet in half the time")
    assert small.start == "AlexNet"
    assert [title for title, *_ in small.examples] == ["AlexNet"]
    assert [task["title"] for task in small.challenges] == [small.challenge]
    assert len(small.to_html()) < 15_000


def test_a_text_of_ones_own() -> None:
    widget = Workshop("input 3x8x8\r\n4 3x3")
    assert (widget.start, widget.text) == ("", "input 3x8x8\n4 3x3")
    widget.text = BOOK["AlexNet"]
    assert widget.network.totals.parameters > 6e7
    assert Workshop(BOOK[ws.VGG]).start == ws.VGG


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"start": "Alex"}, "no network 'Alex' to start from; try '"),
        ({"challenge": "Fly"}, "no challenge 'Fly'; try 'Half of VGG-16'"),
    ],
)
def test_wrong_arguments_get_a_sentence(given: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Workshop(**given)


# ---- The page's own examples ----


def page_text() -> str:
    notebook = nbformat.read(ROOT / "chapters" / "workshop.ipynb", 4)
    return "\n".join(
        cell.source for cell in notebook.cells if cell.cell_type == "markdown"
    )


def notation(text: str) -> list[str]:
    """What stands in code in the first column of the page's table."""
    rows = re.findall(r"^\| `(.+?)` \| ", text, flags=re.M)
    return [row.replace("\\|", "|") for row in rows]


def complaints(lines: list[str]) -> list[str]:
    """The lines that cannot be read, or that say what is not so."""
    found = []
    for line in lines:
        head = "" if line.startswith("input") else "input 64x32x32\n"
        network = workshop.parse(f"{head}{line}")
        found += [f"{line}: {p.says}" for p in network.problems]
    return found


def test_every_line_of_the_notation_reads() -> None:
    lines = notation(page_text())
    assert len(lines) >= 12
    assert complaints(lines) == []
    assert complaints(["pool 99x99"]) != []


def test_the_page_is_short() -> None:
    prose = re.sub(r"`[^`]*`|\|", " ", page_text())
    assert 200 < len(re.findall(r"[A-Za-z]{2,}", prose)) <= 600


# ---- By hand, in a browser ----


def type_at(page: Page, line: int, text: str) -> None:
    """Go to the end of a line, as a person does, and type."""
    page.get_by_role("textbox", name="The network").focus()
    page.keyboard.press("Control+Home")
    for _ in range(line - 1):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.keyboard.type(text)


def written(page: Page) -> str:
    return page.locator(".wb-field").input_value()


def total(page: Page, name: str) -> str:
    card = page.locator(".wb-totals > div").filter(has_text=name)
    return card.locator("strong").inner_text()


def line_of(text: str, begins: str) -> int:
    lines = text.split("\n")
    return 1 + next(i for i, at in enumerate(lines) if begins in at)


def test_an_afternoon_at_the_workshop(show) -> None:
    """Choose, edit, err, repair, share, come back: one visit."""
    page = show(
        Workshop(address="#"),
        permissions=["clipboard-read", "clipboard-write"],
        viewport={"width": 1280, "height": 900},
    )
    vgg = BOOK[ws.VGG]
    parameters = workshop.parse(vgg).totals.parameters
    page.get_by_label("Start from").select_option(ws.VGG)
    assert total(page, "Parameters") == f"{parameters:,}"
    assert "as it stands in the book" in page.locator(".wb-story").inner_text()

    # A change, seen at once.
    line = line_of(vgg, "4096")
    type_at(page, line, "\ndense 1000")
    edited = written(page)
    now = workshop.parse(edited).totals.parameters
    assert now < parameters and total(page, "Parameters") == f"{now:,}"
    story = page.locator(".wb-story")
    expect(story).to_contain_text(f"Against {ws.VGG}: ")

    # A mistake: marked at its line, in words below, repaired, and undone.
    type_at(page, 2, "\npoool")
    sentence = workshop.parse(written(page)).problems[0]
    below = page.locator(".wb-problems li").first
    expect(below).to_contain_text(f"Line 3: {sentence.says}")
    third = page.locator(".wb-under > div").nth(2)
    assert third.get_attribute("class") == "wb-error wb-on"
    assert third.locator(".wb-mark-error").count() == 1
    assert page.locator(".wb-field").get_attribute("aria-invalid") == "true"
    page.get_by_role("button", name=f"Use {sentence.fits}").click()
    assert written(page).split("\n")[2] == sentence.fits == "pool"
    assert page.locator(".wb-error").count() == 0
    page.keyboard.press("Control+z")
    assert "poool" in written(page)
    page.locator(".wb-field").fill(edited)

    # The link, in another page.
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    other = page.context.new_page()
    other.goto(link)
    other.locator("[data-live]").wait_for()
    assert written(other) == edited
    expect(other.locator(".wb-story")).to_contain_text(f"Against {ws.VGG}: ")
    other.close()

    # Reload, back, forward; an anchor of the page leaves all as it is.
    page.wait_for_function("location.hash.includes('net=')")
    page.wait_for_timeout(350)
    page.reload()
    page.locator("[data-live]").wait_for()
    assert written(page) == edited
    page.go_back()
    expect(page.locator(".wb-field")).to_have_value(BOOK["AlexNet"])
    page.go_forward()
    expect(page.locator(".wb-field")).to_have_value(edited)
    page.evaluate("location.hash = 'the-notation'")
    assert written(page) == edited
    assert page.url.endswith("#the-notation")

    # Reset, and the code.
    page.get_by_role("button", name="Reset").click()
    assert written(page) == vgg
    page.get_by_role("button", name="Copy as PyTorch").click()
    page.get_by_text("As PyTorch", exact=True).click()
    expect(page.locator(".wb-code")).to_contain_text("import torch")
    code = page.locator(".wb-code").inner_text()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert code.strip() == copied.strip()
    assert code.strip() == workshop.parse(vgg).to_pytorch().strip()


def test_lines_rows_and_blocks_are_joined(show) -> None:
    page = show(Workshop(), viewport={"width": 1280, "height": 1800})
    words = page.locator(".wb-words")
    lit = "all => all.flatMap((a, i) => a.matches('.wb-on') ? [i] : [])"
    lines = page.locator(".wb-under > div")
    rows = page.locator(".wb-table tbody tr")
    blocks = page.locator(".wb-block")
    network = workshop.parse(BOOK["AlexNet"])
    conv2 = next(row for row in network.rows if row.name == "conv2")
    type_at(page, conv2.line, "")
    assert lines.evaluate_all(lit) == [conv2.line - 1]
    assert rows.evaluate_all(lit)[0] == conv2.index
    expect(words).to_contain_text(f"{conv2.parameters:,} parameters")
    chosen = blocks.evaluate_all(lit)
    assert len(chosen) == 1
    # the mouse on a row, then on a block; a click brings the caret there
    rows.nth(network.rows[-1].index).hover()
    assert rows.evaluate_all(lit) == [network.rows[-1].index]
    blocks.nth(chosen[0]).locator(".wb-front").hover()
    assert lines.evaluate_all(lit) == [conv2.line - 1]
    page.mouse.move(2, 2)
    type_at(page, 1, "")
    blocks.nth(chosen[0]).locator(".wb-front").click()
    page.keyboard.press("Home")
    page.keyboard.type("# ")
    assert written(page).split("\n")[conv2.line - 1].startswith("# ")


def test_a_challenge_is_met_by_hand(show) -> None:
    title = "Half of VGG-16"
    page = show(Workshop(address="#"))
    press = page.get_by_role("button", name=title)
    press.click()
    assert press.get_attribute("aria-pressed") == "true"
    goals = page.locator(".wb-challenges li")
    assert any("not yet" in text for text in goals.all_inner_texts())
    page.locator(".wb-field").fill(SOLVED[title])
    assert all(t.startswith("met") for t in goals.all_inner_texts())
    expect(page.locator(".wb-won")).to_contain_text("Met:")
    page.locator("[aria-live=polite]").get_by_text("Challenge met.").wait_for(
        state="attached", timeout=3000
    )


def test_a_small_one_leads_to_the_workshop(show) -> None:
    page = show(Workshop("input 3x8x8\n4 3x3", small=True, address="w.html"))
    assert page.get_by_label("Start from").is_hidden()
    assert page.get_by_role("button", name="Copy link").count() == 0
    type_at(page, 2, " s2")
    link = page.get_by_role("link", name="Open in the workshop")
    address = link.get_attribute("href")
    assert address.startswith("w.html#net=")
    found = workshop.from_address(address.partition("#")[2])
    assert found == written(page) == "input 3x8x8\n4 3x3 s2"
    page.wait_for_timeout(400)
    assert "#" not in page.url


ATTACKS = [
    "<script>alert(1)</script>",
    "96 11x11 <img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "<iframe src=javascript:alert(1)></iframe>",
    "javascript:alert(1)",
    "' onfocus='alert(1)' autofocus='",
    "__proto__ 3x3",
    "constructor: { toString 1x1 | hasOwnProperty 3x3 }",
    "{{7*7}} ${alert(1)} </textarea><script>alert(1)</script>",
    "\u202e96 11x11\u202c \u2066dense 10\u2069",
    "96 11x11\x00 s4",
    "x999999 { x999999 { 64 3x3 } }",
    "{" * 5000,
    "99999999999999999999x99999999999999999999",
    "input 999999x999999x999999\n999999 999x999\n" * 200,
    "64 3x3 p1\n" * 3000,
    "9" * 100_000,
]
LINKS = [
    "#net=<script>alert(1)</script>",
    "#net=%3Cimg%20src=x%20onerror=alert(1)%3E",
    "#net=%",
    "#net=%E0%A4%A",
    "#net=%00",
    "#net=javascript:alert(1)",
    "#net=__proto__",
    "#from=__proto__&net=96",
    "#from=constructor&net=input~3x8x8",
    "#net=" + "9" * 200_000,
    "#net=" + "{" * 5000,
    "#net=%E2%80%AE96",
]
STRANGERS = """() => {
  const place = document.querySelector(".cnn-widget");
  const bad = [...document.querySelectorAll(
    "script:not(head > script), iframe, object, embed, img, link, base")]
    .map(({ tagName }) => tagName);
  for (const at of place.querySelectorAll("*")) {
    for (const { name, value } of at.attributes) {
      if (/^on/.test(name) || /^\\s*javascript:/i.test(value))
        bad.push(`${at.tagName} ${name}`);
    }
  }
  if ({}.polluted !== undefined) bad.push("prototype");
  return bad;
}"""


def watched(page: Page) -> list[str]:
    """Whatever a page should not do, as it does it."""
    seen: list[str] = []
    page.on("dialog", lambda dialog: (seen.append("dialog"), dialog.dismiss()))
    page.on("pageerror", lambda error: seen.append(str(error)))
    return seen


def survives(page: Page, seen: list[str], after: str) -> None:
    """Whether the page is as it was, and still answers within a second."""
    assert page.evaluate(STRANGERS) == [] and seen == [], after[:60]
    took = page.evaluate(
        """async () => {
        const field = document.querySelector(".wb-field");
        const start = performance.now();
        field.value = "input 3x8x8\\n4 3x3";
        field.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise((done) => requestAnimationFrame(done));
        return performance.now() - start; }"""
    )
    assert took < 1000, after[:60]
    assert total(page, "Parameters") == "112", after[:60]


def test_attacks_in_the_text(show) -> None:
    page = show(Workshop(address="#"))
    seen = watched(page)
    page.get_by_text("As PyTorch", exact=True).click()
    field = page.locator(".wb-field")
    for attack in ATTACKS:
        start = page.evaluate("performance.now()")
        field.evaluate(
            """(field, text) => {
            field.value = text;
            field.dispatchEvent(new Event("input", { bubbles: true })); }""",
            attack,
        )
        page.evaluate("new Promise((d) => requestAnimationFrame(() => d()))")
        took = page.evaluate("performance.now()") - start
        assert took < 3000, (attack[:60], took)
        survives(page, seen, attack)


def test_attacks_in_the_address(show) -> None:
    page = show(Workshop(address="#"))
    seen = watched(page)
    home = page.url
    for link in LINKS:
        page.goto("about:blank")
        page.goto(home + link)
        page.locator("[data-live]").wait_for(timeout=2000)
        said = page.locator(".wb > .cnn-message, .wb-problems li")
        assert said.locator("visible=true").count(), link[:60]
        survives(page, seen, link)


def test_an_attack_would_be_noticed(show) -> None:
    page = show(Workshop(address="#"))
    page.evaluate(
        """() => { const img = document.createElement("img");
        img.setAttribute("onerror", "1"); img.src = "data:,";
        document.querySelector(".wb").append(img); }"""
    )
    assert page.evaluate(STRANGERS) == ["IMG", "IMG onerror"]


def test_a_phone_shows_the_text_first(show) -> None:
    page = show(
        Workshop(address="#"),
        has_touch=True,
        is_mobile=True,
        viewport={"width": 375, "height": 800},
    )
    tops = [
        page.locator(part).bounding_box()["y"]
        for part in (".wb-field", ".wb-totals", ".wb-results", ".wb-diagram")
    ]
    assert tops == sorted(tops)
    for text in (BOOK["GoogLeNet"], "x" * 300 + "\n64 3x3"):
        page.locator(".wb-field").fill(text)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.get_by_role("button", name="Parameters").tap()
    assert (
        page.locator("[data-unit=parameters][aria-pressed=true]").count() == 1
    )
    small = page.locator(
        ".cnn-widget :is(button, select, summary, textarea)"
    ).evaluate_all(
        "all => all.map(c => c.getBoundingClientRect()).filter(b => b.height"
        " && b.height < 43.5).length"
    )
    assert small == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_accessible_with_an_error(show, theme: str) -> None:
    page = show(Workshop(address="#", challenge="See 224 pixels"))
    page.evaluate(
        """theme => { document.documentElement.setAttribute('theme', theme);
        document.body.style.background = theme === 'dark' ? '#14181d' : ''; }
        """,
        theme,
    )
    page.get_by_text("As PyTorch", exact=True).click()
    type_at(page, 2, "\npool 999x999")
    assert page.locator(".wb-problems li").count()
    assert accessibility(page, ".cnn-widget") == []


def test_tab_reaches_everything_and_leaves(show) -> None:
    page = show(Workshop(address="#"))
    names = []
    for _ in range(40):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => { const at = document.activeElement;
            return at === document.body ? "" : at.ariaLabel ||
              at.labels?.[0]?.textContent || at.textContent; }"""
        )
        if not at:
            break
        names.append(at)
    assert any(name.startswith("The network") for name in names)
    for name in ("Reset", "MACs", "Copy link", "Copy as PyTorch",
                 "Every layer", "As PyTorch", *tasks()):  # fmt: skip
        assert name in names, (name, names)


def test_without_a_script(show) -> None:
    page = show(Workshop(address="#"), java_script_enabled=False)
    assert page.locator(".wb-still").bounding_box()["width"] > 300
    parameters = workshop.parse(BOOK["AlexNet"]).totals.parameters
    assert f"{parameters:,}" in page.locator("figcaption").inner_text()
    assert page.locator("textarea").count() == 0
