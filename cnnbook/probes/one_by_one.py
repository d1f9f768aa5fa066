"""The questions of the chapter on 1 × 1 convolutions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from cnnbook.exercises import Calls, Question, Unusable
from cnnbook.geometry import conv_macs, conv_parameters
from cnnbook.nets import nin
from cnnbook.probing import numbers

with torch.device("meta"):
    CIFAR_100 = sum(p.numel() for p in nin("cifar", 100).parameters())
"""The parameters of Network in Network with a hundred classes."""


# Question 3: the widest neck that pays


def layers(draw: Random) -> Iterator[tuple[int, int, int]]:
    """Layers of the chapter, two whose break-even is whole, some others."""
    yield (192, 32, 5)
    yield (64, 64, 1)
    yield (256, 2304, 1)
    for _ in range(4):
        yield (
            draw.randrange(8, 513, 8),
            draw.randrange(8, 513, 8),
            draw.choice([1, 3, 5, 7]),
        )


def widest(maps_in: int, maps_out: int, window: int) -> int:
    """The largest neck with fewer multiplications than the layer itself."""
    itself = window**2 * maps_in * maps_out
    return (itself - 1) // (maps_in + window**2 * maps_out)


def break_even(maps_in: int, maps_out: int, window: int) -> int:
    """Wrong: also where the two cost the same."""
    itself = window**2 * maps_in * maps_out
    return itself // (maps_in + window**2 * maps_out)


def unrounded(maps_in: int, maps_out: int, window: int) -> float:
    """Wrong: the break-even itself."""
    itself = window**2 * maps_in * maps_out
    return itself / (maps_in + window**2 * maps_out)


def window_alone(maps_in: int, maps_out: int, window: int) -> int:
    """Wrong: the 1 × 1 layer is not paid for."""
    return maps_in - 1


def side_for_area(maps_in: int, maps_out: int, window: int) -> int:
    """Wrong: F in place of F²."""
    itself = window * maps_in * maps_out
    return math.ceil(itself / (maps_in + window * maps_out)) - 1


# Question 4: two layers as one


def outputs(answer: Any, draw: Random) -> list[Tensor]:
    """What the merged layers give where the two layers stood."""
    if not callable(answer):
        raise Unusable("a function is wanted here: give merge itself")
    results = []
    for maps_in, neck, maps_out, side in [(3, 2, 4, 3), (5, 3, 2, 1)]:
        reduce = nn.Conv2d(maps_in, neck, 1)
        window = nn.Conv2d(neck, maps_out, side)
        for parameter in (*reduce.parameters(), *window.parameters()):
            parameter.data = numbers(draw, *parameter.shape)
        x = numbers(draw, 2, maps_in, 6, 7).double()
        results.append(_run(answer, reduce.double(), window.double(), x))
    return results


def _run(answer: Any, reduce: nn.Module, window: nn.Module, x: Tensor):
    shown = f"{reduce.in_channels} → {reduce.out_channels} maps"
    try:
        layer = answer(reduce, window)
        if not isinstance(layer, nn.Conv2d):
            raise TypeError(
                f"it returns {type(layer).__name__}, not one nn.Conv2d"
            )
        with torch.no_grad():
            return layer.double()(x)
    except Exception as error:
        raise Unusable(
            f"for {shown}, your function or its layer failed: {error}"
        ) from error


def merge(reduce: nn.Conv2d, window: nn.Conv2d) -> nn.Conv2d:
    """The one convolution that gives what the two give in a row."""
    both = nn.Conv2d(
        reduce.in_channels, window.out_channels, window.kernel_size
    )
    first, then = reduce.weight[:, :, 0, 0], window.weight
    both.weight.data = torch.einsum("orij,rc->ocij", then, first).data
    through = then.sum(dim=(2, 3)) @ reduce.bias
    both.bias.data = (through + window.bias).data
    return both


def last_bias(reduce: nn.Conv2d, window: nn.Conv2d) -> nn.Conv2d:
    """Wrong: the bias of the first layer is left behind."""
    both = merge(reduce, window)
    both.bias.data = window.bias.data
    return both


def one_tap(reduce: nn.Conv2d, window: nn.Conv2d) -> nn.Conv2d:
    """Wrong: the first bias through one tap of the window."""
    both = merge(reduce, window)
    middle = window.kernel_size[0] // 2
    through = window.weight[:, :, middle, middle] @ reduce.bias
    both.bias.data = (through + window.bias).data
    return both


def bias_unweighted(reduce: nn.Conv2d, window: nn.Conv2d) -> nn.Conv2d:
    """Wrong: the first biases are added without the weights behind them."""
    both = merge(reduce, window)
    both.bias.data = window.bias.data + reduce.bias.data.sum()
    return both


def padded(reduce: nn.Conv2d, window: nn.Conv2d) -> nn.Conv2d:
    """Wrong: with padding where the two layers have none."""
    both = merge(reduce, window)
    both.padding = (1, 1)
    return both


QUESTIONS = (
    Question(
        id="one_by_one.q1",
        title="32 filters of 1 × 1 × 192",
        reference=(
            conv_parameters(192, 32, 1, bias=False),
            conv_macs(192, 32, 1, 28),
        ),
        hints=(
            (
                (32 * 193, conv_macs(192, 32, 1, 28)),
                "without biases, the exercise says.",
            ),
            (
                (192, 28 * 28 * 192),
                "that is one filter; there are 32.",
            ),
            (
                (32 * 192, 32 * 192),
                "each weight works at every pixel, not once.",
            ),
            (
                (32 * 192, 28 * 32 * 192),
                "28 × 28 pixels, not 28.",
            ),
            (
                (28 * 28 * 32 * 192, 28 * 28 * 32 * 192),
                "all pixels share the same weights.",
            ),
        ),
    ),
    Question(
        id="one_by_one.q2",
        title="a hundred classes",
        reference=CIFAR_100,
        hints=(
            (
                CIFAR_100 - 90,
                "each new filter has a bias too.",
            ),
            (
                CIFAR_100 + 10 * 193,
                "ten of the hundred filters are there already.",
            ),
            (
                CIFAR_100 - 90 * 193,
                "that is the network for ten classes.",
            ),
            (
                CIFAR_100 - 90 * 193 + 90 * (192 * 8 * 8 + 1),
                "there is no dense layer on the 8 × 8 places: a new class is "
                "one filter of 1 × 1.",
            ),
        ),
    ),
    Question(
        id="one_by_one.q3",
        title="the widest neck that pays",
        reference=widest,
        probe=Calls(layers),
        hints=(
            (
                break_even,
                "where the break-even is whole, as for 64 maps in and out by "
                "1 × 1, a neck of that width saves nothing.",
            ),
            (unrounded, "maps come whole: the largest number below it."),
            (
                window_alone,
                "the 1 × 1 layer in front has to be paid for as well.",
            ),
            (side_for_area, "a window has F² taps, not F."),
        ),
    ),
    Question(
        id="one_by_one.q4",
        title="two layers, one layer",
        reference=merge,
        probe=outputs,
        hints=(
            (
                last_bias,
                "the bias of the first layer reaches the output too, through "
                "the weights of the second.",
            ),
            (
                one_tap,
                "the first bias comes in at every tap of the window, and "
                "they add up.",
            ),
            (
                bias_unweighted,
                "on its way the first bias is multiplied by the weights of "
                "the second layer.",
            ),
            (padded, "no padding: the two layers have none."),
        ),
    ),
)
