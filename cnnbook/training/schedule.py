"""Learning rates: what the rate is at a step, as a factor of the largest.

`cosine` is a function of the step alone, so nothing about it needs saving.
`Plateau` looks at the validation error, and its memory is two numbers.
"""

import math
from dataclasses import dataclass


def cosine(step: int, steps: int, warm_up: float) -> float:
    """Rise in a line for a share *warm_up* of the steps, then half a wave."""
    rising = round(warm_up * steps)
    if step < rising:
        return (step + 1) / rising
    share = (step - rising) / max(1, steps - rising)
    return (1 + math.cos(math.pi * share)) / 2


@dataclass
class Plateau:
    """Divide the rate by ten when the error has stood still for a while."""

    patience: int = 5
    factor: float = 1.0
    best: float = math.inf
    waited: int = 0

    def see(self, error: float) -> None:
        """Take note of the error of an epoch."""
        if error < self.best:
            self.best, self.waited = error, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.factor, self.waited = self.factor / 10, 0
