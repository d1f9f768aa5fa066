"""What cnnbook.anatomy says of networks, against torch and the papers."""

from __future__ import annotations

import html
import json
import re
from collections import OrderedDict
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torchinfo
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_nets import Inception, Tied, TinyResidual
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.anatomy_vs_torchinfo import passes
from cnnbook.anatomy import trace
from cnnbook.geometry import Layer, receptive_fields
from cnnbook.nets import alexnet, lenet5, resnet, vgg

GOLDEN = Path(__file__).parent / "golden"
NETS = {
    "lenet5-modern": (lambda: lenet5("modern"), (1, 32, 32)),
    "lenet5-1998": (lambda: lenet5("1998"), (1, 32, 32)),
    "vgg16": (lambda: vgg("D"), (3, 224, 224)),
    "residual": (TinyResidual, (3, 16, 16)),
    "inception": (Inception, (3, 32, 32)),
    "tied": (Tied, (1, 8, 8)),
}


@pytest.fixture(scope="module", params=NETS)
def traced(request):
    """The name of a net and its anatomy, made without any memory."""
    make, size = NETS[request.param]
    with torch.device("meta"):
        net = make().eval()
    return request.param, trace(net, size)


# The tables


def test_the_text_is_the_golden_one(traced, request):
    name, anatomy = traced
    path, text = GOLDEN / f"{name}.txt", anatomy.to_text() + "\n"
    if request.config.getoption("--renew-golden"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_the_totals_follow_from_the_printed_text(traced):
    name, anatomy = traced
    text = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    for head in ("parameters", "MACs", "activations"):
        column = printed_column(text, head)
        assert sum(column[:-1]) == column[-1]
        assert column[-1] == getattr(anatomy, f"total_{head.lower()}")


def printed_column(text: str, head: str) -> list[int]:
    """The numbers that end below the end of a heading."""
    first, *lines = text.splitlines()[2:]
    end = first.index(head) + len(head)
    cells = [re.search(r"[\d,]*$", line[:end])[0] for line in lines]
    return [int(cell.replace(",", "")) for cell in cells if cell]


def test_a_wrong_total_would_be_noticed():
    text = (GOLDEN / "tied.txt").read_text(encoding="utf-8")
    column = printed_column(text.replace("4,348", "4,349"), "parameters")
    assert sum(column[:-1]) != column[-1]


class Cells(HTMLParser):
    """Collects the tags with their attributes and the text of the cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.cells = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in ("th", "td"):
            self.cells.append("")

    def handle_data(self, data):
        if self.cells and data.strip():
            self.cells[-1] += data


def test_the_html_says_the_same_and_is_accessible(traced):
    _, anatomy = traced
    parsed = Cells(anatomy._repr_html_())
    names = [tag for tag, _ in parsed.tags]
    assert names.count("caption") == names.count("table") == 1
    scopes = [a.get("scope") for tag, a in parsed.tags if tag == "th"]
    assert set(scopes) == {"col", "row"}
    steps = len(anatomy.rows) + len(anatomy.joins)
    assert scopes.count("row") == steps + 1
    words = re.split(r"\s{2,}|\n", anatomy.to_text())
    for cell in filter(None, parsed.cells):
        assert cell in words
    assert f"{anatomy.total_parameters:,}" in parsed.cells


def test_html_escapes_what_a_module_says():
    class Odd(nn.Linear):
        pass

    Odd.__name__ = "<script>"
    text = trace(nn.Sequential(Odd(2, 2)), (2,)).to_html()
    assert "<script>" not in text
    assert html.escape("<script>") in text


def test_the_json_is_plain_and_complete(traced):
    _, anatomy = traced
    data = json.loads(json.dumps(anatomy.to_json()))
    assert data == anatomy.to_json()
    assert set(data) >= {"name", "input_shape", "rows", "totals"}
    assert data["totals"]["macs"] == sum(r["macs"] for r in data["rows"])
    keys = "name kind input_shape output_shape parameters macs activations"
    keys = {*keys.split(), "receptive_field", "jump"}
    assert all(keys <= set(row) for row in data["rows"])


def test_the_repr_is_stable():
    assert repr(trace(lenet5("modern"), (1, 32, 32))) == (
        "Anatomy(LeNet5, input 1×32×32: 7 layers, 61,706 parameters, "
        "416,520 MACs)"
    )


# The counts


def test_counts_are_torchs(traced):
    name, anatomy = traced
    make, size = NETS[name]
    with torch.device("meta"):
        net, x = make().eval(), torch.empty(1, *size)
    assert anatomy.total_parameters == sum(p.numel() for p in net.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        out = net(x)
    assert anatomy.total_macs == counter.get_total_flops() // 2
    assert anatomy.rows[-1].output_shape == out.shape[1:]


def test_vgg_16_has_the_published_figures():
    with torch.device("meta"):
        net = vgg("D").eval()
    anatomy = trace(net, (3, 224, 224))
    rows = anatomy.rows
    convolutions = [row for row in rows if row.kind == "Conv2d"]
    pools = [row for row in rows if row.kind == "MaxPool2d"]
    assert anatomy.total_parameters == 138_357_544
    assert sum(row.macs for row in convolutions) == 15_346_630_656
    assert anatomy.total_macs == 15_470_264_320
    assert (pools[-1].receptive_field, pools[-1].jump) == (212, 32)
    image = 3 * 224 * 224
    assert anatomy.total_activations + image == 15_237_608


def test_relus_that_are_not_in_place_cost_memory():
    with torch.device("meta"):
        net = vgg("D").eval()
    for part in net.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    activations = trace(net, (3, 224, 224)).total_activations
    assert activations + 3 * 224 * 224 == 28_793_320


@pytest.mark.parametrize(
    "make, side, step, field",
    [
        (alexnet, 227, "pool5", 195),
        (lambda: vgg("D"), 224, "features.pool5", 212),
        (lambda: resnet(18), 224, "stage5.1", 435),
        (lambda: resnet(50), 224, "stage5.2", 483),
        (lambda: resnet(50, "v1.5"), 224, "stage5.2", 427),
    ],
)
def test_receptive_fields_of_the_papers_nets(make, side, step, field):
    with torch.device("meta"):
        steps = trace(make().eval(), (3, side, side)).steps
    fields = {step.name: step.receptive_field for step in steps}
    assert fields[step] == field


def test_a_layer_that_runs_twice_shows_twice_and_counts_once():
    net = Tied()
    rows = trace(net, (1, 8, 8)).rows
    counts = [(row.name, row.parameters) for row in rows]
    assert counts == [
        ("stem", 40),
        ("again", 148),
        ("again", 0),
        ("first", 4096),
        ("second", 64),
    ]
    assert rows[1].macs == rows[2].macs > 0


def test_tied_weights_count_once_where_torchinfo_counts_them_twice():
    net = Tied()
    truth = sum(p.numel() for p in net.parameters())
    theirs = torchinfo.summary(net, (1, 1, 8, 8), verbose=0)
    assert trace(net, (1, 8, 8)).total_parameters == truth == 4348
    assert theirs.total_params != truth


def test_parameters_that_a_pass_does_not_use_are_named():
    class Auxiliary(nn.Sequential):
        def forward(self, x):
            return self[0](x)

    anatomy = trace(Auxiliary(nn.Linear(3, 2), nn.Linear(3, 4)), (3,))
    assert anatomy.total_parameters == 8
    assert anatomy.unused == (("1.weight", 12), ("1.bias", 4))
    note = "Not used in this pass: 16 parameters (1)."
    assert anatomy.to_text().endswith(note)
    assert note in anatomy.to_html()


def test_what_a_parent_computes_itself_has_a_row():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)
            self.weight = nn.Parameter(torch.ones(5, 3))

        def forward(self, x):
            return F.linear(self.layer(x), self.weight)

    row = trace(Own(), (3,)).rows[-1]
    assert (row.name, row.kind) == ("Own", "Own (own)")
    assert (row.parameters, row.macs, row.activations) == (15, 15, 5)
    assert row.inputs == ("layer",)
    attention = nn.MultiheadAttention(8, 2, batch_first=True)

    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = attention

        def forward(self, x):
            x = x[:, 0]
            return self.attention(x, x, x)[0]

    anatomy = trace(Attend(), (1, 6, 8))
    assert anatomy.total_parameters == sum(
        p.numel() for p in attention.parameters()
    )


# The module stays as it is


@pytest.mark.parametrize("size", [(3, 16, 16), (5, 16, 16)])
def test_the_module_is_left_as_it_was(size):
    net = TinyResidual()
    net.plain.eval()  # a mixed mode, and running statistics that could move
    state = {k: v.clone() for k, v in net.state_dict().items()}
    parts = {n: (p, p.training) for n, p in net.named_modules()}
    tensors = {n: t for n, t in net.named_parameters()}
    random = torch.get_rng_state()
    if size[0] == 3:
        trace(net, size)
    else:
        with pytest.raises(ValueError):
            trace(net, size)
    assert torch.equal(random, torch.get_rng_state())
    assert parts == {n: (p, p.training) for n, p in net.named_modules()}
    for name, parameter in net.named_parameters():
        assert parameter is tensors[name]
    for name, tensor in net.state_dict().items():
        assert tensor.device.type == "cpu"
        assert torch.equal(tensor, state[name])
    for part in net.modules():
        assert not part._forward_hooks and not part._forward_pre_hooks
    assert net(torch.zeros(2, 3, 16, 16)).shape == (2, 10)


def test_a_training_batch_norm_on_single_values_does_not_stop_it():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)).train()
    assert trace(net, (1, 3, 3)).rows[-1].output_shape == (4, 1, 1)


def test_stray_tensors_and_new_ones_come_along():
    class Stray(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 2, 3)
            self.scale = torch.ones(2, 1, 1)  # neither parameter nor buffer

        def forward(self, x):
            y = torch.zeros(len(x), 2, 6, 6)
            y[:, :1] = self.layer(x)[:, 1:] * self.scale[1]
            return F.conv2d(y, torch.ones(1, 2, 3, 3)) + torch.rand(4, 4)

    net = Stray()
    anatomy = trace(net, (1, 8, 8))
    assert net.scale.device.type == "cpu"
    assert anatomy.rows[-1].receptive_field == 5
    assert anatomy.rows[-1].output_shape == (1, 4, 4)


def test_the_batch_does_not_matter():
    net = lenet5("modern")
    one = trace(net, (1, 32, 32))
    assert trace(net, (64, 1, 32, 32)) == one
    assert trace(net, [1, 32, 32]) == one
    assert trace(nn.Linear(3, 2), 3) == trace(nn.Linear(3, 2), (8, 3))


# Branches and receptive fields


def test_branches_show_where_their_inputs_come_from():
    anatomy = trace(TinyResidual(), (3, 16, 16))
    plain, down = anatomy.joins
    assert (plain.name, plain.kind) == ("plain", "+")
    assert plain.inputs == ("plain.branch.4", "stem")
    assert down.inputs == ("down.branch.4", "down.shortcut.1")
    by_name = {row.name: row for row in anatomy.rows}
    assert by_name["down.shortcut.0"].inputs == ("plain",)
    assert by_name["pool"].inputs == ("down",)
    (cat,) = trace(Inception(), (3, 32, 32)).joins
    assert cat.kind == "cat"
    assert cat.inputs == ("one", "three.2", "five.2", "pool.1")


class Functional(nn.Module):
    """Its poolings are functions; a mean of one value changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)

    def forward(self, x):
        x = F.avg_pool2d(F.max_pool2d(self.conv(x), 2), 3)
        return x.mean(dim=(2, 3)).amax(dim=1)


def test_pooling_outside_of_the_layers_is_a_step():
    joins = trace(Functional(), (1, 8, 8)).joins
    assert [(join.kind, join.output_shape) for join in joins] == [
        ("max pool", (4, 3, 3)),
        ("mean pool", (4, 1, 1)),
        ("max", ()),
    ]
    assert joins[0].inputs == ("conv",)
    *sums, mean = trace(resnet(18).eval(), (3, 224, 224)).joins
    assert {join.kind for join in sums} == {"+"}
    assert (mean.kind, mean.inputs) == ("mean", ("stage5.1",))
    assert (mean.output_shape, mean.receptive_field) == ((512,), 224)


def test_a_field_is_that_of_the_longest_branch():
    anatomy = trace(Inception(), (3, 32, 32))
    fields = {row.name: row.receptive_field for row in anatomy.rows}
    assert (fields["one"], fields["three.2"], fields["five.2"]) == (3, 7, 11)
    assert anatomy.joins[0].receptive_field == 11
    assert fields["after"] == 15


chains = st.lists(
    st.tuples(
        st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.booleans()
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(chains)
def test_a_chain_has_the_fields_of_the_geometry(chain):
    parts = [
        nn.AvgPool2d(k, s, min(p, k // 2))
        if pool
        else nn.Conv2d(1, 1, k, s, min(p, k // 2))
        for k, s, p, pool in chain
    ]
    rows = trace(nn.Sequential(*parts), (1, 400, 400)).rows
    layers = [Layer(k, s, min(p, k // 2)) for k, s, p, _ in chain]
    expected = [(f.size, f.jump) for f in receptive_fields(layers)]
    assert [(r.receptive_field, r.jump) for r in rows] == expected


STEPS = {
    "conv": lambda x, k, conv, wide: conv(x),
    "pool": lambda x, k, conv, wide: F.avg_pool2d(x, 2),
    "sum": lambda x, k, conv, wide: x + conv(x),
    "gate": lambda x, k, conv, wide: conv(x) * x.square(),
    "cat": lambda x, k, conv, wide: wide(torch.cat([conv(x), x], dim=1)),
    "pad": lambda x, k, conv, wide: F.pad(x, (k, 1, 1, k)),
    "cut": lambda x, k, conv, wide: x[..., k:, 1:-1],
    "turn": lambda x, k, conv, wide: conv(x.permute(0, 1, 3, 2)).mT,
    "split": lambda x, k, conv, wide: conv(x) + x.split(1, dim=1)[0],
    "pick": lambda x, k, conv, wide: x[:, [1, 0]] - conv(x),
    "stack": lambda x, k, conv, wide: torch.stack([x, conv(x)], 2).sum(2),
    "view": lambda x, k, conv, wide: conv(
        x.unsqueeze(1).view(len(x), 1, 2, *x.shape[2:]).squeeze(1)
    ),
    "write": lambda x, k, conv, wide: write(x, conv(x)),
    "up": lambda x, k, conv, wide: F.interpolate(x, scale_factor=2),
}


class Mixed(nn.Module):
    """A random net: steps that walk, branch, move and mix dimensions."""

    def __init__(self, steps) -> None:
        super().__init__()
        self.steps = steps
        self.convs = nn.ModuleList(
            nn.Conv2d(
                *(2, 2, k, s if kind in ("conv", "turn", "view") else 1),
                padding=k // 2,
                bias=False,
            )
            for kind, k, s in steps
        )
        self.wide = nn.ModuleList(
            nn.Conv2d(4, 2, 1, bias=False) for _ in steps
        )
        self.end = nn.Identity()
        for parameter in self.parameters():
            nn.init.uniform_(parameter, 0.5, 1)

    def forward(self, x):
        parts = zip(self.steps, self.convs, self.wide, strict=True)
        for (kind, k, _), conv, wide in parts:
            x = STEPS[kind](x, k, conv, wide)
        return self.end(x)


def write(x, y):
    """Compose a tensor by writing into its parts."""
    out = torch.zeros_like(y)
    out[:, :1] = y[:, 1:]
    out[:, 1:] = x[:, :1]
    return out + out


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(STEPS)),
            st.sampled_from([1, 3]),
            st.integers(1, 2),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_field_of_any_net_is_what_autograd_reaches(steps):
    net = Mixed(steps).double()
    x = torch.ones(1, 2, 160, 160, dtype=torch.float64, requires_grad=True)
    y = net(x)
    centre = [n // 2 for n in y.shape[2:]]
    (seen,) = torch.autograd.grad(y[0, 0, centre[0], centre[1]], x)
    spread = [
        int(axis[-1] - axis[0]) + 1
        for axis in (
            seen.sum((0, 1, 3)).nonzero()[:, 0],
            seen.sum((0, 1, 2)).nonzero()[:, 0],
        )
    ]
    field = trace(net, (2, 160, 160)).rows[-1].receptive_field
    field = [field] * 2 if isinstance(field, int) else list(field)
    if "up" in {kind for kind, _, _ in steps}:
        # nearest neighbours repeat pixels: a window over them sees fewer
        assert all(f >= s for f, s in zip(field, spread, strict=True))
    else:
        assert field == spread


@pytest.mark.parametrize(
    "end",
    [
        lambda x: x.mean((2, 3)),
        lambda x: F.adaptive_avg_pool2d(x, 1),
        lambda x: F.adaptive_max_pool2d(x, 1),
        lambda x: F.linear(x.flatten(1), torch.ones(1, x[0].numel())),
        lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)),
        lambda x: x.flatten(2).softmax(2),
        lambda x: x.flatten(2) @ x.flatten(2).mT,
        lambda x: x.flip(2, 3).cumsum(2).cumsum(3),
        lambda x: x.amax(3).amax(2),
    ],
)
def test_what_looks_at_the_whole_map_sees_the_whole_input(end):
    class Ends(nn.Sequential):
        def forward(self, x):
            return self[1](end(self[0](x)))

    net = Ends(nn.Conv2d(3, 4, 3, padding=1), nn.Identity())
    row = trace(net, (3, 10, 12)).rows[-1]
    assert (row.receptive_field, row.jump) == ((10, 12), None)


def test_pixels_that_no_window_reaches_do_not_count():
    net = nn.Sequential(nn.MaxPool2d(3), nn.Flatten(), nn.Linear(4, 1))
    assert trace(net, (1, 8, 8)).rows[-1].receptive_field == 6


def test_a_field_that_is_not_square_is_a_pair():
    net = nn.Conv2d(1, 1, (1, 7), (1, 2), (0, 3))
    (row,) = trace(net, (1, 20, 20)).rows
    assert (row.receptive_field, row.jump) == ((1, 7), (1, 2))
    assert row.window == "1×7, stride 1×2, padding 0×3"


def test_one_axis_none_and_three():
    (row,) = trace(nn.Conv1d(2, 3, 5, padding="same"), (2, 30)).rows
    assert (row.receptive_field, row.macs) == (5, 900)
    (row,) = trace(nn.Linear(3, 2), (3,)).rows
    assert (row.receptive_field, row.jump) == (None, None)
    (row,) = trace(nn.Conv3d(1, 1, 3), (1, 5, 6, 7)).rows
    assert (row.receptive_field, row.output_shape) == (3, (1, 3, 4, 5))
    pools = nn.Sequential(nn.MaxPool1d(2), nn.AvgPool1d(3))
    fields = [row.receptive_field for row in trace(pools, (2, 30)).rows]
    assert fields == [2, 6]


def test_normalisation_and_transposed_convolution():
    norms = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.LocalResponseNorm(5),
        nn.BatchNorm2d(8),
        nn.GroupNorm(2, 8),
        nn.ConvTranspose2d(8, 4, 2, 2),
        nn.AdaptiveAvgPool2d(6),
    )
    rows = trace(norms, (3, 20, 20)).rows
    fields = [(row.receptive_field, row.jump) for row in rows]
    assert fields == [(3, 1)] * 4 + [(3, 0.5), (6, 3)]  # at most


# Bad input


def unchecked_lenet():
    """LeNet-5's layers in a row: nothing looks at the images before them."""
    layers = dict(lenet5("modern").named_children())
    last = {name: layers.pop(name) for name in ("f6", "output")}
    return nn.Sequential(OrderedDict(layers, flatten=nn.Flatten(), **last))


BAD = {
    "too small": (
        lambda: trace(unchecked_lenet(), (1, 28, 28)),
        "With input_size=(1, 28, 28), the layer 'c5' (Conv2d) gets "
        "(16, 4, 4) and expects 16 channels and a padded map of at least "
        "5×5; try input_size=(1, 32, 32).",
    ),
    "too large": (
        lambda: trace(unchecked_lenet(), (1, 36, 36)),
        "With input_size=(1, 36, 36), the layer 'f6' (Linear) gets (480,) "
        "and expects 120 features at the end; "
        "try input_size=(1, 35, 35).",
    ),
    "refused by the network": (
        lambda: trace(lenet5("modern"), (1, 28, 28)),
        "With input_size=(1, 28, 28), the layer 'LeNet5' (LeNet5) gets "
        "(1, 28, 28) and stops: This network reads batches (N, 1, height, "
        "width) of images with 32 to 35 pixels a side, not (2, 1, 28, 28); "
        "resize the images; try input_size=(1, 32, 32).",
    ),
    "wrong channels": (
        lambda: trace(Inception(), (1, 32, 32)),
        "With input_size=(1, 32, 32), the layer 'stem' (Conv2d) gets "
        "(1, 32, 32) and expects 3 channels and a padded map of at least "
        "3×3; try input_size=(3, 32, 32).",
    ),
    "channels of a norm": (
        lambda: trace(nn.BatchNorm2d(4), (3, 8, 8)),
        "With input_size=(3, 8, 8), the layer 'BatchNorm2d' (BatchNorm2d) "
        "gets (3, 8, 8) and expects 4 channels.",
    ),
    "rank": (
        lambda: trace(lenet5("modern"), (1, 1, 1, 32, 32)),
        "LeNet5 takes an input size of 3 numbers, or of 4 with the batch, "
        "not (1, 1, 1, 32, 32).",
    ),
    "zero": (
        lambda: trace(lenet5("modern"), (1, 0, 32)),
        "The input size is a shape such as (3, 224, 224), not (1, 0, 32).",
    ),
    "lazy": (
        lambda: trace(nn.LazyLinear(3), (4,)),
        "LazyLinear has lazy layers without a size yet; "
        "run it on one real example first.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence(case):
    call, sentence = BAD[case]
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == sentence


def test_any_other_failure_names_the_layer_and_the_reason():
    class Broken(nn.Module):
        def forward(self, x):
            return {"a": x}["b"]

    with pytest.raises(ValueError, match=r"the layer '0' \(Broken\) gets"):
        trace(nn.Sequential(Broken()), (1, 8, 8))
    with pytest.raises(TypeError, match=r"^trace\(\) takes a torch module"):
        trace("LeNet", (1, 32, 32))


@pytest.mark.parametrize(
    ("time", "memory", "good"),
    [(0.9, 0.05, True), (1.1, 0.05, False), (0.9, 0.2, False)],
)
def test_the_benchmark_refuses_more_time_or_memory(time, memory, good):
    assert passes({"time": time, "memory": memory}) == good
