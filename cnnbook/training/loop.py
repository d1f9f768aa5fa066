"""The training loop of the labs, to be read in one sitting.

    history = fit(net, images, labels, epochs=20, folder="my-run")

The same call trains on a CPU, on a GPU or, started by torchrun, on many; with
a folder, the same call made again goes on where the last one was killed.
"""

import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.training.augment import Augment
from cnnbook.training.checkpoints import Keeper
from cnnbook.training.code import fingerprint
from cnnbook.training.faults import (
    PRECISIONS,
    Loss,
    floats,
    logits,
    refuse,
    stop_if_broken,
    too_large,
)
from cnnbook.training.history import Epoch, History
from cnnbook.training.parallel import Team, choose_device, team
from cnnbook.training.progress import Progress
from cnnbook.training.schedule import cosine
from cnnbook.training.state import State

LOOK = 50  # steps between two looks at the losses, which wait for a GPU


def fit(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    validation: tuple[Tensor, Tensor] | None = None,
    batch: int = 128,
    rate: float = 0.1,
    optimiser: str = "sgd",
    weight_decay: float = 5e-4,
    schedule: str = "cosine",
    warm_up: float = 0.1,
    loss: Loss | None = None,
    smoothing: float = 0.0,
    augment: Augment | None = None,
    average: float | None = None,
    precision: str = "auto",
    channels_last: bool = True,
    compile: bool = False,
    device: str | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    minutes: float = 5.0,
    progress: bool | None = None,
) -> History:
    """Train *net* in place, and return what it was like.

    An epoch shows every sample once, in batches of at most *batch* that are
    equal to within one. *optimiser*: "sgd" (momentum 0.9, Nesterov) or
    "adamw". *schedule*: "cosine" after a *warm_up* of that share of all
    steps, "plateau" (a tenth when the validation error stands still) or
    "constant". *average*: the decay of a running mean of the weights, which
    replaces them at the end and is what is validated. *precision*: "float32",
    "bf16", "fp16", or "auto", the fastest that the device is good at.

    The order of the samples, the augmentation and dropout follow from *seed*
    and the step alone. So a training resumed from its *folder* ends, on a
    CPU, with the weights of one that was never disturbed. The folder gets a
    checkpoint every epoch and every so many *minutes*.
    """
    recipe = {
        "epochs": epochs,
        "batch": batch,
        "rate": rate,
        "optimiser": optimiser,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "warm_up": warm_up,
        "smoothing": smoothing,
        "average": average,
        "seed": seed,
    }
    refuse(recipe, images, labels, validation, precision)
    where = choose_device(device)
    number = _fastest(where) if precision == "auto" else PRECISIONS[precision]
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net.to(where, memory_format=layout)
    images, labels = images.to(where), labels.to(where)
    loss = loss or nn.CrossEntropyLoss(label_smoothing=smoothing)
    steps = math.ceil(len(images) / batch)  # of an epoch

    with team() as us:
        state = State(
            net,
            _optimiser(optimiser, net, rate, weight_decay),
            torch.amp.GradScaler(where.type, enabled=number == torch.float16),
            average,
            steps,
        )
        shapes = {name: list(w.shape) for name, w in net.named_parameters()}
        recipe |= {"samples": len(images), "weights": shapes}
        recipe |= {"code": fingerprint(net, loss, augment)}
        keeper = Keeper(folder, recipe, minutes, writes=us.rank == 0)
        keeper.resume(state)
        model = us.wrap(torch.compile(net) if compile else net, where)
        bar = Progress(epochs, steps, progress if us.rank == 0 else False)

        def step(samples: Tensor) -> tuple[Tensor, Tensor]:
            chosen = us.share(samples)
            inputs, targets = floats(images[chosen]), labels[chosen]
            if augment:
                inputs = augment(inputs)
            inputs = inputs.contiguous(memory_format=layout)
            with torch.autocast(
                where.type, number, enabled=number != torch.float32
            ):
                outputs = model(inputs)
                error = loss(outputs, targets)
            # a share may be larger by one sample: the mean is the batch's
            weight = len(chosen) * us.size / len(samples)
            state.optimiser.zero_grad()
            state.scaler.scale(error * weight).backward()
            state.scaler.step(state.optimiser)
            state.scaler.update()
            return error, (logits(outputs).argmax(1) != targets).sum()

        while state.step < epochs * steps:
            epoch, first = divmod(state.step, steps)
            batches = _shuffled(len(images), steps, seed, epoch, where)
            began = time.monotonic()
            model.train()
            for index in range(first, steps):
                _draw_from(seed, state.step, us.rank, where)
                factor = state.plateau.factor
                if schedule == "cosine":
                    factor = cosine(state.step, epochs * steps, warm_up)
                state.set_rate(rate * factor)
                try:
                    error, wrong = step(batches[index])
                except torch.OutOfMemoryError:
                    raise too_large(net, images, labels, loss, batch) from None
                state.note(index, error, wrong)
                if state.step % LOOK == 0 or index == steps - 1 or bar.due():
                    stop_if_broken(state, index)
                    bar.step(state.step, state.losses[index].item())
                    keeper.save_in_time(state)

            row = state.row(us, [len(part) for part in batches])
            if validation:
                row |= _validate(state.best, validation, batch, us, number)
                state.plateau.see(row["validation_error"])
            row["seconds"] = time.monotonic() - began
            state.history.epochs.append(Epoch(**row))
            keeper.save(state)
            bar.epoch(state.history.last)
        bar.close(state.step)
    state.finish()
    return state.history


@torch.no_grad()
def evaluate(
    net: nn.Module, images: Tensor, labels: Tensor, batch: int = 1000
) -> tuple[float, float]:
    """The mean cross-entropy and the share of wrong answers, from 0 to 1."""
    sums = _sums(net, images, labels, batch)
    loss, wrong = (sums / len(images)).tolist()
    return loss, wrong


def _sums(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    batch: int,
    number: torch.dtype = torch.float32,
) -> Tensor:
    """Add up the cross-entropies and the wrong answers."""
    where = next(net.parameters()).device
    sums = torch.zeros(2, device=where)
    training = net.training
    net.eval()
    for inputs, targets in zip(
        images.split(batch), labels.split(batch), strict=True
    ):
        inputs, targets = floats(inputs.to(where)), targets.to(where)
        with torch.autocast(
            where.type, number, enabled=number != torch.float32
        ):
            outputs = logits(net(inputs)).float()
        sums[0] += F.cross_entropy(outputs, targets, reduction="sum")
        sums[1] += (outputs.argmax(1) != targets).sum()
    net.train(training)
    return sums


@torch.no_grad()
def _validate(
    net: nn.Module,
    validation: tuple[Tensor, Tensor],
    batch: int,
    us: Team,
    number: torch.dtype,
) -> dict[str, float]:
    """Each process takes its share of the samples, then they add up."""
    images, labels = validation
    mine = us.share(torch.arange(len(images)))
    sums = _sums(net, images[mine], labels[mine], 2 * batch, number)
    loss, error = (us.total(sums) / len(images)).tolist()
    return {"validation_loss": loss, "validation_error": error}


def _shuffled(
    count: int, steps: int, seed: int, epoch: int, where: torch.device
) -> tuple[Tensor, ...]:
    """Return the batches of an epoch: every sample once."""
    generator = torch.Generator().manual_seed(_mixed(seed, epoch, -1))
    order = torch.randperm(count, generator=generator)
    return order.to(where).tensor_split(steps)


def _draw_from(seed: int, step: int, rank: int, where: torch.device) -> None:
    """Let this step's dropout and augmentation follow from its number."""
    number = _mixed(seed, step, rank)
    torch.random.default_generator.manual_seed(number)
    if where.type == "cuda":
        torch.cuda.manual_seed(number)


def _mixed(*numbers: int) -> int:
    """One number of 64 bits for several, the same on every machine."""
    mixed = 0
    for number in numbers:
        mixed = (mixed ^ (number + 1)) * 0x9E3779B97F4A7C15 % 2**63
        mixed ^= mixed >> 29
    return mixed


def _optimiser(
    name: str, net: nn.Module, rate: float, decay: float
) -> torch.optim.Optimizer:
    weights = [part for part in net.parameters() if part.requires_grad]
    if name == "adamw":
        return torch.optim.AdamW(weights, lr=rate, weight_decay=decay)
    return torch.optim.SGD(
        weights, lr=rate, momentum=0.9, weight_decay=decay, nesterov=True
    )


def _fastest(where: torch.device) -> torch.dtype:
    """bf16 where the GPU has units for it (from Ampere on), fp16 on a T4."""
    if where.type != "cuda":
        return torch.float32
    modern = torch.cuda.get_device_capability(where) >= (8, 0)
    return torch.bfloat16 if modern else torch.float16
