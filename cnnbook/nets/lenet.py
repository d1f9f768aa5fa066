"""LeNet-5, as published in 1998 and as it is written today.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
document recognition", Proceedings of the IEEE 86(11), 1998: the network is
section II.B, the training criterion section II.C.  Both twins read 32 by 32
pixels.  The paper's output is ten distances: the smallest wins.  The modern
output is ten logits: the largest wins.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.nets.common import check_images, choose, stored
from cnnbook.nets.lenet_output import RBF, bitmaps, map_loss, mse_loss
from cnnbook.nets.lenet_parts import (
    C3_TABLE,
    SparseConv2d,
    Subsampling,
    connections,
    squash,
    uniform,
)

__all__ = [
    "C3_TABLE",
    "RBF",
    "LeNet5",
    "LeNet5_1998",
    "SparseConv2d",
    "Subsampling",
    "bitmaps",
    "connections",
    "lenet5",
    "load_trained",
    "map_loss",
    "mse_loss",
    "squash",
]

# A modern twin trained on the digits: seed 0 of results/lenet-digits.json.
TRAINED_FILE = Path(__file__).parent / "weights" / "lenet5-digits.npz"
TRAINED_SHA256 = (
    "a779635ffb68c05a12c76bf40014cfc7c7698b553ab41e866c84e6b2ebb8f3dd"
)


class LeNet5_1998(nn.Module):
    """The paper's network: 60,000 trainable parameters, ten distances."""

    sides = (32, 35)  # what leaves maps of 1 by 1 for f6

    def __init__(self, in_channels: int = 1) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(in_channels, 6, 5)
        self.s2 = Subsampling(6)
        self.c3 = SparseConv2d(C3_TABLE, 5)
        self.s4 = Subsampling(16)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = RBF()
        for layer in (self.c1, self.c5, self.f6):
            inputs = layer.weight[0].numel()
            layer.weight = uniform(layer.weight.shape, inputs)
            layer.bias = uniform(layer.bias.shape, inputs)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 32, 32)
        check_images(x, self.c1.in_channels, *self.sides)
        x = squash(self.c1(x))  # (N, 6, 28, 28)
        x = squash(self.s2(x))  # (N, 6, 14, 14)
        x = squash(self.c3(x))  # (N, 16, 10, 10)
        x = squash(self.s4(x))  # (N, 16, 5, 5)
        x = squash(self.c5(x))  # (N, 120, 1, 1)
        x = squash(self.f6(x.flatten(1)))  # (N, 84)
        return self.output(x)  # (N, 10)


class LeNet5(nn.Module):
    """The modern twin: ReLU, max pooling, every map of C3 sees all six."""

    sides = (32, 35)

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(in_channels, 6, 5)
        self.s2 = nn.MaxPool2d(2)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.s4 = nn.MaxPool2d(2)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 32, 32)
        check_images(x, self.c1.in_channels, *self.sides)
        x = F.relu(self.c1(x))  # (N, 6, 28, 28)
        x = self.s2(x)  # (N, 6, 14, 14)
        x = F.relu(self.c3(x))  # (N, 16, 10, 10)
        x = self.s4(x)  # (N, 16, 5, 5)
        x = F.relu(self.c5(x))  # (N, 120, 1, 1)
        x = F.relu(self.f6(x.flatten(1)))  # (N, 84)
        return self.output(x)  # (N, 10)


def lenet5(
    variant: str = "1998", num_classes: int = 10, in_channels: int = 1
) -> LeNet5_1998 | LeNet5:
    """LeNet-5 as the paper built it ("1998") or as written today ("modern").

    The paper's net tells ten classes apart: its targets are drawn digits.
    """
    choose("LeNet-5 variant", variant, ("1998", "modern"))
    if variant == "modern":
        return LeNet5(num_classes, in_channels)
    if num_classes != 10:
        raise ValueError(
            "The 1998 LeNet-5 has ten classes, one drawn bitmap each, not "
            f"{num_classes!r}; try variant='modern'."
        )
    return LeNet5_1998(in_channels)


def load_trained(path: str | Path = TRAINED_FILE) -> LeNet5:
    """The modern twin that the book trained on the digits, ready to read.

    It is the run of seed 0 in ``results/lenet-digits.json``.
    """
    weights = stored(path, TRAINED_SHA256)
    state = {name: torch.from_numpy(w) for name, w in weights.items()}
    net = LeNet5()
    net.load_state_dict(state)
    return net.eval()
