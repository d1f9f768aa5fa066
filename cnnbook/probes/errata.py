"""The questions of the page on what notes and papers say."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from cnnbook.exercises import Calls, Question
from cnnbook.geometry import dense_parameters

CONVOLUTIONS = (
    2 * 224**2 * 64
    + 2 * 112**2 * 128
    + 3 * 56**2 * 256
    + 3 * 28**2 * 512
    + 3 * 14**2 * 512
)
POOLINGS = 112**2 * 64 + 56**2 * 128 + 28**2 * 256 + 14**2 * 512 + 7**2 * 512
DENSE = 2 * 4096 + 1000
VALUES = 3 * 224**2 + CONVOLUTIONS + POOLINGS + DENSE
MIB = 4 * VALUES / 2**20
"""VGG-16's values, with the picture, and their memory."""

FC6 = dense_parameters(6 * 6 * 512, 4096)


# Question 3: rounded or cut


def figures(draw: Random) -> Iterator[tuple[int, int, int]]:
    """What is printed, its step and a value, near to it and far off."""
    for step in (1, 100, 1000, 10**6):
        printed = draw.randint(20, 900) * step
        near = max(step // 5, 1) if step > 1 else 0
        yield printed, step, printed
        for more in (
            draw.randint(0, 2 * near),
            3 * near + draw.randint(0, near),
            -draw.randint(0, 2 * near),
            -3 * near - draw.randint(0, near),
            step + near,
            -7 * step,
        ):
            yield printed, step, printed + more


def how(printed: int, step: int, value: int) -> str:
    """Say how a value became what is printed."""
    if 2 * abs(value - printed) < step:
        return "rounded"
    return "cut" if value // step * step == printed else "neither"


def cut_first(printed: int, step: int, value: int) -> str:
    """Wrong: what was cut is called cut, even where rounding does it."""
    if value // step * step == printed:
        return "cut"
    return how(printed, step, value)


def within_a_step(printed: int, step: int, value: int) -> str:
    """Wrong: a value may be a whole step off, not half of one."""
    if abs(value - printed) < step:
        return "rounded"
    return how(printed, step, value)


def up_as_well(printed: int, step: int, value: int) -> str:
    """Wrong: what was raised to the next step counts as cut."""
    if how(printed, step, value) == "rounded":
        return "rounded"
    return "cut" if abs(value - printed) < step else "neither"


def anything_larger(printed: int, step: int, value: int) -> str:
    """Wrong: every larger value was cut, however large."""
    if how(printed, step, value) == "rounded":
        return "rounded"
    return "cut" if value > printed else "neither"


QUESTIONS = (
    Question(
        "errata.q1",
        "The right memory",
        MIB,
        tolerance=1e-3,
        hints=(
            (4 * VALUES / 10**6, "these are MB; a MiB is 2**20 bytes."),
            (
                4 * (VALUES - 3 * 224**2) / 2**20,
                "the picture itself is missing.",
            ),
            (
                4 * (VALUES + CONVOLUTIONS + 2 * 4096) / 2**20,
                "in place, a ReLU keeps nothing of its own.",
            ),
            (
                4 * (VALUES - POOLINGS) / 2**20,
                "the outputs of the poolings are missing.",
            ),
            (
                4 * 24e6 / 2**20,
                "that is the total of the notes; add the layers up.",
            ),
            (MIB / 4, "a number in single precision takes four bytes."),
            (4 * VALUES, "these are bytes; a MiB has 2**20 of them."),
        ),
    ),
    Question(
        "errata.q2",
        "The layer that did not change",
        FC6 - dense_parameters(6 * 6 * 256, 4096),
        hints=(
            (
                0,
                "its outputs are as many as before, but it reads twice as "
                "many maps.",
            ),
            (
                256 * 4096,
                "each map has 6 × 6 values, and each has a weight of its own.",
            ),
            (
                256 * 6 * 6 * 4097,
                "a bias belongs to an output, and those are as many as "
                "before.",
            ),
            (FC6, "that is the whole wide layer; take the narrow one off."),
            (
                FC6 - 4096,
                "that is the whole wide layer; take the narrow one off.",
            ),
        ),
    ),
    Question(
        "errata.q3",
        "Rounded or cut?",
        how,
        probe=Calls(figures),
        hints=(
            (
                cut_first,
                'ask for "rounded" first: a small rest gives the same '
                "figure either way.",
            ),
            (
                within_a_step,
                "rounding moves a value by half a step at most.",
            ),
            (up_as_well, "cutting makes a value smaller, never larger."),
            (
                anything_larger,
                "cutting takes away less than one step.",
            ),
        ),
        otherwise="Try 34K for 34,200, for 34,848 and for 35,100.",
    ),
)
