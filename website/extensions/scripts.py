"""The site's scripts: one for every page, and one for each widget.

A widget's ES module and the functions that all widgets share (``base.mjs``)
are written as classic deferred scripts, because browsers load no modules
from a folder. The shared functions stand once, beside the page host; each
widget becomes a function of its own that registers what the module exports.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from sphinx.errors import ExtensionError

HERE = Path(__file__).resolve()
ASSETS = HERE.parents[1] / "assets"
WIDGETS = HERE.parents[2] / "cnnbook" / "widgets"

SEARCH = (
    "documentation_options.js",
    "doctools.js",
    "language_data.js",
    "searchtools.js",
)
"""Sphinx's own, in the order in which they need each other."""

# No page marks the words that were searched for: the script that would does
# not stand being joined with the others.
_NO_MARKS = "const SPHINX_HIGHLIGHT_ENABLED = false;"

# Browsers fetch nothing from a folder: there, results have no excerpts.
_OFFLINE = """
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  addEventListener("DOMContentLoaded", () => {
    document.querySelector(".cnn-search-offline").hidden = false;
  });
}
"""
# Excerpts are made of a page's text, where a formula stands three times.
_EXCERPTS = """
const withFormulasThrice = Search.htmlToText;
Search.htmlToText = (html, anchor) => {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const twin of page.querySelectorAll(".katex-html, annotation")) {
    twin.remove();
  }
  return withFormulasThrice(page.documentElement.outerHTML, anchor);
};
"""
_INCLUDE = re.compile(r"^// include (\S+)$", re.MULTILINE)
_EXPORT = re.compile(r"^export default ", re.MULTILINE)


def digest(text: str) -> str:
    """Return a short name for a text, so that caches notice changes."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def widgets_in(page: str) -> list[str]:
    """Return the names of the widgets on a page."""
    return sorted(set(re.findall(r'data-widget="(\w+)"', page)))


def module_of(name: str) -> str:
    """Return a widget's module, after the files that it may have beside it."""
    widget = WIDGETS / name / "widget.mjs"
    others = sorted({*widget.parent.glob("*.mjs")} - {widget})
    return "\n".join(map(_read, (*others, widget)))


def _read(path: Path) -> str:
    """Read a file; a line that names another becomes what stands there."""
    return _INCLUDE.sub(
        lambda line: _read(path.parent / line[1]),
        path.read_text(encoding="utf-8"),
    )


def as_classic(name: str, module: str) -> str:
    """Write a widget's module as a script that registers it."""
    body, exports = _EXPORT.subn("return ", module)
    if exports != 1 or re.search(r"^(import|export) ", body, re.MULTILINE):
        raise ExtensionError(
            f"The module of the widget {name} should have one line "
            "'export default …' and no other import or export."
        )
    return f"cnnWidgets.{name} = (() => {{\n{body}\n}})();\n"


def write(static: Path, pages: list[str]) -> dict[str, str]:
    """Write the scripts that the pages need; return their digests."""
    written = {"site.js": (ASSETS / "site.js").read_text(encoding="utf-8")}
    names = sorted({name for page in pages for name in widgets_in(page)})
    if names:
        written |= _widget_files(names)
    options = (static / SEARCH[0]).read_text(encoding="utf-8")
    others = [
        (static / name).read_text(encoding="utf-8") for name in SEARCH[1:]
    ]
    written["search.js"] = "\n".join(
        [options, _NO_MARKS, _OFFLINE, *others, _EXCERPTS]
    )
    for name, text in written.items():
        path = static / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return {name: digest(text) for name, text in written.items()}


def _widget_files(names: list[str]) -> dict[str, str]:
    for name in names:
        if not (WIDGETS / name / "widget.mjs").is_file():
            known = sorted(
                path.parent.name for path in WIDGETS.glob("*/widget.mjs")
            )
            raise ExtensionError(
                f"A page shows a widget named {name}; there are {known}."
            )
    host = (ASSETS / "host.js").read_text(encoding="utf-8")
    base = (WIDGETS / "base.mjs").read_text(encoding="utf-8")
    sheets = [WIDGETS / "base.css"]
    sheets += [WIDGETS / name / "widget.css" for name in names]
    written = {
        "widgets/host.js": base + "\n" + host,
        "widgets/widgets.css": "\n".join(
            sheet.read_text(encoding="utf-8") for sheet in sheets
        ),
    }
    for name in names:
        written[f"widgets/{name}.js"] = as_classic(name, module_of(name))
    return written


def sources(static: Path) -> list[str]:
    """Return the scripts whose words keep style rules."""
    return [
        (static / name).read_text(encoding="utf-8")
        for name in ("site.js", "searchtools.js")
    ]
