"""Answers to the exercises on the lineage, right ones and wrong ones."""

import statistics

import torch
from torch import nn

from cnnbook.claims import counts
from cnnbook.probes import lineage as probes


def as_in_the_chapter(right, n):
    """The solution of the chapter."""
    p = right / n
    return (p * (1 - p) / n) ** 0.5


def by_hand(right, n):
    """The answers written out, as ones and zeros."""
    answers = [1] * right + [0] * (n - right)
    return statistics.stdev(answers) / n**0.5  # n - 1: as good


def upsets_in_the_chapter(a, b):
    """The solution of the chapter."""
    if sum(a) / len(a) > sum(b) / len(b):
        a, b = b, a
    ahead = sum((x > y) + (x == y) / 2 for x in a for y in b)
    return ahead / (len(a) * len(b))


def upsets_with_tensors(a, b):
    """All pairs at once."""
    worse, better = sorted((a, b), key=statistics.mean)
    gap = torch.tensor(worse)[:, None] - torch.tensor(better)
    return ((gap.sign() + 1) / 2).mean().item()


def join_in_the_chapter(depthwise, pointwise):
    """The solution of the chapter."""
    conv = nn.Conv2d(
        depthwise.in_channels,
        pointwise.out_channels,
        depthwise.kernel_size,
        depthwise.stride,
        depthwise.padding,
    )
    mix = pointwise.weight.data  # (out, in, 1, 1)
    conv.weight.data = mix * depthwise.weight.data.transpose(0, 1)
    conv.bias.data = pointwise.bias + mix[:, :, 0, 0] @ depthwise.bias
    return conv


def join_by_asking(depthwise, pointwise):
    """Finds the weights by sending in one point at a time."""
    maps, side = depthwise.in_channels, depthwise.kernel_size[0]
    conv = nn.Conv2d(
        maps, pointwise.out_channels, side, depthwise.stride, depthwise.padding
    )
    with torch.no_grad():
        bare = nn.functional.conv2d
        zero = torch.zeros(1, maps, side, side).double()
        bias = pointwise(depthwise(zero))[0, :, 0, 0]
        for m in range(maps):
            for i in range(side):
                for j in range(side):
                    point = zero.clone()
                    point[0, m, i, j] = 1
                    seen = bare(
                        point, depthwise.weight, depthwise.bias, groups=maps
                    )
                    found = pointwise(seen)[0, :, 0, 0]
                    conv.weight[:, m, i, j] = found - bias
        conv.bias.copy_(bias)
    return conv


def not_joined(depthwise, pointwise):
    """Two layers are not one."""
    return nn.Sequential(depthwise, pointwise)


MACS = counts.macs("googlenet 2014")

RIGHT = {
    "lineage.q1": [1_595_333_246_976, 7 * 144 * MACS],
    "lineage.q2": [as_in_the_chapter, by_hand],
    "lineage.q3": [upsets_in_the_chapter, upsets_with_tensors],
    "lineage.q4": [join_in_the_chapter, join_by_asking],
    "lineage.q5": [16, 4 * 4.0],
}
# each with words from the hint that it must get
WRONG = {
    "lineage.q1": [
        (7 * MACS, "144 crops"),
        (144 * MACS, "seven networks"),
        (151 * MACS, "multiply"),
        (2016 * MACS, "FLOPs"),
    ],
    "lineage.q2": [
        (probes.variance, "square root"),
        (probes.of_one, "one answer"),
        (probes.of_the_count, "divide by n"),
        (probes.in_per_cent, "not in per cent"),
    ],
    "lineage.q3": [
        (probes.without_ties, "one half"),
        (probes.second_ahead, "lower mean"),
        (probes.seed_by_seed, "every pair"),
        (probes.usual_order, "usual order"),
    ],
    "lineage.q4": [
        (probes.bias_lost, "are missing"),
        (probes.bias_unmixed, "which mixes them"),
        (probes.flipped, "no flip"),
        (probes.stride_lost, "the stride"),
        (not_joined, "one nn.Conv2d without groups"),
    ],
    "lineage.q5": [
        (4, "of one byte"),
        (64, "four bytes, once"),
        (1, "waits for its weights"),
        (37_748_736, "falls out"),
    ],
}
