"""The questions of the chapter on backpropagation."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
import torch
import torch.nn.functional as F

from cnnbook.anatomy import trace
from cnnbook.exercises import Calls, Question
from cnnbook.geometry import output_size
from cnnbook.nets import lenet5

Array = np.ndarray


def numbers(draw: Random, *shape: int) -> Array:
    """An array of random numbers."""
    count = int(np.prod(shape))
    return np.array([draw.gauss(0, 1) for _ in range(count)]).reshape(shape)


# Question 4: the price of the way back

COSTS = [row.macs for row in trace(lenet5("modern"), (1, 32, 32)).rows]
"""The multiplications of LeNet's layers, C1 first."""


# Question 5: back through the switches


def switches(draw: Random) -> Iterator[tuple[Array, Array, int, int, int]]:
    """Gradients with switches: side by side, overlapping, with a remainder."""
    for side, size, stride in ((6, 2, 2), (7, 3, 2), (5, 3, 1), (8, 3, 3)):
        output = output_size(side, size, stride)
        pooled, places = F.max_pool2d(
            torch.from_numpy(numbers(draw, 2, 3, side, side)),
            size,
            stride,
            return_indices=True,
        )
        starts = stride * torch.arange(output)
        rows = places // side - starts[:, None]
        columns = places % side - starts
        g = numbers(draw, *pooled.shape)
        yield g, (size * rows + columns).numpy(), side, size, stride


def spread(
    g: Array,
    rows: Array,
    columns: Array,
    side: int,
    stride: int,
    add: bool = True,
) -> Array:
    """Put each gradient at this row and column of its window."""
    gx = np.zeros((*g.shape[:2], side, side))
    n, d, i, j = np.indices(g.shape)
    place = n, d, stride * i + rows, stride * j + columns
    if add:
        np.add.at(gx, place, g)
    else:
        gx[place] = g
    return gx


def unpool(
    g: Array, switch: Array, side: int, size: int, stride: int
) -> Array:
    """Each gradient, added where its switch points."""
    return spread(g, switch // size, switch % size, side, stride)


def overwritten(
    g: Array, switch: Array, side: int, size: int, stride: int
) -> Array:
    """Wrong: the last of several gradients replaces the others."""
    return spread(g, switch // size, switch % size, side, stride, add=False)


def columns_first(
    g: Array, switch: Array, side: int, size: int, stride: int
) -> Array:
    """Wrong: the switch is read column by column."""
    return spread(g, switch % size, switch // size, side, stride)


def first_tap(
    g: Array, switch: Array, side: int, size: int, stride: int
) -> Array:
    """Wrong: everything goes to the window's first pixel."""
    return spread(g, 0 * switch, 0 * switch, side, stride)


def to_all(
    g: Array, switch: Array, side: int, size: int, stride: int
) -> Array:
    """Wrong: every pixel of the window receives the gradient."""
    taps = range(size**2)
    return sum(unpool(g, 0 * switch + t, side, size, stride) for t in taps)


# Question 6: layer normalisation


def rows(draw: Random) -> Iterator[tuple[Array, Array]]:
    """Gradients, and what was normalised: not centred, not of spread 1."""
    for shape in ((1, 4), (3, 5), (6, 3)):
        x = 3 * numbers(draw, *shape) + draw.gauss(0, 2)
        yield numbers(draw, *shape), x


def normalised(g: Array, x: Array, axis: int, parts: str = "ms") -> Array:
    """The way back along an axis; *parts* says what moves: mean, spread."""
    s = np.sqrt(x.var(axis, keepdims=True) + 1e-5)
    normal = (x - x.mean(axis, keepdims=True)) / s
    gx = g.copy()
    if "m" in parts:
        gx -= g.mean(axis, keepdims=True)
    if "s" in parts:
        gx -= normal * (g * normal).mean(axis, keepdims=True)
    return gx / s


def layer_norm_back(g: Array, x: Array) -> Array:
    """What autograd sends back."""
    leaf = torch.tensor(x, requires_grad=True)
    y = F.layer_norm(leaf, x.shape[1:])
    return torch.autograd.grad(y, leaf, torch.tensor(g))[0].numpy()


def over_the_batch(g: Array, x: Array) -> Array:
    """Wrong: this is batch normalisation."""
    return normalised(g, x, axis=0)


def constants(g: Array, x: Array) -> Array:
    """Wrong: mean and spread are taken for constants."""
    return normalised(g, x, axis=1, parts="")


def mean_only(g: Array, x: Array) -> Array:
    """Wrong: the spread is taken for a constant."""
    return normalised(g, x, axis=1, parts="m")


def spread_only(g: Array, x: Array) -> Array:
    """Wrong: the mean is taken for a constant."""
    return normalised(g, x, axis=1, parts="s")


def not_divided(g: Array, x: Array) -> Array:
    """Wrong: the division by the spread is missing."""
    s = np.sqrt(x.var(1, keepdims=True) + 1e-5)
    return s * normalised(g, x, axis=1)


QUESTIONS = (
    Question(
        "backpropagation.q1",
        "A graph by hand",
        (12, 8, 2),
        hints=[
            (
                (8, 8, 2),
                "x is used twice: add what comes back through the product.",
            ),
            ((4, 8, 2), "x is used twice: add what comes back from the sum."),
            ((32, 8, 2), "slopes multiply along a way, and add over ways."),
            (
                (5, 1, 2),
                "a factor receives the other factor: what comes back to the "
                "sum is xz.",
            ),
        ],
        otherwise="Name the sum p and the product q, and start at L = pq.",
    ),
    Question(
        "backpropagation.q2",
        "What was said minus what was true",
        (-0.75, 0.125, 0.625),
        hints=[
            (
                (0.25, 0.125, 0.625),
                "these are the probabilities; the truth is not yet taken off.",
            ),
            (
                (0.75, -0.125, -0.625),
                "the signs are reversed: it is p minus the truth.",
            ),
            (
                (-0.75, 0.0, 0.0),
                "the wrong classes have a part in the sum below, and receive "
                "their p.",
            ),
            (
                (-4.0, 0.0, 0.0),
                "that is the slope for p; go on through the softmax.",
            ),
        ],
    ),
    Question(
        "backpropagation.q3",
        "Grid and padding",
        (14, 3),
        hints=[
            (
                (13, 3),
                "one zero is missing at the end, for the window that did not "
                "fit: the grid is as wide as the output at stride 1.",
            ),
            ((14, 1), "that is the padding of the forward pass."),
            (
                (14, 4),
                "take off the padding of the forward pass: its pixels get no "
                "gradient.",
            ),
            ((5, 3), "that is g itself; its entries stand 3 apart."),
            (
                (15, 3),
                "between five entries lie four gaps, and none after the last.",
            ),
        ],
    ),
    Question(
        "backpropagation.q4",
        "The price of the way back",
        2 * sum(COSTS) - COSTS[0],
        hints=[
            (
                2 * sum(COSTS),
                "nobody asks for the gradient of the picture: take off half "
                "of C1's.",
            ),
            (
                2 * sum(COSTS) - 2 * COSTS[0],
                "C1 still needs the gradients of its weights.",
            ),
            (sum(COSTS), "that is the forward pass."),
            (
                3 * sum(COSTS) - COSTS[0],
                "that is forward and back together.",
            ),
        ],
        otherwise="Each product of the forward pass becomes two.",
    ),
    Question(
        "backpropagation.q5",
        "Back through the switches",
        unpool,
        probe=Calls(switches),
        hints=[
            (
                overwritten,
                "where windows overlap, one pixel can receive several "
                "gradients: they add up.",
            ),
            (columns_first, "rows and columns of the window are exchanged."),
            (first_tap, "the switch is not used."),
            (
                to_all,
                "only the pixel at the switch receives anything; the others "
                "had no influence.",
            ),
        ],
        otherwise="Compare it with what autograd gives for F.max_pool2d.",
    ),
    Question(
        "backpropagation.q6",
        "Layer normalisation",
        layer_norm_back,
        probe=Calls(rows),
        hints=[
            (
                over_the_batch,
                "this is batch normalisation: here each row is normalised "
                "by itself.",
            ),
            (constants, "mean and spread depend on x too."),
            (mean_only, "the spread depends on x too."),
            (spread_only, "the mean depends on x too."),
            (not_divided, "the division by the spread is missing."),
        ],
        otherwise="Compare it with what autograd gives for F.layer_norm.",
    ),
)
