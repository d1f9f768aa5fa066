"""The questions of the chapter on AlexNet."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnbook.exercises import Calls, Question
from cnnbook.geometry import conv_macs, conv_parameters, output_size
from cnnbook.probing import numbers

Pair = tuple[Tensor, Tensor]


def conv2(groups: int) -> tuple[int, int]:
    """Parameters and MACs of the second layer, cut in so many parts."""
    return (
        conv_parameters(96, 256, 5, groups=groups),
        conv_macs(96, 256, 5, 27, groups=groups),
    )


# Question 2: a larger photograph, layer by layer


def sides(photograph: int, padding: int = 2) -> list[int]:
    """Sides after conv1, pool1, pool2 and pool5; without padding, all bare."""
    conv1 = output_size(photograph, 11, 4, rounding="floor")
    pool1 = output_size(conv1, 3, 2, rounding="floor")
    conv2 = output_size(pool1, 5, padding=padding)
    pool2 = output_size(conv2, 3, 2, rounding="floor")
    conv5 = pool2 if padding else pool2 - 6
    return [conv1, pool1, pool2, output_size(conv5, 3, 2, rounding="floor")]


# Question 3: where local response normalisation answers most


def peak(k: float = 2, alpha: float = 1e-4, beta: float = 0.75) -> list[float]:
    """The value of a unit with silent neighbours, and its largest answer."""
    a = (k / (alpha * (2 * beta - 1))) ** 0.5
    return [a, a / (k + alpha * a**2) ** beta]


# Question 4: local response normalisation as a function


def maps(draw: Random) -> Iterator[tuple[Tensor]]:
    """Maps strong enough for the normalisation to act, few and many."""
    for shape in [(1, 3, 2, 2), (2, 8, 3, 1), (1, 1, 1, 2), (2, 12, 2, 3)]:
        yield (100 * numbers(draw, *shape).double(),)


def normalise(
    x: Tensor, alpha: float = 1e-4, k: float = 2, beta: float = 0.75
) -> Tensor:
    """The paper's normalisation: torch's alpha counts for the mean of 5."""
    return F.local_response_norm(x, 5, alpha=5 * alpha, beta=beta, k=k)


def of_mean(x: Tensor) -> Tensor:
    """Wrong: the mean of the squares in place of their sum."""
    return normalise(x, alpha=1e-4 / 5)


def with_one(x: Tensor) -> Tensor:
    """Wrong: torch's k."""
    return normalise(x, k=1)


def last_left_out(x: Tensor) -> Tensor:
    """Wrong: Python's `range` stops before its end, so one map is missing."""
    out = torch.empty_like(x)
    for i in range(x.shape[1]):
        near = x[:, max(0, i - 2) : min(x.shape[1] - 1, i + 2)]
        out[:, i] = x[:, i] / (2 + 1e-4 * near.square().sum(1)) ** 0.75
    return out


def without_squares(x: Tensor) -> Tensor:
    """Wrong: the neighbours are added up as they are."""
    padded = F.pad(x, (0, 0, 0, 0, 2, 2))
    total = sum(padded[:, i : i + x.shape[1]] for i in range(5))
    return x / (2 + 1e-4 * total) ** 0.75


def multiplied(x: Tensor) -> Tensor:
    """Wrong: the term multiplies where it should divide."""
    return x * (x / normalise(x))


def of_square_root(x: Tensor) -> Tensor:
    """Wrong: the exponent is one half."""
    return normalise(x, beta=0.5)


def without_exponent(x: Tensor) -> Tensor:
    """Wrong: the exponent is missing."""
    return normalise(x, beta=1)


def around(x: Tensor) -> Tensor:
    """Wrong: the first map and the last are neighbours."""
    total = sum(x.square().roll(i, dims=1) for i in range(-2, 3))
    return x / (2 + 1e-4 * total) ** 0.75


def others_only(x: Tensor) -> Tensor:
    """Wrong: a unit's own square is left out."""
    damping = (x / normalise(x)) ** (1 / 0.75) - 1e-4 * x.square()
    return x / damping**0.75


def five_each_way(x: Tensor) -> Tensor:
    """Wrong: five neighbours on each side."""
    return F.local_response_norm(x, 11, alpha=11e-4, beta=0.75, k=2.0)


def in_the_plane(x: Tensor) -> Tensor:
    """Wrong: neighbours in the picture, not in depth."""
    total = 25 * F.avg_pool2d(x.square(), 5, stride=1, padding=2)
    return x / (2 + 1e-4 * total) ** 0.75


# Question 5: a step of the paper's optimiser


def situations(draw: Random) -> Iterator[tuple[Tensor, Tensor, Tensor, float]]:
    """Weights, steps and gradients of like size, at several rates."""
    for rate in (0.01, 0.001, 0.3):
        w, v, g = numbers(draw, 3, 5).double()
        yield 100 * w, rate * v, g, rate


def step(w: Tensor, v: Tensor, g: Tensor, rate: float) -> Pair:
    """Momentum and weight decay as the paper writes them."""
    v = 0.9 * v - 0.0005 * rate * w - rate * g
    return w + v, v


def stale(w: Tensor, v: Tensor, g: Tensor, rate: float) -> Pair:
    """Wrong: the weights move by the old step."""
    return w + v, step(w, v, g, rate)[1]


def decay_without_rate(w: Tensor, v: Tensor, g: Tensor, rate: float) -> Pair:
    """Wrong: the decay is not multiplied by the rate."""
    v = 0.9 * v - 0.0005 * w - rate * g
    return w + v, v


def no_decay(w: Tensor, v: Tensor, g: Tensor, rate: float) -> Pair:
    """Wrong: the weight decay is missing."""
    v = 0.9 * v - rate * g
    return w + v, v


def as_in_torch(w: Tensor, v: Tensor, g: Tensor, rate: float) -> Pair:
    """Wrong here: the memory is kept without the rate."""
    v = 0.9 * v + g + 0.0005 * w
    return w - rate * v, v


def uphill(w: Tensor, v: Tensor, g: Tensor, rate: float) -> Pair:
    """Wrong: the step is taken away from the weights."""
    new = step(w, v, g, rate)[1]
    return w - new, new


def decay_away(w: Tensor, v: Tensor, g: Tensor, rate: float) -> Pair:
    """Wrong: the decay pushes the weights away from zero."""
    v = 0.9 * v + 0.0005 * rate * w - rate * g
    return w + v, v


def swapped(w: Tensor, v: Tensor, g: Tensor, rate: float) -> Pair:
    """Wrong: the new v comes first."""
    new = step(w, v, g, rate)
    return new[1], new[0]


def no_memory(w: Tensor, v: Tensor, g: Tensor, rate: float) -> Pair:
    """Wrong: the last step is forgotten."""
    return step(w, torch.zeros_like(v), g, rate)


QUESTIONS = (
    Question(
        id="alexnet.q1",
        title="conv2 on four cards",
        reference=conv2(groups=4),
        hints=(
            (conv2(groups=1), "that is one card; each filter sees 96 / 4."),
            (conv2(groups=2), "that is the paper's two cards."),
            (
                (conv2(4)[0] - 256, conv2(4)[1]),
                "the biases are missing: 256, however many cards.",
            ),
            (
                (
                    conv_parameters(24, 64, 5),
                    conv_macs(24, 64, 5, 27),
                ),
                "that is what one card holds and does; there are four.",
            ),
            (
                (conv2(4)[0], conv2(4)[0] * 27 * 27),
                "a bias is added, not multiplied: it is no MAC.",
            ),
            (
                (conv2(4)[0], 25 * 24 * 256),
                "each weight works at each of the 27 × 27 places.",
            ),
        ),
    ),
    Question(
        id="alexnet.q2",
        title="photographs of 259",
        reference=sides(259),
        hints=(
            (sides(259, padding=0), "that is the unpadded network."),
            (sides(227), "that is for 227 × 227."),
            (
                [62, 30, 14, 6],
                "divide by the stride, then add the first place.",
            ),
            (
                [63, 32, 16, 8],
                "the poolings' windows are 3 × 3 and have no padding.",
            ),
            (
                [249, 124, 61, 30],
                "conv1 has stride 4: its windows start 4 pixels apart.",
            ),
        ),
    ),
    Question(
        id="alexnet.q3",
        title="the strongest answer",
        reference=peak(),
        hints=(
            (
                peak(alpha=1e-4 / 5),
                "the sum counts here, not the mean: alpha is not divided "
                "by five.",
            ),
            (peak(k=1), "k is 2; torch's own is 1."),
            (
                (20_000**0.5, 20_000**0.5 / 4**0.75),
                "there the sum has reached k; the peak is where the "
                "derivative is zero.",
            ),
            (
                (200.0, 200 / 2**0.75),
                "the place is right; in the denominator the unit's own "
                "square counts too.",
            ),
            ((200.0, 200 / 6), "the place is right; the exponent is 0.75."),
        ),
    ),
    Question(
        id="alexnet.q4",
        title="local response normalisation",
        reference=normalise,
        probe=Calls(maps),
        hints=(
            (of_mean, "the sum of the squares, not their mean."),
            (with_one, "k is 2 in the paper; 1 is torch's own."),
            (
                last_left_out,
                "the sum includes its upper end; Python's range does not.",
            ),
            (without_squares, "the neighbours' squares are summed."),
            (multiplied, "the term in brackets divides."),
            (of_square_root, "the exponent is 0.75."),
            (without_exponent, "the exponent 0.75 is missing."),
            (
                around,
                "the first map has no neighbours before it: do not wrap "
                "around.",
            ),
            (others_only, "the unit's own square belongs to the sum."),
            (
                five_each_way,
                "five maps in all: two before, itself, two after.",
            ),
            (
                in_the_plane,
                "the neighbours are other maps at the same pixel, not "
                "other pixels.",
            ),
        ),
    ),
    Question(
        id="alexnet.q5",
        title="a step with momentum and weight decay",
        reference=step,
        probe=Calls(situations),
        hints=(
            (stale, "the weights move by the new v."),
            (decay_without_rate, "the decay is multiplied by the rate too."),
            (no_decay, "the weight decay, 0.0005, is missing."),
            (
                as_in_torch,
                "that is torch's order; the paper's v has the rate in it.",
            ),
            (uphill, "v points downhill already: add it."),
            (decay_away, "the decay pulls towards zero: minus."),
            (swapped, "return w first, then v."),
            (no_memory, "nine tenths of the last v stay."),
        ),
    ),
)
