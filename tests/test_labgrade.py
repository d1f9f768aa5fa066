"""labgrade: what an honest course sees, and what hostile notebooks get."""

from __future__ import annotations

import ast
import contextlib
import csv
import importlib.util
import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import tokenize
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import pytest
import tiny
import torch

from labgrade import box as boxes
from labgrade import bundle as bundles
from labgrade import course, data, desk, notebook, report
from labgrade.grade import grade

ROOT = Path(__file__).resolve().parents[1]
SECRET = b"a secret"
FULL = [3, 4, 1, 2]
QUICK = {"cell": 3.0, "question": 2.0, "submission": 12.0}


@pytest.fixture(scope="module", autouse=True)
def small_scale():
    """Have every number in float64, as in the boxes."""
    kept = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(kept)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny lab, in a folder of its own."""
    return tiny.folder(tmp_path_factory.mktemp("labs"))


@pytest.fixture(scope="module")
def bundle(lab: Path) -> bundles.Bundle:
    """Its bundle, with short limits."""
    made = bundles.release(lab, SECRET)
    return bundles.Bundle({**made.content, "limits": QUICK})


@pytest.fixture(scope="module")
def box(bundle: bundles.Bundle):
    """A box that all tests share, and that they may well break."""
    made = bundle.box()
    yield made
    made.close()


def marks(result: dict) -> list[int]:
    """Return the points of the four questions."""
    return list(result["marks"].values())


# Honest work


def test_right_work_gets_every_point(bundle, box) -> None:
    result = grade(tiny.handed_in({}), bundle, box)
    assert marks(result) == FULL
    assert set(result["remarks"].values()) == {"Right."}
    assert result["review"] == []


def test_untouched_work_gets_none(bundle, box, lab) -> None:
    result = grade((lab / "lab.ipynb").read_bytes(), bundle, box)
    assert marks(result) == [0, 0, 0, 0]
    assert result["remarks"]["lab-tiny_lab.q1"] == "It is not written yet."


@pytest.mark.parametrize(
    ("changes", "points", "remark"),
    [
        (
            {"area": "def area(h, w):\n    return h + w"},
            [0, 4, 1, 2],
            "That is half of the way round.",
        ),
        (
            {"area": "area = lambda width, height: sum([width] * height)"},
            FULL,
            "Right.",
        ),
        ({"area": "def area(h, w):\n    1 / 0"}, [0, 4, 1, 2], "ZeroDiv"),
        ({"area": "1 / 0"}, [0, 4, 1, 2], "There is no area"),
        ({"area": "def area(h, w)\n    return"}, [0, 4, 1, 2], "is no area"),
        ({"area": "area = 12"}, [0, 4, 1, 2], "a function is wanted"),
        (
            {"area": "%pip install x\n!ls\ndef area(h, w): return h*w"},
            FULL,
            "",
        ),
        (
            {
                "area": "from math import prod\nones = [1]",
                "check-1": "def grow():\n    ones.append(1)\ngrow()",
                "counts": "counts = [28 * 28 * 48, 28 * 28 * 6, 2352]\n"
                "def area(h, w): return prod([h, w]) * (len(ones) - 1)",
            },
            FULL,
            "Right.",
        ),
    ],
)
def test_each_answer_gets_what_it_deserves(
    bundle, box, changes: dict, points: list[int], remark: str
) -> None:
    result = grade(tiny.handed_in(changes), bundle, box)
    assert marks(result) == points
    assert remark in result["remarks"]["lab-tiny_lab.q1"]


def test_old_notebooks_are_read(bundle, box) -> None:
    assert marks(grade(tiny.old_format(), bundle, box)) == FULL


# Hostile work: a cell behind the setup, and what it may cost

FORGED = """
import os
for number in range(3, 60):
    try:
        os.write(number, b'{"dict": {"data": 1}}\\n')
    except OSError:
        pass
"""
LIAR = """
class Liar(int):
    __hash__ = None
    def __eq__(self, other): return True
    def __ne__(self, other): return False
class Shape(torch.Tensor):
    @property
    def shape(self): return (3,)
"""
ABSTRACT = "\0labgrade waits here"
HOSTILE: dict[str, tuple[dict[str, str], str, list[int]]] = {
    "loops at the top": ({}, "while True: pass", FULL),
    "loops in an answer": (
        {"area": "def area(h, w):\n    while True: pass"},
        "",
        [0, 4, 1, 2],
    ),
    "sleeps in an answer": (
        {"area": "import time\ndef area(h, w):\n    time.sleep(99)"},
        "",
        [0, 4, 1, 2],
    ),
    "exits": ({"area": "import os\nos._exit(0)"}, "", [0, 4, 1, 2]),
    "exits in an answer": (
        {"area": "import os\ndef area(h, w):\n    os._exit(0)"},
        "",
        [0, 4, 1, 2],
    ),
    "raises SystemExit": ({"area": "raise SystemExit"}, "", [0, 4, 1, 2]),
    "crashes the interpreter": (
        {"area": "import ctypes\nctypes.string_at(0)"},
        "",
        [0, 4, 1, 2],
    ),
    "allocates everything": (
        {"area": "def area(h, w):\n    return [bytearray(10**9)] * 99"},
        "",
        [0, 4, 1, 2],
    ),
    "recurses": (
        {"area": "def area(h, w):\n    return area(h, w)"},
        "",
        [0, 4, 1, 2],
    ),
    "forks without end": (
        {"area": "import os\nwhile True: os.fork()"},
        "",
        None,
    ),
    "starts threads without end": (
        {
            "area": "import threading, time\n"
            "def wait(): time.sleep(9)\n"
            "while True: threading.Thread(target=wait).start()"
        },
        "",
        None,
    ),
    "kills everybody": (
        {"area": "import os\ndef area(h, w):\n    os.kill(-1, 9)"},
        "",
        None,
    ),
    "kills the worker": (
        {
            "area": "import os\ndef area(h, w):\n"
            "    os.kill(1, 9); return h * w"
        },
        "",
        FULL,
    ),
    "stops the worker": (
        {
            "area": "import os\ndef area(h, w):\n"
            "    os.kill(1, 19); return h * w"
        },
        "",
        FULL,
    ),
    "stops its parent": (
        {"area": "import os\ndef area(h, w):\n    os.kill(os.getppid(), 19)"},
        "",
        None,
    ),
    "resets the alarm": (
        {
            "area": "import signal\n"
            "for s in range(1, 30):\n"
            "    try: signal.signal(s, signal.SIG_IGN)\n"
            "    except OSError: pass\n"
            "def area(h, w):\n    while True: pass"
        },
        "",
        [0, 4, 1, 2],
    ),
    "forges lines": ({"area": FORGED + "\narea = 0"}, "", None),
    "writes into the worker": (
        {
            "area": "if open('/proc/1/mem', 'wb').write(b'0'):\n"
            "    def area(h, w): return h * w"
        },
        "",
        [0, 4, 1, 2],
    ),
    "fills the disk": (
        {
            "area": "for n in range(99):\n"
            "    open(f'/tmp/{n}', 'wb').write(bytes(10**7))\n"
            "else:\n"
            "    def area(h, w): return h * w"
        },
        "",
        [0, 4, 1, 2],
    ),
    "writes a large file": (
        {"area": "open('/tmp/x', 'wb').write(bytes(10**9))\narea = 1"},
        "",
        [0, 4, 1, 2],
    ),
    "prints without end": (
        {"area": "print('x' * 10**6 * 90)\ndef area(h, w): return h * w"},
        "",
        FULL,
    ),
    "reads stdin": ({"area": "area = input()"}, "", [0, 4, 1, 2]),
    "patches torch": (
        {
            "area": "torch.Tensor.__eq__ = lambda *a: True\n"
            "torch.equal = torch.allclose = lambda *a, **k: True\n"
            "def area(h, w): return torch.tensor(1)"
        },
        "",
        [0, 4, 1, 2],
    ),
    "patches the checker": (
        {
            "area": "from cnnbook import exercises\n"
            "exercises.difference = exercises.judge = lambda *a: None\n"
            "exercises.Question.fault = lambda *a: None\n"
            "def area(h, w): return 1"
        },
        "",
        [0, 4, 1, 2],
    ),
    "always equal": (
        {"area": LIAR + "def area(h, w): return Liar(3)"},
        "",
        [0, 4, 1, 2],
    ),
    "lies about its shape": (
        {"counts": LIAR + "counts = torch.ones(9).as_subclass(Shape)"},
        "",
        [3, 4, 0, 2],
    ),
    "imports the references": (
        {"area": "from cnnbook.labs.tiny_lab.probes import area"},
        "",
        [0, 4, 1, 2],
    ),
    "looks for the probes": (
        {
            "area": "import gc, sys\n"
            "found = [v for k, v in sys.modules.items() if 'probes' in k]\n"
            "found += [o for o in gc.get_objects() if callable(o)\n"
            "    and getattr(o, '__name__', '') in ('sides', 'quarters')]\n"
            "def area(h, w): return found or h * w"
        },
        "",
        FULL,
    ),
    "looks for the references": (
        {
            "area": "import gc, sys\nfrom types import FunctionType\n"
            "found = [f for f in gc.get_objects()"
            " if isinstance(f, FunctionType)"
            " and f.__name__ == 'area' and '__main__' != f.__module__]\n"
            "area = found[0]"
        },
        "",
        [0, 4, 1, 2],
    ),
    "looks for the labels": (
        {
            "read": "import sys\ndef read(images):\n"
            "    frame = sys._getframe(1)\n"
            "    while frame:\n"
            "        for v in frame.f_locals.values():\n"
            "            if getattr(v, 'shape', 0) == (60,): return v\n"
            "        frame = frame.f_back\n"
        },
        "",
        [3, 4, 1, 0],
    ),
    "plants a module": (
        {
            "area": "import sys, types\n"
            "fake = types.ModuleType('x')\n"
            "sys.modules['random'] = sys.modules['json'] = fake\n"
            "def area(h, w): return h * w"
        },
        "",
        None,
    ),
    "plants an import hook": (
        {
            "area": "import sys\n"
            "class Hook:\n"
            "    def find_spec(self, *a): raise ImportError('no')\n"
            "sys.meta_path.insert(0, Hook())\n"
            "def area(h, w): return h * w"
        },
        "",
        None,
    ),
    "waits for the exit": (
        {
            "area": "import atexit, os\n"
            "atexit.register(lambda: os.fork())\n"
            "def area(h, w): return h * w"
        },
        "",
        FULL,
    ),
    "reads the environment": (
        {"area": "import os\narea = str(dict(os.environ))"},
        "",
        [0, 4, 1, 2],
    ),
    "uses the network": (
        {
            "area": "import socket\n"
            "with socket.create_connection(('127.0.0.1', 22), 1):\n"
            "    def area(h, w): return h * w"
        },
        "",
        [0, 4, 1, 2],
    ),
    "returns too much": (
        {"area": "def area(h, w): return torch.zeros(10**7)"},
        "",
        [0, 4, 1, 2],
    ),
    "returns NaN": (
        {"area": "def area(h, w): return float('nan')"},
        "",
        [0, 4, 1, 2],
    ),
    "returns infinity": (
        {"area": "def area(h, w): return 1e999"},
        "",
        [0, 4, 1, 2],
    ),
    "returns sparse tensors": (
        {"area": "def area(h, w): return torch.ones(2).to_sparse()"},
        "",
        [0, 4, 1, 2],
    ),
    "returns lazy tensors": (
        {"area": "def area(h, w): return torch.ones(2, device='meta')"},
        "",
        [0, 4, 1, 2],
    ),
    "returns complex numbers": (
        {"area": "def area(h, w): return 1j"},
        "",
        [0, 4, 1, 2],
    ),
    "returns a deep list": (
        {
            "area": "deep = []\n"
            "for _ in range(10**5): deep = [deep]\n"
            "def area(h, w): return deep"
        },
        "",
        [0, 4, 1, 2],
    ),
    "returns a wrong type": (
        {"area": "def area(h, w): return str(h * w)"},
        "",
        [0, 4, 1, 2],
    ),
    "leaves a process": (
        {
            "area": "import os, time\n"
            "if os.fork() == 0:\n"
            "    os.setsid()\n"
            "    if os.fork() == 0: time.sleep(600)\n"
            "    os._exit(0)\n"
            "def area(h, w): return h * w"
        },
        "",
        FULL,
    ),
    "poisons the next": (
        {
            "area": "import os\n"
            "os.makedirs('/tmp/cnnbook', exist_ok=True)\n"
            "open('/tmp/torch.py', 'w').write('raise SystemExit')\n"
            "def area(h, w): return h * w"
        },
        "",
        FULL,
    ),
    "leaves shared memory": (
        {
            "area": "import ctypes\n"
            "ctypes.CDLL(None).shmget(77, 4096, 0o1666)\n"
            "def area(h, w): return h * w"
        },
        "",
        FULL,
    ),
    "asks for the users": (
        {
            "area": "import os\n"
            "assert not os.path.exists('/home') and os.getuid() != 0\n"
            "assert not os.path.exists('/etc/passwd')\n"
            "def area(h, w): return h * w"
        },
        "",
        FULL,
    ),
    "uses a socket of the machine": (
        {
            "area": "import os, socket\n"
            "met = []\n"
            "def names():\n"
            "    yield from ('/run/docker.sock', '/var/run/dbus/socket')\n"
            "    for line in open('/proc/net/unix').readlines()[1:]:\n"
            "        yield line.split()[-1].replace('@', '\\0')\n"
            "for name in names():\n"
            "    try:\n"
            "        socket.socket(socket.AF_UNIX).connect(name)\n"
            "        met.append(name)\n"
            "    except OSError: pass\n"
            "def area(h, w): return h * w if not met else met"
        },
        "",
        FULL,
    ),
    "calls an abstract socket": (
        {
            "area": "import socket\n"
            f"if not socket.socket(socket.AF_UNIX).connect({ABSTRACT!r}):\n"
            "    def area(h, w): return h * w"
        },
        "",
        [0, 4, 1, 2],
    ),
    "looks for other work and the bundle": (
        {
            "area": "import os\n"
            "found = [os.path.join(top, name)\n"
            "    for start in ('/tmp', '/dev/shm', '/home', '/srv')\n"
            "    for top, _, names in os.walk(start) for name in names\n"
            "    if name.endswith(('bundle.json', '.jsonl', 'secret'))\n"
            "    or 'victim' in name or 'hostile' in name]\n"
            "found += [n for n in os.environ if 'SECRET' in n]\n"
            "def area(h, w): return found or h * w"
        },
        "",
        FULL,
    ),
    "times its guesses": (
        {
            "area": "import time\n"
            "from cnnbook.exercises import check\n"
            "took = {}\n"
            "for guess in range(1, 50):\n"
            "    began = time.perf_counter()\n"
            "    said = check('lab-tiny_lab.q1', lambda h, w: guess)\n"
            "    took[guess] = time.perf_counter() - began\n"
            "best = max(took, key=took.get)\n"
            "def area(h, w): return best"
        },
        "",
        [0, 4, 1, 2],
    ),
    "asks the check for a verdict": (
        {
            "area": "from cnnbook.exercises import check\n"
            "area = check('lab-tiny_lab.q1', 1).right"
        },
        "",
        [0, 4, 1, 2],
    ),
    "lies in every way": (
        {
            "counts": "import os\n"
            "class Lies:\n"
            "    def __reduce__(self): return os._exit, (0,)\n"
            "    def detach(self): return self\n"
            "    cpu = double = detach\n"
            "    def numpy(self): return self\n"
            "    def is_floating_point(self): return False\n"
            "    shape, ndim, size = (3,), 1, 3\n"
            "    @property\n"
            "    def dtype(self): return self\n"
            "    kind, itemsize = 'f', 8\n"
            "    def astype(self, kind): return self\n"
            "    def tobytes(self): return bytes(24)\n"
            "    def __eq__(self, other): return True\n"
            "    def __getattr__(self, name): return self\n"
            "    def __array__(self, *a, **k): raise SystemExit\n"
            "counts = Lies()"
        },
        "",
        [3, 4, 0, 2],
    ),
    "lies about its dtype": (
        {
            "counts": "import numpy as np\n"
            "class Lies(np.ndarray):\n"
            "    dtype = property(lambda self: np.dtype('O'))\n"
            "    shape = property(lambda self: (10**9,))\n"
            "counts = np.zeros(3).view(Lies)"
        },
        "",
        [3, 4, 0, 2],
    ),
    "answers for the others": (
        {
            "area": "import os\n"
            'forged = b\'{"dict": {"data": [1, 2, 3]}}\'\n'
            "def area(h, w):\n"
            "    for number in range(3, 99):\n"
            "        try: os.write(number, forged)\n"
            "        except OSError: pass\n"
            "    return h * w"
        },
        "",
        None,
    ),
    "spoils the others when it is called": (
        {
            "area": "def area(h, w):\n"
            "    torch.Tensor.relu = torch.nn.functional.relu = None\n"
            "    torch.set_default_dtype(torch.float16)\n"
            "    globals()['counts'] = globals()['read'] = None\n"
            "    return h * w"
        },
        "",
        FULL,
    ),
    "keeps all memory": (
        {
            "area": "import mmap\nkept = []\ndef area(h, w):\n"
            "    try:\n"
            "        while True: kept.append(mmap.mmap(-1, 10**7))\n"
            "    except OSError: pass\n"
            "    return h * w",
        },
        "",
        FULL,
    ),
    "kills itself later": (
        {
            "area": "import os, threading, time\ndef area(h, w):\n"
            "    def end():\n        time.sleep(0.05)\n        os._exit(1)\n"
            "    threading.Thread(target=end).start()\n    return h * w",
            "block": "import time\n"
            + tiny.CELLS["block"].replace(
                "        super().__init__()",
                "        super().__init__()\n        time.sleep(0.2)",
            ),
        },
        "",
        FULL,
    ),
    "ends the others by a signal": (
        {
            "area": "import signal\ndef area(h, w):\n"
            "    signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
            "    signal.setitimer(signal.ITIMER_REAL, 0.01)\n"
            "    return h * w"
        },
        "",
        FULL,
    ),
    "transforms the cells": (
        {
            "area": "import ast, builtins\n"
            "builtins.compile = builtins.exec = lambda *a, **k: None\n"
            "def area(h, w): return h * w"
        },
        "",
        None,
    ),
}
"""Changed cells, a cell in front, and the marks (None: any that are fair)."""


def processes_of(name: str) -> set[int]:
    """Return our descendants, and orphans, with this word in their call.

    Other gradings on the same machine have parents of their own.
    """
    parents, calls = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            status = (path / "stat").read_text().rpartition(") ")[2].split()
            parents[int(path.name)] = int(status[1])
            calls[int(path.name)] = (path / "cmdline").read_text()
    family, found = {os.getpid()}, set()
    while family:
        found |= family
        family = {pid for pid, above in parents.items() if above in family}
    orphans = {pid for pid, above in parents.items() if above == 1}
    return {pid for pid in found | orphans if name in calls.get(pid, "")}


@pytest.fixture(scope="module")
def suite(bundle, tmp_path_factory: pytest.TempPathFactory):
    """Grade all of them, each between two honest ones, in one course."""
    folder = tmp_path_factory.mktemp("hostile")
    honest = tiny.handed_in({})
    for number, (changes, extra, _) in enumerate(HOSTILE.values()):
        bad = tiny.handed_in(changes, extra)
        (folder / f"{number:02} a victim.ipynb").write_bytes(honest)
        (folder / f"{number:02} hostile.ipynb").write_bytes(bad)
    (folder / "99 a victim.ipynb").write_bytes(honest)
    before = {path.name for path in Path("/tmp").iterdir()}
    running = processes_of("labgrade/worker.py")
    with (
        ThreadPoolExecutor(2) as executor,
        socket.socket(socket.AF_UNIX) as waits,
    ):
        waits.bind(ABSTRACT)
        waits.listen()
        rows = course.grade_course(
            course.collect(folder), bundle, folder / "log", executor
        )
    course.end_boxes()
    after = {path.name for path in Path("/tmp").iterdir()}
    return {row["student"]: row for row in rows}, after - before, running


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_notebook_gets_what_it_deserves(suite, name: str) -> None:
    rows, *_ = suite
    number = list(HOSTILE).index(name)
    got = marks(rows[f"{number:02} hostile"])
    wanted = HOSTILE[name][2]
    if wanted is None:  # what it ends, it loses; it gains nothing
        assert all(g in (0, most) for g, most in zip(got, FULL, strict=True))
        assert got[0] == 0 or "return h * w" in str(HOSTILE[name][0])
    else:
        assert got == wanted, rows[f"{number:02} hostile"]


def test_no_victim_loses_a_point(suite) -> None:
    rows, *_ = suite
    victims = [row for name, row in rows.items() if name.endswith("victim")]
    assert len(victims) == len(HOSTILE) + 1
    assert [v["student"] for v in victims if marks(v) != FULL] == []


def test_nothing_is_left_behind(suite) -> None:
    _, left, before = suite
    assert not {name for name in left if name in ("torch.py", "cnnbook")}
    assert processes_of("labgrade/worker.py") == before


def runs(pid: int) -> bool:
    """Whether a process is there and not only its name, to be buried."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def test_a_box_that_is_closed_is_gone_at_once(bundle) -> None:
    made = bundle.box()
    inside = boxes.below(made.process.pid)
    assert len(inside) == 1
    cell = {"number": 0, "source": "while True: pass"}
    asked = {"id": "x", "name": "x", "seed": ""}
    job = {"cells": [cell], "questions": [asked], "dtype": "float64"}
    limits = vars(made.limits)
    made._send({**job, "apart": False, "limits": limits})  # it is busy
    assert runs(inside[0])
    made.close()
    assert not runs(inside[0])
    made.close()  # a second time does no harm


# Hostile files


def unreadable(tmp_path: Path) -> dict[str, str]:
    """Make files that are no notebooks; return what is said of each."""
    (tmp_path / "corrupt.ipynb").write_text('{"cells": [')
    (tmp_path / "deep.ipynb").write_text('{"cells": ' + "[" * 10**6)
    (tmp_path / "list.ipynb").write_text("[]")
    (tmp_path / "none.ipynb").write_text('{"cells": 7}')
    (tmp_path / "text.txt").write_text("hello")
    with (tmp_path / "huge.ipynb").open("wb") as file:
        file.truncate(2**31)
    (tmp_path / "link.ipynb").symlink_to("/etc/passwd")
    (tmp_path / "away").symlink_to("/etc")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.ipynb").symlink_to(tmp_path / "list.ipynb")
    (tmp_path / "many").mkdir()
    for name in "ab":
        (tmp_path / "many" / f"{name}.ipynb").write_text("{}")
    os.mkfifo(tmp_path / "pipe.ipynb")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", 8) as archive:
        archive.writestr("a.ipynb", b" " * (notebook.LARGEST + 9))
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 nothing")
    with (tmp_path / "text of a gigabyte.ipynb").open("wb") as file:
        file.write(b'{"cells": "')
        file.seek(2**30)
        file.write(b'"}')
    cells = b'{"cell_type": "code", "source": ""},' * 2**19
    (tmp_path / "cells.ipynb").write_bytes(b'{"cells": [' + cells + b"{}]}")
    (tmp_path / "brief cells.ipynb").write_bytes(
        b'{"cells": [' + b"{}," * 10**6 + b"{}]}"
    )
    code = json.dumps({"cell_type": "code", "source": "x = 1\n" * 10**6})
    (tmp_path / "code.ipynb").write_text(f'{{"cells": [{code}]}}')
    (tmp_path / "sixteen.ipynb").write_bytes('{"cells"'.encode("utf-16"))
    (tmp_path / "latin.ipynb").write_bytes(b'{"cells": "\xe9"}')
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "linked").symlink_to(tmp_path / "many")
    (tmp_path / "above.ipynb").symlink_to("..")
    return {
        "text of a gigabyte": "1,073,741,826 bytes",
        "cells": "524,289 cells",
        "brief cells": "1,000,001 cells",
        "code": "200,000 characters of code",
        "sixteen": "no JSON",
        "latin": "no JSON",
        "inside": "0 notebooks",
        "above": "a link",
        "corrupt": "no JSON",
        "deep": "nested deeper",
        "list": "no notebook",
        "none": "no cells",
        "text": "no notebook",
        "huge": "2,147,483,648 bytes",
        "link": "a link",
        "away": "a link",
        "folder": "0 notebooks",
        "many": "2 notebooks",
        "pipe": "no file",
        "bomb": "more than",
        "broken": "zip file is broken",
    }


def test_what_is_no_notebook_is_refused_and_the_rest_graded(
    bundle, box, tmp_path: Path
) -> None:
    said = unreadable(tmp_path)
    submissions = {s.student: s for s in course.collect(tmp_path)}
    assert set(submissions) == set(said)
    for student, words in said.items():
        one = submissions[student]
        why = one.problem or grade(one.content, bundle, box)["note"]
        assert words in why, student


def twins(work: bytes) -> bytes:
    """Give every cell of a notebook the same id, which it may not have."""
    return re.sub(rb'"id": "[^"]*"', b'"id": "same"', work)


@pytest.mark.parametrize(
    "disguised",
    [
        twins,
        lambda work: b"\xef\xbb\xbf" + work,
        lambda work: work.decode().encode("utf-16"),
        lambda work: work.decode().encode("utf-32-be"),
        lambda work: work.replace(b"\n", b"\r\n"),
    ],
    ids=["same ids", "BOM", "UTF-16", "UTF-32", "Windows lines"],
)
def test_an_odd_file_of_right_work_is_read(bundle, box, disguised) -> None:
    work = disguised(tiny.handed_in({}))
    assert marks(grade(work, bundle, box)) == FULL


def test_names_of_files_do_no_harm(bundle, tmp_path: Path) -> None:
    names = ["=1+2", "+cmd|x", "@SUM(A1)", "-2", "..", "a\nb", "\u202ex", "."]
    for name in names:
        (tmp_path / f"{name}.ipynb").write_text("{")
    found = course.collect(tmp_path)
    with ThreadPoolExecutor(1) as executor:
        rows = course.grade_course(
            found, bundle, tmp_path / "log.jsonl", executor
        )
    report.write(tmp_path, report.Grading(rows, bundle))
    text = (tmp_path / "grades.csv").read_text("utf-8")
    for line in csv.reader(io.StringIO(text)):
        assert not line[0].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert len(line) == 9
    written = {path.name for path in (tmp_path / "feedback").iterdir()}
    assert len(written) == 2 * len(rows)
    assert not any("/" in name or name.startswith(".") for name in written)


def test_zip_files_are_read_and_never_unpacked(tmp_path: Path) -> None:
    work = tiny.handed_in({})
    with zipfile.ZipFile(tmp_path / "ada.zip", "w") as archive:
        archive.writestr("../../climbs.ipynb", work)
        archive.writestr("__MACOSX/._lab.ipynb", b"")
    (one,) = course.collect(tmp_path)
    assert (one.student, one.content) == ("ada", work)
    assert not (tmp_path.parent.parent / "climbs.ipynb").exists()


def test_names_stay_in_their_folder_and_in_their_cell() -> None:
    names = ["../../etc/passwd", "", "..", "Zoë Ångström", "a", "A"]
    assert report.file_names(names) == [
        "_.._etc_passwd",
        "_",
        "_ (2)",
        "Zoë Ångström",
        "a",
        "A (2)",
    ]
    assert report.safe("=1+1") == "'=1+1"
    assert report.safe("") == ""
    page = report.as_html("# <script>\n\n- **<b>**: `<i>`\n")
    assert "<script>" not in page.partition("</style>")[2]
    assert "<b>" not in page


# Text from a box

FLAT = '{"dict": {"data": {"array": %s, "kind": "%s", "base64": "%s"}}}'


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1]",
        '{"dict": {"data": 1}}\nmore',
        '{"dict": {"a": 1, "b": 2}}',
        '{"dict": [1]}',
        '{"dict": {"data": {"other": 1}}}',
        FLAT % ("[3]", "<f8", "AAAAAAAAAAA="),
        FLAT % ("[-1]", "<f8", "AAAAAAAAAAA="),
        FLAT % ("[1e9]", "<f8", "AAAAAAAAAAA="),
        FLAT % ("[[1]]", "<f8", "AAAAAAAAAAA="),
        FLAT % (f"[{10**30}]", "<f8", "AAAAAAAAAAA="),
        FLAT % ("[1]", "O", "AAAAAAAAAAA="),
        FLAT % ("[1]", "<f8", "AAAAAAAAAA!="),
        "[" * 10**5,
        '{"dict": {"data": ' + "[" * 50 + "]" * 50 + "}}",
        "x" * (data.ANSWER_LIMIT + 1),
    ],
    ids=range(17),
)
def test_forged_text_is_no_answer(content: str) -> None:
    with pytest.raises(data.Unreadable):
        data.unpacked(content)


def test_data_survive_the_way_out_and_the_bundle() -> None:
    from labgrade import worker

    given = {
        "data": [1, 2.5, "x", None, True, {"k": np.arange(6).reshape(2, 3)}]
    }
    out = data.unpacked(worker.packed(given))
    assert out["data"][:5] == given["data"][:5]
    assert np.array_equal(out["data"][5]["k"], given["data"][5]["k"])
    assert data.stored(out) == data.stored(given)


# Release


def test_a_bundle_is_the_same_each_time(lab, bundle) -> None:
    again = bundles.release(lab, SECRET)
    assert {**again.content, "limits": QUICK} == bundle.content
    other = bundles.release(lab, b"another secret")
    assert (
        other.content["questions"][0]["right"]
        != (bundle.content["questions"][0]["right"])
    )


def test_the_box_gets_no_reference_and_no_secret(bundle) -> None:
    probes = bundle.content["probes"]
    assert "def sides" in probes
    assert "def area" not in probes
    assert "half_way_round" not in probes
    assert "def quarters" not in probes
    assert SECRET.decode() not in bundle.text()


LABS = sorted(path.parent for path in (ROOT / "labs").glob("*/probes.py"))
HELD = {
    "inception": {"bill"},
    "resnet": {"net"},
    "see": {"pool"},
    "vgg": {"kept", "peak"},
}
"""References with which another question's inputs are drawn."""


@pytest.mark.parametrize("lab", LABS, ids=lambda path: path.name)
def test_no_more_references_than_inputs_need_are_in_the_box(lab: Path) -> None:
    made = bundles.box_probes((lab / "probes.py").read_text("utf-8"))
    body = ast.parse(made).body
    bound = {part.name for part in body if hasattr(part, "name")}
    bound |= {
        node.id
        for part in body
        if isinstance(part, ast.Assign)
        for node in part.targets
    }
    probes = bundles.probes_of(lab)
    references = [question.reference for question in probes.QUESTIONS]
    held = {
        name
        for name, value in vars(probes).items()
        if name in bound and callable(value) and value in references
    }
    assert held == HELD.get(lab.name, set())


def test_each_student_gets_inputs_of_their_own(lab, bundle, box) -> None:
    made = bundles.release(lab, SECRET, ["ada", "bob"])
    assert made.content["questions"] == bundle.content["questions"]
    made = bundles.Bundle({**made.content, "limits": QUICK})
    seeds = {name: made.of(name).questions for name in ("ada", "bob", "eve")}
    assert len({questions[0]["seed"] for questions in seeds.values()}) == 3
    assert len({questions[3]["seed"] for questions in seeds.values()}) == 1
    assert made.of("eve").hash == bundle.hash
    assert made.part({"ada"}).of("ada").hash == made.of("ada").hash
    for name in seeds:
        result = grade(tiny.handed_in({}), made.of(name), box)
        assert marks(result) == FULL
    # What is right for the one is wrong for the other
    table = {f"{h} {w}": h * w for h, w in cases_of(made, "ada")}
    learned = f"def area(h, w): return {table}.get(f'{{h}} {{w}}', 0)"
    work = tiny.handed_in({"area": learned})
    assert marks(grade(work, made.of("ada"), box)) == FULL
    assert marks(grade(work, made.of("bob"), box)) == [0, 4, 1, 2]
    wrong = tiny.handed_in({"area": "def area(h, w):\n    return h + w"})
    told = grade(wrong, made.of("bob"), box)["remarks"]["lab-tiny_lab.q1"]
    assert told == "That is half of the way round."


def cases_of(made: bundles.Bundle, student: str) -> list[tuple[int, int]]:
    """Return the rectangles that a student's answer is called with."""
    draw = Random(made.of(student).questions[0]["seed"])
    return [(draw.randint(2, 99), draw.randint(2, 99)) for _ in range(5)]


def changed(lab: Path, where: Path, file: str, old: str, new: str) -> Path:
    """Copy the lab with one thing changed."""
    copy = where / "tiny_lab"
    copy.mkdir()
    for path in lab.iterdir():
        (copy / path.name).write_text(path.read_text())
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    return copy


@pytest.mark.parametrize(
    ("file", "old", "new", "why"),
    [
        (
            "solution.ipynb",
            "height * width",
            "height + width",
            "not the refer",
        ),
        ("solution.ipynb", "height * width", "1 // 0", "solution fails"),
        ("probes.py", "[37632, 4704, 2352]", "[6, 6, 6]", "not the refer"),
        (
            "lab.ipynb",
            "The area of a rectangle.",
            "together = height * width",
            "edition shows 'together = height * width'",
        ),
        (
            "solution.ipynb",
            "together = height * width",
            "import os; together = os.urandom(8).hex()",
            "differently each time",
        ),
    ],
    ids=["wrong", "crashes", "other-reference", "leak", "random"],
)
def test_a_doubtful_lab_is_refused(
    lab, tmp_path: Path, file: str, old: str, new: str, why: str
) -> None:
    copy = changed(lab, tmp_path, file, old, new)
    with pytest.raises(bundles.Refused, match=re.escape(why)):
        bundles.release(copy, SECRET)


def test_an_answer_that_can_be_guessed_is_refused(lab, tmp_path) -> None:
    copy = changed(lab, tmp_path, "probes.py", "[37632, 4704, 2352]", "[6]")
    text = (copy / "solution.ipynb").read_text()
    text = text.replace("[28 * 28 * 48, 28 * 28 * 6, 2352]", "[6]")
    (copy / "solution.ipynb").write_text(text)
    with pytest.raises(bundles.Refused, match="could be guessed"):
        bundles.release(copy, SECRET)


# A course, by the command


def labgrade(*words: object) -> subprocess.CompletedProcess:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "labgrade", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def graded(lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course of four, released and graded by the command."""
    where = tmp_path_factory.mktemp("course")
    (where / "roster.csv").write_text("student\nada\n=bob\n")
    done = labgrade(
        "release",
        "tiny_lab",
        "--per-student",
        where / "roster.csv",
        "--labs",
        lab.parent,
        "--out",
        where,
        "--secret-file",
        where / "secret",
    )
    assert done.returncode == 0, done.stderr
    subs = where / "submissions"
    subs.mkdir()
    wrong = {"area": "def area(h, w):\n    return h + w"}
    right = {"answer": "**Answer W1.** For two reasons.\n"}
    (subs / "ada.ipynb").write_bytes(tiny.handed_in(right))
    (subs / "=bob.ipynb").write_bytes(tiny.handed_in(wrong))
    (subs / "eve.ipynb").write_text("{")
    (subs / "Zoë.ipynb").write_bytes((lab / "lab.ipynb").read_bytes())
    done = grade_again(where)
    assert done.returncode == 0, done.stderr
    return where


def grade_again(where: Path, *more: object) -> subprocess.CompletedProcess:
    """Grade the course of a folder."""
    return labgrade(
        "grade",
        where / "submissions",
        "--bundle",
        where / "lab-tiny_lab.bundle.json",
        "--out",
        where / "marks",
        *more,
    )


GRADES = """\
student,points,q1,q2,q3,q4,w1,status,review
'=bob,7,0,4,1,2,,graded,
Zoë,0,0,0,0,0,,graded,
ada,10,3,4,1,2,,graded,
eve,0,0,0,0,0,,unreadable,
"""


def test_marks_are_a_table(graded: Path) -> None:
    assert (graded / "marks" / "grades.csv").read_text("utf-8") == GRADES
    assert (graded / "secret").stat().st_mode & 0o777 == 0o600


def test_feedback_gives_hints_and_no_hidden_value(graded: Path) -> None:
    told = (graded / "marks" / "feedback" / "_bob.md").read_text("utf-8")
    assert "That is half of the way round." in told
    pages = list((graded / "marks" / "feedback").iterdir())
    assert len(pages) == 8
    report_ = (graded / "marks" / "report.html").read_text("utf-8")
    assert "That is half of the way round." in report_
    assert "Graded without isolation" not in report_


def test_an_error_tells_nothing_of_the_hidden_inputs(bundle, box) -> None:
    tells = "def area(h, w): raise ValueError(f'inputs {h} {w}')"
    seed = "import sys\nraise KeyError(str(sys._getframe(1).f_locals))"
    row = grade(tiny.handed_in({"area": tells}, seed), bundle, box)
    grading = report.Grading([{**row, "student": "ada"}], bundle)
    told = report.feedback(grading.rows[0], grading)
    assert "it raised ValueError." in told
    assert "inputs" not in told
    assert re.search(r"inputs \d+ \d+", desk.explain("ada", grading))
    assert bundle.questions[0]["seed"] not in told


def test_an_interrupted_course_goes_on_from_its_log(graded: Path) -> None:
    log = graded / "marks" / "log.jsonl"
    before = log.read_text("utf-8").splitlines()
    kept = [line for line in before if '"ada"' not in line]
    log.write_text("\n".join(kept) + '\n{"student": "cut', "utf-8")
    done = grade_again(graded)
    assert "1 of 1 graded" in done.stderr
    assert (graded / "marks" / "grades.csv").read_text("utf-8") == GRADES
    assert "graded" not in grade_again(graded, "--changed").stderr
    rows = list(course.lines(log))
    own = {row["student"]: row["bundle"] for row in rows if "bundle" in row}
    assert len(set(own.values())) == 3
    assert own["eve"] == own["Zoë"]


def test_every_mark_can_be_explained(graded: Path) -> None:
    said = labgrade("explain", "=bob", "--out", graded / "marks").stdout
    assert "lab-tiny_lab.q1  0 of 3  That is half of the way round." in said
    nobody = labgrade("explain", "nobody", "--out", graded / "marks").stdout
    assert "no submission of 'nobody'" in nobody


def test_points_for_words_survive_a_regrade(graded: Path) -> None:
    out = graded / "marks"
    assert labgrade("sheet", "--out", out).returncode == 0
    sheet = (out / "sheet.csv").read_text("utf-8")
    assert "For two reasons." in sheet
    filled = sheet.replace("ada,lab-tiny_lab.w1,,", "ada,lab-tiny_lab.w1,1.5,")
    (graded / "filled.csv").write_text(filled, "utf-8")
    done = labgrade("merge", graded / "filled.csv", "--out", out)
    assert (done.returncode, done.stdout) == (0, "Points for 1 student.\n")
    assert "ada,11.5,3,4,1,2,1.5" in (out / "grades.csv").read_text("utf-8")
    (out / "log.jsonl").unlink()
    assert grade_again(graded).returncode == 0
    assert "ada,11.5,3,4,1,2,1.5" in (out / "grades.csv").read_text("utf-8")
    wrong = filled.replace(",1.5,", ",9,")
    (graded / "wrong.csv").write_text(wrong, "utf-8")
    done = labgrade("merge", graded / "wrong.csv", "--out", out)
    assert done.returncode == 1
    assert "'9' is not from 0 to 2" in done.stdout


@pytest.mark.parametrize("kind", desk.FORMATS)
def test_marks_go_to_other_systems(graded: Path, kind: str) -> None:
    (graded / "roster.csv").write_text(
        "student,name,id,email\nada,Ada L.,7,a@b.c\nmax,Max M.,8,m@b.c\n"
    )
    done = labgrade(
        "export",
        kind,
        "--out",
        graded / "marks",
        "--roster",
        graded / "roster.csv",
    )
    assert "max: in the roster, nothing handed in" in done.stdout
    assert "Zoë: handed in, not in the roster" in done.stdout
    text = (graded / "marks" / f"{kind}.csv").read_text("utf-8")
    assert text.count("\n") == 3
    assert "Ada L.,7" in text


# The same marks, however they come about


def test_order_and_workers_change_nothing(bundle, tmp_path: Path) -> None:
    texts = set()
    works = {
        "a": {},
        "b": {"area": "def area(h, w):\n    return 0"},
        "c": {"read": "def read(images):\n    while True: pass"},
        "d": {"block": "Block = 3"},
    }
    for turn, (workers, names) in enumerate(((1, "abcd"), (4, "dcba"))):
        folder = tmp_path / str(turn)
        folder.mkdir()
        for name in names:
            work = tiny.handed_in(works[name])
            (folder / f"{name}.ipynb").write_bytes(work)
        with ThreadPoolExecutor(workers) as executor:
            rows = course.grade_course(
                course.collect(folder),
                bundle,
                tmp_path / f"log{turn}",
                executor,
            )
        texts.add(report.grades(report.Grading(rows, bundle)))
    course.end_boxes()
    assert len(texts) == 1


class Counting(ThreadPoolExecutor):
    """Counts how many submissions lie in its hands at most."""

    held = most = 0

    def submit(self, call, chunk, *given):
        """Do it at once; it is handed back when it is asked for."""
        self.held += len(chunk)
        self.most = max(self.most, self.held)
        future = super().submit(lambda: [{"student": s} for s, *_ in chunk])
        result = future.result

        def handed_back():
            self.held -= len(chunk)
            return result()

        future.result = handed_back
        return future


def test_few_of_many_submissions_lie_in_memory(bundle, tmp_path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_text("{")
    many = [course.Submission(str(n), file) for n in range(400)]
    with Counting(2) as executor:
        rows = list(course._graded(many, bundle, executor, True, 4))
    assert len(rows) == 400
    assert executor.most == 4 * course.CHUNK


class Forgetful(ThreadPoolExecutor):
    """Loses the first chunk that it is given, as a lost worker does."""

    lost = 0

    def submit(self, call, *given):
        """Fail once."""

        def fail(*_):
            raise ConnectionError("the worker is gone")

        self.lost += 1
        return super().submit(fail if self.lost == 1 else call, *given)


def test_a_lost_chunk_is_graded_again(bundle, tmp_path: Path) -> None:
    (tmp_path / "ada.ipynb").write_bytes(tiny.handed_in({}))
    with Forgetful(1) as executor:
        (row,) = course.grade_course(
            course.collect(tmp_path), bundle, tmp_path / "log", executor
        )
    course.end_boxes()
    assert marks(row) == FULL
    assert executor.lost == 2


# The benchmark's own check


@pytest.mark.parametrize(("median", "status"), [(0.2, 0), (0.26, 1)])
def test_the_benchmark_fails_above_its_limit(
    bundle, monkeypatch: pytest.MonkeyPatch, median: float, status: int
) -> None:
    path = ROOT / "benchmarks" / "grading.py"
    spec = importlib.util.spec_from_file_location("benchmark", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    works = list(benchmark.submissions(ROOT / "labs" / "resnet", 300))
    kinds = [kind for kind, _ in works]
    assert len({content for _, content in works}) == 300
    assert [kinds.count(k) for k in ("fine", "slow", "hang", "crash")] == [
        *(270, 15, 9, 6)
    ]
    monkeypatch.setattr(benchmark, "measured", lambda *_: {"median": median})
    monkeypatch.setattr(benchmark.bundle, "release", lambda *_: bundle)
    monkeypatch.setattr(sys, "argv", ["grading", "--sizes", "3", "--check"])
    assert benchmark.main() == status


# Without a box


def test_without_bubblewrap_it_refuses_and_says_what_to_do(
    graded: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = grade_again(graded)
    assert done.returncode == 2
    assert "install the package `bubblewrap`" in done.stderr
    assert labgrade("doctor").returncode == 1
    done = grade_again(graded, "--isolation", "none")
    assert done.returncode == 0, done.stderr
    assert "No isolation" in done.stderr
    page = (graded / "marks" / "report.html").read_text("utf-8")
    assert "Graded without isolation" in page


# As an ordinary user

AS_USER = """
import sys
sys.path[:0] = {paths!r}
import os
from labgrade import box, bundle
from labgrade.grade import grade
assert os.getuid() != 0
assert not box.lacking(), box.lacking()
made = bundle.load(__import__("pathlib").Path({bundle!r}))
here = made.box()
for path in {works!r}:
    row = grade(open(path, "rb").read(), made, here)
    print(*row["marks"].values())
here.close()
"""


def as_ordinary(folder: Path) -> list[str]:
    """Return the beginning of a command that gives up the rights of root.

    Python may lie in root's own folder: the command sees it in its place.
    """
    if os.getuid():
        return []
    words = ["bwrap", "--dev-bind", "/", "/", "--perms", "0755"]
    words += ["--tmpfs", str(Path.home())]
    for path in map(Path, (sys.base_prefix, sys.prefix, ROOT, folder)):
        for parent in reversed(path.parents):
            if parent.is_relative_to(Path.home()):
                words += ["--perms", "0755", "--dir", str(parent)]
        words += ["--ro-bind", str(path), str(path)]
    words += ["setpriv", "--reuid=65534", "--regid=65534"]
    return [*words, "--clear-groups"]


def test_an_ordinary_user_can_grade(bundle) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        works = {
            "right": {},
            "wrong": {"area": "area = 1"},
            "forks": {"area": "import os\nwhile True: os.fork()"},
            "kills": {"area": "import os\nos.kill(-1, 9)"},
            "again": {},
        }
        for work, changes in works.items():
            (folder / work).write_bytes(tiny.handed_in(changes))
        (folder / "bundle").write_text(bundle.text())
        script = AS_USER.format(
            paths=[str(ROOT), *(p for p in sys.path if "site-packages" in p)],
            bundle=str(folder / "bundle"),
            works=[str(folder / work) for work in works],
        )
        folder.chmod(0o755)
        done = subprocess.run(
            [*as_ordinary(folder), sys.executable, "-c", script],
            capture_output=True,
            text=True,
            timeout=300,
            cwd="/",
            env={"PATH": os.environ["PATH"], "HOME": "/tmp"},
        )
    assert not done.returncode, done.stderr
    right, wrong, forks, kills, again = done.stdout.splitlines()
    assert right == again == "3 4 1 2"
    assert wrong == kills == "0 4 1 2"
    assert forks[0] == "0"  # what it ends besides, it loses


def test_the_doctor_finds_nothing_here() -> None:
    assert not boxes.lacking()
    assert "Nothing is lacking" in labgrade("doctor").stdout


# The size


def code_lines(text: str) -> int:
    """Count the lines of code: no blanks, no comments, no docstrings."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        value = getattr(node, "value", None)
        if isinstance(node, ast.Expr) and isinstance(value, ast.Constant):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return len(lines)


BUDGET = 1770
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def test_the_package_stays_small() -> None:
    counted = 'def f():\n    """Words."""\n\n    # more\n    return (\n1)\n'
    assert code_lines(counted) == 3
    files = (ROOT / "labgrade").glob("*.py")
    assert sum(code_lines(path.read_text("utf-8")) for path in files) <= BUDGET
