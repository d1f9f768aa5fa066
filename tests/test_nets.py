"""What holds for every network: devices, gradients, states, first weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from every_net import EVERY, KINDS, Entry
from torch import Tensor, nn

from cnnbook import nets
from cnnbook.nets.vgg import TABLE, VGG

HEADS = {
    "googlenet 2014 heads": 2,
    "googlenet torchvision heads": 2,
    "small_googlenet heads": 1,
}


def outputs(net: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    """Its logits, and those of its second heads while they speak."""
    given = net(x)
    return given if isinstance(given, tuple) else (given,)


def on_meta(build: Callable, *args: object, **options: object) -> nn.Module:
    with torch.device("meta"):
        return build(*args, **options)


def meta(channels: int, side: int) -> Tensor:
    return torch.empty(2, channels, side, side, device="meta")


# Without values: every factory as it is


def unreached(net: nn.Module) -> list[str]:
    """The parameters that the outputs do not depend on at all."""
    return [n for n, p in net.named_parameters() if p.grad is None]


@pytest.mark.parametrize("name", EVERY)
def test_on_the_meta_device(name):
    build, image, classes = EVERY[name]
    net = on_meta(build).train()
    given = outputs(net, meta(*image[:2]))
    assert all(out.shape == (2, classes) and out.is_meta for out in given)
    sum(out.sum() for out in given).backward()
    assert unreached(net) == []


@pytest.mark.parametrize("name", EVERY)
def test_other_classes_and_channels(name):
    build, (_, side, _), _ = EVERY[name]
    classes = 10 if name == "lenet5 1998" else 7  # it draws ten digits
    net = on_meta(build, num_classes=classes, in_channels=2).train()
    for out in outputs(net, meta(2, side)):
        assert out.shape == (2, classes)


# With values, and no heavier than it must be


def lighter(name: str) -> Entry:
    """The network, but columns of VGG without their 124 million."""
    family, _, column = name.partition(" ")
    if family == "resnet":  # it reads images of any size
        return EVERY[name]._replace(image=(3, 64, 64))
    if family != "vgg":
        return EVERY[name]
    return Entry(
        lambda: VGG(TABLE[column], hidden=64, side=32), (3, 32, 32), 1000
    )


class Live:
    """A network with values, built once for all tests of its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.build, self.image, _ = lighter(name)
        torch.manual_seed(0)
        self.net = self.build().eval()
        few = 2 if self.image[1] == 32 else 1
        self.x = torch.rand(few, *self.image)

    @torch.no_grad()
    def outputs(self) -> tuple[Tensor, ...]:
        return outputs(self.net, self.x)


@pytest.fixture(scope="module", params=KINDS)
def live(request) -> Live:
    return Live(request.param)


def test_the_whole_of_vgg_runs_too():
    torch.manual_seed(0)
    net = nets.vgg().eval()
    with torch.no_grad():
        assert net(torch.rand(1, 3, 224, 224)).std() > 0


def same(ones: tuple[Tensor, ...], others: tuple[Tensor, ...]) -> bool:
    return all(map(torch.equal, ones, others))


def silent(net: nn.Module, loss: Tensor) -> list[str]:
    """The parameters that no gradient reaches."""
    net.zero_grad()
    loss.backward()
    return [
        name
        for name, parameter in net.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]


def test_gradients_reach_every_parameter(live):
    torch.manual_seed(1)
    given = outputs(live.net.train(), live.x)
    loss = sum(out.square().mean() for out in given)
    assert loss.isfinite() and silent(live.net, loss) == []
    live.net.zero_grad()
    live.net.eval()


def test_a_layer_without_gradient_is_found():
    net = nets.small_googlenet(auxiliary=True).eval()  # its head is silent
    loss = net(torch.rand(2, 1, 32, 32)).square().mean()
    names = silent(net, loss)
    assert names and all(name.startswith("auxiliary4a") for name in names)
    assert unreached(net) == names


def test_a_state_makes_the_same_network_again(live):
    again = on_meta(live.build).eval()
    again.load_state_dict(live.net.state_dict(), assign=True)
    with torch.no_grad():
        assert same(live.outputs(), outputs(again, live.x))


def test_a_seed_makes_the_same_network_again(live):
    torch.manual_seed(0)
    again = live.build()
    for name, parameter in again.named_parameters():
        assert torch.equal(parameter, live.net.get_parameter(name)), name


def test_another_seed_makes_another_network():
    torch.manual_seed(0)
    one, other = nets.small_resnet(), nets.small_resnet()
    assert not torch.equal(one.conv1.weight, other.conv1.weight)


def test_only_training_drops_and_listens_to_second_heads(live):
    heads = HEADS.get(live.name, 0)
    before = {n: b.clone() for n, b in live.net.named_buffers()}
    first, second = live.outputs(), live.outputs()
    assert len(first) == 1 and same(first, second)
    for name, buffer in live.net.named_buffers():
        assert torch.equal(buffer, before[name])
    live.net.train()
    first, second = live.outputs(), live.outputs()
    live.net.eval()
    assert len(first) == len(second) == 1 + heads
    kinds = {type(layer) for layer in live.net.modules()}
    assert same(first, second) == (nn.Dropout not in kinds)


# First weights


def he(layer: nn.Module) -> tuple[str, float]:
    return "normal", (2 / layer.weight[0].numel()) ** 0.5


def glorot(layer: nn.Module) -> tuple[str, float]:
    given, taken = layer.weight.shape[:2]
    window = layer.weight[0, 0].numel()
    return "uniform", (2 / (window * (given + taken))) ** 0.5


def narrow(_: nn.Module) -> tuple[str, float]:
    return "normal", 0.01


FIRST = {  # by family: the weights, and the layers whose biases are 1
    "alexnet": (narrow, {"conv2", "conv4", "conv5", "fc6", "fc7"}),
    "zfnet": (narrow, set()),
    "vgg": (glorot, set()),
    "nin": (he, set()),
    "googlenet": (he, set()),
    "resnet": (he, set()),
    "cifar_resnet": (he, set()),
    "plain": (he, set()),
    "small": (he, set()),
}


def weight_faults(net: nn.Module, rule: Callable, ones: set[str]):
    """The layers that do not start as a rule says."""
    for name, layer in net.named_modules():
        if isinstance(layer, nn.BatchNorm2d):
            untouched = (layer.weight == 1).all() and not layer.bias.any()
            if not untouched:
                yield f"{name}: scale or shift"
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        shape, std = rule(layer)
        values = layer.weight.detach().flatten()
        tolerance = 5 / (2 * len(values)) ** 0.5  # five standard errors
        if abs(values.std() / std - 1) > tolerance:
            yield f"{name}: std"
        bounded = values.abs().max() <= 1.001 * 3**0.5 * std
        if bounded != (shape == "uniform"):
            yield f"{name}: not {shape}"
        if layer.bias is not None and (layer.bias != (name in ones)).any():
            yield f"{name}: bias"


# LeNet's are read in tests/test_nets_lenet.py
@pytest.mark.parametrize(
    "live", [name for name in KINDS if "lenet5" not in name], indirect=True
)
def test_first_weights_are_those_of_the_paper(live):
    family = live.name.split()[0]
    rule, ones = FIRST["small" if "small" in family else family]
    assert list(weight_faults(live.net, rule, ones)) == []


def test_wrong_first_weights_are_found():
    torch.manual_seed(0)
    net = nets.small_vgg()
    assert list(weight_faults(net, he, set())) == []
    nn.init.normal_(net.features.conv2_1.weight, std=0.11)
    nn.init.xavier_uniform_(net.features.conv2_2.weight)
    nn.init.constant_(net.classifier.fc7.bias, 1)
    net.features.pool3 = nn.BatchNorm2d(64)
    nn.init.zeros_(net.features.pool3.weight)
    assert list(weight_faults(net, he, {"classifier.fc6"})) == [
        "features.conv2_1: std",
        "features.conv2_2: std",
        "features.conv2_2: not normal",
        "features.pool3: scale or shift",
        "classifier.fc6: bias",
        "classifier.fc7: bias",
    ]
