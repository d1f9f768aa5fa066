"""The public data sets: read from files made here, fetched from a server."""

import ast
import gzip
import hashlib
import io
import pickle
import tarfile
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_download import cut, good, rubbish, server, silent, status

from cnnbook import data, training
from cnnbook.data import public
from cnnbook.download import DownloadError, download

__all__ = ["server"]  # the fixture


def draw(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def idx(values):
    head = bytes([0, 0, 8, values.ndim])
    head += np.array(values.shape, ">u4").tobytes()
    return gzip.compress(head + values.tobytes())


def archive(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def jpeg(width, height, colour):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(stream, "JPEG")
    return stream.getvalue()


MNIST = {
    "train-images-idx3-ubyte.gz": idx(draw(6, 28, 28)),
    "train-labels-idx1-ubyte.gz": idx(np.arange(6, dtype=np.uint8)),
    "t10k-images-idx3-ubyte.gz": idx(draw(4, 28, 28)),
    "t10k-labels-idx1-ubyte.gz": idx(np.arange(4, dtype=np.uint8)),
}


def batch(count, first, name="labels"):
    """A batch as CIFAR's authors pickled it: protocol 2, keys of bytes."""
    pixels = draw(count, 3072) // 2 + first
    content = {b"data": pixels, name.encode(): list(range(count))}
    return pickle.dumps(content, protocol=2)


CIFAR10 = {
    "cifar-10-python.tar.gz": archive(
        {
            "cifar-10-batches-py/test_batch": batch(3, 100),
            "cifar-10-batches-py/data_batch_2": batch(2, 2),
            "cifar-10-batches-py/data_batch_1": batch(2, 1),
            "cifar-10-batches-py/readme.html": b"<p>",
        }
    )
}
CIFAR100 = {
    "cifar-100-python.tar.gz": archive(
        {
            "cifar-100-python/train": batch(5, 1, "fine_labels"),
            "cifar-100-python/test": batch(3, 2, "fine_labels"),
        }
    )
}
PETS = {
    "images.tar.gz": archive(
        {
            "images/Beagle_1.jpg": jpeg(300, 260, "red"),
            "images/Beagle_2.jpg": jpeg(230, 500, "green"),
            "images/Sphynx_1.jpg": jpeg(100, 90, "blue"),
            "images/._hidden.mat": b"rubbish",
        }
    ),
    "annotations.tar.gz": archive(
        {
            "annotations/trainval.txt": b"Beagle_2 5 2 1\nSphynx_1 37 1 9\n",
            "annotations/test.txt": b"Beagle_1 5 2 1\n",
        }
    ),
}
SETS = {
    "mnist": MNIST,
    "fashion-mnist": MNIST,
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
    "pets": PETS,
}


@pytest.fixture
def served(server, monkeypatch, tmp_path):
    """Serve small twins of all data sets, from two mirrors each."""
    monkeypatch.setenv("CNNBOOK_CACHE", str(tmp_path))
    mirrors = (f"{server.url}/one/", f"{server.url}/two/")
    found = {}
    for name, contents in SETS.items():
        found[name] = tuple(
            replace(
                file,
                md5=hashlib.md5(contents[file.name]).hexdigest(),
                mirrors=tuple(f"{mirror}{name}/" for mirror in mirrors),
            )
            for file in public.FILES[name]
        )
        for file, content in contents.items():
            for mirror in ("one", "two"):
                server.script[f"/{mirror}/{name}/{file}"] = [good(content)]
    monkeypatch.setattr(public, "FILES", found)
    return server


SHAPES = {
    "mnist": ((6, 1, 28, 28), (4, 1, 28, 28)),
    "fashion-mnist": ((6, 1, 28, 28), (4, 1, 28, 28)),
    "cifar10": ((4, 3, 32, 32), (3, 3, 32, 32)),
    "cifar100": ((5, 3, 32, 32), (3, 3, 32, 32)),
    "pets": ((2, 3, 224, 224), (1, 3, 224, 224)),
}


@pytest.mark.parametrize("name", SETS)
def test_each_set_is_fetched_once_and_read(served, name):
    for _ in range(2):
        found = data.load(name)
        for images, labels, shape in zip(
            found[::2], found[1::2], SHAPES[name], strict=True
        ):
            assert images.shape == shape
            assert images.dtype == torch.uint8
            assert labels.dtype == torch.int64
            assert len(labels) == len(images)
    assert len(served.asked) == len(public.FILES[name])


def test_the_pixels_are_where_they_were(served):
    found = data.load("mnist")
    assert np.array_equal(found.train_images[:, 0], draw(6, 28, 28))
    assert found.train_labels.tolist() == [0, 1, 2, 3, 4, 5]
    found = data.load("cifar10")  # the batches in the order of their numbers
    first = (draw(2, 3072) // 2 + 1).reshape(2, 3, 32, 32)
    assert np.array_equal(found.train_images[:2], first)
    assert np.array_equal(found.train_images[2:], first + 1)


def test_pets_are_cut_to_their_middle(served):
    for _ in range(2):  # the second time from the bytes that were kept
        found = data.load("pets")
        green, blue = found.train_images.float().mean((2, 3)).tolist()
        assert green == pytest.approx([0, 128, 1], abs=2)
        assert blue == pytest.approx([0, 0, 254], abs=2)
        assert found.train_labels.tolist() == [4, 36]
        assert found.test_labels.tolist() == [4]


def test_the_loop_trains_on_them(served):
    found = data.load("mnist")
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    training.fit(
        net, found.train_images, found.train_labels, epochs=2, device="cpu"
    )
    assert training.evaluate(net, *found[2:])[0] < 100


@pytest.mark.parametrize(
    "answers",
    [
        [silent, good(MNIST["train-images-idx3-ubyte.gz"])],
        [
            cut(50, MNIST["train-images-idx3-ubyte.gz"]),
            good(MNIST["train-images-idx3-ubyte.gz"]),
        ],
        [good(MNIST["train-images-idx3-ubyte.gz"], extra=9)],
        [rubbish],
        [status(404)],
    ],
    ids=["silent", "cut off", "lies about its length", "rubbish", "gone"],
)
def test_a_bad_first_mirror_is_survived(served, answers):
    served.script["/one/mnist/train-images-idx3-ubyte.gz"] = answers
    assert data.load("mnist").train_images.shape == (6, 1, 28, 28)


def test_when_all_fail_everything_is_named_and_the_digits_offered(served):
    for mirror, answer in (("one", status(404)), ("two", rubbish)):
        path = f"/{mirror}/cifar10/cifar-10-python.tar.gz"
        served.script[path] = [answer]
    with pytest.raises(DownloadError) as caught:
        data.load("cifar10")
    told = str(caught.value)
    assert "/one/cifar10/cifar-10-python.tar.gz: " in told and "404" in told
    assert "/two/cifar10/" in told and "sent another file" in told
    assert told.endswith("data.load('digits') needs no network.")


def test_an_unknown_set_names_its_neighbours():
    with pytest.raises(ValueError, match="'mnist', 'fashion-mnist', 'cif"):
        data.load("imagenet")


def test_md5_is_a_checksum_too(server, tmp_path):
    server.script["/file"] = [good(b"this"), good(b"that")]
    for content in (b"this", b"that"):  # the second is another file
        digits = hashlib.md5(content).hexdigest()
        path = download(f"{server.url}/file", digits, "file", tmp_path)
        assert path.read_bytes() == content


# Files that are not what they seem


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"rubbish", "is no gzip file"),
        (MNIST["train-images-idx3-ubyte.gz"][:-30], "is no gzip file"),
        (gzip.compress(b"\0\0\x0d\1"), "does not begin as an IDX file"),
        (gzip.compress(b"\0\0\x08\3\0"), "promises the shape"),
        (gzip.compress(b"\0\0\x08\1\0\0\0\4abc"), r"shape \(4,\) and holds 3"),
    ],
    ids=["no gzip", "cut off", "another type", "no shape", "too short"],
)
def test_a_bad_idx_file_is_refused(tmp_path, content, words):
    path = tmp_path / "file.gz"
    path.write_bytes(content)
    with pytest.raises(public.BadFile, match=words):
        public.read_idx(path)


class Evil:
    def __reduce__(self):
        return Path.mkdir, (Path("harm"),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"rubbish", "is damaged"),
        (CIFAR10["cifar-10-python.tar.gz"][:200], "is damaged"),
        (archive({"readme": b""}), "not an archive of CIFAR's"),
        (
            archive({"data_batch_1": pickle.dumps(Evil()), "test_batch": b""}),
            "it wants pathlib",
        ),
        (
            archive({"data_batch_1": b"rubbish", "test_batch": b""}),
            "data_batch_1 of .* cannot be read",
        ),
        (
            archive({"data_batch_1": pickle.dumps({}), "test_batch": b""}),
            "cannot be read",
        ),
    ],
    ids=["no archive", "cut off", "no batch", "evil", "no pickle", "empty"],
)
def test_a_bad_cifar_archive_is_refused(tmp_path, monkeypatch, content, words):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "cifar.tar.gz"
    path.write_bytes(content)
    with pytest.raises(public.BadFile, match=words):
        public.read_cifar([path], "labels")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("images", "annotations", "words"),
    [
        (PETS["images.tar.gz"], archive({}), "does not hold the lists"),
        (archive({}), PETS["annotations.tar.gz"], "lacks 3 .* Beagle_1"),
    ],
    ids=["no lists", "no pictures"],
)
def test_incomplete_pets_are_refused(tmp_path, images, annotations, words):
    files = [tmp_path / "images.tar.gz", tmp_path / "annotations.tar.gz"]
    for path, content in zip(files, (images, annotations), strict=True):
        path.write_bytes(content)
    with pytest.raises(public.BadFile, match=words):
        public.read_pets(files)


# The addresses


def strings(module):
    """Every text constant in a module of torchvision's, unexecuted."""
    package = metadata.distribution("torchvision")
    path = package.locate_file(f"torchvision/datasets/{module}.py")
    source = Path(path).read_text()
    return {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("mnist", "mnist"),
        ("fashion-mnist", "mnist"),
        ("cifar10", "cifar"),
        ("cifar100", "cifar"),
        ("pets", "oxford_iiit_pet"),
    ],
)
def test_checksums_and_first_hosts_are_torchvisions(name, module):
    known = strings(module)
    for file in public.FILES[name]:
        assert file.md5 in known
        addresses = {mirror + file.name for mirror in file.mirrors}
        assert (addresses | set(file.mirrors)) & known, file.name
    assert "0" * 32 not in known
