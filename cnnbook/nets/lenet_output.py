"""The output of LeNet-5 in 1998: distances to ten drawn digits, and losses.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
document recognition", Proceedings of the IEEE 86(11), 1998: section II.B
and Figure 3 for the drawings, section II.C for the losses.
"""

import torch
from torch import Tensor, nn

# Ten pictures of 7 by 12, one a digit, after the idea of the paper's Figure 3;
# the shapes are drawn anew for this book.
BITMAPS = """
.#####. ...#... .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
##...## ..##... ##...## ##...## ...###. ##..... .##..## ##...## ##...## ##...##
##...## .###... .....## .....## ..####. ##..... ##..... .....## ##...## ##...##
##..### #.##... .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
##.#### ..##... ....##. .....## ##..##. ######. ##..... ....##. .##.##. ##...##
##.#.## ..##... ....##. ..####. ##..##. ##...## ######. ...##.. ..###.. .######
##.#.## ..##... ...##.. .....## ####### .....## ##...## ...##.. .##.##. .....##
####.## ..##... ..##... .....## ....##. .....## ##...## ..##... ##...## .....##
###..## ..##... .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
##...## ..##... ##..... .....## ....##. .....## ##...## .##.... ##...## .....##
##...## ..##... ##...## ##...## ....##. ##...## ##...## .##.... ##...## ##..##.
.#####. ####### ####### .#####. ....##. .#####. .#####. .##.... .#####. .####..
"""


def bitmaps() -> Tensor:
    """What F6 should show for each digit: (10, 84), ink +1, paper -1."""
    lines = [line.split() for line in BITMAPS.split("\n") if line]
    pictures = ["".join(rows) for rows in zip(*lines, strict=True)]
    ink = [[pixel == "#" for pixel in picture] for picture in pictures]
    return torch.tensor(ink).float() * 2 - 1


class RBF(nn.Module):
    """The squared distance of x to each of the fixed bitmaps."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bitmaps", bitmaps())

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, None, :] - self.bitmaps).square().sum(dim=2)

    def extra_repr(self) -> str:
        return f"{self.bitmaps.shape[1]}, {self.bitmaps.shape[0]}"


def mse_loss(distances: Tensor, labels: Tensor) -> Tensor:
    """Equation 8 of the paper: the mean distance to the right bitmap."""
    return distances.gather(1, labels[:, None]).mean()


def map_loss(distances: Tensor, labels: Tensor, j: float = 1.0) -> Tensor:
    """Equation 9: equation 8, and the wrong bitmaps are pushed away.

    *j* is the distance of an eleventh class, "none of these": a bitmap that
    is much further away than that is not pushed any more.
    """
    none_of_these = torch.full_like(distances[:, :1], j)
    everything = torch.cat([distances, none_of_these], dim=1)
    return mse_loss(distances, labels) + (-everything).logsumexp(1).mean()
