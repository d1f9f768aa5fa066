"""Run notebooks as Colab would: its versions, an empty folder, one notebook.

    python tools/colab_env.py                 a few, as `make test` does
    python tools/colab_env.py lenet lab-conv  these
    python tools/colab_env.py --all           chapters, labs and solutions

The environment in .venv/colab holds the versions of tests/colab_versions.txt
and, behind them, links to the packages of .venv: no second torch, and not the
book's library. That is installed from its wheel, without dependencies. The
cell for Colab runs as it is: a stand-in for google.colab is imported first,
and git is told that the repository's address is a clone on this machine.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools import colab  # noqa: E402
from tools.notebooks import STEADY, name_of, read  # noqa: E402

VERSIONS = ROOT / "tests" / "colab_versions.txt"
STAND_IN = ROOT / "tests" / "colab_stand_in"
PLACE = ROOT / ".venv" / "colab"
FEW = ("convolution", "errata", "lab-conv-solution")
"""What `make test` runs beside what students open: every lab's edition."""
LIMIT = 120
"""Seconds that one cell may take."""


# The environment


def pinned() -> dict[str, str]:
    """Return the versions that Colab has, by package."""
    lines = VERSIONS.read_text("utf-8").splitlines()
    return dict(
        line.split("==") for line in lines if line and not line.startswith("#")
    )


def _below() -> list[Path]:
    """Return what lies in this Python's packages, but for the book's own."""
    folder = Path(sysconfig.get_paths()["purelib"])
    return [
        path
        for path in sorted(folder.iterdir())
        if not re.match(r"(__editable__|_?cnnbook)", path.name)
        and path.suffix != ".pth"
    ]


def python_of(place: Path = PLACE) -> Path:
    """Return the Python of the environment."""
    return place / "bin" / "python"


def _packages_of(place: Path) -> Path:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return place / "lib" / version / "site-packages"


def ensure(place: Path = PLACE) -> Path:
    """Make the environment, unless it stands; return its Python."""
    names = [str(path) for path in _below()]
    told = VERSIONS.read_text("utf-8") + sys.version + "\n".join(names)
    mark = hashlib.sha256(told.encode()).hexdigest()
    marker = place / "made-from"
    if marker.exists() and marker.read_text() == mark:
        return python_of(place)
    shutil.rmtree(place, ignore_errors=True)
    venv = [sys.executable, "-m", "venv", "--without-pip", str(place)]
    subprocess.run(venv, check=True)
    below = place / "below"
    below.mkdir()
    for path in _below():
        (below / path.name).symlink_to(path)
    (_packages_of(place) / "below.pth").write_text(f"{below}\n")
    pip = [str(python_of(place)), "-m", "pip", "install", "--quiet"]
    pip += ["--no-deps", "--ignore-installed", "-r", str(VERSIONS)]
    subprocess.run(pip, check=True)
    marker.write_text(mark)
    return python_of(place)


def versions(python: Path) -> dict[str, str]:
    """Return what of the pinned packages is imported, by package."""
    code = (
        "import json, sys; from importlib.metadata import version;"
        "print(json.dumps({n: version(n) for n in json.loads(sys.argv[1])}))"
    )
    done = subprocess.run(
        [str(python), "-I", "-c", code, json.dumps(list(pinned()))],
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


def install(python: Path, wheel: Path) -> None:
    """Install the book's library from its wheel, in place of another."""
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--force-reinstall", str(wheel)], check=True)


def uninstall(python: Path) -> None:
    """Take the book's library away."""
    pip = [str(python), "-m", "pip", "uninstall", "--quiet", "--yes"]
    subprocess.run([*pip, "cnnbook"], check=True, capture_output=True)


def wheel_of(book: Path, folder: Path) -> Path:
    """Build the wheel of a copy of the book."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    pip += ["--no-build-isolation", "--wheel-dir", str(folder), str(book)]
    subprocess.run(pip, check=True)
    [built] = folder.glob("*.whl")
    return built


def copy_of(folder: Path, root: Path = ROOT) -> Path:
    """Copy what the repository holds, new files included, as a clone does."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, folder / name)
    return folder


def repository_of(book: Path, branch: str) -> Path:
    """Make a copy of the book a git repository with this branch."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (
        ["init", "--quiet", "--initial-branch", branch],
        ["add", "--all"],
        [*who, "commit", "--quiet", "--message", "All"],
    ):
        subprocess.run(["git", *arguments], cwd=book, check=True)
    return book


# Running


@dataclass(frozen=True)
class Case:
    """A notebook to run, and the file that it stands in while it does."""

    name: str
    file: str
    notebook: NotebookNode


def cases(root: Path = ROOT) -> dict[str, Case]:
    """Return what can be run: the Colab edition, and the solutions.

    A student's edition is run up to the first check of a thing to write.
    """
    book = colab.Book(root)
    found = []
    for page in book.chapters():
        name = page.name.rpartition("/")[2]
        nb = colab.edition(book, page)
        found.append(Case(name, f"{name}.ipynb", nb))
    for page in book.labs():
        name = f"lab-{page.name.split('/')[1]}"
        nb = colab.edition(book, page)
        places = (
            number
            for number, cell in enumerate(nb.cells)
            if "our code here" in cell.source
        )
        nb.cells = nb.cells[: next(places) + 2]
        found.append(Case(name, f"{name}.ipynb", nb))
        path = root / "labs" / page.name.split("/")[1] / "solution.ipynb"
        solution = f"{name_of(path)}-solution"
        found.append(Case(solution, f"{solution}.ipynb", read(path)))
    return {case.name: case for case in found}


def few(root: Path = ROOT) -> list[str]:
    """Return the names of what `make test` runs."""
    labs = sorted(root.glob("labs/*/lab.ipynb"))
    return [*FEW, *(f"lab-{path.parent.name}" for path in labs)]


def _kernel(python: Path) -> type[AsyncKernelManager]:
    """Return a manager whose one kernel is that of the environment."""
    spec = KernelSpec(
        argv=[
            *(str(python), "-Xfrozen_modules=off", "-m", "ipykernel_launcher"),
            *("-f", "{connection_file}"),
            "--IPKernelApp.exec_lines=import google.colab",
        ],
        display_name="Colab",
        language="python",
    )

    class Specs(KernelSpecManager):
        """Knows one kernel, whatever it is asked for."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            """Return the one kernel."""
            return spec

    class Manager(AsyncKernelManager):
        """Starts the environment's kernel."""

        def __init__(self, **options: object) -> None:
            super().__init__(kernel_spec_manager=Specs(), **options)

    return Manager


@contextmanager
def surroundings(**more: str) -> Iterator[None]:
    """Set the variables that a kernel starts with, and take them back."""
    before = dict(os.environ)
    os.environ.update(STEADY, PYTHONPATH=str(STAND_IN), **more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def clone_for(address: str, clone: Path) -> dict[str, str]:
    """Return the variables that send git from an address to a clone."""
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{clone.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
        # setuptools is at hand; a build of its own would fetch it
        "PIP_NO_BUILD_ISOLATION": "0",
    }


def execute(case: Case, python: Path, limit: float = LIMIT) -> NotebookNode:
    """Run a notebook, alone in an empty folder; return it with its outputs."""
    nb = copy.deepcopy(case.notebook)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / case.file).write_text(colab.text_of(nb), "utf-8")
        NotebookClient(
            nb,
            timeout=limit,
            startup_timeout=120,
            kernel_name="python3",
            kernel_manager_class=_kernel(python),
            store_widget_state=False,
            resources={"metadata": {"path": folder}},
        ).execute()
        left = {path.name for path in Path(folder).iterdir()} - {case.file}
    if left - {"runs"}:
        raise AssertionError(f"{case.name} leaves files: {sorted(left)}.")
    return nb


def printed(nb: NotebookNode) -> list[str]:
    """Return what each code cell prints, but for the cell for Colab."""
    return [
        "".join(output.text for output in cell.outputs if output.get("text"))
        for cell in nb.cells
        if cell.cell_type == "code"
        and "colab" not in cell.metadata.get("tags", [])
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the named notebooks, and say how long each takes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="every notebook")
    given = parser.parse_args(arguments)
    known = cases()
    names = list(known) if given.all else given.names or few()
    python = ensure()
    with tempfile.TemporaryDirectory() as folder:
        wheel = wheel_of(copy_of(Path(folder) / "book"), Path(folder))
        install(python, wheel)
    failed = 0
    for name in names:
        began = time.perf_counter()
        try:
            with surroundings():
                ran = execute(known[name], python)
            same = name.startswith("lab-") and not name.endswith("-solution")
            same = same or printed(ran) == printed(known[name].notebook)
            said = "ran" if same else "prints something else"
        except Exception as error:
            said, same = f"failed: {error}", False
        failed += not same
        print(f"{name}: {said} ({time.perf_counter() - began:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
