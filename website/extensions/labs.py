"""The labs, from what each says of itself.

``{lab-list}`` shows every lab of the folder ``labs``: what you build, how
long it takes, what to read first, and where it opens; ``{install-library}``
the command that a laptop needs. The site holds each lab's notebook as a file,
so that a reader without a network has it too.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from website import addresses

from . import book_map

logger = logging.getLogger(__name__)

FACTS = re.compile(
    r"^\*\*(?P<minutes>\d+) minutes · (?P<points>\d+) points · "
    r"(?P<gpu>[^·\n]*GPU[^·\n]*) · read first: (?P<first>[^\n]+?)\.?\*\*\s*$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Lab:
    """One lab, as the first cell of its notebook presents it."""

    name: str
    title: str
    minutes: int
    points: int
    gpu: str
    first: str
    about: str

    @property
    def source(self) -> str:
        """Where the student's notebook stands in the repository."""
        return f"labs/{self.name}/lab.ipynb"


def read(path: Path) -> Lab:
    """Return what the first cell of a student's edition says."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    text = "".join(notebook["cells"][0]["source"])
    title = re.search(r"^# Lab · (.+)$", text, re.MULTILINE)
    facts = FACTS.search(text)
    about = text[facts.end() :].strip().partition("\n\n")[0] if facts else ""
    if not (title and facts and about):
        raise ValueError(
            f"The first cell of the lab {path.parent.name} lacks a title "
            "'# Lab · …', a line '**90 minutes · 20 points · GPU: … · read "
            "first: …**' or a paragraph after it, which the page of the labs "
            "is made from."
        )
    return Lab(
        path.parent.name,
        title[1].strip(),
        int(facts["minutes"]),
        int(facts["points"]),
        facts["gpu"].strip(),
        facts["first"].strip(),
        about,
    )


def labs(root: Path) -> list[Lab]:
    """Return the labs, in the order of the chapters to be read first."""
    stops = book_map.chapters(root)
    titles = [stop.title.split(":")[0] for stop in stops]

    def place(lab: Lab) -> tuple[int, str]:
        named = re.search(r"\*([^*]+)\*", lab.first)
        known = named and named[1] in titles
        return (titles.index(named[1]) if known else len(titles), lab.name)

    found = sorted(root.glob("labs/*/lab.ipynb"))
    return sorted(map(read, found), key=place)


def linked(first: str, stops: list[book_map.Chapter]) -> str:
    """Return what to read first, each *Chapter* as a link to its page."""
    names = {stop.title.split(":")[0]: stop.name for stop in stops}

    def link(found: re.Match[str]) -> str:
        if found[1] not in names:
            logger.warning("no chapter is called %r", found[1], type="site")
            return found[0]
        return f"{{doc}}`{found[1]} </chapters/{names[found[1]]}>`"

    return re.sub(r"\*([^*]+)\*", link, first)


class LabList(SphinxDirective):
    """The directive; it takes no arguments."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        stops = book_map.chapters(root)
        self.env.note_dependency(str(root / "_toc.yml"))
        for stop in stops:
            self.env.note_dependency(str(root / f"chapters/{stop.name}.ipynb"))
        box = nodes.bullet_list(bullet="-", classes=["lab-list"])
        for lab in labs(root):
            self.env.note_dependency(str(root / lab.source))
            box += self.entry(lab, stops)
        return [box]

    def entry(self, lab: Lab, stops: list[book_map.Chapter]) -> nodes.Node:
        """Return a lab as an item of the list."""
        first = linked(lab.first, stops)
        told = (
            f"{lab.minutes} minutes · {lab.points} points · {lab.gpu}. "
            f"Read first: {first}."
        )
        item = nodes.list_item(ids=[f"lab-{lab.name}"])
        item += nodes.paragraph(text=lab.title, classes=["name"])
        item += self.parse_text_to_nodes(lab.about)
        [facts] = self.parse_text_to_nodes(told)
        facts["classes"].append("told")
        item += facts
        item += nodes.raw("", self.ways_in(lab), format="html")
        return item

    def ways_in(self, lab: Lab) -> str:
        """Return the two links: Colab, and the file."""
        repository = self.config.html_theme_options.get("repository_url", "")
        up = "../" * self.env.docname.count("/")
        file = up + addresses.in_edition(lab.source)
        links = [(file, "Download the notebook", " download")]
        if opened := addresses.colab(repository, lab.source):
            rest = ' target="_blank" rel="noopener"'
            links.insert(0, (opened, "Open in Colab", rest))
        return '<p class="ways-in">{}</p>'.format(
            " ".join(
                f'<a href="{escape(to)}"{rest} '
                f'aria-label="{words}: {escape(lab.title)}">{words}</a>'
                for to, words, rest in links
            )
        )


class InstallLibrary(SphinxDirective):
    """The command that installs the library; it takes no arguments."""

    def run(self) -> list[nodes.Node]:
        options = self.config.html_theme_options
        repository = options.get("repository_url", "").rstrip("/")
        branch = options.get("repository_branch", "main")
        library = f'"cnnbook @ git+{repository}@{branch}"'
        text = f"pip install jupyterlab \\\n  {library}"
        return [nodes.literal_block(text, text, language="bash")]


def carry(app: Sphinx, error: Exception | None) -> None:
    """Put the students' notebooks into the site, and no others."""
    if error or app.builder.name != "html":
        return
    root, out = Path(app.srcdir), Path(app.outdir)
    wanted = {
        out / addresses.in_edition(str(path.relative_to(root))): path
        for path in root.glob("labs/*/lab.ipynb")
    }
    for old in set(out.glob("labs/*.ipynb")) - set(wanted):
        old.unlink()
    for target, path in wanted.items():
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("lab-list", LabList)
    app.add_directive("install-library", InstallLibrary)
    app.connect("build-finished", carry, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
