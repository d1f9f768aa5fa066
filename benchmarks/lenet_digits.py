"""LeNet-5 on the digits: trains, measures, writes results/lenet-digits.json.

    OMP_NUM_THREADS=1 python benchmarks/lenet_digits.py

takes about ten minutes on one core.  The recipe is chosen by the validation
figures alone: five folds of the 4,000 training digits, fold k being digits 80k
to 80k + 79 of each class, because neighbours in the file often share a writer.
Then each seed trains on all 4,000 and reads the 1,000 test digits once.
"""

import argparse
import hashlib
import json
import os
import platform
import statistics
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cnnbook import data, nets, training
from cnnbook.nets import lenet

RESULT = Path(__file__).parents[1] / "results" / "lenet-digits.json"
FOLDS = range(5)


def dense_net() -> nn.Module:
    """No shared weights: 1,024 pixels, 60 hidden units, 10 classes."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(1024, 60), nn.ReLU(), nn.Linear(60, 10)
    )


NETS = {
    "modern": {
        "title": "LeNet-5, the modern twin",
        "build": lambda: nets.lenet5("modern"),
        "seeds": range(5),
        "loss": None,
    },
    "1998": {
        "title": "LeNet-5 as published in 1998, criterion of equation 9",
        "build": lambda: nets.lenet5("1998"),
        "seeds": range(5),
        "loss": lenet.map_loss,
    },
    "dense": {
        "title": "Fully connected, one hidden layer of 60 units",
        "build": dense_net,
        "seeds": range(5),
        "loss": None,
    },
}

RECIPE = {
    "input": "enlarged bilinearly from 20x20 to 28x28 inside 32x32; "
    "paper -0.1, ink 1.175",
    "distortion": "every digit, every epoch: rotation up to 8 degrees, shear "
    "up to 0.1, each axis scaled by exp(+-0.1), shift up to 2 pixels, elastic "
    "bend through 4x4 knots of standard deviation 1 pixel",
    "optimiser": "AdamW, weight decay 0.02, batches of 50, 40 epochs",
    "rate": "one cycle up to 0.004, rising for 20 % of the steps",
    "loss": "cross-entropy, labels smoothed by 0.05; "
    "the 1998 net: equation 9 of the paper with j = 1",
    "at test time": "one forward pass of one net, no averaging",
}

QUOTED = [
    {"method": "RBF-SVM on raw pixels", "test_accuracy": 0.955},
    {
        "method": "deskewing, 64-bin HOG, RBF-SVM",
        "test_accuracy": 0.970,
    },
]


def train(net_name: str, seed: int, images, labels) -> tuple[nn.Module, dict]:
    """A net trained from *seed*, and the seconds that it took."""
    torch.manual_seed(seed)
    chosen = NETS[net_name]
    net = chosen["build"]()
    wall, cpu = time.perf_counter(), time.process_time()
    training.fit_digits(net, images, labels, seed=seed, loss=chosen["loss"])
    return net, {
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "wall_seconds": round(time.perf_counter() - wall, 1),
    }


def validate(net_name: str, fold: int) -> float:
    """Train on four fifths of the training digits, read the other fifth."""
    digits = data.load("digits")
    index = torch.arange(len(digits.train_labels)) % 400
    held_out = index // 80 == fold
    images, labels = digits.train_images, digits.train_labels
    net, _ = train(net_name, fold, images[~held_out], labels[~held_out])
    return training.accuracy(net, images[held_out], labels[held_out])


def measure(net_name: str) -> dict:
    """The entry of one net in the result."""
    digits = data.load("digits")
    validation = []
    for fold in FOLDS:
        validation.append(round(validate(net_name, fold), 5))
        print(net_name, "fold", fold, validation[-1], flush=True)
    runs = []
    for seed in NETS[net_name]["seeds"]:
        net, seconds = train(
            net_name, seed, digits.train_images, digits.train_labels
        )
        right = training.accuracy(net, digits.test_images, digits.test_labels)
        runs.append({"seed": seed, "test_accuracy": round(right, 4)} | seconds)
        print(net_name, runs[-1], flush=True)
        if net_name == "modern" and seed == 0:
            save(net)
    accuracies = [run["test_accuracy"] for run in runs]
    return {
        "title": NETS[net_name]["title"],
        "parameters": sum(p.numel() for p in net.parameters()),
        "validation_accuracy": validation,
        "validation_mean": round(statistics.mean(validation), 5),
        "runs": runs,
        "test_mean": round(statistics.mean(accuracies), 5),
        "test_std": round(statistics.stdev(accuracies), 5),
    }


def save(net: nn.Module) -> None:
    """Store the weights that travel with the package."""
    weights = {name: t.numpy() for name, t in net.state_dict().items()}
    lenet.TRAINED_FILE.parent.mkdir(exist_ok=True)
    np.savez_compressed(lenet.TRAINED_FILE, **weights)
    found = hashlib.sha256(lenet.TRAINED_FILE.read_bytes()).hexdigest()
    print(f"TRAINED_SHA256 = {found!r}  # for cnnbook/nets/lenet.py")


def processor() -> str:
    """The processor's own name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line for line in lines if line.startswith("model name")]
    return names[0].split(":")[1].strip() if names else platform.machine()


def made_with(times: str) -> dict[str, dict]:
    """The versions and the machine of a record, and what its times are."""
    return {
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "hardware": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "times": times,
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs="*", default=list(NETS))
    chosen = parser.parse_args().nets
    torch.set_num_threads(1)
    entries = {}
    if RESULT.exists() and set(chosen) != set(NETS):
        entries = json.loads(RESULT.read_text())["nets"]
    result = {
        "name": "lenet-digits",
        "command": "OMP_NUM_THREADS=1 python benchmarks/lenet_digits.py",
        "date": date.today().isoformat(),
        "data": "cnnbook.data.load('digits'): 4,000 train, 1,000 test",
        "protocol": "recipe chosen by the mean validation accuracy of the "
        "modern twin over five folds of the training digits; the test digits "
        "are read once per seed, by the net trained on all 4,000; the "
        "standard deviation is over seeds (n - 1)",
        "recipe": RECIPE,
        **made_with(
            "training alone; cpu_seconds are the process's own, "
            "wall_seconds depend on what else the machine was doing",
        ),
        "nets": entries,
        "quoted": {
            "note": "measured once on the same split, "
            "not measured again by this command",
            "methods": QUOTED,
        },
    }
    for net_name in chosen:
        entries[net_name] = measure(net_name)
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
