"""The layers that LeNet-5 had in 1998, and the connections that they make.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
document recognition", Proceedings of the IEEE 86(11), 1998: section II.B,
Table I.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.nets.lenet_output import RBF

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
