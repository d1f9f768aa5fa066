"""What the networks are made of, shown by computing it in another way."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook import nets
from cnnbook.nets.alexnet import AlexNet
from cnnbook.nets.common import LocalNorm
from cnnbook.nets.inception import Conv, Inception, NormedConv
from cnnbook.nets.nin import MLPConv
from cnnbook.nets.residual import (
    BasicBlock,
    Bottleneck,
    EverySecond,
    PreActivationBlock,
)
from cnnbook.nets.vgg import TABLE, blocks


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def close(one: Tensor, other: Tensor) -> bool:
    """Equal up to the order of the sums in float32."""
    scale = other.abs().max().item()
    return torch.allclose(one, other, atol=1e-5 * scale, rtol=1e-4)


# AlexNet: local norms and towers


def by_the_formula(a: Tensor) -> Tensor:
    """Section 3.3: k = 2, n = 5, alpha = 0.0001, beta = 0.75."""
    k, n, alpha, beta = 2, 5, 1e-4, 0.75
    b = torch.empty_like(a)
    count = a.shape[1]  # N in the paper
    for i in range(count):
        squares = torch.zeros_like(a[:, 0])
        for j in range(max(0, i - n // 2), min(count - 1, i + n // 2) + 1):
            squares += a[:, j] ** 2
        b[:, i] = a[:, i] / (k + alpha * squares) ** beta
    return b


def test_local_norm_is_the_papers_formula():
    a = 100 * torch.randn(2, 12, 3, 4)  # large, so that the squares matter
    assert close(LocalNorm()(a), by_the_formula(a))
    twice = nn.LocalResponseNorm(5, alpha=1e-4, k=2.0)  # a mean, not a sum
    assert not close(twice(a), by_the_formula(a))
    norm = blocks(TABLE["A-LRN"], 3)["norm1"]
    assert close(norm(a), by_the_formula(a))


def test_towers_do_not_see_each_other_in_local_norm():
    a = 100 * torch.randn(2, 12, 3, 4)
    halves = [LocalNorm()(half) for half in a.chunk(2, dim=1)]
    assert close(LocalNorm(groups=2)(a), torch.cat(halves, dim=1))
    assert not close(LocalNorm()(a), torch.cat(halves, dim=1))


def half(conv: nn.Conv2d, number: int) -> nn.Conv2d:
    """The filters of one tower, which see what their weights are for."""
    weight, bias = conv.weight.chunk(2)[number], conv.bias.chunk(2)[number]
    out_channels, in_channels, *window = weight.shape
    layer = nn.Conv2d(
        in_channels, out_channels, window, conv.stride, conv.padding
    )
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer


class HalfNet(nn.Module):
    """What one of the two GPUs of 2012 holds, up to the dense layers."""

    def __init__(self, whole: AlexNet, number: int) -> None:
        super().__init__()
        for name in ("conv1", "conv2", "conv3", "conv4", "conv5"):
            setattr(self, name, half(getattr(whole, name), number))
        self.norm = LocalNorm()
        self.pool = nn.MaxPool2d(3, stride=2)

    def alone(self, x: Tensor) -> Tensor:
        """Conv1 and conv2, which see the image and this tower."""
        x = self.pool(self.norm(F.relu(self.conv1(x))))
        return self.pool(self.norm(F.relu(self.conv2(x))))

    def together(self, both: Tensor) -> Tensor:
        """Conv3 sees both towers; conv4 and conv5 this one again."""
        x = F.relu(self.conv3(both))
        return self.pool(F.relu(self.conv5(F.relu(self.conv4(x)))))


def two_gpus(whole: AlexNet, x: Tensor) -> Tensor:
    """The 2012 network as two half-nets that talk twice."""
    halves = [HalfNet(whole, number) for number in (0, 1)]
    maps = torch.cat([net.alone(x) for net in halves], dim=1)
    maps = torch.cat([net.together(maps) for net in halves], dim=1)
    x = F.relu(whole.fc6(maps.flatten(1)))
    return whole.fc8(F.relu(whole.fc7(x)))


def test_grouped_layers_are_two_half_layers():
    for layer, side in (("conv2", 27), ("conv4", 13), ("conv5", 13)):
        whole = getattr(nets.small_alexnet(), layer)
        assert whole.groups == 2
        x = torch.randn(2, whole.in_channels, side, side)
        outputs = [
            half(whole, number)(part)
            for number, part in enumerate(x.chunk(2, dim=1))
        ]
        assert close(whole(x), torch.cat(outputs, dim=1))


@pytest.mark.parametrize("build", [nets.alexnet, nets.small_alexnet])
@torch.no_grad()
def test_the_net_of_2012_is_two_half_nets_that_exchange_maps(build):
    net = build().eval()
    side = net.sides[0]
    # bright images: the norms work on large sums
    x = 1000 * torch.randn(1, net.conv1.in_channels, side, side)
    assert close(two_gpus(net, x), net(x))
    if build is nets.small_alexnet:
        net.norm1 = LocalNorm(groups=1)  # a tower sees a map of the other
        assert not close(two_gpus(net, x), net(x))


# VGG: the paper's notation


def test_the_table_of_vgg_reads_like_the_papers():
    """conv3-64 is <window>-<width>; a pooling ends each block."""

    def words(column):
        for layer in blocks(TABLE[column], 3).values():
            if isinstance(layer, nn.Conv2d):
                assert layer.padding[0] == layer.kernel_size[0] // 2
                assert layer.stride == (1, 1)
                yield f"conv{layer.kernel_size[0]}-{layer.out_channels}"
            elif isinstance(layer, nn.MaxPool2d):
                assert (layer.kernel_size, layer.stride) == (2, 2)
                yield "maxpool"
            elif isinstance(layer, nn.LocalResponseNorm):
                yield "LRN"

    def paper(*counts, extra="conv3", lrn=False):
        """Columns of Table 1: so many of each width; C's last are 1 by 1."""
        for block, (width, count) in enumerate(
            zip((64, 128, 256, 512, 512), counts, strict=True)
        ):
            for number in range(count):
                kind = extra if number == 2 else "conv3"
                yield f"{kind}-{width}"
                if lrn and block == 0:
                    yield "LRN"
            yield "maxpool"

    assert list(words("A")) == list(paper(1, 1, 2, 2, 2))
    assert list(words("A-LRN")) == list(paper(1, 1, 2, 2, 2, lrn=True))
    assert list(words("B")) == list(paper(2, 2, 2, 2, 2))
    assert list(words("C")) == list(paper(2, 2, 3, 3, 3, extra="conv1"))
    assert list(words("D")) == list(paper(2, 2, 3, 3, 3))
    assert list(words("E")) == list(paper(2, 2, 4, 4, 4))
    assert list(words("C")) != list(words("D"))


# Network in Network: a dense network at every pixel


@torch.no_grad()
def test_an_mlpconv_is_a_small_dense_network_at_every_pixel():
    layer = MLPConv(3, (8, 6, 5), 3)
    x = torch.randn(2, 3, 7, 7)
    out = layer(x)

    def dense(conv: nn.Conv2d, values: Tensor) -> Tensor:
        return F.relu(F.linear(values, conv.weight.flatten(1), conv.bias))

    for row in range(5):
        for column in range(5):
            patch = x[:, :, row : row + 3, column : column + 3].flatten(1)
            values = dense(layer.conv, patch)
            values = dense(layer.mlp2, dense(layer.mlp1, values))
            assert close(values, out[:, :, row, column])


@torch.no_grad()
def test_nin_ends_in_the_means_of_one_map_a_class():
    net = nets.small_nin().eval()
    x = torch.randn(2, 1, 32, 32)
    maps = net.layers(x)
    assert maps.shape[1] == 10
    assert torch.equal(net(x), maps.flatten(2).mean(dim=2))
    assert not any(isinstance(m, nn.Linear) for m in net.modules())


# GoogLeNet: branches side by side


@pytest.mark.parametrize("conv", [Conv, NormedConv])
@torch.no_grad()
def test_an_inception_is_its_branches_side_by_side(conv):
    widths = (4, 3, 6, 2, 5, 7)
    module = Inception(8, widths, conv).eval()
    x = torch.randn(2, 8, 9, 9)
    out = module(x)
    assert out.shape == (2, 4 + 6 + 5 + 7, 9, 9)
    one, three, five, pooled = out.split([4, 6, 5, 7], dim=1)
    assert torch.equal(one, module.b1(x))
    assert torch.equal(three, module.b3(x))
    assert torch.equal(five, module.b5(x))
    assert torch.equal(pooled, module.pool(x))


def test_the_modules_of_googlenet_fit_into_each_other():
    """Each reads as many maps as the branches before it give together."""
    with torch.device("meta"):
        net = nets.googlenet(auxiliary=True)
    modules = [m for m in net.modules() if isinstance(m, Inception)]

    def reads(module):
        branches = (
            *(module.b1[0], module.b3[0][0]),
            *(module.b5[0][0], module.pool[1][0]),
        )
        (count,) = {branch.in_channels for branch in branches}
        return count

    def gives(module):
        branches = (
            *(module.b1[0], module.b3[1][0]),
            *(module.b5[1][0], module.pool[1][0]),
        )
        return sum(branch.out_channels for branch in branches)

    depths = [256, 480, 512, 512, 512, 528, 832, 832, 1024]
    assert [gives(module) for module in modules] == depths
    assert [reads(module) for module in modules] == [192, *depths[:-1]]
    assert net.fc.in_features == depths[-1]


@torch.no_grad()
def test_heads_do_not_change_the_answer():
    plain = nets.small_googlenet().eval()
    headed = nets.small_googlenet(auxiliary=True).eval()
    left = headed.load_state_dict(plain.state_dict(), strict=False)
    assert not left.unexpected_keys
    assert all("auxiliary4a" in key for key in left.missing_keys)
    x = torch.randn(2, 1, 32, 32)
    assert torch.equal(headed(x), plain(x))


# ResNet: shortcuts


def silenced(block: nn.Module) -> nn.Module:
    """The block with nothing but zeros in its last convolution."""
    name = "conv3" if hasattr(block, "conv3") else "conv2"
    nn.init.zeros_(getattr(block, name).weight)
    return block.eval()


@pytest.mark.parametrize(
    "block",
    [
        lambda option: BasicBlock(8, 8, 1, option),
        lambda option: Bottleneck(8, 2, 1, option),
    ],
)
@pytest.mark.parametrize("option", "AB")
@torch.no_grad()
def test_without_weights_a_block_is_the_identity(block, option):
    """On what a ReLU lets through; deeper is never worse than this."""
    net, x = silenced(block(option)), torch.randn(2, 8, 5, 5)
    assert torch.equal(net(x.relu()), x.relu())
    assert not torch.equal(net(x), x)  # the last ReLU cuts
    plain = silenced(block("none"))
    assert not plain(x.relu()).any()  # nothing goes round
    projected = silenced(block("C"))
    assert not torch.equal(projected(x.relu()), x.relu())


@torch.no_grad()
def test_a_pre_activation_block_passes_everything_on():
    block = silenced(PreActivationBlock(8, 8, 1, "A"))
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(block(x), x)  # negative values as well


@torch.no_grad()
def test_a_pre_activation_net_carries_x_to_the_end():
    """Without weights in the blocks, option A alone shapes the sum."""
    net = nets.cifar_resnet(20, "pre-activation").eval()
    for block in net.modules():
        if isinstance(block, PreActivationBlock):
            silenced(block)
    x = net.conv1(torch.randn(2, 3, 32, 32))
    carried = net.stage3(net.stage2(net.stage1(x)))
    assert torch.equal(carried[:, :16], x[:, :, ::4, ::4])
    assert not carried[:, 16:].any()
    net.stage2[1] = BasicBlock(32, 32, 1, "A").eval()
    silenced(net.stage2[1])  # one ReLU on the way, and x does not arrive
    carried = net.stage3(net.stage2(net.stage1(x)))
    assert not torch.equal(carried[:, :16], x[:, :, ::4, ::4])


def test_option_a_takes_every_second_pixel_and_adds_empty_maps():
    block = BasicBlock(4, 6, 2, "A")
    assert isinstance(block.shortcut, EverySecond)
    assert not list(block.shortcut.parameters())
    x = torch.randn(2, 4, 7, 8)
    out = block.shortcut(x)
    assert out.shape == (2, 6, 4, 4)
    for row in range(4):
        for column in range(4):
            seen = x[:, :, 2 * row, 2 * column]
            assert torch.equal(out[:, :4, row, column], seen)
    assert not out[:, 4:].any()


@torch.no_grad()
def test_a_residual_block_learns_what_is_left_over():
    """F(x) = H(x) - x: the block's answer less what goes round it."""
    block = BasicBlock(8, 8, 1, "A").eval()
    x = torch.randn(2, 8, 5, 5).relu()
    plain = deepcopy(block)
    plain.shortcut = None
    nn.init.ones_(plain.norm2.bias)  # so that few values are cut
    nn.init.ones_(block.norm2.bias)
    kept = (plain(x) > 0) & (block(x) > 0)
    assert kept.float().mean() > 0.5
    assert close(plain(x)[kept], (block(x) - x)[kept])


def test_the_stride_of_a_bottleneck():
    """The paper's drops three pixels of four unseen; v1.5 looks at all."""
    seen = []
    for late in (False, True):
        block = Bottleneck(4, 32, 2, "none", late).eval()
        x = torch.randn(1, 4, 8, 8, requires_grad=True)
        block(x).square().sum().backward()
        seen.append((x.grad.abs().sum(dim=(0, 1)) > 0).float().mean())
    assert seen == [0.25, 1.0]


def test_names_of_shortcuts():
    """ "projection" is option B."""
    with torch.device("meta"):
        b, named = nets.resnet(18), nets.resnet(18, shortcut="projection")
        c = nets.resnet(18, shortcut="C")
    assert list(b.state_dict()) == list(named.state_dict())
    assert len(c.state_dict()) > len(b.state_dict())
