"""The figure style, and diagrams: scale, words, colours, no overlap."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
import torch
from matplotlib import pyplot as plt
from sample_nets import Inception, Tied, TinyResidual, resnet, vgg16

from cnnbook import diagrams
from cnnbook.anatomy import trace
from cnnbook.figures import COLOURS, INK, Diagram, draw, use_style
from cnnbook.nets import lenet5

SVG = "{http://www.w3.org/2000/svg}"
NETS = {
    "lenet5-modern": (lambda: lenet5("modern"), (1, 32, 32)),
    "lenet5-1998": (lambda: lenet5("1998"), (1, 32, 32)),
    "vgg16": (vgg16, (3, 224, 224)),
    "residual": (TinyResidual, (3, 16, 16)),
    "bottleneck": (lambda: resnet((1, 2), True), (3, 64, 64)),
    "inception": (Inception, (3, 32, 32)),
    "tied": (Tied, (1, 8, 8)),
    "dense": (lambda: torch.nn.Linear(300, 10), (300,)),
}


@pytest.fixture(scope="module", params=NETS)
def drawn(request):
    """A net, the size of its input, and its diagram."""
    make, size = NETS[request.param]
    with torch.device("meta"):
        net = make().eval()
    return net, size, draw(net, size)


def words(svg: str) -> str:
    """The text that one reads, in order."""
    texts = ElementTree.fromstring(svg).iter(f"{SVG}text")
    return " ".join(text.text for text in texts)


def test_a_diagram_is_deterministic_and_says_what_it_is(drawn):
    net, size, diagram = drawn
    assert diagram._repr_svg_() == draw(net, size).svg
    assert repr(draw(lenet5("modern"), (1, 32, 32))) == (
        "Diagram(LeNet5, input 1×32×32)"
    )
    root = ElementTree.fromstring(diagram.svg)
    title, desc = root[0], root[1]
    assert (title.tag, desc.tag) == (f"{SVG}title", f"{SVG}desc")
    assert root.get("role") == "img" and root.get("aria-label") == title.text
    assert "square root" in desc.text


def test_only_the_ink_and_the_palette_are_used(drawn):
    svg = drawn[2].svg
    used = set(re.findall(r"#[0-9a-fA-F]{3,8}", svg))
    assert used <= {INK, *COLOURS.values()}
    assert not re.search(r"\bid=|url\(|<style|white|black", svg)


def test_each_layer_is_labelled_with_its_own_figures(drawn):
    net, size, diagram = drawn
    text = words(diagram.svg)
    anatomy = trace(net, size)
    desc = ElementTree.fromstring(diagram.svg)[1].text
    for row in anatomy.rows:
        if row.macs:
            shape = "×".join(map(str, row.output_shape))
            assert shape in text and shape in desc
        if 0 < row.parameters < 1_000_000 and row.macs:
            assert f"{row.parameters:,} parameters" in text
            assert f"{row.parameters:,} parameters" in desc


def test_lenet_reads_as_in_the_chapter():
    text = words(draw(lenet5("modern"), (1, 32, 32)).svg)
    expected = (
        "input 1×32×32 c1 conv 5×5 6×28×28 156 parameters "
        "s2 max pool 2×2 6×14×14 c3 conv 5×5 16×10×10 2,416 parameters "
        "s4 max pool 2×2 16×5×5 c5 conv 5×5 120×1×1 48,120 parameters "
        "f6 dense 84 10,164 parameters output dense 10 850 parameters"
    )
    assert text.startswith(expected)


def test_sheets_are_to_scale():
    net = lenet5("modern")
    nodes = diagrams.nodes_of(trace(net, (1, 32, 32)))
    heights = [n.face(32)[0] for n in nodes if len(n.shape) == 3]
    sides = [32, 28, 14, 10, 5, 1]
    for height, side in zip(heights, sides, strict=True):
        assert height**2 / heights[0] ** 2 == pytest.approx(side / 32)
    svg = draw(net, (1, 32, 32)).svg
    blue = f'fill="{COLOURS["blue"]}"'
    # 6, 16 and 120 maps: log2 rounds to 3, 4 and 7, and there is a first one
    assert svg.count(blue) == 4 + 5 + 8
    green = f'fill="{COLOURS["green"]}"'
    assert svg.count(green) == 7 + 4  # 84 and 10 values


def test_what_only_changes_values_is_folded_into_the_layer_before():
    text = words(draw(vgg16().eval(), (3, 224, 224)).svg)
    assert text.count("ReLU") == 15 and text.count("dropout") == 2
    nodes = diagrams.nodes_of(trace(TinyResidual(), (3, 16, 16)))
    assert [n.sign for n in nodes].count("+") == 2
    assert "batch norm" in nodes[2].lines


def test_rows_break_where_one_arrow_crosses(drawn):
    net, size, _ = drawn
    picture = diagrams.Picture(trace(net, size), INK, COLOURS)
    for row in range(1, len(picture.starts)):
        crossing = {id(a) for a, b in picture.edges if a.row < row <= b.row}
        assert len(crossing) == 1
    assert picture.columns == 4 or len(picture.starts) == 1


MEASURE = """
() => {
  const svg = document.querySelector('svg');
  const whole = svg.getBoundingClientRect();
  const boxes = [...svg.querySelectorAll('text')].map(t => {
    const b = t.getBoundingClientRect();
    return [b.left, b.right, b.top + b.height * .2,
            b.bottom - b.height * .2, t.textContent];
  });
  const wrong = [];
  boxes.forEach((a, i) => {
    if (a[0] < whole.left - 1 || a[1] > whole.right + 1 ||
        a[2] < whole.top - 1 || a[3] > whole.bottom + 1)
      wrong.push(a[4] + ' leaves the picture');
    boxes.slice(0, i).forEach(b => {
      if (a[0] < b[1] && b[0] < a[1] && a[2] < b[3] && b[2] < a[3])
        wrong.push(a[4] + ' on ' + b[4]);
    });
  });
  const scale = whole.width / svg.viewBox.baseVal.width;
  return {wrong, font: scale * 14,
          overflow: document.documentElement.scrollWidth > innerWidth};
}
"""


def measure(page, diagram: Diagram, width: int) -> dict:
    """How the diagram is laid out on a page of this width."""
    page.set_viewport_size({"width": width, "height": 800})
    page.set_content(f'<body style="margin:16px">{diagram.svg}</body>')
    return page.evaluate(MEASURE)


def test_the_text_is_legible_and_does_not_collide_on_a_phone(drawn, page):
    found = measure(page, drawn[2], 375)
    assert found["wrong"] == []
    assert found["font"] >= 10
    assert not found["overflow"]


def test_a_collision_would_be_noticed(page, monkeypatch):
    monkeypatch.setattr(diagrams, "COLUMN", 60)
    found = measure(page, draw(lenet5("modern"), (1, 32, 32)), 375)
    assert found["wrong"]


def test_the_style_makes_the_same_svg_twice():
    def figure() -> bytes:
        use_style()
        _, axes = plt.subplots()
        axes.plot([1, 2, 4], label="a")
        axes.legend()
        out = io.BytesIO()
        plt.savefig(out, format="svg", metadata={"Date": None})
        plt.close()
        return out.getvalue()

    with mpl.rc_context():
        one, two = figure(), figure()
    assert one == two
    assert INK.encode() in one and COLOURS["blue"].encode() in one
