"""The registry of claims: what notes and papers say, recomputed.

``chapters/claims.yml`` lists one claim a row: where it is made, the figure as
printed, an expression that computes it, and the verdict.  ``load()`` reads
and checks the file; a claim's ``value`` is computed when it is first asked
for, and its ``finding`` is the verdict that this value deserves.  ``figure``
says how a printed figure is read, ``counts`` what an expression may say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnbook import records
from cnnbook.claims import check, counts, figure

if TYPE_CHECKING:
    from cnnbook.claims.table import Table

NAME = "claims.yml"


@dataclass(frozen=True)
class Claim:
    """One row of the registry."""

    id: str
    network: str
    source: str
    place: str
    claim: str
    figure: str
    unit: str
    verdict: str
    qualifiers: tuple[str, ...] = ()
    expression: str = ""
    reason: str = ""
    explained_by: str = ""
    same_as: str = ""
    exact_to: str = ""
    table: str = ""
    row: str = ""
    column: str = ""

    @property
    def printed(self) -> figure.Figure:
        """The figure, read."""
        read = figure.parse(self.figure)
        return read.exact_to(self.exact_to) if self.exact_to else read

    @cached_property
    def value(self) -> Any:
        """What the expression gives; None for what is only reported."""
        return self._evaluate(self.expression) if self.expression else None

    @cached_property
    def finding(self) -> str:
        """The verdict that the value deserves."""
        if not self.expression:
            return "reported"
        value = self.value
        try:
            return self.printed.against(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"In the claim {self.id}: {error}") from None

    @property
    def computed(self) -> str:
        """The value in words; nothing for what is only reported."""
        return self.printed.show(self.value) if self.expression else ""

    @property
    def difference(self) -> str:
        """By how much the value is more than the figure."""
        return self.printed.difference(self.value) if self.expression else ""

    def explanation(self) -> Any:
        """What the wrong turn gives; None without one."""
        given = self.explained_by
        return self._evaluate(given) if given else None

    def _evaluate(self, expression: str) -> Any:
        try:
            return counts.evaluate(expression)
        except Exception as error:
            why = " ".join(str(error).split()).rstrip(".")
            raise ValueError(
                f"The expression {expression!r} of the claim {self.id} "
                f"raises {type(error).__name__}: {why}."
            ) from error


@dataclass(frozen=True)
class Registry:
    """All claims, and where they are made."""

    claims: tuple[Claim, ...]
    sources: dict[str, dict[str, str]]

    def __getitem__(self, name: str) -> Claim:
        if name not in self._by_id:
            raise LookupError(
                f"There is no claim {check.near(name, self._by_id)}"
            )
        return self._by_id[name]

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.claims)

    def __len__(self) -> int:
        return len(self.claims)

    def __repr__(self) -> str:
        return f"Registry({len(self)} claims from {len(self.sources)} sources)"

    @cached_property
    def _by_id(self) -> dict[str, Claim]:
        return {claim.id: claim for claim in self.claims}

    def select(self, **fields: str) -> tuple[Claim, ...]:
        """The claims with these fields: network, verdict, source, table."""
        known = {
            "network": check.NETWORKS,
            "verdict": check.VERDICTS,
            "source": self.sources,
            "table": {claim.table for claim in self.claims},
        }
        for name, value in fields.items():
            if name not in known:
                raise TypeError(
                    f"Nothing is selected by {check.near(name, known)}"
                )
            if value not in known[name]:
                raise ValueError(
                    f"No claim has the {name} {check.near(value, known[name])}"
                )
        return tuple(
            claim
            for claim in self.claims
            if all(getattr(claim, n) == v for n, v in fields.items())
        )

    def title(self, source: str) -> str:
        """A source in words: its title, or a paper's first author and year."""
        title = self.sources[source].get("title")
        return title or f"{source[:-4].title()} {source[-4:]}"

    def table(self, name: str) -> Table:
        """A paper's table, executed: paper, computed, difference, reason."""
        from cnnbook.claims.table import Table

        return Table(self.select(table=name), self)

    def faults(self, claim: Claim) -> list[str]:
        """Say in a sentence each what of a claim does not hold any more."""
        found = []
        if claim.finding != claim.verdict:
            found.append(
                f"The claim {claim.id} says {claim.verdict!r}, and with "
                f"{claim.computed or 'no value'} for {claim.figure} it is "
                f"{claim.finding!r}."
            )
        wrong = claim.explanation()
        if wrong is not None and claim.printed.against(wrong) == "disagrees":
            found.append(
                f"The explanation of {claim.id} gives {figure.show(wrong)}, "
                f"which is not {claim.figure}."
            )
        if claim.same_as:
            other = self[claim.same_as]
            if other.printed.numbers != claim.printed.numbers:
                found.append(
                    f"The claim {claim.id} says {claim.figure} where "
                    f"{other.id} says {other.figure}."
                )
        return found

    def covers(self, text: str) -> bool:
        """Whether a figure or a computed value of any claim reads like this.

        A figure is covered as it is printed, spaces and "~" aside, and a
        value in full or rounded, to two digits at least.
        """
        try:
            asked = figure.parse(text)
        except ValueError:
            return False
        return any(self._reads_like(claim, asked) for claim in self.claims)

    @staticmethod
    def _reads_like(claim: Claim, asked: figure.Figure) -> bool:
        printed = claim.printed
        if printed.kind != asked.kind or len(printed.numbers) != len(
            asked.numbers
        ):
            return False
        read = figure.parse(claim.figure)
        if (read.numbers, read.steps) == (asked.numbers, asked.steps):
            return True
        if not claim.expression:
            return False
        finding = asked.against(claim.value)
        rounded = finding == "rounds to" and asked.digits >= 2
        return finding == "confirmed" or rounded


def load(path: str | Path | None = None) -> Registry:
    """Read the registry, the library's own or from *path*.

    A row that breaks a rule of the registry stops it with a sentence.
    """
    file = Path(path) if path else find()
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise FileNotFoundError(
            f"The registry cannot be read from {file} ({error.strerror}); "
            f"give load() the path of a {NAME}."
        ) from None
    return read(text)


def read(text: str) -> Registry:
    """Read a registry's text; the first fault in it is raised."""
    data = check.parse(text)
    if faults := check.faults(data):
        raise ValueError(faults[0])
    rows = [
        {**row, "qualifiers": tuple(row.get("qualifiers", ()))}
        for row in data["claims"]
    ]
    return Registry(tuple(Claim(**row) for row in rows), data["sources"])


def find() -> Path:
    """Where the registry lies: in the library, or in the book beside it."""
    return records.place(f"chapters/{NAME}")
