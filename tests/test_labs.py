"""The labs: two editions from one source, and the scale they run at."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import nbformat
import pytest
import torch

from cnnbook import data, exercises, lab
from tools import labs
from tools import notebooks as writer

SOLUTIONS = labs.solutions()
NAMES = [f"lab-{path.parent.name}" for path in SOLUTIONS]
LARGEST = 300_000
every_lab = pytest.mark.parametrize("path", SOLUTIONS, ids=writer.name_of)


def code_of(path: Path) -> str:
    """Return all code of a notebook, a blank line between cells."""
    cells = writer.read(path).cells
    return "\n\n".join(c.source for c in cells if c.cell_type == "code")


def text_of(path: Path) -> str:
    """Return all Markdown of a notebook."""
    cells = writer.read(path).cells
    return "\n\n".join(c.source for c in cells if c.cell_type == "markdown")


# Every lab


@every_lab
def test_the_edition_is_made_from_the_solution(path: Path) -> None:
    made = writer.text_of(labs.student(writer.read(path)))
    assert path.with_name("lab.ipynb").read_text("utf-8") == made


@every_lab
def test_a_lab_is_small_and_holds_no_solution(path: Path) -> None:
    edition = path.with_name("lab.ipynb")
    assert path.stat().st_size < LARGEST
    assert not labs.MARK.search(code_of(edition))
    assert "*A complete answer.*" in text_of(path)
    assert "*A complete answer.*" not in text_of(edition)


@every_lab
def test_each_question_is_asked_with_its_points(path: Path) -> None:
    name = writer.name_of(path)
    code, text = code_of(path), text_of(path)
    asked = [
        q
        for q in exercises.questions().values()
        if q.id.startswith(f"{name}.")
    ]
    words = exercises.written(name)
    for number, question in enumerate(asked, 1):
        assert question.id == f"{name}.q{number}"
        assert f'check("{question.id}", {question.name})' in code
        points = f"{question.points} point{'s' * (question.points != 1)}"
        assert f"**Question {number} ({points}).**" in text, points
    for number, question in enumerate(words, 1):
        assert question.id == f"{name}.w{number}"
        assert (
            f"**Question W{number} ({question.points} points, in words).**"
            in text
        )
        assert f"**Answer W{number}.**" in text
        for points, _ in question.rubric:
            assert f"({points} point" in text
    total = sum(question.points for question in [*asked, *words])
    assert total == 20
    assert "20 points" in text.split("##")[0]
    assert len(words) == 1
    assert text.count("★★★") >= 1


@every_lab
def test_its_text_is_plain_markdown(path: Path) -> None:
    assert not re.search(r"^:{3,}|\{[a-z:]+\}`", text_of(path), re.MULTILINE)


@every_lab
def test_a_solution_gets_every_point(path: Path) -> None:
    printed = "".join(
        output.get("text", "")
        for cell in writer.read(path).cells
        for output in cell.get("outputs", ())
    )
    words = sum(q.points for q in exercises.written(writer.name_of(path)))
    assert "✗" not in printed
    assert f"{20 - words} of 20 points so far." in printed


@every_lab
def test_an_edition_runs_up_to_the_first_thing_to_write(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNBOOK_SCALE", "smoke")
    edition = tmp_path / "lab.ipynb"
    shutil.copy(path.with_name("lab.ipynb"), edition)
    nb = writer.read(edition)
    places = [
        i for i, cell in enumerate(nb.cells) if "our code here" in cell.source
    ]
    last = places[0] + 1  # the check below the first place to write
    nb.cells = nb.cells[: last + 1]
    edition.write_text(writer.text_of(nb), "utf-8")
    ran = asyncio.run(writer.execute(edition))
    said = "".join(o.get("text", "") for o in ran.cells[last].outputs)
    assert said.startswith("·"), said
    assert list(tmp_path.iterdir()) == [edition]


@pytest.mark.parametrize("name", NAMES)
def test_untouched_work_gets_no_point(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exercises._said.clear()
    exercises.score(name)
    assert "\n0 of 20 points so far.\n" in capsys.readouterr().out


# The two rules


def solution_of(*cells: tuple[str, str, list[str]]) -> nbformat.NotebookNode:
    """Make a notebook of (kind, source, tags)."""
    nb = nbformat.v4.new_notebook()
    for kind, source, tags in cells:
        make = getattr(nbformat.v4, f"new_{kind}_cell")
        nb.cells.append(make(source, metadata={"tags": tags}))
    return nb


def test_a_tagged_cell_goes() -> None:
    nb = solution_of(
        ("markdown", "# A lab", []),
        ("markdown", "The secret.", ["solution"]),
        ("code", "secret = 1", ["solution"]),
        ("code", "given = 1", []),
    )
    kept = [cell.source for cell in labs.student(nb).cells]
    assert kept == ["# A lab", "given = 1"]


@pytest.mark.parametrize(
    ("source", "opened"),
    [
        ("x = 1", "x = 1"),
        ("x = ...\n# solution\nx = 1\ny = 2", "x = ...\n# Your code here."),
        ("# solutions are many", "# solutions are many"),
        ("x = 1  # solution", "x = 1  # solution"),
        (
            'def f():\n    """F."""\n    # solution\n    return 1\n\nf()',
            'def f():\n    """F."""\n'
            "    # Your code here, in place of the next line.\n"
            '    raise NotImplementedError("yours to write")',
        ),
    ],
)
def test_a_cell_becomes_a_place_to_write(source: str, opened: str) -> None:
    assert labs.opened(source) == opened


def test_an_edition_has_no_output_and_the_same_bytes() -> None:
    nb = writer.read(SOLUTIONS[0])
    before = writer.text_of(nb)
    first, again = (writer.text_of(labs.student(nb)) for _ in range(2))
    assert first == again
    assert writer.text_of(nb) == before
    code = [c for c in labs.student(nb).cells if c.cell_type == "code"]
    assert not any(cell.outputs for cell in code)


def test_a_stale_edition_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    folder = tmp_path / "labs" / "one"
    folder.mkdir(parents=True)
    shutil.copy(SOLUTIONS[0], folder / "solution.ipynb")
    found = [folder / "solution.ipynb"]
    monkeypatch.setattr(labs, "ROOT", tmp_path)
    monkeypatch.setattr(labs, "solutions", lambda: found)
    assert labs.main(["--check"]) == 1
    assert "is not up to date" in capsys.readouterr().out
    assert labs.main([]) == 0
    assert labs.main(["--check"]) == 0
    text = (folder / "lab.ipynb").read_text("utf-8")
    (folder / "lab.ipynb").write_text(text.replace("yours", "your"), "utf-8")
    assert labs.main(["--check"]) == 1


# The scale


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch):
    """Leave torch and the environment as they were."""
    monkeypatch.setenv("CNNBOOK_QUIET", "1")
    monkeypatch.delenv("CNNBOOK_SCALE", raising=False)
    kept, threads = torch.get_default_dtype(), torch.get_num_threads()
    yield monkeypatch
    torch.set_default_dtype(kept)
    torch.set_num_threads(threads)


def test_the_scale_is_what_is_there(steady: pytest.MonkeyPatch) -> None:
    steady.setattr(torch.cuda, "is_available", lambda: False)
    assert lab.scale().name == "laptop"
    assert "T4 GPU" in repr(lab.scale())
    steady.setattr(torch.cuda, "is_available", lambda: True)
    steady.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    assert lab.scale().name == "gpu"
    assert repr(lab.scale()) == "GPU scale on Tesla T4."


def test_the_scale_is_overridden_in_a_line(steady: pytest.MonkeyPatch) -> None:
    steady.setenv("CNNBOOK_SCALE", "smoke")
    assert lab.scale().name == "smoke"
    assert torch.get_default_dtype() == torch.float64
    assert lab.scale("laptop").name == "laptop"
    assert torch.get_default_dtype() == torch.float32
    assert lab.scale("gpu").pick(1, 2, 3) == 3
    with pytest.raises(ValueError, match="no scale 'huge'; try one of: smoke"):
        lab.scale("huge")


@pytest.mark.parametrize("name", ["mnist", "cifar10", "pets"])
def test_digits_stand_in_at_smoke_scale(
    steady: pytest.MonkeyPatch, name: str
) -> None:
    train, labels, test, _ = lab.scale("smoke").data(name)
    channels, side = data.embedded.SHAPES[name]
    assert train.shape == (4000, channels, side, side)
    assert train.dtype == test.dtype == torch.uint8
    assert train.max() == 255
    assert labels.bincount().tolist() == [400] * 10
    assert torch.equal(data.stand_in(name).train_images, train)


def test_nothing_stands_in_for_an_unknown_set() -> None:
    with pytest.raises(ValueError, match="for 'cats'; try one of: mnist"):
        data.stand_in("cats")


def test_checkpoints_go_to_drive_where_it_is(
    steady: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    smoke = lab.scale("smoke")
    assert smoke.folder("a") != smoke.folder("a")
    assert lab.scale("laptop").folder("a") == Path("runs/laptop/a")
    steady.setattr(lab, "DRIVE", tmp_path)
    assert lab.scale("gpu").folder("a") == tmp_path / "cnnbook/gpu/a"


def test_seconds_are_the_least_of_the_runs() -> None:
    calls: list[int] = []
    assert 0 <= lab.seconds(calls.append, 1, runs=4) < 1
    assert calls == [1] * 4
