"""What comes of a grading: marks as CSV, feedback, a report in pictures."""

from __future__ import annotations

import csv
import io
import re
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from labgrade.bundle import Bundle
from labgrade.grade import error_of

STYLE = Path(__file__).with_name("report.css")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
KINDS = {
    "right": ("✓", "right", ("Right.",)),
    "wrong": ("✗", "wrong", ()),
    "stopped": ("!", "stopped or unusable", ("It gave no", "It could not")),
    "open": ("·", "not written", ("It is not written", "There is no", "")),
}
"""Sign, name, and what the remarks on such an answer begin with."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Grading:
    """All that was found out about a course, by machine and by people."""

    rows: list[Row]
    bundle: Bundle
    words: dict[str, dict[str, float]] = field(default_factory=dict)
    """Points for answers in words, by student and question."""

    @property
    def lab(self) -> str:
        """Return the lab's name."""
        return self.bundle.content["lab"]

    @property
    def most(self) -> int:
        """Return the points that a machine can give."""
        return sum(question["points"] for question in self.bundle.questions)

    def points(self, row: Row) -> float:
        """Return all points of a submission, those of a person included."""
        own = self.words.get(row["student"], {})
        return sum(row["marks"].values()) + sum(own.values())


def kind(row: Row, id: str) -> str:
    """Return which of the `KINDS` an answer is."""
    remark = row["remarks"].get(id, "")
    for name, (_, _, beginnings) in KINDS.items():
        if any(remark[: len(b) or None] == b for b in beginnings):
            return name
    return "wrong"


def safe(text: Any) -> str:
    """Return a text that a spreadsheet will not take for a formula."""
    text = str(text)
    return f"'{text}" if text.startswith(FORMULA) else text


def table(header: list[str], rows: Iterable[list[Any]]) -> str:
    """Return rows as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return out.getvalue()


def grades(grading: Grading) -> str:
    """Return the marks of all, a line each, in the order of their names."""
    ids = [question["id"] for question in grading.bundle.questions]
    texts = [text["id"] for text in grading.bundle.content["written"]]
    short = [id.partition(".")[2] for id in [*ids, *texts]]
    lines = []
    for row in grading.rows:
        own = grading.words.get(row["student"], {})
        marks = [row["marks"][id] for id in ids]
        marks += [f"{own[id]:g}" if id in own else "" for id in texts]
        line = [row["student"], f"{grading.points(row):g}", *marks]
        lines.append([*line, row["status"], " ".join(row["review"])])
    return table(["student", "points", *short, "status", "review"], lines)


def feedback(row: Row, grading: Grading) -> str:
    """Return what a student is told, as Markdown: hints, no hidden value."""
    got = sum(row["marks"].values())
    lines = [f"# {grading.lab}: {got} of {grading.most} points", ""]
    if row["status"] != "graded":
        lines += [f"Your notebook was not graded: {row['note']}.", ""]
    for question in grading.bundle.questions:
        id, most = question["id"], question["points"]
        lines += [
            f"- {KINDS[kind(row, id)][0]} **{question['title']}**: "
            f"{row['marks'][id]} of {most}. {row['remarks'].get(id, '')}"
        ]
    for question in grading.bundle.content["written"]:
        mark = grading.words.get(row["student"], {}).get(question["id"])
        text = "not read yet" if mark is None else f"{mark:g}"
        lines += [f"- **{question['title']}** (read by a person): {text}."]
    if row["failed"]:
        lines += ["", "Cells that stopped with an error:", ""]
        lines += [
            f"- cell {number}: `{error_of(why)}`"
            for number, why in sorted(row["failed"].items())
        ]
    return "\n".join(lines) + "\n"


def page(title: str, body: str) -> str:
    """Return a small page that needs nothing else."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE.read_text()}</style>"
        f"<body><main>{body}</main></body></html>\n"
    )


def as_html(markdown: str) -> str:
    """Return our own feedback as a page; nothing in it is trusted."""
    title, _, text = escape(markdown).partition("\n")
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    text = re.sub(r"`(.+?)`", r"<code>\1</code>", text)
    text = re.sub(r"^- (.*)$", r"<li>\1</li>", text, flags=re.M)
    text = re.sub(r"^([^<\n].*)$", r"<p>\1</p>", text, flags=re.M)
    text = re.sub(r"((?:<li>.*\n)+)", r"<ul>\1</ul>", text)
    title = title.removeprefix("# ")
    return page(title, f"<h1>{title}</h1>{text}")


def file_names(students: Iterable[str]) -> list[str]:
    """Return a name for each that stays in its folder, no two the same."""
    used: Counter[str] = Counter()
    names = []
    for student in students:
        name = re.sub(r"[^\w .-]", "_", student).strip(". ")[:100] or "_"
        used[name.lower()] += 1
        again = used[name.lower()]
        names.append(f"{name} ({again})" if again > 1 else name)
    return names


# The report


def bar(parts: dict[str, float], most: float) -> str:
    """Draw a bar of several parts, each as wide as its share of the most."""
    drawn = (
        f'<i class="{name}" style="width:{value / (most or 1):.2%}"></i>'
        for name, value in parts.items()
        if value
    )
    return f'<span class="bar">{"".join(drawn)}</span>'


def bars(
    lines: Iterable[tuple[str, dict[str, float], str]], most: float
) -> str:
    """Draw a row for each line: its name, its bar, its figure."""
    drawn = (
        f"<tr><th scope='row'>{escape(name)}</th><td>{bar(parts, most)}</td>"
        f"<td>{escape(figure)}</td></tr>"
        for name, parts, figure in lines
    )
    return f'<table class="bars">{"".join(drawn)}</table>'


def report(grading: Grading) -> str:
    """Return the instructor's page about a grading."""
    rows, questions = grading.rows, grading.bundle.questions
    title = escape(f"{grading.lab}: {len(rows)} submissions")
    out = [f"<h1>{title}</h1>"]
    if not all(row["isolated"] for row in rows):
        out.append(
            "<p><strong>Graded without isolation:</strong> nothing kept the "
            "notebooks from this machine or from each other.</p>"
        )
    out += [_spread(grading), "<h2>Question by question</h2>", _key()]
    out.append(bars(_answers(grading), len(rows)))
    out += [_wrong(question, rows) for question in questions]
    slow = sorted(rows, key=lambda row: (-row["seconds"], row["student"]))[:10]
    times = [
        (r["student"], {"right": r["seconds"]}, f"{r['seconds']:.1f} s")
        for r in slow
    ]
    out += ["<h2>Slowest</h2>", bars(times, slow[0]["seconds"] if slow else 1)]
    looks = [(r["student"], ", ".join(r["review"])) for r in rows]
    left = [
        (r["student"], f"{r['status']}, {r['note']}")
        for r in rows
        if r["status"] != "graded"
    ]
    out += ["<h2>For a person to look at</h2>", _listed(looks)]
    out += ["<h2>Not graded</h2>", _listed(left), _everybody(grading)]
    return page(title, "".join(out))


def _spread(grading: Grading) -> str:
    """Draw how many have how many of the points."""
    found = [grading.points(row) for row in grading.rows] or [0]
    tenths = Counter(
        min(int(10 * points / (grading.most or 1)), 9) for points in found
    )
    lines = [
        (
            f"{10 * n} % to {10 * n + 10} %",
            {"right": tenths[n]},
            f"{tenths[n]}",
        )
        for n in range(10)
    ]
    drawn = bars(lines, max(tenths.values()))
    return (
        f"<p>Median {statistics.median(found):g} of {grading.most} points, "
        f"mean {statistics.mean(found):.1f}.</p>"
        f"<h2>How the points are spread</h2>{drawn}"
    )


def _key() -> str:
    names = (f'<i class="{n}"></i>{t}' for n, (_, t, _) in KINDS.items())
    return f'<p class="key">{"".join(names)}</p>'


def _answers(grading: Grading) -> Iterable[tuple[str, dict, str]]:
    """Count, for each question, what has become of it."""
    for question in grading.bundle.questions:
        counts = Counter(kind(row, question["id"]) for row in grading.rows)
        short = question["id"].partition(".")[2]
        share = counts["right"] / max(1, len(grading.rows))
        parts = {name: counts[name] for name in KINDS}
        yield f"{short} {question['title']}", parts, f"{share:.0%} right"


def _wrong(question: dict[str, Any], rows: list[Row]) -> str:
    """Draw what was told about a question, the most frequent first."""
    id = question["id"]
    told = Counter(
        (row["remarks"].get(id, row["note"]), kind(row, id))
        for row in rows
        if not row["marks"][id]
    )
    if not told:
        return ""
    often = sorted(told.items(), key=lambda item: (-item[1], item[0]))
    lines = ((t, {name: count}, str(count)) for (t, name), count in often[:12])
    title = f"{id.partition('.')[2]} {question['title']}: what was wrong"
    return f"<h2>{escape(title)}</h2>{bars(lines, often[0][1])}"


def _listed(lines: list[tuple[str, str]]) -> str:
    items = [f"<li>{escape(f'{a}: {b}')}</li>" for a, b in lines if b]
    return f"<ul>{''.join(items) or '<li>Nobody.</li>'}</ul>"


def _everybody(grading: Grading) -> str:
    """Draw a line for each student, with a link to what they are told."""
    ids = [question["id"] for question in grading.bundle.questions]
    head = "".join(f"<th>{escape(id.partition('.')[2])}</th>" for id in ids)
    lines = []
    names = file_names(row["student"] for row in grading.rows)
    for row, name in zip(grading.rows, names, strict=True):
        signs = "".join(f"<td>{KINDS[kind(row, id)][0]}</td>" for id in ids)
        lines.append(
            f'<tr><th scope="row"><a href="feedback/{quote(name)}.html">'
            f"{escape(row['student'])}</a></th>"
            f"<td>{grading.points(row):g}</td>{signs}</tr>"
        )
    return (
        "<details><summary>Everybody</summary>"
        '<div class="all" tabindex="0" role="region" aria-label="Everybody">'
        f"<table><tr><th>student</th><th>points</th>{head}</tr>"
        f"{''.join(lines)}</table></div></details>"
    )


def write(out: Path, grading: Grading) -> None:
    """Write marks, feedback and report into a folder."""
    (out / "grades.csv").write_text(grades(grading), "utf-8")
    (out / "report.html").write_text(report(grading), "utf-8")
    folder = out / "feedback"
    folder.mkdir(exist_ok=True)
    names = file_names(row["student"] for row in grading.rows)
    for row, name in zip(grading.rows, names, strict=True):
        told = feedback(row, grading)
        (folder / f"{name}.md").write_text(told, "utf-8")
        (folder / f"{name}.html").write_text(as_html(told), "utf-8")
