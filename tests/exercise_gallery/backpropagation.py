"""Answers to the exercises on backpropagation, right ones and wrong ones."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from cnnbook.probes import backpropagation as probes


def unpool(g, switch, side, size, stride):
    """Tap by tap, as in the chapter's solution."""
    gx = np.zeros((*g.shape[:2], side, side))
    high = side - size + 1
    for tap in range(size**2):
        a, c = divmod(tap, size)
        at = np.s_[:, :, a : a + high : stride, c : c + high : stride]
        gx[at] += g * (switch == tap)
    return gx


def unpool_in_loops(g, switch, side, size, stride):
    """Number by number, as a list."""
    gx = np.zeros((*g.shape[:2], side, side))
    for n, d, i, j in np.ndindex(g.shape):
        a, c = divmod(int(switch[n, d, i, j]), size)
        gx[n, d, stride * i + a, stride * j + c] += g[n, d, i, j]
    return gx.tolist()


def unpool_by_torch(g, switch, side, size, stride):
    """By what autograd does with a gather."""
    rows = torch.from_numpy(switch // size)
    columns = torch.from_numpy(switch % size)
    steps = stride * torch.arange(g.shape[2])
    index = (steps[:, None] + rows) * side + steps + columns
    flat = torch.zeros(*g.shape[:2], side * side, dtype=torch.float64)
    flat.scatter_add_(2, index.flatten(2), torch.from_numpy(g).flatten(2))
    return flat.view(*g.shape[:2], side, side)


def unpool_wrong_stride(g, switch, side, size, stride):
    """The windows stand side by side, whatever the stride."""
    return unpool(g, switch, side, size, 1)


def layer_norm_back(g, x):
    """As in the chapter's solution."""

    def mean(t):
        return t.mean(axis=1, keepdims=True)

    s = np.sqrt(mean((x - mean(x)) ** 2) + 1e-5)
    normal = (x - mean(x)) / s
    return (g - mean(g) - normal * mean(g * normal)) / s


def by_jacobian(g, x):
    """Row by row, with the whole Jacobian."""
    found = []
    for upstream, row in zip(torch.tensor(g), torch.tensor(x), strict=True):
        jacobian = torch.func.jacrev(lambda t: F.layer_norm(t, t.shape))(row)
        found.append(jacobian.T @ upstream)
    return torch.stack(found)


def with_sample_variance(g, x):
    """Divided by D - 1 and not by D."""
    s = x.std(axis=1, ddof=1, keepdims=True)
    normal = (x - x.mean(1, keepdims=True)) / s
    inner = g - g.mean(1, keepdims=True)
    return (inner - normal * (g * normal).mean(1, keepdims=True)) / s


RIGHT = {
    "backpropagation.q1": [(12, 8, 2), [12.0, 8.0, 2.0], np.array([12, 8, 2])],
    "backpropagation.q2": [
        (-0.75, 0.125, 0.625),
        torch.softmax(torch.tensor([math.log(2), 0, math.log(5)]), 0)
        - torch.tensor([1, 0, 0]),
    ],
    "backpropagation.q3": [(14, 3), [14, 3]],
    "backpropagation.q4": [715_440, 2 * 416_520 - 28 * 28 * 6 * 25],
    "backpropagation.q5": [unpool, unpool_in_loops, unpool_by_torch],
    "backpropagation.q6": [layer_norm_back, by_jacobian],
}

WRONG = {
    "backpropagation.q1": [
        ((8, 8, 2), "through the product"),
        ((4, 8, 2), "from the sum"),
        ((32, 8, 2), "add over ways"),
        ((5, 1, 2), "the other factor"),
        ((12, 8, 8), "start at L = pq"),
        (12, "3 values are wanted"),
    ],
    "backpropagation.q2": [
        ((0.25, 0.125, 0.625), "the truth is not yet taken off"),
        ((0.75, -0.125, -0.625), "signs are reversed"),
        ((-0.75, 0, 0), "receive their p"),
        ((-4, 0, 0), "go on through the softmax"),
        ((-1, 0, 0), "Go through the derivation"),
    ],
    "backpropagation.q3": [
        ((13, 3), "one zero is missing"),
        ((14, 1), "the padding of the forward pass"),
        ((14, 4), "take off the padding"),
        ((5, 3), "its entries stand 3 apart"),
        ((15, 3), "four gaps"),
        ((16, 2), "Go through the derivation"),
    ],
    "backpropagation.q4": [
        (833_040, "gradient of the picture"),
        (597_840, "gradients of its weights"),
        (416_520, "the forward pass"),
        (1_131_960, "forward and back together"),
        (61_706, "becomes two"),
    ],
    "backpropagation.q5": [
        (probes.overwritten, "they add up"),
        (probes.columns_first, "are exchanged"),
        (probes.first_tap, "the switch is not used"),
        (probes.to_all, "had no influence"),
        (unpool_wrong_stride, "raised ValueError"),
        (lambda *given: None, "is a `return` missing?"),
        (7, "a function is wanted"),
    ],
    "backpropagation.q6": [
        (probes.over_the_batch, "this is batch normalisation"),
        (probes.constants, "mean and spread depend"),
        (probes.mean_only, "the spread depends"),
        (probes.spread_only, "the mean depends"),
        (probes.not_divided, "division by the spread"),
        (with_sample_variance, "Compare it with what autograd"),
        (lambda g, x: g[0], "its shape is"),
    ],
}
