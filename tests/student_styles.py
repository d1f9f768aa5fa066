"""How students write, and what their tools save: right notebooks rewritten.

A *habit* changes how the same right answers are written down, a *tool* how
the file looks that is handed in. None of them may cost a point.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Work:
    """A notebook in the making: its cells, and those with answers."""

    cells: list[str]
    answers: dict[str, int] = field(default_factory=dict)
    """For each name that is asked for, the place of its cell."""

    def rewrite(self, change: Callable[[str, str], str]) -> None:
        """Change the text of each answer, given its name and its text."""
        for name, place in self.answers.items():
            self.cells[place] = change(name, self.cells[place])

    def take_out(self) -> dict[str, str]:
        """Take the answers out of their cells."""
        texts = {name: self.cells[at] for name, at in self.answers.items()}
        self.cells = [
            cell
            for place, cell in enumerate(self.cells)
            if place not in self.answers.values()
        ]
        self.answers = {}
        return texts


# Habits


def as_handed_out(work: Work) -> None:
    """Nothing but the answers, each in its cell."""


def below_the_stubs(work: Work) -> None:
    """The places to write stay as they are; the answers come after all."""
    stub = "def {0}(*given):\n    raise NotImplementedError('yours to write')"
    texts = {name: work.cells[at] for name, at in work.answers.items()}
    work.rewrite(lambda name, text: stub.format(name))
    work.cells += texts.values()


def one_cell(work: Work) -> None:
    """Everything that was written in a single cell, above all others."""
    texts = work.take_out().values()
    work.cells.insert(2, "\n\n\n".join(texts))


def without_the_book(work: Work) -> None:
    """A notebook of the student's own, with nothing but the answers."""
    work.cells = list(work.take_out().values())


def helpers_at_the_end(work: Work) -> None:
    """What an answer calls stands in cells below, run first by hand."""

    def split(name: str, text: str) -> str:
        body = ast.parse(text).body
        last = [
            number
            for number, part in enumerate(body)
            if isinstance(part, ast.FunctionDef) and part.name != name
        ]
        for number in last:
            work.cells.append(ast.unparse(body[number]))
        return "\n".join(
            ast.unparse(part)
            for number, part in enumerate(body)
            if number not in last
        )

    work.rewrite(split)


def timed(work: Work) -> None:
    """Magics wherever they fit."""
    heads = ("%%time\n", "%%capture said\n", "\n%%time -q\n", "%pdb off\n")
    places = list(work.answers)

    def change(name: str, text: str) -> str:
        return heads[places.index(name) % len(heads)] + text

    work.rewrite(change)
    work.cells.insert(
        1,
        "%matplotlib inline\n%load_ext autoreload\n%autoreload 2\n"
        "%config InlineBackend.figure_format = 'retina'\n!nvidia-smi",
    )
    work.cells += [f"%timeit -n 1 {name}\n{name}?" for name in places]
    work.cells.append("%time total = sum(range(10))\nwho = !whoami")


def noisy(work: Work) -> None:
    """Prints, plots and tries in between; one of them is left broken."""
    asked = list(work.answers)
    work.rewrite(
        lambda name, text: (
            f"{text}\n\nprint({name!r}, {name})\n"
            f"assert callable({name}), 'not yet'"
        )
    )
    work.cells += [
        "import matplotlib.pyplot as plt\nimport numpy as np\n"
        "fig, ax = plt.subplots()\n"
        "for i in range(3):\n    ax.plot(np.arange(5) ** i, label=i)\n"
        "ax.legend()\nplt.savefig('my figure.png')\nplt.show()",
        "for i, f in enumerate([" + ", ".join(asked) + "]):\n"
        "    try:\n        print(i, f('?'))\n"
        "    except Exception as error:\n        print(type(error))",
        "1 / 0",
        "x = y = None\nprint(not_there)",
        "if x is None\n    print('a colon is missing')",
    ]


def renamed(work: Work) -> None:
    """Other short names for the same modules."""
    short = {"torch": "th", "F": "fun", "nn": "tnn"}
    imports = (
        "import torch as th, torch.nn.functional as fun\n"
        "from torch import nn as tnn\n"
    )

    def change(name: str, text: str) -> str:
        tree = ast.parse(text)
        tree.body = [
            part
            for part in tree.body
            if not (
                isinstance(part, ast.Import | ast.ImportFrom)
                and {a.asname or a.name for a in part.names} & short.keys()
            )
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                node.id = short.get(node.id, node.id)
        return ast.unparse(tree)

    work.rewrite(change)
    work.cells.insert(1, imports)


def everything_imported(work: Work) -> None:
    """Stars, and classes of layers without their module."""

    def change(name: str, text: str) -> str:
        return re.sub(r"\bnn\.([A-Z]\w+)", r"\1", text)

    work.rewrite(change)
    work.cells.insert(
        1,
        "from math import *\nfrom torch.nn import *\nfrom torch import nn, "
        "Tensor\nfrom typing import *\nimport math, random",
    )


def typed(work: Work) -> None:
    """Hints everywhere, not evaluated, and an alias of the student's own."""

    def change(name: str, text: str) -> str:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                node.returns = ast.Name("Result")
                for argument in node.args.args:
                    argument.annotation = ast.Name("Numbers")
        return f"from __future__ import annotations\n{ast.unparse(tree)}"

    work.rewrite(change)


def remembered(work: Work) -> None:
    """Global state: every call is counted, and written into a list."""
    work.cells.insert(
        1,
        "import functools, time\nCALLS, count = [], 0\n\n"
        "def logged(f):\n"
        "    @functools.wraps(f)\n"
        "    def inner(*given, **named):\n"
        "        global count\n"
        "        count += 1\n"
        "        CALLS.append((f.__name__, time.perf_counter()))\n"
        "        return f(*given, **named)\n"
        "    return inner\n",
    )
    work.answers = {name: at + 1 for name, at in work.answers.items()}
    work.rewrite(lambda name, text: f"{text}\n\n{name} = logged({name})")


def as_objects(work: Work) -> None:
    """Answers that are objects which can be called, of a dataclass."""
    work.cells.insert(
        1,
        "from dataclasses import dataclass\nfrom typing import Callable\n\n"
        "@dataclass\nclass Answer:\n"
        "    call: Callable\n    times: int = 0\n\n"
        "    def __call__(self, *given, **named):\n"
        "        self.times += 1\n"
        "        return self.call(*given, **named)\n",
    )
    work.answers = {name: at + 1 for name, at in work.answers.items()}
    work.rewrite(lambda name, text: f"{text}\n\n{name} = Answer({name})")


def lambdas(work: Work) -> None:
    """Each answer behind a lambda, under a name that is bound twice."""
    work.rewrite(
        lambda name, text: (
            f"{text}\n\nmy_{name} = {name}\n"
            f"{name} = lambda *given, **more: my_{name}(*given, **more)"
        )
    )


def registered(work: Work) -> None:
    """Tries of each answer in a dict; the best one is taken in the end."""
    asked = list(work.answers)
    work.cells.insert(1, "tries = {}")
    work.answers = {name: at + 1 for name, at in work.answers.items()}
    work.rewrite(
        lambda name, text: f"{text}\n\ntries[{name!r}] = [None, {name}]"
    )
    work.cells += [f"{name} = tries[{name!r}][-1]" for name in asked]


def in_colab(work: Work) -> None:
    """Drive, pip, forms, packages that are not here; all in one import."""
    work.cells.insert(
        1,
        '#@title Setup { display-mode: "form" }\n'
        "!pip install -q einops==0.8 torchinfo\n"
        "from google.colab import drive, files\n"
        "drive.mount('/content/drive', force_remount=True)\n"
        "%cd /content/drive/MyDrive/labs\n"
        "import os\nos.makedirs('/content/drive/MyDrive/out', exist_ok=True)\n"
        "import pandas as pd, seaborn as sns\n"
        "from torchinfo import summary\n"
        "import copy, math, itertools\nimport numpy as np\n"
        "import torch\nimport torch.nn as nn\n"
        "import torch.nn.functional as F\n"
        'RATE = 1e-3 #@param {type:"number"}\n'
        "files.upload()",
    )
    given = re.compile(
        r"^(import (copy|math|itertools|torch)|from torch( |\.nn ) ?import "
        r"\w+|import torch\.nn\.functional as F|import numpy as np)\n",
        re.MULTILINE,
    )
    work.answers = {name: at + 1 for name, at in work.answers.items()}
    work.rewrite(lambda name, text: given.sub("", text))


def single_precision(work: Work) -> None:
    """In Colab everything is float32, and beginners say so everywhere."""

    def change(name: str, text: str) -> str:
        return re.sub(
            r"\.(double\(\)|to\((\w+)(\.dtype)?\))", ".float()", text
        )

    work.cells.insert(
        1, "import torch\ntorch.set_default_dtype(torch.float32)"
    )
    work.answers = {name: at + 1 for name, at in work.answers.items()}
    work.rewrite(change)


def guarded(work: Work) -> None:
    """As in a script: guards, a main function, semicolons, tabs, Greek."""

    def change(name: str, text: str) -> str:
        tabs = re.sub(
            "^( {4})+", lambda m: "\t" * (len(m[0]) // 4), text, flags=re.M
        )
        return (
            f"α = 1e-4; β = .75; Δx, größe = α * β, 'ö'\n{tabs}\n\n"
            f"if __name__ == '__main__':\n    ready = callable({name})\n"
            f"try:\n    {name}()\nexcept Exception:\n    pass"
        )

    work.rewrite(change)
    work.cells.append(
        "def main():\n    import random; random.seed(0)\n    return α\n\n"
        "if __name__ == '__main__': main()"
    )


HABITS = (
    as_handed_out,
    in_colab,
    one_cell,
    noisy,
    remembered,
    below_the_stubs,
    renamed,
    timed,
    lambdas,
    helpers_at_the_end,
    typed,
    registered,
    everything_imported,
    as_objects,
    guarded,
    single_precision,
    without_the_book,
)


# Tools


def cell(text: str, **more: Any) -> dict[str, Any]:
    """Return a code cell of format 4."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": text,
        **more,
    }


def saved(cells: list[dict], minor: int, **metadata: Any) -> bytes:
    """Return a file of format 4."""
    whole = {
        "cells": cells,
        "metadata": metadata,
        "nbformat": 4,
        "nbformat_minor": minor,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False).encode()


PYTHON = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["✓ right\n"]}


def jupyterlab(cells: list[str]) -> bytes:
    """Ids, counts in an order of their own, outputs, sources in lines."""
    made = [
        cell(
            text.splitlines(keepends=True),
            id=f"b7c1-{number}",
            execution_count=(7 * number) % 31,
            outputs=[OUTPUT],
            metadata={"tags": [], "trusted": True},
        )
        for number, text in enumerate(cells)
    ]
    made.insert(0, {"cell_type": "raw", "metadata": {}, "source": "def x(:"})
    return saved(made, 5, kernelspec=PYTHON, toc={"base_numbering": 1})


def colab(cells: list[str]) -> bytes:
    """No ids, but some in the metadata; forms, and what was run when."""
    made = [
        cell(
            text.splitlines(keepends=True),
            metadata={
                "id": f"x{number}AbC",
                "cellView": "form",
                "colab": {"base_uri": "https://localhost:8080/"},
                "outputId": "9e4f0a6e",
                "executionInfo": {"status": "ok", "user_tz": -120},
            },
        )
        for number, text in enumerate(cells)
    ]
    about = {"provenance": [], "gpuType": "T4", "toc_visible": True}
    widgets = {"application/vnd.jupyter.widget-state+json": {"a1": {}}}
    return saved(made, 0, colab=about, accelerator="GPU", widgets=widgets)


def vscode(cells: list[str]) -> bytes:
    """Sources as one text, lines that end as on Windows."""
    made = [
        cell(
            text.replace("\n", "\r\n"),
            metadata={"vscode": {"languageId": "python"}},
        )
        for text in cells
    ]
    language = {"name": "python", "version": "3.12.3"}
    return saved(made, 2, language_info=language).replace(b"\n", b"\r\n")


def old(cells: list[str]) -> bytes:
    """Format 3, with its sheets."""
    made = [
        {
            "cell_type": "code",
            "input": text.splitlines(keepends=True),
            "language": "python",
            "collapsed": False,
            "prompt_number": 1,
            "outputs": [],
        }
        for text in cells
    ]
    whole = {
        "metadata": {"name": "Untitled0"},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": made}],
    }
    return b"\xef\xbb\xbf" + json.dumps(whole).encode()


TOOLS = (jupyterlab, colab, vscode, old)
