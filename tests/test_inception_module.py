"""GoogLeNet's module: equal to the layers of torch, and to its script."""

from __future__ import annotations

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
from cnnbook.nets import googlenet
from cnnbook.nets.googlenet import TABLE
from cnnbook.nets.inception import Inception
from cnnbook.widgets import InceptionModule
from cnnbook.widgets import inception_module as inc
from cnnbook.widgets.inception_module import Settings

WIDGETS = ROOT / "cnnbook" / "widgets"
CASES = 1500
NAIVE = Settings(kind="naive")


# ---- What torch counts ----


class Naive(nn.Module):
    """The module before anybody reduced it."""

    def __init__(self, maps_in: int, n1: int, n3: int, n5: int) -> None:
        super().__init__()
        self.b1 = nn.Conv2d(maps_in, n1, 1, bias=False)
        self.b3 = nn.Conv2d(maps_in, n3, 3, padding=1, bias=False)
        self.b5 = nn.Conv2d(maps_in, n5, 5, padding=2, bias=False)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = [self.b1(x), self.b3(x), self.b5(x), self.pool(x)]
        return torch.cat(branches, dim=1)


def plain(maps_in: int, maps: int, window: int, padding: int = 0):
    """A convolution alone, as the counts mean it."""
    return nn.Conv2d(maps_in, maps, window, padding=padding, bias=False)


def counted(settings: Settings) -> list[list[str]]:
    """The numbers of the widget's first five rows, from live layers."""
    with torch.device("meta"):
        if settings.kind == "naive":
            _, maps, n1, _, n3, _, n5, *_ = settings
            net = Naive(maps, n1, n3, n5)
        else:
            net = Inception(settings.maps_in, settings[2:8], plain)
    size = (settings.maps_in, settings.side, settings.side)
    anatomy = trace(net, size)
    found = []
    for branch in ("b1", "b3", "b5", "pool"):
        rows = [row for row in anatomy.rows if row.name.startswith(branch)]
        parameters, macs = (
            sum(getattr(row, what) for row in rows)
            for what in ("parameters", "macs")
        )
        found.append([rows[-1].output_shape[0], parameters, macs])
    maps = net(torch.empty(1, *size, device="meta")).shape[1]
    found.append([maps, anatomy.total_parameters, anatomy.total_macs])
    return [[f"{n:,}" for n in line] for line in found]


@pytest.mark.parametrize(
    "settings",
    [
        *(Settings(*given) for given in inc.MODULES.values()),
        NAIVE,
        Settings(7, 1024, 8, 384, 8, 8, 128, 8, "naive"),
        Settings(56, 16, 384, 8, 8, 128, 8, 128),
    ],
    ids=str,
)
def test_it_counts_what_torch_counts(settings: Settings) -> None:
    shown = [cells[1:] for cells in inc.rows(settings)]
    assert shown[:5] == counted(settings)
    assert shown[5][:2] == [
        f"{inc.maps_out(inc.other(settings)):,}",
        f"{inc.weights(inc.other(settings)):,}",
    ]
    wider = settings._replace(n1=settings.n1 + 8)
    assert shown[:5] != counted(wider)


def test_the_nine_modules_are_those_of_the_network() -> None:
    seen = {}
    with torch.device("meta"):
        net = googlenet().eval()
        for name in TABLE:
            net.get_submodule(f"inception{name}").register_forward_hook(
                lambda _, given, out, name=name: seen.update(
                    {name: (given[0].shape[1:], out.shape[1:])}
                )
            )
        net(torch.empty(1, 3, 224, 224))
    assert list(inc.MODULES) == list(seen)
    for name, given in inc.MODULES.items():
        settings = Settings(*given)
        side, maps_in, *widths = given
        assert tuple(widths) == TABLE[name]
        assert seen[name] == (
            (maps_in, side, side),
            (inc.maps_out(settings), side, side),
        )
        assert inc.module(settings) == name
        assert not inc.module(settings._replace(p=120))


def test_it_says_what_the_chapter_computes() -> None:
    assert inc.weights(Settings()) == 163_328
    assert inc.maps_out(Settings()) == 256
    assert inc.weights(NAIVE) == 387_072
    assert inc.maps_out(NAIVE) == 416
    assert [row[3] for row in inc.rows(Settings())][-3:] == [
        "128,049,152", "303,464,448", "42.2 %",
    ]  # fmt: skip


# ---- Python and JavaScript compute the same ----


@cache
def cases() -> list[Settings]:
    draw = random.Random(2014)
    return [
        *(Settings(*given) for given in inc.MODULES.values()),
        *(
            Settings(
                *(
                    draw.randrange(least, most + 1, step)
                    for least, most, step in inc.RANGES.values()
                ),
                draw.choice([*inc.KINDS]),
            )
            for _ in range(CASES)
        ),
    ]


def here(case: Settings) -> list:
    return [
        inc.words(case),
        inc.note(case),
        inc.label(case),
        inc.module(case),
        inc.scheme(case),
        inc.rows(case),
    ]


@cache
def ours() -> list:
    """What Python says to all cases, as JSON would hold it."""
    return json.loads(json.dumps([here(case) for case in cases()]))


TWIN = """
const answers = (modules, cases) => JSON.stringify(cases.map((settings) => [
  incWords(settings), incNote(settings), incLabel(settings),
  incModule(modules, settings), incScheme(settings), incRows(settings),
]));
"""


def differences(old: str = "", new: str = "") -> list:
    """The cases on which the two do not agree, one passage changed."""
    source = (WIDGETS / "inception_module" / "widget.mjs").read_text("utf-8")
    assert source.count(old) == 1 or not old, old
    source = source.replace(old, new) if old else source
    source = re.sub(r"^export default .*$", "", source, flags=re.M)
    with MiniRacer() as engine:
        engine.eval((WIDGETS / "base.mjs").read_text("utf-8"))
        engine.eval(source + TWIN)
        given = [case._asdict() for case in cases()]
        theirs = json.loads(engine.call("answers", inc.MODULES, given))
    pairs = zip(cases(), ours(), theirs, strict=True)
    return [(case, our, their) for case, our, their in pairs if our != their]


def test_both_languages_agree() -> None:
    assert len(set(cases())) >= 1000
    assert differences() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("weights: window ** 2 *", "weights: window *"),
        ("incConv(5, r5, n5)", "incConv(5, r3, n5)"),
        ("[pool, incConv(1, maps_in, p)]", "[pool]"),
        ("(2000 * part + whole)", "(2000 * part)"),
        ("Math.floor(100 * number + 0.5)", "Math.floor(100 * number)"),
        ("start += maps;", "start = maps;"),
        ("INC_ROWS.at(i - way.length)", "INC_ROWS[i]"),
        ("found ? found[0]", 'found ? ""'),
        ("ways.indexOf(Math.max", "ways.lastIndexOf(Math.min"),
        ("grouped(pixels * weights)", "grouped(weights)"),
    ],
)
def test_a_wrong_script_is_found(old: str, new: str) -> None:
    assert differences(old, new)


def test_the_cases_hold_every_branch_and_both_kinds() -> None:
    said = [inc.words(case) for case in cases()]
    for name in inc.NAMES[:3]:
        assert sum(f"in the {name} branch" in text for text in said) > 20
    for kind in inc.KINDS:
        assert sum(f"of the {kind} module" in text for text in said) > 500


# ---- In words ----


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "28 × 28 × 256 out: 128,049,152 multiplications, 42.2 % of the "
             "naive module's 303,464,448. Most are in the 3 × 3 branch, "
             "79.0 %. The naive module would put out 416 maps."),
        ({"kind": "naive"}, "28 × 28 × 416 out: 303,464,448 multiplications, "
                            "237.0 % of the reduced module's"),
        ({"n5": 128, "r5": 128}, "Most are in the 5 × 5 branch"),
    ],
)  # fmt: skip
def test_it_says_what_comes_out(changes: dict, sentence: str) -> None:
    assert sentence in inc.words(Settings(**changes))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"kind": "wide"}, "no kind 'wide'; try 'reduced', 'naive'"),
        ({"n1": 60}, "n1 from 8 to 384 in steps of 8, not 60"),
        ({"maps_in": 0}, "maps_in from 16 to 1024 in steps of 16, not 0"),
        ({"p": 136}, "p from 8 to 128 in steps of 8, not 136"),
    ],
)
def test_wrong_settings_get_a_sentence(settings, sentence) -> None:
    with pytest.raises((ValueError, TraitError), match=sentence):
        InceptionModule(**settings)


# ---- What stands in the page without a script ----


@pytest.mark.parametrize("settings", [Settings(), NAIVE], ids=str)
def test_the_picture_says_it_all(settings: Settings) -> None:
    widget = InceptionModule(**settings._asdict())
    page = widget.to_html()
    assert Cells(page).rows == [[*inc.HEADS], *inc.rows(settings)]
    verdict, rest = inc.words(settings).split(": ")
    assert f"<strong>{verdict}</strong>: {rest}</p>" in page
    state = re.search(r"data-state='([^']*)'", page)
    assert json.loads(state[1]) == widget.state()
    assert widget.weights == inc.weights(settings)
    assert widget.maps_out == inc.maps_out(settings)


@pytest.mark.parametrize("case", cases()[::100], ids=str)
def test_the_parts_of_the_bar_fill_it(case: Settings) -> None:
    parts = inc.scheme(case)["parts"]
    assert sum(width for _, _, width, _ in parts) == pytest.approx(
        100, abs=0.03
    )
    assert sum(maps for *_, maps in parts) == inc.maps_out(case)
    for _, x, width, maps in parts:
        assert width == pytest.approx(
            100 * maps / inc.maps_out(case), abs=0.01
        )
        assert x + width < 100.03


def test_the_widget_is_the_same_on_every_run() -> None:
    one, other = InceptionModule(n1=24), InceptionModule(n1=24)
    assert one.to_html() == other.to_html()
    assert repr(one) == repr(other)
    assert repr(one).startswith("InceptionModule(side=28, maps_in=192, n1=24")


# ---- By hand, in a browser ----


def cells_of(page) -> list[list[str]]:
    return page.locator(".inc-table tr").evaluate_all(
        "all => all.map(row => [...row.cells].map(c => c.textContent))"
    )


SHAPES = ".inc-flow :is(line, rect, text)"
PLACES = """
all => all.map(node => [...node.attributes]
  .filter(a => /^([xy]|[xy][12]|width|height|text-anchor)$/.test(a.name))
  .map(a => `${a.name}=${a.value}`).sort().concat(node.textContent))
"""


@pytest.mark.parametrize(
    "settings",
    [Settings(), NAIVE, Settings(7, 1024, 8, 384, 384, 8, 128, 8)],
    ids=str,
)
def test_the_script_draws_what_stood_there(show, settings) -> None:
    widget = InceptionModule(**settings._asdict())
    page = show(widget)
    assert cells_of(page) == [[*inc.HEADS], *inc.rows(settings)]
    assert page.locator(".inc-words").inner_text() == inc.words(settings)
    assert page.locator("figcaption").inner_text() == inc.note(settings)
    alive = page.locator(SHAPES).evaluate_all(PLACES)
    page.set_content(inc.picture(settings))
    assert alive == page.locator(SHAPES).evaluate_all(PLACES)
    page.set_content(inc.picture(settings._replace(p=64)))
    other = page.locator(SHAPES).evaluate_all(PLACES)
    assert (alive != other) == (settings.kind == "reduced")


def test_the_module_by_mouse(show) -> None:
    page = show(InceptionModule())
    words = page.locator(".inc-words")
    table1 = page.get_by_role("combobox", name="Module of Table 1")
    assert table1.input_value() == "3a"
    table1.select_option("5b")
    settings = Settings(*inc.MODULES["5b"])
    assert words.inner_text() == inc.words(settings)
    page.get_by_role("combobox", name="Kind").select_option("naive")
    settings = settings._replace(kind="naive")
    assert words.inner_text() == inc.words(settings)
    assert page.get_by_role("slider", name="1 × 1 before 3 × 3").is_disabled()
    assert page.locator(".inc-box").count() == 4


def test_the_module_by_keyboard(show) -> None:
    page = show(InceptionModule())
    words = page.locator(".inc-words")
    page.get_by_role("slider", name="1 × 1 before 5 × 5").press("ArrowRight")
    assert words.inner_text() == inc.words(Settings(r5=24))
    table1 = page.get_by_role("combobox", name="Module of Table 1")
    assert table1.input_value() == ""
    size = page.get_by_role("slider", name="Size of the maps")
    size.press("Home")
    assert size.get_attribute("aria-valuetext") == "7 × 7"
    assert words.inner_text() == inc.words(Settings(side=7, r5=24))
    page.get_by_role("slider", name="Maps in").press("End")
    settings = Settings(side=7, maps_in=1024, r5=24)
    assert words.inner_text() == inc.words(settings)
    page.locator("[aria-live=polite]").get_by_text("7 × 7 × 256 out").wait_for(
        state="attached", timeout=3000
    )


def test_axe_is_silent(show) -> None:
    page = show(InceptionModule())
    assert accessibility(page, ".cnn-widget") == []
    slider = page.get_by_role("slider", name="Maps in")
    slider.evaluate("input => input.closest('label').after(input)")
    assert "label" in accessibility(page, ".cnn-widget")[0]


def test_a_thumb_finds_every_control(show) -> None:
    page = show(
        InceptionModule(side=56, maps_in=1024, kind="naive"),
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
