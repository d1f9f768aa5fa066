"""The questions of the lab on seeing what a network sees."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnbook.exercises import Calls, Question, Unusable, Written
from cnnbook.geometry import Layer, output_size, receptive_field
from cnnbook.probing import fill, numbers

RULES = ("guided", "gradient", "deconvnet")
"""The three ways back through a ReLU."""


# Question 1: max pooling, and where the maxima stood

# Maps, the window's side and its stride; overlapping, touching, with gaps.
POOLS = (
    ((1, 1, 5, 7), 2, 2),
    ((2, 3, 9, 7), 3, 2),
    ((3, 2, 8, 11), 3, 1),
    ((2, 2, 10, 7), 2, 3),
)


def pools(draw: Random) -> Iterator[tuple[Tensor, int, int]]:
    """Draw maps; every second one has many equal numbers, as after a ReLU."""
    for number, (shape, size, stride) in enumerate(POOLS):
        x = numbers(draw, *shape)
        yield x.round().relu() if number % 2 else x, size, stride


def pool(x: Tensor, size: int, stride: int) -> tuple[Tensor, Tensor]:
    """What torch finds, places included."""
    return F.max_pool2d(x, size, stride, return_indices=True)


@dataclass(frozen=True)
class Pools(Calls):
    """The probe for pooling: two tensors a call, the second to index with."""

    def __call__(self, answer: Any, draw: Random) -> list:
        """Call the answer; refuse places that cannot be used as places."""
        results = super().__call__(answer, draw)
        for found in results:
            if found is None:
                continue
            if not (
                isinstance(found, tuple | list)
                and len(found) == 2
                and all(isinstance(part, Tensor) for part in found)
            ):
                raise Unusable(
                    "return two tensors: the values, and the places"
                )
            if found[1].dtype != torch.int64:
                raise Unusable(
                    f"the places are of {found[1].dtype}, and torch finds "
                    "things only by torch.int64; `.long()` makes them that"
                )
        return results


def inside_the_window(x, size, stride):
    """Wrong: the place is counted in the window."""
    values, places = pool(x, size, stride)
    rows, columns = values.shape[2:]
    top = stride * torch.arange(rows)[:, None]
    left = stride * torch.arange(columns)
    row, column = places // x.shape[3] - top, places % x.shape[3] - left
    return values, row * size + column


def by_columns(x, size, stride):
    """Wrong: the place is counted down the columns."""
    values, places = pool(x, size, stride)
    row, column = places // x.shape[3], places % x.shape[3]
    return values, column * x.shape[2] + row


def small_width(x, size, stride):
    """Wrong: rows are as long as those of the map that comes out."""
    values, places = pool(x, size, stride)
    row, column = places // x.shape[3], places % x.shape[3]
    return values, row * values.shape[3] + column


def last_of_equals(x, size, stride):
    """Wrong: of equal numbers the last."""
    windows = x.unfold(2, size, stride).unfold(3, size, stride).flatten(4)
    inside = windows.shape[4] - 1 - windows.flip(4).argmax(4)
    rows, columns = windows.shape[2:4]
    row = stride * torch.arange(rows)[:, None] + inside // size
    column = stride * torch.arange(columns) + inside % size
    return windows.amax(4), row * x.shape[3] + column


def touching(x, size, stride):
    """Wrong: the window moves by its own side."""
    return pool(x, size, size)


# Question 2: back to where the maxima stood


def unpools(draw: Random) -> Iterator[tuple[Tensor, Tensor, torch.Size]]:
    """Draw signals and true switches."""
    for x, size, stride in pools(draw):
        values, places = pool(x, size, stride)
        yield numbers(draw, *values.shape), places, x.shape


def unpool(signal: Tensor, places: Tensor, shape: torch.Size) -> Tensor:
    """Map by map, number by number."""
    height, width = shape[2:]
    back = []
    for numbers_of, places_of in zip(
        signal.flatten(0, 1), places.flatten(0, 1), strict=True
    ):
        flat = signal.new_zeros(height * width)
        flat.index_add_(0, places_of.flatten(), numbers_of.flatten())
        back.append(flat)
    return torch.stack(back).view(shape)


def overwritten(signal, places, shape):
    """Wrong: of two numbers at one place the last stays."""
    flat = signal.new_zeros(shape).flatten(2)
    for i in range(places.flatten(2).shape[2]):
        place = places.flatten(2)[:, :, i : i + 1]
        flat.scatter_(2, place, signal.flatten(2)[:, :, i : i + 1])
    return flat.view(shape)


def enlarged(signal, places, shape):
    """Wrong: the signal is stretched, and the switches are not used."""
    return F.interpolate(signal, tuple(shape[2:]))


def in_one_map(signal, places, shape):
    """Wrong: all maps send to the first one."""
    flat = signal.new_zeros(shape).flatten()
    flat.index_add_(0, places.flatten(), signal.flatten())
    return flat.view(shape)


def across(signal, places, shape):
    """Wrong: rows and columns are mixed up."""
    n, c, height, width = shape
    back = unpool(
        signal,
        (places % width) * height + places // width,
        torch.Size((n, c, width, height)),
    )
    return back.reshape(shape)


# Question 3: a ReLU with three ways back


@dataclass(frozen=True)
class SendsBack:
    """The probe for a function that autograd follows: up, then down."""

    def __call__(self, answer: Any, draw: Random) -> list[dict[str, Any]]:
        """Return, for each rule, what comes out and what is sent back."""
        if not callable(answer):
            raise Unusable("a function is wanted here: give it without call")
        return [self._of(answer, draw, rule) for rule in RULES * 2]

    def _of(self, answer: Callable, draw: Random, rule: str) -> dict[str, Any]:
        shape = draw.randint(2, 3), draw.randint(2, 4), 5, 7
        z = (2 * numbers(draw, *shape)).round().requires_grad_()
        signal = (2 * numbers(draw, *shape)).round()
        y = answer(z.clone(), rule)
        if not isinstance(y, Tensor) or y.shape != z.shape:
            raise Unusable(
                f"with the rule {rule!r} it returned no tensor of the shape "
                "of z"
            )
        if not y.requires_grad:
            raise Unusable(
                f"with the rule {rule!r}, autograd cannot follow what it "
                "returns: nothing leads back to z"
            )
        (sent,) = torch.autograd.grad(y, z, signal, allow_unused=True)
        return {"rule": rule, "up": y, "down": sent}


class Rectified(torch.autograd.Function):
    """A ReLU whose way back is a function of signal, input and rule."""

    @staticmethod
    def forward(context, z, rule, back):
        """Rectify."""
        context.save_for_backward(z)
        context.rule, context.back = rule, back
        return z.clamp(min=0)

    @staticmethod
    def backward(context, signal):
        """Ask `back`."""
        (z,) = context.saved_tensors
        return context.back(signal, z, context.rule), None, None


def by(back: Callable[[Tensor, Tensor, str], Tensor]) -> Callable:
    """Make a ReLU that goes back in this way."""

    def relu(z, rule):
        return Rectified.apply(z, rule, back)

    return relu


def send(signal: Tensor, z: Tensor, rule: str) -> Tensor:
    """The table of the lab, as two masks."""
    fired, more = (z > 0).to(signal), (signal > 0).to(signal)
    masks = {"gradient": fired, "deconvnet": more, "guided": fired * more}
    return signal * masks[rule]


relu = by(send)
zero_fires = by(lambda g, z, rule: send(g, z + (z == 0), rule))
always_gradient = by(lambda g, z, rule: send(g, z, "gradient"))
remembers = by(
    lambda g, z, rule: send(g, z, rule.replace("deconvnet", "guided"))
)
guided_forgets = by(
    lambda g, z, rule: send(g, z, rule.replace("guided", "deconvnet"))
)
everything_passes = by(
    lambda g, z, rule: g if rule == "deconvnet" else send(g, z, "gradient")
)
without_sign = by(
    lambda g, z, rule: (
        g.abs() * (z > 0 if rule == "guided" else 1)
        if rule != "gradient"
        else send(g, z, rule)
    )
)


def linear_on_the_way_up(z, rule):
    """Wrong: the deconvnet's ReLU lets everything up."""
    if rule != "deconvnet":
        return relu(z, rule)
    y = z + 0
    y.register_hook(F.relu)
    return y


# Question 4: what the strongest unit saw


class Stack(nn.Sequential):
    """A network that is shown by its name."""

    def __repr__(self) -> str:
        """Return what messages call it."""
        return f"a network of {len(self)} layers"


def stacks(draw: Random) -> Iterator[tuple[Stack, Tensor, int, str]]:
    """Draw networks and pictures; each meets all three rules."""
    for make, shape, channels in (
        (_maps, (3, 2, 13, 11), 5),
        (_strided, (2, 3, 12, 15), 4),
        (_classes, (4, 1, 8, 10), 6),
    ):
        net = fill(make(channels).double(), draw.getrandbits(32)).eval()
        pictures = numbers(draw, *shape).double()
        with torch.no_grad():
            answers = net(pictures).view(len(pictures), channels, -1)
        channel = int(answers.amax(2).amin(0).argmax())  # one that all move
        for rule in RULES:
            yield net, pictures, channel, rule


def _maps(channels: int) -> Stack:
    return Stack(
        nn.Conv2d(2, 7, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(7, 6, (3, 2), bias=False),
        nn.ReLU(),
        nn.Conv2d(6, channels, 3, padding=1, bias=False),
        nn.ReLU(),
    )


def _strided(channels: int) -> Stack:
    return Stack(
        nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(6, channels, 3, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


def _classes(channels: int) -> Stack:
    return Stack(
        nn.Conv2d(1, 5, 3, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(5 * 3 * 4, 8, bias=False),
        nn.ReLU(),
        nn.Linear(8, channels, bias=False),
    )


@torch.no_grad()
def climb(net: Stack, x: Tensor) -> tuple[Tensor, list]:
    """Go up, and keep the input of each layer."""
    kept = []
    for layer in net:
        kept.append((layer, x))
        x = layer(x)
    return x, kept


@torch.no_grad()
def descend(kept: list, signal: Tensor, rule: str) -> Tensor:
    """Go down without autograd, as the paper does: layer by layer."""
    for layer, x in reversed(kept):
        if isinstance(layer, nn.ReLU):
            signal = send(signal, x, rule)
        elif isinstance(layer, nn.Conv2d):
            signal = torch.nn.grad.conv2d_input(
                x.shape, layer.weight, signal, layer.stride, layer.padding
            )
        elif isinstance(layer, nn.MaxPool2d):
            _, places = pool(x, layer.kernel_size, layer.stride)
            signal = unpool(signal, places, x.shape)
        elif isinstance(layer, nn.Linear):
            signal = signal @ layer.weight
        else:
            signal = signal.view(x.shape)
    return signal


def look(net: Stack, pictures: Tensor, channel: int, rule: str) -> Tensor:
    """A 1 at the strongest unit of each picture, sent down by hand."""
    maps, kept = climb(net, pictures)
    units = maps[:, channel].reshape(len(maps), -1)
    one = F.one_hot(units.argmax(1), units.shape[1]).to(units)
    signal = torch.zeros_like(maps)
    signal[:, channel] = one.view(maps[:, channel].shape)
    return descend(kept, signal, rule)


def sent(make: Callable[[Tensor, int], Tensor]) -> Callable:
    """Make a wrong answer out of another signal."""

    def wrong(net, pictures, channel, rule):
        maps, kept = climb(net, pictures)
        return descend(kept, make(maps, channel), rule)

    return wrong


def _whole_map(maps: Tensor, channel: int) -> Tensor:
    signal = torch.zeros_like(maps)
    signal[:, channel] = 1
    return signal


def _strongest_of_all(maps: Tensor, channel: int) -> Tensor:
    units = maps.flatten(1)
    one = F.one_hot(units.argmax(1), units.shape[1])
    return one.to(maps).view(maps.shape)


def _one_picture(maps: Tensor, channel: int) -> Tensor:
    units = maps[:, channel]
    signal = torch.zeros_like(maps)
    signal[:, channel] = (units == units.max()).to(maps)
    return signal


def _answer_itself(maps: Tensor, channel: int) -> Tensor:
    units = maps[:, channel].reshape(len(maps), -1)
    values = units.amax(1, keepdim=True)
    signal = torch.zeros_like(maps)
    only = values * (units == values)
    signal[:, channel] = only.view(maps[:, channel].shape)
    return signal


whole_map = sent(_whole_map)
strongest_of_all = sent(_strongest_of_all)
one_picture = sent(_one_picture)
answer_itself = sent(_answer_itself)


def rule_ignored(net, pictures, channel, rule):
    """Wrong: the chain rule, whatever is asked for."""
    return look(net, pictures, channel, "gradient")


def times_picture(net, pictures, channel, rule):
    """Wrong: what arrives, times the pixels."""
    return pictures * look(net, pictures, channel, rule)


def adds_up(net, pictures, channel, rule):
    """Wrong: what earlier calls left in `pictures.grad` stays in it."""
    pictures.kept = getattr(pictures, "kept", 0) + look(
        net, pictures, channel, rule
    )
    return pictures.kept


def leaves_hooks(net, pictures, channel, rule):
    """Wrong: the hooks of an earlier call work on in the next one."""
    if rule == "guided":
        net.hooked = True
    if rule == "gradient" and getattr(net, "hooked", False):
        rule = "guided"
    return look(net, pictures, channel, rule)


# Question 5: what a unit can see


def chains(draw: Random) -> Iterator[tuple[list, int, int]]:
    """Draw chains of one to six layers, and a unit."""
    for length in range(1, 7):
        layers = [
            (draw.randint(1, 7), draw.randint(1, 3), draw.randint(0, 3))
            for _ in range(length)
        ]
        row, column = draw.sample(range(9), 2)
        yield layers, row, column


def window(layers: list, row: int, column: int) -> tuple[int, int, int]:
    """By the library's receptive fields, which go up."""
    field = receptive_field(Layer(*layer) for layer in layers)
    first = field.start - field.size / 2
    return (
        round(first + row * field.jump),
        round(first + column * field.jump),
        field.size,
    )


def without_padding(layers, row, column):
    """Wrong: the border of zeros is forgotten."""
    return window([(k, s, 0) for k, s, _ in layers], row, column)


def from_the_picture(layers, row, column):
    """Wrong: the first layer is undone first."""
    return window(list(layers)[::-1], row, column)


def last_stride(layers, row, column):
    """Wrong: a step of the unit is a step of its own layer."""
    top, left, side = window(layers, 0, 0)
    return top + row * layers[-1][1], left + column * layers[-1][1], side


def centre(layers, row, column):
    """Wrong: the middle of the square, not its first pixel."""
    top, left, side = window(layers, row, column)
    return top + side // 2, left + side // 2, side


def clipped(layers, row, column):
    """Wrong: it is cut off at the border."""
    top, left, side = window(layers, row, column)
    return max(top, 0), max(left, 0), side


def side_times_stride(layers, row, column):
    """Wrong: the side is multiplied by strides, not its gaps."""
    side = 1
    for kernel, stride, _ in reversed(layers):
        side = side * stride + kernel - 1
    return *window(layers, row, column)[:2], side


# Question 6: cover and see


class Score:
    """A score that depends on every pixel, and not only by a sum."""

    def __init__(self, weights: Tensor, bends: Tensor) -> None:
        self.weights, self.bends = weights, bends

    def __repr__(self) -> str:
        """Return what messages call it."""
        return "a score"

    def __call__(self, pictures: Tensor) -> Tensor:
        """One number for each of the pictures (n, C, H, W)."""
        if pictures.dim() != 4:
            raise ValueError(
                "score takes pictures (n, C, H, W), not the shape "
                f"{tuple(pictures.shape)}"
            )
        pictures = pictures.to(self.weights)
        both = self.weights * pictures + self.bends * pictures.square()
        return both.sum((1, 2, 3))


COVERS = (
    ((1, 6, 5), 2, 1, 0.0),
    ((3, 9, 11), 4, 2, 0.5),
    ((2, 10, 8), 3, 3, -1.25),
    ((3, 8, 13), 5, 2, 0.25),
)


def covers(draw: Random) -> Iterator[tuple[Score, Tensor, int, int, float]]:
    """Draw scores and pictures."""
    for shape, side, stride, value in COVERS:
        score = Score(numbers(draw, *shape), numbers(draw, *shape))
        yield score, numbers(draw, *shape), side, stride, value


@dataclass(frozen=True)
class Covers(Calls):
    """The probe for occlusion: the scores, and the picture afterwards."""

    def __call__(self, answer: Any, draw: Random) -> list[dict[str, Any]]:
        """Call the answer, and look at the picture that it was given."""
        inputs = list(self.inputs(draw))
        scores = Calls(lambda _: inputs)(answer, draw)
        return [
            {"scores": found, "picture": arguments[1]}
            for found, arguments in zip(scores, inputs, strict=True)
        ]


def occlude(
    score: Score, picture: Tensor, side: int, stride: int, value: float
) -> Tensor:
    """One place after the other, each on a picture of its own."""
    rows, columns = (output_size(n, side, stride) for n in picture.shape[1:])
    scores = picture.new_empty(rows, columns)
    for i in range(rows):
        for j in range(columns):
            covered = picture.clone()
            top, left = stride * i, stride * j
            covered[:, top : top + side, left : left + side] = value
            scores[i, j] = score(covered[None]).squeeze(0)
    return scores


def on_the_original(score, picture, side, stride, value):
    """Wrong: a square stays where it was put, on the picture that was lent."""
    rows, columns = (output_size(n, side, stride) for n in picture.shape[1:])
    scores = picture.new_empty(rows, columns)
    for i in range(rows):
        for j in range(columns):
            top, left = stride * i, stride * j
            picture[:, top : top + side, left : left + side] = value
            scores[i, j] = score(picture[None]).squeeze(0)
    return scores


def never_lifted(score, picture, side, stride, value):
    """Wrong: a square stays where it was put, on a copy."""
    return on_the_original(score, picture.clone(), side, stride, value)


def what_is_lost(score, picture, side, stride, value):
    """Wrong: the loss against the whole picture."""
    whole = score(picture[None])
    return whole - occlude(score, picture, side, stride, value)


def one_channel(score, picture, side, stride, value):
    """Wrong: only the first channel is covered."""

    def of_first(first):
        them = picture.repeat(len(first), 1, 1, 1)
        them[:, 0] = first[:, 0]
        return score(them)

    return occlude(of_first, picture[:1], side, stride, value)


def pixel_by_pixel(score, picture, side, stride, value):
    """Wrong: the square moves by one pixel, whatever is asked for."""
    return occlude(score, picture, side, 1, value)


def by_its_side(score, picture, side, stride, value):
    """Wrong: the square moves by its own side."""
    return occlude(score, picture, side, side, value)


def columns_first(score, picture, side, stride, value):
    """Wrong: rows and columns are swapped."""
    return occlude(score, picture, side, stride, value).T


# Question 7: a network that has forgotten its upper layers


@dataclass(frozen=True)
class Scrambles:
    """The probe for shuffled layers: what became of each layer's weights."""

    def __call__(self, answer: Any, draw: Random) -> list[dict[str, Any]]:
        """Scramble none to all layers of a network, and look at both."""
        if not callable(answer):
            raise Unusable("a function is wanted here: give it without call")
        seed = draw.getrandbits(32)
        return [self._of(answer, seed, count) for count in (2, 0, 1, 4, 3)]

    def _of(self, answer: Callable, seed: int, count: int) -> dict[str, Any]:
        net = fill(four_layers().double(), seed).eval()
        before = [w.detach().clone() for w in net.parameters()]
        with torch.random.fork_rng():
            torch.manual_seed(seed + count)
            made = answer(net, count)
        if not isinstance(made, nn.Module):
            raise Unusable(f"with the count {count} it returned no network")
        after = [w.detach().cpu().double() for w in made.parameters()]
        if [w.shape for w in after] != [w.shape for w in before]:
            raise Unusable(
                f"with the count {count}, the copy has other layers"
            )
        fates = [_fate(*pair) for pair in zip(before, after, strict=True)]
        return {
            "count": count,
            "layers": fates,
            "weights": [
                w.flatten().sort().values
                if fate in ("kept", "shuffled")
                else 0.0
                for fate, w in zip(fates, after, strict=True)
            ],
            "original": torch.cat([w.flatten() for w in net.parameters()]),
        }


def four_layers() -> Stack:
    """Four layers with weights, three of them convolutions."""
    return Stack(
        nn.Conv2d(2, 6, 3, bias=False),
        nn.ReLU(),
        nn.Conv2d(6, 5, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(5, 7, 2, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(7 * 9, 4, bias=False),
    )


def _fate(before: Tensor, after: Tensor) -> str:
    if torch.equal(before, after):
        return "kept"
    if not torch.equal(*(w.flatten().sort().values for w in (before, after))):
        return "other weights"
    for axis in range(before.dim()):  # a shuffle keeps no sum of a slice
        others = [d for d in range(before.dim()) if d != axis]
        sums = [w.sum(others).sort().values for w in (before, after)]
        if torch.allclose(*sums, rtol=0, atol=1e-9):
            return "shuffled in pieces"
    return "shuffled"


@torch.no_grad()
def shuffle(weights: nn.Parameter) -> None:
    """Shuffle all numbers of a tensor in place."""
    flat = weights.flatten()
    weights.copy_(flat[torch.randperm(len(flat))].view_as(weights))


def those(choose: Callable[[list, int], list]) -> Callable:
    """Make an answer that shuffles the layers which are chosen."""

    def answer(net, count):
        net = copy.deepcopy(net)
        for weights in choose(list(net.parameters()), count):
            shuffle(weights)
        return net

    return answer


def topmost(weights: list, count: int) -> list:
    """The last *count*, which may be none."""
    return weights[len(weights) - count :]


scrambled = those(topmost)
minus_zero = those(lambda weights, count: weights[-count:])
from_below = those(lambda weights, count: weights[:count])
only_one = those(lambda weights, count: topmost(weights, count)[:1])


def any_layers(net, count):
    """Wrong: ReLUs and poolings are counted too."""
    net = copy.deepcopy(net)
    for layer in topmost(list(net), count):
        for weights in layer.parameters():
            shuffle(weights)
    return net


def in_place(net, count):
    """Wrong: the network that came in is shuffled."""
    for weights in topmost(list(net.parameters()), count):
        shuffle(weights)
    return net


@torch.no_grad()
def whole_filters(net, count):
    """Wrong: filters change places, and stay filters."""
    net = copy.deepcopy(net)
    for weights in topmost(list(net.parameters()), count):
        order = torch.arange(len(weights)).roll(1)
        weights.copy_(weights[order])
    return net


@torch.no_grad()
def drawn_anew(net, count):
    """Wrong: other weights, of another size."""
    net = copy.deepcopy(net)
    for weights in topmost(list(net.parameters()), count):
        weights.normal_()
    return net


QUESTIONS = (
    Question(
        id="lab-see.q1",
        title="max pooling, with its switches",
        name="pool",
        points=3,
        reference=pool,
        probe=Pools(pools),
        hints=(
            (
                inside_the_window,
                "the places are counted inside each window; count them in "
                "the map that goes in.",
            ),
            (
                by_columns,
                "the places are counted down the columns; a row of the map "
                "has W pixels.",
            ),
            (
                small_width,
                "a row of the map that goes *in* has W pixels, not one of "
                "the map that comes out.",
            ),
            (
                last_of_equals,
                "of equal numbers, the first in the order of reading is "
                "wanted.",
            ),
            (touching, "the window moves by `stride`, not by its own side."),
        ),
        otherwise="Take one window, and find its maximum's row and column.",
    ),
    Question(
        id="lab-see.q2",
        title="back to where the maxima stood",
        name="unpool",
        points=2,
        reference=unpool,
        probe=Calls(unpools),
        hints=(
            (
                overwritten,
                "where two windows chose one pixel, what they send adds up; "
                "here the last one stays.",
            ),
            (
                enlarged,
                "the signal is stretched; only the places themselves get a "
                "number.",
            ),
            (
                in_one_map,
                "the places begin anew in each map of each picture.",
            ),
            (across, "a place is row * W + column, with W of the large map."),
        ),
        otherwise="Count how many numbers of the result are not zero.",
    ),
    Question(
        id="lab-see.q3",
        title="a ReLU with three ways back",
        name="relu",
        points=3,
        reference=relu,
        probe=SendsBack(),
        hints=(
            (zero_fires, "a unit with z = 0 has not fired: z > 0, not z ≥ 0."),
            (
                always_gradient,
                "every rule sends back the gradient; the rule never reaches "
                "autograd.",
            ),
            (
                remembers,
                "the deconvnet forgets what had fired; yours asks for both, "
                "as the guided rule does.",
            ),
            (
                guided_forgets,
                "the guided rule asks for both; yours forgets what had fired.",
            ),
            (
                everything_passes,
                "a signal that says *less* must not pass, with deconvnet "
                "and guided.",
            ),
            (
                without_sign,
                "a negative signal becomes zero, not positive.",
            ),
            (
                linear_on_the_way_up,
                "on the way up, the deconvnet's ReLU is a ReLU too.",
            ),
        ),
        otherwise="Try one number at a time: z = 2 or -2, g = 3 or -3.",
    ),
    Question(
        id="lab-see.q4",
        title="what the strongest unit saw",
        name="look",
        points=3,
        reference=look,
        probe=Calls(stacks),
        hints=(
            (
                whole_map,
                "the whole map sends; only its strongest unit should.",
            ),
            (
                one_picture,
                "only one picture of the batch sends: each has a strongest "
                "unit of its own.",
            ),
            (
                strongest_of_all,
                "it takes the strongest unit of all channels; take that of "
                "the channel asked for.",
            ),
            (
                rule_ignored,
                "all rules give the gradient: does your `relu` stand in for "
                "every nn.ReLU?",
            ),
            (
                answer_itself,
                "send a 1 down, not the unit's answer.",
            ),
            (
                times_picture,
                "return what arrives at the pixels, not its product with "
                "them.",
            ),
            (
                adds_up,
                "called again with the same pictures, it adds to the last "
                "result: `.grad` collects. Work on a copy of the pictures.",
            ),
            (
                leaves_hooks,
                "an earlier call still has a say in the next one: remove "
                "your hooks from the network.",
            ),
        ),
        otherwise="Try the gradient first: there torch needs no change.",
    ),
    Question(
        id="lab-see.q5",
        title="what a unit can see",
        name="window",
        points=2,
        reference=window,
        probe=Calls(chains),
        hints=(
            (
                without_padding,
                "padding moves the first row: the zeros stand before pixel 0.",
            ),
            (
                from_the_picture,
                "walk from the unit down: the last layer is undone first.",
            ),
            (
                last_stride,
                "one step of the unit is a step of all layers below too: "
                "strides multiply.",
            ),
            (centre, "the first row and column are wanted, not the middle."),
            (
                clipped,
                "do not cut the square off: it may begin before pixel 0.",
            ),
            (
                side_times_stride,
                "`side` units have side - 1 steps between them, and only "
                "steps are multiplied by the stride.",
            ),
        ),
        otherwise="Do one layer by hand: kernel 3, stride 2, no padding.",
    ),
    Question(
        id="lab-see.q6",
        title="cover and see",
        name="occlude",
        points=2,
        reference=occlude,
        probe=Covers(covers),
        hints=(
            (
                never_lifted,
                "a square stays when the next one comes: cover a fresh copy "
                "each time.",
            ),
            (
                on_the_original,
                "the squares stay, and on the very picture that was given: "
                "cover a fresh copy each time.",
            ),
            (what_is_lost, "return the score itself, not what is lost."),
            (one_channel, "the square covers all channels."),
            (
                pixel_by_pixel,
                "the square moves by `stride`, not pixel by pixel.",
            ),
            (by_its_side, "the square moves by `stride`, not by its side."),
            (
                columns_first,
                "rows of the result are the rows of the picture; yours are "
                "its columns.",
            ),
        ),
        otherwise="Print the size of the result first.",
    ),
    Question(
        id="lab-see.q7",
        title="a network that has forgotten its upper layers",
        name="scrambled",
        points=1,
        reference=scrambled,
        probe=Scrambles(),
        hints=(
            (
                in_place,
                "the network that came in has changed too: work on a copy "
                "(`copy.deepcopy`).",
            ),
            (
                minus_zero,
                "with the count 0 nothing is shuffled; a slice `[-0:]` is "
                "everything.",
            ),
            (
                from_below,
                "the topmost layers are those that stand last in the network.",
            ),
            (
                any_layers,
                "count only layers that have weights: a ReLU or a pooling "
                "has none.",
            ),
            (
                only_one,
                "all of the topmost layers are shuffled, not one of them.",
            ),
            (
                whole_filters,
                "filters move as wholes, or weights within their filter: "
                "shuffle all weights of a layer as one row.",
            ),
            (
                drawn_anew,
                "keep the weights of a layer, and only lose their order.",
            ),
        ),
        otherwise="Shuffle all weights of a layer as one row: in pieces are "
        "whole filters, or the weights of each filter.",
    ),
)

WRITTEN = (
    Written(
        id="lab-see.w1",
        title="What do such pictures prove?",
        rubric=(
            (
                1,
                "what the gradient states exactly, and where: the slope of "
                "this answer at this picture; here, pixel times gradient "
                "adds up to it",
            ),
            (
                1,
                "occlusion tests a real change, and what escapes it: things "
                "that are there twice, or effects of the square itself",
            ),
            (
                1,
                "the guided picture hardly changes although the network is "
                "lost, so it shows the picture's lines, not what was learned",
            ),
            (
                1,
                "a test that could have refuted the claim, with the outcome "
                "that would",
            ),
        ),
    ),
)
