"""The shapes that stand as comments in the networks, beside a live run.

A comment such as ``# (N, 96, 55, 55)`` is about the tensor that its statement
assigns or returns; on the line of ``def``, about the input.  In a constructor
it is about what the layer gives.  It holds for the usual images and classes.
Where variants differ, it lists what they give, with "or" between: each shape
of a list must come up, and no other may.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
import torch
from every_net import EVERY, KINDS
from torch import Tensor, nn

from cnnbook import nets
from cnnbook.nets import small

Shape = tuple[int, ...]
Line = tuple[str, int]
"""A file, and the first line of a statement in it."""

SHAPE = re.compile(r"\(N((?:, \d+)+)\)")


def shapes(comment: str) -> set[Shape]:
    """The shapes in a comment, without the batch."""
    return {
        tuple(int(n) for n in re.findall(r"\d+", found))
        for found in SHAPE.findall(comment)
    }


class Source:
    """The methods of one name in a file, and the comments in them."""

    def __init__(self, file: str, method: str) -> None:
        text = Path(file).read_text("utf-8")
        self.file, self.lines = file, text.splitlines()
        self.methods = [
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef) and node.name == method
        ]
        self.first = {
            line: node.lineno
            for method in self.methods
            for node in ast.walk(method)
            if isinstance(node, ast.stmt)
            for line in range(node.lineno, node.end_lineno + 1)
            if not hasattr(node, "body") or line == node.lineno
        }
        self.targets = {
            node.lineno: ast.unparse(node.targets[0])
            for method in self.methods
            for node in ast.walk(method)
            if isinstance(node, ast.Assign)
        }

    def comments(self) -> dict[Line, set[Shape]]:
        """What is said of each statement, wherever in it."""
        said: dict[Line, set[Shape]] = defaultdict(set)
        for line, first in self.first.items():
            _, _, comment = self.lines[line - 1].partition("#")
            said[self.file, first] |= shapes(comment)
        return {place: shapes for place, shapes in said.items() if shapes}


@cache
def forwards(file: str) -> Source:
    return Source(file, "forward")


def watched(net: nn.Module, image: Shape, *files: str) -> dict:
    """What each statement of the forwards in these files gives, on meta."""
    seen: dict[Line, set[Shape]] = defaultdict(set)

    def note(file: str, line: int, value: object) -> None:
        if isinstance(value, Tensor):
            seen[file, line].add(tuple(value.shape[1:]))

    def enter(frame, event, _):
        file = frame.f_code.co_filename
        if file not in files or frame.f_code.co_name != "forward":
            return None
        source, at = forwards(file), frame.f_lineno
        note(file, at, frame.f_locals.get("x"))

        def step(frame, event, value):
            nonlocal at
            now = source.first.get(frame.f_lineno, frame.f_lineno)
            if event == "return":
                note(file, at, value)
            elif event == "line" and now != at:
                note(file, at, frame.f_locals.get(source.targets.get(at)))
                at = now
            return step

        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        net(torch.empty(2, *image, device="meta"))
    finally:
        sys.settrace(before)
    return seen


def faults(said: dict, seen: dict) -> list[str]:
    """Where comments and runs differ."""
    return [
        f"{Path(file).name}, line {line}: says {sorted(shapes)}, "
        f"gives {sorted(seen.get((file, line), ()))}"
        for (file, line), shapes in sorted(said.items())
        if seen.get((file, line), set()) != shapes
    ]


FILES = [str(path) for path in Path(nets.__file__).parent.glob("*.py")]
SMALL = small.__file__


@pytest.fixture(scope="module")
def seen():
    """What every statement of every forward gives, all variants together."""
    together: dict[Line, set[Shape]] = defaultdict(set)
    for name, (build, image, _) in KINDS.items():
        with torch.device("meta"):
            net = build().train()  # so that the auxiliary heads run
        # a small network may use the forward of a large one: other shapes
        files = [SMALL] if "small" in name else FILES
        for place, shapes in watched(net, image, *files).items():
            together[place] |= shapes
    return together


@pytest.mark.parametrize("file", FILES, ids=lambda file: Path(file).stem)
def test_comments_are_true(file, seen):
    assert faults(forwards(file).comments(), seen) == []


def networks():
    """The classes that the factories build."""
    with torch.device("meta"):
        return {type(entry.build()) for entry in KINDS.values()}


def bare(cls) -> list[int]:
    """The lines of a network's forward where x changes and no shape stands."""
    file, start = cls.forward.__code__.co_filename, cls.forward.__code__
    source = forwards(file)
    (method,) = (m for m in source.methods if m.lineno == start.co_firstlineno)
    said = source.comments()
    return [
        node.lineno
        for node in ast.walk(method)
        if isinstance(node, ast.Assign)
        and source.targets[node.lineno] == "x"
        and (file, node.lineno) not in said
    ]


@pytest.mark.parametrize(
    "cls", sorted(networks(), key=str), ids=lambda cls: cls.__name__
)
def test_every_step_says_its_shape(cls):
    assert bare(cls) == []


# What the layers of the small siblings give


def hooked(net: nn.Module, image: Shape) -> dict[str, Shape]:
    """What each layer gives, by its name."""
    given = {}
    for name, layer in net.named_children():
        layer.register_forward_hook(
            lambda _, __, out, name=name: given.update(
                {f"self.{name}": tuple(out.shape[1:])}
            )
        )
    net(torch.empty(2, *image, device="meta"))
    return given


def constructed(cls, net: nn.Module, image: Shape) -> list[str]:
    """Where the comments of a constructor and the layers differ."""
    code = cls.__init__.__code__
    source, given = Source(code.co_filename, "__init__"), hooked(net, image)
    (method,) = (m for m in source.methods if m.lineno == code.co_firstlineno)
    said = {
        source.targets[line]: shapes
        for (_, line), shapes in source.comments().items()
        if method.lineno < line <= method.end_lineno
    }
    return [
        f"{name} says {said.get(name, 'nothing')}, gives {shape}"
        for name, shape in given.items()
        if said.get(name, {shape}) != {shape}
    ] + ["no layer says anything"] * (not said)


@pytest.mark.parametrize("name", ["small_alexnet", "small_zfnet"])
def test_small_layers_say_what_they_give(name):
    build, image, _ = EVERY[name]
    with torch.device("meta"):
        net = build()
    assert constructed(type(net), net, image) == []


# Wrong comments are found


class Wrong(nn.Module):
    """Each comment but the first two is wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)  # (N, 8, 6, 5)
        self.pool = nn.MaxPool2d(2)  # (N, 8, 3, 3)

    def forward(self, x: Tensor) -> Tensor:  # (N, 3, 8, 8)
        x = self.conv(x)  # (N, 8, 6, 6)
        y = self.pool(
            x,  # (N, 8, 4, 4)
        )
        y = self.pool(x)  # (N, 8, 3, 3) or (N, 8, 4, 4)
        x = y.flatten(1)
        if x.dim() == 3:
            x = x[:, 0]  # (N, 72)
        return x.sum(1, keepdim=True)  # (N, 2)


def test_wrong_comments_are_found():
    with torch.device("meta"):
        net = Wrong()
    start = Wrong.forward.__code__.co_firstlineno
    found = faults(
        forwards(__file__).comments(), watched(net, (3, 8, 8), __file__)
    )
    assert [fault.partition(", ")[2] for fault in found] == [
        f"line {start + 2}: says [(8, 4, 4)], gives [(8, 3, 3)]",
        f"line {start + 5}: says [(8, 3, 3), (8, 4, 4)], gives [(8, 3, 3)]",
        f"line {start + 8}: says [(72,)], gives []",
        f"line {start + 9}: says [(2,)], gives [(1,)]",
    ]
    assert bare(Wrong) == [start + 6]
    assert constructed(Wrong, net, (3, 8, 8)) == [
        "self.conv says {(8, 6, 5)}, gives (8, 6, 6)"
    ]
