"""Numbers as people write them: read, compared, and computed with.

A number is read with its unit: 61,706 and 61 706 (with a thin space) are one
number; 61.7K is known to a hundred, 60K to a thousand. One number covers
another when it is known at least as well and rounds to it. What has to be
left alone, a year or a name, is written in the letters of another alphabet
(`hide`); whatever is printed comes back with `show`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
SANS = "".join(
    chr(first + i)
    for first, many in ((0x1D608, 52), (0x1D7E2, 10))
    for i in range(many)
)
SIGNS, WIDE = "=+-*/^%()[]", "＝＋－＊／＾％（）［］"
_HIDE = str.maketrans(PLAIN + SIGNS, SANS + WIDE)
_SHOW = str.maketrans(SANS + WIDE, PLAIN + SIGNS)

THIN = "\u2009\u202f\u00a0"
"""The spaces that may stand within a number: thin, narrow, not to break at."""

SCALES = {
    "k": 10**3, "K": 10**3, "thousand": 10**3, "M": 10**6, "million": 10**6,
    "G": 10**9, "B": 10**9, "billion": 10**9, "T": 10**12, "P": 10**15,
    "trillion": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
TIMES = {
    "ns": Fraction(1, 10**9), "µs": Fraction(1, 10**6), "h": Fraction(3600),
    "ms": Fraction(1, 10**3), "s": Fraction(1), "min": Fraction(60),
}  # fmt: skip

NUMBER = re.compile(
    rf"""
    (?<!\w) (?<![A-Za-z]-) (?<!\d[.,]) (?<!\w\.)
    (?P<digits> (?>
        [0-9]{{1,3}} (?: [,{THIN}][0-9]{{3}} )+ (?![0-9]) (?: \.[0-9]+ )?
      | [0-9]+ (?: \.[0-9]+ )?
    ) )
    (?P<power> e[+-]?[0-9]{{1,2}} )?
    (?:
        \s? (?P<unit>
            % | per\ cent | percent
          | thousand | million | billion | trillion
          | [kKMGTP]i?B | [kKMGTP](?:FLOPs?|FLOPS|MACs?)
          | ns | [µμ]s | ms
          | times (?= \ (?:as|the|more|less|fewer|smaller|larger|faster
                        |slower|bigger|better|worse)\b )
        ) (?!\w)
      | [{THIN}]? (?P<scale> [KMGT]i | [kKMGBT] ) (?!\w)
      | \s (?P<time> s | min | h ) (?!\w)
      | (?P<factor> (?: × | x | -?fold ) (?!\w) (?! \s?[0-9(] )
                  | \s × (?= \s*(?:[.,;:)]|$) ) )
      | (?!\w)
    )
    """,
    re.VERBOSE,
)
ABOUT = re.compile(
    r"(?:\b(about|around|roughly|nearly|almost|some)|[≈~∼])\s*$"
)
YEAR = re.compile(
    r"(?<![·×*/+−=≈]\s)(?<![\w.,·×*/+−=≈])"
    r"(19[0-9]{2}|20[0-2][0-9]|2030)(?=s?\b)(?![,.][0-9]|\s?[%·×*/+−=≈])"
    r"(?!\s(per\scent|thousand|\w+illion|[kKMGT]i?B|ms|times)\b)"
)
NAMES = re.compile(
    r"https?://\S+|\b10\.[0-9]{4,}/\S+|arXiv:[0-9.]+"  # addresses
    r"|\b[0-9]+(?:\.[0-9]+){2,}[\w.]*"  # versions
    r"|\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b"  # dates
)


def hide(text: str) -> str:
    """Write text so that nothing in it is read as a number or a sum."""
    return text.translate(_HIDE)


def show(text: str) -> str:
    """Write hidden text in its own letters again."""
    return text.translate(_SHOW)


def hide_names(text: str) -> str:
    """Hide years, dates, versions and addresses; leave the rest."""
    for pattern in (NAMES, YEAR):
        text = pattern.sub(lambda found: hide(found[0]), text)
    return text


@dataclass(frozen=True)
class Number:
    """A number with its unit, as exactly as its digits say."""

    text: str
    value: Fraction
    step: Fraction
    """The worth of its last digit: 100 in 61.7K, 0 if it is exact."""
    unit: str = ""
    """What it counts: nothing, %, B (bytes), s (seconds) or ×."""
    scale: Fraction = Fraction(1)
    decimals: int = 0

    @property
    def is_figure(self) -> bool:
        """Whether the reader will take it as found out, not as chosen."""
        digits = re.sub(r"e.*|\D", "", self.text.removeprefix("0."))
        return bool(self.unit) or self.scale != 1 or len(digits) >= 4

    def covers(self, told: Number) -> bool:
        """Whether the told number is this one, rounded or not.

        A bare number has whatever unit its table's head says, if both show
        decimals: 98.76 covers 98.8 %. A small bare count covers no %, s or ×.
        """
        if self.unit == told.unit:
            fits = True
        elif told.unit == "":
            fits = self.unit == "%" and told.decimals > 0
        else:
            large = told.scale > 1 or told.value >= 1000
            bare = not self.unit and self.scale == 1
            fits = bare and (large or self.decimals > 0)
        its = told.value, told.step
        if fits and _rounds((self.value, self.step), its):
            return True
        bare = [n for n in (self, told) if not n.unit and n.scale == 1]
        if len(bare) != 1 or not (self.decimals and told.decimals):
            return False
        digits = re.sub(r"\D", "", told.text).strip("0")
        mine = self.value / self.scale, self.step / self.scale
        its = told.value / told.scale, told.step / told.scale
        return self.step > 0 and len(digits) >= 2 and _rounds(mine, its)


Known = tuple[Fraction, Fraction]
"""A value, and the step to which it is known."""


def _rounds(shown: Known, told: Known) -> bool:
    """Whether the shown value, rounded as the told one is, can be it."""
    off = abs(shown[0] - told[0])
    return shown[1] <= told[1] and off <= told[1] / 2


def number(found: re.Match[str], before: str = "") -> Number:
    """Make a number of what NUMBER found, behind this text."""
    digits = re.sub(f"[,{THIN}]", "", found["digits"])
    decimals = len(digits.partition(".")[2])
    unit, scale = _unit(found)
    scale *= Fraction(10) ** int((found["power"] or "e0")[1:])
    step = scale / 10**decimals
    if ABOUT.search(before) and not decimals and scale == 1:
        step = Fraction(10) ** (len(digits) - len(digits.rstrip("0")))
    value = Fraction(digits) * scale
    return Number(found[0].strip(), value, step, unit, scale, decimals)


def _unit(found: re.Match[str]) -> tuple[str, Fraction]:
    """Return what is counted, and by how much a unit multiplies."""
    if found["factor"] or found["unit"] == "times":
        return "×", Fraction(1)
    if found["time"]:
        return "s", TIMES[found["time"]]
    unit = (found["unit"] or found["scale"] or "").replace("μ", "µ")
    if unit in TIMES:
        return "s", TIMES[unit]
    if unit in ("%", "per cent", "percent"):
        return "%", Fraction(1, 100)
    if found["unit"] and unit.endswith("B"):
        return "B", Fraction(SCALES[unit[:-1]])
    if re.search(r"FLOP|MAC", unit):
        return "", Fraction(SCALES[unit[0]])
    return "", Fraction(SCALES.get(unit, 1))


def numbers(text: str) -> Iterator[Number]:
    """Yield every number of a text."""
    for found in NUMBER.finditer(text):
        yield number(found, text[: found.start()])


def ratios(text: str) -> Iterator[Number]:
    """Yield every share of a printed text: 988/1000, 988 of 1,000."""
    whole = r"(?<![\w.,])([0-9][0-9,]*)"
    for found in re.finditer(rf"{whole}\s?(?:/|of|out of)\s?{whole}", text):
        part, all_of = (int(n.replace(",", "")) for n in found.groups())
        if 0 < part <= all_of:
            share = Fraction(part, all_of)
            yield Number(found[0], share, Fraction(0), decimals=9)


# Sums


@dataclass(frozen=True)
class Equation:
    """Two sides that stand beside each other, and both have a value."""

    text: str
    true: bool
    results: tuple[Number, ...]
    """The sides that are one number, if the other is a sum without it."""


TOKEN = re.compile(
    rf"(?P<number>{NUMBER.pattern})"
    r"""
    | (?P<relation> [=≈] )
    | (?P<sign> [-+−*·⋅×/÷^()\[\]⌊⌋⌈⌉] | (?:sqrt|exp|log|tanh|atanh)(?=\() )
    | (?P<space> \s+ )
    | (?P<other> \w+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
FUNCTIONS = {
    name: getattr(math, name)
    for name in ("sqrt", "exp", "log", "tanh", "atanh")
}
OPERATORS = ("+", "-", "−", "*", "·", "⋅", "×", "/", "÷", "^")
BRACKETS = {"(": ")", "[": "]", "⌊": "⌋", "⌈": "⌉"}
Token = str | Number
Value = Fraction | float


def equations(text: str) -> Iterator[Equation]:
    """Yield each equation in a sentence whose two sides can be computed.

    A word ends a sum, and a letter of a formula spoils the side it is in:
    it stands for a number that is not known here.
    """
    sides: list[list[Token]] = [[]]
    relations: list[str] = []
    spoilt = False
    for found in TOKEN.finditer(text + ";"):
        kind, sign = found.lastgroup, found[0]
        if kind == "number":
            sides[-1].append(number(found, text[: found.start()]))
        elif kind == "relation":
            relations.append(sign)
            sides.append([])
        elif kind == "sign" and not _closes_nothing(sides[-1], sign):
            sides[-1].append(sign)
        elif kind != "space":
            letter = sign[0] in SANS
            _drop_opening(sides[0])
            known = [_compute(side) for side in sides]
            if spoilt or (sides[0] and str(sides[0][0]) in OPERATORS):
                known[0] = None
            if letter:
                known[-1] = None
            yield from _compare(sides, known, relations)
            attached = text[found.end() : found.end() + 1] in ("(", "[")
            sides, relations = [[]], []
            spoilt = letter or (kind == "other" and attached)


def _closes_nothing(side: list[Token], sign: str) -> bool:
    """Whether a bracket closes what was opened outside the equation."""
    for opening, closing in BRACKETS.items():
        if sign == closing:
            return side.count(opening) <= side.count(closing)
    return False


def _drop_opening(side: list[Token]) -> None:
    """Drop the bracket that opens before an equation and holds it."""
    for opening, closing in BRACKETS.items():
        if side[:1] == [opening] and side.count(opening) > side.count(closing):
            del side[0]


def _compare(
    sides: list[list[Token]],
    known: list[Value | None],
    relations: list[str],
) -> Iterator[Equation]:
    """Yield the equations of one chain: each side beside the next."""
    for i, relation in enumerate(relations):
        left, right = known[i], known[i + 1]
        if left is None or right is None:
            continue
        single = [_single(side) for side in sides[i : i + 2]]
        if all(n and not n.unit and n.scale == 1 for n in single):
            continue  # "stage 2 = 4 blocks" is no equation
        text = f" {relation} ".join(map(_spell, sides[i : i + 2]))
        terms = [
            t.value for t in sides[i] + sides[i + 1] if isinstance(t, Number)
        ]
        results = [n for n in single if n and terms.count(n.value) == 1]
        true = _agree(left, right, single, relation)
        yield Equation(text, true, tuple(results if None in single else ()))


def _agree(
    left: Value,
    right: Value,
    single: list[Number | None],
    relation: str,
) -> bool:
    """Whether two sides are equal, as far as their digits go.

    A result may stand in its own unit: 1,161,600 / 10^6 = 1.162 MB.
    """
    slack: Value = Fraction(0)
    if isinstance(left, float) or isinstance(right, float):
        slack = 1e-9 * max(abs(left), abs(right))
    if relation == "≈" and single == [None, None]:
        slack = abs(left) / 100
    scale = Fraction(1)
    for n in single:
        if n and (n.decimals or n.scale != 1 or relation == "≈"):
            slack += n.step / 2
            scale = n.scale
    if abs(left - right) <= slack:
        return True
    if single[0]:
        left, right = right, left
    return abs(left - right / scale) <= slack / scale


def _single(side: list[Token]) -> Number | None:
    """Return the number that a side is, if it is no sum."""
    if len(side) == 2 and side[0] in ("-", "−"):
        side = side[1:]
    first = side[0] if len(side) == 1 else None
    return first if isinstance(first, Number) else None


def _spell(side: list[Token]) -> str:
    """Write a side again."""
    words = (t.text if isinstance(t, Number) else t for t in side)
    text = " ".join(words)
    return re.sub(r"(?<=[(\[⌊⌈^]) | (?=[)\]⌋⌉^])|(?<=[a-z]) ", "", text)


def _compute(side: list[Token]) -> Value | None:
    """Return the value of a sum, or nothing if it is not one."""
    side = list(side)
    try:
        value = _sum(side)
    except (ArithmeticError, IndexError, TypeError, ValueError):
        return None
    return None if side or isinstance(value, complex) else value


def _sum(side: list[Token]) -> Value:
    """Take a sum off the front of a side."""
    value = _product(side)
    while side and side[0] in ("+", "-", "−"):
        sign = 1 if side.pop(0) == "+" else -1
        value += sign * _product(side)
    return value


def _product(side: list[Token]) -> Value:
    """Take a product off the front of a side."""
    value = _power(side)
    while side and side[0] in ("*", "·", "⋅", "×", "/", "÷"):
        by = side.pop(0)
        factor = _power(side)
        value = value / factor if by in ("/", "÷") else value * factor
    return value


def _power(side: list[Token]) -> Value:
    """Take a power, or what is raised to none, off the front of a side."""
    if side[0] in ("-", "−"):
        side.pop(0)
        return -_power(side)
    value = _atom(side)
    if side and side[0] == "^":
        side.pop(0)
        exponent = _power(side)
        if abs(exponent) > 64:
            raise ValueError
        value = value**exponent
    return value


def _atom(side: list[Token]) -> Value:
    """Take a number, a bracket or a function off the front of a side."""
    first = side.pop(0)
    if isinstance(first, Number):
        return first.value
    if first in FUNCTIONS:
        return FUNCTIONS[first](_atom(side))
    closing = BRACKETS.get(first, "")
    value = _sum(side)
    if side.pop(0) != closing:
        raise ValueError
    if closing in "⌋⌉":
        value = Fraction((math.floor if closing == "⌋" else math.ceil)(value))
    return value


# Formulas


TEX = re.compile(
    r"\\(?:text|mathrm|textrm|operatorname)\s*\{(?P<words>[^{}]*)\}"
    r"|\\(?P<command>[A-Za-z]+|.)|(?P<letters>[A-Za-z]+)|(?P<rest>.)",
    re.DOTALL,
)
COMMANDS = {
    "times": "×", "cdot": "·", "div": "÷", "approx": "≈", "simeq": "≈",
    "%": "%", ",": THIN[0], ";": " ", ":": " ", " ": " ", "!": "", "quad": ";",
    "qquad": ";", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
    "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "lt": "<",
    "gt": ">", "sim": "∼", "propto": "∝", "to": "→", "left": "", "right": "",
    "sqrt": "sqrt", "tanh": "tanh", "exp": "exp", "log": "log", "ln": "log",
    "displaystyle": "", "\\": ";", "|": "|",
}  # fmt: skip


def formula(tex: str) -> str:
    """Write a formula as a line of text, its letters hidden."""
    tex = re.sub(
        r"\\(begin|end)\s*\{[^{}]*\}|\\[bB]igg?[lr]?(?![a-z])", "", tex
    )
    tex = re.sub(r"\\\\\s*&?\s*(?==|\\approx)", " ", tex)
    tex = tex.replace("{,}", ",").replace("&", "")
    tex = re.sub(r"_(\{[^{}]*\}|\\[A-Za-z]+|\w)", "", tex)
    before = ""
    while tex != before:
        before = tex
        tex = re.sub(
            r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"((\1)/(\2))", tex
        )
        tex = re.sub(r"\\sqrt\s*(\{([^{}]*)\}|\d)", _root, tex)
        tex = re.sub(r"\^\s*\{([^{}]*)\}", r"^(\1)", tex)
    return TEX.sub(_piece, tex)


def _root(found: re.Match[str]) -> str:
    """Put brackets round what stands under a root."""
    return f"\\sqrt({found[2] or found[1]})"


def _piece(found: re.Match[str]) -> str:
    """Write one piece of a formula."""
    if (words := found["words"]) is not None:
        return "atanh" if words == "artanh" else words
    if command := found["command"]:
        return COMMANDS.get(command, f" {hide(command)} ")
    if letters := found["letters"]:
        return f" {hide(letters)} "
    return {"-": "−", "{": "", "}": "", "~": " "}.get(found[0], found[0])
