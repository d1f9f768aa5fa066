"""What all pictures draw with: words, boxes, arrows, the frame around them."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

WIDTH = 444
"""A picture's width in its own units: so wide, a phone still shows its text.

A page shows the picture wider or narrower, and its words with it.
"""

MUTED = 'fill-opacity=".8"'


def text(x: float, y: float, words: str, style: str = "") -> str:
    """Words at a place, in the middle if the style says nothing else."""
    style = f" {style}" if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{style}>{escape(words)}</text>'


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    colour: str,
    opacity: float,
    stroke: float = 1.2,
) -> str:
    """A rectangle that shows what lies behind it."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" fill="{colour}" fill-opacity="{opacity}" '
        f'stroke="{colour}" stroke-width="{stroke}"/>'
    )


def line(path: str, ink: str) -> str:
    """A line with no head."""
    return f'<path d="{path}" fill="none" stroke="{ink}" stroke-width="1.1"/>'


def bend(points: Iterable[tuple[float, float]], round_by: float = 5) -> str:
    """A way through points, its corners rounded."""
    first, *inner, last = points
    path, before = f"M{first[0]:.1f} {first[1]:.1f}", first
    for corner, after in zip(inner, [*inner, last][1:], strict=True):
        begin = _towards(corner, before, round_by)
        end = _towards(corner, after, round_by)
        path += (
            f"L{begin[0]:.1f} {begin[1]:.1f}Q{corner[0]:.1f} {corner[1]:.1f} "
            f"{end[0]:.1f} {end[1]:.1f}"
        )
        before = corner
    return f"{path}L{last[0]:.1f} {last[1]:.1f}"


def _towards(
    start: tuple[float, float], goal: tuple[float, float], far: float
) -> tuple[float, float]:
    """A point on the way, not more than half of it away."""
    (x, y), (to_x, to_y) = start, goal
    length = max(abs(to_x - x), abs(to_y - y), 1e-9)
    part = min(far / length, 0.5)
    return x + part * (to_x - x), y + part * (to_y - y)


def circle(x: float, y: float, r: float, sign: str, ink: str) -> str:
    """A sign in a circle, such as that of a sum."""
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:g}" '
        f'fill="none" stroke="{ink}" stroke-width="1.4"/>'
        + text(x, y + r / 2, sign, f'font-size="{1.55 * r:.0f}"')
    )


def wide(words: str, size: float) -> float:
    """About how wide words are, in most fonts without serifs."""
    narrow = sum(letter in " .,:;ijlt'/|()" for letter in words)
    broad = sum(letter in "mwMW×+%" or letter.isupper() for letter in words)
    return size * (0.57 * len(words) - 0.25 * narrow + 0.12 * broad)


def fill(words: str, room: float, size: float = 13) -> list[str]:
    """Words in lines that are not wider than the room for them."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if wide(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]


def svg(
    name: str,
    size: tuple[float, float],
    scale: float,
    font: int,
    ink: str,
    words: str,
    parts: Iterable[str],
) -> str:
    """The whole picture; *words* say what it shows."""
    width, height = size
    title = f"The layers of {escape(name)}"
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f'aria-label="{title}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width * scale:.0f}" '
            'style="max-width:100%;height:auto" '
            'font-family="Helvetica, Arial, sans-serif" '
            f'font-size="{font}" text-anchor="middle" fill="{ink}">',
            f"<title>{title}</title>",
            f"<desc>{escape(words, quote=False)}</desc>",
            *parts,
            "</svg>",
        ]
    )
