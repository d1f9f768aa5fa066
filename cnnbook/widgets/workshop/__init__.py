"""The workshop: write a network, see at once what it is and what it costs.

The text is read by ``core.mjs``, the twin of ``cnnbook.workshop``; the view
stands in ``widget.mjs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import prod
from typing import Any, NamedTuple

import traitlets

from cnnbook import workshop
from cnnbook.widgets.base import BookWidget

UNITS = ("macs", "parameters", "activations")
"""What the bars can show."""

FIRST = "AlexNet"
"""The network that stands there if none is asked for."""

VGG = "VGG D (VGG-16)"


class Challenge(NamedTuple):
    """A task: a network to begin with, and conditions on what it becomes.

    A goal is ``(measure, relation, value, words)``: a name of ``measures``,
    one of ≤, ≥ and =, and how a reader is told.
    """

    title: str
    start: str
    words: str
    won: str
    goals: tuple[tuple[str, str, int, str], ...]


def challenges() -> list[Challenge]:
    """The three challenges, with conditions counted from the book's nets."""
    vgg, alexnet = (
        measures(workshop.parse(workshop.BOOK[title]).to_json())
        for title in (VGG, FIRST)
    )
    same = (
        ("side", "≥", 224, "an input of at least 224 × 224"),
        ("outputs", "=", 1000, "1,000 outputs"),
    )
    return [
        Challenge(
            "Half of VGG-16",
            VGG,
            "Lose half of the parameters and not one of the convolutions'.",
            "Met: the weights were in the dense layers, not where it looks.",
            (
                _most("parameters", "parameters", vgg["parameters"] // 2),
                _least(
                    "convParameters",
                    "parameters of convolutions",
                    vgg["convParameters"],
                ),
                *same,
            ),
        ),
        Challenge(
            "See 224 pixels",
            VGG,
            "A unit of the last maps shall see as much as the input is wide, "
            "for one per cent of VGG-16's multiplications.",
            "Met: what is made small early is looked at cheaply.",
            (
                ("field", "≥", 224, "a receptive field of at least 224"),
                _most("macs", "MACs", vgg["macs"] // 100),
                *same,
            ),
        ),
        Challenge(
            "AlexNet in half the time",
            FIRST,
            "Halve the multiplications without losing parameters or sight.",
            "Met: convolutions take the time, dense layers the space.",
            (
                _most("macs", "MACs", alexnet["macs"] // 2),
                _least("parameters", "parameters", alexnet["parameters"]),
                _least("field", "pixels of sight", alexnet["field"]),
                *same,
            ),
        ),
    ]


def _most(measure: str, words: str, value: int) -> tuple[str, str, int, str]:
    return measure, "≤", value, f"at most {value:,} {words}"


def _least(measure: str, words: str, value: int) -> tuple[str, str, int, str]:
    return measure, "≥", value, f"at least {value:,} {words}"


def _about(title: str) -> str:
    """How a network of the list is told from its neighbours."""
    totals = workshop.parse(workshop.BOOK[title]).totals
    return (
        f"{totals.depth} layers deep, {_short(totals.parameters)} "
        f"parameters, {_short(totals.macs)} MACs"
    )


def _short(number: int) -> str:
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:,.1f}\u202f{unit}"
    return str(number)


def measures(network: Mapping[str, Any]) -> dict[str, Any]:
    """The totals of a network, as JSON, and what else a goal may ask for.

    The receptive field is that of the last layer that still has maps, and
    outside of branches if there is one.
    """
    rows, totals = network["rows"], network["totals"]
    seen = [
        row
        for row in rows
        if row["field"]
        and row["field"][0]
        and max(side or 0 for side in (row["shape"] or [0])[1:] or [0]) > 1
    ]
    last = [row for row in seen if not row["depth"]][-1:] or seen[-1:]
    given = network["input"]["shape"] if network["input"] else [0]
    shape = network["shape"]
    return {
        "parameters": totals["parameters"],
        "macs": totals["macs"],
        "activations": totals["activations"],
        "field": min(last[0]["field"]) if last else 1,
        "depth": totals["depth"],
        "convParameters": sum(
            row["parameters"] or 0 for row in rows if row["op"] == "conv"
        ),
        "outputs": prod(shape) if shape and all(shape) else 0,
        "side": min(given[1:], default=0),
    }


class Workshop(BookWidget):
    """Write or edit a network in the book's notation.

    ``Workshop()`` begins with AlexNet, ``Workshop(start="VGG-16")`` with
    another of ``workshop.BOOK``, ``Workshop(text)`` with a text of yours.
    ``challenge`` is the title of one of ``challenges()``. ``small`` leaves
    out the choice of networks and is less high. ``address`` says which page
    a link to the network opens: "#" for this one, whose own address then
    holds the network, or another; with "" there is no such link.
    """

    _name = "workshop"

    text = traitlets.Unicode().tag(sync=True)
    start = traitlets.Unicode().tag(sync=True)
    challenge = traitlets.Unicode().tag(sync=True)
    unit = traitlets.Enum(UNITS, "macs").tag(sync=True)
    small = traitlets.Bool(False).tag(sync=True)
    address = traitlets.Unicode().tag(sync=True)
    examples = traitlets.List(read_only=True).tag(sync=True)
    challenges = traitlets.List(read_only=True).tag(sync=True)

    def __init__(self, text: str | None = None, **kwargs: Any) -> None:
        tasks = {task.title: task for task in challenges()}
        task = tasks.get(kwargs.get("challenge", ""))
        book = {name: net.rstrip() for name, net in workshop.BOOK.items()}
        titles = {net: name for name, net in book.items()}
        first = task.start if task else FIRST
        own = first if text is None else titles.get(text.rstrip(), "")
        start = kwargs.get("start") or own
        if start and start not in book:
            raise ValueError(
                f"The workshop has no network {start!r} to start from; "
                f"try {', '.join(map(repr, book))}."
            )
        if text is None:
            text = book[start]
        super().__init__(text=text, **kwargs | {"start": start})
        small = self.small
        self.set_trait(
            "examples",
            [
                [title, net, _about(title)]
                for title, net in book.items()
                if not small or title == start
            ],
        )
        self.set_trait(
            "challenges",
            [
                task._asdict()
                for task in tasks.values()
                if not small or task.title == self.challenge
            ],
        )

    @traitlets.validate("text")
    def _lines(self, proposal: dict[str, Any]) -> str:
        """A text field knows one kind of line end."""
        return proposal["value"].replace("\r\n", "\n").replace("\r", "\n")

    @traitlets.validate("challenge")
    def _known(self, proposal: dict[str, Any]) -> str:
        titles = [task.title for task in challenges()]
        if proposal["value"] and proposal["value"] not in titles:
            raise ValueError(
                f"The workshop has no challenge {proposal['value']!r}; "
                f"try {', '.join(map(repr, titles))}."
            )
        return proposal["value"]

    @property
    def network(self) -> workshop.Network:
        """The network as it is written now."""
        return workshop.parse(self.text)

    def __repr__(self) -> str:
        lines = len(self.text.splitlines())
        return f"Workshop({self.start or 'of'} {lines} lines)"

    def _static(self) -> str:
        network = self.network.to_json()
        name = self.start or "The network"
        return (
            f'<figure class="wb-figure">{picture(self.text, network)}'
            f"{table(network)}"
            f"<figcaption>{escape(sentence(name, network))}</figcaption>"
            "</figure>"
        )


def sentence(name: str, network: Mapping[str, Any]) -> str:
    """Say what a network comes to."""
    found = measures(network)
    said = (
        f"{name}: {found['parameters']:,} parameters, {found['macs']:,} MACs "
        f"and {found['activations']:,} activations for one image; a unit of "
        f"the last maps sees {found['field']} pixels."
    )
    wrong = [p for p in network["problems"] if p["kind"] == "error"]
    if wrong:
        said += f" Line {wrong[0]['line']}: {wrong[0]['says']}"
    return said


# ---- What stands in the page without a script ----

SHOWN = 40
"""So many lines are drawn; the table goes on."""

COLOURS = {"conv": "conv", "pool": "pool", "global": "pool", "dense": "dense"}


def picture(text: str, network: Mapping[str, Any]) -> str:
    """Draw each line of the text with a bar for its multiplications."""
    lines = text.split("\n")[:SHOWN]
    macs, kinds, gives = [0] * len(lines), ["other"] * len(lines), {}
    for row in network["rows"]:
        place = row["line"] - 1
        if place < len(lines):
            macs[place] += row["macs"] or 0
            kinds[place] = COLOURS.get(row["op"], kinds[place])
            gives[place] = row["shape"]
    most = max(1, *macs)
    drawn = []
    for place, line in enumerate(lines):
        y = 20 * place + 14
        shape = workshop.show_shape(gives[place]) if gives.get(place) else ""
        drawn.append(
            f'<text class="wb-code" y="{y}" font-size="12" '
            f'fill="currentColor">{escape(line[:28])}</text>'
            f'<text x="218" y="{y}" font-size="12" fill="currentColor">'
            f"{shape}</text>"
        )
        if macs[place]:
            wide = 150 * macs[place] / most
            drawn.append(
                f'<rect class="wb-{kinds[place]}" x="306" y="{y - 10}" '
                f'width="{wide:.1f}" height="11" fill="currentColor"/>'
            )
    return (
        f'<svg class="wb-still" viewBox="0 0 460 {20 * len(lines) + 4}" '
        f'role="img" aria-label="The network, a layer a line, with a bar for '
        "each layer's multiplications; the numbers are in the table\">"
        f"{''.join(drawn)}</svg>"
    )


def table(network: Mapping[str, Any]) -> str:
    """Write what each layer gives and costs."""
    heads = ("Layer", "Gives", "MACs", "Parameters", "Activations")
    rows = "".join(
        f'<tr><th scope="row">{escape(row["name"])}</th>'
        f"<td>{workshop.show_shape(row['shape']) if row['shape'] else '?'}"
        "</td>"
        + "".join(
            f"<td>{'?' if row[unit] is None else format(row[unit], ',')}</td>"
            for unit in UNITS
        )
        + "</tr>"
        for row in network["rows"]
        if row["op"] in COLOURS
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        '<div class="wb-scroll" tabindex="0" role="region" '
        'aria-label="Every layer"><table class="wb-table"><thead>'
        f"<tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
