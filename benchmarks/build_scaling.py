"""What a page costs as the book grows: 12 against 120 synthetic pages.

    python benchmarks/build_scaling.py           # prints the figures
    python benchmarks/build_scaling.py --check   # fails unless linear

A synthetic page has what a chapter has: headings, prose, 30 formulas, code
with stored output, a drawing. Linear means that a page added to a large
book costs at most half as much again as one added to a small book. The
times are the processor's, so that a busy machine gives the same figures.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from website.scratch import build, write_book  # noqa: E402

SIZES = (12, 66, 120)
LIMIT = 1.5
PROSE = (
    "A filter of ${size} \\times {size}$ slides over the picture with stride "
    "${stride}$ and sees ${size}^2 D_{{{page}}}$ numbers at each place. "
)
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="320pt" height="160pt" '
    'viewBox="0 0 320 160"><path d="{path}" style="stroke: #1f2933"/></svg>'
)


def notebook(page: int) -> str:
    """Return a synthetic chapter; no two are alike."""
    cells: list[dict] = [_markdown(f"# Chapter {page}", 0)]
    for part in range(10):
        prose = PROSE.format(size=part + 2, stride=page + part, page=page)
        display = rf"$$W_{{{part}}} = \frac{{W - {page}}}{{{part + 1}}} + 1$$"
        text = f"## Part {part}\n\n{prose}\n\n{display} (eq-{page}-{part})\n"
        cells.append(_markdown(text, 2 * part + 1))
        points = " ".join(
            f"L{x} {(x * (page + part)) % 160}" for x in range(99)
        )
        data = {"image/svg+xml": SVG.format(path=f"M0 0 {points}")}
        cells.append(
            {
                "cell_type": "code",
                "id": f"c{2 * part + 2}",
                "metadata": {"mystnb": {"image": {"alt": "A zigzag line"}}},
                "execution_count": part + 1,
                "source": f"print({page} * {part})\ndraw({part})",
                "outputs": [
                    {
                        "output_type": "display_data",
                        "data": data,
                        "metadata": {},
                    }
                ],
            }
        )
    kernel = {"name": "python3", "display_name": "Python 3"}
    return json.dumps(
        {
            "cells": cells,
            "metadata": {"kernelspec": {**kernel, "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def _markdown(text: str, number: int) -> dict:
    return {
        "cell_type": "markdown",
        "id": f"c{number}",
        "metadata": {},
        "source": text,
    }


def seconds(pages: int, folder: Path) -> tuple[float, float]:
    """Return the times of a first build and of one page touched."""
    names = {f"page{n}.ipynb": notebook(n) for n in range(1, pages)}
    book = write_book(folder, {"start.md": "# Start\n", **names})
    first = _timed(book)
    (book / "page1.ipynb").write_text(notebook(pages + 1), encoding="utf-8")
    return first, _timed(book)


def _timed(book: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = build(book)
    if result.returncode:
        sys.exit(f"the synthetic book does not build:\n{result.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(after[:2]) - sum(before[:2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    times = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            first, touched = seconds(size, Path(folder))
        times.append(first)
        print(
            f"{size:4d} pages: {first:5.1f} s, {1000 * first / size:4.0f} ms "
            f"a page; one page touched: {touched:4.1f} s"
        )
    small = (times[1] - times[0]) / (SIZES[1] - SIZES[0])
    large = (times[2] - times[1]) / (SIZES[2] - SIZES[1])
    ratio = large / small
    print(
        f"one page more costs {1000 * small:.0f} ms in a small book, "
        f"{1000 * large:.0f} ms in a large one: × {ratio:.2f}"
    )
    if check and ratio > LIMIT:
        sys.exit(f"not linear: the ratio should be at most {LIMIT}")


if __name__ == "__main__":
    main()
