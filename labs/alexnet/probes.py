"""The questions of the lab on AlexNet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from cnnbook.exercises import Calls, Question, Unusable, Written
from cnnbook.probing import fill, numbers

# Question 1: a layer in groups

# (N, C, H, W), (K, C / groups, kh, kw), groups, padding; nothing is square.
CUTS = (
    ((1, 4, 5, 6), (6, 2, 3, 2), 2, 0),
    ((2, 6, 7, 5), (9, 2, 2, 3), 3, 1),
    ((2, 5, 4, 6), (10, 1, 3, 3), 5, 2),
    ((3, 3, 6, 5), (4, 3, 3, 2), 1, 1),
)


def cuts(draw: Random) -> Iterator[tuple]:
    """Draw images, kernels and biases for layers in several groups."""
    for x, w, groups, padding in CUTS:
        yield (
            numbers(draw, *x),
            numbers(draw, *w),
            numbers(draw, w[0]),
            groups,
            padding,
        )


class Asked(TorchFunctionMode):
    """Remembers the most groups that torch was asked for."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.groups = 1

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Look at the call, then make it."""
        kwargs = kwargs or {}
        if func is torch.conv2d:
            groups = kwargs.get("groups", args[6] if len(args) > 6 else 1)
            self.groups = max(self.groups, groups)
        return func(*args, **kwargs)


@dataclass(frozen=True)
class Ungrouped(Calls):
    """Calls that leave no group to torch."""

    def __call__(self, answer: Any, draw: Random) -> list:
        """Call the answer, and refuse what torch did by itself."""
        with Asked() as asked:
            results = super().__call__(answer, draw)
        if asked.groups > 1:
            raise Unusable(
                "this hands `groups` to torch; here the layer is to be made "
                "of ordinary convolutions"
            )
        return results


def whole(w: Tensor, groups: int) -> Tensor:
    """The same kernels for all channels: zero where a group is blind."""
    k, c = len(w) // groups, w.shape[1]
    full = w.new_zeros(len(w), c * groups, *w.shape[2:])
    for g in range(groups):
        full[g * k : (g + 1) * k, g * c : (g + 1) * c] = w[g * k : (g + 1) * k]
    return full


def grouped(
    x: Tensor, w: Tensor, b: Tensor, groups: int, padding: int = 0
) -> Tensor:
    """One ordinary convolution, with zeros between the groups."""
    return F.conv2d(x, whole(w, groups), b, padding=padding)


def dealt(channels: int, groups: int) -> Tensor:
    """The order of cards that are dealt out one by one."""
    return torch.arange(channels).view(-1, groups).T.flatten()


def channels_dealt(x, w, b, groups, padding=0):
    """Wrong: channel c goes to group c % groups."""
    return grouped(x[:, dealt(x.shape[1], groups)], w, b, groups, padding)


def maps_dealt(x, w, b, groups, padding=0):
    """Wrong: the maps of the groups are shuffled together."""
    y = grouped(x, w, b, groups, padding)
    return y.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


def first_channels(x, w, b, groups, padding=0):
    """Wrong: every group reads the first channels."""
    return F.conv2d(x[:, : w.shape[1]], w, b, padding=padding)


def first_kernels(x, w, b, groups, padding=0):
    """Wrong: every group uses the first kernels, and the first biases."""
    k = len(w) // groups
    w, b = torch.cat([w[:k]] * groups), torch.cat([b[:k]] * groups)
    return grouped(x, w, b, groups, padding)


def every_kernel(x, w, b, groups, padding=0):
    """Wrong: every group uses all kernels."""
    parts = x.chunk(groups, 1)
    return torch.cat([F.conv2d(p, w, b, padding=padding) for p in parts], 1)


def added_up(x, w, b, groups, padding=0):
    """Wrong: the groups' maps are added, not put side by side."""
    return grouped(x, w, b, groups, padding).unflatten(1, (groups, -1)).sum(1)


def without_bias(x, w, b, groups, padding=0):
    """Wrong: the biases are forgotten."""
    return grouped(x, w, torch.zeros_like(b), groups, padding)


def unpadded(x, w, b, groups, padding=0):
    """Wrong: the padding is forgotten."""
    return grouped(x, w, b, groups)


# Question 2: local response normalisation

# shape, groups, n, k, alpha, beta
MAPS = (
    ((2, 8, 3, 2), 1, 5, 2.0, 1e-4, 0.75),
    ((1, 12, 2, 3), 2, 5, 2.0, 1e-4, 0.75),
    ((2, 4, 2, 2), 2, 5, 2.0, 1e-4, 0.75),
    ((1, 9, 2, 3), 3, 3, 1.5, 3e-4, 0.5),
    ((1, 10, 2, 2), 2, 7, 1.0, 2e-4, 0.75),
)


def maps(draw: Random) -> Iterator[tuple]:
    """Maps as strong as raw pixels, so that the paper's constants act."""
    for shape, *constants in MAPS:
        yield (100 * numbers(draw, *shape).double(), *constants)


def normalise(
    x: Tensor,
    groups: int = 1,
    n: int = 5,
    k: float = 2.0,
    alpha: float = 1e-4,
    beta: float = 0.75,
) -> Tensor:
    """The paper's: torch's alpha is for the mean of n, hence n times it."""
    parts = x.chunk(groups, 1)
    return torch.cat(
        [F.local_response_norm(p, n, alpha * n, beta, k) for p in parts], 1
    )


def of_mean(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Wrong: the mean of the squares, as in torch."""
    return normalise(x, groups, n, k, alpha / n, beta)


def as_in_torch(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Wrong twice: torch's layer, handed the paper's constants."""
    return F.local_response_norm(x, n, alpha, beta, k)


def across(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Wrong: neighbours on the other card count too."""
    return normalise(x, 1, n, k, alpha, beta)


def without_squares(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Wrong: the neighbours are added up as they are."""
    total = alpha * _around(x, groups, n, Tensor.clone)
    return x / (k + total) ** beta


def others_only(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Wrong: a unit's own square is left out."""
    total = _around(x, groups, n, Tensor.square) - x.square()
    return x / (k + alpha * total) ** beta


def in_a_ring(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Wrong: the first map and the last are neighbours."""
    parts = x.square().unflatten(1, (groups, -1))
    total = sum(parts.roll(i, 2) for i in range(-(n // 2), n // 2 + 1))
    return x / (k + alpha * total.flatten(1, 2)) ** beta


def n_each_way(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Wrong: n neighbours on each side."""
    return normalise(x, groups, 2 * n + 1, k, alpha, beta)


def last_left_out(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Wrong: the upper end is not part of Python's range."""
    total = _around(x, groups, n, Tensor.square, last=0)
    return x / (k + alpha * total) ** beta


def multiplied(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Wrong: the bracket multiplies."""
    return normalise(x, groups, n, k, alpha, -beta)


def rooted(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Wrong: the exponent is forgotten."""
    return normalise(x, groups, n, k, alpha, 1.0)


def in_the_plane(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Wrong: neighbours in the picture, not in depth."""
    total = n * n * F.avg_pool2d(x.square(), n, stride=1, padding=n // 2)
    return x / (k + alpha * total) ** beta


def _around(
    x: Tensor, groups: int, n: int, of: Callable, last: int = 1
) -> Tensor:
    """The sum of a function of each map and of its neighbours."""
    parts = of(x).unflatten(1, (groups, -1))
    count, half = parts.shape[2], n // 2
    sums = [
        parts[:, :, max(0, i - half) : i + half + last].sum(2)
        for i in range(count)
    ]
    return torch.stack(sums, 2).flatten(1, 2)


# Question 3: dropout


def masks(draw: Random) -> Iterator[tuple]:
    """Draw values, the numbers that decide, a probability, and the mode."""
    for shape, p, training in (
        ((4, 7), 0.2, True),
        ((3, 5, 2), 0.7, True),
        ((2, 9), 0.05, True),
        ((5, 4), 0.35, False),
        ((3, 6), 0.5, True),
    ):
        chance = torch.tensor([draw.random() for _ in range(_size(shape))])
        if p == 0.5:
            chance[0] = p  # which is not below p
        yield numbers(draw, *shape), chance.view(shape), p, training


def _size(shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel()


def dropout(x: Tensor, chance: Tensor, p: float, training: bool) -> Tensor:
    """Torch's rule: what stays is divided by the chance to stay."""
    if not training:
        return x
    return torch.where(chance < p, torch.zeros_like(x), x / (1 - p))


def not_scaled(x, chance, p, training):
    """Wrong: what stays is as it was."""
    return torch.where(chance < p, 0 * x, x) if training else x


def scaled_at_test(x, chance, p, training):
    """Wrong here: the paper's way."""
    return not_scaled(x, chance, p, True) if training else x * (1 - p)


def kept_with_p(x, chance, p, training):
    """Wrong: p is taken for the chance to stay."""
    if not training:
        return x
    return torch.where(chance < p, x / p, 0 * x)


def other_side(x, chance, p, training):
    """Wrong: the other side of p, with the right factor."""
    if not training:
        return x
    return torch.where(chance < p, x / (1 - p), 0 * x)


def divided_by_p(x, chance, p, training):
    """Wrong: divided by the chance to go."""
    return not_scaled(x, chance, p, True) / p if training else x


def multiplied_by_stay(x, chance, p, training):
    """Wrong: the survivors shrink once more."""
    return not_scaled(x, chance, p, True) * (1 - p) if training else x


def always(x, chance, p, training):
    """Wrong: at test time too."""
    return dropout(x, chance, p, True)


# Question 4: windows, one a picture


def windows(draw: Random) -> Iterator[tuple]:
    """Draw pictures, corners, mirrors and the side of the window."""
    for (n, c, h, w), side in (
        ((5, 3, 9, 7), 4),
        ((4, 2, 6, 11), 6),
        ((7, 1, 8, 12), 5),
    ):
        room = min(h, w) - side  # so that swapped corners are corners too
        top = [draw.randint(0, room) for _ in range(n)]
        left = [draw.randint(0, room) for _ in range(n)]
        mirrored = [False, True, *(draw.random() < 0.5 for _ in range(n - 2))]
        images = numbers(draw, n, c, h, w)
        drawn = map(torch.tensor, (top, left, mirrored))
        yield (images, *drawn, side)


def cut(
    images: Tensor, top: Tensor, left: Tensor, mirrored: Tensor, side: int
) -> Tensor:
    """One picture after the other."""
    found = []
    for image, i, j, turn in zip(images, top, left, mirrored, strict=True):
        window = image[:, i : i + side, j : j + side]
        found.append(window.flip(2) if turn else window)
    return torch.stack(found)


def corners_swapped(images, top, left, mirrored, side):
    """Wrong: rows for columns."""
    return cut(images, left, top, mirrored, side)


def mirrored_first(images, top, left, mirrored, side):
    """Wrong: mirrored before it is cut, so the window lies elsewhere."""
    turned = mirrored[:, None, None, None]
    images = torch.where(turned, images.flip(3), images)
    return cut(images, top, left, torch.zeros_like(mirrored), side)


def upside_down(images, top, left, mirrored, side):
    """Wrong: turned over, top to bottom."""
    found = cut(images, top, left, torch.zeros_like(mirrored), side)
    return torch.where(mirrored[:, None, None, None], found.flip(2), found)


def all_mirrored(images, top, left, mirrored, side):
    """Wrong: every picture is mirrored."""
    return cut(images, top, left, torch.ones_like(mirrored), side)


def none_mirrored(images, top, left, mirrored, side):
    """Wrong: no picture is mirrored."""
    return cut(images, top, left, torch.zeros_like(mirrored), side)


def first_corner(images, top, left, mirrored, side):
    """Wrong: the first picture's window for all."""
    top, left = top[:1].expand_as(top), left[:1].expand_as(left)
    return cut(images, top, left, mirrored, side)


# Question 5: the network

UNIT = 255 / 4
"""Levels in one unit of what the network reads: 4 x - 2."""

ALPHA = 1e-4 * UNIT**2
GONE = 1 - 1e-12
"""A chance to go that leaves nothing, whatever is drawn."""


class Head(nn.Module):
    """What comes before the first layer."""

    def forward(self, x: Tensor) -> Tensor:
        """From shares of 255 to about -2 to 2."""
        return 4 * x - 2


class Norm(nn.Module):
    """The paper's normalisation, in the network's unit."""

    def __init__(self, groups: int, alpha: float = ALPHA) -> None:
        """Of so many groups."""
        super().__init__()
        self.groups, self.alpha = groups, alpha

    def forward(self, x: Tensor) -> Tensor:
        """Divide."""
        return normalise(x, self.groups, alpha=self.alpha)


class Always(nn.Dropout):
    """Wrong: drops in eval mode too."""

    def forward(self, x: Tensor) -> Tensor:
        """As F.dropout does when it is not told."""
        return F.dropout(x, self.p)


def network(
    width: int,
    groups: int = 2,
    norm: bool = False,
    dropout: float = 0.5,
    *,
    everywhere: bool = False,
    norm_groups: int | None = None,
    alpha: float = ALPHA,
    norm_last: bool = False,
    window: int = 3,
    padded: bool = True,
    last_relu: bool = True,
    before: tuple[bool, bool, bool] = (False, True, True),
    head: bool = True,
    always: bool = False,
    classes: int = 10,
) -> nn.Module:
    """The small AlexNet; what comes after the star makes wrong ones."""
    side = 2 if padded else 0
    cut = groups if everywhere else 1
    pool = nn.MaxPool2d(window, stride=2)

    def block(*layers: nn.Module) -> list[nn.Module]:
        if not norm:
            return [*layers, nn.ReLU(), pool]
        own = Norm(norm_groups or groups, alpha)
        end = [pool, own] if norm_last else [own, pool]
        return [*layers, nn.ReLU(), *end]

    def drop(place: int) -> list[nn.Module]:
        kind = Always if always else nn.Dropout
        return [kind(dropout)] if before[place] else []

    c = width
    relus = [nn.ReLU()] if last_relu else []
    return nn.Sequential(
        *([Head()] if head else []),
        *block(nn.Conv2d(3, c, 5, padding=side)),
        *block(nn.Conv2d(c, 2 * c, 5, padding=side, groups=groups)),
        nn.Conv2d(2 * c, 3 * c, 3, padding=1, groups=cut),
        nn.ReLU(),
        nn.Conv2d(3 * c, 3 * c, 3, padding=1, groups=groups),
        nn.ReLU(),
        nn.Conv2d(3 * c, 2 * c, 3, padding=1, groups=groups),
        nn.ReLU(),
        pool,
        nn.Flatten(),
        *drop(0),
        nn.LazyLinear(8 * c),
        *relus,
        *drop(1),
        nn.Linear(8 * c, 8 * c),
        *relus,
        *drop(2),
        nn.Linear(8 * c, classes),
    )


def variant(**changes: Any) -> Callable[..., nn.Module]:
    """A wrong network, made from the right one."""

    def wrong(width, groups=2, norm=False, dropout=0.5):
        return network(width, groups, norm, dropout, **changes)

    return wrong


def ungrouped(width, groups=2, norm=False, dropout=0.5):
    """Wrong: the groups are forgotten."""
    return network(width, 1, norm, dropout)


def not_normalised(width, groups=2, norm=False, dropout=0.5):
    """Wrong: the normalisation is forgotten."""
    return network(width, groups, False, dropout)


@dataclass(frozen=True)
class Small:
    """The probe for the network with its switches.

    Like `Builds`, it fills the weights from their shapes and returns the
    parameters and the output. It returns as well which dense layers still
    read something while the network trains with a dropout that leaves
    nothing behind it.
    """

    def __call__(self, answer: Any, draw: Random) -> list[dict[str, Any]]:
        """Build, fill and run a network for each case."""
        if not callable(answer):
            raise Unusable("a class or a function that makes a net is wanted")
        found = []
        for groups, norm in ((1, False), (2, False), (2, True), (4, True)):
            width = 4 * draw.randint(1, 2)
            images = numbers(draw, 2, 3, 24, 24).sigmoid().double()
            seed = draw.getrandbits(32)
            found.append(self._case(answer, width, groups, norm, images, seed))
        return found

    def _case(
        self,
        answer: Callable[..., Any],
        width: int,
        groups: int,
        norm: bool,
        images: Tensor,
        seed: int,
    ) -> dict[str, Any]:
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            net = answer(width, groups, norm, GONE)
            if not isinstance(net, nn.Module):
                raise Unusable(
                    f"called with {(width, groups, norm, GONE)}, it made no "
                    "nn.Module (is a `return` missing?)"
                )
            try:
                net.double().cpu().eval()(images)  # some wait for a shape
                fill(net, seed)
                output, read = self._read(net, images)
                _, left = self._read(net.train(), images)
            except NotImplementedError as error:
                if "yours" not in str(error):
                    raise
                raise Unusable(
                    f"with norm={norm} it calls your `{_raised_in(error)}`, "
                    "which is not written yet"
                ) from None
            alive = [float(size > 0) for size in left]
        return {
            "parameters": sum(p.numel() for p in net.parameters()),
            "output": output,
            "dense layers read": read,
            "read when all is dropped": alive,
        }

    def _read(
        self, net: nn.Module, images: Tensor
    ) -> tuple[Tensor, list[float]]:
        """The output, and the mean size of what each dense layer reads."""
        read: list[float] = []

        def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            read.append(inputs[0].abs().mean().item())

        dense = [part for part in net.modules() if isinstance(part, nn.Linear)]
        hooks = [layer.register_forward_pre_hook(look) for layer in dense]
        output = net(images)
        for hook in hooks:
            hook.remove()
        return output, read


def _raised_in(error: BaseException) -> str:
    """The name of the function that raised an error."""
    frame = error.__traceback__
    while frame.tb_next:
        frame = frame.tb_next
    return frame.tb_frame.f_code.co_name


# Question 6: ten crops


def photographs(draw: Random) -> Iterator[tuple[Tensor, int]]:
    """Draw pictures and a side; an odd rest tells where the middle is."""
    for shape, side in (((2, 3, 9, 7), 5), ((3, 1, 6, 10), 4)):
        yield numbers(draw, *shape), side


def crops(images: Tensor, side: int) -> Tensor:
    """Four corners and the middle, and the mirror image of each."""
    h, w = images.shape[2:]
    down, right = h - side, w - side
    corners = [(0, 0), (0, right), (down, 0), (down, right)]
    five = [
        images[:, :, i : i + side, j : j + side]
        for i, j in [*corners, (down // 2, right // 2)]
    ]
    return torch.stack(five + [crop.flip(3) for crop in five])


def only_five(images, side):
    """Wrong: the mirror images are missing."""
    return crops(images, side)[:5]


def upside_down_crops(images, side):
    """Wrong: mirrored top to bottom."""
    found = crops(images, side)
    return torch.cat([found[:5], found[:5].flip(3)])


def pictures_first(images, side):
    """Wrong: the crops are the second axis."""
    return crops(images, side).transpose(0, 1)


def no_middle(images, side):
    """Wrong: the middle is taken for the upper left corner."""
    found = crops(images, side)
    return found[[0, 1, 2, 3, 0, 5, 6, 7, 8, 5]]


def middle_of_side(images, side):
    """Wrong: the middle begins at half of the side."""
    found = crops(images, side)
    i = slice(side // 2, side // 2 + side)
    found[4] = images[:, :, i, i]
    found[9] = found[4].flip(3)
    return found


@dataclass(frozen=True)
class AnyOrder:
    """The probe for a set of pictures: sorted, pixel by pixel."""

    inputs: Callable[[Random], Iterator[tuple]]

    def __call__(self, answer: Any, draw: Random) -> list:
        """Call the answer, and forget the order of its first axis."""
        results = Calls(self.inputs)(answer, draw)
        return [self._sorted(crops) for crops in results]

    def _sorted(self, crops: Any) -> Tensor | None:
        if crops is None:
            return None
        try:
            if not isinstance(crops, Tensor):
                crops = torch.stack(list(crops))
            return crops.sort(0).values
        except (TypeError, RuntimeError):
            raise Unusable(
                "one tensor with ten crops of one shape is wanted"
            ) from None


# Question 7: an ensemble


def members(draw: Random) -> Iterator[tuple[Tensor]]:
    """Draw the logits of several networks, some of them very sure."""
    for shape, size in (((3, 5, 4), 2.0), ((2, 7, 10), 4.0), ((4, 6, 3), 3e3)):
        yield (size * numbers(draw, *shape).double(),)


def ensemble(logits: Tensor) -> Tensor:
    """The mean of the members' probabilities."""
    each = logits - logits.logsumexp(2, keepdim=True)
    return each.exp().mean(0)


def of_logits(logits):
    """Wrong here: the softmax of the mean of the logits."""
    return logits.mean(0).softmax(1)


def of_sum(logits):
    """Wrong: the softmax of the sum, which multiplies probabilities."""
    return logits.sum(0).softmax(1)


def over_pictures(logits):
    """Wrong: the softmax over the pictures."""
    return logits.softmax(1).mean(0)


def over_members(logits):
    """Wrong: the softmax over the members."""
    return logits.softmax(0).mean(0)


def added(logits):
    """Wrong: the sum of the members."""
    return logits.softmax(2).sum(0)


def votes(logits):
    """Wrong here: a vote each."""
    return F.one_hot(logits.argmax(2), logits.shape[2]).double().mean(0)


def means(logits):
    """Wrong: the mean of the logits, which are no probabilities."""
    return logits.mean(0)


def said(logits):
    """Wrong: the class, not the probabilities."""
    return ensemble(logits).argmax(1)


QUESTIONS = (
    Question(
        id="lab-alexnet.q1",
        title="a layer on several cards",
        name="grouped",
        points=3,
        reference=grouped,
        probe=Ungrouped(cuts),
        hints=(
            (
                channels_dealt,
                "a group reads channels that stand side by side, not every "
                "second one.",
            ),
            (
                maps_dealt,
                "the maps of the first group come first, then those of the "
                "second.",
            ),
            (
                first_channels,
                "each group reads channels of its own; here all read the "
                "first.",
            ),
            (
                first_kernels,
                "each group has kernels and biases of its own; here all use "
                "the first.",
            ),
            (
                every_kernel,
                "each group has its own K / groups kernels; here every group "
                "uses all of them.",
            ),
            (
                added_up,
                "the groups' maps stand side by side; they are not added.",
            ),
            (without_bias, "the bias of each kernel is missing."),
            (unpadded, "hand the padding on to each convolution."),
        ),
        otherwise="Print the shapes of what each group reads and makes.",
    ),
    Question(
        id="lab-alexnet.q2",
        title="local response normalisation, as the paper defines it",
        name="local_norm",
        points=3,
        reference=normalise,
        probe=Calls(maps),
        hints=(
            (
                of_mean,
                "the paper's alpha multiplies the sum of the squares; here "
                "it is divided by n, as inside torch's layer.",
            ),
            (
                as_in_torch,
                "torch's layer differs twice: its alpha is divided by n, and "
                "it knows nothing of groups.",
            ),
            (
                across,
                "a map's neighbours are on its own card: the sum must not "
                "cross from one group into the next.",
            ),
            (without_squares, "it is the squares that are summed."),
            (others_only, "the unit's own square belongs to the sum."),
            (
                in_a_ring,
                "the first map has no neighbour before it: do not wrap "
                "around.",
            ),
            (
                n_each_way,
                "n maps in all: n // 2 before, the map itself, n // 2 after.",
            ),
            (
                last_left_out,
                "the sum includes its upper end; Python's slices do not.",
            ),
            (multiplied, "the bracket divides."),
            (rooted, "the exponent beta is missing."),
            (
                in_the_plane,
                "the neighbours are other maps at the same pixel, not other "
                "pixels.",
            ),
        ),
        otherwise="Try a single pixel with five maps by hand.",
    ),
    Question(
        id="lab-alexnet.q3",
        title="dropout that keeps the mean",
        name="dropout",
        points=2,
        reference=dropout,
        probe=Calls(masks),
        hints=(
            (
                not_scaled,
                "what stays must grow, so that the mean over all draws is x "
                "itself.",
            ),
            (
                scaled_at_test,
                "that is the paper's way, which shrinks at test time; here "
                "the survivors grow while training.",
            ),
            (
                kept_with_p,
                "p is the chance to be dropped, not the chance to stay.",
            ),
            (
                other_side,
                "a value goes where its number is below p, and stays "
                "elsewhere.",
            ),
            (
                divided_by_p,
                "divide by the chance to stay; p is the chance to go. At "
                "one half nobody sees the difference.",
            ),
            (
                multiplied_by_stay,
                "the survivors must grow, and you made them smaller: divide.",
            ),
            (always, "when training is False, x comes back as it is."),
        ),
        otherwise="What is the mean of one value over all draws?",
    ),
    Question(
        id="lab-alexnet.q4",
        title="a window of its own for every picture",
        name="cut",
        points=2,
        reference=cut,
        probe=Calls(windows),
        hints=(
            (corners_swapped, "top counts rows, left counts columns: swap."),
            (
                mirrored_first,
                "cut first, then mirror: the other way round the window "
                "lies elsewhere.",
            ),
            (
                upside_down,
                "mirror left to right, along the last axis; this stands on "
                "its head.",
            ),
            (all_mirrored, "only the pictures that are marked are mirrored."),
            (none_mirrored, "the marked pictures are not mirrored."),
            (
                first_corner,
                "each picture has a corner of its own; here all use the "
                "first.",
            ),
        ),
        otherwise="Try it on torch.arange(...) in the shape of a picture.",
    ),
    Question(
        id="lab-alexnet.q5",
        title="a small AlexNet with switches",
        name="small_alexnet",
        points=3,
        reference=network,
        probe=Small(),
        hints=(
            (ungrouped, "`groups` must reach conv2, conv4 and conv5."),
            (
                variant(everywhere=True),
                "conv3 reads the maps of both cards: no groups there.",
            ),
            (not_normalised, "with norm=True the normalisation is missing."),
            (
                variant(norm_groups=1),
                "hand `groups` to the normalisation too: neighbours are on "
                "the same card.",
            ),
            (
                variant(norm_last=True),
                "the normalisation comes before the pooling.",
            ),
            (
                variant(alpha=ALPHA / 5),
                "your network is right; its normalisation divides alpha by "
                "n: see question 2.",
            ),
            (
                variant(window=2),
                "the poolings overlap: windows of 3, stride 2.",
            ),
            (
                variant(last_relu=False),
                "there is a ReLU after fc6 and after fc7 as well.",
            ),
            (
                variant(before=(False, False, False)),
                "while it trains with a `dropout` near 1, every value still "
                "gets through: hand it to a layer behind fc6 and one behind "
                "fc7.",
            ),
            (
                variant(before=(True, True, False)),
                "what is dropped is the output of fc6 and of fc7, not what "
                "fc6 reads; that is a later network.",
            ),
            (
                variant(before=(False, False, True)),
                "the output of fc6 is dropped too.",
            ),
            (
                variant(before=(False, True, False)),
                "the output of fc7 is dropped too.",
            ),
            (
                variant(always=True),
                "in eval mode nothing is dropped; F.dropout must be told "
                "(training=self.training).",
            ),
            (
                variant(head=False),
                "the first layer reads 4 x - 2: begin with `Centre()`.",
            ),
        ),
        otherwise="Print the network, and compare it with the table.",
    ),
    Question(
        id="lab-alexnet.q6",
        title="ten views of a picture",
        name="ten_crops",
        points=1,
        reference=crops,
        probe=AnyOrder(photographs),
        hints=(
            (only_five, "the five mirror images are missing."),
            (upside_down_crops, "mirror left to right, the last axis."),
            (pictures_first, "the ten crops are the first axis: (10, N, …)."),
            (
                no_middle,
                "the fifth crop is the middle one; here it is a corner again.",
            ),
            (
                middle_of_side,
                "the middle begins at half of what is left over, not at half "
                "of the side.",
            ),
        ),
        otherwise="Draw the five windows into a picture of 6 × 10.",
    ),
    Question(
        id="lab-alexnet.q7",
        title="what the members say together",
        name="ensemble",
        points=2,
        reference=ensemble,
        probe=Calls(members),
        hints=(
            (
                of_logits,
                "that is the mean of the logits, a geometric mean: here each "
                "member's probabilities are wanted first.",
            ),
            (
                of_sum,
                "adding logits multiplies the members' probabilities; here "
                "each member's softmax comes first, then the mean.",
            ),
            (
                over_pictures,
                "the softmax runs over the classes, the last axis; yours "
                "over the pictures.",
            ),
            (
                over_members,
                "the softmax runs over the classes, the last axis; yours "
                "over the members.",
            ),
            (added, "the mean, not the sum: probabilities add up to one."),
            (
                votes,
                "that is a vote: a member that is sure must count for more "
                "than one that is not.",
            ),
            (means, "logits are no probabilities: the softmax is missing."),
            (said, "the probabilities are wanted, not the class."),
        ),
        otherwise="Do it by hand for one picture and two members.",
    ),
)

WRITTEN = (
    Written(
        id="lab-alexnet.w1",
        title="What the table says, and what it cannot",
        rubric=(
            (
                1,
                "one line that differs from the first by more than the "
                "seeds do, and one that does not, both with the figures of "
                "the student's own table",
            ),
            (
                1,
                "whether the effects of dropout and of augmentation add up, "
                "from the line that lacks both; or why single changes "
                "cannot show it",
            ),
            (
                1,
                "two reasons why the lines need not hold for the paper's "
                "network: its width, its pictures, the length of the "
                "training, rates chosen anew for each line",
            ),
            (
                1,
                "a mean helps where members err on different pictures, with "
                "the figures: what both get wrong is far more than chance "
                "would have it, and stays; copies gain nothing",
            ),
        ),
    ),
)
