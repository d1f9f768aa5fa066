"""labgrade on a Dask cluster: the same marks, a lost worker, nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import distributed
import pytest
import tiny
from conftest import ROOT

from labgrade import bundle as bundles

SLOW = "import time\ntime.sleep(0.5)\ndef area(h, w):\n    return h * w"
WORKS = {
    "right": {},
    "wrong": {"area": "def area(h, w):\n    return h + w"},
    "empty": {"block": "Block = 3"},
    "ended": {"counts": "import os\nos._exit(1)"},
    **{f"slow {n}": {"area": SLOW} for n in range(8)},
}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle and submissions; their marks, graded on one worker here."""
    where = tmp_path_factory.mktemp("course")
    made = bundles.release(tiny.folder(where), b"a secret")
    (where / "bundle.json").write_text(made.text())
    (where / "in").mkdir()
    for name, changes in WORKS.items():
        work = tiny.handed_in(changes)
        (where / "in" / f"{name}.ipynb").write_bytes(work)
    assert grading(where, "here", "-j", "1").wait() == 0
    return where


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    """Two workers, each a process with one thread."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
    ) as made:
        yield made


def grading(where: Path, out: str, *more: str) -> subprocess.Popen:
    """Begin to grade the course into a folder of its own."""
    words = ["grade", where / "in", "--bundle", where / "bundle.json"]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "labgrade",
            *words,
            "--out",
            where / out,
            *more,
        ],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )


def marks(where: Path, out: str) -> bytes:
    """Return the table of marks."""
    return (where / out / "grades.csv").read_bytes()


def below(pid: int) -> set[int]:
    """Return the processes that a process has started, and theirs."""
    found: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found |= {child} | below(child)
    return found


def boxes(pids: set[int]) -> set[int]:
    """Return those of these processes that belong to a box."""
    found = set()
    for pid in pids:
        line = Path(f"/proc/{pid}/cmdline")
        if line.exists() and b"labgrade/worker.py" in line.read_bytes():
            found.add(pid)
    return found


def soon(true, seconds: float = 120) -> bool:
    """Wait until something is so, for two minutes at most."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.1)
    return true()


def test_a_cluster_gives_the_same_marks(course: Path, cluster) -> None:
    address = cluster.scheduler_address
    assert grading(course, "dask", "--dask", address).wait() == 0
    assert marks(course, "dask") == marks(course, "here")
    assert b"slow 7,10" in marks(course, "here")


def test_a_killed_worker_costs_nothing_and_leaves_nothing(
    course: Path, cluster
) -> None:
    lost = next(iter(cluster.workers.values())).pid
    log = course / "lost" / "log.jsonl"
    run = grading(course, "lost", "--dask", cluster.scheduler_address)
    assert soon(lambda: log.exists() and log.read_text().count("\n") >= 2)
    left = boxes(below(lost))
    assert left
    assert run.poll() is None
    os.kill(lost, signal.SIGKILL)
    assert run.wait() == 0
    assert marks(course, "lost") == marks(course, "here")
    assert soon(lambda: not boxes(left))
    workers = {nanny.pid for nanny in cluster.workers.values()}
    assert lost not in workers
    alive = {pid for worker in workers for pid in boxes(below(worker))}
    assert alive  # warm, for the next course
    cluster.close()
    assert soon(lambda: not boxes(alive))


# The checks of this file, seen to fail


def test_other_marks_and_a_box_that_is_left_are_seen(course: Path) -> None:
    work = course / "in" / "slow 7.ipynb"
    kept = work.read_bytes()
    work.write_bytes(tiny.handed_in(WORKS["wrong"]))
    assert grading(course, "other", "-j", "1").wait() == 0
    work.write_bytes(kept)
    assert marks(course, "other") != marks(course, "here")
    words = ["-c", "import time; time.sleep(99)", "labgrade/worker.py"]
    left = subprocess.Popen([sys.executable, *words])
    assert soon(lambda: boxes(below(os.getpid())) == {left.pid})
    assert not soon(lambda: not boxes({left.pid}), seconds=0.3)
    left.kill()
    left.wait()
    assert not boxes({left.pid})
