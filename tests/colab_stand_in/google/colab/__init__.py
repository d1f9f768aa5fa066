"""Stands in for Colab's own module, so that the cell for Colab runs."""
