"""LeNet's sparse table: which maps of S2 each map of C3 sees, at what cost."""

from __future__ import annotations

from collections.abc import Sequence

import traitlets

from cnnbook.nets.lenet import C3_TABLE
from cnnbook.widgets.base import BookWidget

Table = Sequence[Sequence[int]]
TIMES = "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}"


def count(table: Table, kernel: int = 5, size: int = 10) -> dict:
    """Count a table's parameters and connections, sparse and dense.

    ``maps`` has one entry for each output map: the kernels it needs (one for
    each input it sees), its parameters with the bias, and the running total.
    """
    inputs = 1 + max(max(row) for row in table)
    maps, total = [], 0
    for row in table:
        parameters = len(row) * kernel**2 + 1
        total += parameters
        maps.append(
            {"kernels": len(row), "parameters": parameters, "running": total}
        )
    dense = len(table) * (inputs * kernel**2 + 1)
    return {
        "inputs": inputs,
        "maps": maps,
        "kernels": sum(row["kernels"] for row in maps),
        "parameters": total,
        "connections": total * size**2,
        "dense_kernels": len(table) * inputs,
        "dense_parameters": dense,
        "dense_connections": dense * size**2,
    }


def sentence(
    table: Table, selected: str = "", kernel: int = 5, size: int = 10
) -> str:
    """Say in words what the selected map costs; or the whole, without one."""
    counts = count(table, kernel, size)
    total = f"{counts['parameters']:,}"
    places = f"{size}{TIMES}{size} places"
    if not selected:
        return (
            f"C3 has {total} parameters: {counts['kernels']} kernels of "
            f"{kernel}{TIMES}{kernel} weights and {len(table)} biases. If "
            f"every map saw all {counts['inputs']}, it would have "
            f"{counts['dense_kernels']} kernels and "
            f"{counts['dense_parameters']:,} parameters. Each parameter "
            f"works at {places}: {counts['connections']:,} connections "
            f"instead of {counts['dense_connections']:,}."
        )
    side, index = selected.split(".")
    index = int(index)
    if side == "c3":
        row, seen = counts["maps"][index], table[index]
        noun = "map" if len(seen) == 1 else "maps"
        return (
            f"C3 map {index} sees {len(seen)} {noun} of S2: "
            f"{', '.join(map(str, seen))}. {len(seen)}{TIMES}{kernel**2} + 1 "
            f"= {row['parameters']:,} parameters; maps 0 to {index} together "
            f"{row['running']:,} of {total}. At {places}: "
            f"{row['parameters'] * size**2:,} connections."
        )
    readers = [m for m, row in enumerate(table) if index in row]
    weights = len(readers) * kernel**2
    return (
        f"S2 map {index} is seen by {len(readers)} of the {len(table)} maps "
        f"of C3: {', '.join(map(str, readers))}. {len(readers)}{TIMES}"
        f"{kernel**2} = {weights:,} of the "
        f"{counts['kernels'] * kernel**2:,} weights."
    )


class C3Connections(BookWidget):
    """The table that joins LeNet's maps of S2 to its maps of C3.

    ``selected`` is the map that is held: ``"s2.0"`` to ``"s2.5"``,
    ``"c3.0"`` to ``"c3.15"``, or ``""`` for none.
    """

    _name = "c3_connections"

    table = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)
    kernel = traitlets.Int(5, min=1).tag(sync=True)
    size = traitlets.Int(10, min=1).tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)

    def __init__(self, selected: str = "") -> None:
        table = [list(row) for row in C3_TABLE]
        super().__init__(table=table, selected=selected)

    @traitlets.validate("selected")
    def _known_map(self, proposal: dict) -> str:
        selected = proposal["value"]
        inputs = count(self.table)["inputs"]
        known = {f"s2.{i}" for i in range(inputs)}
        known |= {f"c3.{m}" for m in range(len(self.table))}
        if selected and selected not in known:
            raise ValueError(
                f"There is no map {selected!r}; try 's2.0' to "
                f"'s2.{inputs - 1}', 'c3.0' to 'c3.{len(self.table) - 1}', "
                "or '' for none."
            )
        return selected

    def __repr__(self) -> str:
        counts = count(self.table, self.kernel, self.size)
        return (
            f"C3Connections({len(self.table)} maps, {counts['kernels']} "
            f"kernels, {counts['parameters']:,} parameters)"
        )

    def _static(self) -> str:
        return picture(self.table, self.selected, self.kernel, self.size)


def picture(
    table: Table, selected: str = "", kernel: int = 5, size: int = 10
) -> str:
    """Draw the connections, with the table and the result in words."""
    words = sentence(table, selected, kernel, size)
    return (
        '<figure class="c3"><div class="c3-picture">'
        f"{_graph(table, selected)}{_table(table, selected, kernel, size)}"
        f'</div><figcaption class="c3-words">{words}</figcaption></figure>'
    )


def _lit(selected: str, m: int, i: int) -> bool:
    return selected in (f"c3.{m}", f"s2.{i}")


def _on(*names: str, lit: bool) -> str:
    """Write a class attribute; what is lit stands out."""
    return f'class="{" ".join([*names, *(["c3-on"] if lit else [])])}"'


def _graph(table: Table, selected: str) -> str:
    inputs = count(table)["inputs"]
    left = [f"{100 * (i + 0.5) / inputs:.2f}%" for i in range(inputs)]
    right = [f"{100 * (m + 0.5) / len(table):.2f}%" for m in range(len(table))]
    lines = "".join(
        f'<line {_on("c3-line", lit=_lit(selected, m, i))} x1="0" '
        f'y1="{left[i]}" x2="100%" y2="{right[m]}" stroke="currentColor"/>'
        for m, row in enumerate(table)
        for i in row
    )
    nodes = "".join(
        f"<g {_on('c3-node', f'c3-{side}', lit=selected == f'{side}.{n}')}>"
        f'<rect x="{x}" y="{y}" width="30" height="22" rx="3" fill="#fff" '
        f'stroke="currentColor" transform="translate(-15,-11)"/>'
        f'<text x="{x}" y="{y}" dy=".36em" text-anchor="middle" '
        f'font-size="13" fill="#1f2933">{n}</text></g>'
        for side, x, places in (("s2", "0", left), ("c3", "100%", right))
        for n, y in enumerate(places)
    )
    return (
        '<svg class="c3-graph" width="180" '
        f'height="{28 * len(table)}" overflow="visible" role="img" '
        f'aria-label="{inputs} maps of S2 at the left, {len(table)} maps of '
        'C3 at the right, one line for each kernel that joins two of them">'
        '<text class="c3-side" x="0" y="-8" text-anchor="middle" '
        f'font-size="13">S2</text><g>{lines}</g>{nodes}</svg>'
    )


def _table(table: Table, selected: str, kernel: int, size: int) -> str:
    counts = count(table, kernel, size)
    maps = range(counts["inputs"])
    heads = "".join(
        f'<th scope="col" {_on("c3-cell", lit=selected == f"s2.{i}")}>'
        f"<span>S2 </span>{i}</th>"
        for i in maps
    )
    rows = ""
    for m, (seen, row) in enumerate(zip(table, counts["maps"], strict=True)):
        cells = "".join(
            f"<td {_on('c3-cell', 'c3-seen', lit=_lit(selected, m, i))}>"
            "<span>seen</span></td>"
            if i in seen
            else '<td class="c3-cell"></td>'
            for i in maps
        )
        rows += (
            f"<tr {_on('c3-row', lit=selected == f'c3.{m}')}>"
            f'<th scope="row"><span>C3 {m}</span></th>{cells}'
            f'<td class="c3-wide">{row["kernels"]}</td>'
            f"<td>{row['parameters']:,}</td><td>{row['running']:,}</td></tr>"
        )
    span = f'colspan="{len(maps) + 1}"'
    return (
        '<table class="c3-table"><thead><tr>'
        f'<th scope="col">C3</th>{heads}<th scope="col" class="c3-wide">'
        'Kernels</th><th scope="col">Para&shy;meters</th><th scope="col">'
        f"So far</th></tr></thead><tbody>{rows}</tbody><tfoot>"
        f'<tr><th scope="row" {span}>Sparse, as built</th>'
        f'<td class="c3-wide">{counts["kernels"]}</td>'
        f'<td colspan="2">{counts["parameters"]:,}</td></tr>'
        f'<tr><th scope="row" {span}>If each saw all {len(maps)}</th>'
        f'<td class="c3-wide">{counts["dense_kernels"]}</td>'
        f'<td colspan="2">{counts["dense_parameters"]:,}</td></tr>'
        "</tfoot></table>"
    )
