"""A box: a process that runs untrusted notebooks and can do nothing else.

bubblewrap gives it no network, no other process to see, nothing to write but
a small folder in memory, and of this machine's files only Python and the
library, without the labs' own answers. What comes out of it is bytes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MIB = 2**20
LARGEST = 256 * MIB
"""Of a box's line: all answers of a submission."""
WORKER = Path(__file__).with_name("worker.py")
SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache")
START = 120.0
"""Seconds that a box may take to be ready: it imports torch."""
WORN = 200
"""Submissions after which a box is replaced."""
USERS = 61000
"""Started by root, box n runs as the user of this number plus n."""


class Dead(RuntimeError):
    """The box ended, or had to be ended; the message says why."""


@dataclass(frozen=True)
class Limits:
    """What a submission may use."""

    cell: float = 60.0
    question: float = 10.0
    submission: float = 180.0
    memory: int = 3072 * MIB
    processes: int = 32
    file: int = 64 * MIB
    folder: int = 256 * MIB


def lacking() -> str:
    """Say what this machine lacks to make a box, and what to do about it."""
    if not shutil.which("bwrap"):
        return (
            "bubblewrap is missing: install the package `bubblewrap` "
            "(Debian, Ubuntu, Fedora, Arch), or grade with --isolation none "
            "what you trust."
        )
    words = [*_command(0, Limits()), "/usr/bin/env", "true"]
    made = subprocess.run(words, capture_output=True, text=True)
    why = made.stderr.strip() or "no reason given"
    return (
        f"bubblewrap cannot make a box here ({why}): allow user namespaces "
        "(sysctl kernel.unprivileged_userns_clone=1, or on Ubuntu an AppArmor "
        "profile for bwrap), or run as root."
        if made.returncode
        else ""
    )


def _command(number: int, limits: Limits) -> list[str]:
    """Return the call of bubblewrap, up to what it runs."""
    package = Path(str(importlib.util.find_spec("cnnbook").origin)).parent
    paths = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    shown = [*SYSTEM, sys.base_prefix, sys.prefix, *paths, package, WORKER]
    words = "bwrap --unshare-all"
    if os.geteuid() == 0:  # a user of its own, so that its limits count
        words = (
            "bwrap --unshare-pid --unshare-net --unshare-ipc --unshare-uts "
            "--unshare-cgroup-try --cap-drop ALL --cap-add CAP_SETUID "
            f"--cap-add CAP_SETGID --setenv LABGRADE_USER {USERS + number}"
        )
    words += " --as-pid-1 --die-with-parent --new-session"
    words = f"{words} --proc /proc --dev /dev".split()
    for folder in ("/tmp", "/dev/shm"):  # first: Python may lie under them
        words += ["--perms", "1777", "--size", str(limits.folder)]
        words += ["--tmpfs", folder]
    for path in dict.fromkeys(Path(path) for path in shown):
        for parent in reversed(path.parents[:-1]):
            words += ["--perms", "0755", "--dir", str(parent)]
        words += ["--ro-bind-try", str(path), str(path)]
    for secret in (package / "labs", package / "probes"):
        if secret.is_dir():
            words += ["--tmpfs", str(secret)]
    return [*words, "--remount-ro", "/", "--chdir", "/tmp"]


ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/tmp",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "CNNBOOK_SCALE": "smoke",
    "CNNBOOK_QUIET": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(eq=False)
class Box:
    """One running box, ready for submissions until it is closed."""

    probes: str
    images: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    number: int = 0
    isolated: bool = True

    def __post_init__(self) -> None:
        """Start it, and wait until it has imported what is slow."""
        words = _command(self.number, self.limits) if self.isolated else []
        words += [sys.executable, "-I", str(WORKER)]
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        self.used, self.ours, self.inside = 0, 0, []
        try:
            self._send({"probes": self.probes, "images": self.images})
            self._receive(START)
        except Dead as error:
            self.close()
            raise OSError(f"A box cannot be started: {error}.") from None
        self.ours = memory(self.process.pid)
        inside = below(self.process.pid)
        self.inside = [os.pidfd_open(pid) for pid in inside]

    @property
    def kit(self) -> tuple[str, dict[str, Any], Limits]:
        """What it was started with."""
        return self.probes, self.images, self.limits

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run one submission; raise `Dead` if the box does not survive it."""
        self.used += 1
        try:
            self._send({**job, "limits": vars(self.limits)})
            result = self._receive(self.limits.submission + 10)
        except Dead:
            self.close()
            raise
        if not result["clean"]:
            self.used = WORN  # something stays in it: take another
        return result

    def close(self) -> None:
        """End the box and everything in it: first what is process 1 there."""
        self.used = WORN
        for inside in self.inside:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(inside, signal.SIGKILL)
            select.select([inside], [], [], 10)
            os.close(inside)
        self.inside = []
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise Dead("the box has ended") from None

    def _receive(self, seconds: float) -> dict[str, Any]:
        """Read a line of JSON in time, and look at the memory meanwhile."""
        end = time.monotonic() + seconds
        found = bytearray()
        out = self.process.stdout.fileno()
        while not found.endswith(b"\n"):
            ready, _, _ = select.select([out], [], [], 0.2)
            if ready:
                chunk = os.read(out, MIB)
                found += chunk
                if not chunk:
                    raise Dead("the box ended")
                if len(found) > LARGEST:
                    raise Dead("the box sent more than it may")
            elif time.monotonic() > end:
                raise Dead("it took too long")
            elif memory(self.process.pid, self.ours) > self.limits.memory:
                raise Dead("it took too much memory")
        try:
            return dict(json.loads(found))
        except (ValueError, TypeError, RecursionError):
            raise Dead("the box sent what cannot be read") from None


def below(pid: int) -> list[int]:
    """Return the children of a process."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for children in Path(f"/proc/{pid}").glob("task/*/children"):
            found += map(int, children.read_text().split())
    return found


def memory(pid: int, shared: int = 0) -> int:
    """Return the bytes that a process and its descendants use themselves.

    A forked process begins with the pages of its parent, which are counted
    once: so many of each process are *shared*.
    """
    total, left = 0, [pid]
    while left:
        one = left.pop()
        with contextlib.suppress(OSError, ValueError):
            fields = Path(f"/proc/{one}/statm").read_text().split()
            own = (int(fields[1]) - int(fields[2])) * 4096
            total += max(0, own - shared)
        left += below(one)
    return total
