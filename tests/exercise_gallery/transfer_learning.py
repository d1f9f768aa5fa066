"""Answers to the exercises on transfer learning, right and wrong ones."""

import itertools
import math

import torch
from torch import nn

from cnnbook import nets
from cnnbook.probes import transfer_learning as probes


def live_head() -> int:
    """What learns of a live ResNet-50 with a new head."""
    with torch.device("meta"):
        net = nets.resnet(50, "v1.5").requires_grad_(False)
        net.fc = nn.Linear(net.fc.in_features, 37)
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def by_counting(share, momentum):
    """Lets the share shrink, step by step."""
    left = 1.0
    for step in itertools.count(1):
        left *= 1 - momentum
        if left < share:
            return step


def by_logarithm(share, momentum):
    """The chapter's solution."""
    return math.floor(math.log(share) / math.log(1 - momentum)) + 1


def in_the_chapter(macs, frozen):
    """Three for each part that learns, but for the lowest; one below."""
    return sum(macs) + 2 * sum(macs[frozen:]) - macs[frozen]


def from_the_top(macs, frozen):
    """Walks down as the signal does."""
    cost = sum(macs)
    for place in reversed(range(len(macs))):
        if place >= frozen:
            cost += macs[place]  # its weights' gradient
        if place > frozen:
            cost += macs[place]  # its input's
    return cost


def by_blocks(net, top, factor):
    """Goes from the head down, block by block."""
    found, rate = {}, top
    for place in reversed(range(len(net))):
        for name, _ in net[place].named_parameters():
            found[f"{place}.{name}"] = rate
        rate /= factor
    return found


def by_names(net, top, factor):
    """The chapter's solution."""
    return {
        name: top * factor ** (int(name.split(".")[0]) - len(net) + 1)
        for name, _ in net.named_parameters()
    }


def block_by_block(net, depth):
    """A loop over the blocks."""
    for place, block in enumerate(net):
        learns = place >= depth
        block.train(learns)
        for parameter in block.parameters():
            parameter.requires_grad = learns


def layer_by_layer(net, depth):
    """Puts the layers that differ into evaluation mode, one by one."""
    net.train()
    for block in net[:depth]:
        for layer in block.modules():
            if isinstance(layer, nn.BatchNorm2d | nn.Dropout):
                layer.eval()
        block.requires_grad_(False)


def eval_before_train(net, depth):
    """Wrong: train() comes last and undoes eval()."""
    net[:depth].eval().requires_grad_(False)
    net.train()


RIGHT = {
    "transfer_learning.q1": [75_813, live_head()],
    "transfer_learning.q2": [by_counting, by_logarithm],
    "transfer_learning.q3": [in_the_chapter, from_the_top],
    "transfer_learning.q4": [by_blocks, by_names],
    "transfer_learning.q5": [block_by_block, layer_by_layer],
}
# each with words from the hint that it must get
WRONG = {
    "transfer_learning.q1": [
        (75_776, "has a bias"),
        (23_508_032, "the frozen ones"),
        (23_583_845, "the whole network"),
        (2_049_000, "the old head"),
        (18_981, "ends in bottlenecks"),
    ],
    "transfer_learning.q2": [
        (probes.other_momentum, "weight of the new batch"),
        (probes.on_a_line, "a share of what is left"),
        (probes.one_too_early, "still there"),
    ],
    "transfer_learning.q3": [
        (probes.three_times, "the way back ends"),
        (probes.past_the_lowest, "nobody asks"),
        (probes.without_forward, "go through the frozen"),
        (probes.weights_alone, "has to come down"),
    ],
    "transfer_learning.q4": [
        (probes.upside_down, "most general"),
        (probes.first_letter, "two digits"),
        (probes.head_slowed, "at the top rate"),
        (probes.two_groups, "once more"),
    ],
    "transfer_learning.q5": [
        (probes.gradients_alone, "no gradient moves"),
        (probes.mode_alone, "stops no gradient"),
        (eval_before_train, "if net.train() came last"),
        (probes.all_still, "belong in training mode"),
        (probes.no_momentum, "measured by its batch"),
    ],
}
