"""Public weights: equal to torchvision's own networks, or refused in words."""

import gc
import hashlib
import re
import sys

import pytest
import torch
import torchvision_oracle as oracle
from conftest import ROOT, serve
from torch import nn

from cnnbook import download as fetching
from cnnbook import nets
from cnnbook.nets.torchvision_nets import PUBLIC

module = sys.modules["cnnbook.nets.pretrained"]  # the function has its name
needs_oracle = pytest.mark.skipif(
    bool(oracle.missing()), reason=oracle.missing() or "it is here"
)


def is_one_sentence(error):
    text = str(error.value)
    return text.endswith(".") and "\n" not in text and ". " not in text


# The oracle must be here where the lock is


def oracle_faults(lock: str, torch_version: str, missing: str) -> list[str]:
    """With the lock's torch there must be torchvision, and no test left out.

    Readers have other versions of torch: there a skipped test says why.
    """
    if "\ntorchvision==" not in lock:
        return ["requirements.lock does not name torchvision"]
    [locked] = re.findall(r"^torch==(\S+)", lock, re.M)
    ours = torch_version.split("+")[0] == locked
    return [missing] if ours and missing else []


def test_the_oracle_is_here_where_the_lock_is():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert oracle_faults(lock, torch.__version__, oracle.missing()) == []


def test_a_missing_oracle_is_found():
    lock = "six==1\ntorch==2.13.0\ntorchvision==0.28.0\n"
    assert oracle_faults(lock, "2.13.0+cpu", "gone") == ["gone"]
    assert oracle_faults(lock, "2.13.0", "") == []
    assert oracle_faults(lock, "2.11.0", "gone") == []
    assert oracle_faults("torch==2.13.0\n", "2.13.0", "") != []


# Equal outputs


def blank(name: str, **options) -> nn.Module:
    """torchvision's network, without values."""
    builder = oracle.models().get_model_builder(name)
    if name == "googlenet":
        options = {"aux_logits": False, "init_weights": False} | options
    with torch.device("meta"):
        return builder(weights=None, **options)


@torch.no_grad()
def random(name: str, images: torch.Tensor, **options) -> nn.Module:
    """torchvision's network with random values, in evaluation mode.

    Batch norms scale and shift at random, and have seen the *images*.
    """
    torch.manual_seed(0)
    net = blank(name, **options).to_empty(device="cpu")
    for parameter in net.parameters():
        if parameter.dim() > 1:
            bound = (6 / parameter[0].numel()) ** 0.5
            parameter.uniform_(-bound, bound)
        else:
            parameter.uniform_(-0.5, 0.5)
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.weight.add_(1)
        norm.momentum = None  # the running statistics: of all images so far
        norm.reset_running_stats()
    if norms:
        net.train()(images)
        assert all(norm.running_var.std() > 0 for norm in norms)
    return net.eval()


def images(count: int = 1, side: int = 224) -> torch.Tensor:
    """Random images in [0, 1], with a shape in them."""
    torch.manual_seed(1)
    x = torch.rand(count, 3, side, side)
    x[:, :, 50:150, 80:110] *= 0.2
    return x


def ours(name: str, **options) -> nn.Module:
    """The book's network of this name, without values."""
    _, factory, arguments = PUBLIC[name]
    with torch.device("meta"):
        return factory(*arguments, **options)


@torch.no_grad()
def difference(one: nn.Module, other: nn.Module, x: torch.Tensor) -> float:
    """The largest difference of two outputs, which are not flat."""
    a, b = one(x), other(x)
    assert a.shape == b.shape and a.std() > 0.01
    return float((a - b).abs().max())


@needs_oracle
@pytest.mark.parametrize("name", PUBLIC)
def test_outputs_are_equal(name):
    x = images()
    theirs = random(name, x)
    net = nets.load_torchvision(ours(name), theirs.state_dict()).eval()
    assert not any(tensor.is_meta for tensor in net.state_dict().values())
    assert difference(net, theirs, x) < 1e-5
    del net, theirs
    gc.collect()


@needs_oracle
def test_the_auxiliary_heads_are_equal():
    x = images()
    theirs = random("googlenet", x, aux_logits=True, dropout_aux=0)
    net = ours("googlenet", auxiliary=True)
    nets.load_torchvision(net, theirs.state_dict()).eval()
    assert difference(net, theirs, x) < 1e-5
    for dropout in (m for m in net.modules() if isinstance(m, nn.Dropout)):
        dropout.p = 0.0
    theirs.dropout.p = 0.0
    logits, aux4a, aux4d = net.train()(x)
    expected, second, first = theirs.train()(x)
    assert (logits - expected).abs().max() < 1e-5
    assert (aux4a - first).abs().max() < 1e-5
    assert (aux4d - second).abs().max() < 1e-5
    assert (first - second).abs().max() > 0.01


def swapped(net):
    """Two branches of an inception module change places."""
    module = net.inception4a
    module.b1, module.b3 = module.b3, module.b1


def forgetful(net):
    """One batch norm has not seen anything."""
    net.norm1.running_mean = torch.zeros(64)  # in place, theirs would go too
    net.norm1.running_var = torch.ones(64)


def precise(net):
    """Batch norms have torch's epsilon and not TensorFlow's."""
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.eps = 1e-5


@needs_oracle
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("googlenet", swapped),
        ("googlenet", precise),
        ("resnet18", forgetful),
    ],
)
def test_a_wrong_network_would_be_noticed(name, wrong):
    x = images()
    theirs = random(name, x)
    net = nets.load_torchvision(ours(name), theirs.state_dict()).eval()
    assert difference(net, theirs, x) < 1e-5
    wrong(net)
    assert difference(net, theirs, x) > 1e-3


@needs_oracle
def test_the_resnet_of_2015_takes_the_weights_and_differs():
    x = images()
    theirs = random("resnet50", x)
    net = nets.resnet(50, "2015")
    nets.load_torchvision(net, theirs.state_dict()).eval()
    assert difference(net, theirs, x) > 1e-3


@needs_oracle
def test_values_are_copied_into_a_real_network():
    x = images()
    theirs = random("resnet18", x)
    net = nets.resnet(18, "v1.5")
    assert nets.load_torchvision(net, theirs.state_dict()) is net
    assert difference(net.eval(), theirs, x) < 1e-5
    with torch.no_grad():
        theirs.fc.bias.add_(1)
    assert difference(net, theirs, x) > 0.9
    assert all(parameter.requires_grad for parameter in net.parameters())


@needs_oracle
def test_files_without_counters_are_welcome():
    x = images()
    theirs = random("resnet18", x)
    state = theirs.state_dict()
    counters = [name for name in state if name.endswith("batches_tracked")]
    for name in counters:
        del state[name]
    net = nets.load_torchvision(ours("resnet18"), state).eval()
    assert len(counters) == 20 and net.norm1.num_batches_tracked == 0
    assert difference(net, theirs, x) < 1e-5


# What the weights expect


@needs_oracle
def test_normalisation_is_torchvisions():
    for name in PUBLIC:
        weights = oracle.models().get_model_weights(name).IMAGENET1K_V1
        preset = weights.transforms()
        if name == "googlenet":  # which its transform_input undoes
            preset.mean, preset.std = [0.5] * 3, [0.5] * 3
        assert list(nets.normalisation(name).mean) == preset.mean
        assert list(nets.normalisation(name).std) == preset.std
        assert preset.crop_size == [224]


def normalised(x, mean, std):
    """Images as a network expects them."""
    mean, std = x.new_tensor(mean), x.new_tensor(std)
    return (x - mean[:, None, None]) / std[:, None, None]


@needs_oracle
def test_googlenet_reads_what_transform_input_makes():
    x = images().double()
    own = normalised(x, *nets.normalisation("googlenet"))
    usual = normalised(x, *nets.normalisation("resnet18"))
    theirs = random("googlenet", usual.float(), transform_input=True).double()
    assert (theirs._transform_input(usual) - own).abs().max() < 1e-12
    net = nets.load_torchvision(ours("googlenet"), theirs.state_dict()).eval()
    with torch.no_grad():
        expected = theirs(usual)
        assert (net(own) - expected).abs().max() < 1e-9
        assert (net(usual) - expected).abs().max() > 1e-2


def test_black_and_white_for_googlenet():
    mean, std = nets.normalisation("googlenet")
    assert [(0 - m) / s for m, s in zip(mean, std, strict=True)] == [-1] * 3
    assert [(1 - m) / s for m, s in zip(mean, std, strict=True)] == [1] * 3


# What is refused


def refused(net, state, kind=ValueError) -> str:
    """The sentence that refuses, after which nothing has been moved."""
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(kind) as error:
        nets.load_torchvision(net, state)
    assert is_one_sentence(error)
    after = net.state_dict()
    assert all(
        v.is_meta or torch.equal(v, after[k]) for k, v in before.items()
    )
    return str(error.value)


@needs_oracle
@pytest.mark.parametrize(
    "name", ["alexnet", "vgg16", "googlenet", "resnet50", "resnet152"]
)
def test_weights_of_another_network_are_named(name):
    state = blank(name).state_dict()
    said = refused(ours("resnet34"), state)
    assert said.startswith("These weights do not fit this ResNet: ")
    found = re.search(r"; they are (\w+)'s, for (.*)\.$", said)
    assert found[1] == name
    with torch.device("meta"):
        net = eval(found[2], dict(vars(nets)))
    nets.load_torchvision(net, state)


@needs_oracle
def test_first_offenders_are_named():
    said = refused(ours("resnet18"), blank("resnet34").state_dict())
    assert "it has no place for layer1.2.conv1.weight (and 95 more)" in said
    said = refused(ours("resnet34"), blank("resnet18").state_dict())
    assert "there is none for its stage2.2.conv1.weight (and 79 more)" in said
    state = blank("resnet18", num_classes=10).state_dict()
    said = refused(ours("resnet18"), state)
    assert ": fc.weight has shape (10, 512) in place of (1000, 512)" in said
    assert "resnet18's, for resnet(18, 'v1.5', num_classes=10)." in said


@needs_oracle
def test_one_entry_too_many_or_too_few_is_refused():
    state = blank("vgg11").state_dict()
    extra = state | {"features.21.weight": torch.zeros(1)}
    said = refused(ours("vgg11"), extra)
    assert "no place for features.21.weight; they are of no" in said
    extra = state | {"features.2.weight": torch.zeros(1)}  # a pooling
    assert "for features.2.weight; " in refused(ours("vgg11"), extra)
    twice = {"features.conv1_1.bias": torch.zeros(64)} | state
    assert "no place for features.0.bias; " in refused(ours("vgg11"), twice)
    del state["features.0.bias"]
    said = refused(ours("vgg11"), state)
    assert "there is none for its features.conv1_1.bias; " in said


@needs_oracle
@pytest.mark.parametrize(
    ("net", "name"),
    [
        (lambda: nets.vgg("A-LRN"), "vgg11"),
        (lambda: nets.vgg("C"), "vgg16"),
        (lambda: nets.vgg("E"), "vgg16_bn"),
        (lambda: nets.googlenet("2014"), "googlenet"),
        (lambda: nets.resnet(18, shortcut="A"), "resnet18"),
        (lambda: nets.resnet(50, "v1.5"), "wide_resnet50_2"),
        (lambda: nets.small_resnet(), "resnet18"),
    ],
)
def test_a_relative_does_not_fit(net, name):
    with torch.device("meta"):
        refused(net(), blank(name).state_dict())


@needs_oracle
def test_heads_need_a_network_with_heads():
    state = blank("googlenet", aux_logits=True).state_dict()
    said = refused(ours("googlenet"), state)
    assert "no place for aux1.conv.conv.weight (and 19 more)" in said
    assert said.endswith("googlenet('torchvision', auxiliary=True).")
    state = blank("googlenet").state_dict()
    said = refused(ours("googlenet", auxiliary=True), state)
    assert "there is none for its auxiliary4a.conv.0.weight (and 17" in said
    assert said.endswith("for googlenet('torchvision').")


def test_a_network_that_torchvision_does_not_have():
    said = refused(nets.lenet5("modern"), {})
    assert said.startswith("torchvision has no weights for this LeNet5; ")
    assert "vgg('D'), " in said and said.endswith("resnet(152, 'v1.5').")


@pytest.mark.parametrize(
    "state",
    [nn.Linear(2, 2), {"epoch": 3}, {3: torch.zeros(1)}, None, [1]],
)
def test_what_is_no_state_dict(state):
    said = refused(ours("resnet18"), state, TypeError)
    assert f"not as this {type(state).__name__}; " in said


def test_an_empty_state_dict():
    said = refused(ours("alexnet"), {})
    assert "there is none for its conv1.weight (and 15 more); they are" in said


# Downloaded


@needs_oracle
def test_files_and_addresses_are_torchvisions():
    for name, public in PUBLIC.items():
        weights = oracle.models().get_model_weights(name).IMAGENET1K_V1
        assert f"{module.ADDRESS}{public.file}.pth" == weights.url


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Publish a state dict under a name, on this machine."""
    monkeypatch.setenv("CNNBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(fetching, "PAUSE", 0.01)
    folder = tmp_path / "models"
    folder.mkdir()
    server = serve(folder)
    host = f"http://127.0.0.1:{server.server_address[1]}/"
    monkeypatch.setattr(module, "ADDRESS", host)

    def put(name, state):
        torch.save(state, folder / "new")
        digits = hashlib.sha256((folder / "new").read_bytes()).hexdigest()[:8]
        public = PUBLIC[name]._replace(file=f"{name}-{digits}")
        monkeypatch.setitem(PUBLIC, name, public)
        return (folder / "new").rename(folder / f"{public.file}.pth")

    yield put
    server.shutdown()
    server.server_close()


@needs_oracle
def test_pretrained_downloads_once(publish, tmp_path):
    x = images()
    theirs = random("resnet18", x)
    file = publish("resnet18", theirs.state_dict())
    net = nets.pretrained("resnet18")
    assert not net.training and difference(net, theirs, x) == 0
    kept = tmp_path / "cache" / "torchvision" / file.name
    assert kept.read_bytes() == file.read_bytes()
    file.unlink()
    assert difference(nets.pretrained("resnet18"), net, x) == 0


@needs_oracle
def test_untrained_heads_stay_behind(publish):
    x = images()
    theirs = random("googlenet", x, aux_logits=True)
    publish("googlenet", theirs.state_dict())
    net = nets.pretrained("googlenet")
    assert not net.auxiliary and difference(net, theirs, x) < 1e-5


@needs_oracle
def test_a_truncated_download_is_refused(publish):
    file = publish("resnet18", blank("resnet18").to_empty(device="cpu"))
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(fetching.DownloadError, match="another file") as error:
        nets.pretrained("resnet18")
    assert is_one_sentence(error) and file.name in str(error.value)


@needs_oracle
def test_a_published_file_of_another_network_is_refused(publish):
    state = blank("resnet34").to_empty(device="cpu").state_dict()
    publish("resnet18", state)
    with pytest.raises(ValueError, match="they are resnet34's, for") as error:
        nets.pretrained("resnet18")
    assert is_one_sentence(error)


def test_offline_it_says_what_to_do(publish, tmp_path):
    with pytest.raises(fetching.DownloadError, match="404 File not") as error:
        nets.pretrained("vgg16")
    assert is_one_sentence(error)
    place = tmp_path / "cache" / "torchvision" / "vgg16-397923af.pth"
    assert f"put it at {place}." in str(error.value)


@pytest.mark.parametrize("ask", [nets.pretrained, nets.normalisation])
def test_unknown_names_get_the_list(ask):
    with pytest.raises(ValueError, match=r"'resnet19'; .*'vgg16'") as error:
        ask("resnet19")
    assert is_one_sentence(error)
    assert all(repr(name) in str(error.value) for name in PUBLIC)
