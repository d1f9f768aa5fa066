"""The picture of the front page: counted, from the registry, and current."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from html import unescape

import pytest
from conftest import ROOT
from traitlets import TraitError

from cnnbook import claims, lineage
from cnnbook.widgets import Lineage
from cnnbook.widgets.lineage import SIDE, VIEWS, Network, brief, overview

FILE = ROOT / "website/assets/lineage.html"
KNOWN = {
    "LeNet-5": (1998, 5, 60_000, 0.95),
    "AlexNet": (2012, 8, 60_965_224, 18.2),
    "ZFNet": (2013, 8, 62_357_608, 16.5),
    "NiN": (2013, 12, 7_595_176, None),
    "VGG-16": (2014, 16, 138_357_544, 9.33),
    "GoogLeNet": (2014, 22, 6_998_552, 9.15),
    "ResNet-152": (2015, 152, 60_192_808, 5.71),
}


@cache
def networks() -> list[Network]:
    return lineage.lineage()


def picture(**traits) -> str:
    return Lineage(networks(), **traits).to_html()


def faults(page: str) -> list[str]:
    """Say where a picture is not drawn to the scale of the networks."""
    rows = re.findall(r'<li class="ln-net.*?</li>', page, re.DOTALL)
    found = [] if len(rows) == len(networks()) else ["rows are missing"]
    largest = max(net.parameters for net in networks())
    for net, row in zip(networks(), rows, strict=False):
        drawn = dict(re.findall(r"--(\w+):([\d.]+)", row))
        counted = {
            "error": 10 * (net.percent or 0),
            "depth": net.layers,
            "parameters": net.parameters / 1e6,
            "arithmetic": net.macs / 1e8,
        }
        for view, strokes in counted.items():
            if float(drawn[view]) != pytest.approx(strokes, abs=1e-3):
                found.append(f"{net.name}: {view}")
        side = float(re.search(r'<rect .*? width="([\d.]+)"', row)[1])
        if side != pytest.approx(
            SIDE * (net.parameters / largest) ** 0.5, abs=0.006
        ):
            found.append(f"{net.name}: square")
    return found


# ---- The figures ----


def test_the_counts_arrive_at_the_known_ones() -> None:
    found = {
        net.name: (net.year, net.layers, net.parameters, net.percent)
        for net in networks()
    }
    assert found == KNOWN


def test_a_stroke_a_unit_and_an_area_a_count() -> None:
    assert faults(picture()) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("--depth:152", "--depth:151", "ResNet-152: depth"),
        ("--error:182", "--error:153", "AlexNet: error"),
        ('width="44.00"', 'width="42.00"', "VGG-16: square"),
        ('<li class="ln-net ln-other"', "<li", "rows are missing"),
    ],
)
def test_a_wrong_picture_is_found(old: str, new: str, fault: str) -> None:
    assert old in picture()
    assert fault in faults(picture().replace(old, new))


def test_errors_are_found_alike_or_the_picture_says_so() -> None:
    caption = re.search(r"<figcaption.*?</figcaption>", picture())[0]
    for net in networks():
        if not net.comparable:
            assert net.percent is None or "another test" in picture()
            continue
        how = set(net.error.qualifiers)
        assert {"validation", "single net"} <= how, net.name
        if "ten crops" not in how:
            assert f"{net.name}'s paper names no crops" in caption
        for quality in how:
            if quality.startswith("tested by"):
                assert f"{net.name} was {quality}" in caption
    assert caption.count("names no crops") == 1


def test_the_words_hold_for_the_figures() -> None:
    said = overview(networks())
    assert "AlexNet gets 182 wrong" in said["error"]
    assert "ResNet-152 57." in said["error"]
    assert "From 5 layers to 152" in said["depth"]
    assert "VGG-16 has 20 times GoogLeNet's" in said["parameters"]
    assert "1.4 times as often as ResNet-152" in said["arithmetic"]
    nets = {net.name: net for net in networks()}
    alex, res = nets["AlexNet"], nets["ResNet-152"]
    assert res.parameters < alex.parameters


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (60_000, "60 thousand"),
        (415_680, "416 thousand"),
        (6_998_552, "7 million"),
        (138_357_544, "138 million"),
        (15_470_264_320, "15.5 billion"),
    ],
)
def test_a_count_is_said_briefly(number: int, said: str) -> None:
    assert brief(number) == said


# ---- What stands in the page ----


def test_the_file_is_what_the_tool_draws() -> None:
    command = "python -m cnnbook.lineage > website/assets/lineage.html"
    assert FILE.read_text("utf-8") == lineage.picture(), f"run {command}"


def test_every_row_is_a_door_and_a_row_of_the_table() -> None:
    page = picture()
    doors = re.findall(r'<li class="ln-net.*?href="([^"]*)"', page)
    assert doors == [f"chapters/{net.chapter}.html" for net in networks()]
    for net in networks():
        assert (ROOT / f"chapters/{net.chapter}.ipynb").is_file()
        row = re.search(rf'<tr><th scope="row">{net.name}<.*?</tr>', page)[0]
        for figure in (net.year, net.layers):
            assert f"<td>{figure}</td>" in row
        for figure in (net.parameters, net.macs):
            assert f"<td>{figure:,}</td>" in row
        if net.error:
            assert f"errata.html#claim-{net.error.id}" in row
            assert unescape(", ".join(net.error.qualifiers)) in row


def test_it_keeps_its_state_and_is_the_same_on_every_run() -> None:
    page = picture(view="depth", selected="vgg")
    assert page == picture(view="depth", selected="vgg")
    state = re.search(r"data-state='([^']*)'", page)[1]
    assert json.loads(state) == {"view": "depth", "selected": "vgg"}
    assert page.count("ln-on") == 1
    assert 'value="depth" checked' in page
    assert repr(Lineage(networks())) == (
        "Lineage(7 networks, view='error', selected='')"
    )


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        ({"view": "flops"}, "no view 'flops'; try 'error', 'depth'"),
        ({"selected": "inception"}, "no selected 'inception'; try ''"),
    ],
)
def test_wrong_choices_get_a_sentence(traits: dict, words: str) -> None:
    with pytest.raises((ValueError, TraitError), match=words):
        Lineage(networks(), **traits)


def test_a_picture_without_errors_gets_a_sentence() -> None:
    digits = [replace(net, error=None) for net in networks()]
    with pytest.raises(ValueError, match="needs a network with an error"):
        Lineage(digits)


def test_every_error_is_the_registrys() -> None:
    registry = claims.load()
    for net in networks():
        if net.error:
            assert registry[net.error.id].figure.startswith(f"{net.percent:g}")
    assert {*VIEWS} == set(networks()[0].strokes())
