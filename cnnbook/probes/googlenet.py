"""The questions of the chapter on GoogLeNet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.exercises import Calls, Question, Unusable
from cnnbook.geometry import conv_parameters, dense_parameters
from cnnbook.nets.googlenet import TABLE
from cnnbook.probing import numbers


def weights(maps: int, widths: tuple[int, ...], bias: bool = False) -> int:
    """The weights of a reduced module."""
    n1, r3, n3, r5, n5, p = widths
    layers = [
        (maps, n1, 1),
        (maps, r3, 1),
        (r3, n3, 3),
        (maps, r5, 1),
        (r5, n5, 5),
        (maps, p, 1),
    ]
    return sum(conv_parameters(*layer, bias=bias) for layer in layers)


N1, R3, N3, R5, N5, P = TABLE["4e"]
DEPTH = N1 + N3 + N5 + P


def head(maps: int, side: int = 4, bias: bool = True) -> int:
    """The parameters of an auxiliary classifier that reads so many maps."""
    return (
        conv_parameters(maps, 128, 1, bias=bias)
        + dense_parameters(128 * side**2, 1024, bias=bias)
        + dense_parameters(1024, 1000, bias=bias)
    )


# Question 3: a convolution of two stacks that are never joined


def stacks(draw: Random) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Two stacks of maps, and a weight for both side by side."""
    for one, other, maps, window in [(1, 1, 1, 1), (3, 2, 4, 3), (2, 5, 3, 5)]:
        a, b = numbers(draw, 2, one, 6, 7), numbers(draw, 2, other, 6, 7)
        yield a, b, numbers(draw, maps, one + other, window, window)


def without_cat(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Each stack by its own part of the weight, then the sum."""
    pad, cut = weight.shape[-1] // 2, a.shape[1]
    first = F.conv2d(a, weight[:, :cut], padding=pad)
    return first + F.conv2d(b, weight[:, cut:], padding=pad)


def other_way_round(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Wrong: the second stack gets the first part."""
    return without_cat(b, a, weight)


def unpadded(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Wrong: the maps shrink."""
    joined = torch.cat([a, b], dim=1)
    return F.conv2d(joined, weight)


def first_alone(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Wrong: the second stack is forgotten."""
    return without_cat(a, torch.zeros_like(b), weight)


# Question 4: three 1 × 1 layers in one

Fuse = Callable[[nn.Conv2d, nn.Conv2d, nn.Conv2d], nn.Module]


def outputs(answer: Any, draw: Random) -> list[Tensor]:
    """What the fused layers give on random maps."""
    if not callable(answer):
        raise Unusable("a function is wanted here: give fuse itself")
    results = []
    for channels, widths in [(2, (1, 1, 1)), (5, (3, 2, 4)), (4, (6, 1, 3))]:
        layers = [nn.Conv2d(channels, n, 1).double() for n in widths]
        for layer in layers:
            layer.weight.data = numbers(draw, *layer.weight.shape).double()
            layer.bias.data = numbers(draw, *layer.bias.shape).double()
        x = numbers(draw, 2, channels, 3, 4).double()
        results.append(_run(answer, layers, x))
    return results


def _run(answer: Fuse, layers: list[nn.Conv2d], x: Tensor) -> Tensor:
    widths = ", ".join(str(layer.out_channels) for layer in layers)
    try:
        layer = answer(*layers)
        if not isinstance(layer, nn.Conv2d):
            raise TypeError(
                f"it returns {type(layer).__name__}, not one nn.Conv2d"
            )
        with torch.no_grad():
            return layer.double()(x)
    except Exception as error:
        raise Unusable(
            f"for layers of {widths} filters, your function or its layer "
            f"failed: {error}"
        ) from error


def fuse(*layers: nn.Conv2d) -> nn.Conv2d:
    """One 1 × 1 layer with the filters of all, one after the other."""
    width = sum(layer.out_channels for layer in layers)
    fused = nn.Conv2d(layers[0].in_channels, width, 1)
    fused.weight.data = torch.cat([layer.weight.data for layer in layers])
    fused.bias.data = torch.cat([layer.bias.data for layer in layers])
    return fused


def without_biases(*layers: nn.Conv2d) -> nn.Conv2d:
    """Wrong: the biases are left behind."""
    fused = fuse(*layers)
    fused.bias.data = torch.zeros_like(fused.bias)
    return fused


def backwards(*layers: nn.Conv2d) -> nn.Conv2d:
    """Wrong: the last layer's filters come first."""
    return fuse(*layers[::-1])


def added(*layers: nn.Conv2d) -> nn.Conv2d:
    """Wrong: one filter for three, their sum."""
    width = max(layer.out_channels for layer in layers)
    fused = nn.Conv2d(layers[0].in_channels, width, 1).double()
    fused.weight.data.zero_()
    fused.bias.data.zero_()
    for layer in layers:
        fused.weight.data[: layer.out_channels] += layer.weight.data
        fused.bias.data[: layer.out_channels] += layer.bias.data
    return fused


QUESTIONS = (
    Question(
        id="googlenet.q1",
        title="module 4e",
        reference=(DEPTH, weights(528, TABLE["4e"])),
        hints=(
            (
                (DEPTH, weights(528, TABLE["4e"], bias=True)),
                "without biases, the exercise says.",
            ),
            (
                (sum(TABLE["4e"]), weights(528, TABLE["4e"])),
                "the reducing layers' maps stay inside their branches.",
            ),
            (
                (DEPTH - P + 528, weights(528, TABLE["4e"]) - 528 * P),
                "behind the pooling a 1 × 1 layer leaves 128 of its maps.",
            ),
            (
                (DEPTH, weights(832, TABLE["4e"])),
                "4e reads the 528 maps of 4d; 832 is what it gives.",
            ),
            (
                (DEPTH, 528 * (N1 + P) + 9 * R3 * N3 + 25 * R5 * N5),
                "the two 1 × 1 layers before the windows have weights too.",
            ),
        ),
    ),
    Question(
        id="googlenet.q2",
        title="the parameters of a second head",
        reference=head(512),
        hints=(
            (head(512, bias=False), "the biases are missing."),
            (head(528), "that head reads 4d's 528 maps; 4a gives 512."),
            (
                head(512, side=1),
                "the pooling leaves 4 × 4 places, so the dense layer reads "
                "128 · 4 · 4 values.",
            ),
            (
                head(512, side=14),
                "the pooling comes first: 14 × 14 becomes 4 × 4.",
            ),
            (head(512) + head(528), "those are both heads."),
        ),
    ),
    Question(
        id="googlenet.q3",
        title="side by side, without joining",
        reference=without_cat,
        probe=Calls(stacks),
        hints=(
            (
                other_way_round,
                "the first maps of the weight belong to a, the others to b.",
            ),
            (unpadded, "the size has to stay: pad by half of the window."),
            (first_alone, "b is missing."),
        ),
    ),
    Question(
        id="googlenet.q4",
        title="three 1 × 1 layers in one",
        reference=fuse,
        probe=outputs,
        hints=(
            (without_biases, "the biases are left behind."),
            (backwards, "the filters of the first layer come first."),
            (
                added,
                "the outputs stand side by side: the filters are laid one "
                "after the other, not added.",
            ),
        ),
    ),
)
