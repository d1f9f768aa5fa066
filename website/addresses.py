"""Where a notebook of the book opens: in Colab, and on the book's own site.

All follow from the repository's address, which `_config.yml` alone knows.
`make colab` writes what the branch for Colab holds.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

COLAB = "https://colab.research.google.com/github"
BRANCH = "colab"
"""The branch with the Colab edition; the library comes from the main one."""


def owner_and_name(repository: str) -> tuple[str, str] | None:
    """Return whose repository this is, and its name; nothing elsewhere."""
    _, _, slug = repository.rstrip("/").partition("github.com/")
    owner, slash, name = slug.partition("/")
    return (owner, name) if slash else None


def in_edition(source: str) -> str:
    """Return where the edition keeps a notebook of the book.

    A lab is named after itself, as whoever saves it will want to see.
    """
    path = Path(source)
    if path.name == "lab.ipynb":
        return f"{path.parent.parent}/lab-{path.parent.name}.ipynb"
    return path.as_posix()


def colab(repository: str, source: str) -> str | None:
    """Return where a notebook opens in Colab, if it does."""
    slug = owner_and_name(repository)
    if not slug or not source.endswith(".ipynb"):
        return None
    path = quote(in_edition(source))
    return f"{COLAB}/{slug[0]}/{slug[1]}/blob/{BRANCH}/{path}"


def site(repository: str, page: str = "") -> str:
    """Return where a page of the published site stands."""
    owner, name = owner_and_name(repository) or ("", "")
    return f"https://{owner}.github.io/{name}/{page}"
