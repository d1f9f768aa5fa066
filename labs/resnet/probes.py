"""The questions of the lab on residual networks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.anatomy import trace
from cnnbook.exercises import Calls, Question, Unusable, Written
from cnnbook.nets.cifar_resnet import CifarResNet
from cnnbook.nets.residual import BasicBlock, stage
from cnnbook.probing import Builds, fill, numbers

# Question 1: batch norm in training and in use

Normed = tuple[Tensor, Tensor, Tensor]


def norm_cases(draw: Random) -> Iterator[tuple]:
    """Draw maps, what is learned, what is tracked, and the mode.

    There are few values a channel, so that M and M - 1 differ, and the last
    maps hardly vary, so that epsilon shows.
    """
    for shape, spread, training in (
        ((2, 3, 2, 4), 2.0, True),
        ((5, 2, 3, 1), 1.0, False),
        ((3, 4, 1, 2), 1.0, True),
        ((4, 3, 2, 3), 0.01, True),
    ):
        maps = shape[1]
        x = numbers(draw, *shape) * spread + numbers(draw, maps, 1, 1)
        gamma, beta = 1 + numbers(draw, maps) / 4, numbers(draw, maps)
        mean, variance = numbers(draw, maps), 0.5 + numbers(draw, maps) ** 2
        yield x, gamma, beta, mean, variance, training


def batch_norm(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    mean: Tensor,
    variance: Tensor,
    training: bool,
) -> Normed:
    """What torch's own batch norm gives and tracks."""
    mean, variance = mean.clone(), variance.clone()
    y = F.batch_norm(x, mean, variance, gamma, beta, training, 0.1, 1e-5)
    return y, mean, variance


def normed(
    x,
    gamma,
    beta,
    mean,
    variance,
    training,
    *,
    axes=(0, 2, 3),
    divides=0,
    tracks=1,
    new=0.1,
    epsilon=1e-5,
    outside=0.0,
    mode=None,
):
    """Wrong in the one respect in which it is called."""
    here = x.mean(axes, keepdim=True)
    squares = x.var(axes, keepdim=True, correction=divides)
    flat = x.transpose(0, 1).flatten(1)
    tracked = mean, variance
    if training:
        now = flat.mean(1), flat.var(1, correction=tracks)
        tracked = (
            (1 - new) * mean + new * now[0],
            (1 - new) * variance + new * now[1],
        )
    if not (training if mode is None else mode):
        here, squares = mean[:, None, None], variance[:, None, None]
    y = (x - here) / ((squares + epsilon).sqrt() + outside)
    return y * gamma[:, None, None] + beta[:, None, None], *tracked


def in_use_too(x, gamma, beta, mean, variance, training):
    """Wrong: the averages move in evaluation mode as well."""
    _, *tracked = batch_norm(x, gamma, beta, mean, variance, True)
    return batch_norm(x, gamma, beta, mean, variance, training)[0], *tracked


def without_gamma(x, gamma, beta, mean, variance, training):
    """Wrong: what is learned is left out."""
    plain = torch.ones_like(gamma), torch.zeros_like(beta)
    return batch_norm(x, *plain, mean, variance, training)


unbiased = partial(normed, divides=1)
biased_tracked = partial(normed, tracks=0)
mostly_new = partial(normed, new=0.9)
epsilon_outside = partial(normed, epsilon=0.0, outside=1e-5)
each_image = partial(normed, axes=(2, 3))
always_the_batch = partial(normed, mode=True)
always_tracked = partial(normed, mode=False)


# Question 2: the block


def block_cases(draw: Random) -> Iterator[tuple[tuple, Tensor]]:
    """Draw maps for blocks that keep their shape, and that change it."""
    yield (3, 3, 1, True), numbers(draw, 2, 3, 6, 5)
    yield (3, 8, 2, True), numbers(draw, 2, 3, 7, 8)
    yield (4, 6, 2, False), numbers(draw, 3, 4, 8, 5)
    yield (5, 5, 1, False), numbers(draw, 2, 5, 4, 6)


def option(residual: bool) -> str:
    """What the library calls it."""
    return "A" if residual else "none"


def block(
    in_channels: int, out_channels: int, stride: int, residual: bool = True
) -> nn.Module:
    """The library's block."""
    return BasicBlock(in_channels, out_channels, stride, option(residual))


class OtherBlock(nn.Module):
    """Wrong in the one respect in which it is called."""

    def __init__(
        self,
        in_channels,
        out_channels,
        stride,
        residual=True,
        *,
        order="sum, relu",
        late=False,
        bias=False,
        norm=nn.BatchNorm2d,
        front=0.0,
        pick="every second",
    ):
        super().__init__()
        first, second = (1, stride) if late else (stride, 1)
        self.first = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, first, 1, bias=bias),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, second, 1, bias=bias),
            norm(out_channels),
        )
        self.residual, self.stride, self.pick = residual, stride, pick
        extra = out_channels - in_channels
        self.extra = (
            math.floor(front * extra),
            math.ceil((1 - front) * extra),
        )
        self.order = order

    def round_it(self, x):
        """What goes round the two layers."""
        if self.pick == "mean" and self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        x = (
            x[:, :, :: self.stride, :: self.stride]
            if (self.pick == "every second")
            else x
        )
        return F.pad(x, (0, 0, 0, 0, *self.extra))

    def forward(self, x):
        """The sum and the ReLU, in some order."""
        y = self.first(x)
        if not self.residual:
            return F.relu(y)
        if self.order == "relu, sum":
            return F.relu(y) + self.round_it(x)
        if self.order == "relu, sum, relu":
            return F.relu(F.relu(y) + self.round_it(x))
        if self.order == "sum":
            return y + self.round_it(x)
        return F.relu(y + self.round_it(x))


def always_residual(in_channels, out_channels, stride, residual=True):
    """Wrong: there is no plain twin."""
    return block(in_channels, out_channels, stride, True)


def never_residual(in_channels, out_channels, stride, residual=True):
    """Wrong: the shortcut is forgotten."""
    return block(in_channels, out_channels, stride, False)


def projected(in_channels, out_channels, stride, residual=True):
    """Wrong: option B, with weights of its own."""
    kind = "B" if residual else "none"
    return BasicBlock(in_channels, out_channels, stride, kind)


relu_first = partial(OtherBlock, order="relu, sum")
relu_twice = partial(OtherBlock, order="relu, sum, relu")
no_relu = partial(OtherBlock, order="sum")
late_stride = partial(OtherBlock, late=True)
with_bias = partial(OtherBlock, bias=True)
one_norm = partial(OtherBlock, norm=nn.Identity)
zeros_in_front = partial(OtherBlock, front=1.0)
zeros_around = partial(OtherBlock, front=0.5)
pooled = partial(OtherBlock, pick="mean")


# Question 3: the network


def net_cases(draw: Random) -> Iterator[tuple[tuple, Tensor]]:
    """Draw images for narrow networks of several depths."""
    yield (8, True, 3), numbers(draw, 2, 3, 16, 12)
    yield (14, False, 4), numbers(draw, 3, 3, 12, 20)
    yield (20, True, 2), numbers(draw, 2, 3, 8, 12)


def net(depth: int, residual: bool = True, width: int = 16) -> CifarResNet:
    """The library's network."""
    return CifarResNet(depth, option=option(residual), width=width)


Change = Callable[[CifarResNet, int, bool, int], Any]


def changed(change: Change) -> Callable[..., nn.Module]:
    """Make a wrong network out of the right one."""

    def wrong(depth: int, residual: bool = True, width: int = 16):
        made = net(depth, residual, width)
        return change(made, depth, residual, width) or made

    return wrong


def strided(made, depth, residual, width):
    """Wrong: the first stage halves the maps too."""
    kind = partial(BasicBlock, option=option(residual))
    made.stage1 = stage(kind, width, width, (depth - 2) // 6, 2)


class Forward(CifarResNet):
    """The right layers; a way through them that can be changed."""

    relu = staticmethod(F.relu)
    pool = staticmethod(partial(torch.mean, dim=(2, 3)))

    def forward(self, x):
        """As it should be, but for the two functions above."""
        x = self.relu(self.norm(self.conv1(x)))
        x = self.stage3(self.stage2(self.stage1(x)))
        return self.fc(self.pool(x))


class NoRelu(Forward):
    """Wrong: nothing between the first norm and the first block."""

    relu = staticmethod(torch.clone)


class MaxPool(Forward):
    """Wrong: the largest value of each map, where its mean is asked for."""

    pool = staticmethod(partial(torch.amax, dim=(2, 3)))


def of_class(kind: type[CifarResNet]) -> Callable[..., nn.Module]:
    """Make networks of another class."""
    return lambda depth, residual=True, width=16: kind(
        depth, option=option(residual), width=width
    )


halved_at_once = changed(strided)
no_first_norm = changed(lambda made, *_: setattr(made, "norm", nn.Identity()))
with_softmax = changed(lambda made, *_: nn.Sequential(made, nn.Softmax(1)))
no_first_relu = of_class(NoRelu)
largest_value = of_class(MaxPool)
too_many_blocks = changed(
    lambda made, depth, residual, width: net(2 * depth - 2, residual, width)
)
all_residual = changed(
    lambda made, depth, residual, width: net(depth, True, width)
)
option_b = changed(
    lambda made, depth, residual, width: CifarResNet(
        depth, option="B" if residual else "none", width=width
    )
)
width_ignored = changed(
    lambda made, depth, residual, width: net(depth, residual)
)


# Question 4: how steep the loss is in each convolution


def steep_cases(draw: Random) -> Iterator[tuple[CifarResNet, Tensor, Tensor]]:
    """Draw filled networks in training mode, with gradients left in them."""
    for depth, residual, width, count in ((8, True, 3, 5), (14, False, 2, 3)):
        with torch.random.fork_rng():
            made = net(depth, residual, width).double()
        made = fill(made, draw.getrandbits(32)).train()
        for weights in made.parameters():
            weights.grad = torch.full_like(weights, draw.uniform(0.5, 1))
        labels = torch.tensor([draw.randrange(10) for _ in range(count)])
        yield made, numbers(draw, count, 3, 8, 12).double(), labels


def steep(answer: Any, draw: Random) -> list[Any]:
    """What the answer says of each network."""
    if not callable(answer):
        raise Unusable("a function is wanted here: give steepness itself")
    return [answer(*case) for case in steep_cases(draw)]


def steepness(
    made: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    kinds: Any = nn.Conv2d,
    reduction: str = "mean",
) -> Tensor:
    """The length of the weights times that of their gradient."""
    weights = [m.weight for m in made.modules() if isinstance(m, kinds)]
    loss = F.cross_entropy(made(images), labels, reduction=reduction)
    slopes = torch.autograd.grad(loss, weights)
    return torch.stack(
        [w.norm() * g.norm() for w, g in zip(weights, slopes, strict=True)]
    )


def left_over(made, images, labels):
    """Wrong: backward adds to the gradients of before."""
    F.cross_entropy(made(images), labels).backward()
    convolutions = [m for m in made.modules() if isinstance(m, nn.Conv2d)]
    return torch.stack(
        [c.weight.norm() * c.weight.grad.norm() for c in convolutions]
    )


def without_weights(made, images, labels):
    """Wrong: the gradient alone."""
    lengths = [
        m.weight.norm() for m in made.modules() if isinstance(m, nn.Conv2d)
    ]
    return steepness(made, images, labels) / torch.stack(lengths)


def in_evaluation(made, images, labels):
    """Wrong: batch norm uses what it tracked."""
    return steepness(made.eval(), images, labels)


def backwards(made, images, labels):
    """Wrong: the last convolution stands first."""
    return steepness(made, images, labels).flip(0)


def squared(made, images, labels):
    """Wrong: the squares of the lengths."""
    return steepness(made, images, labels) ** 2


summed = partial(steepness, reduction="sum")
dense_too = partial(steepness, kinds=nn.Conv2d | nn.Linear)
every_layer = partial(steepness, kinds=nn.Conv2d | nn.Linear | nn.BatchNorm2d)


# Question 5: a plain layer that does nothing


def passes(answer: Any, draw: Random) -> list[Tensor]:
    """What layers give in evaluation mode, once the answer has set them.

    The weights are read and used, whatever became of the modules.
    """
    if not callable(answer):
        raise Unusable("a function is wanted here: give identity itself")
    results = []
    for maps, epsilon in ((2, 0.01), (5, 0.1)):
        with torch.random.fork_rng():
            conv = nn.Conv2d(maps, maps, 3, padding=1, bias=False).double()
        norm = nn.BatchNorm2d(maps, eps=epsilon).double().eval()
        conv.weight.data = numbers(draw, maps, maps, 3, 3).double()
        norm.weight.data = numbers(draw, maps).double()
        norm.bias.data = numbers(draw, maps).double()
        norm.running_mean.copy_(numbers(draw, maps))
        norm.running_var.copy_(0.3 + numbers(draw, maps) ** 2)
        x = numbers(draw, 2, maps, 4, 5).double()
        answer(conv, norm)
        with torch.no_grad():
            y = F.conv2d(x, conv.weight, padding=1)
            y = F.batch_norm(
                y,
                norm.running_mean,
                norm.running_var,
                norm.weight,
                norm.bias,
                eps=epsilon,
            )
        results.append(y)
    return results


@torch.no_grad()
def identity(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """A 1 in the middle of each own kernel; a norm that undoes itself."""
    conv.weight.zero_()
    for channel in range(len(conv.weight)):
        conv.weight[channel, channel, 1, 1] = 1
    norm.weight.copy_((norm.running_var + norm.eps).sqrt())
    norm.bias.copy_(norm.running_mean)


def untouched(conv, norm):
    """Wrong: nothing is set; perhaps something is returned."""


@torch.no_grad()
def kernel_alone(conv, norm):
    """Wrong: the norm is left as it is."""
    nn.init.dirac_(conv.weight)


@torch.no_grad()
def as_if_new(conv, norm):
    """Wrong: a new norm still divides by the root of 1 + epsilon."""
    nn.init.dirac_(conv.weight)
    norm.reset_parameters()


@torch.no_grad()
def without_epsilon(conv, norm):
    """Wrong: the scale without epsilon."""
    identity(conv, norm)
    norm.weight.copy_(norm.running_var.sqrt())


@torch.no_grad()
def new_norm_parameters(conv, norm):
    """Wrong: gamma 1 and beta 0, but the averages stay."""
    nn.init.dirac_(conv.weight)
    norm.weight.fill_(1)
    norm.bias.zero_()


@torch.no_grad()
def by_variance(conv, norm):
    """Wrong: the variance for its root."""
    identity(conv, norm)
    norm.weight.copy_(norm.running_var + norm.eps)


@torch.no_grad()
def all_mixed(conv, norm):
    """Wrong: a 1 in the middle of every kernel."""
    identity(conv, norm)
    conv.weight[:, :, 1, 1] = 1


@torch.no_grad()
def shifted(conv, norm):
    """Wrong: the 1 stands in the corner."""
    identity(conv, norm)
    conv.weight.copy_(conv.weight.roll((-1, -1), (2, 3)))


@torch.no_grad()
def all_zero(conv, norm):
    """Wrong: zeros everywhere."""
    conv.weight.zero_()
    norm.weight.zero_()
    norm.bias.zero_()


# Question 6: what it costs


def nets(draw: Random) -> Iterator[tuple[int, int, int]]:
    """Draw a depth, a width and a side for five networks."""
    for depth in (8, 14, 20, 26, 32):
        yield depth, draw.randint(3, 20), 4 * draw.randint(3, 12)


@cache
def macs(depth: int, width: int, side: int) -> int:
    """What the library counts on the network itself."""
    with torch.device("meta"):
        made = net(depth, True, width).eval()
    return trace(made, (3, side, side)).total_macs


def layer(width: int, side: int) -> int:
    """What a convolution that keeps its shape costs, in any stage."""
    return 9 * (width * side) ** 2


def all_full(depth, width, side):
    """Wrong: the first layer of a stage reads half as many maps."""
    return macs(depth, width, side) + layer(width, side)


def no_dense(depth, width, side):
    """Wrong: the dense layer is forgotten."""
    return macs(depth, width, side) - 40 * width


def no_first(depth, width, side):
    """Wrong: the first convolution is forgotten."""
    return macs(depth, width, side) - 27 * width * side**2


def doubled(depth, width, side):
    """Wrong: operations, two for each multiply-add."""
    return 2 * macs(depth, width, side)


def projections_too(depth, width, side):
    """Wrong: with option B."""
    return macs(depth, width, side) + layer(width, side) // 9


def always_large(depth, width, side):
    """Wrong: every stage at full size."""
    first, dense = 27 * width * side**2, 40 * width
    rest = macs(depth, width, side) - first - dense
    half = layer(width, side) // 2
    each = (rest + 2 * half) // 3
    return first + dense + each + 4 * (each - half) + 16 * (each - half)


def half_the_blocks(depth, width, side):
    """Wrong: one convolution a block."""
    rest = (depth - 2) // 2 * layer(width, side) - layer(width, side)
    return 27 * width * side**2 + 40 * width + rest


# Question 7: what three seeds say

TIMES = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""Student's t, 95 %, for so many seeds."""


def seeds(draw: Random) -> Iterator[tuple[list[float]]]:
    """Draw accuracies of two to five seeds."""
    for count in TIMES:
        yield ([round(draw.uniform(88, 93), 2) for _ in range(count)],)


def interval(accuracies: Sequence[float]) -> tuple[float, float, float]:
    """Mean, standard deviation, and half of the 95 % interval."""
    return spread(accuracies)


def spread(
    accuracies,
    *,
    deviation=statistics.stdev,
    times=TIMES.__getitem__,
    power=0.5,
):
    """Wrong in the one respect in which it is called."""
    count, std = len(accuracies), deviation(accuracies)
    half = times(count) * std / count**power
    return statistics.fmean(accuracies), std, half


population = partial(spread, deviation=statistics.pstdev)
by_count = partial(spread, power=1)
of_one = partial(spread, power=0)
normal = partial(spread, times=lambda count: 1.96)


QUESTIONS = (
    Question(
        id="lab-resnet.q1",
        title="batch norm, in training and in use",
        name="batch_norm",
        points=3,
        reference=batch_norm,
        probe=Calls(norm_cases),
        hints=(
            (
                unbiased,
                "divide by M for the values of the batch; torch divides by "
                "M - 1 only in what it tracks.",
            ),
            (
                biased_tracked,
                "y is right; the variance that is *tracked* divides by "
                "M - 1, since it stands for images not seen.",
            ),
            (
                mostly_new,
                "the averages move a little each time: 0.9 of the old, 0.1 "
                "of the new.",
            ),
            (epsilon_outside, "epsilon stands under the root, not behind it."),
            (
                each_image,
                "one mean a channel for the whole batch: over images, rows "
                "and columns.",
            ),
            (
                always_the_batch,
                "in use (training=False) the tracked mean and variance take "
                "the batch's place.",
            ),
            (
                always_tracked,
                "while training, the batch's own mean and variance count; "
                "the tracked ones are for later.",
            ),
            (
                in_use_too,
                "in use nothing moves: give the averages back as they came.",
            ),
            (without_gamma, "then comes what is learned: times γ, plus β."),
        ),
        otherwise="Compare with nn.BatchNorm2d on a small batch.",
    ),
    Question(
        id="lab-resnet.q2",
        title="the block and its plain twin",
        name="Block",
        points=3,
        reference=block,
        probe=Builds(block_cases),
        hints=(
            (
                relu_first,
                "the sum comes before the last ReLU; as it is, values can "
                "only grow from block to block.",
            ),
            (
                relu_twice,
                "no ReLU between the second norm and the sum: a block must "
                "be able to take something away.",
            ),
            (no_relu, "after the sum comes a ReLU."),
            (late_stride, "the first convolution takes the stride."),
            (
                with_bias,
                "batch norm takes a bias away again: bias=False in both "
                "convolutions.",
            ),
            (one_norm, "a norm stands behind each of the two convolutions."),
            (
                zeros_in_front,
                "the old channels keep their places, the zeros come behind "
                "them.",
            ),
            (
                zeros_around,
                "all zeros behind the old channels, none in front; other "
                "code does that, and weights do not fit both.",
            ),
            (
                pooled,
                "every second pixel as it is, `x[:, :, ::2, ::2]`: no mean.",
            ),
            (
                always_residual,
                "with residual=False there is no shortcut.",
            ),
            (never_residual, "with residual=True the input is added."),
            (
                projected,
                "this is option B: option A's shortcut has no weights.",
            ),
        ),
        otherwise="Print the shape of each of the two terms of the sum.",
    ),
    Question(
        id="lab-resnet.q3",
        title="the network of depth 6n + 2",
        name="cifar_net",
        points=3,
        reference=net,
        probe=Builds(net_cases),
        hints=(
            (
                halved_at_once,
                "the first stage keeps the size; only the first blocks of "
                "the second and the third have stride 2.",
            ),
            (
                too_many_blocks,
                "a block has two convolutions: three stages of n blocks "
                "make 6n layers.",
            ),
            (no_first_norm, "a norm stands behind the first convolution too."),
            (
                no_first_relu,
                "a ReLU stands between the first norm and the first block.",
            ),
            (
                largest_value,
                "at the end stands the mean of each map, not its largest "
                "value.",
            ),
            (
                with_softmax,
                "no softmax: the cross-entropy brings its own.",
            ),
            (
                all_residual,
                "hand `residual` on to every block.",
            ),
            (option_b, "this is option B: option A has no projections."),
            (
                width_ignored,
                "the stages have width, 2 and 4 times width maps.",
            ),
        ),
        otherwise="It is built of your Block: is question 2 right?",
    ),
    Question(
        id="lab-resnet.q4",
        title="how steep the loss is in each layer",
        name="steepness",
        points=2,
        reference=steepness,
        probe=steep,
        hints=(
            (
                left_over,
                "`backward` adds to the gradients that are there already: "
                "net.zero_grad() first.",
            ),
            (summed, "the loss is the mean over the batch, not the sum."),
            (
                without_weights,
                "multiply each gradient's length by that of its weights.",
            ),
            (
                dense_too,
                "only the convolutions: the dense layer stays out.",
            ),
            (
                every_layer,
                "only the convolutions: norms and the dense layer stay out.",
            ),
            (
                in_evaluation,
                "leave the net in the mode in which it comes: what counts is "
                "what a training step would see.",
            ),
            (squared, "the lengths, not their squares: take the root."),
            (
                backwards,
                "the convolutions in their order, the first one first.",
            ),
        ),
        otherwise="Begin with a net of one convolution and nothing else.",
    ),
    Question(
        id="lab-resnet.q5",
        title="a plain layer that does nothing",
        name="identity",
        points=2,
        reference=identity,
        probe=passes,
        hints=(
            (
                untouched,
                "nothing has changed: set the values in place, with copy_, "
                "zero_ or fill_; what you return is not looked at.",
            ),
            (
                kernel_alone,
                "the kernel is right; now let the norm undo what it does.",
            ),
            (
                as_if_new,
                "nearly: even a new norm divides by the root of 1 + epsilon.",
            ),
            (
                without_epsilon,
                "nearly: the norm divides by the root of variance *plus* "
                "epsilon.",
            ),
            (
                new_norm_parameters,
                "γ = 1 and β = 0 undo nothing: in use the norm subtracts "
                "the tracked mean and divides by the tracked spread.",
            ),
            (by_variance, "the norm divides by a root: γ is one, too."),
            (
                all_mixed,
                "this adds up all maps: each map needs a 1 for itself alone, "
                "and zeros for the others.",
            ),
            (shifted, "the 1 belongs in the middle, else the map moves."),
            (
                all_zero,
                "zeros give zeros. With a shortcut they would do; here is "
                "none.",
            ),
        ),
        otherwise="Look at conv alone first, then at the norm.",
    ),
    Question(
        id="lab-resnet.q6",
        title="multiply-adds of one picture",
        name="macs",
        points=2,
        reference=macs,
        probe=Calls(nets),
        hints=(
            (
                all_full,
                "the first convolution of the second and of the third stage "
                "reads half as many maps.",
            ),
            (no_dense, "the dense layer multiplies too."),
            (no_first, "the first convolution, on three channels, counts."),
            (
                doubled,
                "multiply-adds, not operations: leave out the factor 2.",
            ),
            (
                projections_too,
                "option A's shortcut multiplies nothing: no projections.",
            ),
            (
                always_large,
                "the maps of the second stage have half the side, those of "
                "the third a quarter.",
            ),
            (half_the_blocks, "a block has two convolutions."),
        ),
        otherwise="Hold it against anatomy.trace on a small net.",
    ),
    Question(
        id="lab-resnet.q7",
        title="what so many seeds say",
        name="interval",
        points=1,
        reference=interval,
        probe=Calls(seeds),
        hints=(
            (
                population,
                "the seeds are a sample: divide by one less than their "
                "number.",
            ),
            (by_count, "divide by the root of the number of seeds."),
            (
                of_one,
                "that is for one more seed; the mean of several is known "
                "better, by the root of their number.",
            ),
            (
                normal,
                "1.96 is for many seeds; for so few it is T[number].",
            ),
        ),
        otherwise="Mean, deviation, part behind the ±: one by one.",
    ),
)

WRITTEN = (
    Written(
        id="lab-resnet.w1",
        title="Is it overfitting?",
        rubric=(
            (
                1,
                "overfitting is a low training error with a higher test "
                "error; the gap would have to grow with depth",
            ),
            (
                1,
                "the student's own curves: the deep plain net is worse on "
                "its training pictures than the shallow one, with figures",
            ),
            (
                1,
                "not a lack of ability either: the deepened net exists and "
                "does as well, so training does not find it; and the "
                "gradients have not vanished",
            ),
            (
                1,
                "the shortcut changes where training begins and how the "
                "gradient passes, as the identity lies at zero weights; it "
                "changes neither parameters nor multiply-adds, and is no "
                "cure for overfitting",
            ),
        ),
    ),
)
