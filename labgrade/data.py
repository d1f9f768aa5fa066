"""Data as they leave a box and lie in a bundle: JSON, and arrays as bytes.

What a box sends is read as if an enemy had written it: sizes are limited,
only numbers, texts, lists, dicts and plain arrays exist, and nothing is
executed.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np

DEEPEST = 20
LARGEST = 16 * 2**20
KINDS = {"f8": "<f8", "i8": "<i8"}


class Forged(ValueError):
    """Bytes that no honest worker sends."""


def unpacked(content: bytes) -> dict[str, Any]:
    """Return what a worker packed; anything else is `Forged`."""
    if len(content) > LARGEST:
        raise Forged(f"it is larger than {LARGEST // 2**20} MiB")
    head, _, rest = content.partition(b"\n")
    try:
        tree = json.loads(head)
        found, left = _read(tree, memoryview(rest), 0)
    except (ValueError, RecursionError, TypeError, KeyError):
        raise Forged("it cannot be read") from None
    if len(left) or not isinstance(found, dict) or len(found) != 1:
        raise Forged("it is not one answer")
    return found


def _read(item: Any, rest: memoryview, depth: int) -> tuple[Any, memoryview]:
    if depth > DEEPEST:
        raise Forged("it is nested too deeply")
    if isinstance(item, list):
        parts = []
        for part in item:
            read, rest = _read(part, rest, depth + 1)
            parts.append(read)
        return parts, rest
    if not isinstance(item, dict):
        return item, rest
    if "dict" in item:
        found = {}
        for key, part in item["dict"].items():
            found[key], rest = _read(part, rest, depth + 1)
        return found, rest
    shape, kind = item["array"], KINDS[item["kind"]]
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise Forged("its shape is none")
    size = 8 * math.prod(shape)
    if size > len(rest):
        raise Forged("an array is shorter than it says")
    array = np.frombuffer(rest[:size], kind).reshape(shape)
    return array, rest[size:]


def stored(data: Any) -> Any:
    """Return data as JSON can hold them, arrays in base64."""
    if isinstance(data, dict):
        return {"dict": {key: stored(part) for key, part in data.items()}}
    if isinstance(data, list):
        return [stored(part) for part in data]
    if isinstance(data, np.ndarray):
        kind = "f8" if data.dtype.kind == "f" else "i8"
        text = base64.b64encode(data.astype(KINDS[kind]).tobytes()).decode()
        return {"array": list(data.shape), "kind": kind, "base64": text}
    return data


def restored(item: Any) -> Any:
    """Return what `stored` was given."""
    if isinstance(item, list):
        return [restored(part) for part in item]
    if not isinstance(item, dict):
        return item
    if "dict" in item:
        return {key: restored(part) for key, part in item["dict"].items()}
    content = base64.b64decode(item["base64"])
    array = np.frombuffer(content, KINDS[item["kind"]])
    return array.reshape(item["array"])


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
