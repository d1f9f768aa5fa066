"""A bar that says how far a training is, and the curve of its loss.

In a notebook it is one output that redraws itself, in a terminal one line.
Elsewhere, and where the variable CNNBOOK_QUIET is set, it says nothing, so
that an executed notebook reads the same every time.
"""

import os
import sys
import time
from collections import deque
from typing import Any

PAUSE = 0.25  # seconds between two pictures


class Progress:
    """Show a training of so many epochs and steps while it runs."""

    def __init__(self, epochs: int, steps: int, shown: bool | None) -> None:
        """Decide where to show it; *shown* overrides what seems best."""
        self.epochs, self.steps = epochs, steps
        self.losses: deque[float] = deque(maxlen=400)
        self.words, self.drawn, self.began = "", 0.0, time.monotonic()
        self.first: int | None = None  # the step that this run began with
        self.handle: Any = None
        notebook = type(sys.stdout).__module__.startswith("ipykernel")
        if shown is None:
            quiet = bool(os.environ.get("CNNBOOK_QUIET"))
            shown = not quiet and (notebook or sys.stdout.isatty())
        self.shown, self.notebook = shown, shown and notebook

    def due(self) -> bool:
        """Whether it is time for a new picture."""
        return self.shown and time.monotonic() - self.drawn > PAUSE

    def step(self, done: int, loss: float) -> None:
        """Show that *done* steps are done; *loss* is the latest."""
        if self.first is None:
            self.first = done - 1
        self.losses.append(loss)
        if self.due():
            self._draw(done)

    def epoch(self, words: str) -> None:
        """Remember what there is to say of the last epoch."""
        self.words = words

    def close(self, done: int) -> None:
        """Show the end."""
        if self.shown:
            self._draw(done)
        if self.shown and not self.notebook:
            print()

    def _draw(self, done: int) -> None:
        self.drawn = time.monotonic()
        all_steps = self.epochs * self.steps
        share = done / all_steps
        epoch = min(self.epochs, done // self.steps + 1)
        text = f"epoch {epoch} of {self.epochs}, {share:.0%}"
        if self.first is not None and done > self.first:
            pace = (self.drawn - self.began) / (done - self.first)
            text += f", {pace * (all_steps - done):.0f} s left"
        if self.words:
            text += f" | {self.words}"
        if not self.notebook:
            print(f"\r{text:<76}"[:80], end="", flush=True)
            return
        from IPython.display import HTML, display

        page = HTML(
            f'<progress value="{share:.3f}" aria-label="training"></progress>'
            f" {text}<br>{self._curve()}"
        )
        if self.handle is None:
            self.handle = display(page, display_id=True)
        else:
            self.handle.update(page)

    def _curve(self) -> str:
        highest = max(self.losses, default=0.0) or 1.0
        width = 300 / max(1, len(self.losses) - 1)
        points = " ".join(
            f"{index * width:.0f},{60 - 58 * max(0.0, loss) / highest:.0f}"
            for index, loss in enumerate(self.losses)
        )
        return (
            '<svg width="300" height="62" role="img" aria-label="the loss">'
            f'<polyline points="{points}" fill="none" stroke="#888"/></svg>'
        )
