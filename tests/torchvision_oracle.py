"""torchvision's own networks, to hold ours against.

torchvision's wheel is compiled against the CUDA build of torch.  Beside a CPU
build its operators do not load, and the import stops where it describes two
of them to torch.  No classifier uses them: declaring their names is enough.
"""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType

import torch

# what is declared lasts as long as this does
LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
BOXES = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def models() -> ModuleType:
    """The module torchvision.models; ImportError where there is none."""
    try:
        import torchvision.models
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        for name in tuple(sys.modules):
            if name.split(".")[0] == "torchvision":
                del sys.modules[name]
        for name in ("nms", "qnms"):
            LIBRARY.define(name + BOXES)
        import torchvision.models
    return torchvision.models


def missing() -> str:
    """Why torchvision cannot be asked; "" where it can."""
    try:
        models()
    except Exception as error:  # whatever an import can do
        return f"not compared with torchvision: {error!r}"
    return ""
