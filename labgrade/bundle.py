"""A bundle: all that grading a lab needs, made from its solution.

Probes go into the box, right answers never do. Of the lab's `probes.py` the
box gets what draws the inputs; references, hints and the pictures' labels
stay outside. The right answers are what the solution itself gives, in two
boxes of its own, and they must agree with the lab's references.
"""

from __future__ import annotations

import ast
import hashlib
import hmac
import importlib.util
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from cnnbook import exercises
from cnnbook.exercises import Question
from cnnbook.probing import Reads
from labgrade import data, notebook
from labgrade.box import Box, Limits

LEAST = 16.0
"""Bits that an answer must be worth."""
NOT_A_LEAK = 24
"""Signs of a line that may stand in both editions by chance."""


class Refused(ValueError):
    """A lab that cannot be released as it is; the message says why."""


@dataclass(frozen=True)
class Bundle:
    """What a lab is graded with; `content` is what its file holds."""

    content: dict[str, Any]

    @property
    def questions(self) -> list[dict[str, Any]]:
        """Return the questions, in their order."""
        return self.content["questions"]

    @cached_property
    def hash(self) -> str:
        """The fingerprint of everything in it."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def text(self) -> str:
        """Return the exact text of its file."""
        return json.dumps(self.content, sort_keys=True, indent=1) + "\n"

    def of(self, student: str) -> Bundle:
        """Return what this student's work is graded with."""
        if not self.content["students"]:
            return self
        keys = self.content["students"].get(student, {})
        questions = [{**q, **keys.get(q["id"], {})} for q in self.questions]
        return Bundle({**self.content, "questions": questions, "students": {}})

    def part(self, students: set[str]) -> Bundle:
        """Return it with the keys of these students only."""
        own = self.content["students"]
        own = {name: own[name] for name in sorted(students & own.keys())}
        return Bundle({**self.content, "students": own})

    @cached_property
    def kit(self) -> tuple[str, dict[str, Any], Limits]:
        """What a box is started with: the same for all students."""
        images = {
            q["id"]: q["images"] for q in self.questions if "images" in q
        }
        return self.content["probes"], images, Limits(**self.content["limits"])

    def box(self, number: int = 0, isolated: bool = True) -> Box:
        """Start a box with this bundle's probes."""
        return Box(*self.kit, number, isolated)


def load(path: Path) -> Bundle:
    """Read a bundle from its file."""
    return Bundle(json.loads(path.read_text("utf-8")))


def seed_of(secret: bytes, id: str, student: str = "") -> str:
    """Return what a question's hidden inputs are drawn from."""
    text = f"{id} {student}".encode()
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


# The probes that go into the box


def box_probes(source: str) -> str:
    """Return the part of a lab's probes that draws inputs and asks.

    References and hints are left out, with whatever only they use.
    """
    body = ast.parse(source).body
    cells = [
        notebook.understood(number, ast.unparse(statement))
        for number, statement in enumerate(body)
    ]
    asked = [
        {word.arg: word.value for word in call.keywords}
        for cell in cells
        if "QUESTIONS" in cell.defines
        for call in ast.walk(body[cell.number])
        if isinstance(call, ast.Call) and _name(call) == "Question"
    ]
    probes = {
        ast.literal_eval(words["id"]): words["probe"]
        for words in asked
        if "probe" in words and _name(words["probe"]) != "Reads"
    }
    wanted = {name for probe in probes.values() for name in _names(probe)}
    others = [c for c in cells if not c.defines & {"QUESTIONS", "WRITTEN"}]
    kept = {cell.number for cell in notebook.needed(others, wanted)}
    lines = [
        ast.unparse(statement)
        for number, statement in enumerate(body)
        if number in kept or isinstance(statement, ast.Import | ast.ImportFrom)
    ]
    rows = [f"    {id!r}: {ast.unparse(p)}," for id, p in probes.items()]
    return "\n".join([*lines, "PROBES = {", *rows, "}", ""])


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _name(node: ast.AST) -> str:
    """Return the name of the function that is called here, if it is."""
    return getattr(getattr(node, "func", None), "id", "")


# Release


def release(lab: Path, secret: bytes, students: Iterable[str] = ()) -> Bundle:
    """Make the bundle of a lab's folder; a doubtful lab is `Refused`.

    Each of the students gets inputs of their own, where inputs are drawn and
    are no pictures: those have their place in the box from its start.
    """
    probes = probes_of(lab)
    asked = probes.QUESTIONS
    refuse_leaks(lab)
    content: dict[str, Any] = {
        "lab": f"lab-{lab.name}",
        "limits": {},
        "probes": box_probes((lab / "probes.py").read_text("utf-8")),
        "questions": [_described(question, secret) for question in asked],
        "students": {},
        "written": [
            {"id": w.id, "title": w.title, "rubric": list(map(list, w.rubric))}
            for w in getattr(probes, "WRITTEN", ())
        ],
    }
    solution = (lab / "solution.ipynb").read_bytes()
    answers = [_answers(Bundle(content), solution) for _ in range(2)]
    for question, described in zip(asked, content["questions"], strict=True):
        first, again = (each.get(question.id, {}) for each in answers)
        right = data.restored(described["right"])
        if why := _doubt(question, right, first, again):
            raise Refused(f"{question.id}: {why}.")
    drawn = [
        q
        for q in asked
        if q.probe is not exercises.value and not isinstance(q.probe, Reads)
    ]
    for student in students:
        content["students"][student] = {
            q.id: key(q, seed_of(secret, q.id, student)) for q in drawn
        }
    return Bundle(content)


def _doubt(question: Question, right: Any, first: dict, again: dict) -> str:
    """Return what speaks against a question, as the solution answers it."""
    if "data" not in first or "data" not in again:
        return f"the solution fails it ({first})"
    if exercises.difference(again["data"], first["data"], 0.0):
        return "the solution answers it differently each time"
    if fault := question.fault(first["data"], right):
        return f"the solution's answer is not the reference's: {fault[1]}"
    if data.information(right) < LEAST:
        return (
            "its answer could be guessed; let its probe return more than one "
            "small number"
        )
    return ""


def key(question: Question, seed: str) -> dict[str, Any]:
    """Return what an answer is compared with, for inputs of this seed."""
    return {
        "seed": seed,
        "right": data.stored(plain(question, question.reference, seed)),
        "wrong": [
            [data.stored(plain(question, wrong, seed)), h[:1].upper() + h[1:]]
            for wrong, h in question.hints
        ],
    }


def probes_of(lab: Path) -> ModuleType:
    """Return the module of a lab's probes, wherever the lab lies."""
    spec = importlib.util.spec_from_file_location(
        f"cnnbook.labs.{lab.name}.probes", lab / "probes.py"
    )
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain(question: Question, answer: Any, seed: str) -> Any:
    """Return what a probe makes of an answer, drawn from this very seed."""
    return exercises.plain(question.probe(answer, Random(seed)))


def _described(question: Question, secret: bytes) -> dict[str, Any]:
    """Return what a bundle holds of a question, for all students alike."""
    words = ["id", "title", "name", "points", "otherwise"]
    words += ["tolerance", "share"]
    seed = seed_of(secret, question.id)
    described = {word: getattr(question, word) for word in words}
    if isinstance(question.probe, Reads):
        images, _ = question.probe.samples(Random(seed))
        described["images"] = data.stored(images.double().numpy())
    return described | key(question, seed)


def _answers(bundle: Bundle, solution: bytes) -> dict[str, Any]:
    from labgrade.grade import answers_of

    box = bundle.box()
    try:
        cells = notebook.code(notebook.parse(solution))
        return answers_of(cells, bundle, box)["answers"]
    finally:
        box.close()


def refuse_leaks(lab: Path) -> None:
    """Refuse a student's edition that shows a line of the solution's own."""
    given, solved = (
        [
            line.strip()
            for cell in notebook.cells_of(json.loads(path.read_text("utf-8")))
            for line in cell["text"].splitlines()
        ]
        for path in (lab / "lab.ipynb", lab / "solution.ipynb")
    )
    text = "\n".join(given)
    for line in sorted(set(solved) - set(given)):
        if len(line) >= NOT_A_LEAK and line in text:
            raise Refused(f"The student's edition shows {line!r}.")
