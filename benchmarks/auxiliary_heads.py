"""What GoogLeNet's second heads do: writes results/auxiliary-heads.json.

    OMP_NUM_THREADS=1 python benchmarks/auxiliary_heads.py
    python benchmarks/auxiliary_heads.py sibling   # this setting anew

takes about half an hour on one core.  Each network is trained from the same
first weights with its heads and without: the small sibling of the book, with
three modules and one head, and one as deep as the paper's, with all of its
nine modules and both heads at an eighth of the width, from three first states.
On the way the gradients of the last loss and of the heads' losses are measured
apart, layer by layer.
"""

import argparse
import copy
import json
import re
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.lenet_digits import made_with  # noqa: E402
from cnnbook import data, nets, training  # noqa: E402
from cnnbook.nets.common import glorot, he  # noqa: E402
from cnnbook.nets.googlenet import TABLE  # noqa: E402
from cnnbook.nets.inception import (  # noqa: E402
    Auxiliary,
    Conv,
    Inception,
    NormedConv,
)

RESULT = ROOT / "results" / "auxiliary-heads.json"
DIGITS = data.load("digits")
WEIGHT, EPOCHS, SEEDS = 0.3, 10, range(3)
MOMENTS = (0, 1, 2, 4, 7, 10)


class Eighth(nn.Module):
    """Table 1 with every width divided by eight, both heads, no strides."""

    def __init__(self, conv: type[nn.Module] = Conv) -> None:
        super().__init__()
        self.auxiliary = True
        self.conv1 = conv(1, 8, 5, padding=2)
        self.conv2 = conv(8, 8, 1)
        self.conv3 = conv(8, 24, 3, padding=1)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        channels = 24
        for name, widths in TABLE.items():
            eighth = tuple(width // 8 for width in widths)
            module = Inception(channels, eighth, conv)
            setattr(self, f"inception{name}", module)
            channels = eighth[0] + eighth[2] + eighth[4] + eighth[5]
            if name in ("4a", "4d"):
                head = Auxiliary(channels, 10, conv, nn.AdaptiveAvgPool2d(4))
                head.conv = conv(channels, 16, 1)
                head.fc1 = nn.Linear(16 * 4 * 4, 128)
                head.fc2 = nn.Linear(128, 10)
                setattr(self, f"auxiliary{name}", head)
        self.drop = nn.Dropout(0.4)
        self.fc = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Logits; while training with heads, those of the heads as well."""
        x = self.pool(self.conv1(x))  # (N, 8, 16, 16)
        x = self.pool(self.conv3(self.conv2(x)))  # (N, 24, 8, 8)
        heads = []
        for name in TABLE:
            if name in ("4a", "5a"):
                x = self.pool(x)
            x = getattr(self, f"inception{name}")(x)
            head = getattr(self, f"auxiliary{name}", None)
            if head and self.auxiliary and self.training:
                heads.append(head(x))
        x = self.fc(self.drop(x.mean(dim=(2, 3))))
        return (x, *heads) if heads else x


def deep(
    first_weights: Callable[[nn.Module], None], conv: type[nn.Module] = Conv
) -> nn.Module:
    """An `Eighth` with these first weights."""
    net = Eighth(conv)
    first_weights(net)
    return net


SETTINGS = {  # what it is, how it is built, the highest rate
    "sibling": (
        "The small sibling: 10 layers, one head, He's first weights",
        partial(nets.small_googlenet, auxiliary=True),
        0.02,
    ),
    "glorot": (
        "22 layers, two heads, Glorot's first weights",
        partial(deep, glorot),
        0.05,
    ),
    "glorot, slow": (
        "22 layers, two heads, Glorot's first weights, a lower rate",
        partial(deep, glorot),
        0.02,
    ),
    "he": (
        "22 layers, two heads, He's first weights",
        partial(deep, he),
        0.01,
    ),
    "batch norm": (
        "22 layers, two heads, He's first weights, batch norm",
        partial(deep, he, NormedConv),
        0.05,
    ),
}


def losses(net: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The loss at the end, and the weighted losses of the heads."""
    outputs = net(x)
    if isinstance(outputs, Tensor):
        outputs = (outputs,)
    last, *heads = (F.cross_entropy(logits, y) for logits in outputs)
    return last, WEIGHT * sum(heads, torch.zeros(()))


def watched(net: nn.Module) -> dict[str, nn.Parameter]:
    """Filters along the way: the stem's, and each module's 3 by 3."""
    names = ["conv1", "conv2", "conv3"]
    names += [
        f"{name}.b3.1"
        for name, module in net.named_children()
        if isinstance(module, Inception)
    ]
    return {
        name.removesuffix(".b3.1"): net.get_submodule(f"{name}.0").weight
        for name in names
    }


def gradients(net: nn.Module) -> dict[str, list[float | None]]:
    """Of each watched layer: the norms of both gradients, their cosine.

    On 200 training digits, undistorted, with all dropouts silent, by a copy:
    batch norm would learn from the look.
    """
    net = copy.deepcopy(net).train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    images = training.prepare(DIGITS.train_images[::20])
    both = losses(net, images, DIGITS.train_labels[::20])
    layers = list(watched(net).values())
    found = {"last": [], "heads": [], "cosine": []}
    last = torch.autograd.grad(both[0], layers, retain_graph=True)
    heads = [None] * len(layers)
    if both[1].requires_grad:
        heads = torch.autograd.grad(both[1], layers, allow_unused=True)
    for one, other in zip(last, heads, strict=True):
        found["last"].append(rounded(one.norm()))
        behind = other is None
        found["heads"].append(None if behind else rounded(other.norm()))
        cosine = None
        if not behind:
            cosine = F.cosine_similarity(one.flatten(), other.flatten(), 0)
            cosine = round(cosine.item(), 2)
        found["cosine"].append(cosine)
    return found


def rounded(value: Tensor) -> float:
    """Three digits, whatever the size."""
    return float(f"{value.item():.2e}")


@torch.no_grad()
def error(net: nn.Module, which: str) -> float:
    """The share of the digits that the net reads wrong."""
    net.eval()
    images = getattr(DIGITS, f"{which}_images")
    labels = getattr(DIGITS, f"{which}_labels")
    wrong = sum(
        int((net(training.prepare(part)).argmax(1) != true).sum())
        for part, true in zip(
            images.split(500), labels.split(500), strict=True
        )
    )
    return round(wrong / len(labels), 5)


def train(setting: str, seed: int, heads: bool) -> dict:
    """One network, watched at the moments."""
    _, build, rate = SETTINGS[setting]
    torch.manual_seed(seed)
    net = build()
    net.auxiliary = heads
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(
        net.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4
    )
    steps = EPOCHS * len(DIGITS.train_images) // 50
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        rate,
        total_steps=steps,
        pct_start=0.2,
        cycle_momentum=False,
    )
    run = {"seed": seed, "test_error": [error(net, "test")]}
    run |= {"train_error": [error(net, "train")], "gradients": []}
    run["gradients"].append(gradients(net))
    seconds = 0.0
    for epoch in range(1, EPOCHS + 1):
        start = time.process_time()
        net.train()
        bent = training.distort(DIGITS.train_images, generator)
        order = torch.randperm(len(bent), generator=generator)
        for batch in order.split(50):
            loss = sum(losses(net, bent[batch], DIGITS.train_labels[batch]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cycle.step()
        seconds += time.process_time() - start
        run["test_error"].append(error(net, "test"))
        if epoch in MOMENTS:
            run["train_error"].append(error(net, "train"))
            run["gradients"].append(gradients(net))
    return run | {"cpu_seconds": round(seconds, 1)}


def measure(setting: str) -> dict:
    """The entry of one setting: with heads and without, every seed."""
    title, build, rate = SETTINGS[setting]
    net = build()
    trunk = [
        parameter.numel()
        for name, parameter in net.named_parameters()
        if not name.startswith("auxiliary")
    ]
    everything = sum(p.numel() for p in net.parameters())
    entry = {"title": title, "rate": rate, "parameters": sum(trunk)}
    entry["parameters_of_heads"] = everything - sum(trunk)
    entry["layers"] = list(watched(net))
    for name, heads in (("without", False), ("with", True)):
        runs = []
        for seed in SEEDS:
            runs.append(train(setting, seed, heads))
            print(setting, name, seed, runs[-1]["test_error"], flush=True)
        ends = [run["test_error"][-1] for run in runs]
        entry[name] = {
            "runs": runs,
            "test_error_mean": round(statistics.mean(ends), 5),
            "test_error_std": round(statistics.stdev(ends), 5),
        }
    return entry


def main() -> None:
    """Train the chosen settings and write the result after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", nargs="*", default=list(SETTINGS))
    chosen = parser.parse_args().settings
    if unknown := set(chosen) - set(SETTINGS):
        parser.error(f"no {', '.join(unknown)}; try {', '.join(SETTINGS)}")
    torch.set_num_threads(1)
    entries = {}
    if RESULT.exists():
        entries = json.loads(RESULT.read_text())["settings"]
    for setting in chosen:
        entries[setting] = measure(setting)
        result = {
            "name": RESULT.stem,
            "command": "OMP_NUM_THREADS=1 python "
            "benchmarks/auxiliary_heads.py",
            "date": date.today().isoformat(),
            "data": "cnnbook.data.load('digits'): 4,000 train, 1,000 test",
            "protocol": "training.distort at every pass; SGD, momentum 0.9, "
            "weight decay 0.0005, batches of 50, 10 epochs, one cycle of the "
            "rate rising for 20 % of the steps; cross-entropy, plus 0.3 of "
            "each head's; the same first weights with the heads and without; "
            "the rates are the best of two or three that were tried without "
            "heads on held-out training digits; of Glorot's, both. "
            "test_error: after each epoch. At the moments: train_error, on "
            "undistorted digits; gradients: norms of those of the last loss "
            "and of the heads' weighted losses, and their cosine, on 200 "
            "training digits with dropout off. Deviations are over seeds "
            "(n - 1)",
            "moments": list(MOMENTS),
            "weight": WEIGHT,
            **made_with(
                "training alone; cpu_seconds are the process's own",
            ),
            "settings": {n: entries[n] for n in SETTINGS if n in entries},
        }
        text = json.dumps(result, indent=1)
        text = re.sub(  # a list of numbers on one line
            r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text
        )
        RESULT.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
