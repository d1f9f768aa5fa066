"""The questions of the chapter that compares the lineage."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from cnnbook.exercises import Calls, Question, Unusable
from cnnbook.probing import numbers

GOOGLENET_MACS = 1_582_671_872
"""One pass of GoogLeNet; the chapter counts it in the live network."""


# Question 2: how sure an accuracy is


def measured(draw: Random) -> list[tuple[int, int]]:
    """Right answers and images, as a test counts them."""
    cases = [(980, 1000), (46_500, 50_000)]
    for _ in range(6):
        n = draw.randint(1000, 60_000)
        cases.append((draw.randint(n // 2, n - 1), n))
    return cases


def standard_error(right: int, n: int) -> float:
    """The standard error of the share of right answers."""
    p = right / n
    return math.sqrt(p * (1 - p) / n)


def variance(right: int, n: int) -> float:
    """Wrong: the square root is missing."""
    return standard_error(right, n) ** 2


def of_one(right: int, n: int) -> float:
    """Wrong: the spread of a single answer."""
    return standard_error(right, n) * math.sqrt(n)


def of_the_count(right: int, n: int) -> float:
    """Wrong: the spread of the number of right answers."""
    return standard_error(right, n) * n


def in_per_cent(right: int, n: int) -> float:
    """Wrong: per cent in place of a share."""
    return 100 * standard_error(right, n)


# Question 3: how often two nets change places


def runs(draw: Random) -> list[tuple[list[float], list[float]]]:
    """Accuracies of two nets: apart, overlapping, with ties."""
    cases = [
        ([0.98, 0.979, 0.979], [0.979, 0.971, 0.98]),
        ([0.9, 0.91], [0.7, 0.71, 0.72]),
    ]
    for _ in range(6):
        a, b = (
            [
                round(draw.uniform(low, 0.99), 2)
                for _ in range(draw.randint(3, 7))
            ]
            for low in (0.9, 0.92)
        )
        if sum(a) * len(b) != sum(b) * len(a):
            cases.append((a, b))
    return cases


def upsets(a: Sequence[float], b: Sequence[float]) -> float:
    """The share of pairs in which the net with the lower mean is ahead."""
    worse, better = sorted((a, b), key=lambda net: sum(net) / len(net))
    pairs = [(w, g) for w in worse for g in better]
    return sum((w > g) + 0.5 * (w == g) for w, g in pairs) / len(pairs)


def without_ties(a: Sequence[float], b: Sequence[float]) -> float:
    """Wrong: a draw counts as none."""
    worse, better = sorted((a, b), key=lambda net: sum(net) / len(net))
    pairs = [(w, g) for w in worse for g in better]
    return sum(w > g for w, g in pairs) / len(pairs)


def second_ahead(a: Sequence[float], b: Sequence[float]) -> float:
    """Wrong: always the second net, whichever has the lower mean."""
    pairs = [(w, g) for w in b for g in a]
    return sum((w > g) + 0.5 * (w == g) for w, g in pairs) / len(pairs)


def seed_by_seed(a: Sequence[float], b: Sequence[float]) -> float:
    """Wrong: only runs of the same place are compared."""
    worse, better = sorted((a, b), key=lambda net: sum(net) / len(net))
    pairs = list(zip(worse, better, strict=False))
    return sum((w > g) + 0.5 * (w == g) for w, g in pairs) / len(pairs)


def usual_order(a: Sequence[float], b: Sequence[float]) -> float:
    """Wrong: the share of pairs in which the order is the usual one."""
    return 1 - upsets(a, b)


# Question 4: two convolutions as one

Join = Callable[[nn.Conv2d, nn.Conv2d], nn.Module]


def joined(answer: Any, draw: Random) -> list[Tensor]:
    """What the convolutions that the answer makes give on random maps."""
    if not callable(answer):
        raise Unusable("a function is wanted here: give join itself")
    results = []
    for maps, out, side, stride in [(2, 3, 3, 1), (3, 2, 5, 2), (4, 4, 3, 2)]:
        depthwise = nn.Conv2d(
            maps, maps, side, stride, padding=side // 2, groups=maps
        ).double()
        pointwise = nn.Conv2d(maps, out, 1).double()
        for layer in (depthwise, pointwise):
            layer.weight.data = numbers(draw, *layer.weight.shape).double()
            layer.bias.data = numbers(draw, *layer.bias.shape).double()
        x = numbers(draw, 2, maps, 8, 7).double()
        results.append(_run(answer, depthwise, pointwise, x))
    return results


def _run(
    answer: Join, depthwise: nn.Conv2d, pointwise: nn.Conv2d, x: Tensor
) -> Tensor:
    try:
        layer = answer(depthwise, pointwise)
        if not isinstance(layer, nn.Conv2d) or layer.groups != 1:
            raise TypeError(
                "one nn.Conv2d without groups is wanted, not "
                f"{type(layer).__name__}"
            )
        with torch.no_grad():
            return layer.double()(x)
    except Exception as error:
        raise Unusable(
            f"for {depthwise.in_channels} maps to {pointwise.out_channels}, "
            f"your function or its layer failed: {error}"
        ) from error


def join(depthwise: nn.Conv2d, pointwise: nn.Conv2d) -> nn.Conv2d:
    """The one convolution that does what the two do in a row."""
    conv = nn.Conv2d(
        depthwise.in_channels,
        pointwise.out_channels,
        depthwise.kernel_size,
        depthwise.stride,
        depthwise.padding,
    )
    mix, windows = pointwise.weight.data, depthwise.weight.data
    conv.weight.data = mix * windows.transpose(0, 1)
    conv.bias.data = pointwise.bias + mix[:, :, 0, 0] @ depthwise.bias
    return conv


def bias_lost(depthwise: nn.Conv2d, pointwise: nn.Conv2d) -> nn.Conv2d:
    """Wrong: the biases of the depthwise layer are left behind."""
    conv = join(depthwise, pointwise)
    conv.bias.data = pointwise.bias.data
    return conv


def bias_unmixed(depthwise: nn.Conv2d, pointwise: nn.Conv2d) -> nn.Conv2d:
    """Wrong: the depthwise biases are added up, not mixed."""
    conv = join(depthwise, pointwise)
    conv.bias.data = pointwise.bias + depthwise.bias.sum()
    return conv


def flipped(depthwise: nn.Conv2d, pointwise: nn.Conv2d) -> nn.Conv2d:
    """Wrong: the windows are turned over, as a mathematician would."""
    conv = join(depthwise, pointwise)
    conv.weight.data = conv.weight.data.flip(2, 3)
    return conv


def stride_lost(depthwise: nn.Conv2d, pointwise: nn.Conv2d) -> nn.Conv2d:
    """Wrong: the stride of the depthwise layer is left behind."""
    conv = join(depthwise, pointwise)
    conv.stride = (1, 1)
    return conv


QUESTIONS = (
    Question(
        id="lineage.q1",
        title="what 6.67 % cost",
        reference=7 * 144 * GOOGLENET_MACS,
        hints=(
            (
                7 * GOOGLENET_MACS,
                "seven networks, yes, but each of them sees 144 crops.",
            ),
            (
                144 * GOOGLENET_MACS,
                "144 crops, yes, but for each of seven networks.",
            ),
            (
                (7 + 144) * GOOGLENET_MACS,
                "every network sees every crop: multiply.",
            ),
            (
                2 * 7 * 144 * GOOGLENET_MACS,
                "those are FLOPs; a multiply-accumulate counts once here.",
            ),
        ),
    ),
    Question(
        id="lineage.q2",
        title="how sure an accuracy is",
        reference=standard_error,
        probe=Calls(measured),
        tolerance=1e-3,
        hints=(
            (variance, "that is the variance; take its square root."),
            (
                of_one,
                "that is the spread of one answer; the mean of n answers "
                "spreads less.",
            ),
            (
                of_the_count,
                "that is the spread of the number of right answers; divide "
                "by n.",
            ),
            (in_per_cent, "as a share, not in per cent."),
        ),
    ),
    Question(
        id="lineage.q3",
        title="how often two nets change places",
        reference=upsets,
        probe=Calls(runs),
        hints=(
            (without_ties, "a tie counts one half."),
            (
                second_ahead,
                "find out first which of the two has the lower mean.",
            ),
            (
                seed_by_seed,
                "a seed means nothing from net to net: take every pair of "
                "runs.",
            ),
            (
                usual_order,
                "that is how often the usual order holds; the upsets are "
                "the others.",
            ),
        ),
    ),
    Question(
        id="lineage.q4",
        title="two convolutions as one",
        reference=join,
        probe=joined,
        hints=(
            (bias_lost, "the biases of the depthwise layer are missing."),
            (
                bias_unmixed,
                "the depthwise biases pass through the 1 × 1 layer, which "
                "mixes them.",
            ),
            (flipped, "no flip: both layers are cross-correlations."),
            (stride_lost, "the stride of the depthwise layer is missing."),
        ),
    ),
    Question(
        id="lineage.q5",
        title="when fc6 stops waiting",
        reference=16,
        hints=(
            (4, "that is for weights of one byte; these have four."),
            (64, "each weight is four bytes, once."),
            (1, "at one image it waits for its weights."),
            (
                37_748_736,
                "the number of weights falls out: each is read once and "
                "used once an image.",
            ),
        ),
    ),
)
