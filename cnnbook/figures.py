"""The one figure style, and diagrams drawn from live modules."""

from __future__ import annotations

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


def use_style() -> None:
    """Set the book's style: deterministic SVG that follows dark mode."""
    import matplotlib as mpl
    from cycler import cycler
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    mpl.rcParams.update(
        {
            "figure.figsize": (6.4, 3.2),
            "figure.facecolor": "none",
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "none",
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
            "image.interpolation": "nearest",
            "svg.fonttype": "none",
            "svg.hashsalt": "from-lenet-to-resnet",
        }
    )
    set_matplotlib_formats("svg", metadata={"Date": None, "Creator": None})
