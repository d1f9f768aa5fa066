"""Mutants: the mutator makes faults, and the probes catch them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import mutation
from cnnbook import lab
from cnnbook.exercises import Calls, Question
from labgrade import notebook

ROOT = Path(__file__).resolve().parents[1]
AREA = """\
def area(height, width):
    \"\"\"The area of a rectangle, nothing for a negative side.\"\"\"
    small = min(height, width)  # given
    # solution
    if small < 0:
        return 0
    return height * width
"""
QUESTION = Question(
    "x.q1",
    "Area",
    lambda height, width: max(height, 0) * max(width, 0),
    probe=Calls(lambda draw: [(3, draw.randint(4, 9)), (-1, 2)]),
    name="area",
)


@pytest.fixture(autouse=True)
def small_scale(monkeypatch: pytest.MonkeyPatch):
    """Have every number in float64, as in the boxes."""
    kept = torch.get_default_dtype()
    monkeypatch.setenv(lab.VARIABLE, "smoke")
    lab.scale()
    yield
    torch.set_default_dtype(kept)


def asked(source: str) -> mutation.Asked:
    """Return the question on areas with a cell that answers it."""
    cell = notebook.understood(0, source)
    return mutation.Asked(QUESTION, [cell], [0])


def test_only_what_the_student_writes_is_changed_and_nothing_twice() -> None:
    found = mutation.mutants(AREA)
    lines = {(one.was, one.becomes) for one in found}
    assert ("if small < 0:", "if small <= 0:") in lines
    assert ("if small < 0:", "if not small < 0:") in lines
    assert ("return height * width", "return height / width") in lines
    assert ("return height * width", "return") in lines
    assert not any("min" in was for was, _ in lines)
    assert len({one.source for one in found}) == len(found)
    assert all(compile(one.source, "", "exec") for one in found)


def test_faults_are_caught_and_an_equivalent_survives() -> None:
    found, others = mutation.outcomes(asked(AREA), 99)
    survivors = {one["becomes"] for one in found if not one["hidden"]}
    # Of no side that is asked for the two say anything else.
    assert "if small <= 0:" in survivors
    assert "return height / width" not in survivors
    assert len(survivors) < 0.5 * len(found)
    assert others >= 0


def test_a_poor_probe_is_found_out() -> None:
    known = {("x.q1", "if small < 0:", "if small <= 0:"): "no side is 0"}
    row = mutation.row(asked(AREA), known, 99)
    assert row["equivalent"] == 1
    row |= {"mutants": 10, "hidden": 8}
    stale = known | {("x.q1", "a", "b"): "gone"}
    assert mutation.faults([row], stale) == [
        "x catches 80.0% of its mutants only.",
        "No survivor of x.q1 is 'a' → 'b'.",
    ]
    row |= {"hidden": 9}
    assert mutation.faults([row], known) == []


def test_what_loops_or_ends_falls_over() -> None:
    import os

    def loop() -> str:
        while True:
            pass

    assert mutation.forked(loop, 0.2) == "ends or hangs"
    assert mutation.forked(lambda: os._exit(0)) == "ends or hangs"
    assert mutation.forked(lambda: str(1 / 0)) == "raises ZeroDivisionError"


def test_a_solution_that_fails_its_own_probe_is_refused() -> None:
    with pytest.raises(mutation.Faulty, match=r"x.q1 fails \(hidden\)"):
        mutation.Trial(asked(AREA.replace("height * width", "height")))


def test_a_lab_catches_its_mutants() -> None:
    known = mutation.equivalents()
    one = {a.question.name: a for a in mutation.asked(ROOT / "labs" / "lenet")}
    rows = [mutation.row(one[n], known, 10) for n in ("slope", "noise")]
    assert [row["mutants"] for row in rows] == [10, 10]
    assert mutation.faults(rows, {}) == []


def stale(record: dict) -> list[str]:
    """Return the labs whose record is of other probes, or too poor."""
    labs = {f"lab-{p.parent.name}": p.parent for p in ROOT.glob("labs/*/*.py")}
    return [
        name
        for name in labs.keys() | record["labs"].keys()
        if not (row := record["labs"].get(name))
        or row["digest"] != mutation.digest(labs[name])
        or row["hidden"] < mutation.LEAST * row["mutants"]
    ]


def test_the_record_is_of_these_probes() -> None:
    record = mutation.recorded()
    assert stale(record) == []  # else: mutation.py --lab … --record
    record["labs"]["lab-conv"]["digest"] = "of another probe"
    record["labs"]["lab-vgg"]["hidden"] -= record["labs"]["lab-vgg"]["mutants"]
    del record["labs"]["lab-see"]
    assert sorted(stale(record)) == ["lab-conv", "lab-see", "lab-vgg"]


def test_every_equivalent_has_its_reason() -> None:
    assert all(len(why) > 15 for why in mutation.equivalents().values())
