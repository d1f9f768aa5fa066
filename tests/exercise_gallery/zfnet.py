"""Answers to the exercises on ZFNet, right ones and wrong ones."""

import math

import torch

from cnnbook import nets
from cnnbook.anatomy import trace
from cnnbook.probes import zfnet as probes


def live_macs() -> tuple[int, int]:
    """conv1 of both networks, traced."""
    with torch.device("meta"):
        pair = (nets.alexnet("ungrouped"), 227), (nets.zfnet(), 224)
    return tuple(
        next(r.macs for r in trace(net, (3, s, s)).rows if r.name == "conv1")
        for net, s in pair
    )


def live_difference() -> int:
    """conv5 of the widened net less AlexNet's, in the live modules."""
    with torch.device("meta"):
        wide, alexnet = nets.zfnet("wide"), nets.alexnet("ungrouped")
    return wide.conv5.weight.numel() - alexnet.conv5.weight.numel()


def by_search(period, stride):
    """Tries the waves with f less k/S, for many k, and keeps the coarsest."""
    waves = [abs(1 / period - k / stride) for k in range(-99, 100)]
    finest = min(waves)
    return math.inf if finest < 1e-9 else 1 / finest


def in_the_chapter(period, stride):
    """The solution of the chapter."""
    turns = stride / period
    rest = abs(turns - round(turns))
    return stride / rest if rest > 1e-12 else math.inf


def filter_by_filter(weight, radius):
    """A loop over the filters, on a copy."""
    weight = weight.clone()
    for one in weight:
        rms = one.pow(2).mean().sqrt()
        if rms > radius:
            one *= radius / rms
    return weight


def with_where(weight, radius):
    """Chooses between the scaled filter and the filter itself."""
    rms = weight.flatten(1).norm(dim=1) / weight[0].numel() ** 0.5
    rms = rms.view(-1, 1, 1, 1)
    return torch.where(rms > radius, weight * radius / rms, weight)


def in_a_table(z, g, rule):
    """Each rule written out."""
    return {
        "gradient": g * (z > 0),
        "deconvnet": g.clamp(min=0),
        "guided": g.clamp(min=0) * (z > 0),
    }[rule]


def by_autograd(z, g, rule):
    """Lets autograd apply the mask."""
    watched = z.clone().requires_grad_()
    (masked,) = torch.autograd.grad(watched.relu(), watched, g)
    return {
        "gradient": masked,
        "deconvnet": g.relu(),
        "guided": masked.relu(),
    }[rule]


RIGHT = {
    "zfnet.q1": [3_833_856, live_difference()],
    "zfnet.q2": [(105_415_200, 170_755_200), live_macs()],
    "zfnet.q3": [in_the_chapter, by_search],
    "zfnet.q4": [filter_by_filter, with_where],
    "zfnet.q5": [in_a_table, by_autograd],
}
# each with words from the hint that it must get
WRONG = {
    "zfnet.q1": [
        (360_448, "slip of the"),
        (-3_833_856, "the larger one"),
        (3_834_112, "counts the biases"),
        (425_984, "for each map it reads"),
        (4_718_592, "take AlexNet's away"),
        (4_276_224, "read all 384 maps"),
        (3.8e6, "that one is rounded"),
        (3_830_000, "that one is rounded"),
    ],
    "zfnet.q2": [
        ((34_848, 14_112), "works at every place"),
        ((105_415_200, 42_688_800), "110 × 110"),
        ((35_138_400, 56_918_400), "three channels"),
        ((210_830_400, 341_510_400), "count it once"),
        ((170_755_200, 105_415_200), "in the other order"),
        ((105_705_600, 171_916_800), "added, not multiplied"),
        ((290_400, 1_161_600), "these are the outputs"),
    ],
    "zfnet.q3": [
        (probes.unchanged, "come back coarser"),
        (probes.in_places, "a stride of pixels"),
        (probes.one_step, "nearest to f"),
        (probes.rounded_down, "turn backwards"),
        (probes.signed, "does not mind the sign"),
    ],
    "zfnet.q4": [
        (probes.by_length, "root of the mean"),
        (probes.all_of_them, "stays as it is"),
        (probes.as_one, "an RMS of its own"),
        (probes.cut_off, "keeps its pattern"),
        (probes.without_root, "root of the mean square"),
        (probes.kernel_by_kernel, "one RMS for the whole"),
        (probes.about_the_mean, "takes no mean away"),
    ],
    "zfnet.q5": [
        (probes.at_zero, "z > 0"),
        (probes.swapped, "the sign of the signal"),
        (probes.always_masked, "only guided asks"),
        (probes.never_the_sign, "right for the gradient"),
        (probes.input_rectified, "not the input z"),
        (probes.times_the_input, "multiply by z > 0"),
    ],
}
