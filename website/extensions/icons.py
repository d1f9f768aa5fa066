"""The theme's icons: a font of the few characters that are shown.

The theme draws its icons with Font Awesome, whose fonts weigh 300 kB. The
rules that survive in the style sheet say which characters are used; a font
of these alone, some two kilobytes, goes into the sheet itself.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont

from .formula_style import font_face, subset_font
from .stylesheet import Rule, text

FOLDER = "vendor/fontawesome/webfonts"
FONTS = {
    "Font Awesome\\ 6 Free": ("fa-solid-900.woff2", "900"),
    "Font Awesome\\ 6 Brands": ("fa-brands-400.woff2", "400"),
}
_CONTENT = re.compile(r'content:\s*"\\([ef][0-9a-f]{3})"')


@cache
def characters(path: Path) -> frozenset[int]:
    """Return which characters a font can draw."""
    with TTFont(path, lazy=True) as font:
        return frozenset(font.getBestCmap())


def faces(rules: list[Rule], static: Path) -> str:
    """Return the rules that carry the icons that these rules show."""
    css = text(rules)
    shown = {chr(int(code, 16)) for code in _CONTENT.findall(css)}
    written = []
    for family, (name, weight) in FONTS.items():
        path = static / FOLDER / name
        if family not in css or not path.is_file():
            continue
        drawn = {icon for icon in shown if ord(icon) in characters(path)}
        if drawn:
            face = (family, weight, "normal")
            written.append(font_face(face, subset_font(path, drawn)))
    return "".join(written)
