"""Small networks that tests trace and draw."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def unit(channels: int, width: int, size: int, stride: int = 1) -> list:
    """A convolution without bias and its batch norm."""
    pad = size // 2
    return [
        nn.Conv2d(channels, width, size, stride, pad, bias=False),
        nn.BatchNorm2d(width),
    ]


class Residual(nn.Module):
    """A block of two convolutions, with a projection where needed."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *(*unit(channels, width, 3, stride), nn.ReLU()),
            *unit(width, width, 3),
        )
        self.shortcut = nn.Sequential()
        if stride > 1 or channels != width:
            self.shortcut = nn.Sequential(*unit(channels, width, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.branch(x) + self.shortcut(x))


class TinyResidual(nn.Module):
    """One block of each kind, small enough to read."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.plain = Residual(8, 8, 1)
        self.down = Residual(8, 16, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(self.plain(F.relu(self.stem(x))))
        return self.head(self.pool(x).flatten(1))


class Inception(nn.Module):
    """Four branches that see 1, 3, 5 and 3 pixels, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.one = nn.Conv2d(16, 8, 1)
        self.three = nn.Sequential(
            nn.Conv2d(16, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, padding=1)
        )
        self.five = nn.Sequential(
            nn.Conv2d(16, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 5, padding=2)
        )
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(16, 8, 1))
        self.after = nn.Conv2d(32, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        branches = (self.one, self.three, self.five, self.pool)
        return self.after(torch.cat([part(x) for part in branches], dim=1))


class Tied(nn.Module):
    """One layer that runs twice, and two layers that share a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.again = nn.Conv2d(4, 4, 3, padding=1)
        self.first = nn.Linear(64, 64, bias=False)
        self.second = nn.Linear(64, 64)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(self.again(self.stem(x)))
        x = x.mean(dim=1).flatten(1)
        return self.second(F.relu(self.first(x)))


class Tangled(nn.Module):
    """Each layer reads all that was made before it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.convs = nn.ModuleList(
            nn.Conv2d(16 + 8 * i, 8, 3, padding=1) for i in range(5)
        )
        self.head = nn.Linear(56, 10)

    def forward(self, x: Tensor) -> Tensor:
        made = [self.stem(x)]
        for conv in self.convs:
            made.append(conv(torch.cat(made, dim=1)))
        return self.head(torch.cat(made, dim=1).mean(dim=(2, 3)))


class ManyEnds(nn.Module):
    """Three outputs; two come from a branch that parts and meets."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.main = nn.Conv2d(8, 8, 3, padding=1)
        self.low = nn.Conv2d(8, 4, 1)
        self.lower = nn.Conv2d(4, 4, 1)
        self.high = nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.stem(x)
        y = self.main(x)
        low = self.low(x)
        both = self.lower(low) + self.high(y)
        return y.mean(dim=(2, 3)), low, both


class WideFan(nn.Module):
    """More branches than fit side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.fan = nn.ModuleList(nn.Conv2d(3, 8, i) for i in [1] * 9)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([conv(x) for conv in self.fan], dim=1)
