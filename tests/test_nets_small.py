"""The small siblings learn: a few steps here, whole trainings on record."""

from __future__ import annotations

import json
from copy import deepcopy
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from every_net import EVERY
from torch import Tensor, nn

from benchmarks.small_siblings import LIMIT, NETS, RESULT
from cnnbook import data, nets, training

SMALL = [name for name in EVERY if name.startswith("small")]


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Ten of each, as the networks read them."""
    file = data.load("digits")
    return training.prepare(file.train_images[::40]), file.train_labels[::40]


def losses(net: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
    """The loss before each of three steps on the same images."""
    for layer in net.train().modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # no chance
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-4)
    seen = []
    for _ in range(3):
        outputs = net(images)
        heads = outputs if isinstance(outputs, tuple) else (outputs,)
        loss = sum(F.cross_entropy(head, labels) for head in heads)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen.append(loss.item())
    return seen


def falls(seen: list[float]) -> bool:
    return all(b < a for a, b in pairwise(seen))


@pytest.mark.parametrize("name", [*SMALL, "plain 8"])
def test_a_step_lowers_the_loss(name, digits):
    build = NETS["plain"][1] if name == "plain 8" else EVERY[name].build
    torch.manual_seed(0)
    assert falls(losses(build(), *digits))


def test_a_network_that_learns_nothing_is_noticed(digits):
    class Deaf(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(1024, 10)

        def forward(self, x: Tensor) -> Tensor:
            return -self.dense(x.flatten(1)).detach() + 0 * self.dense.bias

    assert not falls(losses(Deaf(), *digits))


# The record


def record() -> dict:
    return json.loads(RESULT.read_text())


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def faults(result: dict) -> list[str]:
    """Where the record is not about today's networks, or misses its mark."""
    wrong = []
    for name, (title, build, epochs) in NETS.items():
        entry = result["nets"].get(name)
        if entry is None:
            wrong.append(f"{name}: not there")
            continue
        with torch.device("meta"):
            count = parameters(build())
        if entry["parameters"] != count:
            wrong.append(f"{name}: {entry['parameters']} parameters")
        if entry["title"] != f"{title}, {epochs} epochs":
            wrong.append(f"{name}: {entry['title']}")
        if entry["test_mean"] < 0.97:
            wrong.append(f"{name}: reads {entry['test_mean']:.1%}")
        if max(run["cpu_seconds"] for run in entry["runs"]) > LIMIT:
            wrong.append(f"{name}: takes longer than {LIMIT} s")
    return wrong


def test_the_record_is_of_these_networks(capsys):
    result = record()
    with capsys.disabled():
        print()
        for entry in result["nets"].values():
            seconds = max(run["cpu_seconds"] for run in entry["runs"])
            print(
                f"{entry['title']}: {entry['parameters']:,} parameters, "
                f"{entry['test_mean']:.2%} ± {entry['test_std']:.2%}, "
                f"{seconds} s of one core at most"
            )
    assert faults(result) == []


def test_every_small_network_is_on_record():
    measured = {build for _, build, _ in NETS.values()}
    small = {name for name in nets.__all__ if name.startswith("small_")}
    assert {getattr(nets, name) for name in small} <= measured


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"parameters": 1}, "resnet: 1 parameters"),
        ({"title": "Another"}, "resnet: Another"),
        ({"test_mean": 0.9}, "resnet: reads 90.0%"),
        ({"runs": [{"cpu_seconds": 61}]}, "resnet: takes longer than 60 s"),
    ],
)
def test_a_wrong_record_is_found(change, fault):
    result = deepcopy(record())
    result["nets"]["resnet"].update(change)
    assert faults(result) == [fault]
    del result["nets"]["resnet"]
    assert faults(result) == ["resnet: not there"]
