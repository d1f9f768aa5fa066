"""The exercises: right answers pass, known wrong ones get their hint."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from cnnbook import exercises
from cnnbook.exercises import Calls, Question, check, judge

GALLERY = Path(__file__).parent / "exercise_gallery"
QUESTIONS = exercises.questions()


def gallery_of(chapter: str) -> ModuleType:
    """Load a chapter's gallery of right and wrong answers."""
    path = GALLERY / f"{chapter}.py"
    spec = importlib.util.spec_from_file_location(f"gallery_{chapter}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def gallery_faults(
    question: Question, right: list[Any], wrong: list[tuple[Any, str]]
) -> list[str]:
    """Say what is missing or goes wrong in a question's gallery."""
    faults = []
    if len(right) < 2:
        faults.append("has fewer than two right answers")
    for number, answer in enumerate(right):
        if judge(question, answer) != (True, "."):
            faults.append(f"refuses right answer {number}")
    if not wrong:
        faults.append("has no wrong answer")
    for number, (answer, words) in enumerate(wrong):
        passed, remark = judge(question, answer)
        if passed is not False or words not in remark:
            faults.append(f"says of wrong answer {number}: {remark}")
    said = [judge(question, answer)[1] for answer, _ in question.hints]
    for (_, hint), remark in zip(question.hints, said, strict=True):
        if remark != f": {hint}":
            faults.append(f"cannot reach its hint {hint!r}")
    return faults


# Every question of the book


def test_there_are_questions_and_each_has_a_gallery() -> None:
    chapters = {id.partition(".")[0] for id in QUESTIONS}
    assert chapters == {path.stem for path in GALLERY.glob("*.py")}
    for chapter in chapters:
        ids = {id for id in QUESTIONS if id.startswith(f"{chapter}.")}
        gallery = gallery_of(chapter)
        assert set(gallery.RIGHT) == ids
        assert set(gallery.WRONG) == ids


@pytest.mark.parametrize("id", QUESTIONS)
def test_right_answers_pass_and_wrong_ones_get_their_hint(id: str) -> None:
    gallery = gallery_of(id.partition(".")[0])
    faults = gallery_faults(
        QUESTIONS[id], gallery.RIGHT[id], gallery.WRONG[id]
    )
    assert faults == []


@pytest.mark.parametrize("id", QUESTIONS)
def test_a_probe_gives_the_same_data_again(id: str) -> None:
    question = QUESTIONS[id]
    first = question.data(question.reference)
    again = question.data(question.reference)
    assert exercises.difference(again, first, 0.0) is None


# The gallery's own test can fail


def test_a_poor_gallery_is_refused() -> None:
    question = Question("x.q1", "Six", 6, hints=((5, "count the last."),))
    assert gallery_faults(question, [6, 6.0], [(5, "the last")]) == []
    assert gallery_faults(question, [6], []) == [
        "has fewer than two right answers",
        "has no wrong answer",
    ]
    assert gallery_faults(question, [6, 7], [(6, ""), (4, "the last")]) == [
        "refuses right answer 1",
        "says of wrong answer 0: .",
        "says of wrong answer 1: : 4 is not it. " + question.otherwise,
    ]
    hidden = Question("x.q1", "Six", 6, hints=((6, "a"), (5, "b"), (5, "c")))
    assert gallery_faults(hidden, [6, 6.0], [(5, "b")]) == [
        "cannot reach its hint 'a'",
        "cannot reach its hint 'c'",
    ]


# What the reader sees


def test_check_prints_one_line_and_shows_it_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    id = next(iter(QUESTIONS))
    verdict = check(id, QUESTIONS[id].reference)
    printed = capsys.readouterr().out
    assert printed == f"✓ {id} · {QUESTIONS[id].title}.\n"
    assert repr(verdict) == printed.rstrip("\n")
    assert verdict.right is True
    assert verdict._ipython_display_() is None
    with pytest.raises(TypeError, match="is to be read"):
        bool(verdict)


def test_no_answer_yet_is_neither_right_nor_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdict = check(next(iter(QUESTIONS)))
    assert verdict.right is None
    assert "no answer yet" in capsys.readouterr().out


@pytest.mark.parametrize("id", ["convolution.q0", "convolutoin.q1", "", 7])
def test_an_unknown_exercise_names_its_neighbours(id: Any) -> None:
    with pytest.raises(ValueError, match=r"nearest are [\w-]+\.q\d"):
        check(id, 1)


# How answers compare


def says(expected: Any, answer: Any, **options: Any) -> str:
    """Return what is added to the line; '.' means right."""
    return judge(Question("x.q1", "", expected, **options), answer)[1]


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        (112, 112.0),
        (112, torch.tensor(112)),
        (112, [112]),
        (0.5, np.float32(0.5)),
        (0.5, torch.tensor([0.50001], dtype=torch.float64)),
        (1 / 3, torch.tensor(1 / 3, requires_grad=True)),
        ("max pool", " max  pool\n"),
        ((3, 224), torch.Size([3, 224])),
        ((3, 224), np.array([3, 224])),
        ({"a": 1}, {"a": 1.0}),
        (torch.eye(2), [[1, 0], [0, 1]]),
        (torch.eye(2), np.eye(2, dtype=np.float32)),
        (torch.eye(2), torch.eye(2, dtype=torch.bfloat16)),
        (torch.tensor([1e6, 1.0]), torch.tensor([1e6, 2.0])),
        (torch.tensor([True, False]), [1, 0]),
        (True, np.True_),
        (math.inf, float("inf")),
    ],
)
def test_alike_answers_are_right(expected: Any, answer: Any) -> None:
    assert says(expected, answer) == "."


@pytest.mark.parametrize(
    ("expected", "answer", "why"),
    [
        (112, 111, "111 is not it"),
        (112, 112.00001, "112.00001 is not it"),
        (112, "112", "a number is wanted, not a text"),
        (1, True, "a number is wanted, not a bool"),
        (True, 1, "1 is not it"),
        (0.5, 0.51, "0.51 is not it"),
        (0.0, 1e-5, "1e-05 is not it"),
        (0.5, math.nan, "it is NaN, not a number"),
        (0.5, None, "it is None"),
        ("max", 3, "a text is wanted, not an int"),
        ("max", "min", "'min' is not it"),
        ((3, 4), 3, "2 values are wanted, not an int"),
        ((3, 4), (3, 4, 5), "it has 3 values, not 2"),
        ((3, 4), (3, 5), "at [1], 5 is not it"),
        (((3, 4), 5), ((3, 3), 5), "at [0][1], 3 is not it"),
        ({"a": 1}, [1], "a dict is wanted, not a list"),
        ({"a": 1}, {}, "the key 'a' is missing"),
        ({"a": 1}, {"a": 1, "b": 2}, "the key 'b' is not asked for"),
        ({"a": 1}, {"a": 2}, "at ['a'], 2 is not it"),
        (torch.eye(2), torch.eye(3), "its shape is (3, 3), not (2, 2)"),
        (torch.eye(2), 5, "its shape is (), not (2, 2)"),
        (torch.eye(2), [[1], [0, 1]], "its rows differ in length"),
        (torch.eye(2), "eye", "numbers are wanted, not a text"),
        (torch.eye(2), torch.ones(2, 2), "2 of its 4 values are not right"),
        (torch.eye(2), torch.eye(2) / 0, "2 of its values are NaN"),
        (112, object(), "an object is not something that can be compared"),
        (112, torch.nn.ReLU, "the class ReLU is not something"),
        (torch.eye(2), torch.eye(2, device="meta"), "cannot be read"),
    ],
)
def test_a_wrong_answer_is_told_why(
    expected: Any, answer: Any, why: str
) -> None:
    assert why in says(expected, answer)


class Liar:
    """Claims to equal everything."""

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return True

    def __float__(self) -> float:
        return 112.0


def test_an_answer_cannot_claim_to_be_equal() -> None:
    assert "cannot" not in says(112, 112)
    assert "a Liar is not something that can be compared" in says(112, Liar())


# Answers that are functions


def pairs(draw: Random) -> list[tuple]:
    """Return three pairs of numbers, and one list that a call may spoil."""
    return [(draw.randint(2, 9), draw.randint(2, 9)) for _ in range(3)]


def area(height: int, width: int) -> int:
    """Return the right answer."""
    return height * width


AREA = Question(
    "x.q2",
    "Area",
    area,
    probe=Calls(pairs),
    hints=((lambda height, width: height + width, "that is a length."),),
)


def test_different_right_functions_pass() -> None:
    assert judge(AREA, area) == (True, ".")
    assert judge(AREA, lambda h, w: sum([h] * w)) == (True, ".")


def test_a_wrong_function_is_told_the_call() -> None:
    one = pairs(Random("public x.q2"))[0]
    remark = judge(AREA, lambda h, w: 0)[1]
    assert f"called with ({one[0]}, {one[1]}), 0 is not it" in remark


def test_a_known_wrong_function_gets_its_hint() -> None:
    assert judge(AREA, lambda h, w: w + h) == (False, ": that is a length.")


def test_an_exception_is_told_in_one_sentence() -> None:
    def crash(height: int, width: int) -> int:
        raise KeyError("height\nand more")

    passed, remark = judge(AREA, crash)
    assert passed is False
    assert "your function raised KeyError" in remark
    assert "\n" not in remark


def test_a_function_of_other_arguments_is_told() -> None:
    assert "raised TypeError" in judge(AREA, lambda h: h)[1]


def test_a_value_in_place_of_a_function_is_told() -> None:
    assert "a function is wanted here, not an int" in judge(AREA, 6)[1]


def test_a_class_that_crashes_when_probed_is_told() -> None:
    class Thorn:
        def detach(self) -> None:
            raise RuntimeError("ouch")

    assert "RuntimeError: ouch" in says(112, Thorn())


def test_other_seeds_draw_other_inputs() -> None:
    assert AREA.data(area, "one") != AREA.data(area, "another")
    assert AREA.data(area, "one") == AREA.data(area, "one")
