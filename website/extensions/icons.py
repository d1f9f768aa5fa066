"""The theme's icons: a font of the few characters that are shown.

The theme draws its icons with Font Awesome, whose fonts weigh 300 kB. The
rules that survive in the style sheet say which characters are used; a font
of these alone, some two kilobytes, goes into the sheet itself.
"""

from __future__ import annotations

import re
from pathlib import Path

from .formula_style import font_face, subset_font
from .stylesheet import Rule, text

FOLDER = "vendor/fontawesome/webfonts"
FONTS = {
    "Font Awesome\\ 6 Free": ("fa-solid-900.woff2", "900"),
    "Font Awesome\\ 6 Brands": ("fa-brands-400.woff2", "400"),
}
_CONTENT = re.compile(r'content:\s*"\\([ef][0-9a-f]{3})"')


def faces(rules: list[Rule], static: Path) -> str:
    """Return the rules that carry the icons that these rules show."""
    css = text(rules)
    shown = {chr(int(code, 16)) for code in _CONTENT.findall(css)}
    written = []
    for family, (name, weight) in FONTS.items():
        path = static / FOLDER / name
        if family not in css or not path.is_file():
            continue
        if data := subset_font(path, shown):
            written.append(font_face((family, weight, "normal"), data))
    return "".join(written)
