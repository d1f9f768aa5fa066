"""A small arithmetic: what a question computes, and what a reader may type.

`parse` reads + − × / ^, brackets, names and floor, ceil, max, min; `value`
computes, `show` writes the computation with its numbers. Nothing else can be
said in it. Everything is a float, as in the twin, widgets/question/core.mjs:
whole numbers are exact far beyond any count of this book.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

Tree = tuple[Any, ...]
"""("#", number), ("n", name), ("f", name, parts), or (sign, tree, tree)."""

TOKEN = re.compile(r"\d+(?:\.\d+)?|\w+|[-+*/^(),]|\S", re.ASCII)
FUNCTIONS = ("floor", "ceil", "max", "min")
BRACKETS = {"floor": "⌊⌋", "ceil": "⌈⌉"}
SIGNS = {"+": " + ", "-": " − ", "*": " × ", "/": " / "}
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
DEEPEST = 40
"""How many brackets, signs and powers may stand inside each other."""

LARGEST = 1e18


class Unreadable(ValueError):
    """What was written is no arithmetic; the message is a sentence."""


def parse(text: str) -> list[Tree]:
    """Read an expression, or several with commas between them."""
    tokens: list[Any] = []
    for token in TOKEN.findall(text):
        tokens.append(float(token) if token[0].isdigit() else token)
    return Parser(tokens).all()


class Parser:
    """Reads tokens: numbers as floats, names and signs as texts."""

    def __init__(self, tokens: Sequence[Any]) -> None:
        self.tokens = [*tokens, None]
        self.at = self.depth = 0

    def all(self) -> list[Tree]:
        """Everything: one tree, or several with commas between them."""
        found = self._several()
        if self.tokens[self.at] is not None:
            raise Unreadable("There is something behind the number.")
        return found

    def _several(self) -> list[Tree]:
        found = [self._sum()]
        while self._taken(","):
            found.append(self._sum())
        return found

    def _sum(self) -> Tree:
        left = self._product()
        while sign := self._taken("+", "-"):
            left = (sign, left, self._product())
        return left

    def _product(self) -> Tree:
        left = self._factor()
        while sign := self._taken("*", "/"):
            left = (sign, left, self._factor())
        return left

    def _factor(self) -> Tree:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable("That is nested too deeply.")
        if self._taken("-"):
            found: Tree = ("-", ("#", 0.0), self._factor())
        else:
            found = self._atom()
            if self._taken("^"):
                found = ("^", found, self._factor())
        self.depth -= 1
        return found

    def _atom(self) -> Tree:
        token = self.tokens[self.at]
        self.at += token is not None
        if isinstance(token, float):
            return ("#", token)
        if token == "(":
            return ("(", self._closed(self._sum()))
        if token in FUNCTIONS and self._taken("("):
            return ("f", token, self._closed(self._several()))
        if token is not None and re.fullmatch(r"[A-Za-z_]\w*", token):
            return ("n", token)
        raise Unreadable("A number is missing there.")

    def _closed(self, inside: Any) -> Any:
        if not self._taken(")"):
            raise Unreadable("A bracket is not closed.")
        return inside

    def _taken(self, *signs: str) -> str:
        token = self.tokens[self.at]
        if token not in signs:
            return ""
        self.at += 1
        return token


def value(tree: Tree, names: Mapping[str, float]) -> float:
    """Compute a tree; the names stand for numbers."""
    kind, *parts = tree
    if kind == "#":
        return parts[0]
    if kind == "n":
        if parts[0] not in names:
            raise Unreadable(f"The word “{parts[0]}” is not known here.")
        return float(names[parts[0]])
    if kind == "f":
        given = [value(part, names) for part in parts[1]]
        if parts[0] in ("max", "min"):
            return max(given) if parts[0] == "max" else min(given)
        whole = math.floor if parts[0] == "floor" else math.ceil
        return float(whole(given[0]))
    found = _joined(kind, [value(part, names) for part in parts])
    if not abs(found) <= LARGEST:
        raise Unreadable("That is a larger number than any in this book.")
    return found


def _joined(sign: str, numbers: Sequence[float]) -> float:
    a, b = numbers[0], numbers[-1]
    if sign == "+":
        return a + b
    if sign == "-":
        return a - b
    if sign == "*":
        return a * b
    if sign == "/":
        if b == 0:
            raise Unreadable("Nothing can be divided by zero.")
        return a / b
    return power(a, b) if sign == "^" else a


def power(base: float, exponent: float) -> float:
    """Multiply so many times, for whole exponents up to 64."""
    if exponent != math.floor(exponent) or abs(exponent) > 64:
        raise Unreadable("An exponent is a whole number up to 64.")
    found = 1.0
    for _ in range(int(abs(exponent))):
        found *= base
    if exponent >= 0:
        return found
    if found == 0:
        raise Unreadable("Nothing can be divided by zero.")
    return 1 / found


def values(trees: Sequence[Tree], names: Mapping[str, float]) -> list[float]:
    """Compute several trees."""
    return [value(tree, names) for tree in trees]


def show(tree: Tree, names: Mapping[str, float]) -> str:
    """Write a tree with numbers for its names: 11² × 3 × 96 + 96."""
    kind, *parts = tree
    if kind == "#":
        return number(parts[0])
    if kind == "n":
        return number(names[parts[0]])
    if kind == "f":
        inside = ", ".join(show(part, names) for part in parts[1])
        left, right = BRACKETS.get(parts[0], (f"{parts[0]}(", ")"))
        return f"{left}{inside}{right}"
    if kind == "(":
        return f"({show(parts[0], names)})"
    if kind == "-" and parts[0] == ("#", 0.0):
        return f"−{show(parts[1], names)}"
    left, right = (show(part, names) for part in parts)
    if kind != "^":
        return left + SIGNS[kind] + right
    plain = right.isascii() and right.isdigit()
    return left + (right.translate(RAISED) if plain else f"^{right}")


def number(given: float) -> str:
    """Write a number: 34,944, or 60.95, with four digits or more."""
    size = abs(given)
    decimals = 0
    if size != math.floor(size):
        decimals = 1 if size >= 100 else 2 if size >= 10 else 3
        decimals = decimals if size >= 0.1 else 6
    parts = math.floor(size * 10.0**decimals + 0.5)
    whole, rest = divmod(parts, 10**decimals)
    digits = f"{rest:0{decimals}}".rstrip("0") if decimals else ""
    sign = "−" if given < 0 and parts else ""
    return f"{sign}{whole:,}" + (f".{digits}" if digits else "")
