"""Layers on layers: how much of the picture one unit sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import traitlets

from cnnbook.geometry import Layer, ReceptiveField, receptive_fields
from cnnbook.widgets.base import BookWidget

WIDEST = 100_000
"""A wider field is not drawn, and would not stay exact in a browser."""

MOST_LAYERS = 32

_VGG_WIDTHS = (2, 2, 3, 3, 3)

PRESETS: dict[str, tuple[str, int, list[Layer]]] = {
    "lenet": (
        "LeNet-5",
        32,
        [
            Layer(5, name="c1"),
            Layer(2, 2, name="s2"),
            Layer(5, name="c3"),
            Layer(2, 2, name="s4"),
            Layer(5, name="c5"),
        ],
    ),
    "alexnet": (
        "AlexNet",
        227,
        [
            Layer(11, 4, name="conv1"),
            Layer(3, 2, name="pool1"),
            Layer(5, padding=2, name="conv2"),
            Layer(3, 2, name="pool2"),
            Layer(3, padding=1, name="conv3"),
            Layer(3, padding=1, name="conv4"),
            Layer(3, padding=1, name="conv5"),
            Layer(3, 2, name="pool5"),
        ],
    ),
    "vgg16": (
        "VGG-16",
        224,
        [
            layer
            for stage, convolutions in enumerate(_VGG_WIDTHS, start=1)
            for layer in (
                *(
                    Layer(3, padding=1, name=f"conv{stage}_{i + 1}")
                    for i in range(convolutions)
                ),
                Layer(2, 2, name=f"pool{stage}"),
            )
        ],
    ),
    "dilated": (
        "Dilated 1, 2, 4, 8",
        40,
        [
            Layer(3, padding=d, dilation=d, name=f"rate {d}")
            for d in (1, 2, 4, 8)
        ],
    ),
}
"""Networks to begin with: label, input size, layers."""

# Image 1007 of the embedded digits, in sixteen grey levels.
DIGIT = """
....................
....................
....................
....................
.....269ccccccb2....
....5ffffffffff9....
....9fd79556efd2....
....593...2aff9.....
.........8fff91.....
........9ffd5.......
.....15bfd92........
....2cffc2......41..
...1bfe82.13148bfa..
...5ffb57adfefffe7..
...4effffffffed62...
.....49cca661.......
....................
....................
....................
....................
"""

LayerLike = Layer | Mapping[str, Any] | Sequence[Any]


class ReceptiveFieldExplorer(BookWidget):
    """Stack layers and see the field of one unit grow on a picture.

    ``layers`` is the name of a network ("lenet", "alexnet", "vgg16",
    "dilated") or a list of layers: ``geometry.Layer``, or its fields as a
    dict or a tuple (kernel, stride, padding, dilation, name). ``selected``
    is the layer whose unit is drawn, counted from 0; at first the last.
    ``fields`` holds (size, jump, start) for each layer; where the layers are
    impossible it is empty, and ``message`` says why.
    """

    _name = "receptive_field"

    layers = traitlets.List().tag(sync=True)
    input_size = traitlets.Int(32, min=1, max=256).tag(sync=True)
    selected = traitlets.Int(0, min=0).tag(sync=True)
    fields = traitlets.List(read_only=True).tag(sync=True)
    message = traitlets.Unicode("", read_only=True).tag(sync=True)
    presets = traitlets.Dict(read_only=True).tag(sync=True)
    digit = traitlets.Unicode(DIGIT, read_only=True).tag(sync=True)

    def __init__(
        self,
        layers: str | Iterable[LayerLike] = "lenet",
        input_size: int | None = None,
        selected: int | None = None,
    ) -> None:
        if isinstance(layers, str):
            _, usual, layers = _preset(layers)
            input_size = input_size or usual
        rows = [as_row(layer) for layer in layers]
        super().__init__(
            layers=rows,
            input_size=input_size or 32,
            selected=max(0, len(rows) - 1) if selected is None else selected,
        )
        self.set_trait(
            "presets",
            {
                name: {
                    "label": label,
                    "input_size": size,
                    "layers": [as_row(layer) for layer in chain],
                }
                for name, (label, size, chain) in PRESETS.items()
            },
        )
        self._compute()

    @traitlets.validate("layers")
    def _plain_layers(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        rows = [as_row(layer) for layer in proposal["value"]]
        if len(rows) > MOST_LAYERS:
            raise ValueError(
                f"There is room for {MOST_LAYERS} layers, not {len(rows)}; "
                "cnnbook.geometry.receptive_fields takes any number."
            )
        return rows

    @traitlets.observe("layers")
    def _compute(self, _: object = None) -> None:
        try:
            found, message = [list(f) for f in fields(self.layers)], ""
        except (TypeError, ValueError) as error:
            found, message = [], str(error)
        self.set_trait("fields", found)
        self.set_trait("message", message)

    def __repr__(self) -> str:
        size = self.fields[-1][0] if self.fields else None
        return (
            f"ReceptiveFieldExplorer({len(self.layers)} layers, "
            f"field of {size} pixels)"
        )

    def _static(self) -> str:
        if self.message:
            return (
                '<figure><figcaption class="cnn-message">'
                f"{escape(self.message)}</figcaption></figure>"
            )
        return (
            f"<figure>{picture(self.layers, self.selected, self.input_size)}"
            f"<figcaption>{escape(self._words)}</figcaption></figure>"
            f"{table(self.layers)}"
        )

    @property
    def _words(self) -> str:
        return words(self.layers, self.selected, self.input_size)


def as_row(layer: LayerLike) -> dict[str, Any]:
    """Write a layer as a dict; what it holds is checked when it is used."""
    keys = ("kernel", "stride", "padding", "dilation", "name")
    if isinstance(layer, Layer):
        given = {key: getattr(layer, key) for key in keys}
    elif isinstance(layer, Mapping):
        given = dict(layer)
    elif isinstance(layer, Sequence) and not isinstance(layer, str):
        given = dict(zip(keys, layer, strict=False))
    else:
        given = {"kernel": layer}
    if "kernel" not in given or not given.keys() <= set(keys):
        raise ValueError(
            f"A layer has a kernel, and may have {', '.join(keys[1:])}; "
            f"{layer!r} does not fit; try Layer(kernel=3, stride=1)."
        )
    usual = {"stride": 1, "padding": 0, "dilation": 1, "name": ""}
    return usual | given


def fields(rows: Sequence[Mapping[str, Any]]) -> tuple[ReceptiveField, ...]:
    """The receptive field after each layer, if it can be drawn."""
    found = receptive_fields(Layer(**row) for row in rows)
    if any(max(field[:2]) > WIDEST for field in found):
        raise ValueError(
            f"The field is wider than {WIDEST:,} pixels; take a layer away "
            "or make a stride smaller."
        )
    return found


def reads(rows: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Which units one unit of the last layer hears, input first.

    Units count from the first that is heard; the last list is ``[0]``.
    """
    levels = [[0]]
    for row in reversed(rows):
        heard = {
            unit * row["stride"] + tap * row["dilation"]
            for unit in levels[0]
            for tap in range(row["kernel"])
        }
        levels.insert(0, sorted(heard))
    return levels


def words(
    rows: Sequence[Mapping[str, Any]], selected: int, input_size: int
) -> str:
    """Say what a unit of the selected layer sees, and why so much."""
    if not rows:
        return "Without a layer, a unit is a pixel: its field is 1 × 1."
    selected = min(selected, len(rows) - 1)
    found = (ReceptiveField(1, 1, 0.5), *fields(rows[: selected + 1]))
    before, field = found[-2:]
    row = rows[selected]
    rate = f"·{row['dilation']}" if row["dilation"] > 1 else ""
    said = (
        f"A unit of {_name(row, selected)} sees {field.size:,} × "
        f"{field.size:,} pixels: {before.size:,} + ({row['kernel']} − 1)"
        f"{rate}·{before.jump:,} = {field.size:,}. The fields of neighbours "
        f"lie {_pixels(field.jump)} apart; the first has its centre at "
        f"{_number(field.start)}."
    )
    if field.size > input_size:
        said += " That is more than the picture: the rest is padding."
    read = len(reads(rows[: selected + 1])[0]) if field.size <= 2000 else 0
    if 0 < read < field.size:
        said += (
            f" Of its {field.size:,} rows and columns it reads only {read:,}."
        )
    return said


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write each layer's field as an HTML table."""
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in (
            "Layer",
            "Kernel",
            "Stride",
            "Padding",
            "Dilation",
            "Field",
            "Jump",
            "Start",
        )
    )
    lines = "".join(
        f'<tr><th scope="row">{escape(_name(row, i))}</th>'
        f"<td>{row['kernel']}</td><td>{row['stride']}</td>"
        f"<td>{row['padding']}</td><td>{row['dilation']}</td>"
        f"<td>{field.size:,}</td><td>{field.jump:,}</td>"
        f"<td>{_number(field.start)}</td></tr>"
        for i, (row, field) in enumerate(zip(rows, fields(rows), strict=True))
    )
    return (
        f'<table class="rf-table"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )


def picture(
    rows: Sequence[Mapping[str, Any]], selected: int, input_size: int
) -> str:
    """Draw the digit and the fields up to the selected layer."""
    found = fields(rows)[: selected + 1]
    widest = max([input_size, *(field.size for field in found)])
    margin = max(1, (min(widest, int(1.4 * input_size)) - input_size) / 2 + 1)
    scale = max(1, input_size // 32)
    edge = (input_size - 20 * scale) / 2
    levels: dict[str, str] = {}
    for y, line in enumerate(DIGIT.split()):
        for x, level in enumerate(line):
            if level != ".":
                levels[level] = levels.get(level, "") + (
                    f"M{edge + x * scale:g} {edge + y * scale:g}"
                    f"h{scale}v{scale}h-{scale}z"
                )
    ink = "".join(
        f'<path class="rf-ink" fill="currentColor" '
        f'fill-opacity="{int(level, 16) / 15:.2g}" d="{path}"/>'
        for level, path in sorted(levels.items())
    )
    squares = ""
    for i, field in enumerate(found):
        centre = middle(field, input_size)
        last = i == len(found) - 1
        squares += (
            f'<rect class="{"rf-field rf-here" if last else "rf-field"}" '
            f'x="{centre - field.size / 2:g}" '
            f'y="{centre - field.size / 2:g}" width="{field.size}" '
            f'height="{field.size}" fill="none" '
            f'stroke="{"#b83c18" if last else "#76818d"}" '
            f'stroke-width="{2.5 if last else 1.2}" '
            'vector-effect="non-scaling-stroke"/>'
        )
    side = input_size + 2 * margin
    return (
        f'<svg class="rf-picture" viewBox="{-margin:g} {-margin:g} {side:g} '
        f'{side:g}" width="320" role="img" aria-label="A handwritten 2 of '
        f"{input_size} × {input_size} pixels with the field of one unit of "
        'each layer, one square in another">'
        f'<rect class="rf-ground" width="{input_size}" '
        f'height="{input_size}" fill="none" stroke="currentColor" '
        f'vector-effect="non-scaling-stroke"/>{ink}{squares}</svg>'
    )


def middle(field: ReceptiveField, input_size: int) -> float:
    """The centre of the field that lies nearest to the picture's middle."""
    unit = (input_size / 2 - field.start) / field.jump
    return field.start + int(unit + 0.5 if unit > 0 else 0) * field.jump


def _preset(name: str) -> tuple[str, int, list[Layer]]:
    if name not in PRESETS:
        raise ValueError(
            f"There is no network {name!r} here; try {', '.join(PRESETS)}, "
            "or give a list of layers."
        )
    return PRESETS[name]


def _name(row: Mapping[str, Any], index: int) -> str:
    return row["name"] or f"layer {index + 1}"


def _number(value: float) -> str:
    return f"{value:,g}".replace("-", "−") if abs(value) < 1e5 else "far"


def _pixels(count: int) -> str:
    return f"{count:,} pixel" + "s" * (count != 1)
