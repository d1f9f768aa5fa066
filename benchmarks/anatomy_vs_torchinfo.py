"""Building and tracing networks: cnnbook.anatomy against torchinfo.

Each side builds and describes LeNet-5 and the eleven ImageNet networks in a
process of its own, so that the peak of memory is its own.  ``cnnbook`` does
both on the meta device: it never allocates the weights.  torchinfo is given
what its users give it, a real network and an input size.  Starting Python and
loading torch is not counted: the memory is what is added to it.

Both can be measured on the meta device as well, so that one sees what is due
to the device and what to the tracing.  A single trace of a very deep net of
small layers may take longer than a real forward pass: following an operator
costs Python, and a small convolution is soon computed.  The last line measures
that case, 200 convolutions on 8 maps of 16 by 16 pixels.

    python benchmarks/anatomy_vs_torchinfo.py
    python benchmarks/anatomy_vs_torchinfo.py --check    exit 1 if we lose
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import torch
import torchinfo

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cnnbook import nets  # noqa: E402
from cnnbook.anatomy import trace  # noqa: E402

SIDES = ("cnnbook", "torchinfo", "torchinfo on meta")
MAKERS = {
    "LeNet-5": partial(nets.lenet5, "modern"),
    "AlexNet": partial(nets.alexnet, "one-tower"),
    **{f"VGG {name}": partial(nets.vgg, name) for name in "ABDE"},
    "GoogLeNet": nets.googlenet,
    **{
        f"ResNet-{depth}": partial(nets.resnet, depth)
        for depth in (18, 34, 50, 101, 152)
    },
}
RUNS = 3


def measure(side: str) -> dict:
    """Build and describe every network once; seconds and added MiB."""
    torch.set_num_threads(1)

    def describe(net: torch.nn.Module, size: tuple[int, ...]) -> int:
        if side == "cnnbook":
            return trace(net, size).total_parameters
        device = "meta" if side.endswith("meta") else "cpu"
        batch = (1, *size)
        done = torchinfo.summary(net, batch, verbose=0, device=device)
        return done.total_params

    # The first call of each loads parts of torch; it is not counted.
    describe(nets.lenet5("modern").eval(), (1, 32, 32))
    before = peak()
    seconds, parameters = {}, {}
    for name, make in MAKERS.items():
        size = (1, 32, 32) if name == "LeNet-5" else (3, 224, 224)
        start = time.perf_counter()
        with torch.device("cpu" if side == "torchinfo" else "meta"):
            net = make().eval()
        built = time.perf_counter()
        parameters[name] = describe(net, size)
        seconds[name] = [built - start, time.perf_counter() - built]
        del net
    memory = peak() - before
    deep = torch.nn.Sequential(
        *(torch.nn.Conv2d(8, 8, 3, padding=1) for _ in range(200))
    )
    start = time.perf_counter()
    with torch.no_grad():
        deep(torch.zeros(1, 8, 16, 16))
    real = time.perf_counter()
    describe(deep, (8, 16, 16))
    return {
        "seconds": seconds,
        "memory": memory,
        "parameters": parameters,
        "deep": [real - start, time.perf_counter() - real],
    }


def peak() -> float:
    """The most memory that this process has ever held, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def alone(side: str) -> dict:
    """Measure one side in a fresh process."""
    command = [sys.executable, __file__, "--side", side]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def total(result: dict) -> float:
    """Seconds for all networks, building and describing."""
    return sum(map(sum, result["seconds"].values()))


def report(results: dict[str, list[dict]]) -> dict[str, float]:
    """Print medians and ratios; return the ratios of the goal."""
    middle = {
        side: sorted(runs, key=total)[len(runs) // 2]
        for side, runs in results.items()
    }
    print(f"{'milliseconds':20}", *(f"{side:>18}" for side in SIDES))
    for name in MAKERS:
        for i, part in enumerate(("build", "describe")):
            cells = (
                f"{middle[side]['seconds'][name][i] * 1e3:18.1f}"
                for side in SIDES
            )
            print(f"{name + ', ' + part:20}", *cells)
    cells = (f"{total(middle[side]) * 1e3:18.1f}" for side in SIDES)
    print(f"{'together':20}", *cells)
    memory = {
        side: statistics.median(run["memory"] for run in runs)
        for side, runs in results.items()
    }
    cells = (f"{memory[side]:18.1f}" for side in SIDES)
    print(f"{'added memory, MiB':20}", *cells)
    us, them = middle["cnnbook"], middle["torchinfo"]
    ratios = {
        "time": total(us) / total(them),
        "memory": memory["cnnbook"] / memory["torchinfo"],
    }
    print(
        f"\ncnnbook takes {ratios['time']:.3f} of torchinfo's time and "
        f"{ratios['memory']:.3f} of its memory."
    )
    real, traced = (
        statistics.median(run["deep"][i] for run in results["cnnbook"]) * 1e3
        for i in (0, 1)
    )
    print(
        f"Of 200 small convolutions, a real pass takes {real:.0f} ms and a "
        f"trace {traced:.0f} ms."
    )
    return ratios


def main() -> int:
    """Measure, print, and with --check judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.side)))
        return 0
    results = {side: [alone(side) for _ in range(RUNS)] for side in SIDES}
    ratios = report(results)
    counts = [run["parameters"] for runs in results.values() for run in runs]
    if any(count != counts[0] for count in counts):
        print("The two do not count the same parameters.")
        return 1
    if options.check:
        return 1 - passes(ratios)
    return 0


def passes(ratios: dict[str, float]) -> bool:
    """The goal: less time, and at most a tenth of the memory."""
    good = ratios["time"] < 1 and ratios["memory"] < 0.1
    print("The goal is reached." if good else "The goal is missed.")
    return good


if __name__ == "__main__":
    raise SystemExit(main())
