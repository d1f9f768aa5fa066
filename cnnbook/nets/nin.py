"""Network in Network: dense networks that walk over the image.

M. Lin, Q. Chen, S. Yan, "Network in network", arXiv:1312.4400 (2013), ICLR
2014: section 3, Figure 2.  An mlpconv is a convolution and two layers of 1 by
1, a small dense network at every pixel.  The last one ends in one map a
class, and the mean of the map is the class's score: no dense layer at all.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.nets.common import check_images, choose, he

# For each mlpconv: the window, its stride and padding, the three widths.  The
# paper prints no widths: these are those of the models published with it.
TABLE = {
    "imagenet": (
        (11, 4, 0, (96, 96, 96)),
        (5, 1, 2, (256, 256, 256)),
        (3, 1, 1, (384, 384, 384)),
        (3, 1, 1, (1024, 1024, None)),
    ),
    "cifar": (
        (5, 1, 2, (192, 160, 96)),
        (5, 1, 2, (192, 192, 192)),
        (3, 1, 1, (192, 192, None)),
    ),
}


class MLPConv(nn.Module):
    """A convolution and, at every pixel, two dense layers."""

    def __init__(
        self,
        in_channels: int,
        widths: tuple[int, int, int],
        kernel: int,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        w1, w2, w3 = widths
        self.conv = nn.Conv2d(in_channels, w1, kernel, stride, padding)
        self.mlp1 = nn.Conv2d(w1, w2, 1)
        self.mlp2 = nn.Conv2d(w2, w3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x))
        x = F.relu(self.mlp1(x))
        return F.relu(self.mlp2(x))


class NiN(nn.Module):
    """A stack of mlpconvs with poolings between; *table* holds its widths."""

    def __init__(
        self,
        table: tuple = TABLE["imagenet"],
        num_classes: int = 1000,
        in_channels: int = 3,
        smallest: int = 39,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.in_channels, self.sides = in_channels, (smallest, None)
        layers, channels = [], in_channels
        for kernel, stride, padding, widths in table:
            if layers:  # section 4: dropout after all mlpconvs but the last
                pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
                layers += [pool, nn.Dropout(dropout)]
            widths = tuple(width or num_classes for width in widths)
            layers.append(MLPConv(channels, widths, kernel, stride, padding))
            channels = widths[-1]
        self.layers = nn.Sequential(*layers)
        # the paper names no first weights; these were made for ReLU
        he(self)

    def forward(
        self, x: Tensor
    ) -> Tensor:  # (N, 3, 224, 224) or (N, 3, 32, 32)
        check_images(x, self.in_channels, *self.sides)
        x = self.layers(x)  # (N, 1000, 6, 6) or (N, 10, 8, 8)
        return x.mean(dim=(2, 3))  # (N, 1000) or (N, 10)


def nin(
    variant: str = "imagenet",
    num_classes: int | None = None,
    in_channels: int = 3,
) -> NiN:
    """Network in Network for ImageNet or for CIFAR-10."""
    choose("NiN variant", variant, TABLE)
    if variant == "imagenet":
        return NiN(TABLE[variant], num_classes or 1000, in_channels)
    return NiN(TABLE[variant], num_classes or 10, in_channels, smallest=4)
