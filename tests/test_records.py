"""What an installed library carries: recorded results, the registry."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from cnnbook import records
from tools import colab_env

ASKED = """
import json
from cnnbook import claims, exercises, records
print(json.dumps({
    "at": records.__file__,
    "results": {name: records.read(name) for name in records.names()},
    "registry": str(claims.find()),
    "claims": len(claims.load()),
    "labs": sorted({q.split(".")[0] for q in exercises.questions()
                    if q.startswith("lab-")}),
}))
"""


def recorded() -> dict[str, object]:
    """Return the book's recorded results by name."""
    return {
        path.stem: json.loads(path.read_text("utf-8"))
        for path in (ROOT / "results").glob("*.json")
        if not path.name.endswith(".schema.json")
    }


def test_each_recorded_result_is_read() -> None:
    found = {name: records.read(name) for name in records.names()}
    assert found == recorded()
    assert len(found) > 8


def test_an_unknown_result_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match="'degradatoin'; try degradation"):
        records.read("degradatoin")
    with pytest.raises(ValueError, match=r"'\?'; try alexnet-small, aux"):
        records.read("?")


def test_a_library_that_lacks_a_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "LIBRARY", tmp_path / "cnnbook")
    assert records.names() == []
    with pytest.raises(FileNotFoundError, match=r"no chapters/claims\.yml"):
        records.place("chapters/claims.yml")


def ask(folder: Path, path: Path) -> dict:
    """Ask the library at *path* from another folder."""
    code = f"import sys; sys.path.insert(0, {str(path)!r})\n{ASKED}"
    # -I: neither this folder nor the environment decides what is imported
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book's wheel, unpacked: what pip installs from the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    built = colab_env.wheel_of(colab_env.copy_of(folder / "book"), folder)
    shutil.unpack_archive(built, folder / "site", "zip")
    return folder / "site"


def test_a_wheel_carries_all(wheel: Path, tmp_path: Path) -> None:
    said = ask(tmp_path, wheel)
    assert Path(said["at"]).is_relative_to(wheel)
    assert Path(said["registry"]).is_relative_to(wheel)
    assert said["results"] == recorded()
    assert said["claims"] > 300
    labs = {path.parent.name for path in ROOT.glob("labs/*/probes.py")}
    assert said["labs"] == sorted(f"lab-{name}" for name in labs)


def test_a_wheel_holds_no_notebook(wheel: Path) -> None:
    kinds = {path.suffix for path in wheel.rglob("*") if path.is_file()}
    assert ".py" in kinds and ".yml" in kinds
    assert ".ipynb" not in kinds


def test_the_book_reads_its_own(tmp_path: Path) -> None:
    said = ask(tmp_path, ROOT)
    assert Path(said["registry"]) == ROOT / "chapters" / "claims.yml"
    assert said["results"] == recorded()
