"""The book's widgets: alive in a notebook and on a page without a kernel.

Each is loaded when it is first asked for, so that reading one does not wait
for what another needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnbook.widgets.anatomy import AnatomyExplorer
    from cnnbook.widgets.anatomy_compare import AnatomyCompare
    from cnnbook.widgets.backprop_stepper import BackpropStepper
    from cnnbook.widgets.base import BookWidget
    from cnnbook.widgets.bottleneck import Bottleneck
    from cnnbook.widgets.c3_connections import C3Connections
    from cnnbook.widgets.conv_explorer import ConvExplorer
    from cnnbook.widgets.depth_explorer import DepthExplorer
    from cnnbook.widgets.draw_digit import DrawDigit
    from cnnbook.widgets.imagenet_years import ImageNetYears
    from cnnbook.widgets.inception_module import InceptionModule
    from cnnbook.widgets.ledger import Ledger
    from cnnbook.widgets.lineage import Lineage
    from cnnbook.widgets.memory_budget import MemoryBudget
    from cnnbook.widgets.neuron_viewer import NeuronViewer
    from cnnbook.widgets.question import Question
    from cnnbook.widgets.receptive_field import ReceptiveFieldExplorer
    from cnnbook.widgets.review import Review
    from cnnbook.widgets.transfer_grid import TransferGrid
    from cnnbook.widgets.workshop import Workshop

__all__ = [
    "AnatomyCompare",
    "AnatomyExplorer",
    "BackpropStepper",
    "BookWidget",
    "Bottleneck",
    "C3Connections",
    "ConvExplorer",
    "DepthExplorer",
    "DrawDigit",
    "ImageNetYears",
    "InceptionModule",
    "Ledger",
    "Lineage",
    "MemoryBudget",
    "NeuronViewer",
    "Question",
    "ReceptiveFieldExplorer",
    "Review",
    "TransferGrid",
    "Workshop",
]

_HOMES = {
    "AnatomyCompare": "anatomy_compare",
    "AnatomyExplorer": "anatomy",
    "BackpropStepper": "backprop_stepper",
    "BookWidget": "base",
    "Bottleneck": "bottleneck",
    "C3Connections": "c3_connections",
    "ConvExplorer": "conv_explorer",
    "DepthExplorer": "depth_explorer",
    "DrawDigit": "draw_digit",
    "ImageNetYears": "imagenet_years",
    "InceptionModule": "inception_module",
    "Ledger": "ledger",
    "Lineage": "lineage",
    "MemoryBudget": "memory_budget",
    "NeuronViewer": "neuron_viewer",
    "Question": "question",
    "ReceptiveFieldExplorer": "receptive_field",
    "Review": "review",
    "TransferGrid": "transfer_grid",
    "Workshop": "workshop",
}


def __getattr__(name: str) -> type[BookWidget]:
    if name not in _HOMES:
        raise AttributeError(
            f"cnnbook.widgets has no {name!r}; it has {', '.join(__all__)}."
        )
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
