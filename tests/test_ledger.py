"""The ledger: what it says, where its rows stand, and how it is filtered."""

from __future__ import annotations

import gzip
import json
import random
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import ROOT
from py_mini_racer import MiniRacer
from traitlets import TraitError

from cnnbook import claims
from cnnbook.claims import Registry
from cnnbook.claims.check import VERDICTS
from cnnbook.widgets import Ledger, ledger

WIDGETS = ROOT / "cnnbook" / "widgets"
CASES = 1000
TEXT = """
sources:
  notes-1: {kind: notes, title: "Notes 1: one"}
  notes-2: {kind: notes, title: "Notes 2: two"}
claims:
  - {id: size, network: alexnet, source: notes-1, place: Conv1,
     claim: side of the maps, figure: "55", unit: pixels,
     expression: "output_size(227, 11, 4)", verdict: confirmed}
  - {id: weights, network: alexnet, source: notes-2, place: Conv1,
     claim: weights of the <first> layer, figure: "34K", unit: parameters,
     qualifiers: [without biases], verdict: disagrees,
     expression: "conv_parameters(3, 96, 11, bias=False)",
     reason: It was cut & not rounded.}
  - {id: memory, network: vgg, source: notes-2, place: POOL2,
     claim: values after the second block, figure: "800K", exact_to: 10K,
     unit: values, expression: "56 * 56 * 256", verdict: rounds to}
  - {id: rate, network: vgg, source: notes-1, place: details,
     claim: learning rate, figure: "1e-2", unit: per step,
     verdict: reported, reason: Only training could tell.}
"""


def registry() -> Registry:
    return claims.read(TEXT)


# ---- Python and JavaScript say the same ----


def script(old: str = "", new: str = "") -> MiniRacer:
    """Load the widget's functions, with one passage changed on demand."""
    source = (WIDGETS / "ledger" / "widget.mjs").read_text("utf-8")
    assert source.count(old) == 1 or not old, old
    source = source.replace(old, new) if old else source
    engine = MiniRacer()
    engine.eval((WIDGETS / "base.mjs").read_text("utf-8"))
    engine.eval(re.sub(r"^export default .*$", "", source, flags=re.M))
    return engine


def counts() -> list[dict[str, int]]:
    draw = random.Random(7)
    return [
        {
            verdict: draw.randint(1, 10 ** draw.randint(0, 3))
            for verdict in VERDICTS
            if draw.random() < 0.7
        }
        for _ in range(CASES)
    ]


def differences(engine: MiniRacer, name: str) -> list:
    draw = random.Random(8)
    cases = [
        [shown, sum(shown.values()) + draw.choice([0, 1, 200])]
        for shown in counts()
    ]
    twins = {"lgSentence": ledger.sentence, "lgSegments": ledger.segments}
    take = 2 if name == "lgSentence" else 1
    text = json.dumps([case[:take] for case in cases])
    theirs = json.loads(
        engine.eval(f"JSON.stringify({text}.map((a) => {name}(...a)))")
    )
    ours = [twins[name](*case[:take]) for case in cases]
    pairs = zip(cases, ours, theirs, strict=True)
    return [case for case, our, their in pairs if our != their]


@pytest.mark.parametrize("name", ["lgSentence", "lgSegments"])
def test_both_languages_agree(name: str) -> None:
    assert differences(script(), name) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("lgSentence", 'total === 1 ? "claim"', 'total === 2 ? "claim"'),
        ("lgSentence", "count < total", "count <= total"),
        ("lgSentence", '"agree exactly"', '"agree"'),
        ("lgSegments", "start - count", "start"),
        ("lgSegments", "20000 * part + total", "20000 * part"),
    ],
)
def test_a_wrong_script_is_found(name: str, old: str, new: str) -> None:
    assert differences(script(old, new), name)


def test_the_bar_is_full() -> None:
    for shown in counts():
        parts = ledger.segments(shown)
        ends = [start + length for start, length in parts]
        assert ends[-1] == pytest.approx(100 if shown else 0, abs=0.02)


# ---- What stands in the page without a script ----


class Page(HTMLParser):
    """The widget's place, and its rows as texts by their id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.place: dict[str, str | None] = {}
        self.rows: dict[str, str] = {}
        self.tags: list[str] = []
        self.row = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if "data-widget" in given:
            self.place = given
        if tag == "tr":
            self.row = given.get("id", "")
            self.rows[self.row] = ""

    def handle_data(self, data: str) -> None:
        if self.row:
            self.rows[self.row] += f"{data}|"


def test_the_whole_table_stands_there() -> None:
    page = Page(Ledger(registry()).to_html())
    assert [*page.rows] == [
        "",
        "claim-weights",
        "claim-memory",
        "claim-size",
        "claim-rate",
    ]
    assert page.rows["claim-weights"] == (
        "weights of the <first> layer|"
        "AlexNet, without biases · Notes 2, Conv1|"
        "It was cut & not rounded.|conv_parameters(3, 96, 11, bias=False)|"
        "34K|parameters|34,848|+848 (+2.5 %)|≠ disagrees|"
    )
    assert (
        "800K|values, to 10K|802,816|≈ rounds to" in page.rows["claim-memory"]
    )
    assert page.rows["claim-rate"].endswith("1e-2|per step|–|“ reported|")
    assert "first" not in page.tags and {"svg", "figure"} <= set(page.tags)


def test_the_rows_stand_there_once() -> None:
    text = Ledger(registry()).to_html()
    state = json.loads(Page(text).place["data-state"])
    assert state == {
        "choices": {
            "network": [["alexnet", "AlexNet (2)"], ["vgg", "VGG (2)"]],
            "source": [
                ["notes-1", "Notes 1: one (2)"],
                ["notes-2", "Notes 2: two (2)"],
            ],
            "verdict": [
                ["disagrees", "≠ disagrees (1)"],
                ["rounds to", "≈ rounds to (1)"],
                ["confirmed", "= confirmed (1)"],
                ["reported", "“ reported (1)"],
            ],
        },
        "network": "",
        "search": "",
        "source": "",
        "verdict": "",
    }
    for words in ("conv_parameters(3, 96", "was cut", "claim-weights"):
        assert text.count(words) == 1, words


def test_the_books_own_ledger_is_light() -> None:
    """At most as many bytes as a page can spare, beside its stories."""
    rows = [*claims.load(ROOT / "chapters" / "claims.yml")]
    text = Ledger(claims=rows).to_html()
    assert len(text) / len(rows) < 700
    assert len(gzip.compress(text.encode())) < 40_000


def test_a_ledger_of_some_claims() -> None:
    book = registry()
    part = Ledger(book, claims=book.select(network="vgg"), verdict="reported")
    assert [*Page(part.to_html()).rows] == ["", "claim-memory", "claim-rate"]
    assert part.choices["network"] == [["vgg", "VGG (2)"]]
    assert repr(part) == (
        "Ledger(2 claims: 1 agrees once rounded, 1 is reported only)"
    )


@pytest.mark.parametrize(
    ("traits", "sentence"),
    [
        ({"claims": ()}, "needs a claim to show"),
        ({"network": "resnet"}, "network 'resnet'; it is one of alexnet, vgg"),
        ({"verdict": "right"}, "verdict 'right'; it is one of disagrees"),
        ({"source": "notes-3"}, "one of notes-1, notes-2, or '' for all"),
    ],
)
def test_wrong_arguments_get_a_sentence(traits: dict, sentence: str) -> None:
    with pytest.raises((ValueError, TraitError), match=sentence):
        Ledger(registry(), **traits)


# ---- By hand, in a browser ----


def with_kernel(widget: Ledger) -> str:
    """The widget's place where its table comes as a trait."""
    state = {**widget.state(), "_table": widget._table}
    return (
        '<div class="cnn-widget" data-widget="ledger" data-state=\''
        + json.dumps(state).replace("'", "&#39;")
        + "'></div>"
    )


def opened(show, widget: Ledger, kernel: bool, place: str = ""):
    return show(widget, place, with_kernel(widget) if kernel else None)


def shown(page) -> list[str]:
    """The ids of the rows that can be seen."""
    return page.locator(".lg-table tbody tr:visible").evaluate_all(
        "all => all.map(row => row.id.replace('claim-', ''))"
    )


ALL = ["weights", "memory", "size", "rate"]


@pytest.mark.parametrize("kernel", [False, True])
def test_filters_choose(show, kernel: bool) -> None:
    page = opened(show, Ledger(registry()), kernel)
    assert shown(page) == ALL
    page.get_by_label("Network").select_option("alexnet")
    assert shown(page) == ["weights", "size"]
    page.get_by_label("Source").select_option("notes-1")
    assert shown(page) == ["size"]
    page.get_by_role("button", name="Show all").click()
    assert shown(page) == ALL
    page.get_by_label("Verdict").select_option("rounds to")
    assert shown(page) == ["memory"]
    assert page.locator(".lg-words").inner_text() == (
        "1 of 4 claims: 1 agrees once rounded."
    )
    page.get_by_label("Words").fill("nothing like it")
    assert shown(page) == []
    assert "None of the 4 claims fits." in page.locator(".lg").inner_text()
    assert page.get_by_label("Verdict").input_value() == "rounds to"


def test_words_are_searched(show) -> None:
    page = show(Ledger(registry()))
    words = page.get_by_label("Words")
    for asked, found in (
        ("BIASES layer", ["weights"]),
        ("learning notes", ["rate"]),
        ("802,816", ["memory"]),
        ("  ", ALL),
        ("output_size(227", ["size"]),
    ):
        words.fill(asked)
        assert shown(page) == found, asked


def test_the_ledger_by_keyboard(show) -> None:
    page = show(Ledger(registry()))
    press = page.keyboard.press
    press("Tab")
    press("ArrowDown")
    assert page.get_by_label("Network").input_value() == "alexnet"
    assert shown(page) == ["weights", "size"]
    press("Tab")
    press("ArrowDown")
    assert shown(page) == ["weights"]
    press("Tab")
    press("Tab")
    page.keyboard.type("zzz")
    assert shown(page) == []
    press("Tab")
    press("Enter")
    assert shown(page) == ALL
    # the button has nothing left to do; the hand is back at the first filter
    focused = "document.activeElement.closest('label')?.textContent ?? ''"
    assert page.evaluate(focused).startswith("Network")
    for _ in range(4):
        press("Tab")
    assert page.evaluate("document.activeElement.className") == "lg-box"


def test_the_count_is_said_aloud(show) -> None:
    page = show(Ledger(registry()))
    page.get_by_label("Network").select_option("vgg")
    live = page.locator("[aria-live='polite']")
    live.get_by_text("2 of 4 claims: 1 agrees once rounded, 1 is").wait_for(
        state="attached", timeout=3000
    )


@pytest.mark.parametrize("kernel", [False, True])
def test_a_page_opened_at_a_claim_shows_it(show, kernel: bool) -> None:
    widget = Ledger(registry(), network="alexnet")
    page = opened(show, widget, kernel, "#claim-rate")
    page.locator("#claim-rate.lg-here").wait_for()
    assert shown(page) == ALL
    assert page.evaluate("document.activeElement.id") == "claim-rate"


def test_a_link_to_a_claim_clears_the_filters(show) -> None:
    page = show(Ledger(registry()))
    page.set_viewport_size({"width": 375, "height": 240})
    page.get_by_label("Network").select_option("alexnet")
    page.evaluate("location.hash = '#claim-memory'")
    page.locator("#claim-memory.lg-here").wait_for()
    assert shown(page) == ALL
    assert page.locator("#claim-memory").evaluate(
        "row => { const { top, bottom } = row.getBoundingClientRect();"
        " return top < innerHeight && bottom > 0; }"
    )
    # another place in the page is none of the ledger's
    page.get_by_label("Network").select_option("alexnet")
    page.evaluate("location.hash = '#%elsewhere'")
    page.wait_for_timeout(50)
    assert page.locator(".lg-here").count() == 0
    assert shown(page) == ["weights", "size"]


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_it_fits_the_screen(show, width: int) -> None:
    page = show(Ledger(registry()))
    page.set_viewport_size({"width": width, "height": 800})
    wide = "e => e.scrollWidth > e.clientWidth"
    assert not page.locator("html").evaluate(wide)
    assert not page.locator(".lg-box").evaluate(wide)
    cells = page.locator("#claim-weights td")
    tops = {round(cell.bounding_box()["y"]) for cell in cells.all()}
    title = page.locator("#claim-weights th").bounding_box()
    assert len(tops) == 1
    assert (tops.pop() > title["y"] + 40) == (width < 600), "card or row"


def test_without_a_script_nothing_is_cut_off(browser, tmp_path) -> None:
    style = (WIDGETS / "ledger" / "widget.css").read_text("utf-8")
    file = tmp_path / "page.html"
    file.write_text(
        f'<meta charset="utf-8"><style>{style}</style>'
        + Ledger(registry()).to_html(),
        "utf-8",
    )
    for scripts in (True, False):
        context = browser.new_context(
            java_script_enabled=scripts,
            viewport={"width": 900, "height": 100},
        )
        page = context.new_page()
        page.goto(file.as_uri())
        box = page.locator(".lg-box").bounding_box()["height"]
        table = page.locator(".lg-table").bounding_box()["height"]
        assert (box >= table) is not scripts
        context.close()


# ---- Links from chapters ----


def test_chapters_link_to_a_row(tmp_path: Path) -> None:
    import nbformat

    from website.scratch import build, write_book

    cell = nbformat.v4.new_code_cell("Ledger()", execution_count=1)
    cell.outputs = [
        nbformat.v4.new_output(
            "execute_result",
            {"text/html": Ledger(registry()).to_html()},
            execution_count=1,
        )
    ]
    title = nbformat.v4.new_markdown_cell("# Errata")
    notebook = nbformat.v4.new_notebook(cells=[title, cell])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "P"}
    book = write_book(
        tmp_path,
        {
            "intro.md": "# One\n\n[right](errata.ipynb#claim-weights)\n\n"
            "[wrong](errata.ipynb#claim-no)\n",
            "errata.ipynb": nbformat.writes(notebook),
        },
    )
    done = build(book)
    page = (book / "_build" / "html" / "intro.html").read_text("utf-8")
    assert 'href="errata.html#claim-weights"' in page
    said = done.stdout + done.stderr
    assert "claim-no" in said and "claim-weights" not in said
    assert done.returncode != 0


@pytest.mark.parametrize("width", [1280, 375])
def test_the_site_opens_at_a_claim(browser, site_server, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    address = f"{site_server}/chapters/errata.html"
    last = [*claims.load()][-1].id
    page.goto(f"{address}#claim-{last}")
    page.locator("html[data-loaded]").wait_for()
    page.wait_for_timeout(500)
    place = page.locator(".lg-here").bounding_box()
    assert page.locator(".lg-here").get_attribute("id") == f"claim-{last}"
    assert 0 < place["y"] < 900 - place["height"]
    page.goto(f"{address}?#claim-of-nobody")
    page.locator("[data-live]").wait_for()
    assert page.locator(".lg-here").count() == 0
    context.close()
