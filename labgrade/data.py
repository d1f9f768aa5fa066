"""Data as they leave a box and lie in a bundle: JSON, and arrays as bytes.

What a box sends is read as if an enemy had written it: sizes are limited,
only numbers, texts, lists, dicts and plain arrays exist, and nothing is
executed.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from labgrade.worker import ANSWER_LIMIT, MIB, restored, stored

__all__ = ["Forged", "information", "restored", "stored", "unpacked"]
DEEPEST = 40


class Forged(ValueError):
    """Bytes that no honest worker sends."""


def unpacked(content: str) -> dict[str, Any]:
    """Return an answer that left a box; anything else is `Forged`."""
    if len(content) > ANSWER_LIMIT:
        raise Forged(f"it is larger than {ANSWER_LIMIT // MIB} MiB")
    try:
        tree = json.loads(content)
        if depth(tree) > DEEPEST:
            raise Forged("it is nested too deeply")
        found = restored(tree)
    except Forged:
        raise
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise Forged("it cannot be read") from None
    if not isinstance(found, dict) or len(found) != 1:
        raise Forged("it is not one answer")
    return found


def depth(tree: Any) -> int:
    """Return how deep lists and dicts are nested."""
    parts = tree.values() if isinstance(tree, dict) else tree
    if not isinstance(tree, dict | list):
        return 0
    return 1 + max(map(depth, parts), default=0)


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
