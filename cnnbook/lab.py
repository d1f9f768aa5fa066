"""What every lab begins with: the scale at which it runs, and where it saves.

    scale = lab.scale()
    epochs = scale.pick(smoke=1, laptop=5, gpu=30)
    train, train_labels, test, test_labels = scale.data("cifar10")

The code of a lab is the same at every scale; only amounts differ.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from cnnbook import data
from cnnbook.data import Pictures

__all__ = ["Scale", "scale", "seconds"]

VARIABLE = "CNNBOOK_SCALE"
DRIVE = Path("/content/drive/MyDrive")
Amount = TypeVar("Amount")

SAYS = {
    "smoke": (
        "Smoke scale: the book's own digits, a few steps in float64 on one "
        "thread. It shows that everything runs, not how well it learns."
    ),
    "laptop": (
        "Laptop scale: real data, smaller nets and few epochs on the CPU. "
        "In Colab, Runtime → Change runtime type → T4 GPU does more."
    ),
    "gpu": "GPU scale on {gpu}.",
}


_removed_at_exit: list[tempfile.TemporaryDirectory] = []


@dataclass(frozen=True)
class Scale:
    """One of "smoke", "laptop" and "gpu"."""

    name: str

    def __repr__(self) -> str:
        """Return what this scale means, in a sentence or two."""
        gpu = torch.cuda.is_available()
        name = torch.cuda.get_device_name() if gpu else "a GPU that is missing"
        return SAYS[self.name].format(gpu=name)

    def pick(self, smoke: Amount, laptop: Amount, gpu: Amount) -> Amount:
        """Return the amount for this scale."""
        return {"smoke": smoke, "laptop": laptop, "gpu": gpu}[self.name]

    def data(self, name: str) -> Pictures:
        """Load a public data set; at smoke scale, digits in its shape."""
        if self.name == "smoke":
            return data.stand_in(name)
        return data.load(name)

    def folder(self, name: str) -> Path:
        """Return where a training keeps its checkpoints.

        In Colab with Drive mounted, that is Drive, so that a disconnection
        loses nothing. At smoke scale it is a new folder each time.
        """
        if self.name == "smoke":
            _removed_at_exit.append(tempfile.TemporaryDirectory(prefix=name))
            return Path(_removed_at_exit[-1].name)
        base = DRIVE / "cnnbook" if DRIVE.is_dir() else Path("runs")
        return base / self.name / name


def scale(name: str | None = None) -> Scale:
    """Choose the scale: *name*, else CNNBOOK_SCALE, else what is there.

    At smoke scale every number is in float64 and there is one thread, so
    that each run prints the same.
    """
    name = name or os.environ.get(VARIABLE) or _best()
    if name not in SAYS:
        raise ValueError(
            f"There is no scale {name!r}; try one of: {', '.join(SAYS)}."
        )
    if name == "smoke":
        torch.set_num_threads(1)
        torch.set_default_dtype(torch.float64)
        os.environ["CNNBOOK_QUIET"] = "1"
    else:
        torch.set_default_dtype(torch.float32)
        os.environ.pop("CNNBOOK_QUIET", None)
    return Scale(name)


def _best() -> str:
    return "gpu" if torch.cuda.is_available() else "laptop"


def seconds(call: Callable[..., Any], *arguments: Any, runs: int = 3) -> float:
    """Return how long a call takes: the least of so many runs.

    A GPU works on after a call returns, so it is waited for.
    """
    least = float("inf")
    for _ in range(runs):
        _wait()
        began = time.perf_counter()
        call(*arguments)
        _wait()
        least = min(least, time.perf_counter() - began)
    return least


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
