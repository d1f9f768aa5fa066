"""Everything that changes while a network trains, to be saved and restored."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cnnbook.training.history import Epoch, History
from cnnbook.training.parallel import Team
from cnnbook.training.schedule import Plateau


class State:
    """A network in training, after so many steps."""

    def __init__(
        self,
        net: nn.Module,
        optimiser: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        average: float | None,
        steps: int,
    ) -> None:
        """Begin with no step done, of so many in an epoch."""
        self.step = 0
        self.net, self.optimiser, self.scaler = net, optimiser, scaler
        self.mean = None
        if average is not None:
            mean_of = get_ema_multi_avg_fn(average)
            self.mean = AveragedModel(
                net, multi_avg_fn=mean_of, use_buffers=True
            )
        self.plateau, self.history = Plateau(), History()
        device = next(net.parameters()).device
        self.losses = torch.zeros(steps, device=device)
        self.wrong = torch.zeros(steps, device=device)

    @property
    def best(self) -> nn.Module:
        """The network to use: the mean of its weights, if one is kept."""
        return self.mean.module if self.mean else self.net

    def note(self, place: int, loss: Tensor, wrong: Tensor) -> None:
        """Take note of a step, without waiting for the device."""
        self.losses[place] = loss.detach()
        self.wrong[place] = wrong
        self.step += 1
        if self.mean:
            self.mean.update_parameters(self.net)

    def set_rate(self, rate: float) -> None:
        """Use this learning rate from the next step on."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def row(self, us: Team, sizes: list[int]) -> dict[str, float]:
        """Return the means over an epoch whose batches had these *sizes*."""
        shares = [len(range(us.rank, size, us.size)) for size in sizes]
        weights = torch.tensor(shares, device=self.losses.device)
        sums = torch.stack([(self.losses * weights).sum(), self.wrong.sum()])
        loss, error = (us.total(sums) / sum(sizes)).tolist()
        rate = self.optimiser.param_groups[0]["lr"]
        return {"loss": loss, "error": error, "rate": rate}

    def finish(self) -> None:
        """Leave the network ready to use, with its best weights."""
        if self.mean:
            self.net.load_state_dict(self.mean.module.state_dict())
        self.net.eval()

    def state_dict(self) -> dict[str, Any]:
        """Return all of it as tensors, numbers and lists."""
        return {
            "step": self.step,
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "mean": self.mean.state_dict() if self.mean else None,
            "plateau": asdict(self.plateau),
            "history": [asdict(epoch) for epoch in self.history.epochs],
            "losses": self.losses,
            "wrong": self.wrong,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Go back to what was saved."""
        self.step = saved["step"]
        self.net.load_state_dict(saved["net"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.scaler.load_state_dict(saved["scaler"])
        if self.mean:
            self.mean.load_state_dict(saved["mean"])
        self.plateau = Plateau(**saved["plateau"])
        self.history = History([Epoch(**row) for row in saved["history"]])
        self.losses.copy_(saved["losses"])
        self.wrong.copy_(saved["wrong"])
