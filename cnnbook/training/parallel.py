"""Several processes that train as one: what torchrun starts.

Under torchrun each process finds its number in the environment.  Each takes
every n-th sample of a batch, and DistributedDataParallel averages their
gradients, so that n processes take the step that one would have taken.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn
from torch import distributed as dist

PATIENCE = timedelta(seconds=45)
"""How long one process waits for another before it gives up."""


@dataclass(frozen=True)
class Team:
    """This process among those that train together; alone, one of one."""

    rank: int = 0
    size: int = 1

    def share(self, batch: Tensor) -> Tensor:
        """Return this process's part of the samples of a batch."""
        return batch[self.rank :: self.size]

    def wrap(self, net: nn.Module, device: torch.device) -> nn.Module:
        """Let the processes average their gradients."""
        if self.size == 1:
            return net
        ids = [device.index] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(net, device_ids=ids)

    def total(self, sums: Tensor) -> Tensor:
        """Add up the sums of all processes."""
        if self.size > 1:
            dist.all_reduce(sums)
        return sums


@contextmanager
def team() -> Iterator[Team]:
    """Join the processes that torchrun started, for as long as it lasts."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team()
        return
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    mine = not dist.is_initialized()
    if mine:
        dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        if mine:
            dist.destroy_process_group()


def choose_device(name: str | None) -> torch.device:
    """Return the device of this name; unless given, the best there is."""
    if name:
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
