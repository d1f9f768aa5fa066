"""The notebooks: found, run, normalised, in order, and proven to be right.

`make test` also hands every notebook itself to nbval; here stand the writer,
the hygiene rules, and the fixtures that show that both can fail.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT

from tools import hygiene
from tools import notebooks as writer

BROKEN = ROOT / "tests" / "broken" / "notebooks"

# Fixtures that only hygiene sees, and what it says of each.
UNTIDY = {
    "address": "has an address: https://example.org/data",
    "bitmap": "shows image/png, which nbval cannot compare",
    "crashed": "shows the error ValueError",
    "empty-alt-in-text": "has a picture without alt text",
    "empty-cell": "is empty",
    "excused-by-comment": "excuses itself: # NBVAL_IGNORE_OUTPUT",
    "excused-by-tag": "excuses itself: nbval-ignore-output",
    "figure-without-show": "does not end with plt.show()",
    "invalid": "is not a valid notebook",
    "long-cell": "has 42 lines (40 at most)",
    "long-line": "line 1 has 86 characters",
    "magic": "has a magic: %pip install torch",
    "memory-address": "prints an address in memory",
    "missing-alt": "shows a picture without alt text",
    "missing-alt-in-directive": "has a picture without alt text",
    "not-in-order": "carries the count 7 instead of 1",
    "not-normal": "is not in the normal form",
    "outputs-removed": "should have an output and has none",
    "random-id": "has the random id 0f1e2d3c",
    "raw-html": "has raw HTML: <b>",
    "repeated-id": "repeats the id sound-1",
    "semicolon": "ends with a semicolon",
    "stderr": "shows stderr: 'a warning",
    "stripped": "was not executed",
    "timed": "imports time",
    "timing": "carries the metadata 'execution'",
    "two-pictures": "shows 2 pictures under one alt text",
    "unnamed-drawing": "draws an <svg> without title or label",
    "unnamed-html-image": "shows an <img> without alt text",
    "widget-state": "carries widget state",
    "widget-view": "stores a live widget view",
}
# Fixtures that look in order, and what nbval says when it runs them.
WRONG = {
    "crashes": "Cell execution caused an exception",
    "missing-picture": "Unexpected output fields",
    "too-slow": "Timeout of 3 seconds exceeded",
    "wrong-output": "mismatch 'text/plain'",
    "wrong-picture": "mismatch 'image/svg+xml'",
    "wrong-position": "mismatch 'image/svg+xml'",
    "wrong-stream": "mismatch 'stdout'",
}


# Fixtures that both accept.
RIGHT = ("sound", "last-decimal")


# The book's own notebooks


@pytest.mark.parametrize(
    "path", writer.notebooks(), ids=writer.name_of
)
def test_each_notebook_is_in_order(path: Path) -> None:
    assert hygiene.check(path) == []


def test_every_notebook_is_named_in_the_contents() -> None:
    assert writer.notebooks(), "_toc.yml names no notebook"
    assert writer.orphans() == []


# Each rule is seen to fail


def test_each_fixture_has_its_place() -> None:
    found = {path.stem for path in BROKEN.glob("*.ipynb")}
    assert found == {*UNTIDY, *WRONG, *RIGHT}


def test_each_rule_has_a_fixture() -> None:
    fired = {
        rule.__name__
        for name in UNTIDY
        for rule in hygiene.RULES
        if list(rule(writer.read(BROKEN / f"{name}.ipynb")))
    }
    assert fired == {rule.__name__ for rule in hygiene.RULES}


@pytest.mark.parametrize(("name", "says"), UNTIDY.items(), ids=list(UNTIDY))
def test_hygiene_refuses(name: str, says: str) -> None:
    faults = hygiene.check(BROKEN / f"{name}.ipynb")
    assert any(says in fault for fault in faults), faults


@pytest.mark.parametrize("name", [*RIGHT, *WRONG])
def test_hygiene_accepts(name: str) -> None:
    assert hygiene.check(BROKEN / f"{name}.ipynb") == []


def test_hygiene_refuses_a_large_notebook(tmp_path: Path) -> None:
    nb = writer.read(BROKEN / "sound.ipynb")
    nb.cells[0].source += "\n" + "x" * hygiene.LARGEST
    large = tmp_path / "large.ipynb"
    large.write_text(writer.text_of(nb), "utf-8")
    assert ["bytes (400,000 at most)" in f for f in hygiene.check(large)] == [
        True
    ]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What nbval, called as `make test` calls it, says of each fixture."""
    report = tmp_path_factory.mktemp("nbval") / "report.xml"
    paths = [BROKEN / f"{name}.ipynb" for name in (*RIGHT, *WRONG)]
    options = ["--color=no", "--nbval-cell-timeout=3", "-pno:cacheprovider"]
    options.append(f"--junitxml={report}")
    subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", *options, *paths],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if "PYTEST" not in k},
        capture_output=True,
        check=False,
    )
    said: dict[str, str] = {path.stem: "" for path in paths}
    for case in ElementTree.parse(report).iter("testcase"):
        stem = case.get("classname", "").split(".")[-2]
        for problem in (*case.findall("failure"), *case.findall("error")):
            said[stem] += problem.text or ""
    return said


@pytest.mark.parametrize("name", RIGHT)
def test_nbval_accepts(verdicts: dict[str, str], name: str) -> None:
    assert verdicts[name] == ""


@pytest.mark.parametrize(("name", "says"), WRONG.items(), ids=list(WRONG))
def test_nbval_refuses(verdicts: dict[str, str], name: str, says: str) -> None:
    assert says in verdicts[name]


# The writer


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book of two notebooks, one in the contents and one in a lab."""
    (tmp_path / "_toc.yml").write_text(
        "root: intro\nparts:\n  - chapters:\n      - file: chapters/one\n"
    )
    for folder in ("chapters", "labs/two", "cnnbook"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "cnnbook" / "code.py").write_text("x = 1\n")
    save(tmp_path / "chapters" / "one.ipynb", "print(1)")
    save(tmp_path / "labs" / "two" / "solution.ipynb", "print(2)")
    monkeypatch.setattr(writer, "ROOT", tmp_path)
    monkeypatch.setattr(writer, "RECORD", tmp_path / "_build" / "record")
    return tmp_path


def save(path: Path, *sources: str) -> None:
    """Write a notebook as an editor would, with cells of these sources."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nb = nbformat.v4.new_notebook(cells=cells)
    path.write_text(nbformat.v4.writes(nb), "utf-8")


def run(book: Path, always: bool = False, limit: float = 20) -> int:
    """Run a book's notebooks; return the number of failures."""
    paths = writer.notebooks(book)
    return asyncio.run(writer.run(paths, always, limit=limit))


def test_the_book_s_notebooks_are_found(book: Path) -> None:
    names = [path.name for path in writer.notebooks(book)]
    assert names == ["one.ipynb", "solution.ipynb"]
    assert writer.orphans(book) == []
    save(book / "chapters" / "stray.ipynb", "print(3)")
    assert [path.name for path in writer.orphans(book)] == ["stray.ipynb"]


def test_an_unknown_name_gets_the_known_ones(book: Path) -> None:
    with pytest.raises(SystemExit, match=r"no notebook 'three'.*one, lab"):
        writer.select(["three"], book)


def test_run_executes_what_changed_and_only_that(
    book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = book / "chapters" / "one.ipynb"
    assert run(book) == 0
    first = one.read_text("utf-8")
    assert hygiene.check(one) == []
    assert "one.ipynb: written" in capsys.readouterr().out

    assert run(book) == 0
    said = capsys.readouterr().out
    assert "one.ipynb: unchanged, not run" in said
    assert "solution.ipynb: unchanged, not run" in said

    one.write_text(first.replace('"1\\n"', '"7\\n"'), "utf-8")
    assert run(book) == 0
    said = capsys.readouterr().out
    assert "one.ipynb: written" in said
    assert "solution.ipynb: unchanged, not run" in said
    assert one.read_text("utf-8") == first

    (book / "results").mkdir()
    for file in ("cnnbook/code.py", "chapters/claims.yml", "results/r.json"):
        (book / file).write_text("x = 2\n")
        assert run(book) == 0
        said = capsys.readouterr().out
        assert "one.ipynb: same as before" in said
        assert "solution.ipynb: same as before" in said


def test_a_change_of_text_alone_runs_nothing(
    book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(book) == 0
    one = book / "chapters" / "one.ipynb"
    nb = writer.read(one)
    nb.cells.insert(0, nbformat.v4.new_markdown_cell("# A word"))
    one.write_text(nbformat.v4.writes(nb), "utf-8")
    capsys.readouterr()
    assert run(book) == 0
    assert "one.ipynb: normalised, not run" in capsys.readouterr().out
    assert [cell.id for cell in writer.read(one).cells] == [
        "a-word-1",
        "top-1",
    ]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("1 / 0", "raised ZeroDivisionError: division by zero"),
        ("while True: pass", "took longer than 3 s"),
        ("import os; os._exit(3)", "ended the kernel"),
    ],
    ids=["raises", "hangs", "dies"],
)
def test_a_crash_names_the_cell_and_leaves_the_file(
    book: Path, source: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one = book / "chapters" / "one.ipynb"
    save(one, "print(1)", source)
    before = one.read_bytes()
    assert run(book, limit=3) == 1
    assert f"one.ipynb, code cell 2 (top-2) {says}" in capsys.readouterr().err
    assert one.read_bytes() == before
    assert not list(one.parent.glob("*.part"))


def test_notebooks_run_on_one_thread_in_this_python(book: Path) -> None:
    one = book / "chapters" / "one.ipynb"
    save(
        one,
        "import os, sys\nprint(os.environ['OMP_NUM_THREADS'], sys.executable)",
    )
    assert run(book) == 0
    [cell] = writer.read(one).cells
    assert cell.outputs[0].text == f"1 {sys.executable}\n"


def test_normal_form_is_stable_and_keeps_readable_ids() -> None:
    new = nbformat.v4
    nb = new.new_notebook(
        metadata={"colab": {}, "widgets": {}},
        cells=[
            new.new_markdown_cell("## Padding, and why  "),
            new.new_code_cell("print(1)", id="kept", execution_count=9),
            new.new_code_cell("x", metadata={"execution": {}, "tags": ["a"]}),
        ],
    )
    for text in ("1", "2\n"):
        out = new.new_output("stream", name="stdout", text=text)
        nb.cells[1].outputs.append(out)
    form = writer.text_of(writer.normalise(nb))
    assert [cell.id for cell in nb.cells] == [
        "padding-and-why-1",
        "kept",
        "padding-and-why-2",
    ]
    assert sorted(nb.metadata) == ["kernelspec", "language_info"]
    assert nb.cells[1].execution_count == 1
    assert [out.text for out in nb.cells[1].outputs] == ["12\n"]
    assert nb.cells[2].metadata == {"tags": ["a"]}
    again = writer.text_of(writer.normalise(new.reads(form)))
    assert again == form


def test_the_cell_for_colab_is_generated(tmp_path: Path) -> None:
    (tmp_path / "_config.yml").write_text(
        "repository: {url: https://host.example/a/b/, branch: dev}"
    )
    source = writer.colab_source(tmp_path)
    assert '"cnnbook @ git+https://host.example/a/b"\n        "@dev"' in source
    compile(source, "colab", "exec")
    new = nbformat.v4
    setup = new.new_code_cell("import cnnbook", metadata={"tags": ["setup"]})
    nb = writer.normalise(new.new_notebook(cells=[setup]))
    assert [cell.source for cell in nb.cells] == [
        writer.colab_source(),
        "import cnnbook",
    ]
    # whoever edits it gets it back as it was
    nb.cells[0].source = source
    assert writer.normalise(nb).cells[0].source == writer.colab_source()


def test_a_notebook_survives_editing_as_text(tmp_path: Path) -> None:
    path = tmp_path / "sound.ipynb"
    path.write_bytes((BROKEN / "sound.ipynb").read_bytes())
    text = path.with_suffix(".md")
    for options in (["--to", "md:myst", path], ["--to", "ipynb", text]):
        if text in options:
            options += ["--update"]
        subprocess.run(
            [sys.executable, "-m", "jupytext", *options],
            check=True,
            capture_output=True,
        )
    assert text.exists()
    again = writer.text_of(writer.normalise(writer.read(path)))
    assert again == (BROKEN / "sound.ipynb").read_text("utf-8")
