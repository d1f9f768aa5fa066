"""The one figure style, and diagrams drawn from live modules."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

INK = "#1f2933"
"""Text, axes and outlines; the website shows it in the page's own ink."""

COLOURS = {
    "blue": "#2b7bb9",
    "orange": "#c2610c",
    "green": "#1a8a63",
    "purple": "#8f63c2",
    "red": "#cf4258",
    "grey": "#76818d",
}
"""Series colours: at least 3 : 1 on the light page and on the dark one."""


def paper() -> str:
    """Return the ground of a figure: the page's own, but white in Colab.

    Colab's dark page would hide the ink.
    """
    return "#ffffff" if "google.colab" in sys.modules else "none"


def use_style() -> None:
    """Set the book's style: deterministic SVG that follows dark mode."""
    import matplotlib as mpl
    from cycler import cycler
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    mpl.rcParams.update(
        {
            "figure.figsize": (5.2, 2.9),
            "figure.facecolor": paper(),
            "figure.constrained_layout.use": True,
            "savefig.facecolor": paper(),
            "axes.facecolor": "none",
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "axes.titlesize": "medium",
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=list(COLOURS.values())),
            "axes.grid": False,
            "grid.color": INK,
            "grid.alpha": 0.15,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "lines.linewidth": 1.8,
            "legend.frameon": False,
            "font.size": 10,
            "image.cmap": "gray",
            "image.interpolation": "none",
            "svg.fonttype": "none",
            "svg.hashsalt": "from-lenet-to-resnet",
        }
    )
    set_matplotlib_formats("svg", metadata={"Date": None, "Creator": None})


class Diagram:
    """A drawn network; a notebook shows its SVG."""

    def __init__(self, svg: str, caption: str) -> None:
        self.svg, self.caption = svg, caption

    def _repr_svg_(self) -> str:
        if paper() == "none":
            return self.svg
        ground = f'<svg style="background: {paper()}"'
        return self.svg.replace("<svg", ground, 1)

    def __repr__(self) -> str:
        return f"Diagram({self.caption})"


def draw(
    module: nn.Module,
    input_size: int | Sequence[int],
    depth: int | None = None,
) -> Diagram:
    """Draw a network from the live module, for inputs of this size.

    A chain of layers is drawn as volumes, each a stack of maps with its
    window, shape and parameters.  The side of a sheet is to scale by square
    root; a stack has one sheet more each time the number of maps doubles, a
    vector one cell more each time its length does.  The small square on a map
    is the window of the next layer.  Where convolutions have groups, as
    AlexNet's, each group is a tower of its own.

    A network with branches, or a long chain, is drawn as boxes from top to
    bottom: branches stand side by side, a shortcut passes beside what it
    leaves out, and neighbours that are built alike are drawn once, with their
    number, if all of them would need too much room.

    *depth* says how much to show.  With 1, each part of the network is one
    box, with 2 each part of a part, as in ``AnatomyExplorer``; with 0 all
    layers have their own, however long the picture becomes.  To look into one
    part, draw it: ``draw(net.inception3a, (192, 28, 28))``.

    What changes values and moves nothing (an activation, a normalisation,
    dropout) is named at the layer before it or below the picture, if it is a
    module; of what a ``forward`` does without one, only sums,
    concatenations and poolings are drawn.
    """
    from cnnbook.anatomy import trace
    from cnnbook.diagrams import picture

    if depth is not None and (type(depth) is not int or depth < 0):
        raise ValueError(
            "The depth is a whole number of parts of a name, from 0 for all "
            f"layers, not {depth!r}; try depth=1, or leave it out."
        )
    anatomy = trace(module, input_size)
    drawn = picture(anatomy, INK, COLOURS, depth)
    return Diagram(drawn.svg(), anatomy.caption)
