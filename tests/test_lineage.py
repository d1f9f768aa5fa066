"""The picture of the front page shows computed counts, and is current."""

import re

import pytest
from conftest import ROOT

from cnnbook import lineage

KNOWN = {
    "LeNet-5": (5, 60_000),
    "AlexNet": (8, 60_965_224),
    "ZFNet": (8, 62_357_608),
    "VGG-16": (16, 138_357_544),
    "GoogLeNet": (22, 6_998_552),
    "ResNet-152": (152, 60_192_808),
}


def test_the_counts_arrive_at_the_known_ones():
    found = {
        net.name: (net.depth, net.parameters) for net in lineage.lineage()
    }
    assert found == KNOWN


@pytest.mark.parametrize("narrow", [False, True])
def test_a_stroke_a_layer_and_an_area_a_count(narrow):
    networks = lineage.lineage()
    svg = lineage.draw(networks, narrow)
    paths = re.findall(r'<path d="([^"]*)"', svg)
    assert [path.count("M") for path in paths] == [n.depth for n in networks]
    sides = [float(side) for side in re.findall(r'<rect .*width="(.*?)"', svg)]
    largest = max(networks, key=lambda net: net.parameters)
    unit = max(sides) ** 2 / largest.parameters
    for net, side in zip(networks, sides, strict=True):
        assert side == pytest.approx((unit * net.parameters) ** 0.5, abs=0.06)
    for net in networks:
        assert f"{net.parameters:,}" in svg


def test_the_file_is_what_the_tool_draws():
    drawn = (ROOT / "website/assets/lineage.svg").read_text("utf-8")
    command = "python -m cnnbook.lineage > website/assets/lineage.svg"
    assert drawn == lineage.picture(), f"run {command}"
