"""Check an answer: the probes of the exercises, and a tolerant comparison.

    check("convolution.q1", 112)
    check("lab-conv.q1", conv_forward)

The questions of a chapter stand in `cnnbook.probes`, those of a lab beside
its notebook, in `labs/`, from where they go into the library.

A probe turns an answer into data and never into a verdict; the data are then
compared with what the same probe makes of a reference answer. Whoever grades
draws other inputs for the same probes, and compares elsewhere.
"""

from __future__ import annotations

import difflib
import importlib
import math
import numbers
import pkgutil
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from random import Random
from types import ModuleType
from typing import Any

import numpy as np

PROBES, LABS = "cnnbook.probes", "cnnbook.labs"
"""Where the questions stand: a module a chapter, a folder a lab."""

__all__ = [
    "Calls",
    "Question",
    "Verdict",
    "Written",
    "check",
    "questions",
    "score",
    "value",
    "written",
]

Probe = Callable[[Any, Random], Any]
"""Takes an answer and a source of random inputs; returns data."""


class Unusable(Exception):
    """An answer that no data can be drawn from; the message says why."""


def value(answer: Any, draw: Random) -> Any:
    """The probe for an answer that is data already; `draw` is not used."""
    return answer


@dataclass(frozen=True)
class Calls:
    """The probe for an answer that is a function: what its calls return.

    `inputs` makes the argument tuples, new ones for each answer, from a
    source of random numbers.
    """

    inputs: Callable[[Random], Iterable[tuple]]

    def __call__(self, answer: Any, draw: Random) -> list:
        """Call the answer once for each tuple of arguments."""
        if not callable(answer):
            raise Unusable(
                f"a function is wanted here, not {_name(answer)}: give the "
                "function itself, without calling it"
            )
        results = []
        for arguments in self.inputs(draw):
            shown = _shown(arguments)
            try:
                results.append(answer(*arguments))
            except Exception as error:
                if _unwritten(error):
                    raise
                raise Unusable(
                    f"called with {shown}, your function raised "
                    f"{_sentence(error)}"
                ) from error
        return results


@dataclass(frozen=True)
class Question:
    """One exercise that can be checked.

    `reference` is a right answer; `hints` pairs a known wrong answer with
    the misconception behind it. Both go through the probe, as the reader's
    answer does, so an answer is right or wrong for what it gives alone.
    In a lab, `name` is what the answer is called in the notebook, and
    `points` is what it is worth. `share` is how much of an array must agree,
    for what a trained network says.
    """

    id: str
    title: str
    reference: Any
    hints: Sequence[tuple[Any, str]] = ()
    probe: Probe = value
    tolerance: float = 1e-4
    otherwise: str = "Go through the derivation once more, step by step."
    points: int = 0
    name: str = ""
    share: float = 1.0

    def data(self, answer: Any, seed: str = "public") -> Any:
        """Return what the probe makes of an answer, as plain data."""
        return plain(self.probe(answer, Random(f"{seed} {self.id}")))

    def fault(self, given: Any, expected: Any) -> Fault:
        """Return where the data of two answers differ, or None."""
        if self.share < 1:
            return _too_few_agree(given, expected, self.share)
        return difference(given, expected, self.tolerance)


@dataclass(frozen=True)
class Written:
    """A question of a lab that is answered in words, and read by a person.

    `rubric` pairs points with what an answer must say to get them.
    """

    id: str
    title: str
    rubric: Sequence[tuple[int, str]]

    @property
    def points(self) -> int:
        """What a complete answer is worth."""
        return sum(points for points, _ in self.rubric)


@dataclass(frozen=True)
class Verdict:
    """What `check` says: words to read, shown once, never a truth value."""

    line: str
    right: bool | None = field(repr=False)

    def __repr__(self) -> str:
        """Return the line."""
        return self.line

    def _ipython_display_(self) -> None:
        """Show nothing: it has been printed."""

    def __bool__(self) -> bool:
        """Refuse: a verdict is for a reader."""
        raise TypeError(
            "A verdict is to be read; its .right is True, False or None."
        )


def check(id: str, answer: Any = ...) -> Verdict:
    """Compare an answer with the exercise's, and print a sentence about it.

    An answer is a value or, where the exercise asks for one, a function.
    `...` stands for none yet. A wrong answer that is known to come from a
    misconception gets a hint; the right answer is never shown.
    """
    question = find(id)
    right, remark = judge(question, answer)
    _said[id] = right
    mark = {True: "✓", False: "✗", None: "·"}[right]
    line = f"{mark} {question.id} · {question.title}{remark}"
    print(textwrap.fill(line, 72, subsequent_indent="  "))
    return Verdict(line, right)


def judge(question: Question, answer: Any) -> tuple[bool | None, str]:
    """Return whether an answer is right, and what to add to the line."""
    if answer is ...:
        return None, ": no answer yet. Put yours in place of the dots."
    try:
        given = question.data(answer)
    except Unusable as error:
        return False, f": {error}."
    except Exception as error:
        if _unwritten(error):
            return None, ": not written yet."
        return False, f": your answer raised {_sentence(error)}."
    fault = question.fault(given, question.data(question.reference))
    if fault is None:
        return True, "."
    for wrong, hint in question.hints:
        if question.fault(given, question.data(wrong)) is None:
            return False, f": {hint}"
    place, why = fault
    where = _where(question, place)
    return False, f": {where}{why}. {question.otherwise}"


_said: dict[str, bool | None] = {}
"""The last verdict on each question since Python started."""


def score(lab: str) -> None:
    """Print a lab's questions with the points that its checks have given."""
    asked = list(_of(_known(lab)))
    total = sum(question.points for question in asked)
    mine = sum(q.points for q in asked if _said.get(q.id))
    for question in asked:
        mark = {True: "✓", False: "✗", None: "·"}[_said.get(question.id)]
        points = f"{question.points} point{'s' * (question.points != 1)}"
        print(f"{mark} {question.id:<16} {points:>9}  {question.title}")
    for text in written(lab):
        points = f"{text.points} point{'s' * (text.points != 1)}"
        print(f"· {text.id:<16} {points:>9}  {text.title}: read by a person")
        total += text.points
    print(f"{mine} of {total} points so far.")


def written(lab: str) -> Sequence[Written]:
    """Return the questions of a lab that are answered in words."""
    return getattr(_module(_known(lab)), "WRITTEN", ())


def _unwritten(error: Exception) -> bool:
    """Whether this is what stands in a lab where nothing is written yet."""
    return isinstance(error, NotImplementedError) and "yours" in str(error)


def questions() -> dict[str, Question]:
    """Return every question of every chapter and lab, by its id."""
    return {
        question.id: question for place in _places() for question in _of(place)
    }


def find(id: str) -> Question:
    """Return the question of this id; an unknown one names its neighbours."""
    place = str(id).partition(".")[0]
    known = _of(place) if place in _places() else ()
    for question in known:
        if question.id == id:
            return question
    ids = [question.id for question in known] or list(questions())
    near = difflib.get_close_matches(str(id), ids, 3, 0) or ids
    raise ValueError(
        f"There is no exercise {id!r}; the nearest are {', '.join(near)}."
    )


def _known(lab: str) -> str:
    labs = [place for place in _places() if place.startswith("lab-")]
    if lab not in labs:
        raise ValueError(
            f"There is no lab {lab!r}; the labs are {', '.join(labs)}."
        )
    return lab


def _places() -> list[str]:
    """Return the chapters, "lenet", and the labs, "lab-lenet"."""
    chapters = pkgutil.iter_modules(importlib.import_module(PROBES).__path__)
    labs = files(LABS).glob("*/probes.py")
    return [module.name for module in chapters] + [
        f"lab-{path.parent.name}" for path in sorted(labs)
    ]


def _module(place: str) -> ModuleType:
    lab = place.removeprefix("lab-")
    name = f"{PROBES}.{place}" if lab == place else f"{LABS}.{lab}.probes"
    return importlib.import_module(name)


def _of(place: str) -> Sequence[Question]:
    return getattr(_module(place), "QUESTIONS", ())


# Data, and how they compare


def plain(data: Any) -> Any:
    """Return data as None, bool, int, float, str, list, dict or array.

    Tensors become arrays, those of one number the number; tuples become
    lists. Anything else is an `Unusable` answer.
    """
    if data is None or isinstance(data, bool | str):
        return data
    if isinstance(data, Mapping):
        return {str(key): plain(item) for key, item in data.items()}
    if isinstance(data, list | tuple):
        return [plain(item) for item in data]
    if isinstance(data, numbers.Integral):
        return int(data)
    if isinstance(data, numbers.Real):
        return float(data)
    if hasattr(data, "detach"):
        data = _array_of_tensor(data)
    if isinstance(data, np.generic | np.ndarray) and data.dtype.kind in "biuf":
        return data.item() if data.ndim == 0 else np.asarray(data)
    raise Unusable(f"{_name(data)} is not something that can be compared")


def _array_of_tensor(tensor: Any) -> np.ndarray:
    try:
        tensor = tensor.detach().cpu()
        if tensor.is_floating_point():  # numpy has no bfloat16
            tensor = tensor.double()
        return tensor.numpy()
    except Exception as error:
        raise Unusable(
            f"the tensor's values cannot be read: {_sentence(error)}"
        ) from error


Fault = tuple[tuple[Any, ...], str] | None


def difference(given: Any, expected: Any, tolerance: float) -> Fault:
    """Return where plain data differ and how, or None if they agree.

    Whole numbers agree exactly, others within a relative tolerance; strings
    but for the space around them; lists, tuples and arrays item by item.
    """
    if given is None and expected is not None:
        return (), "it is None (is a `return` missing?)"
    if isinstance(expected, dict):
        return _keys_differ(given, expected, tolerance)
    if isinstance(expected, np.ndarray):
        return _arrays_differ(given, expected, tolerance)
    if isinstance(expected, list):
        return _lists_differ(given, expected, tolerance)
    if isinstance(expected, str):
        if not isinstance(given, str):
            return (), f"a text is wanted, not {_name(given)}"
        same = given.split() == expected.split()
        return None if same else ((), f"{_shown(given)} is not it")
    if isinstance(expected, bool) or expected is None:
        same = type(given) is type(expected) and given == expected
        return None if same else ((), f"{_shown(given)} is not it")
    return _numbers_differ(given, expected, tolerance)


def _numbers_differ(given: Any, expected: float, tolerance: float) -> Fault:
    given = _only_item(given)
    if isinstance(given, bool) or not isinstance(given, int | float):
        return (), f"a number is wanted, not {_name(given)}"
    if isinstance(given, float) and math.isnan(given):
        return (), "it is NaN, not a number"
    if isinstance(expected, int):
        same = given == expected
    else:
        same = math.isclose(
            given, expected, rel_tol=tolerance, abs_tol=tolerance * 1e-3
        )
    return None if same else ((), f"{_shown(given)} is not it")


def _only_item(data: Any) -> Any:
    """Return the one number of a list or array of one; others as they are."""
    if isinstance(data, np.ndarray) and data.size == 1:
        return data.item()
    if isinstance(data, list) and len(data) == 1:
        return _only_item(data[0])
    return data


def _lists_differ(given: Any, expected: list, tolerance: float) -> Fault:
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if not isinstance(given, list):
        return (), f"{len(expected)} values are wanted, not {_name(given)}"
    if len(given) != len(expected):
        return (), f"it has {len(given)} values, not {len(expected)}"
    for place, pair in enumerate(zip(given, expected, strict=True)):
        fault = difference(*pair, tolerance)
        if fault:
            return (place, *fault[0]), fault[1]
    return None


def _keys_differ(given: Any, expected: dict, tolerance: float) -> Fault:
    if not isinstance(given, dict):
        return (), f"a dict is wanted, not {_name(given)}"
    for key in expected:
        if key not in given:
            return (), f"the key {key!r} is missing"
    if extra := sorted(set(given) - set(expected)):
        return (), f"the key {extra[0]!r} is not asked for"
    for key, item in expected.items():
        fault = difference(given[key], item, tolerance)
        if fault:
            return (key, *fault[0]), fault[1]
    return None


def _arrays_differ(
    given: Any, expected: np.ndarray, tolerance: float
) -> Fault:
    try:
        given = np.asarray(given)
    except ValueError:
        return (), "its rows differ in length"
    if given.dtype.kind not in "biuf":
        return (), f"numbers are wanted, not {_name(given.tolist())}"
    if given.shape != expected.shape:
        return (), f"its shape is {given.shape}, not {expected.shape}"
    if np.isnan(given).any() and not np.isnan(expected).any():
        return (), f"{int(np.isnan(given).sum())} of its values are NaN"
    whole = expected.dtype.kind in "biu"
    scale = float(np.abs(expected).max(initial=0))
    near = 0.0 if whole else tolerance * (scale or 1e-3)
    wrong = ~np.isclose(given, expected, rtol=0, atol=near, equal_nan=True)
    if wrong.any():
        count = int(wrong.sum())
        return (), f"{count} of its {wrong.size} values are not right"
    return None


def _too_few_agree(given: Any, expected: Any, share: float) -> Fault:
    """Return None if that share of an array's items is equal."""
    expected = np.asarray(expected)
    fault = difference(given, expected, 0.0)
    if fault is None or np.shape(given) != expected.shape:
        return fault
    agree = float((np.asarray(given) == expected).mean())
    if agree >= share:
        return None
    return (), f"{agree:.1%} of it is right, and {share:.0%} is asked for"


# Words


def _where(question: Question, place: tuple) -> str:
    """Say at which call or item an answer went wrong."""
    if not place:
        return ""
    first, *rest = place
    inside = "".join(f"[{step!r}]" for step in rest)
    if isinstance(question.probe, Calls):
        draw = Random(f"public {question.id}")
        arguments = list(question.probe.inputs(draw))[first]
        item = f", at {inside}" if inside else ""
        return f"called with {_shown(arguments)}{item}, "
    return f"at [{first!r}]{inside}, "


def _sentence(error: BaseException) -> str:
    """Return an exception as part of one sentence."""
    first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    name = type(error).__name__
    return f"{name}: {first}" if first else name


def _name(thing: Any) -> str:
    """Return what a thing is, with its article."""
    if isinstance(thing, np.ndarray):
        return "an array"
    if isinstance(thing, type):
        return f"the class {thing.__name__}"
    if callable(thing) and hasattr(thing, "__name__"):
        return f"the function {thing.__name__}"
    name = {"str": "text", "NoneType": "None"}.get(
        type(thing).__name__, type(thing).__name__
    )
    return f"an {name}" if name[0].lower() in "aeiou" else f"a {name}"


def _shown(thing: Any) -> str:
    """Return a short, stable picture of a value or of arguments."""
    if hasattr(thing, "shape") and getattr(thing, "ndim", 0):
        return f"an array of shape {tuple(thing.shape)}"
    if isinstance(thing, tuple) and len(thing) == 1:
        return _shown(thing[0])
    if isinstance(thing, list | tuple):
        return f"({', '.join(map(_shown, thing))})"
    text = repr(thing)
    return text if len(text) <= 60 else f"{text[:57]}…"
