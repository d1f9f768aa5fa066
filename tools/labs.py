"""Make the student's edition of each lab from its solution.

    python tools/labs.py            write labs/*/lab.ipynb
    python tools/labs.py --check    fail if one of them is not up to date

Two rules. A cell tagged `solution` goes. From a line `# solution` on, a cell
becomes a place to write: inside a function a `raise NotImplementedError`, so
that `check` knows that nothing is written yet. Outputs go too. The same
solution gives the same bytes.
"""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path

from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.notebooks import normalise, read, text_of, write  # noqa: E402

MARK = re.compile(r"^( *)# solution\b.*", re.MULTILINE)
BLOCK = """\
{0}# Your code here, in place of the next line.
{0}raise NotImplementedError("yours to write")"""


def student(solution: NotebookNode) -> NotebookNode:
    """Return the student's edition; the solution is not changed."""
    nb = copy.deepcopy(solution)
    nb.cells = [
        cell
        for cell in nb.cells
        if "solution" not in cell.metadata.get("tags", [])
    ]
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.source = opened(cell.source)
            cell.outputs, cell.execution_count = [], None
    return normalise(nb)


def opened(source: str) -> str:
    """Return a cell with a place to write where its solution begins."""
    found = MARK.search(source)
    if not found:
        return source
    place = BLOCK.format(found[1]) if found[1] else "# Your code here."
    return source[: found.start()] + place


def solutions(root: Path = ROOT) -> list[Path]:
    """Return the solutions, by name."""
    return sorted(root.glob("labs/*/solution.ipynb"))


def main(arguments: list[str]) -> int:
    """Write the editions, or say which differ."""
    stale = []
    for path in solutions():
        nb = student(read(path))
        lab = path.with_name("lab.ipynb")
        if arguments == ["--check"]:
            if not lab.exists() or lab.read_text("utf-8") != text_of(nb):
                stale.append(lab)
            continue
        state = "written" if write(nb, lab) else "same as before"
        print(f"{lab.relative_to(ROOT)}: {state}")
    for lab in stale:
        print(f"{lab.relative_to(ROOT)} is not up to date: make labs")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
