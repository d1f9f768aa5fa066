"""Read what a reader answers, and say what is behind a wrong answer.

A number may be typed as people write it: 35K, 34 944, 34,944, 1.4 million,
2^10, 11*11*3*96+96, 93 MiB, 74 %; a shape as 55x55x96 or (55, 55, 96). The
twin of this file is the first half of widgets/question/core.mjs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnbook.quiz.arithmetic import LARGEST, Parser, Unreadable, value

LONGEST = 100
EXAMPLE = "write a number such as 34,944, 35K, 1.4M or 5*5*3*96"
SHAPE = "write a shape such as 55x55x96"

BYTES = {
    "bytes": 1.0,
    "byte": 1.0,
    "B": 1.0,
    "kB": 1e3,
    "KB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "KiB": 1024.0,
    "MiB": 1048576.0,
    "GiB": 1073741824.0,
}
SCALES = {
    "K": 1e3,
    "k": 1e3,
    "thousand": 1e3,
    "M": 1e6,
    "m": 1e6,
    "million": 1e6,
    "millions": 1e6,
    "G": 1e9,
    "billion": 1e9,
}
_NOISE = (
    "% percent per cent parameters parameter params weights weight biases "
    "values value numbers pixels pixel px maps map channels MACs macs mac "
    "multiplications multiplication multiply adds connections units unit "
    "times layers layer places crops filters images of digits steps "
    "convolutions heads paths blocks neurons outputs windows"
)
NOISE = frozenset(re.split(r" ", _NOISE))
SIGNS = str.maketrans(
    {
        **dict.fromkeys("×✕✖·⋅∙•", "*"),
        **dict.fromkeys("−–—", "-"),
        **dict.fromkeys("÷∕⁄", "/"),
        **dict.fromkeys("\u00a0\u2009\u202f\u2007\t\n\r", " "),
    }
)
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"
POINT = r"(?:\.\d+)?(?:[eE][-+]?\d+)?"
GROUPED = r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d{1,3}(?: \d{3})+(?![\d.])"
REST = r"[A-Za-z]+|%|[-+*/^(),]| |."
PIECES = {
    "number": rf"{GROUPED}|\d+,\d+|\d+{POINT}|\.\d+|{REST}",
    "shape": rf"\d+{POINT}|\.\d+|{REST}",
}


@dataclass(frozen=True)
class Reading:
    """What was typed: numbers, and what the last digit typed is worth."""

    values: tuple[float, ...]
    step: float = 0.0


def read(text: str, form: str = "number", unit: str = "") -> Reading:
    """Read an answer; what cannot be read gets a sentence."""
    if len(text) > LONGEST:
        raise Unreadable(f"That is too long to be an answer; {EXAMPLE}.")
    plain = re.sub(r"(?<=[0-9])['’_](?=[0-9])", "", text).translate(SIGNS)
    plain = re.sub(rf"[{RAISED}]+", _lowered, plain)
    plain = plain.replace("**", "^").strip(" ")
    plain = re.sub(r"^(?:~|≈|=|about |ca\. ?| )+", "", plain)
    if not plain:
        raise Unreadable("Type an answer first, or let yourself be shown.")
    try:
        if form == "shape":
            return Reading(tuple(_shape(plain)))
        tokens, in_bytes = _tokens(plain, "number")
        trees = Parser(tokens).all()
        found = value(trees[0], {}) if len(trees) == 1 else None
    except Unreadable as error:
        how = SHAPE if form == "shape" else EXAMPLE
        raise Unreadable(f"{str(error)[:-1]}; {how}.") from None
    if found is None:
        raise Unreadable(f"One number is asked for; {EXAMPLE}.")
    step = _step(tokens)
    if in_bytes and unit in BYTES:
        return Reading((found / BYTES[unit],), step / BYTES[unit])
    if in_bytes:
        raise Unreadable(f"Bytes are not asked for here, but {unit}.")
    return Reading((found,), step)


def _lowered(raised: re.Match) -> str:
    """An exponent in small raised digits: ^10."""
    return "^" + "".join(str(RAISED.index(sign)) for sign in raised[0])


def _shape(text: str) -> list[float]:
    """The sides of a shape, however they are set apart."""
    if re.search(r"[*xXy]", text):
        text = re.sub(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", text)
    tokens, _ = _tokens(text, "shape")
    sides = [token for token in tokens if isinstance(token, float)]
    others = {t for t in tokens if not isinstance(t, float)}
    if not sides or others - {"*", ",", "(", ")"}:
        raise Unreadable("That is not a shape.")
    return sides


def _tokens(text: str, form: str) -> tuple[list[Any], bool]:
    """Numbers, signs; a word behind a number is its unit."""
    tokens: list[Any] = []
    in_bytes = False
    for piece in re.findall(PIECES[form], text, re.ASCII):
        if re.match(r"[0-9]|\.[0-9]", piece):
            tokens.append(_number(piece))
        elif piece in ("x", "X", "by"):
            tokens.append("*")
        elif piece in BYTES or piece in SCALES:
            if not tokens or tokens[-1] in (*"+-*/^(,",):
                raise Unreadable(f"A number is missing before “{piece}”.")
            in_bytes = in_bytes or piece in BYTES
            scale = BYTES.get(piece) or SCALES[piece]
            if isinstance(tokens[-1], float):
                tokens[-1] *= scale
            else:
                tokens += ["*", scale]
        elif piece in "+-*/^(),":
            tokens.append(piece)
        elif piece != " " and piece not in NOISE:
            raise Unreadable(f"“{piece}” cannot be read.")
    return tokens, in_bytes


def _number(piece: str) -> float:
    """A number as typed: a comma before three digits only groups them."""
    point = re.fullmatch(r"[0-9]+,[0-9]+", piece)
    if point and not re.fullmatch(r"[0-9]{1,3},[0-9]{3}", piece):
        piece = piece.replace(",", ".")
    found = float(piece.replace(",", "").replace(" ", ""))
    if found > LARGEST:
        raise Unreadable("That is a larger number than any in this book.")
    return found


def _step(tokens: Sequence[Any]) -> float:
    """What the last digit of a single number is worth; else nothing."""
    if len(tokens) != 1 or tokens[0] == 0:
        return 0.0
    step = 1e-6
    while step < tokens[0] and _divides(step * 10, tokens[0]):
        step *= 10
    return step


def _divides(step: float, number: float) -> bool:
    times = number / step
    whole = math.floor(times + 0.5)
    return abs(times - whole) <= 1e-9 * max(1.0, abs(times))


# ---- Right or wrong, and why ----


@dataclass(frozen=True)
class Judgement:
    """What there is to say: right, a known slip, or only nearly."""

    right: bool
    kind: str = ""
    words: str = ""
    again: bool = False


ROUNDED = (
    "That is the right answer, rounded. Here every digit is asked for: try "
    "again."
)
SCALED = (
    "Your digits are right, the size is not: look at the zeros, or at K and M."
)
OTHER = "Not this time."


def judge(asked: Mapping[str, Any], given: Reading) -> Judgement:
    """Compare an answer with the right one, then with the known slips."""
    digits = asked["digits"]
    if near(given.values, asked["right"], digits):
        return Judgement(True)
    for wrong, kind, words in asked["slips"]:
        if near(given.values, wrong, digits):
            return Judgement(False, kind, words)
    right = asked["right"]
    if len(given.values) == len(right) == 1:
        typed, wanted = given.values[0], right[0]
        if not digits and abs(typed - wanted) <= given.step / 2:
            return Judgement(False, "", ROUNDED, again=True)
        if wanted >= 10 and any(
            near((typed * scale,), right, digits)
            for scale in (1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9)
        ):
            return Judgement(False, "size", SCALED)
    return Judgement(False, "", OTHER)


def near(given: Sequence[float], wanted: Sequence[float], digits: int) -> bool:
    """Whether numbers agree, in all digits or in as many as are asked for.

    A shape may be given as torch writes it, with the maps in front.
    """
    if len(given) != len(wanted):
        return False
    turned = [*wanted[-1:], *wanted[:-1]]
    return any(
        all(
            abs(a - b) <= window(b, digits)
            for a, b in zip(given, shape, strict=True)
        )
        for shape in (wanted, turned)
    )


def window(number: float, digits: int) -> float:
    """How far off an answer may be: half a step of the last digit."""
    size = abs(number)
    if not digits or size == 0:
        return 1e-9 * max(1.0, size)
    most = 10.0**digits
    step = 1.0
    while size >= most * step:
        step *= 10
    while size < most / 10 * step:
        step /= 10
    return step / 2 * (1 + 1e-9)


def apart(one: Sequence[float], other: Sequence[float], digits: int) -> bool:
    """Whether no answer can be taken for both."""
    if len(one) != len(other) or len(one) > 1:
        return not near(one, other, digits) and not near(other, one, digits)
    between = abs(one[0] - other[0])
    return between > window(one[0], digits) + window(other[0], digits)
