"""A small AlexNet on the digits, whole, in parts and in company.

    OMP_NUM_THREADS=1 python benchmarks/alexnet_small.py

writes results/alexnet-small.json; a quarter of an hour on one core.  It trains
`nets.small_alexnet()` with dense layers of half the width, 21 times, with the
paper's optimiser; averages the answers of five and of seven such networks; and
changes one part at a time: dropout, the overlap of the poolings, random crops,
local normalisation.  The others go without the last, which nearly doubles the
time.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lenet_digits import made_with
from torch import Tensor, nn

from cnnbook import data
from cnnbook.nets.alexnet import AlexNet
from cnnbook.nets.common import LocalNorm, he

RESULT = Path(__file__).parents[1] / "results" / "alexnet-small.json"
EPOCHS, BATCH, PATIENCE = 30, 32, 4
SIDE, SPARE = 23, 4
"""The network reads 23 pixels; a digit's picture has 27, so 25 crops."""

RECIPE = {
    "net": "nets.small_alexnet() with dense layers of half the width: "
    "12-32-48-48-32 maps, 128-128-10 units, 23 by 23 pixels, so that "
    "poolings of 2 by 2 and of 3 by 3 give the same sizes; first weights "
    "after He; no normalisation",
    "input": "the digit padded from 20 to 27 pixels, a random crop of 23 by "
    "23 at every pass, the middle one at test time; no reflections",
    "optimiser": "SGD, momentum 0.9, weight decay 0.0005, batches of 32, "
    "30 passes",
    "rate": "0.01, divided by ten when the loss on the validation digits has "
    "not fallen for four passes",
    "loss": "cross-entropy; dropout 0.5 after both hidden dense layers",
    "ensemble": "the mean of the softmax outputs; its members differ in "
    "their seed alone",
}


class Shrink(nn.Module):
    """Division by a constant: local normalisation where values are small."""

    def forward(self, x: Tensor) -> Tensor:
        return x / 2**0.75


class HalfAlexNet(AlexNet):
    """The small sibling with halved dense layers, and parts to change."""

    sides = (23, 30)

    def __init__(
        self,
        norm: Callable[[], nn.Module] = nn.Identity,
        overlap: bool = True,
        dropout: float = 0.5,
    ) -> None:
        nn.Module.__init__(self)
        window = 3 if overlap else 2
        self.conv1 = nn.Conv2d(1, 12, 5, padding=2)
        self.norm1 = norm()
        self.pool1 = nn.MaxPool2d(window, stride=2)
        self.conv2 = nn.Conv2d(12, 32, 5, padding=2, groups=2)
        self.norm2 = norm()
        self.pool2 = nn.MaxPool2d(window, stride=2)
        self.conv3 = nn.Conv2d(32, 48, 3, padding=1)
        self.conv4 = nn.Conv2d(48, 48, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(48, 32, 3, padding=1, groups=2)
        self.pool5 = nn.MaxPool2d(window, stride=2)
        self.fc6 = nn.Linear(32 * 2 * 2, 128)
        self.drop6 = nn.Dropout(dropout)
        self.fc7 = nn.Linear(128, 128)
        self.drop7 = nn.Dropout(dropout)
        self.fc8 = nn.Linear(128, 10)
        he(self)


@dataclass
class Run:
    """What came of one seed: answers on both sets of digits, and times."""

    validation: Tensor
    test: Tensor
    parameters: int
    cpu: float
    wall: float


def pictures() -> dict[str, tuple[Tensor, Tensor]]:
    """1,000 digits to learn from, 1,000 to watch, 1,000 for the test."""
    digits = data.load("digits")
    place = torch.arange(len(digits.train_labels)) % 400
    learn, watch = place < 100, (place >= 100) & (place < 200)
    sets = {
        "train": (digits.train_images[learn], digits.train_labels[learn]),
        "validation": (digits.train_images[watch], digits.train_labels[watch]),
        "test": (digits.test_images, digits.test_labels),
    }
    return {
        name: (F.pad(images, (3, 4, 3, 4)), labels)
        for name, (images, labels) in sets.items()
    }


def crop(images: Tensor, generator: torch.Generator | None) -> Tensor:
    """A crop at random for each picture; without a generator, the middle."""
    if generator is None:
        return images[..., 2 : 2 + SIDE, 2 : 2 + SIDE]
    places = torch.randint(SPARE + 1, (len(images), 2), generator=generator)
    return torch.stack(
        [
            image[:, top : top + SIDE, left : left + SIDE]
            for image, (top, left) in zip(images, places.tolist(), strict=True)
        ]
    )


def train(seed: int, crops: bool = True, **parts: Any) -> Run:
    """One network, trained from *seed*."""
    sets = pictures()
    images, labels = sets["train"]
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = HalfAlexNet(**parts)
    optimiser = torch.optim.SGD(
        net.parameters(), 0.01, momentum=0.9, weight_decay=5e-4
    )
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=0.1, patience=PATIENCE - 1
    )
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(EPOCHS):
        net.train()
        seen = crop(images, generator if crops else None)
        order = torch.randperm(len(images), generator=generator)
        for batch in order.split(BATCH):
            loss = F.cross_entropy(net(seen[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        net.eval()
        watched = logits(net, sets["validation"][0])
        plateau.step(F.cross_entropy(watched, sets["validation"][1]).item())
    return Run(
        watched.softmax(dim=1),
        logits(net, sets["test"][0]).softmax(dim=1),
        sum(p.numel() for p in net.parameters()),
        time.process_time() - cpu,
        time.perf_counter() - wall,
    )


@torch.no_grad()
def logits(net: nn.Module, images: Tensor) -> Tensor:
    return net(crop(images, None))


def entry(title: str, groups: Sequence[Sequence[Run]]) -> dict:
    """The entry of networks, or of ensembles, in the result."""
    sets = pictures()

    def right(group: Sequence[Run], name: str) -> float:
        answers = sum(getattr(run, name) for run in group).argmax(dim=1)
        correct = int((answers == sets[name][1]).sum())
        return round(correct / len(answers), 5)

    runs = [
        {
            "seed": seed,
            "test_accuracy": right(group, "test"),
            "cpu_seconds": round(sum(run.cpu for run in group), 1),
            "wall_seconds": round(sum(run.wall for run in group), 1),
        }
        for seed, group in enumerate(groups)
    ]
    validation = [right(group, "validation") for group in groups]
    accuracies = [run["test_accuracy"] for run in runs]
    return {
        "title": title,
        "parameters": sum(run.parameters for run in groups[0]),
        "validation_accuracy": validation,
        "validation_mean": round(statistics.mean(validation), 5),
        "runs": runs,
        "test_mean": round(statistics.mean(accuracies), 5),
        "test_std": round(statistics.stdev(accuracies), 5),
    }


VARIANTS = {
    "no dropout": ("Without dropout", {"dropout": 0.0}),
    "no overlap": ("With poolings of 2 by 2", {"overlap": False}),
    "no crops": ("Without random crops", {"crops": False}),
    "neither": (
        "Without dropout, without random crops",
        {"dropout": 0.0, "crops": False},
    ),
    "constant": ("Divided by 2 to the power 0.75", {"norm": Shrink}),
    "norm": (
        "With local response normalisation",
        {"norm": lambda: LocalNorm(groups=2)},
    ),
}


def main() -> None:
    torch.set_num_threads(1)
    entries: dict[str, dict] = {}
    result = {
        "name": "alexnet-small",
        "command": "OMP_NUM_THREADS=1 python benchmarks/alexnet_small.py",
        "date": date.today().isoformat(),
        "data": "cnnbook.data.load('digits'): of the 400 training digits of "
        "each class the first 100 to train on, the next 100 for validation; "
        "the 1,000 test digits",
        "protocol": "the rate is lowered by the validation digits; the test "
        "digits are read once per seed; standard deviations are over seeds, "
        "or over ensembles without a common member (n - 1); an ensemble's "
        "seed is its number, its members' seeds follow one another",
        "recipe": RECIPE,
        **made_with(
            "training alone; cpu_seconds are the process's own, on "
            "a machine that was busy with other work",
        ),
        "nets": entries,
    }
    runs = []
    for seed in range(21):
        runs.append(train(seed))
        print(f"seed {seed}: {runs[-1].cpu:.0f} s", flush=True)
    entries["one"] = entry("One net", [[run] for run in runs])
    for name, size in [("five", 5), ("seven", 7)]:
        groups = [
            runs[i : i + size] for i in range(0, 21 // size * size, size)
        ]
        entries[name] = entry(f"{name.title()} nets averaged", groups)
    for name, (title, parts) in VARIANTS.items():
        entries[name] = entry(
            title, [[train(seed, **parts)] for seed in range(5)]
        )
        print(name, entries[name]["test_mean"], flush=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
