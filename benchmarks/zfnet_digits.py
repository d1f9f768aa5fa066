"""What the chapter on ZFNet records: writes results/zfnet-digits.json.

    OMP_NUM_THREADS=1 python benchmarks/zfnet_digits.py

takes about twenty minutes on one core, and has four parts, each of which can
be asked for by its name.  `first_layers` trains a small network with four
first layers, the windows and strides of AlexNet and of ZFNet, at two rates.
`causes` asks what the larger stride loses by: it takes the aliasing away, and
gives the places back.  `evolution` trains the small sibling of ZFNet and
watches its layers while it learns; seed 0 is the net that travels with the
package.  `viewer` writes down what the neuron viewer shows of that net.
"""

import argparse
import copy
import hashlib
import json
import statistics
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from lenet_digits import made_with
from torch import Tensor, nn

from cnnbook import data, deconvnet, nets, training
from cnnbook.nets import zfnet_digits
from cnnbook.widgets import neuron_viewer

RESULT = Path(__file__).parents[1] / "results" / "zfnet-digits.json"
DIGITS = data.load("digits")


# ---- The first layer: window, stride, rate ----

FIRST_LAYERS = [(11, 4), (7, 4), (11, 2), (7, 2)]
RATES = (0.02, 0.2)
SEEDS = range(5)


class TwoLayers(nn.Module):
    """A first layer to choose, then one that undoes its stride."""

    def __init__(self, window: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, window, stride, padding=window // 2)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = nn.Conv2d(16, 32, 5, stride=4 // stride, padding=2)
        self.fc = nn.Linear(32 * 4 * 4, 10)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 32, 32)
        x = self.pool1(F.relu(self.conv1(x)))
        x = F.relu(self.conv2(x))  # (N, 32, 4, 4)
        return self.fc(x.flatten(1))


def fit(net: nn.Module, x: Tensor, y: Tensor, rate: float) -> None:
    """Four plain passes of SGD with momentum, in batches of 64."""
    optimiser = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)
    for _ in range(4):
        for batch in torch.randperm(len(x)).split(64):
            loss = F.cross_entropy(net(x[batch]), y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def aliased(net: nn.Module, x: Tensor) -> float:
    """How much of what conv1 answers is too fine for its stride.

    The energy of its answers at every pixel, without their mean, that lies
    above the finest wave which every stride-th pixel can tell.
    """
    ink = x[:200] + 0.1  # paper is 0
    answers = F.conv2d(ink, net.conv1.weight, padding=net.conv1.padding)
    energy = torch.fft.fft2(answers).abs().square().sum(dim=(0, 1))
    energy[0, 0] = 0
    waves = torch.fft.fftfreq(32).abs()
    fine = waves > 1 / (2 * net.conv1.stride[0])
    fine = fine[:, None] | fine[None, :]
    return (energy[fine].sum() / energy.sum()).item()


def first_layers() -> dict:
    """Each first layer at each rate, five seeds."""
    x, test_x = (
        training.prepare(images).double()
        for images in (DIGITS.train_images, DIGITS.test_images)
    )
    cells = []
    for rate in RATES:
        for window, stride in FIRST_LAYERS:
            runs = []
            for seed in SEEDS:
                torch.manual_seed(seed)
                net = TwoLayers(window, stride).double()
                fit(net, x, DIGITS.train_labels, rate)
                with torch.no_grad():
                    read = net(test_x).argmax(dim=1)
                    moved = net(test_x.roll(1, dims=3)).argmax(dim=1)
                    fired = (net.conv1(test_x) > 0).any(dim=0)
                right = (read == DIGITS.test_labels).double().mean().item()
                runs.append(
                    {
                        "seed": seed,
                        "test_accuracy": round(right, 4),
                        "same_when_moved": round(
                            (read == moved).double().mean().item(), 4
                        ),
                        "aliased": round(aliased(net, test_x), 5),
                        "dead": int((~fired.flatten(1).any(dim=1)).sum()),
                    }
                )
                print(rate, window, stride, runs[-1], flush=True)
            cells.append(
                {"rate": rate, "window": window, "stride": stride}
                | {"runs": runs}
                | means(runs, "test_accuracy", "same_when_moved", "aliased")
                | means(runs, "dead")
            )
    return {
        "protocol": "conv1 with 16 filters, padded by half its window; max "
        "pooling 3/2; conv2 5x5 to 32 maps, its stride 4 over conv1's; ten "
        "logits; PyTorch's first weights; 4,000 digits in float64, four "
        "passes of SGD with momentum 0.9, batches of 64, no distortions. "
        "same_when_moved: share of the test digits read alike after a shift "
        "by one pixel. aliased: share of the energy of conv1's answers to "
        "200 test digits that lies above 1 / (2 stride) cycles a pixel. "
        "dead: filters that no test digit makes fire",
        "cells": cells,
    }


def means(runs: list[dict], *names: str) -> dict:
    """Mean and deviation (n - 1) over the runs, for each of the names."""
    found = {}
    for name in names:
        values = [run[name] for run in runs]
        found[f"{name}_mean"] = round(statistics.mean(values), 5)
        found[f"{name}_std"] = round(statistics.stdev(values), 5)
    return found


# ---- What a stride of 4 loses by ----


class ShiftedCopies(TwoLayers):
    """Stride 4 for four copies of the picture, shifted by 0 or 2 pixels.

    Together they look at every place that a stride of 2 looks at.
    """

    def __init__(self, window: int) -> None:
        super().__init__(window, stride=4)
        self.conv2 = nn.Conv2d(64, 32, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, 32, 32)
        shifts = [(-a, -b) for a in (0, 2) for b in (0, 2)]
        maps = [self.conv1(x.roll(shift, dims=(2, 3))) for shift in shifts]
        x = self.pool1(F.relu(torch.cat(maps, dim=1)))  # (N, 64, 4, 4)
        x = F.relu(self.conv2(x))  # (N, 32, 4, 4)
        return self.fc(x.flatten(1))


def blurred(images: Tensor) -> Tensor:
    """Digits without the waves that a stride of 4 cannot tell: 1/8 and up."""
    waves = torch.fft.fftfreq(32).abs()
    kept = (waves[:, None] < 1 / 8) & (waves < 1 / 8)
    ink = images + 0.1  # paper is 0
    return torch.fft.ifft2(torch.fft.fft2(ink) * kept).real - 0.1


def causes() -> dict:
    """The first layers on blurred digits, and the one with copies."""
    x, test_x = (
        training.prepare(images).double()
        for images in (DIGITS.train_images, DIGITS.test_images)
    )
    soft, test_soft = blurred(x), blurred(test_x)
    cells = []
    for title, build, window, stride, train, test in [
        *(("blurred", TwoLayers, window, stride, soft, test_soft)
          for window, stride in FIRST_LAYERS),
        *(("shifted copies", ShiftedCopies, window, 4, x, test_x)
          for window in (11, 7)),
    ]:  # fmt: skip
        runs = []
        for seed in SEEDS:
            torch.manual_seed(seed)
            size = (window, stride) if build is TwoLayers else (window,)
            net = build(*size).double()
            fit(net, train, DIGITS.train_labels, rate=0.02)
            with torch.no_grad():
                right = net(test).argmax(dim=1) == DIGITS.test_labels
            accuracy = round(right.double().mean().item(), 4)
            runs.append({"seed": seed, "test_accuracy": accuracy})
            print(title, window, stride, runs[-1], flush=True)
        cells.append(
            {"title": title, "window": window, "stride": stride}
            | {"runs": runs}
            | means(runs, "test_accuracy")
        )
    return {
        "protocol": "that of first_layers, at the rate 0.02. blurred: the "
        "digits, for training and test, lose all waves of 1/8 a pixel and "
        "finer, which a stride of 4 cannot tell, so that no stride aliases. "
        "shifted copies: conv1 looks at the digit four times, moved by 0 or "
        "2 pixels each way, so that a stride of 4 looks at every place of a "
        "stride of 2; conv2 reads 64 maps",
        "cells": cells,
    }


# ---- How features evolve ----

MOMENTS = (0, 1, 2, 5, 10, 20, 30, 40)
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")


def evolution() -> dict:
    """The small ZFNet, three seeds, watched at eight moments."""
    runs = []
    for seed in range(3):
        torch.manual_seed(seed)
        net = nets.small_zfnet()
        states = {0: copy.deepcopy(net.state_dict())}

        def keep(epoch: int, net=net, states=states) -> None:
            if epoch in MOMENTS:
                states[epoch] = copy.deepcopy(net.state_dict())

        cpu = time.process_time()
        training.fit_digits(
            net,
            DIGITS.train_images,
            DIGITS.train_labels,
            seed=seed,
            each_epoch=keep,
        )
        cpu = time.process_time() - cpu
        if seed == 0:
            store(net)
        runs.append({"seed": seed, "cpu_seconds": round(cpu, 1)})
        runs[-1] |= watched(net, states)
        print("evolution", runs[-1], flush=True)
    return {
        "protocol": "small_zfnet() by training.fit_digits on all 4,000 "
        "digits. likeness: correlation of a channel's maps on the 1,000 "
        "test digits with its maps at the end, mean over the channels of a "
        "layer (a silent one counts 0). strongest: share of the channels "
        "whose strongest test digit is already that of the end",
        "moments": list(MOMENTS),
        "layers": list(LAYERS),
        "runs": runs,
    }


@torch.no_grad()
def watched(net: nn.Module, states: dict) -> dict:
    """Accuracy, likeness and strongest digits at each of the moments."""
    images = training.prepare(DIGITS.test_images)
    final = {name: deconvnet.climb(net, images, name)[0] for name in LAYERS}
    found = {"test_accuracy": [], "likeness": [], "strongest": []}
    early = nets.small_zfnet().eval()
    for epoch in MOMENTS:
        early.load_state_dict(states[epoch])
        right = training.accuracy(
            early, DIGITS.test_images, DIGITS.test_labels
        )
        likeness, strongest = [], []
        for name in LAYERS:
            maps, _ = deconvnet.climb(early, images, name)
            likeness.append(correlation(maps, final[name]))
            best = [m.amax(dim=(2, 3)).argmax(dim=0) for m in
                    (maps, final[name])]  # fmt: skip
            strongest.append((best[0] == best[1]).float().mean().item())
        found["test_accuracy"].append(round(right, 4))
        found["likeness"].append([round(v, 3) for v in likeness])
        found["strongest"].append([round(v, 3) for v in strongest])
    return found


def correlation(maps: Tensor, final: Tensor) -> float:
    """Of each channel with itself at the end; the mean over channels."""
    one, other = (m.double().transpose(0, 1).flatten(1) for m in (maps, final))
    one, other = (m - m.mean(dim=1, keepdim=True) for m in (one, other))
    return F.cosine_similarity(one, other, dim=1).mean().item()


def store(net: nn.Module) -> None:
    """Write the weights that travel with the package, a byte a weight."""
    arrays = {}
    for name, tensor in net.state_dict().items():
        if tensor.dim() == 1:
            arrays[name] = tensor.numpy()
            continue
        largest = tensor.abs().flatten(1).amax(dim=1)
        scale = (largest / 127).clamp(min=1e-12)
        steps = tensor / scale.view(-1, *[1] * (tensor.dim() - 1))
        arrays[name] = steps.round().to(torch.int8).numpy()
        arrays[f"{name}.scale"] = scale.numpy()
    np.savez_compressed(zfnet_digits.TRAINED_FILE, **arrays)
    found = hashlib.sha256(zfnet_digits.TRAINED_FILE.read_bytes()).hexdigest()
    print(f"TRAINED_SHA256 = {found!r}  # for cnnbook/nets/zfnet_digits.py")


# ---- What the viewer shows ----

CHANNELS = {
    "conv1": (2, 4, 5, 10),
    "conv2": (13, 14, 23, 30),
    "conv3": (7, 24, 29, 41),
    "conv4": (9, 24, 34, 37),
    "conv5": (1, 7, 10, 25),
}


def viewer() -> None:
    """Look into the stored net, in float64, and write the viewer's data."""
    net = zfnet_digits.load_trained().double()
    images = training.prepare(DIGITS.test_images).double()
    seen = neuron_viewer.look(net, images, DIGITS.test_labels, CHANNELS)
    text = json.dumps(seen, separators=(",", ":"))
    neuron_viewer.DIGITS_FILE.write_text(f"{text}\n", encoding="utf-8")
    print(f"the viewer's data: {len(text):,} bytes")


PARTS = {
    "first_layers": first_layers,
    "causes": causes,
    "evolution": evolution,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = [*PARTS, "viewer"]
    parser.add_argument("parts", nargs="*", metavar="part", default=parts)
    chosen = parser.parse_args().parts
    if unknown := set(chosen) - set(parts):
        parser.error(f"no part {', '.join(unknown)}; try {', '.join(parts)}")
    torch.set_num_threads(1)
    result = {
        "name": "zfnet-digits",
        "command": "OMP_NUM_THREADS=1 python benchmarks/zfnet_digits.py",
        "date": date.today().isoformat(),
        "data": "cnnbook.data.load('digits'): 4,000 train, 1,000 test, as "
        "training.prepare enlarges them to 28x28 inside 32x32",
        **made_with(
            "the process's own processor time, training alone",
        ),
    }
    if RESULT.exists():
        recorded = json.loads(RESULT.read_text())
        result |= {name: recorded[name] for name in PARTS if name in recorded}
    for name in chosen:
        if name in PARTS:
            result[name] = PARTS[name]()
            RESULT.write_text(json.dumps(result, indent=1) + "\n")
        else:
            viewer()


if __name__ == "__main__":
    main()
