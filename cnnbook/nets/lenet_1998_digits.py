"""The LeNet-5 of 1998 that the book trained on the digits, ready to read.

Its weights travel as whole numbers from -127 to 127 with one scale for each
filter or output: a byte a weight.  It is the run of seed 0 in
``results/draw-digit.json``, and ``benchmarks/draw_digit_lenet.py`` makes it.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cnnbook.nets.common import stored
from cnnbook.nets.lenet import LeNet5_1998

TRAINED_FILE = Path(__file__).parent / "weights" / "lenet5-1998-digits.npz"
TRAINED_SHA256 = (
    "13a161296915ba8a042a30a603f577bb86e2f7504068e5a50b42a9e0af0a44dc"
)


def pack(state: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """A byte for each weight, and a scale for each filter or output."""
    arrays = {}
    for name, tensor in state.items():
        tensor = tensor.float()
        if not name.endswith("weight"):
            arrays[name] = tensor.numpy()
            continue
        scale = tensor.abs().flatten(1).amax(dim=1) / 127
        steps = tensor / scale.view(-1, *[1] * (tensor.dim() - 1))
        arrays[name] = steps.round().to(torch.int8).numpy()
        arrays[f"{name}.scale"] = scale.numpy()
    return arrays


def unpack(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The state that `pack` was given, as near as bytes come."""
    state = {}
    for name, array in arrays.items():
        if name.endswith(".scale"):
            continue
        tensor = torch.from_numpy(array).float()
        if f"{name}.scale" in arrays:
            scale = torch.from_numpy(arrays[f"{name}.scale"])
            tensor = tensor * scale.view(-1, *[1] * (tensor.dim() - 1))
        state[name] = tensor
    return state


def packed(path: str | Path = TRAINED_FILE) -> dict[str, np.ndarray]:
    """The arrays of the trained net, as they are stored."""
    return stored(path, TRAINED_SHA256)


def load_trained(path: str | Path = TRAINED_FILE) -> LeNet5_1998:
    """The net, trained; it reads what `training.prepare` makes."""
    net = LeNet5_1998()
    net.load_state_dict(unpack(packed(path)))
    return net.eval()
