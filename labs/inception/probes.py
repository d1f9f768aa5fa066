"""The questions of the lab on Inception."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnbook.exercises import Calls, Question, Unusable, Written
from cnnbook.geometry import conv_macs, conv_parameters
from cnnbook.nets.googlenet import TABLE
from cnnbook.probing import Builds, numbers

Widths = tuple[int, int, int, int, int, int]
"""As in the paper's table: 1×1, before 3×3, 3×3, before 5×5, 5×5, pooling."""

NAMES = ("1 × 1", "3 × 3", "5 × 5", "pooling")

# Question 1: a 1 × 1 convolution as one product


def pixel_cases(draw: Random) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Draw maps, a matrix and biases; no two sizes are equal."""
    for n, c, height, width, k in [(1, 2, 3, 4, 5), (3, 5, 2, 7, 4)]:
        x = numbers(draw, n, c, height, width)
        yield x, numbers(draw, k, c), numbers(draw, k)


def pixelwise(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """The library's convolution with a window of one pixel."""
    return F.conv2d(x, w[:, :, None, None], b)


def pixel_bias_missing(x, w, b):
    """Wrong: the bias is forgotten."""
    return F.conv2d(x, w[:, :, None, None])


def viewed(x, w, b):
    """Wrong: the memory is cut into rows without moving the channels."""
    n, c, height, width = x.shape
    y = x.reshape(-1, c) @ w.T + b
    return y.reshape(n, height, width, -1).permute(0, 3, 1, 2)


def viewed_twice(x, w, b):
    """Wrong: cut into rows, and glued together, without moving anything."""
    n, c, height, width = x.shape
    return (x.reshape(-1, c) @ w.T + b).reshape(n, -1, height, width)


def viewed_back(x, w, b):
    """Wrong: right products, laid into the wrong places."""
    y = pixelwise(x, w, b)
    return y.permute(0, 2, 3, 1).reshape(y.shape)


def channels_stay_last(x, w, b):
    """Wrong: the channels are not brought back."""
    return pixelwise(x, w, b).permute(0, 2, 3, 1)


def bent(x, w, b):
    """Wrong: a ReLU that nobody asked for."""
    return pixelwise(x, w, b).relu()


# Question 2: the bill of a module


def modules(draw: Random) -> Iterator[tuple[int, Widths, int]]:
    """Modules of the paper, and some with layers left out."""
    yield 192, TABLE["3a"], 28
    for zeros in ((1, 3, 5), (1,), (3, 5), ()):
        widths = [draw.randint(3, 60) for _ in range(6)]
        for place in zeros:
            widths[place] = 0
        yield draw.randint(61, 500), tuple(widths), draw.randint(5, 40)


Row = tuple[int, int, int]


@dataclass(frozen=True)
class Bill:
    """What a module costs; the fields are the ways to get it wrong."""

    bias: bool = True
    biases_multiply: bool = False
    windows_read_all: bool = False
    reducing_is_free: bool = False
    zero_reads_nothing: bool = False
    pooling_ends: bool = False
    projection: int = 1
    sides: int = 2
    squares: bool = True

    def layer(self, maps_in: int, maps: int, window: int, side: int) -> Row:
        """Maps, parameters and multiplications of one convolution."""
        if not self.squares and window > 1:
            window = (window, 1)
        parameters = conv_parameters(maps_in, maps, window, bias=self.bias)
        macs = conv_macs(maps_in, maps, window, side)
        if self.biases_multiply:
            macs += maps * side**2
        return maps, parameters, macs if self.sides == 2 else macs // side

    def __call__(self, channels: int, widths: Widths, side: int) -> list[Row]:
        """One row for each branch."""
        n1, r3, n3, r5, n5, p = widths
        rows = [self.layer(channels, n1, 1, side)]
        for r, n, window in ((r3, n3, 3), (r5, n5, 5)):
            before = (0, 0, 0)
            if r and not self.reducing_is_free:
                before = self.layer(channels, r, 1, side)
            read = channels if self.windows_read_all else r or channels
            after = self.layer(read, n, window, side)
            if not r and self.zero_reads_nothing:
                after = (n, n * self.bias, 0)
            rows.append((n, before[1] + after[1], before[2] + after[2]))
        if p:
            rows.append(self.layer(channels, p, self.projection, side))
        else:
            rows.append((0 if self.pooling_ends else channels, 0, 0))
        return rows


bill = Bill()
no_biases = Bill(bias=False)
biases_multiply = Bill(biases_multiply=True)
windows_read_all = Bill(windows_read_all=True)
reducing_is_free = Bill(reducing_is_free=True)
zero_reads_nothing = Bill(zero_reads_nothing=True)
pooling_ends = Bill(pooling_ends=True)
zeros_as_widths = Bill(zero_reads_nothing=True, pooling_ends=True)
projection_is_wide = Bill(projection=3)
one_side = Bill(sides=1)
side_for_area = Bill(squares=False)


# Question 3: the module


def module_cases(draw: Random) -> Iterator[tuple[tuple, Tensor]]:
    """Modules with all layers, with some and with none of the reducing.

    What a module reads has passed a ReLU: no number is negative.
    """
    for channels, widths, (n, height, width) in [
        (5, (2, 3, 4, 1, 6, 7), (2, 6, 7)),
        (3, (4, 0, 5, 0, 2, 0), (1, 5, 8)),
        (4, (3, 2, 7, 0, 5, 6), (2, 7, 5)),
    ]:
        yield (
            (channels, widths),
            numbers(draw, n, channels, height, width).abs(),
        )


class Inception(nn.Module):
    """The module, with its known mistakes, each under its name."""

    def __init__(self, channels: int, widths: Widths, mistake: str = ""):
        """Make the four branches."""
        super().__init__()
        n1, r3, n3, r5, n5, p = widths
        self.mistake = mistake
        large = 3 if mistake == "three for five" else 5
        self.one = self._conv(channels, n1, 1)
        self.three = self._branch(channels, r3, n3, 3)
        self.five = self._branch(channels, r5, n5, large)
        self.project = self._conv(channels, p, 1) if p else nn.Identity()
        pools = nn.AvgPool2d if mistake == "mean" else nn.MaxPool2d
        self.pool = pools(3, stride=1, padding=1)

    def _conv(self, maps_in: int, maps: int, window: int) -> nn.Sequential:
        bias = self.mistake != "no bias"
        layer = nn.Conv2d(
            maps_in, maps, window, padding=window // 2, bias=bias
        )
        return nn.Sequential(layer, nn.ReLU())

    def _branch(
        self, channels: int, r: int, n: int, window: int
    ) -> nn.Sequential:
        before = self._conv(channels, r, 1) if r else nn.Identity()
        after = self._conv(r or channels, n, window)
        if r and self.mistake == "straight neck":
            before = before[0]
        if self.mistake == "straight end":
            after = after[0]
        return nn.Sequential(before, after)

    def forward(self, x: Tensor) -> Tensor:
        """Four results, side by side."""
        if self.mistake == "projected first":
            last = self.pool(self.project(x))
        elif self.mistake == "no pooling":
            last = self.project(x)
        else:
            last = self.project(self.pool(x))
        found = [self.one(x), self.three(x), self.five(x), last]
        if self.mistake == "order":
            found = [found[i] for i in (0, 2, 1, 3)]
        if self.mistake == "pooling first":
            found = found[3:] + found[:3]
        return torch.cat(found, dim=1)


def with_mistake(name: str) -> Callable[..., nn.Module]:
    """Make a wrong answer."""

    def wrong(channels, widths):
        return Inception(channels, widths, name)

    return wrong


# Question 4: the widest that a budget allows

Plan = Sequence[tuple[Widths, int]]
MOST = 64


def scaled(widths: Widths, k: int) -> Widths:
    """A row at k sixteenths, each width up to the next multiple of 8."""
    return tuple(-(-width * k // 128) * 8 for width in widths)


def price(
    channels: int, plan: Plan, k: int, of: int = 2, chained: bool = True
) -> int:
    """The cost of all modules at k sixteenths."""
    total = 0
    for widths, side in plan:
        rows = bill(channels, scaled(widths, k), side)
        total += sum(row[of] for row in rows)
        if chained:
            channels = sum(row[0] for row in rows)
    return total


def plans(draw: Random) -> Iterator[tuple[int, Plan, int]]:
    """Plans of two or three modules, reduced and naive; awkward budgets."""
    for number, extra in enumerate((0, -1, 1, 0.4, 0.9, 0.6)):
        names = sorted(draw.sample(list(TABLE), 2 + number % 2))
        rows = [TABLE[name] for name in names]
        if number % 3 == 1:
            rows = [(n1, 0, n3, 0, n5, 0) for n1, _, n3, _, n5, _ in rows]
        sides = [32, 16, 8][: len(rows)]
        plan = tuple(zip(rows, sides, strict=True))
        channels = draw.randint(12, 90)
        k = draw.randint(3, 20)
        costs = price(channels, plan, k), price(channels, plan, k + 2)
        if isinstance(extra, float):
            extra = round(extra * (costs[1] - costs[0]))
        yield channels, plan, costs[0] + extra
    yield 64, ((TABLE["5b"], 8),), 1000


def widest(channels: int, plan: Plan, budget: int) -> tuple[int, int]:
    """The largest k within the budget, and what it costs."""
    return _search(lambda k: price(channels, plan, k), budget)


def _search(cost: Callable[[int], int], budget: int) -> tuple[int, int]:
    low, high = 0, MOST  # by halves: low fits, what is above high does not
    while low < high:
        middle = (low + high + 1) // 2
        if cost(middle) <= budget:
            low = middle
        else:
            high = middle - 1
    return (low, cost(low)) if low else (0, 0)


def one_too_many(channels, plan, budget):
    """Wrong: the first that costs more."""
    k, _ = widest(channels, plan, budget)
    return k + 1, price(channels, plan, k + 1)


def strictly(channels, plan, budget):
    """Wrong: what costs exactly the budget is refused."""
    return widest(channels, plan, budget - 1)


def unchained(channels, plan, budget):
    """Wrong: every module reads what the first one reads."""
    return _search(lambda k: price(channels, plan, k, chained=False), budget)


def by_parameters(channels, plan, budget):
    """Wrong: parameters are compared with a budget of multiplications."""
    return _search(lambda k: price(channels, plan, k, of=1), budget)


def narrowest(channels, plan, budget):
    """Wrong: the first that fits."""
    k, _ = widest(channels, plan, budget)
    return (1, price(channels, plan, 1)) if k else (0, 0)


def everything_scaled(channels, plan, budget):
    """Wrong: what the first module reads is scaled as well."""
    return _search(lambda k: price(scaled((channels,), k)[0], plan, k), budget)


# Question 5: the loss with second heads


@dataclass(frozen=True)
class Losses:
    """The probe for a loss: its value, and the gradient of each output."""

    counts: tuple[int, ...] = (3, 2, 1)
    classes: int = 4

    def __call__(self, answer: Any, draw: Random) -> list[dict[str, Any]]:
        """Call it with three outputs, with two, and with a tensor alone."""
        if not callable(answer):
            raise Unusable("a function is wanted here: give the function")
        return [self._one(answer, draw, count) for count in self.counts]

    def _one(self, answer: Callable, draw: Random, count: int) -> dict:
        rows = 3 + count
        outputs = tuple(
            (2 * numbers(draw, rows, self.classes)).requires_grad_()
            for _ in range(count)
        )
        labels = torch.tensor(
            [draw.randrange(self.classes) for _ in range(rows)]
        )
        given = f"a tuple of {count} outputs" if count > 1 else "one tensor"
        try:
            loss = answer(outputs if count > 1 else outputs[0], labels)
        except Exception as error:
            if isinstance(error, NotImplementedError):
                raise
            raise Unusable(
                f"called with {given}, your function raised "
                f"{type(error).__name__}: {str(error).splitlines()[0]}"
            ) from error
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            raise Unusable(
                f"called with {given}, it gives no tensor of one number"
            )
        found = [None] * count
        if loss.requires_grad:
            found = torch.autograd.grad(loss, outputs, allow_unused=True)
        gradients = [
            torch.zeros_like(output) if gradient is None else gradient
            for output, gradient in zip(outputs, found, strict=True)
        ]
        return {"loss": loss.detach(), "gradients": gradients}


WEIGHT = 0.3


def of_outputs(
    outputs: Tensor | Sequence[Tensor], labels: Tensor, weight: float = WEIGHT
) -> Tensor:
    """The loss by its definition: minus the log of the right share."""
    outputs = [outputs] if isinstance(outputs, Tensor) else outputs
    total = torch.zeros(())
    for i, output in enumerate(outputs):
        shares = output.log_softmax(1)[torch.arange(len(labels)), labels]
        total = total - shares.mean() * (weight if i else 1)
    return total


def unweighted(outputs, labels):
    """Wrong: every output counts the same."""
    return of_outputs(outputs, labels, 1.0)


def heads_averaged(outputs, labels):
    """Wrong: 0.3 for all heads together."""
    heads = 1 if isinstance(outputs, Tensor) else max(1, len(outputs) - 1)
    return of_outputs(outputs, labels, WEIGHT / heads)


def end_alone(outputs, labels):
    """Wrong: the heads are not listened to."""
    return of_outputs(outputs, labels, 0.0)


def everything_weighted(outputs, labels):
    """Wrong: the end gets 0.3 too."""
    outputs = [outputs] if isinstance(outputs, Tensor) else outputs
    return WEIGHT * of_outputs(outputs, labels, 1.0)


def end_last(outputs, labels):
    """Wrong: the last of the tuple is taken for the end."""
    if isinstance(outputs, Tensor):
        return of_outputs(outputs, labels)
    return of_outputs(outputs[::-1], labels)


def softmax_twice(outputs, labels):
    """Wrong: cross-entropy of what is a softmax already."""
    if isinstance(outputs, Tensor):
        return of_outputs(outputs.softmax(1), labels)
    return of_outputs([one.softmax(1) for one in outputs], labels)


def cut_off(outputs, labels):
    """Wrong: the right number, and the heads send nothing back."""
    if isinstance(outputs, Tensor):
        return of_outputs(outputs, labels)
    end, *heads = outputs
    return of_outputs([end, *(head.detach() for head in heads)], labels)


# Question 6: what reaches a layer, and from where


class Tapped(nn.Module):
    """A small network with two heads; its weights are drawn."""

    def __init__(self, draw: Random) -> None:
        """Three layers, a head behind each of the first two."""
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(m, n, 3, padding=1) for m, n in ((2, 4), (4, 3), (3, 5))
        )
        self.ends = nn.ModuleList(nn.Linear(n, 4) for n in (4, 3, 5))
        for values in self.parameters():
            values.data = 0.5 * numbers(draw, *values.shape)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The end's scores first, then those of the heads."""
        outputs = []
        for layer, end in zip(self.layers, self.ends, strict=True):
            x = layer(x).tanh()
            outputs.append(end(x.mean((2, 3))))
        return outputs[2], outputs[0], outputs[1]


def reached(answer: Any, draw: Random) -> list:
    """The probe: what reaches three layers, asked of the same outputs."""
    if not callable(answer):
        raise Unusable("a function is wanted here: give the function")
    found = []
    for rows in (5, 3):
        net = Tapped(draw)
        outputs = net(numbers(draw, rows, 2, 6, 5))
        labels = torch.tensor([draw.randrange(4) for _ in range(rows)])
        for number, layer in enumerate(net.layers, 1):
            try:
                found.append(answer(outputs, labels, layer.weight))
            except Exception as error:
                if isinstance(error, NotImplementedError):
                    raise
                raise Unusable(
                    f"for the weights of layer {number} of a network with "
                    "heads on its layers 1 and 2, your function raised "
                    f"{type(error).__name__}: {_first_line(error)}"
                ) from error
    return found


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].split(". ")[0].rstrip(".")


def gradients(
    outputs: Sequence[Tensor], labels: Tensor, weight: Tensor
) -> list[Tensor]:
    """What each weighted loss sends to the weight."""
    found = []
    for i, output in enumerate(outputs):
        loss = of_outputs(output, labels) * (WEIGHT if i else 1)
        (gradient,) = torch.autograd.grad(
            loss, weight, retain_graph=True, allow_unused=True
        )
        found.append(
            torch.zeros_like(weight) if gradient is None else gradient
        )
    return found


def arriving(outputs, labels, weight) -> Tensor:
    """The norm of the gradient by each way."""
    return torch.stack([g.norm() for g in gradients(outputs, labels, weight)])


def full_weights(outputs, labels, weight):
    """Wrong: the heads' losses without their 0.3."""
    norms = arriving(outputs, labels, weight)
    return torch.cat([norms[:1], norms[1:] / WEIGHT])


def piled_up(outputs, labels, weight):
    """Wrong: `.grad` is never emptied."""
    norms = []
    for i, output in enumerate(outputs):
        loss = of_outputs(output, labels) * (WEIGHT if i else 1)
        loss.backward(retain_graph=True)
        norms.append(weight.grad.norm())
    return torch.stack(norms)


def piled_in_call(outputs, labels, weight):
    """Wrong: `.grad` is emptied once, before the first loss."""
    piled = torch.stack(gradients(outputs, labels, weight)).cumsum(0)
    return piled.flatten(1).norm(dim=1)


def squared(outputs, labels, weight):
    """Wrong: no root is drawn."""
    return arriving(outputs, labels, weight) ** 2


def sizes_added(outputs, labels, weight):
    """Wrong: the sum of the absolute values."""
    found = gradients(outputs, labels, weight)
    return torch.stack([g.abs().sum() for g in found])


def all_together(outputs, labels, weight):
    """Wrong: one number, of the whole loss."""
    return sum(gradients(outputs, labels, weight)).norm()


# Question 7: where a class is seen


def pictures(draw: Random) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Draw last maps, the dense layer behind their means, and classes."""
    for n, c, height, width, classes in [(1, 3, 2, 4, 5), (4, 2, 5, 3, 6)]:
        features = numbers(draw, n, c, height, width)
        asked = [draw.randrange(classes) for _ in range(n)]
        weight, bias = numbers(draw, classes, c), numbers(draw, classes)
        yield features, weight, bias, torch.tensor(asked)


def class_map(
    features: Tensor, weight: Tensor, bias: Tensor, classes: Tensor
) -> Tensor:
    """The dense layer at each place, the row of each picture's class."""
    maps = F.linear(features.permute(0, 2, 3, 1), weight, bias)
    return torch.stack(
        [one[:, :, i] for one, i in zip(maps, classes.tolist(), strict=True)]
    )


def map_bias_missing(features, weight, bias, classes):
    """Wrong: the bias is forgotten."""
    return class_map(features, weight, torch.zeros_like(bias), classes)


def bias_dealt_out(features, weight, bias, classes):
    """Wrong: each place gets its share of the bias."""
    places = features[0, 0].numel()
    return class_map(features, weight, bias / places, classes)


def only_for(features, weight, bias, classes):
    """Wrong: what speaks against the class is cut off."""
    return class_map(features, weight, bias, classes).relu()


def all_for_all(features, weight, bias, classes):
    """Wrong: every picture gets the maps of all pictures' classes."""
    return pixelwise(features, weight, bias)[:, classes]


def every_class(features, weight, bias, classes):
    """Wrong: the maps of all classes."""
    return pixelwise(features, weight, bias)


def scores(features, weight, bias, classes):
    """Wrong: the mean is taken: no place is left."""
    return class_map(features, weight, bias, classes).mean((1, 2))


QUESTIONS = (
    Question(
        id="lab-inception.q1",
        title="a dense layer at every pixel",
        name="pixelwise",
        points=2,
        reference=pixelwise,
        probe=Calls(pixel_cases),
        hints=(
            (
                viewed,
                "`reshape` cuts memory, it moves nothing: bring the channels "
                "to the end first.",
            ),
            (
                viewed_twice,
                "`reshape` cuts memory, it moves nothing: move the channels "
                "to the end before, and back after.",
            ),
            (
                viewed_back,
                "on the way back, `reshape` with the channels last, then "
                "move them.",
            ),
            (
                channels_stay_last,
                "the channels have to come back before height and width.",
            ),
            (pixel_bias_missing, "the bias is missing."),
            (bent, "only the product and the bias are asked for, no ReLU."),
        ),
        otherwise="Take one pixel, and compare its K numbers by hand.",
    ),
    Question(
        id="lab-inception.q2",
        title="the bill of a module",
        name="bill",
        points=3,
        reference=bill,
        probe=Calls(modules),
        hints=(
            (no_biases, "each filter has a bias, which is a parameter too."),
            (
                biases_multiply,
                "a bias is added, not multiplied: it is no MAC.",
            ),
            (
                windows_read_all,
                "behind a reducing layer the window reads its r maps, not "
                "all of them.",
            ),
            (
                reducing_is_free,
                "the reducing 1 × 1 layers have to be paid for as well.",
            ),
            (
                zero_reads_nothing,
                "0 says that there is no reducing layer; then the window "
                "reads all maps, which is not free.",
            ),
            (
                zeros_as_widths,
                "a 0 is no width: without its neck a window reads all maps, "
                "and without its 1 × 1 the pooling hands all of them on.",
            ),
            (
                pooling_ends,
                "a pooling without a 1 × 1 behind it hands on every map.",
            ),
            (
                projection_is_wide,
                "the layer behind the pooling is 1 × 1; the 3 × 3 of the "
                "pooling has no weights.",
            ),
            (one_side, "a weight works at side · side pixels."),
            (side_for_area, "a window of 3 × 3 has 9 weights, not 3."),
        ),
        otherwise="Print your rows for (192, TABLE['3a'], 28): the 5 × 5 has "
        "15,920 parameters.",
    ),
    Question(
        id="lab-inception.q3",
        title="the module",
        name="Inception",
        points=3,
        reference=Inception,
        probe=Builds(module_cases),
        hints=(
            (
                with_mistake("straight neck"),
                "a ReLU belongs behind the reducing layers too; without it "
                "two layers are one matrix.",
            ),
            (
                with_mistake("straight end"),
                "a ReLU belongs behind the windows.",
            ),
            (with_mistake("mean"), "the fourth branch takes the maximum."),
            (
                with_mistake("projected first"),
                "the 1 × 1 stands behind the pooling, not before it.",
            ),
            (
                with_mistake("no pooling"),
                "the fourth branch pools before its 1 × 1.",
            ),
            (
                with_mistake("three for five"),
                "that is 3 × 3 where 5 × 5 is asked for.",
            ),
            (
                with_mistake("order"),
                "the 3 × 3 stands before the 5 × 5 in the output.",
            ),
            (
                with_mistake("pooling first"),
                "the pooling's maps come last.",
            ),
            (with_mistake("no bias"), "every convolution has its bias."),
        ),
        otherwise="Print the shape of each branch, then its parameters; your "
        "bill says how many there should be.",
    ),
    Question(
        id="lab-inception.q4",
        title="the widest within a budget",
        name="widest",
        points=2,
        reference=widest,
        probe=Calls(plans),
        hints=(
            (
                unchained,
                "a module reads what the one before it gives; only the "
                "first reads `channels`.",
            ),
            (one_too_many, "that one costs more than the budget."),
            (strictly, "what costs exactly the budget is allowed."),
            (by_parameters, "the budget is of multiplications."),
            (narrowest, "it fits, but there are wider ones that fit."),
            (
                everything_scaled,
                "`channels` comes from the stem and stays as it is.",
            ),
        ),
        otherwise="It builds on your `bill`: is question 2 right?",
    ),
    Question(
        id="lab-inception.q5",
        title="a loss that hears the heads",
        name="loss_of",
        points=2,
        reference=of_outputs,
        probe=Losses(),
        hints=(
            (unweighted, "the heads' losses are weighted by 0.3."),
            (
                heads_averaged,
                "each head has 0.3: two heads add up to 0.6.",
            ),
            (end_alone, "the heads are not listened to."),
            (
                everything_weighted,
                "the end counts in full; only the heads are weighted.",
            ),
            (end_last, "the end comes first in the tuple."),
            (
                softmax_twice,
                "`F.cross_entropy` takes the scores; it does the softmax "
                "itself.",
            ),
            (
                cut_off,
                "the number is right, but no gradient goes into the heads: "
                "something detaches them.",
            ),
        ),
        otherwise="Compute the loss of each output alone, then add.",
    ),
    Question(
        id="lab-inception.q6",
        title="which way the gradient came",
        name="arriving",
        points=2,
        reference=arriving,
        probe=reached,
        hints=(
            (full_weights, "in training the heads' losses count 0.3."),
            (
                piled_up,
                "`backward` adds to `.grad`: each way's gradient has those "
                "before it in it, and those of earlier calls.",
            ),
            (
                piled_in_call,
                "`backward` adds to `.grad`: empty it before each loss, not "
                "once.",
            ),
            (squared, "the norm is the root of the sum of squares."),
            (
                sizes_added,
                "the norm is the root of the sum of squares, not the sum of "
                "sizes.",
            ),
            (all_together, "one number for each output is asked for."),
        ),
        otherwise="One loss at a time: its gradient, then the norm.",
    ),
    Question(
        id="lab-inception.q7",
        title="where the class was seen",
        name="class_map",
        points=2,
        reference=class_map,
        probe=Calls(pictures),
        hints=(
            (
                map_bias_missing,
                "without the bias the mean of the map is not the score.",
            ),
            (
                bias_dealt_out,
                "the mean over all places divides already: each place gets "
                "the whole bias.",
            ),
            (
                only_for,
                "leave what is negative: it speaks against the class.",
            ),
            (
                all_for_all,
                "each picture gets the map of its own class: index pictures "
                "and classes together.",
            ),
            (
                every_class,
                "of all classes' maps, take the one that `classes` names "
                "for each picture.",
            ),
            (scores, "those are the scores; the map is before the mean."),
        ),
        otherwise="The mean of the map over all places must be the score.",
    ),
)

WRITTEN = (
    Written(
        id="lab-inception.w1",
        title="More layers for less: why, and what for?",
        rubric=(
            (
                1,
                "the reduced branch costs C·r + F²·r·n in place of F²·C·n: "
                "the large window reads r maps, and the added layer has a "
                "window of one pixel",
            ),
            (
                1,
                "a case where it saves little or nothing, with the reason: "
                "r near C, a small window, few maps in",
            ),
            (
                1,
                "only r numbers of each pixel reach the window; what the "
                "neck drops no later layer gets back",
            ),
            (
                1,
                "reads the race with its spread: compares the difference of "
                "means with the deviation over seeds, and claims no more",
            ),
        ),
    ),
)
