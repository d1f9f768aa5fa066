"""A bottleneck beside the layer that it replaces: when does it pay?"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import traitlets

from cnnbook.geometry import conv_parameters
from cnnbook.widgets import widths
from cnnbook.widgets.widths import Width, WidthsWidget, share, two

KINDS = {"reduce": "1 × 1, window", "restore": "1 × 1, window, 1 × 1"}
"""What can stand in place of one layer, and how it is called."""

RANGES = {
    "side": (7, 56, 7),
    "window": (1, 7, 2),
    "maps_in": (16, 1024, 16),
    "maps_out": (16, 1024, 16),
    "neck": (1, 512, 1),
}
"""The least and the most that is drawn, and the step between."""


class Settings(NamedTuple):
    """What the reader sets; at first the 5 × 5 branch of GoogLeNet's 3a."""

    side: int = 28
    window: int = 5
    maps_in: int = 192
    maps_out: int = 32
    neck: int = 16
    kind: str = "reduce"


class Layer(NamedTuple):
    """A layer of the bottleneck, or the one that it replaces."""

    name: str
    weights: int
    maps: int


def direct(settings: Settings) -> Layer:
    """The layer without a bottleneck."""
    _, window, maps_in, maps_out, *_ = settings
    return _layer(window, maps_in, maps_out)


def bottleneck(settings: Settings) -> list[Layer]:
    """The layers that take its place."""
    _, window, maps_in, maps_out, neck, kind = settings
    if kind == "reduce":
        return [_layer(1, maps_in, neck), _layer(window, neck, maps_out)]
    return [
        _layer(1, maps_in, neck),
        _layer(window, neck, neck),
        _layer(1, neck, maps_out),
    ]


def weights(settings: Settings) -> int:
    """The weights of the bottleneck; each works once at every pixel."""
    return sum(layer.weights for layer in bottleneck(settings))


def break_even(settings: Settings) -> float:
    """The width of neck at which a bottleneck has as many weights."""
    _, window, maps_in, maps_out, _, kind = settings
    area, ends = window**2, maps_in + maps_out
    if kind == "reduce":
        return area * maps_in * maps_out / (maps_in + area * maps_out)
    root = math.sqrt(ends**2 + 4 * area**2 * maps_in * maps_out)
    return (root - ends) / (2 * area)


def largest(settings: Settings) -> int:
    """The widest neck that has fewer weights than the layer itself."""
    neck = math.floor(break_even(settings)) + 1
    most = direct(settings).weights
    while weights(settings._replace(neck=neck)) >= most:
        neck -= 1
    return neck


def _layer(window: int, maps_in: int, maps_out: int) -> Layer:
    return Layer(
        f"{window} × {window}, {maps_in} → {maps_out}",
        conv_parameters(maps_in, maps_out, window, bias=False),
        maps_out,
    )


# ---- In words ----


def tenths(number: float) -> str:
    """Write a number with one decimal."""
    whole = math.floor(10 * number + 0.5)
    return f"{whole // 10}.{whole % 10}"


def words(settings: Settings) -> str:
    """Say whether it pays, and up to which width it would."""
    pixels = settings.side**2
    here, there = weights(settings), direct(settings).weights
    verdict = "It pays" if here < there else "It does not pay"
    return (
        f"{verdict}: {pixels * here:,} multiplications, "
        f"{share(here, there)} of the direct layer's {pixels * there:,}. "
        f"The break-even lies at {tenths(break_even(settings))} maps; "
        f"up to {largest(settings)} pay."
    )


def note(settings: Settings) -> str:
    """Say what is counted, and what the neck leaves."""
    return (
        "Stride 1, the size kept, biases not counted: so the weights and the "
        "multiplications break even together. Behind the 1 × 1 layer "
        f"{settings.neck} numbers stand at each pixel for "
        f"{settings.maps_in}. The values of the layers between are kept too "
        "when the network learns."
    )


# ---- The widget ----


class Bottleneck(WidthsWidget):
    """Set a layer and a neck; see which costs more, and where they meet.

    The settings are those of ``Settings``, by name: ``maps_in`` and
    ``maps_out`` of the layer, its ``window`` and the ``side`` of its maps;
    the ``neck``, and the ``kind``: whether a third layer restores the maps.
    ``break_even`` is where both cost the same, ``largest`` the widest neck
    that pays.
    """

    _name = "bottleneck"
    _Settings = Settings
    _kinds = KINDS

    side = Width(28, *RANGES["side"])
    window = Width(5, *RANGES["window"])
    maps_in = Width(192, *RANGES["maps_in"])
    maps_out = Width(32, *RANGES["maps_out"])
    neck = Width(16, *RANGES["neck"])
    kind = traitlets.Unicode("reduce").tag(sync=True)
    kinds = traitlets.Dict(KINDS, read_only=True).tag(sync=True)
    ranges = traitlets.Dict(
        {name: list(span) for name, span in RANGES.items()}, read_only=True
    ).tag(sync=True)

    @property
    def break_even(self) -> float:
        """The width of neck at which both cost the same."""
        return break_even(self._settings)

    @property
    def largest(self) -> int:
        """The widest neck that pays."""
        return largest(self._settings)

    def _static(self) -> str:
        settings = self._settings
        verdict, rest = words(settings).split(": ", 1)
        pays = str(verdict == "It pays").lower()
        return (
            f'<figure class="bk" data-pays="{pays}"><p class="bk-words">'
            f"<strong>{verdict}</strong>: {rest}</p>"
            f"{picture(settings)}{table(settings)}"
            f"<figcaption>{note(settings)}</figcaption></figure>"
        )


def curve(settings: Settings) -> dict[str, Any]:
    """Where things stand in the picture, in per cent of its sides.

    From left to right the width of the neck, from the bottom up the weights;
    rounded, so that both languages write the same.
    """
    even, there = break_even(settings), direct(settings).weights
    wide = max(1.25 * even, settings.neck)

    def cost(neck: float) -> float:
        _, window, maps_in, maps_out, _, kind = settings
        ends, area = maps_in + maps_out, window**2
        if kind == "reduce":
            return neck * (maps_in + area * maps_out) / there
        return neck * (ends + area * neck) / there

    high = cost(wide)
    points = [
        [two(100 * i / 20), two(100 - 100 * cost(wide * i / 20) / high)]
        for i in range(21)
    ]
    return {
        "points": points,
        "even": two(100 * even / wide),
        "over": two(100 - 100 * even / wide),
        "level": two(100 - 100 / high),
        "here": [
            two(100 * settings.neck / wide),
            two(100 - 100 * cost(settings.neck) / high),
        ],
    }


def picture(settings: Settings) -> str:
    """Draw the cost over the width of the neck, and where it breaks even."""
    drawn = curve(settings)
    x, y = drawn["here"]
    path = "M" + "L".join(f"{a:g} {b:g}" for a, b in drawn["points"])
    even, level = drawn["even"], drawn["level"]
    side = "end" if even > 50 else "start"
    return (
        '<svg class="bk-plot" width="600" height="204" overflow="visible" '
        f'role="img" aria-label="{label(settings)}">'
        '<svg width="100%" height="160" overflow="visible">'
        f'<rect class="bk-over" x="{even:g}%" width="{drawn["over"]:g}%" '
        'height="100%" fill="none"/>'
        '<svg width="100%" height="100%" viewBox="0 0 100 100" '
        'preserveAspectRatio="none" overflow="visible">'
        f'<path class="bk-cost" d="{path}" fill="none" stroke="#1d67a1" '
        'stroke-width="2" vector-effect="non-scaling-stroke"/></svg>'
        f'<line class="bk-direct" x2="100%" y1="{level:g}%" y2="{level:g}%" '
        'stroke="currentColor"/>'
        f'<text class="bk-level" y="{level:g}%" dy="-.4em" font-size="12" '
        'fill="currentColor">the layer itself</text>'
        f'<line class="bk-even" x1="{even:g}%" x2="{even:g}%" y2="100%" '
        'stroke="#b83c18" stroke-dasharray="4 3"/>'
        f'<circle class="bk-here" cx="{x:g}%" cy="{y:g}%" r="5" '
        'fill="#1d67a1"/></svg>'
        '<line class="bk-axis" x2="100%" y1="160" y2="160" '
        'stroke="currentColor"/>'
        f'<text class="bk-mark" x="{even:g}%" y="178" font-size="12" '
        f'text-anchor="{side}" fill="currentColor">{mark(settings)}</text>'
        '<text class="bk-name" y="198" font-size="12" fill="currentColor">'
        "up: cost; to the right: width of the neck</text></svg>"
    )


def mark(settings: Settings) -> str:
    """What stands below the break-even."""
    return f"break-even: {tenths(break_even(settings))} maps"


def label(settings: Settings) -> str:
    """Say what the picture shows."""
    return (
        "The cost of the bottleneck rises with the width of its neck, from 0, "
        "and meets that of the layer itself at "
        f"{tenths(break_even(settings))} maps; the dot is at "
        f"{settings.neck} maps"
    )


HEADS = ("Layer", "Multiplications", "Weights", "Values out")


def rows(settings: Settings) -> list[list[str]]:
    """The table: the layer itself, those of the bottleneck, their sum."""
    pixels, alone = settings.side**2, direct(settings)
    parts = bottleneck(settings)

    def row(name: str, count: int, maps: int) -> list[str]:
        counts = pixels * count, count, pixels * maps
        return [name, *(f"{n:,}" for n in counts)]

    count = sum(part.weights for part in parts)
    maps = sum(part.maps for part in parts)
    part = share(count, alone.weights)
    return [
        row(f"itself: {alone.name}", alone.weights, alone.maps),
        *(row(*part) for part in parts),
        row("bottleneck", count, maps),
        ["share", part, part, share(maps, alone.maps)],
    ]


def table(settings: Settings) -> str:
    """Write the rows as a table."""
    lines = [widths.line(name, counts) for name, *counts in rows(settings)]
    return widths.table("bk-table", HEADS, lines[:-2], lines[-2:])
