"""The book's networks in the notation, in the order of the book.

A test counts each of them here and traces the module in `cnnbook.nets`.
"""


def _vgg(*blocks: str) -> str:
    """The paper's column: blocks of convolutions, each with its pooling."""
    layers = "\nmaxpool\n".join(blocks)
    return f"""\
input 3x224x224
{layers}
maxpool
FC-4096 dropout 0.5
FC-4096 dropout 0.5
FC-1000
"""


def _resnet(*stages: str) -> str:
    """A column of the paper's Table 1."""
    lines = "\n".join(
        f"conv{i}: {stage}" + (" s2" if i > 2 else "")
        for i, stage in enumerate(stages, start=2)
    )
    return f"""\
input 3x224x224
conv1: 64 7x7 s2 p3 bn
pool1: 3x3 s2 p1
{lines}
global avg
fc 1000
"""


def _basic(*counts: int) -> list[str]:
    return [
        f"[3x3, {width}; 3x3, {width}] x{count}"
        for width, count in zip((64, 128, 256, 512), counts, strict=True)
    ]


def _deep(*counts: int) -> list[str]:
    return [
        f"[1x1, {width}; 3x3, {width}; 1x1, {4 * width}] x{count}"
        for width, count in zip((64, 128, 256, 512), counts, strict=True)
    ]


LENET = """\
# LeNet-5 as it is written today
input 1x32x32
c1: 6 5x5
s2: max pool 2x2
c3: 16 5x5
s4: max pool 2x2
c5: 120 5x5
f6: dense 84
output: dense 10
"""

LENET_1998 = """\
# As near to the paper as the notation gets. There, c3 sees not all maps
# (1,516 parameters), s2 and s4 learn a factor and a bias for each map, and
# the output measures distances to drawn digits.
input 1x32x32
c1: 6 5x5 tanh
s2: avg pool 2x2; tanh
c3: 16 5x5 tanh
s4: avg pool 2x2; tanh
c5: 120 5x5 tanh
f6: dense 84 tanh
output: dense 10
"""

ALEXNET = """\
input 3x227x227
conv1: 96 11x11 s4
norm1: norm
pool1: 3x3 s2
conv2: 256 5x5 p2{g}
norm2: norm
pool2: 3x3 s2
conv3: 384 3x3 p1
conv4: 384 3x3 p1{g}
conv5: 256 3x3 p1{g}
pool5: 3x3 s2
fc6: dense 4096 dropout 0.5
fc7: dense 4096 dropout 0.5
fc8: dense 1000
"""

ALEXNET_UNPADDED = """\
# No padding: the teaching variant of the lecture notes
input 3x227x227
conv1: 96 11x11 s4
pool1: 3x3 s2
conv2: 256 5x5
pool2: 3x3 s2
conv3: 384 3x3
conv4: 384 3x3
conv5: 256 3x3
pool5: 3x3 s2
fc6: dense 4096
fc7: dense 4096
fc8: dense 1000
"""

ZFNET = """\
input 3x224x224
conv1: 96 7x7 s2 p1
pool1: 3x3 s2 ceil
norm1: norm
conv2: 256 5x5 s2
pool2: 3x3 s2 ceil
norm2: norm
conv3: 384 3x3 p1
conv4: 384 3x3 p1
conv5: 256 3x3 p1
pool5: 3x3 s2
fc6: dense 4096 dropout 0.5
fc7: dense 4096 dropout 0.5
fc8: dense 1000
"""

NIN = """\
input 3x224x224
mlp1: { 96 11x11 s4; x2 96 1x1 }
pool 3x3 s2 ceil; dropout 0.5
mlp2: { 256 5x5 p2; x2 256 1x1 }
pool 3x3 s2 ceil; dropout 0.5
mlp3: { 384 3x3 p1; x2 384 1x1 }
pool 3x3 s2 ceil; dropout 0.5
mlp4: { 1024 3x3 p1; 1024 1x1; 1000 1x1 }
global avg
"""

NIN_CIFAR = """\
input 3x32x32
mlp1: { 192 5x5 p2; 160 1x1; 96 1x1 }
pool 3x3 s2 ceil; dropout 0.5
mlp2: { 192 5x5 p2; 192 1x1; 192 1x1 }
pool 3x3 s2 ceil; dropout 0.5
mlp3: { 192 3x3 p1; 192 1x1; 10 1x1 }
global avg
"""

GOOGLENET = """\
input 3x224x224
conv1: 64 7x7 s2 p3
pool1: 3x3 s2 ceil
norm1: norm
conv2: 64 1x1
conv3: 192 3x3 p1
norm3: norm
pool3: 3x3 s2 ceil
3a: { 64 1x1 | 96 1x1; 128 3x3 p1 | 16 1x1; 32 5x5 p2 | pool 3x3 s1 p1; 32 1x1 }
3b: { 128 1x1 | 128 1x1; 192 3x3 p1 | 32 1x1; 96 5x5 p2 | pool 3x3 s1 p1; 64 1x1 }
pool4: 3x3 s2 ceil
4a: { 192 1x1 | 96 1x1; 208 3x3 p1 | 16 1x1; 48 5x5 p2 | pool 3x3 s1 p1; 64 1x1 }
4b: { 160 1x1 | 112 1x1; 224 3x3 p1 | 24 1x1; 64 5x5 p2 | pool 3x3 s1 p1; 64 1x1 }
4c: { 128 1x1 | 128 1x1; 256 3x3 p1 | 24 1x1; 64 5x5 p2 | pool 3x3 s1 p1; 64 1x1 }
4d: { 112 1x1 | 144 1x1; 288 3x3 p1 | 32 1x1; 64 5x5 p2 | pool 3x3 s1 p1; 64 1x1 }
4e: { 256 1x1 | 160 1x1; 320 3x3 p1 | 32 1x1; 128 5x5 p2 | pool 3x3 s1 p1; 128 1x1 }
pool5: 3x3 s2 ceil
5a: { 256 1x1 | 160 1x1; 320 3x3 p1 | 32 1x1; 128 5x5 p2 | pool 3x3 s1 p1; 128 1x1 }
5b: { 384 1x1 | 192 1x1; 384 3x3 p1 | 48 1x1; 128 5x5 p2 | pool 3x3 s1 p1; 128 1x1 }
global avg
dropout 0.4
fc 1000
"""  # noqa: E501

CIFAR_RESNET = """\
# Shortcuts of option A: every second pixel, and new maps of zeros
input 3x32x32
conv1: 16 3x3 p1 bn
stage1: [3x3, 16; 3x3, 16] x3
stage2: {
  +{ 32 3x3 s2 p1 bn; 32 3x3 p1 bn | same 32 s2 }
  [3x3, 32; 3x3, 32] x2
}
stage3: {
  +{ 64 3x3 s2 p1 bn; 64 3x3 p1 bn | same 64 s2 }
  [3x3, 64; 3x3, 64] x2
}
global avg
fc 10
"""

MOBILENET = """\
# After the book: each convolution in two steps, one in space, one in depth
input 3x224x224
32 3x3 s2 p1 bn
dw 3x3 p1 bn; 64 1x1 bn
dw 3x3 s2 p1 bn; 128 1x1 bn
dw 3x3 p1 bn; 128 1x1 bn
dw 3x3 s2 p1 bn; 256 1x1 bn
dw 3x3 p1 bn; 256 1x1 bn
dw 3x3 s2 p1 bn; 512 1x1 bn
x5 { dw 3x3 p1 bn; 512 1x1 bn }
dw 3x3 s2 p1 bn; 1024 1x1 bn
dw 3x3 p1 bn; 1024 1x1 bn
global avg
fc 1000
"""

BOOK = {
    "LeNet-5": LENET,
    "LeNet-5 of 1998, nearly": LENET_1998,
    "AlexNet": ALEXNET.format(g=" g2"),
    "AlexNet without groups": ALEXNET.format(g=""),
    "AlexNet without padding": ALEXNET_UNPADDED,
    "ZFNet": ZFNET,
    "VGG A": _vgg(
        "conv3-64",
        "conv3-128",
        "x2 conv3-256",
        "x2 conv3-512",
        "x2 conv3-512",
    ),
    "VGG B": _vgg(
        "x2 conv3-64",
        "x2 conv3-128",
        "x2 conv3-256",
        "x2 conv3-512",
        "x2 conv3-512",
    ),
    "VGG C": _vgg(
        "x2 conv3-64",
        "x2 conv3-128",
        "x2 conv3-256; conv1-256",
        "x2 conv3-512; conv1-512",
        "x2 conv3-512; conv1-512",
    ),
    "VGG D (VGG-16)": _vgg(
        "x2 conv3-64",
        "x2 conv3-128",
        "x3 conv3-256",
        "x3 conv3-512",
        "x3 conv3-512",
    ),
    "VGG E (VGG-19)": _vgg(
        "x2 conv3-64",
        "x2 conv3-128",
        "x4 conv3-256",
        "x4 conv3-512",
        "x4 conv3-512",
    ),
    "Network in Network": NIN,
    "Network in Network for CIFAR": NIN_CIFAR,
    "GoogLeNet": GOOGLENET,
    "ResNet-18": _resnet(*_basic(2, 2, 2, 2)),
    "ResNet-34": _resnet(*_basic(3, 4, 6, 3)),
    "ResNet-50": _resnet(*_deep(3, 4, 6, 3)),
    "ResNet-101": _resnet(*_deep(3, 4, 23, 3)),
    "ResNet-152": _resnet(*_deep(3, 8, 36, 3)),
    "ResNet-20 for CIFAR": CIFAR_RESNET,
    "MobileNet": MOBILENET,
}
"""Titles with texts, in the order of the book."""
