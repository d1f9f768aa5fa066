"""The parts of GoogLeNet: its convolutions, its module, its second heads.

C. Szegedy and others, "Going deeper with convolutions", arXiv:1409.4842
(2014), CVPR 2015: section 4, Figure 2b; section 5 for the heads.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Conv(nn.Sequential):
    """A convolution and its ReLU."""

    def __init__(self, *args: int, **kwargs: int) -> None:
        super().__init__(nn.Conv2d(*args, **kwargs), nn.ReLU(inplace=True))


class NormedConv(nn.Sequential):
    """A convolution, batch norm (whose shift is the bias) and the ReLU."""

    def __init__(self, *args: int, **kwargs: int) -> None:
        conv = nn.Conv2d(*args, **kwargs, bias=False)
        norm = nn.BatchNorm2d(conv.out_channels, eps=0.001)
        super().__init__(conv, norm, nn.ReLU(inplace=True))


class Inception(nn.Module):
    """Four branches over the same maps, side by side in the output."""

    def __init__(
        self,
        in_channels: int,
        widths: tuple[int, ...],
        conv: type[nn.Module] = Conv,
        large: int = 5,
    ) -> None:
        super().__init__()
        n1, r3, n3, r5, n5, p = widths
        self.b1 = conv(in_channels, n1, 1)
        self.b3 = nn.Sequential(
            conv(in_channels, r3, 1), conv(r3, n3, 3, padding=1)
        )
        self.b5 = nn.Sequential(
            conv(in_channels, r5, 1),
            conv(r5, n5, large, padding=large // 2),
        )
        self.pool = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), conv(in_channels, p, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.b1(x), self.b3(x), self.b5(x), self.pool(x)]
        return torch.cat(branches, dim=1)


class Auxiliary(nn.Module):
    """A second classifier on the way, which only training listens to."""

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        conv: type[nn.Module],
        pool: nn.Module,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.conv = conv(in_channels, 128, 1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.drop = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.pool(x))  # (N, 128, 4, 4)
        x = F.relu(self.fc1(x.flatten(1)))  # (N, 1024)
        return self.fc2(self.drop(x))  # (N, 1000)
