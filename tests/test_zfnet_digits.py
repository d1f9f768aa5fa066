"""The trained small ZFNet, and what the chapter records of it."""

from __future__ import annotations

import copy
import json
import statistics

import pytest
import torch
from conftest import ROOT
from torch import nn

from cnnbook import data, deconvnet, nets, training
from cnnbook.nets import zfnet_digits

RESULT = ROOT / "results" / "zfnet-digits.json"
FIRST_LAYERS = [(11, 4), (7, 4), (11, 2), (7, 2)]
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
    for cell in result["causes"]["cells"]:
        name = f"{cell['title']} {cell['window']}/{cell['stride']}"
        values = [run["test_accuracy"] for run in cell["runs"]]
        if len({run["seed"] for run in cell["runs"]}) < 3:
            wrong.append(f"{name}: fewer than three seeds")
        if abs(cell["test_accuracy_mean"] - statistics.mean(values)) > 1e-4:
            wrong.append(f"{name}: no mean")
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
        lambda r: r["causes"]["cells"][2].update(test_accuracy_mean=0.5),
        lambda r: r["causes"]["cells"][2]["runs"].__delitem__(slice(2, None)),
        lambda r: r["evolution"]["runs"].pop(),
        lambda r: r["evolution"]["runs"][0]["likeness"].pop(),
    ],
    ids=[
        "command",
        "mean",
        "deviation",
        "one seed",
        "a cause",
        "two of a cause",
        "two seeds",
        "a gap",
    ],
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
    rates = [cells[0.2, *first]["dead_mean"] for first in FIRST_LAYERS]
    assert rates[0] == min(rates)  # AlexNet's loses the fewest
    runs = record()["evolution"]["runs"]
    strongest = torch.tensor([run["strongest"] for run in runs]).mean(dim=0)
    at_10 = strongest[record()["evolution"]["moments"].index(10)]
    assert at_10[0] > 0.5 and at_10[1:].max() < 0.15
    likeness = torch.tensor([run["likeness"] for run in runs]).mean(dim=0)
    for early in likeness[:3]:  # from the bottom up
        assert early.tolist() == sorted(early.tolist(), reverse=True)


def test_the_places_cost_and_not_the_aliasing():
    """What exercise 8 says: blurred, the gap stays; with copies, it closes."""
    plain = {
        (c["window"], c["stride"]): c["test_accuracy_mean"]
        for c in record()["first_layers"]["cells"]
        if c["rate"] == 0.02
    }
    found = {
        (c["title"], c["window"], c["stride"]): c["test_accuracy_mean"]
        for c in record()["causes"]["cells"]
    }
    for window in 11, 7:
        gap = plain[window, 2] - plain[window, 4]
        blurred = found["blurred", window, 2] - found["blurred", window, 4]
        left = plain[window, 2] - found["shifted copies", window, 4]
        assert gap > 0.005 and blurred >= gap and left < gap / 4
        assert found["blurred", window, 2] < plain[window, 2]


def test_a_shift_is_felt_in_conv1_and_hardly_in_fc7():
    """What exercise 7 says of the net that travels with the package."""
    net = zfnet_digits.load_trained().requires_grad_(False)
    images = training.prepare(data.load("digits").test_images)

    def features(batch):
        maps, _ = deconvnet.climb(net, batch, "conv5")
        dense = net.fc6(net.pool5(maps).flatten(1)).relu()
        first, _ = deconvnet.climb(net, batch, "conv1")
        return first.flatten(1), maps.flatten(1), net.fc7(dense).relu()

    def felt(moved):
        shares = [
            ((after - before).norm(dim=1) / before.norm(dim=1)).mean().item()
            for after, before in zip(
                features(moved), features(images), strict=True
            )
        ]
        same = net(moved).argmax(dim=1) == net(images).argmax(dim=1)
        return [*shares, same.double().mean().item()]

    conv1, conv5, fc7, same = felt(images.roll(1, dims=3))
    assert 0.55 < conv1 < 0.65 and 0.35 < conv5 < 0.45 and fc7 < 0.1
    conv1, _, fc7, same = felt(images.roll(4, dims=3))
    assert conv1 > 1 and 0.14 < fc7 < 0.19 and 0.985 < same < 0.995
    *far, same = felt(images.rot90(dims=(2, 3)))
    assert min(far) > 0.7 and 0.15 < same < 0.25


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
