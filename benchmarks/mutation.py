"""Do the labs' probes catch faults? Break every solution, and ask them.

    python benchmarks/mutation.py                    # every lab
    python benchmarks/mutation.py --lab conv         # one
    python benchmarks/mutation.py --check            # fails under 90 %
    python benchmarks/mutation.py --record           # results/mutation.json

Of what a student writes, *mutants* are made, each with one small fault: a
comparison or an operator changed, a number off by one, a condition turned
round, a statement dropped, two arguments swapped, a sum for a mean, the end
of a slice left out … Each is run like a submission, in a process of its own,
and its answer goes through the question's probe twice: with the public seed,
as students check themselves, and with a hidden seed, as labgrade grades. A
mutant is caught if its data differ from the reference answer's, or if it
raises, hangs or ends.

Most mutants fall over, and whoever calls them catches them: they say nothing
of a probe. So those that fall over are only counted. The shares are of those
that *answer*, all of them: nothing is subtracted.

A few survivors are programs that do the same, whatever is asked of them. They
stand with a reason in `equivalent_mutants.yml`, and are survivors still. An
entry there that fits no survivor is a fault: --check names it.

The record holds, for each lab, a digest of what its probes draw and ask, and
of its solutions; a test compares it with the present ones. `--lab` with
`--record` renews that lab's part.

Left out are questions whose answer is a trained network: their probe asks
how well it reads, and a mutant may read as well.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import contextlib
import copy
import difflib
import hashlib
import io
import json
import os
import platform
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cnnbook import exercises, lab  # noqa: E402
from cnnbook.exercises import Question  # noqa: E402
from cnnbook.probing import Reads  # noqa: E402
from labgrade import bundle, notebook  # noqa: E402
from tools.labs import MARK  # noqa: E402

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.yml")
RESULT = ROOT / "results" / "mutation.json"
SECRET = b"mutation"
LEAST = 0.9
"""The share of mutants that hidden probes must catch, in each lab."""
SECONDS = 4.0
"""Of the processor, for a mutant: more counts as caught, as in a box."""


# Mutants

SWAPS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),  # codespell:ignore notin
    ast.NotIn: (ast.In,),  # codespell:ignore notin
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Div),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult, ast.Mod),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
OTHERS = {
    "sum": ("mean", "max"),
    "mean": ("sum",),
    "max": ("min",),
    "min": ("max",),
    "any": ("all",),
    "all": ("any",),
    "argmax": ("argmin",),
    "argmin": ("argmax",),
    "zeros": ("ones",),
    "ones": ("zeros",),
    "zeros_like": ("ones_like",),
    "new_zeros": ("new_ones",),
    "cos": ("sin",),
    "sin": ("cos",),
    "stack": ("cat",),
    "cat": ("stack",),
    "eval": ("train",),
    "var": ("std",),
    "std": ("var",),
    "rows": ("columns",),
    "columns": ("rows",),
    "height": ("width",),
    "width": ("height",),
    "top": ("left",),
    "left": ("top",),
}
"""Names that are taken for each other, as functions or as axes."""
UNSEEN = {"device", "strict"}
"""Arguments without which right inputs on a CPU give the same."""
MODULES = {"F", "nn", "torch", "np", "math", "copy", "geometry", "parts"}


@dataclass(frozen=True)
class Mutant:
    """A cell with one fault: its source, and how it differs."""

    source: str
    was: str
    becomes: str


def mutants(source: str) -> list[Mutant]:
    """Return the mutants of a cell's solution, none of them twice.

    Only what stands behind the line `# solution` is changed, or all, if
    there is none.
    """
    tree, found = ast.parse(source), {}
    mark = MARK.search(source)
    first = source[: mark.start()].count("\n") + 2 if mark else 0
    before = ast.unparse(tree)
    for path, line, node in _walk(tree):
        if line < first:
            continue
        for changed in _changed(node):
            text = _with(tree, path, changed)
            if text not in (None, before, *found):
                found[text] = Mutant(text, *_difference(before, text))
    return list(found.values())


Path_ = tuple[tuple[str, int | None], ...]


def _walk(
    node: ast.AST, path: Path_ = (), line: int = 0
) -> Iterator[tuple[Path_, int, ast.AST]]:
    """Give each node with its line and the way to it through the fields."""
    if isinstance(node, ast.keyword) and node.arg in UNSEEN:
        return
    for name, value in ast.iter_fields(node):
        parts = value if isinstance(value, list) else [value]
        for number, part in enumerate(parts):
            if isinstance(part, ast.AST):
                place = number if isinstance(value, list) else None
                way, here = (
                    (*path, (name, place)),
                    getattr(part, "lineno", line),
                )
                yield way, here, part
                yield from _walk(part, way, here)


def _with(tree: ast.Module, path: Path_, new: ast.AST | None) -> str | None:
    """Return the tree's text with another node at a place; None drops it."""
    tree = copy.deepcopy(tree)
    *way, (name, place) = path
    node: Any = tree
    for field, number in way:
        node = getattr(node, field)
        node = node if number is None else node[number]
    if place is None:
        setattr(node, name, new)
    else:
        getattr(node, name)[place : place + 1] = [new] if new else []
    try:
        text = ast.unparse(ast.fix_missing_locations(tree))
        compile(text, "<mutant>", "exec")
    except (SyntaxError, ValueError, AttributeError, TypeError):
        return None
    return text


def _difference(before: str, after: str) -> tuple[str, str]:
    """Return the lines that went and the lines that came."""
    lines = list(
        difflib.ndiff(before.splitlines(), after.splitlines(), None, None)
    )
    return tuple(
        "; ".join(line[2:].strip() for line in lines if line[0] == sign)
        for sign in "-+"
    )


def _changed(node: ast.AST) -> Iterator[ast.AST | None]:
    """Give what may stand in a node's place; None where it may go."""
    for kind, change in CHANGES:
        if isinstance(node, kind):
            yield from change(node)


def _edited(node: ast.AST, **fields: Any) -> ast.AST:
    """Return a copy with some fields changed."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _swapped(items: list, first: int = 0) -> list:
    """Return a list with two neighbours the other way round."""
    return [
        *items[:first],
        items[first + 1],
        items[first],
        *items[first + 2 :],
    ]


def _operators(node: ast.AST) -> Iterator[ast.AST]:
    for other in SWAPS.get(type(node), ()):
        yield other()


def _one_side(node: ast.BinOp) -> Iterator[ast.AST]:
    yield node.left
    yield node.right
    if isinstance(node.op, ast.Sub | ast.Div | ast.Pow | ast.MatMult):
        yield _edited(node, left=node.right, right=node.left)


def _fewer(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield from node.values


def _unsigned(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


def _constants(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        others: tuple = (not value,)
    elif isinstance(value, int):
        others = (value + 1, value - 1)
    elif isinstance(value, float):
        others = (value * 2, value + 1)
    elif isinstance(value, str):
        others = (f"{value}s",)
    else:
        others = ()
    for other in others:
        yield ast.Constant(other)


def _negated(node: ast.AST) -> Iterator[ast.AST]:
    yield _edited(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse


def _dropped(node: ast.stmt) -> Iterator[ast.AST | None]:
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if not text:  # a docstring does nothing
        yield ast.Pass()


def _returned(node: ast.Return) -> Iterator[ast.AST]:
    yield ast.Return(None)


def _added(node: ast.AugAssign) -> Iterator[ast.AST]:
    target = copy.deepcopy(node.target)
    yield ast.Assign([target], node.value, lineno=0)


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    for number in range(len(node.args) - 1):
        yield _edited(node, args=_swapped(node.args, number))
    for number, word in enumerate(node.keywords):
        if word.arg in UNSEEN:
            continue
        rest = [k for i, k in enumerate(node.keywords) if i != number]
        yield _edited(node, keywords=rest)
    if len(node.args) > 1 or (node.args and isinstance(node.func, ast.Name)):
        yield _edited(node, args=node.args[:-1])
    name = node.func
    if isinstance(name, ast.Attribute):
        root = getattr(name.value, "id", None)
        if root not in MODULES and not isinstance(name.value, ast.Call):
            yield name.value
        elif isinstance(name.value, ast.Call):
            yield name.value  # x.a().b() without the b
        elif node.args:  # torch.f(x): x as it is
            yield node.args[0]
    elif hasattr(builtins, getattr(name, "id", "")) and len(node.args) == 1:
        yield node.args[0]


def _names(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return
    field = "id" if isinstance(node, ast.Name) else "attr"
    for other in OTHERS.get(getattr(node, field), ()):
        yield _edited(node, **{field: other})


def _slices(node: ast.Slice) -> Iterator[ast.AST]:
    for name in ("lower", "upper", "step"):
        if getattr(node, name) is not None:
            yield _edited(node, **{name: None})


def _sequences(node: ast.Tuple | ast.List) -> Iterator[ast.AST]:
    for number in range(len(node.elts) - 1):
        yield _edited(node, elts=_swapped(node.elts, number))
    if isinstance(node.ctx, ast.Load):
        for number in range(len(node.elts)):
            rest = [e for i, e in enumerate(node.elts) if i != number]
            yield _edited(node, elts=rest)


def _unfiltered(node: ast.comprehension) -> Iterator[ast.AST]:
    if node.ifs:
        yield _edited(node, ifs=[])


SIMPLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.If, ast.For, ast.While)
CHANGES: tuple[tuple[Any, Callable], ...] = (
    ((ast.cmpop, ast.operator, ast.boolop), _operators),
    (ast.BinOp, _one_side),
    (ast.BoolOp, _fewer),
    (ast.UnaryOp, _unsigned),
    (ast.Constant, _constants),
    ((ast.If, ast.While, ast.IfExp), _negated),
    (SIMPLE, _dropped),
    (ast.Return, _returned),
    (ast.AugAssign, _added),
    (ast.Call, _calls),
    ((ast.Name, ast.Attribute), _names),
    (ast.Slice, _slices),
    ((ast.Tuple, ast.List), _sequences),
    (ast.comprehension, _unfiltered),
)


# One question


@dataclass(frozen=True)
class Asked:
    """A question with the cells it needs; some of them hold its answer."""

    question: Question
    cells: list[notebook.Cell]
    answers: list[int]
    """Numbers of the cells that the student writes for this question."""


def asked(folder: Path) -> list[Asked]:
    """Return a lab's questions that need no trained network."""
    path = folder / "solution.ipynb"
    cells = notebook.code(notebook.parse(path.read_bytes()))
    questions = bundle.probes_of(folder).QUESTIONS
    names = {question.name for question in questions}
    found = []
    for question in questions:
        if isinstance(question.probe, Reads):
            continue
        needed = defining(cells, question.name)
        answers = [
            cell.number
            for cell in needed
            if MARK.search(cell.source)
            and not cell.defines & (names - {question.name})
        ]
        found.append(Asked(question, needed, answers))
    return found


def defining(cells: list[notebook.Cell], name: str) -> list[notebook.Cell]:
    """Return the cells that make a name, and what these use in turn.

    Of several that bind a name, the last one before its use counts. What
    labgrade runs is more: there a cell that may change a value counts too,
    and such a cell may train a network.
    """
    chosen: set[int] = set()
    wanted = [(name, len(cells))]
    while wanted:
        name, place = wanted.pop()
        makers = [n for n, cell in enumerate(cells) if name in cell.defines]
        earlier = [n for n in makers if n < place]
        for number in earlier[-1:] or makers[:1]:
            if number not in chosen:
                chosen.add(number)
                wanted += [(n, number) for n in sorted(cells[number].uses)]
    return [cells[number] for number in sorted(chosen)]


def mutants_of(one: Asked) -> list[tuple[int, Mutant]]:
    """Return a question's mutants with their cells' numbers, shuffled.

    The order depends on the question's name alone.
    """
    found = [
        (cell.number, mutant)
        for cell in one.cells
        if cell.number in one.answers
        for mutant in mutants(cell.source)
    ]
    Random(one.question.id).shuffle(found)
    return found


def digest(folder: Path) -> str:
    """Return a fingerprint of a lab's probes and of what is broken.

    Comments, hints and titles may change: they are not in it.
    """
    probes = ast.parse((folder / "probes.py").read_text("utf-8"))
    for statement in probes.body:
        named = getattr(statement, "targets", [None])[0]
        if getattr(named, "id", "") in ("QUESTIONS", "WRITTEN"):
            for node in ast.walk(statement):
                if isinstance(getattr(node, "value", None), str):
                    node.value = ""
    texts = [
        ast.unparse(ast.parse(cell.source))
        for one in asked(folder)
        for cell in one.cells
        if cell.number in one.answers
    ]
    text = "\n".join([ast.unparse(probes), *texts])
    return hashlib.sha256(text.encode()).hexdigest()


class Faulty(RuntimeError):
    """A solution that does not pass its own probes; it names them."""


def seeds(id: str) -> dict[str, str]:
    """Return what a question's inputs are drawn from, for both."""
    return {
        "hidden": bundle.seed_of(SECRET, id),
        "public": f"public {id}",
    }


class Trial:
    """One question, ready to be asked of a solution with other cells."""

    def __init__(self, one: Asked) -> None:
        """Run the cells in front of the answer, and the reference."""
        self.one, self.first = one, min(one.answers)
        self.space: dict[str, Any] = {"__name__": "__main__"}
        self.seeds = {
            "hidden": bundle.seed_of(SECRET, one.question.id),
            "public": f"public {one.question.id}",
        }
        with (
            mock.patch.object(exercises, "check", _quiet),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            self._run(cell for cell in one.cells if cell.number < self.first)
        self.right = {
            name: bundle.plain(one.question, one.question.reference, seed)
            for name, seed in self.seeds.items()
        }
        for name in self.seeds:
            if (said := self.ask(name)) != "right":
                id = one.question.id
                raise Faulty(f"The solution of {id} fails ({name}): {said}.")

    def _run(self, cells: Iterable[notebook.Cell]) -> None:
        for cell in cells:
            exec(compile(cell.source, "<cell>", "exec"), self.space)

    def ask(self, name: str, number: int = -1, source: str = "") -> str:
        """Say what a probe makes of the solution with one cell changed."""
        rest = [
            replace(cell, source=source) if cell.number == number else cell
            for cell in self.one.cells
            if cell.number >= self.first
        ]

        def work() -> str:
            self._run(rest)
            question = self.one.question
            answer = self.space[question.name]
            given = bundle.plain(question, answer, self.seeds[name])
            wrong = question.fault(given, self.right[name])
            return "differs" if wrong else "right"

        return forked(work)


ANSWERED = ("differs", "right")


def outcomes(one: Asked, most: int | None = None) -> tuple[list[dict], int]:
    """Ask all mutants, or until so many answer; count the others.

    Of each it is said whether the hidden and the public inputs catch it.
    """
    trial, found, others = Trial(one), [], 0
    for number, mutant in mutants_of(one):
        hidden = trial.ask("hidden", number, mutant.source)
        if hidden not in ANSWERED:
            others += 1
            continue
        public = trial.ask("public", number, mutant.source)
        found.append(
            {
                "was": mutant.was,
                "becomes": mutant.becomes,
                "hidden": hidden != "right",
                "public": public != "right",
            }
        )
        if len(found) == most:
            break
    return found, others


def _quiet(*given: Any) -> None:
    """Stand in for `check`: nothing is said."""


def forked(work: Callable[[], str], seconds: float = SECONDS) -> str:
    """Do some work in a process of its own; say what it says, or its end."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            null = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(null, number)
            signal.setitimer(signal.ITIMER_PROF, seconds)
            try:
                said = work()
            except BaseException as error:
                said = f"raises {type(error).__name__}"
            os.write(write, said.encode())
        finally:
            os._exit(0)
    os.close(write)
    said, end = b"", time.monotonic() + 15 * seconds
    while select.select([read], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(read, 4096)
        if not part:
            break
        said += part
    os.close(read)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return said.decode() or "ends or hangs"


# The table


def equivalents(path: Path = EQUIVALENT) -> dict[tuple[str, str, str], str]:
    """Return the mutants that are no faults, with the reason of each."""
    entries = yaml.safe_load(path.read_text("utf-8")) or []
    return {(e["question"], e["was"], e["becomes"]): e["why"] for e in entries}


def row(one: Asked, known: dict, most: int | None = None) -> dict[str, Any]:
    """Count a question's mutants, and keep the survivors."""
    id = one.question.id
    found, others = outcomes(one, most)
    survivors = [said for said in found if not said["hidden"]]
    for said in survivors:
        said["why"] = known.get((id, said["was"], said["becomes"]), "")
    return {
        "question": id,
        "mutants": len(found),
        "hidden": sum(said["hidden"] for said in found),
        "public": sum(said["public"] for said in found),
        "fall over": others,
        "equivalent": sum(bool(said["why"]) for said in survivors),
        "survivors": survivors,
    }


COUNTS = ("mutants", "hidden", "public", "fall over", "equivalent")
"""Of a row; the equivalent ones are mutants that survive, too."""


def total(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Add rows up."""
    return {"question": name} | {
        word: sum(row[word] for row in rows) for word in COUNTS
    }


def line(row: dict[str, Any]) -> str:
    """Return a row of the table."""
    shares = [f"{row[w] / max(1, row['mutants']):8.1%}" for w in COUNTS[1:3]]
    return (
        f"{row['question']:18}{row['mutants']:8}{''.join(shares)}"
        f"{row['mutants'] - row['hidden']:10}{row['equivalent']:12}"
        f"{row['fall over']:11}"
    )


HEAD = (
    f"{'question':18}{'mutants':>8}{'hidden':>8}{'public':>8}"
    f"{'survive':>10}{'equivalent':>12}{'fall over':>11}"
)


def faults(rows: list[dict[str, Any]], known: dict) -> list[str]:
    """Say which lab catches too little, and which entry fits nothing."""
    found = []
    for name in dict.fromkeys(row["question"].split(".")[0] for row in rows):
        mine = [r for r in rows if r["question"].split(".")[0] == name]
        whole = total(mine, name)
        if whole["hidden"] < LEAST * whole["mutants"]:
            share = whole["hidden"] / whole["mutants"]
            found.append(f"{name} catches {share:.1%} of its mutants only.")
    asked_ = {row["question"] for row in rows}
    used = {
        (row["question"], said["was"], said["becomes"])
        for row in rows
        for said in row["survivors"]
    }
    for id, was, becomes in known:
        if id in asked_ and (id, was, becomes) not in used:
            found.append(f"No survivor of {id} is {was!r} → {becomes!r}.")
    return found


def main() -> int:
    """Break, ask, print and, if wanted, record."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lab", help="conv, lenet, …; without it, all")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    os.environ[lab.VARIABLE] = "smoke"
    lab.scale()
    known, rows = equivalents(), []
    print(HEAD)
    for path in sorted(ROOT.glob(f"labs/{given.lab or '*'}/solution.ipynb")):
        mine = []
        for one in asked(path.parent):
            mine.append(row(one, known))
            print(line(mine[-1]), flush=True)
            for said in mine[-1]["survivors"]:
                if said["why"]:
                    continue
                print(f"    - {said['was']}\n    + {said['becomes']}")
                if said["public"]:
                    print("      (the public inputs catch it)")
        print(line(total(mine, f"lab-{path.parent.name}")), "\n", flush=True)
        rows += mine
    print(line(total(rows, "together")))
    if given.record:
        text = json.dumps(record(rows), indent=1, ensure_ascii=False)
        RESULT.write_text(text + "\n", "utf-8")
    wrong = faults(rows, known)
    print("\n".join(wrong))
    return 1 if given.check and wrong else 0


def record(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is kept of a run, beside what is kept of other labs."""
    labs = recorded()["labs"] if RESULT.exists() else {}
    for name in dict.fromkeys(row["question"].split(".")[0] for row in rows):
        mine = [r for r in rows if r["question"].split(".")[0] == name]
        labs[name] = {
            **{word: total(mine, name)[word] for word in COUNTS},
            "digest": digest(ROOT / "labs" / name.removeprefix("lab-")),
            "questions": mine,
        }
    labs = dict(sorted(labs.items()))
    return {
        "name": RESULT.stem,
        "command": "OMP_NUM_THREADS=1 python benchmarks/mutation.py --record",
        "date": date.today().isoformat(),
        "protocol": "every mutant that answers; hidden: caught with a seed "
        "that labgrade draws; public: with the seed of the students' own "
        "checks; fall over: raise, hang or end with the hidden seed, not "
        "counted; equivalent: survivors that do what the solution does, "
        "counted as survivors",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "together": total(list(labs.values()), "together"),
        "labs": labs,
    }


def recorded() -> dict[str, Any]:
    """Return what was recorded last."""
    return json.loads(RESULT.read_text("utf-8"))


if __name__ == "__main__":
    sys.exit(main())
