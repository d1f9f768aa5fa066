"""The arithmetic of cnnbook.geometry, against torch and against autograd."""

from __future__ import annotations

import ast
import math
import re
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnbook import geometry
from cnnbook.geometry import (
    Layer,
    ReceptiveField,
    conv_macs,
    conv_parameters,
    dense_parameters,
    output_size,
    receptive_field,
    receptive_fields,
    same_padding,
)

sizes = st.integers(1, 40)
kernels = st.integers(1, 7)
strides = st.integers(1, 5)
paddings = st.integers(0, 4)
dilations = st.integers(1, 4)
many = settings(max_examples=1000, deadline=None)
some = settings(max_examples=300, deadline=None)


def ours(*args, **options) -> int | None:
    """Our size, or None where we refuse."""
    try:
        return output_size(*args, **options)
    except ValueError:
        return None


def torchs(layer: nn.Module, size: int) -> int | None:
    """The size that torch arrives at, or None where it refuses."""
    try:
        return layer(torch.empty(1, 1, size, device="meta")).shape[-1]
    except RuntimeError:
        return None


@many
@given(sizes, kernels, strides, paddings, dilations)
def test_a_convolution_has_torchs_size(size, kernel, stride, pad, dilation):
    layer = nn.Conv1d(1, 1, kernel, stride, pad, dilation, device="meta")
    expected = torchs(layer, size)
    assert ours(size, kernel, stride, pad, dilation) == expected


@many
@given(sizes, kernels, strides, paddings, dilations, st.booleans())
@example(3, 2, 3, 1, 1, True)  # the window past the left padding is dropped
@example(2, 3, 2, 0, 1, True)  # hangs over, starts inside: kept
def test_a_pooling_has_torchs_size(size, kernel, stride, pad, dilation, ceil):
    assume(2 * pad <= kernel)  # torch's own limit
    layer = nn.MaxPool1d(kernel, stride, pad, dilation, ceil_mode=ceil)
    rounding = "ceil" if ceil else "floor"
    got = ours(size, kernel, stride, pad, dilation, rounding)
    assert got == torchs(layer, size)


@many
@given(sizes, kernels, strides, paddings, st.booleans())
def test_average_pooling_has_torchs_size(size, kernel, stride, pad, ceil):
    assume(2 * pad <= kernel)
    layer = nn.AvgPool1d(kernel, stride, pad, ceil_mode=ceil)
    rounding = "ceil" if ceil else "floor"
    got = ours(size, kernel, stride, pad, rounding=rounding)
    assert got == torchs(layer, size)


@many
@given(sizes, kernels, strides, st.tuples(paddings, paddings), dilations)
def test_exact_refuses_what_floor_and_ceil_disagree_on(
    size, kernel, stride, padding, dilation
):
    shape = (size, kernel, stride, padding, dilation)
    floor, exact = ours(*shape), ours(*shape, "exact")
    span = dilation * (kernel - 1) + 1
    tiles = (size + sum(padding) - span) % stride == 0
    assert exact == (floor if tiles else None)


@many
@given(sizes, kernels, strides, paddings, dilations)
@example(7, 2, 2, 0, 1)
def test_what_exact_suggests_does_tile(size, kernel, stride, pad, dilation):
    shape = (size, kernel, stride, pad, dilation)
    assume(ours(*shape) is not None and ours(*shape, "exact") is None)
    with pytest.raises(ValueError) as error:
        output_size(*shape, "exact")
    tried = re.search(
        r"try size (.*), stride (.*), or padding (.*)\.$", str(error.value)
    )
    for other in tried[1].split(" or "):
        assert ours(int(other), *shape[1:], "exact") is not None
    for other in tried[2].split(" or "):
        assert output_size(size, kernel, int(other), *shape[3:], "exact")
    other = ast.literal_eval(tried[3])
    assert output_size(size, kernel, stride, other, dilation, "exact")


@some
@given(sizes, kernels, dilations)
def test_same_padding_keeps_the_size_as_torch_does(size, kernel, dilation):
    warnings.simplefilter("ignore")  # torch's own, about even kernels
    padding = same_padding(kernel, dilation)
    assert output_size(size, kernel, 1, padding, dilation) == size
    weight = torch.arange(1.0, kernel + 1).view(1, 1, -1)
    x = torch.arange(1.0, size + 1).view(1, 1, -1)
    ours = nn.functional.conv1d(
        nn.functional.pad(x, padding), weight, dilation=dilation
    )
    theirs = nn.functional.conv1d(x, weight, padding="same", dilation=dilation)
    assert torch.equal(ours, theirs)


@some
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 3),
    st.tuples(kernels, kernels),
    st.booleans(),
)
def test_parameters_and_macs_are_torchs(fan_in, fan_out, groups, kernel, bias):
    channels = fan_in * groups, fan_out * groups
    layer = nn.Conv2d(
        *channels, kernel, groups=groups, bias=bias, device="meta"
    )
    parameters = sum(p.numel() for p in layer.parameters())
    assert conv_parameters(*channels, kernel, groups, bias) == parameters
    with FlopCounterMode(display=False) as counter:
        output = layer(torch.empty(1, channels[0], 9, 8, device="meta"))
    macs = counter.get_total_flops() // 2
    assert conv_macs(*channels, kernel, output.shape[2:], groups) == macs
    dense = nn.Linear(*channels, bias, device="meta")
    parameters = sum(p.numel() for p in dense.parameters())
    assert dense_parameters(*channels, bias) == parameters


def test_a_square_may_be_one_number():
    assert conv_parameters(3, 8, 5) == conv_parameters(3, 8, (5, 5)) == 608
    assert conv_macs(3, 8, 5, 10) == conv_macs(3, 8, (5, 5), (10, 10)) == 60000
    assert conv_parameters(6, 8, 3, groups=2, bias=False) == 216


layers = st.builds(
    Layer,
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 3),
)


@some
@given(st.lists(layers, max_size=4))
def test_the_receptive_field_is_what_autograd_reaches(chain):
    """In float64, with all weights 1, exactly the field has a gradient."""
    size = 900  # the widest chain sees 361
    net = nn.Sequential(
        *[
            nn.Conv1d(
                1, 1, i.kernel, i.stride, i.padding, i.dilation, bias=False
            )
            for i in chain
        ]
    ).double()
    for parameter in net.parameters():
        nn.init.ones_(parameter)
    x = torch.ones(1, 1, size, dtype=torch.float64, requires_grad=True)
    y = net(x)
    centre = y.shape[-1] // 2
    seen = torch.autograd.grad(y[0, 0, centre], x)[0][0, 0].nonzero()
    first, last = int(seen.min()), int(seen.max())
    field = receptive_field(chain)
    middle = field.start + centre * field.jump
    assert first == middle - field.size / 2
    assert last + 1 == middle + field.size / 2


def test_receptive_fields_of_vgg_16_and_alexnet():
    block = [Layer(3, 1, 1), Layer(2, 2)]
    vgg = [*block[:1] * 2, block[1]] * 2 + [*block[:1] * 3, block[1]] * 3
    assert receptive_field(vgg)[:2] == (212, 32)
    alexnet = [
        Layer(11, 4, 2, name="conv1"),
        Layer(3, 2),
        Layer(5, 1, 2),
        Layer(3, 2),
        *[Layer(3, 1, 1)] * 3,
        Layer(3, 2, name="pool5"),
    ]
    assert receptive_field(alexnet)[:2] == (195, 32)
    fields = receptive_fields(alexnet)
    assert [f.size for f in fields] == [11, 19, 51, 67, 99, 131, 163, 195]
    assert fields[-1] == receptive_field(alexnet)
    assert receptive_field([]) == ReceptiveField(1, 1, 0.5)
    assert math.isclose(fields[0].start, 3.5)


BAD = {
    "size 7, kernel 3, stride 0": (
        lambda: output_size(7, 3, 0),
        "The stride is at least 1, not 0; try stride=1.",
    ),
    "negative padding": (
        lambda: output_size(7, 3, 1, -1),
        "The padding is at least 0, not -1; try padding=0.",
    ),
    "three paddings": (
        lambda: output_size(7, 3, 1, (1, 2, 3)),
        "The padding is one number or two, not (1, 2, 3); try padding=0.",
    ),
    "kernel larger than the input": (
        lambda: output_size(4, 7),
        "A kernel that spans 7 does not fit into 4 pixels with padding 0; "
        "make the kernel smaller, or add 3 pixels of size or padding.",
    ),
    "dilated kernel larger than the input, ceil": (
        lambda: output_size(4, 3, 1, (0, 1), 3, "ceil"),
        "A kernel that spans 7 does not fit into 4 pixels with padding "
        "(0, 1); make the kernel smaller, or add 2 pixels of size or padding.",
    ),
    "unknown rounding": (
        lambda: output_size(7, 3, rounding="up"),
        "There is no rounding 'up'; try 'floor', 'ceil' or 'exact'.",
    ),
    "not tiled": (
        lambda: output_size(7, 2, 2, rounding="exact"),
        "Windows that span 2 do not tile 7 pixels with stride 2 and padding "
        "0, because 5 / 2 is not whole; try size 6 or 8, stride 1 or 5, or "
        "padding (0, 1).",
    ),
    "not tiled: AlexNet's 224": (
        lambda: output_size(224, 11, 4, rounding="exact"),
        "Windows that span 11 do not tile 224 pixels with stride 4 and "
        "padding 0, because 213 / 4 is not whole; try size 223 or 227, "
        "stride 1 or 3, or padding (0, 3).",
    ),
    "groups": (
        lambda: conv_parameters(6, 8, 3, groups=4),
        "4 groups cannot share 6 input and 8 output channels evenly; "
        "try a number that divides both.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence(case):
    call, sentence = BAD[case]
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == sentence


def test_a_number_that_is_not_whole_is_a_type_error():
    with pytest.raises(TypeError, match=r"^The size is a whole number, not 7"):
        output_size(7.5, 3)
    with pytest.raises(TypeError, match=r"^A chain consists of layers, not 3"):
        receptive_field([3])
    with pytest.raises(ValueError, match=r"^The stride is at least 1, not 0"):
        Layer(3, 0)


def test_the_arithmetic_needs_no_torch():
    tree = ast.parse(Path(geometry.__file__).read_text(encoding="utf-8"))
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported == {
        "__future__",
        "collections.abc",
        "dataclasses",
        "operator",
        "typing",
    }
