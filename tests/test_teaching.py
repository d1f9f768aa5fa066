"""The instructor's pages: what they show is what the commands print.

    python tests/test_teaching.py    write the outputs on the pages anew

A block ``console`` is a session. Its lines with `$` are run one after the
other, in a folder that looks like a clone, and what stands below them must be
what they print.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import click
import pytest
import tiny
from conftest import ROOT
from distributed.cli import dask_scheduler, dask_worker
from test_exercises import gallery_faults

from cnnbook.quiz import __main__ as questions
from labgrade import __main__ as labgrade
from labgrade import box as boxes
from labgrade import bundle as bundles
from website.extensions import book_map
from website.extensions import labs as labs_page

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
    if name == "teaching":
        return made
    blocks = named(page("new_lab"))
    (made / "labs" / "halve").mkdir()
    for file in ("solution.py", "probes.py"):
        (made / "labs" / "halve" / file).write_text(blocks[file], "utf-8")
    return made


PAGES = ("teaching", "grading", "new_lab")


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
    presented = labs_page.read(lab / "lab.ipynb")
    assert (presented.title, presented.points) == ("Halving an image", 9)
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


# What is not run is at least read as its program reads it

BASH = re.compile(r"^```bash\n(.*?)^```$", re.M | re.S)
FENCE = re.M | re.S
SPAN = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")


class Understood(Exception):
    """The arguments were read."""


def read_as_labgrade(words: list[str]) -> None:
    """Read arguments as labgrade does, without doing anything."""

    def stop(_: str) -> None:
        raise Understood

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labgrade.lab, "scale", stop)
        with pytest.raises(Understood):
            labgrade.main(words)


def read_as_dask(words: list[str]) -> None:
    """Read arguments as `dask scheduler` and `dask worker` do."""
    kinds = {"scheduler": dask_scheduler, "worker": dask_worker}
    kinds[words[0]].main.make_context("dask", words[1:])


def read_as_make(words: list[str]) -> None:
    """Let make say what it would do."""
    make = ["make", "-n", *words]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def read_as_pip(words: list[str]) -> None:
    """Look for the extra; of other packages only the names are known."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    allowed = {f".[{name}]" for name in extras} | {
        "dask-jobqueue",
        "dask-kubernetes",
    }
    assert words[0] == "install" and words[1] in allowed, words


READERS = {
    "labgrade": read_as_labgrade,
    "dask": read_as_dask,
    "make": read_as_make,
    "pip": read_as_pip,
}


def told(text: str) -> list[list[str]]:
    """Return the commands that a page only tells, taken apart."""
    blocks = "".join(BASH.findall(text)).replace("\\\n", " ").splitlines()
    # a command is told in the text when it has an argument
    spans = [
        span
        for span in SPAN.findall(re.sub(r"^```.*?^```", "", text, flags=FENCE))
        if span.split()[0] in READERS and len(span.split()) > 1
    ]
    return [shlex.split(command) for command in [*blocks, *spans]]


def options(text: str) -> set[str]:
    """Return the options that a page names in its text."""
    return {
        word
        for span in SPAN.findall(re.sub(r"^```.*?^```", "", text, flags=FENCE))
        for word in span.split()
        if re.fullmatch(r"--?[a-z][a-z-]*", word)
    }


ALL = ("teaching", "grading", "new_lab")
COMMANDS = ("release", "grade", "explain", "sheet", "merge", "export")
COMMANDS += ("doctor",)


@pytest.mark.parametrize("name", ALL)
def test_commands_that_are_told_can_be_read(name: str) -> None:
    for command, *words in told(page(name)):
        if command == "labgrade" and len(words) == 1:
            assert words[0] in COMMANDS  # the command's name alone
        else:
            READERS[command](words)


def test_the_pages_tell_enough_and_every_command_is_run() -> None:
    text = page("grading")
    assert len(told(text)) > 4
    run_ = {
        command.split()[1]
        for session in SESSION.findall(text)
        for command, _ in commands(session)
        if command.startswith("labgrade")
    }
    assert run_ == set(COMMANDS)


def test_every_option_exists(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            labgrade.main([command, "--help"])
    with pytest.raises(SystemExit):
        questions.main(["--help"])
    known = set(re.findall(r"(?<!\w)--?[a-z][a-z-]*", capsys.readouterr().out))
    named_ = set().union(*(options(page(name)) for name in ALL))
    assert {"--per-student", "--isolation", "-j"} <= named_
    assert named_ <= known
    assert not options("Give `--per-pupil`.") <= known


@pytest.mark.parametrize(
    "command",
    [
        "labgrade grade submissions --bundel b --out marks",
        "labgrade regrade",
        "dask worker tcp://desk:8786 --threads-of-mine 4",
        "make shine",
        "pip install .[grader]",
    ],
)
def test_a_command_that_does_not_exist_is_refused(command: str) -> None:
    ((name, *words),) = told(f"```bash\n{command}\n```\n")
    with pytest.raises((SystemExit, AssertionError, click.ClickException)):
        READERS[name](words)


# On a cluster

STANDINS = {
    "dask_jobqueue.py": """
from distributed import LocalCluster

class SLURMCluster(LocalCluster):
    def __init__(self, *, queue, account, walltime, cores, processes, memory):
        assert cores == 4 and processes == 1 and memory.endswith("GB")
        super().__init__(n_workers=0, threads_per_worker=1, processes=False,
                         protocol="tcp://", dashboard_address=None)

    def scale(self, n=None, jobs=0):
        super().scale(jobs // 8 if n is None else n)
""",
    "dask_kubernetes/__init__.py": "",
    "dask_kubernetes/operator.py": """
from distributed import LocalCluster

def make_cluster_spec(*, name, image, n_workers, resources, worker_command):
    args = worker_command.split()
    assert args[:2] == ["dask", "worker"]
    worker = {"name": "worker", "image": image, "args": args,
              "resources": resources}
    return {"spec": {"worker": {
        "replicas": n_workers, "spec": {"containers": [worker]}}}}

class KubeCluster(LocalCluster):
    def __init__(self, *, custom_cluster_spec):
        worker = custom_cluster_spec["spec"]["worker"]
        (container,) = worker["spec"]["containers"]
        assert container["securityContext"] == {"privileged": True}
        super().__init__(n_workers=worker["replicas"] // 8,
                         threads_per_worker=1, processes=False,
                         protocol="tcp://", dashboard_address=None)
""",
}
"""Stand-ins with the options that the libraries document, and no others."""


def grade_with(script: str, folder: Path) -> subprocess.CompletedProcess:
    """Run a script of the page on the tiny lab, with stand-ins."""
    for name, text in STANDINS.items():
        path = folder / "standins" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    lab = tiny.folder(folder)
    made = bundles.release(lab, b"a secret")
    (folder / "handout").mkdir()
    (folder / "handout/lab-vgg.bundle.json").write_text(made.text(), "utf-8")
    (folder / "submissions").mkdir()
    for name, changes in {"s1": {}, "s2": {"area": "area = 12"}}.items():
        path = folder / "submissions" / f"{name}.ipynb"
        path.write_bytes(tiny.handed_in(changes))
    (folder / "script.py").write_text(script, "utf-8")
    path = f"{folder / 'standins'}:{ROOT}"
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_a_script_grades_on_a_cluster(name: str, tmp_path: Path) -> None:
    script = named(page("grading"))[f"grade_on_{name}.py"]
    done = grade_with(script, tmp_path)
    assert done.returncode == 0, done.stderr
    grades = (tmp_path / "marks" / "grades.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in grades[1:]] == [
        ["s1", "10"],
        ["s2", "7"],
    ]


def test_a_script_with_a_wrong_option_fails(tmp_path: Path) -> None:
    script = named(page("grading"))["grade_on_slurm.py"]
    wrong = script.replace("processes=1", "process=1")
    done = grade_with(wrong, tmp_path)
    assert done.returncode != 0
    assert "unexpected keyword argument 'process'" in done.stderr


def test_a_worker_without_boxes_gives_nobody_a_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boxes, "_command", lambda *_: ["false"])
    pictures = {"much": "more than a pipe holds" * 100_000}
    with pytest.raises(OSError, match="A box cannot be started"):
        boxes.Box("", pictures)


def image_faults(text: str) -> list[str]:
    """Return what a recipe for an image lacks."""
    code = text.replace("\\\n", " ")
    words = {line.split()[0] for line in code.splitlines()}
    needed = ("bubblewrap", '"/book[grading]"', "COPY . /book")
    faults = [f"lacks {word}" for word in needed if word not in code]
    faults += sorted(words - {"FROM", "RUN", "COPY"})
    version = re.search(r"^FROM python:3\.(\d+)-slim$", code, re.M)
    if not version or int(version[1]) < 11:
        faults.append("is too old")
    return faults


def test_the_image_holds_what_a_worker_needs() -> None:
    text = named(page("grading"))["Dockerfile"]
    assert image_faults(text) == []
    assert image_faults(text.replace("COPY", "COPI")) == [
        "lacks COPY . /book",
        "COPI",
    ]
    assert image_faults(text.replace("3.11", "3.9")) == ["is too old"]


# The course

ROW = re.compile(r"^\| (\w+) \| ([^|]*?) \| ?([^|]*?) ?\|$", re.M)


def plans(text: str) -> list[list[tuple[list[str], str]]]:
    """Return each plan of a page: a row's chapters, and its lab."""
    found: list[list[tuple[list[str], str]]] = []
    for week, chapters, lab in ROW.findall(text):
        if week == "week":
            found.append([])
        else:
            names = re.findall(r"\{doc\}`[^`<]+ <(\w+)>`", chapters)
            found[-1].append((names, lab))
    return found


def plan_faults(plan: list[tuple[list[str], str]]) -> list[str]:
    """Return what is wrong with a plan: unknown, or too early."""
    stops = book_map.chapters(ROOT)
    order = [stop.name for stop in stops]
    names = {stop.title.split(":")[0]: stop.name for stop in stops}
    known = {lab.title: lab for lab in labs_page.labs(ROOT)}
    read: list[str] = []
    faults = []
    for chapters, title in plan:
        for name in chapters:
            if name not in order:
                faults.append(f"there is no chapter {name}")
            read.append(name)
        if title and title not in known:
            faults.append(f"there is no lab {title!r}")
        elif title:
            first = re.findall(r"\*([^*]+)\*", known[title].first)
            missing = {names[word] for word in first} - set(read)
            faults += [f"{title} before {name}" for name in sorted(missing)]
    if read != sorted(read, key=order.index):
        faults.append("the order is not the book's")
    return faults


def test_the_plans_are_the_books() -> None:
    long, short = plans(page("teaching"))
    assert plan_faults(long) == plan_faults(short) == []
    stops = book_map.chapters(ROOT)
    assert [name for row in long for name in row[0]] == [
        stop.name for stop in stops
    ]
    for stop in stops:
        link = f"{{doc}}`{stop.title.split(':')[0]} <{stop.name}>`"
        assert link in page("teaching")
    titles = sorted(lab.title for lab in labs_page.labs(ROOT))
    assert sorted(lab for _, lab in long if lab) == titles
    assert (len(long), len(short)) == (10, 5)


def test_a_plan_with_a_fault_is_told() -> None:
    long, _ = plans(page("teaching"))
    assert plan_faults([(["lenet"], "Convolution by hand")]) == [
        "Convolution by hand before backpropagation",
        "Convolution by hand before convolution",
    ]
    assert plan_faults([*long[2:3], *long[:1]]) == [
        "the order is not the book's"
    ]
    assert plan_faults([([], "Nothing")]) == ["there is no lab 'Nothing'"]


def test_what_the_pages_say_of_all_labs_is_so() -> None:
    assert {lab.points for lab in labs_page.labs(ROOT)} == {20}
    assert "twenty points and one question in words" in page("new_lab")
    assert "```{lab-list}\n```" in page("teaching")


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
