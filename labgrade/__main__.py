"""The command: `python -m labgrade --help`."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import sys
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from cnnbook import lab
from labgrade import box, bundle, course, desk, report


def release(given: argparse.Namespace) -> int:
    """Make a lab's edition for students, and the bundle to grade it with."""
    if not given.secret_file.exists():
        given.secret_file.write_text(secrets.token_hex(32) + "\n")
        given.secret_file.chmod(0o600)
        print(f"A new secret is in {given.secret_file}: keep it, show nobody.")
    secret = given.secret_file.read_text().strip().encode()
    folder = given.labs / given.lab.removeprefix("lab-")
    people = desk.roster(given.per_student) if given.per_student else []
    made = bundle.release(
        folder, secret, [course.name_of(one["student"]) for one in people]
    )
    given.out.mkdir(parents=True, exist_ok=True)
    name = made.content["lab"]
    shutil.copy(folder / "lab.ipynb", given.out / f"{name}.ipynb")
    (given.out / f"{name}.bundle.json").write_text(made.text(), "utf-8")
    print(f"{name}.ipynb is for the students, {name}.bundle.json for you.")
    return 0


def grade(given: argparse.Namespace) -> int:
    """Grade what is new in a folder of submissions."""
    isolated = given.isolation == "box"
    here = not given.dask  # or else the workers make the boxes
    if isolated and here and (lacking := box.lacking()):
        raise ValueError(lacking)
    if not isolated:
        print(
            "No isolation: the notebooks can read and change what you can.",
            file=sys.stderr,
        )
    loaded = bundle.load(given.bundle)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "bundle.json").write_text(loaded.text(), "utf-8")
    submissions = course.collect(given.submissions)
    log = given.out / "log.jsonl"
    try:
        with _executor(given) as executor:
            ahead = 2 * given.workers if here else 256
            course.grade_course(
                submissions, loaded, log, executor, isolated, ahead
            )
    finally:
        course.end_boxes()
    report.write(given.out, _grading(given.out))
    print(f"{len(submissions)} submissions: {given.out / 'report.html'}")
    return 0


def _executor(given: argparse.Namespace) -> Executor:
    if given.dask:
        from dask.distributed import Client

        return Client(given.dask).get_executor(pure=False)
    return ThreadPoolExecutor(given.workers)


def _grading(out: Path) -> report.Grading:
    """Read what a folder of marks holds."""
    words = out / "written.json"
    return report.Grading(
        course.latest(out / "log.jsonl"),
        bundle.load(out / "bundle.json"),
        json.loads(words.read_text("utf-8")) if words.exists() else {},
    )


def explain(given: argparse.Namespace) -> int:
    """Say where a student's marks come from."""
    print(desk.explain(given.student, _grading(given.out)))
    return 0


def sheet(given: argparse.Namespace) -> int:
    """Write a sheet for the answers in words."""
    path = given.out / "sheet.csv"
    path.write_text(desk.sheet(_grading(given.out)), "utf-8")
    print(f"Fill in the column `points` of {path}, then `labgrade merge`.")
    return 0


def merge(given: argparse.Namespace) -> int:
    """Take the points of a filled sheet; what was given before stays."""
    grading = _grading(given.out)
    text = given.sheet.read_text("utf-8-sig")
    found, faults = desk.merge(text, grading.bundle)
    for student, marks in found.items():
        grading.words.setdefault(student, {}).update(marks)
    text = json.dumps(grading.words, indent=1, sort_keys=True)
    (given.out / "written.json").write_text(text, "utf-8")
    report.write(given.out, grading)
    many = f"{len(found)} student{'s' * (len(found) != 1)}"
    print("\n".join(faults) or f"Points for {many}.")
    return 1 if faults else 0


def export(given: argparse.Namespace) -> int:
    """Write the marks for another system, and say who did not match."""
    text, faults = desk.export(
        given.format, _grading(given.out), desk.roster(given.roster)
    )
    path = given.out / f"{given.format}.csv"
    path.write_text(text, "utf-8")
    print("\n".join([*faults, f"Written: {path}"]))
    return 0


def doctor(given: argparse.Namespace) -> int:
    """Say what this machine lacks."""
    fault = box.lacking()
    print(fault or "Nothing is lacking: boxes can be made here.")
    return 1 if fault else 0


PATH = {"type": Path}
NEEDED = {**PATH, "required": True}
ROSTER = {**PATH, "help": "a CSV; its `student` is named as the submissions"}
COMMANDS = {
    release: {
        "lab": {},
        "--out": NEEDED,
        "--secret-file": NEEDED,
        "--labs": {**PATH, "default": Path("labs")},
        "--per-student": {**ROSTER, "metavar": "ROSTER"},
    },
    grade: {
        "submissions": PATH,
        "--bundle": NEEDED,
        "--out": NEEDED,
        "-j --workers": {"type": int, "default": os.cpu_count()},
        "--dask": {"metavar": "ADDRESS"},
        "--isolation": {"choices": ("box", "none"), "default": "box"},
        "--changed": {
            "action": "store_true",
            "help": "grade only what is new or changed, which is always so",
        },
    },
    explain: {"student": {}, "--out": NEEDED},
    sheet: {"--out": NEEDED},
    merge: {"sheet": PATH, "--out": NEEDED},
    export: {
        "format": {"choices": desk.FORMATS},
        "--out": NEEDED,
        "--roster": {**ROSTER, "required": True},
    },
    doctor: {},
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="labgrade", description="Grade untrusted notebooks."
    )
    commands = parser.add_subparsers(required=True)
    for run, words in COMMANDS.items():
        command = commands.add_parser(run.__name__, help=run.__doc__)
        command.set_defaults(run=run)
        for names, how in words.items():
            command.add_argument(*names.split(), **how)
    given = parser.parse_args(arguments)
    lab.scale("smoke")
    try:
        return given.run(given)
    except (ValueError, OSError) as error:
        print(f"labgrade: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
