"""Write down that the book ran here, for the page "What ran where".

    python tools/stamp_run.py "Colab, Linux, one T4" --outcome passed

A place with the same versions as before keeps one entry, with the new date.
"""

from __future__ import annotations

import argparse
import json
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RUNS = Path(__file__).resolve().parents[1] / "results" / "runs.json"
PACKAGES = ("torch", "numpy", "matplotlib", "jupyter-book")

Run = dict[str, str]


def versions() -> Run:
    """Return the versions of what the book runs on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def stamped(runs: list[Run], run: Run) -> list[Run]:
    """Return the runs with this one, in place of its like."""

    def same(other: Run) -> bool:
        return {**other, "date": "", "outcome": ""} == {
            **run,
            "date": "",
            "outcome": "",
        }

    kept = [other for other in runs if not same(other)]
    return sorted([*kept, run], key=lambda run: (run["date"], run["where"]))


def main(arguments: list[str] | None = None) -> None:
    """Stamp one run; see the module's own words."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("where", help="the place, for a reader")
    parser.add_argument(
        "--outcome", choices=("passed", "failed"), required=True
    )
    parser.add_argument("--date", default=datetime.now(UTC).date().isoformat())
    parser.add_argument("--file", type=Path, default=RUNS)
    given = parser.parse_args(arguments)
    run = {
        "where": given.where,
        "date": given.date,
        "outcome": given.outcome,
        **versions(),
    }
    runs = (
        json.loads(given.file.read_text("utf-8"))
        if given.file.exists()
        else []
    )
    text = json.dumps(stamped(runs, run), indent=2, ensure_ascii=False) + "\n"
    given.file.write_text(text, encoding="utf-8")
    print(f"{given.file.name}: {given.where}, {given.date}, {given.outcome}")


if __name__ == "__main__":
    main()
