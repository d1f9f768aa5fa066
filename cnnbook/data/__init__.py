"""Data sets: the digits that travel with the book, and five public ones.

train_images, train_labels, test_images, test_labels = load("cifar10")
"""

from cnnbook.data import public
from cnnbook.data.embedded import (
    DIGITS_FILE,
    DIGITS_SHA256,
    digits,
    load_digits,
    read_digits,
    stand_in,
)
from cnnbook.data.pictures import Pictures

__all__ = [
    "DIGITS_FILE",
    "DIGITS_SHA256",
    "Pictures",
    "digits",
    "load",
    "read_digits",
    "stand_in",
]


def load(name: str) -> Pictures:
    """The data set called *name*, as tensors.

    ``"digits"`` is here; the others are downloaded once, checked and kept in
    the cache folder (see `cnnbook.download`): ``"mnist"``,
    ``"fashion-mnist"``, ``"cifar10"``, ``"cifar100"``, ``"pets"``.  The
    digits are numbers from 0 to 1, the public images bytes, a quarter of the
    memory; `training.fit` reads both.
    """
    known = {"digits": load_digits} | public.LOADERS
    if name not in known:
        names = ", ".join(repr(name) for name in known)
        raise ValueError(
            f"There is no data set called {name!r}; try one of: {names}."
        )
    return known[name]()
