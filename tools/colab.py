"""Write the Colab edition of the book: chapters and labs, for a branch.

    python tools/colab.py            write dist/colab/
    python tools/colab.py --output F write it elsewhere

Colab shows Markdown and formulas, and knows nothing of MyST. So boxes become
quotes and folding details, references become numbers, names and links, and
formulas keep the numbers that the site gives them. Code stays as it is, to
the byte. The same book gives the same bytes, and nothing may be left raw.
"""

from __future__ import annotations

import argparse
import copy
import html
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

import nbformat
import yaml
from docutils.nodes import make_id
from nbformat import NotebookNode
from pybtex.database import Entry, parse_file
from pybtex.plugin import find_plugin

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.notebooks import read, text_of, toc  # noqa: E402
from website import addresses  # noqa: E402
from website.extensions.formulas import normalise as rows_in_order  # noqa: E402

OUTPUT = ROOT / "dist" / "colab"
PAPER = "#ffffff"
"""Figures have no ground of their own; Colab's dark one would hide them."""

STILL = (
    '<p class="cnn-words"><em>This is its picture. '
    "Run the cells down to here, and you can change it.</em></p>"
)

FENCE = re.compile(r"^(:{3,})(?:\{([\w-]+)\} *(.*))?$")
OPTION = re.compile(r"^:([\w-]+): *(.*)$")
PIECE = re.compile(
    r"""
    (?P<escaped>\\[\\`$])
    | (?P<block>^(?P<fence>`{3,}|~{3,})[^\n]*\n.*?^(?P=fence)[ ]*$)
    | \{(?P<role>[a-z]+(?::[a-z]+)?)\}`(?P<argument>[^`]+)`
    | (?P<code>(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))
    | \$\$(?P<display>.+?)\$\$(?:[ ]*\((?P<label>[\w-]+)\))?
    | (?P<inline>\$(?=\S)(?:[^$\n]|\n(?!\n))+?(?<=\S)\$)
    | \]\((?P<link>[^)\s]+)\)
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
RAW = re.compile(
    r"^:{3,}.*|^[`~]{3,}\{.*|\{[a-z]+(?::[a-z]+)?\}`|^\([\w-]+\)=$"
    r"|\$\$ *\([\w-]+\)|\]\((?!https?://)[^)]*\)",
    re.MULTILINE,
)
"""What only MyST understands, and links that lead nowhere from Colab."""


class Stray(Exception):
    """Something in a chapter that this edition has no words for."""


@dataclass
class Box:
    """An admonition: its title, its classes, and what is in it."""

    kind: str
    title: str
    colons: int
    classes: list[str] = field(default_factory=list)
    body: list[str | Box] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """A page of the book, as others refer to it."""

    name: str
    source: str
    text: str
    first: int = 1
    """The number of its first labelled formula; the site counts through."""

    @cached_property
    def title(self) -> str:
        """Its heading."""
        found = re.search(r"^# +(.+)$", self.text, re.MULTILINE)
        if not found:
            raise Stray(f"{self.source} has no heading.")
        return found[1].strip()

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The numbers of its labelled formulas."""
        labels = [m["label"] for m in PIECE.finditer(self.text) if m["label"]]
        return {label: n for n, label in enumerate(labels, self.first)}


# What pages refer to


class Sources:
    """The bibliography, as authors and years."""

    def __init__(self, path: Path) -> None:
        """Read it; works of the same people and year get a letter each."""
        self.entries: dict[str, Entry] = dict(parse_file(str(path)).entries)
        alike: dict[tuple[str, str], list[str]] = {}
        for key, entry in self.entries.items():
            alike.setdefault((self.authors(key), _year(entry)), []).append(key)
        self.years = {
            key: year + (chr(ord("a") + keys.index(key)) if keys[1:] else "")
            for (_, year), keys in alike.items()
            for key in keys
        }

    def authors(self, key: str) -> str:
        """Return who wrote it: one, two, or the first of several."""
        if key not in self.entries:
            raise Stray(f"references.bib has no {key!r}.")
        names = [
            " ".join(
                str(part)
                for part in (*one.rich_prelast_names, *one.rich_last_names)
            )
            for one in self.entries[key].persons["author"]
        ]
        if len(names) > 2:
            return f"{names[0]} et al."
        return " and ".join(names)

    def cite(self, role: str, keys: list[str]) -> str:
        """Return a citation in brackets, or as part of the sentence."""
        told = [(self.authors(key), self.years[key]) for key in keys]
        if role == "cite:t":
            return ", ".join(f"{who} ({year})" for who, year in told)
        return f"({'; '.join(f'{who}, {year}' for who, year in told)})"

    def listed(self, keys: set[str]) -> str:
        """Return these works as a list, by author and year."""
        style = find_plugin("pybtex.style.formatting", "unsrt")()
        backend = find_plugin("pybtex.backends", "markdown")()
        lines = []
        for key in keys:
            [made] = style.format_entries([self.entries[key]])
            text = " ".join(made.text.render(backend).split())
            # the backend escapes more than Markdown asks for
            text = re.sub(r"\\([-.()])", r"\1", text)
            lines.append(
                f"- **{self.authors(key)}, {self.years[key]}.** {text}"
            )
        return "\n".join(sorted(lines, key=str.casefold))


def _year(entry: Entry) -> str:
    return str(entry.fields["year"])


class Book:
    """All that the pages of a book may refer to."""

    def __init__(self, root: Path = ROOT) -> None:
        """Read the contents, the address, the pages, the bibliography."""
        self.root = root
        config = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
        self.repository: str = config["repository"]["url"].rstrip("/")
        self.title: str = config["title"]
        self.pages: dict[str, Page] = {}
        first = 1
        for name in toc(root):
            page = replace(self._page(name), first=first)
            self.pages[page.name] = page
            first += len(page.numbers)
        self.sources = Sources(root / config["bibtex_bibfiles"][0])
        self.labels = {
            label: (page, number)
            for page in self.pages.values()
            for label, number in page.numbers.items()
        }

    def _page(self, name: str) -> Page:
        name = name.removesuffix(".ipynb").removesuffix(".md")
        path = self.root / f"{name}.ipynb"
        if path.is_file():
            cells = read(path).cells
            texts = [c.source for c in cells if c.cell_type == "markdown"]
            return Page(name, f"{name}.ipynb", "\n\n".join(texts))
        path = path.with_suffix(".md")
        return Page(name, f"{name}.md", path.read_text("utf-8"))

    def chapters(self) -> list[Page]:
        """Return the pages that are notebooks, in reading order."""
        return [p for p in self.pages.values() if p.source.endswith(".ipynb")]

    def labs(self) -> list[Page]:
        """Return the students' editions of the labs."""
        found = sorted(self.root.glob("labs/*/lab.ipynb"))
        return [
            self._page(str(path.relative_to(self.root).with_suffix("")))
            for path in found
        ]

    def page(self, name: str, at: str) -> Page:
        """Return the page that *name* means on the page *at*."""
        folder = PurePosixPath("/") / PurePosixPath(at).parent
        full = str(folder / name).lstrip("/")
        if full not in self.pages:
            raise Stray(f"{at} refers to {name!r}, which is no page.")
        return self.pages[full]

    def address(self, page: Page, anchor: str = "") -> str:
        """Return where a page opens: in Colab, or else on the site.

        Colab has no anchors inside a page; the site does.
        """
        if not anchor:
            opened = addresses.colab(self.repository, page.source)
            if opened:
                return opened
        return addresses.site(self.repository, f"{page.name}.html{anchor}")


# Text


def boxes(text: str) -> list[str | Box]:
    """Return a text as its runs and its boxes, which may hold more."""
    top = Box("", "", 0)
    open_boxes, code = [top], ""
    for line in text.split("\n"):
        inside = open_boxes[-1]
        mark = re.match(r"^(`{3,}|~{3,})", line)
        if mark and (not code or line.strip() == code):
            code = "" if code else mark[1]
        found = None if code else FENCE.match(line)
        if found and found[2]:
            if found[2] != "admonition":
                raise Stray(f"This edition has no words for {line!r}.")
            box = Box(found[2], found[3], len(found[1]))
            inside.body.append(box)
            open_boxes.append(box)
        elif found and len(found[1]) == inside.colons:
            open_boxes.pop()
        elif not inside.body and (option := OPTION.match(line)):
            if option[1] == "class":
                inside.classes = option[2].split()
        elif inside.body and isinstance(inside.body[-1], str):
            inside.body[-1] += f"\n{line}"
        else:
            inside.body.append(line)
    if len(open_boxes) > 1:
        raise Stray(f"The box {open_boxes[-1].title!r} is never closed.")
    return top.body


class Translator:
    """Turns the text of one page into what Colab shows."""

    def __init__(self, book: Book, page: Page) -> None:
        """Remember the page; collect what it cites."""
        self.book, self.page = book, page
        self.cited: set[str] = set()

    def text(self, source: str) -> str:
        """Return a Markdown cell for Colab."""
        return self._joined(boxes(source), quoted=False)

    def _joined(self, parts: list[str | Box], quoted: bool) -> str:
        done = []
        for part in parts:
            if isinstance(part, str):
                words = self._words(part, quoted).strip("\n")
                done.append(_quote(words) if quoted and words else words)
            elif "dropdown" in part.classes:
                done.append(self._folded(part))
            else:
                done.append(self._box(part))
        return "\n\n".join(piece for piece in done if piece)

    def _box(self, box: Box) -> str:
        title = f"> **{self._words(box.title, True)}**"
        body = self._joined(box.body, quoted=True)
        # what follows the title at once belongs to the same quote
        return (
            f"{title}\n>\n{body}" if body[:1] == ">" else f"{title}\n\n{body}"
        )

    def _folded(self, box: Box) -> str:
        title = html.escape(box.title)
        body = self._joined(box.body, quoted=False)
        return (
            f"<details>\n<summary><b>{title}</b></summary>\n\n"
            f"{body}\n\n</details>"
        )

    def _words(self, text: str, one_line: bool) -> str:
        def said(found: re.Match[str]) -> str:
            if found["role"]:
                return self._role(found["role"], found["argument"])
            if found["display"]:
                return self._formula(found, one_line)
            if found["link"]:
                return f"]({self._link(found['link'])})"
            return found[0]

        return PIECE.sub(said, text)

    def _formula(self, found: re.Match[str], one_line: bool) -> str:
        tex, label = found["display"], found["label"]
        if label:
            number = self.page.numbers[label]
            tex = f"{rows_in_order(tex)} \\tag{{{number}}}"
        elif rows_in_order(tex) != tex.strip():
            tex = rows_in_order(tex)
        if one_line:
            return f"$${' '.join(tex.split())}$$"
        if label and "\n" in found["display"]:
            return f"$$\n{tex}\n$$"
        return f"$${tex}$$"

    def _role(self, role: str, argument: str) -> str:
        named = re.fullmatch(r"(.+?)\s*<([^<>]+)>", argument, re.DOTALL)
        shown, target = (named[1], named[2]) if named else ("", argument)
        if role == "doc":
            page = self.book.page(target, self.page.name)
            return f"[{shown or page.title}]({self.book.address(page)})"
        if role == "eq":
            return self._number(target)
        if role == "term":
            return self._term(shown or target, target)
        if role in ("cite:p", "cite:t"):
            keys = [key.strip() for key in target.split(",")]
            said = self.book.sources.cite(role, keys)
            self.cited.update(keys)
            return said
        raise Stray(
            f"This edition has no words for {{{role}}} in {self.page.source}."
        )

    def _number(self, label: str) -> str:
        if label in self.page.numbers:
            return f"({self.page.numbers[label]})"
        if label not in self.book.labels:
            raise Stray(f"{self.page.source} refers to no formula: {label}.")
        page, number = self.book.labels[label]
        return f"[({number})]({self.book.address(page)})"

    def _term(self, shown: str, term: str) -> str:
        glossary = self.book.page("glossary", self.page.name)
        term = " ".join(term.split())
        if not re.search(rf"^{re.escape(term)}$", glossary.text, re.MULTILINE):
            raise Stray(f"The glossary has no {term!r}.")
        where = self.book.address(glossary, f"#{make_id(f'term-{term}')}")
        return f"[{' '.join(shown.split())}]({where})"

    def _link(self, to: str) -> str:
        if "://" in to or to.startswith("mailto:"):
            return to
        path, sharp, anchor = to.partition("#")
        name = re.sub(r"\.(ipynb|md|html)$", "", path)
        page = self.page if not name else self.book.page(name, self.page.name)
        return self.book.address(page, sharp + anchor)


def _quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


# Notebooks


def edition(book: Book, page: Page) -> NotebookNode:
    """Return a notebook as Colab is to show it; the source is not changed."""
    nb = copy.deepcopy(read(book.root / page.source))
    translator = Translator(book, page)
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = translator.text(cell.source)
            continue
        tags = set(cell.metadata.get("tags", []))
        if tags & {"colab", "hide-input", "remove-input"}:
            cell.metadata["cellView"] = "form"
        for output in cell.outputs:
            ready_output(output, book, page)
    nb.cells.insert(0, _text_cell("about-this-edition", head(book, page)))
    if translator.cited:
        works = book.sources.listed(translator.cited)
        nb.cells.append(_text_cell("references", f"## References\n\n{works}"))
    nb.metadata["colab"] = {"provenance": [], "toc_visible": True}
    if wants_gpu(page):
        nb.metadata["accelerator"] = "GPU"
        nb.metadata["colab"]["gpuType"] = "T4"
    return nb


def _text_cell(name: str, text: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(text, id=name)


def is_lab(page: Page) -> bool:
    """Whether a page is a lab."""
    return page.source.endswith("/lab.ipynb")


def wants_gpu(page: Page) -> bool:
    """Whether a lab's first line asks for a GPU, or says that one helps."""
    facts = re.search(r"^\*\*\d+ minutes.*", page.text, re.MULTILINE)
    if not is_lab(page) or not facts or "GPU" not in facts[0]:
        return False
    return not re.search(r"no GPU|GPU: no", facts[0])


def head(book: Book, page: Page) -> str:
    """Return what stands above a notebook's title."""
    home = f"[{book.title}]({addresses.site(book.repository)})"
    keep = "**File → Save a copy in Drive**"
    if is_lab(page):
        labs = addresses.site(book.repository, "labs/index.html")
        return (
            f"*A lab of {home}; [how the labs work]({labs}).* "
            f"Before you write anything: {keep}. "
            "Colab forgets this page when you leave it."
        )
    here = addresses.site(book.repository, f"{page.name}.html")
    return (
        f"*A chapter of {home}, to run and to change. [Its page on the "
        f"website]({here}) has widgets that need no kernel.* "
        f"To keep what you change: {keep}."
    )


def ready_output(output: NotebookNode, book: Book, page: Page) -> None:
    """Give an output what the site would give it: a ground, its style."""
    data = output.get("data", {})
    if "image/svg+xml" in data:
        data["image/svg+xml"] = on_paper(data["image/svg+xml"])
    if "text/html" in data:
        data["text/html"] = styled(linked(data["text/html"], book, page))


def on_paper(svg: str) -> str:
    """Return a drawing with a light ground."""
    return re.sub(r"<svg\b", f'<svg style="background: {PAPER}"', svg, count=1)


def styled(markup: str) -> str:
    """Return a widget's picture with the style that its page has."""
    found = re.match(
        r'<div class="cnn-widget [^>]*data-widget="(\w+)"', markup
    )
    if not found:
        return markup
    folder = ROOT / "cnnbook" / "widgets"
    sheets = (folder / "base.css", folder / found[1] / "widget.css")
    css = "\n".join(sheet.read_text("utf-8") for sheet in sheets)
    return f"<style>\n{css}</style>\n{markup}\n{STILL}"


def linked(markup: str, book: Book, page: Page) -> str:
    """Return an output whose links to other pages lead to the site."""
    folder = PurePosixPath(page.name).parent
    return re.sub(
        r'(?<=href=")([\w./-]+\.html)',
        lambda found: addresses.site(book.repository, f"{folder}/{found[1]}"),
        markup,
    )


# What must hold


def prose(source: str) -> str:
    """Return Markdown less its code and formulas."""

    def kept(found: re.Match[str]) -> str:
        code = found["code"] or found["inline"]
        # a fence that names a directive is one, not code
        code = code or (found["block"] or "{").lstrip("`~")[:1] != "{"
        return " " if code else found[0]

    return PIECE.sub(kept, source)


def faults(nb: NotebookNode) -> Iterator[str]:
    """Say what is still raw in an edition."""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            for found in RAW.finditer(prose(cell.source)):
                yield f"{cell.id}: {found[0].strip()[:60]}"


def readme(book: Book) -> str:
    """Return the page that the branch shows on GitHub."""

    def line(page: Page) -> str:
        opened = addresses.colab(book.repository, page.source)
        return f"- [{page.title}]({opened})"

    return "\n".join(
        [
            f"# {book.title}, for Colab",
            "",
            f"The notebooks of [the book]({addresses.site(book.repository)}), "
            "each of which opens alone in Colab.",
            "This branch is written by `make colab` from the main one: "
            "nothing here is edited by hand.",
            "",
            "## Chapters",
            "",
            *map(line, book.chapters()),
            "",
            "## Labs",
            "",
            *map(line, book.labs()),
            "",
        ]
    )


def editions(book: Book) -> dict[str, str]:
    """Return every file of the branch, by its name."""
    files = {"README.md": readme(book)}
    for page in [*book.chapters(), *book.labs()]:
        nb = edition(book, page)
        raw = [f"{page.source}, {fault}" for fault in faults(nb)]
        if raw:
            raise Stray("Left raw: " + "; ".join(raw))
        files[addresses.in_edition(page.source)] = text_of(nb)
    for name in ("LICENSE", "LICENSE-CODE"):
        files[name] = (book.root / name).read_text("utf-8")
    return files


def main(arguments: list[str] | None = None) -> int:
    """Write the edition, in place of the one before."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    folder = parser.parse_args(arguments).output
    try:
        files = editions(Book(ROOT))
    except Stray as stray:
        print(stray, file=sys.stderr)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    print(f"{folder}: {len(files)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
