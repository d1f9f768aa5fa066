"""The ImageNet years: the registry's rows, read, drawn, stepped through."""

from __future__ import annotations

import json
import random
import re
from functools import cache

import pytest
from conftest import ROOT
from py_mini_racer import MiniRacer
from test_browser import accessibility
from traitlets import TraitError

from cnnbook import claims
from cnnbook.widgets import ImageNetYears
from cnnbook.widgets import imagenet_years as iy

WIDGETS = ROOT / "cnnbook" / "widgets"
CASES = 1000
NETWORKS = {
    "AlexNet": {
        "year": 2012,
        "parameters": 60_965_224,
        "macs": 724_406_816,
        "activations": 1_266_952,
        "time": 70,
    },
    "VGG-19": {
        "year": 2014,
        "parameters": 143_667_240,
        "macs": 19_632_062_464,
        "activations": 16_399_848,
        "time": 807,
    },
    "GoogLeNet": {
        "year": 2014,
        "parameters": 6_998_552,
        "macs": 1_582_671_872,
        "activations": 5_448_472,
        "time": 154.6,
    },
}
CLAIMS = {
    "AlexNet": ["krizhevsky2012-error-one", "krizhevsky2012-error-seven-test"],
    "VGG-19": ["simonyan2015-error-e-top-5", "simonyan2015-error-two"],
    "GoogLeNet": ["szegedy2015-error-1-10", "szegedy2015-error"],
}


@cache
def registry() -> claims.Registry:
    return claims.load()


def years(**traits) -> ImageNetYears:
    return ImageNetYears(NETWORKS, CLAIMS, registry(), **traits)


# ---- The registry's rows, read ----


@pytest.mark.parametrize(
    ("id", "error", "images", "nets", "crops"),
    [
        ("krizhevsky2012-error-one", 18.2, "validation", 1, 10),
        ("krizhevsky2012-error-seven-test", 15.3, "test", 7, 10),
        ("simonyan2015-error-two", 6.8, "test", 2, 0),
        ("simonyan2015-error-d-best-top-5", 7.2, "validation", 1, 0),
        ("szegedy2015-error-1-1", 10.07, "validation", 1, 1),
        ("szegedy2015-error", 6.67, "test", 7, 144),
        ("he2016-error-ensemble", 3.57, "test", 6, 0),
    ],
)
def test_a_claim_is_taken_apart(id, error, images, nets, crops) -> None:
    found = iy.result("Net", registry()[id], "They, 2012")
    assert found["error"] == error
    assert (found["set"], found["nets"], found["crops"]) == (
        images,
        nets,
        crops,
    )
    assert found["where"] == f"They, 2012, {registry()[id].place}"


def test_every_top_5_error_of_the_registry_can_be_read() -> None:
    errors = [
        claim
        for claim in registry()
        if claim.verdict == "reported"
        and claim.claim.startswith("top-5 error")
        and not claim.source.startswith("notes")
    ]
    assert len(errors) > 35
    for claim in errors:
        found = iy.result("Net", claim, "")
        assert iy.BOTTOM < found["error"] < iy.TOP
        several = "ensemble" in found["how"]
        assert (found["nets"] > 1) == several, claim.id


@pytest.mark.parametrize("id", ["krizhevsky2012-side", "he2016-conv1-size"])
def test_what_is_no_error_on_images_is_refused(id) -> None:
    with pytest.raises(ValueError, match="is no error on validation"):
        iy.result("Net", registry()[id], "")


# ---- Python and JavaScript compute the same ----


@cache
def cases() -> list[list]:
    """Random networks and results, what is drawn of them, what selected."""
    draw = random.Random(2012)
    found = []
    for _ in range(CASES):
        names = [f"Net-{n}" for n in range(draw.randint(1, 9))]
        draw.shuffle(names)

        def cost() -> int:
            return round(10 ** draw.uniform(0, draw.choice([3, 11])))

        networks = {
            name: {
                "year": draw.randint(2009, 2018),
                "parameters": cost(),
                "macs": cost(),
                "activations": cost(),
                "time": draw.choice([draw.randint(1, 999), 1.5, 72.9]),
            }
            for name in names
        }
        results = [
            {
                "network": draw.choice(names),
                "claim": f"claim-{n}",
                "error": round(draw.uniform(iy.BOTTOM, iy.TOP), 2),
                "set": draw.choice(["validation", "test"]),
                "nets": draw.choice([1, 1, 2, 7]),
                "colour": "blue",
                "crops": draw.choice([0, 1, 10, 10, 144]),
                "how": draw.choice(["test, single net", "validation"]),
                "where": "They, 2012",
            }
            for n in range(draw.randint(0, 20))
        ]
        chosen = [one["claim"] for one in results] + ["", "elsewhere"]
        found.append(
            [
                {"networks": networks, "results": results},
                draw.choice([*iy.MEASURES]),
                draw.choice([*iy.SHOWS]),
                draw.choice(chosen),
            ]
        )
    return found


def here(data: dict, x: str, show: str, selected: str) -> list:
    return [
        iy.shown(data, show),
        iy.ticks(data, x),
        [iy.column(data, x, one["network"]) for one in data["results"]],
        [iy.height(one["error"]) for one in data["results"]],
        iy.walk(data, x, show),
        iy.named(data, x, show),
        iy.sentence(data, show, selected),
    ]


@cache
def ours() -> list:
    """What Python says to all cases, as JSON would hold it."""
    return json.loads(json.dumps([here(*case) for case in cases()]))


TWIN = """
const answers = (cases) => JSON.stringify(cases.map(
  ([data, x, show, selected]) => [
    iyShown(data, show),
    iyTicks(data, x),
    data.results.map((one) => iyColumn(data, x, one.network)),
    data.results.map((one) => iyHeight(one.error)),
    iyWalk(data, x, show),
    iyNamed(data, x, show),
    iySentence(data, show, selected),
  ]));
"""


def differences(old: str = "", new: str = "") -> list:
    """The cases on which the two do not agree, one passage changed."""
    source = (WIDGETS / "imagenet_years" / "widget.mjs").read_text("utf-8")
    assert source.count(old) == 1 or not old, old
    source = source.replace(old, new) if old else source
    source = re.sub(r"^export default .*$", "", source, flags=re.M)
    with MiniRacer() as engine:
        engine.eval((WIDGETS / "base.mjs").read_text("utf-8"))
        engine.eval(source + TWIN)
        theirs = json.loads(engine.call("answers", cases()))
    pairs = zip(cases(), ours(), theirs, strict=True)
    return [(case, our, their) for case, our, their in pairs if our != their]


def test_both_languages_agree() -> None:
    assert len(cases()) >= 1000
    assert differences() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("nets === 1 && crops === 10", "crops === 10"),
        ('(nets === 1) === (show === "single")', "nets === 1"),
        ("least - 0.5", "least"),
        ("IY_EDGE * (high - low) || 0.5", "IY_EDGE * (high - low)"),
        ("0.7 * ((same", "0.6 * ((same"),
        ("Math.floor(10000 * share + 0.5)", "Math.floor(10000 * share)"),
        ("[1, 2, 5]", "[1, 2, 4]"),
        ("marks.length > 7", "marks.length > 9"),
        ("number / unit)}", "number / unit)} "),
        ("(IY_TOP - error)", "(error - IY_BOTTOM)"),
        ("a - d || b - e", "a - d || e - b"),
        ("error > data.results[top]", "error < data.results[top]"),
        ('right ? "end"', 'left ? "end"'),
        ("b.error < a.error", "b.error > a.error"),
        ("passes <= 1", "passes < 1"),
    ],
)
def test_a_wrong_script_is_found(old: str, new: str) -> None:
    assert differences(old, new)


def test_the_cases_hold_every_kind_of_answer() -> None:
    said = [iy.sentence(case[0], *case[2:]) for case in cases()]
    for part in ("No result", "The lowest error", "passes make", "One pass"):
        assert 20 < sum(part in text for text in said) < CASES - 20, part


# ---- In words, and where things stand ----


def test_it_tells_what_an_error_cost() -> None:
    data = years().data
    assert iy.sentence(data, "all", "szegedy2015-error") == (
        "GoogLeNet, 2014: 6.67 % top-5 error (test, ensemble of seven, 144 "
        "crops). One pass of one network: 6,998,552 parameters, "
        "1,582,671,872 MACs, 5,448,472 activations, 154.6 times LeNet-5's "
        "time. 7 × 144 = 1,008 passes make the answer to one image."
    )
    assert iy.sentence(data, "alike", "") == (
        "2 of 6 results. The lowest error shown is 9.15 % (GoogLeNet; "
        "validation, single net, ten crops)."
    )
    single = iy.sentence(data, "all", "simonyan2015-error-e-top-5")
    assert single.endswith("807 times LeNet-5's time.")


def test_networks_of_a_year_stand_side_by_side() -> None:
    data = years().data
    left = {name: iy.column(data, "year", name) for name in NETWORKS}
    assert left["AlexNet"] < left["VGG-19"] < left["GoogLeNet"]
    marks = dict((said, at) for at, said in iy.ticks(data, "year"))
    assert marks["2012"] == left["AlexNet"]
    middle = (left["VGG-19"] + left["GoogLeNet"]) / 2
    assert middle == pytest.approx(marks["2014"], abs=0.01)


def test_ten_times_as_much_is_always_as_far() -> None:
    marks = dict((said, at) for at, said in iy.ticks(years().data, "macs"))
    assert list(marks) == ["1G", "2G", "5G", "10G", "20G"]
    decade = marks["10G"] - marks["1G"]
    assert marks["20G"] - marks["2G"] == pytest.approx(decade, abs=0.02)


# ---- What stands in the page without a script ----


def test_the_page_has_every_result_with_its_row() -> None:
    widget = years(selected="szegedy2015-error", x="time")
    page = widget.to_html()
    for ids in CLAIMS.values():
        for id in ids:
            assert f'href="errata.html#claim-{id}"' in page
    assert page.count('class="iy-mark') == 6
    assert page.count("iy-on") == 1
    assert iy.sentence(widget.data, "all", "szegedy2015-error") in page
    state = re.search(r"data-state='([^']*)'", page)
    assert json.loads(state[1].replace("&#39;", "'")) == widget.state()
    assert len(years(show="alike").to_html()) < len(page)
    assert years(show="alike").to_html().count('class="iy-mark') == 2


def test_it_is_the_same_on_every_run() -> None:
    assert years().to_html() == years().to_html()
    assert repr(years(x="year")) == (
        "ImageNetYears(6 results, x='year', show='all', selected='')"
    )


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        ({"x": "flops"}, "no x 'flops'; try 'year', 'parameters'"),
        ({"show": "best"}, "no show 'best'; try 'all', 'single'"),
        ({"selected": "lecun1998-error"}, "has the claim 'lecun1998-error'"),
    ],
)
def test_wrong_choices_get_a_sentence(traits: dict, words: str) -> None:
    with pytest.raises((ValueError, TraitError), match=words):
        years(**traits)


def test_a_network_without_costs_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match="Nothing is counted for ZFNet"):
        ImageNetYears(NETWORKS, {"ZFNet": ["zeiler2014-error"]}, registry())


# ---- By hand, in a browser ----


def texts(page, place: str) -> list[str]:
    return page.locator(place).all_text_contents()


def middle(page, claim: str) -> tuple[float, float]:
    """Where a result's mark is, on the screen."""
    widget = years()
    one = next(r for r in widget.data["results"] if r["claim"] == claim)
    box = page.locator(".iy-chart").bounding_box()
    x = page.get_by_role("combobox", name="Across").input_value()
    left = iy.column(widget.data, x, one["network"])
    top = iy.height(one["error"])
    return (
        box["x"] + box["width"] * left / 100,
        box["y"] + box["height"] * top / 100,
    )


@pytest.mark.parametrize("x", iy.MEASURES)
def test_the_script_draws_what_stood_there(show, x) -> None:
    widget = years(x=x, selected="szegedy2015-error")
    still = re.search(r"<svg class=\"iy-chart.*?</svg>", widget.to_html())[0]
    page = show(widget)
    drawn = texts(page, ".iy-chart text")
    assert sorted(drawn) == sorted(re.findall(r"<text[^>]*>([^<]*)<", still))
    places = page.locator(".iy-chart circle").evaluate_all(
        "all => all.map(c => [c.getAttribute('cx'), c.getAttribute('cy')])"
    )
    pairs = re.findall(r'<circle[^>]* cx="([^"]*)" cy="([^"]*)"', still)
    assert sorted(map(tuple, places)) == sorted(pairs)
    assert page.locator(".iy-mark.iy-on").count() == 1
    words = iy.sentence(widget.data, "all", "szegedy2015-error")
    assert page.locator(".iy-words p").first.inner_text() == words


def test_a_mark_is_found_by_mouse(show) -> None:
    page = show(years())
    link = page.locator(".iy-where a")
    assert link.count() == 0
    page.mouse.move(*middle(page, "simonyan2015-error-two"))
    assert "VGG-19, 2014: 6.8 %" in page.locator(".iy-words").inner_text()
    assert link.get_attribute("href") == (
        "errata.html#claim-simonyan2015-error-two"
    )
    lit = page.locator(".iy-table .iy-on")
    assert lit.get_attribute("data-claim") == "simonyan2015-error-two"
    page.mouse.move(5, 5)
    assert "6.8 %" in page.locator(".iy-words").inner_text()
    page.get_by_role("combobox", name="Across").select_option("year")
    page.mouse.move(*middle(page, "krizhevsky2012-error-one"))
    assert "18.2 %" in page.locator(".iy-words").inner_text()


def test_a_mark_is_found_by_touch(show) -> None:
    page = show(
        years(),
        has_touch=True,
        is_mobile=True,
        viewport={"width": 375, "height": 700},
    )
    page.locator(".iy-chart").scroll_into_view_if_needed()
    x, y = middle(page, "szegedy2015-error")
    page.touchscreen.tap(x + 12, y + 12)
    assert "GoogLeNet, 2014: 6.67 %" in page.locator(".iy-words").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_results_are_walked_by_keyboard(show) -> None:
    page = show(years())
    steps = page.get_by_role("slider")
    order = iy.walk(years().data, "macs", "all")
    words = page.locator(".iy-words")
    for i in order:
        steps.press("ArrowRight")
        one = years().data["results"][i]
        said = f"{one['network']}, {one['error']:g} %"
        assert steps.get_attribute("aria-valuetext") == said
        assert one["how"] in words.inner_text()
    steps.press("ArrowRight")
    assert steps.get_attribute("aria-valuetext") == said
    steps.press("Home")
    assert "The lowest error" in words.inner_text()
    page.locator("[aria-live=polite]").get_by_text("lowest error").wait_for(
        state="attached", timeout=3000
    )


def test_what_is_not_shown_is_in_neither_picture_nor_table(show) -> None:
    page = show(years())
    page.get_by_role("slider").press("ArrowRight")
    for kind in iy.SHOWS:
        page.get_by_role("combobox", name="Show").select_option(kind)
        count = len(iy.shown(years().data, kind))
        assert page.locator(".iy-mark").count() == count
        assert page.locator(".iy-table tbody tr:visible").count() == count
        assert page.get_by_role("slider").get_attribute("max") == str(count)
    page.get_by_role("combobox", name="Show").select_option("ensembles")
    page.get_by_role("slider").press("Home")
    page.get_by_role("slider").press("ArrowRight")
    page.get_by_role("combobox", name="Show").select_option("single")
    assert page.get_by_role("slider").input_value() == "0"
    assert "The lowest" in page.locator(".iy-words").inner_text()


def test_axe_is_silent_and_would_not_be(show) -> None:
    page = show(years(selected="szegedy2015-error"))
    assert accessibility(page, ".cnn-widget") == []
    slider = page.locator("input[type=range]")
    slider.evaluate("input => input.closest('label').after(input)")
    assert "label" in accessibility(page, ".cnn-widget")[0]
