"""What can go wrong in a training, each in a sentence that helps."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from cnnbook.training.state import State

Loss = Callable[[Tensor, Tensor], Tensor]
PRECISIONS = {
    "float32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


class TrainingError(RuntimeError):
    """A training that cannot go on; the message says what would help."""


def floats(images: Tensor) -> Tensor:
    """Bytes become shares of 255; what is a number already stays."""
    return images if images.is_floating_point() else images / 255


def logits(outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The main output of a network that may have auxiliary heads."""
    return outputs if isinstance(outputs, Tensor) else outputs[0]


def stop_if_broken(state: State, index: int) -> None:
    """Name the step of this epoch whose loss is no number, if there is one."""
    broken = ~state.losses[: index + 1].isfinite()
    if broken.any():
        first = int(broken.nonzero()[0])
        step = state.step - index + first
        raise TrainingError(
            f"The loss at step {step} is {state.losses[first].item()}, so the "
            "training stops, and the last checkpoint is from before it; try "
            "a smaller rate, a longer warm-up, or float32."
        )


def too_large(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    loss: Loss,
    batch: int,
) -> TrainingError:
    """Find out, by halves, which batch there is room for."""
    fits = batch
    while fits > 1:
        fits //= 2
        net.zero_grad()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            outputs = net(floats(images[:fits]))
            loss(outputs, labels[:fits]).backward()
        except torch.OutOfMemoryError:
            continue
        net.zero_grad()
        return TrainingError(
            f"A batch of {batch} does not fit into the device's memory; "
            f"batch={fits} does."
        )
    return TrainingError(
        "Not even one sample fits into the device's memory; try a smaller "
        "network or smaller images."
    )


def refuse(
    recipe: dict[str, Any],
    images: Tensor,
    labels: Tensor,
    validation: tuple[Tensor, Tensor] | None,
    precision: str,
) -> None:
    """Refuse what cannot be trained with, in a sentence."""
    if images.ndim != 4 or len(images) != len(labels):
        raise ValueError(
            f"{tuple(images.shape)} are the images and {tuple(labels.shape)} "
            "the labels; they must be (N, C, H, W) and (N,)."
        )
    for name, known in (
        ("optimiser", ("sgd", "adamw")),
        ("schedule", ("cosine", "plateau", "constant")),
    ):
        if recipe[name] not in known:
            raise ValueError(
                f"There is no {name} called {recipe[name]!r}; try one of: "
                f"{', '.join(known)}."
            )
    if precision not in ("auto", *PRECISIONS):
        raise ValueError(
            f"There is no precision called {precision!r}; try one of: auto, "
            f"{', '.join(PRECISIONS)}."
        )
    for name in ("epochs", "batch"):
        if recipe[name] < 1:
            raise ValueError(
                f"{name}={recipe[name]} is too few; give 1 or more."
            )
    if recipe["schedule"] == "plateau" and validation is None:
        raise ValueError(
            "The schedule 'plateau' watches the validation error, so it needs "
            "validation=(images, labels)."
        )
