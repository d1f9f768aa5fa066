"""LeNet-5, as published in 1998 and as it is written today.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
document recognition", Proceedings of the IEEE 86(11), 1998: the network is
section II.B, the training criterion section II.C.  Both twins read 32 by 32
pixels.  The paper's output is ten distances: the smallest wins.  The modern
output is ten logits: the largest wins.
"""

import hashlib
import io
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

# A modern twin trained on the digits: seed 0 of results/lenet-digits.json.
TRAINED_FILE = Path(__file__).parent / "weights" / "lenet5-digits.npz"
TRAINED_SHA256 = (
    "a779635ffb68c05a12c76bf40014cfc7c7698b553ab41e866c84e6b2ebb8f3dd"
)

# The paper's Table I: which maps of S2 each of the 16 maps of C3 looks at.
C3_TABLE = (
    (0, 1, 2),
    (1, 2, 3),
    (2, 3, 4),
    (3, 4, 5),
    (0, 4, 5),
    (0, 1, 5),
    (0, 1, 2, 3),
    (1, 2, 3, 4),
    (2, 3, 4, 5),
    (0, 3, 4, 5),
    (0, 1, 4, 5),
    (0, 1, 2, 5),
    (0, 1, 3, 4),
    (1, 2, 4, 5),
    (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)

# Ten pictures of 7 by 12, one a digit, after the idea of the paper's Figure 3;
# the shapes are drawn anew for this book.
BITMAPS = """
.#####. ...#... .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
##...## ..##... ##...## ##...## ...###. ##..... .##..## ##...## ##...## ##...##
##...## .###... .....## .....## ..####. ##..... ##..... .....## ##...## ##...##
##..### #.##... .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
##.#### ..##... ....##. .....## ##..##. ######. ##..... ....##. .##.##. ##...##
##.#.## ..##... ....##. ..####. ##..##. ##...## ######. ...##.. ..###.. .######
##.#.## ..##... ...##.. .....## ####### .....## ##...## ...##.. .##.##. .....##
####.## ..##... ..##... .....## ....##. .....## ##...## ..##... ##...## .....##
###..## ..##... .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
##...## ..##... ##..... .....## ....##. .....## ##...## .##.... ##...## .....##
##...## ..##... ##...## ##...## ....##. ##...## ##...## .##.... ##...## ##..##.
.#####. ####### ####### .#####. ....##. .#####. .#####. .##.... .#####. .####..
"""


def bitmaps() -> Tensor:
    """What F6 should show for each digit: (10, 84), ink +1, paper -1."""
    lines = [line.split() for line in BITMAPS.split("\n") if line]
    pictures = ["".join(rows) for rows in zip(*lines, strict=True)]
    ink = [[pixel == "#" for pixel in picture] for picture in pictures]
    return torch.tensor(ink).float() * 2 - 1


def squash(x: Tensor) -> Tensor:
    """The paper's nonlinearity: a tanh scaled so that f(1) = 1, f(-1) = -1."""
    return 1.7159 * torch.tanh(2 * x / 3)


def uniform(shape: tuple[int, ...], inputs: int | Tensor) -> nn.Parameter:
    """The paper's first weights: uniform in ±2.4 / inputs of the unit."""
    return nn.Parameter((2 * torch.rand(shape) - 1) * 2.4 / inputs)


class Subsampling(nn.Module):
    """Sum of 2 by 2 pixels, times one coefficient, plus one bias, per map."""

    kernel_size, stride, padding, dilation = (2, 2), (2, 2), (0, 0), (1, 1)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coefficient = uniform((channels, 1, 1), inputs=4)
        self.bias = uniform((channels, 1, 1), inputs=4)

    def forward(self, x: Tensor) -> Tensor:
        total = F.avg_pool2d(x, 2, divisor_override=1)
        return self.coefficient * total + self.bias

    def extra_repr(self) -> str:
        return f"{len(self.bias)}, kernel_size=(2, 2), stride=(2, 2)"


class SparseConv2d(nn.Module):
    """A convolution whose output map m sees the input maps in table[m] only.

    It has one kernel for each pair of connected maps, one bias for each output
    map.  It computes with zeros for the pairs that do not meet: that is a
    waste of multiplications, and ten times faster than leaving them out.
    """

    stride, padding, dilation = (1, 1), (0, 0), (1, 1)

    def __init__(self, table: tuple[tuple[int, ...], ...], size: int) -> None:
        super().__init__()
        self.table, self.kernel_size = table, (size, size)
        pairs = [(m, i) for m, row in enumerate(table) for i in row]
        self.outputs = [m for m, _ in pairs]
        self.inputs = [i for _, i in pairs]
        seen = torch.tensor([size * size * len(row) for row in table])
        seen_by_pair = seen[self.outputs][:, None, None]
        self.weight = uniform((len(pairs), size, size), seen_by_pair)
        self.bias = uniform((len(table),), seen)

    def forward(self, x: Tensor) -> Tensor:
        shape = (len(self.table), x.shape[1], *self.kernel_size)
        kernels = self.weight.new_zeros(shape)
        kernels[self.outputs, self.inputs] = self.weight
        return F.conv2d(x, kernels, self.bias)

    def extra_repr(self) -> str:
        return (
            f"{len(set(self.inputs))}, {len(self.table)}, "
            f"kernel_size={self.kernel_size}, kernels={len(self.inputs)}"
        )


class RBF(nn.Module):
    """The squared distance of x to each of the fixed bitmaps."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bitmaps", bitmaps())

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, None, :] - self.bitmaps).square().sum(dim=2)

    def extra_repr(self) -> str:
        return f"{self.bitmaps.shape[1]}, {self.bitmaps.shape[0]}"


class LeNet5_1998(nn.Module):
    """The paper's network: 60,000 trainable parameters, ten distances."""

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
        x = squash(self.c1(x))  # (N, 6, 28, 28)
        x = squash(self.s2(x))  # (N, 6, 14, 14)
        x = squash(self.c3(x))  # (N, 16, 10, 10)
        x = squash(self.s4(x))  # (N, 16, 5, 5)
        x = squash(self.c5(x))  # (N, 120, 1, 1)
        x = squash(self.f6(x.flatten(1)))  # (N, 84)
        return self.output(x)  # (N, 10)


class LeNet5(nn.Module):
    """The modern twin: ReLU, max pooling, every map of C3 sees all six."""

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
    if variant not in ("1998", "modern"):
        raise ValueError(
            f"There is no LeNet-5 variant {variant!r}; try '1998' or 'modern'."
        )
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
    again = "install cnnbook again, or train one as the chapter does"
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise FileNotFoundError(
            f"The trained weights cannot be read from {path} "
            f"({error.strerror}); {again}."
        ) from None
    if hashlib.sha256(content).hexdigest() != TRAINED_SHA256:
        raise ValueError(
            f"The trained weights in {path} are damaged or of another "
            f"version ({len(content):,} bytes); {again}."
        )
    with np.load(io.BytesIO(content)) as weights:
        state = {name: torch.from_numpy(weights[name]) for name in weights}
    net = LeNet5()
    net.load_state_dict(state)
    return net.eval()


def mse_loss(distances: Tensor, labels: Tensor) -> Tensor:
    """Equation 8 of the paper: the mean distance to the right bitmap."""
    return distances.gather(1, labels[:, None]).mean()


def map_loss(distances: Tensor, labels: Tensor, j: float = 1.0) -> Tensor:
    """Equation 9: equation 8, and the wrong bitmaps are pushed away.

    *j* is the distance of an eleventh class, "none of these": a bitmap that
    is much further away than that is not pushed any more.
    """
    none_of_these = torch.full_like(distances[:, :1], j)
    everything = torch.cat([distances, none_of_these], dim=1)
    return mse_loss(distances, labels) + (-everything).logsumexp(1).mean()


def connections(
    net: nn.Module, input_size: tuple[int, int, int] = (1, 32, 32)
) -> dict[str, int]:
    """The connections into each layer, counted in the live module.

    A connection joins a unit to one input or to its bias.  The fixed weights
    of the RBF output count as well: 340,908 with those 840, 340,068 without.
    """
    counts = {}
    hooks = [
        layer.register_forward_hook(
            lambda layer, _, output, name=name: counts.update(
                {name: _connections(layer, output)}
            )
        )
        for name, layer in net.named_children()
    ]
    with torch.no_grad():
        net(torch.zeros(1, *input_size))
    for hook in hooks:
        hook.remove()
    return counts


def _connections(layer: nn.Module, output: Tensor) -> int:
    if isinstance(layer, Subsampling):
        return output.numel() * (2 * 2 + 1)
    if isinstance(layer, nn.MaxPool2d):
        return output.numel() * layer.kernel_size**2
    if isinstance(layer, RBF):
        return layer.bitmaps.numel()
    places = output[0, 0].numel()  # each parameter is used at each place
    return places * sum(p.numel() for p in layer.parameters())
