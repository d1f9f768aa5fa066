"""What the expressions of the registry may say: short names for counts.

A network is named by its factory and its arguments: "vgg D", "alexnet 2012",
"resnet 50 v1.5", "cifar_resnet 20", "resnet 34 shortcut=A".  It is built on
the meta device, where it weighs nothing, and traced once.  A layer is named
by its own name or by the beginning of it: "conv1", "inception3a", "stage2.0";
one container around it may be left out, so that "fc6" finds
"classifier.fc6".  Without a layer, the whole network is meant.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import cache

import torch
from torch import nn

from cnnbook import geometry, nets
from cnnbook.anatomy import INPUT, Anatomy, Join, Row, trace


@cache
def net(name: str) -> nn.Module:
    """The network of this name, on the meta device."""
    factory, *words = name.split() or [""]
    make = getattr(nets, factory, None)
    if factory.startswith("_") or not inspect.isfunction(make):
        near = get_close_matches(factory, nets.__all__, 1) or ["alexnet"]
        raise ValueError(
            f"There is no network {name!r}; a name begins with a factory of "
            f"cnnbook.nets, such as {near[0]!r}."
        )
    order = [
        key
        for key in inspect.signature(make).parameters
        if key not in ("num_classes", "in_channels")
    ]
    arguments: dict[str, str | int | bool] = {}
    for place, word in enumerate(words):
        key, equals, value = word.partition("=")
        if not equals:
            key, value = order[place] if place < len(order) else "", word
        if key not in order:
            raise ValueError(
                f"The name {name!r} says {word!r}, which {factory}() does not "
                f"take; it takes {', '.join(order)}."
            )
        arguments[key] = _plain(key, value)
    with torch.device("meta"):
        return make(**arguments)


def image(name: str) -> tuple[int, int, int]:
    """The size of the picture that a network reads."""
    factory, *words = name.split()
    if factory == "lenet5" or factory.startswith("small_"):
        return 1, 32, 32
    if factory in ("cifar_resnet", "plain") or "cifar" in words:
        return 3, 32, 32
    side = 227 if factory == "alexnet" and "one-tower" not in words else 224
    return 3, side, side


@cache
def anatomy(name: str, size: int | None = None) -> Anatomy:
    """The network's anatomy, for pictures of its own or another size."""
    channels, side, _ = image(name)
    return trace(net(name), (channels, size or side, size or side))


def parameters(name: str, *layers: str) -> int:
    """How many parameters a network has, or some of its layers."""
    found = dict(net(name).named_parameters())
    return sum(found[n].numel() for n in _select(name, list(found), layers))


def weights(name: str, *layers: str) -> int:
    """The same without biases and without what normalisation learns."""
    found = dict(net(name).named_parameters())
    chosen = [found[n] for n in _select(name, list(found), layers)]
    return sum(p.numel() for p in chosen if p.dim() > 1)


def rows(name: str, *layers: str, size: int | None = None) -> list[Row]:
    """The rows of the anatomy, or those of some layers."""
    found = anatomy(name, size).rows
    chosen = set(_select(name, [row.name for row in found], layers))
    return [row for row in found if row.name in chosen]


def macs(name: str, *layers: str, size: int | None = None) -> int:
    """The multiply-accumulates for one picture."""
    return sum(row.macs for row in rows(name, *layers, size=size))


def activations(name: str, *layers: str, size: int | None = None) -> int:
    """The values that layers add to memory; the input is not one of them."""
    return sum(row.activations for row in rows(name, *layers, size=size))


def shape(name: str, layer: str, size: int | None = None) -> tuple[int, ...]:
    """What leaves a layer, as papers write it: height, width, maps.

    What leaves "input" is the picture.
    """
    if layer == INPUT:
        maps, *sides = anatomy(name, size).input_shape
    else:
        maps, *sides = _last(name, layer, size).output_shape
    return (*sides, maps)


def field(name: str, layer: str, size: int | None = None) -> int:
    """The receptive field of a unit of a layer, in pixels along one side."""
    return _last(name, layer, size).receptive_field


def kept() -> float:
    """The share of values that a residual block of zeros gives back."""
    with torch.device("cpu"), torch.no_grad():
        block = nets.residual.BasicBlock(4, 4, 1, "A")
        for parameter in block.parameters():
            parameter.zero_()
        x = torch.arange(100.0).view(1, 4, 5, 5)
        return float((block(x) == x).double().mean())


def _last(name: str, layer: str, size: int | None) -> Row | Join:
    """The step that a layer ends with: its last row, or what joins them."""
    steps = list(anatomy(name, size).steps)
    chosen = _select(name, [step.name for step in steps], (layer,))
    return [step for step in steps if step.name in chosen][-1]


def _select(
    name: str, names: Sequence[str], layers: Sequence[str]
) -> list[str]:
    """Those of the names that belong to the layers; all, without layers."""

    def within(layer: str, inner: bool) -> list[str]:
        """The names that begin so, perhaps once a container is left out."""
        return [
            n
            for n in names
            if f"{n.partition('.')[2] if inner else n}.".startswith(layer)
        ]

    chosen = []
    for layer in layers:
        found = within(f"{layer}.", False) or within(f"{layer}.", True)
        if not found:
            tops = dict.fromkeys(n.split(".")[0] for n in names)
            raise ValueError(
                f"The network {name!r} has no layer {layer!r} here; it has "
                f"{', '.join(tops)}."
            )
        chosen += found
    return list(dict.fromkeys(chosen)) if layers else list(names)


def _plain(key: str, value: str) -> str | int | bool:
    if key == "depth" and value.isdigit():
        return int(value)
    return value == "True" if key == "auxiliary" else value


def _vocabulary() -> dict[str, object]:
    words: dict[str, object] = {
        name: thing
        for name, thing in vars(geometry).items()
        if getattr(thing, "__module__", "") == geometry.__name__
        and not name.startswith("_")
    }
    helpers: list[Callable] = [
        net, anatomy, parameters, weights, rows, macs, activations, shape,
        field, kept, trace,
    ]  # fmt: skip
    plain: list[Callable] = [
        abs, int, len, max, min, range, round, sum, zip, math.ceil,
        math.floor, math.prod, math.sqrt,
    ]  # fmt: skip
    words.update({f.__name__: f for f in [*helpers, *plain]})
    return {**words, "nets": nets, "__builtins__": {}}


VOCABULARY = _vocabulary()
"""Every name that an expression may use."""


def evaluate(expression: str) -> object:
    """The value of an expression; networks in it are built without values."""
    with torch.device("meta"):
        return eval(compile(expression, "<claim>", "eval"), VOCABULARY.copy())
