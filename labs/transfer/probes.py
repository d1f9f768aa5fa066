"""The questions of the lab on transfer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnbook.exercises import Calls, Question, Unusable, Written
from cnnbook.probing import fill, numbers


def wanted(answer: Any) -> None:
    """Refuse what cannot be called."""
    if not callable(answer):
        raise Unusable(
            "a function is wanted here: give the function itself, without "
            "calling it"
        )


class Shared(list):
    """A list that a copy of its owner writes to as well."""

    def __deepcopy__(self, memo: dict) -> Shared:
        """Return the list itself."""
        return self


class Block(nn.Module):
    """A small body: two convolutions with batch norm, then the mean."""

    def __init__(self, reads: int, maps: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(reads, maps, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(maps)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(maps, maps + 1, 2)
        self.sizes = Shared()

    def forward(self, x: Tensor) -> Tensor:
        """Note how many pictures came, and return a row for each."""
        self.sizes.append(len(x))
        x = self.dropout(F.relu(self.norm(self.conv1(x))))
        return self.conv2(x).mean((2, 3))


# Question 1: what the weights expect


def pictures(draw: Random) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Draw bytes, shares of 1, and a picture so dark that it has no 2."""
    for shape, top in (((4, 3, 5, 6), 255), ((2, 3, 7, 3), 1)):
        count = shape[0] * shape[1] * shape[2] * shape[3]
        values = [draw.randint(0, top) for _ in range(count)]
        yield (
            torch.tensor(values, dtype=torch.uint8).view(shape),
            0.3 + 0.3 * numbers(draw, 3).sigmoid(),
            0.1 + 0.3 * numbers(draw, 3).sigmoid(),
        )
    shares = numbers(draw, 3, 3, 4, 5).sigmoid()
    yield shares, torch.tensor([0.5, 0.4, 0.3]), numbers(draw, 3).exp()


def prepare(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Each channel by itself: to shares of 1, less its mean, by its std."""
    if images.dtype == torch.uint8:
        images = images.to(mean.dtype) / 255
    channels = [
        (images[:, c] - mean[c].item()) / std[c].item() for c in range(3)
    ]
    return torch.stack(channels, dim=1)


def never_scaled(images, mean, std):
    """Wrong: bytes as they come."""
    return prepare(images.to(mean.dtype), mean, std)


def always_scaled(images, mean, std):
    """Wrong: shares of 1 are divided once more."""
    return prepare(images / 255, mean, std)


def by_the_largest(images, mean, std):
    """Wrong: whether these are bytes is guessed from their values."""
    shares = images / 255 if images.max() > 1 else images.to(mean.dtype)
    return prepare(shares, mean, std)


def own_numbers(images, mean, std):
    """Wrong: the batch's own mean and spread."""
    shares = prepare(images, torch.zeros_like(mean), torch.ones_like(std))
    own = shares.mean((0, 2, 3)), shares.std((0, 2, 3))
    return prepare(shares, *own)


def no_spread(images, mean, std):
    """Wrong: the mean alone."""
    return prepare(images, mean, torch.ones_like(std))


def scaled_only(images, mean, std):
    """Wrong: from 0 to 1, and no further."""
    return prepare(images, torch.zeros_like(mean), torch.ones_like(std))


# Question 2: features


@dataclass(frozen=True)
class Extracts:
    """The probe for a function that runs a body over many pictures.

    Beside the features it returns what the function did to the network.
    """

    cases: tuple[tuple[int, int, int, bool], ...] = (
        (11, 4, 3, True),
        (7, 7, 5, False),
        (9, 2, 4, True),
    )

    def __call__(self, answer: Any, draw: Random) -> list[dict[str, Any]]:
        """Give each case a body of its own, in either mode."""
        wanted(answer)
        found = []
        for count, batch, maps, training in self.cases:
            body = fill(Block(3, maps, 0.0), draw.getrandbits(32))
            body.train(training)
            before = [values.clone() for values in body.buffers()]
            images = numbers(draw, count, 3, 6, 5)
            features = answer(body, images, batch)
            if not isinstance(features, Tensor):
                raise Unusable("one tensor of features is wanted")
            moved = [
                (new - old).abs().sum().item()
                for new, old in zip(body.buffers(), before, strict=True)
            ]
            found.append(
                {
                    "features": features,
                    "pictures above the batch": max(
                        0, max(body.sizes, default=0) - batch
                    ),
                    "statistics moved by": moved,
                    "kept for a way back": features.requires_grad,
                    "training mode after": [
                        int(part.training) for part in body.modules()
                    ],
                }
            )
        return found


def features(body: nn.Module, images: Tensor, batch: int = 64) -> Tensor:
    """A copy does the work, picture by picture; the body is not touched."""
    still = copy.deepcopy(body).eval().requires_grad_(False)
    return torch.cat([still(image[None]) for image in images])


def in_training_mode(body, images, batch=64):
    """Wrong: the mode that the body happens to be in."""
    with torch.no_grad():
        return torch.cat([body(part) for part in images.split(batch)])


def with_gradients(body, images, batch=64):
    """Wrong: autograd keeps every map."""
    mode = body.training
    body.eval()
    found = torch.cat([body(part) for part in images.split(batch)])
    body.train(mode)
    return found


def all_at_once(body, images, batch=64):
    """Wrong: one batch of everything."""
    with torch.no_grad():
        return with_gradients(body, images, len(images))


def mode_lost(body, images, batch=64):
    """Wrong: the body stays in evaluation mode."""
    with torch.no_grad():
        found = with_gradients(body, images, batch)
    body.eval()
    return found


def mode_forced(body, images, batch=64):
    """Wrong: the body is put into training mode, whatever it was in."""
    with torch.no_grad():
        found = with_gradients(body, images, batch)
    body.train()
    return found


def only_detached(body, images, batch=64):
    """Wrong: training mode, and the result cut loose."""
    return torch.cat([body(part).detach() for part in images.split(batch)])


# Question 3: a linear head in closed form


def rows(draw: Random) -> Iterator[tuple[Tensor, Tensor, int, float]]:
    """Draw features far from 0; more than numbers in each, and fewer."""
    for count, size, classes, strength in (
        (14, 5, 3, 0.01),
        (6, 9, 4, 0.1),
        (17, 4, 5, 0.03),
    ):
        x = 2 + numbers(draw, count, size) * numbers(draw, size).exp()
        labels = [draw.randrange(classes - 1) for _ in range(count)]
        yield x, torch.tensor(labels), classes, strength


Head = tuple[Tensor, Tensor]


def by_elimination(
    x: Tensor, y: Tensor, penalty: float, centred: bool = True
) -> Head:
    """Gauss's way, in plain numbers: the same to the last bit each time."""
    rows, wanted_rows = x.tolist(), y.tolist()
    x_mean = [_mean(column) * centred for column in zip(*rows, strict=True)]
    y_mean = [
        _mean(column) * centred for column in zip(*wanted_rows, strict=True)
    ]
    rows = [_less(row, x_mean) for row in rows]
    wanted_rows = [_less(row, y_mean) for row in wanted_rows]
    size = len(x_mean)
    system = [
        [
            sum(row[i] * row[j] for row in rows) + penalty * (i == j)
            for j in range(size)
        ]
        + [
            sum(r[i] * w[c] for r, w in zip(rows, wanted_rows, strict=True))
            for c in range(len(y_mean))
        ]
        for i in range(size)
    ]
    for i in range(size):
        pivot = system[i][i]
        system[i] = [number / pivot for number in system[i]]
        for j in range(size):
            if j != i:
                taken = system[j][i]
                pairs = zip(system[j], system[i], strict=True)
                system[j] = [a - taken * b for a, b in pairs]
    columns = list(zip(*system, strict=True))[size:]
    bias = [
        middle - sum(w * m for w, m in zip(weights, x_mean, strict=True))
        for middle, weights in zip(y_mean, columns, strict=True)
    ]
    return x.new_tensor(columns), x.new_tensor(bias)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _less(values: Sequence[float], others: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(values, others, strict=True)]


def _squares(x: Tensor, centred: bool = True) -> float:
    """Return the sum of all squares, the trace of XᵀX."""
    columns = zip(*x.tolist(), strict=True)
    return sum(
        (value - _mean(column) * centred) ** 2
        for column in columns
        for value in column
    )


def targets(x: Tensor, labels: Tensor, classes: int) -> Tensor:
    """1 for the class of a row, 0 for the others."""
    return torch.eye(classes, dtype=x.dtype)[labels]


def ridge(x: Tensor, labels: Tensor, classes: int, strength: float) -> Head:
    """The linear head of least squared error, its weights held small."""
    penalty = strength * _squares(x)
    return by_elimination(x, targets(x, labels, classes), penalty)


def not_centred(x, labels, classes, strength):
    """Wrong: no mean taken off, no bias."""
    penalty = strength * _squares(x, centred=False)
    return by_elimination(x, targets(x, labels, classes), penalty, False)


def bias_is_the_mean(x, labels, classes, strength):
    """Wrong: the bias forgets where the features' mean was."""
    weights, _ = ridge(x, labels, classes, strength)
    return weights, targets(x, labels, classes).mean(0)


def strength_alone(x, labels, classes, strength):
    """Wrong: the penalty has a unit."""
    return by_elimination(x, targets(x, labels, classes), strength)


def mean_squares(x, labels, classes, strength):
    """Wrong: the trace of the covariance, and not that of the sum."""
    return ridge(x, labels, classes, strength / len(x))


def transposed(x, labels, classes, strength):
    """Wrong: a column for each class."""
    weights, bias = ridge(x, labels, classes, strength)
    return weights.T, bias


def plus_and_minus(x, labels, classes, strength):
    """Wrong: other targets, 1 and -1."""
    penalty = strength * _squares(x)
    return by_elimination(x, 2 * targets(x, labels, classes) - 1, penalty)


# Question 4: frozen, and still


def trained(answer: Any, draw: Random) -> list[dict[str, Any]]:
    """Take two steps with a frozen body below a head that learns.

    What is returned is what moved, and what the body said meanwhile.
    """
    wanted(answer)
    found = []
    for maps, decay in ((3, 0.0), (5, 0.1)):
        seed = draw.getrandbits(32)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            body = fill(Block(2, maps, 0.5), seed).train()
            frozen = answer(body)
            if not isinstance(frozen, nn.Module):
                raise Unusable("it gave back no nn.Module")
            head = fill(nn.Linear(maps + 1, 3), seed)
            net = nn.Sequential(frozen, head)
            before = _numbers_of(frozen)
            with torch.no_grad():  # before any mode is told
                new = frozen(3 + numbers(draw, 4, 2, 5, 4))
            learn = [p for p in net.parameters() if p.requires_grad]
            optimiser = torch.optim.SGD(learn, lr=0.1, weight_decay=decay)
            for _ in range(2):  # the beginning of two epochs
                net.eval()
                net.train()
                x = 3 + numbers(draw, 6, 2, 5, 4)
                y = torch.tensor([draw.randrange(3) for _ in range(6)])
                optimiser.zero_grad()
                F.cross_entropy(net(x), y).backward()
                optimiser.step()
            with torch.no_grad():
                after = _numbers_of(frozen)
                some = frozen(x[:4])
        moved = [(after[i] - before[i]).abs().sum().item() for i in (0, 1)]
        found.append(
            {
                "parameters that ask for a gradient": sum(
                    p.numel() for p in frozen.parameters() if p.requires_grad
                ),
                "parameters moved by": moved[0],
                "statistics moved by": moved[1],
                "features of four pictures": some,
                "features at once": new,
                "the head's weights": head.weight,
            }
        )
    return found


def _numbers_of(net: nn.Module) -> tuple[Tensor, Tensor]:
    """Return all parameters and all buffers, each in one row."""
    return tuple(
        torch.cat(
            [
                torch.zeros(1).double(),
                *(values.detach().double().flatten() for values in part),
            ]
        )
        for part in (net.parameters(), net.buffers())
    )


class Still(nn.Module):
    """A body that stands still, whatever mode it is told."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        """Say what the body says."""
        return self.body(x)

    def train(self, mode: bool = True) -> Still:
        """Stay in evaluation mode."""
        return super().train(False)


def no_gradients(body):
    """Wrong: the trap itself."""
    return body.eval().requires_grad_(False)


def mode_alone(body):
    """Wrong: still, but not frozen."""
    return Still(body).requires_grad_(True)


class NoGraph(Still):
    """Wrong: no gradient arrives, but all are asked for."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__(body)
        self.requires_grad_(True)

    def forward(self, x: Tensor) -> Tensor:
        """Say what the body says, to nobody's use below."""
        with torch.no_grad():
            return self.body(x)


class NormsStill(nn.Module):
    """Wrong: the dropouts are on."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Say what the body says."""
        return self.body(x)

    def train(self, mode: bool = True) -> NormsStill:
        """Hold the batch norms alone."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self


def no_momentum(body):
    """Wrong: the statistics stand still, but nobody looks at them."""
    for part in body.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 0.0
    return body.requires_grad_(False)


# Question 5: groups of parameters


NOWHERE = {"groups it is in": 0, "rate": 0.0, "decay": 0.0}


def rated(answer: Any, draw: Random) -> list[dict[str, Any]]:
    """Return the rate and the decay that each parameter would get."""
    wanted(answer)
    found = []
    for frozen in (None, "conv1", ""):
        body = Block(draw.randint(1, 4), draw.randint(2, 5))
        head: nn.Module = nn.Linear(3, 2)
        if frozen is None:
            head = nn.Sequential(nn.LayerNorm(3), nn.ReLU(), head)
        else:
            for name, values in body.named_parameters():
                values.requires_grad_(not name.startswith(frozen))
        net = nn.Sequential(body, head)
        rate = draw.choice((0.1, 0.02, 0.003))
        factor = draw.choice((0.5, 0.1, 0.01))
        decay = draw.choice((0.05, 0.2, 0.0007))
        groups = list(answer(net, rate, factor, decay))
        optimiser = torch.optim.AdamW(groups, lr=7.0, weight_decay=7.0)
        given = {
            id(values): {
                "groups it is in": 1,  # the optimiser refuses more
                "rate": group["lr"],
                "decay": group["weight_decay"],
            }
            for group in optimiser.param_groups
            for values in group["params"]
        }
        found.append(
            {
                name: given.pop(id(values), dict(NOWHERE))
                for name, values in net.named_parameters()
            }
            | {"parameters from elsewhere": len(given)}
        )
    return found


def groups_by(
    choose: Callable[[str, Tensor, float, float, float], tuple | None],
) -> Callable:
    """Make an answer that gives every parameter a group of its own."""

    def groups(net, rate, factor, decay):
        made = []
        for name, values in net.named_parameters():
            chosen = choose(name, values, rate, factor, decay)
            if chosen:
                lr, weight_decay = chosen
                made.append(
                    {
                        "params": [values],
                        "lr": lr,
                        "weight_decay": weight_decay,
                    }
                )
        return made

    return groups


def _right(name, values, rate, factor, decay):
    if not values.requires_grad:
        return None
    below = name.startswith("0.")
    return rate * factor if below else rate, decay * (values.dim() > 1)


def _frozen_too(name, values, rate, factor, decay):
    below = name.startswith("0.")
    return rate * factor if below else rate, decay * (values.dim() > 1)


def _decay_for_all(name, values, rate, factor, decay):
    found = _right(name, values, rate, factor, decay)
    return found and (found[0], decay)


def _upside_down(name, values, rate, factor, decay):
    found = _right(name, values, rate, factor, decay)
    below = name.startswith("0.")
    return found and (rate if below else rate * factor, found[1])


def _one_rate(name, values, rate, factor, decay):
    found = _right(name, values, rate, factor, decay)
    return found and (rate, found[1])


def _by_the_name(name, values, rate, factor, decay):
    found = _right(name, values, rate, factor, decay)
    return found and (found[0], 0 if "bias" in name else decay)


def _rows_forgotten(name, values, rate, factor, decay):
    return values.dim() > 1 and _right(name, values, rate, factor, decay)


groups = groups_by(_right)
frozen_too = groups_by(_frozen_too)
decay_for_all = groups_by(_decay_for_all)
upside_down = groups_by(_upside_down)
one_rate = groups_by(_one_rate)
by_the_name = groups_by(_by_the_name)
rows_forgotten = groups_by(_rows_forgotten)


# Question 6: k of each class


def draws(answer: Any, draw: Random) -> list[dict[str, Any]]:
    """Return what many draws from shuffled labels have in common."""
    wanted(answer)
    found = []
    for sizes, k in (((7, 9, 6), 2), ((8, 3, 5, 6), 4), ((4, 6), 1)):
        names = draw.sample(range(20), len(sizes))
        labels = [
            name
            for name, size in zip(names, sizes, strict=True)
            for _ in range(size)
        ]
        draw.shuffle(labels)
        labels, seed = torch.tensor(labels), draw.randrange(10**6)

        def drawn(k, seed, labels=labels):
            some = torch.as_tensor(answer(labels, k, seed)).flatten()
            if some.is_floating_point() or some.dtype == torch.bool:
                raise Unusable("indices are wanted: whole numbers")
            if any(not 0 <= i < len(labels) for i in some.tolist()):
                raise Unusable(
                    f"of {len(labels)} labels, there are no indices "
                    f"{some.tolist()}"
                )
            return some.tolist()

        before = torch.random.get_rng_state()
        first, larger = drawn(k, seed), drawn(k + 1, seed)
        many = [drawn(k, seed + i) for i in range(90)]
        after = torch.random.get_rng_state()
        torch.random.set_rng_state(before)
        chosen = labels[first].tolist()
        found.append(
            {
                "of each class": {n: chosen.count(n) for n in sorted(names)},
                "different pictures": len(set(first)),
                "the same seed again": len(set(first) & set(drawn(k, seed))),
                "kept by a larger k": len(set(first) & set(larger)),
                "pictures ever drawn": len({i for some in many for i in some}),
                "torch's own generator moved": not torch.equal(before, after),
            }
        )
    return found


def few(labels: Tensor, k: int, seed: int) -> list[int]:
    """Shuffle the pictures of each class, and take from the front."""
    shuffle, found = Random(seed), []
    for name in labels.unique().tolist():
        mine = [i for i, label in enumerate(labels.tolist()) if label == name]
        shuffle.shuffle(mine)
        found += mine[:k]
    return found


def first_ones(labels, k, seed):
    """Wrong: always the same ones."""
    found = [(labels == name).nonzero()[:k, 0] for name in labels.unique()]
    return torch.cat(found)


def with_repeats(labels, k, seed):
    """Wrong: a picture may come twice."""
    shuffle, found = Random(seed), []
    for name in labels.unique().tolist():
        mine = (labels == name).nonzero()[:, 0].tolist()
        found += shuffle.choices(mine, k=k)
    return found


def any_of_them(labels, k, seed):
    """Wrong: as many in all, but not of each class."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    return order[: k * len(labels.unique())]


def not_nested(labels, k, seed):
    """Wrong: another k, another draw."""
    return few(labels, k, 1000 * seed + k)


def unseeded(labels, k, seed):
    """Wrong: the seed is not used."""
    return few(labels, k, int(torch.randint(10**9, ())))


def global_seed(labels, k, seed):
    """Wrong: everybody's generator is set."""
    torch.manual_seed(seed)
    order = torch.randperm(len(labels))
    found = [order[labels[order] == name][:k] for name in labels.unique()]
    return torch.cat(found)


# Question 7: the nearest mean


def clouds(draw: Random) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Draw classes of different sizes, and what is to be named."""
    for sizes, size in (((3, 6, 4), 5), ((1, 1, 1, 1, 1), 3), ((9, 2), 4)):
        names = draw.sample(range(30), len(sizes))
        labels = [
            name
            for name, count in zip(names, sizes, strict=True)
            for _ in range(count)
        ]
        draw.shuffle(labels)
        middle = {name: 1 + 1.5 * numbers(draw, size) for name in names}
        x = [middle[name] + numbers(draw, size) for name in labels]
        queries = 1 + 2 * numbers(draw, 40, size)
        yield torch.stack(x), torch.tensor(labels), queries


def nearest_mean(x: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
    """Name each query after the class whose mean is nearest."""
    names = sorted(set(labels.tolist()))
    means = {name: x[labels == name].mean(0) for name in names}
    return torch.tensor(
        [
            min(names, key=lambda name: (row - means[name]).norm().item())
            for row in queries
        ]
    )


def nearest_one(x, labels, queries):
    """Wrong: the nearest single picture."""
    return labels[torch.cdist(queries, x).argmin(1)]


def largest_product(x, labels, queries):
    """Wrong: long means win."""
    names = labels.unique()
    means = torch.stack([x[labels == name].mean(0) for name in names])
    return names[(queries @ means.T).argmax(1)]


def nearest_sum(x, labels, queries):
    """Wrong: sums grow with the class."""
    names = labels.unique()
    sums = torch.stack([x[labels == name].sum(0) for name in names])
    return names[torch.cdist(queries, sums).argmin(1)]


def places(x, labels, queries):
    """Wrong: the number of the mean, and not the class's label."""
    names = labels.unique().tolist()
    said = nearest_mean(x, labels, queries).tolist()
    return [names.index(name) for name in said]


QUESTIONS = (
    Question(
        id="lab-transfer.q1",
        title="what the weights expect",
        name="prepare",
        points=2,
        reference=prepare,
        probe=Calls(pictures),
        hints=(
            (
                never_scaled,
                "bytes run to 255, and mean and std are of shares of 1: "
                "divide bytes first.",
            ),
            (
                always_scaled,
                "what is no byte is a share of 1 already: divide bytes only.",
            ),
            (
                by_the_largest,
                "a dark picture of bytes may hold nothing above 1: ask the "
                "dtype, not the values.",
            ),
            (
                own_numbers,
                "take the mean and the std that are given: the weights know "
                "those of their own pictures, not of yours.",
            ),
            (no_spread, "the division by std is missing."),
            (
                scaled_only,
                "that ends between 0 and 1; then comes what the weights saw: "
                "less the mean, divided by std.",
            ),
        ),
        otherwise="`mean[:, None, None]` lies along the channels.",
    ),
    Question(
        id="lab-transfer.q2",
        title="features, without a trace",
        name="features",
        points=3,
        reference=features,
        probe=Extracts(),
        hints=(
            (
                in_training_mode,
                "in training mode batch norm measures a picture by its "
                "neighbours, and its statistics move: evaluation mode first.",
            ),
            (
                only_detached,
                "in training mode batch norm measures a picture by its "
                "neighbours, and its statistics move: evaluation mode first.",
            ),
            (
                with_gradients,
                "the features still hang on every map below them, for a way "
                "back that never comes: torch.no_grad().",
            ),
            (
                all_at_once,
                "at most `batch` pictures at a time; all at once do not fit "
                "into a GPU.",
            ),
            (
                mode_lost,
                "the body was in training mode and comes back in another: "
                "note its `training` first, set it again at the end.",
            ),
            (
                mode_forced,
                "the body was in evaluation mode and comes back in another: "
                "note its `training` first, set it again at the end.",
            ),
        ),
        otherwise="One row of features for each picture, in their order.",
    ),
    Question(
        id="lab-transfer.q3",
        title="a head in closed form",
        name="ridge",
        points=3,
        reference=ridge,
        probe=Calls(rows),
        hints=(
            (
                not_centred,
                "take the means off x and y first; the bias puts them back.",
            ),
            (
                bias_is_the_mean,
                "the bias is the mean of y less what the weights say of the "
                "mean of x.",
            ),
            (
                strength_alone,
                "λ is `strength` times the trace, so that features a "
                "hundred times larger are not held a hundred times less.",
            ),
            (
                mean_squares,
                "the trace is that of XᵀX, a sum over pictures, not a mean.",
            ),
            (transposed, "a row of weights for each class: transpose."),
            (
                plus_and_minus,
                "the target is 1 for the class of a picture and 0, not -1, "
                "for the others.",
            ),
        ),
        otherwise="Try it with one feature and two classes, by hand.",
    ),
    Question(
        id="lab-transfer.q4",
        title="frozen, and still",
        name="still",
        points=3,
        reference=Still,
        probe=trained,
        hints=(
            (
                no_gradients,
                "no gradient moves a running mean: at each `net.train()` the "
                "body is back in training mode, and must not be.",
            ),
            (
                mode_alone,
                "evaluation mode stops no gradient: its parameters still "
                "learn.",
            ),
            (
                NoGraph,
                "nothing moves, but its parameters still ask for gradients: "
                "set requires_grad to False.",
            ),
            (
                NormsStill,
                "its batch norms stand still and its dropouts do not: the "
                "whole body belongs in evaluation mode.",
            ),
            (
                no_momentum,
                "the statistics stand still, but in training mode nobody "
                "uses them: each picture is still measured by its batch.",
            ),
        ),
        otherwise="Nothing of it may move, nor depend on the batch.",
    ),
    Question(
        id="lab-transfer.q5",
        title="a rate for the body, another for the head",
        name="groups",
        points=2,
        reference=groups,
        probe=rated,
        tolerance=1e-9,
        hints=(
            (
                frozen_too,
                "what asks for no gradient belongs in no group.",
            ),
            (
                decay_for_all,
                "biases, and batch norm's scales and shifts, get no decay: "
                "all that has one dimension.",
            ),
            (
                by_the_name,
                "batch norm's scale is called `weight`: go by the number of "
                "dimensions, not by the name.",
            ),
            (
                upside_down,
                "the head is new and has the whole way before it: the body "
                "is the slow one.",
            ),
            (one_rate, "the body learns at rate times factor."),
            (
                rows_forgotten,
                "what gets no decay still learns: it needs a group too.",
            ),
        ),
        otherwise="Every parameter that learns, in exactly one group.",
    ),
    Question(
        id="lab-transfer.q6",
        title="k of each class",
        name="few",
        points=2,
        reference=few,
        probe=draws,
        hints=(
            (first_ones, "another seed must give another draw."),
            (with_repeats, "no picture twice in one draw."),
            (any_of_them, "k of *each* class."),
            (
                not_nested,
                "with the same seed, a larger k must keep the pictures of a "
                "smaller one: shuffle first, then cut.",
            ),
            (
                global_seed,
                "torch's own generator belongs to everybody: make one with "
                "torch.Generator().manual_seed(seed).",
            ),
        ),
        otherwise="The same seed, the same pictures; a class that has "
        "fewer than k gives all.",
    ),
    Question(
        id="lab-transfer.q7",
        title="the nearest mean",
        name="nearest_mean",
        points=1,
        reference=nearest_mean,
        probe=Calls(clouds),
        hints=(
            (
                nearest_one,
                "the nearest *mean* of a class, not its nearest row.",
            ),
            (
                largest_product,
                "a long mean has large products with everything; take the "
                "smallest distance.",
            ),
            (nearest_sum, "divide by the size of the class."),
            (places, "return labels, not the places of the means."),
        ),
    ),
)

WRITTEN = (
    Written(
        id="lab-transfer.w1",
        title="Extract or fine-tune?",
        rubric=(
            (
                1,
                "says with figures of the own plot which way leads at few "
                "pictures and which at all, and whether the gap is larger "
                "than the spread over draws",
            ),
            (
                1,
                "the reason: few pictures can fix a head and not a body; "
                "with many, the body can adapt to the new question",
            ),
            (
                1,
                "the trap: buffers move though no parameter does, so the old "
                "task is lost, with the figures printed above",
            ),
            (
                1,
                "one thing that the figure cannot say: how near the source "
                "is, other amounts of steps for the start from scratch, a "
                "test of one kind, or so few draws",
            ),
        ),
    ),
)
