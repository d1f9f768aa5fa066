"""What transfers: the recorded result, and the widget that shows it."""

from __future__ import annotations

import copy
import json
import random
import re
import statistics
from functools import cache

import pytest
from conftest import ROOT
from py_mini_racer import MiniRacer
from test_browser import accessibility

from cnnbook.widgets import TransferGrid
from cnnbook.widgets import transfer_grid as tg

RESULT = ROOT / "results" / "transfer-grid.json"
WIDGETS = ROOT / "cnnbook" / "widgets"
CASES = 1000


@cache
def recorded() -> dict:
    return json.loads(RESULT.read_text("utf-8"))


# ---- The record ----

AXES = {
    "grid": {"source": 5, "frozen": 5, "examples": 6},
    "longer": {"examples": 6},
    "probes": {"source": 5, "depth": 5, "examples": 6},
    "rates": {"source": 4, "ratio": 6, "examples": 4},
    "rehearsal": {"source": 3, "kept": 2, "examples": 3},
    "sources": {"source": 4},
}
"""What is varied in each part, and how many values it takes."""


def faults(record: dict) -> list[str]:
    """Everything wrong with the recorded result."""
    wrong = [
        f"no {name}"
        for name in ("command", "date", "data", "protocol", "versions")
        if not record.get(name)
    ]
    seeds = record["seeds"]
    if len(seeds) < 3 or len(set(seeds)) < len(seeds):
        wrong.append("fewer than three seeds")
    for part, axes in AXES.items():
        cells = record[part]
        places = {tuple(cell[axis] for axis in axes) for cell in cells}
        expected = 1
        for axis, count in axes.items():
            values = {cell[axis] for cell in cells}
            if len(values) != count:
                wrong.append(f"{part}: {len(values)} values of {axis}")
            expected *= count
        if len(places) != expected or len(cells) != expected:
            wrong.append(f"{part}: not every cell once")
        for cell in cells:
            lists = {k: v for k, v in cell.items() if isinstance(v, list)}
            for name, values in lists.items():
                if len(values) != len(seeds):
                    wrong.append(f"{part}: a seed is missing")
                if not all(0 <= value <= 1 for value in values):
                    wrong.append(f"{part}: not a share")
                mean, std = statistics.mean(values), statistics.stdev(values)
                if abs(cell[f"{name}_mean"] - mean) > 1e-4:
                    wrong.append(f"{part}: a mean is not the mean")
                if abs(cell[f"{name}_std"] - std) > 1e-4:
                    wrong.append(f"{part}: a deviation is not one")
            if "error" not in lists:
                wrong.append(f"{part}: no error")
    return wrong


def test_the_record_is_complete_and_adds_up() -> None:
    assert recorded()["name"] == RESULT.stem
    assert faults(recorded()) == []


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda r: r.pop("command"), "no command"),
        (lambda r: r.update(seeds=[0, 0, 1, 2, 3]), "three seeds"),
        (lambda r: r["grid"].pop(), "not every cell"),
        (lambda r: r["grid"].append(r["grid"][0]), "not every cell"),
        (lambda r: r["probes"][3].update(depth=9), "values of depth"),
        (lambda r: r["rates"][0]["error"].pop(), "a seed is missing"),
        (lambda r: r["grid"][7].update(error_mean=0.5), "not the mean"),
        (lambda r: r["grid"][7].update(error_std=0.5), "not one"),
        (lambda r: r["longer"][0]["error"].__setitem__(0, 7), "a share"),
        (lambda r: r["sources"][0].pop("error"), "no error"),
    ],
)
def test_a_spoilt_record_is_noticed(spoil, word) -> None:
    record = copy.deepcopy(recorded())
    spoil(record)
    assert any(word in fault for fault in faults(record))


def test_two_ways_to_the_same_cell_agree() -> None:
    """A tenth of the head's rate is the grid's own: nothing is frozen."""
    grid = {
        (cell["source"], cell["examples"]): cell
        for cell in recorded()["grid"]
        if cell["frozen"] == 0
    }
    again = [cell for cell in recorded()["rates"] if cell["ratio"] == 0.1]
    assert len(again) == 16
    for cell in again:
        other = grid[cell["source"], cell["examples"]]
        for what in ("error", "source_error"):
            assert cell[what] == other[what]
    others = [cell for cell in recorded()["rates"] if cell["ratio"] == 0.3]
    assert any(
        cell["error"] != grid[cell["source"], cell["examples"]]["error"]
        for cell in others
    )


# ---- Python and JavaScript write the same ----


def invented(draw: random.Random) -> dict:
    """A small grid of random errors, with ties and extremes."""
    counts = sorted(draw.sample(range(1, 500), draw.randint(2, 6)))
    spread = draw.choice([20, 600, 9900])

    def pair() -> list[int]:
        return [draw.randint(0, spread) + draw.choice([0, 100]),
                draw.randint(0, 400)]  # fmt: skip

    def grid() -> list:
        return [[pair() for _ in counts] for _ in range(5)]

    return {
        "examples": counts,
        "seeds": draw.randint(3, 5),
        "sources": [
            {
                "key": key,
                "name": name,
                "errors": grid(),
                "before": pair() if key != "none" else None,
                "after": grid() if key != "none" else None,
            }
            for key, name in tg.NAMES.items()
        ],
    }


@cache
def cases() -> list[list]:
    draw = random.Random(5)
    chosen = []
    for _ in range(CASES):
        data = invented(draw)
        chosen.append(
            [
                data,
                draw.choice(list(tg.NAMES)),
                draw.randrange(5),
                draw.choice(data["examples"]),
            ]
        )
    return chosen


@cache
def ours() -> list[list[str]]:
    return [
        [write(*case) for write in (tg.sentence, tg.table, tg.curves)]
        for case in cases()
    ]


def differences(old: str = "", new: str = "") -> int:
    """On how many cases the two do not agree, one passage changed."""
    some = slice(CASES // 8 if old else CASES)
    source = (WIDGETS / "transfer_grid" / "widget.mjs").read_text("utf-8")
    assert source.count(old) == 1 or not old, old
    source = source.replace(old, new) if old else source
    source = re.sub(r"^export default .*$", "", source, flags=re.M)
    with MiniRacer() as engine:
        engine.eval((WIDGETS / "base.mjs").read_text("utf-8"))
        engine.eval(
            f"{source}\nconst answers = (cases) => cases.map((c) => "
            "[tgSentence(...c), tgTable(...c), tgCurves(...c)]);"
        )
        theirs = json.loads(
            engine.eval(
                f"JSON.stringify(answers({json.dumps(cases()[some])}))"
            )
        )
    pairs = zip(ours()[some], theirs, strict=True)
    return sum(our != their for our, their in pairs)


def test_both_languages_agree() -> None:
    assert differences() == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(error + 5) / 10", "error / 10"),
        ("< errors[row][column][0]", "<= errors[row][column][0]"),
        ("<= mean + std)", "< mean + std)"),
        ("frozen === 4", "frozen > 2"),
        ('examples > 1 ? "s"', 'examples > 9 ? "s"'),
        ("near === 1", "near < 2"),
        ("errors[0][column][0];", "errors[1][column][0];"),
        ("row === frozen &&", ""),
        ("Math.min(45,", "Math.min(46,"),
        ("Math.log(most / least)", "Math.log(most)"),
        ("y(mean - std)", "y(mean)"),
        ("[...others, ...chosen]", "places"),
    ],
)
def test_a_wrong_script_is_found(old: str, new: str) -> None:
    assert differences(old, new)


def test_the_cases_hold_every_turn_of_phrase() -> None:
    said = [texts[0] for texts in ours()]
    for part in ("No other depth", "Better here", "; no others", "; 1 other "):
        assert 10 < sum(part in text for text in said) < CASES, part


# ---- What it says and shows ----


def plain(depths: list[int], spread: int = 0) -> dict:
    """A grid with one number of examples and these errors."""
    errors = [[[error, spread]] for error in depths]
    return {
        "examples": [3],
        "seeds": 3,
        "sources": [
            {"key": key, "name": name, "errors": errors}
            | {"before": None, "after": None}
            for key, name in tg.NAMES.items()
        ],
    }


def test_it_says_what_is_best_and_what_ties() -> None:
    data = plain([500, 300, 330, 331, 900], spread=30)
    assert tg.best(data["sources"][0]["errors"], 0) == 1
    assert tg.ties(data["sources"][0]["errors"], 0) == 1
    said = tg.sentence(data, "digits", 3, 3)
    assert said == (
        "Printed digits, 3 blocks frozen, 3 examples of each digit: 3.3 ± "
        "0.3 % wrong, over 3 seeds. Better here: 1 block frozen, 3.0 %; 1 "
        "other within its spread. From scratch it is 5.0 %."
    )
    assert "No other depth is better here" in tg.sentence(data, "none", 1, 3)
    assert "scratch" not in tg.sentence(data, "none", 1, 3)


@pytest.mark.parametrize(
    ("error", "text"), [(0, "0.0"), (4, "0.0"), (5, "0.1"), (1234, "12.3"),
                        (1235, "12.4"), (8000, "80.0")]
)  # fmt: skip
def test_hundredths_are_rounded(error: int, text: str) -> None:
    assert tg.percent(error) == text


def test_the_packed_data_are_the_record() -> None:
    data = TransferGrid(recorded()).data
    for cell in recorded()["grid"]:
        one = next(
            one for one in data["sources"] if one["key"] == cell["source"]
        )
        column = data["examples"].index(cell["examples"])
        mean, std = one["errors"][cell["frozen"]][column]
        assert mean / 1e4 == pytest.approx(cell["error_mean"], abs=1e-4)
        assert std / 1e4 == pytest.approx(cell["error_std"], abs=1e-4)
        if one["after"]:
            after, _ = one["after"][cell["frozen"]][column]
            expected = cell["source_error_mean"]
            assert after / 1e4 == pytest.approx(expected, abs=1e-4)


def test_the_picture_says_it_all() -> None:
    widget = TransferGrid(recorded(), source="hand", frozen=1, examples=30)
    page = widget.to_html()
    assert (
        page
        == TransferGrid(
            recorded(), source="hand", frozen=1, examples=30
        ).to_html()
    )
    assert repr(widget) == "TransferGrid('hand', frozen=1, examples=30)"
    mean, std = widget.error
    assert f"{100 * mean:.1f}<small> ± {100 * std:.1f}</small>" in page
    assert page.count("★ ") == 1 + len(widget.data["examples"])
    assert page.count('aria-current="true"') == 1
    state = re.search(r"data-state='([^']*)'", page)
    assert json.loads(state[1]) == widget.state()
    assert len(page) < 40_000


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"source": "mars"}, "no source 'mars'; try 'hand', 'digits'"),
        ({"frozen": 5}, "no frozen 5; try 0, 1, 2, 3, 4"),
        ({"examples": 2}, "no examples 2; try 1, 3, 10"),
    ],
)
def test_wrong_choices_get_a_sentence(choice, sentence) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        TransferGrid(recorded(), **choice)
    text = str(error.value)
    assert text.endswith(".") and ". " not in text


# ---- By hand, in a browser ----


@pytest.fixture
def shown(show):
    """Open the grid on a page of its own, as the site does."""

    def opened(**options):
        return show(
            TransferGrid(recorded(), source="digits", frozen=3), **options
        )

    return opened


def test_by_mouse_and_by_keyboard(shown) -> None:
    page = shown()
    data = TransferGrid(recorded()).data
    words = page.locator("figcaption")
    assert words.inner_text() == tg.sentence(data, "digits", 3, 10)
    page.get_by_role("combobox", name="Source").select_option("stripes")
    assert words.inner_text() == tg.sentence(data, "stripes", 3, 10)
    page.get_by_role("slider", name="Blocks frozen").press("Home")
    assert words.inner_text() == tg.sentence(data, "stripes", 0, 10)
    examples = page.get_by_role("slider", name="Examples")
    examples.press("ArrowRight")
    assert words.inner_text() == tg.sentence(data, "stripes", 0, 30)
    assert examples.get_attribute("aria-valuetext") == "30"
    page.locator("td[data-row='2'][data-count='100']").click()
    assert words.inner_text() == tg.sentence(data, "stripes", 2, 100)
    assert page.locator(".tg-chosen.tg-3").count() == 1
    examples.press("ArrowLeft")
    marked = page.locator("td[aria-current]")
    assert marked.evaluate_all(
        "all => all.map(cell => [cell.dataset.row, cell.dataset.count])"
    ) == [["2", "30"]]
    again = TransferGrid(recorded(), source="stripes", frozen=2, examples=30)
    at = re.search(r'class="tg-at" x1="([^"]+)"', again.to_html())
    assert page.locator(".tg-at").get_attribute("x1") == at[1]
    said = page.locator("[aria-live=polite]").get_by_text("2 blocks frozen")
    said.wait_for(state="attached", timeout=3000)


def test_it_fits_a_phone_and_axe_is_silent(shown) -> None:
    for scheme in ("light", "dark"):
        page = shown(
            has_touch=True,
            is_mobile=True,
            color_scheme=scheme,
            viewport={"width": 320, "height": 700},
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        small = page.locator(".cnn-widget :is(input, select)").evaluate_all(
            "all => all.map(c => c.getBoundingClientRect())"
            ".filter(box => Math.min(box.width, box.height) < 44).length"
        )
        assert small == 0
        assert accessibility(page) == []


def test_without_a_script_the_picture_stands(shown) -> None:
    page = shown(java_script_enabled=False)
    assert page.locator(".tg-table td").count() == 30
    assert page.locator(".tg-curves g").count() == 5
