"""How long the networks of the lineage take for an image, beside LeNet-5.

    OMP_NUM_THREADS=1 python benchmarks/lineage_times.py

measures, and writes results/lineage-times.json; some ten minutes on one core.
On the CPU it takes one thread; where there is a CUDA device, that one too.
Every round runs all networks in turn, every other round backwards, so that
whatever slows the machine for a while slows all of them.  What counts is the
ratio to LeNet-5 within a round.  On the CPU the clock is the processor's own:
it stands still while another program has the core.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.lenet_digits import processor  # noqa: E402
from cnnbook import nets  # noqa: E402
from cnnbook.nets.common import LocalNorm  # noqa: E402

RESULT = ROOT / "results" / "lineage-times.json"
BATCHES = {"cpu": (1, 8), "cuda": (1, 64)}
LEAST = {"cpu": 0.05, "cuda": 0.02}
"""Seconds that one timing lasts at least: a short pass is repeated."""

PICTURE = (3, 224, 224)
NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "LeNet-5": (nets.lenet5, (1, 32, 32)),
    "AlexNet": (nets.alexnet, (3, 227, 227)),
    "ZFNet": (nets.zfnet, PICTURE),
    "NiN": (lambda: nets.nin("imagenet"), PICTURE),
    "VGG-16": (lambda: nets.vgg("D"), PICTURE),
    "VGG-19": (lambda: nets.vgg("E"), PICTURE),
    "GoogLeNet": (nets.googlenet, PICTURE),
    "ResNet-18": (lambda: nets.resnet(18), PICTURE),
    "ResNet-34": (lambda: nets.resnet(34), PICTURE),
    "ResNet-50": (lambda: nets.resnet(50), PICTURE),
    "ResNet-152": (lambda: nets.resnet(152), PICTURE),
}
"""How each is built, and the image that it reads."""

NORMS = (LocalNorm, nn.LocalResponseNorm)


def without(net: nn.Module, *kinds: type[nn.Module]) -> nn.Module:
    """The net with its layers of these kinds replaced by nothing."""
    for module in list(net.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, kinds):
                setattr(module, name, nn.Identity())
    return net


NETS |= {
    "AlexNet without norms": (
        lambda: without(nets.alexnet(), *NORMS),
        (3, 227, 227),
    ),
    "AlexNet without dense layers": (
        lambda: without(nets.alexnet(), nn.Linear),
        (3, 227, 227),
    ),
    "GoogLeNet without norms": (
        lambda: without(nets.googlenet(), *NORMS),
        PICTURE,
    ),
}


def passes(step: Callable[[], object], count: int, device: str) -> float:
    """Seconds that *count* passes take, until the device is done."""
    clock = time.process_time
    if device == "cuda":
        clock = time.perf_counter
        torch.cuda.synchronize()
    start = clock()
    for _ in range(count):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def enough(step: Callable[[], object], device: str) -> int:
    """How many passes last long enough to be timed, found by doubling."""
    count = 1
    while passes(step, count, device) < LEAST[device]:
        count *= 2
    return count


def rounds(
    steps: dict[str, Callable[[], object]], number: int, device: str
) -> dict[str, list[float]]:
    """Seconds of one pass of each step, round by round."""
    counts = {name: enough(step, device) for name, step in steps.items()}
    found: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(number):
        for name in list(steps)[:: -1 if turn % 2 else 1]:
            taken = passes(steps[name], counts[name], device)
            found[name].append(taken / counts[name])
    return found


def measure(device: str, batch: int, number: int) -> dict:
    """The entry of one device and batch: milliseconds of one image."""

    def forward(name: str) -> Callable[[], Tensor]:
        build, size = NETS[name]
        net = build().eval().to(device)
        images = torch.randn(batch, *size, device=device)
        return lambda: net(images)

    with torch.inference_mode():
        steps = {name: forward(name) for name in NETS}
        found = rounds(steps, number, device)
    cuda = device == "cuda"
    return {
        "device": torch.cuda.get_device_name() if cuda else "CPU, one thread",
        "clock": "the wall's" if cuda else "the processor's",
        "batch": batch,
        "milliseconds": {
            name: [float(f"{1000 * t / batch:.4g}") for t in times]
            for name, times in found.items()
        },
    }


def summary(run: dict) -> str:
    """The medians of an entry, a line a network."""
    unit = run["milliseconds"]["LeNet-5"]
    lines = [f"{run['device']}, {run['batch']} at once"]
    for name, times in run["milliseconds"].items():
        ratios = [t / u for t, u in zip(times, unit, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        lines.append(
            f"  {name:30} {statistics.median(times):9.3f} ms   "
            f"{middle:8.1f} × LeNet-5, quartiles {low:.1f} to {high:.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    number = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(0)
    runs = []
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        for batch in BATCHES[device]:
            runs.append(measure(device, batch, number))
            print(summary(runs[-1]), flush=True)
    result = {
        "name": RESULT.stem,
        "command": "OMP_NUM_THREADS=1 python benchmarks/lineage_times.py",
        "date": date.today().isoformat(),
        "protocol": "one forward pass in evaluation mode, without gradients, "
        "in float32, random weights; each round runs every network, every "
        "other round backwards; a timing repeats the pass until it lasts "
        f"{LEAST['cpu']} s ({LEAST['cuda']} s on a GPU); milliseconds are "
        "those of one image, the batch's time over its size, round by round",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "hardware": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "load": "other programs shared the machine: the load was "
            f"{os.getloadavg()[2]:.0f} at the end",
        },
        "runs": runs,
    }
    RESULT.write_text(json.dumps(result) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
