"""Answers to the lab on LeNet-5, right ones and wrong ones."""

import math
from collections import OrderedDict

import torch
from cnnbook.labs.lenet import probes
from torch import nn
from torch.nn import functional as F

from cnnbook.nets import lenet as parts
from cnnbook.training import prepare

# Right, each in another way


def by_formula(y):
    """The slope as a textbook writes it."""
    return 2 / 3 * (1.7159 - y * y / 1.7159)


def by_differences(y):
    """The slope by a small step to both sides."""
    a = 1.5 * torch.atanh(y.double() / 1.7159)
    step = 1e-4
    return (parts.squash(a + step) - parts.squash(a - step)) / (2 * step)


def masked(x, w, b, table):
    """One dense convolution with a mask."""
    mask = torch.zeros(w.shape[:2])
    for output, row in enumerate(table):
        for i in row:
            mask[output, i] = 1
    return F.conv2d(x, w * mask[:, :, None, None].to(w), b)


def pair_by_pair(x, w, b, table):
    """One convolution for each pair of maps that meet."""
    maps = []
    for output, row in enumerate(table):
        found = b[output]
        for i in row:
            kernel = w[output : output + 1, i : i + 1]
            found = found + F.conv2d(x[:, i : i + 1], kernel)
        maps.append(found)
    return torch.cat(maps, dim=1)


def through_where(x, w, b, table):
    """Zeros where nothing meets, chosen by torch.where."""
    meets = torch.tensor(
        [[i in row for i in range(w.shape[1])] for row in table]
    )
    kernels = torch.where(meets[:, :, None, None], w, torch.zeros_like(w))
    return F.conv2d(x, kernels, b)


def eleven_classes(distances, labels, j=1.0):
    """Cross-entropy with an eleventh class."""
    last = distances.new_full((len(distances), 1), j)
    return F.cross_entropy(-torch.cat([distances, last], 1), labels)


def one_by_one(distances, labels, j=1.0):
    """A loop over the batch, in double precision."""
    losses = []
    for row, label in zip(distances.double(), labels.tolist(), strict=True):
        least = min(row.min().item(), j)
        total = sum(math.exp(least - y) for y in [*row.tolist(), j])
        losses.append(row[label].item() + math.log(total) - least)
    return sum(losses) / len(losses)


class Bend(nn.Module):
    """The squashing as a layer."""

    def forward(self, x):
        """Squash."""
        return 1.7159 * torch.tanh(2 / 3 * x)


class Minus(nn.Module):
    """Scores out of distances."""

    def __init__(self):
        """Hold the drawings."""
        super().__init__()
        self.distances = parts.RBF()

    def forward(self, x):
        """Return minus the distances."""
        return -self.distances(x)


def in_a_row(bend, pool, wiring, output):
    """A Sequential with names."""
    layers = OrderedDict(c1=nn.Conv2d(1, 6, 5))

    def bent(name):
        layers[f"bend {name}"] = Bend() if bend == "squash" else nn.ReLU()

    def halved(name, maps):
        if pool == "max":
            layers[name] = nn.MaxPool2d(2)
        else:
            layers[name] = parts.Subsampling(maps)
            bent(name)

    bent("c1")
    halved("s2", 6)
    layers["c3"] = (
        nn.Conv2d(6, 16, 5)
        if wiring == "full"
        else parts.SparseConv2d(parts.C3_TABLE, 5)
    )
    bent("c3")
    halved("s4", 16)
    layers["c5"] = nn.Conv2d(16, 120, 5)
    bent("c5")
    layers["flat"] = nn.Flatten()
    layers["f6"] = nn.Linear(120, 84)
    bent("f6")
    layers["output"] = Minus() if output == "drawings" else nn.Linear(84, 10)
    return nn.Sequential(layers)


class AsAClass(nn.Module):
    """A class, made output first, with functions for what has no weights."""

    def __init__(self, bend, pool, wiring, output):
        """Keep the words; make the layers backwards."""
        super().__init__()
        self.words = (bend, pool, output)
        self.scores = (
            parts.RBF() if output == "drawings" else nn.Linear(84, 10)
        )
        self.dense = nn.Linear(120, 84)
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(1, 6, 5),
                parts.SparseConv2d(parts.C3_TABLE, 5)
                if wiring == "table"
                else nn.Conv2d(6, 16, 5),
                nn.Conv2d(16, 120, 5),
            ]
        )
        if pool == "sum":
            self.sums = nn.ModuleList(map(parts.Subsampling, (6, 16)))

    def forward(self, x):
        """Go through the layers in a loop."""
        bend, pool, output = self.words
        f = parts.squash if bend == "squash" else torch.relu
        for i, convolution in enumerate(self.convolutions):
            x = f(convolution(x))
            if i < 2 and pool == "sum":
                x = f(self.sums[i](x))
            elif i < 2:
                x = F.max_pool2d(x, 2)
        x = self.scores(f(self.dense(x[:, :, 0, 0])))
        return -x if output == "drawings" else x


def by_matrix(images, degrees, right, down):
    """The inverse written down, and the library's grid."""
    angle = degrees * math.pi / 180
    c, s = torch.cos(angle), torch.sin(angle)
    tx, ty = 2 * right / images.shape[3], 2 * down / images.shape[2]
    first = torch.stack([c, -s, s * ty - c * tx], dim=1)
    second = torch.stack([s, c, -s * tx - c * ty], dim=1)
    theta = torch.stack([first, second], dim=1)
    grid = F.affine_grid(theta, images.shape, align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def by_hand(images, degrees, right, down):
    """Four neighbours of each place, gathered and mixed by hand."""
    count, side = len(images), images.shape[3]
    middle = (side - 1) / 2
    across = torch.arange(side).to(images) - middle
    y, x = torch.meshgrid(across, across, indexing="ij")
    x = x[None] - right[:, None, None]
    y = y[None] - down[:, None, None]
    angle = torch.deg2rad(degrees)[:, None, None]
    from_x = angle.cos() * x - angle.sin() * y + middle + 1
    from_y = angle.sin() * x + angle.cos() * y + middle + 1
    padded = F.pad(images, [1, 2, 1, 2])
    from_x, from_y = from_x.clamp(0, side + 1), from_y.clamp(0, side + 1)
    left, top = from_x.floor().long(), from_y.floor().long()
    result = torch.zeros_like(images)
    for i in (0, 1):
        for j in (0, 1):
            share = (1 - (from_x - left - j).abs()) * (
                1 - (from_y - top - i).abs()
            )
            for n in range(count):
                part = padded[n][:, top[n] + i, left[n] + j]
                result[n] += share[n] * part
    return result


def of_a_toss(wrong, count):
    """The standard error of a mean of zeros and ones."""
    p = wrong / count
    return 100 * math.sqrt(p * (1 - p) / count)


def of_all_tosses(wrong, count):
    """The same from the tosses themselves."""
    tosses = torch.zeros(count, dtype=torch.float64)
    tosses[:wrong] = 100
    return tosses.std(correction=0) / count**0.5


def lenet_reads(images):
    """The book's trained LeNet-5."""
    net = parts.load_trained()
    with torch.no_grad():
        return net(prepare(images.float())).argmax(1)


def nearest(images):
    """The nearest of the training digits, after small shifts."""
    known, labels, *_ = probes.data.load("digits")
    known = F.pad(known, [1] * 4)
    best = torch.full((len(images),), torch.inf)
    said = torch.zeros(len(images), dtype=torch.long)
    for i in range(3):
        for j in range(3):
            moved = known[:, :, i : i + 20, j : j + 20].flatten(1)
            near, which = torch.cdist(images.float().flatten(1), moved).min(1)
            said = torch.where(near < best, labels[which], said)
            best = torch.minimum(near, best)
    return said


# Wrong


def crashes(*arguments):
    """A slip of the pen."""
    return arguments[0] @ None


def nothing(*arguments):
    """A forgotten return."""


def cut_in_place(x, w, b, table):
    """The mask is written into the weights themselves."""
    w.data *= probes.mask_of(table, x.shape[1])
    return F.conv2d(x, w, b)


def cut_by_item(x, w, b, table):
    """The kernels are zeroed where they stand."""
    for output, row in enumerate(table):
        for i in range(w.shape[1]):
            if i not in row:
                w[output, i] = 0
    return F.conv2d(x, w, b)


def frozen(x, w, b, table):
    """Nothing flows back."""
    with torch.no_grad():
        return masked(x, w, b, table)


def swapped_grid(images, degrees, right, down):
    """The matrix from old to new, handed to the grid as it is."""
    angle = torch.deg2rad(degrees)
    c, s = angle.cos(), angle.sin()
    tx, ty = 2 * right / images.shape[3], 2 * down / images.shape[2]
    rows = torch.stack([c, s, tx, -s, c, ty], 1).view(-1, 2, 3)
    grid = F.affine_grid(rows, images.shape, align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def turned_back_alone(images, degrees, right, down):
    """The shift is taken back without being turned back."""
    angle = torch.deg2rad(degrees)
    c, s = angle.cos(), angle.sin()
    tx, ty = 2 * right / images.shape[3], 2 * down / images.shape[2]
    rows = torch.stack([c, -s, -tx, s, c, -ty], 1).view(-1, 2, 3)
    grid = F.affine_grid(rows, images.shape, align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


RIGHT = {
    "lab-lenet.q1": [by_formula, by_differences],
    "lab-lenet.q2": [masked, pair_by_pair, through_where],
    "lab-lenet.q3": [eleven_classes, one_by_one],
    "lab-lenet.q4": [in_a_row, AsAClass],
    "lab-lenet.q5": [by_matrix, by_hand],
    "lab-lenet.q6": [of_a_toss, of_all_tosses],
    "lab-lenet.q7": [lenet_reads, nearest],
}
WRONG = {
    "lab-lenet.q1": [
        (probes.of_plain_tanh, "both constants"),
        (probes.inner_only, "mind the factor in front"),
        (probes.height_outside_only, "not the tanh but 1.7159 times"),
        (probes.height_inside_only, "stays in the derivative"),
        (probes.chain_forgotten, "chain rule"),
        (probes.of_the_sum, "squashed already"),
        (nothing, "is a `return` missing"),
    ],
    "lab-lenet.q2": [
        (probes.table_ignored, "use the table"),
        (probes.turned_round, "other way round"),
        (probes.cut_once, "would come alive"),
        (cut_in_place, "would come alive"),
        (cut_by_item, "left as it is; make new kernels"),
        (probes.first_ones, "its length only"),
        (probes.biasless, "bias of each map"),
        (frozen, "no gradient can flow back"),
        (nothing, "is a `return` missing"),
        (crashes, "raised TypeError"),
        (3, "a function is wanted"),
    ],
    "lab-lenet.q3": [
        (probes.right_only, "nothing pushes"),
        (probes.every_label, "each has one"),
        (probes.without_j, "exp(-j) is missing"),
        (probes.j_unexponentiated, "not j"),
        (probes.summed, "not the sum"),
        (probes.others_only, "the right one too"),
        (probes.sign_lost, "exp(-y)"),
        (probes.underflowing, "log 0 is no loss"),
    ],
    "lab-lenet.q4": [
        (probes.but("straight pool"), "the bend follows it too"),
        (probes.but("bent maximum"), "no second bend"),
        (probes.but("straight f6"), "F6 has weights"),
        (probes.but("bent scores"), "unbent"),
        (probes.but("distances"), "the largest wins"),
        (probes.but("means"), "a mean has not"),
        (probes.but("always full"), "changes nothing"),
        (probes.but("dense c5"), "C5 is a convolution"),
        (lambda *words: None, "it made no nn.Module"),
        (lambda *words: parts.lenet5("1998"), "squash, sum, table, drawings"),
    ],
    "lab-lenet.q5": [
        (probes.clockwise, "turns clockwise"),
        (probes.backwards, "the other way"),
        (swapped_grid, "wants its inverse"),
        (probes.unscaled, "a pixel is 2 / side"),
        (probes.half_as_far, "half as far"),
        (probes.in_radians, "deg2rad"),
        (probes.axes_swapped, "the first coordinate is x"),
        (probes.moved_first, "moves first"),
        (turned_back_alone, "acts on the shift too"),
        (probes.blocky, "mix the neighbours"),
        (probes.smeared, "zeros come in"),
    ],
    "lab-lenet.q6": [
        (probes.variance, "take the root"),
        (probes.as_share, "times 100"),
        (probes.rare_only, "p(1 - p)"),
        (probes.in_digits, "divide by how many"),
        (probes.of_one_digit, "√n times less"),
    ],
    "lab-lenet.q7": [
        (lambda images: torch.zeros(len(images)), "is right"),
        (lambda images: images.flatten(1).argmax(1) % 10, "is right"),
        (lambda images: lenet_reads(images)[:10], "its shape is"),
        (nothing, "is a `return` missing"),
    ],
}
