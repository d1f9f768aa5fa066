"""The questions of the lab on LeNet-5, then and now."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnbook import data
from cnnbook.exercises import Calls, Question, Unusable, Written
from cnnbook.nets import lenet as parts
from cnnbook.probing import LABELS, Builds, Reads, numbers

HEIGHT, PACE = 1.7159, 2 / 3
"""The constants of the squashing: 1.7159 tanh(2a/3)."""

Table = tuple[tuple[int, ...], ...]


# Question 1: the slope of the squashing, from its value


def values(draw: Random) -> Iterator[tuple[Tensor]]:
    """Draw values of the squashing, of three shapes."""
    for shape in ((7,), (3, 4), (2, 3, 5, 2)):
        yield (parts.squash(1.5 * numbers(draw, *shape)),)


def slope(y: Tensor) -> Tensor:
    """Let autograd go through the squashing, from where its value is y."""
    a = (torch.atanh(y.double() / HEIGHT) / PACE).requires_grad_()
    (found,) = torch.autograd.grad(parts.squash(a).sum(), a)
    return found.to(y)


def of_plain_tanh(y: Tensor) -> Tensor:
    """Wrong: the slope of tanh without constants."""
    return 1 - y**2


def inner_only(y: Tensor) -> Tensor:
    """Wrong: two thirds, and the height forgotten altogether."""
    return PACE * (1 - y**2)


def height_outside_only(y: Tensor) -> Tensor:
    """Wrong: the value is taken for tanh itself."""
    return HEIGHT * PACE * (1 - y**2)


def height_inside_only(y: Tensor) -> Tensor:
    """Wrong: the height in front is lost in the derivative."""
    return PACE * (1 - (y / HEIGHT) ** 2)


def chain_forgotten(y: Tensor) -> Tensor:
    """Wrong: the inner derivative, two thirds, is missing."""
    return HEIGHT * (1 - (y / HEIGHT) ** 2)


def of_the_sum(y: Tensor) -> Tensor:
    """Wrong: y is squashed once more, as if it were the sum a."""
    return slope(parts.squash(y))


# Question 2: a convolution in which not every map sees every other

SIZES = (
    {"x": (1, 3, 4, 5), "w": (4, 3, 2, 3)},
    {"x": (2, 4, 7, 6), "w": (5, 4, 3, 2)},
    {"x": (3, 6, 6, 8), "w": (16, 6, 5, 5)},
)


def sparse_cases(
    draw: Random,
) -> Iterator[tuple[Tensor, Tensor, Tensor, Table]]:
    """Draw maps, kernels and biases; two tables, then the paper's own."""
    for size in SIZES:
        x, w = numbers(draw, *size["x"]), numbers(draw, *size["w"])
        outputs, inputs = size["w"][:2]
        table = tuple(
            tuple(sorted(draw.sample(range(inputs), draw.randint(1, 2))))
            for _ in range(outputs)
        )
        paper = outputs == len(parts.C3_TABLE)
        yield x, w, numbers(draw, outputs), parts.C3_TABLE if paper else table


@dataclass(frozen=True)
class Learns:
    """The probe for a layer as a function: its output, and its gradients.

    The gradients are those of the kernels, of the biases and of the input,
    for an upstream gradient that is drawn.
    """

    cases: Callable[[Random], Iterator[tuple]]

    def __call__(self, answer: Any, draw: Random) -> list[dict[str, Any]]:
        """Call the answer once a case, and go back through it."""
        if not callable(answer):
            raise Unusable("a function is wanted here, without calling it")
        return list(self._each(answer, draw))

    def _each(self, answer: Any, draw: Random) -> Iterator[dict[str, Any]]:
        for x, w, b, table in self.cases(draw):
            leaves = [part.clone().requires_grad_() for part in (x, w, b)]
            try:
                y = answer(*leaves, table)
            except RuntimeError as error:
                if "in-place operation" not in str(error):
                    raise
                raise Unusable(
                    "w is the network's own and is to be left as it is; make "
                    "new kernels from it"
                ) from error
            sides = zip(x.shape[2:], w.shape[2:], strict=True)
            size = (len(x), len(w), *(a - b + 1 for a, b in sides))
            upstream = numbers(draw, *size)
            grads = [torch.zeros_like(leaf) for leaf in leaves]
            if isinstance(y, Tensor) and y.shape == upstream.shape:
                if not y.requires_grad:
                    raise Unusable(
                        "no gradient can flow back from the output to the "
                        "kernels: stay within torch, and away from .data, "
                        ".detach() and no_grad"
                    )
                grads = torch.autograd.grad(
                    y,
                    leaves,
                    upstream.to(y),
                    allow_unused=True,
                    materialize_grads=True,
                )
            yield {
                "output": y,
                "gradient of the input": grads[0],
                "gradient of the kernels": grads[1],
                "gradient of the biases": grads[2],
            }


def mask_of(table: Table, inputs: int) -> Tensor:
    """Ones where a map sees another: (K, D, 1, 1)."""
    mask = torch.zeros(len(table), inputs, 1, 1)
    for output, row in enumerate(table):
        mask[output, list(row)] = 1
    return mask


def table_conv(x: Tensor, w: Tensor, b: Tensor, table: Table) -> Tensor:
    """Each map of its own inputs alone, without a mask."""
    maps = [
        F.conv2d(x[:, list(row)], w[m : m + 1, list(row)], b[m : m + 1])
        for m, row in enumerate(table)
    ]
    return torch.cat(maps, 1)


def table_ignored(x, w, b, table):
    """Wrong: every map sees all others."""
    return F.conv2d(x, w, b)


def turned_round(x, w, b, table):
    """Wrong: the maps that the table names are those left out."""
    return F.conv2d(x, w * (1 - mask_of(table, x.shape[1])), b)


def cut_once(x, w, b, table):
    """Wrong: the weights are cut, and their gradients are not."""
    mask = mask_of(table, x.shape[1])
    return F.conv2d(x, w + (w.detach() * (mask - 1)), b)


def first_ones(x, w, b, table):
    """Wrong: the row's length is read, not what it names."""
    rows = tuple(tuple(range(len(row))) for row in table)
    return F.conv2d(x, w * mask_of(rows, x.shape[1]), b)


def biasless(x, w, b, table):
    """Wrong: the bias is forgotten."""
    return F.conv2d(x, w * mask_of(table, x.shape[1]))


# Question 3: the criterion of 1998


def distance_cases(draw: Random) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Draw distances, small and as large as they come, and labels."""
    for count, least, most, j in (
        (3, 0, 4, 1.0),
        (5, 2, 9, 3.5),
        (7, 0, 2, 0.25),
        (4, 140, 400, 150.0),
    ):
        rows = [
            [draw.uniform(least, most) for _ in range(10)]
            for _ in range(count)
        ]
        labels = [draw.randrange(10) for _ in range(count)]
        yield (
            torch.tensor(rows, dtype=torch.float32),
            torch.tensor(labels),
            j,
        )


def criterion(distances: Tensor, labels: Tensor, j: float = 1.0) -> Tensor:
    """The library's, which the recorded results use."""
    return parts.map_loss(distances, labels, j)


def right_only(distances, labels, j=1.0):
    """Wrong: equation 8, which never pushes."""
    return parts.mse_loss(distances, labels)


def every_label(distances, labels, j=1.0):
    """Wrong: each digit meets the labels of the whole batch."""
    pushed = criterion(distances, labels, j) - right_only(distances, labels)
    return distances[:, labels].mean() + pushed


def without_j(distances, labels, j=1.0):
    """Wrong: no eleventh class."""
    return parts.map_loss(distances, labels, math.inf)


def j_unexponentiated(distances, labels, j=1.0):
    """Wrong: j itself inside the logarithm, not exp(-j)."""
    return parts.map_loss(distances, labels, -math.log(j))


def summed(distances, labels, j=1.0):
    """Wrong: the sum over the batch."""
    return len(labels) * criterion(distances, labels, j)


def others_only(distances, labels, j=1.0):
    """Wrong: the right class is left out of the sum."""
    others = distances.scatter(1, labels[:, None], math.inf)
    pushed = torch.cat([others, torch.full_like(others[:, :1], j)], 1)
    nearest = parts.mse_loss(distances, labels)
    return nearest + (-pushed).logsumexp(1).mean()


def sign_lost(distances, labels, j=1.0):
    """Wrong: the exponentials grow with the distance."""
    everything = torch.cat(
        [distances, torch.full_like(distances[:, :1], j)], 1
    )
    return parts.mse_loss(distances, labels) + everything.logsumexp(1).mean()


def underflowing(distances, labels, j=1.0):
    """Wrong in float32: exp of a large negative number is zero."""
    everything = torch.cat(
        [distances, torch.full_like(distances[:, :1], j)], 1
    ).float()
    pushed = torch.log(torch.exp(-everything).sum(1)).mean()
    return parts.mse_loss(distances, labels) + pushed


# Question 4: a network made of choices

CHOICES = (
    ("squash", "relu"),
    ("sum", "max"),
    ("table", "full"),
    ("drawings", "linear"),
)
TODAY = tuple(new for _, new in CHOICES)


def corners(draw: Random) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """Eight of the sixteen networks, both twins among them.

    They are those with an even number of changes: any three of the four
    choices meet in every way.
    """
    for choice in itertools.product(*CHOICES):
        changes = sum(map(operator.ne, choice, TODAY))
        if changes % 2 == 0:
            yield choice, numbers(draw, 2, 1, 32, 32)


@dataclass(frozen=True)
class Assembles:
    """As `Builds`, and each result under the words it was made with."""

    cases: Callable[[Random], Iterator[tuple[tuple, Tensor]]]

    def __call__(self, answer: Any, draw: Random) -> dict[str, Any]:
        """Build, fill and run a network for each choice."""
        results = Builds(self.cases)(answer, draw)
        names = [", ".join(words) for words, _ in self.cases(Random(0))]
        return dict(zip(names, results, strict=True))


class Net(nn.Module):
    """LeNet-5 with a choice at each of its four odd parts.

    `but` names one thing that goes wrong.
    """

    def __init__(
        self, bend: str, pool: str, wiring: str, output: str, but: str = ""
    ) -> None:
        """Take the library's parts as they are chosen."""
        super().__init__()
        self.bend = parts.squash if bend == "squash" else F.relu
        self.pool, self.but = pool, but
        summing = pool == "sum" and but != "means"
        self.c1 = nn.Conv2d(1, 6, 5)
        self.s2 = parts.Subsampling(6) if summing else nn.MaxPool2d(2)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.s4 = parts.Subsampling(16) if summing else nn.MaxPool2d(2)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, 10)
        self.drawings = output == "drawings"
        if self.drawings:
            self.output = parts.RBF()
        if wiring == "table" and but != "always full":
            self.c3 = parts.SparseConv2d(parts.C3_TABLE, 5)
        if but == "dense c5":
            self.c5 = nn.Sequential(nn.Flatten(), nn.Linear(400, 120))
        if but == "means" and pool == "sum":
            self.s2 = self.s4 = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Give ten scores."""
        pooled = self.pool == "sum" and self.but != "straight pool"
        after = self.bend if pooled else lambda maps: maps
        if self.but == "bent maximum" and self.pool == "max":
            after = self.bend
        x = after(self.s2(self.bend(self.c1(x))))
        x = after(self.s4(self.bend(self.c3(x))))
        x = self.f6(self.bend(self.c5(x)).flatten(1))
        if self.but != "straight f6":
            x = self.bend(x)
        x = self.output(x)
        if self.drawings and self.but != "distances":
            x = -x
        return self.bend(x) if self.but == "bent scores" else x


def but(mistake: str) -> Callable[..., Net]:
    """Make a builder that goes wrong in one thing."""
    return lambda *choice: Net(*choice, but=mistake)


# Question 5: turned and moved


def pictures(draw: Random) -> Iterator[tuple[Tensor, ...]]:
    """Draw images that are moved, turned, and turned and moved."""

    def each(count: int, least: float, most: float) -> Tensor:
        signs = (draw.choice((-1, 1)) for _ in range(count))
        return torch.tensor([s * draw.uniform(least, most) for s in signs])

    moved, turned, both = (
        numbers(draw, *shape)
        for shape in ((3, 1, 9, 9), (2, 2, 8, 8), (4, 1, 12, 12))
    )
    whole = torch.tensor([[2.0, -1.0, 3.0], [-1.0, 3.0, 1.0]]).to(moved)
    yield moved, torch.zeros(3).to(moved), *whole
    yield turned, each(2, 10, 40).to(turned), *torch.zeros(2, 2).to(turned)
    yield both, each(4, 10, 40).to(both), each(4, 1, 3), each(4, 1, 3)


def warp(
    images: Tensor, degrees: Tensor, right: Tensor, down: Tensor
) -> Tensor:
    """Turn, then move, in homogeneous coordinates of pixels."""
    return placed(images, degrees, right, down)


def placed(
    images: Tensor,
    degrees: Tensor,
    right: Tensor,
    down: Tensor,
    clockwise: bool = False,
    away: float = 1.0,
    unit: float = 2.0,
    moved_first: bool = False,
    nearest: bool = False,
    border: bool = False,
) -> Tensor:
    """Turn and move images; the options are what goes wrong."""
    angle = torch.deg2rad(degrees) * (-1 if clockwise else 1)
    one, zero = torch.ones_like(angle), torch.zeros_like(angle)
    share = away * unit / images.shape[-1]
    turn = [angle.cos(), angle.sin(), zero]
    turn += [-angle.sin(), angle.cos(), zero, zero, zero, one]
    move = [one, zero, share * right, zero, one, share * down]
    move += [zero, zero, one]
    turning = torch.stack(turn, 1).view(-1, 3, 3)
    moving = torch.stack(move, 1).view(-1, 3, 3)
    there = turning @ moving if moved_first else moving @ turning
    grid = F.affine_grid(
        torch.linalg.inv(there)[:, :2], list(images.shape), align_corners=False
    )
    return F.grid_sample(
        images,
        grid,
        mode="nearest" if nearest else "bilinear",
        padding_mode="border" if border else "zeros",
        align_corners=False,
    )


def unturned(change: dict[str, Any]) -> Callable[..., Tensor]:
    """Make a wrong answer out of the right one."""
    return lambda *arguments: placed(*arguments, **change)


clockwise = unturned({"clockwise": True})
backwards = unturned({"away": -1.0})
pulled = unturned({"away": -1.0, "clockwise": True, "moved_first": True})
half_as_far = unturned({"unit": 1.0})
moved_first = unturned({"moved_first": True})
blocky = unturned({"nearest": True})
smeared = unturned({"border": True})


def unscaled(images, degrees, right, down):
    """Wrong: pixels where shares of half a picture are wanted."""
    side = images.shape[-1]
    return placed(images, degrees, right * side / 2, down * side / 2)


def in_radians(images, degrees, right, down):
    """Wrong: the degrees are taken for radians."""
    return placed(images, torch.rad2deg(degrees), right, down)


def axes_swapped(images, degrees, right, down):
    """Wrong: rows first, where x comes first."""
    return placed(images, degrees, down, right)


# Question 6: how far an error rate strays by luck


def counts(draw: Random) -> Iterator[tuple[int, int]]:
    """Draw so many wrong of so many, from few to nearly all."""
    for share in (0.01, 0.05, 0.3, 0.8):
        count = draw.randint(300, 20_000)
        yield max(1, round(share * count * draw.uniform(0.8, 1.2))), count


def noise(wrong: int, count: int) -> float:
    """The standard deviation of a share, in percentage points."""
    tosses = torch.distributions.Binomial(
        count, torch.tensor(wrong / count, dtype=torch.float64)
    )
    return 100 * tosses.stddev.item() / count


def variance(wrong, count):
    """Wrong: the root is missing."""
    share = wrong / count
    return 100 * share * (1 - share) / count


def as_share(wrong, count):
    """Wrong: a share, not percentage points."""
    return noise(wrong, count) / 100


def rare_only(wrong, count):
    """Wrong: the root of the count, right for rare errors alone."""
    return 100 * math.sqrt(wrong) / count


def in_digits(wrong, count):
    """Wrong: so many digits, not points."""
    return noise(wrong, count) * count / 100


def of_one_digit(wrong, count):
    """Wrong: the spread of one toss, not of the mean of all."""
    return noise(wrong, count) * math.sqrt(count)


# Question 7: a network that reads


def bent_digits(draw: Random) -> tuple[Tensor, Tensor]:
    """Draw 300 test digits, each turned and moved a little."""
    digits = data.load("digits")
    chosen = draw.sample(range(len(digits.test_images)), 300)
    images = digits.test_images[chosen].to(torch.get_default_dtype())

    def each(most: float) -> Tensor:
        return torch.tensor([draw.uniform(-most, most) for _ in chosen])

    bent = warp(images, each(8), each(1.4), each(1.4))
    return bent, digits.test_labels[chosen]


QUESTIONS = (
    Question(
        id="lab-lenet.q1",
        title="the slope of the squashing, from its value",
        name="slope",
        points=2,
        reference=slope,
        probe=Calls(values),
        tolerance=1e-3,
        hints=(
            (
                of_plain_tanh,
                "that is the slope of plain tanh; both constants are missing.",
            ),
            (
                inner_only,
                "y is 1.7159 times a tanh; divide before you square, and "
                "mind the factor in front.",
            ),
            (
                height_outside_only,
                "y is not the tanh but 1.7159 times it: divide before you "
                "square.",
            ),
            (
                height_inside_only,
                "the 1.7159 in front of the tanh stays in the derivative.",
            ),
            (
                chain_forgotten,
                "the chain rule: 2a/3 has a derivative of its own.",
            ),
            (
                of_the_sum,
                "y has been squashed already; it is not the sum a.",
            ),
        ),
        otherwise=(
            "What is tanh(2a/3) in terms of y? Its slope is one minus its "
            "square."
        ),
    ),
    Question(
        id="lab-lenet.q2",
        title="a convolution with a table of who sees whom",
        name="table_conv",
        points=3,
        reference=table_conv,
        probe=Learns(sparse_cases),
        hints=(
            (table_ignored, "every map sees every other: use the table."),
            (
                turned_round,
                "it is the other way round: a row names the maps that *are* "
                "seen.",
            ),
            (
                cut_once,
                "the output is right, but gradients reach kernels that are "
                "not there: at the next step they would come alive.",
            ),
            (
                first_ones,
                "a row names its maps; you took its length only.",
            ),
            (biasless, "the bias of each map is missing."),
        ),
        otherwise="Do one output map by hand, with the maps of its row alone.",
    ),
    Question(
        id="lab-lenet.q3",
        title="the criterion of 1998",
        name="criterion",
        points=3,
        reference=criterion,
        probe=Calls(distance_cases),
        hints=(
            (
                right_only,
                "that pulls towards the right drawing; nothing pushes the "
                "wrong ones away.",
            ),
            (
                every_label,
                "distances[:, labels] gives every digit all the labels of "
                "the batch; each has one: gather.",
            ),
            (without_j, "exp(-j) is missing inside the logarithm."),
            (
                j_unexponentiated,
                "inside the logarithm stands exp(-j), not j.",
            ),
            (summed, "the mean over the batch, not the sum."),
            (
                others_only,
                "the sum runs over all ten classes, the right one too.",
            ),
            (
                sign_lost,
                "the further a drawing, the less it counts: exp(-y).",
            ),
            (
                underflowing,
                "the formula is right, but in float32 exp(-150) is 0, and "
                "log 0 is no loss: torch.logsumexp never leaves the scale.",
            ),
        ),
        otherwise="Begin with a batch of one digit, and one by hand.",
    ),
    Question(
        id="lab-lenet.q4",
        title="sixteen networks from one function",
        name="lenet",
        points=3,
        reference=Net,
        probe=Assembles(corners),
        hints=(
            (
                but("straight pool"),
                "a subsampling has weights: the bend follows it too.",
            ),
            (
                but("bent maximum"),
                "a maximum has no weights: no second bend after it.",
            ),
            (
                but("straight f6"),
                "F6 has weights: the bend follows it, before the output.",
            ),
            (but("bent scores"), "the scores go out as they are, unbent."),
            (
                but("distances"),
                "distances must be turned into scores: the largest wins.",
            ),
            (
                but("means"),
                "the subsampling of 1998 has a coefficient and a bias for "
                "each map; a mean has not.",
            ),
            (but("always full"), "`wiring` changes nothing: C3 is full."),
            (
                but("dense c5"),
                "C5 is a convolution, though its maps come out as 1 by 1.",
            ),
        ),
        otherwise="Print the shapes layer by layer, and count parameters.",
    ),
    Question(
        id="lab-lenet.q5",
        title="a batch turned and moved",
        name="warp",
        points=3,
        reference=warp,
        probe=Calls(pictures),
        tolerance=1e-3,
        hints=(
            (clockwise, "it turns clockwise: y points down."),
            (
                backwards,
                "it moves the other way: the grid says where a pixel comes "
                "*from*.",
            ),
            (
                pulled,
                "this is the map from old to new; the grid wants its inverse.",
            ),
            (
                unscaled,
                "the picture is 2 wide in the grid's coordinates, so a pixel "
                "is 2 / side.",
            ),
            (
                half_as_far,
                "it moves half as far: from edge to edge the coordinates go "
                "from -1 to 1, so a pixel is 2 / side.",
            ),
            (in_radians, "sin and cos want radians: torch.deg2rad."),
            (
                axes_swapped,
                "the first coordinate is x, to the right; the second is y.",
            ),
            (
                moved_first,
                "it moves first and turns then; p = R⁻¹(p' - t): the turning "
                "back acts on the shift too.",
            ),
            (blocky, 'mix the neighbours: mode="bilinear".'),
            (smeared, 'zeros come in: padding_mode="zeros".'),
        ),
        otherwise="Try it with one bright pixel.",
    ),
    Question(
        id="lab-lenet.q6",
        title="how far an error rate strays by luck",
        name="noise",
        points=1,
        reference=noise,
        probe=Calls(counts),
        hints=(
            (variance, "that is a variance: take the root."),
            (as_share, "that is a share: in percentage points, times 100."),
            (
                rare_only,
                "near while errors are rare; a toss that can fall both ways "
                "has the variance p(1 - p).",
            ),
            (in_digits, "that is in digits: divide by how many were read."),
            (
                of_one_digit,
                "that is how one digit strays; a mean of n strays √n times "
                "less.",
            ),
        ),
        otherwise=(
            "A toss is 1 with probability p, else 0: find its variance, then "
            "that of the mean of so many."
        ),
    ),
    Question(
        id="lab-lenet.q7",
        title="your network reads the book's digits",
        name="read",
        points=1,
        reference=LABELS,
        probe=Reads(bent_digits),
        share=0.8,
        otherwise=(
            "Show it what it learned on: 28 by 28 pixels of bytes, through "
            "`ready`."
        ),
    ),
)

WRITTEN = (
    Written(
        id="lab-lenet.w1",
        title="What the ladder says, and what it cannot say",
        rubric=(
            (
                1,
                "names the rung that mattered most and one that is within "
                "the noise, both compared with the noise",
            ),
            (
                1,
                "ReLU on a sum: what comes in is not negative, so a map "
                "with a negative coefficient is silent and gets no gradient; "
                "the squashing has a negative side, and a maximum has no "
                "coefficient",
            ),
            (
                1,
                "the worth of a change depends on what is there already, so "
                "the order decides; an experiment that would show it",
            ),
            (
                1,
                "reads the pair that is confused most off the matrix, and "
                "names a limit: few seeds, one data set, rates chosen for "
                "some of the rungs",
            ),
        ),
    ),
)
