"""What did this unit see?  The deconvnet, strongest patches, occlusion.

M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional
networks", ECCV 2014: sections 2.1 and 4.  It reads networks that are a row of
convolutions, each followed by a ReLU, of max poolings and of local norms, in
the order of their attributes: the book's AlexNets and ZFNets.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.geometry import Layer, receptive_fields
from cnnbook.nets.common import LocalNorm, check_images, choose

RULES = ("deconvnet", "gradient", "guided")


class Step(NamedTuple):
    """A layer on the way up, and what the way down will ask for."""

    layer: nn.Module
    shape: torch.Size  # of its input
    kept: Tensor  # where the ReLU let through; the switches; the input


@torch.no_grad()
def climb(net: nn.Module, images: Tensor, top: str) -> tuple[Tensor, list]:
    """The maps that leave the layer *top*, and the steps that led there."""
    x, steps = images, []
    for layer in layers_to(net, top):
        if not steps:
            check_images(x, layer.in_channels)
        shape = x.shape
        if isinstance(layer, nn.Conv2d):
            x = layer(x)
            kept = x > 0
            x = F.relu(x)
        elif isinstance(layer, nn.MaxPool2d):
            x, kept = F.max_pool2d(
                x,
                layer.kernel_size,
                layer.stride,
                layer.padding,
                ceil_mode=layer.ceil_mode,
                return_indices=True,
            )
        else:
            kept = x
            x = layer(x)
        steps.append(Step(layer, shape, kept))
    return x, steps


@torch.no_grad()
def descend(steps: list, signal: Tensor, rule: str = "deconvnet") -> Tensor:
    """Carry a signal from the maps down to the pixels, against the steps.

    With the rule "gradient" it is the chain rule.  "deconvnet" rectifies the
    signal where the chain rule asks which units had fired, and goes past the
    norms, as the paper does; "guided" does both (Springenberg and others,
    2015) and goes through the norms.
    """
    choose("rule", rule, RULES)
    for layer, shape, kept in reversed(steps):
        if isinstance(layer, nn.Conv2d):
            if rule != "gradient":
                signal = F.relu(signal)
            if rule != "deconvnet":
                signal = signal * kept
            signal = torch.nn.grad.conv2d_input(
                shape,
                layer.weight,
                signal,
                layer.stride,
                layer.padding,
                layer.dilation,
                layer.groups,
            )
        elif isinstance(layer, nn.MaxPool2d):
            signal = unpool(signal, kept, shape)
        elif rule != "deconvnet":
            signal = torch.func.vjp(layer, kept)[1](signal)[0]
    return signal


def unpool(signal: Tensor, switches: Tensor, shape: torch.Size) -> Tensor:
    """Put each value where its maximum came from, and zeros elsewhere.

    Windows that overlap may have chosen the same place: there it adds, as
    the chain rule does.  (`F.max_unpool2d` keeps one of the values.)
    """
    flat = signal.new_zeros(shape).flatten(2)
    flat.scatter_add_(2, switches.flatten(2), signal.flatten(2))
    return flat.view(shape)


def reconstruct(
    net: nn.Module,
    images: Tensor,
    top: str,
    channel: int,
    rule: str = "deconvnet",
) -> Tensor:
    """What made one map of *top* answer, in pixels: a picture an image.

    Of the map's units only the strongest keeps its value; a map that is
    silent gives a picture of zeros.
    """
    maps, steps = climb(net, images, top)
    units = maps[:, _known(maps, top, channel)].flatten(1)
    value, place = units.max(dim=1, keepdim=True)
    only = torch.zeros_like(units).scatter(1, place, value)
    signal = torch.zeros_like(maps)
    signal[:, channel] = only.view(-1, *maps.shape[2:])
    return descend(steps, signal, rule)


class Found(NamedTuple):
    """Where one map answered most: which image, how much, which unit."""

    image: int
    value: float
    row: int
    column: int


def strongest(
    net: nn.Module, images: Tensor, top: str, channel: int, count: int = 9
) -> list[Found]:
    """The images to which one map of *top* answers most, the best first."""
    maps, _ = climb(net, images, top)
    chosen = maps[:, _known(maps, top, channel)]
    values, places = chosen.flatten(1).max(dim=1)
    order = values.argsort(descending=True, stable=True)[:count].tolist()
    width = chosen.shape[2]
    return [
        Found(i, values[i].item(), *divmod(places[i].item(), width))
        for i in order
    ]


def window(
    net: nn.Module, top: str, row: int, column: int
) -> tuple[int, int, int]:
    """What one unit of *top* can see: first row, first column, side.

    The square may reach over the image's border.
    """
    layers = [
        Layer(*(_one(n) for n in (x.kernel_size, x.stride, x.padding)))
        for x in layers_to(net, top)
        if not isinstance(x, LocalNorm)
    ]
    *_, field = receptive_fields(layers)
    first = field.start - field.size / 2
    return (
        round(first + row * field.jump),
        round(first + column * field.jump),
        field.size,
    )


@torch.no_grad()
def occlusion(
    score: Callable[[Tensor], Tensor],
    image: Tensor,
    side: int = 7,
    step: int = 1,
    value: float = 0.0,
) -> Tensor:
    """The score of an image (C, H, W) for each place of a square that covers.

    *score* takes a batch and gives a number for each image of it.  The
    square is centred on every *step*-th pixel and may reach over the border.
    """
    _, height, width = image.shape
    rows, columns = torch.arange(height), torch.arange(width)
    before = (side - 1) // 2
    scores = []
    for centre in range(0, height, step):
        top = (rows >= centre - before) & (rows < centre - before + side)
        starts = torch.arange(0, width, step)[:, None] - before
        left = (columns >= starts) & (columns < starts + side)
        covered = top[:, None] & left[:, None]  # (places, H, W)
        batch = torch.where(covered[:, None], value, image)
        scores.append(score(batch))
    return torch.stack(scores)


def layers_to(net: nn.Module, top: str) -> list[nn.Module]:
    """The layers from the image up to *top*, in the order of the forward."""
    layers = []
    for name, layer in net.named_children():
        if not isinstance(layer, nn.Conv2d | nn.MaxPool2d | LocalNorm):
            break
        layers.append((name, layer))
    names = [name for name, _ in layers]
    if not names:
        raise ValueError(
            f"{type(net).__name__} does not begin with a row of convolutions "
            "and poolings; try one of the book's AlexNets or ZFNets."
        )
    choose("layer of maps called", top, names)
    return [layer for _, layer in layers[: names.index(top) + 1]]


def _known(maps: Tensor, top: str, channel: int) -> int:
    if not 0 <= channel < maps.shape[1]:
        raise ValueError(
            f"{top} has the maps 0 to {maps.shape[1] - 1}, not {channel!r}."
        )
    return channel


def _one(sides: int | tuple[int, int]) -> int:
    """The one side of a square window."""
    return sides if isinstance(sides, int) else sides[0]
