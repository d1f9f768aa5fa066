"""Questions to answer before reading on, with what is behind wrong answers.

`questions.yml` lists them; its head says how one is written. The numbers of a
question come from a live network, from the registry of claims, or from chance;
the right answer and every known slip are computed from them. So a question
cannot go stale: tests/test_quiz.py computes each answer a second way.

    ask("alexnet-conv1-parameters")     a question of the book
    draw("conv-parameters", Random(3))  the same kind with fresh numbers
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import torch
import yaml

from cnnbook import claims, records
from cnnbook.claims import counts
from cnnbook.quiz import arithmetic
from cnnbook.quiz.arithmetic import Unreadable, number, parse, show
from cnnbook.quiz.reading import Judgement, apart, judge, read

__all__ = [
    "CHAPTERS",
    "Judgement",
    "Question",
    "Unreadable",
    "address",
    "ask",
    "bank",
    "draw",
    "ids",
    "judge",
    "questions",
    "read",
    "shown",
    "templates",
]

CHAPTERS = {
    "convolution": "Convolution",
    "backpropagation": "Backpropagation",
    "lenet": "LeNet",
    "alexnet": "AlexNet",
    "zfnet": "ZFNet",
    "vgg": "VGG",
    "one_by_one": "1 × 1",
    "googlenet": "GoogLeNet",
    "resnet": "ResNet",
    "transfer_learning": "Transfer learning",
}
"""The chapters that have questions, as their titles begin."""

TRIES = 200
"""How often numbers are drawn until they make a fair question."""


@dataclass(frozen=True)
class Question:
    """One question, ready to be asked.

    ``right`` is the answer: one number, or the sides of a shape, or the place
    of an option. ``slips`` are known wrong answers, each with the kind of the
    misconception and a sentence. ``line`` is the computation.
    """

    id: str
    chapter: str
    section: str
    text: str
    form: str
    unit: str
    digits: int
    options: tuple[str, ...]
    right: tuple[float, ...]
    line: str
    slips: tuple[tuple[tuple[float, ...], str, str], ...]

    @property
    def href(self) -> str:
        """Where the answer is derived: a page beside this one."""
        return address(self.chapter, self.section)

    @property
    def answer(self) -> str:
        """The right answer in words."""
        if self.options:
            return self.options[int(self.right[0]) - 1]
        one = self.plain == "1"
        unit = self.unit.removesuffix("s") if one else self.unit
        return f"{self.plain}\N{NO-BREAK SPACE}{unit}".rstrip()

    @property
    def plain(self) -> str:
        """The right answer without its unit."""
        return shown(self.right)

    def judge(self, text: str) -> Judgement:
        """Say what there is to say about an answer, as a person types it."""
        return judge(asdict(self), read(text, self.form, self.unit))


@cache
def bank() -> Mapping[str, Any]:
    """Everything in questions.yml: kinds of slips, templates, questions."""
    file = Path(__file__).with_name("questions.yml")
    return yaml.safe_load(file.read_text("utf-8"))


def templates() -> Mapping[str, Mapping[str, Any]]:
    """The questions that can be asked with fresh numbers, by name."""
    return bank()["templates"]


def questions(chapter: str = "") -> list[Question]:
    """The questions of the book, or those of a chapter."""
    return [ask(id) for id in ids(chapter)]


def ids(chapter: str = "") -> list[str]:
    """The ids of the book's questions in its order, or of a chapter's."""
    wanted = [chapter] if chapter else [*CHAPTERS]
    return [
        entry["id"]
        for name in wanted
        for entry in bank()["questions"]
        if entry["chapter"] == name
    ]


@cache
def ask(id: str) -> Question:
    """A question of the book; an unknown one names its neighbours."""
    entry = next((e for e in bank()["questions"] if e["id"] == id), None)
    if entry is None:
        near = ", ".join(difflib.get_close_matches(str(id), ids(), 3, 0))
        raise ValueError(f"There is no question {id!r}; try {near}.")
    made = compose(kind_of(entry), names_of(entry))
    return Question(
        id=id, chapter=entry["chapter"], section=entry["section"], **made
    )


def kind_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What a question asks: its own fields over those of its template."""
    shared = templates()[entry["template"]] if "template" in entry else {}
    return {
        **shared,
        **entry,
        "slips": [*entry.get("slips", ()), *shared.get("slips", ())],
    }


def names_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a question, from the networks that it is about."""
    found = dict(facts(*entry["layer"])) if "layer" in entry else {}
    for name, expression in entry.get("values", {}).items():
        found[name] = evaluate(expression, found)
    return found


def evaluate(expression: str, names: Mapping[str, Any]) -> Any:
    """Compute in the words of the registry, and of recorded results."""
    own = {f.__name__: f for f in (claim, mean, probe, registry, routed)}
    words = {**counts.VOCABULARY, **own, "record": records.read}
    with torch.device("meta"):
        code = compile(str(expression), "<question>", "eval")
        return eval(code, {**words, **names})


def claim(id: str) -> Any:
    """What a row of the registry gives."""
    return registry()[id].value


def mean(numbers: Iterable[float]) -> float:
    """The mean of some numbers, of different seeds for instance."""
    given = list(numbers)
    return sum(given) / len(given)


def probe(block: int) -> float:
    """How much a linear probe of a block gets wrong, of ten examples."""
    wanted = {"source": "hand", "examples": 10, "depth": block}
    cells = records.read("transfer-grid")["probes"]
    return next(c["error_mean"] for c in cells if wanted.items() <= c.items())


def routed(window: int) -> int:
    """How many pixels get a gradient through the maximum of a window."""
    count = window * window
    x = torch.arange(count, dtype=torch.float64, device="cpu")
    x = x.view(1, 1, window, window).requires_grad_()
    torch.nn.functional.max_pool2d(x, window).sum().backward()
    return int((x.grad != 0).sum())


@cache
def registry() -> claims.Registry:
    """The registry, read once."""
    return claims.load()


@cache
def facts(net: str, layer: str) -> Mapping[str, int]:
    """The numbers of a layer of a live network.

    n is the side of what comes in, c how many maps; o the side of what
    leaves, k how many maps; f, s, p, g, d are side of the window, stride,
    padding, groups and dilation.
    """
    row = counts.rows(net, layer)[-1]
    module = counts.net(net).get_submodule(row.name)
    found = {"c": row.input_shape[0], "k": row.output_shape[0]}
    found["n"] = row.input_shape[-1] if len(row.input_shape) > 1 else 1
    found["o"] = row.output_shape[-1] if len(row.output_shape) > 1 else 1
    for name, long in {
        "f": "kernel_size",
        "s": "stride",
        "p": "padding",
        "g": "groups",
        "d": "dilation",
    }.items():
        given = getattr(module, long, None)
        if isinstance(given, tuple):
            given = given[0]
        if isinstance(given, int):
            found[name] = given
    return found


def compose(
    kind: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Make a question of a kind and its numbers."""
    names = {name: float(value) for name, value in given.items()}
    for name, expression in kind.get("let", {}).items():
        names[name] = arithmetic.value(parse(str(expression))[0], names)
    trees = parse(str(kind["answer"]))
    right = tuple(arithmetic.values(trees, names))
    options = tuple(fill(one[0], names) for one in kind.get("options", ()))
    digits = kind.get("digits", 0)
    slips = []
    if options:
        found = right
        worth = [computed(one[1], names) for one in kind["options"]]
        right = (float(worth.index(found) + 1),)
        for place, one in enumerate(kind["options"], start=1):
            if (float(place),) != right:
                slips.append(((float(place),), one[2], fill(one[3], names)))
    else:
        taken = [right]
        for expression, slip, words in kind["slips"]:
            wrong = possible(expression, names)
            if wrong and all(apart(wrong, one, digits) for one in taken):
                taken.append(wrong)
                slips.append((wrong, slip, fill(words, names)))
    return {
        "text": fill(kind["text"], names),
        "form": "choice" if options else "shape" if right[1:] else "number",
        "unit": kind.get("unit", ""),
        "digits": digits,
        "options": options,
        "right": right,
        "line": line(kind, trees, names, right, bool(options)),
        "slips": tuple(slips),
    }


def computed(expression: Any, names: Mapping[str, float]) -> tuple[float, ...]:
    """The numbers of an expression."""
    return tuple(arithmetic.values(parse(str(expression)), names))


def possible(expression: Any, names: Mapping[str, float]) -> tuple | None:
    """The same, or None where these numbers cannot be computed with."""
    try:
        return computed(expression, names)
    except Unreadable:
        return None


def line(
    kind: Mapping[str, Any],
    trees: Sequence[arithmetic.Tree],
    names: Mapping[str, float],
    right: Sequence[float],
    chosen: bool,
) -> str:
    """The computation in a line, ending with the answer."""
    if "line" in kind:
        return fill(kind["line"], names)
    steps = [show(tree, names) for tree in trees]
    said = [number(one) for one in right]
    if chosen or steps == said:
        return " × ".join(steps)
    if len(steps) > 1:
        return f"{' by '.join(steps)}: {'×'.join(said)}"
    # Nobody wants all digits of a quotient.
    return f"{steps[0]} = {said[0]}"


def fill(text: str, names: Mapping[str, float]) -> str:
    """Put numbers into a text: {k} filters of {f} × {f}."""
    return re.sub(
        r"\{([^{}]+)\}",
        lambda found: number(arithmetic.value(parse(found[1])[0], names)),
        text,
    )


def draw(name: str, chance: Random, id: str = "") -> Question:
    """A question of this kind with fresh numbers."""
    if name not in templates():
        near = ", ".join(difflib.get_close_matches(name, templates(), 3, 0))
        raise ValueError(f"There is no kind of question {name!r}; try {near}.")
    kind = templates()[name]
    for _ in range(TRIES):
        given = {
            key: chance.choice(choices)
            for key, choices in kind["draw"].items()
        }
        made = attempt(kind, given)
        if made is not None:
            break
    else:
        raise RuntimeError(f"The numbers of {name!r} never make a question.")
    place = {"chapter": kind["chapter"], "section": kind["section"]}
    return Question(id=id or name, **place, **made)


def attempt(
    kind: Mapping[str, Any], given: Mapping[str, float]
) -> dict[str, Any] | None:
    """A question with these numbers, or None if they do not suit it.

    They suit it if what `fair` lists is positive, and two slips at least can
    be told from the answer and from each other.
    """
    names = {key: float(value) for key, value in given.items()}
    try:
        for name, expression in kind.get("let", {}).items():
            names[name] = arithmetic.value(parse(str(expression))[0], names)
        fair = computed(kind.get("fair", "1"), names)
        if min(fair) <= 0:
            return None
        made = compose(kind, given)
    except Unreadable:
        return None
    return made if len(made["slips"]) >= 2 else None


def shown(numbers: Sequence[float]) -> str:
    """Numbers in words: 34,944, or 55×55×96."""
    return "×".join(map(number, numbers))


def address(chapter: str, section: str) -> str:
    """The address of a section, as a page beside it links to it."""
    return f"{chapter}.html#{slug(section)}"


def slug(heading: str) -> str:
    """A heading as the site's anchor."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())
