"""The figures of notes and papers, counted in the live networks."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from every_net import EVERY
from torch import nn

from cnnbook import nets
from cnnbook.anatomy import Anatomy, trace
from cnnbook.nets.cifar_resnet import CifarResNet
from cnnbook.nets.residual import BasicBlock, Bottleneck


def on_meta(build, *args, **options):
    with torch.device("meta"):
        return build(*args, **options).eval()


@cache
def net(name):
    return on_meta(EVERY[name].build)


@cache
def anatomy(name) -> Anatomy:
    return trace(net(name), EVERY[name].image)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def weights(module):
    """Parameters without biases."""
    named = module.named_parameters()
    return sum(p.numel() for n, p in named if not n.endswith("bias"))


def convolutions(module):
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)]


def row(name, layer):
    (found,) = (row for row in anatomy(name).rows if row.name == layer)
    return found


def neurons(anatomy):
    """The outputs of each layer with weights, as the papers count them."""
    sizes = (torch.Size(row.output_shape) for row in layers(anatomy))
    return [size.numel() for size in sizes]


def layers(anatomy):
    kinds = ("Conv2d", "Linear")
    return [row for row in anatomy.rows if row.kind in kinds]


def depth(anatomy):
    """The layers with weights on the longest way from input to output."""
    deepest = {"input": 0}
    counted = {id(row) for row in layers(anatomy)}
    for step in anatomy.steps:
        before = max(deepest[name] for name in step.inputs)
        deepest[step.name] = before + (id(step) in counted)
    return deepest[anatomy.rows[-1].name]


PARAMETERS = {
    "lenet5 1998": 60_000,
    "lenet5 modern": 61_706,
    "alexnet 2012": 60_965_224,
    "alexnet ungrouped": 62_378_344,
    "alexnet unpadded": 28_823_912,
    "alexnet one-tower": 61_100_840,
    "zfnet 2013": 62_357_608,
    "zfnet wide": 107_627_624,
    "vgg A": 132_863_336,
    "vgg A-LRN": 132_863_336,
    "vgg B": 133_047_848,
    "vgg C": 133_638_952,
    "vgg D": 138_357_544,
    "vgg E": 143_667_240,
    "googlenet 2014": 6_998_552,
    "googlenet 2014 heads": 6_998_552 + 6_379_728,
    "googlenet torchvision": 6_624_904,
    "resnet 18": 11_689_512,
    "resnet 34": 21_797_672,
    "resnet 34 A": 21_623_848,
    "resnet 50": 25_557_032,
    "resnet 50 v1.5": 25_557_032,
    "resnet 101": 44_549_160,
    "resnet 152": 60_192_808,
}
MACS = {
    "alexnet 2012": 724_406_816,
    "alexnet ungrouped": 1_135_256_096,
    "vgg D": 15_470_264_320,
    "googlenet 2014": 1_582_671_872,
    "resnet 50": 3_857_973_248,
    "resnet 50 v1.5": 4_089_184_256,
    "resnet 152": 11_282_415_616,
    "resnet 152 v1.5": 11_513_626_624,
}
FIELDS = {
    ("alexnet 2012", "pool5"): 195,
    ("alexnet ungrouped", "pool5"): 195,
    ("vgg D", "features.pool5"): 212,
    ("resnet 18", "stage5.1"): 435,
    ("resnet 50", "stage5.2"): 483,
    ("resnet 50 v1.5", "stage5.2"): 427,
}
DEPTHS = {
    "alexnet 2012": 8,
    "zfnet 2013": 8,
    "vgg A": 11,
    "vgg D": 16,
    "vgg E": 19,
    "googlenet 2014": 22,
    "resnet 18": 18,
    "resnet 34 A": 34,
    "resnet 34 C": 34,
    "resnet 50": 50,
    "resnet 152": 152,
    "cifar_resnet 20 B": 20,
    "plain 20": 20,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name):
    assert parameters(net(name)) == PARAMETERS[name]


@pytest.mark.parametrize("name", MACS)
def test_multiply_accumulates(name):
    assert anatomy(name).total_macs == MACS[name]


@pytest.mark.parametrize("place", FIELDS, ids=" ".join)
def test_receptive_fields(place):
    name, layer = place
    *_, field = (
        step.receptive_field
        for step in anatomy(name).steps
        if step.name.startswith(layer)
    )
    assert field == FIELDS[place]


@pytest.mark.parametrize("name", DEPTHS)
def test_a_name_counts_the_layers_along_the_longest_way(name):
    assert depth(anatomy(name)) == DEPTHS[name]


def test_what_is_not_in_a_name():
    """Projections go round the longest way; an Inception has four ways."""
    assert len(convolutions(net("resnet 50"))) == 49 + 4
    assert len(convolutions(net("resnet 34 A"))) == 33
    assert len(convolutions(net("resnet 34 C"))) == 33 + 16
    assert len(convolutions(net("googlenet 2014"))) == 57


def test_wrong_networks_count_wrong():
    wrong = on_meta(nets.alexnet)
    wrong.conv4 = nn.Conv2d(384, 384, 3, padding=1, device="meta")
    more = 384 * 192 * 9  # what two towers save
    assert parameters(wrong) - PARAMETERS["alexnet 2012"] == more
    macs = trace(wrong, (3, 227, 227)).total_macs
    assert macs - MACS["alexnet 2012"] == more * 13 * 13
    wrong.pool5 = nn.Sequential(nn.MaxPool2d(1), nn.MaxPool2d(3, 2))
    wrong.conv5 = nn.Sequential(wrong.conv5, nn.Conv2d(256, 256, 1))
    deeper = trace(wrong, (3, 227, 227))
    assert depth(deeper) == 9 and len(neurons(deeper)) == 9
    late = trace(on_meta(nets.resnet, 50, "v1.5"), (3, 224, 224))
    assert late.total_macs != MACS["resnet 50"]


# AlexNet


def test_the_neurons_of_alexnet():
    counts = [186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
    assert neurons(anatomy("alexnet 2012")) == [290_400, *counts]
    assert sum(neurons(anatomy("alexnet 2012"))) == 659_272
    assert row("alexnet 2012", "conv1").output_shape == (96, 55, 55)


def test_alexnet_layer_by_layer():
    rows = layers(anatomy("alexnet 2012"))
    assert {row.name: row.parameters for row in rows} == {
        "conv1": 34_944,
        "conv2": 307_456,
        "conv3": 885_120,
        "conv4": 663_936,
        "conv5": 442_624,
        "fc6": 37_752_832,
        "fc7": 16_781_312,
        "fc8": 4_097_000,
    }
    assert weights(net("alexnet 2012").conv1) == 34_848


def test_the_notes_alexnet_without_padding():
    sides = [
        row("alexnet unpadded", layer).output_shape[1]
        for layer in ("conv2", "pool2", "conv3", "conv4", "conv5", "pool5")
    ]
    assert sides == [23, 11, 9, 7, 5, 2]
    assert weights(net("alexnet unpadded")) == 28_813_344


def test_the_images_of_the_networks():
    assert torch.Size(EVERY["vgg D"].image).numel() == 150_528


# ZFNet


def test_what_zfnets_wide_variant_adds_to_alexnet():
    ours, theirs = net("zfnet wide"), net("alexnet ungrouped")
    more = {
        name: weights(layer) - weights(getattr(theirs, name))
        for name, layer in ours.named_children()
        if weights(layer)
    }
    assert more == {
        "conv1": -20_736,
        "conv2": 0,
        "conv3": 294_912,
        "conv4": 3_391_488,
        "conv5": 3_833_856,
        "fc6": weights(theirs.fc6),  # twice as many
        "fc7": 0,
        "fc8": 0,
    }


def test_figure_3_differs_from_alexnet_in_conv1_alone():
    ours, theirs = net("zfnet 2013"), net("alexnet ungrouped")
    differing = [
        name
        for name, layer in ours.named_children()
        if parameters(layer) != parameters(getattr(theirs, name))
    ]
    assert differing == ["conv1"]


# VGG


def test_table_2_of_vgg():
    millions = [
        round(parameters(net(f"vgg {name}")) / 1e6) for name in "ABCDE"
    ]
    assert millions == [133, 133, 134, 138, 144]


def test_where_the_parameters_of_vgg_are():
    vgg = net("vgg D")
    dense = parameters(vgg.classifier)
    assert parameters(vgg.features) == 14_714_688
    assert dense == 123_642_856
    assert f"{dense / parameters(vgg):.1%}" == "89.4%"
    assert f"{parameters(vgg.classifier.fc6) / parameters(vgg):.1%}" == "74.3%"


def test_where_the_multiplications_of_vgg_are():
    rows = anatomy("vgg D").rows
    convolved = sum(row.macs for row in rows if row.kind == "Conv2d")
    assert convolved == 15_346_630_656


def test_the_values_that_vgg_keeps():
    """ReLU writes into the convolution's output, unless it is kept apart."""
    image = torch.Size(EVERY["vgg D"].image).numel()
    values = image + anatomy("vgg D").total_activations
    assert values == 15_237_608
    assert f"{4 * values / 1e6:.2f} MB" == "60.95 MB"
    assert f"{4 * values / 2**20:.1f} MiB" == "58.1 MiB"
    vgg = on_meta(nets.vgg)
    for layer in vgg.modules():
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    apart = trace(vgg, EVERY["vgg D"].image)
    assert image + apart.total_activations == 28_793_320


# GoogLeNet


def test_the_convolutions_of_googlenet():
    googlenet = net("googlenet 2014")
    assert sum(map(weights, convolutions(googlenet))) == 5_966_272
    assert weights(googlenet.conv1) == 9_408
    smaller = PARAMETERS["alexnet 2012"] / parameters(googlenet)
    assert f"{smaller:.1f}" == "8.7"


def test_the_two_heads_of_googlenet():
    googlenet = net("googlenet 2014 heads")
    heads = googlenet.auxiliary4a, googlenet.auxiliary4d
    assert sum(map(parameters, heads)) == 6_379_728
    places = row("googlenet 2014", "inception4b.b1.0").input_shape
    assert places == (heads[0].conv[0].in_channels, 14, 14)
    places = row("googlenet 2014", "inception4e.b1.0").input_shape
    assert places == (heads[1].conv[0].in_channels, 14, 14)


def test_what_a_narrow_layer_saves():
    narrowed = [
        row("googlenet 2014", f"inception3a.b5.{i}.0").macs for i in (0, 1)
    ]
    wide = on_meta(nn.Conv2d, 192, 32, 5, padding=2)
    shape = row("googlenet 2014", "inception3a.b5.0.0").input_shape
    assert trace(wide, shape).total_macs == 120_422_400
    assert sum(narrowed) == 12_443_648


# ResNet


def test_a_bottleneck_is_cheaper():
    narrow = on_meta(Bottleneck, 256, 64, 1, "B")
    wide = on_meta(BasicBlock, 256, 256, 1, "B")
    assert sum(map(weights, convolutions(narrow))) == 69_632
    assert sum(map(weights, convolutions(wide))) == 1_179_648


@pytest.mark.parametrize(
    ("depth", "expected"),
    {
        20: 269_722,
        32: 464_154,
        44: 658_586,
        56: 853_018,
        110: 1_727_962,
        1202: 19_421_274,
    }.items(),
)
def test_the_networks_for_cifar(depth, expected):
    assert parameters(on_meta(nets.cifar_resnet, depth)) == expected


def test_a_narrower_network_for_the_digits():
    """Half the width: 8, 16 and 32 maps, and about a quarter of the layers."""
    narrow = on_meta(CifarResNet, 56, in_channels=1, width=8)
    widths = {conv.out_channels for conv in convolutions(narrow)}
    assert widths == {8, 16, 32}
    assert parameters(narrow) == 214_402
    wide = on_meta(CifarResNet, 56, in_channels=1)
    assert parameters(wide) > 3.9 * parameters(narrow)


def test_option_a_costs_no_parameter():
    options = ("A", "none", "B")
    without, plain, projected = (
        parameters(on_meta(nets.cifar_resnet, 56, shortcut=option))
        for option in options
    )
    assert without == plain < projected


def test_moving_the_stride_costs_no_parameter():
    for depth in (50, 101, 152):
        early, late = net(f"resnet {depth}"), net(f"resnet {depth} v1.5")
        assert parameters(early) == parameters(late)
