"""The blocks of residual networks, and what goes round them.

K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image
recognition", arXiv:1512.03385 (2015), CVPR 2016: section 3.3, Figure 5.  Every
convolution is followed by batch norm, whose shift is its bias.  The
pre-activation block is Figure 1b of the same authors' "Identity mappings in
deep residual networks", arXiv:1603.05027 (2016).
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

OPTIONS = ("A", "B", "C", "none")


class EverySecond(nn.Module):
    """Option A's shortcut: every second pixel, new channels full of zeros."""

    def __init__(self, extra_channels: int, stride: int) -> None:
        super().__init__()
        self.extra_channels, self.stride = extra_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.extra_channels))


def shortcut(
    in_channels: int, out_channels: int, stride: int, option: str
) -> nn.Module | None:
    """What goes round a block: x itself, as long as its shape is right.

    Where it is not, option A pads and option B projects; option C projects
    everywhere; "none" leaves the shortcut out: a plain network.
    """
    if option == "none":
        return None
    fits = stride == 1 and in_channels == out_channels
    if option == "C" or (option == "B" and not fits):
        return nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
            nn.BatchNorm2d(out_channels),
        )
    if fits:
        return nn.Identity()
    return EverySecond(out_channels - in_channels, stride)


class BasicBlock(nn.Module):
    """Two convolutions of 3 by 3 and the shortcut (Figure 5, left)."""

    expansion = 1

    def __init__(
        self, in_channels: int, width: int, stride: int, option: str
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(
            in_channels, width, 3, stride, padding=1, bias=False
        )
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = shortcut(in_channels, width, stride, option)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return F.relu(y)


class Bottleneck(nn.Module):
    """Narrow, look, widen again (Figure 5, right).

    The paper strides in the first layer and so drops three pixels of four
    unseen; *late* strides in the second one, as most code does since ("v1.5").
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        option: str,
        late: bool = False,
    ) -> None:
        super().__init__()
        wide = self.expansion * width
        first, second = (1, stride) if late else (stride, 1)
        self.conv1 = nn.Conv2d(in_channels, width, 1, first, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, second, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, wide, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(wide)
        self.shortcut = shortcut(in_channels, wide, stride, option)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return F.relu(y)


class PreActivationBlock(nn.Module):
    """Norm and ReLU stand before each convolution: nothing after the sum.

    So the sum of one block reaches the next as it is, and x reaches the end.
    """

    expansion = 1

    def __init__(
        self, in_channels: int, width: int, stride: int, option: str
    ) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(
            in_channels, width, 3, stride, padding=1, bias=False
        )
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = shortcut(in_channels, width, stride, option)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        y = self.conv2(F.relu(self.norm2(y)))
        return y if self.shortcut is None else y + self.shortcut(x)


def stage(
    block: Callable, in_channels: int, width: int, count: int, stride: int
) -> nn.Sequential:
    """Blocks of one width; the first strides and widens."""
    first = block(in_channels, width, stride)
    out_channels = first.expansion * width
    others = [block(out_channels, width, 1) for _ in range(count - 1)]
    return nn.Sequential(first, *others)
