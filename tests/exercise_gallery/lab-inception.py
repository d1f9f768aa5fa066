"""Answers to the lab on Inception, right ones and wrong ones."""

import bisect

import torch
from cnnbook.labs.inception import probes
from torch import nn
from torch.nn import functional as F

from cnnbook import nets
from cnnbook.anatomy import trace
from cnnbook.nets import inception

# Right, each in another way


def by_einsum(x, w, b):
    """The sum over the channels, named."""
    return torch.einsum("nchw,kc->nkhw", x, w) + b[:, None, None]


def by_rows(x, w, b):
    """All pixels of the batch as rows of one matrix."""
    n, _, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).flatten(0, 2) @ w.T + b
    return rows.unflatten(0, (n, height, width)).movedim(-1, 1)


def by_columns(x, w, b):
    """The matrix from the left, the pixels as columns."""
    return (w @ x.flatten(2) + b[:, None]).unflatten(2, x.shape[2:])


def in_formulas(channels, widths, side):
    """The bill by hand."""
    n1, r3, n3, r5, n5, p = widths

    def layer(maps_in, maps, window):
        macs = maps_in * maps * window**2 * side**2
        return torch.tensor([maps_in * maps * window**2 + maps, macs])

    rows = [[n1, *layer(channels, n1, 1).tolist()]]
    for r, n, window in ((r3, n3, 3), (r5, n5, 5)):
        cost = layer(r or channels, n, window)
        if r:
            cost = cost + layer(channels, r, 1)
        rows.append([n, *cost.tolist()])
    rows.append(
        [p, *layer(channels, p, 1).tolist()] if p else [channels, 0, 0]
    )
    return rows


def counted(channels, widths, side):
    """The bill of a live module, off its anatomy."""
    with torch.device("meta"):
        net = Registered(channels, widths)
    found = {branch: [0, 0] for branch in ("a", "b", "c", "d")}
    for row in trace(net, (channels, side, side)).rows:
        if row.parameters:
            found[row.name[0]][0] += row.parameters
            found[row.name[0]][1] += row.macs
    maps = widths[0], widths[2], widths[4], widths[5] or channels
    return [(n, *cost) for n, cost in zip(maps, found.values(), strict=True)]


class Registered(nn.Module):
    """Layers under other names, made in another order."""

    def __init__(self, channels, widths):
        super().__init__()
        n1, r3, n3, r5, n5, p = widths
        self.d = nn.Conv2d(channels, p, 1) if p else None
        self.c = nn.Conv2d(r5 or channels, n5, 5, padding="same")
        self.c0 = nn.Conv2d(channels, r5, 1) if r5 else None
        self.b = nn.Conv2d(r3 or channels, n3, 3, padding="same")
        self.b0 = nn.Conv2d(channels, r3, 1) if r3 else None
        self.a = nn.Conv2d(channels, n1, 1)

    def forward(self, x):
        three = x if self.b0 is None else self.b0(x).relu()
        five = x if self.c0 is None else self.c0(x).relu()
        pooled = F.max_pool2d(x, 3, 1, 1)
        if self.d is not None:
            pooled = self.d(pooled)
        found = [self.a(x), self.b(three), self.c(five), pooled]
        return torch.cat(found, 1).relu()


def the_books(channels, widths):
    """The book's module, its layers taken out where a width is 0."""
    n1, r3, n3, r5, n5, p = widths
    full = (n1, r3 or channels, n3, r5 or channels, n5, p or 1)
    net = inception.Inception(channels, full)
    if not r3:
        net.b3[0] = nn.Identity()
    if not r5:
        net.b5[0] = nn.Identity()
    if not p:
        net.pool[1] = nn.Identity()
    return net


class Lists(nn.Module):
    """Branches in a list; the pooling by zeros, which change no maximum."""

    def __init__(self, channels, widths):
        super().__init__()
        n1, r3, n3, r5, n5, p = widths
        self.branches = nn.ModuleList()
        for r, n, size in ((0, n1, 1), (r3, n3, 3), (r5, n5, 5)):
            layers = [nn.Conv2d(channels, r, 1), nn.ReLU()] if r else []
            last = nn.Conv2d(r or channels, n, size, 1, size // 2)
            self.branches.append(nn.Sequential(*layers, last, nn.ReLU()))
        pool = [nn.ZeroPad2d(1), nn.MaxPool2d(3, 1)]
        project = [nn.Conv2d(channels, p, 1), nn.ReLU()] if p else []
        self.branches.append(nn.Sequential(*pool, *project))

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], dim=-3)


def climbing(channels, plan, budget):
    """One k after the other."""
    best = (0, 0)
    for k in range(1, 100):
        maps, cost = channels, 0
        for widths, side in plan:
            rows = in_formulas(maps, probes.scaled(widths, k), side)
            cost += sum(row[2] for row in rows)
            maps = sum(row[0] for row in rows)
        if cost > budget:
            break
        best = k, cost
    return best


def built(channels, plan, budget):
    """By halves, the cost off live modules."""

    def cost(k):
        maps, macs = channels, 0
        for widths, side in plan:
            rows = counted(maps, probes.scaled(widths, k), side)
            macs += sum(row[2] for row in rows)
            maps = sum(row[0] for row in rows)
        return macs

    k = bisect.bisect_right(range(1, 40), budget, key=cost)
    return (k, cost(k)) if k else (0, 0)


def by_cross_entropy(outputs, labels):
    """The library's loss, the end first."""
    if isinstance(outputs, torch.Tensor):
        return F.cross_entropy(outputs, labels)
    end, *heads = (F.cross_entropy(one, labels) for one in outputs)
    return end + 0.3 * sum(heads)


def in_one_call(outputs, labels):
    """All outputs below each other, each row with its weight."""
    if not isinstance(outputs, tuple):
        outputs = (outputs,)
    each = F.cross_entropy(
        torch.cat(outputs), labels.repeat(len(outputs)), reduction="none"
    )
    means = each.view(len(outputs), -1).mean(1)
    return means[0] + 0.3 * means[1:].sum()


def by_grad(outputs, labels, weight):
    """Each weighted loss alone."""
    norms = []
    for output, share in zip(outputs, (1, 0.3, 0.3), strict=True):
        loss = share * F.cross_entropy(output, labels)
        gradient = torch.autograd.grad(
            loss,
            weight,
            retain_graph=True,
            materialize_grads=True,
            allow_unused=True,
        )[0]
        norms.append(gradient.norm().item())
    return norms


def by_backward(outputs, labels, weight):
    """With `backward`, the gradient emptied before each."""
    norms = []
    for number, output in enumerate(outputs):
        weight.grad = None
        F.cross_entropy(output, labels).backward(retain_graph=True)
        grad = weight.grad
        norm = 0.0 if grad is None else float(grad.norm())
        norms.append(norm * (0.3 if number else 1))
    return torch.tensor(norms)


def by_pixels(features, weight, bias, classes):
    """The convolution of question 1, then one map a picture."""
    maps = probes.pixelwise(features, weight, bias)
    return maps[torch.arange(len(maps)), classes]


def rows_of_class(features, weight, bias, classes):
    """Only the rows that are needed."""
    found = torch.einsum("nchw,nc->nhw", features, weight[classes])
    return found + bias[classes].view(-1, 1, 1)


# Wrong


def crashes(*arguments):
    """A slip of the pen."""
    return arguments[0] @ None


def nothing(*arguments):
    """A forgotten return."""


class Shrinking(nn.Module):
    """No padding: the branches do not fit beside each other."""

    def __init__(self, channels, widths):
        super().__init__()
        self.one = nn.Conv2d(channels, widths[0], 1)
        self.three = nn.Conv2d(channels, widths[2], 3)

    def forward(self, x):
        return torch.cat([self.one(x), self.three(x)], 1)


class Added(probes.Inception):
    """The branches' maps are added."""

    def forward(self, x):
        found = [self.one(x), self.three(x), self.five(x)]
        return sum(maps.mean(1, keepdim=True) for maps in found)


def widest_alone(channels, plan, budget):
    """The k without its cost."""
    return probes.widest(channels, plan, budget)[0]


def only_tuples(outputs, labels):
    """A tensor's rows are taken for its outputs."""
    end, *heads = (F.cross_entropy(one, labels) for one in outputs)
    return end + 0.3 * sum(heads)


def as_number(outputs, labels):
    """A number where a tensor is needed."""
    return by_cross_entropy(outputs, labels).item()


def let_go(outputs, labels, weight):
    """The graph is gone after the first loss."""
    return [
        torch.autograd.grad(F.cross_entropy(one, labels), weight)[0].norm()
        for one in outputs
    ]


def expects_all(outputs, labels, weight):
    """A head behind which the layer lies sends nothing: a crash."""
    return [
        torch.autograd.grad(
            F.cross_entropy(one, labels), weight, retain_graph=True
        )[0].norm()
        for one in outputs
    ]


def transposed(x, w, b):
    """The matrix on its side."""
    return x.movedim(1, -1) @ w + b


RIGHT = {
    "lab-inception.q1": [by_einsum, by_rows, by_columns],
    "lab-inception.q2": [in_formulas, counted],
    "lab-inception.q3": [Registered, the_books, Lists],
    "lab-inception.q4": [climbing, built],
    "lab-inception.q5": [by_cross_entropy, in_one_call],
    "lab-inception.q6": [by_grad, by_backward],
    "lab-inception.q7": [by_pixels, rows_of_class],
}
WRONG = {
    "lab-inception.q1": [
        (probes.viewed, "channels to the end first"),
        (probes.viewed_twice, "and back after"),
        (probes.viewed_back, "then move them"),
        (probes.channels_stay_last, "have to come back"),
        (probes.pixel_bias_missing, "bias is missing"),
        (probes.bent, "no ReLU"),
        (transposed, "raised RuntimeError"),
        (nothing, "is a `return` missing"),
    ],
    "lab-inception.q2": [
        (probes.no_biases, "which is a parameter too"),
        (probes.biases_multiply, "it is no MAC"),
        (probes.windows_read_all, "reads its r maps"),
        (probes.reducing_is_free, "paid for as well"),
        (probes.zero_reads_nothing, "which is not free"),
        (probes.zeros_as_widths, "a 0 is no width"),
        (probes.pooling_ends, "hands on every map"),
        (probes.projection_is_wide, "pooling has no weights"),
        (probes.one_side, "side · side pixels"),
        (probes.side_for_area, "9 weights, not 3"),
        (crashes, "raised TypeError"),
    ],
    "lab-inception.q3": [
        (probes.with_mistake("straight neck"), "one matrix"),
        (probes.with_mistake("straight end"), "behind the windows"),
        (probes.with_mistake("mean"), "takes the maximum"),
        (probes.with_mistake("projected first"), "not before it"),
        (probes.with_mistake("no pooling"), "pools before"),
        (probes.with_mistake("three for five"), "3 × 3 where 5 × 5"),
        (probes.with_mistake("order"), "before the 5 × 5"),
        (probes.with_mistake("pooling first"), "come last"),
        (probes.with_mistake("no bias"), "has its bias"),
        (Shrinking, "raised RuntimeError: Sizes of tensors must match"),
        (Added, "its shape is"),
        (lambda channels, widths: nets.nin, "made no nn.Module"),
    ],
    "lab-inception.q4": [
        (probes.unchained, "what the one before it gives"),
        (probes.one_too_many, "costs more than the budget"),
        (probes.strictly, "exactly the budget is allowed"),
        (probes.by_parameters, "of multiplications"),
        (probes.narrowest, "wider ones that fit"),
        (probes.everything_scaled, "stays as it is"),
        (widest_alone, "2 values are wanted"),
    ],
    "lab-inception.q5": [
        (probes.unweighted, "weighted by 0.3"),
        (probes.heads_averaged, "add up to 0.6"),
        (probes.end_alone, "not listened to"),
        (probes.everything_weighted, "counts in full"),
        (probes.end_last, "comes first in the tuple"),
        (probes.softmax_twice, "does the softmax"),
        (probes.cut_off, "detaches them"),
        (only_tuples, "called with one tensor"),
        (as_number, "no tensor of one number"),
        (nothing, "no tensor of one number"),
    ],
    "lab-inception.q6": [
        (probes.full_weights, "count 0.3"),
        (probes.piled_up, "those of earlier calls"),
        (probes.piled_in_call, "before each loss, not once"),
        (probes.squared, "root of the sum of squares."),
        (probes.sizes_added, "not the sum of sizes"),
        (probes.all_together, "one number for each output"),
        (let_go, "for the weights of layer 1"),
        (expects_all, "for the weights of layer 2"),
        (nothing, "is a `return` missing"),
    ],
    "lab-inception.q7": [
        (probes.map_bias_missing, "is not the score"),
        (probes.bias_dealt_out, "the whole bias"),
        (probes.only_for, "speaks against"),
        (probes.all_for_all, "index pictures and classes"),
        (probes.every_class, "take the one"),
        (probes.scores, "before the mean"),
        (crashes, "raised TypeError"),
    ],
}
