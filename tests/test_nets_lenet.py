"""LeNet-5: the paper's numbers, counted; its parts, losses, messages."""

import inspect

import pytest
import torch
from torch import nn

from cnnbook import nets
from cnnbook.nets import lenet


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def layer_parameters(net):
    return {name: parameters(layer) for name, layer in net.named_children()}


def is_one_sentence(error):
    text = str(error.value)
    return text.endswith(".") and "\n" not in text and ". " not in text


def test_the_1998_net_has_60_000_parameters():
    net = nets.lenet5("1998")
    assert layer_parameters(net) == {
        "c1": 156,
        "s2": 12,
        "c3": 1_516,
        "s4": 32,
        "c5": 48_120,
        "f6": 10_164,
        "output": 0,
    }
    assert parameters(net) == 60_000
    assert all(p.requires_grad for p in net.parameters())


def test_the_modern_twin_has_61_706():
    net = nets.lenet5("modern")
    assert layer_parameters(net) == {
        "c1": 156,
        "s2": 0,
        "c3": 2_416,
        "s4": 0,
        "c5": 48_120,
        "f6": 10_164,
        "output": 850,
    }
    assert parameters(net) == 61_706


def test_connections_with_and_without_the_fixed_weights():
    counts = lenet.connections(nets.lenet5("1998"))
    assert counts == {
        "c1": 122_304,
        "s2": 5_880,
        "c3": 151_600,
        "s4": 2_000,
        "c5": 48_120,
        "f6": 10_164,
        "output": 840,
    }
    assert sum(counts.values()) == 340_908
    assert sum(counts.values()) - counts["output"] == 340_068


def test_counting_leaves_no_hook_behind():
    net = nets.lenet5("1998")
    lenet.connections(net)
    assert not any(layer._forward_hooks for layer in net.children())


def test_one_more_kernel_would_be_noticed():
    class Wider(lenet.LeNet5_1998):
        def __init__(self):
            super().__init__()
            table = ((0, 1, 2, 3), *lenet.C3_TABLE[1:])
            self.c3 = lenet.SparseConv2d(table, 5)

    assert parameters(Wider()) == 60_025
    assert sum(lenet.connections(Wider()).values()) == 340_908 + 2_500


def test_the_table_of_c3():
    lengths = [len(row) for row in lenet.C3_TABLE]
    assert lengths == [3] * 6 + [4] * 9 + [6]
    assert all(row == tuple(sorted(set(row))) for row in lenet.C3_TABLE)
    assert len(set(lenet.C3_TABLE)) == 16
    readers = torch.tensor([i for row in lenet.C3_TABLE for i in row])
    assert readers.bincount().tolist() == [10] * 6

    def contiguous(row):  # on a ring of six maps
        return any(
            set(row) == {(start + k) % 6 for k in range(len(row))}
            for start in range(6)
        )

    assert [contiguous(row) for row in lenet.C3_TABLE] == (
        [True] * 12 + [False] * 3 + [True]
    )


def test_c3_sees_what_its_table_says_and_nothing_else():
    c3 = nets.lenet5("1998").c3
    for m, row in enumerate(lenet.C3_TABLE):
        x = torch.randn(1, 6, 14, 14, requires_grad=True)
        c3(x)[0, m].sum().backward()
        seen = x.grad.abs().sum(dim=(0, 2, 3)).nonzero().flatten()
        assert tuple(seen.tolist()) == row


def test_c3_is_sixteen_small_convolutions():
    c3 = nets.lenet5("1998").c3
    x = torch.randn(3, 6, 14, 14)
    kernels = c3.weight.split([len(row) for row in lenet.C3_TABLE])
    for m, row in enumerate(lenet.C3_TABLE):
        small = nn.functional.conv2d(
            x[:, row], kernels[m][None], c3.bias[m:][:1]
        )
        assert torch.allclose(c3(x)[:, m : m + 1], small, atol=1e-5)


@pytest.mark.parametrize("variant", ["1998", "modern"])
def test_a_class_fits_on_a_screen(variant):
    net = nets.lenet5(variant)
    lines = inspect.getsource(type(net)).splitlines()
    assert len(lines) < 40
    assert [name for name, _ in net.named_children()] == [
        "c1",
        "s2",
        "c3",
        "s4",
        "c5",
        "f6",
        "output",
    ]


def test_unknown_variants_and_classes_are_explained():
    with pytest.raises(ValueError, match=r"'2012'.*'1998' or 'mod") as error:
        nets.lenet5("2012")
    assert is_one_sentence(error)
    with pytest.raises(ValueError, match=r"not 12.*'modern'") as error:
        nets.lenet5("1998", num_classes=12)
    assert is_one_sentence(error)


def test_the_squashing_function():
    x = torch.tensor([-1.0, 0.0, 1.0])
    assert torch.allclose(lenet.squash(x), x, atol=1e-4)
    assert float(lenet.squash(torch.tensor(1e6))) == pytest.approx(1.7159)
    x = torch.tensor(0.0, requires_grad=True)
    lenet.squash(x).backward()
    assert float(x.grad) == pytest.approx(1.7159 * 2 / 3)


def test_subsampling_by_hand():
    layer = lenet.Subsampling(2)
    with torch.no_grad():
        layer.coefficient[:] = torch.tensor([0.5, 2.0]).reshape(2, 1, 1)
        layer.bias[:] = torch.tensor([1.0, -1.0]).reshape(2, 1, 1)
    x = torch.arange(1.0, 9.0).reshape(1, 2, 2, 2)  # sums 10 and 26
    assert layer(x).flatten().tolist() == [6.0, 51.0]


def test_first_weights_follow_the_paper():
    torch.manual_seed(0)
    net = nets.lenet5("1998")
    fan_in = {"c1": 25, "s2": 4, "s4": 4, "c5": 400, "f6": 120}
    for name, inputs in fan_in.items():
        bound = 2.4 / inputs
        for parameter in getattr(net, name).parameters():
            assert parameter.abs().max() <= bound
        largest = max(p.abs().max() for p in getattr(net, name).parameters())
        assert largest > 0.8 * bound
    row_of = dict(enumerate(lenet.C3_TABLE))
    for kernel, m in zip(net.c3.weight, net.c3.outputs, strict=True):
        assert kernel.abs().max() <= 2.4 / (25 * len(row_of[m]))


def test_the_bitmaps_are_ten_different_drawings():
    drawings = lenet.bitmaps()
    assert drawings.shape == (10, 7 * 12)
    assert drawings.unique().tolist() == [-1, 1]
    apart = (drawings[:, None] != drawings).sum(dim=2)
    apart.fill_diagonal_(84)
    assert apart.min() >= 10  # pixels by which any two digits differ
    rows = drawings.reshape(10, 12, 7)
    assert (rows[:, [0, -1]].max(dim=2).values == 1).all()  # full height


def test_a_perfect_drawing_has_distance_zero():
    rbf = lenet.RBF()
    distances = rbf(rbf.bitmaps)
    assert distances.diagonal().tolist() == [0] * 10
    assert distances.argmin(dim=1).tolist() == list(range(10))
    assert distances[3, 9] == 4 * (rbf.bitmaps[3] != rbf.bitmaps[9]).sum()
    assert not list(rbf.parameters())


def test_the_losses_of_the_paper():
    distances = torch.tensor([[1.0, 4.0], [3.0, 2.0]])
    labels = torch.tensor([0, 1])
    assert float(lenet.mse_loss(distances, labels)) == 1.5
    e = torch.exp
    push = [
        torch.log(e(-row).sum() + e(torch.tensor(-0.5))) for row in distances
    ]
    expected = 1.5 + (push[0] + push[1]) / 2
    loss = lenet.map_loss(distances, labels, j=0.5)
    assert float(loss) == pytest.approx(float(expected))


def test_the_map_loss_pushes_wrong_bitmaps_away():
    distances = torch.tensor([[1.0, 1.5, 9.0]], requires_grad=True)
    lenet.map_loss(distances, torch.tensor([0])).backward()
    right, near, far = distances.grad[0].tolist()
    assert right > 0 > far > near
