"""The rules of the registry: what a row must say, before anything is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

import yaml

from cnnbook.claims import figure

NETWORKS = (
    "convolution",
    "lenet",
    "alexnet",
    "zfnet",
    "vgg",
    "nin",
    "googlenet",
    "resnet",
)
VERDICTS = ("disagrees", "rounds to", "confirmed", "reported")
SIGNS = dict(zip(VERDICTS, "≠≈=“", strict=True))
"""A verdict in one sign, where there is no room for words."""
KINDS = ("notes", "paper", "code")
NEEDED = (
    "id",
    "network",
    "source",
    "place",
    "claim",
    "figure",
    "unit",
    "verdict",
)
CELL = ("table", "row", "column")
MORE = ("expression", "reason", "explained_by", "same_as", "exact_to")
TEXTS = (*NEEDED, *MORE, *CELL)


class _Loader(yaml.SafeLoader):
    """YAML that refuses to say a thing twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(
                    f"The registry says {key!r} twice, the second time "
                    f"within the block at line {node.start_mark.line + 1}."
                )
        return super().construct_mapping(node, deep)


def parse(text: str) -> Any:
    """The registry's text as plain data."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or "it cannot be parsed"
        raise ValueError(f"The registry is no YAML{line}: {why}.") from None


def faults(data: Any) -> list[str]:
    """Every rule that is broken, a sentence each."""
    if not isinstance(data, dict) or set(data) != {"sources", "claims"}:
        return ["The registry has two parts, sources and claims."]
    sources, rows = data["sources"], data["claims"]
    if not isinstance(sources, dict) or not isinstance(rows, list):
        return [
            "The sources are entries such as 'notes-1: {kind: notes}', and "
            "the claims a list of rows."
        ]
    found = [f for name, s in sources.items() for f in _source(name, s)]
    ids: set[str] = set()
    cells: set[tuple] = set()
    for place, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not isinstance(row.get("id"), str):
            found.append(f"The claim in place {place} has no id that is text.")
            continue
        name = row["id"]
        cell = tuple(row.get(key) for key in CELL)
        if name in ids:
            found.append(f"The id {name} is given to two claims.")
        if row.get("table") and cell in cells:
            found.append(f"The claim {name} repeats a cell of its table.")
        ids.add(name)
        cells.add(cell)
        wrong = list(_texts(name, row))
        found += wrong or [*_words(name, row, sources), *_rules(name, row)]
    found += [
        f"The claim {row['id']} is the same as {near(row['same_as'], ids)}"
        for row in rows
        if isinstance(row, dict)
        and row.get("same_as", row.get("id")) not in ids - {row.get("id")}
        and "same_as" in row
    ]
    return found


def near(word: object, known: Iterable[object]) -> str:
    """Quote a word that is not known, with the nearest that is."""
    names = sorted(str(name) for name in known if name)
    close = get_close_matches(str(word), names, 1, 0) or ["none yet"]
    return f"{word!r}; try {close[0]!r}."


def _source(name: object, entry: object) -> Iterator[str]:
    if not isinstance(entry, dict) or entry.get("kind") not in KINDS:
        yield f"The source {name} has no kind out of {', '.join(KINDS)}."
    elif set(entry) - {"kind", "title"}:
        yield f"The source {name} says more than its kind and its title."
    elif not isinstance(entry.get("title", ""), str):
        yield f"The title of the source {name} is not text."
    elif entry["kind"] != "paper" and not entry.get("title"):
        yield f"The source {name} has no title."


def _texts(name: str, row: dict) -> Iterator[str]:
    """Only known fields, all that are needed, and each of them text."""
    for key in row:
        if key not in (*TEXTS, "qualifiers"):
            yield f"The claim {name} has no field {near(key, TEXTS)}"
    for key in NEEDED:
        if key not in row:
            yield f"The claim {name} lacks the field {key!r}."
    for key in TEXTS:
        value = row.get(key, "text")
        if not isinstance(value, str):
            yield (
                f"The {key} of {name} reads as {value!r}, which is no text; "
                "put it into quotes."
            )
        elif not value.strip() or value != " ".join(value.split()):
            yield f"The {key} of {name} is empty or has spaces to spare."
    words = row.get("qualifiers", [])
    if not isinstance(words, list) or any(type(w) is not str for w in words):
        yield f"The qualifiers of {name} are not a list of texts."


def _words(name: str, row: dict, sources: Iterable[str]) -> Iterator[str]:
    """What must be one of a few words, or written in one way."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        yield f"The id {name!r} is not lower case with hyphens."
    for key, known in (
        ("network", NETWORKS),
        ("verdict", VERDICTS),
        ("source", sources),
    ):
        if row[key] not in known:
            yield f"The claim {name} has the {key} {near(row[key], known)}"
    try:
        read = figure.parse(row["figure"])
        if "exact_to" in row:
            read.exact_to(row["exact_to"])
    except ValueError as error:
        yield f"In the claim {name}: {error}"
    for key in ("expression", "explained_by"):
        if key in row:
            yield from _expression(name, key, row[key])


def _expression(name: str, key: str, text: str) -> Iterator[str]:
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        yield f"The {key} of {name} is no Python expression: {error.msg}."
        return
    if not isinstance(tree, ast.Call | ast.BinOp | ast.Subscript | ast.Tuple):
        yield (
            f"The {key} of {name} is {text}, which computes nothing; say "
            "how it comes about, such as output_size(227, 11, 4)."
        )


def _rules(name: str, row: dict) -> Iterator[str]:
    """What fields ask of each other."""
    verdict, reason = row["verdict"], row.get("reason", "")
    if verdict in ("disagrees", "reported") and not reason:
        yield f"The claim {name} {verdict} without a reason."
    if reason and not reason.endswith("."):
        yield f"The reason of {name} is not a sentence with a full stop."
    if verdict == "reported" and "expression" in row:
        yield f"The claim {name} is only reported and has an expression."
    if verdict != "reported" and "expression" not in row:
        yield f"The claim {name} {verdict} without an expression."
    if verdict != "disagrees" and "explained_by" in row:
        yield f"The claim {name} does not disagree and is explained_by."
    if verdict != "reported" and "same_as" in row:
        yield f"The claim {name} is not only reported and has same_as."
    if 0 < sum(key in row for key in CELL) < len(CELL):
        yield f"The claim {name} names a part of table, row and column only."
