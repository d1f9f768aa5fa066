"""Read an untrusted notebook, and choose the cells that a question needs.

A file is refused before it is parsed if it is a link, too large or too deep.
What is left is a list of code cells, as text. Only cells that can matter for
an answer are run: those that define the names it uses, and theirs.
"""

from __future__ import annotations

import ast
import re
import symtable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from labgrade.data import Unreadable, parsed

LARGEST = 20 * 2**20
DEEPEST = 60
CELLS, CODE, MOST_MAGICS = 2000, 200_000, 20
"""Cells, characters of code, and lines of a cell that are not Python."""
CELL_MAGIC = re.compile(r"\s*%%(\w+).*\n?")
RUNS_ITS_CELL = ("time", "capture", "prun")
"""Magics whose cell is Python, and binds names."""
MAGICS = (
    (re.compile(r"^(\s*)%time\s+(?=.*\S)"), r"\1"),
    (re.compile(r"^(\s*)[%!?].*|^(\s*)[^#]*\?\s*$"), r"\1\2pass"),
    (re.compile(r"^(\s*[\w, ]+=)\s*[%!].*"), r"\1 []"),
)
"""What a line that is not Python may be, and what stands in its place."""
OURS = {"check", "score"}
GIVEN = {"scale"}
"""What every lab makes first, and no call changes."""
ANYTHING = "*"
"""What `from x import *` may define."""
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Cell:
    """A cell of code that Python can read, and what it does with names."""

    number: int
    source: str
    defines: frozenset[str]
    """Names that it binds, by `=`, `def`, `import` or otherwise."""
    fixed: frozenset[str]
    """Those of them that are functions, classes or modules."""
    uses: frozenset[str]
    """Names of the notebook that it mentions, in functions too."""
    sets: frozenset[str]
    """Names of which it sets a part, an attribute or an item."""
    hands: frozenset[str]
    """Names whose value it hands on, so that it may be changed."""


def read(path: Path) -> bytes:
    """Return the bytes of a submitted file."""
    if path.is_symlink():
        raise Unreadable("it is a link")
    if not path.is_file():
        raise Unreadable("it is no file")
    size = path.stat().st_size
    if size > LARGEST:
        raise Unreadable(f"it has {size:,} bytes, more than {LARGEST:,}")
    return path.read_bytes()


def parse(content: bytes) -> dict:
    """Return a notebook, as JSON gives it."""
    found = parsed(content, LARGEST, DEEPEST)
    if not isinstance(found, dict):
        raise Unreadable("it is no notebook")
    return found


def cells_of(notebook: dict) -> list[dict]:
    """Return the cells of a notebook of format 3 or 4, text joined."""
    cells = notebook.get("cells")
    if cells is None:  # format 3
        sheets = notebook.get("worksheets")
        sheet = sheets[0] if isinstance(sheets, list) and sheets else {}
        cells = sheet.get("cells") if isinstance(sheet, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("it has no cells")
    if len(cells) > CELLS:
        raise Unreadable(f"it has {len(cells):,} cells, more than {CELLS:,}")
    found = []
    for cell in cells:
        if not isinstance(cell, dict):
            raise Unreadable("one of its cells is none")
        text = cell.get("source", cell.get("input", ""))
        if isinstance(text, list):
            text = "".join(part for part in text if isinstance(part, str))
        if isinstance(text, str):
            kind = str(cell.get("cell_type"))
            found.append({"kind": kind, "text": text})
    return found


def code(notebook: dict) -> list[Cell]:
    """Return the code; checks and magics are dropped.

    A cell that this Python cannot read binds nothing. It is run where all
    are, so that its error is told.
    """
    texts = {
        number: cell["text"]
        for number, cell in enumerate(cells_of(notebook))
        if cell["kind"] == "code" and not readies_colab(cell["text"])
    }
    if sum(map(len, texts.values())) > CODE:
        raise Unreadable(f"it has more than {CODE:,} characters of code")
    found = []
    for number, text in texts.items():
        with suppress(RecursionError, MemoryError):
            try:
                found.append(understood(number, python(text)))
            except (SyntaxError, ValueError):
                found.append(Cell(number, text, *[frozenset()] * 5))
    return [cell for cell in found if cell]


def readies_colab(text: str) -> bool:
    """Whether this is the cell that stands first in every lab's notebook.

    With a definition in it, the whole notebook was merged into it.
    """
    return text.startswith("# @title In Colab: ") and "def " not in text


def python(text: str) -> str:
    """Return a cell as Python: what only IPython understands is replaced.

    A line is looked at if Python stumbles on it: one that begins with % may
    also be the middle of a sum.
    """
    if head := CELL_MAGIC.match(text):
        text = text[head.end() :] if head[1] in RUNS_ITS_CELL else "pass"
    for _ in range(MOST_MAGICS):
        try:
            ast.parse(text)
            break
        except SyntaxError as error:
            lines = text.replace("\\\n", " ").split("\n")
            number = min(error.lineno or 1, len(lines)) - 1
            for magic, instead in MAGICS:
                line = magic.sub(instead, lines[number])
                if line != lines[number]:
                    break
            else:
                raise
            text = "\n".join([*lines[:number], line, *lines[number + 1 :]])
    return text


@lru_cache(256)  # many students leave many cells as they were
def understood(number: int, source: str) -> Cell | None:
    """Return what a cell does with names; None for one that only checks."""
    body = ast.parse(source).body
    if all(map(is_check, body)):
        return None
    table = symtable.symtable(source, "cell", "exec")
    defines, uses = names(table)
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.names[0].name == ANYTHING:
            defines |= {ANYTHING}
    fixed = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_imported() or symbol.is_namespace()
    }
    for node in body:  # x = f and x = lambda: … are functions, too
        value = getattr(node, "value", None)
        if isinstance(value, ast.Lambda) or getattr(value, "id", "") in fixed:
            fixed |= set(map(root, getattr(node, "targets", ())))
    return Cell(number, source, defines, frozenset(fixed), uses, *parts(body))


def is_check(statement: ast.stmt) -> bool:
    """Whether a statement only asks for a verdict."""
    value = getattr(statement, "value", None)
    if not isinstance(statement, ast.Expr) or not isinstance(value, ast.Call):
        return False
    name = getattr(value.func, "id", getattr(value.func, "attr", ""))
    return name in OURS


def names(table: symtable.SymbolTable) -> tuple[frozenset, frozenset]:
    """Return the names that a cell binds, and those that it mentions."""
    binds, uses = set(), set()
    for symbol in table.get_symbols():
        if table.get_type() == "module" or symbol.is_declared_global():
            if symbol.is_assigned() or symbol.is_imported():
                binds.add(symbol.get_name())
            if symbol.is_referenced():
                uses.add(symbol.get_name())
        elif symbol.is_global():
            uses.add(symbol.get_name())
    for inner in table.get_children():
        more = names(inner)
        binds, uses = binds | more[0], uses | more[1]
    return frozenset(binds), frozenset(uses)


def parts(body: list[ast.stmt]) -> tuple[frozenset, frozenset]:
    """Return the names of which statements set a part, or hand on the value.

    What stands in a function is not looked at.
    """
    sets, hands = set(), set()
    run = [node for node in body if not isinstance(node, DEFINITIONS)]
    for node in (part for whole in run for part in ast.walk(whole)):
        if isinstance(node, ast.Call):  # f(x) and x.f() may change x
            given = [*node.args, *(word.value for word in node.keywords)]
            if not isinstance(node.func, ast.Name):
                given.append(node.func)
            hands.update(map(root, given))
        elif isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            sets.add(root(node))
    return frozenset(sets), frozenset(hands)


def root(node: Any) -> str | None:
    """Return the name at the beginning of a.b[c].d and of a().b."""
    while isinstance(node, ast.AST) and not isinstance(node, ast.Name):
        node = getattr(node, "value", getattr(node, "func", None))
    return getattr(node, "id", None)


def needed(cells: list[Cell], wanted: set[str]) -> list[Cell]:
    """Return the cells that the values of these names should depend on.

    A cell matters if it binds one of the names, or may change its value; and
    then so do the names that it mentions. Functions, classes and modules are
    taken to stay as they are. Where that is wrong the answer will be, too,
    and is asked for again after all cells.
    """
    own = {name for cell in cells for name in cell.defines}
    fixed = {name for cell in cells for name in cell.fixed} | GIVEN
    names_, chosen = {*wanted, ANYTHING}, set()
    while True:
        more = [
            cell
            for cell in cells
            if cell.number not in chosen
            and (cell.defines | cell.sets | cell.hands & own - fixed) & names_
        ]
        if not more:
            return [cell for cell in cells if cell.number in chosen]
        chosen |= {cell.number for cell in more}
        names_ = names_.union(*(cell.uses for cell in more))
