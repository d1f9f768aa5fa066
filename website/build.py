"""Build the site, and pack it as an offline edition.

    python -m website.build          # what `jupyter-book build .` builds
    python -m website.build --zip    # and dist/lenet-to-resnet.zip

The build is Jupyter Book's own, with warnings as errors; this command only
starts sooner. Where jsonschema's optional checkers are installed (they come
with JupyterLab), importing them takes two to three seconds, and no book
needs them.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ARCHIVE = ROOT / "dist" / "lenet-to-resnet.zip"
FLAGS = ("-W", "-n", "--keep-going")
_UNNEEDED = "rfc3987_syntax"
_DATE = (2026, 1, 1, 0, 0, 0)


def build(book: Path, output: Path) -> int:
    """Build a book as ``jupyter-book build`` does; return its exit code."""
    sys.modules.setdefault(_UNNEEDED, None)  # type: ignore[arg-type]
    from jupyter_book.cli.main import main

    try:
        main(
            ["build", str(book), "--path-output", str(output), *FLAGS],
            standalone_mode=False,
        )
    except SystemExit as stop:
        return int(stop.code or 0)
    except RuntimeError as error:  # what Jupyter Book raises on warnings
        print(error, file=sys.stderr)
        return 1
    return 0


def pack(site: Path, archive: Path) -> None:
    """Zip a built site: the same pages always give the same bytes."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(path for path in site.rglob("*") if path.is_file()):
            name = path.relative_to(site).as_posix()
            if name == ".buildinfo":
                continue
            entry = zipfile.ZipInfo(f"{archive.stem}/{name}", _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            target.writestr(entry, path.read_bytes())


def command(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("book", nargs="?", type=Path, default=ROOT)
    parser.add_argument("--zip", action="store_true", help="pack the site too")
    parser.add_argument("--output", type=Path, help="where _build goes")
    given = parser.parse_args(arguments)
    output = given.output or given.book
    failed = build(given.book, output)
    if failed:
        return failed
    if given.zip:
        pack(output / "_build" / "html", ARCHIVE)
        size = ARCHIVE.stat().st_size / 1e6
        print(f"{ARCHIVE.relative_to(ROOT)}: {size:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(command())
