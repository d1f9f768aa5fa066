"""At the desk: answers in words, and the marks in other systems' formats."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from labgrade.bundle import Bundle
from labgrade.report import points, table

SHEET = ["student", "question", "points", "of", "comment", "answer", "rubric"]
FORMATS = ("canvas", "moodle", "gradescope")


def sheet(
    rows: list[dict[str, Any]], bundle: Bundle, words: dict[str, dict]
) -> str:
    """Return a sheet to fill: what was written, the rubric, and the points.

    Points that were given before stand in it.
    """
    lines = []
    for row in rows:
        for question in bundle.content["written"]:
            id = question["id"]
            given = words.get(row["student"], {}).get(id, "")
            rubric = "; ".join(
                f"{n}: {text}" for n, text in question["rubric"]
            )
            most = sum(n for n, _ in question["rubric"])
            answer = row["words"].get(id, "")
            lines.append([row["student"], id, given, most, "", answer, rubric])
    return table(SHEET, lines)


def merge(text: str, bundle: Bundle) -> tuple[dict[str, dict], list[str]]:
    """Read a filled sheet: points by student and question, and complaints."""
    most = {
        question["id"]: sum(n for n, _ in question["rubric"])
        for question in bundle.content["written"]
    }
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
    return text[1:] if text[:1] == "'" and text[1:2] in "=+-@" else text


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
    kind: str,
    rows: list[dict[str, Any]],
    words: dict[str, dict],
    bundle: Bundle,
    people: list[dict[str, str]],
) -> tuple[str, list[str]]:
    """Return marks in a system's format, and who did not match."""
    marks = {
        row["student"]: points(row, words.get(row["student"], {}))
        for row in rows
    }
    listed = {person["student"] for person in people}
    faults = [f"{s}: handed in, not in the roster" for s in marks]
    faults = [f for s, f in zip(marks, faults, strict=True) if s not in listed]
    faults += [
        f"{p['student']}: in the roster, nothing handed in"
        for p in people
        if p["student"] not in marks
    ]
    lab = bundle.content["lab"]
    headers = {
        "canvas": ["Student", "ID", "SIS Login ID", "Section", lab],
        "moodle": ["Full name", "ID number", "Email address", lab],
        "gradescope": ["Name", "SID", "Email", "Total Score", "Status"],
    }
    lines = []
    for person in people:
        mark = marks.get(person["student"])
        shown = "" if mark is None else f"{mark:g}"
        name = person.get("name") or person["student"]
        id, email = person.get("id", ""), person.get("email", "")
        lines.append(
            {
                "canvas": [
                    name,
                    id,
                    person.get("login", email),
                    person.get("section", ""),
                    shown,
                ],
                "moodle": [name, id, email, shown],
                "gradescope": [
                    name,
                    id,
                    email,
                    shown,
                    "Missing" if mark is None else "Graded",
                ],
            }[kind]
        )
    return table(headers[kind], lines), faults


def explain(student: str, rows: list[dict[str, Any]], bundle: Bundle) -> str:
    """Say where every mark of a student comes from."""
    own = [row for row in rows if row["student"] == student]
    if not own:
        return f"There is no submission of {student!r} in the log."
    row = own[-1]
    lines = [
        f"{student}: {row['status']} {row['note']}".rstrip(),
        f"submission {row['submission'][:16]}, bundle {row['bundle'][:16]}",
    ]
    for question in bundle.questions:
        id = question["id"]
        lines.append(
            f"{id:<16} {row['marks'][id]} of {question['points']}  "
            f"{row['remarks'].get(id, '')}"
        )
    lines += [
        f"cell {number}: {why}"
        for number, why in sorted(row["failed"].items())
    ]
    if row["review"]:
        lines.append(f"look at: {', '.join(row['review'])}")
    return "\n".join(lines)
