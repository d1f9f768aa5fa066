"""Training on the digits: the recipe behind the book's recorded results.

One readable loop.  Each epoch shows every digit once, each time turned,
stretched, shifted and bent a little differently, so that 4,000 digits last
longer.  Same seed, same kind of machine, one thread: the same network.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.nets import lenet

FIELD, BOX = 32, 28  # LeNet-5's input, and the digit enlarged inside it


def prepare(images: Tensor) -> Tensor:
    """Digits as LeNet-5 reads them: enlarged to 28 by 28 inside 32 by 32.

    As in the paper, white paper becomes -0.1 and black ink 1.175.
    """
    return _sample(images, torch.eye(2, 3).repeat(len(images), 1, 1))


def distort(images: Tensor, generator: torch.Generator) -> Tensor:
    """What `prepare` does, with each digit bent at random on the way."""

    def between(limit: float) -> Tensor:
        return limit * (2 * torch.rand(count, generator=generator) - 1)

    count = len(images)
    angle, shear = between(math.radians(8)), between(0.1)
    width, height = between(0.1).exp(), between(0.1).exp()
    right, down = between(2 / 16), between(2 / 16)  # two pixels of 32
    rows = [
        torch.stack([angle.cos() * width, shear - angle.sin(), right], dim=1),
        torch.stack([angle.sin(), angle.cos() * height, down], dim=1),
    ]
    knots = torch.randn(count, 2, 4, 4, generator=generator) / 16  # one pixel
    return _sample(images, torch.stack(rows, dim=1), knots)


def _sample(
    images: Tensor, affine: Tensor, knots: Tensor | None = None
) -> Tensor:
    shape = [len(images), 1, FIELD, FIELD]
    places = F.affine_grid(affine, shape, align_corners=False)
    if knots is not None:  # a smooth bend through random displacements
        bend = F.interpolate(
            knots, shape[2:], mode="bicubic", align_corners=True
        )
        places = places + bend.permute(0, 2, 3, 1)
    field = F.grid_sample(images, places * FIELD / BOX, align_corners=False)
    return 1.275 * field - 0.1


def fit_digits(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    seed: int,
    epochs: int = 40,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    rate: float = 4e-3,
    each_epoch: Callable[[int], None] | None = None,
) -> list[float]:
    """Train *net* in place on digits (N, 1, 20, 20); the loss of each epoch.

    AdamW, batches of 50, one cycle of the learning rate up to *rate*, labels
    smoothed by 0.05 unless another *loss* is given.  The seed orders and
    bends the digits; to fix the first weights too, call
    ``torch.manual_seed`` before you build the net.  To watch the net while it
    learns, *each_epoch* is called after each, with the number of epochs done.
    """
    generator = torch.Generator().manual_seed(seed)
    loss = loss or nn.CrossEntropyLoss(label_smoothing=0.05)
    optimiser = torch.optim.AdamW(
        net.parameters(), lr=rate, weight_decay=0.02, fused=True
    )
    batches = len(images) // 50
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=epochs * batches, pct_start=0.2
    )
    losses = []
    net.train()
    for epoch in range(epochs):
        bent = distort(images, generator)
        order = torch.randperm(len(images), generator=generator)
        total = 0.0
        for batch in order[: 50 * batches].split(50):
            error = loss(net(bent[batch]), labels[batch])
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
            cycle.step()
            total += error.item()
        losses.append(total / batches)
        if each_epoch:
            each_epoch(epoch + 1)
    net.eval()
    return losses


@torch.no_grad()
def predict(net: nn.Module, images: Tensor) -> Tensor:
    """The digit that *net* reads in each of the images (N, 1, 20, 20)."""
    outputs = net(prepare(images))
    if isinstance(net, lenet.LeNet5_1998):
        return outputs.argmin(dim=1)  # the nearest bitmap
    return outputs.argmax(dim=1)


def accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of the images that *net* reads right, from 0 to 1."""
    return (predict(net, images) == labels).float().mean().item()
