"""Answers to the lab on AlexNet, right ones and wrong ones."""

import torch
from cnnbook.labs.alexnet import probes
from torch import nn
from torch.nn import functional as F

# Right, each in another way


def in_a_loop(x, w, b, groups, padding=0):
    """A convolution a group, side by side."""
    parts = zip(
        x.chunk(groups, 1), w.chunk(groups), b.chunk(groups), strict=True
    )
    maps = [F.conv2d(*part, padding=padding) for part in parts]
    return torch.cat(maps, 1)


def by_columns(x, w, b, groups, padding=0):
    """All groups at once, as products of matrices."""
    kh, kw = w.shape[2:]
    rows = x.shape[2] + 2 * padding - kh + 1
    columns = F.unfold(x, (kh, kw), padding=padding)
    columns = columns.unflatten(1, (groups, -1))
    kernels = w.flatten(1).unflatten(0, (groups, -1))
    y = torch.einsum("gkp,ngpl->ngkl", kernels, columns).flatten(1, 2)
    return (y + b[:, None]).unflatten(2, (rows, -1))


def as_modules(x, w, b, groups, padding=0):
    """A layer object a group."""
    found = []
    k, c = len(w) // groups, w.shape[1]
    for g in range(groups):
        layer = nn.Conv2d(c, k, tuple(w.shape[2:]), padding=padding)
        layer.weight.data = w[g * k : (g + 1) * k]
        layer.bias.data = b[g * k : (g + 1) * k]
        found.append(layer(x[:, g * c : (g + 1) * c]))
    return torch.cat(found, dim=1)


def shifted(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """Shifted copies of the squares are added up."""
    squares = x.square().unflatten(1, (groups, -1))
    maps, half = squares.shape[2], n // 2
    padded = F.pad(squares, (0, 0, 0, 0, half, half))
    total = sum(padded[:, :, i : i + maps] for i in range(n))
    return x / (k + alpha * total.flatten(1, 2)) ** beta


def band(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """A matrix of ones near the diagonal says who is whose neighbour."""
    c = x.shape[1]
    place = torch.arange(c)
    card = place // (c // groups)
    near = (place[:, None] - place).abs() <= n // 2
    near &= card[:, None] == card
    total = torch.einsum("cd,ndhw->nchw", near.to(x), x * x)
    return x * torch.pow(k + alpha * total, -beta)


def map_by_map(x, groups=1, n=5, k=2.0, alpha=1e-4, beta=0.75):
    """As the formula is written."""
    size = x.shape[1] // groups
    out = torch.empty_like(x)
    for i in range(x.shape[1]):
        first = i // size * size
        low = max(first, i - n // 2)
        high = min(first + size - 1, i + n // 2)
        total = (x[:, low : high + 1] ** 2).sum(dim=1)
        out[:, i] = x[:, i] / (k + alpha * total) ** beta
    return out


def multiplied(x, chance, p, training):
    """A mask of numbers."""
    if not training:
        return x
    return x * (chance >= p).to(x.dtype) / (1 - p)


def filled(x, chance, p, training):
    """Scale all, then clear."""
    if training:
        x = (x / (1 - p)).masked_fill(chance < p, 0)
    return x


def in_numbers(x, chance, p, training):
    """One value after the other."""
    flat = [
        (0.0 if c < p else v / (1 - p)) if training else v
        for v, c in zip(
            x.flatten().tolist(), chance.flatten().tolist(), strict=True
        )
    ]
    return torch.tensor(flat).view(x.shape)


def by_index(images, top, left, mirrored, side):
    """Rows and columns by index; a mirror counts them backwards."""
    n, c = images.shape[:2]
    step = torch.arange(side)
    rows = top[:, None] + step
    columns = left[:, None] + torch.where(
        mirrored[:, None], side - 1 - step, step
    )
    return images[
        torch.arange(n)[:, None, None, None],
        torch.arange(c)[:, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]


def by_gather(images, top, left, mirrored, side):
    """Rows first, then columns."""
    n, c, _, width = images.shape
    step = torch.arange(side)
    rows = (top[:, None] + step)[:, None, :, None]
    found = images.gather(2, rows.expand(n, c, side, width))
    columns = (left[:, None] + step)[:, None, None, :]
    found = found.gather(3, columns.expand(n, c, side, side))
    return torch.where(mirrored.view(-1, 1, 1, 1), found.flip(3), found)


def by_views(images, top, left, mirrored, side):
    """Out of all windows there are."""
    every = images.unfold(2, side, 1).unfold(3, side, 1)
    found = every[torch.arange(len(images)), :, top, left]
    found[mirrored] = found[mirrored].flip(-1)
    return found


class AsClass(nn.Module):
    """The network as a class, torch's own layers, other names."""

    def __init__(self, width, groups=2, norm=False, dropout=0.5):
        """Switches as the lab's."""
        super().__init__()
        c = width
        self.out = nn.Linear(8 * c, 10)
        self.hidden = nn.ModuleList(
            [nn.Linear(2 * c * 4, 8 * c), nn.Linear(8 * c, 8 * c)]
        )
        self.one = nn.Conv2d(3, c, 5, padding=2)
        self.two = nn.Conv2d(c, 2 * c, 5, padding="same", groups=groups)
        self.rest = nn.Sequential(
            nn.Conv2d(2 * c, 3 * c, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(3 * c, 3 * c, 3, padding=1, groups=groups),
            nn.ReLU(),
            nn.Conv2d(3 * c, 2 * c, 3, padding=1, groups=groups),
            nn.ReLU(),
        )
        self.norm, self.groups, self.drop = norm, groups, dropout

    def forward(self, x):
        """Logits."""
        x = (x - 0.5) / 0.25
        for layer in (self.one, self.two):
            x = layer(x).relu()
            if self.norm:
                x = band(x, self.groups, alpha=probes.ALPHA)
            x = F.max_pool2d(x, 3, 2)
        x = F.max_pool2d(self.rest(x), 3, 2).flatten(1)
        for layer in self.hidden:
            x = F.relu(layer(x))
            x = F.dropout(x, self.drop, training=self.training)
        return self.out(x)


class Own(nn.Module):
    """The student's layers."""

    def __init__(self, call):
        """Around a function."""
        super().__init__()
        self.call = call

    def forward(self, x):
        """Call it."""
        return self.call(self, x)


def as_list(width, groups=2, norm=False, dropout=0.5):
    """The network as a list, with layers made by hand, dropout before ReLU."""
    drop = [
        Own(
            lambda me, x: multiplied(
                x, torch.rand_like(x), dropout, me.training
            )
        )
        for _ in range(2)
    ]
    local = Own(lambda me, x: shifted(x, groups, alpha=probes.ALPHA))
    pool = nn.MaxPool2d(kernel_size=3, stride=2)
    layers = [Own(lambda me, x: 4 * x - 2)]
    maps = [3, width, 2 * width, 3 * width, 3 * width, 2 * width]
    for i in range(5):
        side = 5 if i < 2 else 3
        cards = groups if i in (1, 3, 4) else 1
        layers += [
            nn.Conv2d(
                maps[i], maps[i + 1], side, padding=side // 2, groups=cards
            ),
            nn.ReLU(),
        ]
        if i < 2 and norm:
            layers.append(local)
        if i in (0, 1, 4):
            layers.append(pool)
    layers.append(nn.Flatten())
    for layer in drop:
        layers += [nn.LazyLinear(8 * width), layer, nn.ReLU()]
    return nn.Sequential(*layers, nn.LazyLinear(10))


def listed(images, side):
    """Crops one by one."""
    _, _, h, w = images.shape
    found = []
    for turned in (images, images.flip(-1)):
        for i in (0, h - side):
            for j in (0, w - side):
                found.append(turned[..., i : i + side, j : j + side])
    i, j = (h - side) // 2, (w - side) // 2
    middle = images[..., i : i + side, j : j + side]
    return torch.stack([*found, middle, middle.flip(-1)])


def out_of_views(images, side):
    """Crops out of all windows."""
    every = images.unfold(2, side, 1).unfold(3, side, 1)
    last_i, last_j = every.shape[2] - 1, every.shape[3] - 1
    i = torch.tensor([0, 0, last_i, last_i, last_i // 2])
    j = torch.tensor([0, last_j, 0, last_j, last_j // 2])
    five = every[:, :, i, j].permute(2, 0, 1, 3, 4)
    return torch.cat([five.flip(4), five])


def softmax_mean(logits):
    """The plain way."""
    return torch.softmax(logits, dim=-1).mean(dim=0)


def one_by_one(logits):
    """A member after the other."""
    total = 0
    for member in logits:
        powers = (member - member.max(1, keepdim=True).values).exp()
        total = total + powers / powers.sum(1, keepdim=True)
    return total / len(logits)


def in_logarithms(logits):
    """Sums of logarithms until the last step."""
    each = logits.log_softmax(2)
    return (each.logsumexp(0) - torch.tensor(len(logits)).log()).exp()


# Wrong


def crashes(*arguments):
    """A slip of the pen."""
    return arguments[0] @ None


def nothing(*arguments):
    """A forgotten return."""


def up_to_p(x, chance, p, training):
    """A number that is p itself goes, too."""
    gone = (chance <= p) & training
    return x.masked_fill(gone, 0) / (1 - p if training else 1)


def torchs_groups(x, w, b, groups, padding=0):
    """Torch does it."""
    return F.conv2d(x, w, b, padding=padding, groups=groups)


def torchs_layer(x, w, b, groups, padding=0):
    """Torch's layer does it."""
    layer = nn.Conv2d(
        x.shape[1], len(w), w.shape[2:], padding=padding, groups=groups
    )
    layer.weight.data, layer.bias.data = w, b
    return layer(x)


def naive(logits):
    """Exponentials that overflow."""
    powers = logits.exp()
    return (powers / powers.sum(2, keepdim=True)).mean(0)


def local_norm(x):
    """Question 2, not answered yet."""
    raise NotImplementedError("yours to write")


def with_empty_norm(width, groups=2, norm=False, dropout=0.5):
    """A right network, whose normalisation is not written yet."""
    net = probes.network(width, groups, False, dropout)
    return (
        nn.Sequential(Own(lambda me, x: local_norm(x)), net) if norm else net
    )


def drops_always(width, groups=2, norm=False, dropout=0.5):
    """F.dropout, which does not know the mode."""
    net = AsClass(width, groups, norm, dropout)
    for layer in net.hidden:
        layer.register_forward_hook(lambda me, x, y: F.dropout(y, dropout))
    return net


def first_network(width, groups=2, norm=False, dropout=0.5):
    """A network, not a way to make one with switches."""
    return probes.network(width)


RIGHT = {
    "lab-alexnet.q1": [in_a_loop, by_columns, as_modules],
    "lab-alexnet.q2": [shifted, band, map_by_map],
    "lab-alexnet.q3": [multiplied, filled, in_numbers],
    "lab-alexnet.q4": [by_index, by_gather, by_views],
    "lab-alexnet.q5": [AsClass, as_list],
    "lab-alexnet.q6": [listed, out_of_views],
    "lab-alexnet.q7": [softmax_mean, one_by_one, in_logarithms],
}
WRONG = {
    "lab-alexnet.q1": [
        (torchs_groups, "of ordinary convolutions"),
        (torchs_layer, "of ordinary convolutions"),
        (probes.channels_dealt, "side by side, not every second"),
        (probes.maps_dealt, "of the first group come first"),
        (probes.first_channels, "channels of its own"),
        (probes.first_kernels, "kernels and biases of its own"),
        (probes.every_kernel, "uses all of them"),
        (probes.added_up, "they are not added"),
        (probes.without_bias, "bias of each kernel is missing"),
        (probes.unpadded, "hand the padding on"),
        (nothing, "is a `return` missing"),
        (crashes, "raised TypeError"),
    ],
    "lab-alexnet.q2": [
        (probes.of_mean, "as inside torch's layer"),
        (probes.as_in_torch, "differs twice"),
        (probes.across, "must not cross from one group"),
        (probes.without_squares, "it is the squares"),
        (probes.others_only, "own square belongs"),
        (probes.in_a_ring, "do not wrap around"),
        (probes.n_each_way, "n maps in all"),
        (probes.last_left_out, "includes its upper end"),
        (probes.multiplied, "the bracket divides"),
        (probes.rooted, "beta is missing"),
        (probes.in_the_plane, "not other pixels"),
    ],
    "lab-alexnet.q3": [
        (probes.not_scaled, "what stays must grow"),
        (probes.scaled_at_test, "the paper's way"),
        (probes.kept_with_p, "the chance to be dropped"),
        (probes.other_side, "goes where its number is below p"),
        (probes.divided_by_p, "At one half nobody"),
        (probes.multiplied_by_stay, "you made them smaller"),
        (probes.always, "x comes back as it is"),
        (up_to_p, "1 of its 18 values"),
        (lambda x, chance, p, training: F.dropout(x, p, training), "not"),
    ],
    "lab-alexnet.q4": [
        (probes.corners_swapped, "top counts rows"),
        (probes.mirrored_first, "cut first, then mirror"),
        (probes.upside_down, "on its head"),
        (probes.all_mirrored, "only the pictures that are marked"),
        (probes.none_mirrored, "are not mirrored"),
        (probes.first_corner, "a corner of its own"),
        (lambda images, *rest: images, "its shape is"),
    ],
    "lab-alexnet.q5": [
        (probes.ungrouped, "must reach conv2, conv4 and conv5"),
        (probes.variant(everywhere=True), "no groups there"),
        (probes.not_normalised, "the normalisation is missing"),
        (probes.variant(norm_groups=1), "neighbours are on the same card"),
        (probes.variant(norm_last=True), "before the pooling"),
        (probes.variant(alpha=probes.ALPHA / 5), "see question 2"),
        (probes.variant(window=2), "the poolings overlap"),
        (probes.variant(last_relu=False), "ReLU after fc6"),
        (probes.variant(before=(False, False, False)), "still gets through"),
        (probes.variant(before=(True, True, False)), "a later network"),
        (probes.variant(before=(False, False, True)), "output of fc6 is"),
        (probes.variant(before=(False, True, False)), "output of fc7 is"),
        (probes.variant(always=True), "in eval mode nothing"),
        (drops_always, "in eval mode nothing"),
        (probes.variant(head=False), "4 x - 2"),
        (probes.variant(classes=1000), "is not it"),
        (first_network, "is not it"),
        (with_empty_norm, "calls your `local_norm`, which is not written"),
        (nothing, "is a `return` missing"),
        (crashes, "raised TypeError"),
    ],
    "lab-alexnet.q6": [
        (probes.only_five, "the five mirror images"),
        (probes.upside_down_crops, "mirror left to right"),
        (probes.pictures_first, "the first axis"),
        (probes.no_middle, "a corner again"),
        (probes.middle_of_side, "what is left over"),
        (lambda images, side: list(images), "its shape is"),
        (
            lambda images, side: [images, images[..., :side]],
            "ten crops of one shape",
        ),
        (nothing, "is a `return` missing"),
    ],
    "lab-alexnet.q7": [
        (probes.of_logits, "a geometric mean"),
        (probes.of_sum, "adding logits multiplies"),
        (probes.over_pictures, "yours over the pictures"),
        (probes.over_members, "yours over the members"),
        (probes.added, "not the sum"),
        (probes.votes, "that is a vote"),
        (probes.means, "logits are no probabilities"),
        (probes.said, "not the class"),
        (naive, "are NaN"),
    ],
}
