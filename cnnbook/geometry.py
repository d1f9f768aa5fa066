"""Sizes, parameters, costs and receptive fields: arithmetic, no torch.

Sizes are counted along one axis, because height and width never mix.
Parameters and multiply-accumulates (MACs) are counted for a picture, so there
a kernel or an output is a pair (height, width), or one number for a square.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import index
from typing import Literal, NamedTuple

Rounding = Literal["floor", "ceil", "exact"]
Padding = int | tuple[int, int]
"""The same number of zeros on both sides, or (before, after)."""


def output_size(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    rounding: Rounding = "floor",
) -> int:
    """How many places a window takes along one axis.

    With the padding p on each side and the span d(k - 1) + 1 of the kernel,
    the last place is at most s + 2p - span, and a step is as long as the
    stride.  When the steps do not end on the last place, *rounding* decides:
    "floor" leaves the rest out, as frameworks do; "ceil" lets the last window
    hang over the edge if it starts inside the input or its left padding, as
    pooling with ``ceil_mode`` does; "exact" refuses.
    """
    size = _whole("size", size, least=1)
    stride = _whole("stride", stride, least=1)
    before, after = _padding(padding)
    span = _span(kernel, dilation)
    if rounding not in ("floor", "ceil", "exact"):
        raise ValueError(
            f"There is no rounding {rounding!r}; "
            "try 'floor', 'ceil' or 'exact'."
        )
    room = size + before + after - span
    if rounding == "ceil":
        places = -(-room // stride) + 1
        if (places - 1) * stride >= size + before:
            places -= 1
        if places >= 1:
            return places
    if room < 0:
        missing = _some(-room, "pixel")
        raise ValueError(
            f"A kernel that spans {span} does not fit into {size} pixels with "
            f"padding {_show(before, after)}; make the kernel smaller, or add "
            f"{missing} of size or padding."
        )
    if rounding == "exact" and room % stride:
        raise ValueError(_why_not_exact(size, span, stride, before, after))
    return room // stride + 1


def same_padding(kernel: int, dilation: int = 1) -> tuple[int, int]:
    """The padding (before, after) that keeps the size at stride 1.

    An even kernel has no centre; the odd zero out goes after, as in torch.
    """
    total = _span(kernel, dilation) - 1
    return total // 2, total - total // 2


def conv_parameters(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int],
    groups: int = 1,
    bias: bool = True,
) -> int:
    """The parameters of a convolution: one kernel per pair of maps, biases."""
    pairs = _connected_maps(in_channels, out_channels, groups)
    return pairs * _area("kernel", kernel) + bool(bias) * out_channels


def dense_parameters(inputs: int, outputs: int, bias: bool = True) -> int:
    """The parameters of a fully connected layer."""
    inputs = _whole("inputs", inputs, least=1)
    outputs = _whole("outputs", outputs, least=1)
    return inputs * outputs + bool(bias) * outputs


def conv_macs(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int],
    output: int | tuple[int, int],
    groups: int = 1,
) -> int:
    """The multiply-accumulates of a convolution; biases are not counted.

    Each weight is used once at each of the places of the *output*.
    """
    pairs = _connected_maps(in_channels, out_channels, groups)
    return pairs * _area("kernel", kernel) * _area("output", output)


@dataclass(frozen=True)
class Layer:
    """A window that walks along one axis: a convolution's or a pooling's."""

    kernel: int
    stride: int = 1
    padding: Padding = 0
    dilation: int = 1
    name: str = ""

    def __post_init__(self) -> None:
        _whole("stride", self.stride, least=1)
        _padding(self.padding)
        _span(self.kernel, self.dilation)


class ReceptiveField(NamedTuple):
    """What one output unit sees of the input, along one axis.

    *size* is in input pixels, padding included.  *jump* is the distance in
    the input between the fields of two neighbours.  *start* is the centre of
    the first unit's field; the centre of the first input pixel is at 0.5.
    """

    size: int
    jump: int
    start: float


def receptive_fields(layers: Iterable[Layer]) -> tuple[ReceptiveField, ...]:
    """The receptive field after each layer of a chain."""
    fields, field = [], ReceptiveField(1, 1, 0.5)
    for layer in layers:
        if not isinstance(layer, Layer):
            raise TypeError(
                f"A chain consists of layers, not {layer!r}; "
                "try Layer(kernel=3, stride=1, padding=1)."
            )
        reach = _span(layer.kernel, layer.dilation) - 1
        before, _ = _padding(layer.padding)
        field = ReceptiveField(
            size=field.size + reach * field.jump,
            jump=field.jump * layer.stride,
            start=field.start + (reach / 2 - before) * field.jump,
        )
        fields.append(field)
    return tuple(fields)


def receptive_field(layers: Iterable[Layer]) -> ReceptiveField:
    """The receptive field of the last layer of a chain.

    Of no layer at all, it is the pixel itself.
    """
    return (ReceptiveField(1, 1, 0.5), *receptive_fields(layers))[-1]


def _whole(name: str, value: int, least: int) -> int:
    """The value as an int, or an error that says what would do."""
    try:
        number = index(value)
    except TypeError:
        raise TypeError(
            f"The {name} is a whole number, not {value!r}; try {name}={least}."
        ) from None
    if number < least:
        raise ValueError(
            f"The {name} is at least {least}, not {number}; "
            f"try {name}={least}."
        )
    return number


def _pair(name: str, value: int | tuple[int, int], least: int) -> list[int]:
    """One number twice, or the two that were given."""
    pair = value if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise ValueError(
            f"The {name} is one number or two, not {value!r}; "
            f"try {name}={least}."
        )
    return [_whole(name, number, least) for number in pair]


def _padding(padding: Padding) -> list[int]:
    return _pair("padding", padding, least=0)


def _area(name: str, value: int | tuple[int, int]) -> int:
    height, width = _pair(name, value, least=1)
    return height * width


def _span(kernel: int, dilation: int) -> int:
    """How far a dilated kernel reaches, from its first tap to its last."""
    kernel = _whole("kernel", kernel, least=1)
    return _whole("dilation", dilation, least=1) * (kernel - 1) + 1


def _connected_maps(in_channels: int, out_channels: int, groups: int) -> int:
    """The pairs of input and output maps that share a group."""
    in_channels = _whole("in_channels", in_channels, least=1)
    out_channels = _whole("out_channels", out_channels, least=1)
    groups = _whole("groups", groups, least=1)
    if in_channels % groups or out_channels % groups:
        raise ValueError(
            f"{_some(groups, 'group')} cannot share {in_channels} input and "
            f"{out_channels} output channels evenly; "
            "try a number that divides both."
        )
    return in_channels // groups * out_channels


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)


def _show(before: int, after: int) -> str:
    return str(before) if before == after else f"({before}, {after})"


def _why_not_exact(
    size: int, span: int, stride: int, before: int, after: int
) -> str:
    """Why the windows do not tile the input, and the nearest that would."""
    room = size + before + after - span
    rest = room % stride
    sizes = [s for s in (size - rest, size + stride - rest) if s >= 1]
    strides = [s for s in range(1, room + 1) if room % s == 0]
    near = sorted(sorted(strides, key=lambda s: abs(s - stride))[:2])
    paddings = [
        p
        for p in range(max(before, after) + stride)
        if size + 2 * p >= span and (size + 2 * p - span) % stride == 0
    ]
    padding = min(
        paddings,
        key=lambda p: abs(2 * p - before - after),
        default=_show(before, after + stride - rest),
    )
    return (
        f"Windows that span {span} do not tile {size} pixels with stride "
        f"{stride} and padding {_show(before, after)}, because {room} / "
        f"{stride} is not whole; try size {' or '.join(map(str, sizes))}, "
        f"stride {' or '.join(map(str, near))}, or padding {padding}."
    )
