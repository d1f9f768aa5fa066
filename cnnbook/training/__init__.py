"""Training: one loop for every network, and the recipe of the digits.

`fit` is the loop: any device, mixed precision, checkpoints that survive a
killed machine, several processes under torchrun.  `fit_digits` is the recipe
behind the book's recorded results.
"""

from cnnbook.training.augment import crops, flips, together
from cnnbook.training.checkpoints import CheckpointError
from cnnbook.training.digits import (
    accuracy,
    distort,
    fit_digits,
    predict,
    prepare,
)
from cnnbook.training.faults import TrainingError
from cnnbook.training.history import History
from cnnbook.training.loop import evaluate, fit

__all__ = [
    "CheckpointError",
    "History",
    "TrainingError",
    "accuracy",
    "crops",
    "distort",
    "evaluate",
    "fit",
    "fit_digits",
    "flips",
    "predict",
    "prepare",
    "together",
]
