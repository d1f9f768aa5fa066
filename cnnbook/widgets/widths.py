"""What two widgets share in which the reader sets the widths of layers.

A subclass names its settings as a ``NamedTuple`` in ``_Settings`` and its
kinds in ``_kinds``, and declares a ``Width`` for each number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import traitlets

from cnnbook.widgets.base import BookWidget


class Width(traitlets.Int):
    """A whole number from the least to the most, in steps."""

    def __init__(self, default: int, least: int, most: int, step: int) -> None:
        super().__init__(default)
        self.range = (least, most, step)
        self.tag(sync=True)

    def validate(self, widget: Any, value: Any) -> int:
        """Refuse what the picture is not drawn for."""
        value = super().validate(widget, value)
        least, most, step = self.range
        if not least <= value <= most or (value - least) % step:
            steps = f" in steps of {step}" * (step > 1)
            raise ValueError(
                f"{type(widget).__name__} takes {self.name} from {least} to "
                f"{most}{steps}, not {value}."
            )
        return value


class WidthsWidget(BookWidget):
    """A widget whose state is a tuple of widths, and a kind."""

    _Settings: ClassVar[type]
    _kinds: ClassVar[Mapping[str, str]]

    @traitlets.validate("kind")
    def _known(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self._kinds:
            raise ValueError(
                f"{type(self).__name__} has no kind {proposal['value']!r}; "
                f"try {', '.join(map(repr, self._kinds))}."
            )
        return proposal["value"]

    @property
    def _settings(self) -> Any:
        names = self._Settings._fields
        return self._Settings(*(getattr(self, name) for name in names))

    def __repr__(self) -> str:
        settings = self._settings._asdict().items()
        said = ", ".join(f"{name}={value!r}" for name, value in settings)
        return f"{type(self).__name__}({said})"


def share(part: int, whole: int) -> str:
    """Write a part in per cent: 10.3 %."""
    tenths = (2000 * part + whole) // (2 * whole)
    return f"{tenths // 10:,}.{tenths % 10} %"


def two(number: float) -> float:
    """Round to two decimals, as the script does."""
    return math.floor(100 * number + 0.5) / 100


def line(name: str, counts: list[str], colour: str = "") -> str:
    """Write a row of a table: its name, then its numbers."""
    cells = "".join(f"<td>{count}</td>" for count in counts)
    return f'<tr{colour}><th scope="row">{name}</th>{cells}</tr>'


def table(
    name: str, heads: tuple[str, ...], body: list[str], foot: list[str]
) -> str:
    """Write a table out of its rows; the last ones are its results."""
    head = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<table class="{name}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody>"
        f"<tfoot>{''.join(foot)}</tfoot></table>"
    )
