"""Answers to the exercises on LeNet, right ones and wrong ones."""

import torch

from cnnbook import nets
from cnnbook.nets import lenet
from cnnbook.probes import lenet as probes


def slices(x, weight, bias):
    """Subsampling by four slices, as the chapter's solution."""
    total = sum(x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
    a = weight[:, None, None] * total + bias[:, None, None]
    return 1.7159 * torch.tanh(2 * a / 3)


def as_module(x, weight, bias):
    """Subsampling by the library's layer, its parameters put in."""
    layer = lenet.Subsampling(x.shape[1])
    layer.coefficient.data = weight[:, None, None]
    layer.bias.data = bias[:, None, None]
    return lenet.squash(layer(x))


def s4() -> tuple[int, int]:
    """The pair for S4, counted in the live network."""
    net = nets.lenet5("1998")
    parameters = sum(p.numel() for p in net.s4.parameters())
    return parameters, lenet.connections(net)["s4"]


def fields_by_gradient() -> list[int]:
    """The receptive fields of the modern twin, by what moves the output."""
    net = lenet.LeNet5().double()
    sizes = []
    for depth in range(1, 6):
        x = torch.zeros(1, 1, 64, 64, dtype=torch.float64, requires_grad=True)
        y = x
        for layer in list(net.children())[:depth]:
            if isinstance(layer, torch.nn.MaxPool2d):
                y = torch.nn.functional.avg_pool2d(y, 2)
            else:
                y = layer(y)
        y[0, 0, 2, 2].backward()
        sizes.append(int((x.grad[0, 0] != 0).any(dim=0).sum()))
    return sizes


RIGHT = {
    "lenet.q1": [(32, 2000), [32.0, 2000.0], s4()],
    "lenet.q2": [
        4_821_600,
        6 * 28 * 28 * (32 * 32 + 1),
        sum(
            p.numel()
            for p in torch.nn.Linear(1024, 4704, device="meta").parameters()
        ),
    ],
    "lenet.q3": [
        [5, 6, 14, 16, 32],
        torch.tensor([5, 6, 14, 16, 32]),
        fields_by_gradient(),
    ],
    "lenet.q4": [slices, as_module],
}
# each with words from the hint that it must get
WRONG = {
    "lenet.q1": [
        ((80, 2000), "share one coefficient"),
        ((0, 2000), "today's pooling"),
        ((32, 1600), "a connection too"),
        ((32, 8000), "10 × 10 is C3"),
        ((32, 800), "makes four connections"),
    ],
    "lenet.q2": [
        (4_816_896, "biases are missing"),
        (122_304, "local without sharing"),
        (156, "shared weights"),
        (6_150, "one unit a map"),
    ],
    "lenet.q3": [
        ([5, 6, 10, 11, 15], "the jump is missing"),
        ([5, 7, 15, 19, 35], "the jump before it"),
        ([5, 2, 5, 2, 5], "these are the kernels"),
        ([28, 14, 10, 5, 1], "sizes of the maps"),
    ],
    "lenet.q4": [
        (probes.of_means, "added, not averaged"),
        (probes.plain_tanh, "1.7159"),
        (probes.not_squashed, "squashing at the end"),
        (probes.overlapping, "do not overlap"),
    ],
}
