"""The style and the fonts of formulas: one sheet, nothing else to load.

KaTeX's style sheet and fonts come out of the jupyterlab-katex wheel, where
they lie inside a webpack bundle. The bundle is run, not searched: it says
itself which font file belongs to which face. Rules are cut to the classes
that the book's formulas use, and fonts to their characters. The fonts go
into the sheet itself, so that they arrive with the formulas (no line moves
when they do) and load from a folder as well (Firefox forbids font files
there).
"""

from __future__ import annotations

import base64
import io
import logging
import re
from functools import cache
from html import unescape
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.errors import ExtensionError

from .stylesheet import Rule, Used, parse, prune

# The subsetter reports each table that it touches.
logging.getLogger("fontTools").setLevel(logging.WARNING)

PACKAGE = "jupyterlab-katex"

_UNPACK = """
const modules = {}, loaded = {};
const self = {webpackChunk_jupyterlab_katex_extension:
  {push: (chunk) => Object.assign(modules, chunk[1])}};
class URL { constructor(path) { this.path = path; }
            toString() { return this.path; } }
const load = (id) => {
  if (!(id in loaded)) {
    loaded[id] = {id, exports: {}};
    modules[id](loaded[id], loaded[id].exports, load);
  }
  return loaded[id].exports;
};
load.n = (exported) => () => exported;
load.d = (target, names) => { for (const name in names)
  Object.defineProperty(target, name, {get: names[name]}); };
load.p = load.b = "";
const sheet = () => {
  const id = Object.keys(modules).find(
    (id) => modules[id].toString().includes("KaTeX_AMS"));
  return load(id).Z.toString();
};
"""

MARK = '<span class="katex-html"'
"""What a page with a formula holds."""

Face = tuple[str, str, str]
"""Family, weight, style."""

REGULAR: Face = ("KaTeX_Main", "normal", "normal")


def _wheel_folder() -> tuple[Path, str]:
    """Return the folder with the fonts, and the bundle with the sheet."""
    try:
        scripts = [
            Path(str(path.locate()))
            for path in files(PACKAGE) or []
            if path.suffix == ".js" and "katex-extension" in str(path)
        ]
    except PackageNotFoundError:
        scripts = []
    for path in scripts:
        text = path.read_text(encoding="utf-8")
        if "@font-face" in text and "KaTeX_AMS" in text:
            return path.parent, text
    raise ExtensionError(
        f"The package {PACKAGE} holds no KaTeX style sheet: install the "
        "version that requirements.lock names."
    )


@cache
def load() -> tuple[list[Rule], dict[Face, Path]]:
    """Return KaTeX's rules, and the font file of each face."""
    from py_mini_racer import MiniRacer

    folder, bundle = _wheel_folder()
    engine = MiniRacer()
    engine.eval(_UNPACK)
    engine.eval(bundle)
    rules, faces = [], {}
    for rule in parse(str(engine.eval("sheet()"))):
        if rule.head != "@font-face":
            rules.append(rule)
            continue
        part = dict(re.findall(r"font-(\w+):\s*'?([\w-]+)", rule.body))
        file = re.search(r"url\(\"?([^)\"]+\.woff2)", rule.body)
        if file:
            face = (part["family"], part["weight"], part["style"])
            faces[face] = folder / file[1]
    if REGULAR not in faces or not all(map(Path.is_file, faces.values())):
        raise ExtensionError(
            f"The style sheet in {PACKAGE} names fonts that are not there: "
            "install the version that requirements.lock names."
        )
    return rules, faces


_TAG = re.compile(r'<(/?)\w+(?: class="([^"]*)")?[^>]*?(/?)>([^<]*)')
_START = re.compile(re.escape(MARK))
_OUTER = frozenset({"delimsizing", "mult", "delim-size1", "delim-size4"})


def _font_rules(rules: list[Rule]) -> list[tuple[frozenset[str], tuple]]:
    """Return (classes, (family, weight, style)) of rules that set fonts."""
    found = []
    for rule in rules:
        part = dict(
            re.findall(r"font-(family|weight|style):\s*'?([\w-]+)", rule.body)
        )
        if not part:
            continue
        face = tuple(part.get(k) for k in ("family", "weight", "style"))
        for selector in rule.head.split(","):
            names = set(re.findall(r"\.([\w-]+)", selector)) - {"katex"}
            if names:
                found.append((frozenset(names), face))
    return found


def characters(pages: list[str]) -> dict[Face, set[str]]:
    """Say which characters each face draws in these pages."""
    rules = _font_rules(load()[0])
    seen: dict[Face, set[str]] = {}
    for page in pages:
        for start in _START.finditer(page):
            _read_formula(page, start.start(), rules, seen)
    return seen


def _read_formula(
    page: str,
    start: int,
    rules: list[tuple[frozenset[str], tuple]],
    seen: dict[Face, set[str]],
) -> None:
    """Walk one formula, knowing at each point the face in force."""
    stack: list[tuple[Face, frozenset[str]]] = []
    for tag in _TAG.finditer(page, start):
        closing, classes, empty, text = tag.groups()
        if closing:
            stack.pop()
        elif not empty:
            stack.append(_face_inside(stack, classes or "", rules))
        if not stack:
            return
        if text:
            seen.setdefault(stack[-1][0], set()).update(unescape(text))


def _face_inside(
    stack: list[tuple[Face, frozenset[str]]],
    classes: str,
    rules: list[tuple[frozenset[str], tuple]],
) -> tuple[Face, frozenset[str]]:
    face, above = stack[-1] if stack else (REGULAR, frozenset())
    names = frozenset(classes.split())
    for needed, part in rules:
        if names & needed and needed <= names | above:
            face = tuple(
                new or old for new, old in zip(part, face, strict=True)
            )
    # A rule reaches at most from a tall bracket to the span inside it.
    return face, (names | above) & _OUTER


def subset_font(path: Path, text: set[str]) -> bytes | None:
    """Return a font as woff2 with these characters only, if it has any."""
    options = subset.Options()
    options.flavor = "woff2"
    options.layout_features = []
    options.hinting = False
    options.notdef_outline = True
    font = TTFont(path, recalcTimestamp=False)
    if not any(ord(character) in font.getBestCmap() for character in text):
        return None
    cutter = subset.Subsetter(options)
    cutter.populate(text="".join(sorted(text)))
    cutter.subset(font)
    font.flavor = "woff2"
    target = io.BytesIO()
    font.save(target)
    return target.getvalue()


def font_face(face: Face, data: bytes, family: str | None = None) -> str:
    """Return the rule that carries a font in itself."""
    name, weight, style = face
    encoded = base64.b64encode(data).decode()
    return (
        f"@font-face{{font-family:{family or name};font-weight:{weight};"
        f"font-style:{style};font-display:swap;"
        f"src:url(data:font/woff2;base64,{encoded}) format('woff2')}}"
    )


def sheet(pages: list[str], used: Used) -> str:
    """Return the style sheet for the formulas of these pages."""
    rules, faces = load()
    fonts = [
        font_face(face, data)
        for face, text in sorted(characters(pages).items())
        if face in faces and (data := subset_font(faces[face], text))
    ]
    return "".join(map(str, [*prune(rules, used), *fonts]))
