"""The trained small ZFNet, and what the chapter records of it."""

from __future__ import annotations

import copy
import json
import statistics

import pytest
import torch
from conftest import ROOT
from torch import nn

from cnnbook import data, nets, training
from cnnbook.nets import zfnet_digits

RESULT = ROOT / "results" / "zfnet-digits.json"
MEASURES = ("test_accuracy", "same_when_moved", "aliased", "dead")


def record() -> dict:
    return json.loads(RESULT.read_text("utf-8"))


def faults(result: dict) -> list[str]:
    """What does not add up in the record."""
    wrong = [
        f"no {key}"
        for key in ("name", "command", "date", "data", "versions", "hardware")
        if not result.get(key)
    ]
    for cell in result["first_layers"]["cells"]:
        name = f"{cell['window']}/{cell['stride']} at {cell['rate']}"
        if len({run["seed"] for run in cell["runs"]}) < 3:
            wrong.append(f"{name}: fewer than three seeds")
        for measure in MEASURES:
            values = [run[measure] for run in cell["runs"]]
            for kind, reckon in (
                ("mean", statistics.mean),
                ("std", statistics.stdev),
            ):
                if abs(cell[f"{measure}_{kind}"] - reckon(values)) > 1e-4:
                    wrong.append(f"{name}: {measure} is not the {kind}")
    evolution = result["evolution"]
    if len({run["seed"] for run in evolution["runs"]}) < 3:
        wrong.append("evolution: fewer than three seeds")
    shape = len(evolution["moments"]), len(evolution["layers"])
    for run in evolution["runs"]:
        for table in (run["likeness"], run["strongest"]):
            if torch.tensor(table).shape != shape:
                wrong.append(f"evolution: seed {run['seed']} has gaps")
    return wrong


def test_the_record_adds_up():
    assert faults(record()) == []
    assert record()["name"] == RESULT.stem
    cells = record()["first_layers"]["cells"]
    assert len(cells) == 8


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r.pop("command"),
        lambda r: r["first_layers"]["cells"][0].update(aliased_mean=0.5),
        lambda r: r["first_layers"]["cells"][3].update(dead_std=9),
        lambda r: r["first_layers"]["cells"][1].update(
            runs=r["first_layers"]["cells"][1]["runs"][:1] * 5
        ),
        lambda r: r["evolution"]["runs"].pop(),
        lambda r: r["evolution"]["runs"][0]["likeness"].pop(),
    ],
    ids=["command", "mean", "deviation", "one seed", "two seeds", "a gap"],
)
def test_a_spoilt_record_is_noticed(spoil):
    result = copy.deepcopy(record())
    spoil(result)
    assert faults(result)


def test_the_record_says_what_the_chapter_says():
    cells = {
        (c["rate"], c["window"], c["stride"]): c
        for c in record()["first_layers"]["cells"]
    }
    for window in 11, 7:
        coarse, fine = (cells[0.02, window, stride] for stride in (4, 2))
        assert coarse["test_accuracy_mean"] < fine["test_accuracy_mean"]
        assert coarse["same_when_moved_mean"] < fine["same_when_moved_mean"]
        assert coarse["aliased_mean"] > 10 * fine["aliased_mean"]
        assert coarse["dead_mean"] == fine["dead_mean"] == 0
        assert cells[0.2, window, 2]["dead_mean"] >= 4
    assert (
        cells[0.02, 7, 4]["aliased_mean"]
        > (cells[0.02, 11, 4]["aliased_mean"])
    )
    runs = record()["evolution"]["runs"]
    likeness = torch.tensor([run["likeness"] for run in runs]).mean(dim=0)
    for early in likeness[:3]:  # from the bottom up
        assert early.tolist() == sorted(early.tolist(), reverse=True)


# ---- The weights that travel with the package ----


def test_the_stored_weights_are_the_recorded_run():
    digits = data.load("digits")
    run = record()["evolution"]["runs"][0]
    assert run["seed"] == 0
    net = zfnet_digits.load_trained()
    found = training.accuracy(net, digits.test_images, digits.test_labels)
    assert abs(found - run["test_accuracy"][-1]) <= 0.002  # a byte a weight
    assert zfnet_digits.TRAINED_FILE.stat().st_size <= 250_000
    assert not net.training
    shapes = [p.shape for p in nets.small_zfnet().parameters()]
    assert [p.shape for p in net.parameters()] == shapes


def test_broken_weights_are_named(tmp_path):
    broken = tmp_path / "weights.npz"
    broken.write_bytes(zfnet_digits.TRAINED_FILE.read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged"):
        zfnet_digits.load_trained(broken)
    with pytest.raises(FileNotFoundError, match="cannot be read"):
        zfnet_digits.load_trained(tmp_path / "nothing.npz")


# ---- Watching a training ----


def test_a_training_can_be_watched():
    digits = data.load("digits")
    net = nn.Sequential(nn.Flatten(), nn.Linear(1024, 10))
    seen = []

    def watch(epoch: int) -> None:
        seen.append((epoch, net[1].weight.detach().clone()))

    training.fit_digits(
        net,
        digits.train_images[::40],
        digits.train_labels[::40],
        seed=0,
        epochs=3,
        each_epoch=watch,
    )
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert not torch.equal(seen[0][1], seen[1][1])
    assert torch.equal(seen[2][1], net[1].weight)
