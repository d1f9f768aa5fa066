"""The embedded digits: complete, checked, quick, and plain when broken."""

import subprocess
import sys
import time

import pytest
import torch
from torch.utils.data import DataLoader

from cnnbook import data


def is_one_sentence(error):
    text = str(error.value)
    return text.endswith(".") and "\n" not in text and ". " not in text


def test_the_split():
    digits = data.load("digits")
    assert digits.train_images.shape == (4000, 1, 20, 20)
    assert digits.test_images.shape == (1000, 1, 20, 20)
    for images in (digits.train_images, digits.test_images):
        assert images.dtype == torch.float32
        assert images.min() == 0 and images.max() == 1
    for labels, each in (
        (digits.train_labels, 400),
        (digits.test_labels, 100),
    ):
        assert labels.dtype == torch.int64
        assert labels.bincount().tolist() == [each] * 10


def test_every_picture_comes_from_its_place_on_the_sheet():
    from PIL import Image

    with Image.open(data.DIGITS_FILE) as sheet:
        digits = data.load("digits")
        for label, index in ((0, 0), (3, 399), (7, 123), (9, 400), (5, 499)):
            place = 500 * label + index
            left, top = 20 * (place % 100), 20 * (place // 100)
            box = sheet.crop((left, top, left + 20, top + 20)).convert("L")
            grey = torch.tensor(list(box.tobytes())).reshape(1, 20, 20) / 255
            if index < 400:
                image = digits.train_images[400 * label + index]
            else:
                image = digits.test_images[100 * label + index - 400]
            assert torch.equal(image, grey)


def test_training_and_test_pictures_are_different_pictures():
    digits = data.load("digits")
    train = {image.numpy().tobytes() for image in digits.train_images}
    assert len(train) == 4000
    assert not any(
        image.numpy().tobytes() in train for image in digits.test_images
    )


def test_a_dataset_feeds_a_loader():
    pictures = data.digits("test")
    assert len(data.digits("train")) == 4000 and len(pictures) == 1000
    images, labels = next(iter(DataLoader(pictures, batch_size=32)))
    assert images.shape == (32, 1, 20, 20) and labels.tolist() == [0] * 32


def test_a_caller_cannot_spoil_the_cache():
    first = data.load("digits")
    first.train_images.zero_()
    assert data.load("digits").train_images.max() == 1


def test_quick(capsys):
    started = time.perf_counter()
    data.read_digits(data.DIGITS_FILE)
    took = time.perf_counter() - started
    with capsys.disabled():
        print(f"\nthe digits: read and checked in {1000 * took:.0f} ms")
    assert took < 0.2


def flip_a_bit(content):
    return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


@pytest.mark.parametrize(
    "breaking",
    [flip_a_bit, lambda content: content[:-1000], lambda content: b""],
    ids=["corrupted", "truncated", "empty"],
)
def test_a_damaged_file_is_named(tmp_path, breaking):
    broken = tmp_path / "digits.png"
    broken.write_bytes(breaking(data.DIGITS_FILE.read_bytes()))
    with pytest.raises(ValueError, match="damaged") as error:
        data.read_digits(broken)
    assert is_one_sentence(error) and "install cnnbook again" in str(
        error.value
    )


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="cannot be read") as error:
        data.read_digits(tmp_path / "digits.png")
    assert is_one_sentence(error)


def test_an_unknown_name_gets_the_known_ones():
    with pytest.raises(ValueError, match=r"'letters'.*'digits'") as error:
        data.load("letters")
    assert is_one_sentence(error)
    with pytest.raises(ValueError, match=r"'validation'.*'train'") as error:
        data.digits("validation")
    assert is_one_sentence(error)


def test_a_good_copy_elsewhere_is_read(tmp_path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(data.DIGITS_FILE.read_bytes())
    assert torch.equal(
        data.read_digits(copy).test_images, data.load("digits").test_images
    )


def test_nothing_is_read_before_it_is_asked_for():
    code = (
        "from cnnbook import data; from cnnbook.data import embedded; "
        "assert embedded._digits.cache_info().currsize == 0; "
        "data.load('digits'); data.digits('test'); "
        "assert embedded._digits.cache_info().misses == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
