"""The papers' tables, executed: all there, each cell computed and shown."""

from __future__ import annotations

import dataclasses

import pytest
from conftest import ROOT

from cnnbook import claims

REGISTRY = claims.load(ROOT / "chapters" / "claims.yml")

# Each table, and its rows as the paper prints them.
ROWS = {
    "lenet-1998": "C1 S2 C3 S4 C5 F6 in+all",
    "alexnet-2012": "input conv1 conv2 conv3 conv4 conv5 fc6 fc7 fc8 in+all",
    "zfnet-2014": (
        "layer+1 layer+1+pooled layer+2 layer+2+pooled layer+3 layer+4 "
        "layer+5 layer+5+pooled"
    ),
    "vgg-1": "A A-LRN B C D E",
    "vgg-2": "A A-LRN B C D E",
    "googlenet-1": (
        "convolution+7×7 convolution+3×3 inception+3a inception+3b "
        "inception+4a inception+4b inception+4c inception+4d inception+4e "
        "inception+5a inception+5b linear"
    ),
    "googlenet-1-sizes": (
        "convolution+7×7 max+pool+1 convolution+3×3 max+pool+2 "
        "inception+3a inception+3b max+pool+3 inception+4a inception+4b "
        "inception+4c inception+4d inception+4e max+pool+4 inception+5a "
        "inception+5b average+pool linear"
    ),
    "resnet-1": (
        "conv1 conv2_x conv3_x conv4_x conv5_x 18-layer 34-layer 50-layer "
        "101-layer 152-layer"
    ),
    "resnet-6": (
        "20+layers 32+layers 44+layers 56+layers 110+layers 1202+layers"
    ),
}


def faults(registry: claims.Registry, name: str) -> list[str]:
    """Say what a table lacks: rows, values, reasons."""
    cells = [claim for claim in registry if claim.table == name]
    found = []
    rows = list(dict.fromkeys(claim.row for claim in cells))
    if rows != [row.replace("+", " ") for row in ROWS[name].split()]:
        found.append(f"{name} has the rows {rows}")
    for claim in cells:
        if not claim.computed:
            found.append(f"{claim.id} is not computed")
        if claim.finding == "disagrees" and not claim.reason:
            found.append(f"{claim.id} gives no reason")
        shown = registry.table(name).to_text()
        if claim.figure not in shown or claim.computed not in shown:
            found.append(f"{claim.id} is not shown")
    return found


@pytest.mark.parametrize("name", ROWS)
def test_the_table_is_whole(name: str) -> None:
    assert faults(REGISTRY, name) == []


def test_no_table_is_forgotten() -> None:
    assert {claim.table for claim in REGISTRY if claim.table} == set(ROWS)


def without(**fields: str) -> claims.Registry:
    """The registry with GoogLeNet's first cell changed."""
    (first, *_) = REGISTRY.select(table="googlenet-1")
    rows = [
        dataclasses.replace(claim, **fields) if claim is first else claim
        for claim in REGISTRY
    ]
    return claims.Registry(tuple(rows), REGISTRY.sources)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"row": "convolution 5×5"}, "has the rows"),
        ({"expression": ""}, "is not computed"),
        ({"reason": ""}, "gives no reason"),
    ],
)
def test_a_table_that_is_not_whole_is_found(fields: dict, words: str) -> None:
    assert any(
        words in fault for fault in faults(without(**fields), "googlenet-1")
    )
