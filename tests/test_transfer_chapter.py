"""The chapter on transfer learning: what it shows and does not run."""

from __future__ import annotations

import ast
import re

import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT
from torch import nn

from cnnbook import data, nets
from cnnbook.nets.torchvision_nets import PUBLIC
from tools.notebooks import read

CHAPTER = ROOT / "chapters" / "transfer_learning.ipynb"


def functions(sources: list[str]) -> str:
    """The functions that these sources define, and nothing else."""
    return "\n\n".join(
        ast.unparse(node)
        for source in sources
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    )


def chapter() -> tuple[str, str]:
    """The chapter's functions, and the text block for Colab."""
    cells = read(CHAPTER).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    [block] = [
        block
        for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
        if "nets.pretrained(" in block
    ]
    return functions([c for c in code if "google.colab" not in c]), block


def run(block: str, monkeypatch: pytest.MonkeyPatch) -> dict:
    """Run the block on few small pictures, with random weights, one step."""
    names: dict = {"torch": torch, "nn": nn, "F": F, "nets": nets}
    exec(chapter()[0], names)
    fit, prepare = names["fit"], names["prepare"]
    asked = []

    def random_weights(name: str) -> nn.Module:
        asked.append(name)
        _, factory, arguments = PUBLIC[name]
        return factory(*arguments).eval()

    monkeypatch.setattr(nets, "pretrained", random_weights)
    digits = data.load("digits")
    x, y = names["five"](digits.train_images, digits.train_labels, 5)
    names |= {
        "x": x[::400],
        "y": y[::400],
        "new_test": (x[::100], y[::100]),
        "fit": lambda net, x, y, groups, steps: fit(net, x, y, groups, 1),
        "prepare": lambda x, name: prepare(x, name, side=64),
    }
    torch.manual_seed(0)
    exec(block, names)
    return names | {"asked": asked}


def test_the_block_for_colab_runs(monkeypatch, capsys) -> None:
    names = run(chapter()[1], monkeypatch)
    assert names["asked"] == ["resnet18"]
    printed = capsys.readouterr().out
    assert re.fullmatch(
        r"extracted: (0\.\d+|1\.0)\nfine-tuned: (0\.\d+|1\.0)\n", printed
    )
    assert all(p.requires_grad for p in names["both"].parameters())


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("Linear(512", "Linear(500", RuntimeError),
        ("resnet18", "resnet17", ValueError),
        ("probe.parameters()", "probe.parameter()", AttributeError),
    ],
)
def test_a_slip_in_it_is_noticed(old, new, error, monkeypatch) -> None:
    block = chapter()[1]
    assert old in block
    with pytest.raises((error, KeyError)):
        run(block.replace(old, new), monkeypatch)


def shapes(source: str) -> dict[str, torch.Size]:
    """The parameters and buffers of the network that a source builds."""
    names: dict = {"torch": torch, "nn": nn, "WIDTH": 48}
    exec(source, names)
    return {k: v.shape for k, v in names["network"](5).state_dict().items()}


def test_the_recorded_network_is_the_chapters() -> None:
    benchmark = ROOT / "benchmarks" / "transfer_grid.py"
    recorded = functions([benchmark.read_text("utf-8")])
    recorded = recorded[: recorded.index("def fit")]
    assert shapes(recorded) == shapes(chapter()[0])
    wider = recorded.replace("16", "17")
    assert shapes(wider) != shapes(chapter()[0])


def test_nothing_is_fetched_by_the_page() -> None:
    code = [c.source for c in read(CHAPTER).cells if c.cell_type == "code"]
    assert not any("pretrained(" in source for source in code)
    assert "nets.pretrained" in chapter()[1]
