"""ZFNet, as Figure 3 of its paper draws it, and its widened ablation.

M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional
networks", arXiv:1311.2901 (2013), ECCV 2014: Figure 3; the wide variant is
the last line of Table 3.  Two things change from AlexNet: the first layer's
filters shrink from 11 to 7 and its stride from 4 to 2, and the towers go.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.nets.common import LocalNorm, check_images, choose, gaussian

WIDTHS = {"2013": (384, 384, 256), "wide": (512, 1024, 512)}


class ZFNet(nn.Module):
    """The network of Figure 3; *widths* are those of conv3, conv4, conv5.

    The figure's sizes ask for one pixel of padding in conv1 and for poolings
    that round up.  It calls its normalisation "contrast normalization across
    feature maps": here it is AlexNet's.
    """

    sides = (223, 254)  # what leaves maps of 6 by 6 for fc6

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        widths: tuple[int, int, int] = WIDTHS["2013"],
    ) -> None:
        super().__init__()
        w3, w4, w5 = widths
        self.conv1 = nn.Conv2d(in_channels, 96, 7, stride=2, padding=1)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.norm1 = LocalNorm()
        self.conv2 = nn.Conv2d(96, 256, 5, stride=2)
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.norm2 = LocalNorm()
        self.conv3 = nn.Conv2d(256, w3, 3, padding=1)
        self.conv4 = nn.Conv2d(w3, w4, 3, padding=1)
        self.conv5 = nn.Conv2d(w4, w5, 3, padding=1)
        self.pool5 = nn.MaxPool2d(3, stride=2)
        self.fc6 = nn.Linear(w5 * 6 * 6, 4096)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(4096, 4096)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(4096, num_classes)
        # The paper says that all weights start at 0.01.  Filters that start
        # alike stay alike, so this reads it as AlexNet's N(0, 0.01²).
        gaussian(self, 0.01)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        check_images(x, self.conv1.in_channels, *self.sides)
        x = F.relu(self.conv1(x))  # (N, 96, 110, 110)
        x = self.norm1(self.pool1(x))  # (N, 96, 55, 55)
        x = F.relu(self.conv2(x))  # (N, 256, 26, 26)
        x = self.norm2(self.pool2(x))  # (N, 256, 13, 13)
        x = F.relu(self.conv3(x))  # (N, 384, 13, 13) or (N, 512, 13, 13)
        x = F.relu(self.conv4(x))  # (N, 384, 13, 13) or (N, 1024, 13, 13)
        x = F.relu(self.conv5(x))  # (N, 256, 13, 13) or (N, 512, 13, 13)
        x = self.pool5(x).flatten(1)  # (N, 9216) or (N, 18432)
        x = self.drop6(F.relu(self.fc6(x)))  # (N, 4096)
        x = self.drop7(F.relu(self.fc7(x)))  # (N, 4096)
        return self.fc8(x)  # (N, 1000)


def zfnet(
    variant: str = "2013", num_classes: int = 1000, in_channels: int = 3
) -> ZFNet:
    """ZFNet: Figure 3's ("2013") or with 512, 1024, 512 filters ("wide")."""
    choose("ZFNet variant", variant, WIDTHS)
    return ZFNet(num_classes, in_channels, WIDTHS[variant])
