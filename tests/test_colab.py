"""Colab: the cell that readies it, the edition for it, and its environment.

The notebooks run in Colab's versions, each alone in an empty folder, with the
library from its wheel: see tools/colab_env.py.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import types
from html import unescape
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import ROOT

from tools import colab, colab_env
from tools import notebooks as writer
from website import addresses
from website.extensions import formulas
from website.extensions import labs as lab_page

BROKEN = ROOT / "tests" / "broken" / "colab"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
REPOSITORY = CONFIG["repository"]["url"]


# ---- the cell ----


def test_it_is_the_same_in_every_notebook() -> None:
    chapters = [ROOT / f"{name}.ipynb" for name in writer.toc()]
    paths = [path for path in chapters if path.exists()]
    paths += sorted(ROOT.glob("labs/*/*.ipynb"))
    assert len(paths) > 12
    for path in paths:
        cells = writer.read(path).cells
        found = [
            c.source for c in cells if "colab" in c.metadata.get("tags", ())
        ]
        assert found == [writer.colab_source()], path


class Pip:
    """Stands for the process that installs; knows how it will end."""

    ends = 0
    asked: list[list[str]]

    def __init__(self, command: list[str]) -> None:
        self.asked.append(command)

    def wait(self) -> int:
        return self.ends


@pytest.fixture
def in_colab(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Stand in for Colab, for pip, and for a library that is not there."""
    monkeypatch.syspath_prepend(str(colab_env.STAND_IN))
    for name in ("google", "google.colab", "google.colab.output"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import google.colab
    from google.colab import output

    output.asked.clear()
    monkeypatch.setitem(sys.modules, "google.colab", google.colab)
    monkeypatch.setattr(Pip, "asked", [], raising=False)
    monkeypatch.setattr(subprocess, "Popen", Pip)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    return output


def run_cell() -> None:
    """Run the cell as a notebook would."""
    exec(compile(writer.colab_source(), "colab", "exec"), {})


def test_elsewhere_it_does_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    monkeypatch.setattr(Pip, "asked", [], raising=False)
    monkeypatch.setattr(subprocess, "Popen", Pip)
    run_cell()
    assert Pip.asked == []
    assert capsys.readouterr().out == ""


def test_it_installs_the_library_alone_and_pins_nothing(in_colab) -> None:
    run_cell()
    assert in_colab.asked == ["widgets"]
    [command] = Pip.asked
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    branch = CONFIG["repository"]["branch"]
    assert command[4:] == [
        "-q",
        "--no-deps",
        f"cnnbook @ git+{REPOSITORY}@{branch}",
    ]


def test_it_does_not_install_twice(in_colab, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    run_cell()
    assert Pip.asked == []


def test_it_names_the_gpu_or_says_how_to_get_one(
    in_colab, monkeypatch, capsys
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    run_cell()
    assert "Runtime →\nChange runtime type → T4" in capsys.readouterr().out
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "Tesla T4")
    run_cell()
    assert capsys.readouterr().out == "GPU: Tesla T4.\n"


def test_it_stops_if_the_library_does_not_come(in_colab, monkeypatch) -> None:
    monkeypatch.setattr(Pip, "ends", 1)
    with pytest.raises(RuntimeError, match="run this cell again"):
        run_cell()


# ---- the edition ----


@pytest.fixture(scope="module")
def book() -> colab.Book:
    """The book, as its pages refer to it."""
    return colab.Book(ROOT)


@pytest.fixture(scope="module")
def files(book: colab.Book) -> dict[str, str]:
    """Every file of the edition."""
    return colab.editions(book)


@pytest.fixture(scope="module")
def pairs(
    book: colab.Book, files: dict[str, str]
) -> dict[str, tuple[nbformat.NotebookNode, nbformat.NotebookNode]]:
    """Each notebook of the edition beside its source."""
    return {
        page.source: (
            writer.read(ROOT / page.source),
            nbformat.v4.reads(files[addresses.in_edition(page.source)]),
        )
        for page in [*book.chapters(), *book.labs()]
    }


def text_of(nb: nbformat.NotebookNode) -> str:
    """Return all Markdown of a notebook."""
    texts = [c.source for c in nb.cells if c.cell_type == "markdown"]
    return "\n\n".join(texts)


def test_every_chapter_and_lab_is_in_it(files: dict[str, str]) -> None:
    expected = {f"{name}.ipynb" for name in writer.toc()}
    expected = {name for name in expected if (ROOT / name).exists()}
    expected |= {
        f"labs/lab-{path.parent.name}.ipynb"
        for path in ROOT.glob("labs/*/lab.ipynb")
    }
    assert {name for name in files if name.endswith("ipynb")} == expected
    for name in expected:
        assert f"/blob/colab/{name})" in files["README.md"]


def test_its_code_is_the_same_to_the_byte(pairs) -> None:
    def code(nb):
        return [(c.id, c.source) for c in nb.cells if c.cell_type == "code"]

    def told(nb):
        return [
            (c.execution_count, [sorted(o.get("data", o)) for o in c.outputs])
            for c in nb.cells
            if c.cell_type == "code"
        ]

    for source, made in pairs.values():
        assert code(made) == code(source)
        assert told(made) == told(source)
        assert colab_env.printed(made) == colab_env.printed(source)


def test_its_notebooks_are_valid_and_lose_no_formula(pairs) -> None:
    for name, (source, made) in pairs.items():
        nbformat.validate(made)
        before, after = text_of(source), text_of(made)
        assert after.count("$$") == before.count("$$"), name
        assert after.count("$") == before.count("$"), name
        assert after.count("\n|") + after.count("> |") == (
            before.count("\n|")
        ), name


def test_its_formulas_are_read(pairs) -> None:
    read = 0
    for _, made in pairs.values():
        for found in colab.PIECE.finditer(text_of(made)):
            if latex := found["display"]:
                formulas.render(latex, display=True)
            elif latex := found["inline"]:
                formulas.render(latex.strip("$"))
            read += bool(latex)
    assert read > 500


def test_the_same_book_gives_the_same_bytes(files: dict[str, str]) -> None:
    assert colab.editions(colab.Book(ROOT)) == files


def test_a_lab_loses_nothing(pairs) -> None:
    for name, (source, made) in pairs.items():
        if name.startswith("labs/"):
            kept = [cell.source for cell in made.cells[1:]]
            assert kept == [cell.source for cell in source.cells]
            tags = [cell.metadata.get("tags") for cell in made.cells[1:]]
            assert tags == [c.metadata.get("tags") for c in source.cells]


def test_a_lab_that_gains_by_a_gpu_starts_with_one(pairs) -> None:
    asked = {
        name: made.metadata.get("accelerator")
        for name, (_, made) in pairs.items()
    }
    assert asked["labs/conv/lab.ipynb"] is None
    assert asked["chapters/lenet.ipynb"] is None
    for says, gpu in {
        "GPU: helps, not needed": True,
        "GPU: a free one will do": True,
        "GPU: not needed": False,
        "no GPU needed": False,
    }.items():
        text = f"# A\n\n**90 minutes · 20 points · {says} · read first: x**"
        page = colab.Page("labs/a/lab", "labs/a/lab.ipynb", text)
        assert colab.wants_gpu(page) is gpu, says


def test_formulas_have_the_numbers_of_the_site(
    pairs, built_site: Path
) -> None:
    numbered = 0
    for name, (_, made) in pairs.items():
        if not name.startswith("chapters/"):
            continue
        page = (built_site / name).with_suffix(".html").read_text("utf-8")
        there = re.findall(r'class="eqno">\((\d+)\)', page)
        assert re.findall(r"\\tag\{(\d+)\}", text_of(made)) == there, name
        numbered += len(there)
    assert numbered > 40


def test_references_to_formulas_are_those_of_the_site(
    book: colab.Book, built_site: Path
) -> None:
    seen = 0
    for page in book.pages.values():
        html = (built_site / f"{page.name}.html").read_text("utf-8")
        links = re.findall(r'#equation-([\w-]+)">\((\d+)\)</a>', html)
        for label, number in links:
            assert book.labels[label][1] == int(number)
        seen += len(links)
    assert seen > 30


def test_every_link_leads_somewhere(
    files: dict[str, str], built_site: Path
) -> None:
    """In Colab to a file of the edition, on the site to a place of a page."""
    here = addresses.site(REPOSITORY)
    opened = addresses.colab(REPOSITORY, "x.ipynb").removesuffix("x.ipynb")
    seen = {"colab": 0, "site": 0, "place": 0}
    for name, text in files.items():
        if name.startswith("LICENSE"):
            continue
        text = text.replace('\\"', '"')
        found = re.findall(r'(?:\]\(|href=")(https?://[^)"\s]+)', text)
        for link in found:
            if link.startswith(opened):
                assert link.removeprefix(opened) in files, (name, link)
                seen["colab"] += 1
            elif link.startswith(here):
                path, _, place = link.removeprefix(here).partition("#")
                page = built_site / (path or "index.html")
                assert page.is_file(), (name, link)
                assert not place or f'id="{place}"' in page.read_text(
                    "utf-8"
                ), (name, link)
                seen["place" if place else "site"] += 1
    assert min(seen.values()) > 30, seen


def test_each_work_cited_is_listed(pairs) -> None:
    for name, (source, made) in pairs.items():
        cited = re.findall(r"\{cite:[pt]\}`([^`]+)`", text_of(source))
        keys = {key.strip() for keys in cited for key in keys.split(",")}
        last = made.cells[-1].source
        listed = last.count("\n- **") if "## References" in last else 0
        assert listed == len(keys), name


def test_widgets_keep_their_looks(pairs) -> None:
    _, made = pairs["chapters/convolution.ipynb"]
    widgets = [
        output.data["text/html"]
        for cell in made.cells
        for output in cell.get("outputs", ())
        if "data-widget=" in output.get("data", {}).get("text/html", "")
    ]
    assert len(widgets) > 1
    for markup in widgets:
        assert markup.startswith("<style>")
        assert ".cnn-widget svg" in markup
        assert "<svg" in markup or 'data-widget="question"' in markup


# ---- its words, one at a time ----


@pytest.fixture(scope="module")
def translate(book: colab.Book):
    """Translate a text that might stand in the chapter on AlexNet."""

    def said(text: str) -> str:
        page = colab.Page("chapters/alexnet", "chapters/alexnet.ipynb", text)
        return colab.Translator(book, page).text(text)

    return said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            ":::{admonition} Summary\n:class: summary\n\n1. One\n2. $x$\n:::",
            "> **Summary**\n>\n> 1. One\n> 2. $x$",
        ),
        (
            ":::{admonition} Solution\n:class: dropdown solution\n\n"
            "$$\na\n$$\n:::",
            "<details>\n<summary><b>Solution</b></summary>\n\n$$\na\n$$\n\n"
            "</details>",
        ),
        (
            "::::{admonition} Predict\n:class: predict\n\nHow many?\n\n"
            ":::{admonition} Reveal\n:class: dropdown reveal\n\nTwo.\n:::\n"
            "::::\n\nOn.",
            "> **Predict**\n>\n> How many?\n\n<details>\n"
            "<summary><b>Reveal</b></summary>\n\nTwo.\n\n</details>\n\nOn.",
        ),
        (
            ":::{admonition} A\n\n```python\nx = 1\n\n:::\n```\n$$\na\nb\n$$\n"
            ":::",
            "> **A**\n>\n> ```python\n> x = 1\n>\n> :::\n> ```\n> $$a b$$",
        ),
        (
            "$$\na &= b \\\\\n&= c\n$$ (eq-a)\n\nBy {eq}`eq-a`, $$b$$ (eq-b)",
            "$$\n\\begin{aligned}a &= b \\\\\n&= c\\end{aligned} \\tag{1}\n$$"
            "\n\nBy (1), $$b \\tag{2}$$",
        ),
        (
            "See {cite:t}`simonyan2015` {cite:p}`he2016,he2016identity`.",
            "See Simonyan and Zisserman (2015) (He et al., 2016a; "
            "He et al., 2016b).",
        ),
        ("`{doc}` and ``:::`` stay", "`{doc}` and ``:::`` stay"),
        ("\\$5, $x$ and `$`", "\\$5, $x$ and `$`"),
    ],
)
def test_what_becomes_of(translate, text: str, told: str) -> None:
    assert translate(text) == told


def test_pages_and_terms_become_links(translate, book: colab.Book) -> None:
    lenet = book.pages["chapters/lenet"].title
    opened = addresses.colab(REPOSITORY, "chapters/lenet.ipynb")
    assert translate("{doc}`lenet`") == f"[{lenet}]({opened})"
    assert translate("{doc}`it <lenet>`") == f"[it]({opened})"
    site = addresses.site(REPOSITORY, "chapters/glossary.html#term-kernel")
    assert translate("{term}`kernels <kernel>`") == f"[kernels]({site})"
    claim = addresses.site(REPOSITORY, "chapters/errata.html#claim-a")
    assert translate("[it](errata.ipynb#claim-a)") == f"[it]({claim})"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (":::{figure} x.png\n:::", "no words for ':::{figure} x.png'"),
        (":::{admonition} A\nb", "The box 'A' is never closed"),
        ("{numref}`a`", r"no words for \{numref\}"),
        ("{eq}`eq-nowhere`", "no formula: eq-nowhere"),
        ("{doc}`nowhere`", "'nowhere', which is no page"),
        ("{term}`nothing`", "glossary has no 'nothing'"),
        ("{cite:p}`nobody1901`", "no 'nobody1901'"),
        ("[a](nowhere.md)", "'nowhere', which is no page"),
    ],
)
def test_what_it_cannot_say_stops_it(translate, text: str, says: str) -> None:
    with pytest.raises(colab.Stray, match=says):
        translate(text)


def test_what_is_raw_is_found() -> None:
    nb = writer.read(BROKEN / "raw.ipynb")
    assert [fault.split(": ")[0] for fault in colab.faults(nb)] == [
        cell.id for cell in nb.cells if cell.id.startswith("raw")
    ]
    assert len(list(colab.faults(nb))) == 8


def test_nothing_raw_is_written(
    monkeypatch: pytest.MonkeyPatch, book: colab.Book
) -> None:
    monkeypatch.setattr(colab.Translator, "text", lambda self, text: text)
    with pytest.raises(colab.Stray, match="Left raw: chapters/convolution"):
        colab.editions(book)


def test_the_command_writes_the_branch_anew(
    tmp_path: Path, files: dict[str, str], capsys, monkeypatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.ipynb").touch()
    monkeypatch.setattr(colab, "editions", lambda book: files)
    assert colab.main(["--output", str(tmp_path / "out")]) == 0
    written = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_text("utf-8")
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert written == files

    def fails(book: colab.Book) -> None:
        raise colab.Stray("It has no words.")

    monkeypatch.setattr(colab, "editions", fails)
    assert colab.main(["--output", str(tmp_path / "none")]) == 1
    assert "It has no words." in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


# ---- the branch ----


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody, in a folder; return what it says."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", *who, *arguments],
        cwd=folder,
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


def test_the_edition_is_pushed_to_its_branch(tmp_path: Path) -> None:
    """Twice the same is one commit; what has gone is gone."""
    there, here = tmp_path / "there", tmp_path / "here"
    git(tmp_path, "init", "-q", "--bare", str(there))
    git(tmp_path, "init", "-q", "-b", "main", str(here))
    git(here, "remote", "add", "origin", str(there))
    (here / ".github").mkdir()
    script = here / ".github" / "push-colab.sh"
    shutil.copy(ROOT / ".github" / "push-colab.sh", script)
    (here / ".gitignore").write_text("dist/\n")
    git(here, "add", "-A")
    git(here, "commit", "-q", "-m", "one")
    edition = here / "dist" / "colab"
    (edition / "chapters").mkdir(parents=True)
    (edition / "chapters" / "a.ipynb").write_text("1")

    def push() -> list[str]:
        subprocess.run(["bash", str(script)], cwd=here, check=True)
        branch = addresses.BRANCH
        assert git(here, "status", "--porcelain") == ""
        return [
            git(there, "rev-list", "--count", branch),
            git(there, "ls-tree", "-r", "--name-only", branch),
        ]

    assert push() == ["1", "chapters/a.ipynb"]
    assert push() == ["1", "chapters/a.ipynb"]
    (edition / "chapters" / "a.ipynb").rename(edition / "b.ipynb")
    assert push() == ["2", "b.ipynb"]


def test_publishing_pushes_it() -> None:
    text = (ROOT / ".github/workflows/publish.yml").read_text("utf-8")
    steps = yaml.safe_load(text)["jobs"]["publish"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    assert any(" colab" in c for c in commands if c.startswith("make"))
    assert "bash .github/push-colab.sh" in commands


# ---- the page of the labs ----


def test_the_site_lists_and_holds_each_lab(
    built_site: Path, files: dict[str, str]
) -> None:
    page = (built_site / "labs" / "index.html").read_text("utf-8")
    found = sorted(ROOT.glob("labs/*/lab.ipynb"))
    for path in found:
        lab = lab_page.read(path)
        name = f"lab-{lab.name}"
        held = built_site / "labs" / f"{name}.ipynb"
        assert held.read_bytes() == path.read_bytes()
        assert f'href="../labs/{name}.ipynb" download' in page
        opened = addresses.colab(REPOSITORY, lab.source)
        assert f'href="{opened}"' in page
        assert f"labs/{name}.ipynb" in files
        item = re.search(rf'<li id="{name}">.*?</li>', page, re.DOTALL)
        words = unescape(re.sub(r"<[^>]+>", "", item[0])).replace("\xa0", " ")
        assert lab.title.replace("’", "'") in words.replace("’", "'")
        assert f"{lab.minutes} minutes · {lab.points} points" in words
        assert re.search(r'Read first:.*?href="\.\./chapters/', item[0], re.S)
    assert len(list((built_site / "labs").glob("*.ipynb"))) == len(found)


def test_the_labs_stand_in_the_order_of_the_chapters() -> None:
    names = [lab.name for lab in lab_page.labs(ROOT)]
    assert names[0] == "conv"
    order = ["conv", "lenet", "alexnet", "see", "vgg", "inception", "resnet",
             "transfer"]  # fmt: skip
    assert names == [name for name in order if name in names]


FIRST = "**90 minutes · 20 points · no GPU needed · read first: *VGG***"


@pytest.mark.parametrize("missing", ["# Lab · A", FIRST, "You build."])
def test_a_lab_that_says_too_little_is_refused(
    tmp_path: Path, missing: str
) -> None:
    text = f"# Lab · A\n\n{FIRST}\n\nYou build."
    path = tmp_path / "a" / "lab.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps({"cells": [{"source": [text]}]}))
    assert lab_page.read(path) == lab_page.Lab(
        "a", "A", 90, 20, "no GPU needed", "*VGG*", "You build."
    )
    text = text.replace(missing, "").rstrip()
    path.write_text(json.dumps({"cells": [{"source": [text]}]}))
    with pytest.raises(ValueError, match="The first cell of the lab a lacks"):
        lab_page.read(path)


# ---- Colab's versions ----


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book as a repository whose branch is the one that cells name."""
    folder = tmp_path_factory.mktemp("clone") / "book"
    branch = CONFIG["repository"]["branch"]
    return colab_env.repository_of(colab_env.copy_of(folder), branch)


@pytest.fixture(scope="module")
def python() -> Path:
    """The environment's Python; without it the tests fail, never skip."""
    return colab_env.ensure()


@pytest.fixture(scope="module")
def installed(
    python: Path, clone: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The environment with the library from its wheel, and nothing more."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = shutil.copytree(clone, folder / "book")
    colab_env.install(python, colab_env.wheel_of(copy, folder))
    return python


def notebook_of(*sources: str) -> colab_env.Case:
    """A notebook of these cells."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return colab_env.Case(
        "a", "a.ipynb", nbformat.v4.new_notebook(cells=cells)
    )


def test_the_versions_are_colab_s(python: Path) -> None:
    assert colab_env.versions(python) == colab_env.pinned()
    assert colab_env.pinned()["ipython"] == "7.34.0"


TIMED = """
import os, time
began, used = time.perf_counter(), os.times()
{cell}
now = os.times()
print("took", time.perf_counter() - began)
print("used", sum(now[:4]) - sum(used[:4]))
"""


def test_the_cell_readies_colab_within_ten_seconds(
    python: Path, clone: Path
) -> None:
    colab_env.uninstall(python)
    case = notebook_of(
        TIMED.format(cell=writer.colab_source()),
        "import cnnbook\nprint(cnnbook.__file__)",
        "from google.colab import output\nprint(output.asked)",
        "from cnnbook import claims\nprint(len(claims.load()))",
    )
    with colab_env.surroundings(**colab_env.clone_for(REPOSITORY, clone)):
        ran = colab_env.execute(case, python)
    first, library, asked, registry = colab_env.printed(ran)
    said = dict(re.findall(r"(took|used) ([\d.]+)", first))
    print({name: float(value) for name, value in said.items()})
    assert "Change runtime type → T4 GPU" in first or "GPU: " in first
    assert str(python.parents[1]) in library
    assert asked == "['widgets']\n"
    assert int(registry) > 300
    # on a busy machine it may take longer than the time that it uses
    assert float(said["used"]) <= 10


@pytest.fixture(scope="module")
def cases() -> dict[str, colab_env.Case]:
    """Every notebook that can be run."""
    return colab_env.cases()


@pytest.mark.parametrize("name", colab_env.few())
def test_a_notebook_runs_alone_in_colab_s_versions(
    installed: Path, cases: dict[str, colab_env.Case], name: str
) -> None:
    case = cases[name]
    with colab_env.surroundings():
        ran = colab_env.execute(case, installed)
    if "lab-" not in name or "solution" in name:
        assert colab_env.printed(ran) == colab_env.printed(case.notebook)
    else:
        assert colab_env.printed(ran)[-1].startswith("·")
    if name == "convolution":
        # Colab adds its widget manager to what is displayed, not to results
        shown = [
            output.output_type
            for cell in ran.cells
            for output in cell.get("outputs", ())
            if writer.WIDGET_VIEW in output.get("data", {})
        ]
        source = "".join(cell.source for cell in ran.cells)
        widgets = source.count("Explorer(") + source.count("Question(")
        assert shown == ["display_data"] * widgets
        assert "Explorer(" in source and "Question(" in source


def test_what_fails_there_is_told(installed: Path) -> None:
    from nbclient.exceptions import CellExecutionError

    with (
        colab_env.surroundings(),
        pytest.raises(CellExecutionError, match="No such file"),
    ):
        colab_env.execute(notebook_of("open('../results/a.json')"), installed)
    with (
        colab_env.surroundings(),
        pytest.raises(AssertionError, match=r"leaves files: \['b'\]"),
    ):
        colab_env.execute(notebook_of("open('b', 'w').close()"), installed)
