"""The questions of the lab on VGG's memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from math import prod
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cnnbook.exercises import Calls, Question, Unusable, Written
from cnnbook.probing import Builds, fill, numbers

Row = tuple[str, tuple[int, ...]]
Stack = list[Row]
"""What one image makes: ("image", shape), then (kind, shape) a layer."""


# Question 1: a network from a line of the table


class Dense(nn.Linear):
    """A dense layer that flattens what comes in."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, units)."""
        return super().forward(x.flatten(1))


def lines(draw: Random) -> Iterator[tuple[tuple, Tensor]]:
    """Draw lines of the table with images, none of them square."""
    cases = (
        ("5", (2, 5, 7), (6,)),
        ("4,1x6 3", (3, 13, 8), ()),
        ("3,3 5,4,1x7 6,2", (1, 17, 9), (11, 8)),
    )
    for column, shape, hidden in cases:
        classes = draw.randint(3, 9)
        yield (column, shape, hidden, classes), numbers(draw, 2, *shape)


def chains(answer: Any, draw: Random) -> list[dict[str, Any]]:
    """Build the networks, and name the layers of each."""
    nets: list[nn.Module] = []

    def build(*arguments: Any) -> nn.Module:
        nets.append(answer(*arguments))
        return nets[-1]

    if not callable(answer):
        raise Unusable("a function that makes a net is wanted")
    found = Builds(lines)(build, draw)
    for row, net in zip(found, nets, strict=True):
        if not isinstance(net, nn.Sequential):
            raise Unusable("one flat nn.Sequential is wanted")
        row["layers"] = " ".join(map(_called, net))
    return found


def _called(layer: nn.Module) -> str:
    in_place = getattr(layer, "inplace", False)
    return type(layer).__name__ + "-in-place" * in_place


def build(
    column: str, shape: tuple, hidden: tuple, classes: int
) -> nn.Sequential:
    """A column of the table as a flat chain of layers."""
    return chain(column, shape, hidden, classes)


def chain(
    column: str,
    shape: tuple,
    hidden: tuple,
    classes: int,
    relu: bool = True,
    last: bool = False,
    small: bool = True,
    in_place: bool = False,
) -> nn.Sequential:
    """Make the net, or one that is wrong in a way that can be chosen."""
    channels, height, width = shape
    layers: list[nn.Module] = []
    for block in column.split():
        for entry in block.split(","):
            side = 1 if small and entry[:2] == "1x" else 3
            maps = int(entry.removeprefix("1x"))
            layers.append(nn.Conv2d(channels, maps, side, padding=side // 2))
            layers += [nn.ReLU(in_place)]
            channels = maps
        layers += [nn.MaxPool2d(2)]
        height, width = height // 2, width // 2
    inputs = channels * height * width
    for units in hidden:
        layers += [Dense(inputs, units)] + [nn.ReLU(in_place)] * relu
        inputs = units
    return nn.Sequential(*layers, Dense(inputs, classes), *[nn.ReLU()] * last)


def without_dense_relu(column, shape, hidden, classes):
    """Wrong: nothing bends between the dense layers."""
    return chain(column, shape, hidden, classes, relu=False)


def relu_at_the_end(column, shape, hidden, classes):
    """Wrong: scores below zero are lost."""
    return chain(column, shape, hidden, classes, last=True)


def never_small(column, shape, hidden, classes):
    """Wrong: 1x256 is taken for another 3 × 3."""
    return chain(column, shape, hidden, classes, small=False)


def overwriting(column, shape, hidden, classes):
    """Wrong here: ReLUs in place."""
    return chain(column, shape, hidden, classes, in_place=True)


def nested(column, shape, hidden, classes):
    """Wrong here: a block is a module of its own."""
    net = build(column, shape, hidden, classes)
    return nn.Sequential(net[:3], *net[3:])


# Question 2: what is kept

STACKS: tuple[tuple[str, ...], ...] = (
    ("conv", "relu", "pool", "dense"),
    ("conv", "conv", "relu", "pool", "relu", "conv", "relu"),
    ("pool", "conv", "relu", "conv", "pool"),
    ("conv", "relu", "conv", "relu", "pool", "dense", "relu", "dense"),
)


def stack(draw: Random, kinds: tuple[str, ...]) -> Stack:
    """Draw sizes for such a chain of layers."""
    shape: tuple[int, ...] = (
        draw.randint(1, 4),
        4 * draw.randint(2, 5) + 1,
        4 * draw.randint(2, 5) + 3,
    )
    rows: Stack = [("image", shape)]
    for kind in kinds:
        if kind == "conv":
            shape = (draw.randint(5, 12), *shape[1:])
        elif kind == "pool":
            shape = (shape[0], shape[1] // 2, shape[2] // 2)
        elif kind == "dense":
            shape = (draw.randint(13, 99),)
        rows.append((kind, shape))
    return rows


def stacks(draw: Random) -> Iterator[tuple]:
    """Draw four chains, and one in half precision."""
    for kinds in STACKS:
        yield (stack(draw, kinds),)
    yield stack(draw, STACKS[-1]), 2


def kept(stack: Stack, value: int = 4) -> list[int]:
    """The bytes of each row's output that the backward pass asks for."""
    followers = [kind for kind, _ in stack[1:]] + ["nothing"]
    found = []
    for (kind, shape), follower in zip(stack, followers, strict=True):
        asked = kind == "relu" or follower in ("conv", "pool", "dense")
        places = 8 if kind == "pool" else 0
        found.append(prod(shape) * (value * asked + places))
    return found


def everything(stack, value=4):
    """Wrong: every output stays."""
    places = [8 * (kind == "pool") for kind, _ in stack]
    rows = zip(stack, places, strict=True)
    return [prod(shape) * (value + place) for (_, shape), place in rows]


def no_places(stack, value=4):
    """Wrong: the places of the maxima are forgotten."""
    rows = zip(stack, kept(stack, value), strict=True)
    return [n - 8 * prod(s) * (kind == "pool") for (kind, s), n in rows]


def short_places(stack, value=4):
    """Wrong: a place in four bytes."""
    rows = zip(stack, kept(stack, value), strict=True)
    return [n - 4 * prod(s) * (kind == "pool") for (kind, s), n in rows]


def no_image(stack, value=4):
    """Wrong: the image is not counted."""
    return [0, *kept(stack, value)[1:]]


def last_too(stack, value=4):
    """Wrong: the last output is counted, whoever made it."""
    *most, last = kept(stack, value)
    kind, shape = stack[-1]
    return [*most, last + value * prod(shape) * (kind != "relu")]


def pooled_always(stack, value=4):
    """Wrong: a pooling is taken to keep its output, not its input."""
    found = []
    for place, (kind, shape) in enumerate(stack):
        after = stack[place + 1][0] if place + 1 < len(stack) else "nothing"
        asked = kind in ("relu", "pool") or after in ("conv", "dense")
        found.append(prod(shape) * (value * asked + 8 * (kind == "pool")))
    return found


def value_ignored(stack, value=4):
    """Wrong: four bytes, whatever is asked for."""
    return kept(stack)


# Question 3: the ledger of a step

NUMBERS = {"sgd": 0, "momentum": 1, "adam": 2}


def steps(draw: Random) -> Iterator[tuple]:
    """Draw nets and batches, with each optimiser and both precisions."""
    for optimiser in NUMBERS:
        for half in (False, True):
            yield (
                draw.randint(10**5, 10**8),
                draw.randint(10**5, 10**8),
                draw.randint(2, 300),
                optimiser,
                half,
            )


def ledger(
    parameters: int, each: int, batch: int, optimiser: str, half: bool
) -> dict[str, int]:
    """What a step of training holds, in bytes."""
    return {
        "weights": 4 * parameters,
        "copies": 2 * parameters if half else 0,
        "gradients": 4 * parameters,
        "state": 4 * NUMBERS[optimiser] * parameters,
        "maps": batch * each,
    }


def changed(**rows: Callable[..., int]) -> Callable:
    """Make a wrong ledger out of the right one."""

    def wrong(parameters, each, batch, optimiser, half):
        right = ledger(parameters, each, batch, optimiser, half)
        given = (parameters, each, batch, optimiser, half)
        return right | {name: row(*given) for name, row in rows.items()}

    return wrong


halved = changed(
    weights=lambda p, e, n, o, half: (2 if half else 4) * p,
    copies=lambda *given: 0,
)
no_copies = changed(copies=lambda *given: 0)
half_gradients = changed(
    gradients=lambda p, e, n, o, half: (2 if half else 4) * p
)
one_for_adam = changed(state=lambda p, e, n, o, half: 4 * p * (o != "sgd"))
gradients_each = changed(gradients=lambda p, e, n, o, half: 4 * n * p)
one_image = changed(maps=lambda p, e, n, o, half: e)
halved_again = changed(
    maps=lambda p, e, n, o, half: n * e // (2 if half else 1)
)


# Question 4: the largest batch


def rooms(draw: Random) -> Iterator[tuple]:
    """Draw nets and GPUs; in one of them nothing fits."""
    for gib in (4, 8, 15, 16, 24, 80):
        yield (
            draw.randint(10**6, 15 * 10**7),
            draw.randint(10**5, 10**8),
            gib,
            draw.choice(tuple(NUMBERS)),
            draw.random() < 0.5,
        )
    yield 4 * 10**8 + draw.randint(1, 99), 10**6, 4, "adam", False


def largest(
    parameters: int, each: int, gib: int, optimiser: str, half: bool
) -> int:
    """The largest batch that fits."""
    return _largest(parameters, each, gib * 2**30, optimiser, half)


def _largest(parameters, each, room, optimiser, half):
    fixed = sum(ledger(parameters, each, 0, optimiser, half).values())
    return max(0, int(room - fixed) // each)


def of_a_thousand(parameters, each, gib, optimiser, half):
    """Wrong: a GiB is taken for a GB."""
    return _largest(parameters, each, gib * 10**9, optimiser, half)


def maps_only(parameters, each, gib, optimiser, half):
    """Wrong: nothing but the maps."""
    return gib * 2**30 // each


def one_too_many(parameters, each, gib, optimiser, half):
    """Wrong: rounded up."""
    fixed = sum(ledger(parameters, each, 0, optimiser, half).values())
    return max(0, -(-(gib * 2**30 - fixed) // each))


def below_nothing(parameters, each, gib, optimiser, half):
    """Wrong: a batch of less than none."""
    fixed = sum(ledger(parameters, each, 0, optimiser, half).values())
    return (gib * 2**30 - fixed) // each


# Question 5: the peak with checkpoints

DEEP = (
    ("conv", "relu", "conv", "relu", "pool") * 2
    + ("conv", "relu", "conv", "relu")
    + ("pool", "dense", "relu", "dense")
)
ALONE = ("conv", "relu", "pool", "conv", "relu", "dense")
"""Cut after each of the first layers: the most is there at the ReLU."""


def deep(draw: Random, even: bool) -> Stack:
    """Draw a chain whose maps shrink as a VGG's do, or one of equal maps."""
    if not even:
        return stack(draw, DEEP)
    _, height, width = stack(draw, ())[0][1]
    kinds = ("conv", "relu") * draw.randint(6, 9)
    rows: Stack = [("image", (draw.randint(1, 4), height, width))]
    return rows + [(kind, (6, height, width)) for kind in kinds]


def cut_stacks(draw: Random) -> Iterator[tuple]:
    """Draw chains and where they are cut: not at all, often, anywhere."""
    for number in (0, 1, 2, 3, 5, 7):
        rows = deep(draw, even=number in (2, 5))
        cuts = draw.sample(range(1, len(rows) - 1), number)
        yield rows, [0, *sorted(cuts)]
    yield stack(draw, ALONE), [0, 1, 2, 3]
    yield stack(draw, ("conv",)), [0]  # more comes out than went in


def peak(stack: Stack, cuts: list[int]) -> int:
    """The most that is there at once, in bytes for an image."""
    return _peak(stack, cuts)


def _peak(
    stack: Stack,
    cuts: list[int],
    inputs: bool = True,
    gradients: int = 2,
    waiting: int = 2,
    twice: bool = False,
) -> int:
    """Go back through the rows, from the last to the first."""
    size = [4 * prod(shape) for _, shape in stack]
    starts, end, most = list(cuts), len(stack) - 1, 0
    while starts:
        first = starts[-1]
        held = sum(size[cut] for cut in (starts if inputs else [first]))
        for row in range(end, first, -1):
            inside = kept(stack[first : row + 1])
            there = held + sum(inside) - inside[0] * (not twice)
            there += sum((size[row], size[row - 1])[:gradients])
            most = max(most, there + waiting * size[end] * (row < end))
        end = starts.pop()
    return most


def own_input_only(stack, cuts):
    """Wrong: the inputs of the segments before are forgotten."""
    return _peak(stack, cuts, inputs=False)


def no_gradients(stack, cuts):
    """Wrong: nothing comes back."""
    return _peak(stack, cuts, gradients=0)


def one_gradient(stack, cuts):
    """Wrong: what comes in, but not what goes out."""
    return _peak(stack, cuts, gradients=1)


def nothing_waits(stack, cuts):
    """Wrong: the segment's output and its gradient are gone."""
    return _peak(stack, cuts, waiting=0)


def input_twice(stack, cuts):
    """Wrong: the segment's input is counted as kept too."""
    return _peak(stack, cuts, twice=True)


# Question 6: where to cut

ENDS = (
    ("pool", "conv", "relu", "pool", "conv", "relu", "dense"),
    ("conv", "relu", "conv"),
)
"""Best cut after the first layer, and before the last."""


def places(answer: Any, draw: Random) -> list[dict[str, int]]:
    """Ask for cuts; return what they cost, and how many there are."""
    if not callable(answer):
        raise Unusable("a function from stack and segments to cuts is wanted")
    found = []
    for turn, segments in enumerate((1, 2, 3, 4, 3, 4, 3, 4, 3, 4, 3, 2)):
        rows = stack(draw, ("conv", "relu") * draw.randint(7, 9))
        if turn > 9:
            rows = stack(draw, ENDS[turn - 10])
        if turn < 3:
            rows = deep(draw, even=turn == 0)
        cuts = answer([*rows], segments)
        if cuts is None:
            raise Unusable("it returned None (is a `return` missing?)")
        cuts = [int(cut) for cut in cuts]
        if cuts != sorted({*cuts}) or cuts[:1] != [0]:
            raise Unusable(
                f"its cuts {cuts} do not rise from 0, where the image is"
            )
        if cuts[-1] >= len(rows) - 1:
            raise Unusable(
                f"its last cut {cuts[-1]} leaves no layer after it, or only "
                f"an empty segment: a stack of {len(rows)} rows ends at row "
                f"{len(rows) - 1}"
            )
        if len(cuts) > segments:
            raise Unusable(
                f"at most {segments} are allowed, and {cuts} makes "
                f"{len(cuts)} segments"
            )
        found.append({"peak": peak(rows, cuts), "rows": len(rows)})
    return found


def best(stack: Stack, segments: int) -> list[int]:
    """The cuts with the least peak, found by trying all."""
    return _least(stack, range(1, segments + 1), peak)


def _least(stack, numbers, cost):
    inner = range(1, len(stack) - 1)
    cuts = [
        [0, *chosen]
        for number in numbers
        for chosen in combinations(inner, number - 1)
    ]
    return min(cuts, key=lambda cut: cost(stack, cut))


def one_after_another(stack, segments):
    """Wrong: the best first cut, then the best one beside it, and so on."""
    cuts = [0]
    for _ in range(segments - 1):
        rest = set(range(1, len(stack) - 1)) - {*cuts}
        more = [sorted([*cuts, row]) for row in sorted(rest)]
        cuts = min([cuts, *more], key=lambda cut: peak(stack, cut))
    return cuts


def on_the_way_in(stack, segments):
    """Wrong: what is kept going forward, not the peak going back."""
    return _least(stack, [segments], _inputs)


def _inputs(stack, cuts):
    return sum(prod(stack[cut][1]) for cut in cuts)


def evenly(stack, segments):
    """Wrong: as many rows in each segment."""
    last = len(stack) - 1
    return sorted({last * k // segments for k in range(segments)})


def by_kept(stack, segments):
    """Wrong: the gradients are left out of what is compared."""
    return _least(stack, range(1, segments + 1), no_gradients)


def after_poolings(stack, segments):
    """Wrong: the blocks of the table, whatever their sizes."""
    last = len(stack) - 1
    pools = [i for i in range(last) if stack[i][0] == "pool"]
    return [0, *pools][:segments]


def uncut(stack, segments):
    """Wrong: never cuts."""
    return [0]


# Question 7: compute again


class Twice(nn.Module):
    """A segment that is no list: its input goes two ways."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(4, 4, 3, padding=1)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 4, H, W) -> (N, 4, H, W)."""
        return x + self.drop(torch.tanh(self.one(x)))


def segments(draw: Random) -> Iterator[tuple[nn.Module, Tensor]]:
    """Draw segments with their inputs; the first gets an image.

    The last has no weights.
    """
    begin = nn.Sequential(nn.Conv2d(2, 5, 3), nn.ReLU(), nn.MaxPool2d(2))
    yield begin, numbers(draw, 3, 2, 8, 11).double()
    dense = nn.Sequential(nn.Dropout(0.4), nn.Linear(7, 9), nn.ReLU())
    bare = nn.Sequential(nn.ReLU(), nn.Dropout(0.2), nn.MaxPool2d(2))
    inputs = {
        dense: numbers(draw, 6, 7),
        Twice(): numbers(draw, 2, 4, 6, 5),
        bare: numbers(draw, 2, 3, 4, 6),
    }
    for segment, x in inputs.items():
        yield segment, x.double().requires_grad_()


def again(answer: Any, draw: Random) -> list[dict[str, Any]]:
    """Pass forward and back through segments; tell what was seen."""
    if not callable(answer):
        raise Unusable("a function of a segment and its input is wanted")
    return [
        _seen(answer, segment, x, draw.getrandbits(32))
        for segment, x in segments(draw)
    ]


def _seen(
    answer: Callable, segment: nn.Module, x: Tensor, seed: int
) -> dict[str, Any]:
    fill(segment.double(), seed)
    passes: list[int] = []
    segment.register_forward_hook(lambda *_: passes.append(1))
    with torch.random.fork_rng(devices=[]):
        kept = _bytes_kept(answer, segment, x)
        passes.clear()
        # Again, unwatched: hooks hand out copies of what was saved.
        torch.manual_seed(seed)
        y = answer(segment, x)
        forward = len(passes)
        torch.rand(5)  # what is drawn before the way back
        dy = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view_as(y)
        y.backward(dy)
        drawn = torch.rand(3, dtype=torch.float64)
    return {
        "output": y,
        "bytes kept": kept,
        "runs forward, backward": [forward, len(passes) - forward],
        "dx": x.grad if x.requires_grad else "not asked for",
        "dw": [w.grad for w in segment.parameters()],
        "drawn next": drawn,
    }


def _bytes_kept(answer: Callable, segment: nn.Module, x: Tensor) -> int:
    own = {w.untyped_storage()._cdata for w in segment.parameters()}
    kept: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        y = answer(segment, x)
    if not isinstance(y, Tensor):
        raise Unusable("it did not return the segment's output")
    return sum(storage.nbytes() for storage in kept.values())


class _Again(torch.autograd.Function):
    """The reference: its weights are handed over, not looked up."""

    replay, restore, on_context, scale, with_dy = True, True, False, 1, True

    @classmethod
    def run(cls, segment: nn.Module, x: Tensor) -> Tensor:
        """Pass through a segment and keep its input alone."""
        own = dict(segment.named_parameters())
        return cls.apply(cls, segment, tuple(own), x, *own.values())

    @staticmethod
    def forward(context, kind, segment, names, x, *weights):
        """Keep x, and where the random numbers stood."""
        context.kind, context.segment, context.names = kind, segment, names
        context.state = torch.get_rng_state()
        context.weights = weights
        if kind.on_context:
            context.x = x
        else:
            context.save_for_backward(x)
        return segment(x)

    @staticmethod
    def backward(context, dy):
        """Compute again, then ask for all gradients."""
        kind = context.kind
        (x,) = [context.x] if kind.on_context else context.saved_tensors
        leaves = [t.detach().requires_grad_() for t in (x, *context.weights)]
        before = torch.get_rng_state()
        if kind.replay:
            torch.set_rng_state(context.state)
        with torch.enable_grad():
            weights = dict(zip(context.names, leaves[1:], strict=True))
            y = functional_call(context.segment, weights, leaves[0])
        if kind.restore:
            torch.set_rng_state(before)
        y.backward(dy if kind.with_dy else torch.ones_like(dy))
        dx, *dw = [leaf.grad for leaf in leaves]
        return None, None, None, dx, *[kind.scale * g for g in dw]


class _FreshMasks(_Again):
    """Wrong: dropout draws anew."""

    replay = False


class _LeftThere(_Again):
    """Wrong: the random numbers stay where the segment put them."""

    restore = False


class _OnContext(_Again):
    """Wrong: autograd does not know of the input that is kept."""

    on_context = True


class _Doubled(_Again):
    """Wrong: the gradient of a weight arrives twice."""

    scale = 2


class _Ones(_Again):
    """Wrong: what comes from above is not used."""

    with_dy = False


checkpoint = _Again.run
fresh_masks, left_there = _FreshMasks.run, _LeftThere.run
on_context, doubled, ones = _OnContext.run, _Doubled.run, _Ones.run


def not_at_all(segment, x):
    """Wrong: an ordinary pass, which keeps everything."""
    return segment(x)


QUESTIONS = (
    Question(
        id="lab-vgg.q1",
        title="a network from a line of the table",
        name="build",
        points=2,
        reference=build,
        probe=chains,
        hints=(
            (
                without_dense_relu,
                "a ReLU stands after each hidden dense layer too.",
            ),
            (relu_at_the_end, "no ReLU after the scores."),
            (never_small, "1x256 is a 1 × 1 convolution, without padding."),
            (
                overwriting,
                "not in place: a segment may begin with this ReLU, and would "
                "overwrite the input that it has to keep.",
            ),
            (
                nested,
                "one flat list of layers is wanted, so that it can be cut "
                "anywhere; put `*` before a list inside a list.",
            ),
        ),
        otherwise="Print a net, and go through it layer by layer.",
    ),
    Question(
        id="lab-vgg.q2",
        title="what the backward pass keeps",
        name="kept",
        points=3,
        reference=kept,
        probe=Calls(stacks),
        hints=(
            (
                everything,
                "not every output stays: what goes into a ReLU is asked for "
                "by nobody, and no layer follows the last.",
            ),
            (
                no_places,
                "a pooling also keeps a place for each maximum, a whole "
                "number of 8 bytes.",
            ),
            (
                short_places,
                "the place of a maximum is an int64: 8 bytes, not 4.",
            ),
            (
                no_image,
                "the first layer keeps its input, and that is the image.",
            ),
            (
                last_too,
                "the last output is kept only if its own layer asks for it: "
                "a ReLU does.",
            ),
            (
                pooled_always,
                "a pooling asks for its input and the places; its output "
                "stays only if the next layer asks for it.",
            ),
            (
                value_ignored,
                "`value` is the bytes of a number; in half precision it is "
                "2, and the places stay at 8.",
            ),
        ),
        otherwise="Let `look` show such a chain, and compare row by row.",
    ),
    Question(
        id="lab-vgg.q3",
        title="the ledger of a step",
        name="ledger",
        points=2,
        reference=ledger,
        probe=Calls(steps),
        hints=(
            (
                halved,
                "mixed precision keeps the weights in float32 and adds "
                "copies of two bytes; it does not halve them.",
            ),
            (
                no_copies,
                "mixed precision computes with copies of the weights, two "
                "bytes each.",
            ),
            (
                half_gradients,
                "the weights are float32, so their gradients are too.",
            ),
            (one_for_adam, "Adam keeps two numbers for each parameter."),
            (
                gradients_each,
                "the images of a batch add up in one gradient for each "
                "parameter.",
            ),
            (one_image, "`each` is for one image; there are `batch`."),
            (
                halved_again,
                "`each` is in bytes, and of the precision that was asked "
                "for: do not halve it again.",
            ),
        ),
    ),
    Question(
        id="lab-vgg.q4",
        title="the largest batch",
        name="largest",
        points=1,
        reference=largest,
        probe=Calls(rooms),
        hints=(
            (of_a_thousand, "a GiB is 2³⁰ bytes, not 10⁹."),
            (
                maps_only,
                "weights, copies, gradients and state are there before the "
                "first image.",
            ),
            (one_too_many, "round down: a part of an image does not fit."),
            (
                below_nothing,
                "where not even the weights fit, the answer is 0.",
            ),
        ),
    ),
    Question(
        id="lab-vgg.q5",
        title="the peak, with segments",
        name="peak",
        points=3,
        reference=peak,
        probe=Calls(cut_stacks),
        hints=(
            (
                own_input_only,
                "the inputs of the segments before are held too: the pass "
                "will come to them.",
            ),
            (
                no_gradients,
                "two gradients are under way, one into the row and one out "
                "of it.",
            ),
            (
                one_gradient,
                "the gradient that leaves the row is as large as its input.",
            ),
            (
                nothing_waits,
                "until the segment is done, its output and that output's "
                "gradient are there.",
            ),
            (
                input_twice,
                "the segment's input is held once: leave out the first "
                "entry of `kept`.",
            ),
        ),
        otherwise=(
            "Is question 2 right? Then write down what is there for a stack "
            "of three rows."
        ),
    ),
    Question(
        id="lab-vgg.q6",
        title="where to cut",
        name="best",
        points=2,
        reference=best,
        probe=places,
        hints=(
            (
                one_after_another,
                "the best single cut need not be one of the best pair: try "
                "them together.",
            ),
            (
                on_the_way_in,
                "compare the peak of the way back; the inputs alone are "
                "least where the last maps are small.",
            ),
            (evenly, "equal numbers of rows are not equal bytes."),
            (
                by_kept,
                "compare the whole peak, with the gradients under way.",
            ),
            (
                after_poolings,
                "the blocks of the table are not the best segments: try "
                "every row.",
            ),
            (uncut, "one segment is no cut; try the others."),
        ),
        otherwise="It asks your `peak`: is question 5 right?",
    ),
    Question(
        id="lab-vgg.q7",
        title="compute again",
        name="checkpoint",
        points=3,
        reference=checkpoint,
        probe=again,
        hints=(
            (
                not_at_all,
                "the gradients are right, but everything is kept: forward "
                "must go through Recompute.",
            ),
            (
                fresh_masks,
                "dropout drew other masks the second time: set the random "
                "numbers to where they stood.",
            ),
            (
                left_there,
                "after the backward pass the random numbers stand where the "
                "segment left them, so the next step draws the same masks "
                "again; put them back.",
            ),
            (
                on_context,
                "keep x with context.save_for_backward; of what hangs on "
                "the context autograd knows nothing, not even that it "
                "changed.",
            ),
            (
                doubled,
                "each weight gets its gradient twice: return it, and call "
                "no .backward() that adds it to .grad as well.",
            ),
            (
                ones,
                "dy is what comes from above: hand it to torch.autograd.grad.",
            ),
        ),
        otherwise="Try it on one layer, beside the layer without it.",
    ),
)

WRITTEN = (
    Written(
        id="lab-vgg.w1",
        title="Where does it go, and what to do about it?",
        rubric=(
            (
                1,
                "parameters: the first dense layer has weights of its own "
                "for each place of each map, a convolution shares them over "
                "all places",
            ),
            (
                1,
                "maps: nothing is pooled yet, so early maps are large; each "
                "pooling quarters the places while the maps only double",
            ),
            (
                1,
                "a remedy for each, with its price: a mean over places "
                "(where is lost) or narrower dense layers; an early stride "
                "(detail is lost), half precision or checkpoints (time)",
            ),
            (
                1,
                "which remedy for which case: the batch multiplies the maps "
                "alone, so for large batches maps are what counts, for one "
                "image or for the optimiser's state the parameters",
            ),
        ),
    ),
)
