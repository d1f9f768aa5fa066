"""What the chapter on 1 × 1 convolutions records, and how it was made."""

from __future__ import annotations

import copy
import json
import statistics

import pytest
import torch

from benchmarks import nin_digits
from cnnbook import nets

RESULT = nin_digits.RESULT
HEAD = ("name", "command", "date", "data", "net", "versions", "hardware")


def record() -> dict:
    return json.loads(RESULT.read_text("utf-8"))


def faults(result: dict) -> list[str]:
    """What does not add up in the record."""
    wrong = [f"no {key}" for key in HEAD if not result.get(key)]
    for name in nin_digits.PARTS:
        part = result.get(name) or {"cells": []}
        if not part["cells"] or not part.get("protocol"):
            wrong.append(f"no {name}")
        for cell in part["cells"]:
            seeds = {run["seed"] for run in cell["runs"]}
            if len(seeds) < max(3, len(cell["runs"])):
                wrong.append(f"{name}: too few seeds, or one counts twice")
            for measure in {*cell["runs"][0]} - {"seed"}:
                values = [run[measure] for run in cell["runs"]]
                for kind, reckon in (
                    ("mean", statistics.mean),
                    ("std", statistics.stdev),
                ):
                    found = cell[f"{measure}_{kind}"]
                    if abs(found - reckon(values)) > 1e-4:
                        wrong.append(f"{name}: {measure} is not the {kind}")
    return wrong


def test_the_record_adds_up():
    assert faults(record()) == []
    assert record()["name"] == RESULT.stem


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r.pop("command"),
        lambda r: r.pop("necks"),
        lambda r: r["heads"]["cells"][0].update(moved_accuracy_mean=0.5),
        lambda r: r["last_relu"]["cells"][0].update(dead_std=9),
        lambda r: r["necks"]["cells"][1].update(
            runs=r["necks"]["cells"][1]["runs"][:1] * 3
        ),
    ],
    ids=["command", "a part", "mean", "deviation", "one seed"],
)
def test_a_spoilt_record_is_noticed(spoil):
    result = copy.deepcopy(record())
    spoil(result)
    assert faults(result)


def test_without_changes_it_is_the_small_sibling():
    torch.manual_seed(0)
    ours = nin_digits.Small(relu=True).eval()
    torch.manual_seed(0)
    theirs = nets.small_nin().eval()
    images = nin_digits.TEST_IMAGES[:8]
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))
        ours.relu = False
        assert not torch.equal(ours(images), theirs(images))


def test_the_cut_is_the_nearest_layer():
    """Whole at 48 maps; below, as far as the singular values left out."""
    torch.manual_seed(0)
    conv = nets.small_nin().layers[-1].conv.double()
    maps = torch.randn(2, 48, 4, 4).double()
    with torch.no_grad():
        whole = nin_digits.cut(conv, 48).double()(maps)
        torch.testing.assert_close(whole, conv(maps))
        reduce, window = nin_digits.cut(conv, 16).double()
        kernel = torch.einsum(
            "orij,rc->ocij", window.weight, reduce.weight[:, :, 0, 0]
        )
        away = (kernel - conv.weight).norm()
        matrix = conv.weight.transpose(0, 1).flatten(1)
        left_out = torch.linalg.svdvals(matrix)[16:].norm()
    torch.testing.assert_close(away, left_out)
    assert left_out > 0.1


def test_moving_loses_only_what_leaves_the_picture():
    images = torch.full((1, 1, 32, 32), nin_digits.PAPER)
    images[0, 0, 10, 20] = 1.0
    places = [
        divmod(int(picture.argmax()), 32)
        for picture in nin_digits.moved(images)
    ]
    assert places == [(6, 20), (14, 20), (10, 16), (10, 24)]
    for picture in nin_digits.moved(images):
        assert picture.shape == images.shape
        assert (picture == nin_digits.PAPER).sum() == 32 * 32 - 1


def test_the_record_says_what_the_chapter_says():
    result = record()
    with_relu, without = result["last_relu"]["cells"]
    assert (with_relu["relu"], without["relu"]) == (True, False)
    assert without["dead_mean"] == 0
    dark = [run["dead"] for run in with_relu["runs"]]
    assert sum(d > 0 for d in dark) == 4
    assert (
        with_relu["test_accuracy_mean"] < without["test_accuracy_mean"] - 0.05
    )
    heads = {
        (cell["each"], cell["head"]): cell for cell in result["heads"]["cells"]
    }
    for each in nin_digits.EPOCHS:
        mean, maps, dense = (
            heads[each, head]["moved_accuracy_mean"]
            for head in ("mean", "maps", "dense")
        )
        assert mean > max(maps, dense) + 0.05
    necks = {
        (cell["how"], cell["maps"]): cell["test_accuracy_mean"]
        for cell in result["necks"]["cells"]
    }
    whole = necks["whole", 48]
    assert necks["cut", 16] > whole - 0.01 and necks["cut", 4] < 0.7
    assert necks["trained", 8] > whole - 0.01
    assert necks["cut", 1] < 0.2 < 0.85 < necks["trained", 1]
