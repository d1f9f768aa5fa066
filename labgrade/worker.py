"""The inside of a box: run untrusted notebooks, return what they answer.

The first process of the box imports torch once and stays clean. For each
submission it forks a child that runs the notebook's cells and then asks the
questions, each in a process of its own if it is told so. Nothing that a child
says is believed: the data that it returns are compared outside, where the
right answers are. Being process 1 of its own namespace, the clean one cannot
be killed or stopped from inside, and it ends all others with one call.

Nothing here imports the rest of labgrade: this file runs alone in the box.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import codeop
import contextlib
import ctypes
import gc
import importlib
import inspect
import json
import linecache
import os
import random
import resource
import select
import shutil
import signal
import sys
import time
import types
from pathlib import Path
from typing import Any

AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
MIB = 2**20
ANSWER_LIMIT = 24 * MIB
FOLDERS = ("/tmp", "/dev/shm")
"""Where a notebook may write."""
WARM = (
    "torch._dynamo",  # what the first optimizer, the first backward asks for
    *("torch.optim", "torch.nn.functional", "numpy", "matplotlib.pyplot"),
    *("PIL.Image", "cnnbook.exercises", "cnnbook.probing", "cnnbook.data"),
    *("cnnbook.figures", "cnnbook.geometry", "cnnbook.lab", "cnnbook.nets"),
    *("cnnbook.training", "IPython.display"),
)


# Data as JSON, with arrays in base64


def stored(data: Any) -> Any:
    """Return plain data as JSON can hold them."""
    if isinstance(data, dict):
        return {"dict": {str(key): stored(part) for key, part in data.items()}}
    if isinstance(data, list):
        return [stored(part) for part in data]
    if hasattr(data, "dtype"):
        kind = "<f8" if data.dtype.kind == "f" else "<i8"
        text = base64.b64encode(data.astype(kind).tobytes()).decode()
        return {"array": list(data.shape), "kind": kind, "base64": text}
    return data


def restored(item: Any) -> Any:
    """Return what `stored` was given; trust nothing else."""
    import numpy

    if isinstance(item, list):
        return [restored(part) for part in item]
    if not isinstance(item, dict):
        return item
    if "dict" in item:
        return {str(key): restored(part) for key, part in item["dict"].items()}
    if item["kind"] not in ("<f8", "<i8"):
        raise ValueError("another kind of array")
    content = base64.b64decode(item["base64"], validate=True)
    if any(size < 0 for size in item["array"]):
        raise ValueError("a shape that is none")
    return numpy.frombuffer(content, item["kind"]).reshape(item["array"])


# The child: the notebook's cells, then its answers


def silence() -> None:
    """Turn input and output of this process to nothing."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    sys.stdin = open(os.devnull)  # noqa: SIM115
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def limit(limits: dict[str, int]) -> None:
    """Set what this process and its children may use."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
    for name, value in {
        "AS": mapped + limits["memory"] // 2,  # each, above what is there
        "NPROC": limits["processes"],
        "FSIZE": limits["file"],
        "NOFILE": 256,
        "CORE": 0,
        "MSGQUEUE": 0,
    }.items():
        number = getattr(resource, f"RLIMIT_{name}")
        resource.setrlimit(number, (value, value))


class Quiet:
    """Stands for IPython: whatever it is asked to do, nothing is done."""

    def __getattr__(self, name: str) -> Any:
        """Return a function that does nothing."""
        return lambda *given, **named: None


def statements(number: int, source: str, compiler: Any) -> list[Any]:
    """Return a cell as code, a statement each; one that awaits stays whole."""
    name, tree = f"<cell {number}>", ast.parse(source)
    lines = source.splitlines(True)
    linecache.cache[name] = len(source), None, lines, name  # for inspect
    whole = compiler(tree, name, "exec")
    if whole.co_flags & inspect.CO_COROUTINE:
        return [whole]
    return [
        compiler(ast.Module([part], []), name, "exec") for part in tree.body
    ]


def run_cells(cells: list[dict], tell: Any) -> dict[str, Any]:
    """Run the cells in one namespace; an error ends its statement only.

    What stopped the student's own kernel was seen there; what stops here
    may be missing here alone: a package, a folder, a drive.
    """

    def tried(call: Any, *given: Any) -> Any:
        try:
            return call(*given)
        except BaseException as error:
            tell("failed", number, short(error))
            if isinstance(error, MemoryError):
                raise

    compiler = codeop.Compile()  # remembers what comes from __future__
    compiler.flags = AWAIT
    space = {
        "__name__": "__main__",
        "display": lambda *things, **options: None,
        "get_ipython": Quiet,
    }
    for cell in cells:
        number = cell["number"]
        tell("cell", number)
        parts = tried(statements, number, cell["source"], compiler)
        for code in parts or ():
            left = tried(eval, code, space)
            if left is not None:  # it awaits something
                tried(asyncio.run, left)
    return space


def short(error: BaseException) -> str:
    """Return an error in one line."""
    try:
        first = (str(error).strip().splitlines() or [""])[0]
    except BaseException:
        first = "(an error that cannot be read)"
    return f"{type(error).__name__}: {first}"[:300]


def answer(question: dict, probes: dict, space: dict, images: Any) -> str:
    """Return what a question's probe makes of the answer, as JSON."""
    from cnnbook import exercises

    given = space.get(question["name"], ...)
    if given is ...:
        return packed({"missing": question["name"]})
    try:
        if images is not None:
            data = given(images)
        else:
            probe = probes.get(question["id"], exercises.value)
            data = probe(given, random.Random(question["seed"]))
        return packed({"data": exercises.plain(data)})
    except exercises.Unusable as error:
        return packed({"unusable": str(error)[:500]})
    except BaseException as error:
        return packed({"raised": short(error)})


def packed(found: dict[str, Any]) -> str:
    """Return an answer, or what stands in its place, as it leaves."""
    text = json.dumps(stored(found))
    if len(text) > ANSWER_LIMIT:
        raise ValueError("it is larger than an answer may be")
    return text


def child(job: dict, probes: dict, images: dict, into: int) -> None:
    """Run a submission, and tell each step and each answer in a line.

    With `apart`, each question has a process of its own, so that none sees
    what another has left in memory.
    """
    os.setsid()
    silence()
    limit(job["limits"])
    import numpy
    import torch

    seeds = random.seed, numpy.random.seed, torch.default_generator.manual_seed
    out = open(into, "wb")  # noqa: SIM115

    def tell(kind: str, place: Any, text: str = "") -> None:
        out.write(f"{kind} {place} {text}\n".encode(errors="replace"))
        out.flush()

    def seed() -> None:
        """Draw the same numbers each time: same work, same marks."""
        for start in seeds:
            start(0)

    seed()
    torch.set_default_dtype(getattr(torch, job["dtype"]))
    space = run_cells(job["cells"], tell)
    for question in job["questions"]:
        tell("question", question["id"])
        pid = os.fork() if job["apart"] else 0
        if pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            continue
        seed()
        given = images.get(question["id"])
        found = answer(question, probes, space, given)
        tell("answer", question["id"], found)
        if job["apart"]:
            os._exit(0)
    tell("end", "")
    os._exit(0)


# The clean process


def attempt(job: dict, probes: dict, images: dict, end: float) -> dict:
    """Fork a child for a job; return what it answers, and where it stuck.

    None of what it tells is believed, but it is to tell it in time.
    """
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.close(out)
            child(job, probes, images, into)
        os._exit(1)
    os.close(into)
    done = {"answers": {}, "failed": {}, "at": ("cell", "")}
    asked = {question["id"] for question in job["questions"]}
    until = time.monotonic() + job["limits"]["cell"]
    text, exited = bytearray(), os.pidfd_open(pid)
    while (left := min(until, end) - time.monotonic()) > 0:
        ready, _, _ = select.select([out, exited], [], [], left)
        if exited in ready:  # then out holds all that it said
            ready, _, _ = select.select([out], [], [], 0)
        chunk = os.read(out, MIB) if ready else b""
        text += chunk
        if not chunk or len(text) > 2 * ANSWER_LIMIT:
            break  # it is late, has ended, or talks nonsense
        if b"\n" not in chunk:
            continue
        *lines, text = text.split(b"\n")
        for line in lines:
            kind, _, rest = line.decode(errors="replace").partition(" ")
            place, _, said = rest.partition(" ")
            if kind == "answer" and place in asked:
                done["answers"][place] = said
            elif kind == "failed" and len(done["failed"]) < 100:
                done["failed"].setdefault(place[:9], said[:300])
            elif kind in ("cell", "question", "end"):
                done["at"] = (kind, place)
                until = time.monotonic() + job["limits"].get(kind, 0)
    end_all(pid)
    os.close(exited)
    os.close(out)
    return done


def submission(job: dict, probes: dict, images: dict) -> dict[str, Any]:
    """Run a submission; what stands still or dies costs only itself.

    The cell where a child was stuck is left out, and the rest is tried
    again. So is a question, but not before it was asked apart from others.
    """
    end = time.monotonic() + job["limits"]["submission"]
    cells = {str(cell["number"]): cell for cell in job["cells"]}
    left = {question["id"]: question for question in job["questions"]}
    found: dict[str, Any] = {"answers": {}, "failed": {}, "stuck": []}
    for _ in range(12):
        job["cells"] = list(cells.values())
        job["questions"] = list(left.values())
        done = attempt(job, probes, images, end)
        found["failed"] |= done["failed"]
        found["answers"] |= done["answers"]
        left = {id: left[id] for id in left if id not in done["answers"]}
        kind, place = done["at"]
        if kind == "cell" and cells.pop(place, None):
            found["stuck"].append(int(place))
        elif kind == "question" and job["apart"]:
            left.pop(place, None)
        elif kind != "question":
            break
        job["apart"] |= kind == "question"
        if not left or time.monotonic() > end:
            break
    return found


def end_all(pid: int) -> None:
    """End every process of a submission, and bury them."""
    with contextlib.suppress(ProcessLookupError):
        if os.getpid() == 1:
            os.kill(-1, signal.SIGKILL)
        else:  # no box: at least its group
            os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def lying_there() -> set[Path]:
    """Return what lies where a notebook may write, shared memory too."""
    found = {path for folder in FOLDERS for path in Path(folder).glob("*")}
    for kind in ("shm", "sem", "msg"):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()
            found |= {Path("/proc/sysvipc", line) for line in lines[1:]}
    return found


def swept(ours: set[Path]) -> bool:
    """Remove what a submission left; say whether the box is clean again."""
    if os.getpid() != 1:  # no box: these folders are not ours
        return True
    for path in lying_there() - ours:
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.unlink()
    return lying_there() == ours


def reply(message: dict) -> None:
    """Send one result as a line."""
    out = sys.__stdout__.buffer
    out.write(json.dumps(message).encode() + b"\n")
    out.flush()


def receive() -> dict:
    """Read one line; without one, end."""
    line = sys.__stdin__.buffer.readline()
    if not line:
        os._exit(0)
    return json.loads(line)


def become(user: int) -> None:
    """Give up the rights of root, and let nobody look into this process."""
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    prctl = ctypes.CDLL(None).prctl
    prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: end with the parent
    prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE


def grown_quiet() -> None:
    """Make of the library what a grading wants: small scale, no verdicts."""
    from cnnbook import exercises, figures, lab

    figures.use_style = lambda: None  # it would start IPython's shell
    smoke = lab.scale("smoke")
    lab.scale = lambda name=None: smoke
    exercises.check = exercises.score = lambda *given: None


HUGE, COLLAPSE = 2 * MIB, 25


def use_huge_pages() -> None:
    """Lay the memory of this process in huge pages, where Linux can.

    A fork copies the table of pages: 60,000 small ones take it 20 ms, some
    hundred huge ones and their rest hardly 3.
    """
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, _, _, file, *_ = line.split()
        if rights == "rw-p" and file == "0":  # of memory, not of a file
            first, end = (int(number, 16) for number in span.split("-"))
            for at in range(-(-first // HUGE) * HUGE, end - HUGE + 1, HUGE):
                advise(at, HUGE, COLLAPSE)


def main() -> None:
    """Import what is slow to import, then serve submissions for ever."""
    become(int(os.environ.pop("LABGRADE_USER", "0")))
    ours = lying_there()
    for name in WARM:
        importlib.import_module(name)
    grown_quiet()
    import torch

    head = receive()
    images = {
        id: torch.tensor(restored(stored_))
        for id, stored_ in head["images"].items()
    }
    sys.modules["probes"] = probes = types.ModuleType("probes")
    exec(compile(head["probes"], "<probes>", "exec"), vars(probes))
    del sys.modules["probes"]  # where dataclasses looked it up
    norm = torch.nn.BatchNorm2d(2)
    norm(torch.nn.Conv2d(1, 2, 3)(torch.ones(2, 1, 4, 4))).relu()  # once
    gc.freeze()  # so that no child's collector touches, and copies, all this
    use_huge_pages()
    reply({"ready": True})
    while True:
        result = submission(receive(), probes.PROBES, images)
        reply({**result, "clean": swept(ours)})


if __name__ == "__main__":
    main()
