"""The review deck: every question of the book, when it is due, fresh numbers.

What a reader answered lies in the browser alone. Without a script the page
shows all questions, each with its answer folded.
"""

from __future__ import annotations

import html
from typing import Any

import traitlets

from cnnbook import quiz
from cnnbook.widgets.base import BookWidget
from cnnbook.widgets.question import packed, picture

TEMPLATE = (
    *("title", "chapter", "section", "text", "unit", "digits"),
    *("draw", "fair", "answer", "line"),
)
"""What of a kind of question the page needs to draw numbers."""


def practice() -> list[dict[str, Any]]:
    """The kinds of questions that are asked with fresh numbers."""
    found = []
    for kind in quiz.templates().values():
        data = {key: kind[key] for key in TEMPLATE if key in kind}
        data["let"] = [*kind.get("let", {}).items()]
        data["slips"] = [[str(one[0]), *one[1:]] for one in kind["slips"]]
        place = quiz.address(kind["chapter"], kind["section"])
        found.append({**data, "href": place})
    return found


class Review(BookWidget):
    """Review what was asked; practise; see what is known."""

    _name = "review"

    questions = traitlets.List(read_only=True).tag(sync=True)
    chapters = traitlets.List(
        [list(pair) for pair in quiz.CHAPTERS.items()], read_only=True
    ).tag(sync=True)
    kinds = traitlets.Dict(read_only=True).tag(sync=True)
    templates = traitlets.List(read_only=True).tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._asked = quiz.questions()
        self.set_trait("questions", [packed(one) for one in self._asked])
        self.set_trait("kinds", dict(quiz.bank()["kinds"]))
        self.set_trait("templates", practice())

    def __repr__(self) -> str:
        return (
            f"Review({len(self._asked)} questions, {len(self.templates)} "
            "kinds with fresh numbers)"
        )

    def _static(self) -> str:
        parts = []
        for chapter, title in quiz.CHAPTERS.items():
            own = [one for one in self._asked if one.chapter == chapter]
            asked = "".join(f"<li>{picture(one)}</li>" for one in own)
            head = f"<h2>{html.escape(title)}</h2>"
            parts.append(f"{head}<ol>{asked}</ol>" if own else "")
        return f'<div class="qz">{"".join(parts)}</div>'
