"""The questions of the chapter on transfer learning."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random

import torch
from torch import nn

from cnnbook.exercises import Calls, Question
from cnnbook.geometry import dense_parameters

BREEDS = dense_parameters(2048, 37)
"""What a new head of ResNet-50 for 37 breeds has to learn."""


# Question 2: how long the source's statistics last


def memories(draw: Random) -> Iterator[tuple[float, float]]:
    """Shares to be left, and momenta."""
    yield from [(0.01, 0.1), (0.5, 0.1), (0.01, 0.01), (0.2, 0.5)]
    for _ in range(6):
        yield draw.choice([0.3, 0.05, 0.002]), draw.randint(2, 40) / 100


def steps_until(share: float, momentum: float) -> int:
    """The first step after which less than the share is left."""
    return math.floor(math.log(share) / math.log(1 - momentum)) + 1


def other_momentum(share: float, momentum: float) -> int:
    """Wrong: momentum as the share that is kept, as in SGD."""
    return math.floor(math.log(share) / math.log(momentum)) + 1


def on_a_line(share: float, momentum: float) -> int:
    """Wrong: a step takes the same amount each time."""
    return math.floor((1 - share) / momentum) + 1


def one_too_early(share: float, momentum: float) -> int:
    """Wrong: the last step after which the share is still there."""
    return steps_until(share, momentum) - 1


# Question 3: what a step costs


def stacks(draw: Random) -> Iterator[tuple[list[int], int]]:
    """Forward costs of the parts, and how many of them are frozen."""
    yield from [([4, 11, 43, 52, 2], 0), ([4, 11, 43, 52, 2], 4)]
    for _ in range(6):
        parts = [draw.randint(1, 99) for _ in range(draw.randint(2, 7))]
        yield parts, draw.randrange(len(parts))


def step_cost(macs: list[int], frozen: int) -> int:
    """Forward through all; back to the lowest part that learns."""
    forward = sum(macs)
    weights = sum(macs[frozen:])
    inputs = sum(macs[frozen + 1 :])
    return forward + weights + inputs


def three_times(macs: list[int], frozen: int) -> int:
    """Wrong: three times the forward pass, frozen or not."""
    return 3 * sum(macs)


def past_the_lowest(macs: list[int], frozen: int) -> int:
    """Wrong: the lowest learning part passes its signal on."""
    return sum(macs) + 2 * sum(macs[frozen:])


def without_forward(macs: list[int], frozen: int) -> int:
    """Wrong: frozen parts are not even run."""
    return step_cost(macs[frozen:], 0)


def weights_alone(macs: list[int], frozen: int) -> int:
    """Wrong: no signal is sent down."""
    return sum(macs) + sum(macs[frozen:])


# Question 4: a rate for each block


def towers(draw: Random) -> Iterator[tuple[nn.Sequential, float, float]]:
    """Networks of some blocks, the head's rate, a factor."""
    for blocks in (5, 3, 12):
        parts = [nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))]
        parts += [nn.Linear(2, 2) for _ in range(blocks - 1)]
        top = draw.choice([1e-2, 3e-3, 0.5])
        yield nn.Sequential(*parts), top, draw.choice([2, 3, 10])


def rates(net: nn.Sequential, top: float, factor: float) -> dict[str, float]:
    """The head learns at the top rate; each block below, factor slower."""
    last = len(net) - 1
    return {
        name: top / factor ** (last - int(name.split(".")[0]))
        for name, _ in net.named_parameters()
    }


def upside_down(net: nn.Sequential, top: float, factor: float) -> dict:
    """Wrong: the first block learns fastest."""
    return {
        name: top / factor ** int(name.split(".")[0])
        for name, _ in net.named_parameters()
    }


def first_letter(net: nn.Sequential, top: float, factor: float) -> dict:
    """Wrong: the first letter of a name is taken for its block."""
    last = len(net) - 1
    return {
        name: top / factor ** (last - int(name[0]))
        for name, _ in net.named_parameters()
    }


def head_slowed(net: nn.Sequential, top: float, factor: float) -> dict:
    """Wrong: the head is slowed down too."""
    return rates(net, top / factor, factor)


def two_groups(net: nn.Sequential, top: float, factor: float) -> dict:
    """Wrong: one rate for all that is below the head."""
    last = len(net) - 1
    return {
        name: top if int(name.split(".")[0]) == last else top / factor
        for name, _ in net.named_parameters()
    }


# Question 5: frozen, and still


def treated(answer: Callable, draw: Random) -> list[list[bool]]:
    """Of each block, once the answer has treated the network.

    Whether it learns; whether its statistics move in a forward pass; whether
    what it says of a picture depends on the others.
    """
    if not callable(answer):
        raise TypeError("a function is wanted here")
    found = []
    for depth in (2, 0, 3):
        torch.manual_seed(draw.randrange(1000))
        net = nn.Sequential(*(_block(width) for width in (1, 4, 4)))
        net.append(nn.Sequential(nn.Flatten(), nn.Linear(4 * 9, 2)))
        x = torch.randn(8, 1, 3, 3)
        net.train()(x)
        if depth:
            net.eval()
        answer(net, depth)
        for block in net:
            statistics = [b for b in block.buffers() if b.dim()]  # no counts
            before = [buffer.clone() for buffer in statistics]
            with torch.no_grad():
                together, alone = block(x), block(x[:4])
            found.append(
                [
                    any(p.requires_grad for p in block.parameters()),
                    not all(map(torch.equal, before, statistics)),
                    not torch.allclose(together[:4], alone, atol=1e-5),
                ]
            )
            x = together
    return found


def _block(reads: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(reads, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.5),
    )


def train_frozen(net: nn.Sequential, depth: int) -> None:
    """Training mode for all but the first blocks, which stand still."""
    net.train()
    net[:depth].eval().requires_grad_(False)


def gradients_alone(net: nn.Sequential, depth: int) -> None:
    """Wrong: the trap itself."""
    net.train()
    net[:depth].requires_grad_(False)


def mode_alone(net: nn.Sequential, depth: int) -> None:
    """Wrong: evaluation mode stops no gradient."""
    net.train()
    net[:depth].eval()


def all_still(net: nn.Sequential, depth: int) -> None:
    """Wrong: the blocks that learn are left in evaluation mode."""
    net.eval()
    net[:depth].requires_grad_(False)


def no_momentum(net: nn.Sequential, depth: int) -> None:
    """Wrong: momentum 0 keeps the statistics, but does not use them."""
    gradients_alone(net, depth)
    for layer in net[:depth].modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.0


QUESTIONS = (
    Question(
        id="transfer_learning.q1",
        title="parameters of a new head",
        reference=BREEDS,
        hints=(
            (2048 * 37, "each of the 37 outputs has a bias as well."),
            (
                25_557_032 - dense_parameters(2048, 1000),
                "these are the frozen ones; asked are those that learn.",
            ),
            (
                25_557_032 - dense_parameters(2048, 1000) + BREEDS,
                "that is the whole network with its new head; most of it is "
                "frozen.",
            ),
            (
                dense_parameters(2048, 1000),
                "that is the old head, of 1,000 classes; a new one has 37.",
            ),
            (
                dense_parameters(512, 37),
                "ResNet-50 ends in bottlenecks: its features are four times "
                "as many as those of ResNet-18.",
            ),
        ),
    ),
    Question(
        id="transfer_learning.q2",
        title="steps until the source's statistics are gone",
        reference=steps_until,
        probe=Calls(memories),
        hints=(
            (
                other_momentum,
                "here the momentum is the weight of the new batch, not of "
                "the past.",
            ),
            (
                on_a_line,
                "each step keeps a share of what is left, not of what there "
                "was.",
            ),
            (
                one_too_early,
                "after so many steps the share is still there; less than it "
                "must be left.",
            ),
        ),
    ),
    Question(
        id="transfer_learning.q3",
        title="the cost of a step with frozen blocks",
        reference=step_cost,
        probe=Calls(stacks),
        hints=(
            (
                three_times,
                "the way back ends at the lowest part that learns: frozen "
                "parts cost their forward pass alone.",
            ),
            (
                past_the_lowest,
                "the lowest part that learns needs the gradient of its "
                "weights, but nobody asks for that of its input.",
            ),
            (
                without_forward,
                "the pictures have to go through the frozen parts, too.",
            ),
            (
                weights_alone,
                "above the lowest part that learns the signal has to come "
                "down: one more product for each part.",
            ),
        ),
    ),
    Question(
        id="transfer_learning.q4",
        title="a rate for each block",
        reference=rates,
        probe=Calls(towers),
        tolerance=1e-9,
        hints=(
            (
                upside_down,
                "the first block is the most general: it should move least.",
            ),
            (
                first_letter,
                "a block's number may have two digits: split the name at "
                "its first dot.",
            ),
            (head_slowed, "the head itself learns at the top rate."),
            (
                two_groups,
                "that has two rates; each block further down is slower by "
                "the factor once more.",
            ),
        ),
    ),
    Question(
        id="transfer_learning.q5",
        title="frozen, and still",
        reference=train_frozen,
        probe=treated,
        hints=(
            (
                gradients_alone,
                "no gradient moves a running mean: the frozen blocks are in "
                "training mode, or back in it, if net.train() came last.",
            ),
            (
                mode_alone,
                "evaluation mode stops no gradient: the parameters of the "
                "frozen blocks still learn.",
            ),
            (
                all_still,
                "the blocks that learn belong in training mode.",
            ),
            (
                no_momentum,
                "the statistics stand still now, but in training mode they "
                "are not used: each picture is still measured by its batch.",
            ),
        ),
    ),
)
