"""The ImageNet networks with the weights that torchvision publishes."""

from typing import NamedTuple

import torch
from torch import nn

from cnnbook.download import download
from cnnbook.nets.common import choose
from cnnbook.nets.torchvision_nets import PUBLIC, load_torchvision

ADDRESS = "https://download.pytorch.org/models/"


class Normalisation(NamedTuple):
    """What to take from each channel, and what to divide it by then."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def pretrained(name: str) -> nn.Module:
    """One of the eleven ImageNet networks, trained; by torchvision's name.

    It comes in evaluation mode, reads images of 224 by 224 pixels prepared
    with ``normalisation(name)``, and gives logits for 1,000 classes.  The
    weights are torchvision's first ones (IMAGENET1K_V1), kept in the cache
    folder of ``cnnbook.download``.
    """
    choose("network with public weights called", name, PUBLIC)
    file, factory, arguments = PUBLIC[name]
    path = download(
        f"{ADDRESS}{file}.pth",
        checksum=file.split("-")[-1],
        name=f"torchvision/{file}.pth",
    )
    state = torch.load(path, map_location="cpu", weights_only=True)
    # GoogLeNet's file has auxiliary heads too, which were never trained.
    state = {k: v for k, v in state.items() if not k.startswith("aux")}
    with torch.device("meta"):  # draws no first weights in vain
        net = factory(*arguments)
    return load_torchvision(net, state).eval()


def normalisation(name: str) -> Normalisation:
    """What the weights of ``pretrained(name)`` expect of images in [0, 1].

    Most were trained on images less the mean of ImageNet's, divided by their
    spread.  GoogLeNet's were trained on images in [-1, 1]: torchvision hands
    it the same images as the others, and its network first turns them into
    those (*transform_input*).  Ours reads [-1, 1] itself.
    """
    choose("network with public weights called", name, PUBLIC)
    if name == "googlenet":
        return Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    return Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
