"""The deconvnet against autograd, the strongest patches, the occlusion map."""

from __future__ import annotations

from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnbook import deconvnet, nets
from cnnbook.deconvnet import RULES, climb, descend

NETS = {
    "zfnet": (nets.small_zfnet, 32),
    "alexnet": (nets.small_alexnet, 32),
    "unpadded": (lambda: nets.alexnet("unpadded", in_channels=1), 227),
}


@cache
def prepared(name: str) -> tuple[nn.Module, torch.Tensor]:
    """A network with random weights in float64, and two images for it."""
    torch.manual_seed(0)
    factory, side = NETS[name]
    net = factory().double().eval().requires_grad_(False)
    if name == "unpadded":
        for layer in net.children():  # its narrow first weights fade
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
    images = torch.randn(2, 1, side, side, dtype=torch.float64)
    return net, images


def dense(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The rest of the network, above its maps."""
    x = F.relu(net.fc6(x.flatten(1)))
    return net.fc8(F.relu(net.fc7(x)))


@pytest.mark.parametrize("name", NETS)
def test_it_climbs_as_the_network_does(name):
    net, images = prepared(name)
    maps, _ = climb(net, images, "pool5")
    torch.testing.assert_close(dense(net, maps), net(images))


@pytest.mark.parametrize("name", NETS)
def test_the_gradient_is_autograds(name):
    net, images = prepared(name)
    seen = {}
    watched = images.clone().requires_grad_()
    handle = net.pool5.register_forward_hook(
        lambda layer, given, maps: seen.update(maps=maps)
    )
    net(watched)
    handle.remove()
    upstream = torch.randn_like(seen["maps"])
    (expected,) = torch.autograd.grad(seen["maps"], watched, upstream)
    _, steps = climb(net, images, "pool5")
    found = descend(steps, upstream, "gradient")
    assert expected.abs().max() > 1e-4
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    for other in ("deconvnet", "guided"):
        found = descend(steps, upstream, other)
        assert not torch.allclose(found, expected, rtol=1e-2)


def test_a_spoilt_way_down_is_not_autograds(monkeypatch):
    """Overwriting where windows meet, as torch does, fails the test above."""

    def overwrite(signal, switches, shape):
        flat = signal.new_zeros(shape).flatten(2)
        flat.scatter_(2, switches.flatten(2), signal.flatten(2))
        return flat.view(shape)

    monkeypatch.setattr(deconvnet, "unpool", overwrite)
    with pytest.raises(AssertionError):
        test_the_gradient_is_autograds("zfnet")


def guided_by_hooks(
    net: nn.Sequential, image: torch.Tensor, channel: int, rule: str
) -> torch.Tensor:
    """The rules of the ReLU on autograd's own way back, layer by layer."""

    def back(layer, from_below, from_above):
        (g,), (passed,) = from_above, from_below
        return (F.relu(g) if rule == "deconvnet" else F.relu(passed),)

    handles = [
        layer.register_full_backward_hook(back)
        for layer in net
        if isinstance(layer, nn.ReLU)
    ]
    watched = image.clone().requires_grad_()
    maps = net(watched)
    signal = torch.zeros_like(maps)
    place = int(maps[0, channel].argmax())
    signal[0, channel].view(-1)[place] = maps[0, channel].max().detach()
    (found,) = torch.autograd.grad(maps, watched, signal)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("rule", ["deconvnet", "guided"])
def test_the_other_rules_change_the_relu_alone(rule):
    torch.manual_seed(1)
    layers = {
        "conv1": nn.Conv2d(1, 6, 5, stride=2, padding=1),
        "pool1": nn.MaxPool2d(3, stride=2, ceil_mode=True),
        "conv2": nn.Conv2d(6, 8, 3, padding=1),
        "conv3": nn.Conv2d(8, 8, 3),
    }
    net = nn.Module()
    chain = []
    for name, layer in layers.items():
        net.add_module(name, layer)
        chain.append(layer)
        if isinstance(layer, nn.Conv2d):
            chain.append(nn.ReLU())
    net = net.double().requires_grad_(False)
    image = torch.randn(1, 1, 32, 32, dtype=torch.float64)
    for channel in range(8):
        expected = guided_by_hooks(nn.Sequential(*chain), image, channel, rule)
        found = deconvnet.reconstruct(net, image, "conv3", channel, rule)
        torch.testing.assert_close(found, expected)


def test_the_three_agree_in_the_first_layer():
    net, images = prepared("zfnet")
    pictures = [
        deconvnet.reconstruct(net, images, "conv1", 3, rule) for rule in RULES
    ]
    assert pictures[0].abs().max() > 0
    assert torch.equal(pictures[0], pictures[1])
    assert torch.equal(pictures[0], pictures[2])


def test_without_poolings_it_does_not_see_the_image():
    """Then the picture of a unit is the same for every image."""
    torch.manual_seed(2)
    net = nn.Module()
    net.conv1 = nn.Conv2d(1, 6, 3, stride=2)
    net.conv2 = nn.Conv2d(6, 6, 3, stride=2)
    images = torch.randn(2, 1, 32, 32)
    maps, steps = climb(net, images, "conv2")
    signal = torch.zeros_like(maps)
    signal[:, 0, 3, 3] = 1
    one, other = descend(steps, signal)
    assert torch.equal(one, other) and one.abs().max() > 0
    one, other = descend(steps, signal, "gradient")
    assert not torch.allclose(one, other)


def test_unpooling_adds_where_windows_meet():
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 2] = 7  # the largest of all four windows
    y, switches = F.max_pool2d(x, 3, 2, return_indices=True)
    back = deconvnet.unpool(y, switches, x.shape)
    assert back[0, 0, 2, 2] == 28 and back.sum() == 28


def test_the_strongest_are_the_strongest():
    net, images = prepared("zfnet")
    many = torch.cat([images, images.flip(2), images.flip(3), 0 * images])
    maps, _ = climb(net, many, "conv3")
    found = deconvnet.strongest(net, many, "conv3", 5, count=4)
    values = [one.value for one in found]
    assert len(found) == 4 and values == sorted(values, reverse=True)
    assert values[0] == maps[:, 5].max().item()
    for image, value, row, column in found:
        assert maps[image, 5, row, column].item() == value
        assert value == maps[image, 5].max().item()


@pytest.mark.parametrize("top", ["conv1", "pool1", "conv2", "conv3", "pool5"])
def test_nothing_outside_its_window_moves_a_unit(top):
    net, images = prepared("zfnet")
    maps, steps = climb(net, images[:1], top)
    for row, column in ((0, 0), (1, 2), tuple(n - 1 for n in maps.shape[2:])):
        signal = torch.zeros_like(maps)
        signal[0, :, row, column] = 1
        reached = descend(steps, signal, "gradient")[0, 0] != 0
        first_row, first_column, side = deconvnet.window(net, top, row, column)
        inside = torch.zeros_like(reached)
        inside[
            max(first_row, 0) : first_row + side,
            max(first_column, 0) : first_column + side,
        ] = True
        assert reached.any() and not (reached & ~inside).any()
        wrong = inside.roll(3, dims=1)  # a window that is off by three
        if top == "conv1":
            assert (reached & ~wrong).any()


def test_occlusion_covers_each_place_once():
    image = torch.zeros(1, 6, 8)
    image[0, 2, 5] = 3.0
    found = deconvnet.occlusion(
        lambda batch: batch.sum(dim=(1, 2, 3)), image, side=3, value=0.0
    )
    assert found.shape == (6, 8)
    covered = torch.zeros(6, 8, dtype=torch.bool)
    covered[1:4, 4:7] = True
    assert torch.equal(found == 0, covered)
    assert torch.equal(found == 3, ~covered)
    coarse = deconvnet.occlusion(
        lambda batch: batch.sum(dim=(1, 2, 3)), image, 3, step=2
    )
    assert torch.equal(coarse, found[::2, ::2])


def test_occlusion_fills_with_the_value_given():
    image = torch.ones(2, 4, 4)
    found = deconvnet.occlusion(
        lambda batch: batch.sum(dim=(1, 2, 3)), image, side=1, value=5.0
    )
    assert torch.equal(found, torch.full((4, 4), 32.0 + 8))


def test_wrong_arguments_get_a_sentence():
    net, images = prepared("zfnet")
    with pytest.raises(ValueError, match=r"no layer .* 'fc6'; try 'conv1'"):
        climb(net, images, "fc6")
    with pytest.raises(ValueError, match="maps 0 to 31, not 32"):
        deconvnet.reconstruct(net, images, "conv5", 32)
    with pytest.raises(ValueError, match="no rule 'magic'"):
        deconvnet.reconstruct(net, images, "conv5", 0, "magic")
    with pytest.raises(ValueError, match=r"images.*x\[None\]"):
        climb(net, images[0], "conv1")
    with pytest.raises(ValueError, match="AlexNets or ZFNets"):
        climb(nets.small_vgg(), images, "conv1")


def test_a_silent_map_gives_zeros():
    net, images = prepared("zfnet")
    maps, _ = climb(net, images - 100, "conv1")
    silent = int((maps.amax(dim=(0, 2, 3)) == 0).nonzero()[0])
    picture = deconvnet.reconstruct(net, images - 100, "conv1", silent)
    assert picture.abs().max() == 0
