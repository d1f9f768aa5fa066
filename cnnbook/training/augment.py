"""Augmentation of whole batches, on whatever device they lie.

An augmentation takes images (N, C, H, W) and returns as many, each changed in
its own way.  One gather moves a batch, where a data loader would call Python
once for each picture.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Augment = Callable[[Tensor], Tensor]


def crops(padding: int = 4) -> Augment:
    """Shift each image by up to *padding* pixels; zeros come in.

    The same as to pad by that much and to cut a window at random.
    """

    def crop(images: Tensor) -> Tensor:
        count, channels, height, width = images.shape
        device = images.device
        corner = torch.randint(2 * padding + 1, (2, count, 1), device=device)
        rows = corner[0] + torch.arange(height, device=device)
        columns = corner[1] + torch.arange(width, device=device)
        padded = F.pad(images, [padding] * 4)
        return padded[
            torch.arange(count, device=device)[:, None, None, None],
            torch.arange(channels, device=device)[:, None, None],
            rows[:, None, :, None],
            columns[:, None, None, :],
        ]

    return crop


def flips() -> Augment:
    """Mirror each image left to right, every second one on average."""

    def flip(images: Tensor) -> Tensor:
        coin = torch.rand(len(images), 1, 1, 1, device=images.device)
        return torch.where(coin < 0.5, images.flip(3), images)

    return flip


def together(*augments: Augment) -> Augment:
    """One augmentation after another."""

    def all_of_them(images: Tensor) -> Tensor:
        for augment in augments:
            images = augment(images)
        return images

    return all_of_them
