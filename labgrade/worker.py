"""The inside of a box: run untrusted notebooks, return what they answer.

The first process of the box imports torch once and stays clean. For each
submission it forks a child that runs the notebook's cells, and the child
forks once for each question. Nothing that a child says is believed: the data
that it returns are compared outside, where the right answers are. Being
process 1 of its own namespace, the clean one cannot be killed or stopped
from inside, and it ends all others with one call.

Nothing here imports the rest of labgrade: this file runs alone in the box.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import contextlib
import ctypes
import gc
import importlib
import io
import json
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
    "torch.optim",
    "torch.nn.functional",
    "numpy",
    "matplotlib.pyplot",
    "PIL.Image",
    "cnnbook.exercises",
    "cnnbook.probing",
    "cnnbook.data",
    "cnnbook.figures",
    "cnnbook.geometry",
    "cnnbook.lab",
    "cnnbook.nets",
    "cnnbook.training",
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


# The child: the notebook, then a fork for each question


class Sink(io.TextIOBase):
    """Takes whatever is printed, and forgets it."""

    def write(self, text: str) -> int:
        """Say that all was written."""
        return len(text)


def silence() -> None:
    """Turn input and output of this process to nothing."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    sys.stdin = open(os.devnull)  # noqa: SIM115
    sys.stdout = sys.stderr = Sink()


def limit(limits: dict[str, int]) -> None:
    """Set what this process and its children may use."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name}")
        value += mapped if name == "AS" else 0
        resource.setrlimit(number, (value, value))


class Quiet:
    """Stands for IPython: whatever it is asked to do, nothing is done."""

    def __getattr__(self, name: str) -> Any:
        """Return a function that does nothing."""
        return lambda *given, **named: None


def run_cells(cells: list[dict], tell: Any) -> dict[str, Any]:
    """Run the cells in one namespace; an error ends its own cell only."""
    space = {
        "__name__": "__main__",
        "display": lambda *things, **options: None,
        "get_ipython": Quiet,
    }
    for cell in cells:
        number = cell["number"]
        tell({"cell": number})
        try:
            code = compile(cell["source"], f"<cell {number}>", "exec", AWAIT)
            left = eval(code, space)
            if left is not None:  # it awaits something
                asyncio.run(left)
        except BaseException as error:
            tell({"failed": number, "why": short(error)})
            if isinstance(error, MemoryError):
                raise
    tell({"cell": None})
    return space


def short(error: BaseException) -> str:
    """Return an error in one line."""
    try:
        first = (str(error).strip().splitlines() or [""])[0]
    except BaseException:
        first = "(an error that cannot be read)"
    return f"{type(error).__name__}: {first}"[:300]


def json_of(found: dict[str, Any]) -> bytes:
    """Return an answer, or what stands in its place, as it leaves."""
    return json.dumps(stored(found)).encode()


def answer(question: dict, probes: dict, space: dict, images: Any) -> bytes:
    """Return what a question's probe makes of the answer, packed."""
    from cnnbook import exercises

    given = space.get(question["name"], ...)
    if given is ...:
        return json_of({"missing": question["name"]})
    try:
        if images is not None:
            data = given(images)
        else:
            probe = probes.get(question["id"], exercises.value)
            data = probe(given, random.Random(question["seed"]))
        return json_of({"data": exercises.plain(data)})
    except exercises.Unusable as error:
        return json_of({"unusable": str(error)[:500]})
    except BaseException as error:
        return json_of({"raised": short(error)})


def child(job: dict, probes: dict, images: dict, pipes: dict) -> None:
    """Run a submission; each answer goes into its question's pipe."""
    os.setsid()
    silence()
    limit(job["limits"])
    random.seed(0)  # so that the same work gives the same marks
    importlib.import_module("numpy").random.seed(0)
    importlib.import_module("torch").manual_seed(0)

    def tell(fact: dict) -> None:
        os.write(pipes["status"][1], json.dumps(fact).encode() + b"\n")

    space = run_cells(job["cells"], tell)
    for question in job["questions"]:
        tell({"question": question["id"]})
        pid = os.fork()
        if pid == 0:
            data = answer(question, probes, space, images.get(question["id"]))
            with open(pipes[question["id"]][1], "wb") as out:
                out.write(data[: ANSWER_LIMIT + 1])
            os._exit(0)
        os.waitpid(pid, 0)
    tell({"question": None})
    os._exit(0)


# The clean process


class Watch:
    """What the clean process knows of the child that it watches."""

    def __init__(self, seconds: dict[str, float], end: float) -> None:
        """Begin before the first cell; all must be over at *end*."""
        self.seconds, self.end = seconds, end
        self.at: tuple[str, Any] = ("start", None)
        self.failed: list[dict] = []
        self.lines = b""
        self.until = time.monotonic() + seconds["cell"]

    def hear(self, text: bytes) -> None:
        """Read what the child says of itself; none of it is trusted."""
        self.lines = (self.lines + text)[-65536:]
        *lines, self.lines = self.lines.split(b"\n")
        for line in lines:
            try:
                fact = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if not isinstance(fact, dict):
                continue
            if "failed" in fact and len(self.failed) < 100:
                self.failed.append(
                    {
                        "cell": fact.get("failed"),
                        "why": str(fact.get("why"))[:300],
                    }
                )
            for kind in ("cell", "question"):
                if kind in fact:
                    self.at = (kind, fact[kind])
                    self.until = time.monotonic() + self.seconds[kind]

    def left(self) -> float:
        """Return the seconds until something is too late."""
        return max(0.0, min(self.until, self.end) - time.monotonic())


def attempt(job: dict, probes: dict, images: dict, end: float) -> dict:
    """Fork a child for a job; collect what it answers, and where it stuck."""
    names = ["status", *(question["id"] for question in job["questions"])]
    pipes = {name: os.pipe() for name in names}
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            for read, _ in pipes.values():
                os.close(read)
            child(job, probes, images, pipes)
        os._exit(1)
    for _, written in pipes.values():
        os.close(written)
    readers = {pipes[name][0]: name for name in names}
    answers = {name: bytearray() for name in names}
    watch, exited = Watch(job["seconds"], end), os.pidfd_open(pid)

    def read(ready: list[int]) -> None:
        for number in ready:
            name, chunk = readers[number], os.read(number, 65536)
            if name == "status":
                watch.hear(chunk)
            elif len(answers[name]) <= ANSWER_LIMIT:
                answers[name] += chunk
            if not chunk:
                os.close(number)
                del readers[number]

    ended = False
    while watch.left() > 0 and not ended:
        wanted = [*readers, exited]
        ready, _, _ = select.select(wanted, [], [], watch.left())
        ended = exited in ready
        read([number for number in ready if number != exited])
    end_all(pid)
    os.close(exited)
    while readers:  # nobody is left who could write
        read(select.select(list(readers), [], [])[0])
    stuck = None if watch.at == ("question", None) else watch.at
    answers.pop("status")
    return {"answers": answers, "stuck": stuck, "failed": watch.failed}


def submission(job: dict, probes: dict, images: dict) -> dict[str, Any]:
    """Run a submission; what stands still or dies costs only itself.

    The cell or the question where a child was stuck is left out, and the
    rest is tried again, until nothing is left or the time is over.
    """
    end = time.monotonic() + job["seconds"]["submission"]
    answers: dict[str, bytearray] = {}
    failed: dict[int, dict] = {}
    left = {question["id"]: question for question in job["questions"]}
    for _ in range(12):
        if not left or time.monotonic() > end:
            break
        job = {**job, "questions": list(left.values())}
        done = attempt(job, probes, images, end)
        for fact in done["failed"]:
            failed[str(fact["cell"])] = fact
        for id, data in done["answers"].items():
            if data:
                answers[id] = data
                left.pop(id, None)
        if done["stuck"] is None:
            break
        kind, place = done["stuck"]
        if kind == "question":
            left.pop(place, None)
        else:
            cells = [c for c in job["cells"] if c["number"] != place]
            if len(cells) == len(job["cells"]):
                break
            job["cells"] = cells
    return {"answers": answers, "failed": list(failed.values())}


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
    """Return what the box began with in its folders: Python, perhaps."""
    folders = [Path(folder) for folder in FOLDERS]
    return {
        p for folder in folders if folder.exists() for p in folder.iterdir()
    }


def swept(ours: set[Path]) -> bool:
    """Remove what was left in the box; say whether it is clean again."""
    if os.getpid() != 1:  # no box: these folders are not ours
        return True
    for folder in FOLDERS:
        for path in Path(folder).iterdir() if Path(folder).exists() else ():
            if path in ours:
                continue
            try:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            except OSError:
                return False
    for kind in ("shm", "sem", "msg"):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()
            if len(lines) > 1:
                return False
    return True


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

    figures.use_style()  # the first time, it imports much
    smoke = lab.scale("smoke")
    lab.scale = lambda name=None: smoke
    exercises.check = exercises.score = lambda *given: None


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
    gc.freeze()  # so that no child's collector touches, and copies, all this
    reply({"ready": True})
    while True:
        result = submission(receive(), probes.PROBES, images)
        result["answers"] = {
            id: content.decode(errors="replace")
            for id, content in result["answers"].items()
        }
        reply({**result, "clean": swept(ours)})


if __name__ == "__main__":
    main()
