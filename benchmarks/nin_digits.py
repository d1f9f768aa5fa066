"""What the chapter on 1 x 1 convolutions records: results/nin-digits.json.

    OMP_NUM_THREADS=1 python benchmarks/nin_digits.py
    python benchmarks/nin_digits.py heads    # this part anew, no other

takes a quarter of an hour on one core, and has three parts.  `last_relu`
trains the small Network in Network with and without the ReLU behind its class
maps, and counts the classes whose map nothing lights.  `heads` ends the same
layers in three ways, learns from few digits and from many, and moves the test
digits.
`necks` squeezes the maps before the last window through fewer maps: by
training so, and by cutting a trained layer to its largest singular values.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.lenet_digits import processor  # noqa: E402
from cnnbook import data, nets, training  # noqa: E402

RESULT = ROOT / "results" / "nin-digits.json"
DIGITS = data.load("digits")
LABELS, TEST_LABELS = DIGITS.train_labels, DIGITS.test_labels
IMAGES = training.prepare(DIGITS.train_images)
TEST_IMAGES = training.prepare(DIGITS.test_images)
PAPER = -0.1  # what training.prepare makes of white


class Small(nn.Module):
    """The small Network in Network, its end and its neck to choose.

    The head is *mean*: the mean of each class map; *maps*: one dense layer on
    the class maps' pixels; or *dense*: three dense layers, as in AlexNet.
    """

    def __init__(
        self, head: str = "mean", relu: bool = False, neck: int | None = None
    ) -> None:
        super().__init__()
        net = nets.small_nin()
        self.body, last = net.layers[:-1], net.layers[-1]
        self.conv, self.mlp1, self.mlp2 = last.conv, last.mlp1, last.mlp2
        self.relu, self.head, self.fc = relu, head, nn.Flatten()
        if neck:
            self.conv = nn.Sequential(
                nn.Conv2d(48, neck, 1, bias=False),
                nn.Conv2d(neck, 48, 3, padding=1),
            )
        if head == "maps":
            self.fc = nn.Sequential(nn.Flatten(), nn.Linear(10 * 4 * 4, 10))
        if head == "dense":
            self.fc = nn.Sequential(
                nn.Flatten(),
                nn.Linear(48 * 4 * 4, 256),
                nn.ReLU(),
                nn.Linear(256, 256),
                nn.ReLU(),
                nn.Linear(256, 10),
            )

    def maps(self, x: Tensor) -> Tensor:  # (N, 1, 32, 32)
        x = F.relu(self.conv(self.body(x)))
        x = F.relu(self.mlp1(x))  # (N, 48, 4, 4)
        if self.head == "dense":
            return x
        x = self.mlp2(x)  # (N, 10, 4, 4)
        return F.relu(x) if self.relu else x

    def forward(self, x: Tensor) -> Tensor:
        x = self.maps(x)
        return x.mean(dim=(2, 3)) if self.head == "mean" else self.fc(x)


def train(
    net: nn.Module, images: Tensor, labels: Tensor, epochs: int
) -> nn.Module:
    """Adam, batches of 50, every digit as it is."""
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
    net.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(50):
            loss = F.cross_entropy(net(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return net.eval()


@torch.no_grad()
def right(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    correct = int((net(images).argmax(dim=1) == labels).sum())
    return round(correct / len(labels), 5)


def cell(runs: Sequence[dict], **what: object) -> dict:
    """The runs of one setting with the mean and spread of each measure."""
    found = {**what, "runs": list(runs)}
    for measure in runs[0]:
        if measure == "seed":
            continue
        values = [run[measure] for run in runs]
        found[f"{measure}_mean"] = round(statistics.mean(values), 5)
        found[f"{measure}_std"] = round(statistics.stdev(values), 5)
    print(what, found["test_accuracy_mean"], flush=True)
    return found


# ---- The ReLU behind the class maps ----


@torch.no_grad()
def dead_maps(net: Small) -> int:
    """How many class maps are above zero at no place of any test digit."""
    lit = (net.maps(TEST_IMAGES) > 0).any(dim=0).flatten(1).any(dim=1)
    return int((~lit).sum())


def last_relu() -> dict:
    cells = []
    for relu in (True, False):
        runs = []
        for seed in range(10):
            torch.manual_seed(seed)
            net = train(Small(relu=relu), IMAGES, LABELS, epochs=3)
            runs.append(
                {
                    "seed": seed,
                    "test_accuracy": right(net, TEST_IMAGES, TEST_LABELS),
                    "dead": dead_maps(net),
                }
            )
        cells.append(cell(runs, relu=relu))
    return {
        "protocol": "three passes over the 4,000 training digits; dead: class "
        "maps above zero nowhere on the 1,000 test digits; deviations over "
        "seeds (n - 1)",
        "cells": cells,
    }


# ---- The head, and where the digit stands ----

EPOCHS = {20: 40, 100: 12, 400: 4}
MOVE = 4


def moved(images: Tensor) -> list[Tensor]:
    """The pictures moved up, down, left and right, with white behind them."""
    wide = F.pad(images, (MOVE,) * 4, value=PAPER)
    side, far = images.shape[-1], 2 * MOVE
    corners = [(far, MOVE), (0, MOVE), (MOVE, far), (MOVE, 0)]
    return [
        wide[..., top : top + side, left : left + side]
        for top, left in corners
    ]


def heads() -> dict:
    place = torch.arange(len(LABELS)) % 400
    cells = []
    for each, epochs in EPOCHS.items():
        images, labels = IMAGES[place < each], LABELS[place < each]
        for head in ("mean", "maps", "dense"):
            runs = []
            for seed in range(5):
                torch.manual_seed(seed)
                net = train(Small(head), images, labels, epochs)
                shifted = [
                    right(net, pictures, TEST_LABELS)
                    for pictures in moved(TEST_IMAGES)
                ]
                runs.append(
                    {
                        "seed": seed,
                        "train_accuracy": right(net, images, labels),
                        "test_accuracy": right(net, TEST_IMAGES, TEST_LABELS),
                        "moved_accuracy": round(statistics.mean(shifted), 5),
                    }
                )
            size = sum(p.numel() for p in net.parameters())
            cells.append(cell(runs, head=head, each=each, parameters=size))
    return {
        "protocol": f"each: training digits a class, {EPOCHS} passes over "
        "them; no ReLU behind the class maps; mean: the mean of each, maps: "
        "a dense layer on their 160 values, dense: 768-256-256-10 in their "
        f"place; moved: the test digits moved by {MOVE} of 32 pixels up, "
        "down, left, right, the mean of the four; deviations over seeds "
        "(n - 1)",
        "cells": cells,
    }


# ---- The neck ----

WIDTHS = (1, 2, 4, 8, 16, 32)


def cut(conv: nn.Conv2d, rank: int) -> nn.Sequential:
    """The two layers through *rank* maps that come nearest to *conv*."""
    matrix = conv.weight.detach().permute(0, 2, 3, 1).flatten(0, 2)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    side = conv.kernel_size[0]
    reduce = nn.Conv2d(conv.in_channels, rank, 1, bias=False)
    window = nn.Conv2d(rank, conv.out_channels, side, padding=conv.padding)
    reduce.weight.data = v[:rank, :, None, None].clone()
    kernel = (u * s)[:, :rank].unflatten(0, (-1, side, side))
    window.weight.data = kernel.permute(0, 3, 1, 2).contiguous()
    window.bias.data = conv.bias.detach()
    return nn.Sequential(reduce, window)


def necks() -> dict:
    cells = []
    whole, runs = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        net = train(Small(), IMAGES, LABELS, epochs=4)
        whole.append((seed, net, net.conv))
        found = right(net, TEST_IMAGES, TEST_LABELS)
        runs.append({"seed": seed, "test_accuracy": found})
    cells.append(cell(runs, how="whole", maps=48))
    for width in WIDTHS:
        runs = []
        for seed, net, conv in whole:
            net.conv = cut(conv, width)
            found = right(net, TEST_IMAGES, TEST_LABELS)
            runs.append({"seed": seed, "test_accuracy": found})
        cells.append(cell(runs, how="cut", maps=width))
        runs = []
        for seed in range(3):
            torch.manual_seed(seed)
            net = train(Small(neck=width), IMAGES, LABELS, epochs=4)
            found = right(net, TEST_IMAGES, TEST_LABELS)
            runs.append({"seed": seed, "test_accuracy": found})
        cells.append(cell(runs, how="trained", maps=width))
    return {
        "protocol": "four passes over the 4,000 training digits; the 48 maps "
        "before the last 3x3 window go through fewer, without a ReLU. "
        "trained: from the start; cut: the trained whole layer's largest "
        "singular values, nothing trained after; deviations over seeds "
        "(n - 1)",
        "cells": cells,
    }


PARTS = {"last_relu": last_relu, "heads": heads, "necks": necks}


def main() -> None:
    """Train the chosen parts and write the record after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "parts", nargs="*", metavar="part", default=list(PARTS)
    )
    chosen = parser.parse_args().parts
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no part {', '.join(unknown)}; try {', '.join(PARTS)}")
    torch.set_num_threads(1)
    for name in chosen:
        result = {
            "name": RESULT.stem,
            "command": "OMP_NUM_THREADS=1 python benchmarks/nin_digits.py",
            "date": date.today().isoformat(),
            "data": "cnnbook.data.load('digits'): 4,000 train, 1,000 test, as "
            "training.prepare enlarges them to 28x28 inside 32x32",
            "net": "nets.small_nin(), its end changed as each part says; "
            "Adam at 0.002, batches of 50, no distortion",
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "numpy": np.__version__,
            },
            "hardware": {
                "processor": processor(),
                "cores": os.cpu_count(),
                "threads": torch.get_num_threads(),
            },
        }
        if RESULT.exists():
            old = json.loads(RESULT.read_text())
            result |= {part: old[part] for part in PARTS if part in old}
        started = time.process_time()
        part = PARTS[name]()
        part["cpu_seconds"] = round(time.process_time() - started)
        result[name] = part
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
