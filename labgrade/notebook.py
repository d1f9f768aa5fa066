"""Read an untrusted notebook, and choose the cells that a question needs.

A file is refused before it is parsed if it is a link, too large or too deep.
What is left is a list of code cells, as text. Only cells that can matter for
an answer are run: those that define the names it uses, and theirs.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
import symtable
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

LARGEST = 20 * 2**20
DEEPEST = 60
CELLS = 2000
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
PLACES = (ast.Attribute, ast.Subscript, ast.Name)
NAME = ast.Name
FORMULA = (
    *(ast.Constant, ast.UnaryOp, ast.BinOp, ast.Tuple, ast.Name),
    *(ast.operator, ast.unaryop, ast.expr_context),
)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Unreadable(ValueError):
    """A file that is no notebook; the message says why."""


@dataclass(frozen=True)
class Effects:
    """What code does with names when it runs."""

    stored: frozenset[str] = frozenset()
    """Names that it binds, or whose attributes and items it sets."""
    handed: frozenset[str] = frozenset()
    """Names whose value it hands on, so that it may be changed."""
    calls: frozenset[str] = frozenset()

    def only(self, names: frozenset[str]) -> Effects:
        """Return what it does with these names; calls stay."""
        return Effects(self.stored & names, self.handed & names, self.calls)


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
    numbers: dict[str, frozenset[str]]
    """What it binds to a number or a text, and the names in its formula."""
    does: Effects
    """What it does when it is run."""
    inside: dict[str, Effects]
    """What each of its functions and classes does when it is called."""


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
    if len(content) > LARGEST:
        raise Unreadable(f"it has more than {LARGEST:,} bytes")
    if depth(content) > DEEPEST:
        raise Unreadable(f"it is nested deeper than {DEEPEST} levels")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable("it is no JSON") from None
    if not isinstance(found, dict):
        raise Unreadable("it is no notebook")
    return found


def depth(content: bytes) -> int:
    """Return how deep brackets are nested, those in strings left out."""
    bare = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", content, flags=re.DOTALL)
    level = deepest = 0
    for sign in re.findall(rb"[\[\]{}]", bare):
        level += 1 if sign in b"[{" else -1
        deepest = max(deepest, level)
    return deepest


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
    """Return the code that Python can read; checks and magics are dropped."""
    found = []
    for number, cell in enumerate(cells_of(notebook)):
        if cell["kind"] != "code":
            continue
        if readies_colab(cell["text"]):
            continue
        try:
            cell_ = understood(number, python(cell["text"]))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if cell_:
            found.append(cell_)
    return found


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
    for _ in range(text.count("\n") + 1):
        try:
            ast.parse(text)
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
        else:
            break
    return text


@lru_cache(256)  # many students leave many cells as they were
def understood(number: int, source: str) -> Cell | None:
    """Return what a cell does with names; None for one that only checks."""
    body = ast.parse(source).body
    if all(map(is_check, body)):
        return None
    table = symtable.symtable(source, "cell", "exec")
    defines, _ = names(table)
    uses = exposed(body)
    known: dict[str, frozenset] = {}
    for inner in table.get_children():
        known[inner.get_name()] = frozenset().union(*names(inner))
    functions: dict[str, ast.stmt] = {}
    imports, run = set(), []
    for node in body:
        value = getattr(node, "value", None)
        if isinstance(node, DEFINITIONS):
            functions[node.name] = node
            run += made_with(node)
            continue
        if isinstance(node, ast.Assign) and isinstance(value, ast.Lambda):
            functions |= {root(target): node for target in node.targets}
        if isinstance(node, ast.Import | ast.ImportFrom):
            parts = [part.asname or part.name for part in node.names]
            imports |= {part.split(".")[0] for part in parts}
        run.append(node)
    return Cell(
        number,
        source,
        defines | imports & {ANYTHING},
        frozenset({*functions, *imports}),
        uses,
        literals(body),
        effects(run),
        {
            name: effects([node]).only(known.get(name, names(table)[1]))
            for name, node in functions.items()
        },
    )


def exposed(body: list[ast.stmt]) -> frozenset[str]:
    """Return the names that a cell wants from outside, or for later.

    What it has bound itself before it reads it is not among them, such as
    the variable of a loop; what its functions mention is, since that may have
    changed when they are called.
    """
    uses: set[str] = set()
    bound: set[str] = set()
    for node in body:
        table = symtable.symtable(ast.unparse(node), "cell", "exec")
        binds, read_ = names(table)
        if isinstance(node, DEFINITIONS) or table.get_children():
            uses |= read_
        elif isinstance(node, ast.For):
            first = {n.id for n in ast.walk(node.iter) if isinstance(n, NAME)}
            target = {
                n.id for n in ast.walk(node.target) if isinstance(n, NAME)
            }
            uses |= (read_ - bound - target) | (first - bound)
        else:
            uses |= read_ - bound
        if isinstance(node, ast.Assign):
            bound |= binds
    return frozenset(uses)


def literals(body: list[ast.stmt]) -> dict[str, frozenset[str]]:
    """Return what is bound, once, to a formula of numbers, texts and names."""
    found = {}
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], NAME):
            parts = list(ast.walk(node.value))
            if len(node.targets) == 1 and all(
                isinstance(n, FORMULA) for n in parts
            ):
                mentioned = {n.id for n in parts if isinstance(n, NAME)}
                found[node.targets[0].id] = frozenset(mentioned)
    stored = [
        n.id
        for node in body
        for n in ast.walk(node)
        if isinstance(n, NAME) and not isinstance(n.ctx, ast.Load)
    ]
    return {k: v for k, v in found.items() if stored.count(k) == 1}


def numbers_of(cells: list[Cell], fixed: set[str]) -> set[str]:
    """Return the names that stand for one thing, and always will.

    That is a number, a text, or what is *fixed*, under another name.
    """
    bound = Counter(name for cell in cells for name in cell.defines)
    fixed = set(fixed)
    for cell in cells:
        for name, mentioned in cell.numbers.items():
            if bound[name] == 1 and mentioned <= fixed:
                fixed.add(name)
    return fixed


def made_with(node: ast.stmt) -> list[ast.AST]:
    """Return what runs when a function or class is made, and not called."""
    run = [ast.Call(one, [], []) for one in node.decorator_list]
    if isinstance(node, ast.ClassDef):
        inside = [n for n in node.body if not isinstance(n, DEFINITIONS)]
        return [*run, *node.bases, *inside]
    return [*run, *node.args.defaults, *filter(None, node.args.kw_defaults)]


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


def effects(nodes: list[ast.AST]) -> Effects:
    """Return what these statements do with names when they run."""
    stored, handed, calls = set(), set(), set()
    for node in (part for whole in nodes for part in ast.walk(whole)):
        if isinstance(node, ast.Call):  # f(x) and x.f() may change x
            given = [*node.args, *(word.value for word in node.keywords)]
            handed.update(map(root, given))
            if isinstance(node.func, ast.Name):
                calls.add(node.func.id)
                if node.func.id in ("setattr", "delattr"):
                    stored.update(map(root, given[:1]))
            else:
                handed.add(root(node.func))
                if getattr(node.func, "attr", "").startswith("set_"):
                    stored.add(root(node.func))
        elif isinstance(node, PLACES) and not isinstance(node.ctx, ast.Load):
            stored.add(root(node))
    return Effects(*(frozenset(n - {None}) for n in (stored, handed, calls)))


def root(node: ast.AST) -> str | None:
    """Return the name at the beginning of a.b[c].d and of a().b."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
            node = node.value
        else:
            return None
    return node.id


def needed(cells: list[Cell], wanted: set[str]) -> list[Cell]:
    """Return the cells that the values of these names may depend on.

    A function or a class does not change when it is called or handed on;
    anything else may, so a cell that hands it on is needed too, also when it
    does so inside a function that it calls.
    """
    own = {name for cell in cells for name in cell.defines}
    fixed = {name for cell in cells for name in cell.fixed} | GIVEN
    fixed |= set(dir(builtins)) - own
    fixed |= numbers_of(cells, fixed)
    inside = {name: e for cell in cells for name, e in cell.inside.items()}
    changed = {cell.number: changes(cell, inside, fixed) for cell in cells}
    names_, chosen = {*wanted, ANYTHING}, set()
    while True:
        more = [
            cell
            for cell in cells
            if cell.number not in chosen
            and (cell.defines | changed[cell.number]) & names_
        ]
        if not more:
            return [cell for cell in cells if cell.number in chosen]
        chosen |= {cell.number for cell in more}
        names_ = names_.union(*(cell.uses for cell in more))


def changes(cell: Cell, inside: dict[str, Effects], fixed: set) -> set[str]:
    """Return what a cell may change, by itself or in what it calls.

    A function that is handed on may be called as well; a method that is
    called may be of any class.
    """
    stored, handed, left = set(), set(), [cell.does]
    seen: set[str] = set()
    while left:
        one = left.pop()
        stored |= one.stored if one is cell.does else one.stored - fixed
        handed |= one.handed - fixed
        called = one.calls | one.handed
        if one.handed - fixed:
            called = called.union(name for name in inside if name[0].isupper())
        left += [inside[name] for name in called - seen if name in inside]
        seen |= called
    return stored | handed
