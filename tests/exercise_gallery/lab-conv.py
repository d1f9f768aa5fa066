"""Answers to the lab on convolution, right ones and wrong ones."""

import torch
from cnnbook.labs.conv import probes
from torch.nn import functional as F

from cnnbook import geometry
from cnnbook.nets import lenet
from cnnbook.training import prepare

# Right, each in another way


def pixel_by_pixel(x, w, b, stride=1, padding=0):
    """Loop over the kernel's places, add up shifted images."""
    x = F.pad(x, [padding] * 4)
    kh, kw = w.shape[2:]
    rows = geometry.output_size(x.shape[2], kh, stride)
    columns = geometry.output_size(x.shape[3], kw, stride)
    y = b[:, None, None].expand(len(x), -1, rows, columns).clone()
    for u in range(kh):
        for v in range(kw):
            part = x[:, :, u : u + stride * rows : stride]
            part = part[..., v : v + stride * columns : stride]
            y += torch.einsum("nchw,kc->nkhw", part, w[:, :, u, v])
    return y


def strided_view(x, w, b, stride=1, padding=0):
    """All windows at once, without a copy."""
    windows = F.pad(x, [padding] * 4)
    windows = windows.unfold(2, w.shape[2], stride)
    windows = windows.unfold(3, w.shape[3], stride)
    y = torch.einsum("ncijuv,kcuv->nkij", windows, w)
    return y + b[:, None, None]


def in_numbers(x, w, b, stride=1, padding=0):
    """Seven loops over plain numbers."""
    x = F.pad(x, [padding] * 4)
    n, c, h, width = x.shape
    k, _, kh, kw = w.shape
    rows, columns = (h - kh) // stride + 1, (width - kw) // stride + 1
    x, w, b = x.tolist(), w.tolist(), b.tolist()
    return [
        [
            [
                [
                    b[o]
                    + sum(
                        x[m][d][stride * i + u][stride * j + v] * w[o][d][u][v]
                        for d in range(c)
                        for u in range(kh)
                        for v in range(kw)
                    )
                    for j in range(columns)
                ]
                for i in range(rows)
            ]
            for o in range(k)
        ]
        for m in range(n)
    ]


def by_transposed(dy, x, w, stride=1, padding=0):
    """The image's gradient as a transposed convolution."""
    kh, kw = w.shape[2:]
    over = (
        (x.shape[2] + 2 * padding - kh) % stride,
        (x.shape[3] + 2 * padding - kw) % stride,
    )
    dx = F.conv_transpose2d(dy, w, None, stride, padding, over)
    windows = F.pad(x, [padding] * 4).unfold(2, kh, stride)
    windows = windows.unfold(3, kw, stride)
    dw = torch.einsum("nkij,ncijuv->kcuv", dy, windows)
    return dx, dw, dy.sum((0, 2, 3))


def by_columns(dy, x, w, stride=1, padding=0):
    """All three by products of matrices, the columns folded back."""
    columns = F.unfold(x, w.shape[2:], stride=stride, padding=padding)
    flat = dy.flatten(2)
    dw = torch.einsum("nkl,ncl->kc", flat, columns).view_as(w)
    dx = F.fold(
        w.flatten(1).T @ flat,
        x.shape[2:],
        w.shape[2:],
        stride=stride,
        padding=padding,
    )
    return [dx, dw, flat.sum((0, 2))]


def view_as_columns(x, kernel, stride=1, padding=0):
    """Columns out of a view of all windows."""
    windows = F.pad(x, [padding] * 4)
    windows = windows.unfold(2, kernel[0], stride)
    windows = windows.unfold(3, kernel[1], stride)
    return windows.permute(0, 1, 4, 5, 2, 3).flatten(4).flatten(1, 3)


def one_by_one(x, kernel, stride=1, padding=0):
    """Columns, one window after the other."""
    x = F.pad(x, [padding] * 4)
    kh, kw = kernel
    found = [
        x[:, :, i : i + kh, j : j + kw].flatten(1)
        for i in range(0, x.shape[2] - kh + 1, stride)
        for j in range(0, x.shape[3] - kw + 1, stride)
    ]
    return torch.stack(found, dim=2)


def unfolded(x, w, b, stride=1, padding=0):
    """The product, with torch's own columns."""
    columns = F.unfold(x, w.shape[2:], stride=stride, padding=padding)
    rows = (x.shape[2] + 2 * padding - w.shape[2]) // stride + 1
    y = torch.matmul(w.flatten(1), columns) + b.unsqueeze(1)
    return y.view(len(x), len(w), rows, -1)


def counted(side, channels, kernel, stride, padding):
    """The growth, counted on a live tensor."""
    image = torch.zeros(1, channels, side, side)
    columns = F.unfold(image, kernel, padding=padding, stride=stride)
    return columns.numel() / image.numel()


def in_places(side, channels, kernel, stride, padding):
    """The growth by hand."""
    places = (side + 2 * padding - kernel) // stride + 1
    return (kernel * places / side) ** 2


def lenet_reads(images):
    """The book's trained LeNet-5."""
    net = lenet.load_trained()
    with torch.no_grad():
        return net(prepare(images.float())).argmax(1)


def nearest(images):
    """The nearest of the training digits, after small shifts."""
    known, labels, *_ = probes.data.load("digits")
    known = F.pad(known, [2] * 4)
    found = []
    for part in images.float().split(50):
        best = torch.full((len(part),), torch.inf)
        said = torch.zeros(len(part), dtype=torch.long)
        for i in range(5):
            for j in range(5):
                moved = known[:, :, i : i + 20, j : j + 20].flatten(1)
                near, which = torch.cdist(part.flatten(1), moved).min(1)
                said = torch.where(near < best, labels[which], said)
                best = torch.minimum(near, best)
        found.append(said)
    return torch.cat(found)


# Wrong


def crashes(*arguments):
    """A slip of the pen."""
    return arguments[0] @ None


def nothing(*arguments):
    """A forgotten return."""


def rounded(side, channels, kernel, stride, padding):
    """A whole number, where a ratio is asked for."""
    return side * probes.growth(side, channels, kernel, stride, padding)


RIGHT = {
    "lab-conv.q1": [pixel_by_pixel, strided_view, in_numbers],
    "lab-conv.q2": [by_transposed, by_columns],
    "lab-conv.q3": [view_as_columns, one_by_one],
    "lab-conv.q4": [unfolded, strided_view],
    "lab-conv.q5": [counted, in_places],
    "lab-conv.q6": [lenet_reads, nearest],
}
WRONG = {
    "lab-conv.q1": [
        (probes.flipped, "turned by 180°"),
        (probes.without_bias, "bias of each kernel is missing"),
        (probes.stride_ignored, "moves by `stride`"),
        (probes.padding_ignored, "zeros around the image"),
        (probes.bias_each_channel, "once a place"),
        (nothing, "is a `return` missing"),
        (crashes, "raised TypeError"),
    ],
    "lab-conv.q2": [
        (probes.image_by_turned_kernel, "turn nothing"),
        (probes.bias_of_first, "over the batch too"),
        (probes.bias_by_mean, "not its mean"),
        (probes.kernels_by_mean, "belongs to the loss"),
    ],
    "lab-conv.q3": [
        (probes.rows_instead, "a window is a column"),
        (probes.channels_last, "channel by channel"),
        (probes.places_by_column, "along the rows"),
    ],
    "lab-conv.q4": [
        (probes.without_bias, "bias of each kernel is missing"),
        (probes.flipped, "as it stands"),
        (probes.stride_ignored, "to im2col"),
    ],
    "lab-conv.q5": [
        (probes.kernel_only, "every pixel begins a window"),
        (probes.with_channels, "they cancel"),
        (probes.by_stride, "the edges count"),
        (probes.no_padding, "padding adds windows"),
        (rounded, "is not it"),
    ],
    "lab-conv.q6": [
        (lambda images: torch.zeros(len(images)), "is right"),
        (lambda images: images.flatten(1).argmax(1) % 10, "is right"),
        (lambda images: lenet_reads(images)[:10], "its shape is"),
        (lambda images: None, "is a `return` missing"),
    ],
}
