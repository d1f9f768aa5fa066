"""Which folders become which packages; all else stands in pyproject.toml.

The library carries the probes of the labs, the recorded results and the
registry of claims, which have their own places at the top of the book.
"""

from pathlib import Path

from setuptools import find_namespace_packages, setup

LABS = sorted(path.parent.name for path in Path("labs").glob("*/probes.py"))
CARRIED = {
    "cnnbook.labs": "labs",
    "cnnbook.results": "results",
    "cnnbook.chapters": "chapters",
}

setup(
    packages=[
        *find_namespace_packages(include=["cnnbook*", "labgrade"]),
        *CARRIED,
        *(f"cnnbook.labs.{name}" for name in LABS),
    ],
    package_dir=CARRIED,
)
