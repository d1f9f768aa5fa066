"""The questions of the lab on convolution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnbook import data
from cnnbook.exercises import Calls, Question, Written
from cnnbook.geometry import output_size
from cnnbook.probing import LABELS, Reads, numbers

# Images, kernels and hyper-parameters; none of the sizes is equal to another,
# so that swapped axes show.
CASES = (
    {"x": (1, 1, 5, 6), "w": (1, 1, 3, 2), "stride": 1, "padding": 0},
    {"x": (2, 3, 6, 7), "w": (4, 3, 3, 2), "stride": 1, "padding": 0},
    {"x": (2, 3, 9, 7), "w": (4, 3, 3, 3), "stride": 2, "padding": 0},
    {"x": (3, 2, 7, 8), "w": (5, 2, 2, 3), "stride": 3, "padding": 2},
)


def cases(draw: Random) -> Iterator[tuple[Tensor, Tensor, Tensor, int, int]]:
    """Draw images, kernels and biases for four geometries."""
    for case in CASES:
        x, w = numbers(draw, *case["x"]), numbers(draw, *case["w"])
        b = numbers(draw, len(w))
        yield x, w, b, case["stride"], case["padding"]


# Question 1: forward


def forward(
    x: Tensor, w: Tensor, b: Tensor, stride: int = 1, padding: int = 0
) -> Tensor:
    """The convolution of the library that everybody uses."""
    return F.conv2d(x, w, b, stride, padding)


def flipped(x, w, b, stride=1, padding=0):
    """Wrong: the kernel is turned, as in mathematics."""
    return F.conv2d(x, w.flip(2, 3), b, stride, padding)


def without_bias(x, w, b, stride=1, padding=0):
    """Wrong: the bias is forgotten."""
    return F.conv2d(x, w, None, stride, padding)


def stride_ignored(x, w, b, stride=1, padding=0):
    """Wrong: a step of one, whatever is asked for."""
    return F.conv2d(x, w, b, 1, padding)


def padding_ignored(x, w, b, stride=1, padding=0):
    """Wrong: nothing is put around the image."""
    return F.conv2d(x, w, b, stride)


def bias_each_channel(x, w, b, stride=1, padding=0):
    """Wrong: the bias is added once for every channel of the input."""
    return F.conv2d(x, w, x.shape[1] * b, stride, padding)


# Question 2: backward


def backward_cases(draw: Random) -> Iterator[tuple]:
    """Draw the gradient of the output too."""
    for x, w, b, stride, padding in cases(draw):
        y = F.conv2d(x, w, b, stride, padding)
        yield numbers(draw, *y.shape), x, w, stride, padding


Gradients = tuple[Tensor, Tensor, Tensor]


def backward(
    dy: Tensor, x: Tensor, w: Tensor, stride: int = 1, padding: int = 0
) -> Gradients:
    """What autograd finds for image, kernels and biases."""
    x, w = x.clone().requires_grad_(), w.clone().requires_grad_()
    b = torch.zeros(len(w), dtype=w.dtype, requires_grad=True)
    y = F.conv2d(x, w, b, stride, padding)
    return torch.autograd.grad(y, (x, w, b), dy)


def edited(change: Callable[[Gradients, Tensor], Gradients]) -> Callable:
    """Make a wrong answer out of the right one."""

    def wrong(dy, x, w, stride=1, padding=0):
        return change(backward(dy, x, w, stride, padding), dy)

    return wrong


def image_by_turned_kernel(dy, x, w, stride=1, padding=0):
    """Wrong: the gradient of the image with the kernel turned once more."""
    _, dw, db = backward(dy, x, w, stride, padding)
    return backward(dy, x, w.flip(2, 3), stride, padding)[0], dw, db


bias_of_first = edited(lambda g, dy: (g[0], g[1], dy[0].sum((1, 2))))
bias_by_mean = edited(lambda g, dy: (g[0], g[1], dy.mean((0, 2, 3))))
kernels_by_mean = edited(lambda g, dy: (g[0], g[1] / len(dy), g[2]))


# Question 3: the image as columns


def column_cases(draw: Random) -> Iterator[tuple]:
    """Draw images, and the kernel's two sides."""
    for x, w, _, stride, padding in cases(draw):
        yield x, tuple(w.shape[2:]), stride, padding


def columns(
    x: Tensor, kernel: tuple[int, int], stride: int = 1, padding: int = 0
) -> Tensor:
    """What torch calls unfold: (N, C·kh·kw, places)."""
    return F.unfold(x, kernel, stride=stride, padding=padding)


def rows_instead(x, kernel, stride=1, padding=0):
    """Wrong: a window is a row, not a column."""
    return columns(x, kernel, stride, padding).transpose(1, 2)


def channels_last(x, kernel, stride=1, padding=0):
    """Wrong: the channels of a place stand together."""
    found = columns(x, kernel, stride, padding)
    n, _, places = found.shape
    return found.view(n, x.shape[1], -1, places).transpose(1, 2).flatten(1, 2)


def places_by_column(x, kernel, stride=1, padding=0):
    """Wrong: the places go down first, then to the right."""
    found = columns(x, kernel, stride, padding)
    rows = output_size(x.shape[2], kernel[0], stride, padding)
    return found.unflatten(2, (rows, -1)).transpose(2, 3).flatten(2)


# Question 4: the same convolution as one product of matrices

# Question 5: how much larger the columns are


def layers(draw: Random) -> Iterator[tuple[int, int, int, int, int]]:
    """Draw a side, channels, kernel, stride, padding: six layers."""
    for kernel in (1, 2, 3, 5, 7, 11):
        stride = draw.choice((1, 2, 3))
        side = kernel + stride * draw.randint(6, 60)
        yield side, draw.randint(1, 64), kernel, stride, draw.randint(0, 3)


def growth(
    side: int, channels: int, kernel: int, stride: int, padding: int
) -> float:
    """Numbers in the columns for one number of the image."""
    places = output_size(side, kernel, stride, padding) ** 2
    return channels * kernel**2 * places / (channels * side**2)


def kernel_only(side, channels, kernel, stride, padding):
    """Wrong: as if every pixel were the corner of a window."""
    return float(kernel**2)


def with_channels(side, channels, kernel, stride, padding):
    """Wrong: the channels are counted for the columns only."""
    return channels * growth(side, channels, kernel, stride, padding)


def by_stride(side, channels, kernel, stride, padding):
    """Wrong: the ends of the image are left out of account."""
    return kernel**2 / stride**2


def no_padding(side, channels, kernel, stride, padding):
    """Wrong: the padding adds places too."""
    return growth(side, channels, kernel, stride, 0)


# Question 6: a network that learned with it


def shifted_digits(draw: Random) -> tuple[Tensor, Tensor]:
    """Draw 300 test digits, each shifted by up to two pixels."""
    digits = data.load("digits")
    chosen = draw.sample(range(len(digits.test_images)), 300)
    images = digits.test_images[chosen].to(torch.get_default_dtype())
    moved = [
        image.roll((draw.randint(-2, 2), draw.randint(-2, 2)), (1, 2))
        for image in images
    ]
    return torch.stack(moved), digits.test_labels[chosen]


QUESTIONS = (
    Question(
        id="lab-conv.q1",
        title="forward, window by window",
        name="conv_forward",
        points=4,
        reference=forward,
        probe=Calls(cases),
        hints=(
            (
                flipped,
                "the kernel is turned by 180°; networks correlate, they do "
                "not convolve.",
            ),
            (without_bias, "the bias of each kernel is missing."),
            (stride_ignored, "the window moves by `stride`, not by one."),
            (
                padding_ignored,
                "there are `padding` zeros around the image on all four "
                "sides.",
            ),
            (
                bias_each_channel,
                "the bias is added once a place, after the sum over channels.",
            ),
        ),
        otherwise="Print the shapes first, then one value by hand.",
    ),
    Question(
        id="lab-conv.q2",
        title="backward, window by window",
        name="conv_backward",
        points=5,
        reference=backward,
        probe=Calls(backward_cases),
        hints=(
            (
                image_by_turned_kernel,
                "each window of dx gets the kernel as it stands, times dy: "
                "turn nothing.",
            ),
            (
                bias_of_first,
                "a bias moves every image of the batch: sum over the batch "
                "too.",
            ),
            (
                bias_by_mean,
                "gradients add up: the bias gets the sum of dy, not its mean.",
            ),
            (
                kernels_by_mean,
                "gradients add up over the batch; the mean belongs to the "
                "loss.",
            ),
        ),
        otherwise="Every product of the forward loop sends two gradients.",
    ),
    Question(
        id="lab-conv.q3",
        title="the image as columns",
        name="im2col",
        points=3,
        reference=columns,
        probe=Calls(column_cases),
        hints=(
            (rows_instead, "a window is a column, a place is a row: swap."),
            (
                channels_last,
                "a column lists channel by channel, as the kernel does.",
            ),
            (
                places_by_column,
                "the places go along the rows of the output, as its memory "
                "does.",
            ),
        ),
    ),
    Question(
        id="lab-conv.q4",
        title="one product of matrices",
        name="conv_matrix",
        points=2,
        reference=forward,
        probe=Calls(cases),
        hints=(
            (without_bias, "the bias of each kernel is missing."),
            (flipped, "the kernel goes into its row as it stands."),
            (
                stride_ignored,
                "hand stride and padding to im2col, and to the output's size.",
            ),
        ),
    ),
    Question(
        id="lab-conv.q5",
        title="what the columns cost in memory",
        name="growth",
        points=1,
        reference=growth,
        probe=Calls(layers),
        hints=(
            (
                kernel_only,
                "k² holds if every pixel begins a window; stride and edges "
                "leave some out.",
            ),
            (
                with_channels,
                "the image has the channels too: they cancel.",
            ),
            (
                by_stride,
                "near, but the edges count: use the size of the output.",
            ),
            (no_padding, "padding adds windows."),
        ),
    ),
    Question(
        id="lab-conv.q6",
        title="a network that learned with your convolution",
        name="read",
        points=1,
        reference=LABELS,
        probe=Reads(shifted_digits),
        share=0.7,
        otherwise="Train longer, and shift the digits while you do.",
    ),
)

WRITTEN = (
    Written(
        id="lab-conv.w1",
        title="Why is it faster, and when is it not?",
        rubric=(
            (1, "the number of multiplications is the same in both"),
            (
                1,
                "the loops pay Python and a small tensor for each place; "
                "the product is one call into a tuned library",
            ),
            (
                1,
                "the columns repeat each pixel up to k² times, so memory is "
                "the price",
            ),
            (
                1,
                "a case where it does not pay, with the reason: columns "
                "that do not fit, or a 1×1 kernel, whose image is its "
                "columns already",
            ),
        ),
    ),
)
