"""The questions of the chapter on VGG."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from cnnbook.exercises import Question, Unusable
from cnnbook.geometry import (
    Layer,
    conv_parameters,
    dense_parameters,
    receptive_fields,
)
from cnnbook.nets.vgg import TABLE, blocks
from cnnbook.probing import numbers


def stack(column: str) -> list[Layer]:
    """The windows of a column of Table 1, poolings included."""
    layers = []
    for block in column.split():
        layers += [Layer(3) for _ in block.split(",")]
        layers.append(Layer(2, 2))
    return layers


def field(column: str) -> int:
    """The receptive field after the last pooling of a column."""
    return receptive_fields(stack(column))[-1].size


CONVOLUTIONS = sum(
    p.numel()
    for part in blocks(TABLE["A"], 3).values()
    for p in part.parameters()
)
"""The parameters of A's convolutions."""


# Question 4: a dense layer as a convolution

AsConvolution = Callable[[nn.Linear, int, int], nn.Module]


def outputs(answer: Any, draw: Random) -> list[Tensor]:
    """What the convolutions that the answer makes give on two sizes."""
    if not callable(answer):
        raise Unusable("a function is wanted here: give as_convolution itself")
    results = []
    for channels, side, units in [(1, 2, 3), (3, 4, 5), (4, 1, 2)]:
        fc = nn.Linear(channels * side**2, units).double()
        fc.weight.data = numbers(draw, *fc.weight.shape).double()
        fc.bias.data = numbers(draw, *fc.bias.shape).double()
        for larger in (side, side + 2):
            x = numbers(draw, 2, channels, larger, larger).double()
            results.append(_run(answer, fc, channels, side, x))
    return results


def _run(
    answer: AsConvolution, fc: nn.Linear, channels: int, side: int, x: Tensor
) -> Tensor:
    try:
        layer = answer(fc, channels, side)
        if not isinstance(layer, nn.Module):
            raise TypeError(
                f"it returns {type(layer).__name__}, not a layer of torch"
            )
        with torch.no_grad():
            return layer.double()(x)
    except Exception as error:
        raise Unusable(
            f"for {side} × {side} maps, {channels} of them, your function "
            f"or its layer failed: {error}"
        ) from error


def as_convolution(fc: nn.Linear, channels: int, side: int) -> nn.Conv2d:
    """The dense layer as a convolution that sees all its maps at once."""
    conv = nn.Conv2d(channels, fc.out_features, side)
    conv.weight.data = fc.weight.data.view(-1, channels, side, side)
    conv.bias.data = fc.bias.data
    return conv


def without_bias(fc: nn.Linear, channels: int, side: int) -> nn.Conv2d:
    """Wrong: the bias is left behind."""
    conv = as_convolution(fc, channels, side)
    conv.bias.data = torch.zeros_like(conv.bias)
    return conv


def channels_last(fc: nn.Linear, channels: int, side: int) -> nn.Conv2d:
    """Wrong: read as if the maps were the fastest index."""
    conv = as_convolution(fc, channels, side)
    kernel = fc.weight.data.view(-1, side, side, channels)
    conv.weight.data = kernel.permute(0, 3, 1, 2)
    return conv


def transposed(fc: nn.Linear, channels: int, side: int) -> nn.Conv2d:
    """Wrong: rows and columns of the kernel change places."""
    conv = as_convolution(fc, channels, side)
    conv.weight.data = conv.weight.data.transpose(2, 3)
    return conv


def padded(fc: nn.Linear, channels: int, side: int) -> nn.Conv2d:
    """Wrong: padding gives more places than the dense layer has."""
    conv = as_convolution(fc, channels, side)
    conv.padding = (1, 1)
    return conv


QUESTIONS = (
    Question(
        id="vgg.q1",
        title="three layers of 3 × 3 for one of 7 × 7",
        reference=(
            3 * conv_parameters(512, 512, 3, bias=False),
            conv_parameters(512, 512, 7, bias=False),
        ),
        hints=(
            (
                (9 * 512**2, 49 * 512**2),
                "that is one layer of 3 × 3; the stack has three.",
            ),
            (
                (3 * (9 * 512 + 1) * 512, (49 * 512 + 1) * 512),
                "without biases, the exercise says.",
            ),
            (
                (27 * 512, 49 * 512),
                "each of the 512 output maps has kernels of its own.",
            ),
            (
                (3 * 9 * 512**2, 81 * 512**2),
                "three layers see 7 pixels, not 9: the windows overlap.",
            ),
        ),
    ),
    Question(
        id="vgg.q2",
        title="VGG-A for 32 × 32 images",
        reference=CONVOLUTIONS + dense_parameters(512, 10),
        hints=(
            (
                CONVOLUTIONS + 512 * 10,
                "the ten biases of the dense layer are missing.",
            ),
            (
                CONVOLUTIONS + dense_parameters(512 * 7 * 7, 10),
                "7 × 7 is what is left of 224 pixels; of 32, five poolings "
                "leave 1 × 1.",
            ),
            (CONVOLUTIONS, "those are the convolutions alone."),
            (
                CONVOLUTIONS
                - sum(map(int, TABLE["A"].replace(",", " ").split()))
                + dense_parameters(512, 10),
                "the biases of the convolutions are missing, one a map.",
            ),
        ),
    ),
    Question(
        id="vgg.q3",
        title="the receptive field of E's pool5",
        reference=field(TABLE["E"]),
        hints=(
            (field(TABLE["D"]), "that is D's pool5; E has more layers."),
            (
                receptive_fields(stack(TABLE["E"])[:-1])[-1].size,
                "that is conv5_4; the pooling sees one jump further.",
            ),
            (
                1 + 2 * 16 + 5,
                "the jump is missing: after each pooling a step is twice as "
                "many pixels.",
            ),
            (
                1 + 5 * (2 + 4) + 9 * (8 + 16 + 32),
                "a pooling's own window still counts in the jump before it.",
            ),
        ),
    ),
    Question(
        id="vgg.q4",
        title="a dense layer that walks",
        reference=as_convolution,
        probe=outputs,
        hints=(
            (without_bias, "the bias of the dense layer is left behind."),
            (
                channels_last,
                "flatten runs through maps, rows, columns: the view of the "
                "weights is (units, channels, side, side).",
            ),
            (transposed, "rows and columns of the kernel change places."),
            (
                padded,
                "no padding: where the window covers all, one place is left.",
            ),
        ),
    ),
)
