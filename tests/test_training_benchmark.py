"""The benchmark of the training loop measures, and notices what is over."""

import copy

import pytest
import torch
from torch import nn

from benchmarks import training as benchmark

GOOD = {
    "gpu": False,
    "ways": {
        "a net": {
            "fit": {"ratio": 1.03},
            "fit, crops and flips": {"ratio": 1.1},
            "DataLoader": {"ratio": 6.0},
        }
    },
}


@pytest.mark.parametrize("gpu", [False, True])
def test_good_figures_pass(gpu):
    assert benchmark.faults(GOOD | {"gpu": gpu}) == []


@pytest.mark.parametrize(
    ("gpu", "way", "ratio", "words"),
    [
        (False, "fit", 1.06, "a net: fit costs 1.060"),
        (True, "DataLoader", 5.4, "a net: only 4.9 times the plain loop"),
    ],
)
def test_bad_figures_are_noticed(gpu, way, ratio, words):
    found = copy.deepcopy(GOOD) | {"gpu": gpu}
    found["ways"]["a net"][way]["ratio"] = ratio
    assert benchmark.faults(found) == [words]


def test_the_three_ways_train(capsys):
    def make():
        return nn.Sequential(nn.Flatten(), nn.Linear(192, 10))

    data = benchmark.pictures((3, 8, 8), 50)
    ways = {"bare": benchmark.bare, "fit": benchmark.fit}
    ways["DataLoader"] = benchmark.plain
    for way in ways.values():
        net = make()
        before = copy.deepcopy(net[1].weight)
        way(net, *data, 20)
        assert not torch.equal(before, net[1].weight)
    found = benchmark.compare(ways, make, data, 20, 2)
    benchmark.show("a net", found)
    assert found["bare"]["ratio"] == 1
    assert found["fit"]["images_per_second"] > 0
    assert "images/s" in capsys.readouterr().out


def test_a_picture_of_its_own_is_cut_and_mirrored():
    images = torch.arange(64.0).reshape(1, 1, 8, 8)
    pictures = benchmark.OneByOne(images, torch.tensor([3]))
    torch.manual_seed(0)
    seen = [pictures[0] for _ in range(20)]
    assert {label.item() for _, label in seen} == {3}
    assert {tuple(image.shape) for image, _ in seen} == {(1, 8, 8)}
    assert len({image.sum().item() for image, _ in seen}) > 10
