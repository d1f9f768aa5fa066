"""A course: find the submissions, grade them side by side, keep a log.

The log is a line of JSON for each submission that was graded. A run that was
interrupted goes on from it, and so does one with new submissions: whatever
was graded already, with this bundle, is not graded again.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
import unicodedata
import zipfile
from collections.abc import Iterator
from concurrent.futures import Executor, Future, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labgrade import notebook
from labgrade.bundle import Bundle
from labgrade.grade import blank, fingerprint, grade_twice

CHUNK = 20
"""Submissions that a worker takes at once, so that its box stays warm."""
WORN = 200
"""Submissions after which a box is replaced."""


@dataclass(frozen=True)
class Submission:
    """What a student handed in: bytes, or why there are none."""

    student: str
    content: bytes = b""
    problem: str = ""


def collect(folder: Path) -> list[Submission]:
    """Return the submissions of a folder, by student.

    A submission is a notebook, a folder or a zip file with one; its name is
    the student's. Nothing is unpacked to the disk, and no link is followed.
    """
    found: dict[str, Submission] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__")):
            continue
        student = unicodedata.normalize("NFC", path.stem)
        if path.is_dir() and not path.is_symlink():
            student = unicodedata.normalize("NFC", path.name)
        student = "".join(c if c.isprintable() else "?" for c in student)
        if student in found:
            found[student] = Submission(student, problem="handed in twice")
            continue
        try:
            found[student] = Submission(student, _content(path))
        except notebook.Unreadable as error:
            found[student] = Submission(student, problem=str(error))
    return [found[student] for student in sorted(found)]


def _content(path: Path) -> bytes:
    if path.is_symlink():
        raise notebook.Unreadable("it is a link")
    if path.is_dir():
        inside = [p for p in sorted(path.rglob("*.ipynb")) if _plain(p, path)]
        return notebook.read(_only(inside))
    if path.suffix == ".zip":
        return _zipped(path)
    if path.suffix != ".ipynb":
        raise notebook.Unreadable("it is no notebook")
    return notebook.read(path)


def _plain(path: Path, folder: Path) -> bool:
    """Whether neither a file nor a folder above it is a link or hidden."""
    parts = path.relative_to(folder).parts
    above = [folder.joinpath(*parts[: n + 1]) for n in range(len(parts))]
    hidden = any(part.startswith((".", "__")) for part in parts)
    return not hidden and not any(part.is_symlink() for part in above)


def _only(found: list) -> Any:
    if len(found) != 1:
        raise notebook.Unreadable(f"it holds {len(found)} notebooks, not one")
    return found[0]


def _zipped(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [
                entry
                for entry in archive.infolist()
                if entry.filename.endswith(".ipynb")
                and not entry.filename.startswith("__MACOSX")
                and ".ipynb_checkpoints" not in entry.filename
            ]
            entry = _only(entries)
            with archive.open(entry) as file:
                content = file.read(notebook.LARGEST + 1)
    except (zipfile.BadZipFile, RuntimeError, OSError, EOFError) as error:
        why = str(error) or type(error).__name__
        raise notebook.Unreadable(f"its zip file is broken ({why})") from None
    return content


# A worker, here or elsewhere

_here = threading.local()
_numbers = itertools.count()
_open: set[Any] = set()


def grade_chunk(
    chunk: list[tuple[str, bytes]], content: dict[str, Any], isolated: bool
) -> list[dict[str, Any]]:
    """Grade some submissions in this thread's box, which stays warm."""
    bundle = Bundle(content)
    results = []
    for student, submitted in chunk:
        box = getattr(_here, "box", None)
        if box and (box.used >= WORN or _here.hash != bundle.hash):
            box.close()
            box = None

        def fresh() -> Any:
            _open.add(made := bundle.box(next(_numbers) % 1000, isolated))
            return made

        began = time.monotonic()
        result, _here.box = grade_twice(
            submitted, bundle, box or fresh(), fresh
        )
        _here.hash = bundle.hash
        seconds = round(time.monotonic() - began, 3)
        results.append({"student": student, **result, "seconds": seconds})
    return results


def end_boxes() -> None:
    """Close every box that this process has opened."""
    while _open:
        _open.pop().close()


# The whole course


def grade_course(
    submissions: list[Submission],
    bundle: Bundle,
    log: Path,
    executor: Executor,
    isolated: bool = True,
) -> list[dict[str, Any]]:
    """Grade what the log does not hold yet; return all, in their order."""
    known = {
        (row["student"], row["submission"]): row
        for row in rows(log)
        if row["bundle"] == bundle.hash
    }
    done: dict[str, dict[str, Any]] = {}
    left = []
    for one in submissions:
        key = (one.student, fingerprint(one.content))
        if one.problem:
            row = blank(bundle, one.content, "unreadable", one.problem)
            done[one.student] = {"student": one.student, **row, "seconds": 0}
        elif key in known:
            done[one.student] = known[key]
        else:
            left.append((one.student, one.content))
    size = min(CHUNK, max(1, len(left) // 8))
    chunks = [left[i : i + size] for i in range(0, len(left), size)]
    with log.open("a", encoding="utf-8") as file:
        file.write("\n" if file.tell() else "")  # a line was cut off, perhaps
        for row in _graded(chunks, bundle, executor, isolated, len(left)):
            file.write(json.dumps(row, sort_keys=True) + "\n")
            file.flush()
            done[row["student"]] = row
    return [done[one.student] for one in submissions]


def rows(log: Path) -> Iterator[dict[str, Any]]:
    """Read the log; a last line that was cut off is left out."""
    if log.exists():
        for line in log.read_text("utf-8").splitlines():
            with suppress(ValueError):
                yield json.loads(line)


def _graded(
    chunks: list, bundle: Bundle, executor: Executor, isolated: bool, all_: int
) -> Iterator[dict[str, Any]]:
    """Yield results as they come; a chunk that is lost is graded again."""
    began, count = time.monotonic(), 0
    waiting: dict[Future, tuple[list, int]] = {}

    def submit(chunk: list, tries: int) -> None:
        future = executor.submit(grade_chunk, chunk, bundle.content, isolated)
        waiting[future] = (chunk, tries)

    for chunk in chunks:
        submit(chunk, 1)
    while waiting:
        future = next(as_completed(list(waiting)))
        chunk, tries = waiting.pop(future)
        try:
            results = future.result()
        except Exception:
            if tries == 3:
                raise
            submit(chunk, tries + 1)
            continue
        for row in results:
            count += 1
            yield row
        pace = (time.monotonic() - began) / count
        text = f"{count} of {all_} graded, {pace * (all_ - count):.0f} s left"
        end = "\n" if count == all_ or not sys.stderr.isatty() else "\r"
        print(f"{text:<60}", end=end, file=sys.stderr, flush=True)
