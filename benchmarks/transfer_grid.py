"""What the chapter on transfer learning records: results/transfer-grid.json.

    OMP_NUM_THREADS=1 python benchmarks/transfer_grid.py

takes about half an hour on one core, and writes after each seed.  A small
network learns from one of four sources, or from none; then its first blocks
are frozen, and the rest learns to tell the handwritten digits 5 to 9 from so
many examples of each.  Beside this grid: linear probes of every block, lower
rates for what was learned before, what becomes of the source, and rehearsal.
"""

import copy
import json
import os
import platform
import statistics
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook import data, glyphs

RESULT = Path(__file__).parents[1] / "results" / "transfer-grid.json"
SEEDS, DEPTHS = range(5), range(5)
EXAMPLES, SOME = (1, 3, 10, 30, 100, 300), (1, 10, 100)
RATIOS = (1, 0.3, 0.1, 0.03, 0.01, 0)
OLD = (1, 10)
SIGNS = ("hand", "digits", "letters")
SOURCES = {
    "hand": "the handwritten digits 0 to 4",
    "digits": "printed digits",
    "letters": "printed capital letters",
    "stripes": "stripes in five directions, fine and coarse",
    "none": "none: random weights",
}
PARTS = ("sources", "grid", "longer", "probes", "rates", "rehearsal")
WIDTH = 48
RATE, HEAD_RATE, SCRATCH_RATE, PROBE_RATE = 1e-3, 1e-2, 3e-3, 1e-3
STEPS, SOURCE_RATE, SOURCE_STEPS = 200, 4e-3, 400
DIGITS = data.load("digits")
Set = tuple[Tensor, Tensor]


# ---- The network, and how it learns: as in the chapter ----


def block(reads: int, maps: int, side: int = 3, stride: int = 1):
    return nn.Sequential(
        nn.Conv2d(reads, maps, side, stride, side // 2, bias=False),
        nn.BatchNorm2d(maps),
        nn.ReLU(),
    )


def head(classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTH, classes)
    )


def network(classes: int) -> nn.Sequential:
    return nn.Sequential(
        block(1, 16, side=5, stride=2),  # (N, 16, 10, 10)
        block(16, 32, stride=2),  # (N, 32, 5, 5)
        block(32, WIDTH),  # (N, 48, 5, 5)
        block(WIDTH, WIDTH),  # (N, 48, 5, 5)
        head(classes),  # (N, classes)
    )


def fit(net, x, y, rate, head_rate=None, steps=STEPS):
    """Train what of *net* is not frozen; its last part at *head_rate*."""
    net.train()
    groups = [
        {"params": list(net[:-1].parameters()), "lr": rate},
        {"params": list(net[-1].parameters()), "lr": head_rate or rate},
    ]
    groups = [group for group in groups if group["params"]]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    fade = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 0, steps)
    for _ in range(steps):
        batch = torch.randperm(len(x))[:50]
        loss = F.cross_entropy(net(x[batch]), y[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        fade.step()
    net.eval()


@torch.no_grad()
def error(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """The share of the pictures that *net* reads wrong."""
    return int((net(x).argmax(dim=1) != y).sum()) / len(y)


# ---- Sources and the target ----


def handwritten(first: int, split: str) -> Set:
    """The five handwritten digits from *first* on, labelled 0 to 4."""
    images = getattr(DIGITS, f"{split}_images")
    labels = getattr(DIGITS, f"{split}_labels")
    some = (labels >= first) & (labels < first + 5)
    return images[some], labels[some] - first


def source(name: str, seed: int) -> tuple[Set, Set]:
    """2,000 pictures to learn from (2,002 letters), and as many for a test."""
    if name == "hand":
        return handwritten(0, "train"), handwritten(0, "test")
    make = {
        "digits": lambda seed: glyphs.printed("0123456789", 200, seed),
        "letters": lambda seed: glyphs.printed(LETTERS, 77, seed),
        "stripes": lambda seed: glyphs.stripes(200, seed),
    }[name]
    return make(seed), make(1000 + seed)


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
TEST = handwritten(5, "test")


def examples(count: int, seed: int) -> Set:
    """*count* of the first 300 training pictures of each of 5 to 9."""
    draw = torch.Generator().manual_seed(seed)
    images, labels = handwritten(5, "train")
    chosen = torch.cat(
        [
            400 * digit + torch.randperm(300, generator=draw)[:count]
            for digit in range(5)
        ]
    )
    return images[chosen], labels[chosen]


def learned(name: str, seed: int) -> tuple[nn.Sequential, Set]:
    """A network that has learned the source, and the source's test."""
    (x, y), test = source(name, seed)
    torch.manual_seed(seed)
    net = network(int(y.max()) + 1)
    fit(net, x, y, SOURCE_RATE, steps=SOURCE_STEPS)
    return net, test


def with_new_head(net: nn.Sequential | None, x: Tensor, seed: int):
    """A copy that knows nothing of the new classes yet.

    Where there was no source, the weights are random, and the batch norms
    have seen the examples once: else freezing would be unfair to them.
    """
    torch.manual_seed(100 + seed)
    if net is not None:
        net = copy.deepcopy(net)
        net[-1] = head(5)
        return net.eval()
    net = network(5)
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean over all that was seen
    with torch.no_grad():
        net.train()(x)
    for norm in norms:
        norm.momentum = 0.1
    return net.eval()


# ---- What is measured ----


def grid(net: nn.Sequential | None, old: Set | None, seed: int) -> Iterator:
    """Each number of examples and each freezing depth."""
    for count in EXAMPLES:
        x, y = examples(count, seed)
        for frozen in DEPTHS:
            new = with_new_head(net, x, seed)
            with torch.no_grad():
                features = new[:frozen](x)
            rate = RATE if net else SCRATCH_RATE
            head_rate = HEAD_RATE if net or frozen == 4 else SCRATCH_RATE
            fit(new[frozen:], features, y, rate, head_rate)
            found = {"error": error(new, *TEST)}
            if net is not None:
                new[-1] = net[-1]
                found["source_error"] = error(new, *old)
            yield {"examples": count, "frozen": frozen}, found


def longer(seed: int) -> Iterator:
    """From scratch, with the steps that a source would have had, too."""
    for count in EXAMPLES:
        x, y = examples(count, seed)
        new = with_new_head(None, x, seed)
        fit(new, x, y, SCRATCH_RATE, steps=SOURCE_STEPS + STEPS)
        yield {"examples": count}, {"error": error(new, *TEST)}


def probes(net: nn.Sequential | None, seed: int) -> Iterator:
    """A linear classifier on what each block says at 5 by 5 places."""
    for count in EXAMPLES:
        x, y = examples(count, seed)
        for depth in DEPTHS:
            lower = with_new_head(net, x, seed)[:depth]

            @torch.no_grad()
            def features(images: Tensor, lower=lower) -> Tensor:
                maps = lower(images)
                if len(lower):
                    maps = F.adaptive_avg_pool2d(maps, 5)
                return maps.flatten(1)

            seen = features(x)
            probe = nn.Sequential(nn.Linear(seen.shape[1], 5))
            fit(probe, seen, y, PROBE_RATE)
            found = {"error": error(probe, features(TEST[0]), TEST[1])}
            yield {"examples": count, "depth": depth}, found


def rates(net: nn.Sequential, old: Set, seed: int) -> Iterator:
    """All is fine-tuned, the blocks at a share of the head's rate.

    Share 0: no parameter of the blocks moves, but they are in training mode.
    """
    for count in (*SOME, EXAMPLES[-1]):
        x, y = examples(count, seed)
        for ratio in RATIOS:
            new = with_new_head(net, x, seed)
            new[:-1].requires_grad_(ratio > 0)
            fit(new, x, y, ratio * HEAD_RATE, HEAD_RATE)
            found = {"error": error(new, *TEST)}
            new[-1] = net[-1]
            found["source_error"] = error(new, *old)
            yield {"examples": count, "ratio": ratio}, found


class Some(nn.Module):
    """A network of ten classes, asked for the last five alone."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[:, 5:]


class TwoHeads(nn.Module):
    """The new head and the old one, side by side."""

    def __init__(self, new: nn.Module, old: nn.Module) -> None:
        super().__init__()
        self.new, self.old = new, old

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([self.new(maps), self.old(maps)], dim=1)


def rehearsal(
    net: nn.Sequential, learnt: Set, old: Set, seed: int
) -> Iterator:
    """Fine-tuned on the examples and on a few old ones of each class."""
    for count in SOME:
        x, y = examples(count, seed)
        for kept in OLD:
            draw = torch.Generator().manual_seed(seed)
            images, labels = learnt
            order = torch.randperm(len(labels), generator=draw)
            chosen = torch.cat(
                [
                    order[labels[order] == label][:kept]
                    for label in labels.unique()
                ]
            )
            new = with_new_head(net, x, seed)
            heads = TwoHeads(new[-1], copy.deepcopy(net[-1]))
            both = nn.Sequential(*new[:-1], heads)
            mixed = torch.cat([x, images[chosen]])
            answers = torch.cat([y, 5 + labels[chosen]])
            fit(both, mixed, answers, RATE, HEAD_RATE)
            both[-1] = heads.new
            found = {"error": error(both, *TEST)}
            both[-1] = heads.old
            found["source_error"] = error(both, *old)
            yield {"examples": count, "kept": kept}, found


# ---- Writing it down ----


def gather(cells: list[dict], key: dict, found: dict) -> None:
    """Add what one seed found to its cell."""
    cell = next((c for c in cells if key.items() <= c.items()), None)
    if cell is None:
        cells.append(cell := key | {name: [] for name in found})
    for name, value in found.items():
        cell[name].append(round(value, 4))


def summed_up(cells: list[dict]) -> list[dict]:
    """The cells with mean and standard deviation (n - 1) of each list."""
    summary = []
    for cell in cells:
        whole = dict(cell)
        for name, values in cell.items():
            if isinstance(values, list) and len(values) > 1:
                whole[f"{name}_mean"] = round(statistics.mean(values), 5)
                whole[f"{name}_std"] = round(statistics.stdev(values), 5)
        summary.append(whole)
    return summary


def one_seed(seed: int, parts: dict[str, list]) -> None:
    """Everything that is measured with one seed."""
    for name in SOURCES:
        net = old = None
        if name != "none":
            net, old = learned(name, seed)
            found = {"error": error(net, *old)}
            if name == "digits":  # it knows 5 to 9 already, in print
                found["untouched_error"] = error(Some(net), *TEST)
            gather(parts["sources"], {"source": name}, found)
        key = {"source": name}
        for cell, found in grid(net, old, seed):
            gather(parts["grid"], key | cell, found)
        for cell, found in probes(net, seed):
            gather(parts["probes"], key | cell, found)
        if net:
            for cell, found in rates(net, old, seed):
                gather(parts["rates"], key | cell, found)
        if name in SIGNS:
            learnt, _ = source(name, seed)
            for cell, found in rehearsal(net, learnt, old, seed):
                gather(parts["rehearsal"], key | cell, found)
        if name == "none":
            for cell, found in longer(seed):
                gather(parts["longer"], cell, found)
        print(seed, name, f"{time.process_time():.0f} s", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    parts: dict[str, list] = {name: [] for name in PARTS}
    for seed in SEEDS:
        one_seed(seed, parts)
        result = {
            "name": RESULT.stem,
            "command": "OMP_NUM_THREADS=1 python benchmarks/transfer_grid.py",
            "date": date.today().isoformat(),
            "seeds": list(SEEDS)[: seed + 1],
            "data": "the target: cnnbook.data.load('digits'), classes 5 to "
            "9, examples drawn from the first 300 training pictures of each, "
            "errors on the 500 test pictures; the sources: "
            + "; ".join(f"{k}: {v}" for k, v in SOURCES.items())
            + "; 2,000 pictures each (2,002 letters)",
            "protocol": "four blocks of convolution, batch norm and ReLU, "
            f"the mean of each map, one dense layer. Sources: {SOURCE_STEPS} "
            f"steps of AdamW at {SOURCE_RATE}. Target: a new head, {STEPS} "
            f"steps, blocks at {RATE} and head at {HEAD_RATE} (without a "
            f"source {SCRATCH_RATE} but for a head alone, probes at "
            f"{PROBE_RATE}), batches of up to 50, weight decay 0.01, the "
            "rates fall to 0 on a line; no distortions. The rates were "
            "chosen by a trial with two seeds and 10 examples on the last "
            "100 training pictures of each class, which nothing here is "
            "trained on. Frozen blocks are in evaluation mode, but for ratio "
            "0. source_error: the old head on the changed blocks. A seed "
            "draws first weights, examples, batches, and printed pictures; "
            "the test pictures are read once for each cell and seed",
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "numpy": np.__version__,
            },
            "hardware": {
                "device": "CPU",
                "cores": os.cpu_count(),
                "threads": torch.get_num_threads(),
                "cpu_seconds": round(time.process_time()),
            },
        }
        if len(result["seeds"]) > 1:
            for name, cells in parts.items():
                result[name] = summed_up(cells)
            RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
