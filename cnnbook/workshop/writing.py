"""From the plan of a network to PyTorch code that runs alone.

The twin in JavaScript is ``cnnbook/widgets/workshop/core.mjs``.
"""

from __future__ import annotations

from dataclasses import dataclass

from cnnbook.workshop.counting import (
    Built,
    Part,
    Shape,
    Window,
    sides,
    times_all,
)

HELPERS = {
    "Concat": '''class Concat(nn.ModuleList):
    """Branches side by side: their maps are stacked."""

    def forward(self, x):
        return torch.cat([branch(x) for branch in self], dim=1)''',
    "Add": '''class Add(nn.ModuleList):
    """Branches whose results are added, such as a block and its shortcut."""

    def forward(self, x):
        first, *others = [branch(x) for branch in self]
        for other in others:
            first = first + other
        return first''',
    "Every": '''class Every(nn.Module):
    """Every so many pixels, and new maps of zeros: nothing to learn."""

    def __init__(self, stride, new_maps):
        super().__init__()
        self.stride, self.new_maps = stride, new_maps

    def forward(self, x):
        high, wide = self.stride
        x = x[:, :, ::high, ::wide]
        return nn.functional.pad(x, (0, 0, 0, 0, 0, self.new_maps))''',
    "MeanOf": '''class MeanOf(nn.Sequential):
    """Its layers, and then the mean of each map."""

    def forward(self, x):
        return super().forward(x).mean(dim=(2, 3))''',
    "MaxOf": '''class MaxOf(nn.Sequential):
    """Its layers, and then the maximum of each map."""

    def forward(self, x):
        return super().forward(x).amax(dim=(2, 3))''',
}


@dataclass(frozen=True)
class Module:
    """A module's lines, without the comma at their end, and its comment."""

    lines: tuple[str, ...]
    note: str = ""
    whole: str = ""
    """For a global pooling, the helper that takes the layers before it in."""


def pytorch(built: Built) -> str:
    """The code of a network without errors."""
    modules = _modules(built.plan)
    cut = next((i for i, m in enumerate(modules) if m.whole), None)
    if cut is None:
        parts = [("layers", modules)]
    else:
        parts = [
            ("features", modules[:cut]),
            ("classifier", modules[cut + 1 :]),
        ]
        parts = [(name, part) for name, part in parts if part]
    code = "\n".join(
        line
        for name, part in parts
        for line in (
            f"        self.{name} = nn.Sequential(",
            *_indented(part, 12),
            "        )",
        )
    )
    whole = None if cut is None else modules[cut]
    shape = built.reader.input.shape
    helpers = "".join(
        f"{helper}\n\n\n"
        for name, helper in HELPERS.items()
        if f" {name}(" in code
    )
    return f'''import torch
from torch import nn


{helpers}class Net(nn.Module):
    """Reads {_batch(shape)}, gives {_batch(built.shape)}."""

    def __init__(self):
        super().__init__()
{code}

    def forward(self, x):
{_forward(parts, whole)}


if __name__ == "__main__":
    net = Net().eval()
    print(sum(p.numel() for p in net.parameters()), "parameters")
    print(net(torch.zeros(1, {", ".join(map(str, shape))})).shape)
'''


def _batch(shape: Shape | list[int]) -> str:
    return f"(N, {', '.join(map(str, shape))})"


def _forward(
    parts: list[tuple[str, list[Module]]], whole: Module | None
) -> str:
    """The lines of `forward`; a global pooling stands between two parts."""
    lines = [f"        x = self.{name}(x)" for name, _ in parts]
    if whole:
        names = [name for name, _ in parts]
        at = names.index("classifier") if "classifier" in names else len(lines)
        lines.insert(at, f"        x = {whole.lines[0]}  # {whole.note}")
    last = lines.pop()
    return "\n".join([*lines, last.replace("x =", "return", 1)])


def _modules(plan: list[Part]) -> list[Module]:
    modules: list[Module] = []
    for part in plan:
        if part.turns is not None:
            modules += _repeated(part.turns)
        elif part.branches is not None:
            modules.append(_forked(part))
        else:
            modules += _module(part)
        if part.row and part.row.relu:
            modules.append(Module(("nn.ReLU(inplace=True)",)))
    return modules


def _repeated(turns: list[list[Part]]) -> list[Module]:
    """Repeats that are alike, as a comprehension."""
    runs: list[list] = []
    for turn in turns:
        inside = _modules(turn)
        if runs and runs[-1][0] == inside:
            runs[-1][1] += 1
        else:
            runs.append([inside, 1])
    modules: list[Module] = []
    for inside, count in runs:
        if count == 1 or not inside:
            modules += inside
            continue
        one = _group(inside, "nn.Sequential")
        lines = [f"    {line}" for line in one.lines]
        lines[-1] += f"  # {one.note}" if one.note else ""
        times = f"    for _ in range({count})"
        modules.append(Module(("*[", *lines, times, "]")))
    return modules


def _group(modules: list[Module], kind: str) -> Module:
    """One module of several, if there are several."""
    if kind == "nn.Sequential":
        if not modules:
            return Module(("nn.Identity()",))
        if len(modules) == 1 and not modules[0].lines[0].startswith("*"):
            return modules[0]
    return Module((f"{kind}(", *_indented(modules, 4), ")"))


def _indented(modules: list[Module], by: int) -> list[str]:
    lines = []
    for module in modules:
        *others, last = module.lines
        note = f"  # {module.note}" if module.note else ""
        for line in (*others, f"{last},{note}"):
            lines.append(" " * by + line)
    return lines


def _forked(part: Part) -> Module:
    kind = "Add" if part.row.op == "add" else "Concat"
    modules = [
        _group(_in_branch(_modules(plan)), "nn.Sequential")
        for plan in part.branches
    ]
    lines = (f"{kind}([", *_indented(modules, 4), "])")
    return Module(lines, _batch(part.row.shape))


def _in_branch(modules: list[Module]) -> list[Module]:
    """In a branch, a global pooling takes the layers before it in."""
    cut = next((i for i, m in enumerate(modules) if m.whole), None)
    if cut is None:
        return modules
    whole, note = modules[cut].whole, modules[cut].note
    lines = (f"{whole}()",)
    if cut:
        lines = _group(modules[:cut], whole).lines
    return [Module(lines, note), *modules[cut + 1 :]]


def _module(part: Part) -> list[Module]:
    row, made = part.row, part.made
    maps, *_ = row.input
    bias = "" if made.bias else ", bias=False"
    dims = 2 if len(row.shape) == 3 else 1
    whole, found = "", ""
    note = "" if row.input == row.shape else _batch(row.shape)
    if row.op == "conv":
        found = f"nn.Conv2d({maps}, {row.shape[0]}, {_window(row.maps)})"
    elif row.op == "pool":
        kind = "Max" if row.maps.mode == "max" else "Avg"
        found = f"nn.{kind}Pool2d({_window(row.maps)})"
    elif row.op == "dense":
        inputs = times_all(*row.input)
        found = f"nn.Linear({inputs}, {row.shape[0]}{bias})"
    elif row.op == "same":
        high, wide = made.stride
        found = f"Every(({high}, {wide}), {row.shape[0] - maps})"
    elif row.op == "global":
        call = "amax" if made.mode == "max" else "mean"
        whole = "MaxOf" if made.mode == "max" else "MeanOf"
        found, note = f"x.{call}(dim=(2, 3))", _batch(row.shape)
    else:
        found = {
            "norm": "nn.LocalResponseNorm(5, alpha=5e-4, k=2.0)",
            "bn": f"nn.BatchNorm{dims}d({maps})",
            "dropout": f"nn.Dropout({made.rate})",
            "softmax": "nn.Softmax(dim=1)",
            "flatten": "nn.Flatten()",
            "relu": "nn.ReLU()",
            "tanh": "nn.Tanh()",
            "sigmoid": "nn.Sigmoid()",
        }[row.op]
    modules = [Module((found,), note, whole)]
    if row.op == "dense" and len(row.input) == 3:
        modules.insert(0, Module(("nn.Flatten()",)))
    return modules


def _window(window: Window) -> str:
    """The arguments behind the numbers of maps."""

    def show(pair: tuple[int, int]) -> str:
        return (
            str(pair[0]) if pair[0] == pair[1] else f"({pair[0]}, {pair[1]})"
        )

    pool = window.mode is not None
    before = tuple(pair[0] for pair in window.padding)
    words = [show(window.kernel)]
    if pool or sides(window.stride) != "1":
        words.append(f"stride={show(window.stride)}")
    if any(pair[0] != pair[1] for pair in window.padding):
        words.append('padding="same"')
    elif any(before):
        words.append(f"padding={show(before)}")
    if sides(window.dilation) != "1":
        words.append(f"dilation={show(window.dilation)}")
    if not pool and window.groups > 1:
        words.append(f"groups={window.groups}")
    if not pool and not window.bias:
        words.append("bias=False")
    if window.ceil:
        words.append("ceil_mode=True")
    return ", ".join(words)
