"""Answers to the exercises on ResNet, right ones and wrong ones."""

import copy
from math import comb

import torch
from torch import nn

from cnnbook import nets
from cnnbook.anatomy import trace
from cnnbook.probes import resnet as probes


def as_in_the_chapter(conv, norm):
    """The solution of the chapter."""
    k = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    folded = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
    )
    folded.weight.data = conv.weight.data * k.data.view(-1, 1, 1, 1)
    folded.bias.data = (norm.bias - k * norm.running_mean).data
    return folded


def by_probing(conv, norm):
    """Ask the pair itself: what it answers to nothing, and how it scales."""
    folded = copy.deepcopy(conv)
    with torch.no_grad():
        nothing = torch.zeros(1, conv.out_channels, 1, 1).to(conv.weight)
        shift = norm(nothing).flatten()
        scale = norm(nothing + 1).flatten() - shift
        folded.weight.mul_(scale.view(-1, 1, 1, 1))
        folded.bias = nn.Parameter(shift)
    return folded


def live_depth() -> int:
    """A net of 3, 24, 36 and 3 bottlenecks, built and counted."""
    names = ("Conv2d", "Linear")
    with torch.device("meta"):
        net = nets.resnet(152)
        for _ in range(16):  # 24 blocks where 152 layers have 8
            net.stage3.append(copy.deepcopy(net.stage3[-1]))
        rows = trace(net.eval(), (3, 64, 64)).rows
    return sum(r.kind in names and "shortcut" not in r.name for r in rows)


def live_projections() -> int:
    """The parameters of all that stands on a shortcut of ResNet-34."""
    with torch.device("meta"):
        net = nets.resnet(34, shortcut="B")
    named = net.named_parameters()
    return sum(p.numel() for name, p in named if "shortcut" in name)


def by_multiplying() -> float:
    """The lengths of paths from (1 + t) to the power of 54, blocks in turn."""
    paths = [1.0]
    for _ in range(54):
        through = [0.0, *paths]
        around = [*paths, 0.0]
        paths = [(a + b) / 2 for a, b in zip(through, around, strict=True)]
    return sum(paths[:21])


RIGHT = {
    "resnet.q1": [200, live_depth()],
    "resnet.q2": [173_824, live_projections()],
    "resnet.q3": [as_in_the_chapter, by_probing],
    "resnet.q4": [
        sum(comb(54, k) for k in range(21)) / 2**54,
        by_multiplying(),
    ],
}
# each with words from the hint that it must get
WRONG = {
    "resnet.q1": [
        (198, "conv1 and the dense layer"),
        (199, "is missing"),
        (204, "stand beside"),
        (134, "the basic block has two"),
        (66, "each has three layers"),
    ],
    "resnet.q2": [
        (172_032, "have parameters too"),
        (172_928, "two numbers"),
        (175_616, "buffers"),
        (1_092_992, "option C"),
        (1_550_080, "1 × 1"),
    ],
    "resnet.q3": [
        (probes.by_variance, "root of the variance"),
        (probes.without_epsilon, "norm.eps"),
        (probes.shift_alone, "taken away"),
        (probes.mean_unscaled, "scaled as z is"),
    ],
    "resnet.q4": [
        (0.3818, "54 over k"),
        (sum(comb(54, k) for k in range(20)) / 2**54, "at most 20"),
        (comb(54, 20) / 2**54, "exactly 20"),
        (0.9619, "more than 20"),
        (3.81, "per cent"),
    ],
}
