"""The one writer of notebooks: finds, runs, normalises and checks them.

    python tools/notebooks.py list            the notebooks of the book
    python tools/notebooks.py run             execute what changed
    python tools/notebooks.py run lenet       execute these, changed or not
    python tools/notebooks.py run --all       execute every one
    python tools/notebooks.py check           the hygiene rules

A notebook has changed when its code cells (sources, tags, stored outputs),
the library, the registry of claims or an installed package differ from what
its last run here left behind. `run` keeps that record in
_build/notebooks.json; without a record a notebook counts as changed. Markdown
is never a reason to execute: `run` brings it into the normal form and leaves
the outputs alone.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import re
import sys
import time
from importlib.metadata import distributions
from pathlib import Path

import nbformat
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

RECORD = ROOT / "_build" / "notebooks.json"
LIMIT = 120
"""Seconds that one cell may take."""

STEADY = {
    **dict.fromkeys(
        (
            "OMP_NUM_THREADS",
            "MKL_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "NUMEXPR_NUM_THREADS",
        ),
        "1",
    ),
    "CNNBOOK_QUIET": "1",
    "CNNBOOK_SCALE": "smoke",
}
"""What every run has in common: one thread, no progress, smallest labs."""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "pygments_lexer": "ipython3",
}
CELL_METADATA = ("mystnb", "tags")
"""What the book writes into a cell; anything else is an editor's."""

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){0,3}(-?[0-9a-f]{12})?")


class Failed(Exception):
    """A notebook did not run; the message names the cell and says why."""


# Which notebooks there are


def toc(root: Path = ROOT) -> list[str]:
    """Return what `_toc.yml` names, in reading order."""
    names: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, list):
            for item in node:
                walk(item)
        elif isinstance(node, dict):
            names.extend(str(node[k]) for k in ("root", "file") if k in node)
            for value in node.values():
                walk(value)

    walk(yaml.safe_load((root / "_toc.yml").read_text("utf-8")))
    return names


def notebooks(root: Path = ROOT) -> list[Path]:
    """Return what is executed: the chapters in order, then the solutions."""
    named = [
        root / f"{name.removesuffix('.ipynb')}.ipynb" for name in toc(root)
    ]
    solutions = sorted(root.glob("labs/*/solution.ipynb"))
    return [path for path in named if path.exists()] + solutions


def name_of(path: Path) -> str:
    """Return what a notebook is called: "lenet", "lab-lenet"."""
    lab = path.stem == "solution"
    return f"lab-{path.parent.name}" if lab else path.stem


def orphans(root: Path = ROOT) -> list[Path]:
    """Return the notebooks that are neither in `_toc.yml` nor a lab's."""
    known = {*notebooks(root), *root.glob("labs/*/lab.ipynb")}
    return sorted(
        path
        for path in root.rglob("*.ipynb")
        if path not in known and not _hidden(path.relative_to(root))
    )


def _hidden(path: Path) -> bool:
    """Whether a path is none of the book's: hidden, built, or a fixture."""
    return (
        any(part.startswith((".", "_build")) for part in path.parts)
        or path.parts[0] in ("build", "dist")
        or path.parts[:2] == ("tests", "broken")
    )


def select(names: list[str], root: Path = ROOT) -> list[Path]:
    """Return the notebooks that are meant: by name, or by path."""
    known = notebooks(root)
    chosen = []
    for name in names:
        found = [
            path
            for path in known
            if name_of(path) == name or path == Path(name).resolve()
        ]
        if not found:
            names_ = ", ".join(map(name_of, known)) or "none yet"
            raise SystemExit(
                f"There is no notebook {name!r} in _toc.yml or labs/: "
                f"the names are {names_}."
            )
        chosen += found
    return chosen


# The normal form


def colab_source(root: Path = ROOT) -> str:
    """Return the code that readies Colab, with the repository's address.

    Colab opens a notebook alone, without the book around it: the library
    brings what a chapter reads. torch is imported while pip works.
    """
    config = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
    repository = config["repository"]
    url, branch = repository["url"].rstrip("/"), repository["branch"]
    return f"""\
# @title In Colab: install the book's library, look for a GPU
import subprocess
import sys
from importlib.util import find_spec

if "google.colab" in sys.modules:
    from google.colab import output

    output.enable_custom_widget_manager()
    library = (
        "cnnbook @ git+{url}"
        "@{branch}"
    )
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
    missing = find_spec("cnnbook") is None
    installing = subprocess.Popen([*pip, library]) if missing else None
    import torch

    if installing and installing.wait():
        raise RuntimeError("Not installed: run this cell again.")
    if torch.cuda.is_available():
        print(f"GPU: {{torch.cuda.get_device_name()}}.")
    else:
        print("No GPU. A chapter needs none. For a lab, choose Runtime →")
        print("Change runtime type → T4 GPU, then run from the top.")"""


def ready_colab(nb: NotebookNode) -> None:
    """Put the cell for Colab, always the same, before the setup cell."""
    tags = [cell.metadata.get("tags", []) for cell in nb.cells]
    setup = [i for i, found in enumerate(tags) if "setup" in found]
    if setup and not any("colab" in found for found in tags):
        cell = nbformat.v4.new_code_cell(id="colab")
        cell.metadata["tags"] = ["colab", "remove-cell"]
        nb.cells.insert(setup[0], cell)
    for cell in nb.cells:
        if "colab" in cell.metadata.get("tags", []):
            cell.source = colab_source()


def normalise(nb: NotebookNode) -> NotebookNode:
    """Bring a notebook into the form that is committed; changes it."""
    nb.nbformat, nb.nbformat_minor = 4, 5
    kept = {key: nb.metadata[key] for key in ("mystnb",) if key in nb.metadata}
    nb.metadata = nbformat.from_dict(
        {**kept, "kernelspec": KERNEL, "language_info": LANGUAGE}
    )
    ready_colab(nb)
    name_cells(nb)
    count = 0
    for cell in nb.cells:
        cell.source = cell.source.rstrip()
        cell.metadata = nbformat.from_dict(
            {k: v for k, v in cell.metadata.items() if k in CELL_METADATA}
        )
        if cell.cell_type != "code":
            cell.pop("attachments", None)
            continue
        if cell.execution_count is not None:
            count += 1
            cell.execution_count = count
        cell.outputs = merge_streams(cell.outputs)
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = cell.execution_count
            if "text/html" in output.get("data", {}):
                output.data.pop(WIDGET_VIEW, None)
    return nb


def name_cells(nb: NotebookNode) -> None:
    """Give a readable id to each cell that has none, a random one or a copy.

    The name is that of the section with a number; other ids stay.
    """
    seen: set[str] = set()
    for cell in nb.cells:
        old = cell.get("id", "")
        if old in seen or RANDOM_ID.fullmatch(old):
            cell["id"] = ""
        seen.add(old)
    used = {cell.get("id") for cell in nb.cells}
    section = "top"
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            section = _section(cell.source) or section
        if cell.get("id"):
            continue
        number = 1
        while f"{section}-{number}" in used:
            number += 1
        cell["id"] = f"{section}-{number}"
        used.add(cell["id"])


def _section(source: str) -> str:
    """Return the cell's first heading as part of an id, or nothing."""
    heading = re.search(r"^#{1,6} +(.+)$", source, re.MULTILINE)
    if not heading:
        return ""
    words = re.findall(r"[a-z0-9]+", heading[1].lower())
    while len("-".join(words)) > 40:
        words.pop()
    return "-".join(words)


def merge_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join the pieces in which a stream happened to arrive."""
    merged: list[NotebookNode] = []
    first: dict[str, NotebookNode] = {}
    for output in outputs:
        if output.output_type != "stream":
            merged.append(output)
        elif output.name in first:
            first[output.name].text += output.text
        else:
            first[output.name] = output
            merged.append(output)
    return merged


def read(path: Path) -> NotebookNode:
    """Read a notebook as it stands: nothing is mended on the way."""
    return nbformat.v4.reads(path.read_text("utf-8"))


def text_of(nb: NotebookNode) -> str:
    """Return the exact text of the file: sorted keys, a final newline."""
    return nbformat.v4.writes(nb).rstrip("\n") + "\n"


def write(nb: NotebookNode, path: Path) -> bool:
    """Write in one step, if anything differs; say whether it did."""
    text = text_of(nb)
    if path.exists() and path.read_text("utf-8") == text:
        return False
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(text, "utf-8")
    os.replace(draft, path)
    return True


# What changed


def surroundings(root: Path) -> str:
    """Return a hash of what notebooks run on: library, records, packages."""
    digest = hashlib.sha256(sys.version.encode())
    library = (root / "cnnbook").rglob("*")
    beside = [
        path
        for pattern in ("chapters/*.yml", "labs/*/*.py", "results/*.json")
        for path in root.glob(pattern)
    ]
    for path in sorted([*library, *beside]):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    packages = sorted(f"{d.name}=={d.version}" for d in distributions())
    digest.update("\n".join(packages).encode())
    return digest.hexdigest()


def fingerprint(nb: NotebookNode, around: str) -> str:
    """Return a hash of a notebook's code, its outputs, and what it runs on."""
    cells = [
        {k: cell.get(k) for k in ("source", "metadata", "outputs")}
        for cell in nb.cells
        if cell.cell_type == "code"
    ]
    return hashlib.sha256(
        (around + json.dumps(cells, sort_keys=True)).encode()
    ).hexdigest()


def load_record() -> dict[str, str]:
    """Return the fingerprints that the last runs here left behind."""
    try:
        return json.loads(RECORD.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def save_record(record: dict[str, str]) -> None:
    """Keep the fingerprints for the next run."""
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


# Running


class Progress:
    """One moving line on a terminal, one line per event elsewhere."""

    def __init__(self) -> None:
        """Start with nothing under way."""
        self.at: dict[str, str] = {}
        self.moving = sys.stdout.isatty()

    def cell(self, name: str, number: int, total: int) -> None:
        """Say which cell a notebook has reached."""
        self.at[name] = f"{name} {number}/{total}"
        if self.moving:
            line = "   ".join(self.at.values())
            print(f"\r\033[K{line}", end="", flush=True)

    def done(self, name: str, line: str) -> None:
        """Say how a notebook ended."""
        self.at.pop(name, None)
        start = "\r\033[K" if self.moving else ""
        print(f"{start}{line}", flush=True)


def _client(nb: NotebookNode, folder: Path, limit: float) -> NotebookClient:
    """Return a client whose kernel is the Python that runs this."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisPython(AsyncKernelManager):
        """Ignores every registered kernel: only the running Python's own."""

        def __init__(self, **options: object) -> None:
            # no folders to look in: what is left is this Python's ipykernel
            own = KernelSpecManager(kernel_dirs=[])
            super().__init__(kernel_spec_manager=own, **options)

    return NotebookClient(
        nb,
        timeout=limit,
        startup_timeout=120,
        kernel_name="python3",
        kernel_manager_class=ThisPython,
        store_widget_state=False,
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        force_raise_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )


async def execute(
    path: Path, limit: float = LIMIT, progress: Progress | None = None
) -> NotebookNode:
    """Run a notebook in a fresh kernel; return it normalised, unwritten."""
    nb = normalise(read(path))
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    code = [i for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    reached = 0

    def at_cell(cell: NotebookNode, cell_index: int) -> None:
        nonlocal reached
        if cell.cell_type == "code":
            reached = cell_index
            if progress:
                number = code.index(cell_index) + 1
                progress.cell(name_of(path), number, len(code))

    client = _client(nb, path.parent, limit)
    client.on_cell_start = at_cell
    why = ""
    try:
        await client.async_execute()
    except CellTimeoutError:
        why = f"took longer than {limit:g} s"
    except DeadKernelError:
        why = "ended the kernel"
    except CellExecutionError as error:
        why = f"raised {error.ename}: {error.evalue}"
    if why:
        raise Failed(
            f"{path.name}, code cell {code.index(reached) + 1} "
            f"({nb.cells[reached]['id']}) {why}\n\n"
            f"{_evidence(nb.cells[reached])}"
        )
    return normalise(nb)


def _evidence(cell: NotebookNode) -> str:
    """Return the traceback, in plain letters, or else the cell's source."""
    lines = cell.source.splitlines()
    for output in cell.outputs:
        if output.output_type == "error":
            text = "\n".join(output.traceback)
            lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    return "\n".join(f"    {line}" for line in lines)


async def run(
    paths: list[Path],
    always: bool,
    workers: int = 2,
    limit: float = LIMIT,
) -> int:
    """Execute what changed (or all of `paths`); return how many failed."""
    os.environ.update(STEADY)
    around, record = surroundings(ROOT), load_record()
    places, progress = asyncio.Semaphore(workers), Progress()
    failures: list[str] = []

    def name(path: Path) -> str:
        near = path.is_relative_to(ROOT)
        return str(path.relative_to(ROOT) if near else path)

    async def one(path: Path) -> None:
        key, nb = name(path), normalise(read(path))
        if not always and record.get(key) == fingerprint(nb, around):
            state = "normalised" if write(nb, path) else "unchanged"
            progress.done(name_of(path), f"{key}: {state}, not run")
            return
        async with places:
            start = time.monotonic()
            if not progress.moving:
                print(f"{key}: running", flush=True)
            try:
                nb = await execute(path, limit, progress)
            except Failed as error:
                failures.append(str(error))
                line = f"{key}: FAILED, file left as it was"
                progress.done(name_of(path), line)
                return
            state = "written" if write(nb, path) else "same as before"
            record[key] = fingerprint(nb, around)
            save_record(record)
            seconds = time.monotonic() - start
            progress.done(name_of(path), f"{key}: {state} ({seconds:.0f} s)")

    await asyncio.gather(*map(one, paths))
    for failure in failures:
        print(f"\n{failure}", file=sys.stderr)
    return len(failures)


# The command


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print the notebooks of the book")
    runner = commands.add_parser("run", help="execute what changed")
    runner.add_argument("names", nargs="*", metavar="NAME")
    runner.add_argument("--all", action="store_true", help="every notebook")
    runner.add_argument(
        "--workers", type=int, default=2, help="notebooks at a time (2)"
    )
    runner.add_argument(
        "--limit", type=float, default=LIMIT, help=f"s per cell ({LIMIT})"
    )
    checker = commands.add_parser("check", help="apply the hygiene rules")
    checker.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args(arguments)
    if given.command == "list":
        for path in notebooks():
            print(path.relative_to(ROOT))
        return 0
    paths = select(given.names) if given.names else notebooks()
    if given.command == "run":
        always = given.all or bool(given.names)
        failed = asyncio.run(run(paths, always, given.workers, given.limit))
        return 1 if failed else 0
    from tools import hygiene

    problems = hygiene.check_book(paths)
    print("\n".join(problems) or f"{len(paths)} notebooks are in order.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
