"""The networks of the lineage, counted, and the picture of the front page.

    python -m cnnbook.lineage > website/assets/lineage.html

Depth, parameters and multiplications are counted in the live networks; an
error is a row of the registry, chosen so that as many as possible were found
in one way: one network, ten crops, validation images.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from cnnbook import claims, nets
from cnnbook.anatomy import Anatomy, trace
from cnnbook.widgets.lineage import Lineage, Network

WEIGHTED = {"Conv2d", "Linear", "SparseConv2d", "RBF"}
"""The layers that a paper counts; LeNet's RBF has weights, if fixed ones."""

PHOTOGRAPH = (3, 224, 224)

NETWORKS: dict[str, tuple[int, str, Callable[[], nn.Module], tuple, str]] = {
    "LeNet-5": (1998, "lenet", nets.lenet5, (1, 32, 32), "lecun1998-error"),
    "AlexNet": (
        2012,
        "alexnet",
        nets.alexnet,
        (3, 227, 227),
        "krizhevsky2012-error-one",
    ),
    "ZFNet": (
        2013,
        "zfnet",
        nets.zfnet,
        PHOTOGRAPH,
        "zeiler2014-error-single",
    ),
    "NiN": (2013, "one_by_one", nets.nin, PHOTOGRAPH, ""),
    "VGG-16": (2014, "vgg", nets.vgg, PHOTOGRAPH, "he2016-error-vgg-16-ten"),
    "GoogLeNet": (
        2014,
        "googlenet",
        nets.googlenet,
        PHOTOGRAPH,
        "szegedy2015-error-1-10",
    ),
    "ResNet-152": (
        2015,
        "resnet",
        lambda: nets.resnet(152),
        PHOTOGRAPH,
        "he2016-error-152-ten",
    ),
}
"""Year, chapter, how to build it, for which picture, and its error's claim."""

STORY = {
    "LeNet-5": (
        "a dense network has to learn a stroke again at each place where it "
        "may stand.",
        "one small window, with the same weights everywhere.",
    ),
    "AlexNet": (
        "a network large enough for photographs learns them by heart, and "
        "outgrows a graphics card.",
        "ReLU, dropout, many pictures made of each one, and two graphics "
        "cards.",
    ),
    "ZFNet": (
        "AlexNet had won, and nobody could say what its layers had learned.",
        "carry a unit's answer back into the pixels, look, and change what "
        "looks wrong.",
    ),
    "NiN": (
        "a window bends the signal only once, and dense layers hold most of "
        "the weights.",
        "a small network in every pixel, and the mean of each map instead of "
        "the dense layers.",
    ),
    "VGG-16": (
        "each layer had a window of its own size, and depth had stopped at "
        "eight layers.",
        "nothing but 3 × 3, stacked: two see as far as one 5 × 5, with fewer "
        "weights.",
    ),
    "GoogLeNet": (
        "VGG had paid for its depth with arithmetic.",
        "four windows at once, each made cheap by a 1 × 1 convolution.",
    ),
    "ResNet-152": (
        "deeper networks had become worse, even on the images that they "
        "learned from.",
        "add what goes into a block to what comes out, so that it only has "
        "to learn the difference.",
    ),
}
"""What was in the way of each network, and the idea that removed it."""


def longest_way(anatomy: Anatomy) -> int:
    """How many layers with weights lie in a row, at most."""
    depth = {"input": 0}
    for step in anatomy.steps:
        before = max(depth[name] for name in step.inputs)
        depth[step.name] = before + (step.kind in WEIGHTED)
    return max(depth.values())


def lineage() -> list[Network]:
    """The networks of the book in the order of their years."""
    registry = claims.load()
    found = []
    for name, (year, chapter, make, size, claim) in NETWORKS.items():
        with torch.device("meta"):
            net = make().eval()
        anatomy = trace(net, size)
        error = registry[claim] if claim else None
        found.append(
            Network(
                name,
                year,
                chapter,
                *STORY[name],
                layers=longest_way(anatomy),
                parameters=anatomy.total_parameters,
                macs=anatomy.total_macs,
                error=error,
                source=registry.title(error.source) if error else "",
            )
        )
    return found


def picture() -> str:
    """Return the widget as it stands in the front page."""
    return Lineage(lineage()).to_html() + "\n"


if __name__ == "__main__":
    print(picture(), end="")
