"""The handwritten digits that travel with the book.

The digits are 5,000 grey pictures of 20 by 20 pixels in one PNG file: 50 rows
of 100, five rows a class.  Within each class the first 400 are for training
and the last 100 for testing.  Where they come from: ``digits/README.md``.
"""

import hashlib
import io
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import TensorDataset

from cnnbook.data.pictures import Pictures

DIGITS_FILE = Path(__file__).parents[1] / "digits" / "digits.png"
DIGITS_SHA256 = (
    "60c917758ef97cc090f35cd8e293e4de691ef942847da0ff80dedab33d57c662"
)
CLASSES, PER_CLASS, TRAIN_PER_CLASS, SIDE = 10, 500, 400, 20


def digits(split: Literal["train", "test"] = "train") -> TensorDataset:
    """The digits as a torch Dataset of (image, label) pairs."""
    if split not in ("train", "test"):
        raise ValueError(
            f"There is no split called {split!r} in the digits; "
            "try 'train' or 'test'."
        )
    everything = _digits()
    if split == "train":
        return TensorDataset(everything.train_images, everything.train_labels)
    return TensorDataset(everything.test_images, everything.test_labels)


SHAPES = {
    "mnist": (1, 28),
    "fashion-mnist": (1, 28),
    "cifar10": (3, 32),
    "cifar100": (3, 32),
    "pets": (3, 64),
}
"""The channels and the side of each public data set; the pets made small."""


def stand_in(name: str) -> Pictures:
    """The digits in the shape of a public data set: bytes, and its channels.

    In colour, each digit has an ink of its own, always the same.  They let
    code made for that set run where it cannot be had; nothing that is
    learnt from them says anything about the set.
    """
    if name not in SHAPES:
        raise ValueError(
            f"Nothing stands in for {name!r}; try one of: "
            f"{', '.join(SHAPES)}."
        )
    channels, side = SHAPES[name]
    draw = torch.Generator().manual_seed(0)

    def dressed(images: Tensor) -> Tensor:
        grey = F.interpolate(images, (side, side), mode="bilinear")
        ink = torch.ones(len(grey), 1, 1, 1)
        if channels == 3:
            ink = torch.rand(len(grey), 3, 1, 1, generator=draw)
            ink = ink / ink.amax(1, keepdim=True)
        return (255 * grey.float() * ink).round().byte()

    digits = load_digits()
    return digits._replace(
        train_images=dressed(digits.train_images),
        test_images=dressed(digits.test_images),
    )


def load_digits() -> Pictures:
    """The digits, read once and handed out as copies."""
    return Pictures(*(tensor.clone() for tensor in _digits()))


@cache
def _digits() -> Pictures:
    return read_digits(DIGITS_FILE)


def read_digits(path: str | Path) -> Pictures:
    """Read the digits from the PNG file *path*, checking every byte."""
    sheet = _checked_picture(Path(path))
    rows = CLASSES * PER_CLASS // 100
    pictures = sheet.reshape(rows, SIDE, 100, SIDE).swapaxes(1, 2)
    pictures = pictures.reshape(CLASSES, PER_CLASS, 1, SIDE, SIDE)
    images = torch.from_numpy(pictures.copy()).float() / 255
    labels = torch.arange(CLASSES).repeat_interleave(PER_CLASS)
    labels = labels.reshape(CLASSES, PER_CLASS)
    first, last = slice(0, TRAIN_PER_CLASS), slice(TRAIN_PER_CLASS, None)
    return Pictures(
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
