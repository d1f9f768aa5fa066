"""What grading costs: seconds and memory a submission, as a course grows.

Submissions as a course hands them in, made from a lab's solution: nine in ten
are fine, with some questions left unwritten; one in twenty is slow, three in
a hundred hang, two in a hundred end their program.  They are graded in warm
boxes, two at a time, in courses of several sizes: seconds a submission and
memory should be the same in all of them.

    python benchmarks/grading.py               courses of 30, 100 and 300
    python benchmarks/grading.py --sizes 30    of these sizes
    python benchmarks/grading.py --beside 10   nbgrader and otter-grader too
    python benchmarks/grading.py --check       exit 1 above 0.25 s (median)
    python benchmarks/grading.py --record results/grading-speed.json

Beside the seconds on the clock stand those of the processor, `cpu_each`,
which a busy machine does not lengthen; a box that is begun anew is in them.
A hanging cell costs its whole time limit, which is 5 s here, and 60 s unless
a bundle says otherwise; the record names it.
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
from labgrade import box, bundle, course  # noqa: E402

LIMIT, WORKERS = 0.25, 2
LIMITS = {"cell": 5.0, "question": 5.0, "submission": 30.0}
ODD = {
    "slow": "import time\ntime.sleep(1)",
    "hang": "while True:\n    pass",
    "crash": "import os\nos._exit(1)",
}
KINDS = ["slow"] * 5 + ["hang"] * 3 + ["crash"] * 2 + ["fine"] * 90


def submissions(folder: Path, count: int) -> list[tuple[str, bytes]]:
    """Make *count* submissions, each with its kind; no two are alike."""
    given, solved = (
        json.loads((folder / f"{name}.ipynb").read_text("utf-8"))
        for name in ("lab", "solution")
    )
    empty = {cell["id"]: cell["source"] for cell in given["cells"]}
    made = []
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
        made.append((kind, text.encode()))
    return made


def below(pid: int) -> list[int]:
    """Return the children of a process: in a bubblewrap, its process 1."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def cpu(pid: int) -> float:
    """Return the seconds that a process and its dead children have used."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    ticks = text.rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


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
                own = box.memory(one.process.pid, one.ours) + one.ours
                self.most = max(self.most, own)
                for pid in (one.process.pid, *below(one.process.pid)):
                    self.used[pid] = max(self.used.get(pid, 0.0), cpu(pid))


def measured(count: int, folder: Path, made: bundle.Bundle) -> dict[str, Any]:
    """Grade a course of so many; return what it cost."""
    handed_in = submissions(folder, count)
    work = [
        course.Submission(f"{number:05} {kind}", content)
        for number, (kind, content) in enumerate(handed_in)
    ]
    watch, began = Peak(), time.monotonic()
    watch.start()
    with (
        tempfile.TemporaryDirectory() as where,
        ThreadPoolExecutor(WORKERS) as executor,
    ):
        # one for each worker first, so that the boxes are warm
        warm = [
            executor.submit(course.grade_chunk, [one], made.content, True)
            for one in work[:WORKERS]
        ]
        wait(warm)
        time.sleep(0.6)
        before = sum(watch.used.values())
        log = Path(where) / "log"
        began = time.monotonic()
        rows = course.grade_course(work, made, log, executor)
        took = time.monotonic() - began
    time.sleep(0.6)
    watch.over.set()
    course.end_boxes()
    all_ = sorted(row["seconds"] for row in rows)
    fine = [row["seconds"] for row in rows if "fine" in row["student"]]
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "submissions": count,
        "median": round(statistics.median(all_), 3),
        "median_of_fine": round(statistics.median(fine), 3),
        "p95": round(all_[int(0.95 * (count - 1))], 3),
        "total": round(took, 1),
        "seconds_each": round(took / count, 3),
        "cpu_each": round((sum(watch.used.values()) - before) / count, 3),
        "parent_mib": round(own / 2**20),
        "box_mib": round(watch.most / 2**20),
    }


# Other graders, on the same files

GRADERS = ROOT / ".venv" / "graders"
VERSIONS = {"nbgrader": "0.9.6", "otter-grader": "7.0.0"}
TEST = """\
from random import Random
from cnnbook import exercises
asked = exercises.questions()["{id}"]
given, right = (
    exercises.plain(asked.probe(answer, Random("{seed}")))
    for answer in ({name}, asked.reference)
)
assert asked.fault(given, right) is None
"""


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


def nbgrader(works: list[bytes], made: bundle.Bundle, where: Path) -> float:
    """Return nbgrader's seconds a submission."""
    for number, content in enumerate([works[0], *works]):
        at = where / "source" / "lab"
        if number:
            at = where / "submitted" / f"s{number}" / "lab"
        at.mkdir(parents=True)
        (at / "lab.ipynb").write_text(with_tests(content, made))
    call = [environment() / "nbgrader"]
    more = ["lab", f"--course-dir={where}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(
        [*call, "generate_assignment", *more], check=True, cwd=where, **quiet
    )
    began = time.monotonic()
    subprocess.run([*call, "autograde", *more], check=True, cwd=where, **quiet)
    took = time.monotonic() - began
    graded = list((where / "autograded").glob("*/lab/lab.ipynb"))
    if len(graded) != len(works):
        raise RuntimeError(f"nbgrader graded {len(graded)} of {len(works)}.")
    first = where / "autograded" / "s1" / "lab" / "lab.ipynb"
    for cell in json.loads(first.read_text())["cells"]:
        kinds = {output["output_type"] for output in cell.get("outputs", ())}
        if "nbgrader" in cell["metadata"] and "error" in kinds:
            raise RuntimeError("nbgrader refuses the solution.")
    return took / len(works)


def otter(works: list[bytes], made: bundle.Bundle, where: Path) -> float:
    """Return otter-grader's seconds a submission."""
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
    began = time.monotonic()
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
    return (time.monotonic() - began) / len(works)


def compared(count: int, folder: Path, made: bundle.Bundle) -> dict[str, Any]:
    """Grade the same fine submissions with all three, one after another."""
    handed_in = submissions(folder, 2 * count + 20)
    works = [content for kind, content in handed_in if kind == "fine"]
    lab_ = made.content["lab"].removeprefix("lab-")
    solution = (ROOT / "labs" / lab_ / "solution.ipynb").read_bytes()
    works = [solution, *works[: count - 1]]  # who refuses it, is no measure
    chunk = [course.Submission(str(n), work) for n, work in enumerate(works)]
    course.grade_chunk(chunk[:1], made.content, True)  # the box is warm
    rows = course.grade_chunk(chunk, made.content, True)
    course.end_boxes()
    ours = statistics.mean(row["seconds"] for row in rows)
    found = {"submissions": count, "labgrade": round(ours, 3)}
    for name, call in (("nbgrader", nbgrader), ("otter-grader", otter)):
        with tempfile.TemporaryDirectory() as where:
            seconds = call(works, made, Path(where))
        found[name] = round(seconds, 2)
        found[f"{name} / labgrade"] = round(seconds / ours, 1)
    return found


def main() -> int:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lab", default="resnet")
    parser.add_argument("--sizes", type=int, nargs="*", default=[30, 100, 300])
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
        rows.append(measured(count, folder, made))
        print(json.dumps(rows[-1]), flush=True)
    beside = {}
    if given.beside:
        beside = compared(given.beside, folder, made)
        print(json.dumps(beside))
    if given.record:
        record = {
            "lab": f"lab-{given.lab}",
            "questions": len(quick),
            "workers": WORKERS,
            "limits": LIMITS,
            "courses": rows,
            **({"beside": {**beside, "versions": VERSIONS}} if beside else {}),
            "hardware": f"CPU, {os.cpu_count()} cores",
            "load": round(os.getloadavg()[0], 1),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "date": datetime.date.today().isoformat(),
            "command": "python benchmarks/grading.py --sizes "
            + " ".join(map(str, given.sizes)),
        }
        text = json.dumps(record, indent=1) + "\n"
        given.record.write_text(text, "utf-8")
    return int(given.check and any(row["median"] > LIMIT for row in rows))


if __name__ == "__main__":
    sys.exit(main())
