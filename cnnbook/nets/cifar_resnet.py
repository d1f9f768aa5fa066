"""Residual and plain networks for the 32 by 32 pixels of CIFAR-10.

K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image
recognition", arXiv:1512.03385 (2015), CVPR 2016: section 4.2.  A net of depth
6n + 2 has three stages of n blocks, with 16, 32 and 64 maps.
"""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.nets.common import check_images, choose, he
from cnnbook.nets.residual import (
    OPTIONS,
    BasicBlock,
    PreActivationBlock,
    stage,
)


class CifarResNet(nn.Module):
    """Section 4.2: one convolution, three stages, the mean of each map.

    *width* is the number of maps in the first stage; the paper's is 16.
    """

    def __init__(
        self,
        depth: int = 20,
        num_classes: int = 10,
        in_channels: int = 3,
        option: str = "A",
        preactivation: bool = False,
        width: int = 16,
    ) -> None:
        super().__init__()
        count = (depth - 2) // 6
        block = PreActivationBlock if preactivation else BasicBlock
        block = partial(block, option=option)
        self.preactivation = preactivation
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.stage1 = stage(block, width, width, count, stride=1)
        self.stage2 = stage(block, width, 2 * width, count, stride=2)
        self.stage3 = stage(block, 2 * width, 4 * width, count, stride=2)
        # after conv1, or, with pre-activation, after the last sum
        self.norm = nn.BatchNorm2d(4 * width if preactivation else width)
        self.fc = nn.Linear(4 * width, num_classes)
        he(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 32, 32)
        check_images(x, self.conv1.in_channels)
        x = self.conv1(x)  # (N, 16, 32, 32)
        if not self.preactivation:
            x = F.relu(self.norm(x))  # (N, 16, 32, 32)
        x = self.stage1(x)  # (N, 16, 32, 32)
        x = self.stage2(x)  # (N, 32, 16, 16)
        x = self.stage3(x)  # (N, 64, 8, 8)
        if self.preactivation:
            x = F.relu(self.norm(x))  # (N, 64, 8, 8)
        x = x.mean(dim=(2, 3))  # (N, 64)
        return self.fc(x)  # (N, 10)


def cifar_resnet(
    depth: int = 20,
    variant: str = "2015",
    shortcut: str = "A",
    num_classes: int = 10,
    in_channels: int = 3,
) -> CifarResNet:
    """A CIFAR ResNet of depth 6n + 2, such as 20, 56 or 110.

    Variant "2015" or "pre-activation"; shortcuts "A", "B", "C" or "none".
    """
    if not isinstance(depth, int) or depth < 8 or depth % 6 != 2:
        raise ValueError(
            f"A CIFAR ResNet has 6n + 2 layers, not {depth!r}; try 20, 32, "
            "44, 56 or 110."
        )
    choose("CIFAR ResNet variant", variant, ("2015", "pre-activation"))
    choose("shortcut", shortcut, OPTIONS)
    preactivation = variant == "pre-activation"
    return CifarResNet(
        depth, num_classes, in_channels, shortcut, preactivation
    )


def plain(
    depth: int = 20, num_classes: int = 10, in_channels: int = 3
) -> CifarResNet:
    """The same layers without shortcuts, of depth 6n + 2."""
    return cifar_resnet(depth, "2015", "none", num_classes, in_channels)
