"""The six networks of VGG, built from the table of their paper.

K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale
image recognition", arXiv:1409.1556 (2014), ICLR 2015: Table 1, section 2.1.
Every convolution keeps the size of its maps, every pooling halves it.
"""

from collections import OrderedDict

from torch import Tensor, nn

from cnnbook.nets.common import check_images, choose, glorot

# A column of Table 1 a line, a block between two poolings a word: 64 is the
# paper's conv3-64, 1x256 its conv1-256.
TABLE = {
    "A": "64  128  256,256  512,512  512,512",
    "A-LRN": "64,LRN  128  256,256  512,512  512,512",
    "B": "64,64  128,128  256,256  512,512  512,512",
    "C": "64,64  128,128  256,256,1x256  512,512,1x512  512,512,1x512",
    "D": "64,64  128,128  256,256,256  512,512,512  512,512,512",
    "E": "64,64  128,128  256,256,256,256  512,512,512,512  512,512,512,512",
}


def blocks(column: str, in_channels: int) -> OrderedDict[str, nn.Module]:
    """The layers of one column of the table, by their usual names."""
    layers = OrderedDict()
    for block, entries in enumerate(column.split(), start=1):
        conv = 0
        for entry in entries.split(","):
            if entry == "LRN":
                # AlexNet's parameters, says the paper; torch takes 5 · alpha
                layers[f"norm{block}"] = nn.LocalResponseNorm(5, 5e-4, k=2.0)
                continue
            conv += 1
            kernel = 1 if entry.startswith("1x") else 3
            width = int(entry.removeprefix("1x"))
            layers[f"conv{block}_{conv}"] = nn.Conv2d(
                in_channels, width, kernel, padding=kernel // 2
            )
            layers[f"relu{block}_{conv}"] = nn.ReLU(inplace=True)
            in_channels = width
        layers[f"pool{block}"] = nn.MaxPool2d(2, stride=2)
    return layers


class VGG(nn.Module):
    """A column of Table 1 and three dense layers.

    *side* is the side of the images that the first dense layer expects.
    """

    def __init__(
        self,
        column: str = TABLE["D"],
        num_classes: int = 1000,
        in_channels: int = 3,
        hidden: int = 4096,
        side: int = 224,
    ) -> None:
        super().__init__()
        halvings = len(column.split())
        self.in_channels = in_channels
        self.sides = (side, side + 2**halvings - 1)
        layers = blocks(column, in_channels)
        self.features = nn.Sequential(layers)
        *_, last = (m for m in layers.values() if isinstance(m, nn.Conv2d))
        maps = last.out_channels * (side // 2**halvings) ** 2
        self.classifier = nn.Sequential(
            OrderedDict(
                fc6=nn.Linear(maps, hidden),
                relu6=nn.ReLU(inplace=True),
                drop6=nn.Dropout(0.5),
                fc7=nn.Linear(hidden, hidden),
                relu7=nn.ReLU(inplace=True),
                drop7=nn.Dropout(0.5),
                fc8=nn.Linear(hidden, num_classes),
            )
        )
        # The paper prints a variance of 0.01 for A's first weights and began
        # the others with A's layers; Glorot's weights, it adds, need neither.
        glorot(self)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 224, 224)
        check_images(x, self.in_channels, *self.sides)
        x = self.features(x)  # (N, 512, 7, 7)
        x = x.flatten(1)  # (N, 25088)
        return self.classifier(x)  # (N, 1000)


def vgg(name: str = "D", num_classes: int = 1000, in_channels: int = 3) -> VGG:
    """VGG by the column of Table 1: "A", "A-LRN", "B", "C", "D" or "E"."""
    choose("VGG", name, TABLE)
    return VGG(TABLE[name], num_classes, in_channels)
