"""What several networks share: a layer, first weights, words on bad input."""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

LAYERS = nn.Conv2d | nn.Linear


class LocalNorm(nn.Module):
    """AlexNet's section 3.3: a value is damped by its neighbours in depth.

    It divides by (2 + 0.0001 · the sum of five squares) to the power 0.75.
    Torch multiplies alpha with the mean and not the sum: hence 5e-4.  The
    towers do not see each other here, as they would have had to talk.
    """

    def __init__(self, groups: int = 1) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        towers = x.unflatten(1, (self.groups, -1)).flatten(0, 1)
        towers = F.local_response_norm(towers, 5, alpha=5e-4, beta=0.75, k=2.0)
        return towers.view_as(x)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


def gaussian(net: nn.Module, std: float) -> None:
    """Weights from a normal distribution of one width, biases zero."""
    for layer in net.modules():
        if isinstance(layer, LAYERS):
            nn.init.normal_(layer.weight, std=std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def glorot(net: nn.Module) -> None:
    """Weights after Glorot and Bengio (2010), biases zero."""
    for layer in net.modules():
        if isinstance(layer, LAYERS):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def he(net: nn.Module) -> None:
    """Weights after He and others (2015), made for ReLU; biases zero."""
    for layer in net.modules():
        if isinstance(layer, LAYERS):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def choose(what: str, given: object, possible: Iterable[object]) -> None:
    """Refuse a variant or a depth that does not exist."""
    possible = list(possible)
    if given not in possible:
        *others, last = map(repr, possible)
        names = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"There is no {what} {given!r}; try {names}.")


def check_images(
    x: Tensor, channels: int, smallest: int = 1, largest: int | None = None
) -> None:
    """Refuse images that the network cannot read."""
    if x.dim() != 4:
        cure = "a single image needs a batch of one: x[None]"
    elif x.shape[1] != channels:
        cure = f"build it with in_channels={x.shape[1]}"
    elif min(x.shape[2:]) < smallest or (
        largest is not None and max(x.shape[2:]) > largest
    ):
        cure = "resize the images"
    else:
        return
    sides = f" with {smallest} to {largest} pixels a side"
    if largest is None:
        sides = f" with at least {smallest} pixels a side" * (smallest > 1)
    raise ValueError(
        f"This network reads batches (N, {channels}, height, width) of "
        f"images{sides}, not {tuple(x.shape)}; {cure}."
    )


def stored(path: str | Path, sha256: str) -> dict[str, np.ndarray]:
    """The arrays of trained weights in an npz file, if every byte is right."""
    again = "install cnnbook again, or train one as the chapter does"
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise FileNotFoundError(
            f"The trained weights cannot be read from {path} "
            f"({error.strerror}); {again}."
        ) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(
            f"The trained weights in {path} are damaged or of another "
            f"version ({len(content):,} bytes); {again}."
        )
    with np.load(io.BytesIO(content)) as arrays:
        return dict(arrays)
