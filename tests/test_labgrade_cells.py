"""Which cells a question needs, and what IPython allows beside Python."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from labgrade import notebook, worker

ODD: dict[str, tuple[list[str], object]] = {
    "comprehension": (["n = 3", "x = [i * n for i in range(n)]"], [0, 3, 6]),
    "star import": (["from math import *", "x = floor(pi)"], 3),
    "class attribute": (
        ["class A:\n    k = 1", "A.k = 5", "x = A().k"],
        5,
    ),
    "method added later": (
        [
            "class A:\n    pass",
            "def f(self): return 7",
            "A.f = f",
            "x = A().f()",
        ],
        7,
    ),
    "setattr on a class": (
        ["class A: pass", "setattr(A, 'k', 4)", "x = A.k"],
        4,
    ),
    "decorator": (
        [
            "def twice(f):\n    return lambda a: 2 * f(a)",
            "@twice\ndef g(a): return a + 1",
            "x = g(1)",
        ],
        4,
    ),
    "decorator that registers": (
        [
            "known = []",
            "def keep(f):\n    known.append(f)\n    return f",
            "@keep\ndef g(): return 9",
            "x = known[0]()",
        ],
        9,
    ),
    "decorator of a list": (
        ["known = []", "@known.append\ndef g(): return 9", "x = len(known)"],
        1,
    ),
    "global": (
        [
            "n = 0",
            "def up():\n    global n\n    n += 1",
            "up()",
            "up()",
            "x = n",
        ],
        2,
    ),
    "global, made in a function": (
        ["def make():\n    global x\n    x = 8", "make()"],
        8,
    ),
    "del": (["a = 1", "x = 2", "del a", "x = 3"], 3),
    "augmented assignment": (["x = 1", "x += 1", "x *= 5"], 10),
    "item assignment": (["x = {}", "x['a'] = 1", "x['a'] += 1"], {"a": 2}),
    "with and as": (
        ["import io", "with io.StringIO('hi') as file:\n    x = file.read()"],
        "hi",
    ),
    "match": (
        [
            "pair = (1, 2)",
            "match pair:\n    case (a, b):\n        pass",
            "x = a + b",
        ],
        3,
    ),
    "walrus": (["if (n := 4) > 3:\n    pass", "x = n"], 4),
    "walrus in a comprehension": (
        ["squares = [last := i * i for i in range(4)]", "x = last"],
        9,
    ),
    "functions that call each other": (
        [
            "def even(n): return n == 0 or odd(n - 1)",
            "def odd(n): return n > 0 and even(n - 1)",
            "x = even(4)",
        ],
        True,
    ),
    "nested functions": (
        [
            "ones = []",
            "def outer():\n    def inner(): ones.append(1)\n    inner()",
            "outer()",
            "x = len(ones)",
        ],
        1,
    ),
    "lambda that changes": (
        [
            "ones = []",
            "bump = lambda: ones.append(1)",
            "bump()",
            "x = len(ones)",
        ],
        1,
    ),
    "function handed on": (
        [
            "ones = []",
            "def add(i): ones.append(i)",
            "list(map(add, [1, 2]))",
            "x = sum(ones)",
        ],
        3,
    ),
    "method that changes a global": (
        [
            "log = []",
            "class T:\n    def step(self): log.append(1)",
            "t = T()",
            "t.step()",
            "x = len(log)",
        ],
        1,
    ),
    "plot that changes state": (
        [
            "seen = []",
            "import matplotlib\nmatplotlib.use('agg')\n"
            "import matplotlib.pyplot as plt",
            "def show(v):\n    seen.append(v)\n    plt.plot([v]); plt.close()",
            "show(3)",
            "x = seen",
        ],
        [3],
    ),
    "bound in a loop": (["for x in range(5):\n    y = x"], 4),
    "bound in a try": (
        ["try:\n    import absent\nexcept ImportError:\n    x = 6"],
        6,
    ),
    "defined again later": (
        ["def f(): return 1", "def f(): return 2", "x = f()"],
        2,
    ),
    "out of order": (["def f(): return late", "late = 3", "x = f()"], 3),
    "set by a module's function": (
        [
            "import decimal",
            "decimal.getcontext().prec = 3",
            "x = str(decimal.Decimal(1) / 3)",
        ],
        "0.333",
    ),
    "an unpacked import": (
        ["import os.path as p, math", "x = p.sep * math.floor(1.5)"],
        "/",
    ),
    "%%time": (["%%time\nx = 1"], 1),
    "%%time after a blank line": (["\n%%time -q\nx = 1"], 1),
    "%%capture": (["%%capture out\nx = 2"], 2),
    "%%bash": (["x = 3", "%%bash\nx=4"], 3),
    "%%writefile": (["x = 3", "%%writefile a.py\nx = 4"], 3),
    "%time": (["%time x = 5"], 5),
    "%matplotlib": (["%matplotlib inline\nx = 6"], 6),
    "!pip": (["!pip install 'a b'\nx = 7"], 7),
    "!pip over two lines": (["!pip install \\\n    torch\nx = 7"], 7),
    "!echo with a lone quote": (["x = 7\n!echo don't"], 7),
    "magic in a block": (["if True:\n    !ls\n    x = 8"], 8),
    "assigned from the shell": (["files = !ls", "x = len(files)"], 0),
    "IPython's ?": (["x = 9\nx?\n?x\nx.real??"], 9),
    "% in a sum": (["x = (17\n     % 5)\n!ls"], 2),
    "% in a text": (['x = """\n%d\n! no\n"""\n%cd /tmp'], "\n%d\n! no\n"),
    "get_ipython": (
        ["get_ipython().run_line_magic('matplotlib', 'inline')\nx = 3"],
        3,
    ),
    "display": (["display(1)\nx = 3"], 3),
    "await": (
        [
            "import asyncio\nasync def f(): return 4",
            "x = await asyncio.gather(f(), f())",
        ],
        [4, 4],
    ),
    "async with a loop": (
        ["async def g():\n    yield 5", "async for x in g():\n    pass"],
        5,
    ),
    "an error in another cell": (["1 / 0", "x = 1"], 1),
    "an error after the name": (["x = 2\n1 / 0"], 2),
    "a package that is missing here": (
        ["import math, einoops\nimport operator", "x = operator.neg(-4)"],
        4,
    ),
    "a drive that is missing here": (
        [
            "from google.colab import drive\ndrive.mount('/content/drive')\n"
            "%cd /content/drive\ndef f(): return 3",
            "x = f()",
        ],
        3,
    ),
    "all merged into the cell for Colab": (
        ["# @title In Colab: get ready\ndef f(): return 3", "x = f()"],
        3,
    ),
    "from __future__": (
        [
            "from __future__ import annotations\ndef f(a: b): return a",
            "x = f(3)",
        ],
        3,
    ),
    "source that is asked for": (
        ["import inspect\ndef f(): return 3", "x = inspect.getsource(f)"],
        "def f(): return 3",
    ),
}
UNREADABLE = ["return 3", "x = (", "def f(:\n    pass", "x = 'open\n", "a b c"]


def ran(sources: list[str], chosen: bool = True) -> dict:
    """Run a notebook, or the cells that `x` needs; return its names."""
    cells = [{"cell_type": "code", "source": text} for text in sources]
    known = notebook.code({"cells": cells})
    if chosen:
        known = notebook.needed(known, {"x"})
    given = [vars(cell) for cell in known]
    with ThreadPoolExecutor(1) as thread:  # which has no loop of events yet
        return thread.submit(worker.run_cells, given, print).result()


AFTER_ALL = {
    "global, made in a function",
    "decorator that registers",
    "decorator of a list",
    "global",
    "nested functions",
    "lambda that changes",
    "function handed on",
    "method that changes a global",
    "plot that changes state",
    "setattr on a class",
}
"""Where the choice misses a cell, and the answer comes after all of them."""


@pytest.mark.parametrize("name", ODD)
def test_an_honest_notebook_gives_its_answer(name: str) -> None:
    sources, wanted = ODD[name]
    assert ran(sources, chosen=False)["x"] == wanted
    assert (ran(sources).get("x") == wanted) == (name not in AFTER_ALL)


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_cell_that_is_not_python_costs_itself_only(text: str) -> None:
    assert ran([text, "x = 1"])["x"] == 1


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_cell_that_is_not_python_is_told_where_all_are_run(
    text: str,
) -> None:
    cells = notebook.code({"cells": [{"cell_type": "code", "source": text}]})
    told = []
    worker.run_cells([vars(*cells)], lambda *said: told.append(said))
    assert [said[:2] for said in told] == [("cell", 0), ("failed", 0)]
    assert "SyntaxError" in told[1][2]
    assert notebook.needed(cells, {"x"}) == []


def test_what_no_answer_needs_is_left_out() -> None:
    sources = [
        "import time",
        "def train(net): net.append(1)",
        "net = []",
        "train(net); time.sleep(0)",
        "x = 3",
        "print(x)",
        "y = x + 1",
        "for y in [1]: print(y)",
        "z = [y]",
        "print(z)",
    ]
    cells = notebook.code(
        {"cells": [{"cell_type": "code", "source": s} for s in sources]}
    )

    def needed(name: str) -> list[int]:
        return [cell.number for cell in notebook.needed(cells, {name})]

    assert needed("y") == [4, 5, 6, 7]  # who prints x might change it
    assert needed("net") == [0, 1, 2, 3]
    assert needed("train") == [1]
    assert 3 not in needed("z")
    assert {8, 9} <= set(needed("z"))


def test_many_magics_cost_no_time() -> None:
    assert ran(["!ls\n" * 19 + "x = 1"])["x"] == 1
    assert "x" not in ran(["!ls\n" * 9999 + "x = 1"])
