"""Probes for answers that are networks, and inputs for probes.

A probe must give the same data for every right answer, however its author
named the layers and in whatever order they were made.  So every weight is
filled from its shape alone: two right networks then compute the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from cnnbook.exercises import Unusable, _sentence, _unwritten

__all__ = ["LABELS", "Builds", "Reads", "fill", "numbers"]


def numbers(draw: Random, *shape: int) -> Tensor:
    """A tensor of standard normal numbers."""
    flat = [draw.gauss(0, 1) for _ in range(math.prod(shape))]
    return torch.tensor(flat).view(shape)


@torch.no_grad()
def fill(net: nn.Module, seed: int) -> nn.Module:
    """Fill *net* in place, each weight from its shape and *seed*."""
    for values in [*net.parameters(), *net.buffers()]:
        if values.is_floating_point():
            values.copy_(_of_shape(tuple(values.shape), seed))
    return net


def _of_shape(shape: tuple[int, ...], seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(
        Random(f"{seed} {shape}").getrandbits(48)
    )
    values = torch.rand(shape, generator=draw, dtype=torch.float64)
    if len(shape) < 2:  # biases, scales, means and variances: positive
        return 0.5 + values
    return (2 * values - 1) * math.sqrt(6 / math.prod(shape[1:]))


@dataclass(frozen=True)
class Builds:
    """The probe for an answer that makes a network: a class or a function.

    `cases` draws pairs of arguments and input.  Of each network it returns
    the number of parameters and the output, with every weight filled.
    """

    cases: Callable[[Random], Iterable[tuple[tuple, Tensor]]]
    training: bool = False

    def __call__(self, answer: Any, draw: Random) -> list[dict[str, Any]]:
        """Build, fill and run a network for each case."""
        if not callable(answer):
            raise Unusable("a class or a function that makes a net is wanted")
        return list(self._each(answer, draw))

    def _each(
        self, answer: Callable, draw: Random
    ) -> Iterator[dict[str, Any]]:
        for arguments, images in self.cases(draw):
            seed = draw.getrandbits(32)
            try:
                yield self._run(answer, arguments, images, seed)
            except Exception as error:
                if isinstance(error, Unusable) or _unwritten(error):
                    raise
                raise Unusable(
                    f"made with {arguments} and given images of shape "
                    f"{tuple(images.shape)}, your network raised "
                    f"{_sentence(error)}"
                ) from error

    def _run(
        self, answer: Callable, arguments: tuple, images: Tensor, seed: int
    ) -> dict[str, Any]:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            net = answer(*arguments)
            if not isinstance(net, nn.Module):
                raise Unusable(
                    f"called with {arguments}, it made no nn.Module"
                )
            net = fill(net.double().cpu(), seed).train(self.training)
            outputs = net(images.double())
        return {
            "parameters": sum(p.numel() for p in net.parameters()),
            "output": outputs,
        }


LABELS = "the labels themselves"
"""The reference of a question whose probe is `Reads`."""


@dataclass(frozen=True)
class Reads:
    """The probe for an answer that classifies: what it says of images.

    `samples` draws images and their labels; the labels are what the
    reference `LABELS` says, and a question's `share` how much must agree.
    """

    samples: Callable[[Random], tuple[Tensor, Tensor]]

    def __call__(self, answer: Any, draw: Random) -> Tensor:
        """Return the classes that the answer gives, or the labels."""
        images, labels = self.samples(draw)
        if answer is LABELS:
            return labels
        if not callable(answer):
            raise Unusable("a function from images to classes is wanted here")
        return answer(images)
