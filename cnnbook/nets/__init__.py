"""The book's networks, each as its paper built it and as one runs it today."""

from cnnbook.nets.alexnet import alexnet
from cnnbook.nets.cifar_resnet import cifar_resnet, plain
from cnnbook.nets.googlenet import googlenet
from cnnbook.nets.lenet import lenet5
from cnnbook.nets.nin import nin
from cnnbook.nets.pretrained import normalisation, pretrained
from cnnbook.nets.resnet import resnet
from cnnbook.nets.small import (
    small_alexnet,
    small_googlenet,
    small_nin,
    small_resnet,
    small_vgg,
    small_zfnet,
)
from cnnbook.nets.torchvision_nets import load_torchvision
from cnnbook.nets.vgg import vgg
from cnnbook.nets.zfnet import zfnet

__all__ = [
    "alexnet",
    "cifar_resnet",
    "googlenet",
    "lenet5",
    "load_torchvision",
    "nin",
    "normalisation",
    "plain",
    "pretrained",
    "resnet",
    "small_alexnet",
    "small_googlenet",
    "small_nin",
    "small_resnet",
    "small_vgg",
    "small_zfnet",
    "vgg",
    "zfnet",
]
