"""Draw the picture of the front page: the lineage, to scale.

    python tools/lineage.py

writes website/assets/lineage.svg: one row a network, a stroke a layer with
weights along its depth, and a square whose area is its parameters. Every
count is computed here from the layers that the papers list.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from pathlib import Path

from cnnbook.geometry import conv_parameters, dense_parameters

TARGET = Path(__file__).parents[1] / "website" / "assets" / "lineage.svg"


@dataclass(frozen=True)
class Network:
    """A row of the picture."""

    name: str
    year: int
    depth: int
    parameters: int
    here: bool = False


def lenet() -> int:
    """LeNet-5 of 1998: sparse C3, trainable subsampling, fixed output."""
    c1 = conv_parameters(1, 6, 5)
    c3 = sum(
        maps * conv_parameters(inputs, 1, 5)
        for inputs, maps in ((3, 6), (4, 9), (6, 1))
    )
    subsampling = 2 * 6 + 2 * 16
    c5 = conv_parameters(16, 120, 5)
    return c1 + c3 + subsampling + c5 + dense_parameters(120, 84)


def alexnet() -> int:
    """AlexNet on its two GPUs: three layers in two groups."""
    return (
        conv_parameters(3, 96, 11)
        + conv_parameters(96, 256, 5, groups=2)
        + conv_parameters(256, 384, 3)
        + conv_parameters(384, 384, 3, groups=2)
        + conv_parameters(384, 256, 3, groups=2)
        + classifier(256 * 6 * 6)
    )


def zfnet() -> int:
    """ZFNet as its paper draws it."""
    return (
        conv_parameters(3, 96, 7)
        + conv_parameters(96, 256, 5)
        + conv_parameters(256, 384, 3)
        + conv_parameters(384, 384, 3)
        + conv_parameters(384, 256, 3)
        + classifier(256 * 6 * 6)
    )


def vgg16() -> int:
    """VGG's configuration D."""
    widths = [3, *[64] * 2, *[128] * 2, *[256] * 3, *[512] * 6]
    convolutions = sum(conv_parameters(a, b, 3) for a, b in pairwise(widths))
    return convolutions + classifier(512 * 7 * 7)


def classifier(inputs: int) -> int:
    """Return the parameters of the three dense layers of 2012 to 2014."""
    return (
        dense_parameters(inputs, 4096)
        + dense_parameters(4096, 4096)
        + dense_parameters(4096, 1000)
    )


INCEPTIONS = (
    (192, 64, 96, 128, 16, 32, 32),
    (256, 128, 128, 192, 32, 96, 64),
    (480, 192, 96, 208, 16, 48, 64),
    (512, 160, 112, 224, 24, 64, 64),
    (512, 128, 128, 256, 24, 64, 64),
    (512, 112, 144, 288, 32, 64, 64),
    (528, 256, 160, 320, 32, 128, 128),
    (832, 256, 160, 320, 32, 128, 128),
    (832, 384, 192, 384, 48, 128, 128),
)


def googlenet() -> int:
    """GoogLeNet without its auxiliary heads."""
    stem = (
        conv_parameters(3, 64, 7)
        + conv_parameters(64, 64, 1)
        + conv_parameters(64, 192, 3)
    )
    blocks = sum(
        conv_parameters(inputs, one, 1)
        + conv_parameters(inputs, before3, 1)
        + conv_parameters(before3, three, 3)
        + conv_parameters(inputs, before5, 1)
        + conv_parameters(before5, five, 5)
        + conv_parameters(inputs, pool, 1)
        for inputs, one, before3, three, before5, five, pool in INCEPTIONS
    )
    return stem + blocks + dense_parameters(1024, 1000)


def resnet152() -> int:
    """ResNet-152: bottlenecks, projections, batch norm without biases."""

    def normed(inputs: int, outputs: int, kernel: int) -> int:
        weights = conv_parameters(inputs, outputs, kernel, bias=False)
        return weights + 2 * outputs

    total, inputs = normed(3, 64, 7), 64
    for blocks, width in ((3, 64), (8, 128), (36, 256), (3, 512)):
        total += normed(inputs, 4 * width, 1)
        for _ in range(blocks):
            total += normed(inputs, width, 1) + normed(width, width, 3)
            total += normed(width, 4 * width, 1)
            inputs = 4 * width
    return total + dense_parameters(inputs, 1000)


def lineage() -> list[Network]:
    """Return the networks of the book in the order of their years."""
    return [
        Network("LeNet-5", 1998, 5, lenet(), here=True),
        Network("AlexNet", 2012, 8, alexnet()),
        Network("ZFNet", 2013, 8, zfnet()),
        Network("VGG-16", 2014, 16, vgg16()),
        Network("GoogLeNet", 2014, 22, googlenet()),
        Network("ResNet-152", 2015, 152, resnet152()),
    ]


def row(net: Network, left: float, top: int, right: int, side: float) -> str:
    """Return one network: its words, its strokes, its square."""
    strokes = "".join(
        f"M{left + 2.24 * layer + 0.8:.6g} {top}v40"
        for layer in range(net.depth)
    )
    state = "in this book" if net.here else "to come"
    x, y = right - 30 - side / 2, 28 - side / 2
    return f"""<text y="24"><tspan class="name">{net.name}</tspan> \
{net.year}, \
<tspan class="state">{state}</tspan></text>
<text y="44">{net.depth} layers, {net.parameters:,} parameters</text>
<path d="{strokes}"/>
<rect x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}"/>"""


def draw(networks: list[Network], narrow: bool) -> str:
    """Return the picture for a wide page, or for a phone."""
    kind = "narrow" if narrow else "wide"
    width, step = (344, 124) if narrow else (704, 70)
    left, top = (0, 62) if narrow else (252, 8)
    largest = max(net.parameters for net in networks)
    rows = "\n".join(
        f'<g class="{"now" if net.here else "later"}" '
        f'transform="translate(0 {index * step})">\n'
        + row(net, left, top, width, 60 * sqrt(net.parameters / largest))
        + "\n</g>"
        for index, net in enumerate(networks)
    )
    name = f"lineage-{kind}"
    return f"""<svg class="{name}" \
viewBox="0 0 {width} {step * len(networks)}" role="img" \
aria-labelledby="{name}-title" aria-describedby="{name}-desc">
<title id="{name}-title">Six networks, 1998 to 2015, drawn to scale</title>
<desc id="{name}-desc">A row each. A stroke for every layer with weights \
along the depth: from 5 to 152. A square whose area is the number of \
parameters: from a dot for LeNet-5 to the largest for VGG-16.</desc>
{rows}
</svg>"""


def picture() -> str:
    """Return both drawings; the page's style shows the one that fits."""
    networks = lineage()
    return f"{draw(networks, narrow=False)}\n{draw(networks, narrow=True)}\n"


if __name__ == "__main__":
    TARGET.write_text(picture(), encoding="utf-8")
