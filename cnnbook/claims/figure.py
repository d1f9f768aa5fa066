"""A figure as its source prints it: 34K, 0.6M, 55×55×96, 7.3 %, ~16M, 96 MB.

The printed digits say how exact a figure is: 15.4 claims one decimal, 138M
the million, 60,000K the thousand.  A value *rounds to* a figure if it lies
within half a step of the last digit.  Sources do not say whether they round a
half up or to even, so a half may go either way: 2.5 rounds to 2 and to 3.
A figure with "~" in front claims as much as one without.  Where zeros at the
end only hold places, a row says what its figure is exact to: 800K to 10K.

K, M and G are thousands, KiB, MiB and GiB powers of 1,024; values behind
bytes are counted in bytes, and a value behind a percentage is a share: 0.073
is 7.3 %.  Thousands are set apart with commas, decimals with a point.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from numbers import Rational
from typing import Literal

Finding = Literal["confirmed", "rounds to", "disagrees"]

SCALES = {
    "": Fraction(1),
    "×": Fraction(1),
    "K": Fraction(10**3),
    "k": Fraction(10**3),
    "thousand": Fraction(10**3),
    "M": Fraction(10**6),
    "million": Fraction(10**6),
    "G": Fraction(10**9),
    "billion": Fraction(10**9),
    "%": Fraction(1, 100),
    "B": Fraction(1),
    "kB": Fraction(10**3),
    "KB": Fraction(10**3),
    "MB": Fraction(10**6),
    "GB": Fraction(10**9),
    "KiB": Fraction(2**10),
    "MiB": Fraction(2**20),
    "GiB": Fraction(2**30),
}
"""What may stand behind the digits, and what one of it is."""

_NUMBER = r"[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_POWER = (
    r"(?:e(?P<e>[-−]?\d+)|"
    r"[×x·]10(?:\^(?P<p>[-−]?\d+)|(?P<s>[⁻⁰¹²³⁴-⁹]+)))"
)
_ONE = re.compile(rf"(?P<number>{_NUMBER}){_POWER}?(?P<unit>[^\W\d]+|[%×])?")
_SHAPE = re.compile(rf"{_NUMBER}(?:×{_NUMBER})+")
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


@dataclass(frozen=True)
class Figure:
    """Its numbers, and for each what one step of its last digit is worth."""

    text: str
    numbers: tuple[Fraction, ...]
    steps: tuple[Fraction, ...]
    unit: str = ""

    @property
    def kind(self) -> str:
        """What it measures: a "number", a "share" or "bytes"."""
        if self.unit == "%":
            return "share"
        return "bytes" if self.unit.endswith("B") else "number"

    @property
    def digits(self) -> int:
        """How many digits it is exact to, the zeros in front not counted."""
        steps = zip(self.numbers, self.steps, strict=True)
        return min(len(str(abs(int(n / step)))) for n, step in steps)

    def exact_to(self, step: str) -> Figure:
        """The same figure with zeros at its end that only hold places."""
        steps = parse(step).numbers
        if len(steps) != len(self.numbers) or any(
            new <= old or number % new
            for new, old, number in zip(
                steps, self.steps, self.numbers, strict=False
            )
        ):
            raise ValueError(
                f"The figure {self.text} cannot be exact to {step} only; "
                "that takes zeros at its end, as in 800K, exact to 10K."
            )
        return replace(self, steps=steps)

    def against(self, value: object) -> Finding:
        """Say how a computed value stands to this figure."""
        given = numbers(value)
        if len(given) != len(self.numbers):
            raise ValueError(
                f"The figure {self.text} has {_some(self.numbers)}, and the "
                f"computed value {show(value)} has {_some(given)}."
            )
        if given == self.numbers:
            return "confirmed"
        near = all(
            abs(one - number) <= step / 2
            for one, number, step in zip(
                given, self.numbers, self.steps, strict=True
            )
        )
        return "rounds to" if near else "disagrees"

    def difference(self, value: object) -> str:
        """Write by how much a computed value is more: "+848 (+2.5 %)"."""
        given = numbers(value)
        more = [a - b for a, b in zip(given, self.numbers, strict=True)]
        if not any(more):
            return "none"
        if len(more) > 1:
            return ", ".join(_signed(show(n)) for n in more)
        words = _signed(self.show(more[0]))
        if self.kind == "share" or not self.numbers[0]:
            return words
        percent = f"{float(100 * more[0] / abs(self.numbers[0])):+.2g}"
        return f"{words} ({_signed(f'{float(percent):g}')} %)"

    def show(self, value: object) -> str:
        """Write a value as one compares it with this figure."""
        if self.kind == "number":
            return show(value)
        scale = SCALES[self.unit]
        decimals = max(0, round(math.log10(scale / self.steps[0]))) + 2
        scaled = float(numbers(value)[0] / scale)
        return f"{scaled:,.{decimals}f} {self.unit}"


@cache
def parse(text: str) -> Figure:
    """Read a figure; a text that is none gets a sentence."""
    bare = re.sub(r"^(~|≈|about\b)|[\s\[\]()]", "", text.strip())
    bare = re.sub(r"(?<=\d)[x×](?=\d|$)", "×", bare)
    one = _ONE.fullmatch(bare)
    if one and (one["unit"] or "") in SCALES:
        unit = one["unit"] or ""
        power = one["e"] or one["p"] or one["s"] or "0"
        scale = Fraction(10) ** int(power.translate(_SUPERSCRIPTS))
        number, step = _read(one["number"])
        scale *= SCALES[unit]
        return Figure(text, (number * scale,), (step * scale,), unit)
    if _SHAPE.fullmatch(bare):
        sides = [_read(side) for side in bare.split("×")]
        values, steps = zip(*sides, strict=True)
        return Figure(text, values, steps)
    raise ValueError(
        f"The figure {text!r} is none that can be read; write it like 34K, "
        "1,728, 55×55×96, 7.3 %, ~16M, 96 MB or 3.6×10^9."
    )


def numbers(value: object) -> tuple[Fraction, ...]:
    """Return a computed value exactly; a float counts to twelve digits."""
    if isinstance(value, tuple | list):
        return tuple(n for one in value for n in numbers(one))
    if isinstance(value, Rational) and not isinstance(value, bool):
        return (Fraction(int(value.numerator), int(value.denominator)),)
    if isinstance(value, float) and math.isfinite(value):
        return (Fraction(f"{value:.12g}"),)
    raise TypeError(
        f"A claim is checked against a number or a shape, not {value!r}."
    )


def show(value: object) -> str:
    """Write a computed value: 34,848, or 55×55×96, or 8.711."""
    if isinstance(value, tuple | list):
        return "×".join(map(show, value))
    (number,) = numbers(value)
    if number.denominator == 1:
        return f"{number.numerator:,}"
    large = abs(number) >= 1000
    return f"{float(number):,.1f}" if large else f"{float(number):.4g}"


def _read(printed: str) -> tuple[Fraction, Fraction]:
    """A number as printed, and what one step of its last digit is."""
    plain = printed.replace(",", "").replace("−", "-")
    decimals = len(plain.partition(".")[2])
    return Fraction(plain), Fraction(1, 10**decimals)


def _signed(text: str) -> str:
    return text.replace("-", "−") if text.startswith("-") else f"+{text}"


def _some(parts: tuple[Fraction, ...]) -> str:
    return f"{len(parts)} number{'s' * (len(parts) != 1)}"
