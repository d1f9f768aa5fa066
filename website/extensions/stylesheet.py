"""One small style sheet out of the large ones.

The theme brings some 400 kB of rules for things that this book never shows.
Here the sheets are parsed, the rules that can match nothing on any page are
dropped, and so are variables and animations that nothing refers to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_STRING = r'"(?:[^"\\]|\\.)*"|' + r"'(?:[^'\\]|\\.)*'"
_PIECE = re.compile(
    rf"{_STRING}|url\(\s*(?:{_STRING}|[^)\"']*)\s*\)|[{{}};]", re.DOTALL
)
_NAME = re.compile(r"([.#]?)((?:[\w-]|\\.)+)")
_ATTRIBUTE = re.compile(r"\[[^\]]*\]")
_FILE = re.compile(r"url\(\s*[\"']?(?!data:|#)")
_NESTED = ("@media", "@supports", "@layer", "@container")
_FUNCTION = re.compile(r"::?[\w-]+\([^()]*\)")


@dataclass
class Rule:
    """A selector or at-rule, with declarations or with rules inside."""

    head: str
    body: str = ""
    rules: list[Rule] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.body and not self.rules:
            return self.head
        inside = self.body or "".join(map(str, self.rules))
        return f"{self.head}{{{inside}}}"


@dataclass(frozen=True)
class Used:
    """The names of tags, classes and ids that occur in the pages."""

    tags: frozenset[str]
    classes: frozenset[str]
    ids: frozenset[str]


def used_in(pages: list[str], scripts: list[str]) -> Used:
    """Collect the names in pages, and every word that scripts quote."""
    tags: set[str] = set()
    classes: set[str] = set()
    ids: set[str] = set()
    for page in pages:
        tags.update(re.findall(r"<([a-zA-Z][\w-]*)", page))
        for names in re.findall(r"\sclass=[\"']([^\"']*)[\"']", page):
            classes.update(names.split())
        ids.update(re.findall(r"\sid=[\"']([^\"']*)[\"']", page))
    for script in scripts:
        for quoted in re.findall(r"[\"'`]([^\"'`\n]*)[\"'`]", script):
            words = re.findall(r"[\w-]+", quoted)
            classes.update(words)
            tags.update(words)
            ids.update(words)
    return Used(
        frozenset(tag.lower() for tag in tags),
        frozenset(classes),
        frozenset(ids),
    )


def parse(css: str) -> list[Rule]:
    """Read a style sheet into rules; comments go, order stays."""
    return list(_rules(_COMMENT.sub("", css)))


def _rules(css: str) -> Iterator[Rule]:
    start, depth, opened, head = 0, 0, 0, ""
    for match in _PIECE.finditer(css):
        piece = match[0]
        if piece == "{":
            if depth == 0:
                head = _squeeze(css[start : match.start()])
                opened = match.end()
            depth += 1
        elif piece == "}":
            depth -= 1
            if depth == 0:
                body = css[opened : match.start()]
                if head.startswith(_NESTED):
                    yield Rule(head, rules=list(_rules(body)))
                elif head.startswith("@keyframes"):
                    yield Rule(head, body=_squeeze(body))
                else:
                    yield Rule(head, body=_declarations(body))
                start = match.end()
        elif piece == ";" and depth == 0:
            head = _squeeze(css[start : match.start()])
            if head and not head.startswith("@charset"):
                yield Rule(head + ";")
            start = match.end()


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _declarations(body: str) -> str:
    body = _squeeze(body)
    return re.sub(r"\s*;\s*", ";", body).strip("; ")


def matches(selector: str, used: Used) -> bool:
    """Say whether a selector can match in the pages.

    What stands inside ``:not(...)`` and its kin is not looked at, so that
    the answer errs towards keeping a rule.
    """
    selector = _ATTRIBUTE.sub("", selector)
    while (shorter := _FUNCTION.sub("", selector)) != selector:
        selector = shorter
    selector = re.sub(r"::?[\w-]+", "", selector)
    for mark, name in _NAME.findall(selector):
        name = name.replace("\\", "")
        if mark == ".":
            found = name in used.classes
        elif mark == "#":
            found = name in used.ids
        else:
            found = name.lower() in used.tags or not name[0].isalpha()
        if not found:
            return False
    return True


def split_selectors(head: str) -> list[str]:
    """Split a selector list at the commas outside brackets."""
    parts, depth, start = [], 0, 0
    for index, char in enumerate(head):
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(head[start:index].strip())
            start = index + 1
    return [*parts, head[start:].strip()]


def prune(
    rules: list[Rule], used: Used, also_read: Sequence[str] = ()
) -> list[Rule]:
    """Return the rules that can match, less unused variables.

    Variables that the texts in ``also_read`` refer to are kept.
    """
    kept = _matching(rules, used)
    names = set(re.findall(r"animation[\w-]*:([^;}]*)", text(kept)))
    words = {word for value in names for word in value.split()}
    kept = [
        rule
        for rule in kept
        if not rule.head.startswith("@keyframes")
        or rule.head.split()[1] in words
    ]
    return _without_unused_variables(kept, _variables(also_read))


def text(rules: list[Rule]) -> str:
    """Write rules as a style sheet."""
    return "".join(map(str, rules))


def _matching(rules: list[Rule], used: Used) -> list[Rule]:
    kept = []
    for rule in rules:
        if rule.rules:
            inside = _matching(rule.rules, used)
            if inside:
                kept.append(Rule(rule.head, rules=inside))
        elif rule.head.startswith("@"):
            kept.append(rule)
        elif rule.body:
            selectors = [
                part
                for part in split_selectors(rule.head)
                if matches(part, used)
            ]
            if selectors:
                kept.append(Rule(",".join(selectors), body=rule.body))
    return kept


def _variables(texts: Sequence[str]) -> set[str]:
    return {
        name
        for part in texts
        for name in re.findall(r"var\(\s*(--[\w-]+)", part)
    }


def _without_unused_variables(rules: list[Rule], also: set[str]) -> list[Rule]:
    while True:
        read = also | _variables([text(rules)])
        shorter = _drop_variables(rules, read)
        if text(shorter) == text(rules):
            return shorter
        rules = shorter


def _drop_variables(rules: list[Rule], read: set[str]) -> list[Rule]:
    kept = []
    for rule in rules:
        if rule.rules:
            kept.append(
                Rule(rule.head, rules=_drop_variables(rule.rules, read))
            )
        elif "--" not in rule.body or rule.head.startswith("@"):
            kept.append(rule)
        else:
            body = ";".join(
                declaration
                for declaration in split_declarations(rule.body)
                if not declaration.startswith("--")
                or declaration.split(":")[0].strip() in read
            )
            if body:
                kept.append(Rule(rule.head, body=body))
    return kept


def without_files(rules: list[Rule]) -> list[Rule]:
    """Drop the declarations that load a file."""
    kept = []
    for rule in rules:
        if rule.rules:
            kept.append(Rule(rule.head, rules=without_files(rule.rules)))
        elif not _FILE.search(rule.body):
            kept.append(rule)
        else:
            body = ";".join(
                declaration
                for declaration in split_declarations(rule.body)
                if not _FILE.search(declaration)
            )
            kept.append(Rule(rule.head, body=body))
    return kept


def split_declarations(body: str) -> list[str]:
    """Split declarations at the semicolons outside strings and urls."""
    parts, start = [], 0
    for match in _PIECE.finditer(body):
        if match[0] == ";":
            parts.append(body[start : match.start()])
            start = match.end()
    return [*parts, body[start:]]
