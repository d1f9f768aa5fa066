"""Small books with the site's own configuration, for tests and benchmarks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def write_book(folder: Path, pages: dict[str, str]) -> Path:
    """Write a book of these pages (name to text); the first is its root."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    config["logo"] = str(ROOT / config["logo"])
    config["html"]["favicon"] = str(ROOT / config["html"]["favicon"])
    config["bibtex_bibfiles"] = [
        str(ROOT / name) for name in config["bibtex_bibfiles"]
    ]
    sphinx = config["sphinx"]
    for name, path in sphinx["local_extensions"].items():
        sphinx["local_extensions"][name] = str(ROOT / path)
    for option in ("templates_path", "html_static_path"):
        sphinx["config"][option] = [
            str(ROOT / path) for path in sphinx["config"][option]
        ]
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    root, *others = (str(Path(name).with_suffix("")) for name in pages)
    contents: dict = {"format": "jb-book", "root": root}
    if others:
        contents["chapters"] = [{"file": name} for name in others]
    for name, content in {"_config.yml": config, "_toc.yml": contents}.items():
        (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


def build(
    book: Path, output: Path | None = None
) -> subprocess.CompletedProcess:
    """Build a book in a process of its own."""
    command = [sys.executable, "-m", "website.build", str(book)]
    if output:
        command += ["--output", str(output)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
