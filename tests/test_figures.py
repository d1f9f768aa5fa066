"""The figure style, and diagrams: scale, words, colours, no overlap."""

from __future__ import annotations

import io
import re
import sys
import time
from collections import Counter
from functools import cache
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
import torch
from matplotlib import pyplot as plt
from sample_nets import (
    Inception,
    ManyEnds,
    Tangled,
    Tied,
    TinyResidual,
    WideFan,
)
from torch import nn

from cnnbook import diagrams, nets
from cnnbook.anatomy import Anatomy, trace
from cnnbook.diagrams import scheme, volumes
from cnnbook.diagrams.nodes import fold, nodes_of
from cnnbook.diagrams.scheme import Scheme
from cnnbook.diagrams.volumes import Volumes
from cnnbook.figures import COLOURS, INK, Diagram, draw, use_style
from cnnbook.nets import alexnet, googlenet, lenet5, resnet, vgg

SVG = "{http://www.w3.org/2000/svg}"
IMAGE, LARGE, TINY, DIGIT = (
    (3, 224, 224),
    (3, 227, 227),
    (3, 32, 32),
    (1, 32, 32),
)
SMALL = ("alexnet", "zfnet", "vgg", "nin", "googlenet", "resnet")
CHAINS = {
    "lenet5-modern": (lambda: lenet5("modern"), DIGIT),
    "lenet5-1998": (lambda: lenet5("1998"), DIGIT),
    "alexnet": (alexnet, LARGE),
    "alexnet-ungrouped": (lambda: alexnet("ungrouped"), LARGE),
    "alexnet-unpadded": (lambda: alexnet("unpadded"), LARGE),
    "alexnet-one-tower": (lambda: alexnet("one-tower"), IMAGE),
    "zfnet": (nets.zfnet, IMAGE),
    "zfnet-wide": (lambda: nets.zfnet("wide"), IMAGE),
    **{
        f"vgg-{name}": (lambda name=name: vgg(name), IMAGE)
        for name in ("A", "A-LRN", "B", "C", "D", "E")
    },
    "nin": (nets.nin, IMAGE),
    "nin-cifar": (lambda: nets.nin("cifar"), TINY),
    **{
        f"small-{name}": (getattr(nets, f"small_{name}"), DIGIT)
        for name in SMALL[:4]
    },
    "tied": (Tied, (1, 8, 8)),
    "dense": (lambda: nn.Linear(300, 10), (300,)),
    "groups": (
        lambda: nn.Sequential(
            nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 3, groups=4)
        ),
        (8, 16, 16),
    ),
    "alike": (
        lambda: nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(100))),
        (3, 8, 8),
    ),
}
BOXES = {
    "googlenet": (googlenet, IMAGE),
    "googlenet-torchvision": (lambda: googlenet("torchvision"), IMAGE),
    "googlenet-heads": (lambda: googlenet(auxiliary=True).train(), IMAGE),
    "inception3a": (lambda: googlenet().inception3a, (192, 28, 28)),
    **{
        f"resnet-{depth}": (lambda depth=depth: resnet(depth), IMAGE)
        for depth in (18, 34, 50, 101, 152)
    },
    "resnet-34-A": (lambda: resnet(34, shortcut="A"), IMAGE),
    "resnet-50-v1.5-C": (lambda: resnet(50, "v1.5", "C"), IMAGE),
    "stage": (lambda: resnet(50).stage3, (256, 56, 56)),
    "block": (lambda: resnet(50).stage3[0], (256, 56, 56)),
    **{
        f"cifar-{depth}": (lambda depth=depth: nets.cifar_resnet(depth), TINY)
        for depth in (20, 56, 110)
    },
    "pre-activation": (lambda: nets.cifar_resnet(20, "pre-activation"), TINY),
    "plain-20": (nets.plain, TINY),
    **{
        f"small-{name}": (getattr(nets, f"small_{name}"), DIGIT)
        for name in SMALL[4:]
    },
    "residual": (TinyResidual, (3, 16, 16)),
    "inception": (Inception, (3, 32, 32)),
    "tangled": (Tangled, (3, 16, 16)),
    "many-ends": (ManyEnds, (3, 16, 16)),
    "wide-fan": (WideFan, (3, 8, 8)),
}
NETS = CHAINS | BOXES


@pytest.fixture(autouse=True)
def without_memory():
    """Networks have no weights here: their pictures do not ask for any."""
    with torch.device("meta"):
        yield


@cache
def traced(name: str) -> Anatomy:
    """The anatomy of a net, made without any memory."""
    make, size = NETS[name]
    with torch.device("meta"):  # also for a fixture of the whole module
        net = make()
    return trace(net if name.endswith("heads") else net.eval(), size)


@pytest.fixture(scope="module", params=NETS)
def drawn(request):
    """A net's name, its anatomy, and its diagram."""
    anatomy = traced(request.param)
    picture = diagrams.picture(anatomy, INK, COLOURS)
    return request.param, anatomy, Diagram(picture.svg(), anatomy.caption)


def words(svg: str) -> str:
    """The text that one reads, in order."""
    texts = ElementTree.fromstring(svg).iter(f"{SVG}text")
    return " ".join(text.text for text in texts)


def described(svg: str) -> str:
    """What a reader hears who does not see the picture."""
    return ElementTree.fromstring(svg)[1].text


def test_a_diagram_is_deterministic_and_says_what_it_is(drawn):
    _, anatomy, diagram = drawn
    again = diagrams.picture(anatomy, INK, COLOURS).svg()
    assert diagram._repr_svg_() == again
    root = ElementTree.fromstring(diagram.svg)
    title, desc = root[0], root[1]
    assert (title.tag, desc.tag) == (f"{SVG}title", f"{SVG}desc")
    assert root.get("role") == "img" and root.get("aria-label") == title.text
    assert title.text == f"The layers of {anatomy.name}"


def test_the_repr_is_stable():
    assert repr(draw(lenet5("modern"), (1, 32, 32))) == (
        "Diagram(LeNet5, input 1×32×32)"
    )


def test_only_the_ink_and_the_palette_are_used(drawn):
    svg = drawn[2].svg
    used = set(re.findall(r"#[0-9a-fA-F]{3,8}", svg))
    assert used <= {INK, *COLOURS.values()}
    assert not re.search(r"\bid=|url\(|<style|white|black", svg)


def test_a_chain_is_volumes_and_the_others_are_boxes(drawn):
    name, _, diagram = drawn
    boxes = described(diagram.svg).startswith("From top to bottom")
    assert boxes == (name in BOXES)


# Volumes


@pytest.mark.parametrize("name", CHAINS)
def test_each_layer_is_labelled_with_its_own_figures(name):
    anatomy = traced(name)
    svg = diagrams.picture(anatomy, INK, COLOURS).svg()
    text, desc = words(svg), described(svg)
    assert "square root" in desc
    for row in anatomy.rows:
        if row.macs:
            shape = "×".join(map(str, row.output_shape))
            assert shape in text and shape in desc
            assert f"{row.parameters:,} parameters" in desc
        if 0 < row.parameters < 1_000_000 and row.macs:
            assert f"{row.parameters:,} parameters" in text


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
    drawing = Volumes(trace(net, (1, 32, 32)), INK, COLOURS)
    maps = [n for n in drawing.nodes if len(n.shape) == 3]
    heights = [drawing.face(n)[0] for n in maps]
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
    text = words(draw(vgg("D").eval(), IMAGE).svg)
    assert "Not shown: ReLU, after 13 × conv and 2 × dense." in text
    assert text.count("ReLU") == 1 and text.count("dropout") == 2
    nodes = nodes_of(trace(TinyResidual(), (3, 16, 16)))
    assert [n.sign for n in nodes].count("+") == 2
    assert nodes[2].then == ["batch norm", "ReLU"]


@pytest.mark.parametrize("name", ["vgg-A", "vgg-D", "vgg-E", "small-vgg"])
def test_a_row_of_vgg_is_a_block(name):
    rows = diagrams.picture(traced(name), INK, COLOURS).rows
    for row in rows[:-1]:
        kinds = [node.what for node in row if node.inputs]
        assert kinds == ["conv"] * (len(kinds) - 1) + ["max pool"]
    assert [node.what for node in rows[-1]] == ["dense"] * 3


def test_towers_part_and_meet():
    drawing = Volumes(trace(alexnet(), LARGE), INK, COLOURS)
    at = {node.name: node for node in drawing.nodes}
    towers = {name: drawing.towers[node] for name, node in at.items()}
    dense = ("input", "fc6", "fc7", "fc8")
    assert towers == {name: 1 if name in dense else 2 for name in at}

    def arrows(one: str, other: str) -> int:
        return len(drawing._ways(at[one], at[other]))

    assert arrows("input", "conv1") == arrows("pool5", "fc6") == 2
    assert arrows("pool1", "conv2") == arrows("conv4", "conv5") == 2
    assert arrows("pool2", "conv3") == 4
    assert (
        "towers: conv2, conv4 and conv5 see only their own, conv3 and fc6 both"
    ) in words(drawing.svg())
    # half the maps in each of two stacks: 48, 128 and 192 of them
    assert [drawing.sheets(at[f"conv{i}"]) for i in (1, 2, 3)] == [7, 8, 9]
    one = Volumes(trace(alexnet("ungrouped"), LARGE), INK, COLOURS)
    assert set(one.towers.values()) == {1}
    assert "tower" not in words(one.svg())


# Boxes


def scheme_of(name: str, **options) -> Scheme:
    return Scheme(traced(name), INK, COLOURS, **options)


@pytest.mark.parametrize("name", BOXES)
def test_each_box_is_described(name):
    anatomy = traced(name)
    picture = diagrams.picture(anatomy, INK, COLOURS)
    desc = described(picture.svg())
    assert f"{anatomy.total_parameters:,} parameters in all" in desc
    for node in picture.nodes:
        assert node.sentence() in desc


def test_four_branches_stand_side_by_side():
    drawing = scheme_of("inception3a", roomy=True)
    (cat,) = drawing.strips
    ends = cat.inputs
    places = [drawing.at[node] for node in ends]
    assert places == sorted(places) and len({y for _, y in places}) == 1
    shares = [b - a for a, b in drawing._shares(cat).values()]
    assert [share / shares[0] for share in shares] == [1, 2, 0.5, 0.5]
    text = words(drawing.svg())
    for conv in ("conv 1×1, 96 18,528", "conv 5×5, 32 12,832"):
        assert conv in text
    assert "64 128 32 32 256×28×28" in text


def test_a_shortcut_passes_beside_what_it_leaves_out():
    drawing = scheme_of("resnet-18")
    sums = [node for node in drawing.nodes if node.sign]
    assert len(sums) == 8
    right = max(
        drawing.at[n][0] + drawing.size[n][0] / 2
        for n in drawing.nodes
        if drawing.at[n][0] == scheme.MAIN
    )
    direct = [node for node in sums if len(cuts_before(drawing, node)) == 1]
    assert len(direct) == 5  # the other three have a projection
    for node in direct:
        way, head = drawing._way(*cuts_before(drawing, node), node)
        assert max(x for x, _ in way) == scheme.TRACK > right
        assert head == (-1, 0)


def cuts_before(drawing: Scheme, node) -> list:
    return [source for source in node.inputs if source in drawing.cuts]


@pytest.mark.parametrize(
    ("name", "times", "convs"),
    [
        ("resnet-34", [3, 3, 5, 2], 36),
        ("resnet-50", [2, 3, 5, 2], 53),
        ("resnet-152", [2, 7, 35, 2], 155),
        ("cifar-110", [18, 17, 17], 109),
    ],
)
def test_what_is_built_alike_is_drawn_once(name, times, convs):
    picture = diagrams.picture(traced(name), INK, COLOURS)
    assert [n for _, n in picture.runs] == times
    often = {node: n for nodes, n in picture.runs for node in nodes}
    count = Counter()
    for node in picture.nodes:
        count[node.what] += often.get(node, 1)
    assert count["conv"] == convs
    text = words(picture.svg())
    assert all(f"× {n}" in text for n in times)
    assert (
        f"The next {len(picture.runs[0][0])} boxes stand {times[0]} times"
        in (described(picture.svg()))
    )


def test_a_difference_keeps_neighbours_apart():
    def last(**options) -> nn.Conv2d:
        return nn.Conv2d(3, 3, 3, padding=1, **options)

    def runs(*layers: nn.Module) -> list[int]:
        nodes = nodes_of(trace(nn.Sequential(*layers), (3, 8, 8)))
        return [times for _, times in fold(nodes)[1]]

    assert runs(last(), last(), last()) == [3]
    assert runs(last(), last(bias=False)) == []
    assert runs(last(), last(groups=3)) == []
    assert runs(last(), nn.ReLU(), last()) == []
    assert runs(last(), nn.MaxPool2d(3, 1, 1), last()) == []


def test_shown_and_left_out_parameters_add_up():
    for name in ("googlenet", "resnet-18", "cifar-20", "googlenet-heads"):
        anatomy = traced(name)
        drawing = scheme_of(name)
        shown = sum(node.parameters for node in drawing.nodes)
        assert shown + drawing.extra == anatomy.total_parameters
        within = {n for n in drawing.nodes if n in drawing.headed}
        heads = sum(
            int(count.replace(",", "")) for *_, count in drawing.heads.values()
        )
        alone = sum(
            n.parameters + n.extra for n in drawing.nodes if n not in within
        )
        assert heads + alone == anatomy.total_parameters


def test_depth_says_how_much_to_show():
    net = googlenet()
    text = words(draw(net, IMAGE, depth=1).svg)
    assert text.count("inception") == 9 and "6 conv" in text
    for number in ("163,696", "1,444,080", "6,998,552"):
        assert number in text
    inside = words(draw(net, IMAGE, depth=2).svg)
    assert "b5" in inside and "5×5" not in inside
    assert "conv 5×5, 128" in words(draw(net, IMAGE).svg)
    assert "conv 3×3" not in words(draw(vgg("D"), IMAGE, depth=1).svg)
    every = words(draw(vgg("E"), IMAGE, depth=0).svg)
    assert every.count("conv 3×3") == 16
    assert words(draw(vgg("E"), IMAGE).svg).count("conv 3×3") == 9
    whole = words(draw(resnet(50), IMAGE, depth=0).svg)
    assert len(re.findall("conv [137]×", whole)) == 53


@pytest.mark.parametrize("depth", [-1, 1.0, "all", True])
def test_a_depth_that_is_none_gets_a_sentence(depth):
    with pytest.raises(ValueError) as error:
        draw(lenet5(), DIGIT, depth)
    assert str(error.value) == (
        "The depth is a whole number of parts of a name, from 0 for all "
        f"layers, not {depth!r}; try depth=1, or leave it out."
    )


def test_a_second_head_stands_beside_the_main_way():
    drawing = scheme_of("googlenet-heads")
    heads = [n for n in drawing.nodes if n.name.startswith("auxiliary")]
    assert {drawing.at[node][0] for node in heads} == {scheme.SECOND}
    assert drawing.cuts[-1].name == "fc"


# Room


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
  const rects = [...svg.querySelectorAll('rect')].map(
    r => r.getBoundingClientRect()).filter(r => r.height < 250);
  for (const [left, right, top, bottom, words] of boxes)
    for (const r of rects) {
      const x = (left + right) / 2, y = (top + bottom) / 2;
      if (r.left < x && x < r.right && r.top < y && y < r.bottom &&
          (left < r.left - 1 || right > r.right + 1))
        wrong.push(words + ' sticks out');
    }
  return {wrong, height: whole.height,
          font: scale * Number(svg.getAttribute('font-size')),
          overflow: document.documentElement.scrollWidth > innerWidth};
}
"""


def measure(page, diagram: Diagram, width: int) -> dict:
    """How the diagram is laid out on a page of this width."""
    page.set_viewport_size({"width": width, "height": 800})
    page.set_content(f'<body style="margin:16px">{diagram.svg}</body>')
    return page.evaluate(MEASURE)


@pytest.mark.parametrize("width", [375, 732])
def test_the_text_is_legible_and_does_not_collide(drawn, page, width):
    found = measure(page, drawn[2], width)
    assert found["wrong"] == []
    assert found["font"] >= 10
    assert not found["overflow"]
    assert found["height"] <= diagrams.TALL


def test_every_layer_of_a_long_net_does_not_collide(page):
    found = measure(page, draw(resnet(50), IMAGE, depth=0), 732)
    assert found["wrong"] == []
    assert found["height"] > diagrams.TALL  # as the caller asked for


@pytest.mark.parametrize(
    ("module", "constant", "value", "name"),
    [
        (volumes, "COLUMN", 60, "lenet5-modern"),
        (scheme, "COUNTS", 370, "resnet-18"),
        (scheme, "HEAD", 8, "googlenet"),
        (scheme, "LINE", 6, "block"),
        (scheme, "NARROW", 24, "resnet-18"),
    ],
)
def test_a_collision_would_be_noticed(
    page, monkeypatch, module, constant, value, name
):
    monkeypatch.setattr(module, constant, value)
    picture = diagrams.picture(traced(name), INK, COLOURS)
    found = measure(page, Diagram(picture.svg(), name), 732)
    assert found["wrong"]


def test_a_picture_of_152_layers_takes_less_than_three_seconds():
    net = resnet(152)
    begin = time.process_time()
    draw(net, IMAGE)
    assert time.process_time() - begin < 3


def test_figures_have_a_light_ground_in_colab(monkeypatch):
    drawn = Diagram('<svg role="img"><svg/></svg>', "a")
    with mpl.rc_context():
        use_style()
        assert mpl.rcParams["figure.facecolor"] == "none"
        assert drawn._repr_svg_() == drawn.svg
        monkeypatch.setitem(sys.modules, "google.colab", object())
        use_style()
        assert mpl.rcParams["savefig.facecolor"] == "#ffffff"
        assert drawn._repr_svg_() == (
            '<svg style="background: #ffffff" role="img"><svg/></svg>'
        )


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
