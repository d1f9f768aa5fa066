"""Data sets: the handwritten digits that travel with the book.

The digits are 5,000 grey pictures of 20 by 20 pixels in one PNG file: 50 rows
of 100, five rows a class.  Within each class the first 400 are for training
and the last 100 for testing.  Where they come from: ``digits/README.md``.
"""

import hashlib
import io
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import TensorDataset

DIGITS_FILE = Path(__file__).parent / "digits" / "digits.png"
DIGITS_SHA256 = (
    "60c917758ef97cc090f35cd8e293e4de691ef942847da0ff80dedab33d57c662"
)
CLASSES, PER_CLASS, TRAIN_PER_CLASS, SIDE = 10, 500, 400, 20


class Digits(NamedTuple):
    """The digits: pictures (N, 1, 20, 20) in [0, 1], labels (N,)."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def load(name: str) -> Digits:
    """The data set called *name*, as tensors; ``"digits"`` is here."""
    loaders = {"digits": _digits}
    if name not in loaders:
        known = ", ".join(repr(known) for known in loaders)
        raise ValueError(
            f"There is no data set called {name!r}; try one of: {known}."
        )
    return Digits(*(tensor.clone() for tensor in loaders[name]()))


def digits(split: Literal["train", "test"] = "train") -> TensorDataset:
    """The digits as a torch Dataset of (image, label) pairs."""
    if split not in ("train", "test"):
        raise ValueError(
            f"There is no split called {split!r} in the digits; "
            "try 'train' or 'test'."
        )
    everything = load("digits")
    if split == "train":
        return TensorDataset(everything.train_images, everything.train_labels)
    return TensorDataset(everything.test_images, everything.test_labels)


@cache
def _digits() -> Digits:
    return read_digits(DIGITS_FILE)


def read_digits(path: str | Path) -> Digits:
    """Read the digits from the PNG file *path*, checking every byte."""
    sheet = _checked_picture(Path(path))
    rows = CLASSES * PER_CLASS // 100
    pictures = sheet.reshape(rows, SIDE, 100, SIDE).swapaxes(1, 2)
    pictures = pictures.reshape(CLASSES, PER_CLASS, 1, SIDE, SIDE)
    images = torch.from_numpy(pictures.copy()).float() / 255
    labels = torch.arange(CLASSES).repeat_interleave(PER_CLASS)
    labels = labels.reshape(CLASSES, PER_CLASS)
    first, last = slice(0, TRAIN_PER_CLASS), slice(TRAIN_PER_CLASS, None)
    return Digits(
        images[:, first].flatten(0, 1),
        labels[:, first].flatten(),
        images[:, last].flatten(0, 1),
        labels[:, last].flatten(),
    )


def _checked_picture(path: Path) -> np.ndarray:
    again = "install cnnbook again, or restore the file from its repository"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileNotFoundError(
            f"The digits cannot be read from {path} ({error.strerror}); "
            f"{again}."
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != DIGITS_SHA256:
        raise ValueError(
            f"The file {path} is damaged: it has {len(content):,} bytes with "
            f"SHA-256 {found[:12]}… where {DIGITS_SHA256[:12]}… is expected; "
            f"{again}."
        )
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"))
