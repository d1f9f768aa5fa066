"""Answers to the exercises on GoogLeNet, right ones and wrong ones."""

import torch
import torch.nn.functional as F
from torch import nn

from cnnbook import nets
from cnnbook.nets.googlenet import TABLE
from cnnbook.nets.inception import Inception
from cnnbook.probes import googlenet as probes


def live_module():
    """Module 4e, counted in the layers themselves."""
    module = Inception(528, TABLE["4e"])
    filters = [p for p in module.parameters() if p.dim() == 4]
    maps = module(torch.zeros(1, 528, 4, 4)).shape[1]
    return maps, sum(p.numel() for p in filters)


def live_head():
    """The head after 4a, in the live network."""
    net = nets.googlenet("2014", auxiliary=True)
    return sum(p.numel() for p in net.auxiliary4a.parameters())


def as_in_the_chapter(a, b, weight):
    """The solution of the chapter."""
    first, second = weight.split([a.shape[1], b.shape[1]], dim=1)
    pad = weight.shape[-1] // 2
    return F.conv2d(a, first, padding=pad) + F.conv2d(b, second, padding=pad)


def joined_after_all(a, b, weight):
    """By concatenation: the same numbers."""
    pad = weight.shape[-1] // 2
    return F.conv2d(torch.cat([a, b], dim=1), weight, padding=pad)


def fused_in_the_chapter(first, second, third):
    """The solution of the chapter."""
    layers = [first, second, third]
    fused = nn.Conv2d(
        first.in_channels, sum(layer.out_channels for layer in layers), 1
    )
    fused.weight.data = torch.cat([layer.weight for layer in layers]).data
    fused.bias.data = torch.cat([layer.bias for layer in layers]).data
    return fused


def fused_by_probing(first, second, third):
    """By asking the three what they make of one map at a time."""
    layers, channels = [first, second, third], first.in_channels
    width = sum(layer.out_channels for layer in layers)
    nothing = torch.zeros(1, channels, 1, 1, dtype=first.weight.dtype)
    maps = torch.eye(channels, dtype=nothing.dtype)[..., None, None]

    def answers(x):
        return torch.cat([layer(x) for layer in layers], dim=1).detach()

    fused = nn.Conv2d(channels, width, 1)
    fused.bias.data = answers(nothing).flatten()
    weights = (answers(maps) - answers(nothing)).transpose(0, 1)
    fused.weight.data = weights.reshape(width, channels, 1, 1)
    return fused


RIGHT = {
    "googlenet.q1": [(832, 867_328), live_module()],
    "googlenet.q2": [3_188_840, live_head()],
    "googlenet.q3": [as_in_the_chapter, joined_after_all],
    "googlenet.q4": [fused_in_the_chapter, fused_by_probing],
}
# each with words from the hint that it must get
WRONG = {
    "googlenet.q1": [
        ((832, 868_352), "without biases"),
        ((1024, 867_328), "stay inside"),
        ((1232, 799_744), "leaves 128"),
        ((832, 1_042_432), "832 is what it gives"),
        ((832, 765_952), "have weights too"),
    ],
    "googlenet.q2": [
        (3_186_688, "biases are missing"),
        (3_190_888, "4a gives 512"),
        (1_222_760, "4 × 4 places"),
        (26_781_800, "pooling comes first"),
        (6_379_728, "both heads"),
    ],
    "googlenet.q3": [
        (probes.other_way_round, "belong to a"),
        (probes.unpadded, "pad by half"),
        (probes.first_alone, "b is missing"),
    ],
    "googlenet.q4": [
        (probes.without_biases, "left behind"),
        (probes.backwards, "come first"),
        (probes.added, "not added"),
    ],
}
