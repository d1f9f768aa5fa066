"""Deeper and worse: writes results/degradation.json.

    OMP_NUM_THREADS=1 python benchmarks/degradation.py

takes about three quarters of an hour on one free core.  It trains plain and
residual networks of 8 to 56 layers on the digits, all with one setting, and
writes down the error on training and test digits after each epoch and, at some
moments, how large the gradient is in each layer.  The file grows by one
network at a time; called again, the program goes on where it stopped.  At the
end it writes what the depth explorer shows.
"""

import copy
import json
import time
from datetime import date
from pathlib import Path

import torch
import torch.nn.functional as F
from lenet_digits import made_with
from torch import Tensor, nn

from cnnbook import data, training
from cnnbook.nets.cifar_resnet import CifarResNet
from cnnbook.widgets import depth_explorer

RESULT = Path(__file__).parents[1] / "results" / "degradation.json"
KINDS = {"plain": "none", "residual": "A"}  # A: no parameter more than plain
ORDER = (56, 20, 8, 32, 44)
SEEDS = range(3)
EPOCHS, BATCH, RATE, WARM = 20, 64, 0.05, 2
MOMENTS = (0, 1, 2, 5, 10, 20)

SETTING = {
    "net": "CifarResNet of width 8 (8-16-32 maps), 6n + 2 layers, He's first "
    "weights, batch norm after every convolution; residual with shortcut A, "
    "so that a pair has the same layers and the same number of parameters",
    "input": "the digits as training.prepare gives them, 32 by 32, averaged "
    "over 2 by 2 to 16 by 16; for learning bent by training.distort, anew at "
    "each epoch",
    "optimiser": "SGD, momentum 0.9, weight decay 0.0001 (as the paper), "
    "batches of 64, 20 epochs of 4,000 digits",
    "rate": "0.05 (the paper's 0.1 is for batches of 128), divided by ten "
    "after epochs 10 and 15, at the paper's half and three quarters; in the "
    "first two epochs it rises in proportion to the square of the step, "
    "because gradients of a new plain net are too large in the first layers "
    "for any such rate, and a first step at full rate would spoil the net "
    "for a reason that is not under study",
    "choice": "fixed after three trials with seed 0, of which none was "
    "dropped for showing less: rate 0.1 in batches of 128 without the slow "
    "start (both kinds, 20 and 56 layers, 12 epochs), 0.02 in batches of 64 "
    "without it (both nets of 56 layers, 10 epochs), 0.1 in batches of 64 "
    "with it (plain-56 alone, 7 epochs); plain-56 ended with 54, 63 and 90 % "
    "of the training digits wrong, each other net with less than 3 %",
}
MEASURES = {
    "loss": "cross-entropy, mean over the epoch, on bent digits",
    "seen_error": "share of the bent digits read wrong while learning from "
    "them, over the epoch",
    "train_error": "share read wrong of 1,000 training digits (every "
    "fourth), not bent, after the epoch, in eval mode",
    "test_error": "the same of the 1,000 test digits",
    "gradient": "per convolution, first to last: the norm of the gradient of "
    "the loss on 500 training digits (every eighth), not bent, in train mode",
    "weight": "per convolution: the norm of its weights; the products of "
    "both do not change when a layer's weights are rescaled",
    "moments": "numbers of epochs done when gradients were measured",
}

DIGITS = data.load("digits")
LABELS = DIGITS.train_labels


def small(images: Tensor) -> Tensor:
    """16 by 16 pixels from 32 by 32."""
    return F.avg_pool2d(images, 2)


STILL = small(training.prepare(DIGITS.train_images))
TEST = small(training.prepare(DIGITS.test_images))


def error(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of the images read wrong, in eval mode."""
    net.eval()
    with torch.no_grad():
        return int((net(images).argmax(dim=1) != labels).sum()) / len(labels)


def norms(net: nn.Module) -> tuple[list[float], list[float]]:
    """Of the gradient and of the weights, for each convolution."""
    net = copy.deepcopy(net).train()  # its running statistics stay
    F.cross_entropy(net(STILL[::8]), LABELS[::8]).backward()
    layers = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d)]
    return (
        [significant(weight.grad.norm()) for weight in layers],
        [significant(weight.detach().norm()) for weight in layers],
    )


def significant(value: Tensor | float) -> float:
    """Three significant digits."""
    return float(f"{float(value):.3g}")


def rate(step: int, steps: int) -> float:
    """The learning rate of a step, the first being 1."""
    epoch = (step - 1) // steps
    warm = min(1.0, step / (WARM * steps)) ** 2
    return RATE * warm * 0.1 ** ((epoch >= 10) + (epoch >= 15))


def train(kind: str, depth: int, seed: int) -> dict:
    """One network from its first weights to the last epoch."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = CifarResNet(depth, in_channels=1, option=KINDS[kind], width=8)
    optimiser = torch.optim.SGD(
        net.parameters(), RATE, momentum=0.9, weight_decay=1e-4
    )
    run: dict = {"kind": kind, "depth": depth, "seed": seed}
    run |= {"parameters": sum(p.numel() for p in net.parameters())}
    run |= {"cpu_seconds": 0.0, "loss": [], "seen_error": []}
    run |= {"train_error": [], "test_error": []}
    run |= {"gradient": [], "weight": []}
    for found, name in zip(norms(net), ("gradient", "weight"), strict=True):
        run[name].append(found)
    began, step = time.process_time(), 0
    for epoch in range(1, EPOCHS + 1):
        net.train()
        bent = small(training.distort(DIGITS.train_images, generator))
        batches = torch.randperm(len(bent), generator=generator).split(BATCH)
        total, wrong = 0.0, 0
        for batch in batches:
            step += 1
            for group in optimiser.param_groups:
                group["lr"] = rate(step, len(batches))
            outputs = net(bent[batch])
            loss = F.cross_entropy(outputs, LABELS[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(batch)
            wrong += int((outputs.argmax(dim=1) != LABELS[batch]).sum())
        run["loss"].append(significant(total / len(bent)))
        run["seen_error"].append(round(wrong / len(bent), 4))
        run["train_error"].append(error(net, STILL[::4], LABELS[::4]))
        run["test_error"].append(error(net, TEST, DIGITS.test_labels))
        if epoch in MOMENTS:
            for found, name in zip(
                norms(net), ("gradient", "weight"), strict=True
            ):
                run[name].append(found)
    run["cpu_seconds"] = round(time.process_time() - began, 1)
    return run


def write(result: dict) -> None:
    """One line for each run; replaces the file only when it is whole."""
    head = {name: part for name, part in result.items() if name != "runs"}
    head["runs"] = ["RUNS"]
    lines = ",\n".join(f"  {json.dumps(run)}" for run in result["runs"])
    text = json.dumps(head, indent=1).replace('  "RUNS"', lines)
    fresh = RESULT.with_suffix(".part")
    fresh.write_text(f"{text}\n", encoding="utf-8")
    fresh.replace(RESULT)


def main() -> None:
    torch.set_num_threads(1)
    result = {
        "name": "degradation",
        "command": "OMP_NUM_THREADS=1 python benchmarks/degradation.py",
        "date": date.today().isoformat(),
        "data": "cnnbook.data.load('digits'): 4,000 to learn from, 1,000 for "
        "the test",
        "setting": SETTING,
        "measures": MEASURES,
        "moments": list(MOMENTS),
        **made_with(
            "the process's own processor time, training and "
            "measuring, on a machine that was busy with other work",
        ),
        "runs": [],
    }
    if RESULT.exists():
        recorded = json.loads(RESULT.read_text())
        if recorded["setting"] == SETTING:
            result["runs"] = recorded["runs"]
    done = {(r["kind"], r["depth"], r["seed"]) for r in result["runs"]}
    pairs = [(depth, seed) for depth in ORDER[:2] for seed in SEEDS]
    pairs.sort(key=lambda pair: pair[1])
    pairs += [(depth, seed) for depth in ORDER[2:] for seed in SEEDS]
    for depth, seed in pairs:
        for kind in KINDS:
            if (kind, depth, seed) in done:
                continue
            run = train(kind, depth, seed)
            result["runs"].append(run)
            write(result)
            last = run["train_error"][-1], run["test_error"][-1]
            print(kind, depth, seed, *last, run["cpu_seconds"], flush=True)
    shown = json.dumps(depth_explorer.summary(result), separators=(",", ":"))
    depth_explorer.RUNS_FILE.write_text(f"{shown}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
