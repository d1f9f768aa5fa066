"""The images that each network reads, and what it says of others."""

from __future__ import annotations

import sys

import pytest
import torch
from every_net import EVERY, KINDS
from torch import nn

from cnnbook import nets


def is_one_sentence(error) -> bool:
    text = str(error.value)
    return text.endswith(".") and "\n" not in text and ". " not in text


def limits(net: nn.Module) -> tuple[int, int | None]:
    """The sides that it names; a ResNet reads images of any size."""
    if net.training and getattr(net, "head_sides", None):
        return net.head_sides
    return getattr(net, "sides", (1, None))


def runs(net: nn.Module, height: int, width: int | None = None) -> bool:
    """Whether torch itself gets through, on meta."""
    channels = next(net.parameters()).shape[1]
    x = torch.empty(2, channels, height, width or height, device="meta")
    try:
        net(x)
    except RuntimeError:
        return False
    return True


@pytest.fixture
def unchecked(monkeypatch):
    """The networks without their own look at the images."""
    for name, module in list(sys.modules.items()):
        if name.startswith("cnnbook.nets.") and hasattr(
            module, "check_images"
        ):
            monkeypatch.setattr(module, "check_images", lambda *_: None)


def side_faults(net: nn.Module) -> list[str]:
    """Where the sides that it names are not those that torch can run."""
    smallest, largest = limits(net)
    wrong = []
    if not runs(net, smallest, largest):
        wrong.append("does not run at its limits")
    if smallest > 1 and runs(net, smallest - 1):
        wrong.append("runs below the smallest side")
    if largest is None:
        return wrong + ["ends"] * (not runs(net, 2 * smallest + 301))
    return wrong + ["runs above the largest side"] * runs(net, largest + 1)


def built(name: str) -> nn.Module:
    with torch.device("meta"):
        return EVERY[name].build().train()  # heads may want larger images


@pytest.mark.parametrize("name", KINDS)
def test_the_sides_are_those_that_torch_can_run(name, unchecked):
    net = built(name)
    assert side_faults(net) == [] == side_faults(net.eval())


@pytest.mark.parametrize(
    ("sides", "fault"),
    [
        ((26, 34), "does not run at its limits"),
        ((28, 34), "runs below the smallest side"),
        ((27, 33), "runs above the largest side"),
        ((27, None), "ends"),
    ],
)
def test_wrong_sides_are_found(sides, fault, unchecked):
    net = built("small_alexnet")
    assert side_faults(net) == []
    net.sides = sides
    assert fault in side_faults(net)


@pytest.mark.parametrize("name", KINDS)
def test_images_of_another_size_are_refused_in_one_sentence(name):
    net, (channels, *_) = built(name), EVERY[name].image
    smallest, largest = limits(net)
    sides = [smallest - 1] * (smallest > 1)
    sides += [] if largest is None else [largest + 1]
    words = rf"with .*{smallest}.* pixels a side, not .*; resize the images\."
    for side in sides:
        x = torch.empty(2, channels, side, side, device="meta")
        with pytest.raises(ValueError, match=words) as error:
            net(x)
        assert is_one_sentence(error)


@pytest.mark.parametrize("name", KINDS)
def test_other_channels_are_refused_in_one_sentence(name):
    build, (channels, side, _), _ = EVERY[name]
    x = torch.empty(2, channels + 1, side, side, device="meta")
    cure = f"build it with in_channels={channels + 1}."
    with pytest.raises(ValueError, match=cure) as error:
        built(name)(x)
    assert is_one_sentence(error)
    with torch.device("meta"):  # the cure works
        build(in_channels=channels + 1)(x)


def test_a_single_image_is_refused_in_one_sentence():
    net = built("small_resnet")
    x = torch.empty(1, 32, 32, device="meta")
    with pytest.raises(ValueError, match=r"a batch of one: x\[None\]") as e:
        net(x)
    assert is_one_sentence(e)
    assert net(x[None].expand(2, -1, -1, -1)).shape == (2, 10)


UNKNOWN = {
    "lenet5": (
        lambda: nets.lenet5("2012"),
        "There is no LeNet-5 variant '2012'; try '1998' or 'modern'.",
    ),
    "lenet5 classes": (
        lambda: nets.lenet5("1998", num_classes=12),
        "The 1998 LeNet-5 has ten classes, one drawn bitmap each, not 12; "
        "try variant='modern'.",
    ),
    "alexnet": (
        lambda: nets.alexnet("2014"),
        "There is no AlexNet variant '2014'; try '2012', 'ungrouped', "
        "'unpadded' or 'one-tower'.",
    ),
    "zfnet": (
        lambda: nets.zfnet("2012"),
        "There is no ZFNet variant '2012'; try '2013' or 'wide'.",
    ),
    "vgg": (
        lambda: nets.vgg(16),
        "There is no VGG 16; try 'A', 'A-LRN', 'B', 'C', 'D' or 'E'.",
    ),
    "nin": (
        lambda: nets.nin("mnist"),
        "There is no NiN variant 'mnist'; try 'imagenet' or 'cifar'.",
    ),
    "googlenet": (
        lambda: nets.googlenet("v3"),
        "There is no GoogLeNet variant 'v3'; try '2014' or 'torchvision'.",
    ),
    "resnet depth": (
        lambda: nets.resnet(20),
        "There is no ResNet of depth 20; try 18, 34, 50, 101 or 152.",
    ),
    "resnet variant": (
        lambda: nets.resnet(50, "v2"),
        "There is no ResNet variant 'v2'; try '2015' or 'v1.5'.",
    ),
    "resnet shortcut": (
        lambda: nets.resnet(50, shortcut="D"),
        "There is no shortcut 'D'; try 'A', 'B', 'C', 'none' or 'projection'.",
    ),
    "cifar depth": (
        lambda: nets.cifar_resnet(18),
        "A CIFAR ResNet has 6n + 2 layers, not 18; try 20, 32, 44, 56 or 110.",
    ),
    "cifar variant": (
        lambda: nets.cifar_resnet(20, "v2"),
        "There is no CIFAR ResNet variant 'v2'; try '2015' or "
        "'pre-activation'.",
    ),
    "cifar shortcut": (
        lambda: nets.cifar_resnet(20, shortcut="D"),
        "There is no shortcut 'D'; try 'A', 'B', 'C' or 'none'.",
    ),
    "plain": (
        lambda: nets.plain(2),
        "A CIFAR ResNet has 6n + 2 layers, not 2; try 20, 32, 44, 56 or 110.",
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_does_not_exist_is_explained(case):
    call, sentence = UNKNOWN[case]
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == sentence
    assert is_one_sentence(error)
