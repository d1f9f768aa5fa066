"""AlexNet, as published in 2012, and three networks that carry its name.

A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet classification with deep
convolutional neural networks", NIPS 2012: section 3 and Figure 2.  The paper
says that its images have 224 pixels a side; without padding, only 227 give
the 55 by 55 maps of the first layer.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.nets.common import LocalNorm, check_images, choose, gaussian


class AlexNet(nn.Module):
    """The paper's network; with groups=2, its two towers.

    A layer with two groups is two half layers side by side, one on each of
    the two GPUs of 2012.  They meet in conv3 and in the dense layers.
    """

    sides = (227, 258)  # what leaves maps of 6 by 6 for fc6

    def __init__(
        self, num_classes: int = 1000, in_channels: int = 3, groups: int = 2
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 96, 11, stride=4)
        self.norm1 = LocalNorm(groups)
        self.pool1 = nn.MaxPool2d(3, stride=2)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=groups)
        self.norm2 = LocalNorm(groups)
        self.pool2 = nn.MaxPool2d(3, stride=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=groups)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=groups)
        self.pool5 = nn.MaxPool2d(3, stride=2)
        self.fc6 = nn.Linear(256 * 6 * 6, 4096)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(4096, 4096)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(4096, num_classes)
        first_weights(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 227, 227)
        check_images(x, self.conv1.in_channels, *self.sides)
        x = F.relu(self.conv1(x))  # (N, 96, 55, 55)
        x = self.pool1(self.norm1(x))  # (N, 96, 27, 27)
        x = F.relu(self.conv2(x))  # (N, 256, 27, 27)
        x = self.pool2(self.norm2(x))  # (N, 256, 13, 13)
        x = F.relu(self.conv3(x))  # (N, 384, 13, 13)
        x = F.relu(self.conv4(x))  # (N, 384, 13, 13)
        x = F.relu(self.conv5(x))  # (N, 256, 13, 13)
        x = self.pool5(x).flatten(1)  # (N, 9216)
        x = self.drop6(F.relu(self.fc6(x)))  # (N, 4096)
        x = self.drop7(F.relu(self.fc7(x)))  # (N, 4096)
        return self.fc8(x)  # (N, 1000)


class UnpaddedAlexNet(nn.Module):
    """The teaching variant of the lecture notes: no padding, no towers."""

    sides = (227, 258)

    def __init__(self, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 96, 11, stride=4)
        self.pool1 = nn.MaxPool2d(3, stride=2)
        self.conv2 = nn.Conv2d(96, 256, 5)
        self.pool2 = nn.MaxPool2d(3, stride=2)
        self.conv3 = nn.Conv2d(256, 384, 3)
        self.conv4 = nn.Conv2d(384, 384, 3)
        self.conv5 = nn.Conv2d(384, 256, 3)
        self.pool5 = nn.MaxPool2d(3, stride=2)
        self.fc6 = nn.Linear(256 * 2 * 2, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, num_classes)
        first_weights(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 227, 227)
        check_images(x, self.conv1.in_channels, *self.sides)
        x = F.relu(self.conv1(x))  # (N, 96, 55, 55)
        x = self.pool1(x)  # (N, 96, 27, 27)
        x = F.relu(self.conv2(x))  # (N, 256, 23, 23)
        x = self.pool2(x)  # (N, 256, 11, 11)
        x = F.relu(self.conv3(x))  # (N, 384, 9, 9)
        x = F.relu(self.conv4(x))  # (N, 384, 7, 7)
        x = F.relu(self.conv5(x))  # (N, 256, 5, 5)
        x = self.pool5(x).flatten(1)  # (N, 1024)
        x = F.relu(self.fc6(x))  # (N, 4096)
        x = F.relu(self.fc7(x))  # (N, 4096)
        return self.fc8(x)  # (N, 1000)


class OneTowerAlexNet(nn.Module):
    """The one that torchvision ships, after Krizhevsky's paper of 2014.

    A. Krizhevsky, "One weird trick for parallelizing convolutional neural
    networks", arXiv:1404.5997: one tower, fewer filters.  torchvision leaves
    out the normalisation, which Krizhevsky's own configuration has.
    """

    sides = (223, 254)

    def __init__(self, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, 11, stride=4, padding=2)
        self.pool1 = nn.MaxPool2d(3, stride=2)
        self.conv2 = nn.Conv2d(64, 192, 5, padding=2)
        self.pool2 = nn.MaxPool2d(3, stride=2)
        self.conv3 = nn.Conv2d(192, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 256, 3, padding=1)
        self.conv5 = nn.Conv2d(256, 256, 3, padding=1)
        self.pool5 = nn.MaxPool2d(3, stride=2)
        self.drop5 = nn.Dropout(0.5)
        self.fc6 = nn.Linear(256 * 6 * 6, 4096)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, num_classes)
        first_weights(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        check_images(x, self.conv1.in_channels, *self.sides)
        x = F.relu(self.conv1(x))  # (N, 64, 55, 55)
        x = self.pool1(x)  # (N, 64, 27, 27)
        x = F.relu(self.conv2(x))  # (N, 192, 27, 27)
        x = self.pool2(x)  # (N, 192, 13, 13)
        x = F.relu(self.conv3(x))  # (N, 384, 13, 13)
        x = F.relu(self.conv4(x))  # (N, 256, 13, 13)
        x = F.relu(self.conv5(x))  # (N, 256, 13, 13)
        x = self.drop5(self.pool5(x).flatten(1))  # (N, 9216)
        x = self.drop6(F.relu(self.fc6(x)))  # (N, 4096)
        x = F.relu(self.fc7(x))  # (N, 4096)
        return self.fc8(x)  # (N, 1000)


def first_weights(net: nn.Module) -> None:
    """Section 5: weights from N(0, 0.01²), some biases 1 to wake the ReLUs."""
    gaussian(net, 0.01)
    for layer in (net.conv2, net.conv4, net.conv5, net.fc6, net.fc7):
        nn.init.ones_(layer.bias)


def alexnet(
    variant: str = "2012", num_classes: int = 1000, in_channels: int = 3
) -> AlexNet | UnpaddedAlexNet | OneTowerAlexNet:
    """AlexNet: "2012", "ungrouped", "unpadded" or "one-tower"."""
    choose(
        "AlexNet variant",
        variant,
        ("2012", "ungrouped", "unpadded", "one-tower"),
    )
    if variant == "unpadded":
        return UnpaddedAlexNet(num_classes, in_channels)
    if variant == "one-tower":
        return OneTowerAlexNet(num_classes, in_channels)
    groups = 2 if variant == "2012" else 1
    return AlexNet(num_classes, in_channels, groups)
