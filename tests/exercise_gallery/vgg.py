"""Answers to the exercises on VGG, right ones and wrong ones."""

import torch
from torch import nn

from cnnbook import nets
from cnnbook.anatomy import trace
from cnnbook.nets.vgg import blocks
from cnnbook.probes import vgg as probes


def as_in_the_chapter(fc, channels, side):
    """The solution of the chapter."""
    conv = nn.Conv2d(channels, fc.out_features, side)
    conv.weight.data = fc.weight.data.view(-1, channels, side, side)
    conv.bias.data = fc.bias.data
    return conv


class Sliding(nn.Module):
    """The dense layer itself, applied to every window."""

    def __init__(self, fc, channels, side):
        super().__init__()
        self.fc, self.side = fc, side

    def forward(self, x):
        places = [n - self.side + 1 for n in x.shape[2:]]
        windows = nn.functional.unfold(x, self.side)  # (N, inputs, places)
        return self.fc(windows.mT).mT.unflatten(2, places)


def live_pool5() -> int:
    """The field of the last pooling, traced in the live network."""
    with torch.device("meta"):
        rows = trace(nets.vgg("E").features, (3, 512, 512)).rows
    return next(
        row.receptive_field for row in rows if row.name == "pool5"
    )


def live_small() -> int:
    """A's convolutions and a head for ten classes, counted."""
    layers = blocks("64 128 256,256 512,512 512,512", 3).values()
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))
    return sum(p.numel() for p in net.parameters())


RIGHT = {
    "vgg.q1": [
        (7_077_888, 12_845_056),
        [27 * 512**2, 49 * 512**2],
    ],
    "vgg.q2": [9_225_610, live_small()],
    "vgg.q3": [268, live_pool5()],
    "vgg.q4": [as_in_the_chapter, Sliding],
}
# each with words from the hint that it must get
WRONG = {
    "vgg.q1": [
        ((2_359_296, 12_845_056), "the stack has three"),
        ((7_079_424, 12_845_568), "without biases"),
        ((13_824, 25_088), "kernels of its own"),
        ((7_077_888, 21_233_664), "see 7 pixels"),
    ],
    "vgg.q2": [
        (9_225_600, "ten biases"),
        (9_471_370, "five poolings"),
        (9_220_480, "convolutions alone"),
        (9_222_858, "one a map"),
    ],
    "vgg.q3": [
        (212, "that is D's pool5"),
        (252, "that is conv5_4"),
        (38, "the jump is missing"),
        (535, "the jump before it"),
    ],
    "vgg.q4": [
        (probes.without_bias, "left behind"),
        (probes.channels_last, "maps, rows, columns"),
        (probes.transposed, "change places"),
        (probes.padded, "no padding"),
    ],
}
