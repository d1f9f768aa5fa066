"""The training recipe and the recorded result of LeNet-5 on the digits."""

import copy
import json
import statistics
from pathlib import Path

import jsonschema
import pytest
import torch
from torch import nn

from cnnbook import data, nets, training
from cnnbook.nets import lenet

RESULTS = Path(__file__).parents[1] / "results"


def read(name):
    return json.loads((RESULTS / name).read_text())


def faults(result):
    """Everything wrong with a recorded result."""
    schema = jsonschema.Draft202012Validator(read("training.schema.json"))
    wrong = [error.message for error in schema.iter_errors(result)]
    for name, net in () if wrong else result["nets"].items():
        accuracies = [run["test_accuracy"] for run in net["runs"]]
        if len({run["seed"] for run in net["runs"]}) < len(net["runs"]):
            wrong.append(f"{name}: a seed counts twice")
        if abs(net["test_mean"] - statistics.mean(accuracies)) > 1e-4:
            wrong.append(f"{name}: test_mean is not the mean")
        if abs(net["test_std"] - statistics.stdev(accuracies)) > 1e-4:
            wrong.append(f"{name}: test_std is not the deviation")
        folds = statistics.mean(net["validation_accuracy"])
        if abs(net["validation_mean"] - folds) > 1e-4:
            wrong.append(f"{name}: validation_mean is not the mean")
    return wrong


def is_training(result):
    return isinstance(result, dict) and {"recipe", "nets"} & set(result)


def results():
    return [
        path
        for path in sorted(RESULTS.glob("*.json"))
        if is_training(read(path.name))
    ]


def test_the_result_is_among_those_found():
    assert "lenet-digits" in [path.stem for path in results()]


@pytest.mark.parametrize("path", results(), ids=lambda path: path.stem)
def test_recorded_results_are_complete_and_add_up(path):
    result = read(path.name)
    assert result["name"] == path.stem
    assert faults(result) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda result: result.pop("command"),
        lambda result: result["nets"]["modern"].update(test_mean=0.999),
        lambda result: result["nets"]["modern"].update(test_std=0.0),
        lambda result: result["nets"]["dense"].update(validation_mean=0.999),
        lambda result: result["nets"]["1998"].update(
            runs=result["nets"]["1998"]["runs"][:1]
        ),
        lambda result: result["nets"]["modern"]["runs"].append(
            result["nets"]["modern"]["runs"][0]
        ),
    ],
    ids=["command", "mean", "deviation", "folds", "one seed", "seed twice"],
)
def test_a_spoilt_result_is_noticed(spoil):
    result = copy.deepcopy(read("lenet-digits.json"))
    spoil(result)
    assert faults(result)


def test_the_result_reaches_its_mark(capsys):
    measured = read("lenet-digits.json")["nets"]
    modern = measured["modern"]
    seconds = [run["cpu_seconds"] for run in modern["runs"]]
    with capsys.disabled():
        print(
            f"\nLeNet-5 on the digits, {len(seconds)} seeds, test: "
            f"{modern['test_mean']:.2%} ± {modern['test_std']:.2%}, "
            f"{max(seconds)} s of one core at most"
        )
    assert len(modern["runs"]) == 5
    assert modern["test_mean"] >= 0.985
    assert max(seconds) <= 30
    assert modern["parameters"] == 61_706
    assert measured["1998"]["parameters"] == 60_000
    assert abs(measured["dense"]["parameters"] / 61_706 - 1) < 0.01
    assert modern["test_mean"] > measured["dense"]["test_mean"]


def test_the_stored_weights_are_the_recorded_run():
    digits = data.load("digits")
    runs = read("lenet-digits.json")["nets"]["modern"]["runs"]
    recorded = {run["seed"]: run["test_accuracy"] for run in runs}[0]
    net = lenet.load_trained()
    found = training.accuracy(net, digits.test_images, digits.test_labels)
    assert round(found, 4) == recorded
    assert lenet.TRAINED_FILE.stat().st_size <= 300_000


def test_broken_weights_are_named(tmp_path):
    broken = tmp_path / "weights.npz"
    broken.write_bytes(lenet.TRAINED_FILE.read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged"):
        lenet.load_trained(broken)
    with pytest.raises(FileNotFoundError, match="cannot be read"):
        lenet.load_trained(tmp_path / "nothing.npz")


def test_prepare_centres_and_levels():
    images = torch.zeros(2, 1, 20, 20)
    images[1] = 1
    blank, full = training.prepare(images)
    assert blank.shape == (1, 32, 32)
    assert torch.allclose(blank, torch.tensor(-0.1))
    assert torch.allclose(full[0, 3:-3, 3:-3], torch.tensor(1.175))
    outside = torch.ones(32, 32, dtype=torch.bool)
    outside[1:-1, 1:-1] = False
    assert torch.allclose(full[0][outside], torch.tensor(-0.1))
    assert torch.allclose(full, full.flip(1), atol=1e-5) and full.std() > 0.3


def test_distortions_differ_and_stay_readable():
    images = data.load("digits").train_images[::40]
    one, two = (
        training.distort(images, torch.Generator().manual_seed(seed))
        for seed in (0, 1)
    )
    again = training.distort(images, torch.Generator().manual_seed(0))
    assert torch.equal(one, again) and not torch.equal(one, two)
    assert one.shape == (100, 1, 32, 32)
    ink = (one + 0.1).sum((1, 2, 3)) / (training.prepare(images) + 0.1).sum(
        (1, 2, 3)
    )
    assert 0.9 < ink.mean() < 1.1  # nothing is pushed out of the field


def train_on_some(variant, epochs):
    digits = data.load("digits")
    images, labels = digits.train_images[::8], digits.train_labels[::8]
    loss = lenet.map_loss if variant == "1998" else None
    torch.manual_seed(0)
    net = nets.lenet5(variant)
    before = training.accuracy(net, images, labels)
    losses = training.fit_digits(
        net, images, labels, seed=0, epochs=epochs, loss=loss
    )
    return losses, before, training.accuracy(net, images, labels)


@pytest.mark.parametrize("variant", ["1998", "modern"])
def test_a_short_training_learns(variant):
    losses, before, after = train_on_some(variant, epochs=10)
    assert len(losses) == 10 and losses[-1] < 0.7 * losses[0]
    assert before < 0.3 and after > 0.5


@pytest.mark.parametrize("variant", ["1998", "modern"])
def test_a_training_repeats(variant):
    assert train_on_some(variant, epochs=1) == train_on_some(variant, epochs=1)


def test_predict_takes_the_smallest_distance_and_the_largest_logit():
    images = torch.zeros(1, 1, 20, 20)
    for variant, sign in (("1998", 1), ("modern", -1)):
        net = nets.lenet5(variant)
        net.output.register_forward_hook(
            lambda *_, sign=sign: sign * torch.tensor([[3.0, 1, 2] + [9] * 7])
        )
        assert training.predict(net, images).tolist() == [1]


def test_other_nets_can_be_trained_too():
    digits = data.load("digits")
    images, labels = digits.train_images[::8], digits.train_labels[::8]
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(1024, 10))
    losses = training.fit_digits(net, images, labels, seed=0, epochs=3)
    assert losses[-1] < losses[0]
