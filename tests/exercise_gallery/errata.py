"""Answers to the exercises on notes and papers, right ones and wrong ones."""

from fractions import Fraction
from math import floor

from cnnbook import nets
from cnnbook.anatomy import trace
from cnnbook.claims import counts
from cnnbook.probes import errata as probes


def live_mebibytes() -> float:
    """VGG-16's memory, from the live network."""
    rows = trace(nets.vgg("D").eval(), (3, 224, 224))
    return 4 * (3 * 224 * 224 + rows.total_activations) / 2**20


def live_difference() -> int:
    """What fc6 gains as ZFNet widens, from the live networks."""
    narrow, wide = (
        counts.parameters(f"zfnet {variant}", "fc6")
        for variant in ("2013", "wide")
    )
    return wide - narrow


def by_fractions(printed, step, value):
    """As the solution, with exact shares."""
    share = Fraction(value, step)
    if floor(share + Fraction(1, 2)) * step == printed:
        return "rounded"
    return "cut" if floor(share) * step == printed else "neither"


def by_remainder(printed, step, value):
    """As the solution, by what is left over."""
    left = value - printed
    if -step < 2 * left < step:
        return "rounded"
    return "cut" if 0 <= left < step else "neither"


def in_capitals(printed, step, value):
    """Wrong: other words than were asked for."""
    return probes.how(printed, step, value).upper()


RIGHT = {
    "errata.q1": [58.1, 58.13, 4 * 15_237_608 / 2**20, live_mebibytes()],
    "errata.q2": [37_748_736, 256 * 6 * 6 * 4096, live_difference()],
    "errata.q3": [by_fractions, by_remainder],
}
# each with words from the hint that it must get
WRONG = {
    "errata.q1": [
        (60.95, "these are MB"),
        (57.55, "picture itself is missing"),
        (109.8, "keeps nothing of its own"),
        (52.29, "poolings are missing"),
        (91.55, "total of the notes"),
        (14.53, "four bytes"),
        (60_950_432, "these are bytes"),
        (93, "Go through the derivation"),
    ],
    "errata.q2": [
        (0, "twice as many maps"),
        (1_048_576, "6 × 6 values"),
        (37_757_952, "belongs to an output"),
        (75_501_568, "take the narrow one off"),
        (75_497_472, "take the narrow one off"),
    ],
    "errata.q3": [
        (probes.cut_first, 'ask for "rounded" first'),
        (probes.within_a_step, "half a step at most"),
        (probes.up_as_well, "never larger"),
        (probes.anything_larger, "less than one step"),
        (in_capitals, "Try 34K"),
        (lambda *_: None, "is a `return` missing?"),
    ],
}
