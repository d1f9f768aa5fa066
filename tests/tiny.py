"""Notebooks of the tiny lab: the solution, and what students make of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import nbformat

from tools import labs
from tools import notebooks as writer

FOLDER = Path(__file__).with_name("tiny_lab")
CELLS = {
    "setup": "import torch\nfrom torch import nn\n\n"
    "from cnnbook import lab\nfrom cnnbook.exercises import check\n\n"
    "scale = lab.scale()",
    "area": "def area(height, width):\n"
    '    """The area of a rectangle."""\n'
    "    # solution\n"
    "    together = height * width\n    return together",
    "check-1": 'check("lab-tiny_lab.q1", area)',
    "block": "class Block(nn.Module):\n"
    '    """A convolution, batch norm, and ReLU."""\n'
    "    # solution\n"
    "    def __init__(self, channels):\n        super().__init__()\n"
    "        self.norm = nn.BatchNorm2d(channels)\n"
    "        self.filter = nn.Conv2d(\n"
    "            channels, channels, 3, padding=1, bias=False\n        )\n\n"
    "    def forward(self, x):\n"
    "        return self.norm(self.filter(x)).relu()",
    "counts": "counts = ...\n# solution\n"
    "counts = [28 * 28 * 48, 28 * 28 * 6, 2352]",
    "read": "def read(images):\n"
    '    """The bright quarter of each picture."""\n'
    "    # solution\n"
    "    means = nn.functional.avg_pool2d(images, 4).flatten(1)\n"
    "    return means.argmax(1)",
    "answer": "**Answer W1.** *Write here, in place of this line.*",
}


def solution() -> nbformat.NotebookNode:
    """The solution as a notebook."""
    nb = nbformat.v4.new_notebook()
    for name, source in CELLS.items():
        kind = "markdown" if name == "answer" else "code"
        make = getattr(nbformat.v4, f"new_{kind}_cell")
        tags = ["setup"] if name == "setup" else []
        nb.cells.append(make(source, id=name, metadata={"tags": tags}))
    return writer.normalise(nb)


def folder(where: Path) -> Path:
    """Lay the lab out in a folder, as labs/ has it."""
    lab = where / "tiny_lab"
    lab.mkdir(parents=True)
    (lab / "probes.py").write_text((FOLDER / "probes.py").read_text())
    (lab / "solution.ipynb").write_text(writer.text_of(solution()))
    edition = labs.student(solution())
    (lab / "lab.ipynb").write_text(writer.text_of(edition))
    return lab


def handed_in(changes: dict[str, str], extra: str = "") -> bytes:
    """A right notebook with some cells changed, and one put in front."""
    nb = copy.deepcopy(solution())
    for cell in nb.cells:
        cell.source = changes.get(cell.id, cell.source)
    if extra:
        cell = nbformat.v4.new_code_cell(extra, id="extra")
        nb.cells.insert(2, cell)  # behind the setup
    return writer.text_of(nb).encode()


def old_format() -> bytes:
    """A right notebook in format 3."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "input": source.splitlines(True), "outputs": []}
        for name, source in CELLS.items()
        if name != "answer"
    ]
    nb = {"nbformat": 3, "worksheets": [{"cells": cells}], "metadata": {}}
    return json.dumps(nb).encode()
