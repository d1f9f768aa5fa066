"""torchvision's networks and ours: which is which, and whose layer is whose.

torchvision builds the same networks and calls their layers otherwise.  The
tables translate its names; shapes must agree, and nothing may be left over.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from cnnbook.nets.alexnet import OneTowerAlexNet, alexnet
from cnnbook.nets.googlenet import GoogLeNet, googlenet
from cnnbook.nets.resnet import ResNet, resnet
from cnnbook.nets.vgg import VGG, vgg

Net = TypeVar("Net", bound=nn.Module)


class Public(NamedTuple):
    """torchvision's file of weights, and how the book builds the network."""

    file: str  # ends with the first eight digits of its SHA-256
    factory: Callable[..., nn.Module]
    arguments: tuple[int | str, ...]


PUBLIC = {
    "alexnet": Public("alexnet-owt-7be5be79", alexnet, ("one-tower",)),
    "vgg11": Public("vgg11-8a719046", vgg, ("A",)),
    "vgg13": Public("vgg13-19584684", vgg, ("B",)),
    "vgg16": Public("vgg16-397923af", vgg, ("D",)),
    "vgg19": Public("vgg19-dcbb9e9d", vgg, ("E",)),
    "googlenet": Public("googlenet-1378be20", googlenet, ("torchvision",)),
    "resnet18": Public("resnet18-f37072fd", resnet, (18, "v1.5")),
    "resnet34": Public("resnet34-b627a593", resnet, (34, "v1.5")),
    "resnet50": Public("resnet50-0676ba61", resnet, (50, "v1.5")),
    "resnet101": Public("resnet101-63fe2227", resnet, (101, "v1.5")),
    "resnet152": Public("resnet152-394f9c45", resnet, (152, "v1.5")),
}

# torchvision's words (as regular expressions) and ours
RENAMES = {
    OneTowerAlexNet: {
        r"^features\.0\.": "conv1.",
        r"^features\.3\.": "conv2.",
        r"^features\.6\.": "conv3.",
        r"^features\.8\.": "conv4.",
        r"^features\.10\.": "conv5.",
        r"^classifier\.1\.": "fc6.",
        r"^classifier\.4\.": "fc7.",
        r"^classifier\.6\.": "fc8.",
    },
    VGG: {},  # its layers have numbers, which depend on the net: see _renamed
    GoogLeNet: {
        r"\.conv\.weight$": ".0.weight",
        r"\.bn\.": ".1.",
        r"\.branch1\.": ".b1.",
        r"\.branch2\.": ".b3.",
        r"\.branch3\.": ".b5.",
        r"\.branch4\.": ".pool.",
        r"^aux1\.": "auxiliary4a.",
        r"^aux2\.": "auxiliary4d.",
    },
    ResNet: {
        r"^layer1\.": "stage2.",
        r"^layer2\.": "stage3.",
        r"^layer3\.": "stage4.",
        r"^layer4\.": "stage5.",
        r"\bbn(?=\d\.)": "norm",
        r"\.downsample\.": ".shortcut.",
    },
}


def load_torchvision(net: Net, state_dict: Mapping[str, Tensor]) -> Net:
    """Move a state dict of torchvision's into *net*, and return *net*.

    Names and shapes must fit on both sides, else nothing is moved.  They
    cannot tell everything: a ResNet of 2015 takes the weights of a v1.5 and
    strides in the wrong layer.  A network on the meta device takes over the
    tensors themselves, any other their values.
    """
    if not isinstance(state_dict, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor)
        for name, tensor in state_dict.items()
    ):
        raise TypeError(
            "Weights come as a state dict, names with their tensors, not as "
            f"this {type(state_dict).__name__}; try what "
            "torch.load(file, weights_only=True) returns."
        )
    wanted, given = net.state_dict(), _renamed(net, state_dict)
    if faults := _faults(wanted, given):
        raise ValueError(
            f"These weights do not fit this {type(net).__name__}: {faults}; "
            f"{_origin(state_dict)}."
        )
    state = {name: tensor for name, (_, tensor) in given.items()}
    for name in wanted:  # old files lack these counters of batches
        state.setdefault(name, torch.tensor(0))
    take_over = any(tensor.is_meta for tensor in wanted.values())
    net.load_state_dict(state, assign=take_over)
    return net


def _renamed(
    net: nn.Module, state_dict: Mapping[str, Tensor]
) -> dict[str, tuple[str, Tensor]]:
    """Our names, each with torchvision's and the tensor."""
    kind = next((kind for kind in RENAMES if isinstance(net, kind)), None)
    if kind is None:
        raise ValueError(
            f"torchvision has no weights for this {type(net).__name__}; it "
            f"has some for {', '.join(_code(p) for p in PUBLIC.values())}."
        )
    renames = dict(RENAMES[kind])
    if kind is VGG:  # the same layers in the same order
        for part in ("features", "classifier"):
            for i, (name, _) in enumerate(getattr(net, part).named_children()):
                renames[rf"^{part}\.{i}\."] = f"{part}.{name}."
    given = {}
    for theirs, tensor in state_dict.items():
        ours = theirs
        for pattern, word in renames.items():
            ours = re.sub(pattern, word, ours)
        if ours in given:  # a second one for the same place
            ours = theirs + " again"
        given[ours] = (theirs, tensor)
    return given


def _faults(
    wanted: Mapping[str, Tensor], given: Mapping[str, tuple[str, Tensor]]
) -> str:
    """What does not fit, in words; "" if all does."""
    lacking = [
        name
        for name in wanted
        if name not in given and not name.endswith("num_batches_tracked")
    ]
    spare = [
        theirs for name, (theirs, _) in given.items() if name not in wanted
    ]
    odd = [
        f"{theirs} has shape {tuple(tensor.shape)} in place of "
        f"{tuple(wanted[name].shape)}"
        for name, (theirs, tensor) in given.items()
        if name in wanted and tensor.shape != wanted[name].shape
    ]
    words = [
        ("there is none for its ", lacking),
        ("it has no place for ", spare),
        ("", odd),
    ]
    return ", ".join(
        what
        + names[0]
        + (f" (and {len(names) - 1} more)" if names[1:] else "")
        for what, names in words
        if names
    )


def _origin(state_dict: Mapping[str, Tensor]) -> str:
    """Which of the networks they are the weights of, in words."""
    shapes = [tensor.shape for tensor in state_dict.values() if tensor.dim()]
    more = {}
    if any(name.startswith("aux1.") for name in state_dict):
        more["auxiliary"] = True
    if shapes and shapes[-1][0] != 1000:
        more["num_classes"] = shapes[-1][0]
    for name, public in PUBLIC.items():
        if "auxiliary" in more and public.factory is not googlenet:
            continue
        with torch.device("meta"):
            net = public.factory(*public.arguments, **more)
        if not _faults(net.state_dict(), _renamed(net, state_dict)):
            return f"they are {name}'s, for {_code(public, **more)}"
    return "they are of no network that is both here and in torchvision"


def _code(public: Public, **more: int | bool) -> str:
    given = [repr(argument) for argument in public.arguments]
    given += [f"{name}={value!r}" for name, value in more.items()]
    return f"{public.factory.__name__}({', '.join(given)})"
