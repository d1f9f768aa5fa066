"""Questions with numbers of their own for each student of a roster.

python -m cnnbook.quiz --roster roster.csv --secret-file quiz.secret --out quiz
"""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

from cnnbook import quiz
from cnnbook.quiz import papers


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m cnnbook.quiz", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--roster", type=Path, required=True, help="a CSV, column `student`"
    )
    parser.add_argument(
        "--secret-file",
        type=Path,
        required=True,
        help="what the numbers are drawn from; made if there is none",
    )
    parser.add_argument("--questions", type=int, default=10)
    parser.add_argument(
        "--chapters",
        nargs="+",
        default=[],
        metavar="CHAPTER",
        help=f"only from these: {', '.join(quiz.CHAPTERS)}",
    )
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        text = given.roster.read_text("utf-8")
        students = papers.students_of(text, str(given.roster))
        secret = _secret(given.secret_file)
        drawn = papers.kinds(secret, given.questions, given.chapters)
    except (OSError, UnicodeDecodeError) as error:
        print(f"A file cannot be read: {error}.", file=sys.stderr)
        return 1
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    papers.write(given.out, papers.sheets(secret, students, drawn))
    asked = _some(len(drawn), "question")
    places = ", ".join(
        f"{given.out}/{name}" for name in ("sheets", "keys.csv", "moodle.xml")
    )
    print(f"{asked} for {_some(len(students), 'student')}: {places}")
    return 0


def _secret(path: Path) -> bytes:
    if not path.exists():
        path.write_text(secrets.token_hex(32) + "\n", "utf-8")
        path.chmod(0o600)
        print(f"A new secret is in {path}: keep it, show nobody.")
    return path.read_text("utf-8").strip().encode()


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


if __name__ == "__main__":
    sys.exit(main())
