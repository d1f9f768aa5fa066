"""The prose gate: no number of the book is merely typed.

    python tools/prose.py             every page
    python tools/prose.py lenet       these pages

It reads the Markdown of each page, alternative texts included, and names
each figure that nothing covers. A figure is a number of four digits or more,
or with one of these units: % (per cent), × (-fold, "times as …"), thousand,
million, billion, trillion, K M G B T and Ki Mi Gi at the digits, kB MB GB and
KiB MiB GiB, GMACs and GFLOPs, s ms µs min h. A figure is covered when

- a cell of the same page prints it: as text, in a table, in the words of a
  picture or a widget, a scale's ticks excepted. What is printed may be
  longer: 61,706 covers 61.7K, 0.9876 and "988 of 1,000" cover 98.8 %.
  A whole number without a unit may be rounded behind "about" or ≈ alone;
- an assertion that runs there compares something with it;
- an equation of the page's own text gives it: 28 · 28 · 6 = 4,704. Its terms
  have to be covered too, and an equation whose sides differ is a fault;
- its own sentence, list item or table row cites a paper, or the head of its
  column, or the sentence that ends with a colon before the table or list (in
  a lab, which is plain Markdown, it says so in words);
- the registry of claims knows it.

Years from 1900 to 2030, dates, versions, addresses, the numbers of equations
and numbers within names (ResNet-1202, `conv2d`) are no figures; nor are
smaller counts without a unit, and numbers in words: nobody would read on.
In a code span a bare number counts, as it does in a formula.
"""

from __future__ import annotations

import argparse
import ast
import html
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from mdit_py_plugins.myst_blocks import myst_block_plugin
from mdit_py_plugins.myst_role import myst_role_plugin
from nbformat import NotebookNode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.notebooks import ROOT, name_of, notebooks, read, toc
from tools.numerals import (
    Number,
    equations,
    formula,
    hide,
    hide_names,
    numbers,
    ratios,
    show,
)

CITED = "\ue000"
"""Stands in a text where a paper is cited."""

UNREAD = {"bibliography", "code", "code-block", "code-cell", "include"}
UNREAD |= {"literalinclude", "raw", "toctree", "what-ran-where"}
PATHS = {"figure", "image"}
"""Directives whose argument is a path, not a title."""

CURES = (
    "print it in a cell, assert it there, give the equation, cite its paper "
    "in the same sentence, table row or column's head, or add it to "
    "chapters/claims.yml"
)
Covers = Callable[[str], bool]

MARKDOWN = MarkdownIt("commonmark").enable("table")
for plugin in (
    front_matter_plugin,
    dollarmath_plugin,
    amsmath_plugin,
    colon_fence_plugin,
    deflist_plugin,
    myst_role_plugin,
    myst_block_plugin,
):
    MARKDOWN.use(plugin)


# What a page says


@dataclass(frozen=True)
class Sentence:
    """A sentence or a table's cell, ready to be read for numbers."""

    line: int
    text: str
    cited: bool


def sentences(markdown: str, line: int = 1) -> Iterator[Sentence]:
    """Yield what a Markdown text says, directives included."""
    tree = SyntaxTreeNode(MARKDOWN.parse(markdown))
    yield from _blocks(tree, line)


def _blocks(parent: SyntaxTreeNode, line: int) -> Iterator[Sentence]:
    """Yield the sentences of some blocks, one after the other."""
    leads = False  # whether the last sentence cites and ends with a colon
    for node in parent.children:
        here = line + node.map[0] if node.map else line
        found: list[Sentence] = []
        if node.type in ("paragraph", "heading", "dt"):
            found = list(_split(_text(node), here))
        elif node.type in ("bullet_list", "ordered_list"):
            for item in node.children:
                said = list(_blocks(item, line))
                cited = leads or any(one.cited for one in said)
                found += [replace(one, cited=cited) for one in said]
        elif node.type == "table":
            found = list(_table(node, line, leads))
        elif node.type in ("fence", "colon_fence"):
            found = list(_directive(node.info, node.content, here))
        elif node.type.startswith(("math_block", "amsmath")):
            found = [Sentence(here, formula(node.content), leads)]
        elif node.children:
            found = list(_blocks(node, line))
        yield from found
        last = found[-1] if found and node.type == "paragraph" else None
        leads = bool(last and last.cited and last.text.rstrip().endswith(":"))


def _table(node: SyntaxTreeNode, line: int, cited: bool) -> Iterator[Sentence]:
    """Yield a table's cells: its head speaks for what stands below."""
    rows = [row for part in node.children for row in part.children]
    head = [_text(cell) for cell in rows[0].children]
    for row in rows:
        texts = [_text(cell) for cell in row.children]
        for text, above in zip(texts, head, strict=False):
            unit = HEAD_UNIT.search(above)
            if unit and row is not rows[0]:
                text = BARE.sub(rf"\g<0>{unit[1]}", text)
            known = cited or CITED in above + "".join(texts)
            yield Sentence(line + row.map[0], text, known)


HEAD_UNIT = re.compile(r"[(,]\s?(%|[KMG]|[kKMG]i?B|m?s)\)?\s*$")
BARE = re.compile(r"(?<![\w.,])[0-9][0-9.,]*(?![\w.,]|\s?%)")


def _directive(info: str, content: str, line: int) -> Iterator[Sentence]:
    """Yield what a directive says: its title, its alt text, its content."""
    found = re.match(r"\{([\w:-]+)\}[ ]*(.*)", info.strip())
    if not found or found[1] in UNREAD:
        return
    name, title = found.groups()
    if name == "math":
        yield Sentence(line, formula(content), False)
        return
    if title and name not in PATHS:
        yield from sentences(title, line)
    lines, skipped = content.splitlines(), 0
    while lines and (option := re.match(r":([\w-]+):(.*)", lines[0])):
        if option[1] in ("alt", "caption"):
            yield from sentences(option[2].strip(), line)
        del lines[0]
        skipped += 1
    yield from sentences("\n".join(lines), line + 1 + skipped)


def _split(text: str, line: int) -> Iterator[Sentence]:
    """Cut a paragraph into sentences."""
    ends = r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!al\.)[)”’\"]*\s+(?![a-z])"
    for part in re.split(ends, text):
        yield Sentence(line, part, CITED in part)


def _text(node: SyntaxTreeNode) -> str:
    """Return the words of a block; what is no prose is hidden in them."""
    return "".join(map(_inline, node.children))


def _inline(node: SyntaxTreeNode) -> str:
    """Return the words of a piece of a paragraph."""
    if node.type == "text":
        raised = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", _raised, node.content)
        return hide_names(raised)
    if node.type in ("softbreak", "hardbreak"):
        return " "
    if node.type.startswith("math_inline"):
        return formula(node.content)
    if node.type == "code_inline":
        return _code(node.content)
    if node.type == "myst_role":
        role = node.meta["name"]
        if role.startswith("cite"):
            return CITED
        return formula(node.content) if role == "math" else hide(node.content)
    return "".join(map(_inline, node.children))


def _raised(found: re.Match[str]) -> str:
    """Write a raised number as a power."""
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    return f"^({found[0].translate(digits)})"


def _code(text: str) -> str:
    """Leave the bare numbers of a code span, and hide the rest."""
    parts = re.split(
        r"(\"[^\"]*\"|'[^']*'|(?<![\w.\-/])[\d_]+(?:\.\d+)?"
        r"(?![\w.\-/]))",
        text,
    )
    return "".join(
        f" {part.replace('_', '')} " if re.match(r"\d", part) else hide(part)
        for part in parts
    )


# What a page shows


def shown(nb: NotebookNode) -> list[Number]:
    """Return every number that the cells print or assert."""
    found: dict[tuple, Number] = {}
    for cell in nb.cells:
        if cell.cell_type != "code" or cell.execution_count is None:
            continue
        printed = "\n".join(map(_printed, cell.outputs))
        for one in (
            *numbers(printed),
            *ratios(printed),
            *asserted(cell.source),
        ):
            key = one.value, one.step, one.unit, one.scale, one.decimals
            found.setdefault(key, one)
    return list(found.values())


def _printed(output: NotebookNode) -> str:
    """Return the words of an output, as a reader sees them."""
    if output.output_type == "stream":
        return output.text
    data = output.get("data", {})
    words = [data.get("text/plain", "")]
    if "text/html" in data:
        unseen = r"<!--.*?-->|<(style|script|metadata|defs)\b.*?</\1>"
        text = re.sub(unseen, " ", data["text/html"], flags=re.DOTALL)
        words.append(html.unescape(re.sub(r"<[^>]*>", " ", text)))
    if "image/svg+xml" in data:
        words += _words(ElementTree.fromstring(data["image/svg+xml"]))
    return "\n".join(words)


def _words(element: ElementTree.Element) -> Iterator[str]:
    """Yield the words of a drawing, without the ticks of its scales."""
    kind = str(element.tag).rpartition("}")[2]
    if kind in ("metadata", "style", "defs"):
        return
    if re.match(r"[xy]tick_", element.get("id", "")):
        return
    yield element.text or ""
    for child in element:
        yield from _words(child)
        yield child.tail or ""


def asserted(source: str) -> Iterator[Number]:
    """Yield the numbers that an assertion compares something with.

    It has to run: inside a function, a class or an `if` it may not. And
    what it compares must not be typed on both sides.
    """
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return
    while body:
        statement = body.pop()
        if isinstance(statement, ast.For | ast.With):
            body += statement.body
        elif isinstance(statement, ast.Assert):
            yield from _compared(statement.test)


def _compared(test: ast.expr) -> Iterator[Number]:
    """Yield the numbers to which something is found equal."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for value in test.values:
            yield from _compared(value)
    if not isinstance(test, ast.Compare):
        return
    if not all(isinstance(op, ast.Eq) for op in test.ops):
        return
    sides = [test.left, *test.comparators]
    if any(isinstance(n, ast.Name) for side in sides for n in ast.walk(side)):
        for side in sides:
            parts = side.elts if isinstance(side, ast.Tuple | ast.List) else ()
            for part in (side, *parts):
                if isinstance(part, ast.Constant):
                    yield from numbers(str(part.value))


# The gate


def pages(root: Path = ROOT) -> list[Path]:
    """Return the pages of the book, and the notebooks and texts of labs."""
    named = [root / f"{name}.md" for name in toc(root)]
    labs = (root / "labs").rglob("*.md")
    texts = [path for path in (*named, *sorted(labs)) if path.exists()]
    return [*dict.fromkeys(texts), *notebooks(root)]


def check(path: Path, registered: Covers) -> list[str]:
    """Return the faults of one page, a sentence each.

    `registered` says of a figure's text whether the registry knows it.
    """
    covering: list[Number] = []
    told: list[tuple[str, Sentence]] = []
    if path.suffix == ".ipynb":
        nb = read(path)
        covering = shown(nb)
        for cell in nb.cells:
            if cell.cell_type == "markdown":
                place = f"text cell {cell.get('id', 'without id')}"
                told += [(place, one) for one in sentences(cell.source)]
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
            place = f"alt text of code cell {cell.get('id', 'without id')}"
            told += [(place, one) for one in _split(hide_names(alt or ""), 1)]
    else:
        text = path.read_text("utf-8")
        told = [(f"line {one.line}", one) for one in sentences(text)]
    if name_of(path).startswith("lab-"):  # plain Markdown has no roles
        told = [
            (place, replace(one, cited=one.cited or named_source(one.text)))
            for place, one in told
        ]
    return list(dict.fromkeys(_faults(told, covering, registered)))


def named_source(text: str) -> bool:
    """Whether a sentence says in words whose figure it quotes."""
    source = r"\bpaper\b|\bothers\b.*\b\d{4}\b|says its maker"
    return bool(re.search(source, text, re.DOTALL))


def _faults(
    told: list[tuple[str, Sentence]],
    covering: list[Number],
    registered: Covers,
) -> Iterator[str]:
    """Yield what is wrong with these sentences."""
    for place, sentence in told:
        for equation in equations(sentence.text):
            if equation.true:
                covering += equation.results
            else:
                yield f"{place}: {show(equation.text)} is not true"
    for place, sentence in told:
        if sentence.cited:
            continue
        for one in numbers(sentence.text):
            if (
                one.is_figure
                and not any(other.covers(one) for other in covering)
                and not registered(spelling(one))
            ):
                yield (
                    f"{place}: nothing covers {one.text} in "
                    f"“{_around(sentence, one)}”: {CURES}"
                )


def spelling(one: Number) -> str:
    """Return a figure as the registry spells it: 34K, 1,516, 7.3%, 12×."""
    text = re.sub(r"\s?(per cent|percent)$", "%", one.text)
    text = re.sub(r"\s?(x|-?fold|times)$", "×", text)
    text = re.sub(r"\s?(?<=[kKMGTP])(FLOP|MAC)s?$", "", text, flags=re.I)
    return re.sub(r"\s(?=\d)", ",", text)


def _around(sentence: Sentence, one: Number) -> str:
    """Return a sentence, or the piece of it where a figure stands."""
    text = show(sentence.text).replace(CITED, "")
    text = re.sub(r"\s+", " ", text).strip(" ;")
    if len(text) <= 90:
        return text
    at = max(text.find(re.sub(r"\s+", " ", one.text)), 0)
    start = max(0, min(at - 40, len(text) - 90))
    cut = text[start : start + 90].strip()
    return ("… " if start else "") + cut + " …" * (start + 90 < len(text))


def main(arguments: list[str] | None = None) -> int:
    """Print what nothing covers; return the exit status."""
    from cnnbook import claims  # here alone, and handed on as a function

    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="PAGE")
    names = parser.parse_args(arguments).names
    known = {name_of(path): path for path in pages()}
    if strange := [name for name in names if name not in known]:
        parser.error(
            f"there is no page {strange[0]!r}: the pages are "
            f"{', '.join(known)}"
        )
    chosen = [known[name] for name in names or known]
    registered = claims.load().covers
    problems = [
        f"{path.relative_to(ROOT)}, {fault}."
        for path in chosen
        for fault in check(path, registered)
    ]
    print("\n".join(problems) or f"Pages read and covered: {len(chosen)}.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
