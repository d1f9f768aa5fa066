"""Two networks side by side: alignment, figures, script, hands."""

from __future__ import annotations

import gzip
import json
import random
import re
from functools import cache
from html.parser import HTMLParser

import pytest
import torch
from conftest import ROOT
from py_mini_racer import MiniRacer
from test_browser import accessibility
from traitlets import TraitError

from cnnbook.anatomy import Anatomy, trace
from cnnbook.nets import alexnet, cifar_resnet, resnet, vgg, zfnet
from cnnbook.widgets import AnatomyCompare
from cnnbook.widgets import anatomy_compare as ac

WIDGETS = ROOT / "cnnbook" / "widgets"
CASES = 1000


@cache
def packed() -> dict:
    """The six networks of VGG's Table 1, as the widget holds them."""
    return AnatomyCompare().data


def traced(net, size: tuple[int, ...]) -> Anatomy:
    return trace(net.eval(), size)


@cache
def resnets() -> dict[str, Anatomy]:
    with torch.device("meta"):
        return {
            f"ResNet-{depth}": traced(resnet(depth), (3, 224, 224))
            for depth in (50, 152)
        }


# ---- Rows ----


def fares(left: str, right: str, show: str = "layers") -> dict[str, str]:
    rows = ac.items(packed(), left, right, show)
    return {row["name"]: row["fares"] for row in rows}


def test_layers_of_one_name_stand_in_one_row():
    rows = fares("A", "E")
    assert list(rows)[:4] == ["conv1_1", "conv1_2", "pool1", "conv2_1"]
    assert [n for n, how in rows.items() if how == "right"] == [
        *("conv1_2", "conv2_2", "conv3_3", "conv3_4"),
        *("conv4_3", "conv4_4", "conv5_3", "conv5_4"),
    ]
    assert {how for how in rows.values()} == {"same", "right"}
    assert fares("D", "A-LRN")["norm1"] == "right"
    assert fares("A-LRN", "A")["norm1"] == "left"
    assert set(fares("B", "B").values()) == {"same"}


def test_a_one_by_one_layer_differs_from_a_three_by_three():
    rows = ac.items(packed(), "C", "D", "differences")
    assert [row["name"] for row in rows] == ["conv3_3", "conv4_3", "conv5_3"]
    assert {row["fares"] for row in rows} == {"differs"}
    assert [rows[0][side]["what"] for side in ("left", "right")] == [
        "conv 1×1",
        "conv 3×3",
    ]


@pytest.mark.parametrize("name", ["A", "A-LRN", "B", "C", "D", "E"])
def test_the_figures_are_those_of_the_live_network(name):
    with torch.device("meta"):
        anatomy = traced(vgg(name), (3, 224, 224))
    assert ac.totals(packed(), name) == {
        "parameters": anatomy.total_parameters,
        "activations": anatomy.total_activations,
        "macs": anatomy.total_macs,
    }
    for show in ("layers", "blocks"):
        rows = ac.items(packed(), name, "B", show)
        for measure, total in ac.totals(packed(), name).items():
            shown = [row["left"][measure] for row in rows if row["left"]]
            assert sum(shown) == total


def test_a_block_is_what_reads_maps_of_one_size():
    rows = ac.items(packed(), "A", "D", "blocks")
    assert [row["name"] for row in rows] == [
        *(f"at {side}×{side}" for side in (224, 112, 56, 28, 14)),
        "vectors",
    ]
    assert [row["fares"] for row in rows] == ["differs"] * 5 + ["same"]
    assert rows[2]["right"]["what"] == "4 layers"
    assert rows[5]["left"]["parameters"] == 123_642_856


def test_blocks_of_nested_networks_are_their_parts():
    widget = AnatomyCompare(resnets())
    assert (widget.show, AnatomyCompare().show) == ("blocks", "layers")
    rows = ac.items(widget.data, widget.left, widget.right, "blocks")
    assert [row["name"] for row in rows] == [
        *("conv1 to pool1", "stage2", "stage3", "stage4", "stage5", "fc"),
    ]
    how = [row["fares"] for row in rows]
    assert how == ["same", "same", "differs", "differs", "same", "same"]


def test_networks_of_other_order_still_share_their_names():
    with torch.device("meta"):
        networks = {
            "AlexNet": traced(alexnet(), (3, 227, 227)),
            "ZFNet": traced(zfnet(), (3, 224, 224)),
        }
    data = AnatomyCompare(networks).data
    rows = ac.items(data, "AlexNet", "ZFNet", "layers")
    names = [row["name"] for row in rows]
    assert names == [row.name for row in networks["AlexNet"].rows if (
        row.parameters or row.activations or row.macs
    )]  # fmt: skip
    how = {row["name"]: row["fares"] for row in rows}
    assert (how["conv1"], how["conv2"], how["fc7"]) == (
        *("differs", "differs", "same"),
    )


def test_padding_and_stride_are_named_where_they_are_not_usual():
    kinds = {
        "Conv2d 3×3, padding 1": "conv 3×3",
        "Conv2d 3×3": "conv 3×3",
        "Conv2d 5×5, padding 1": "conv 5×5, padding 1",
        "Conv2d 3×3, stride 2, padding 1": "conv 3×3, stride 2, padding 1",
        "Conv2d 5×5, padding 2, groups 2": "conv 5×5, groups 2",
        "MaxPool2d 2×2, stride 2": "max pool 2×2",
        "MaxPool2d 3×3, stride 2, ceil": "max pool 3×3, stride 2, ceil",
        "Linear ": "dense",
    }
    row = trace(torch.nn.Linear(2, 2), (2,)).rows[0]
    for given, said in kinds.items():
        kind, _, window = given.partition(" ")
        made = {**vars(row), "kind": kind, "window": window}
        assert ac._what(type(row)(**made)) == said


# ---- Words ----


def test_it_says_what_differs():
    assert ac.sentence(packed(), "A", "D") == (
        "A beside D: 16 layers are the same, 5 only in D. D has 5,494,208 "
        "more parameters (+4.1 %), 6,121,472 more activations (+68.3 %) and "
        "7,861,174,272 more MACs (+103.3 %)."
    )
    assert ac.sentence(packed(), "C", "D").endswith(
        "(+3.5 %), as many activations and 3,699,376,128 more MACs (+31.4 %)."
    )
    rows = ac.items(packed(), "A", "D", "differences")
    assert ac.about(rows[0], "A", "D") == (
        "conv1_2 is only in D: conv 3×3 to 64×224×224, 36,928 parameters, "
        "3,211,264 activations, 1,849,688,064 MACs."
    )


@pytest.mark.parametrize(
    ("left", "right", "change", "percent"),
    [
        (0, 5, "+5", ""),
        (7, 7, "0", ""),
        (2000, 1, "−1,999", "−100.0 %"),
        (1_000_000, 1_000_400, "+400", "+< 0.1 %"),
        (1_000, 1_000_000, "+999,000", "+99,900.0 %"),
    ],
)
def test_changes_are_written_with_their_sign(left, right, change, percent):
    assert ac.change(left, right) == change
    assert ac.percent(left, right) == percent


# ---- Python and JavaScript compute the same ----


@cache
def cases() -> list[dict]:
    """Random networks that share some of their layers."""
    draw = random.Random(11)
    found = []
    for _ in range(CASES):
        count = draw.randint(1, 25)
        blocks = sorted(draw.randrange(4) for _ in range(count))
        networks = {}
        for name in ("A", "B", "C"):
            here = draw.sample(range(count), draw.randint(1, count))
            networks[name] = [
                [
                    place,
                    draw.randrange(2),
                    draw.randrange(2),
                    *(
                        draw.choice([0, 3, draw.randint(1, 10**10)])
                        for _ in "pam"
                    ),
                ]
                for place in sorted(here)
            ]
        data = {
            "places": [[f"layer{i}", block] for i, block in enumerate(blocks)],
            "blocks": [f"at {b}" for b in range(4)],
            "kinds": ["conv 3×3", "max pool 2×2"],
            "shapes": ["8×4×4", "10"],
            "networks": networks,
        }  # fmt: skip
        left, right = draw.choice("ABC"), draw.choice("ABC")
        found.append(
            {
                "data": data,
                "left": left,
                "right": right,
                "show": draw.choice(list(ac.SHOWS)),
                "measure": draw.choice(list(ac.MEASURES)),
                "selected": draw.randrange(-1, count),
            }
        )
    return found


TWIN = """
const answers = (cases) => JSON.stringify(cases.map((c) => {
  const items = acItems(c.data, c.left, c.right, c.show);
  const totals = [c.left, c.right].map((name) => acTotals(c.data, name));
  const [one, other] = totals.map((sums) => sums[c.measure]);
  return [
    items,
    totals,
    acSentence(c.data, c.left, c.right),
    items.map((item) => acAbout(item, c.left, c.right)),
    acPlaceOf(items, c.selected),
    acBars(c.data, c.left, c.right, c.measure),
    [acChange(one, other), acPercent(one, other), acShort(one)],
  ];
}));
"""


def here(case: dict) -> list:
    data, left, right = case["data"], case["left"], case["right"]
    rows = ac.items(data, left, right, case["show"])
    sums = [ac.totals(data, name) for name in (left, right)]
    one, other = (total[case["measure"]] for total in sums)
    return [
        rows,
        sums,
        ac.sentence(data, left, right),
        [ac.about(row, left, right) for row in rows],
        ac.place_of(rows, case["selected"]),
        ac.bars(data, left, right, case["measure"]),
        [ac.change(one, other), ac.percent(one, other), ac.short(one)],
    ]


@cache
def ours() -> list:
    return json.loads(json.dumps([here(case) for case in cases()]))


def differences(old: str = "", new: str = "") -> list:
    """The cases on which the two do not agree, one passage changed."""
    path = WIDGETS / "anatomy_compare" / "widget.mjs"
    source = path.read_text("utf-8")
    assert source.count(old) == 1 or not old, old
    source = source.replace(old, new) if old else source
    source = re.sub(r"^export default .*$", "", source, flags=re.M)
    with MiniRacer() as engine:
        engine.eval((WIDGETS / "base.mjs").read_text("utf-8"))
        engine.eval(source + TWIN)
        theirs = json.loads(engine.call("answers", cases()))
    pairs = zip(cases(), ours(), theirs, strict=True)
    return [(case, our, their) for case, our, their in pairs if our != their]


def test_both_languages_agree():
    assert differences() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('fares === "same" && !alike', "!alike"),
        ("there.at(-1).shape", "there[0].shape"),
        ('fares !== "same");', 'fares === "differs");'),
        ("there.length === 1", "there.length === 2"),
        ("(2000 * change + left)", "(2000 * change)"),
        ("(20 * number + size)", "(20 * number)"),
        ("first <= selected", "first < selected"),
        ("b > a ?", "a > b ?"),
        ("pairs.flat()", "pairs[0]"),
        ('if (!left) return "right";', 'if (!left) return "left";'),
    ],
)
def test_a_wrong_script_is_found(old, new):
    assert differences(old, new)


def test_the_cases_hold_every_fate():
    said = " ".join(
        row["fares"]
        for case in cases()
        for row in ac.items(
            case["data"], case["left"], case["right"], "layers"
        )
    )
    for how in ac.SIGNS:
        assert said.count(how) > 100


# ---- What stands in the page without a script ----


class Cells(HTMLParser):
    """The rows of a table, as texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("th", "td")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


def test_a_stands_beside_d_at_first():
    page = AnatomyCompare().to_html()
    head, *rows, total = Cells(page).rows
    assert head == ["Layer", "A", "D", "Change"]
    assert rows[0] == ["at 224×224"]
    assert rows[1] == [
        "= conv1_1",
        "1,792 conv 3×3 → 64×224×224",
        "1,792 conv 3×3 → 64×224×224",
        "0",
    ]
    assert rows[2] == [
        "+ conv1_2",
        "–",
        "36,928 conv 3×3 → 64×224×224",
        "+36,928",
    ]
    assert total == [
        "in all", "132,863,336", "138,357,544", "+5,494,208 +4.1 %",
    ]  # fmt: skip
    changes = [
        int(row[3].replace(",", "").replace("−", "-"))
        for row in rows
        if len(row) == 4
    ]
    assert sum(changes) == 5_494_208
    assert page.count('class="ac-bar') == 2 * 6
    assert ac.sentence(packed(), "A", "D") in page


def test_the_state_is_small():
    assert len(json.dumps(AnatomyCompare().state())) < 6_000
    large = AnatomyCompare(resnets())
    assert len(json.dumps(large.state())) < 23_000
    for widget in (AnatomyCompare(), large):
        assert len(gzip.compress(widget.to_html().encode())) < 5_000


def test_the_widget_is_the_same_on_every_run():
    one, other = AnatomyCompare(), AnatomyCompare()
    assert one.to_html() == other.to_html()
    assert repr(one) == ("AnatomyCompare(A beside D; of A, A-LRN, B, C, D, E)")


def test_names_cannot_break_the_page():
    with torch.device("meta"):
        anatomy = traced(cifar_resnet(8), (3, 32, 32))
    page = AnatomyCompare({"<b>'": anatomy, '"&': anatomy}).to_html()
    assert "<b>" not in page
    state = re.search(r"data-state='([^']*)'", page)
    assert "&#39;" in state[1] and "&amp;" in state[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("A", "D"), "takes anatomies by name; try AnatomyCompare"),
        (({"one": vgg, "other": vgg},), "takes anatomies by name; try"),
        (({},), "takes two networks or more, not 0; add one to compare"),
        ((None, "A", "F"), "no network 'F' to compare; try 'A', 'A-LRN', 'B'"),
        ((None, ""), "no network '' to compare"),
    ],
)
def test_wrong_arguments_get_a_sentence(arguments, sentence):
    with pytest.raises((TypeError, ValueError), match=re.escape(sentence)):
        AnatomyCompare(*arguments)


def test_wrong_traits_get_a_sentence():
    widget = AnatomyCompare()
    with pytest.raises(ValueError, match="no place 25; they are 0 to 24"):
        widget.selected = 25
    with pytest.raises(TraitError):
        widget.show = "rows"


# ---- By hand, in a browser ----


def rows_of(page) -> list[list[str]]:
    return page.locator(".ac-table tr").evaluate_all(
        "all => all.map(row => [...row.cells].map(c => c.textContent))"
    )


@pytest.mark.parametrize(
    "traits",
    [
        {},
        {"left": "C", "right": "D", "show": "differences", "measure": "macs"},
        {"left": "E", "right": "A-LRN", "show": "blocks", "selected": 9},
    ],
)
def test_the_script_draws_what_stood_there(show, traits):
    widget = AnatomyCompare(**traits)
    page = show(widget)
    assert rows_of(page) == Cells(widget.to_html()).rows
    still = re.search(r'class="ac-words">([^<]*)<', widget.to_html())[1]
    assert page.locator(".ac-words").inner_text() == still
    drawn = page.locator(".ac-chart > *").evaluate_all(
        "all => all.map(n => n.textContent || n.getAttribute('height'))"
    )
    stood = re.findall(
        r'<(?:rect|text)[^>]*?(?: height="([\d.]+%)"[^>]*/>|>([^<]*)<)',
        widget.to_html(),
    )
    assert drawn == [height or text for height, text in stood]


def test_two_are_chosen_by_keyboard(show):
    page = show(AnatomyCompare())
    words = page.locator(".ac-words")
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    assert words.inner_text() == ac.sentence(packed(), "E", "D")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert words.inner_text() == ac.sentence(packed(), "E", "A")
    page.get_by_role("button", name="Swap").press("Enter")
    assert words.inner_text() == ac.sentence(packed(), "A", "E")
    assert page.get_by_role("combobox", name="beside").input_value() == "E"
    slider = page.get_by_role("slider", name="Layer")
    slider.press("ArrowRight")
    assert words.inner_text().startswith("conv1_2 is only in E: conv 3×3")
    assert slider.get_attribute("aria-valuetext") == "conv1_2"
    lit = page.locator(".ac-on")
    assert lit.count() == 1 and "conv1_2" in lit.inner_text()
    page.keyboard.press("Escape")
    assert lit.count() == 0
    slider.press("End")
    assert "fc8 is the same in both" in words.inner_text()
    box = page.locator(".ac-box")
    assert box.evaluate("b => b.scrollTop > 0")
    page.locator("[aria-live=polite]").get_by_text("fc8").wait_for(
        state="attached", timeout=3000
    )


def test_rows_and_measures_are_chosen_by_mouse(show):
    page = show(AnatomyCompare())
    page.get_by_label("Measure").select_option("macs")
    page.get_by_label("Show").select_option("differences")
    assert len(page.locator(".ac-table tbody tr:not(.ac-block)").all()) == 5
    assert "15,470,264,320" in page.locator("tfoot").inner_text()
    row = page.locator(".ac-table tr.ac-right").last
    row.click()
    words = page.locator(".ac-words")
    assert words.inner_text().startswith("conv5_3 is only in D")
    row.click()
    assert words.inner_text() == ac.sentence(packed(), "A", "D")
    page.get_by_label("Network").select_option("D")
    page.get_by_label("Show").select_option("blocks")
    assert page.locator(".ac-table tbody tr.ac-same").count() == 6


def test_differences_do_not_need_colour(show):
    page = show(AnatomyCompare(left="C", right="E"))
    rows = page.locator(".ac-table tbody tr:not(.ac-block)")
    for row in rows.all():
        how = row.get_attribute("class").removeprefix("ac-")
        name = row.locator("th")
        assert name.inner_text().startswith(ac.SIGNS[how])
        bold = name.evaluate("n => getComputedStyle(n).fontWeight")
        assert (bold == "600") == (how != "same")
    fills = page.locator(".ac-bar").evaluate_all(
        "all => all.map(b => getComputedStyle(b).fillOpacity)"
    )
    assert len(set(fills[::2])) == len(set(fills[1::2])) == 1
    assert fills[0] != fills[1]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(show, theme):
    page = show(AnatomyCompare(left="C", selected=3))
    page.evaluate(
        "theme => { document.documentElement.setAttribute('theme', theme);"
        "const ground = { light: '#fff', dark: '#14181d' };"
        "document.body.style.background = ground[theme]; }",
        theme,
    )
    assert accessibility(page, ".cnn-widget") == []
    page.get_by_label("Show").select_option("blocks")
    assert accessibility(page, ".cnn-widget") == []
    page.locator("input").evaluate("i => i.closest('label').after(i)")
    assert "label" in accessibility(page, ".cnn-widget")[0]


def test_it_fits_a_phone(show):
    page = show(
        AnatomyCompare(measure="macs"),
        has_touch=True,
        is_mobile=True,
        viewport={"width": 375, "height": 700},
    )
    small = page.locator(
        ".cnn-widget :is(button, input, select)"
    ).evaluate_all(
        "all => all.map(c => c.getBoundingClientRect())"
        ".filter(box => Math.min(box.width, box.height) < 44).length"
    )
    assert small == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    inside = page.locator(".ac-box").evaluate(
        "b => b.scrollWidth <= b.clientWidth"
    )
    assert inside
    cut = page.locator(".ac-table :is(th, td)").evaluate_all(
        "all => all.filter(c => c.scrollWidth > c.clientWidth + 1).length"
    )
    assert cut == 0
