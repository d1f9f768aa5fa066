"""Every network of the book in every variant, and the images it reads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import nn

from cnnbook import nets


class Entry(NamedTuple):
    """A factory with its arguments, its usual images, its classes."""

    build: Callable[..., nn.Module]
    image: tuple[int, int, int]
    classes: int


def entry(
    side: int, factory: Callable, *args: object, **options: object
) -> Entry:
    """An ImageNet network's entry, or with 32 pixels one of ten classes."""
    digits = factory.__name__.startswith(("lenet", "small"))
    return Entry(
        partial(factory, *args, **options),
        (1 if digits else 3, side, side),
        10 if side == 32 else 1000,
    )


EVERY = {
    "lenet5 1998": entry(32, nets.lenet5),
    "lenet5 modern": entry(32, nets.lenet5, "modern"),
    "alexnet 2012": entry(227, nets.alexnet),
    "alexnet ungrouped": entry(227, nets.alexnet, "ungrouped"),
    "alexnet unpadded": entry(227, nets.alexnet, "unpadded"),
    "alexnet one-tower": entry(224, nets.alexnet, "one-tower"),
    "zfnet 2013": entry(224, nets.zfnet),
    "zfnet wide": entry(224, nets.zfnet, "wide"),
    "vgg A": entry(224, nets.vgg, "A"),
    "vgg A-LRN": entry(224, nets.vgg, "A-LRN"),
    "vgg B": entry(224, nets.vgg, "B"),
    "vgg C": entry(224, nets.vgg, "C"),
    "vgg D": entry(224, nets.vgg),
    "vgg E": entry(224, nets.vgg, "E"),
    "nin imagenet": entry(224, nets.nin),
    "nin cifar": entry(32, nets.nin, "cifar"),
    "googlenet 2014": entry(224, nets.googlenet),
    "googlenet 2014 heads": entry(224, nets.googlenet, auxiliary=True),
    "googlenet torchvision": entry(224, nets.googlenet, "torchvision"),
    "googlenet torchvision heads": entry(
        224, nets.googlenet, "torchvision", auxiliary=True
    ),
    "resnet 18": entry(224, nets.resnet, 18),
    "resnet 34": entry(224, nets.resnet, 34),
    "resnet 34 A": entry(224, nets.resnet, 34, shortcut="A"),
    "resnet 34 C": entry(224, nets.resnet, 34, shortcut="C"),
    "resnet 34 none": entry(224, nets.resnet, 34, shortcut="none"),
    "resnet 50": entry(224, nets.resnet),
    "resnet 50 A": entry(224, nets.resnet, 50, shortcut="A"),
    "resnet 50 v1.5": entry(224, nets.resnet, 50, "v1.5"),
    "resnet 101": entry(224, nets.resnet, 101),
    "resnet 101 v1.5": entry(224, nets.resnet, 101, "v1.5"),
    "resnet 152": entry(224, nets.resnet, 152),
    "resnet 152 v1.5": entry(224, nets.resnet, 152, "v1.5"),
    "cifar_resnet 20": entry(32, nets.cifar_resnet),
    "cifar_resnet 20 B": entry(32, nets.cifar_resnet, 20, shortcut="B"),
    "cifar_resnet 20 C": entry(32, nets.cifar_resnet, 20, shortcut="C"),
    "cifar_resnet 20 pre-activation": entry(
        32, nets.cifar_resnet, 20, "pre-activation"
    ),
    "plain 20": entry(32, nets.plain),
    "small_alexnet": entry(32, nets.small_alexnet),
    "small_zfnet": entry(32, nets.small_zfnet),
    "small_vgg": entry(32, nets.small_vgg),
    "small_nin": entry(32, nets.small_nin),
    "small_googlenet": entry(32, nets.small_googlenet),
    "small_googlenet heads": entry(32, nets.small_googlenet, auxiliary=True),
    "small_resnet": entry(32, nets.small_resnet),
}

# without those that are more of the same blocks
KINDS = {
    name: entry
    for name, entry in EVERY.items()
    if not name.startswith(("resnet 34", "resnet 101", "resnet 152"))
}
