"""The library that the pages of *From LeNet to ResNet* show and test."""

__version__ = "0.1.0"
