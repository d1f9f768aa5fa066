"""Drawn pictures: printed glyphs in many faces, and stripes."""

from pathlib import Path

import matplotlib
import pytest
import torch

from cnnbook import glyphs


def faults(images, labels, count, classes):
    """Everything wrong with a set of drawn pictures."""
    wrong = []
    if images.shape != (count * classes, 1, 20, 20):
        wrong.append("shape")
    if images.min() < 0 or images.max() > 1:
        wrong.append("range")
    if labels.bincount().tolist() != [count] * classes:
        wrong.append("labels")
    if len({image.numpy().tobytes() for image in images}) < len(images):
        wrong.append("two are the same")
    return wrong


def test_printed_glyphs_are_pictures_with_labels():
    images, labels = glyphs.printed("0123456789", 30)
    assert faults(images, labels, 30, 10) == []
    ink = images.mean(dim=(1, 2, 3))
    assert ink.min() > 0.02 and ink.max() < 0.5
    border = torch.cat([images[..., 0], images[..., -1]])
    assert border.mean() < 0.05  # they fit into their field


def test_stripes_are_pictures_with_labels():
    assert faults(*glyphs.stripes(30), 30, 10) == []


def test_spoilt_pictures_are_noticed():
    images, labels = glyphs.printed("01", 5)
    assert faults(images, labels, 5, 2) == []
    assert faults(images[..., 1:], labels, 5, 2) == ["shape"]
    assert faults(images + 0.5, labels, 5, 2) == ["range"]
    assert faults(images, labels * 0, 5, 2) == ["labels"]
    images[1] = images[0]
    assert faults(images, labels, 5, 2) == ["two are the same"]


@pytest.mark.parametrize(
    "draw", [lambda seed: glyphs.printed("AB", 9, seed),
             lambda seed: glyphs.stripes(9, seed)],
    ids=["printed", "stripes"],
)  # fmt: skip
def test_a_seed_says_which(draw):
    (one, _), (again, _), (other, _) = draw(0), draw(0), draw(1)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_every_face_draws_every_sign_as_another():
    signs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for face in glyphs.FACES:
        plates = [glyphs._plate(sign, face) for sign in signs]
        assert all(plate.mean() > 0.02 for plate in plates), face
        different = {plate.numpy().tobytes() for plate in plates}
        assert len(different) == len(signs), face


def test_stripes_lie_as_their_class_says():
    """The strongest wave of each class has its direction and its width."""
    images, labels = glyphs.stripes(40)
    waves = torch.fft.rfft2(images[:, 0] - 0.5).abs()
    for label in range(10):
        mean = waves[labels == label].mean(dim=0)
        down, right = divmod(int(mean.argmax()), mean.shape[1])
        down = (down + 10) % 20 - 10
        length = (right**2 + down**2) ** 0.5
        assert length == pytest.approx(20 / (6 if label % 2 else 3), rel=0.3)
        angle = torch.tensor(down / (right or 1e-9)).atan()
        turn = (angle - torch.pi / 5 * (label // 2)) % torch.pi
        assert min(turn, torch.pi - turn) < 0.25


def test_a_face_that_colab_lacks_has_a_stand_in(tmp_path, monkeypatch):
    fonts = tmp_path / "fonts" / "ttf"
    fonts.mkdir(parents=True)
    there = Path(matplotlib.get_data_path(), "fonts", "ttf")
    for face in set(glyphs.FACES) - set(glyphs.OLDER):
        (fonts / f"{face}.ttf").symlink_to(there / f"{face}.ttf")
    now, labels = glyphs.printed("8A", 40)
    monkeypatch.setattr(matplotlib, "get_data_path", lambda: tmp_path)
    older, same = glyphs.printed("8A", 40)
    assert torch.equal(labels, same)
    changed = (now != older).flatten(1).any(1).float().mean()
    assert 0 < changed < 0.2


def test_few_faces_may_be_chosen():
    images, _ = glyphs.printed("8", 3, faces=["cmr10"])
    assert images.shape == (3, 1, 20, 20)
    with pytest.raises(ValueError, match="no face called 'Comic'") as error:
        glyphs.printed("8", 3, faces=["cmr10", "Comic"])
    text = str(error.value)
    assert text.endswith(".") and ". " not in text and "\n" not in text
