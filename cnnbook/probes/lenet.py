"""The questions of the chapter on LeNet."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnbook.exercises import Calls, Question
from cnnbook.geometry import Layer, dense_parameters, receptive_fields
from cnnbook.nets.lenet import squash
from cnnbook.probing import numbers

STACK = [Layer(5), Layer(2, 2), Layer(5), Layer(2, 2), Layer(5)]
"""C1, S2, C3, S4, C5."""


# Question 4: subsampling as a function


def batches(draw: Random) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Maps, weights and biases, of three shapes."""
    for n, c, h, w in [(1, 1, 2, 2), (2, 3, 4, 6), (1, 6, 8, 8)]:
        yield numbers(draw, n, c, h, w), numbers(draw, c), numbers(draw, c)


def affine(total: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The total, times one weight and plus one bias per map."""
    return weight[:, None, None] * total + bias[:, None, None]


def blocks(x: Tensor) -> Tensor:
    """The sum of each 2 by 2 block."""
    return F.avg_pool2d(x, 2, divisor_override=1)


def subsample(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The subsampling of 1998: sum, weight, bias, squash."""
    return squash(affine(blocks(x), weight, bias))


def of_means(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Wrong: the mean of each block in place of the sum."""
    return squash(affine(blocks(x) / 4, weight, bias))


def plain_tanh(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Wrong: tanh without its two constants."""
    return torch.tanh(affine(blocks(x), weight, bias))


def not_squashed(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Wrong: the squashing is missing."""
    return affine(blocks(x), weight, bias)


def overlapping(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Wrong: blocks at every place, not at every second one."""
    total = F.avg_pool2d(x, 2, stride=1, divisor_override=1)
    return squash(affine(total, weight, bias))


QUESTIONS = (
    Question(
        id="lenet.q1",
        title="parameters and connections of S4",
        reference=(16 * 2, 16 * 5 * 5 * 5),
        hints=(
            (
                (16 * 5, 16 * 5 * 5 * 5),
                "the four inputs of a unit share one coefficient: two "
                "parameters a map, not five.",
            ),
            (
                (0, 16 * 5 * 5 * 5),
                "that is today's pooling; subsampling in 1998 had a "
                "coefficient and a bias for each map.",
            ),
            (
                (16 * 2, 16 * 5 * 5 * 4),
                "the bias of each unit is a connection too: five a unit.",
            ),
            (
                (16 * 2, 16 * 10 * 10 * 5),
                "count the units of S4, 5 × 5 a map; 10 × 10 is C3.",
            ),
            (
                (16 * 2, 16 * 5 * 5 * 2),
                "a parameter that serves four inputs makes four connections.",
            ),
        ),
    ),
    Question(
        id="lenet.q2",
        title="C1 without shared weights",
        reference=dense_parameters(32 * 32, 6 * 28 * 28),
        hints=(
            (6 * 28 * 28 * 32 * 32, "the biases are missing, one a unit."),
            (
                6 * 28 * 28 * (5 * 5 + 1),
                "that is local without sharing; here each unit sees all "
                "32 × 32 pixels.",
            ),
            (6 * (5 * 5 + 1), "that is C1 as it is, with shared weights."),
            (
                6 * (32 * 32 + 1),
                "that is one unit a map; each map has 28 × 28 of them.",
            ),
        ),
    ),
    Question(
        id="lenet.q3",
        title="receptive fields from C1 to C5",
        reference=[field.size for field in receptive_fields(STACK)],
        hints=(
            (
                [5, 6, 10, 11, 15],
                "the jump is missing: after a stride of 2, a step in a map "
                "is two pixels in the picture.",
            ),
            (
                [5, 7, 15, 19, 35],
                "a layer adds (k - 1) times the jump before it, not the jump "
                "after its own stride.",
            ),
            (
                [5, 2, 5, 2, 5],
                "these are the kernels; the field is what they cover in the "
                "picture together.",
            ),
            (
                [28, 14, 10, 5, 1],
                "these are the sizes of the maps, not what one unit sees.",
            ),
        ),
    ),
    Question(
        id="lenet.q4",
        title="subsampling of 1998",
        reference=subsample,
        probe=Calls(batches),
        tolerance=1e-3,
        hints=(
            (of_means, "in 1998 the four values are added, not averaged."),
            (plain_tanh, "the squashing is 1.7159 tanh(2a/3)."),
            (not_squashed, "the squashing at the end is missing."),
            (overlapping, "the blocks do not overlap: every second row."),
        ),
    ),
)
