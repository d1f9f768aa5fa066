"""What a training was like: a row an epoch, as text, as curves, as data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Epoch:
    """One pass over the samples.

    `loss` and `error` are means over the training batches while the weights
    changed; the validation's are of the weights at the end.  Errors are
    shares, from 0 to 1.
    """

    loss: float
    error: float
    rate: float
    seconds: float
    validation_loss: float | None = None
    validation_error: float | None = None


@dataclass
class History:
    """The epochs of one training, in their order."""

    epochs: list[Epoch] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of epochs."""
        return len(self.epochs)

    def __getitem__(self, name: str) -> list:
        """Return one column: ``history["validation_error"]``."""
        return [getattr(epoch, name) for epoch in self.epochs]

    def __repr__(self) -> str:
        """Return the last epoch in a line, without its time."""
        if not self.epochs:
            return "History of no epoch"
        return f"{len(self)} epochs, {self.last}"

    @property
    def last(self) -> str:
        """The figures of the last epoch in words."""
        last = self.epochs[-1]
        text = f"loss {last.loss:.2f}, error {last.error:.1%}"
        if last.validation_error is not None:
            text += f", validation error {last.validation_error:.1%}"
        return text

    @property
    def seconds(self) -> float:
        """How long the epochs took, validation included."""
        return sum(self["seconds"])

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the errors over the epochs, each with its name beside it."""
        if axes is None:
            import matplotlib.pyplot as plt

            axes = plt.figure().add_subplot()
        steps = range(1, len(self) + 1)
        curves = {"training": self["error"]}
        if self.epochs and self.epochs[-1].validation_error is not None:
            curves["validation"] = self["validation_error"]
        for name, errors in curves.items():
            (line,) = axes.plot(steps, [100 * error for error in errors])
            axes.annotate(
                name,
                (steps[-1], 100 * errors[-1]),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                color=line.get_color(),
            )
        axes.set(xlabel="epoch", ylabel="error (%)", ylim=(0, None))
        return axes

    def to_json(self, path: str | Path) -> None:
        """Write all rows to a file."""
        rows = [asdict(epoch) for epoch in self.epochs]
        Path(path).write_text(json.dumps(rows, indent=1) + "\n")
