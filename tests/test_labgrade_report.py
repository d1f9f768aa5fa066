"""The report and the feedback, as a browser shows them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from test_browser import accessibility

from labgrade import bundle, report
from labgrade.grade import blank

TITLES = ("forward, window by window", "the image as columns", "its memory")
TOLD = (
    "The bias of each kernel is missing.",
    "It is not written yet.",
    "It could not be used: it raised IndexError.",
    "It gave no answer in time, or ended the program.",
)
BUNDLE = bundle.Bundle(
    {
        "lab": "lab-conv",
        "questions": [
            {"id": f"lab-conv.q{n}", "title": title, "points": n}
            for n, title in enumerate(TITLES, 1)
        ],
        "written": [{"id": "lab-conv.w1", "title": "Why?", "rubric": [[1]]}],
    }
)


def course(count: int = 40) -> report.Grading:
    """Make up the results of a course, the same ones each time."""
    draw, rows = Random(1), []
    for number in range(count):
        row = blank(BUNDLE, b"", "graded")
        row |= {"student": f"<b>Student</b> {number:02}", "isolated": True}
        row["seconds"] = round(draw.expovariate(3), 2)
        for question in BUNDLE.questions:
            right = draw.random() < 0.6
            row["marks"][question["id"]] = right * question["points"]
            told = "Right." if right else draw.choice(TOLD)
            row["remarks"][question["id"]] = told
        row["review"] = ["sys.modules"] if number % 15 == 2 else []
        row["failed"] = {"7": "NameError: x"} if number % 9 == 0 else {}
        rows.append(row)
    rows[3] |= blank(BUNDLE, b"", "unreadable", "it is no JSON")
    return report.Grading(rows, BUNDLE)


def test_each_answer_is_of_one_kind() -> None:
    row = course().rows[0]
    kinds = {"Right.": "right", TOLD[0]: "wrong", TOLD[1]: "open"}
    kinds |= {TOLD[2]: "stopped", TOLD[3]: "stopped", "": "open"}
    kinds["There is no area in the notebook."] = "open"
    for remark, kind in kinds.items():
        row["remarks"]["lab-conv.q1"] = remark
        assert report.kind(row, "lab-conv.q1") == kind


def test_the_report_of_nobody_is_a_page() -> None:
    assert "0 submissions" in report.report(report.Grading([], BUNDLE))


def test_bars_are_as_wide_as_what_they_show() -> None:
    drawn = report.bar({"right": 30, "wrong": 10, "open": 0}, 40)
    assert "width:75.00%" in drawn and "width:25.00%" in drawn
    assert "open" not in drawn


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_pages_can_be_read_by_everybody(
    page, tmp_path: Path, width: int, scheme: str
) -> None:
    report.write(tmp_path, course())
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((tmp_path / "report.html").as_uri())
    assert accessibility(page) == []
    page.locator("summary").click()
    assert accessibility(page) == []
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    page.get_by_role("link", name="Student</b> 09").click()
    assert "of 6 points" in page.locator("h1").inner_text()
    assert "NameError" in page.locator("main").inner_text()
    assert accessibility(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
