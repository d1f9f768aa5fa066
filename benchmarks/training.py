"""Images per second: `training.fit`, the bare step, and a plain loop.

    OMP_NUM_THREADS=1 python benchmarks/training.py [--check] [--record]

For each network, in the same run and in turns: the bare step (forward, loss,
backward, optimiser, on batches that lie ready), `fit`, and the loop that most
tutorials show, with a DataLoader that hands out one picture after another and
augments it alone.  On a GPU also what each measure of speed brings, the share
of the GPU's peak, and ResNet-50 at 224 pixels on synthetic pictures.

--check fails if `fit` costs more than 5 % over the bare step on a CPU, or, on
a GPU, trains a network of CIFAR's size less than 5 times as fast as the plain
loop.  --record writes results/training-speed.json.
"""

import argparse
import json
import os
import platform
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
from torch.utils.data import DataLoader, Dataset

from cnnbook import nets, training
from cnnbook.anatomy import trace

RESULT = Path(__file__).parents[1] / "results" / "training-speed.json"
BUDGET, FASTER = 1.05, 5.0
GPU = torch.cuda.is_available()
WHERE = torch.device("cuda" if GPU else "cpu")
H200_DENSE_BF16 = 989e12  # NVIDIA's data sheet, without sparsity

NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "LeNet-5, modern": (partial(nets.lenet5, "modern"), (1, 32, 32), 8192),
    "small ResNet": (nets.small_resnet, (1, 32, 32), 1024),
    "ResNet-20": (partial(nets.cifar_resnet, 20), (3, 32, 32), 512),
}
"""How each is built, for which pictures, and how many of them a CPU sees."""


def pictures(shape: tuple[int, ...], count: int) -> tuple[Tensor, Tensor]:
    """Random pictures and labels, on the device."""
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(count, *shape, generator=draw)
    labels = torch.randint(10, (count,), generator=draw)
    return images.to(WHERE), labels.to(WHERE)


def wait() -> None:
    """Wait until the device has done what it was asked for."""
    if GPU:
        torch.cuda.synchronize()


def bare(net: nn.Module, images: Tensor, labels: Tensor, batch: int) -> None:
    """Nothing but the steps, in the order in which the pictures lie."""
    optimiser = torch.optim.SGD(
        net.parameters(), 0.01, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    kind = torch.bfloat16 if GPU else torch.float32
    net.train()
    for shown, wanted in zip(
        images.split(batch), labels.split(batch), strict=True
    ):
        with torch.autocast(WHERE.type, kind, enabled=GPU):
            loss = F.cross_entropy(net(shown), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def fit(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    batch: int,
    **others: object,
) -> None:
    """One epoch of the book's loop."""
    settings = {"rate": 0.01, "channels_last": GPU} | others
    training.fit(net, images, labels, epochs=1, batch=batch, **settings)


class OneByOne(Dataset):
    """Pictures as most tutorials read them: one a call, augmented alone."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        """Keep them in main memory."""
        self.images, self.labels = images.cpu(), labels.cpu()

    def __len__(self) -> int:
        """How many."""
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """One picture, cut and mirrored at random."""
        image = F.pad(self.images[index], [4] * 4)
        top, left = torch.randint(9, (2,)).tolist()
        height, width = self.images.shape[2:]
        image = image[:, top : top + height, left : left + width]
        if torch.rand(()) < 0.5:
            image = image.flip(2)
        return image, self.labels[index]


def plain(net: nn.Module, images: Tensor, labels: Tensor, batch: int) -> None:
    """The loop of most tutorials, in float32."""
    loader = DataLoader(
        OneByOne(images, labels),
        batch,
        shuffle=True,
        num_workers=4 if GPU else 0,
        pin_memory=GPU,
    )
    optimiser = torch.optim.SGD(
        net.parameters(), 0.01, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    net.train()
    for shown, wanted in loader:
        outputs = net(shown.to(WHERE))
        loss = F.cross_entropy(outputs, wanted.to(WHERE))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()  # for the running mean that such loops print


def seconds(way: Callable, make: Callable[[], nn.Module], *data: object):
    """How long one way takes with a new network: by the clock, by the CPU."""
    torch.manual_seed(0)
    net = make().to(WHERE)
    wait()
    began, used = time.perf_counter(), time.process_time()
    way(net, *data)
    wait()
    return time.perf_counter() - began, time.process_time() - used


def compare(
    ways: dict[str, Callable],
    make: Callable[[], nn.Module],
    data: tuple[Tensor, Tensor],
    batch: int,
    rounds: int,
) -> dict[str, dict[str, float]]:
    """Images a second of each way, and its time as a ratio to the first's.

    A busy machine lengthens the clock's time, so on a CPU it is the
    processor's that counts.
    """
    which = 0 if GPU else 1
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():  # once to warm up
        seconds(way, make, *data, batch)
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(seconds(way, make, *data, batch)[which])
    first = next(iter(ways))
    count = len(data[0])
    return {
        name: {
            "images_per_second": round(count / statistics.median(found), 1),
            "ratio": round(
                statistics.median(
                    mine / its
                    for mine, its in zip(found, times[first], strict=True)
                ),
                3,
            ),
        }
        for name, found in times.items()
    }


def measure(rounds: int) -> dict:
    """Compare the three ways for each network."""
    found = {}
    for name, (make, shape, few) in NETS.items():
        count, batch = (50_000, 512) if GPU else (few, 128)
        data = pictures(shape, count)
        ways = {
            "bare step": bare,
            "fit": fit,
            "fit, crops and flips": partial(
                fit,
                augment=training.together(training.crops(), training.flips()),
            ),
            "DataLoader": plain,
        }
        found[name] = compare(ways, make, data, batch, rounds)
        show(name, found[name])
    return found


def show(name: str, found: dict[str, dict[str, float]]) -> None:
    """Print a table: images a second, and the ratio to the first row."""
    print(f"\n{name}")
    for way, row in found.items():
        print(
            f"  {way:24} {row['images_per_second']:>12,.0f} images/s"
            f"  {row['ratio']:6.3f}",
            flush=True,
        )


def on_the_gpu(rounds: int) -> dict:
    """What each measure brings to ResNet-20, and ResNet-50 at 224 pixels."""
    make, shape, _ = NETS["ResNet-20"]
    data = pictures(shape, 50_000)
    contiguous = {"channels_last": False, "precision": "float32"}
    ways = {
        "float32": partial(fit, **contiguous),
        "bf16": partial(fit, channels_last=False, precision="bf16"),
        "fp16": partial(fit, channels_last=False, precision="fp16"),
        "channels last": partial(fit, precision="float32"),
        "bf16, channels last": partial(fit, precision="bf16"),
        "bf16, channels last, compiled": partial(
            fit, precision="bf16", compile=True
        ),
    }
    found = {"measures": compare(ways, make, data, 512, rounds)}
    show("ResNet-20, one measure at a time", found["measures"])
    large = partial(nets.resnet, 50, num_classes=10)
    data = pictures((3, 224, 224), 2560)
    ways = {"fit": fit, "fit, compiled": partial(fit, compile=True)}
    found["resnet50"] = compare(ways, large, data, 256, rounds)
    with torch.device("meta"):
        macs = trace(large().eval(), (3, 224, 224)).total_macs
    for row in found["resnet50"].values():  # forward, and twice that back
        done = 6 * macs * row["images_per_second"]
        row["teraflops"] = round(done / 1e12, 1)
        row["share_of_h200_peak"] = round(done / H200_DENSE_BF16, 3)
    show("ResNet-50, 224 pixels, batches of 256", found["resnet50"])
    return found


def faults(found: dict) -> list[str]:
    """What is over its budget."""
    over = []
    for name, ways in found["ways"].items():
        if not found["gpu"] and ways["fit"]["ratio"] > BUDGET:
            over.append(f"{name}: fit costs {ways['fit']['ratio']:.3f}")
        gain = (
            ways["DataLoader"]["ratio"] / ways["fit, crops and flips"]["ratio"]
        )
        if found["gpu"] and gain < FASTER:
            over.append(f"{name}: only {gain:.1f} times the plain loop")
    return over


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["CNNBOOK_QUIET"] = "1"
    found: dict = {
        "name": "training-speed",
        "command": "OMP_NUM_THREADS=1 python benchmarks/training.py --record",
        "date": date.today().isoformat(),
        "hardware": torch.cuda.get_device_name() if GPU else "CPU, 1 thread",
        "gpu": GPU,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "ways": measure(arguments.rounds),
    }
    if GPU:
        found |= on_the_gpu(arguments.rounds)
    if arguments.record:
        RESULT.write_text(json.dumps(found, indent=1) + "\n")
    over = faults(found)
    print(*over, sep="\n")
    return 1 if arguments.check and over else 0


if __name__ == "__main__":
    sys.exit(main())
