"""What comes of a grading: marks as CSV, feedback, a report in pictures."""

from __future__ import annotations

import csv
import html
import io
import re
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from labgrade.bundle import Bundle

FORMULA = ("=", "+", "-", "@", "\t", "\r")
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem;color:#1d2733;background:#fff}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccd;"
    "vertical-align:top}"
    "svg text{font:13px system-ui,sans-serif;fill:currentColor}"
    "@media(prefers-color-scheme:dark){body{color:#e4e9f0;background:#14181d}"
    "td,th{border-color:#39424d}}"
)


def points(row: dict[str, Any], words: dict[str, float]) -> float:
    """Return all points of a submission, those of a person included."""
    return sum(row["marks"].values()) + sum(words.values())


def safe(text: Any) -> str:
    """Return a text that a spreadsheet will not take for a formula."""
    text = str(text)
    return f"'{text}" if text.startswith(FORMULA) else text


def table(header: list[str], rows: list[list[Any]]) -> str:
    """Return rows as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[safe(cell) for cell in row] for row in rows])
    return out.getvalue()


def grades(
    rows: list[dict[str, Any]], bundle: Bundle, words: dict[str, dict]
) -> str:
    """Return the marks of all, a line each, in the order of their names."""
    ids = [question["id"] for question in bundle.questions]
    texts = [question["id"] for question in bundle.content["written"]]
    lines = []
    for row in rows:
        own = words.get(row["student"], {})
        lines.append(
            [
                row["student"],
                f"{points(row, own):g}",
                *(row["marks"][id] for id in ids),
                *(f"{own[id]:g}" if id in own else "" for id in texts),
                row["status"],
                " ".join(row["review"]),
            ]
        )
    short = [id.partition(".")[2] for id in [*ids, *texts]]
    return table(["student", "points", *short, "status", "review"], lines)


def feedback(
    row: dict[str, Any], bundle: Bundle, words: dict[str, float]
) -> str:
    """Return what a student is told, as Markdown: hints, no hidden value."""
    most = sum(question["points"] for question in bundle.questions)
    got = sum(row["marks"].values())
    lines = [f"# {bundle.content['lab']}: {got} of {most} points", ""]
    if row["status"] != "graded":
        lines += [f"Your notebook was not graded: {row['note']}.", ""]
    for question in bundle.questions:
        mark = row["marks"][question["id"]]
        lines += [
            f"- **{question['title']}**: {mark} of {question['points']}. "
            + row["remarks"].get(question["id"], "")
        ]
    for question in bundle.content["written"]:
        mark = words.get(question["id"])
        text = "not read yet" if mark is None else f"{mark:g}"
        lines += [f"- **{question['title']}** (read by a person): {text}."]
    if row["failed"]:
        lines += ["", "Cells that stopped with an error:", ""]
        lines += [
            f"- cell {number}: `{why.replace('`', chr(39))}`"
            for number, why in sorted(row["failed"].items())
        ]
    return "\n".join(lines) + "\n"


def page(title: str, body: str) -> str:
    """Return a small page that needs nothing else."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
        f"<main>{body}</main></html>\n"
    )


def as_html(markdown: str) -> str:
    """Return our own feedback as a page; nothing in it is trusted."""
    title, *lines = markdown.splitlines()
    out = [f"<h1>{html.escape(title.lstrip('# '))}</h1>"]
    items: list[str] = []
    for line in [*lines, ""]:
        text = html.escape(line)
        text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
        text = re.sub(r"`(.+?)`", r"<code>\1</code>", text)
        if line.startswith("- "):
            items.append(f"<li>{text[2:]}</li>")
            continue
        if items:
            out.append(f"<ul>{''.join(items)}</ul>")
            items = []
        if text:
            out.append(f"<p>{text}</p>")
    return page(title.lstrip("# "), "".join(out))


def file_name(student: str) -> str:
    """Return a name that stays in its folder, for any student."""
    plain = re.sub(r"[^\w .-]", "_", student).strip(". ") or "_"
    return plain[:100]


def bars(title: str, values: list[tuple[str, float]], most: float) -> str:
    """Draw values as bars, each with its name and figure."""
    rows = []
    for number, (name, value) in enumerate(values):
        y = 24 * number
        width = 420 * value / (most or 1)
        rows.append(
            f'<text x="0" y="{y + 16}">{html.escape(name)}</text>'
            f'<rect x="210" y="{y + 3}" width="{width:.1f}" height="17" '
            'fill="#3b7dd8"/>'
            f'<text x="{216 + width:.1f}" y="{y + 16}">{value:g}</text>'
        )
    height = 24 * len(values)
    return (
        f'<h2>{html.escape(title)}</h2><svg viewBox="0 0 720 {height}" '
        f'role="img" aria-label="{html.escape(title)}" width="100%">'
        f"{''.join(rows)}</svg>"
    )


def report(
    rows: list[dict[str, Any]],
    bundle: Bundle,
    words: dict[str, dict],
    isolated: bool,
) -> str:
    """Return the instructor's page about a grading."""
    all_ = [points(row, words.get(row["student"], {})) for row in rows]
    most = sum(question["points"] for question in bundle.questions)
    spread = Counter(min(int(10 * p / most), 9) if most else 0 for p in all_)
    parts = [f"<h1>{bundle.content['lab']}: {len(rows)} submissions</h1>"]
    if not isolated:
        parts.append(
            "<p><strong>Graded without isolation:</strong> nothing kept the "
            "notebooks from this machine or from each other.</p>"
        )
    if all_:
        parts.append(
            f"<p>Median {statistics.median(all_):g} of {most} points, mean "
            f"{statistics.mean(all_):.1f}.</p>"
        )
    names = [f"{10 * n}–{10 * n + 10} %" for n in range(10)]
    parts.append(
        bars(
            "How the points are spread",
            [(name, spread[n]) for n, name in enumerate(names)],
            max(spread.values(), default=1),
        )
    )
    right = [
        (
            f"{q['id'].partition('.')[2]} {q['title']}"[:34],
            sum(row["marks"][q["id"]] > 0 for row in rows),
        )
        for q in bundle.questions
    ]
    parts.append(bars("Right answers, by question", right, len(rows)))
    parts += _why(rows, bundle) + _lists(rows)
    return page(f"{bundle.content['lab']}: report", "".join(parts))


def _why(rows: list[dict[str, Any]], bundle: Bundle) -> list[str]:
    """List what was told most often, question by question."""
    out = ["<h2>What was wrong</h2><table><tr><th>question<th>told<th>times"]
    for question in bundle.questions:
        told = Counter(
            row["remarks"].get(question["id"], row["status"])
            for row in rows
            if not row["marks"][question["id"]]
        )
        for remark, count in sorted(told.items(), key=lambda x: (-x[1], x[0])):
            cells = (question["id"], remark, count)
            out.append(
                "<tr>" + "".join(f"<td>{html.escape(str(c))}" for c in cells)
            )
    return [*out, "</table>"]


def _lists(rows: list[dict[str, Any]]) -> list[str]:
    """List the slow ones, those to look at, and those without a grading."""
    slow = sorted(rows, key=lambda row: (-row["seconds"], row["student"]))
    lists = {
        "Slowest": [
            f"{r['student']}: {r['seconds']:.1f} s" for r in slow[:10]
        ],
        "For a person to look at": [
            f"{r['student']}: {', '.join(r['review'])}"
            for r in rows
            if r["review"]
        ],
        "Not graded": [
            f"{r['student']}: {r['status']}, {r['note']}"
            for r in rows
            if r["status"] != "graded"
        ],
    }
    out = []
    for title, lines in lists.items():
        items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
        out.append(f"<h2>{title}</h2><ul>{items or '<li>none</li>'}</ul>")
    return out


def write(
    out: Path,
    rows: list[dict[str, Any]],
    bundle: Bundle,
    words: dict[str, dict],
    isolated: bool,
) -> None:
    """Write marks, feedback and report into a folder."""
    (out / "grades.csv").write_text(grades(rows, bundle, words), "utf-8")
    text = report(rows, bundle, words, isolated)
    (out / "report.html").write_text(text, "utf-8")
    folder = out / "feedback"
    folder.mkdir(exist_ok=True)
    used: Counter[str] = Counter()
    for row in rows:
        name = file_name(row["student"])
        used[name.lower()] += 1
        if used[name.lower()] > 1:
            name += f" ({used[name.lower()]})"
        told = feedback(row, bundle, words.get(row["student"], {}))
        (folder / f"{name}.md").write_text(told, "utf-8")
        (folder / f"{name}.html").write_text(as_html(told), "utf-8")
