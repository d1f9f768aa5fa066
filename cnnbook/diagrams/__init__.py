"""How `figures.draw` draws a network.

`nodes` makes a graph of an anatomy's steps.  `volumes` draws a chain of
layers as stacks of maps, `scheme` what has branches or is long, as boxes;
`pen` is what both draw with.

Both pictures are 444 units wide with text of 13 or 14: on a phone, where 343
pixels are left for them, that is at least 10 pixels, and nothing scrolls.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from cnnbook.anatomy import Anatomy
from cnnbook.diagrams.nodes import Node, cuts, deepest, nodes_of
from cnnbook.diagrams.scheme import Scheme
from cnnbook.diagrams.volumes import Volumes

TALL = 1800
"""As high as a picture becomes before parts of it are drawn as one."""


def picture(
    anatomy: Anatomy,
    ink: str,
    colours: dict[str, str],
    depth: int | None = None,
) -> Volumes | Scheme:
    """The one that shows most, of those that are not too high.

    With a depth, what agrees in so many parts of its name is one box; with 0
    every layer is.  Without, the picture decides.
    """
    for draw in _ways(nodes_of(anatomy), depth):
        drawn = draw(anatomy, ink, colours)
        if drawn.fits and drawn.tall <= TALL:
            break
    return drawn


def _ways(nodes: list[Node], depth: int | None) -> Iterator[partial]:
    """How to draw a network, from what shows most to what shows least."""
    free = depth is None
    if len(cuts(nodes)) == len(nodes) and not depth:
        for folded in (False, True)[: 1 + free]:
            yield partial(Volumes, folded=folded)
    for folded in (False, True)[: 1 + free]:
        for roomy in (True, False):
            yield partial(Scheme, depth=depth or 0, folded=folded, roomy=roomy)
    for parts in range(deepest(nodes) - 1, 0, -1) if free else ():
        yield partial(Scheme, depth=parts, folded=True)
