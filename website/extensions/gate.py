"""The gate: what no page of the site may hold.

Runs over every page at the end of every build; each finding is a Sphinx
warning, so that ``-W`` fails the build.
"""

from __future__ import annotations

import os
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

from sphinx.util import logging

logger = logging.getLogger(__name__)

_LOADED = re.compile(
    r"<(?!a\b|area\b)(\w+)\b[^<>]*?"
    r"\s(?:src|srcset|href|xlink:href|data|poster|action|formaction)"
    r"\s*=\s*[\"']?\s*((?:https?:)?//[^\s\"'>]+)",
    re.IGNORECASE,
)
_STYLED = re.compile(
    r"(?:url\(|@import)\s*[\"']?\s*((?:https?:)?//[^\s\"')]+)", re.IGNORECASE
)
_FILE = re.compile(r"url\(\s*[\"']?(?!data:|#|https?:|//)[^)]*\)")
_SCRIPT = re.compile(r"<script\b[^>]*>(.+?)</script>", re.DOTALL)
_ADDRESS = re.compile(r"[\"'`](https?://[^\s\"'`]+)")
_ID = re.compile(r"\s(?:id|name)=[\"']([^\"']+)[\"']")
_LINK = re.compile(
    r"<(?:a|img|link|script)\b[^<>]*?\s(?:href|src)="
    r"[\"'](?![a-z]+:|//|/)([^\"']+)[\"']"
)
_NAMESPACE = "http://www.w3.org/"


def foreign_hosts(page: str) -> list[str]:
    """Return the addresses of other hosts that a page would load."""
    found = [match[2] for match in _LOADED.finditer(page)]
    found += _STYLED.findall(page)
    for script in _SCRIPT.findall(page):
        found += _in_script(script)
    return found


def _in_script(script: str) -> list[str]:
    return [
        address
        for address in _ADDRESS.findall(script)
        if not address.startswith(_NAMESPACE)
    ]


def dead_links(out: Path, pages: dict[Path, str]) -> list[tuple[Path, str]]:
    """Return the links within the site that lead nowhere."""
    places = {
        str(path): set(_ID.findall(page)) for path, page in pages.items()
    }
    known = {str(path) for path in out.rglob("*")} | {str(out / "index.html")}
    dead = []
    for path, page in pages.items():
        for link in sorted(set(_LINK.findall(page))):
            address, _, place = unescape(unquote(link)).partition("#")
            address = address.partition("?")[0] or path.name
            target = os.path.normpath(f"{path.parent}/{address}")
            if target not in known or (
                place and target in places and place not in places[target]
            ):
                dead.append((path, link))
    return dead


def check(out: Path, pages: dict[Path, str]) -> None:
    """Warn of each thing that must not be in the site."""
    for path, page in pages.items():
        name = path.relative_to(out).as_posix()
        for address in foreign_hosts(page):
            _warn(f"{name}: the page loads from another host: {address}")
        if "katex-error" in page:
            _warn(f"{name}: a formula was not rendered")
        if re.search(r"https?://[^\s\"'<>]*/\./", page):
            _warn(f'{name}: a link holds "/./"')
    for path, link in dead_links(out, pages):
        name = path.relative_to(out).as_posix()
        _warn(f"{name}: the link leads nowhere: {link}")
    for path in sorted((out / "_static").rglob("*")):
        if path.suffix not in (".css", ".js"):
            continue
        text = path.read_text(encoding="utf-8")
        find = _STYLED.findall if path.suffix == ".css" else _in_script
        for address in find(text):
            _warn(f"{path.name}: the file loads from another host: {address}")
        if path.suffix == ".css" and (file := _FILE.search(text)):
            _warn(f"{path.name}: the sheet loads a file: {file[0]}")
    if (out / "_sources").exists():
        _warn("the site holds page sources; keep html_copy_source: false")


def _warn(message: str) -> None:
    logger.warning("%s", message, type="site")
