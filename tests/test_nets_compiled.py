"""Every network in one graph: torch.compile and torch.export."""

from __future__ import annotations

import pytest
import torch
import torch._dynamo
from every_net import EVERY, KINDS
from torch import nn

from cnnbook import nets
from cnnbook.nets.vgg import TABLE, VGG

# what the others consist of is in these
REST = ("alexnet ungrouped", "zfnet wide", "vgg A", "vgg B", "vgg C", "vgg E")
REST += ("googlenet 2014", "googlenet torchvision", "resnet 50", "resnet 50 A")
REST += ("cifar_resnet 20 B", "cifar_resnet 20 C")
GRAPHS = [name for name in KINDS if name not in REST]


def example(name: str) -> tuple[nn.Module, torch.Tensor]:
    """A network with values, as light as it can be, and its images."""
    family, _, column = name.partition(" ")
    torch.manual_seed(0)
    if family == "vgg":
        net = VGG(TABLE[column], hidden=64, side=32)
        return net.eval(), torch.rand(2, 3, 32, 32)
    build, (channels, side, _), _ = EVERY[name]
    side = 64 if family == "resnet" else side
    return build().eval(), torch.rand(1, channels, side, side)


@pytest.fixture(autouse=True)
def fresh():
    """Forget what an earlier test compiled."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def same(ones, others) -> bool:
    ones, others = (
        out if isinstance(out, tuple) else (out,) for out in (ones, others)
    )
    return all(map(torch.equal, ones, others)) and len(ones) == len(others)


@pytest.mark.parametrize("name", GRAPHS)
@torch.no_grad()
def test_compiled_and_exported_networks_give_the_same(name):
    net, x = example(name)
    expected = net(x)
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    assert same(compiled(x), expected)
    assert same(torch.export.export(net, (x,)).module()(x), expected)


@pytest.mark.parametrize("name", ["small_googlenet heads", "resnet 18"])
def test_networks_train_compiled(name):
    """Gradients through the compiled graph, second heads and all."""
    net, x = example(name)
    for layer in net.train().modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # no chance
    gradients = []
    for run in net, torch.compile(net, backend="aot_eager", fullgraph=True):
        net.zero_grad()
        given = run(x)
        given = given if isinstance(given, tuple) else (given,)
        sum(out.square().mean() for out in given).backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    assert len(given) == (2 if "heads" in name else 1)
    for plain, compiled in zip(*gradients, strict=True):
        scale = plain.abs().max()
        assert torch.allclose(plain, compiled, atol=1e-4 * float(scale))


def test_an_exported_network_takes_batches_of_any_size():
    net, x = example("small_googlenet")
    batch = {0: torch.export.Dim("batch", min=2)}
    x = x.expand(3, -1, -1, -1)
    graph = torch.export.export(net, (x,), dynamic_shapes=(batch,)).module()
    for count in (2, 7):
        x = torch.rand(count, 1, 32, 32)
        assert torch.allclose(graph(x), net(x), atol=1e-6)


class Broken(nn.Module):
    """Its way depends on values, which a graph cannot know."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


def test_a_forward_that_breaks_the_graph_is_noticed():
    x = torch.ones(1, 1, 2, 2)
    with pytest.raises(torch._dynamo.exc.Unsupported):
        torch.compile(Broken(), backend="eager", fullgraph=True)(x)
    net = nets.small_resnet().eval()
    x = torch.rand(1, 1, 32, 32)
    graph = torch.export.export(net, (x,)).module()
    assert same(graph(x), net(x))
    assert not same(graph(x), nets.small_resnet().eval()(x))
