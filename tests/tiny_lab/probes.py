"""The probes of a lab so small that a test can grade it in no time."""

from __future__ import annotations

from random import Random

import torch
from torch import Tensor, nn

from cnnbook.exercises import Calls, Question, Written
from cnnbook.probing import LABELS, Builds, Reads, numbers


def sides(draw: Random) -> list[tuple[int, int]]:
    """Draw five rectangles."""
    return [(draw.randint(2, 99), draw.randint(2, 99)) for _ in range(5)]


def area(height: int, width: int) -> int:
    """What is right."""
    return height * width


def half_way_round(height: int, width: int) -> int:
    """Wrong: half of the circumference."""
    return height + width


def cases(draw: Random) -> list:
    """Draw channels, and pictures with as many."""
    return [((c,), numbers(draw, 2, c, 5, 4)) for c in (2, 3)]


def block(channels: int) -> nn.Module:
    """A right block."""
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


def with_bias(channels: int) -> nn.Module:
    """Wrong: a bias before batch norm."""
    conv = nn.Conv2d(channels, channels, 3, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


def quarters(draw: Random) -> tuple[Tensor, Tensor]:
    """Draw pictures of which one quarter is bright."""
    labels = torch.tensor([draw.randint(0, 3) for _ in range(60)])
    images = numbers(draw, 60, 1, 8, 8)
    for image, label in zip(images, labels.tolist(), strict=True):
        i, j = 4 * (label // 2), 4 * (label % 2)
        image[:, i : i + 4, j : j + 4] += 3
    return images, labels


QUESTIONS = (
    Question(
        id="lab-tiny_lab.q1",
        title="area",
        name="area",
        points=3,
        reference=area,
        probe=Calls(sides),
        hints=((half_way_round, "that is half of the way round."),),
    ),
    Question(
        id="lab-tiny_lab.q2",
        title="block",
        name="Block",
        points=4,
        reference=block,
        probe=Builds(cases),
        hints=((with_bias, "batch norm takes the bias away again."),),
    ),
    Question(
        id="lab-tiny_lab.q3",
        title="counts",
        name="counts",
        points=1,
        reference=[37632, 4704, 2352],
    ),
    Question(
        id="lab-tiny_lab.q4",
        title="the bright quarter",
        name="read",
        points=2,
        reference=LABELS,
        probe=Reads(quarters),
        share=0.9,
    ),
)
WRITTEN = (
    Written(
        id="lab-tiny_lab.w1",
        title="Why?",
        rubric=((1, "one reason"), (1, "another")),
    ),
)
