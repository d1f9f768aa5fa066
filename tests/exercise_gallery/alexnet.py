"""Answers to the exercises on AlexNet, right ones and wrong ones."""

import torch
import torch.nn.functional as F
from torch import nn

from cnnbook import nets
from cnnbook.probes import alexnet as probes


def live_conv2():
    """Parameters counted in a layer, MACs from its output."""
    layer = nn.Conv2d(96, 256, 5, padding=2, groups=4)
    out = layer(torch.zeros(1, 96, 27, 27))
    macs = layer.weight.numel() * out[0, 0].numel()
    return sum(p.numel() for p in layer.parameters()), macs


def traced_sides():
    """The sides read off the live layers, up to the one that refuses."""
    with torch.device("meta"):
        net = nets.alexnet("2012").eval()
        x = torch.empty(1, 3, 259, 259)
    found = []
    for name, layer in net.named_children():
        if name == "fc6":
            return found
        x = layer(x)
        if name in ("conv1", "pool1", "pool2", "pool5"):
            found.append(x.shape[-1])


def searched():
    """The largest answer, found on a fine grid."""
    a = torch.arange(1, 1000, 0.01, dtype=torch.float64)
    answer = a / (2 + 1e-4 * a**2) ** 0.75
    best = answer.argmax()
    return a[best].item(), answer[best].item()


def as_in_the_chapter(x):
    """The solution of the chapter: shifted slices of padded squares."""
    squares = F.pad(x.square(), (0, 0, 0, 0, 2, 2))
    maps = x.shape[1]
    total = sum(squares[:, i : i + maps] for i in range(5))
    return x / (2 + 1e-4 * total) ** 0.75


def a_band(x):
    """A 1 by 1 convolution on the squares, its weights a band of ones."""
    i = torch.arange(x.shape[1])
    band = ((i[:, None] - i).abs() <= 2).to(x)[:, :, None, None]
    return x * (2 + 1e-4 * F.conv2d(x**2, band)).pow(-0.75)


def a_loop(x):
    """Map by map, in the formula's own words."""
    out = torch.empty_like(x)
    maps = x.shape[1]
    for i in range(maps):
        total = 0
        for j in range(max(0, i - 2), min(maps - 1, i + 2) + 1):
            total = total + x[:, j] ** 2
        out[:, i] = x[:, i] / (2 + 1e-4 * total) ** 0.75
    return out


def step_of_the_chapter(w, v, g, rate):
    """The solution of the chapter."""
    v = 0.9 * v - 0.0005 * rate * w - rate * g
    return w + v, v


def with_torch(w, v, g, rate):
    """torch.optim.SGD, its memory translated there and back."""
    weight = nn.Parameter(w.clone())
    optimiser = torch.optim.SGD(
        [weight], rate, momentum=0.9, weight_decay=5e-4
    )
    optimiser.state[weight]["momentum_buffer"] = -v / rate
    weight.grad = g
    optimiser.step()
    memory = optimiser.state[weight]["momentum_buffer"]
    return weight.detach(), -rate * memory


RIGHT = {
    "alexnet.q1": [(153_856, 111_974_400), live_conv2()],
    "alexnet.q2": [(63, 31, 15, 7), traced_sides()],
    "alexnet.q3": [(200, 52.17), (200.0, 52.169), searched()],
    "alexnet.q4": [as_in_the_chapter, a_band, a_loop],
    "alexnet.q5": [step_of_the_chapter, with_torch],
}
# each with words from the hint that it must get
WRONG = {
    "alexnet.q1": [
        ((614_656, 447_897_600), "96 / 4"),
        ((307_456, 223_948_800), "two cards"),
        ((153_600, 111_974_400), "biases are missing"),
        ((38_464, 27_993_600), "there are four"),
        ((153_856, 112_161_024), "no MAC"),
        ((153_856, 153_600), "each of the 27 × 27 places"),
    ],
    "alexnet.q2": [
        ((63, 31, 13, 3), "unpadded network"),
        ((55, 27, 13, 6), "227 × 227"),
        ((62, 30, 14, 6), "add the first place"),
        ((63, 32, 16, 8), "have no padding"),
        ((249, 124, 61, 30), "stride 4"),
    ],
    "alexnet.q3": [
        ((447.2136, 116.654), "not divided by five"),
        ((141.4214, 62.04), "torch's own is 1"),
        ((141.4214, 50.0), "derivative is zero"),
        ((200, 118.92), "own square counts"),
        ((200, 33.3333), "exponent is 0.75"),
    ],
    "alexnet.q4": [
        (probes.of_mean, "not their mean"),
        (probes.with_one, "torch's own"),
        (probes.last_left_out, "includes its upper end"),
        (probes.without_squares, "squares are summed"),
        (probes.multiplied, "divides"),
        (probes.of_square_root, "exponent is 0.75"),
        (probes.without_exponent, "exponent 0.75 is missing"),
        (probes.around, "wrap around"),
        (probes.others_only, "own square"),
        (probes.five_each_way, "five maps in all"),
        (probes.in_the_plane, "not other pixels"),
    ],
    "alexnet.q5": [
        (probes.stale, "the new v"),
        (probes.decay_without_rate, "by the rate too"),
        (probes.no_decay, "0.0005, is missing"),
        (probes.as_in_torch, "torch's order"),
        (probes.uphill, "downhill already"),
        (probes.decay_away, "towards zero"),
        (probes.swapped, "w first"),
        (probes.no_memory, "nine tenths"),
    ],
}
