"""The small ZFNet that the book trained on the digits, ready to be looked at.

Its weights travel as whole numbers from -127 to 127 with one scale for each
filter or output: a byte a weight.  It is the run of seed 0 in
``results/zfnet-digits.json``, and ``benchmarks/zfnet_digits.py`` makes it.
"""

from pathlib import Path

import torch

from cnnbook.nets.common import stored
from cnnbook.nets.small import SmallZFNet

TRAINED_FILE = Path(__file__).parent / "weights" / "zfnet-digits.npz"
TRAINED_SHA256 = (
    "9e15b1f0ea2777ef2ef8e6a3822cad80930346b86cc55e7cbdc1c014979c3bf7"
)


def load_trained(path: str | Path = TRAINED_FILE) -> SmallZFNet:
    """The small ZFNet, trained; it reads what `training.prepare` makes."""
    arrays = stored(path, TRAINED_SHA256)
    net = SmallZFNet()
    state = {}
    for name, first in net.state_dict().items():
        weights = torch.from_numpy(arrays[name]).float()
        if f"{name}.scale" in arrays:
            scale = torch.from_numpy(arrays[f"{name}.scale"])
            weights = weights * scale.view(-1, *[1] * (first.dim() - 1))
        state[name] = weights
    net.load_state_dict(state)
    return net.eval()
