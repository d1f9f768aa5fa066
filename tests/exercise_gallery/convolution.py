"""Answers to the exercises on convolution, right ones and wrong ones."""

import torch

from cnnbook import geometry

RIGHT = {
    "convolution.q1": [
        112,
        torch.tensor(112.0),
        geometry.output_size(224, 7, 2, 3),
    ],
    "convolution.q2": [
        73_856,
        float(geometry.conv_parameters(64, 128, 3)),
        sum(p.numel() for p in torch.nn.Conv2d(64, 128, 3).parameters()),
    ],
}
# each with words from the hint that it must get
WRONG = {
    "convolution.q1": [
        (111, "the first window counts too"),
        (110, "at both ends"),
        (112.5, "take the floor"),
        (5, "5 is not it"),
    ],
    "convolution.q2": [
        (73_728, "the biases are missing"),
        (1_280, "reads all 64 maps"),
    ],
}
