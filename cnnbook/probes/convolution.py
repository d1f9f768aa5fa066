"""The questions of the chapter on convolution."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnbook.exercises import Calls, Question
from cnnbook.geometry import (
    Layer,
    conv_parameters,
    output_size,
    receptive_field,
)
from cnnbook.probing import numbers

Triples = list[tuple[int, int, int]]
"""Kernel, stride and dilation of each layer."""


# Question 4: the receptive field as a function


def chains(draw: Random) -> Iterator[tuple[Triples]]:
    """Chains of layers: one of each difficulty, then three at random."""
    yield ([(3, 1, 1)] * 3,)
    yield ([(5, 1, 1), (2, 2, 1), (5, 1, 1), (2, 2, 1)],)
    yield ([(3, 1, 1), (3, 1, 2), (3, 1, 4)],)
    yield ([(3, 2, 2), (3, 1, 3)],)
    for _ in range(3):
        depth = draw.randint(2, 5)
        yield (
            [
                (draw.randint(1, 7), draw.randint(1, 3), draw.randint(1, 3))
                for _ in range(depth)
            ],
        )


def field(layers: Triples) -> tuple[int, int]:
    """The width of the receptive field, and the jump."""
    chain = [Layer(k, stride=s, dilation=d) for k, s, d in layers]
    width, jump, _ = receptive_field(chain)
    return width, jump


def own_stride(layers: Triples) -> tuple[int, int]:
    """Wrong: the jump is updated before the field."""
    width = jump = 1
    for kernel, stride, dilation in layers:
        jump *= stride
        width += dilation * (kernel - 1) * jump
    return width, jump


def dilation_twice(layers: Triples) -> tuple[int, int]:
    """Wrong: a larger kernel and a larger step."""
    width = jump = 1
    for kernel, stride, dilation in layers:
        width += dilation * (kernel - 1) * dilation * jump
        jump *= stride
    return width, jump


def dilation_in_jump(layers: Triples) -> tuple[int, int]:
    """Wrong: dilation moves the windows apart."""
    width = jump = 1
    for kernel, stride, dilation in layers:
        width += dilation * (kernel - 1) * jump
        jump *= stride * dilation
    return width, jump


def span_is_product(layers: Triples) -> tuple[int, int]:
    """Wrong: a dilated kernel spans D times F."""
    width = jump = 1
    for kernel, stride, dilation in layers:
        width += (dilation * kernel - 1) * jump
        jump *= stride
    return width, jump


def no_dilation(layers: Triples) -> tuple[int, int]:
    """Wrong: the dilation is not used."""
    return field([(kernel, stride, 1) for kernel, stride, _ in layers])


def no_jump(layers: Triples) -> tuple[int, int]:
    """Wrong: each layer adds pixels of its own input, not of the picture."""
    _, jump = field(layers)
    return 1 + sum(d * (k - 1) for k, _, d in layers), jump


def windows_side_by_side(layers: Triples) -> tuple[int, int]:
    """Wrong: each layer adds its whole kernel."""
    width, jump = 1, 1
    for kernel, stride, dilation in layers:
        width += dilation * kernel * jump
        jump *= stride
    return width, jump


# Question 5: the matrix with stride and padding


def pictures(draw: Random) -> Iterator[tuple[Tensor, int, int, int]]:
    """Kernels, with a side, a stride and a padding to go with each."""
    for size, side, stride, padding in (
        (3, 5, 1, 0),
        (3, 6, 2, 1),
        (2, 5, 3, 0),
        (3, 4, 1, 2),
    ):
        yield numbers(draw, size, size), side, stride, padding


def as_matrix(kernel: Tensor, side: int, stride: int, padding: int) -> Tensor:
    """What the convolution makes of each unit picture: its columns."""
    units = torch.eye(side * side).view(-1, 1, side, side)
    maps = F.conv2d(units, kernel[None, None], None, stride, padding)
    return maps.flatten(1).T


def flipped_matrix(
    kernel: Tensor, side: int, stride: int, padding: int
) -> Tensor:
    """Wrong: the mathematicians' convolution."""
    return as_matrix(kernel.flip(0, 1), side, stride, padding)


def no_stride(kernel: Tensor, side: int, stride: int, padding: int) -> Tensor:
    """Wrong: the stride is not used."""
    return as_matrix(kernel, side, 1, padding)


def no_padding(kernel: Tensor, side: int, stride: int, padding: int) -> Tensor:
    """Wrong: the padding is not used."""
    return as_matrix(kernel, side, stride, 0)


def margin_kept(
    kernel: Tensor, side: int, stride: int, padding: int
) -> Tensor:
    """Wrong: there is a column for each zero of the padding."""
    return as_matrix(kernel, side + 2 * padding, stride, 0)


def transposed(kernel: Tensor, side: int, stride: int, padding: int) -> Tensor:
    """Wrong: a column for each place."""
    return as_matrix(kernel, side, stride, padding).T


# Question 6: backward


def upstreams(draw: Random) -> Iterator[tuple[Tensor, Tensor]]:
    """Gradients that arrive at a layer, and the layer's weights."""
    for maps, channels, size in ((1, 1, 2), (4, 3, 3), (3, 3, 3)):
        upstream = numbers(draw, 2, maps, 5, 4)
        yield upstream, numbers(draw, maps, channels, size, size)


def backward(upstream: Tensor, weight: Tensor) -> Tensor:
    """The gradient for the input."""
    return F.conv_transpose2d(upstream, weight)


def not_flipped(upstream: Tensor, weight: Tensor) -> Tensor:
    """Wrong: a correlation with the kernels as they are."""
    return backward(upstream, weight.flip(2, 3))


def not_full(upstream: Tensor, weight: Tensor) -> Tensor:
    """Wrong: no padding, so that the gradient shrinks once more."""
    return F.conv2d(upstream, weight.transpose(0, 1).flip(2, 3))


WIDTH = output_size(224, kernel=7, stride=2, padding=3)
PARAMETERS = conv_parameters(64, 128, 3)
NUMBERS = 128 * 96 * output_size(227, kernel=11, stride=4) ** 2
MIB = 4 * NUMBERS / 2**20

QUESTIONS = (
    Question(
        "convolution.q1",
        "The door of a ResNet",
        WIDTH,
        hints=[
            (113, "you rounded up, and that window would hang over the edge."),
            (112.5, "half a window has no output: round down."),
            (111.5, "half a window has no output: round down, then add 1."),
            (
                111,
                "you counted steps and not places, or padded one side only.",
            ),
            (109, "the padding is missing: three zeros on each side."),
            (224, "the stride is missing: the window moves by two."),
        ],
    ),
    Question(
        "convolution.q2",
        "Count the parameters",
        PARAMETERS,
        hints=[
            (73_728, "you forgot the biases, one for each filter."),
            (73_729, "there is one bias for each filter, not one in all."),
            (73_792, "the biases go with the 128 filters, not the inputs."),
            (1_280, "a filter goes through all 64 input maps."),
            (
                128 * 64 * (3 * 3 + 1),
                "a filter has one bias, not one for each map it reads.",
            ),
            (
                1_152,
                "a filter goes through all 64 input maps, and has a bias.",
            ),
            (577, "this is one filter, and there are 128."),
        ],
    ),
    Question(
        "convolution.q3",
        "Memory for a batch",
        MIB,
        hints=[
            (4 * NUMBERS / 10**6, "these are MB; a MiB is 2**20 bytes."),
            (MIB / 128, "this is one picture, and a batch has 128."),
            (MIB / 4, "a number in single precision takes four bytes."),
            (4 * NUMBERS, "these are bytes; a MiB has 2**20 of them."),
            (MIB / 1024, "these are GiB; a GiB has 1,024 MiB."),
        ],
    ),
    Question(
        "convolution.q4",
        "The receptive field as a function",
        field,
        probe=Calls(chains),
        hints=[
            (
                own_stride,
                "a layer's own stride does not widen its own field: "
                "update the field first, then the jump.",
            ),
            (
                dilation_twice,
                "you counted the dilation twice, once in the kernel and once "
                "in the step.",
            ),
            (
                dilation_in_jump,
                "dilation spreads a kernel; it does not move windows apart.",
            ),
            (
                span_is_product,
                "between F weights lie F - 1 gaps, so the kernel spans "
                "D(F - 1) + 1 and adds D(F - 1).",
            ),
            (no_dilation, "the dilation is missing."),
            (
                no_jump,
                "a step in a deep layer is several pixels of the picture: "
                "multiply by the jump.",
            ),
            (
                windows_side_by_side,
                "windows overlap: a layer adds F - 1 steps, not F.",
            ),
        ],
        otherwise="Add up the layers from the first, with the jump so far.",
    ),
    Question(
        "convolution.q5",
        "The matrix with stride and padding",
        as_matrix,
        probe=Calls(pictures),
        hints=[
            (
                flipped_matrix,
                "your kernel is reversed; deep learning leaves that out.",
            ),
            (no_stride, "the stride is missing."),
            (no_padding, "the padding is missing."),
            (
                margin_kept,
                "the zeros of the padding are not in the picture: they get "
                "no columns.",
            ),
            (
                transposed,
                "this is the transpose: a place of the window is a row.",
            ),
        ],
        otherwise="Compare it with F.conv2d on a picture of your own.",
    ),
    Question(
        "convolution.q6",
        "Backward",
        backward,
        probe=Calls(upstreams),
        hints=[
            (not_flipped, "the kernels must be reversed here."),
            (
                not_full,
                "the gradient is as large as the input: pad by F - 1.",
            ),
        ],
        otherwise="Compare it with what autograd gives.",
    ),
)
