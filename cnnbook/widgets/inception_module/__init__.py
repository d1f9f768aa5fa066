"""GoogLeNet's module: four branches over the same maps, and what they cost."""

from __future__ import annotations

from typing import NamedTuple

import traitlets

from cnnbook.geometry import conv_parameters
from cnnbook.nets.googlenet import TABLE
from cnnbook.widgets import widths
from cnnbook.widgets.widths import Width, WidthsWidget, share, two

KINDS = {"reduced": "reduced", "naive": "naive"}
"""With the 1 × 1 layers that reduce, or without."""

RANGES = {
    "side": (7, 56, 7),
    "maps_in": (16, 1024, 16),
    "n1": (8, 384, 8),
    "r3": (8, 384, 8),
    "n3": (8, 384, 8),
    "r5": (8, 128, 8),
    "n5": (8, 128, 8),
    "p": (8, 128, 8),
}
"""The least and the most that is drawn, and the step between."""


def _modules() -> dict[str, list[int]]:
    found, maps = {}, 192
    for name, wide in TABLE.items():
        side = {"3": 28, "4": 14, "5": 7}[name[0]]
        found[name] = [side, maps, *wide]
        maps = wide[0] + wide[2] + wide[4] + wide[5]
    return found


MODULES = _modules()
"""The nine modules of the paper's Table 1, in the order of ``Settings``."""


class Settings(NamedTuple):
    """What the reader sets; at first module 3a."""

    side: int = 28
    maps_in: int = 192
    n1: int = 64
    r3: int = 96
    n3: int = 128
    r5: int = 16
    n5: int = 32
    p: int = 32
    kind: str = "reduced"


class Step(NamedTuple):
    """A layer of a branch: its window, the maps it gives, its weights."""

    window: str
    maps: int
    weights: int


NAMES = ("1 × 1", "3 × 3", "5 × 5", "pooling")
"""The branches, as the table calls them."""


def branches(settings: Settings) -> list[list[Step]]:
    """The layers of the four branches, from the input on."""
    maps = settings.maps_in
    pool = Step("max 3 × 3", maps, 0)
    if settings.kind == "naive":
        return [
            [_conv(1, maps, settings.n1)],
            [_conv(3, maps, settings.n3)],
            [_conv(5, maps, settings.n5)],
            [pool],
        ]
    r3, r5 = settings.r3, settings.r5
    return [
        [_conv(1, maps, settings.n1)],
        [_conv(1, maps, r3), _conv(3, r3, settings.n3)],
        [_conv(1, maps, r5), _conv(5, r5, settings.n5)],
        [pool, _conv(1, maps, settings.p)],
    ]


def weights(settings: Settings) -> int:
    """The weights of the module; each works once at every pixel."""
    return sum(step.weights for way in branches(settings) for step in way)


def maps_out(settings: Settings) -> int:
    """The maps that stand side by side in the output."""
    return sum(way[-1].maps for way in branches(settings))


def other(settings: Settings) -> Settings:
    """The same module of the other kind."""
    kind = "reduced" if settings.kind == "naive" else "naive"
    return settings._replace(kind=kind)


def _conv(window: int, maps_in: int, maps: int) -> Step:
    count = conv_parameters(maps_in, maps, window, bias=False)
    return Step(f"{window} × {window}", maps, count)


# ---- In words ----


def volume(settings: Settings, maps: int) -> str:
    """Write a stack of maps: 28 × 28 × 192."""
    return f"{settings.side} × {settings.side} × {maps}"


def module(settings: Settings) -> str:
    """Name the module of Table 1 that this is, or nothing."""
    given = list(settings[:8])
    return next((name for name in MODULES if MODULES[name] == given), "")


def words(settings: Settings) -> str:
    """Say what comes out, what it costs, and what the other kind would."""
    there = other(settings)
    pixels = settings.side**2
    here = weights(settings)
    ways = [sum(step.weights for step in way) for way in branches(settings)]
    most = max(range(4), key=ways.__getitem__)
    return (
        f"{volume(settings, maps_out(settings))} out: "
        f"{pixels * here:,} multiplications, "
        f"{share(here, weights(there))} of the {there.kind} module's "
        f"{pixels * weights(there):,}. Most are in the {NAMES[most]} branch, "
        f"{share(ways[most], here)}. The {there.kind} module would put out "
        f"{maps_out(there)} maps."
    )


def note(settings: Settings) -> str:
    """Say what is counted and what the picture shows."""
    said = (
        "The pooling hands on all its maps: a module gives more maps than it "
        "reads."
        if settings.kind == "naive"
        else "The first 1 × 1 layer of a branch narrows the stack before the "
        "large window reads it."
    )
    return (
        f"The band in a box is as long as it has maps. {said} All branches "
        "keep the size; that is why their maps can stand side by side. "
        "Biases and the comparisons of the pooling are not counted."
    )


HEADS = ("Branch", "Maps out", "Weights", "Multiplications")


def rows(settings: Settings) -> list[list[str]]:
    """The table: the branches, the module, the other kind, the share."""
    pixels, there = settings.side**2, other(settings)

    def row(name: str, maps: int, count: int) -> list[str]:
        return [name, f"{maps:,}", f"{count:,}", f"{pixels * count:,}"]

    here = weights(settings)
    part = share(here, weights(there))
    return [
        *(
            row(name, way[-1].maps, sum(step.weights for step in way))
            for name, way in zip(NAMES, branches(settings), strict=True)
        ),
        row(settings.kind, maps_out(settings), here),
        row(there.kind, maps_out(there), weights(there)),
        ["share", share(maps_out(settings), maps_out(there)), part, part],
    ]


# ---- Where things stand ----

BOX, ROWS, BAR = 23, (56, 130), 204
"""The width of a box in per cent, the heights of both rows and the bar."""


def scheme(settings: Settings) -> dict[str, list]:
    """Where boxes, lines and the parts of the bar stand.

    Across in per cent of the width, rounded, so that both languages write
    the same; down in pixels.
    """
    ways, total = branches(settings), maps_out(settings)
    widest = max(step.maps for way in ways for step in way)
    boxes, lines, parts, start = [], [], [], 0
    for place, way in enumerate(ways):
        middle, above = 12.5 + 25 * place, 30
        for step, y in zip(way, ROWS[-len(way) :], strict=True):
            band = two(BOX * step.maps / widest)
            text = volume(settings, step.maps).replace(" ", "")
            boxes.append([place, y, step.window, text, band])
            lines.append([middle, above, middle, y])
            above = y + 48
        maps = way[-1].maps
        x, width = two(100 * start / total), two(100 * maps / total)
        start += maps
        parts.append([place, x, width, maps])
        lines.append([middle, above, two(x + width / 2), BAR])
    return {"boxes": boxes, "lines": lines, "parts": parts}


def label(settings: Settings) -> str:
    """Say what the picture shows."""
    ways = (
        " then ".join(f"{step.window} to {step.maps} maps" for step in way)
        for way in branches(settings)
    )
    return (
        f"{volume(settings, settings.maps_in)} go into four branches: "
        f"{'; '.join(ways)}. Side by side they make "
        f"{volume(settings, maps_out(settings))}"
    )


# ---- The widget ----


class InceptionModule(WidthsWidget):
    """Set the widths of a module; see its shapes flow and what they cost.

    The settings are those of ``Settings``, by name: the ``side`` and the
    number of the maps that come in; ``n1``, ``n3``, ``n5`` filters of
    1 × 1, 3 × 3 and 5 × 5; ``r3`` and ``r5`` of the 1 × 1 layers before
    them, ``p`` of the one behind the pooling; the ``kind``, reduced or
    naive.  ``weights`` and ``maps_out`` are what it comes to.
    """

    _name = "inception_module"
    _Settings = Settings
    _kinds = KINDS

    side = Width(28, *RANGES["side"])
    maps_in = Width(192, *RANGES["maps_in"])
    n1 = Width(64, *RANGES["n1"])
    r3 = Width(96, *RANGES["r3"])
    n3 = Width(128, *RANGES["n3"])
    r5 = Width(16, *RANGES["r5"])
    n5 = Width(32, *RANGES["n5"])
    p = Width(32, *RANGES["p"])
    kind = traitlets.Unicode("reduced").tag(sync=True)
    kinds = traitlets.Dict(KINDS, read_only=True).tag(sync=True)
    modules = traitlets.Dict(MODULES, read_only=True).tag(sync=True)
    ranges = traitlets.Dict(
        {name: list(span) for name, span in RANGES.items()}, read_only=True
    ).tag(sync=True)

    @property
    def weights(self) -> int:
        """The weights of the module."""
        return weights(self._settings)

    @property
    def maps_out(self) -> int:
        """The maps that it puts out."""
        return maps_out(self._settings)

    def _static(self) -> str:
        settings = self._settings
        verdict, rest = words(settings).split(": ", 1)
        return (
            f'<figure class="inc"><p class="inc-words">'
            f"<strong>{verdict}</strong>: {rest}</p>"
            f"{picture(settings)}{table(settings)}"
            f"<figcaption>{note(settings)}</figcaption></figure>"
        )


def picture(settings: Settings) -> str:
    """Draw the four branches from the input down to the output."""
    drawn = scheme(settings)
    lines = "".join(
        f'<line x1="{a:g}%" y1="{b}" x2="{c:g}%" y2="{d}" '
        'stroke="currentColor"/>'
        for a, b, c, d in drawn["lines"]
    )
    boxes = "".join(
        f'<g class="inc-{place}">'
        f'<rect class="inc-box" x="{25 * place + 1}%" y="{y}" '
        f'width="{BOX}%" height="48" fill="none" stroke="currentColor"/>'
        f'<rect class="inc-band" x="{25 * place + 1}%" y="{y + 42}" '
        f'width="{band:g}%" height="6" fill="currentColor"/>'
        f'<text x="{25 * place + 12.5:g}%" y="{y + 17}" font-size="12" '
        f'text-anchor="middle" fill="currentColor">{window}</text>'
        f'<text x="{25 * place + 12.5:g}%" y="{y + 34}" font-size="12" '
        f'text-anchor="middle" fill="currentColor">{text}</text></g>'
        for place, y, window, text, band in drawn["boxes"]
    )
    parts = "".join(
        f'<g class="inc-{place}"><rect class="inc-part" x="{x:g}%" y="{BAR}" '
        f'width="{width:g}%" height="32" fill="currentColor" '
        'fill-opacity="0.2" stroke="currentColor"/>'
        + (
            f'<text x="{two(x + width / 2):g}%" y="{BAR + 20}" '
            'font-size="12" text-anchor="middle" fill="currentColor">'
            f"{maps}</text>"
        )
        * (width >= 8)
        + "</g>"
        for place, x, width, maps in drawn["parts"]
    )
    ends = [
        (19, f"in: {volume(settings, settings.maps_in)}"),
        (BAR + 52, f"out: {volume(settings, maps_out(settings))}"),
    ]
    texts = "".join(
        f'<text class="inc-end" x="50%" y="{y}" font-size="12" '
        f'text-anchor="middle" fill="currentColor">{text}</text>'
        for y, text in ends
    )
    return (
        '<svg class="inc-flow" width="600" height="262" overflow="visible" '
        f'role="img" aria-label="{label(settings)}">'
        '<rect class="inc-in" width="100%" height="30" fill="none" '
        f'stroke="currentColor"/>{lines}{boxes}{parts}{texts}</svg>'
    )


def table(settings: Settings) -> str:
    """Write the rows as a table."""
    lines = [
        widths.line(name, counts, f' class="inc-{place}"' * (place < 4))
        for place, (name, *counts) in enumerate(rows(settings))
    ]
    return widths.table("inc-table", HEADS, lines[:4], lines[4:])
