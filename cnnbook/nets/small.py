"""Small siblings: each architecture at the size of a handwritten digit.

They read 32 by 32 pixels, as `training.prepare` makes them, tell ten classes
apart and train within a minute on one CPU.  What makes each network what it is
stays; its widths, its first window and its dense layers shrink.  All start
from He's weights: N(0, 0.01²) suits layers with thousands of inputs, and a
small network would take long to wake from it.
"""

from torch import Tensor, nn

from cnnbook.nets.alexnet import AlexNet
from cnnbook.nets.cifar_resnet import CifarResNet, cifar_resnet
from cnnbook.nets.common import LocalNorm, check_images, he
from cnnbook.nets.inception import Auxiliary, Conv, Inception
from cnnbook.nets.nin import NiN
from cnnbook.nets.vgg import VGG
from cnnbook.nets.zfnet import ZFNet


class SmallAlexNet(AlexNet):
    """AlexNet's forward: two towers, local norms, overlapping poolings."""

    sides = (27, 34)

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        nn.Module.__init__(self)
        self.conv1 = nn.Conv2d(in_channels, 12, 5)  # (N, 12, 28, 28)
        self.norm1 = LocalNorm(groups=2)
        self.pool1 = nn.MaxPool2d(3, stride=2)  # (N, 12, 13, 13)
        self.conv2 = nn.Conv2d(12, 32, 5, padding=2, groups=2)
        self.norm2 = LocalNorm(groups=2)
        self.pool2 = nn.MaxPool2d(3, stride=2)  # (N, 32, 6, 6)
        self.conv3 = nn.Conv2d(32, 48, 3, padding=1)
        self.conv4 = nn.Conv2d(48, 48, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(48, 32, 3, padding=1, groups=2)
        self.pool5 = nn.MaxPool2d(3, stride=2)  # (N, 32, 2, 2)
        self.fc6 = nn.Linear(32 * 2 * 2, 256)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(256, 256)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(256, num_classes)
        he(self)


class SmallZFNet(ZFNet):
    """ZFNet's forward: one tower, a small first window, rounding up."""

    sides = (28, 35)

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        nn.Module.__init__(self)
        self.conv1 = nn.Conv2d(in_channels, 12, 3, padding=1)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)  # (N, 12, 16, 16)
        self.norm1 = LocalNorm()
        self.conv2 = nn.Conv2d(12, 32, 5, padding=2)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)  # (N, 32, 8, 8)
        self.norm2 = LocalNorm()
        self.conv3 = nn.Conv2d(32, 48, 3, padding=1)
        self.conv4 = nn.Conv2d(48, 48, 3, padding=1)
        self.conv5 = nn.Conv2d(48, 32, 3, padding=1)
        self.pool5 = nn.MaxPool2d(3, stride=2)  # (N, 32, 3, 3)
        self.fc6 = nn.Linear(32 * 3 * 3, 256)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(256, 256)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(256, num_classes)
        he(self)


class SmallGoogLeNet(nn.Module):
    """A stem, three Inception modules and, if asked for, one second head."""

    sides = (8, None)

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        auxiliary: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels, self.auxiliary = in_channels, auxiliary
        self.conv1 = Conv(in_channels, 16, 5, padding=2)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = Conv(16, 16, 1)
        self.conv3 = Conv(16, 32, 3, padding=1)
        self.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Inception(32, (16, 16, 24, 4, 8, 16))
        self.inception4b = Inception(64, (24, 16, 32, 4, 12, 12))
        self.pool4 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception5a = Inception(80, (32, 24, 48, 8, 24, 24))
        self.drop = nn.Dropout(0.4)
        self.fc = nn.Linear(128, num_classes)
        if auxiliary:
            pool = nn.AdaptiveAvgPool2d(4)
            self.auxiliary4a = Auxiliary(64, num_classes, Conv, pool)
        he(self)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits; while training with a second head, its logits as well."""
        check_images(x, self.in_channels, *self.sides)
        heads = self.auxiliary and self.training
        x = self.pool1(self.conv1(x))  # (N, 16, 16, 16)
        x = self.pool3(self.conv3(self.conv2(x)))  # (N, 32, 8, 8)
        x = self.inception4a(x)  # (N, 64, 8, 8)
        first = self.auxiliary4a(x) if heads else None
        x = self.inception4b(x)  # (N, 80, 8, 8)
        x = self.pool4(x)  # (N, 80, 4, 4)
        x = self.inception5a(x)  # (N, 128, 4, 4)
        x = self.drop(x.mean(dim=(2, 3)))  # (N, 128)
        x = self.fc(x)  # (N, 10)
        return (x, first) if heads else x


def small_alexnet(num_classes: int = 10, in_channels: int = 1) -> SmallAlexNet:
    """AlexNet for digits."""
    return SmallAlexNet(num_classes, in_channels)


def small_zfnet(num_classes: int = 10, in_channels: int = 1) -> SmallZFNet:
    """ZFNet for digits."""
    return SmallZFNet(num_classes, in_channels)


def small_vgg(num_classes: int = 10, in_channels: int = 1) -> VGG:
    """VGG for digits: the same notation, three blocks."""
    column = "16,16  32,32  64,64"
    net = VGG(column, num_classes, in_channels, hidden=256, side=32)
    he(net)
    return net


def small_nin(num_classes: int = 10, in_channels: int = 1) -> NiN:
    """Network in Network for digits: no dense layer.

    Few maps bear little dropout: a half of theirs would slow learning down.
    """
    table = (
        (5, 2, 2, (24, 24, 24)),
        (5, 1, 2, (48, 48, 48)),
        (3, 1, 1, (48, 48, None)),
    )
    return NiN(table, num_classes, in_channels, smallest=7, dropout=0.2)


def small_googlenet(
    auxiliary: bool = False, num_classes: int = 10, in_channels: int = 1
) -> SmallGoogLeNet:
    """GoogLeNet for digits, with or without a second head."""
    return SmallGoogLeNet(num_classes, in_channels, auxiliary)


def small_resnet(num_classes: int = 10, in_channels: int = 1) -> CifarResNet:
    """ResNet for digits: the smallest of those for CIFAR."""
    return cifar_resnet(8, num_classes=num_classes, in_channels=in_channels)
