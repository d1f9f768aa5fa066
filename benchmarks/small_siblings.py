"""The small siblings on the digits: trains them, writes their result.

    OMP_NUM_THREADS=1 python benchmarks/small_siblings.py
    python benchmarks/small_siblings.py nin resnet   # these anew, no others

All of them take about half an hour on one core.  The recipe is LeNet-5's, see
lenet_digits.py; the epochs are as many as fit well into a minute.  The
validation figures are those of three of its five folds.
"""

import argparse
import json
import os
import statistics
import sys
import time
from datetime import date
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.lenet_digits import RECIPE, made_with  # noqa: E402
from cnnbook import data, nets, training  # noqa: E402

RESULT = ROOT / "results" / "small-siblings.json"
FOLDS, SEEDS, LIMIT = range(3), range(3), 60

NETS = {  # what it is, how it is built, how many epochs fit
    "lenet": ("LeNet-5, the modern twin", partial(nets.lenet5, "modern"), 40),
    "alexnet": ("AlexNet's small sibling", nets.small_alexnet, 8),
    "zfnet": ("ZFNet's small sibling", nets.small_zfnet, 10),
    "nin": ("Network in Network's small sibling", nets.small_nin, 14),
    "vgg": ("VGG's small sibling", nets.small_vgg, 10),
    "googlenet": ("GoogLeNet's small sibling", nets.small_googlenet, 10),
    "resnet": ("ResNet's small sibling, 8 layers", nets.small_resnet, 6),
    "plain": (
        "The same 8 layers without shortcuts",
        partial(nets.plain, 8, in_channels=1),
        6,
    ),
}


def train(
    name: str, seed: int, images: Tensor, labels: Tensor
) -> tuple[nn.Module, dict]:
    """A net trained from *seed*, and the seconds that it took."""
    _, build, epochs = NETS[name]
    torch.manual_seed(seed)
    net = build()
    wall, cpu = time.perf_counter(), time.process_time()
    training.fit_digits(net, images, labels, seed=seed, epochs=epochs)
    return net, {
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "wall_seconds": round(time.perf_counter() - wall, 1),
    }


def measure(name: str) -> dict:
    """The entry of one net in the result."""
    digits = data.load("digits")
    images, labels = digits.train_images, digits.train_labels
    validation, runs = [], []
    for fold in FOLDS:
        held_out = torch.arange(len(labels)) % 400 // 80 == fold
        net, _ = train(name, fold, images[~held_out], labels[~held_out])
        right = training.accuracy(net, images[held_out], labels[held_out])
        validation.append(round(right, 5))
        print(name, "fold", fold, validation[-1], flush=True)
    for seed in SEEDS:
        net, seconds = train(name, seed, images, labels)
        right = training.accuracy(net, digits.test_images, digits.test_labels)
        runs.append({"seed": seed, "test_accuracy": round(right, 4)} | seconds)
        print(name, runs[-1], flush=True)
    title, _, epochs = NETS[name]
    accuracies = [run["test_accuracy"] for run in runs]
    return {
        "title": f"{title}, {epochs} epochs",
        "parameters": sum(p.numel() for p in net.parameters()),
        "validation_accuracy": validation,
        "validation_mean": round(statistics.mean(validation), 5),
        "runs": runs,
        "test_mean": round(statistics.mean(accuracies), 5),
        "test_std": round(statistics.stdev(accuracies), 5),
    }


def main() -> None:
    """Train the chosen nets and write the result after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs="*", default=list(NETS))
    chosen = parser.parse_args().nets
    torch.set_num_threads(1)
    entries = {}
    if RESULT.exists() and set(chosen) != set(NETS):
        entries = json.loads(RESULT.read_text())["nets"]
    recipe = RECIPE | {
        "optimiser": RECIPE["optimiser"].rpartition(",")[0],
        "epochs": "those in each net's title",
        "loss": "cross-entropy, labels smoothed by 0.05",
    }
    for name in chosen:
        entries[name] = measure(name)
        result = {
            "name": RESULT.stem,
            "command": "OMP_NUM_THREADS=1 python benchmarks/small_siblings.py",
            "date": date.today().isoformat(),
            "data": "cnnbook.data.load('digits'): 4,000 train, 1,000 test",
            "protocol": "LeNet-5's recipe for all, the epochs as many as fit "
            "well into a minute on one thread; validation on the first three "
            "of its five folds of the training digits; the test digits are "
            "read once per seed, by the net trained on all 4,000; the "
            "standard deviation is over seeds (n - 1)",
            "recipe": recipe,
            **made_with(
                "training alone; cpu_seconds are the process's own; "
                "a busy machine lengthens both, wall_seconds more; its load "
                f"at the end was {os.getloadavg()[2]:.0f}",
            ),
            "nets": {n: entries[n] for n in NETS if n in entries},
        }
        RESULT.write_text(json.dumps(result, indent=2) + "\n")
        slowest = max(run["cpu_seconds"] for run in entries[name]["runs"])
        print(f"{name}: {slowest} s at most", end="")
        print("" if slowest <= LIMIT else ", over the limit of a minute")


if __name__ == "__main__":
    main()
