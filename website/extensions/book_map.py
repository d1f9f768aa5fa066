"""The map of the book, from what the chapters say of themselves.

``{book-map}`` lists the chapters in reading order, each with its title, its
time and what to know first, as its opening box says; arcs beside the list
join each chapter to those it leads on from. So the map cannot go stale.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

BESIDE = ("Try it yourself", "Labs", "For instructors", "About the book")
"""The parts of the table of contents that are not on the way."""

WIDTH = 56  # of the arcs, in pixels


@dataclass(frozen=True)
class Chapter:
    """A stop on the way: its page, and what its opening says."""

    name: str
    title: str
    minutes: int
    first: tuple[str, ...]


def chapters(root: Path) -> list[Chapter]:
    """Return the chapters in reading order."""
    contents = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))
    return [
        read(root / f"{entry['file']}.ipynb")
        for part in contents["parts"]
        if part["caption"] not in BESIDE
        for entry in part["chapters"]
    ]


def read(path: Path) -> Chapter:
    """Return what the first cell of a chapter says."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    text = "".join(notebook["cells"][0]["source"])
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    time = re.search(r"\*\*Time\*\* (\d+) minutes to read", text)
    first = re.search(r"\*\*Know first\*\* (.+)", text)
    if not (title and time and first):
        raise ValueError(
            f"The opening of {path.name} lacks a title, '**Time** 40 minutes "
            "to read' or '**Know first** …', which the map is drawn from."
        )
    links = re.findall(r"\{doc\}`(?:[^`<]*<)?([\w-]+)>?`", first[1])
    return Chapter(path.stem, title[1], int(time[1]), tuple(links))


def direct(stops: list[Chapter]) -> list[tuple[int, int]]:
    """Return the pairs to join: what a chapter needs that no other implies."""
    places = {stop.name: place for place, stop in enumerate(stops)}
    behind: list[set[int]] = []
    pairs = []
    for place, stop in enumerate(stops):
        needs = {places[name] for name in stop.first if name in places}
        if late := [stops[need].name for need in needs if need >= place]:
            raise ValueError(
                f"The chapter {stop.name} is to be read after {late[0]}, "
                "which stands behind it in _toc.yml."
            )
        implied = set().union(*(behind[need] for need in needs), set())
        pairs += [(need, place) for need in sorted(needs - implied)]
        behind.append(needs | implied)
    return pairs


def arcs(stops: list[Chapter]) -> str:
    """Return the arcs as SVG, a unit of height for each chapter."""
    count = len(stops)
    paths = []
    for start, end in direct(stops):
        reach = WIDTH - 6 - min(WIDTH - 8, 14 * (end - start))
        paths.append(
            f'<path d="M{WIDTH - 6} {start + 0.5}C{reach} {start + 0.5} '
            f'{reach} {end + 0.5} {WIDTH - 6} {end + 0.5}"/>'
        )
    dots = "".join(
        f'<path class="stop" d="M{WIDTH - 6} {place + 0.5}h0"/>'
        for place in range(count)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {count}" preserveAspectRatio="none" '
        f'aria-hidden="true">{"".join(paths)}{dots}</svg>'
    )


class BookMap(SphinxDirective):
    """The directive; it takes no arguments."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        stops = chapters(root)
        titles = {stop.name: stop.title.split(":")[0] for stop in stops}
        items = nodes.enumerated_list(enumtype="arabic")
        for stop in stops:
            self.env.note_dependency(str(root / f"chapters/{stop.name}.ipynb"))
            told = f"{stop.minutes} minutes"
            if needs := [titles[name] for name in stop.first]:
                told += f", after {', '.join(needs)}"
            link = addnodes.pending_xref(
                "",
                nodes.inline(text=stop.title),
                refdomain="std",
                reftype="doc",
                reftarget=f"/chapters/{stop.name}",
                refdoc=self.env.docname,
                refexplicit=True,
                refwarn=True,
            )
            items += nodes.list_item(
                "",
                nodes.paragraph("", "", link),
                nodes.paragraph(text=told, classes=["told"]),
            )
        self.env.note_dependency(str(root / "_toc.yml"))
        box = nodes.container(classes=["book-map"])
        box += nodes.raw("", arcs(stops), format="html")
        box += items
        return [box]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("book-map", BookMap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
