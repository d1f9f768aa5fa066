"""Answers to the lab on VGG's memory, right ones and wrong ones."""

import bisect
import itertools
import math

import torch
from cnnbook.labs.vgg import probes
from torch import nn
from torch.nn import functional as F

from cnnbook.nets.vgg import blocks

# Right, each in another way


class Dense(nn.Linear):
    """The notebook's dense layer."""

    def forward(self, x):
        """Flatten first."""
        return F.linear(torch.flatten(x, 1), self.weight, self.bias)


def by_the_book(column, shape, hidden, classes):
    """The convolutions of the book's own VGG."""
    body = nn.Sequential(*blocks(column, shape[0]).values())
    for layer in body:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    inputs = math.prod(body(torch.zeros(1, *shape)).shape)
    for units in (*hidden, None):
        body.append(Dense(inputs, units or classes))
        if units:
            body.append(nn.ReLU())
        inputs = units
    return body


def in_recursion(column, shape, hidden, classes):
    """One block, then the rest."""
    entries, _, rest = column.partition(" ")
    if not entries:
        widths = [math.prod(shape), *hidden, classes]
        head = []
        for pair in itertools.pairwise(widths):
            head += [Dense(*pair), nn.ReLU()]
        return nn.Sequential(*head[:-1])
    layers, maps = [], shape[0]
    for entry in entries.split(","):
        kernel = (1, 1) if "x" in entry else (3, 3)
        width = int(entry.split("x")[-1])
        layers += [nn.Conv2d(maps, width, kernel, padding="same"), nn.ReLU()]
        maps = width
    smaller = (maps, shape[1] // 2, shape[2] // 2)
    after = in_recursion(rest.strip(), smaller, hidden, classes)
    return nn.Sequential(*layers, nn.MaxPool2d(2, 2), *after)


def measured(stack, value=4):
    """Let autograd tell, on a chain without values."""
    dtype = {4: torch.float32, 2: torch.float16}[value]
    kept = [0] * len(stack)
    x = torch.empty(1, *stack[0][1], device="meta", dtype=dtype)
    arrays, saved = [x], []
    hooks = torch.autograd.graph.saved_tensors_hooks(
        lambda t: saved.append(t) or t, lambda t: t
    )
    for (_, before), (kind, shape) in itertools.pairwise(stack):
        with torch.device("meta"):
            layer = {
                "conv": lambda a=before, b=shape: nn.Conv2d(
                    a[0], b[0], 3, padding=1, dtype=dtype
                ),
                "relu": nn.ReLU,
                "pool": lambda: nn.MaxPool2d(2),
                "dense": lambda a=before, b=shape: Dense(
                    math.prod(a), *b, dtype=dtype
                ),
            }[kind]()
        with hooks:
            x = layer(x.requires_grad_() if len(arrays) == 1 else x)
        arrays.append(x)
    keys = [array.untyped_storage()._cdata for array in arrays]
    once = {t.untyped_storage()._cdata: t for t in saved}
    for key, tensor in once.items():
        size = tensor.untyped_storage().nbytes()
        if tensor.dtype == torch.int64:
            row = next(
                i
                for i, (kind, shape) in enumerate(stack)
                if kind == "pool" and shape == tuple(tensor.shape[1:])
            )
            kept[row] += size
        elif key in keys:
            kept[keys.index(key)] += size
    return kept


def from_the_layers(stack, value=4):
    """Ask each layer for what it wants, and gather it."""
    wants = set()
    places = {}
    for row, (kind, shape) in enumerate(stack):
        if kind in ("conv", "pool", "dense"):
            wants.add(row - 1)
        if kind == "relu":
            wants.add(row)
        if kind == "pool":
            places[row] = 8 * math.prod(shape)
    return torch.tensor(
        [
            value * math.prod(shape) * (row in wants) + places.get(row, 0)
            for row, (_, shape) in enumerate(stack)
        ]
    )


def in_numbers(parameters, each, batch, optimiser, half):
    """The ledger, with the bytes of a weight in one place."""
    state = ["sgd", "momentum", "adam"].index(optimiser)
    widths = {"weights": 4, "copies": 2 * half, "gradients": 4}
    widths["state"] = 4 * state
    rows = {name: width * parameters for name, width in widths.items()}
    return {**rows, "maps": each * batch}


def in_floats(parameters, each, batch, optimiser, half):
    """The ledger as whole floats, in another order."""
    rows = {"maps": float(batch) * each, "state": 0.0, "copies": 0.0}
    if optimiser != "sgd":
        rows["state"] = 4.0 * parameters * (1 + (optimiser == "adam"))
    if half:
        rows["copies"] = 2.0 * parameters
    return rows | {"weights": 4.0 * parameters, "gradients": 4.0 * parameters}


def one_by_one(parameters, each, gib, optimiser, half):
    """Try batches, doubling and then halving."""
    rows = probes.ledger(parameters, each, 0, optimiser, half)
    fixed, room = sum(rows.values()), gib * 1024**3
    low, high = 0, 1
    while fixed + high * each <= room:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        fits = fixed + middle * each <= room
        low, high = (middle, high) if fits else (low, middle)
    return low


def bisected(parameters, each, gib, optimiser, half):
    """The place of the room among the totals of all batches."""
    return max(
        0,
        bisect.bisect_right(
            range(10**6),
            gib << 30,
            key=lambda n: sum(
                in_numbers(parameters, each, n, optimiser, half).values()
            ),
        )
        - 1,
    )


def in_a_row(stack, cuts):
    """The peak with sums that are carried along."""
    size = [4 * math.prod(shape) for _, shape in stack]
    ends = dict(zip(cuts, [*cuts[1:], len(stack) - 1], strict=True))
    held, sums = 0, []
    for c, last in ends.items():
        held += size[c]
        inside = 0
        for i in range(c + 1, last + 1):
            kind, previous = stack[i][0], stack[i - 1][0]
            if i - 1 > c and kind != "relu" and previous != "relu":
                inside += size[i - 1]
            inside += size[i] * (kind == "relu")
            inside += 2 * size[i] * (kind == "pool")
            waiting = 2 * size[last] * (i != last)
            sums.append(held + inside + size[i - 1] + size[i] + waiting)
    return max(sums)


def by_comprehension(stack, cuts):
    """The peak in one expression."""
    b = [4 * math.prod(shape) for _, shape in stack]
    return max(
        sum(b[cut] for cut in cuts if cut <= c)
        + sum(from_the_layers(stack[c : i + 1]).tolist()[1:])
        + b[i]
        + b[i - 1]
        + (i < end) * (b[end] + b[end])
        for c, end in zip(cuts, [*cuts[1:], len(stack) - 1], strict=True)
        for i in range(c + 1, end + 1)
    )


def programme(stack, segments):
    """Halve the interval of the bound; under it, a dynamic programme."""
    size = [4 * math.prod(shape) for _, shape in stack]
    last = len(stack) - 1
    cost = {
        (a, b): in_a_row(stack[a : b + 1], [0]) - size[a]
        for a, b in itertools.combinations(range(last + 1), 2)
    }

    def under(bound):
        """The cuts that stay under the bound with the least inputs."""
        reached = {0: (0, [])}
        for _ in range(segments):
            further = {}
            for (a, b), inside in cost.items():
                held, cuts = reached.get(a, (math.inf, []))
                held += size[a]
                if held + inside <= bound:
                    option = (held, [*cuts, a])
                    further[b] = min(option, further.get(b, option))
            if last in further:
                return further[last][1]
            reached |= further
        return None

    low, high = 0, in_a_row(stack, [0])
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if under(middle) else (middle, high)
    return under(high)


def all_subsets(stack, segments):
    """Try every choice of up to three inner cuts, in nested loops."""
    rows = range(1, len(stack) - 1)
    best = (in_a_row(stack, [0]), [0])
    for a in rows if segments > 1 else ():
        best = min(best, (in_a_row(stack, [0, a]), [0, a]))
        for b in range(a + 1, rows.stop) if segments > 2 else ():
            cuts = [0, a, b]
            best = min(best, (in_a_row(stack, cuts), cuts))
            for c in range(b + 1, rows.stop) if segments > 3 else ():
                cuts = [0, a, b, c]
                best = min(best, (in_a_row(stack, cuts), cuts))
    return tuple(best[1])


def no_fewer(stack, segments):
    """As many segments as are allowed: one more at the end costs nothing."""
    inner = itertools.combinations(range(1, len(stack) - 1), segments - 1)
    choices = [[0, *chosen] for chosen in inner]
    return min(choices, key=lambda cuts: by_comprehension(stack, cuts))


class Plain(torch.autograd.Function):
    """As the notebook's solution, with the gradients read from .grad."""

    @staticmethod
    def forward(context, segment, x, *weights):
        """Keep x and the random numbers."""
        context.save_for_backward(x)
        context.more = segment, torch.get_rng_state()
        return segment(x)

    @staticmethod
    def backward(context, dy):
        """Compute again."""
        segment, state = context.more
        x = context.saved_tensors[0].detach()
        x.requires_grad = context.needs_input_grad[1]
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(state)
            with torch.enable_grad():
                y = segment(x)
        weights = tuple(segment.parameters())
        inputs = (x, *weights) if x.requires_grad else weights
        found = list(torch.autograd.grad([y], inputs, [dy]))
        return None, found.pop(0) if x.requires_grad else None, *found


def plain(segment, x):
    """The operation above."""
    return Plain.apply(segment, x, *segment.parameters())


class Summed(torch.autograd.Function):
    """Gradients of the sum of y times dy, and x always with one."""

    @staticmethod
    def forward(context, x, segment, state, *weights):
        """Keep x."""
        context.segment, context.state = segment, state
        context.save_for_backward(x)
        with torch.no_grad():
            return segment(x)

    @staticmethod
    @torch.enable_grad()
    def backward(context, dy):
        """Compute again."""
        x = context.saved_tensors[0].clone().detach().requires_grad_(True)
        now = torch.get_rng_state()
        torch.set_rng_state(context.state)
        total = (context.segment(x) * dy).sum()
        torch.set_rng_state(now)
        inputs = [x, *context.segment.parameters()]
        dx, *dw = torch.autograd.grad(total, inputs)
        return dx, None, None, *dw


def summed(segment, x):
    """The operation above."""
    state = torch.get_rng_state()
    return Summed.apply(x, segment, state, *segment.parameters())


# Wrong


def in_place(column, shape, hidden, classes):
    """ReLUs that overwrite what they get."""
    net = probes.build(column, shape, hidden, classes)
    for layer in net:
        if isinstance(layer, nn.ReLU):
            layer.inplace = True
    return net


def flattened(column, shape, hidden, classes):
    """A layer more than there should be."""
    net = probes.build(column, shape, hidden, classes)
    first = next(i for i, m in enumerate(net) if isinstance(m, nn.Linear))
    return nn.Sequential(*net[:first], nn.Flatten(), *net[first:])


def twice(stack, value=4):
    """Every array for the one who makes it and the one who takes it."""
    return [2 * size for size in probes.kept(stack, value)]


def four_names(*arguments):
    """A row is missing."""
    rows = probes.ledger(*arguments)
    del rows["copies"]
    return rows


def added(stack, cuts):
    """The sum of all segments, not the largest."""
    ends = zip(cuts, [*cuts[1:], len(stack) - 1], strict=True)
    return sum(in_a_row(stack[a : b + 1], [0]) for a, b in ends)


def twice_what_comes_out(stack, cuts):
    """Both gradients as large as what the layer gives."""
    last = [4 * math.prod(shape) for _, shape in stack[-2:]]
    return in_a_row(stack, cuts) + (len(stack) == 2) * (last[1] - last[0])


def not_from_zero(stack, segments):
    """Without the image."""
    return probes.best(stack, segments)[1:] or [1]


def one_too_many(stack, segments):
    """More segments than allowed."""
    return probes.best(stack, segments + 1)


def weightless(segment, x):
    """The weights are not among the arguments."""
    return Plain.apply(segment, x)


class Accumulated(Plain):
    """Adds to .grad, and returns what it finds there."""

    @staticmethod
    def backward(context, dy):
        """Compute again."""
        segment, state = context.more
        x = context.saved_tensors[0].detach().requires_grad_()
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.set_rng_state(state)
            segment(x).backward(dy)
        return None, x.grad, *[w.grad for w in segment.parameters()]


def accumulated(segment, x):
    """The operation above."""
    return Accumulated.apply(segment, x, *segment.parameters())


def three_times(segment, x):
    """Runs the segment once more than needed."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        segment(x)
    return plain(segment, x)


RIGHT = {
    "lab-vgg.q1": [by_the_book, in_recursion],
    "lab-vgg.q2": [measured, from_the_layers],
    "lab-vgg.q3": [in_numbers, in_floats],
    "lab-vgg.q4": [one_by_one, bisected],
    "lab-vgg.q5": [in_a_row, by_comprehension],
    "lab-vgg.q6": [all_subsets, programme, no_fewer],
    "lab-vgg.q7": [plain, summed],
}
WRONG = {
    "lab-vgg.q1": [
        (probes.without_dense_relu, "after each hidden dense layer"),
        (probes.relu_at_the_end, "no ReLU after the scores"),
        (probes.never_small, "1 × 1 convolution"),
        (probes.nested, "one flat list"),
        (in_place, "not in place"),
        (flattened, "'layers'"),
        (lambda *arguments: nn.Identity(), "nn.Sequential is wanted"),
    ],
    "lab-vgg.q2": [
        (probes.everything, "not every output stays"),
        (probes.no_places, "a place for each maximum"),
        (probes.short_places, "8 bytes, not 4"),
        (probes.no_image, "that is the image"),
        (probes.last_too, "only if its own layer"),
        (probes.pooled_always, "its input and the places"),
        (probes.value_ignored, "`value` is the bytes"),
        (twice, "is not it"),
    ],
    "lab-vgg.q3": [
        (probes.halved, "does not halve them"),
        (probes.no_copies, "copies of the weights"),
        (probes.half_gradients, "their gradients are too"),
        (probes.one_for_adam, "Adam keeps two"),
        (probes.gradients_each, "one gradient"),
        (probes.one_image, "there are `batch`"),
        (probes.halved_again, "do not halve it again"),
        (four_names, "'copies' is missing"),
    ],
    "lab-vgg.q4": [
        (probes.of_a_thousand, "not 10⁹"),
        (probes.maps_only, "before the first image"),
        (probes.one_too_many, "round down"),
        (probes.below_nothing, "the answer is 0"),
    ],
    "lab-vgg.q5": [
        (probes.own_input_only, "will come to them"),
        (probes.no_gradients, "two gradients"),
        (probes.one_gradient, "as large as its input"),
        (probes.nothing_waits, "until the segment is done"),
        (probes.input_twice, "is held once"),
        (added, "is not it"),
        (twice_what_comes_out, "is not it"),
    ],
    "lab-vgg.q6": [
        (probes.one_after_another, "try them together"),
        (probes.on_the_way_in, "the peak of the way back"),
        (probes.evenly, "not equal bytes"),
        (probes.by_kept, "the whole peak"),
        (probes.after_poolings, "try every row"),
        (probes.uncut, "one segment is no cut"),
        (not_from_zero, "do not rise from 0"),
        (one_too_many, "are allowed"),
    ],
    "lab-vgg.q7": [
        (probes.not_at_all, "everything is kept"),
        (probes.fresh_masks, "other masks"),
        (probes.left_there, "put them back"),
        (probes.on_context, "save_for_backward"),
        (probes.doubled, "twice"),
        (probes.ones, "comes from above"),
        (weightless, "raised"),
        (accumulated, "twice"),
        (three_times, "'runs forward, backward'"),
    ],
}
