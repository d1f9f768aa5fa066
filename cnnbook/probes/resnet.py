"""The questions of the chapter on ResNet."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from cnnbook import nets
from cnnbook.exercises import Question, Unusable
from cnnbook.probing import numbers


def layers(*blocks: int) -> int:
    """What the name of a net of bottlenecks counts."""
    return 3 * sum(blocks) + 2


def parameters(option: str) -> int:
    """The parameters of ResNet-34 with one of the shortcuts."""
    with torch.device("meta"):
        net = nets.resnet(34, shortcut=option)
    return sum(p.numel() for p in net.parameters())


# Question 3: batch norm folded into the convolution before it

Fold = Callable[[nn.Conv2d, nn.BatchNorm2d], nn.Module]


def outputs(answer: Any, draw: Random) -> list[Tensor]:
    """What the folded convolutions give; strides and paddings vary."""
    if not callable(answer):
        raise Unusable("a function is wanted here: give fold itself")
    results = []
    for maps, kernel, stride, padding in [(2, 3, 1, 1), (4, 1, 2, 0)]:
        conv = nn.Conv2d(3, maps, kernel, stride, padding, bias=False)
        norm = nn.BatchNorm2d(maps, eps=0.01).double().eval()
        conv.weight.data = numbers(draw, *conv.weight.shape)
        norm.weight.data = 1 + numbers(draw, maps).double() / 10
        norm.bias.data = numbers(draw, maps).double()
        norm.running_mean = numbers(draw, maps).double()
        norm.running_var = 1 + numbers(draw, maps).double() ** 2
        x = numbers(draw, 2, 3, 5, 5).double()
        results.append(_run(answer, conv.double(), norm, x))
    return results


def _run(
    answer: Fold, conv: nn.Conv2d, norm: nn.BatchNorm2d, x: Tensor
) -> Tensor:
    try:
        layer = answer(conv, norm)
        if not isinstance(layer, nn.Conv2d):
            raise TypeError(
                f"it returns {type(layer).__name__}, not one nn.Conv2d"
            )
        with torch.no_grad():
            return layer.double()(x)
    except Exception as error:
        raise Unusable(
            f"for a window of {conv.kernel_size[0]} with stride "
            f"{conv.stride[0]}, your function or its layer failed: {error}"
        ) from error


def fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution that gives what both give in evaluation mode."""
    return _folded(conv, norm, torch.sqrt(norm.running_var + norm.eps))


def _folded(
    conv: nn.Conv2d, norm: nn.BatchNorm2d, spread: Tensor
) -> nn.Conv2d:
    factor = (norm.weight / spread).data
    folded = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
    )
    folded.weight.data = conv.weight.data * factor.view(-1, 1, 1, 1)
    folded.bias.data = norm.bias.data - factor * norm.running_mean
    return folded


def by_variance(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Wrong: divides by the variance and not by its root."""
    return _folded(conv, norm, norm.running_var + norm.eps)


def without_epsilon(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Wrong: leaves epsilon out."""
    return _folded(conv, norm, norm.running_var.sqrt())


def shift_alone(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Wrong: the bias is beta, and the running mean is left behind."""
    folded = fold(conv, norm)
    folded.bias.data = norm.bias.data
    return folded


def mean_unscaled(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Wrong: the running mean is taken away without the factor."""
    folded = fold(conv, norm)
    folded.bias.data = norm.bias.data - norm.running_mean
    return folded


def short(blocks: int, most: int) -> float:
    """The share of the paths that go through at most so many blocks."""
    return sum(math.comb(blocks, k) for k in range(most + 1)) / 2**blocks


QUESTIONS = (
    Question(
        id="resnet.q1",
        title="the depth in a name",
        reference=layers(3, 24, 36, 3),
        hints=(
            (3 * 66, "conv1 and the dense layer have weights too."),
            (3 * 66 + 1, "either conv1 or the dense layer is missing."),
            (
                3 * 66 + 2 + 4,
                "the four projections stand beside other layers; a name "
                "counts the longest way.",
            ),
            (
                2 * 66 + 2,
                "a bottleneck has three layers, the basic block has two.",
            ),
            (66, "those are the blocks; each has three layers."),
        ),
    ),
    Question(
        id="resnet.q2",
        title="what option B costs",
        reference=parameters("B") - parameters("A"),
        hints=(
            (
                64 * 128 + 128 * 256 + 256 * 512,
                "the batch norms behind the projections have parameters too.",
            ),
            (
                64 * 128 + 128 * 256 + 256 * 512 + 128 + 256 + 512,
                "batch norm learns two numbers for each map.",
            ),
            (
                64 * 128 + 128 * 256 + 256 * 512 + 4 * (128 + 256 + 512),
                "the running mean and variance are buffers, not parameters.",
            ),
            (
                parameters("C") - parameters("A"),
                "that is option C, with a projection round every block.",
            ),
            (
                9 * (64 * 128 + 128 * 256 + 256 * 512) + 2 * 896,
                "a projection is 1 × 1.",
            ),
        ),
    ),
    Question(
        id="resnet.q3",
        title="batch norm folded away",
        reference=fold,
        probe=outputs,
        tolerance=1e-6,
        hints=(
            (by_variance, "divide by the spread, the root of the variance."),
            (without_epsilon, "epsilon stands under the root: norm.eps."),
            (shift_alone, "the running mean has to be taken away."),
            (mean_unscaled, "the running mean is scaled as z is."),
        ),
    ),
    Question(
        id="resnet.q4",
        title="the share of short paths",
        reference=short(54, 20),
        tolerance=1e-2,
        hints=(
            (
                21 / 55,
                "not all lengths have as many paths: there are 54 over k "
                "ways to choose k blocks.",
            ),
            (short(54, 19), "at most 20: paths through 20 count."),
            (
                math.comb(54, 20) / 2**54,
                "those are the paths through exactly 20 blocks.",
            ),
            (1 - short(54, 20), "those are the paths through more than 20."),
            (
                100 * short(54, 20),
                "a share between 0 and 1 is wanted, not per cent.",
            ),
        ),
    ),
)
