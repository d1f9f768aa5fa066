"""What the pages read beside code: recorded results, the registry of claims.

Both have their places at the top of the book, `results/` and `chapters/`.
An installed library carries them inside itself, so that a notebook that
stands alone, as in Colab, reads the same.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any

__all__ = ["names", "place", "read"]

LIBRARY = Path(__file__).parent


def place(name: str) -> Path:
    """Return where a file of the book lies: "chapters/claims.yml"."""
    for folder in (LIBRARY, LIBRARY.parent):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"There is no {name}, neither in the library at {LIBRARY} nor beside "
        "it; install the library again."
    )


def names() -> list[str]:
    """Return the names of the recorded results."""
    return sorted(
        path.stem
        for folder in (LIBRARY, LIBRARY.parent)
        for path in (folder / "results").glob("*.json")
        if not path.stem.endswith(".schema")
    )


def read(name: str) -> Any:
    """Return a recorded result: "degradation", "lenet-digits"."""
    if name not in (known := names()):
        near = get_close_matches(name, known, 1) or [", ".join(known)]
        raise ValueError(
            f"There is no recorded result {name!r}; try {near[0]}."
        )
    return json.loads(place(f"results/{name}.json").read_text("utf-8"))
