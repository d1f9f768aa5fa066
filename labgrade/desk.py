"""At the desk: answers in words, and the marks in other systems' formats."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from labgrade.bundle import Bundle
from labgrade.report import FORMULA, Grading, table

SHEET = ["student", "question", "points", "of", "comment", "answer", "rubric"]
FORMATS = {
    "canvas": {
        "Student": "name",
        "ID": "id",
        "SIS Login ID": "login",
        "Section": "section",
        "": "points",
    },
    "moodle": {
        "Full name": "name",
        "ID number": "id",
        "Email address": "email",
        "": "points",
    },
    "gradescope": {
        "Name": "name",
        "SID": "id",
        "Email": "email",
        "Total Score": "points",
        "Status": "status",
    },
}
"""A column's title, the lab's name where there is none, and what it holds."""


def sheet(grading: Grading) -> str:
    """Return a sheet to fill: what was written, the rubric, and the points.

    Points that were given before stand in it.
    """
    lines = []
    for row in grading.rows:
        student, given = row["student"], grading.words.get(row["student"], {})
        for question in grading.bundle.content["written"]:
            id, rubric = question["id"], question["rubric"]
            text = "; ".join(f"{n}: {what}" for n, what in rubric)
            line = [student, id, given.get(id, ""), _most(question), ""]
            lines.append([*line, row["words"].get(id, ""), text])
    return table(SHEET, lines)


def _most(question: dict) -> int:
    return sum(points for points, _ in question["rubric"])


def merge(text: str, bundle: Bundle) -> tuple[dict[str, dict], list[str]]:
    """Read a filled sheet: points by student and question, and complaints."""
    most = {q["id"]: _most(q) for q in bundle.content["written"]}
    found: dict[str, dict[str, float]] = {}
    faults = []
    for number, line in enumerate(csv.DictReader(io.StringIO(text)), 2):
        given = (line.get("points") or "").strip().replace(",", ".")
        student, id = _bare(line.get("student")), line.get("question") or ""
        if not given:
            continue
        try:
            value = float(given)
        except ValueError:
            value = -1
        if id not in most:
            faults.append(f"line {number}: there is no question {id!r}")
        elif not 0 <= value <= most[id]:
            faults.append(
                f"line {number}: {given!r} is not from 0 to {most[id]}"
            )
        else:
            found.setdefault(student, {})[id] = value
    return found, faults


def _bare(text: str | None) -> str:
    """Return a name as it was before `safe` looked at it."""
    text = text or ""
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA else text


def roster(path: Path) -> list[dict[str, str]]:
    """Read the list of students: a CSV with the column `student`."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        people = list(csv.DictReader(file))
    if not people or "student" not in people[0]:
        raise ValueError(
            f"The roster {path} needs a column `student`, named as the "
            "submissions are; others such as `id`, `name` and `email` go "
            "into the exports."
        )
    return people


def export(
    format: str, grading: Grading, people: list[dict[str, str]]
) -> tuple[str, list[str]]:
    """Return marks in a system's format, and who did not match."""
    marks = {row["student"]: grading.points(row) for row in grading.rows}
    listed = {person["student"]: person for person in people}
    faults = [
        f"{student}: handed in, not in the roster"
        for student in marks
        if student not in listed
    ]
    lines, columns = [], FORMATS[format]
    for student, person in listed.items():
        facts = {"name": student, "points": "", "status": "Missing"}
        facts["login"] = person.get("email", "")
        facts |= {key: text for key, text in person.items() if text}
        if student in marks:
            facts |= {"points": f"{marks[student]:g}", "status": "Graded"}
        else:
            faults.append(f"{student}: in the roster, nothing handed in")
        lines.append([facts.get(what, "") for what in columns.values()])
    return table([title or grading.lab for title in columns], lines), faults


def explain(student: str, grading: Grading) -> str:
    """Say where every mark of a student comes from."""
    for row in grading.rows:
        if row["student"] == student:
            break
    else:
        return f"There is no submission of {student!r} in the log."
    lines = [
        f"{student}: {row['status']} {row['note']}".rstrip(),
        f"submission {row['submission'][:16]}, bundle {row['bundle'][:16]}",
    ]
    lines += [
        f"{question['id']:<16} {row['marks'][question['id']]} of "
        f"{question['points']}  {row['remarks'].get(question['id'], '')}"
        for question in grading.bundle.questions
    ]
    lines += [f"{id}: {why}" for id, why in row["reasons"].items()]
    failed = sorted(row["failed"].items())
    lines += [f"cell {number}: {why}" for number, why in failed]
    lines += [f"look at: {', '.join(row['review'])}"] if row["review"] else []
    return "\n".join(lines)
