"""What grading costs: seconds and memory a submission, as a course grows.

Submissions as a course hands them in, made from a lab's solution: nine in ten
are fine, with some questions left unwritten; one in twenty is slow, three in
a hundred hang, two in a hundred end their program.  They are graded in warm
boxes, two at a time, in courses of several sizes: seconds a submission and
memory should be the same in all of them.

    python benchmarks/grading.py               a course of 300
    python benchmarks/grading.py --sizes 30 300 3000    of these sizes
    python benchmarks/grading.py --beside 10   nbgrader and otter-grader too
    python benchmarks/grading.py --check       exit 1 above 0.25 s (median)
    python benchmarks/grading.py --record results/grading-speed.json

Beside the seconds on the clock stand those of the processor, `cpu_each`,
which a busy machine does not lengthen: the parent's and the boxes'; a box
that is begun anew is in them.  `box_mib` is the most that a box ever took
with all its processes, `idle_box_mib` what the boxes took before the first
submission and after the last.  A hanging cell costs its whole time limit,
which is 5 s here, and 60 s unless a bundle says otherwise; the record names
it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import venv
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["CNNBOOK_SCALE"] = "smoke"
os.environ["OMP_NUM_THREADS"] = "1"

import torch  # noqa: E402

from cnnbook import lab  # noqa: E402
from labgrade import box, bundle, course, notebook  # noqa: E402

LIMIT, WORKERS, MIB = 0.25, 2, 2**20
LIMITS = {"cell": 5.0, "question": 5.0, "submission": 30.0}
ODD = {
    "slow": "import time\ntime.sleep(1)",
    "hang": "while True:\n    pass",
    "crash": "import os\nos._exit(1)",
}
KINDS = ["slow"] * 5 + ["hang"] * 3 + ["crash"] * 2 + ["fine"] * 90


def submissions(folder: Path, count: int) -> Iterator[tuple[str, bytes]]:
    """Make *count* submissions, each with its kind; no two are alike."""
    given, solved = (
        json.loads((folder / f"{name}.ipynb").read_text("utf-8"))
        for name in ("lab", "solution")
    )
    empty = {cell["id"]: cell["source"] for cell in given["cells"]}
    kinds = KINDS * -(-count // len(KINDS))
    Random(0).shuffle(kinds)
    for number, kind in enumerate(kinds[:count]):
        draw = Random(f"{kind} {number}")
        cells = [dict(cell) for cell in solved["cells"]]
        answers = [
            cell
            for cell in cells
            if cell["cell_type"] == "code"
            and empty.get(cell["id"], cell["source"]) != cell["source"]
        ]
        for cell in draw.sample(answers, draw.choice([0, 0, 1, 2])):
            cell["source"] = empty[cell["id"]]
        cell, more = draw.choice(answers), ODD.get(kind, "")
        text = "".join(cell["source"])
        cell["source"] = f"{text}\n{more}\n# student {number}"
        text = json.dumps({**solved, "cells": cells})
        yield kind, text.encode()


def cpu(pid: int) -> float:
    """Return the seconds that a process and its dead children have used."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    ticks = text.rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def taken(one: box.Box) -> int:
    """Return the memory of a box and all that runs in it."""
    return box.memory(one.process.pid, one.ours) + one.ours


class Peak(threading.Thread):
    """Watches the memory and the processor time of this process's boxes."""

    def __init__(self) -> None:
        """Begin at nothing."""
        super().__init__(daemon=True)
        self.most, self.over = 0, threading.Event()
        self.used: dict[int, float] = {}

    def run(self) -> None:
        """Look four times a second."""
        while not self.over.wait(0.25):
            for one in list(course._open):
                self.most = max(self.most, taken(one))
                for pid in (one.process.pid, *box.below(one.process.pid)):
                    self.used[pid] = max(self.used.get(pid, 0.0), cpu(pid))

    def seconds(self) -> float:
        """Return the processor time of boxes, and of this process."""
        time.sleep(0.6)  # until it has looked
        return sum(self.used.values()) + time.process_time()


def measured(
    handed_in: Iterable[tuple[str, bytes]], made: bundle.Bundle
) -> dict[str, Any]:
    """Grade a course of these submissions; return what it cost."""
    watch = Peak()
    with (
        tempfile.TemporaryDirectory() as where,
        ThreadPoolExecutor(WORKERS) as executor,
    ):
        folder = Path(where) / "submissions"
        folder.mkdir()
        for number, (kind, content) in enumerate(handed_in):
            (folder / f"{number:05} {kind}.ipynb").write_bytes(content)
        # one for each worker first, so that the boxes are warm
        first = [("", content, "")]
        wait(
            [
                executor.submit(course.grade_chunk, first, made.content, True)
                for _ in range(WORKERS)
            ]
        )
        watch.start()
        idle = [max(map(taken, course._open))]
        used, began = watch.seconds(), time.monotonic()
        rows = course.grade_course(
            course.collect(folder), made, Path(where) / "log", executor
        )
        took, used = time.monotonic() - began, watch.seconds() - used
        idle.append(max(map(taken, course._open)))
    watch.over.set()
    course.end_boxes()
    count, all_ = len(rows), sorted(row["seconds"] for row in rows)
    fine = [row["seconds"] for row in rows if "fine" in row["student"]]
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "submissions": count,
        "median": round(statistics.median(all_), 3),
        "median_of_fine": round(statistics.median(fine), 3),
        "p95": round(all_[int(0.95 * (count - 1))], 3),
        "total": round(took, 1),
        "seconds_each": round(took / count, 3),
        "cpu_each": round(used / count, 3),
        "parent_mib": round(own / MIB),
        "box_mib": round(watch.most / MIB),
        "idle_box_mib": [round(one / MIB) for one in idle],
    }


def too_slow(courses: list[dict[str, Any]]) -> bool:
    """Whether a course was graded more slowly than is asked."""
    return any(one["median"] > LIMIT for one in courses)


# Other graders, on the same files

GRADERS = ROOT / ".venv" / "graders"
VERSIONS = {"nbgrader": "0.9.6", "otter-grader": "7.0.0"}
TEST = """\
from random import Random
from cnnbook import exercises
asked = exercises.find("{id}")
given, right = (
    exercises.plain(asked.probe(answer, Random("{seed}")))
    for answer in ({name}, asked.reference)
)
assert asked.fault(given, right) is None
"""


Cost = tuple[float, float]
"""Seconds on the clock and of the processor, for a submission."""


def children() -> float:
    """Return the seconds of the processor that ended children have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def environment() -> Path:
    """Return an environment with the other graders, and with our torch."""
    python = GRADERS / "bin" / "python"
    if not python.exists():
        venv.create(GRADERS, with_pip=True)
        wanted = [f"{name}=={number}" for name, number in VERSIONS.items()]
        subprocess.run(
            [python, "-m", "pip", "install", "-q", *wanted], check=True
        )
    theirs = next((GRADERS / "lib").glob("python*/site-packages"))
    if str(GRADERS) not in os.environ["PATH"]:  # nbgrader calls alembic
        os.environ["PATH"] = f"{GRADERS / 'bin'}:{os.environ['PATH']}"
    ours = sysconfig.get_path("purelib")
    # not a path alone: the library's own .pth must be read there too
    line = f"import site; site.addsitedir({ours!r})"
    (theirs / "ours.pth").write_text(f"{line}\n{ROOT}\n")
    return GRADERS / "bin"


def with_tests(content: bytes, made: bundle.Bundle) -> str:
    """Return a notebook with nbgrader's marks and a test a question."""
    nb = json.loads(content)
    for cell in nb["cells"]:
        cell["metadata"] = {}
    for question in made.questions:
        marks = {
            "grade": True,
            "locked": True,
            "solution": False,
            "task": False,
            "schema_version": 3,
            "points": question["points"],
            "grade_id": question["id"].replace(".", "-"),
        }
        cell = {
            "cell_type": "code",
            "id": question["id"].replace(".", "-"),
            "metadata": {"nbgrader": marks},
            "source": TEST.format(**question),
            "outputs": [],
            "execution_count": None,
        }
        nb["cells"].append(cell)
    return json.dumps(nb)


def nbgrader(works: list[bytes], made: bundle.Bundle, where: Path) -> Cost:
    """Return what nbgrader takes."""
    for number, content in enumerate([works[0], *works]):
        at = where / "source" / "lab"
        if number:
            at = where / "submitted" / f"s{number}" / "lab"
        at.mkdir(parents=True)
        (at / "lab.ipynb").write_text(with_tests(content, made))
    call = [environment() / "nbgrader"]
    more = ["lab", f"--course-dir={where}"]
    more += ["--ExecutePreprocessor.timeout=600"]  # on a busy machine
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(
        [*call, "generate_assignment", *more], check=True, cwd=where, **quiet
    )
    before, began = children(), time.monotonic()
    subprocess.run([*call, "autograde", *more], check=True, cwd=where, **quiet)
    took, used = time.monotonic() - began, children() - before
    graded = list((where / "autograded").glob("*/lab/lab.ipynb"))
    if len(graded) != len(works):
        raise RuntimeError(f"nbgrader graded {len(graded)} of {len(works)}.")
    first = where / "autograded" / "s1" / "lab" / "lab.ipynb"
    for cell in json.loads(first.read_text())["cells"]:
        kinds = {output["output_type"] for output in cell.get("outputs", ())}
        if "nbgrader" in cell["metadata"] and "error" in kinds:
            raise RuntimeError("nbgrader refuses the solution.")
    return took / len(works), used / len(works)


def otter(works: list[bytes], made: bundle.Bundle, where: Path) -> Cost:
    """Return what otter-grader takes."""
    with zipfile.ZipFile(where / "autograder.zip", "w") as archive:
        archive.writestr("otter_config.json", "{}")
        for question in made.questions:
            name = question["id"].replace(".", "_").replace("-", "_")
            first, *rest = TEST.format(**question).splitlines()
            lines = [f">>> {first}"]
            lines += [
                f"{'... ' if line.startswith((' ', ')')) else '>>> '}{line}"
                for line in rest
            ]
            case = {"code": "\n".join(lines), "hidden": False, "locked": False}
            suite = {"cases": [case], "scored": True, "type": "doctest"}
            test = {
                "name": name,
                "points": question["points"],
                "suites": [suite],
            }
            archive.writestr(
                f"tests/{name}.py", f"OK_FORMAT = True\ntest = {test!r}\n"
            )
    before, began = children(), time.monotonic()
    for number, content in enumerate(works):
        out = where / f"out{number}"
        out.mkdir()
        work = where / f"s{number}.ipynb"
        work.write_bytes(content)
        words = ["run", "--no-logo", "-a", where / "autograder.zip"]
        subprocess.run(
            [environment() / "otter", *words, "-o", out, work],
            check=True,
            cwd=where,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if not (out / "results.json").exists():
            raise RuntimeError("otter-grader gave no result.")
        tests = json.loads((out / "results.json").read_text())["tests"]
        scored = sum(test.get("score", 0) for test in tests)
        if not number and scored != sum(q["points"] for q in made.questions):
            raise RuntimeError("otter-grader refuses the solution.")
    took, used = time.monotonic() - began, children() - before
    return took / len(works), used / len(works)


def labgrade(works: list[bytes], made: bundle.Bundle, where: Path) -> Cost:
    """Return what labgrade takes, its box warm."""
    chunk = [(str(number), work, "") for number, work in enumerate(works)]
    watch = Peak()
    watch.start()
    course.grade_chunk(chunk[:1], made.content, True)
    before, began = watch.seconds(), time.monotonic()
    rows = course.grade_chunk(chunk, made.content, True)
    took = time.monotonic() - began
    used = watch.seconds() - before
    watch.over.set()
    course.end_boxes()
    if any(sum(row["marks"].values()) == 0 for row in rows):
        raise RuntimeError("labgrade refuses a submission.")
    return took / len(works), used / len(works)


def bare(content: bytes, made: bundle.Bundle) -> bytes:
    """Return a notebook with the cells alone that matter for a question."""
    nb = json.loads(content)
    wanted = {question["name"] for question in made.questions}
    cells = notebook.code(notebook.parse(content))
    kept = {cell.number for cell in notebook.needed(cells, wanted)}
    nb["cells"] = [c for n, c in enumerate(nb["cells"]) if n in kept]
    return json.dumps(nb).encode()


GRADE = {"labgrade": labgrade, "nbgrader": nbgrader, "otter-grader": otter}
INCLUDES = {
    "labgrade": "a warm box and one process; only cells that matter run. Not "
    "in it: the start of a box, once in 200 submissions",
    "nbgrader": "one call of `nbgrader autograde` for all submissions, with "
    "its own start; for each a kernel that imports torch, runs every cell, "
    "trainings too, and the tests. Not in it: `generate_assignment`",
    "otter-grader": "a call of `otter run` for each submission, with the "
    "start of Python and of a kernel that imports torch, runs every cell, "
    "trainings too, and the tests",
}


def compared(count: int, folder: Path, made: bundle.Bundle) -> dict[str, Any]:
    """Grade the same fine submissions with all three, one after another.

    Then once more without the cells that labgrade would not run: that much
    of the difference is not the choice of cells.
    """
    handed_in = submissions(folder, 2 * count + 20)
    works = [content for kind, content in handed_in if kind == "fine"]
    solution = (folder / "solution.ipynb").read_bytes()
    works = [solution, *works[: count - 1]]  # who refuses it, is no measure
    found: dict[str, Any] = {"submissions": count, "includes": INCLUDES}
    for kind, files in (
        ("as handed in", works),
        ("cells that matter", [bare(work, made) for work in works]),
    ):
        costs = {}
        for name, call in GRADE.items():
            with tempfile.TemporaryDirectory() as where:
                costs[name] = call(files, made, Path(where))
            print(kind, name, *(f"{c:.3f}" for c in costs[name]), flush=True)
        ours = costs["labgrade"]
        found[kind] = {
            name: {
                "seconds": round(cost[0], 3),
                "cpu": round(cost[1], 3),
                "times labgrade's seconds": round(cost[0] / ours[0], 1),
                "times labgrade's cpu": round(cost[1] / ours[1], 1),
            }
            for name, cost in costs.items()
        }
    return found


def main() -> int:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lab", default="resnet")
    parser.add_argument("--sizes", type=int, nargs="*", default=[300])
    parser.add_argument("--beside", type=int, default=0)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--record", type=Path)
    given = parser.parse_args()
    lab.scale("smoke")
    folder = ROOT / "labs" / given.lab
    made = bundle.release(folder, b"the benchmark's")
    quick = [q for q in made.questions if "images" not in q]
    made = bundle.Bundle(
        {**made.content, "questions": quick, "limits": LIMITS}
    )
    rows = []
    for count in given.sizes:
        rows.append(measured(submissions(folder, count), made))
        print(json.dumps(rows[-1]), flush=True)
    beside = {}
    if given.beside:
        beside = compared(given.beside, folder, made)
        print(json.dumps(beside))
    if given.record:
        exists = given.record.exists()
        record = json.loads(given.record.read_text("utf-8")) if exists else {}
        about = {
            "hardware": f"CPU, {os.cpu_count()} cores",
            "load": round(os.getloadavg()[0], 1),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "date": datetime.date.today().isoformat(),
            "command": "python benchmarks/grading.py "
            + " ".join(word for word in sys.argv[1:] if word != "--check"),
        }
        record |= {"lab": f"lab-{given.lab}", "questions": len(quick)}
        record |= {"workers": WORKERS, "limits": LIMITS}
        if rows:
            record |= {"limit_of_the_median": LIMIT, "courses": rows, **about}
        if beside:
            record["beside"] = {**beside, "versions": VERSIONS, **about}
        text = json.dumps(record, indent=1) + "\n"
        given.record.write_text(text, "utf-8")
    return int(given.check and too_slow(rows))


if __name__ == "__main__":
    sys.exit(main())
