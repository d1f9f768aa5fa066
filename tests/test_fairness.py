"""Fairness: other right solutions score full, a crash costs its question.

Each notebook is a student's edition of a lab, filled in with right answers of
its gallery, written down as a habit has it and saved by one of the tools of
`student_styles.py`. Cells that train stay as they were handed out, so the
bundles hold only what needs no trained network.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from student_styles import HABITS, TOOLS, Work, without_the_book
from test_exercises import GALLERY, gallery_of

from cnnbook.exercises import Question
from cnnbook.probing import Reads
from labgrade import bundle as bundles
from labgrade import notebook
from labgrade.box import Box, Limits
from labgrade.grade import grade

ROOT = Path(__file__).resolve().parents[1]
LABS = sorted(path.parent for path in ROOT.glob("labs/*/solution.ipynb"))
SECRET = b"fairness"
EACH = 4
"""Notebooks of each lab."""
LONG = Limits(cell=120.0, question=120.0, submission=600.0)
SHORT = Limits(cell=10.0, question=5.0)


@pytest.fixture(scope="module", autouse=True)
def small_scale() -> Iterator[None]:
    """Have every number in float64, as in the boxes."""
    kept = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(kept)


# Answers, as text that stands on its own


class Leans(ValueError):
    """An answer that uses the lab's probes."""


class Here(ast.NodeTransformer):
    """Takes what the notebook has as well from there, not from the probes."""

    def __init__(self, there: set[str]) -> None:
        """Know the names that the notebook defines."""
        self.there = there

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Let `probes.x` be `x`."""
        of_probes = getattr(node.value, "id", "") == "probes"
        if of_probes and node.attr in self.there:
            return ast.Name(node.attr)
        return self.generic_visit(node)


def text_of(name: str, source: str) -> str:
    """Return the part of a gallery that one of its names needs."""
    body = ast.parse(source).body
    known = [notebook.understood(0, ast.unparse(part)) for part in body]
    wanted, kept = {name}, set()
    while True:
        more = {
            number
            for number, part in enumerate(known)
            if number not in kept and part.defines & wanted
        }
        if not more:
            break
        kept |= more
        wanted |= {used for number in more for used in known[number].uses}
    if "probes" in wanted:
        raise Leans(f"{name} leans on the probes")
    lines = [
        ast.unparse(statement)
        for number, statement in enumerate(body)
        if number in kept
    ]
    return "\n".join(lines)


def called(text: str, name: str, wanted: str) -> str:
    """Return an answer under the name that its question asks for."""
    tree = ast.parse(text)
    words = {
        word
        for node in ast.walk(tree)
        for word in (getattr(node, "id", ""), getattr(node, "name", ""))
    }
    if wanted in words:
        return f"{text}\n\n{wanted} = {name}"
    for node in ast.walk(tree):
        for part in ("id", "name"):
            if getattr(node, part, "") == name:
                setattr(node, part, wanted)
    return ast.unparse(tree)


def defined(text: str) -> frozenset[str]:
    """Return the names that a cell defines."""
    made = notebook.understood(0, text)
    return made.defines if made else frozenset()


@cache
def solved(lab: Path) -> dict[str, str]:
    """Return the code cells of a lab's solution by their ids."""
    nb = json.loads((lab / "solution.ipynb").read_text("utf-8"))
    return {
        cell["id"]: "".join(cell["source"])
        for cell in nb["cells"]
        if cell["cell_type"] == "code"
    }


@cache
def answers(lab: Path, id: str, wanted: str) -> dict[str, str]:
    """Return a question's right answers that stand on their own."""
    gallery = gallery_of(f"lab-{lab.name}")
    source = (GALLERY / f"lab-{lab.name}.py").read_text("utf-8")
    there = {name for text in solved(lab).values() for name in defined(text)}
    source = ast.unparse(Here(there).visit(ast.parse(source)))
    found = {}
    for answer in gallery.RIGHT[id]:
        name = next(n for n, one in vars(gallery).items() if one is answer)
        try:
            text = text_of(name, source)
        except Leans:
            continue
        found[name] = called(text, name, wanted)
    return found


# Notebooks


@cache
def quick(lab: Path) -> list[Question]:
    """Return a lab's questions that need no trained network, hints off."""
    return [
        replace(question, hints=())
        for question in bundles.probes_of(lab).QUESTIONS
        if not isinstance(question.probe, Reads)
    ]


def filled(lab: Path, texts: dict[str, str]) -> Work:
    """Return the student's edition with cells in place of the answers'.

    *texts* gives the new cell for the name of an answer.
    """
    given = json.loads((lab / "lab.ipynb").read_text("utf-8"))["cells"]
    work, left = Work([]), dict(texts)
    for cell in given:
        if cell["cell_type"] != "code":
            continue
        text = "".join(cell["source"])
        for name in defined(solved(lab)[cell["id"]]) & left.keys():
            work.answers[name] = len(work.cells)
            text = left.pop(name)
        work.cells.append(text)
    assert not left
    return work


def chosen(lab: Path, number: int) -> dict[str, tuple[str, str]]:
    """Return for each question an answer's name and text, others each time."""
    found = {}
    for place, question in enumerate(quick(lab)):
        choices = list(answers(lab, question.id, question.name).items())
        step = number + place * (number // 2)
        found[question.name] = choices[step % len(choices)]
    return found


def handed_in(lab: Path, number: int) -> tuple[str, bytes]:
    """Return a student's notebook, and how it came about."""
    place = EACH * LABS.index(lab) + number
    habit, tool = HABITS[place % len(HABITS)], TOOLS[number % len(TOOLS)]
    picked = chosen(lab, number)
    work = filled(lab, {name: text for name, (_, text) in picked.items()})
    habit(work)
    words = [habit.__name__, tool.__name__, *(n for n, _ in picked.values())]
    return ", ".join(words), tool(work.cells)


# Grading them


@cache
def bundle_of(lab: Path) -> bundles.Bundle:
    """Release a lab without its trainings; the solution is not run.

    (Every lab is released whole, solution and all, elsewhere.)
    """
    asked = quick(lab)
    right = {
        q.id: {
            "data": bundles.plain(
                q, q.reference, bundles.seed_of(SECRET, q.id)
            )
        }
        for q in asked
    }

    with pytest.MonkeyPatch.context() as patch:
        alone = SimpleNamespace(QUESTIONS=asked, WRITTEN=())
        patch.setattr(bundles, "probes_of", lambda lab: alone)
        patch.setattr(bundles, "_answers", lambda *given: right)
        return bundles.release(lab, SECRET)


def lost(result: dict, bundle: bundles.Bundle) -> dict[str, str]:
    """Return the questions without full marks, and what is said of them."""
    return {
        question["id"]: result["reasons"].get(
            question["id"],
            result["remarks"].get(question["id"], result["note"]),
        )
        for question in bundle.questions
        if result["marks"][question["id"]] != question["points"]
    }


EVERY_LAB = """\
PROBES = {{}}
for source in {sources!r}:
    space = {{"__name__": "probes"}}
    exec(source, space)
    PROBES |= space["PROBES"]
"""


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    """One box for all labs: to start one takes longer than to grade."""
    files = [(lab / "probes.py").read_text("utf-8") for lab in LABS]
    sources = [bundles.box_probes(text) for text in files]
    made = Box(EVERY_LAB.format(sources=sources), limits=LONG)
    yield made
    made.close()


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_different_right_notebooks_score_full(lab: Path, box: Box) -> None:
    bundle = bundle_of(lab)
    for number in range(EACH):
        words, content = handed_in(lab, number)
        assert lost(grade(content, bundle, box), bundle) == {}, words


def test_there_are_more_than_thirty_different_ones() -> None:
    kinds = {
        (lab.name, *(name for name, _ in chosen(lab, number).values()))
        for lab in LABS
        for number in range(EACH)
    }
    assert len(kinds) == EACH * len(LABS) >= 30
    assert len(HABITS) <= EACH * len(LABS)


def test_every_question_has_an_answer_that_stands_on_its_own() -> None:
    asked = [(lab, question) for lab in LABS for question in quick(lab)]
    assert [q.id for lab, q in asked if not answers(lab, q.id, q.name)] == []


# A crash costs its question

CRASHES = {
    "raises": "def {0}(*given):\n    raise ValueError",
    "goes deeper and deeper": "def {0}(*given):\n    return {0}(*given)",
    "loops for ever": "def {0}(*given):\n    while True:\n        pass",
    "ends the program": "import os\ndef {0}(*given):\n    os._exit(0)",
    "reads no memory": (
        "import ctypes\ndef {0}(*given):\n    ctypes.string_at(0)"
    ),
    "takes all memory": (
        "def {0}(*given):\n    return [bytes(2**28) for _ in range(2**20)]"
    ),
    "is a cell that ends the program": "import os\n{0} = os._exit(0)",
    "is a cell that waits for ever": "import time\n{0} = time.sleep(1e9)",
}


@pytest.mark.parametrize("kind", CRASHES)
def test_a_crash_costs_its_question_alone(kind: str, box: Box) -> None:
    lab = ROOT / "labs" / "conv"
    bundle, asked = bundle_of(lab), quick(lab)
    broken = asked[list(CRASHES).index(kind) % len(asked)]
    box.limits = SHORT if "for ever" in kind else LONG
    texts = {name: text for name, (_, text) in chosen(lab, 0).items()}
    texts[broken.name] = CRASHES[kind].format(broken.name)
    work = filled(lab, texts)
    without_the_book(work)
    result = grade(TOOLS[0](work.cells), bundle, box)
    assert set(lost(result, bundle)) == {broken.id}
