"""The house itself: floors, requirements, one address, nothing of elsewhere.

Each check is a function that returns faults, so that a broken example can
show that it finds them.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.notebooks import toc

FLOORS = (
    {"geometry", "exercises", "download", "records"},
    {
        "anatomy",
        "fields",
        "diagrams",
        "workshop",
        "data",
        "nets",
        "probes",
        "deconvnet",
        "glyphs",
        "probing",
        "labs",
    },
    {"widgets", "figures", "claims", "lineage", "training", "lab", "quiz"},
)
TEXT = {".bib", ".cff", ".cfg", ".css", ".html", ".ipynb", ".js", ".json"}
TEXT |= {".lock", ".md", ".mjs", ".py", ".svg", ".toml", ".txt", ".yml", ""}


def tracked() -> list[Path]:
    """Return the files of the repository, new ones included."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def texts() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file that people write."""
    for path in tracked():
        if path.suffix in TEXT:
            yield str(path.relative_to(ROOT)), path.read_text("utf-8")


def python(*folders: str) -> dict[str, str]:
    """Return the sources under these folders, by dotted module name."""
    found = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts).removesuffix(".__init__")
            found[name] = path.read_text("utf-8")
    return found


# Floors


def imports(source: str) -> Iterator[str]:
    """Yield every module that a source imports, wherever it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names)


def rooms(source: str) -> set[str]:
    """Return the rooms of cnnbook that a source imports."""
    parts = (name.split(".") for name in imports(source))
    known = set().union(*FLOORS)
    return {
        part[1]
        for part in parts
        if part[0] == "cnnbook" and len(part) > 1 and part[1] in known
    }


def floor_faults(sources: dict[str, str]) -> list[str]:
    """Say which module of cnnbook has no floor, or reaches above its own."""
    faults = []
    for name, source in sources.items():
        room = name.split(".")[1] if "." in name else ""
        if not room:
            continue
        floor = next((i for i, f in enumerate(FLOORS) if room in f), None)
        if floor is None:
            faults.append(f"{name} stands on no floor")
            continue
        allowed = set().union(*FLOORS[: floor + 1])
        if room == "geometry":
            allowed = {"geometry"}
        for other in sorted(rooms(source) - allowed):
            faults.append(f"{name} imports {other}, which is above it")
    return faults


def circles(sources: dict[str, str]) -> list[str]:
    """Name the rooms of cnnbook that import each other in a circle."""
    arrows: dict[str, set[str]] = {}
    for name, source in sources.items():
        room = name.split(".")[1] if "." in name else ""
        arrows.setdefault(room, set()).update(rooms(source) - {room})
    while ends := [room for room in arrows if not arrows[room] & set(arrows)]:
        for room in ends:
            del arrows[room]
    return sorted(arrows)


def test_imports_point_down() -> None:
    assert floor_faults(python("cnnbook")) == []


def test_imports_have_no_circle() -> None:
    assert circles(python("cnnbook")) == []


def test_a_wrong_arrow_is_found() -> None:
    assert floor_faults(
        {
            "cnnbook.geometry": "from cnnbook import exercises",
            "cnnbook.nets.lenet": "import cnnbook.widgets.base",
            "cnnbook.attic": "",
            "cnnbook.figures": "from cnnbook.nets import lenet5",
        }
    ) == [
        "cnnbook.geometry imports exercises, which is above it",
        "cnnbook.nets.lenet imports widgets, which is above it",
        "cnnbook.attic stands on no floor",
    ]
    assert circles(
        {
            "cnnbook.data": "from cnnbook import nets",
            "cnnbook.nets": "from cnnbook.data import load",
            "cnnbook.figures": "from cnnbook import data",
        }
    ) == ["data", "figures", "nets"]


def outside_faults(sources: dict[str, str]) -> list[str]:
    """Say which of the site's and author's modules know networks."""
    return [
        f"{name} imports {other}"
        for name, source in sources.items()
        for other in sorted(set(imports(source)))
        if other == "torch"
        or other.startswith("cnnbook.nets")
        or (name.startswith("website") and other.startswith("cnnbook"))
    ]


def test_site_and_tools_know_no_networks() -> None:
    assert outside_faults(python("website", "tools")) == []


def test_a_tool_that_knows_networks_is_found() -> None:
    assert outside_faults(
        {
            "tools.a": "from cnnbook.nets import lenet5",
            "website.b": "import cnnbook.geometry",
        }
    ) == [
        "tools.a imports cnnbook.nets",
        "tools.a imports cnnbook.nets.lenet5",
        "website.b imports cnnbook.geometry",
    ]


def torchvision_at_top(sources: dict[str, str]) -> list[str]:
    """Name the modules that need torchvision to be imported at all."""

    def at_top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            yield node
            for part in ("body", "orelse", "handlers", "finalbody"):
                yield from at_top(getattr(node, part, []))

    return [
        name
        for name, source in sources.items()
        if any(
            module.split(".")[0] == "torchvision"
            for node in at_top(ast.parse(source).body)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for module in imports(ast.unparse(node))
        )
    ]


def test_nothing_needs_torchvision() -> None:
    sources = python("cnnbook", "tests", "tools", "benchmarks")
    assert torchvision_at_top(sources) == []


def test_a_need_of_torchvision_is_found() -> None:
    inside = "def f():\n    import torchvision"
    guarded = "try:\n    from torchvision import ops\nexcept ImportError: ..."
    sources = {"a": "import torchvision.ops", "b": inside, "c": guarded}
    assert torchvision_at_top(sources) == ["a", "c"]


# Every public name says what it is


OF_TORCH = {"extra_repr", "forward", "reset_parameters"}


def bare_names(name: str, source: str) -> list[str]:
    """Name what is public and has no docstring, or is not typed."""
    tree = ast.parse(source)
    faults = [] if ast.get_docstring(tree) else [f"{name} has no docstring"]

    def walk(node: ast.Module | ast.ClassDef, path: str) -> None:
        for child in node.body:
            function = isinstance(child, ast.FunctionDef)
            if not function and not isinstance(child, ast.ClassDef):
                continue
            here = f"{path}.{child.name}"
            # these mean what torch says they mean
            if child.name.startswith("_") or child.name in OF_TORCH:
                continue
            if not ast.get_docstring(child):
                faults.append(f"{here} has no docstring")
            if isinstance(child, ast.ClassDef):
                walk(child, here)
            elif untyped(child):
                faults.append(f"{here} is not typed")

    walk(tree, name)
    return faults


def untyped(function: ast.FunctionDef) -> bool:
    """Whether an argument or the result has no annotation."""
    given = function.args
    names = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    names += [extra for extra in (given.vararg, given.kwarg) if extra]
    typed = all(n.annotation or n.arg in ("self", "cls") for n in names)
    return not (typed and function.returns)


@pytest.mark.parametrize("name", python("cnnbook", "tools"))
def test_every_public_name_is_documented_and_typed(name: str) -> None:
    assert bare_names(name, python("cnnbook", "tools")[name]) == []


def test_a_bare_name_is_found() -> None:
    source = "def f(x): ...\nclass A:\n    def g(self) -> int:\n        'G.'"
    assert bare_names("m", source) == [
        "m has no docstring",
        "m.f has no docstring",
        "m.f is not typed",
        "m.A has no docstring",
    ]


# Requirements


def pyproject() -> dict[str, Requirement]:
    """Return every requirement of pyproject.toml, extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"]]
    lists += project["optional-dependencies"].values()
    return by_name(line for lines in lists for line in lines)


def by_name(lines: Iterator[str]) -> dict[str, Requirement]:
    """Parse requirement lines; comments and options are left out."""
    bare = (line.split("#")[0].strip() for line in lines)
    found = [Requirement(ln) for ln in bare if ln and not ln.startswith("-")]
    return {canonicalize_name(one.name): one for one in found}


def file_lines(name: str) -> Iterator[str]:
    """Yield a file's lines."""
    yield from (ROOT / name).read_text("utf-8").splitlines()


def readers_faults(
    readers: dict[str, Requirement], ours: dict[str, Requirement]
) -> list[str]:
    """Say where requirements.txt and pyproject.toml part ways."""
    return [
        f"{name}: {one.specifier} is not pyproject.toml's"
        for name, one in readers.items()
        if name not in ours or ours[name].specifier != one.specifier
    ]


def lock_faults(lines: list[str], ours: dict[str, Requirement]) -> list[str]:
    """Say what the lock lacks, or holds that it must not."""
    faults = [
        f"{line!r} is not name==version"
        for line in lines
        if not re.fullmatch(r"[a-z0-9._-]+==[0-9][\w.!]*( ;.*)?", line)
    ]
    faults += [
        f"{line} does not belong here"
        for line in lines
        if line.startswith(("nvidia", "cuda", "triton"))
    ]
    locked = by_name(line for line in lines if "==" in line)
    for name, one in ours.items():
        if name not in locked:
            faults.append(f"{name} is missing")
            continue
        [pin] = locked[name].specifier
        if not one.specifier.contains(pin.version, prereleases=True):
            faults.append(f"{name}=={pin.version} is not {one.specifier}")
    return faults


def test_requirements_agree_with_pyproject() -> None:
    readers, ours = by_name(file_lines("requirements.txt")), pyproject()
    assert readers_faults(readers, ours) == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = project["dependencies"] + project["optional-dependencies"]["site"]
    assert set(by_name(iter(needed))) - set(readers) == set()


def test_the_lock_holds_what_pyproject_asks() -> None:
    lines = [line for line in file_lines("requirements.lock") if line]
    assert lock_faults(lines, pyproject()) == []


def test_the_lock_is_complete() -> None:
    locked = by_name(file_lines("requirements.lock"))
    lacking = set()
    for name in locked:
        for line in metadata.requires(name) or []:
            one = Requirement(line)
            other = canonicalize_name(one.name)
            device = other.startswith(("nvidia", "cuda", "triton"))
            if other in locked or device:
                continue
            if not one.marker or one.marker.evaluate({"extra": ""}):
                lacking.add(f"{name} needs {other}")
    assert lacking == set()


def test_wrong_requirements_are_found() -> None:
    ours = by_name(iter(["torch>=2.6", "numpy>=2.0", "pillow>=10"]))
    assert readers_faults(by_name(iter(["torch>=2.5", "scipy"])), ours) == [
        "torch: >=2.5 is not pyproject.toml's",
        "scipy:  is not pyproject.toml's",
    ]
    lines = ["torch==2.13.0+cpu", "numpy==1.26", "nvidia-nccl==1", "-e ."]
    assert lock_faults(lines, ours) == [
        "'torch==2.13.0+cpu' is not name==version",
        "'-e .' is not name==version",
        "nvidia-nccl==1 does not belong here",
        "numpy==1.26 is not >=2.0",
        "pillow is missing",
    ]


# One address


def address() -> str:
    """Return the repository's address from the only place that knows it."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    return config["repository"]["url"]


def address_faults(files: Iterator[tuple[str, str]], url: str) -> list[str]:
    """Say where the address stands, or one like it, beside _config.yml.

    CITATION.cff cannot be generated where it is read, so it may repeat it,
    and a notebook names it once, in the cell for Colab that the writer of
    notebooks generates (and whose every word the normal form fixes).
    """
    slug = url.removeprefix("https://github.com/")
    found = []
    for name, text in files:
        if name == "_config.yml":
            continue
        own = name == "CITATION.cff"
        once = int(name.endswith(".ipynb"))
        if text.count(slug) > once and not own:
            found.append(f"{name} repeats the address")
        for other in re.findall(r"https://github\.com/[\w./-]+", text):
            if own and other != url:
                found.append(f"{name} has another address: {other}")
    return found


def test_one_place_knows_the_address() -> None:
    assert address_faults(texts(), address()) == []
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["repository-code"] == address()
    assert citation["preferred-citation"]["url"] == address()


def test_a_second_place_is_found() -> None:
    url = "https://github.com/" + "owner/book"
    files = [
        ("_config.yml", url),
        ("README.md", f"see {url}/issues"),
        ("chapters/one.ipynb", f"git clone {url}"),
        ("chapters/two.ipynb", f"git clone {url} {url}"),
        ("CITATION.cff", "https://github.com/" + "other/book"),
    ]
    assert address_faults(iter(files), url) == [
        "README.md repeats the address",
        "chapters/two.ipynb repeats the address",
        "CITATION.cff has another address: https://github.com/other/book",
    ]


# The contents, and nothing of elsewhere


def contents_faults(names: list[str], root: Path) -> list[str]:
    """Say which page of the contents is missing, double or twofold."""
    faults = [f"{n} is named twice" for n in names if names.count(n) > 1]
    for name in names:
        found = [s for s in (".md", ".ipynb") if (root / (name + s)).exists()]
        if len(found) != 1:
            kinds = " and ".join(found) or "no file"
            faults.append(f"{name} has {kinds}")
    return faults


def test_every_page_of_the_contents_exists() -> None:
    assert contents_faults(toc(), ROOT) == []


def test_a_wrong_page_is_found(tmp_path: Path) -> None:
    for name in ("a.md", "a.ipynb", "b.md"):
        (tmp_path / name).touch()
    assert contents_faults(["a", "b", "c", "c"], tmp_path) == [
        "c is named twice",
        "c is named twice",
        "a has .md and .ipynb",
        "c has no file",
        "c has no file",
    ]


# written so that this file does not hold what it looks for
ELSEWHERE = {
    "a path of one machine": (
        r"(?<![\w./~-])/(wor[k]|roo[t]|hom[e]|User[s])/\w"
    ),
    "a package registry": (
        r"(?i)\b(pyp[i]\.org|pythonhoste[d]\.org|npmj[s]\.(com|org)"
        r"|download\.pytorc[h]\.org(?!/models/)|conda\.anacond[a]\.org)"
    ),
    "unfinished work": r"\b(TOD[O]|FIXM[E]|XX[X])\b|(?i:lorem ipsu[m])",
}


def elsewhere_faults(files: Iterator[tuple[str, str]]) -> list[str]:
    """Say which files hold what belongs to one machine or one moment."""
    return [
        f"{name}: {what} ({found[0]})"
        for name, text in files
        for what, pattern in ELSEWHERE.items()
        if (found := re.search(pattern, text))
    ]


def test_nothing_of_elsewhere_is_in_the_tree() -> None:
    assert elsewhere_faults(texts()) == []


def test_what_is_of_elsewhere_is_found() -> None:
    files = [
        ("a", "open('/ho" + "me/someone/x')"),
        ("b", "https://py" + "pi.org/simple"),
        ("c", "# TO" + "DO later"),
        ("d", "see work/main and ./home/x"),
        ("e", "https://download.pyto" + "rch.org/whl/cpu"),
        ("f", "https://download.pyto" + "rch.org/models/x.pth"),
    ]
    assert [fault[:14] for fault in elsewhere_faults(iter(files))] == [
        "a: a path of o",
        "b: a package r",
        "c: unfinished ",
        "e: a package r",
    ]
