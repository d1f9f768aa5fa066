"""Fairness: other right solutions score full, a crash costs its question.

The notebooks are students' editions of the labs, filled in with the right
answers of the galleries. Cells that train stay as they were handed out, so
the bundles hold only what needs no trained network.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from test_exercises import GALLERY, gallery_of

from cnnbook.exercises import Question
from cnnbook.probing import Reads
from labgrade import bundle as bundles
from labgrade import notebook
from labgrade.grade import grade

ROOT = Path(__file__).resolve().parents[1]
LABS = [ROOT / "labs" / n for n in ("alexnet", "conv", "inception", "lenet")]
SECRET = b"fairness"
NOTEBOOKS = 3
"""For each lab."""
TRAINED = {"lab-alexnet.q5", "lab-inception.q4", "lab-inception.q7"}
"""Questions for which labgrade runs cells that train, too: left out here."""


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


def name_of(answer: Any, gallery: Any) -> str:
    """Return what an answer is called in its gallery."""
    return next(n for n, thing in vars(gallery).items() if thing is answer)


def answers(lab: Path, question: Question) -> dict[str, str]:
    """Return a question's right answers that stand on their own."""
    gallery = gallery_of(f"lab-{lab.name}")
    source = (GALLERY / f"lab-{lab.name}.py").read_text("utf-8")
    found = {}
    for answer in gallery.RIGHT[question.id]:
        name = name_of(answer, gallery)
        try:
            text = text_of(name, source)
        except Leans:
            continue
        found[name] = f"{text}\n\n{question.name} = {name}"
    return found


# Notebooks


def quick(lab: Path) -> list[Question]:
    """Return a lab's questions that need no trained network, hints off."""
    return [
        replace(question, hints=())
        for question in bundles.probes_of(lab).QUESTIONS
        if not isinstance(question.probe, Reads) and question.id not in TRAINED
    ]


def solved(lab: Path) -> dict[str, str]:
    """Return the solution's cells by their ids."""
    nb = json.loads((lab / "solution.ipynb").read_text("utf-8"))
    return {cell["id"]: "".join(cell["source"]) for cell in nb["cells"]}


def filled(lab: Path, texts: dict[str, str]) -> bytes:
    """Return the student's edition with cells in place of the answers'.

    *texts* gives the new cell for the name of an answer.
    """
    nb = json.loads((lab / "lab.ipynb").read_text("utf-8"))
    sources, left = solved(lab), dict(texts)
    for cell in nb["cells"]:
        if cell["cell_type"] != "code":
            continue
        made = notebook.understood(0, sources[cell["id"]])
        for name in (made.defines if made else frozenset()) & left.keys():
            cell["source"] = left.pop(name)
    assert not left
    return json.dumps(nb).encode()


def whole(lab: Path, number: int) -> tuple[list[str], bytes]:
    """Return the names of a notebook's answers, and the notebook."""
    names, texts = [], {}
    for question in quick(lab):
        choices = answers(lab, question)
        name = list(choices)[number % len(choices)]
        names.append(name)
        texts[question.name] = choices[name]
    return names, filled(lab, texts)


@cache
def bundle_of(lab: Path) -> bundles.Bundle:
    """Release a lab without its trainings; the solution is not run.

    (Every lab is released whole, solution and all, elsewhere.)
    """
    asked = quick(lab)

    def right(bundle: bundles.Bundle, solution: bytes) -> dict[str, Any]:
        return {
            q.id: {"data": bundles.plain(q, q.reference, described["seed"])}
            for q, described in zip(asked, bundle.questions, strict=True)
        }

    with pytest.MonkeyPatch.context() as patch:
        alone = SimpleNamespace(QUESTIONS=asked, WRITTEN=())
        patch.setattr(bundles, "probes_of", lambda lab: alone)
        patch.setattr(bundles, "_answers", right)
        return bundles.release(lab, SECRET)


@pytest.fixture(scope="module", params=LABS, ids=lambda lab: lab.name)
def boxed(request: pytest.FixtureRequest) -> Iterator[tuple]:
    """A lab, its bundle and a box for it."""
    made = bundle_of(request.param)
    box = made.box()
    yield request.param, made, box
    box.close()


def lost(result: dict, bundle: bundles.Bundle) -> dict[str, str]:
    """Return the questions without full marks, and what is said of them."""
    return {
        question["id"]: result["remarks"].get(question["id"], result["note"])
        for question in bundle.questions
        if result["marks"][question["id"]] != question["points"]
    }


def test_different_right_notebooks_score_full(boxed: tuple) -> None:
    lab, bundle, box = boxed
    seen = set()
    for number in range(NOTEBOOKS):
        names, content = whole(lab, number)
        seen.add(tuple(names))
        assert lost(grade(content, bundle, box), bundle) == {}, names
    assert len(seen) >= 2


def test_there_are_twelve_different_ones() -> None:
    kinds = {
        (lab.name, *whole(lab, number)[0])
        for lab in LABS
        for number in range(NOTEBOOKS)
    }
    assert len(kinds) >= 12


def test_most_answers_of_the_galleries_stand_on_their_own() -> None:
    asked = [(lab, question) for lab in LABS for question in quick(lab)]
    assert [q.id for lab, q in asked if not answers(lab, q)] == []


CRASHES = ("raise ValueError", "__import__('os')._exit(0)")


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_costs_its_question_alone(crash: str) -> None:
    lab = ROOT / "labs" / "conv"
    short = {"cell": 20.0, "question": 5.0, "submission": 60.0}
    bundle = bundles.Bundle({**bundle_of(lab).content, "limits": short})
    box = bundle.box()
    try:
        for question in quick(lab):
            texts = {
                other.name: next(iter(answers(lab, other).values()))
                for other in quick(lab)
            }
            name = question.name
            texts[name] = f"def {name}(*given):\n    {crash}"
            result = grade(filled(lab, texts), bundle, box)
            assert set(lost(result, bundle)) == {question.id}
    finally:
        box.close()
