"""The questions of the chapter on ZFNet."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random

from torch import Tensor

from cnnbook.exercises import Calls, Question
from cnnbook.geometry import conv_macs, conv_parameters
from cnnbook.probing import numbers

ALEXNET = conv_parameters(384, 256, 3, bias=False)
WIDENED = conv_parameters(1024, 512, 3, bias=False)
"""The weights of conv5."""


# Question 3: bars through a stride


def bars(draw: Random) -> Iterator[tuple[int, int]]:
    """Periods and strides: safe ones, too fine ones, invisible ones."""
    yield from [(5, 4), (20, 4), (5, 2), (4, 4), (8, 4), (3, 2), (3, 7)]
    for _ in range(8):
        yield draw.randint(2, 40), draw.randint(1, 9)


def passes_for(period: float, stride: int) -> float:
    """The period of the coarsest wave that leaves the same numbers."""
    turns = stride / period
    rest = abs(turns - round(turns))
    return stride / rest if rest > 1e-12 else math.inf


def unchanged(period: float, stride: int) -> float:
    """Wrong: no stride confuses anything."""
    return float(period)


def in_places(period: float, stride: int) -> float:
    """Wrong: the period counted in places of the window."""
    return passes_for(period, stride) / stride


def one_step(period: float, stride: int) -> float:
    """Wrong: always takes 1/S away, once."""
    rest = abs(1 / period - 1 / stride)
    return 1 / rest if rest > 1e-12 else math.inf


def rounded_down(period: float, stride: int) -> float:
    """Wrong: takes away the whole turns below, not the nearest ones."""
    rest = (stride / period) % 1
    return stride / rest if rest > 1e-12 else math.inf


def signed(period: float, stride: int) -> float:
    """Wrong: lets a wave that turns backwards have a negative period."""
    turns = stride / period
    rest = turns - round(turns)
    return stride / rest if abs(rest) > 1e-12 else math.inf


# Question 4: filters that dominate


def layers(draw: Random) -> Iterator[tuple[Tensor, float]]:
    """Weights of filters, some loud and some quiet, and a radius."""
    for shape in [(4, 1, 3, 3), (3, 2, 5, 5), (6, 3, 7, 7)]:
        weight = numbers(draw, *shape)
        for i in range(0, shape[0], 2):
            weight[i] *= 0.01
        yield weight, 0.1


def renormalise(weight: Tensor, radius: float) -> Tensor:
    """The paper's renormalisation, filter by filter."""
    rms = weight.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return weight * (radius / rms).clamp(max=1)


def by_length(weight: Tensor, radius: float) -> Tensor:
    """Wrong: the length of a filter in place of its RMS."""
    length = weight.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
    return weight * (radius / length).clamp(max=1)


def all_of_them(weight: Tensor, radius: float) -> Tensor:
    """Wrong: quiet filters are made louder."""
    rms = weight.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return weight * radius / rms


def as_one(weight: Tensor, radius: float) -> Tensor:
    """Wrong: one RMS for the whole layer."""
    rms = weight.square().mean().sqrt()
    return weight * (radius / rms).clamp(max=1)


def without_root(weight: Tensor, radius: float) -> Tensor:
    """Wrong: the mean square, its root forgotten."""
    mean = weight.square().mean(dim=(1, 2, 3), keepdim=True)
    return weight * (radius / mean).clamp(max=1)


def kernel_by_kernel(weight: Tensor, radius: float) -> Tensor:
    """Wrong: an RMS for each kernel of a filter."""
    rms = weight.square().mean(dim=(2, 3), keepdim=True).sqrt()
    return weight * (radius / rms).clamp(max=1)


def about_the_mean(weight: Tensor, radius: float) -> Tensor:
    """Wrong: the standard deviation."""
    std = weight.std(dim=(1, 2, 3), keepdim=True)
    return weight * (radius / std).clamp(max=1)


def cut_off(weight: Tensor, radius: float) -> Tensor:
    """Wrong: each weight is cut by itself."""
    return weight.clamp(-radius, radius)


# Question 5: three ways through a ReLU


def signals(draw: Random) -> Iterator[tuple[Tensor, Tensor, str]]:
    """Inputs with zeros among them, signals of both signs, each rule."""
    for shape in [(6,), (2, 3, 4, 4)]:
        z = numbers(draw, *shape)
        z.view(-1)[:3] = 0
        g = numbers(draw, *shape)
        g.view(-1)[0] = 1.5
        for rule in ("gradient", "deconvnet", "guided"):
            yield z, g, rule


def back(z: Tensor, g: Tensor, rule: str) -> Tensor:
    """What comes down through a ReLU."""
    if rule != "gradient":
        g = g.relu()
    if rule != "deconvnet":
        g = g * (z > 0)
    return g


def at_zero(z: Tensor, g: Tensor, rule: str) -> Tensor:
    """Wrong: lets the signal through where the input was zero."""
    return back(z + 1e-30, g, rule) if rule != "deconvnet" else g.relu()


def swapped(z: Tensor, g: Tensor, rule: str) -> Tensor:
    """Wrong: gradient and deconvnet confused."""
    other = {"gradient": "deconvnet", "deconvnet": "gradient"}
    return back(z, g, other.get(rule, rule))


def always_masked(z: Tensor, g: Tensor, rule: str) -> Tensor:
    """Wrong: the deconvnet asks what had fired."""
    return back(z, g, "guided" if rule == "deconvnet" else rule)


def never_the_sign(z: Tensor, g: Tensor, rule: str) -> Tensor:
    """Wrong: the gradient, whatever the rule."""
    return back(z, g, "gradient")


def input_rectified(z: Tensor, g: Tensor, rule: str) -> Tensor:
    """Wrong: the deconvnet rectifies the input, not the signal."""
    return z.relu() if rule == "deconvnet" else back(z, g, rule)


def times_the_input(z: Tensor, g: Tensor, rule: str) -> Tensor:
    """Wrong: the input itself where its sign is meant."""
    return (
        back(z, g, rule)
        if rule == "deconvnet"
        else (back(z, g, rule) * z.relu())
    )


QUESTIONS = (
    Question(
        id="zfnet.q1",
        title="weights that widening adds to conv5",
        reference=WIDENED - ALEXNET,
        hints=(
            (
                ALEXNET - 1024 * 512,
                "the 3 · 3 belongs to both terms; that is the slip of the "
                "notes.",
            ),
            (ALEXNET - WIDENED, "the widened layer is the larger one."),
            (
                WIDENED - ALEXNET + 512 - 256,
                "weights are asked for; that counts the biases too.",
            ),
            (
                (WIDENED - ALEXNET) // 9,
                "a filter has 3 · 3 weights for each map it reads.",
            ),
            (WIDENED, "that is the widened layer; take AlexNet's away."),
            (
                WIDENED - conv_parameters(192, 256, 3, bias=False),
                "without towers AlexNet's filters read all 384 maps.",
            ),
            (3_800_000, "to the last weight, please: that one is rounded."),
            (3_830_000, "to the last weight, please: that one is rounded."),
        ),
    ),
    Question(
        id="zfnet.q2",
        title="multiply-accumulates of conv1, AlexNet's and ZFNet's",
        reference=(
            conv_macs(3, 96, 11, (55, 55)),
            conv_macs(3, 96, 7, (110, 110)),
        ),
        hints=(
            (
                (34_848, 14_112),
                "these are the weights; each works at every place.",
            ),
            (
                (55**2 * 34_848, 55**2 * 14_112),
                "ZFNet's stride of 2 gives 110 × 110 places.",
            ),
            (
                (55**2 * 34_848 // 3, 110**2 * 14_112 // 3),
                "a filter goes through all three channels.",
            ),
            (
                (2 * 55**2 * 34_848, 2 * 110**2 * 14_112),
                "one multiply-accumulate is two floating-point operations; "
                "count it once.",
            ),
            (
                (110**2 * 14_112, 55**2 * 34_848),
                "the two are right, in the other order.",
            ),
            (
                (55**2 * (34_848 + 96), 110**2 * (14_112 + 96)),
                "a bias is added, not multiplied: leave the biases out.",
            ),
            (
                (55**2 * 96, 110**2 * 96),
                "these are the outputs; each takes as many multiplications "
                "as its filter has weights.",
            ),
        ),
    ),
    Question(
        id="zfnet.q3",
        title="what bars pass for",
        reference=passes_for,
        probe=Calls(bars),
        hints=(
            (
                unchanged,
                "bars finer than two places each come back coarser: that is "
                "the point.",
            ),
            (
                in_places,
                "that counts places of the window; one place is a stride of "
                "pixels.",
            ),
            (
                one_step,
                "k may be any whole number, 0 too: take the k/S that is "
                "nearest to f.",
            ),
            (
                rounded_down,
                "take the nearest whole number of turns, not the one below: "
                "a wave may also turn backwards.",
            ),
            (
                signed,
                "a cosine does not mind the sign, and a period has none.",
            ),
        ),
    ),
    Question(
        id="zfnet.q4",
        title="filters scaled back to a radius",
        reference=renormalise,
        probe=Calls(layers),
        hints=(
            (by_length, "the RMS is the root of the mean, not of the sum."),
            (all_of_them, "a filter below the radius stays as it is."),
            (as_one, "each filter has an RMS of its own."),
            (without_root, "the R of RMS is the root of the mean square."),
            (
                kernel_by_kernel,
                "a filter goes through all its maps: one RMS for the whole.",
            ),
            (
                about_the_mean,
                "the RMS takes no mean away; that is the standard deviation.",
            ),
            (
                cut_off,
                "the filter is scaled as a whole and keeps its pattern; no "
                "weight is cut by itself.",
            ),
        ),
    ),
    Question(
        id="zfnet.q5",
        title="three ways through a ReLU",
        reference=back,
        probe=Calls(signals),
        hints=(
            (
                at_zero,
                "a unit whose input was 0 let nothing through: the mask is "
                "z > 0.",
            ),
            (
                swapped,
                "backpropagation asks what had fired, the deconvnet looks "
                "at the sign of the signal.",
            ),
            (
                always_masked,
                "the deconvnet forgets what had fired; only guided asks both.",
            ),
            (
                never_the_sign,
                "that is right for the gradient; the other two also let no "
                "negative signal through.",
            ),
            (
                input_rectified,
                "the deconvnet rectifies the signal g, not the input z.",
            ),
            (
                times_the_input,
                "whether the unit fired is 0 or 1: multiply by z > 0, not "
                "by z.",
            ),
        ),
    ),
)
