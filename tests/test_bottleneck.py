"""The bottleneck: equal to the layers of torch, and to its script."""

from __future__ import annotations

import itertools
import json
import random
import re
from functools import cache

import pytest
import torch
from conftest import ROOT
from py_mini_racer import MiniRacer
from test_browser import accessibility
from test_memory_budget import Cells
from torch import nn
from traitlets import TraitError

from cnnbook.anatomy import trace
from cnnbook.widgets import Bottleneck
from cnnbook.widgets import bottleneck as bk
from cnnbook.widgets.bottleneck import Settings

WIDGETS = ROOT / "cnnbook" / "widgets"
CASES = 1500


# ---- What torch counts ----


def layers(settings: Settings) -> tuple[nn.Module, nn.Module]:
    """The layer itself and the bottleneck, as modules."""

    def conv(maps_in: int, maps_out: int, window: int) -> nn.Conv2d:
        return nn.Conv2d(
            maps_in, maps_out, window, padding=window // 2, bias=False
        )

    _, window, maps_in, maps_out, neck, kind = settings
    with torch.device("meta"):
        alone = conv(maps_in, maps_out, window)
        reduce = conv(maps_in, neck, 1)
        if kind == "reduce":
            return alone, nn.Sequential(reduce, conv(neck, maps_out, window))
        return alone, nn.Sequential(
            reduce, conv(neck, neck, window), conv(neck, maps_out, 1)
        )


def counted(settings: Settings) -> list[list[str]]:
    """The numbers of the widget's table, from live layers."""
    size = (settings.maps_in, settings.side, settings.side)
    alone, neck = (trace(net, size) for net in layers(settings))
    lines = [*alone.rows, *neck.rows]
    numbers = [(r.macs, r.parameters, r.activations) for r in lines]
    numbers.append(
        (neck.total_macs, neck.total_parameters, neck.total_activations)
    )
    return [[f"{n:,}" for n in line] for line in numbers]


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(14, 3, 256, 256, 64, "restore"),
        Settings(7, 1, 832, 128, 300),
        Settings(56, 7, 16, 1024, 1, "restore"),
    ],
    ids=str,
)
def test_it_counts_what_torch_counts(settings: Settings) -> None:
    *shown, shares = bk.rows(settings)
    assert [cells[1:] for cells in shown] == counted(settings)
    assert len(shares) == len(bk.HEADS)
    other = settings._replace(neck=settings.neck + 1)
    assert [cells[1:] for cells in shown] != counted(other)


def test_it_says_what_the_chapter_computes() -> None:
    assert [row[1] for row in bk.rows(Settings())] == [
        "120,422,400", "2,408,448", "10,035,200", "12,443,648", "10.3 %",
    ]  # fmt: skip
    resnet = Settings(14, 3, 256, 256, 64, "restore")
    assert bk.weights(resnet) == 69_632
    assert bk.direct(resnet).weights * 2 == 1_179_648


# ---- Python and JavaScript compute the same ----


@cache
def cases() -> list[Settings]:
    draw = random.Random(2014)
    chosen = [
        Settings(
            *(
                draw.randrange(least, most + 1, step)
                for least, most, step in bk.RANGES.values()
            ),
            draw.choice([*bk.KINDS]),
        )
        for _ in range(CASES // 2)
    ]
    # Near the break-even words change.
    near = []
    for case in chosen:
        neck = bk.largest(case) + draw.randint(-1, 1)
        near.append(case._replace(neck=min(max(neck, 1), 512)))
    return chosen + near


@pytest.mark.parametrize("case", cases()[::50], ids=str)
def test_the_widest_neck_pays_and_one_more_does_not(case: Settings) -> None:
    widest, alone = bk.largest(case), bk.direct(case).weights
    assert bk.weights(case._replace(neck=widest)) < alone
    assert bk.weights(case._replace(neck=widest + 1)) >= alone
    assert widest < bk.break_even(case) + 1e-9 <= widest + 1 + 2e-9


def here(case: Settings) -> list:
    return [
        bk.words(case),
        bk.note(case),
        bk.mark(case),
        bk.label(case),
        bk.curve(case),
        bk.rows(case),
    ]


@cache
def ours() -> list:
    """What Python says to all cases, as JSON would hold it."""
    return json.loads(json.dumps([here(case) for case in cases()]))


TWIN = """
const answers = (cases) => JSON.stringify(cases.map((settings) => [
  bkWords(settings), bkNote(settings), bkMark(settings), bkLabel(settings),
  bkCurve(settings), bkRows(settings),
]));
"""


def differences(old: str = "", new: str = "") -> list:
    """The cases on which the two do not agree, one passage changed."""
    source = (WIDGETS / "bottleneck" / "widget.mjs").read_text("utf-8")
    assert source.count(old) == 1 or not old, old
    source = source.replace(old, new) if old else source
    source = re.sub(r"^export default .*$", "", source, flags=re.M)
    with MiniRacer() as engine:
        engine.eval((WIDGETS / "base.mjs").read_text("utf-8"))
        engine.eval(source + TWIN)
        given = [case._asdict() for case in cases()]
        theirs = json.loads(engine.call("answers", given))
    pairs = zip(cases(), ours(), theirs, strict=True)
    return [(case, our, their) for case, our, their in pairs if our != their]


def test_both_languages_agree() -> None:
    assert len(set(cases())) >= 1000
    assert differences() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("weights: window ** 2 *", "weights: window *"),
        ("bkLayer(window, neck, neck)", "bkLayer(1, neck, neck)"),
        (">= most", "> most"),
        ("here < there", "here <= there"),
        ("(2000 * part + whole)", "(2000 * part)"),
        ("Math.floor(10 * number + 0.5)", "Math.floor(10 * number)"),
        ("(ends + area * neck)", "(ends + neck)"),
        ("Math.max(1.25 * even, settings.neck)", "1.25 * even"),
        ("grouped(pixels * maps)", "grouped(maps)"),
    ],
)
def test_a_wrong_script_is_found(old: str, new: str) -> None:
    assert differences(old, new)


def test_the_cases_hold_what_pays_and_what_does_not() -> None:
    for verdict in ("It pays", "It does not pay"):
        said = [bk.words(case).startswith(verdict) for case in cases()]
        assert 100 < sum(said) < len(said) - 100


# ---- In words ----


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "It pays: 12,443,648 multiplications, 10.3 % of the direct "
             "layer's 120,422,400. The break-even lies at 154.8 maps; up to "
             "154 pay."),
        ({"neck": 155}, "It does not pay: 120,547,840 multiplications, "),
        ({"window": 1, "maps_out": 192, "neck": 96},
         "It does not pay: 28,901,376 multiplications, 100.0 % of "),
        ({"window": 1, "maps_out": 192}, "at 96.0 maps; up to 95 pay."),
    ],
)  # fmt: skip
def test_it_says_what_pays(changes: dict, sentence: str) -> None:
    assert sentence in bk.words(Settings(**changes))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"kind": "two"}, "no kind 'two'; try 'reduce', 'restore'"),
        ({"window": 4}, "window from 1 to 7 in steps of 2, not 4"),
        ({"maps_in": 0}, "maps_in from 16 to 1024 in steps of 16, not 0"),
        ({"neck": 513}, "neck from 1 to 512, not 513"),
    ],
)
def test_wrong_settings_get_a_sentence(settings, sentence) -> None:
    with pytest.raises((ValueError, TraitError), match=sentence):
        Bottleneck(**settings)


# ---- What stands in the page without a script ----


def test_the_picture_says_it_all() -> None:
    widget = Bottleneck(neck=155)
    page = widget.to_html()
    assert Cells(page).rows == [[*bk.HEADS], *bk.rows(widget._settings)]
    verdict, rest = bk.words(widget._settings).split(": ")
    assert f"<strong>{verdict}</strong>: {rest}</p>" in page
    assert 'data-pays="false"' in page
    state = re.search(r"data-state='([^']*)'", page)
    assert json.loads(state[1]) == widget.state()
    assert widget.largest == 154 < widget.break_even < 155


def test_the_curve_meets_the_layer_at_the_break_even() -> None:
    for settings in (Settings(), Settings(neck=400), Settings(kind="restore")):
        drawn = bk.curve(settings)
        spans = itertools.pairwise(drawn["points"])
        (x0, y0), (x1, y1) = next(
            span for span in spans if span[1][0] >= drawn["even"]
        )
        part = (drawn["even"] - x0) / (x1 - x0)
        met = y0 + part * (y1 - y0)
        assert met == pytest.approx(drawn["level"], abs=0.5)
        assert drawn["even"] + drawn["over"] == pytest.approx(100, abs=0.01)


def test_the_widget_is_the_same_on_every_run() -> None:
    one, other = Bottleneck(neck=24), Bottleneck(neck=24)
    assert one.to_html() == other.to_html()
    assert repr(one) == repr(other)
    assert repr(one).startswith("Bottleneck(side=28, window=5, maps_in=192")


# ---- By hand, in a browser ----


def cells_of(page) -> list[list[str]]:
    return page.locator(".bk-table tr").evaluate_all(
        "all => all.map(row => [...row.cells].map(c => c.textContent))"
    )


SHAPES = ".bk-plot :is(line, rect, circle, path, text)"
PLACES = """
all => all.map(node => [...node.attributes]
  .filter(a => /^([xyd]|[xy][12]|c[xy]|width|text-anchor)$/.test(a.name))
  .map(a => `${a.name}=${a.value}`).sort())
"""


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(14, 3, 256, 256, 300, "restore")],
    ids=str,
)
def test_the_script_draws_what_stood_there(show, settings) -> None:
    widget = Bottleneck(**settings._asdict())
    page = show(widget)
    assert cells_of(page) == [[*bk.HEADS], *bk.rows(settings)]
    assert page.locator(".bk-words").inner_text() == bk.words(settings)
    assert page.locator("figcaption").inner_text() == bk.note(settings)
    alive = page.locator(SHAPES).evaluate_all(PLACES)
    page.set_content(bk.picture(settings))
    assert alive == page.locator(SHAPES).evaluate_all(PLACES)
    page.set_content(bk.picture(settings._replace(neck=200)))
    assert alive != page.locator(SHAPES).evaluate_all(PLACES)


def test_the_bottleneck_by_mouse(show) -> None:
    page = show(Bottleneck())
    words = page.locator(".bk-words")
    page.get_by_role("button", name="widest neck").click()
    assert words.inner_text() == bk.words(Settings(neck=154))
    kind = page.get_by_role("combobox", name="Bottleneck")
    kind.select_option("restore")
    settings = Settings(neck=154, kind="restore")
    assert words.inner_text() == bk.words(settings)
    assert page.locator("figure[data-pays=false]").count() == 1
    assert len(cells_of(page)) == 7


def test_the_bottleneck_by_keyboard(show) -> None:
    page = show(Bottleneck())
    words = page.locator(".bk-words")
    page.get_by_role("slider", name="Neck").press("ArrowRight")
    assert words.inner_text() == bk.words(Settings(neck=17))
    window = page.get_by_role("slider", name="Window")
    window.press("Home")
    assert window.get_attribute("aria-valuetext") == "1 × 1"
    assert words.inner_text() == bk.words(Settings(neck=17, window=1))
    page.get_by_role("slider", name="Maps out").press("End")
    settings = Settings(neck=17, window=1, maps_out=1024)
    assert words.inner_text() == bk.words(settings)
    page.get_by_role("slider", name="Neck").press("End")
    page.locator("[aria-live=polite]").get_by_text("It does not pay").wait_for(
        state="attached", timeout=3000
    )


def test_axe_is_silent(show) -> None:
    page = show(Bottleneck())
    assert accessibility(page, ".cnn-widget") == []
    slider = page.get_by_role("slider", name="Neck")
    slider.evaluate("input => input.closest('label').after(input)")
    assert "label" in accessibility(page, ".cnn-widget")[0]


def test_a_thumb_finds_every_control(show) -> None:
    page = show(
        Bottleneck(maps_in=1024, maps_out=1024, side=56, neck=512),
        has_touch=True,
        is_mobile=True,
        viewport={"width": 320, "height": 700},
    )
    small = page.locator(
        ".cnn-widget :is(button, input, select)"
    ).evaluate_all(
        "all => all.map(c => c.getBoundingClientRect())"
        ".filter(box => Math.min(box.width, box.height) < 44).length"
    )
    assert small == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
