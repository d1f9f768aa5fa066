"""Answers to the exercises on convolution, right ones and wrong ones."""

import torch
import torch.nn.functional as F

from cnnbook import geometry
from cnnbook.probes import convolution as probes


def field(layers):
    """From the first layer on, as in the chapter's solution."""
    r = j = 1
    for kernel, stride, dilation in layers:
        r += dilation * (kernel - 1) * j
        j *= stride
    return r, j


def field_from_the_top(layers):
    """From the last layer down: a unit, then what it needs, and so on."""
    r = j = 1
    for kernel, stride, dilation in reversed(layers):
        r = (r - 1) * stride + dilation * (kernel - 1) + 1
        j *= stride
    return [r, j]


def field_by_autograd(layers):
    """By looking where the gradient goes, along one axis."""
    x = torch.zeros(1, 1, 20_000, requires_grad=True)
    y, jump = x, 1
    for kernel, stride, dilation in layers:
        ones = torch.ones(1, 1, kernel)
        y = F.conv1d(y, ones, stride=stride, dilation=dilation)
        jump *= stride
    y[0, 0, 0].backward()
    return x.grad.nonzero()[:, -1].max() + 1, jump


def as_matrix(kernel, side, stride, padding):
    """Row by row, as in the chapter's solution."""
    size, full, rows = len(kernel), side + 2 * padding, []
    inner = slice(padding, padding + side)
    for top in range(0, full - size + 1, stride):
        for left in range(0, full - size + 1, stride):
            row = torch.zeros(full, full)
            row[top : top + size, left : left + size] = kernel
            rows.append(row[inner, inner].flatten())
    return torch.stack(rows)


def as_jacobian(kernel, side, stride, padding):
    """By autograd, as an array."""

    def layer(x):
        picture = x.view(1, 1, side, side)
        return F.conv2d(
            picture, kernel[None, None], stride=stride, padding=padding
        ).flatten()

    return torch.func.jacrev(layer)(torch.zeros(side * side)).numpy()


def backward(upstream, weight):
    """Full padding and reversed kernels, as in the chapter's solution."""
    flipped = weight.transpose(0, 1).flip(2, 3)
    return F.conv2d(upstream, flipped, padding=weight.shape[-1] - 1)


def scatter(upstream, weight):
    """Each output gives its gradient back to the window it came from."""
    count, _, height, width = upstream.shape
    size = weight.shape[-1]
    gradient = torch.zeros(
        count, weight.shape[1], height + size - 1, width + size - 1
    )
    for i in range(height):
        for j in range(width):
            gradient[:, :, i : i + size, j : j + size] += torch.einsum(
                "nk,kcab->ncab", upstream[:, :, i, j], weight
            )
    return gradient


RIGHT = {
    "convolution.q1": [
        112,
        torch.tensor(112.0),
        geometry.output_size(224, 7, 2, 3),
    ],
    "convolution.q2": [
        73_856,
        float(geometry.conv_parameters(64, 128, 3)),
        sum(p.numel() for p in torch.nn.Conv2d(64, 128, 3).parameters()),
    ],
    "convolution.q3": [141.80, 128 * 290_400 * 4 / 1024**2],
    "convolution.q4": [field, field_from_the_top, field_by_autograd],
    "convolution.q5": [as_matrix, as_jacobian],
    "convolution.q6": [backward, scatter],
}
# each with words from the hint that it must get
WRONG = {
    "convolution.q1": [
        (113, "you rounded up"),
        (112.5, "round down"),
        (111.5, "then add 1"),
        (111, "steps and not places"),
        (109, "the padding is missing"),
        (224, "the stride is missing"),
        (5, "5 is not it"),
    ],
    "convolution.q2": [
        (73_728, "forgot the biases"),
        (73_729, "not one in all"),
        (73_792, "go with the 128 filters"),
        (1_280, "through all 64 input maps"),
        (81_920, "not one for each map"),
        (577, "this is one filter"),
    ],
    "convolution.q3": [
        (148.68, "these are MB"),
        (1.1078, "this is one picture"),
        (35.449, "takes four bytes"),
        (148_684_800, "these are bytes"),
        (0.13848, "these are GiB"),
        (1134.4, "is not it"),
    ],
    "convolution.q4": [
        (probes.own_stride, "its own field"),
        (probes.dilation_twice, "dilation twice"),
        (probes.dilation_in_jump, "does not move windows apart"),
        (probes.span_is_product, "F - 1 gaps"),
        (probes.no_dilation, "the dilation is missing"),
        (probes.no_jump, "multiply by the jump"),
        (probes.windows_side_by_side, "windows overlap"),
        (lambda layers: field(layers)[0], "not an int"),
        ((7, 1), "a function is wanted here"),
    ],
    "convolution.q5": [
        (probes.flipped_matrix, "reversed"),
        (probes.no_stride, "the stride is missing"),
        (probes.no_padding, "the padding is missing"),
        (probes.margin_kept, "no columns"),
        (probes.transposed, "the transpose"),
        (lambda kernel, side: kernel, "raised TypeError"),
    ],
    "convolution.q6": [
        (probes.not_flipped, "must be reversed"),
        (probes.not_full, "pad by F - 1"),
        (
            lambda upstream, weight: F.conv2d(
                upstream, weight.flip(2, 3), padding=weight.shape[-1] - 1
            ),
            "raised RuntimeError",
        ),
    ],
}
