"""Answers to the lab on seeing what a network sees, right and wrong."""

import copy
from functools import partial

import torch
from cnnbook.labs.see import probes
from torch import nn
from torch.nn import functional as F

from cnnbook import deconvnet

# Right, each in another way


def pool_by_loops(x, size, stride):
    """One window after the other, as plain Python would."""
    n, c, height, width = x.shape
    rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
    values = x.new_empty(n, c, rows, columns)
    places = torch.empty(n, c, rows, columns, dtype=torch.long)
    for i in range(rows):
        for j in range(columns):
            top, left = stride * i, stride * j
            part = x[:, :, top : top + size, left : left + size]
            flat = part.reshape(n, c, -1)
            which = flat.argmax(2)
            values[:, :, i, j] = flat.amax(2)
            row, column = top + which // size, left + which % size
            places[:, :, i, j] = row * width + column
    return values, places


def pool_of_numbered(x, size, stride):
    """Columns of the maps, and columns of the pixels' numbers."""
    n, c, height, width = x.shape
    numbers = torch.arange(height * width).view(1, 1, height, width)
    windows = F.unfold(x.flatten(0, 1)[:, None], size, stride=stride)
    numbered = F.unfold(numbers.double(), size, stride=stride).long()
    values, which = windows.max(1)
    places = numbered[0].gather(0, which)
    rows = (height - size) // stride + 1
    return values.view(n, c, rows, -1), places.view(n, c, rows, -1)


def unpool_scattered(signal, places, shape):
    """The library's."""
    return deconvnet.unpool(signal, places, shape)


def unpool_in_numbers(signal, places, shape):
    """Loops over plain numbers."""
    back = torch.zeros(shape).to(signal)
    n, c, rows, columns = signal.shape
    for a in range(n):
        for b in range(c):
            for i in range(rows):
                for j in range(columns):
                    row, column = divmod(int(places[a, b, i, j]), shape[3])
                    back[a, b, row, column] += signal[a, b, i, j]
    return back


class Rectify(torch.autograd.Function):
    """A ReLU that says both ways itself."""

    @staticmethod
    def forward(context, z, rule):
        """Up."""
        context.save_for_backward(z)
        context.rule = rule
        return z.clamp(min=0)

    @staticmethod
    def backward(context, g):
        """Down."""
        (z,) = context.saved_tensors
        if context.rule != "gradient":
            g = g.relu()
        if context.rule != "deconvnet":
            g = g * (z > 0)
        return g, None


def relu_by_function(z, rule):
    """By a Function."""
    return Rectify.apply(z, rule)


def relu_by_hook(z, rule):
    """By ordinary operations, and a hook."""
    y = F.relu(z)
    if rule == "deconvnet":
        y = z + (y - z).detach()
    if rule != "gradient" and y.requires_grad:
        y.register_hook(lambda g: g.clamp(min=0))
    return y


def relu_by_products(z, rule):
    """A constant mask on the way up, a hook on the way down."""
    fired = (z > 0).to(z).detach()
    if rule == "deconvnet":
        y = (z.detach() * fired) + (z - z.detach())
    else:
        y = z * fired
    if rule == "gradient":
        return y
    y.register_hook(lambda g: torch.where(g > 0, g, torch.zeros_like(g)))
    return y


def look_through(net, pictures, channel, rule):
    """The lab's: another ReLU, and autograd."""
    x = pictures.detach().clone().requires_grad_()
    maps = x
    for layer in net:
        if isinstance(layer, nn.ReLU):
            maps = relu_by_function(maps, rule)
        else:
            maps = layer(maps)
    units = maps[:, channel].reshape(len(x), -1)
    one = F.one_hot(units.argmax(1), units.shape[1])
    (seen,) = torch.autograd.grad((units * one).sum(), x)
    return seen


def look_by_layers(net, pictures, channel, rule):
    """A copy of the network with other layers in it, picture by picture."""

    class Other(nn.Module):
        def forward(self, z):
            return relu_by_hook(z, rule)

    net = copy.deepcopy(net)
    for name, layer in list(net.named_children()):
        if isinstance(layer, nn.ReLU):
            net[int(name)] = Other()
    seen = []
    for picture in pictures:
        x = picture[None].detach().requires_grad_()
        net(x)[0, channel].max().backward()
        seen.append(x.grad[0])
    return torch.stack(seen)


def look_by_module_hooks(net, pictures, channel, rule):
    """Hooks on the network's own ReLUs, removed at the end."""

    def change(module, sent, arrived):
        if rule == "deconvnet":
            return (arrived[0].relu(),)
        return (sent[0].relu(),)

    hooks = []
    if rule != "gradient":
        hooks = [
            layer.register_full_backward_hook(change)
            for layer in net
            if isinstance(layer, nn.ReLU)
        ]
    x = pictures.detach().clone().requires_grad_()
    units = net(x)[:, channel].reshape(len(x), -1)
    seen = torch.autograd.grad(units.max(1).values.sum(), x)[0]
    for hook in hooks:
        hook.remove()
    return seen


def window_walked(layers, row, column):
    """First and last row, from the unit down."""
    rows, columns = [row, row], [column, column]
    for kernel, stride, padding in layers[::-1]:
        for ends in rows, columns:
            ends[0] = ends[0] * stride - padding
            ends[1] = ends[1] * stride - padding + kernel - 1
    return rows[0], columns[0], rows[1] - rows[0] + 1


def window_by_steps(layers, row, column):
    """Jump, side and offset, from the picture up."""
    jump, side, offset = 1, 1, 0
    for kernel, stride, padding in layers:
        side += (kernel - 1) * jump
        offset -= padding * jump
        jump *= stride
    return [offset + row * jump, offset + column * jump, side]


def occlude_row_by_row(score, picture, side, stride, value):
    """A batch for each row, made by masks."""
    _, height, width = picture.shape
    rows, columns = torch.arange(height), torch.arange(width)
    lefts = torch.arange(0, width - side + 1, stride)[:, None]
    beside = (columns >= lefts) & (columns < lefts + side)
    found = []
    for top in range(0, height - side + 1, stride):
        level = (rows >= top) & (rows < top + side)
        covered = (level[:, None] & beside[:, None])[:, None]
        found.append(score(torch.where(covered, value, picture)))
    return torch.stack(found)


def occlude_and_restore(score, picture, side, stride, value):
    """On the picture itself, which is put in order again."""
    found = []
    for top in range(0, picture.shape[1] - side + 1, stride):
        found.append([])
        for left in range(0, picture.shape[2] - side + 1, stride):
            part = picture[:, top : top + side, left : left + side]
            kept = part.clone()
            part.fill_(value)
            found[-1].append(score(picture.unsqueeze(0)).item())
            part.copy_(kept)
    return found


def scrambled_by_layers(net, count):
    """By the layers, in numpy's way."""
    net = copy.deepcopy(net)
    layers = [m for m in net if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in layers[::-1][:count]:
        values = layer.weight.data.reshape(-1)
        layer.weight.data = values[torch.rand(len(values)).argsort()].reshape(
            layer.weight.shape
        )
    return net


@torch.no_grad()
def scrambled_by_state(net, count):
    """By the names of the weights."""
    net, left = copy.deepcopy(net), count
    for _, weights in reversed(list(net.named_parameters())):
        if left > 0:
            order = torch.randperm(weights.numel())
            weights.view(-1).copy_(weights.view(-1)[order].clone())
        left -= 1
    return net


# Wrong


def crashes(*arguments):
    """A slip of the pen."""
    return arguments[0] @ None


def nothing(*arguments):
    """A forgotten return."""


def relu_cut_off(z, rule):
    """Autograd loses the way."""
    return z.detach().relu()


def look_with_grad(net, pictures, channel, rule):
    """`.grad` collects from call to call."""
    pictures.requires_grad_()
    maps = pictures
    for layer in net:
        if isinstance(layer, nn.ReLU):
            maps = relu_by_function(maps, rule)
        else:
            maps = layer(maps)
    units = maps[:, channel].reshape(len(pictures), -1)
    units.max(1).values.sum().backward()
    return pictures.grad.clone()


def look_with_hooks_left(net, pictures, channel, rule):
    """Hooks that nobody removes."""

    def change(module, sent, arrived):
        return ((arrived if rule == "deconvnet" else sent)[0].relu(),)

    for layer in net:
        if isinstance(layer, nn.ReLU) and rule != "gradient":
            layer.register_full_backward_hook(change)
    return look_by_module_hooks(net, pictures, channel, "gradient")


def score_one_picture(score, picture, side, stride, value):
    """A score asked about a picture without a batch."""
    return score(picture)


@torch.no_grad()
def shuffled_within(net, count):
    """Each filter within itself."""
    net = copy.deepcopy(net)
    for weights in probes.topmost(list(net.parameters()), count):
        flat = weights.flatten(1)
        weights.copy_(flat[:, torch.randperm(flat.shape[1])].view_as(weights))
    return net


RIGHT = {
    "lab-see.q1": [pool_by_loops, pool_of_numbered],
    "lab-see.q2": [unpool_scattered, unpool_in_numbers],
    "lab-see.q3": [relu_by_function, relu_by_hook, relu_by_products],
    "lab-see.q4": [look_through, look_by_layers, look_by_module_hooks],
    "lab-see.q5": [window_walked, window_by_steps],
    "lab-see.q6": [occlude_row_by_row, occlude_and_restore],
    "lab-see.q7": [scrambled_by_layers, scrambled_by_state],
}
WRONG = {
    "lab-see.q1": [
        (probes.inside_the_window, "inside each window"),
        (probes.by_columns, "down the columns"),
        (probes.small_width, "goes *in* has W pixels"),
        (probes.last_of_equals, "first in the order of reading"),
        (probes.touching, "moves by `stride`"),
        (lambda x, size, stride: F.max_pool2d(x, size, stride), "two tensors"),
        (
            lambda x, size, stride: tuple(
                part.double() for part in probes.pool(x, size, stride)
            ),
            "`.long()` makes them that",
        ),
        (nothing, "is a `return` missing"),
    ],
    "lab-see.q2": [
        (probes.overwritten, "here the last one stays"),
        (probes.enlarged, "the signal is stretched"),
        (probes.in_one_map, "begin anew in each map"),
        (probes.across, "with W of the large map"),
        (crashes, "raised TypeError"),
    ],
    "lab-see.q3": [
        (probes.zero_fires, "not z ≥ 0"),
        (probes.always_gradient, "never reaches autograd"),
        (lambda z, rule: z.relu(), "never reaches autograd"),
        (probes.remembers, "forgets what had fired"),
        (probes.guided_forgets, "yours forgets"),
        (probes.everything_passes, "must not pass"),
        (probes.without_sign, "becomes zero, not positive"),
        (probes.linear_on_the_way_up, "is a ReLU too"),
        (relu_cut_off, "autograd cannot follow"),
        (nothing, "returned no tensor"),
        (3, "a function is wanted"),
    ],
    "lab-see.q4": [
        (probes.whole_map, "only its strongest unit"),
        (probes.one_picture, "of its own"),
        (probes.strongest_of_all, "strongest unit of all channels"),
        (probes.rule_ignored, "all rules give the gradient"),
        (probes.answer_itself, "send a 1 down"),
        (probes.times_picture, "not its product"),
        (look_with_grad, "`.grad` collects"),
        (look_with_hooks_left, "remove your hooks"),
        (nothing, "is a `return` missing"),
    ],
    "lab-see.q5": [
        (probes.without_padding, "zeros stand before"),
        (probes.from_the_picture, "undone first"),
        (probes.last_stride, "strides multiply"),
        (probes.centre, "not the middle"),
        (probes.clipped, "may begin before pixel 0"),
        (probes.side_times_stride, "steps between them"),
        (
            lambda layers, row, column: window_walked(layers, row, 0)[2],
            "wanted",
        ),
    ],
    "lab-see.q6": [
        (probes.never_lifted, "a square stays when"),
        (probes.on_the_original, "the very picture that was given"),
        (probes.what_is_lost, "not what is lost"),
        (probes.one_channel, "covers all channels"),
        (probes.pixel_by_pixel, "not pixel by pixel"),
        (probes.by_its_side, "not by its side"),
        (probes.columns_first, "yours are its columns"),
        (score_one_picture, "score takes pictures"),
    ],
    "lab-see.q7": [
        (probes.in_place, "work on a copy"),
        (probes.minus_zero, "is everything"),
        (probes.from_below, "stand last"),
        (probes.any_layers, "a ReLU or a pooling has none"),
        (probes.only_one, "all of the topmost"),
        (probes.whole_filters, "as one row"),
        (shuffled_within, "as one row"),
        (probes.drawn_anew, "only lose their order"),
        (nothing, "returned no network"),
        (partial(probes.scrambled, count=1), "multiple values"),
    ],
}
