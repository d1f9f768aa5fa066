"""Answers to the lab on residual networks, right ones and wrong ones."""

import math
from itertools import pairwise
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from cnnbook.labs.resnet import probes
from torch import nn

# Right, each in another way


def as_in_the_chapter(x, gamma, beta, mean, variance, training):
    """Two ways of one formula."""
    if training:
        here = x.mean((0, 2, 3))
        spread = ((x - here[:, None, None]) ** 2).mean((0, 2, 3))
        count = x.numel() / x.shape[1]
        mean = 0.9 * mean + 0.1 * here
        variance = 0.9 * variance + 0.1 * spread * count / (count - 1)
    else:
        here, spread = mean, variance
    scale = gamma / torch.sqrt(spread + 1e-5)
    y = x * scale[:, None, None] + (beta - here * scale)[:, None, None]
    return y, mean, variance


def in_numpy(x, gamma, beta, mean, variance, training):
    """One row a channel, in another library."""
    rows = np.moveaxis(x.numpy(), 1, 0)
    shape, rows = rows.shape, rows.reshape(x.shape[1], -1)
    gamma, beta = gamma.numpy(), beta.numpy()
    here, spread = mean.numpy(), variance.numpy()
    tracked = [here, spread]
    if training:
        tracked[0] = here + (rows.mean(1) - here) / 10
        tracked[1] = spread + (rows.var(1, ddof=1) - spread) / 10
        here, spread = rows.mean(1), rows.var(1)
    rows = (rows - here[:, None]) / np.sqrt(spread + 1e-5)[:, None]
    rows = rows * gamma[:, None] + beta[:, None]
    return np.moveaxis(rows.reshape(shape), 0, 1), *tracked


class Block(nn.Module):
    """Layers with names; the zeros come from a larger tensor."""

    def __init__(self, in_channels, out_channels, stride, residual=True):
        super().__init__()
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(
            out_channels, out_channels, 3, padding="same", bias=False
        )
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv1 = nn.Conv2d(
            in_channels, out_channels, 3, stride, 1, bias=False
        )
        self.stride, self.residual = stride, residual

    def forward(self, x):
        """Write the input into the first channels of the sum."""
        y = self.conv1(x)
        y = self.norm1(y).clamp(min=0)
        y = self.norm2(self.conv2(y))
        if self.residual:
            passed = torch.zeros_like(y)
            passed[:, : x.shape[1]] = x[..., :: self.stride, :: self.stride]
            y = y + passed
        return y.relu()


class Picking(nn.Sequential):
    """Layers in a row; the shortcut is a fixed convolution."""

    def __init__(self, in_channels, out_channels, stride, residual=True):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.out, self.stride, self.residual = out_channels, stride, residual

    def forward(self, x):
        """Add what a kernel of one pixel picks."""
        y = super().forward(x)
        if self.residual:
            pick = torch.eye(self.out, x.shape[1]).to(x)[..., None, None]
            y += F.conv2d(x, pick, stride=self.stride)
        return F.relu(y)


def in_a_row(depth, residual=True, width=16):
    """One sequence, the widths from a list."""
    n = (depth - 2) // 6
    widths = [width] * (n + 1) + [2 * width] * n + [4 * width] * n
    blocks = [
        Picking(a, b, 1 + (a != b), residual) for a, b in pairwise(widths)
    ]
    return nn.Sequential(
        nn.Conv2d(3, width, 3, 1, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, 10),
    )


class Stages(nn.Module):
    """A class, its blocks made in nested loops."""

    def __init__(self, depth, residual=True, width=16):
        super().__init__()
        self.head = nn.Linear(4 * width, 10)
        self.first = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks, maps = nn.ModuleList(), width
        for stage in range(3):
            for place in range(depth // 6):
                stride = 2 if stage > 0 and place == 0 else 1
                self.blocks.append(
                    Block(maps, stride * maps, stride, residual)
                )
                maps *= stride

    def forward(self, x):
        """One block after the other."""
        x = self.norm(self.first(x)).relu()
        for block in self.blocks:
            x = block(x)
        return self.head(F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0])


def by_backward(net, images, labels):
    """Clear, go back, read."""
    net.zero_grad()
    nn.CrossEntropyLoss()(net(images), labels).backward()
    return [
        (m.weight.norm() * m.weight.grad.norm()).item()
        for m in net.modules()
        if isinstance(m, nn.Conv2d)
    ]


def by_name(net, images, labels):
    """Whatever has four axes is a convolution's."""
    weights = [w for w in net.parameters() if w.dim() == 4]
    loss = -net(images).log_softmax(1)[range(len(labels)), labels].mean()
    slopes = torch.autograd.grad(loss, weights)
    return [
        math.sqrt((w**2).sum().item() * (g**2).sum().item())
        for w, g in zip(weights, slopes, strict=True)
    ]


@torch.no_grad()
def by_dirac(conv, norm):
    """Torch's own name for the kernel; the statistics stay."""
    nn.init.dirac_(conv.weight)
    norm.weight.copy_(torch.sqrt(norm.running_var + norm.eps))
    norm.bias.copy_(norm.running_mean)


def by_new_norm(conv, norm):
    """Other statistics, other parameters, the same nothing."""
    weight = torch.zeros_like(conv.weight.data)
    weight[:, :, 1, 1] = torch.eye(len(weight))
    conv.weight.data = weight / 2
    norm.running_mean.zero_()
    norm.running_var.fill_(4 - norm.eps)
    norm.weight.data.fill_(4)
    norm.bias.data.zero_()


def by_formula(depth, width, side):
    """Each convolution costs the same, the first of a stage half."""
    n = (depth - 2) // 6
    pixels = side * side
    return (
        27 * width * pixels
        + (6 * n - 1) * 9 * width * width * pixels
        + 4 * width * 10
    )


def layer_by_layer(depth, width, side):
    """One layer after the other."""
    total, before = 3 * 9 * width * side**2, width
    for stage in range(3):
        maps, rows = width * 2**stage, side // 2**stage
        for _ in range((depth - 2) // 3):
            total += before * maps * 9 * rows * rows
            before = maps
    return total + 10 * before


def by_numpy(accuracies):
    """The library's deviation, one degree of freedom gone."""
    values = np.array(accuracies)
    std = values.std(ddof=1)
    half = probes.TIMES[len(values)] * std / np.sqrt(len(values))
    return values.mean(), std, half


def by_hand(accuracies):
    """Sums of squares."""
    mean, n = fmean(accuracies), len(accuracies)
    variance = sum((a - mean) ** 2 for a in accuracies) / (n - 1)
    table = [0, 0, 12.706, 4.303, 4.182 - 1, 2.776]
    return [mean, variance**0.5, table[n] * math.sqrt(variance / n)]


# Wrong


def nothing(*arguments):
    """A forgotten return."""


def crashes(*arguments):
    """A slip of the pen."""
    return arguments[0] @ None


def y_alone(*arguments):
    """What is tracked is not given back."""
    return probes.batch_norm(*arguments)[0]


def too_small(in_channels, out_channels, stride, residual=True):
    """No padding: the sum does not fit."""
    return nn.Conv2d(in_channels, out_channels, 3, stride)


class NeverRun(nn.Conv2d):
    """A network that says nothing of how it is run."""

    forward = nn.Module.forward


def a_list(depth, residual=True, width=16):
    """Layers that nobody has put together."""
    return [nn.Conv2d(3, width, 3)]


def total(net, images, labels):
    """One number, where one for each layer is asked for."""
    return probes.steepness(net, images, labels).sum()


RIGHT = {
    "lab-resnet.q1": [as_in_the_chapter, in_numpy],
    "lab-resnet.q2": [Block, Picking],
    "lab-resnet.q3": [in_a_row, Stages],
    "lab-resnet.q4": [by_backward, by_name],
    "lab-resnet.q5": [by_dirac, by_new_norm],
    "lab-resnet.q6": [by_formula, layer_by_layer],
    "lab-resnet.q7": [by_numpy, by_hand],
}
WRONG = {
    "lab-resnet.q1": [
        (probes.unbiased, "only in what it tracks"),
        (probes.biased_tracked, "images not seen"),
        (probes.mostly_new, "0.1 of the new"),
        (probes.epsilon_outside, "under the root"),
        (probes.each_image, "one mean a channel"),
        (probes.always_the_batch, "take the batch's place"),
        (probes.always_tracked, "are for later"),
        (probes.in_use_too, "in use nothing moves"),
        (probes.without_gamma, "times γ, plus β"),
        (y_alone, "values, not 3"),
        (nothing, "is a `return` missing"),
        (crashes, "raised TypeError"),
    ],
    "lab-resnet.q2": [
        (probes.relu_first, "only grow"),
        (probes.relu_twice, "take something away"),
        (probes.no_relu, "after the sum comes a ReLU"),
        (probes.late_stride, "takes the stride"),
        (probes.with_bias, "bias=False"),
        (probes.one_norm, "each of the two"),
        (probes.zeros_in_front, "keep their places"),
        (probes.zeros_around, "none in front"),
        (probes.pooled, "no mean"),
        (probes.always_residual, "there is no shortcut"),
        (probes.never_residual, "the input is added"),
        (probes.projected, "has no weights"),
        (too_small, "is not it"),
        (NeverRun, "made with (3, 3, 1, True)"),
        (crashes, "raised TypeError"),
    ],
    "lab-resnet.q3": [
        (probes.halved_at_once, "keeps the size"),
        (probes.too_many_blocks, "two convolutions"),
        (probes.no_first_norm, "behind the first convolution"),
        (probes.no_first_relu, "norm and the first block"),
        (probes.largest_value, "the mean of each map"),
        (probes.with_softmax, "no softmax"),
        (probes.all_residual, "on to every block"),
        (probes.option_b, "no projections"),
        (probes.width_ignored, "times width maps"),
        (a_list, "it made no nn.Module"),
    ],
    "lab-resnet.q4": [
        (probes.left_over, "zero_grad() first"),
        (probes.summed, "not the sum"),
        (probes.without_weights, "by that of its weights"),
        (probes.dense_too, "the dense layer stays out"),
        (probes.every_layer, "norms and the dense layer"),
        (probes.in_evaluation, "in which it comes"),
        (probes.squared, "take the root"),
        (probes.backwards, "the first one first"),
        (total, "its shape is"),
        (nothing, "is a `return` missing"),
    ],
    "lab-resnet.q5": [
        (probes.kernel_alone, "now let the norm undo"),
        (probes.as_if_new, "even a new norm"),
        (probes.without_epsilon, "*plus* epsilon"),
        (probes.new_norm_parameters, "undo nothing"),
        (probes.by_variance, "γ is one, too"),
        (probes.all_mixed, "for itself alone"),
        (probes.shifted, "in the middle, else"),
        (probes.all_zero, "zeros give zeros"),
        (probes.untouched, "in place, with copy_"),
        (lambda conv, norm: nn.Identity(), "is not looked at"),
    ],
    "lab-resnet.q6": [
        (probes.all_full, "half as many maps"),
        (probes.no_dense, "the dense layer multiplies"),
        (probes.no_first, "on three channels"),
        (probes.doubled, "leave out the factor 2"),
        (probes.projections_too, "multiplies nothing"),
        (probes.always_large, "half the side"),
        (probes.half_the_blocks, "two convolutions"),
    ],
    "lab-resnet.q7": [
        (probes.population, "one less than their number"),
        (probes.by_count, "by the root"),
        (probes.of_one, "one more seed"),
        (probes.normal, "1.96 is for many"),
        (fmean, "3 values are wanted"),
    ],
}
