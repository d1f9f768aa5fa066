"""The hygiene rules: what a committed notebook must be, beside being right.

nbval runs every notebook again and compares what it prints. It passes a
notebook without outputs, never compares PNGs, and does not look at text.
Each rule here is a function that yields one sentence per fault; a fixture in
tests/broken/notebooks/ breaks each.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from nbformat import NotebookNode
from nbformat.validator import iter_validate

from tools.notebooks import (
    CELL_METADATA,
    RANDOM_ID,
    ROOT,
    WIDGET_VIEW,
    normalise,
    orphans,
    read,
    text_of,
)

LARGEST = 400_000
LONGEST_CELL = 40
LONGEST_LINE = 79
FORBIDDEN_IMPORTS = {
    "datetime": "a time",
    "requests": "a download",
    "time": "a time",
    "timeit": "a time",
    "torchvision": "an import that fails beside the CPU build of torch",
    "tqdm": "a progress bar",
    "urllib": "a download",
}
ESCAPES = re.compile(
    r"(?i)(nbval-(skip|ignore-output)|raises-exception|skip-execution)"
    r"|^\s*#+\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)\s*$",
    re.MULTILINE,
)
SPEAKING = {"print", "display", "check"}
"""Functions whose call always leaves an output."""

Cells = Iterator[tuple[str, NotebookNode]]


def code_cells(nb: NotebookNode) -> Cells:
    """Yield each code cell with its name for a message."""
    code = (cell for cell in nb.cells if cell.cell_type == "code")
    for number, cell in enumerate(code, 1):
        yield f"code cell {number} ({cell.get('id', 'no id')})", cell


def markdown_cells(nb: NotebookNode) -> Cells:
    """Yield each Markdown cell with its name for a message."""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            yield f"text cell {cell.get('id', 'without id')}", cell


def statements(source: str) -> list[ast.stmt]:
    """Return a cell's statements; none if it is not plain Python."""
    try:
        return ast.parse(source).body
    except SyntaxError:
        return []


# Executed, once, in order


def executed_in_order(nb: NotebookNode) -> Iterator[str]:
    """Every code cell ran, in one go from a fresh kernel."""
    counts = [cell.execution_count for _, cell in code_cells(nb)]
    for number, (name, _) in enumerate(code_cells(nb), 1):
        count = counts[number - 1]
        if count is None:
            yield f"{name} was not executed"
        elif count != number:
            yield f"{name} carries the count {count} instead of {number}"


def outputs_present(nb: NotebookNode) -> Iterator[str]:
    """A cell that prints, shows or ends in a value has an output."""
    for name, cell in code_cells(nb):
        if not cell.outputs and speaks(statements(cell.source)):
            yield f"{name} should have an output and has none"


def speaks(body: list[ast.stmt]) -> bool:
    """Whether these statements are certain to leave an output."""
    values = [s.value for s in body if isinstance(s, ast.Expr)]
    calls = [v for v in values if isinstance(v, ast.Call)]
    if any(called(call) in {*SPEAKING, "show"} for call in calls):
        return True
    last = body[-1] if body else None
    return (
        isinstance(last, ast.Expr)
        and not isinstance(last.value, ast.Call | ast.Await)
        and not is_text(last.value)
    )


def called(call: ast.Call) -> str:
    """Return the last part of the name of what is called."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def is_text(node: ast.expr) -> bool:
    """Whether this is a string that stands alone, as a docstring does."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def nothing_went_wrong(nb: NotebookNode) -> Iterator[str]:
    """No error and nothing on stderr is shown."""
    for name, cell in code_cells(nb):
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"{name} shows the error {output.ename}"
            elif output.get("name") == "stderr":
                yield f"{name} shows stderr: {output.text[:60]!r}"


def nothing_excused(nb: NotebookNode) -> Iterator[str]:
    """No tag and no comment tells nbval to look away."""
    for name, cell in code_cells(nb):
        text = "\n".join([cell.source, *cell.metadata.get("tags", [])])
        for found in ESCAPES.finditer(text):
            yield f"{name} excuses itself: {found[0].strip()}"


# The form


def valid(nb: NotebookNode) -> Iterator[str]:
    """The file follows nbformat's schema."""
    for error in iter_validate(nb, version=4, version_minor=5):
        yield f"is not a valid notebook: {str(error).splitlines()[0]}"


def cells_have_names(nb: NotebookNode) -> Iterator[str]:
    """Each cell has a readable id of its own."""
    seen: set[str] = set()
    for number, cell in enumerate(nb.cells, 1):
        name = cell.get("id", "")
        if not name:
            yield f"cell {number} has no id"
        elif RANDOM_ID.fullmatch(name):
            yield f"cell {number} has the random id {name}"
        elif name in seen:
            yield f"cell {number} repeats the id {name}"
        seen.add(name)


def no_editor_traces(nb: NotebookNode) -> Iterator[str]:
    """No timing and no other metadata than the book's own."""
    for number, cell in enumerate(nb.cells, 1):
        for key in sorted(set(cell.metadata) - set(CELL_METADATA)):
            yield f"cell {number} carries the metadata {key!r}"


def no_widget_state(nb: NotebookNode) -> Iterator[str]:
    """Widgets stand as their static twin, without state or a dead view."""
    if "widgets" in nb.metadata:
        yield "carries widget state"
    for name, cell in code_cells(nb):
        if any(WIDGET_VIEW in out.get("data", {}) for out in cell.outputs):
            yield f"{name} stores a live widget view: only its twin may stay"


# Pictures


def images_described(nb: NotebookNode) -> Iterator[str]:
    """Each picture says what to see; each cell shows one at most."""
    for name, cell in code_cells(nb):
        pictures = sum(map(is_picture, cell.outputs))
        image = cell.metadata.get("mystnb", {}).get("image", {})
        if pictures and not described(image.get("alt", "")):
            yield f"{name} shows a picture without alt text of three words"
        if pictures > 1:
            yield f"{name} shows {pictures} pictures under one alt text"
    for name, cell in markdown_cells(nb):
        text = cell.source
        alts = [found[1] for found in re.finditer(r"!\[(.*?)\]\(", text)]
        for block in re.finditer(r"^[`:]{3,}\{(image|figure)\}.*", text, re.M):
            options = text[block.end() :].split("\n\n")[0]
            alt = re.search(r"^:alt:(.*)$", options, re.MULTILINE)
            alts.append(alt[1] if alt else "")
        if not all(map(described, alts)):
            yield f"{name} has a picture without alt text of three words"


def is_picture(output: NotebookNode) -> bool:
    """Whether an output is an image, of any type."""
    return any(key.startswith("image/") for key in output.get("data", {}))


def described(alt: str) -> bool:
    """Whether an alt text says something: three words at least."""
    return len(alt.split()) >= 3


def drawings_named(nb: NotebookNode) -> Iterator[str]:
    """A drawing inside an HTML output has a title or a label."""
    for name, cell in code_cells(nb):
        for output in cell.outputs:
            html = "".join(output.get("data", {}).get("text/html", ""))
            for drawing in re.findall(r"<svg\b.*?</svg>", html, re.DOTALL):
                if not re.search(
                    r"<title\b|aria-label(ledby)?=|aria-hidden=\"true\"",
                    drawing,
                ):
                    yield f"{name} draws an <svg> without title or label"
            if re.search(r"<img\b(?![^>]*\balt=\"[^\"])", html):
                yield f"{name} shows an <img> without alt text"


def vector_pictures(nb: NotebookNode) -> Iterator[str]:
    """Pictures are SVG: nbval compares nothing else."""
    for name, cell in code_cells(nb):
        for output in cell.outputs:
            for key in output.get("data", {}):
                if key.startswith("image/") and key != "image/svg+xml":
                    yield f"{name} shows {key}, which nbval cannot compare"


def figures_end_with_show(nb: NotebookNode) -> Iterator[str]:
    """A cell that draws ends with plt.show(), and no line with ';'."""
    for name, cell in code_cells(nb):
        drawn = any(
            is_picture(output) and output.output_type == "display_data"
            for output in cell.outputs
        )
        source = cell.source.rstrip()
        if drawn and source.splitlines()[-1:] != ["plt.show()"]:
            yield f"{name} draws a figure and does not end with plt.show()"
        if source.endswith(";"):
            yield f"{name} ends with a semicolon"


# Text and code


def plain_markdown(nb: NotebookNode) -> Iterator[str]:
    """No raw HTML where Markdown does: only <kbd>, <sub>, <sup>, <abbr>."""
    for name, cell in markdown_cells(nb):
        prose = without_code(cell.source)
        tags = re.findall(r"<([a-zA-Z][\w-]*)(?=[\s/>])[^<>]*>", prose)
        for tag in tags:
            if tag.lower() not in {"kbd", "sub", "sup", "abbr"}:
                yield f"{name} has raw HTML: <{tag}>"


def without_code(text: str) -> str:
    """Return Markdown less its code and formulas."""
    for fenced in (
        r"^(`{3,}|~{3,}).*?^\1",
        r"\$\$.*?\$\$",
        r"(`+)[^`].*?\1",
        r"\$[^$\n]+\$",
    ):
        text = re.sub(fenced, "", text, flags=re.DOTALL | re.MULTILINE)
    return text


def short_cells(nb: NotebookNode) -> Iterator[str]:
    """No empty cell, none over forty lines, no line over 79 signs."""
    for name, cell in code_cells(nb):
        lines = cell.source.splitlines()
        if not cell.source.strip():
            yield f"{name} is empty"
        if len(lines) > LONGEST_CELL:
            yield f"{name} has {len(lines)} lines ({LONGEST_CELL} at most)"
        for number, line in enumerate(lines, 1):
            if len(line) > LONGEST_LINE:
                yield f"{name}, line {number} has {len(line)} characters"


def quiet_code(nb: NotebookNode) -> Iterator[str]:
    """No magics, addresses, downloads, times or progress bars.

    The cell for Colab has an address; the normal form fixes its every word.
    """
    for name, cell in code_cells(nb):
        if "colab" in cell.metadata.get("tags", []):
            continue
        if magic := re.search(r"^\s*[%!].*", cell.source, re.MULTILINE):
            yield f"{name} has a magic: {magic[0].strip()}"
        elif cell.source.strip() and not statements(cell.source):
            yield f"{name} holds no Python statement"
        if address := re.search(r"https?://[^\s\"']+", cell.source):
            yield f"{name} has an address: {address[0]}"
        for module in imported(cell.source):
            if module in FORBIDDEN_IMPORTS:
                yield f"{name} imports {module}: {FORBIDDEN_IMPORTS[module]}"


def imported(source: str) -> Iterator[str]:
    """Yield the top module of every import in a cell."""
    for statement in statements(source):
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                yield from (name.name.split(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield (node.module or "").split(".")[0]


def stable_text(nb: NotebookNode) -> Iterator[str]:
    """No output shows an address in memory."""
    for name, cell in code_cells(nb):
        for output in cell.outputs:
            data = output.get("data", {})
            text = output.get("text", "") + data.get("text/plain", "")
            if found := re.search(r"\bat 0x[0-9a-f]{6,}", text):
                yield f"{name} prints an address in memory: {found[0]}"


RULES: tuple[Callable[[NotebookNode], Iterator[str]], ...] = (
    valid,
    executed_in_order,
    outputs_present,
    nothing_went_wrong,
    nothing_excused,
    cells_have_names,
    no_editor_traces,
    no_widget_state,
    images_described,
    drawings_named,
    vector_pictures,
    figures_end_with_show,
    plain_markdown,
    short_cells,
    quiet_code,
    stable_text,
)


def check(path: Path) -> list[str]:
    """Return what is wrong with one notebook, a sentence each."""
    text = path.read_text("utf-8")
    nb = read(path)
    faults = [fault for rule in RULES for fault in rule(nb)]
    if len(text.encode()) > LARGEST:
        faults.append(f"is {len(text.encode()):,} bytes ({LARGEST:,} at most)")
    if not faults and text != text_of(normalise(read(path))):
        faults.append("is not in the normal form: make run")
    return faults


def check_book(paths: list[Path], root: Path = ROOT) -> list[str]:
    """Return what is wrong with these notebooks, and every orphan."""
    faults = [
        f"{path.relative_to(root)}: {fault}"
        for path in paths
        for fault in check(path)
    ]
    strays = [
        f"{path.relative_to(root)}: neither _toc.yml nor labs/ names it"
        for path in orphans(root)
    ]
    return faults + strays
