"""Answers to the lab on transfer, right ones and wrong ones."""

import copy

import torch
import torch.nn.functional as F
from cnnbook.labs.transfer import probes
from torch import nn

# Right, each in another way


def in_one_line(images, mean, std):
    """Views along the channels."""
    shares = images if images.is_floating_point() else images / 255
    return (shares - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)


def last_axis(images, mean, std):
    """The channels moved to the end, where broadcasting finds them."""
    top = 255 if images.dtype == torch.uint8 else 1
    found = (images.movedim(1, -1) / top - mean) / std
    return found.movedim(-1, 1)


def in_batches(body, images, batch=64):
    """Split, and put the mode back."""
    mode = body.training
    body.eval()
    with torch.no_grad():
        found = [body(part) for part in images.split(batch)]
    body.train(mode)
    return torch.cat(found)


@torch.inference_mode()
def by_steps(body, images, batch=64):
    """A copy, and slices of the pictures."""
    still = copy.deepcopy(body).eval()
    places = range(0, len(images), batch)
    return torch.vstack([still(images[i : i + batch]) for i in places])


def normal_equations(x, labels, classes, strength):
    """The formula, solved."""
    y = F.one_hot(labels, classes).to(x)
    centred = x - x.mean(0)
    square = centred.T @ centred
    square = square + strength * square.trace() * torch.eye(len(square)).to(x)
    weights = torch.linalg.solve(square, centred.T @ (y - y.mean(0))).T
    return weights, y.mean(0) - weights @ x.mean(0)


def by_singular_values(x, labels, classes, strength):
    """The same, axis by axis."""
    y = F.one_hot(labels, classes).to(x)
    u, s, v = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    shrunk = s / (s**2 + strength * (s**2).sum())
    weights = (u.T @ (y - y.mean(0))).T * shrunk @ v
    return [weights, y.mean(0) - weights @ x.mean(0)]


def deaf(body):
    """The body's own train no longer listens."""
    body.requires_grad_(False).eval()
    body.train = lambda mode=True: body
    return body


def wrapped(body):
    """A module that asks for the right mode at every call."""

    class Always(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = copy.deepcopy(body)
            for values in self.inside.parameters():
                values.requires_grad = False

        def forward(self, x):
            self.inside.eval()
            with torch.no_grad():
                return self.inside(x)

    return Always()


def four_groups(net, rate, factor, decay):
    """Body and head, each with and without decay."""
    made = []
    for part, lr in ((net[0], rate * factor), (net[1], rate)):
        learn = [p for p in part.parameters() if p.requires_grad]
        made += [
            {
                "params": [p for p in learn if p.dim() >= 2],
                "lr": lr,
                "weight_decay": decay,
            },
            {
                "params": [p for p in learn if p.dim() < 2],
                "lr": lr,
                "weight_decay": 0,
            },
        ]
    return made


def a_group_each(net, rate, factor, decay):
    """As many groups as parameters."""
    head = {id(p) for p in net[1].parameters()}
    for p in net.parameters():
        if p.requires_grad:
            lr = rate if id(p) in head else factor * rate
            weight_decay = decay if p.ndim > 1 else 0.0
            yield {"params": [p], "lr": lr, "weight_decay": weight_decay}


def one_permutation(labels, k, seed):
    """Shuffle all, then take the first of each class."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    shuffled = labels[order]
    found = [order[shuffled == name][:k] for name in shuffled.unique()]
    return torch.cat(found)


def by_scores(labels, k, seed):
    """A random score for each picture; the k best of each class."""
    generator = torch.Generator().manual_seed(seed)
    score = torch.rand(len(labels), generator=generator)
    rank = [
        ((labels == name) & (score < mine)).sum()
        for name, mine in zip(labels, score, strict=True)
    ]
    return (torch.stack(rank) < k).nonzero().flatten()


def by_distances(x, labels, queries):
    """All distances at once."""
    names = labels.unique()
    means = torch.stack([x[labels == name].mean(0) for name in names])
    return names[torch.cdist(queries, means).argmin(1)]


def as_a_linear_head(x, labels, queries):
    """The same as weights and a bias: the mean, and half its length."""
    names, which = labels.unique(return_inverse=True)
    member = F.one_hot(which).to(x)
    means = (member / member.sum(0)).T @ x
    said = queries @ means.T - means.square().sum(1) / 2
    return names[said.argmax(1)].tolist()


# Wrong


def crashes(*arguments):
    """A slip of the pen."""
    return arguments[0] @ None


def nothing(*arguments):
    """A forgotten return."""


def along_the_width(images, mean, std):
    """Broadcasting finds the last axis, not the channels."""
    return (images / 255 - mean) / std


def last_batch_lost(body, images, batch=64):
    """Whole batches only."""
    whole = len(images) // batch * batch
    return in_batches(body, images[:whole], batch)


def unpenalised(x, labels, classes, strength):
    """No penalty at all."""
    return normal_equations(x, labels, classes, 0.0)


def eval_in_a_loop(body):
    """Every part in evaluation mode, once."""
    for part in body.modules():
        part.eval()
    for values in body.parameters():
        values.requires_grad = False
    return body


def head_forgotten(net, rate, factor, decay):
    """The body alone."""
    return four_groups(net, rate, factor, decay)[:2]


def twice(net, rate, factor, decay):
    """The body in two groups."""
    return [
        {"params": net.parameters(), "lr": rate},
        {"params": net[0].parameters(), "lr": rate * factor},
    ]


def one_too_many(labels, k, seed):
    """A class more than it has pictures of."""
    return probes.few(labels, k + 1, seed)


def masks(labels, k, seed):
    """A mask in place of indices."""
    found = torch.zeros(len(labels), dtype=torch.bool)
    found[probes.few(labels, k, seed)] = True
    return found


def beyond(labels, k, seed):
    """Indices that start at 1."""
    return [i + 1 for i in range(len(labels))]


def one_query(x, labels, queries):
    """The first query alone."""
    return by_distances(x, labels, queries)[:1]


RIGHT = {
    "lab-transfer.q1": [in_one_line, last_axis],
    "lab-transfer.q2": [in_batches, by_steps],
    "lab-transfer.q3": [normal_equations, by_singular_values],
    "lab-transfer.q4": [deaf, wrapped],
    "lab-transfer.q5": [four_groups, a_group_each],
    "lab-transfer.q6": [one_permutation, by_scores],
    "lab-transfer.q7": [by_distances, as_a_linear_head],
}
WRONG = {
    "lab-transfer.q1": [
        (probes.never_scaled, "divide bytes first"),
        (probes.always_scaled, "divide bytes only"),
        (probes.by_the_largest, "not the values"),
        (probes.own_numbers, "not of yours"),
        (probes.no_spread, "division by std is missing"),
        (probes.scaled_only, "ends between 0 and 1"),
        (along_the_width, "raised RuntimeError"),
        (nothing, "is a `return` missing"),
    ],
    "lab-transfer.q2": [
        (probes.in_training_mode, "by its neighbours"),
        (probes.only_detached, "by its neighbours"),
        (probes.with_gradients, "a way back that never comes"),
        (probes.all_at_once, "do not fit"),
        (probes.mode_lost, "comes back in another"),
        (probes.mode_forced, "comes back in another"),
        (last_batch_lost, "its shape is"),
        (nothing, "one tensor of features is wanted"),
        (7, "a function is wanted here"),
    ],
    "lab-transfer.q3": [
        (probes.not_centred, "take the means off"),
        (probes.bias_is_the_mean, "say of the mean of x"),
        (probes.strength_alone, "times the trace"),
        (probes.mean_squares, "not a mean"),
        (probes.transposed, "a row of weights for each class"),
        (probes.plus_and_minus, "not -1"),
        (unpenalised, "at [0]"),
        (crashes, "raised TypeError"),
    ],
    "lab-transfer.q4": [
        (probes.no_gradients, "no gradient moves a running mean"),
        (eval_in_a_loop, "no gradient moves a running mean"),
        (probes.mode_alone, "stops no gradient"),
        (probes.NoGraph, "still ask for gradients"),
        (probes.NormsStill, "its dropouts do not"),
        (probes.no_momentum, "measured by its batch"),
        (lambda body: None, "no nn.Module"),
    ],
    "lab-transfer.q5": [
        (probes.frozen_too, "belongs in no group"),
        (probes.decay_for_all, "get no decay"),
        (probes.by_the_name, "not by the name"),
        (probes.upside_down, "the slow one"),
        (probes.one_rate, "rate times factor"),
        (probes.rows_forgotten, "needs a group too"),
        (head_forgotten, "['groups it is in'], 0 is not it"),
        (twice, "more than one parameter group"),
    ],
    "lab-transfer.q6": [
        (probes.first_ones, "another draw"),
        (probes.with_repeats, "no picture twice"),
        (probes.any_of_them, "of *each* class"),
        (probes.not_nested, "shuffle first, then cut"),
        (probes.global_seed, "belongs to everybody"),
        (probes.unseeded, "is not it"),
        (one_too_many, "of each class"),
        (masks, "whole numbers"),
        (beyond, "there are no indices"),
    ],
    "lab-transfer.q7": [
        (probes.nearest_one, "not its nearest row"),
        (probes.largest_product, "a long mean"),
        (probes.nearest_sum, "size of the class"),
        (probes.places, "not the places"),
        (one_query, "its shape is"),
    ],
}
