"""The workshop: a small notation for networks, read and counted.

    input 3x227x227            # maps, height, width; 227x227x3 reads as well
    conv 96 11x11 s4           # 96 filters, stride 4; `conv` may be left out
    norm                       # local response norm
    pool 3x3 s2                # max; `avg`, `ceil`
    256 5x5 p2 g2              # padding 2, two groups; d2 is a dilation
    x2 { 384 3x3 same bn }     # repeats; batch norm, then without bias
    { 64 1x1 | 96 3x3 p1 }     # branches side by side
    +{ 128 1x1; 160 3x3 p1 }   # a block and its shortcut are added
    [3x3, 160; 3x3, 160] x2    # the same, as the ResNet paper's tables say it
    global avg
    dropout 0.5
    dense 1000                 # also fc 1000, FC-1000, FC8: 1000 neurons

A layer ends with its line, at ``;``, ``|`` or a brace.  Words are read small
or large; what stands behind ``#`` or in round brackets is a remark.  A name
with a colon names a layer or a group.

ReLU follows every convolution and dense layer, behind its batch norm, but not
the network's last layer, not before a softmax, and not at the end of a branch
that is added: there it follows the sum.  ``no relu`` and ``relu`` overrule.

What lecture notes print beside their layers, ``[55x55x96]``,
``params: 1,728`` or ``memory: 3.2M``, is compared with the network.

`parse` never raises for a text: whatever is wrong stands in ``problems``, one
sentence each, with what would fit.  `LIMITS` says where reading and counting
end.
"""

from __future__ import annotations

import json
from typing import Any

from cnnbook.workshop.address import from_address, to_address
from cnnbook.workshop.counting import (
    Built,
    Row,
    Shape,
    Totals,
    build,
    show_shape,
)
from cnnbook.workshop.networks import BOOK
from cnnbook.workshop.reading import LIMITS, Problem
from cnnbook.workshop.writing import pytorch

__all__ = [
    "BOOK",
    "LIMITS",
    "Network",
    "Problem",
    "Row",
    "Totals",
    "from_address",
    "parse",
    "show_shape",
    "to_address",
]


class Network:
    """A text that is read: its rows, its totals, and what is wrong in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._built: Built = build(text)

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Maps, height and width of what comes in, if the text says it."""
        given = self._built.given
        return tuple(given.shape) if given else None

    @property
    def shape(self) -> Shape:
        """What comes out."""
        return self._built.shape

    @property
    def rows(self) -> list[Row]:
        """Layers and joins in the order in which they run."""
        return self._built.rows

    @property
    def totals(self) -> Totals:
        """What the rows add up to."""
        return self._built.totals

    @property
    def problems(self) -> list[Problem]:
        """Errors and notes, from the first line to the last."""
        return self._built.reader.problems

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep the network from being built."""
        return [p for p in self.problems if p.kind == "error"]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data, as the page's script has it."""
        found = {
            "input": self._input(),
            "shape": self.shape,
            "rows": [_plain(row) for row in self.rows],
            "totals": vars(self.totals),
            "problems": [vars(problem) for problem in self.problems],
        }
        return json.loads(json.dumps(found))  # tuples become lists

    def to_pytorch(self) -> str:
        """PyTorch code that runs alone: a class Net and what it needs."""
        if self.errors:
            first = self.errors[0]
            raise ValueError(
                "A network with errors has no code; mend line "
                f"{first.line} first: {first.says}"
            )
        return pytorch(self._built)

    def to_module(self) -> Any:
        """The network as a torch module, with torch's own first weights."""
        names: dict[str, Any] = {"__name__": "workshop_net"}
        exec(self.to_pytorch(), names)
        return names["Net"]()

    def __repr__(self) -> str:
        totals = self.totals
        return (
            f"Network({totals.layers} layers, {totals.parameters:,} "
            f"parameters, {len(self.problems)} problems)"
            if totals.parameters is not None
            else f"Network({totals.layers} layers)"
        )

    def _input(self) -> dict[str, Any] | None:
        given = self._built.given
        if given is None:
            return None
        maps, high, wide = given.shape
        return {
            **vars(given.place),
            "shape": given.shape,
            "words": f"{maps:,} map{'s' * (maps != 1)} of {high}×{wide}",
        }


def parse(text: str) -> Network:
    """Read a network in the notation of this package."""
    if not isinstance(text, str):
        raise TypeError(
            f"A network is written as text, not {type(text).__name__}; try "
            "parse('input 3x32x32\\nconv 6 5x5')."
        )
    return Network(text)


def _plain(row: Row) -> dict[str, Any]:
    return {**vars(row), "maps": row.maps and vars(row.maps)}
