"""Data as they leave a box and lie in a bundle: JSON, and arrays as bytes.

What a box sends is read as if an enemy had written it: sizes are limited,
only numbers, texts, lists, dicts and plain arrays exist, and nothing is
executed.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np

from labgrade.worker import ANSWER_LIMIT, restored, stored

__all__ = [
    "Unreadable",
    "information",
    "parsed",
    "restored",
    "stored",
    "unpacked",
]
DEEPEST = 40


class Unreadable(ValueError):
    """Text that cannot be taken as what it should be; the message says why."""


def parsed(content: bytes, largest: int, deepest: int) -> Any:
    """Return JSON of a size and a depth that do no harm."""
    if len(content) > largest:
        raise Unreadable(f"it has more than {largest:,} bytes")
    bare = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", content, flags=re.DOTALL)
    level = 0
    for sign in re.finditer(rb"[\[\]{}]", bare):
        level += 1 if sign[0] in b"[{" else -1
        if level > deepest:
            raise Unreadable(f"it is nested deeper than {deepest} levels")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable("it is no JSON") from None


def unpacked(content: str) -> dict[str, Any]:
    """Return an answer that left a box."""
    tree = parsed(content.encode(), ANSWER_LIMIT, DEEPEST)
    try:
        found = restored(tree)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
        raise Unreadable("it is not data") from None
    if not isinstance(found, dict) or len(found) != 1:
        raise Unreadable("it is not one answer")
    return found


def information(data: Any) -> float:
    """Return about how many bits a guesser would have to guess."""
    if isinstance(data, dict):
        return sum(map(information, data.values()))
    if isinstance(data, list):
        return sum(map(information, data))
    if isinstance(data, np.ndarray):
        values = np.unique(data)
        varied = min(data.size, 64) * math.log2(max(1, len(values)))
        return varied + sum(map(information, values[:1].tolist()))
    if isinstance(data, bool) or data is None:
        return 1
    if isinstance(data, int):
        return math.log2(abs(data) + 2)
    if isinstance(data, float):
        return 20 if math.isfinite(data) and data % 1 else 4
    return 4.0 * len(data)
