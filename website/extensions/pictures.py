"""Pictures: line drawings become part of the page.

An SVG that stands in the page follows dark mode (the figure style's ink
becomes the page's), its words can be searched and selected, and it costs no
request. Every picture must say in its alt text what there is to see.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from .stylesheet import parse, split_selectors

logger = logging.getLogger(__name__)

INK = "#1f2933"
"""The ink of cnnbook.figures; a test holds the two together."""

_UNSEEN = re.compile(
    r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>",
    re.DOTALL,
)
_REFERENCE = re.compile(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"")
_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style>", re.DOTALL)
_ROOT = re.compile(r"<svg\b([^>]*)>")
_PATH = re.compile(r'(?<=\sd=")[^"]+')
_FONTS = re.compile(r"(?<=font-family: 'DejaVu Sans')[^;\"]*")
_UNTURNED = re.compile(r'\stransform="rotate\(-?0 [^"]*\)"')
"""What matplotlib writes at every word: a dozen fonts, a turn by nothing."""

_INHERITED = re.compile(r'\s(?:fill|stroke|font-size|text-anchor)="[^"]*"')
"""What a drawing's root says of all that is in it; the font is the page's."""


def inline(svg: str, name: str, alt: str) -> str:
    """Return an SVG file as part of a page, where ``name`` is its own."""
    svg = _UNSEEN.sub("", svg).replace("xlink:href", "href")
    svg = re.sub(INK, "currentColor", svg, flags=re.IGNORECASE)
    svg = _PATH.sub(lambda d: re.sub(r"(\.\d{2})\d+", r"\1", d[0]), svg)
    svg = _UNTURNED.sub("", _FONTS.sub(", Verdana, sans-serif", svg))
    svg = _private_ids(svg, name)
    styles = "".join(_STYLE.findall(svg)).replace("<![CDATA[", "")
    svg = _STYLE.sub("", svg)
    scoped = _scoped(styles.replace("]]>", ""), name)
    svg = _ROOT.sub(lambda tag: _root(tag[1], name, alt, scoped), svg, count=1)
    svg = re.sub(r"<defs>\s*</defs>|<defs\s*/>", "", svg)
    return re.sub(r">\s*\n\s*<", ">\n<", svg).strip()


def _private_ids(svg: str, name: str) -> str:
    """Prefix the ids that something refers to; drop the others."""
    used = {first or second for first, second in _REFERENCE.findall(svg)}
    svg = re.sub(
        r'\sid="([^"]*)"',
        lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "",
        svg,
    )
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    return re.sub(r'href="#', f'href="#{name}-', svg)


def _scoped(css: str, name: str) -> str:
    """Keep the rules of a picture from reaching the page around it."""
    rules = parse(css)
    for rule in rules:
        rule.head = ",".join(
            f"#{name} {part}" for part in split_selectors(rule.head)
        )
    return "".join(map(str, rules))


def _root(attributes: str, name: str, alt: str, css: str) -> str:
    box = re.search(r'viewBox="([^"]+)"', attributes)
    size = re.search(r'\swidth="([\d.]+)(pt|px)?"', attributes)
    width = float(size[1]) if size else float((box or "0 0 640")[1].split()[2])
    if size and size[2] == "pt":
        width *= 4 / 3
    view = f' viewBox="{box[1]}"' if box else ""
    kept = "".join(_INHERITED.findall(attributes))
    return (
        f'<svg id="{name}" class="cnn-figure" role="img" '
        f'aria-label="{_attribute(alt)}"{view}{kept} width="{width:.0f}" '
        'style="max-width:100%;height:auto" '
        'xmlns="http://www.w3.org/2000/svg">'
        + (f"<style>{css}</style>" if css else "")
    )


def _attribute(text: str) -> str:
    return escape(" ".join(text.split()))


class Pictures(SphinxPostTransform):
    """Check every picture's alt text; bring SVG files into the page."""

    default_priority = 50
    formats = ("html",)

    def run(self) -> None:
        images = list(self.document.findall(nodes.image))
        for number, image in enumerate(images, start=1):
            alt = image.get("alt", "").strip()
            if not alt:
                self.complain(image)
            path = Path(self.env.srcdir) / image["uri"]
            if path.suffix == ".svg" and path.is_file():
                svg = path.read_text(encoding="utf-8")
                drawn = inline(svg, f"cnn-figure-{number}", alt)
                image.replace_self(nodes.raw("", drawn, format="html"))

    def complain(self, image: nodes.image) -> None:
        cell, line, node = "", None, image
        while node is not None:
            if "cell_index" in getattr(node, "attributes", {}):
                cell = f" of cell {node['cell_index'] + 1}"
            line = line or node.line
            node = node.parent
        logger.warning(
            "the picture%s has no alt text: say what there is to see (%s)",
            cell,
            Path(image["uri"]).name,
            location=(self.env.docname, line),
            type="picture",
        )


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(Pictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
