"""The instructor's pages: what they show is what the commands print.

    python tests/test_teaching.py    write the outputs on the pages anew

A block ``console`` is a session. Its lines with `$` are run one after the
other, in a folder that looks like a clone, and what stands below them must be
what they print.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import ROOT
from test_exercises import gallery_faults

CHAPTERS = ROOT / "chapters"
SESSION = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
NAMED = re.compile(
    r"^```\{code-block\} \w+\n:name: ([^\n]+)\n(.*?)^```$", re.M | re.S
)
VARY = re.compile(r"\b[0-9a-f]{16}\b")
"""Fingerprints, which follow from a secret that is drawn anew each time."""


def page(name: str) -> str:
    """Return the text of a page."""
    return (CHAPTERS / f"{name}.md").read_text("utf-8")


def named(text: str) -> dict[str, str]:
    """Return the code blocks that have a name."""
    return dict(NAMED.findall(text))


def commands(session: str) -> list[tuple[str, str]]:
    """Return the commands of a session, each with what stands below it."""
    found: list[tuple[str, str]] = []
    going_on = False
    for line in session.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            assert found, f"a session begins with {line!r}"
            command, output = found[-1]
            found[-1] = (
                (command + line, output)
                if going_on
                else (command, output + line)
            )
        going_on = line.endswith("\\\n") and (
            going_on or line.startswith("$ ")
        )
    return found


def run(command: str, folder: Path) -> str:
    """Run a command; return what it prints, with its complaint if it fails."""
    binaries = Path(sys.executable).parent
    here = {
        **os.environ,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=here,
        capture_output=True,
        text=True,
        timeout=500,
    )
    text = done.stdout + (done.stderr if done.returncode else "")
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def as_run(text: str, folder: Path) -> str:
    """Return a page with what its commands print now."""

    def again(found: re.Match) -> str:
        lines = [
            f"$ {command}{run(command, folder)}"
            for command, _ in commands(found[1])
        ]
        return f"```console\n{''.join(lines)}```"

    return SESSION.sub(again, text)


def steady(text: str) -> list[str]:
    """Return lines in which fingerprints are all alike."""
    return VARY.sub("0123456789abcdef", text).splitlines()


def clone(folder: Path, *labs: str) -> Path:
    """Lay out what the commands need of a clone."""
    made = folder / "clone"
    (made / "labs").mkdir(parents=True)
    shutil.copy(ROOT / "_toc.yml", made)
    shutil.copy(ROOT / "_config.yml", made)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tools", made / "tools", ignore=ignored)
    for lab in labs:
        shutil.copytree(
            ROOT / "labs" / lab, made / "labs" / lab, ignore=ignored
        )
    return made


def ready(name: str, folder: Path) -> Path:
    """Lay out the clone in which a page's commands run."""
    if name == "grading":
        return clone(folder, "vgg")
    made = clone(folder)
    blocks = named(page("new_lab"))
    (made / "labs" / "halve").mkdir()
    for file in ("solution.py", "probes.py"):
        (made / "labs" / "halve" / file).write_text(blocks[file], "utf-8")
    return made


PAGES = [
    name
    for name in ("grading", "new_lab")
    if (CHAPTERS / f"{name}.md").exists()
]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory):
    """Return a page as it was run, and where; each is run once."""
    known: dict[str, tuple[str, Path]] = {}

    def get(name: str) -> tuple[str, Path]:
        if name not in known:
            folder = ready(name, tmp_path_factory.mktemp(name))
            known[name] = as_run(page(name), folder), folder
        return known[name]

    return get


@pytest.mark.parametrize("name", PAGES)
def test_the_sessions_print_what_the_page_shows(ran, name: str) -> None:
    assert steady(ran(name)[0]) == steady(page(name))


# The new lab


def test_the_new_lab_gets_the_marks_that_the_page_states(ran) -> None:
    _, folder = ran("new_lab")
    lines = (folder / "marks" / "grades.csv").read_text().splitlines()
    marks = {line.split(",")[0]: line.split(",")[1:4] for line in lines}
    assert marks["right"] == ["7", "3", "4"]
    assert marks["wrong"] == ["4", "0", "4"]
    assert marks["untouched"] == ["0", "0", "0"]


def test_the_new_labs_edition_shows_nothing_of_the_solution(ran) -> None:
    from tools import labs
    from tools import notebooks as writer

    _, folder = ran("new_lab")
    lab = folder / "labs" / "halve"
    solution = writer.read(lab / "solution.ipynb")
    made = writer.text_of(labs.student(solution))
    assert (lab / "lab.ipynb").read_text("utf-8") == made
    for secret in ("unflatten", "self.filter", "A complete answer"):
        assert secret in (lab / "solution.ipynb").read_text("utf-8")
        assert secret not in made


def gallery_of_page(text: str, folder: Path) -> list[str]:
    """Return what is wrong with the gallery of a page with a new lab."""
    from labgrade.bundle import probes_of

    blocks = named(text)
    lab = folder / "halve"
    lab.mkdir()
    (lab / "probes.py").write_text(blocks["probes.py"], "utf-8")
    questions = probes_of(lab).QUESTIONS
    space: dict = {}
    exec(compile(blocks["lab-halve.py"], "lab-halve.py", "exec"), space)
    assert set(space["RIGHT"]) == set(space["WRONG"])
    assert set(space["RIGHT"]) == {question.id for question in questions}
    return [
        f"{question.id} {fault}"
        for question in questions
        for fault in gallery_faults(
            question, space["RIGHT"][question.id], space["WRONG"][question.id]
        )
    ]


def test_the_new_labs_gallery_is_right(tmp_path: Path) -> None:
    assert gallery_of_page(page("new_lab"), tmp_path) == []


def test_a_gallery_with_a_fault_is_told(tmp_path: Path) -> None:
    text = page("new_lab").replace("mean((4, 5))", "amax((4, 5))")
    (fault,) = gallery_of_page(text, tmp_path)
    assert fault == "lab-halve.q1 refuses right answer 0"


# The checks of this file, seen to fail


def test_a_session_is_taken_apart() -> None:
    session = "$ a \\\n  b\nsaid\n\nmore\n$ c\n$ d\nlast\n"
    assert commands(session) == [
        ("a \\\n  b\n", "said\n\nmore\n"),
        ("c\n", ""),
        ("d\n", "last\n"),
    ]


def test_a_stale_output_and_a_failing_command_show(tmp_path: Path) -> None:
    text = "```console\n$ echo four\nfour\n$ false || ls nowhere\n```\n"
    now = as_run(text, tmp_path)
    assert "$ echo four\nfour\n$ false" in now
    assert "cannot access 'nowhere'" in now
    stale = text.replace("\nfour", "\nfive")
    assert steady(as_run(stale, tmp_path)) != steady(stale)
    assert steady("is 00aa11bb22cc33dd") == steady("is 99aa11bb22cc33dd")
    assert steady("is 4") != steady("is 5")


def main() -> None:
    """Write the outputs on the pages anew."""
    for name in sys.argv[1:] or PAGES:
        with tempfile.TemporaryDirectory() as folder:
            text = as_run(page(name), ready(name, Path(folder)))
        (CHAPTERS / f"{name}.md").write_text(text, "utf-8")
        print(f"{name}.md is as its commands print.")


if __name__ == "__main__":
    main()
