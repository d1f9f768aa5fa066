"""Residual networks for ImageNet, and the plain ones to compare with.

K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image
recognition", arXiv:1512.03385 (2015), CVPR 2016: section 3, Table 1.
"""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.nets.common import check_images, choose, he
from cnnbook.nets.residual import OPTIONS, BasicBlock, Bottleneck, stage

# Table 1: the kind of block and how many of them stand in each stage.
TABLE = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}


class ResNet(nn.Module):
    """Table 1: a stem, four stages of blocks, the mean of each map."""

    def __init__(
        self,
        depth: int = 50,
        num_classes: int = 1000,
        in_channels: int = 3,
        option: str = "B",
        late: bool = False,
    ) -> None:
        super().__init__()
        kind, counts = TABLE[depth]
        block = partial(BasicBlock, option=option)
        if kind == "bottleneck":
            block = partial(Bottleneck, option=option, late=late)
        wide = block.func.expansion
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, padding=3, bias=False)
        self.norm1 = nn.BatchNorm2d(64)
        self.pool1 = nn.MaxPool2d(3, stride=2, padding=1)
        self.stage2 = stage(block, 64, 64, counts[0], stride=1)
        self.stage3 = stage(block, wide * 64, 128, counts[1], stride=2)
        self.stage4 = stage(block, wide * 128, 256, counts[2], stride=2)
        self.stage5 = stage(block, wide * 256, 512, counts[3], stride=2)
        self.fc = nn.Linear(wide * 512, num_classes)
        he(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        check_images(x, self.conv1.in_channels)
        x = F.relu(self.norm1(self.conv1(x)))  # (N, 64, 112, 112)
        x = self.pool1(x)  # (N, 64, 56, 56)
        x = self.stage2(x)  # (N, 256, 56, 56) or (N, 64, 56, 56)
        x = self.stage3(x)  # (N, 512, 28, 28) or (N, 128, 28, 28)
        x = self.stage4(x)  # (N, 1024, 14, 14) or (N, 256, 14, 14)
        x = self.stage5(x)  # (N, 2048, 7, 7) or (N, 512, 7, 7)
        x = x.mean(dim=(2, 3))  # (N, 2048) or (N, 512)
        return self.fc(x)  # (N, 1000)


def resnet(
    depth: int = 50,
    variant: str = "2015",
    shortcut: str = "B",
    num_classes: int = 1000,
    in_channels: int = 3,
) -> ResNet:
    """A ResNet of Table 1: 18, 34, 50, 101 or 152 layers deep.

    Variant "2015" strides in the first layer of a bottleneck, "v1.5" in the
    second; shortcuts are the paper's options "A", "B" (or "projection") and
    "C", or "none" for the plain network.
    """
    choose("ResNet of depth", depth, TABLE)
    choose("ResNet variant", variant, ("2015", "v1.5"))
    choose("shortcut", shortcut, (*OPTIONS, "projection"))
    option = "B" if shortcut == "projection" else shortcut
    return ResNet(depth, num_classes, in_channels, option, variant == "v1.5")
