"""Question sets for a class: a sheet for each student, keys, a Moodle bank.

All numbers are drawn from a secret and the student's name, as the grader's
are, so the same secret and roster make the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import html
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from xml.etree import ElementTree

from cnnbook import quiz
from cnnbook.quiz.reading import window

FORMULA = tuple("=+-@\t\r")
"""How a cell begins that a spreadsheet would compute."""

STYLE = (
    "body{font:12pt/1.5 Georgia,serif;max-width:42rem;margin:2rem auto;"
    "padding:0 1rem}li{margin:0 0 2.2rem;break-inside:avoid}"
    "p.answer{margin:1.2rem 0 0;border-bottom:1px solid}"
)


@dataclass(frozen=True)
class Sheet:
    """One student's questions, in the order of the sheet."""

    student: str
    questions: tuple[quiz.Question, ...]


def seed_of(secret: bytes, *what: str) -> str:
    """What the numbers of a question are drawn from."""
    text = "\0".join(what).encode()
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


def kinds(secret: bytes, count: int, chapters: Sequence[str] = ()) -> list:
    """Draw which kinds of questions are asked, the same for all students.

    If more are asked for than there are, kinds are asked again, with other
    numbers.
    """
    known = [
        name
        for name, kind in quiz.templates().items()
        if not chapters or kind["chapter"] in chapters
    ]
    if unknown := sorted({*chapters} - {*quiz.CHAPTERS}):
        raise ValueError(
            f"There is no chapter {unknown[0]!r}; the chapters are "
            f"{', '.join(quiz.CHAPTERS)}."
        )
    if not known:
        raise ValueError(
            "No question of these chapters is asked with fresh numbers; "
            "leave --chapters away, or add convolution."
        )
    if not 1 <= count <= 5 * len(known):
        raise ValueError(
            f"{count} questions cannot be asked; ask for 1 to "
            f"{5 * len(known)}."
        )
    chance = Random(seed_of(secret, "kinds"))
    rounds = -(-count // len(known))
    drawn = [
        name
        for _ in range(rounds)
        for name in chance.sample(known, k=len(known))
    ]
    return sorted(drawn[:count], key=known.index)


def sheets(
    secret: bytes, students: Sequence[str], drawn: Sequence[str]
) -> list[Sheet]:
    """Draw the numbers of every student."""
    return [
        Sheet(
            student,
            tuple(
                quiz.draw(
                    name, Random(seed_of(secret, name, str(place), student))
                )
                for place, name in enumerate(drawn)
            ),
        )
        for student in students
    ]


def students_of(text: str, name: str = "The roster") -> list[str]:
    """Read the column `student` of a roster."""
    people = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    if not people or "student" not in people[0]:
        raise ValueError(
            f"{name} needs a column `student` and somebody in it."
        )
    found = [
        unicodedata.normalize("NFC", person["student"] or "").strip()
        for person in people
    ]
    if "" in found:
        raise ValueError(f"{name} has a line without a student.")
    files = [file_of(student) for student in found]
    for place, file in enumerate(files):
        if file in files[:place]:
            raise ValueError(
                f"{name} has two students whose sheets would be called "
                f"{file}; write one of them in another way."
            )
    return found


def file_of(student: str) -> str:
    """What a student's sheet is called: letters, digits and . - _ alone."""
    bare = re.sub(r"[^\w.-]+", "_", student).strip("._") or "student"
    return f"{bare.casefold()}.html"


def page(sheet: Sheet) -> str:
    """A sheet as a page to print or to send."""
    asked = "".join(
        f"<li>{html.escape(question.text)}"
        f'<p class="answer">{html.escape(question.unit)}&nbsp;</p></li>'
        for question in sheet.questions
    )
    name = html.escape(sheet.student)
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Questions for {name}</title><style>{STYLE}</style>\n"
        f"<h1>Questions for {name}</h1>\n<ol>{asked}</ol>\n</html>\n"
    )


def keys(made: Sequence[Sheet]) -> str:
    """The right answers as CSV, a line for each student and question."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        ["student", "question", "kind", "answer", "tolerance", "unit", "how"]
    )
    for sheet in made:
        for place, question in enumerate(sheet.questions, start=1):
            single = len(question.right) == 1
            off = window(question.right[0], question.digits)
            row = [
                sheet.student,
                place,
                question.id,
                "x".join(map(plain, question.right)),
                plain(off) if single and question.digits else 0,
                question.unit,
                question.line,
            ]
            writer.writerow([safe(cell) for cell in row])
    return file.getvalue()


def safe(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if str(cell).startswith(FORMULA) else cell


def plain(number: float) -> str:
    """A number as other programs read it."""
    whole = number == int(number)
    return str(int(number)) if whole else f"{number:.9f}".rstrip("0")


def moodle(made: Sequence[Sheet]) -> str:
    """A question bank: a category for each question, a variant a student.

    A quiz that takes one random question from each category asks everybody
    the same with other numbers.
    """
    root = ElementTree.Element("quiz")
    for place, first in enumerate(made[0].questions if made else ()):
        title = quiz.templates()[first.id]["title"]
        category = _added(root, "question", type="category")
        _text(
            _added(category, "category"),
            f"$course$/top/From LeNet to ResNet/{place + 1:02} "
            f"{title.replace('/', '//')}",
        )
        for number, sheet in enumerate(made, start=1):
            question = sheet.questions[place]
            _moodle(root, question, f"{place + 1:02} {title} ({number})")
    ElementTree.indent(root, " ")
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _moodle(
    root: ElementTree.Element, question: quiz.Question, name: str
) -> None:
    """One variant: a number with a tolerance, or a shape as a short text."""
    number = question.form == "number"
    node = _added(
        root, "question", type="numerical" if number else "shortanswer"
    )
    _text(_added(node, "name"), name)
    _html(_added(node, "questiontext", format="html"), question.text)
    derived = f"{question.line}. Derived in “{question.section}”."
    _html(_added(node, "generalfeedback", format="html"), derived)
    for tag, value in {
        "defaultgrade": "1",
        "penalty": "0.3333333",
        "hidden": "0",
    }.items():
        _added(node, tag).text = value
    if not number:
        _added(node, "usecase").text = "0"
    answers = [(question.right, "100", "Right.")]
    answers += [(wrong, "0", words) for wrong, _, words in question.slips]
    for values, fraction, words in answers:
        written = [plain(values[0])] if number else ways(values)
        for one in written:
            answer = _added(
                node, "answer", fraction=fraction, format="moodle_auto_format"
            )
            _added(answer, "text").text = one
            _html(_added(answer, "feedback", format="html"), words)
            if number:
                off = window(values[0], question.digits)
                tolerance = plain(off) if question.digits else "0"
                _added(answer, "tolerance").text = tolerance
    if number:
        for tag, value in {
            "unitgradingtype": "0",
            "unitpenalty": "0.1",
            "showunits": "3",
            "unitsleft": "0",
        }.items():
            _added(node, tag).text = value


def ways(sides: Sequence[float]) -> list[str]:
    """How a shape may be typed; an asterisk would match anything there."""
    given = [plain(side) for side in sides]
    return [between.join(given) for between in ("x", " x ", "×", ", ", ",")]


def _added(
    parent: ElementTree.Element, tag: str, **attributes: str
) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, attributes)


def _text(parent: ElementTree.Element, text: str) -> None:
    _added(parent, "text").text = text


def _html(parent: ElementTree.Element, text: str) -> None:
    _text(parent, f"<p>{html.escape(text, quote=False)}</p>")


def write(out: Path, made: Sequence[Sheet]) -> None:
    """Write the sheets, the keys and the bank into a folder."""
    (out / "sheets").mkdir(parents=True, exist_ok=True)
    for sheet in made:
        path = out / "sheets" / file_of(sheet.student)
        path.write_text(page(sheet), "utf-8")
    (out / "keys.csv").write_text(keys(made), "utf-8")
    (out / "moodle.xml").write_text(moodle(made), "utf-8")
