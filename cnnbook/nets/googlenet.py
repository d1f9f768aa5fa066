"""GoogLeNet, as Table 1 of its paper lists it, and as torchvision ships it.

C. Szegedy and others, "Going deeper with convolutions", arXiv:1409.4842
(2014), CVPR 2015: Table 1, section 5.  torchvision's normalises every
convolution, has none of the local response normalisations, and 3 by 3 windows
where the paper has 5 by 5.
"""

from torch import Tensor, nn

from cnnbook.nets.common import check_images, choose, he
from cnnbook.nets.inception import Auxiliary, Conv, Inception, NormedConv

# Table 1: 1×1 | before 3×3 | 3×3 | before 5×5 | 5×5 | after the pooling
TABLE = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class GoogLeNet(nn.Module):
    """The network; *modern* makes it torchvision's."""

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        auxiliary: bool = False,
        modern: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels, self.auxiliary = in_channels, auxiliary
        self.sides = (15, None) if modern else (31, None)
        conv = NormedConv if modern else Conv
        # the paper gives the local normalisation no numbers: torch's own
        norm = nn.Identity if modern else lambda: nn.LocalResponseNorm(5)
        self.conv1 = conv(in_channels, 64, 7, stride=2, padding=3)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.norm1 = norm()
        self.conv2 = conv(64, 64, 1)
        self.conv3 = conv(64, 192, 3, padding=1)
        self.norm3 = norm()
        self.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        channels = 192
        for name, widths in TABLE.items():
            module = Inception(channels, widths, conv, 3 if modern else 5)
            setattr(self, f"inception{name}", module)
            channels = widths[0] + widths[2] + widths[4] + widths[5]
        self.pool4 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        last = 2 if modern else 3
        self.pool5 = nn.MaxPool2d(last, stride=2, ceil_mode=True)
        self.drop = nn.Dropout(0.2 if modern else 0.4)
        self.fc = nn.Linear(channels, num_classes)
        if auxiliary:
            for name, channels in (("4a", 512), ("4d", 528)):
                pool = (
                    nn.AdaptiveAvgPool2d(4) if modern else nn.AvgPool2d(5, 3)
                )
                head = Auxiliary(channels, num_classes, conv, pool)
                setattr(self, f"auxiliary{name}", head)
            # what leaves the paper's heads maps of 4 by 4
            self.head_sides = self.sides if modern else (223, 270)
        # the paper names no first weights; these were made for ReLU
        he(self)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Logits; while training with heads, those of the heads as well."""
        heads = self.auxiliary and self.training
        sides = self.head_sides if heads else self.sides
        check_images(x, self.in_channels, *sides)
        x = self.conv1(x)  # (N, 64, 112, 112)
        x = self.norm1(self.pool1(x))  # (N, 64, 56, 56)
        x = self.conv3(self.conv2(x))  # (N, 192, 56, 56)
        x = self.pool3(self.norm3(x))  # (N, 192, 28, 28)
        x = self.inception3a(x)  # (N, 256, 28, 28)
        x = self.inception3b(x)  # (N, 480, 28, 28)
        x = self.pool4(x)  # (N, 480, 14, 14)
        x = self.inception4a(x)  # (N, 512, 14, 14)
        first = self.auxiliary4a(x) if heads else None
        x = self.inception4b(x)  # (N, 512, 14, 14)
        x = self.inception4c(x)  # (N, 512, 14, 14)
        x = self.inception4d(x)  # (N, 528, 14, 14)
        second = self.auxiliary4d(x) if heads else None
        x = self.inception4e(x)  # (N, 832, 14, 14)
        x = self.pool5(x)  # (N, 832, 7, 7)
        x = self.inception5a(x)  # (N, 832, 7, 7)
        x = self.inception5b(x)  # (N, 1024, 7, 7)
        x = self.drop(x.mean(dim=(2, 3)))  # (N, 1024)
        x = self.fc(x)  # (N, 1000)
        return (x, first, second) if heads else x


def googlenet(
    variant: str = "2014",
    auxiliary: bool = False,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> GoogLeNet:
    """GoogLeNet: the paper's ("2014") or "torchvision"'s.

    With *auxiliary* it has the two heads after 4a and 4d; in training mode it
    then returns their logits too, whose losses the paper weights by 0.3.
    """
    choose("GoogLeNet variant", variant, ("2014", "torchvision"))
    modern = variant == "torchvision"
    return GoogLeNet(num_classes, in_channels, auxiliary, modern)
