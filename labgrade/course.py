"""A course: find the submissions, grade them side by side, keep a log.

The log is a line of JSON for each submission that was graded. A run that was
interrupted goes on from it, and so does one with new submissions: whatever
was graded already, with this bundle, is not graded again.
"""

from __future__ import annotations

import itertools
import json
import os
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
from labgrade.box import WORN, Box
from labgrade.bundle import Bundle
from labgrade.data import Unreadable
from labgrade.grade import blank, fingerprint, grade_twice

CHUNK = 20
"""Submissions that a worker takes at once, so that its box stays warm."""
Row = dict[str, Any]
"""What the log holds of a submission."""


@dataclass(frozen=True)
class Submission:
    """What a student handed in: where it lies, or why it is none."""

    student: str
    path: Path
    problem: str = ""

    @property
    def content(self) -> bytes:
        """Read it anew, so that a large course needs no more memory."""
        return self.problem.encode() or _content(self.path)


def collect(folder: Path) -> list[Submission]:
    """Return the submissions of a folder, by student.

    A submission is a notebook, a folder or a zip file with one; its name is
    the student's. Nothing is unpacked to the disk, and no link is followed.
    """
    found: dict[str, Submission] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__")):
            continue
        folded = path.is_dir() and not path.is_symlink()
        student = name_of(path.name if folded else path.stem)
        problem = "handed in twice" if student in found else ""
        try:
            _content(path)
        except Unreadable as error:
            problem = problem or str(error)
        found[student] = Submission(student, path, problem)
    return [found[student] for student in sorted(found)]


def name_of(text: str) -> str:
    """Return a student's name: one line, written in one way."""
    text = unicodedata.normalize("NFC", text)
    return "".join(c if c.isprintable() else "?" for c in text)


def _content(path: Path) -> bytes:
    if path.is_symlink():
        raise Unreadable("it is a link")
    if path.is_dir():
        inside = [p for p in sorted(path.rglob("*.ipynb")) if _plain(p, path)]
        return notebook.read(_only(inside))
    if path.suffix == ".zip":
        return _zipped(path)
    if path.suffix != ".ipynb":
        raise Unreadable("it is no notebook")
    return notebook.read(path)


def _plain(path: Path, folder: Path) -> bool:
    """Whether neither a file nor a folder above it is a link or hidden."""
    parts = path.relative_to(folder).parts
    above = [folder.joinpath(*parts[: n + 1]) for n in range(len(parts))]
    hidden = any(part.startswith((".", "__")) for part in parts)
    return not hidden and not any(part.is_symlink() for part in above)


def _only(found: list) -> Any:
    if len(found) != 1:
        raise Unreadable(f"it holds {len(found)} notebooks, not one")
    return found[0]


def _zipped(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [
                name
                for name in archive.namelist()
                if name.endswith(".ipynb")
                and not name.startswith("__MACOSX")
                and ".ipynb_checkpoints" not in name
            ]
            with archive.open(_only(inside)) as file:
                return file.read(notebook.LARGEST + 1)
    except (zipfile.BadZipFile, RuntimeError, OSError, EOFError) as error:
        why = str(error) or type(error).__name__
        raise Unreadable(f"its zip file is broken ({why})") from None


# A worker, here or elsewhere

_here = threading.local()
_numbers = itertools.count(17 * os.getpid())  # not those of another process
_open: set[Box] = set()


def _box(bundle: Bundle, isolated: bool) -> Box:
    """Return this thread's box; a fresh one for another lab, or if worn."""
    box = getattr(_here, "box", None)
    wanted = (*bundle.kit, isolated)
    if box is None or box.used >= WORN or (*box.kit, box.isolated) != wanted:
        if box:
            box.close()
            _open.discard(box)
        _here.box = box = bundle.box(next(_numbers) % 1000, isolated)
        _open.add(box)
    return box


def grade_chunk(
    chunk: list[tuple[str, bytes, str]], content: Row, isolated: bool
) -> list[Row]:
    """Grade some submissions in this thread's box, which stays warm.

    Each is a student, what was handed in, and why it cannot be read.
    """
    bundle, results = Bundle(content), []
    for student, handed_in, problem in chunk:
        own, began = bundle.of(student), time.monotonic()
        if problem:
            row = blank(own, handed_in, "unreadable", problem)
        else:
            row = grade_twice(
                handed_in, own, lambda own=own: _box(own, isolated)
            )
        row |= {"student": student, "isolated": isolated}
        row["seconds"] = round(time.monotonic() - began, 3)
        results.append(row)
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
    ahead: int = 8,
) -> list[Row]:
    """Grade what the log does not hold yet; return all, in their order.

    So many chunks are handed out at once, *ahead*, and lie in memory.
    """
    known = {_key(row): row for row in lines(log) if "run" not in row}
    keys = [
        (
            one.student,
            fingerprint(one.content),
            bundle.of(one.student).hash,
            isolated,
        )
        for one in submissions
    ]
    left = [
        one
        for one, key in zip(submissions, keys, strict=True)
        if key not in known
    ]
    with log.open("a", encoding="utf-8") as file:
        file.write("\n" if file.tell() else "")  # a line was cut off, perhaps
        for row in _graded(left, bundle, executor, isolated, ahead):
            file.write(json.dumps(row, sort_keys=True) + "\n")
            file.flush()
        file.write(json.dumps({"run": keys}) + "\n")
    return latest(log)


def _key(row: Row) -> tuple[str, str, str, bool]:
    """Return what a row of the log is the result of."""
    words = ("student", "submission", "bundle", "isolated")
    return tuple(row[word] for word in words)


def latest(log: Path) -> list[Row]:
    """Return the results of the last run that came to its end."""
    known, keys = {}, []
    for row in lines(log):
        if "run" in row:
            keys = row["run"]
        else:
            known[_key(row)] = row
    return [known[tuple(key)] for key in keys]


def lines(log: Path) -> Iterator[Row]:
    """Read the log; a last line that was cut off is left out."""
    if log.exists():
        for line in log.read_text("utf-8").splitlines():
            with suppress(ValueError):
                yield json.loads(line)


def _graded(
    left: list[Submission],
    bundle: Bundle,
    executor: Executor,
    isolated: bool,
    ahead: int,
) -> Iterator[Row]:
    """Yield results as they come; a chunk that is lost is graded again."""
    began, count = time.monotonic(), 0
    size = min(CHUNK, max(1, len(left) // 8))
    chunks = [(left[n : n + size], 1) for n in range(0, len(left), size)]
    waiting: dict[Future, tuple[list, int]] = {}
    while chunks or waiting:
        while chunks and len(waiting) < ahead:
            chunk, tries = chunks.pop(0)
            content = bundle.part({one.student for one in chunk}).content
            work = [(one.student, one.content, one.problem) for one in chunk]
            future = executor.submit(grade_chunk, work, content, isolated)
            waiting[future] = (chunk, tries)
        future = next(as_completed(list(waiting)))
        chunk, tries = waiting.pop(future)
        try:
            results = future.result()
        except Exception:
            if tries == 3:
                raise
            chunks.append((chunk, tries + 1))
            continue
        yield from results
        count += len(results)
        pace = (time.monotonic() - began) / count
        text = f"{count} of {len(left)} graded, "
        text += f"{pace * (len(left) - count):.0f} s left"
        end = "\n" if count == len(left) or not sys.stderr.isatty() else "\r"
        print(f"{text:<60}", end=end, file=sys.stderr, flush=True)
