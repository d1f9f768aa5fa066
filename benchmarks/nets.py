"""Speed of the book's ImageNet networks beside torchvision's, in one run.

Forward (no gradients, eval mode) and forward with backward (training mode),
seconds an image, ours and theirs in turn, so that a busy machine slows down
both.  What counts is the ratio, ours / theirs: the aim is 1.00 at most.

On a CUDA GPU the same in fp32, in bf16, in bf16 with channels last and
compiled; there each time also stands as a share of the GPU's peak, which is
what one large matrix product reaches in the same precision, in the same run.

    python benchmarks/nets.py                  all eleven networks
    python benchmarks/nets.py resnet18 vgg11   some of them
    python benchmarks/nets.py --check          exit 1 if a ratio is above 1.05

torchvision's own model code is needed (`pip install torchvision`); the tests'
loader finds it even where its compiled operators do not match torch.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from torchvision_oracle import models  # noqa: E402

from cnnbook import nets  # noqa: E402
from cnnbook.anatomy import trace  # noqa: E402

SIDE, LIMIT = 224, 1.05
OURS: dict[str, Callable[[], nn.Module]] = {
    "alexnet": lambda: nets.alexnet("one-tower"),
    "vgg11": lambda: nets.vgg("A"),
    "vgg13": lambda: nets.vgg("B"),
    "vgg16": lambda: nets.vgg("D"),
    "vgg19": lambda: nets.vgg("E"),
    "googlenet": lambda: nets.googlenet("torchvision"),
    **{
        f"resnet{depth}": lambda depth=depth: nets.resnet(depth, "v1.5")
        for depth in (18, 34, 50, 101, 152)
    },
}


def theirs(name: str) -> nn.Module:
    """torchvision's network of this name, with random weights."""
    options = {}
    if name == "googlenet":
        options = {"aux_logits": False, "init_weights": False}
    return getattr(models(), name)(weights=None, **options)


def forward(net: nn.Module, x: Tensor) -> None:
    """One pass, as one classifies."""
    with torch.no_grad():
        net(x)


def backward(net: nn.Module, x: Tensor) -> None:
    """One pass there and back, as one trains."""
    net(x).float().logsumexp(1).mean().backward()
    net.zero_grad()


def seconds(step: Callable[[], None], device: str) -> float:
    """How long one step takes, until the device is done with it."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def in_turn(
    steps: list[Callable[[], None]], device: str, rounds: int
) -> list[list[float]]:
    """Seconds of each step, round by round, after one round that warms up.

    Each round goes through the steps the other way, so that none is always
    the one that finds the caches cold.
    """
    for step in steps:
        step()
    times: list[list[float]] = [[] for _ in steps]
    for count in range(rounds):
        turns = list(enumerate(steps))
        for i, step in turns if count % 2 else reversed(turns):
            times[i].append(seconds(step, device))
    return times


def peak(dtype: torch.dtype) -> float:
    """Multiply-accumulates a second of a large matrix product."""
    side = 8192
    a, b = (torch.randn(side, side, device="cuda").to(dtype) for _ in "ab")
    (times,) = in_turn([lambda: a @ b], "cuda", rounds=10)
    return side**3 / min(times)


@contextlib.contextmanager
def settings(name: str) -> Iterator[torch.dtype]:
    """fp32 is true fp32 here: no TF32 behind one's back."""
    old = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield torch.float32 if "fp32" in name else torch.bfloat16
    finally:
        torch.set_float32_matmul_precision(old)


def measure(
    name: str, how: str, device: str, batch: int, rounds: int
) -> Iterator[dict]:
    """The two times of one network, ours beside theirs."""
    with settings(how) as dtype:
        layout = (
            torch.channels_last if "last" in how else torch.contiguous_format
        )
        x = torch.randn(batch, 3, SIDE, SIDE, device=device, dtype=dtype)
        x = x.to(memory_format=layout)
        pair = [
            net.to(device, dtype).to(memory_format=layout)
            for net in (OURS[name](), theirs(name))
        ]
        runners = pair
        if "compiled" in how:
            runners = [torch.compile(net) for net in pair]
        for work in (forward, backward):
            for net in pair:
                net.train(work is backward)
            steps = [lambda net=net, w=work: w(net, x) for net in runners]
            ours, torchvisions = in_turn(steps, device, rounds)
            ratios = [a / b for a, b in zip(ours, torchvisions, strict=True)]
            yield {
                "net": name,
                "how": how,
                "work": work.__name__,
                "ms": 1000 * statistics.median(ours) / batch,
                "theirs": 1000 * statistics.median(torchvisions) / batch,
                "ratio": statistics.median(ratios),
                "dtype": dtype,
            }


def macs(name: str) -> int:
    """Multiply-accumulates of one image, counted in the live network."""
    with torch.device("meta"):
        return trace(OURS[name]().eval(), (3, SIDE, SIDE)).total_macs


def main() -> None:
    """Measure and print; with --check, fail above the limit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("nets", nargs="*", default=list(OURS))
    parser.add_argument("--batch", type=int, help="images at once")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.nets) - set(OURS):
        parser.error(f"there is no {min(unknown)}; try {', '.join(OURS)}")
    torch.set_num_threads(options.threads)
    cuda = torch.cuda.is_available()
    device = "cuda" if cuda else "cpu"
    batch = options.batch or (64 if cuda else 2)
    ways = (
        ["fp32", "bf16", "bf16 channels last", "bf16 channels last compiled"]
        if cuda
        else ["fp32"]
    )
    where = (
        torch.cuda.get_device_name()
        if cuda
        else f"CPU, {options.threads} thread(s)"
    )
    print(f"torch {torch.__version__}, {where}, {batch} images at once")
    peaks = {d: peak(d) for d in (torch.float32, torch.bfloat16) if cuda}
    for dtype, rate in peaks.items():
        print(f"peak, {dtype}: {rate / 1e12:.1f} T multiply-accumulates / s")
    print(
        f"{'network':<10} {'how':<28} {'work':<9} {'ours':>8} {'theirs':>8}  "
        "ms an image   ratio" + "   of peak" * cuda
    )
    ratios = []
    for name in options.nets:
        for how in ways:
            for row in measure(name, how, device, batch, options.rounds):
                ratios.append(row["ratio"])
                share = ""
                if cuda:
                    done = macs(name) * (3 if row["work"] == "backward" else 1)
                    rate = done / row["ms"] * 1000
                    share = f"   {rate / peaks[row['dtype']]:7.1%}"
                print(
                    f"{name:<10} {how:<28} {row['work']:<9} {row['ms']:8.2f} "
                    f"{row['theirs']:8.2f}               "
                    f"{row['ratio']:5.2f}{share}",
                    flush=True,
                )
    worst, middle = max(ratios), statistics.geometric_mean(ratios)
    print(f"ratio: mean {middle:.3f}, worst {worst:.3f}")
    if options.check and worst > LIMIT:
        sys.exit(f"a ratio of {worst:.2f} is above {LIMIT}")


if __name__ == "__main__":
    main()
