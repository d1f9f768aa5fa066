"""Grade a submission: run it in a box, compare outside, say why.

`grade` is a pure function of a submission's bytes and a bundle, so it may
run anywhere and in any order.
"""

from __future__ import annotations

import builtins
import hashlib
import re
from collections.abc import Callable
from typing import Any

from cnnbook import exercises
from labgrade import data, notebook
from labgrade.box import Box, Dead
from labgrade.bundle import Bundle

REVIEW = (
    *("ctypes", "subprocess", "os.fork", "sys.modules", "sys._getframe"),
    *("gc.get", "__subclasses__", "__globals__", "/proc"),
    *("labgrade", "cnnbook.labs", "cnnbook.probes"),
)
"""Words that a person should look at; they never cost a point."""
LATE = "It gave no answer in time, or ended the program."
UNWRITTEN = "It is not written yet."
TOLD = (
    "a function is wanted here",
    "a class or a function that makes a net is wanted",
    "it made no nn.Module",
    "is not something that can be compared",
    "the tensor's values cannot be read",
)
"""What a student may be told of an answer that is none."""


def answers_of(
    cells: list[notebook.Cell], bundle: Bundle, box: Box, apart: bool = False
) -> dict[str, Any]:
    """Run cells; return each question's answer, and what went wrong.

    Questions that need a training run after the others, on their own, so
    that a slow training costs only itself. No answer is called wrong for an
    unknown reason before it was asked apart from others, after all cells:
    what another question did, or a cell that was left out, may matter.
    """
    found: dict[str, Any] = {"answers": {}, "failed": {}}
    quick = [q for q in bundle.questions if "images" not in q]
    slow = [q for q in bundle.questions if "images" in q]
    for questions in (quick, *([question] for question in slow)):
        wanted = {question["name"] for question in questions}
        chosen = notebook.needed(cells, wanted)
        stuck = _ask(questions, chosen, box, apart, found)
        # a student's numbers were float32: there, .float() does no harm
        if mixed := [q for q in questions if _mixed(found, q["id"])]:
            _ask(mixed, chosen, box, True, found, "float32")
        doubtful = [
            question
            for question in questions
            if _doubtful(question, found["answers"].get(question["id"]))
        ]
        if doubtful:
            rest = [cell for cell in cells if cell.number not in stuck]
            _ask(doubtful, rest, box, True, found)
    return found


def _mixed(found: dict[str, Any], id: str) -> bool:
    """Whether an answer met numbers of two kinds."""
    why = refused(found["answers"].get(id))
    return "dtype" in why or "ouble" in why


def _doubtful(question: dict, answer: dict | None) -> bool:
    """Whether it might be right after all: not where the reason is known."""
    right, remark = judge(question, answer)
    known = (UNWRITTEN, LATE, *(hint for _, hint in question["wrong"]))
    return not right and remark not in known


def _ask(
    questions: list[dict],
    cells: list,
    box: Box,
    apart: bool,
    found: dict,
    dtype: str = "float64",
) -> list[int]:
    """Ask for answers; return the cells that never came to their end."""
    words = ("id", "name", "seed")
    result = box.run(
        {
            "cells": [
                {"number": cell.number, "source": cell.source}
                for cell in cells
            ],
            "questions": [{w: q[w] for w in words} for q in questions],
            "apart": apart or len(questions) == 1,
            "dtype": dtype,
        }
    )
    for id, content in result["answers"].items():
        try:
            found["answers"][id] = data.unpacked(content)
        except data.Unreadable as error:
            found["answers"][id] = {"unusable": f"what came back: {error}"}
    found["failed"] |= result["failed"]
    return result["stuck"]


def fingerprint(content: bytes) -> str:
    """Return the name of these very bytes."""
    return hashlib.sha256(content).hexdigest()


def blank(
    bundle: Bundle, content: bytes, status: str, note: str = ""
) -> dict[str, Any]:
    """Return the result of a submission that got no point."""
    return {
        "bundle": bundle.hash,
        "submission": fingerprint(content),
        "status": status,
        "note": note,
        "marks": {q["id"]: 0 for q in bundle.questions},
        "remarks": {},
        "reasons": {},
        "failed": {},
        "review": [],
        "words": {},
    }


def grade(
    content: bytes, bundle: Bundle, box: Box, apart: bool = False
) -> dict[str, Any]:
    """Return the marks of one submission, with a reason for each."""
    try:
        parsed = notebook.parse(content)
        cells = notebook.code(parsed)
        found = answers_of(cells, bundle, box, apart)
    except notebook.Unreadable as error:
        return blank(bundle, content, "unreadable", str(error))
    text = "\n".join(cell.source for cell in cells)
    result = {
        **blank(bundle, content, "graded"),
        "failed": found["failed"],
        "review": [word for word in REVIEW if word in text],
        "words": written(parsed, bundle),
    }
    for question in bundle.questions:
        right, remark = judge(question, found["answers"].get(question["id"]))
        result["marks"][question["id"]] = question["points"] if right else 0
        result["remarks"][question["id"]] = remark
        if why := refused(found["answers"].get(question["id"])):
            result["reasons"][question["id"]] = why
    return result


def judge(question: dict[str, Any], answer: Any) -> tuple[bool, str]:
    """Compare an answer with the right one; never tell what that is."""
    if answer is None:
        return False, LATE
    if "missing" in answer:
        return False, f"There is no {question['name']} in the notebook."
    if why := refused(answer):
        if "NotImplementedError" in why and "yours" in why:
            return False, UNWRITTEN
        told = [text for text in TOLD if text in why]
        said = told[0] if told else f"it raised {error_of(why)}"
        return False, f"It could not be used: {said}."
    asked = exercises.Question(
        question["id"],
        question["title"],
        None,
        tolerance=question["tolerance"],
        share=question["share"],
    )
    given = answer.get("data")
    if asked.fault(given, data.restored(question["right"])) is None:
        return True, "Right."
    for wrong, hint in question["wrong"]:
        if asked.fault(given, data.restored(wrong)) is None:
            return False, hint
    return False, question["otherwise"]


def refused(answer: Any) -> str:
    """Return why a box has no data from an answer, in its own words."""
    if not answer:
        return ""
    return str(answer.get("raised") or answer.get("unusable") or "")


def error_of(why: str) -> str:
    """Return the kind of an error, which is all that a student is told.

    Its message might carry what the student's code was called with.
    """
    for word in re.findall(r"\w+", why):
        known = getattr(builtins, word, None)
        if isinstance(known, type) and issubclass(known, BaseException):
            return word
    return "an error"


def written(parsed: dict[str, Any], bundle: Bundle) -> dict[str, str]:
    """Return the answers in words, by question."""
    found = {}
    for cell in notebook.cells_of(parsed):
        for number, question in enumerate(bundle.content["written"], 1):
            mark, text = f"**Answer W{number}.**", cell["text"].lstrip()
            if cell["kind"] == "markdown" and text.startswith(mark):
                found[question["id"]] = text.removeprefix(mark).strip()
    return found


def grade_twice(
    content: bytes, bundle: Bundle, box: Callable[[], Box]
) -> dict[str, Any]:
    """Grade; if the box dies, once more in a fresh one before a zero."""
    for apart in (False, True):
        try:
            return grade(content, bundle, box(), apart)
        except Dead as error:
            why = str(error)
    return blank(bundle, content, "ended the box", why)
