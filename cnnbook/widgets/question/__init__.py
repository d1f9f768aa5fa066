"""A question before a result: the reader commits to an answer, then learns.

The questions are those of `cnnbook.quiz`. What is right, and what is behind a
wrong answer, lies in the page turned by 47 signs (rot47), so that nobody reads
it by accident; it is no secret.
"""

from __future__ import annotations

import html
import json
from typing import Any

import traitlets

from cnnbook import quiz
from cnnbook.widgets.base import BookWidget

SHOWN = 3
"""How many wrong answers are explained where no script runs."""

OPEN = ("id", "chapter", "text", "form", "unit", "digits", "options")
"""What of a question the page shows before it is answered."""


def covered(data: Any) -> str:
    """Data as JSON that is not read by accident."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return "".join(
        chr((ord(sign) - 33 + 47) % 94 + 33) if "!" <= sign <= "~" else sign
        for sign in text
    )


def plain(number: float) -> float:
    """A whole number without its point."""
    return int(number) if number == int(number) else number


def packed(question: quiz.Question) -> dict[str, Any]:
    """A question as the page's script reads it."""
    data: dict[str, Any] = {name: getattr(question, name) for name in OPEN}
    data["options"] = list(question.options)
    data["hidden"] = covered(
        {
            "right": [plain(n) for n in question.right],
            "answer": question.answer,
            "plain": question.plain,
            "line": question.line,
            "slips": [
                [[plain(n) for n in wrong], *said]
                for wrong, *said in question.slips
            ],
            "section": question.section,
            "href": question.href,
        }
    )
    return data


def picture(question: quiz.Question) -> str:
    """A question with its answer folded, for pages without a script."""
    options = "".join(f"<li>{_text(one)}</li>" for one in question.options)
    return (
        f'<p class="qz-text">{_text(question.text)}</p>'
        f"{f'<ol>{options}</ol>' * bool(options)}"
        f"<details><summary>Reveal</summary>{revealed(question)}</details>"
    )


def revealed(question: quiz.Question) -> str:
    """The answer, the computation, and the usual wrong answers."""
    said = []
    for wrong, _, words in question.slips[:SHOWN]:
        value = quiz.shown(wrong)
        if question.options:
            value = question.options[int(wrong[0]) - 1]
        said.append(
            f"<p>If you said <i>{_text(value)}</i>: {_text(words)}</p>"
        )
    return (
        f"<p><b>{_text(question.answer)}</b>. {_text(question.line)}</p>"
        f"{''.join(said)}"
    )


def _text(text: str) -> str:
    return html.escape(text, quote=False)


class Question(BookWidget):
    """Ask one question of the book, by its id.

    The reader types a number, as people write it, or chooses; what was
    answered is kept in the browser's own review deck.
    """

    _name = "question"

    question = traitlets.Dict(read_only=True).tag(sync=True)
    chapter = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, id: str) -> None:
        self._asked = quiz.ask(id)
        super().__init__()
        chapter = self._asked.chapter
        self.set_trait("question", packed(self._asked))
        self.set_trait(
            "chapter",
            {"title": quiz.CHAPTERS[chapter], "ids": quiz.ids(chapter)},
        )

    def __repr__(self) -> str:
        return f"Question({self._asked.id!r})"

    def _static(self) -> str:
        return (
            '<div class="qz"><p class="qz-head"><span class="qz-tag">Predict'
            f"</span></p>{picture(self._asked)}</div>"
        )
