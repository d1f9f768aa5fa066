"""The book's networks, each as its paper built it and as one runs it today."""

from cnnbook.nets.lenet import lenet5

__all__ = ["lenet5"]
