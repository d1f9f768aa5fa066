"""Answers to the exercises on 1 × 1 convolutions, right ones and wrong."""

import torch
from torch import nn

from cnnbook import nets
from cnnbook.anatomy import trace
from cnnbook.probes import one_by_one as probes
from cnnbook.widgets.bottleneck import Settings, largest


def live_filters() -> tuple[int, int]:
    """The layer itself, traced."""
    with torch.device("meta"):
        layer = nn.Conv2d(192, 32, 1, bias=False)
    anatomy = trace(layer, (192, 28, 28))
    return anatomy.total_parameters, anatomy.total_macs


def by_hand() -> int:
    """The network for ten classes and ninety filters more."""
    net = nets.nin("cifar")
    more = nn.Conv2d(192, 90, 1)
    return sum(p.numel() for part in (net, more) for p in part.parameters())


def counting(maps_in: int, maps_out: int, window: int) -> int:
    """Widen the neck until it no longer pays."""
    neck = 0
    while (neck + 1) * (
        maps_in + window**2 * maps_out
    ) < window**2 * maps_in * maps_out:
        neck += 1
    return neck


def as_the_widget(maps_in: int, maps_out: int, window: int) -> int:
    """What the widget of the chapter says."""
    return largest(Settings(28, window, maps_in, maps_out))


def by_answers(reduce: nn.Conv2d, window: nn.Conv2d) -> nn.Conv2d:
    """Ask the two layers what they answer to single weights and to zero."""
    both = nn.Conv2d(
        reduce.in_channels, window.out_channels, window.kernel_size
    ).double()
    side = window.kernel_size[0]
    with torch.no_grad():
        still = window(
            reduce(torch.zeros(1, both.in_channels, side, side).double())
        )[0, :, 0, 0]
        both.bias.copy_(still)
        for c in range(both.in_channels):
            for i in range(side):
                for j in range(side):
                    one = torch.zeros(1, both.in_channels, side, side)
                    one[0, c, i, j] = 1
                    answer = window(reduce(one.double()))[0, :, 0, 0]
                    both.weight[:, c, i, j] = answer - still
    return both


RIGHT = {
    "one_by_one.q1": [(6144, 4_816_896), list(live_filters())],
    "one_by_one.q2": [984_356, by_hand()],
    "one_by_one.q3": [counting, as_the_widget],
    "one_by_one.q4": [probes.merge, by_answers],
}
# each with words from the hint that it must get
WRONG = {
    "one_by_one.q1": [
        ((6176, 4_816_896), "without biases"),
        ((192, 150_528), "one filter"),
        ((6144, 6144), "at every pixel"),
        ((6144, 172_032), "not 28"),
        ((4_816_896, 4_816_896), "share the same weights"),
    ],
    "one_by_one.q2": [
        (984_266, "a bias too"),
        (986_286, "there already"),
        (966_986, "for ten classes"),
        (2_072_996 - 1, "Go through"),
        (966_986 + 90 * 12_289, "no dense layer"),
    ],
    "one_by_one.q3": [
        (probes.break_even, "saves nothing"),
        (probes.unrounded, "come whole"),
        (probes.window_alone, "has to be paid"),
        (probes.side_for_area, "F² taps"),
        (154, "a function is wanted"),
    ],
    "one_by_one.q4": [
        (probes.last_bias, "reaches the output"),
        (probes.one_tap, "every tap"),
        (probes.bias_unweighted, "multiplied by the weights"),
        (probes.padded, "no padding"),
        (lambda reduce, window: nn.Sequential(reduce, window), "not one"),
    ],
}
