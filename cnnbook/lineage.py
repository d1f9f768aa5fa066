"""Draw the picture of the front page: the lineage, to scale.

    python -m cnnbook.lineage > website/assets/lineage.svg

One row a network: a stroke for each layer with weights along the longest way
through it, and a square whose area is its parameters.  Both are counted in the
live networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import torch
from torch import nn

from cnnbook import nets
from cnnbook.anatomy import Anatomy, trace

WEIGHTED = {"Conv2d", "Linear", "SparseConv2d", "RBF"}
"""The layers that a paper counts; LeNet's RBF has weights, if fixed ones."""

NETWORKS: dict[str, tuple[int, Callable[[], nn.Module], tuple]] = {
    "LeNet-5": (1998, nets.lenet5, (1, 32, 32)),
    "AlexNet": (2012, nets.alexnet, (3, 227, 227)),
    "ZFNet": (2013, nets.zfnet, (3, 224, 224)),
    "VGG-16": (2014, nets.vgg, (3, 224, 224)),
    "GoogLeNet": (2014, nets.googlenet, (3, 224, 224)),
    "ResNet-152": (2015, lambda: nets.resnet(152), (3, 224, 224)),
}
"""Year, and how to build it for which picture."""


@dataclass(frozen=True)
class Network:
    """A row of the picture."""

    name: str
    year: int
    depth: int
    parameters: int


def longest_way(anatomy: Anatomy) -> int:
    """How many layers with weights lie in a row, at most."""
    depth = {"input": 0}
    for step in anatomy.steps:
        before = max(depth[name] for name in step.inputs)
        depth[step.name] = before + (step.kind in WEIGHTED)
    return max(depth.values())


def lineage() -> list[Network]:
    """The networks of the book in the order of their years."""
    found = []
    for name, (year, make, size) in NETWORKS.items():
        with torch.device("meta"):
            net = make().eval()
        anatomy = trace(net, size)
        depth = longest_way(anatomy)
        found.append(Network(name, year, depth, anatomy.total_parameters))
    return found


def row(net: Network, left: float, top: int, right: int, side: float) -> str:
    """Return one network: its words, its strokes, its square."""
    strokes = "".join(
        f"M{left + 2.24 * layer + 0.8:.6g} {top}v40"
        for layer in range(net.depth)
    )
    x, y = right - 30 - side / 2, 28 - side / 2
    return f"""<text y="24"><tspan class="name">{net.name}</tspan> \
{net.year}</text>
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
        f'<g transform="translate(0 {index * step})">\n'
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
    print(picture(), end="")
