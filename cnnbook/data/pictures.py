"""What a data set is: pictures and labels, to train with and to test with."""

from typing import NamedTuple

from torch import Tensor


class Pictures(NamedTuple):
    """Images (N, C, H, W), from 0 to 1 or as bytes, and their labels (N,)."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
