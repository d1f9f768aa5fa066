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


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="labgrade", description="Grade untrusted notebooks."
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, about: str, *words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about)
        for word in words:
            made.add_argument(word, type=str if word in TEXTS else Path)
        return made

    one = command("release", "make a lab's edition and its bundle", "lab")
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--secret-file", type=Path, required=True)
    one.add_argument("--labs", type=Path, default=Path("labs"))
    one = command("grade", "grade a folder of submissions", "submissions")
    one.add_argument("--bundle", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("-j", "--workers", type=int, default=os.cpu_count() or 1)
    one.add_argument("--dask", metavar="ADDRESS")
    one.add_argument("--isolation", choices=("box", "none"), default="box")
    for name, about, words in (
        ("explain", "say where a student's marks come from", ["student"]),
        ("sheet", "write a sheet for the answers in words", []),
        ("merge", "read a filled sheet", ["sheet"]),
        ("export", "write the marks for another system", ["format"]),
    ):
        one = command(name, about, *words)
        one.add_argument("--out", type=Path, required=True)
        if name == "export":
            one.add_argument("--roster", type=Path, required=True)
    command("doctor", "say what this machine lacks")
    given = parser.parse_args(arguments)
    lab.scale("smoke")
    try:
        return COMMANDS[given.command](given)
    except (bundle.Refused, ValueError, OSError) as error:
        print(f"labgrade: {error}", file=sys.stderr)
        return 2


TEXTS = ("lab", "student", "format")


def release(given: argparse.Namespace) -> int:
    """Make the student's edition and the bundle."""
    if not given.secret_file.exists():
        given.secret_file.write_text(secrets.token_hex(32) + "\n")
        given.secret_file.chmod(0o600)
        print(f"A new secret is in {given.secret_file}: keep it, show nobody.")
    secret = given.secret_file.read_text().strip().encode()
    folder = given.labs / given.lab.removeprefix("lab-")
    made = bundle.release(folder, secret)
    given.out.mkdir(parents=True, exist_ok=True)
    name = made.content["lab"]
    shutil.copy(folder / "lab.ipynb", given.out / f"{name}.ipynb")
    (given.out / f"{name}.bundle.json").write_text(made.text(), "utf-8")
    print(f"{name}.ipynb is for the students, {name}.bundle.json for you.")
    return 0


def grade(given: argparse.Namespace) -> int:
    """Grade what is new, and write everything anew."""
    isolated = given.isolation == "box"
    if isolated and (lacking := box.lacking()):
        raise ValueError(" ".join(lacking))
    if not isolated:
        print(
            "No isolation: the notebooks can read and change what you can.",
            file=sys.stderr,
        )
    loaded = bundle.load(given.bundle)
    given.out.mkdir(parents=True, exist_ok=True)
    shutil.copy(given.bundle, given.out / "bundle.json")
    submissions = course.collect(given.submissions)
    try:
        with _executor(given) as executor:
            rows = course.grade_course(
                submissions,
                loaded,
                given.out / "log.jsonl",
                executor,
                isolated,
            )
    finally:
        course.end_boxes()
    order = [one.student for one in submissions]
    state = {"order": order, "isolated": isolated}
    (given.out / "state.json").write_text(json.dumps(state), "utf-8")
    (given.out / "rows.json").write_text(json.dumps(rows), "utf-8")
    report.write(given.out, rows, loaded, _words(given.out), isolated)
    print(f"{len(rows)} submissions: {given.out / 'report.html'}")
    return 0


def _executor(given: argparse.Namespace) -> Executor:
    if not given.dask:
        return ThreadPoolExecutor(given.workers)
    from dask.distributed import Client

    return Client(given.dask).get_executor(pure=False)


def _state(out: Path) -> tuple[list[dict], bundle.Bundle, bool]:
    rows = json.loads((out / "rows.json").read_text("utf-8"))
    state = json.loads((out / "state.json").read_text("utf-8"))
    return rows, bundle.load(out / "bundle.json"), state["isolated"]


def _words(out: Path) -> dict[str, dict]:
    path = out / "written.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def explain(given: argparse.Namespace) -> int:
    """Say where a student's marks come from."""
    rows, loaded, _ = _state(given.out)
    print(desk.explain(given.student, rows, loaded))
    return 0


def sheet(given: argparse.Namespace) -> int:
    """Write the sheet for the answers in words."""
    rows, loaded, _ = _state(given.out)
    path = given.out / "sheet.csv"
    path.write_text(desk.sheet(rows, loaded, _words(given.out)), "utf-8")
    print(f"Fill in the column `points` of {path}, then `labgrade merge`.")
    return 0


def merge(given: argparse.Namespace) -> int:
    """Take the points of a filled sheet; what was given before stays."""
    rows, loaded, isolated = _state(given.out)
    text = given.sheet.read_text("utf-8-sig")
    found, faults = desk.merge(text, loaded)
    words = _words(given.out)
    for student, marks in found.items():
        words.setdefault(student, {}).update(marks)
    path = given.out / "written.json"
    path.write_text(json.dumps(words, indent=1, sort_keys=True), "utf-8")
    report.write(given.out, rows, loaded, words, isolated)
    print("\n".join(faults) or f"{len(found)} students have their points.")
    return 1 if faults else 0


def export(given: argparse.Namespace) -> int:
    """Write the marks for another system, and say who did not match."""
    if given.format not in desk.FORMATS:
        raise ValueError(f"The formats are {', '.join(desk.FORMATS)}.")
    rows, loaded, _ = _state(given.out)
    people = desk.roster(given.roster)
    text, faults = desk.export(
        given.format, rows, _words(given.out), loaded, people
    )
    path = given.out / f"{given.format}.csv"
    path.write_text(text, "utf-8")
    print("\n".join([*faults, f"Written: {path}"]))
    return 0


def doctor(given: argparse.Namespace) -> int:
    """Say what this machine lacks."""
    faults = box.lacking()
    print("\n".join(faults) or "Nothing is lacking: boxes can be made here.")
    return 1 if faults else 0


COMMANDS = {
    "release": release,
    "grade": grade,
    "explain": explain,
    "sheet": sheet,
    "merge": merge,
    "export": export,
    "doctor": doctor,
}

if __name__ == "__main__":
    sys.exit(main())
