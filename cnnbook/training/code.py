"""What a training computes, as a fingerprint of its code.

Two nets may have the same weights and do different things with them, after a
mistake was mended for instance.  A checkpoint remembers the fingerprint, so
that what was trained with the mistake is not taken for what is trained now.
"""

import functools
import hashlib
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

from torch import nn

PLAIN = (int, float, str, bool, type(None), bytes)


def fingerprint(*parts: Any) -> list[str]:
    """Return this Python's version, and a digest of what the parts do.

    Another Python writes other bytecode, so only fingerprints of the same
    version can be compared.
    """
    text = "\n".join(line for part in parts for line in _lines(part, set()))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return [version, hashlib.sha256(text.encode()).hexdigest()[:16]]


def same_code(first: list[str] | None, other: list[str] | None) -> bool:
    """Whether two fingerprints are of the same code, as far as one can say."""
    if not first or not other or first[0] != other[0]:
        return True
    return first == other


def _lines(part: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(part, PLAIN):
        yield repr(part)
    elif id(part) in seen:
        return
    elif isinstance(part, nn.Module):
        yield repr(part)
        for name, value in sorted(vars(part).items()):
            if isinstance(value, PLAIN) and name != "training":
                yield f"{name}={value!r}"
        for kind in sorted({type(m) for m in part.modules()}, key=repr):
            if not kind.__module__.startswith("torch."):
                seen.add(id(part))
                for item in vars(kind).values():
                    yield from _lines(item, seen)
    elif isinstance(part, FunctionType):
        seen.add(id(part))
        yield from _code(part.__code__)
        for cell in part.__closure__ or ():
            yield from _lines(cell.cell_contents, seen)
        for given in part.__defaults__ or ():
            yield from _lines(given, seen)
    elif isinstance(part, MethodType | staticmethod | classmethod):
        yield from _lines(part.__func__, seen)
    elif isinstance(part, functools.partial):
        yield from _lines(part.func, seen)
        for given in (*part.args, *part.keywords.values()):
            yield from _lines(given, seen)
    elif isinstance(part, tuple):
        for item in part:
            yield from _lines(item, seen)


def _code(code: CodeType) -> Iterator[str]:
    """Yield what a function does; where it stands in a file is left out."""
    yield code.co_code.hex()
    yield " ".join(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        elif isinstance(constant, (*PLAIN, tuple)):
            yield repr(constant)
