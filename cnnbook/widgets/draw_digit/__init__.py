"""Draw a digit, and see every unit of the LeNet-5 of 1998 answer.

The paper is 128 cells a side.  A drawing is a dictionary: ``picture``, a
stored digit of 20 by 20 levels in base64, or ""; ``strokes``, each a radius
and the points that the pen went through, ``[6, x, y, x, y, …]`` in cells;
``move``, how far it lies to the right and down, in pixels of the field (four
cells each); ``centred``, whether it is scaled and centred as the data set
was.  The test digits and the failures stand in ``digits.json``
(``benchmarks/draw_digit_lenet.py`` makes it); the network's weights come
from `cnnbook.nets.lenet_1998_digits`.
"""

from __future__ import annotations

import base64
import html
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from cnnbook.nets import lenet_1998_digits
from cnnbook.nets.lenet import C3_TABLE
from cnnbook.widgets.base import BookWidget

if TYPE_CHECKING:
    from torch import Tensor

DIGITS_FILE = Path(__file__).parent / "digits.json"
PAPER, FIELD, BOX, SIDE = 128, 32, 28, 20
"""A side of: the paper, the field, the part of it that a stored digit fills,
and a stored digit."""

TALL, CENTRE = SIDE * 20 / 28, SIDE * 14.5 / 28
"""The longer side of a stored digit, and where its centre of mass lies: they
are MNIST's, 20 pixels and 14 of 28, made smaller."""

LAYERS = {
    "c1": (6, 28),
    "s2": (6, 14),
    "c3": (16, 10),
    "s4": (16, 5),
    "c5": (120, 1),
    "f6": (84, 1),
    "output": (10, 1),
}
"""The maps of each layer and their side."""

EMPTY = {"picture": "", "strokes": [], "move": [0, 0], "centred": True}
MORE, LESS, INK = (163, 82, 11), (29, 103, 161), (31, 41, 51)


# ---- What Python and the page's script both compute ----


def ink(drawing: Mapping[str, Any]) -> np.ndarray:
    """Everything that lies on the paper, (128, 128), from 0 to 1."""
    right, down = (4 * pixels for pixels in drawing["move"])
    sheet = np.zeros((PAPER, PAPER))
    if drawing["picture"]:
        sheet = enlarge(levels(drawing["picture"]), PAPER, right, down)
    centres = np.arange(PAPER) + 0.5
    for radius, *points in drawing["strokes"]:
        xs = np.array(points[::2]) + right
        ys = np.array(points[1::2]) + down
        for i in range(len(xs)):
            j = max(0, i - 1)
            dx, dy = xs[i] - xs[j], ys[i] - ys[j]
            px, py = centres - xs[j], centres[:, None] - ys[j]
            along = (px * dx + py * dy) / ((dx * dx + dy * dy) or 1)
            t = along.clip(0, 1)
            far = np.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2)
            sheet = np.maximum(sheet, (radius + 0.5 - far).clip(0, 1))
    return sheet


def levels(picture: str) -> np.ndarray:
    """A stored digit, (20, 20), from 0 to 1."""
    flat = np.frombuffer(base64.b64decode(picture), np.uint8)
    return flat.reshape(SIDE, SIDE) / 255


def enlarge(
    picture: np.ndarray, side: int, right: float = 0, down: float = 0
) -> np.ndarray:
    """Stored digits on a sheet, as `training.prepare` lays them on 32."""

    def shares(by: float) -> np.ndarray:
        place = (np.arange(side) - by + 0.5) / side - 0.5
        place = (place * (FIELD / BOX) + 0.5) * SIDE - 0.5
        far = np.abs(place[:, None] - np.arange(SIDE))
        return (1 - far).clip(0)

    return shares(down) @ picture @ shares(right).T


def measure(sheet: np.ndarray) -> tuple[float, float, float] | None:
    """The cells of a pixel and the centre of mass; None for no ink."""
    rows, columns = (
        (sheet >= 0.5).any(axis=axis).nonzero()[0] for axis in (1, 0)
    )
    if not len(rows):
        return None
    longer = max(np.ptp(rows), np.ptp(columns)) + 1
    centres = np.arange(PAPER) + 0.5
    mass = sheet.sum()
    return (
        float(longer / TALL),
        float(sheet.sum(axis=0) @ centres / mass),
        float(sheet.sum(axis=1) @ centres / mass),
    )


def normalise(
    sheet: np.ndarray, cells: float, x: float, y: float
) -> np.ndarray:
    """As the data set stores a digit: scaled, centred, anti-aliased."""

    def shares(centre: float) -> np.ndarray:
        start = centre + (np.arange(SIDE)[:, None] - CENTRE) * cells
        cell = np.arange(PAPER)
        over = np.minimum(start + cells, cell + 1) - np.maximum(start, cell)
        return over.clip(0) / cells

    return shares(y) @ sheet @ shares(x).T


def read(drawing: Mapping[str, Any]) -> np.ndarray:
    """What the network reads, (32, 32), from -0.1 to 1.175."""
    right, down = drawing["move"]
    centred = drawing["centred"]
    if drawing["picture"] and not drawing["strokes"]:
        by = (0, 0) if centred else (right, down)
        field = enlarge(levels(drawing["picture"]), FIELD, *by)
    elif centred:
        sheet = ink(drawing)
        found = measure(sheet)
        stored = normalise(sheet, *found) if found else np.zeros((SIDE, SIDE))
        field = enlarge(stored, FIELD)
    else:
        field = ink(drawing).reshape(FIELD, 4, FIELD, 4).mean(axis=(1, 3))
    return 1.275 * field - 0.1


def named(label: int) -> str:
    """A digit with its article."""
    return f"an {label}" if label == 8 else f"a {label}"


def sentence(distances: Sequence[float], limit: float) -> str:
    """The answer in words, with the runner-up, and whether to trust it."""
    order = sorted(range(len(distances)), key=distances.__getitem__)
    said = [f"{distances[digit]:.1f}" for digit in order]
    refused = (
        " That is further than 99\N{NO-BREAK SPACE}% of the training digits: "
        "with a right to refuse, it would."
        if distances[order[0]] > limit
        else ""
    )
    return (
        f"It reads {named(order[0])}, at distance {said[0]}; runner-up: "
        f"{named(order[1])}, at {said[1]}.{refused}"
    )


# ---- The network ----


def network() -> dict[str, Any]:
    """The trained weights as the page's script reads them."""
    arrays = lenet_1998_digits.packed()
    weights, numbers = [], []
    for name in LAYERS:
        for part in ("weight", "weight.scale", "coefficient", "bias"):
            array = arrays.get(f"{name}.{part}")
            if array is None:
                continue
            whole = array.dtype == np.int8
            (weights if whole else numbers).append(array.tobytes())
    signs = np.where(arrays["output.bitmaps"] > 0, "#", ".")
    return {
        "weights": base64.b64encode(b"".join(weights)).decode(),
        "numbers": base64.b64encode(b"".join(numbers)).decode(),
        "table": [list(row) for row in C3_TABLE],
        "prototypes": ["".join(row) for row in signs],
    }


def answers(field: np.ndarray) -> dict[str, np.ndarray]:
    """What every layer of the trained net says to a field, in float64."""
    import torch

    from cnnbook.nets.lenet import squash

    net = lenet_1998_digits.load_trained().double()
    found: dict[str, Tensor] = {}
    x = torch.from_numpy(field)[None, None]
    with torch.no_grad():
        for name in LAYERS:
            layer = getattr(net, name)
            x = layer(x.flatten(1) if name == "f6" else x)
            if name != "output":
                x = squash(x)
            found[name] = x[0].numpy()
    return found


# ---- The widget ----


class DrawDigit(BookWidget):
    """A sheet to draw on, and the LeNet-5 of 1998 at work on it.

    It begins with one of its test *samples*.  ``drawing`` is what lies on
    the paper, and ``unit`` names the unit that is looked into by layer, map,
    row and column: ``"c3.4.5.5"``.
    """

    _name = "draw_digit"

    net = traitlets.Dict().tag(sync=True)
    limit = traitlets.Float().tag(sync=True)
    samples = traitlets.List().tag(sync=True)
    cases = traitlets.List().tag(sync=True)
    drawing = traitlets.Dict().tag(sync=True)
    unit = traitlets.Unicode("").tag(sync=True)

    def __init__(self, sample: int = 0, unit: str = "c3.4.5.5") -> None:
        data = json.loads(DIGITS_FILE.read_text(encoding="utf-8"))
        samples = data["samples"]
        if sample not in range(len(samples)):
            raise ValueError(
                f"There is no sample {sample!r}; try 0 to {len(samples) - 1}."
            )
        super().__init__(
            net=network(),
            **data,
            drawing=EMPTY | {"picture": samples[sample]["picture"]},
            unit=unit,
        )

    @traitlets.validate("unit")
    def _known(self, proposal: dict) -> str:
        name, *numbers = proposal["value"].split(".")
        maps, side = LAYERS.get(name, (0, 0))
        limits = (maps, side, side)
        if len(numbers) != 3 or not all(
            text.isdecimal() and int(text) < limit
            for text, limit in zip(numbers, limits, strict=True)
        ):
            raise ValueError(
                f"There is no unit {proposal['value']!r}; name a layer "
                f"({', '.join(LAYERS)}), a map, a row and a column, such as "
                "'c3.4.5.5'."
            )
        return proposal["value"]

    @traitlets.validate("drawing")
    def _complete(self, proposal: dict) -> dict:
        drawing = proposal["value"]
        if set(drawing) != set(EMPTY):
            raise ValueError(
                f"A drawing has {', '.join(EMPTY)}, not "
                f"{', '.join(map(str, drawing)) or 'nothing'}; begin with "
                "the one that is there: paper.drawing | {'strokes': [...]}."
            )
        return drawing

    def field(self) -> Tensor:
        """What lies on the paper as a network reads it: (1, 1, 32, 32)."""
        import torch

        return torch.from_numpy(read(self.drawing)).float()[None, None]

    def __repr__(self) -> str:
        return (
            f"DrawDigit({len(self.samples)} samples, {len(self.cases)} "
            f"failures, {self.unit})"
        )

    def _static(self) -> str:
        field = read(self.drawing)
        found = answers(field)
        distances = found["output"].tolist()
        words = sentence(distances, self.limit)
        cells = "".join(f'<th scope="col">{digit}</th>' for digit in range(10))
        values = "".join(f"<td>{distance:.1f}</td>" for distance in distances)
        cases = "".join(
            f"<li><b>{html.escape(case['title'])}</b> "
            f"{html.escape(case['words'])}</li>"
            for case in self.cases
        )
        return (
            f'<figure class="dd-still">{_picture(field, found)}'
            '<div class="dd-scroll" tabindex="0" role="group" '
            'aria-label="Distances"><table><thead><tr>'
            f'<th scope="col">digit</th>{cells}</tr></thead><tbody><tr>'
            f'<th scope="row">distance</th>{values}</tr></tbody></table></div>'
            f"<figcaption>{words}</figcaption></figure>"
            f'<ul class="dd-cases">{cases}</ul>'
        )


# ---- The picture without a script ----

ROWS = (
    # layer, what it is, columns, side of a unit in the picture
    ("c1", "C1: 6 maps of 28 × 28", 6, 3),
    ("s2", "S2: 6 maps of 14 × 14", 6, 3),
    ("c3", "C3: 16 maps of 10 × 10", 16, 3),
    ("s4", "S4: 16 maps of 5 × 5", 16, 3),
    ("c5", "C5: 120 units", 60, 9),
)


def _picture(field: np.ndarray, found: Mapping[str, np.ndarray]) -> str:
    parts = []

    def lay(picture: np.ndarray, x: float, y: float, unit: float) -> None:
        height, width = picture.shape[:2]
        parts.append(
            f'<image x="{x:g}" y="{y:g}" width="{width * unit:g}" '
            f'height="{height * unit:g}" href="{_png(picture)}" '
            'style="image-rendering:pixelated"/>'
        )

    def write(text: str, y: float, x: float = 0) -> None:
        parts.append(f'<text x="{x:g}" y="{y:g}" font-size="13">{text}</text>')

    write("What the network reads: 32 × 32", 12)
    lay(_grey((field + 0.1) / 1.275), 0, 18, 3)
    y = 18 + 96
    for name, label, columns, unit in ROWS:
        maps = found[name]
        write(label, y + 22)
        sheet = _sheet(maps, columns)
        lay(sheet, 0, y + 28, unit)
        y += 28 + unit * len(sheet)
    write("F6: 84 units", y + 22)
    write("its ten bitmaps, the nearest framed", y + 22, 110)
    lay(_grey((found["f6"].reshape(12, 7) + 1) / 2), 0, y + 28, 7)
    bitmaps = lenet_1998_digits.packed()["output.bitmaps"].reshape(10, 12, 7)
    nearest = int(found["output"].argmin())
    for digit, bitmap in enumerate(bitmaps):
        lay(_grey((bitmap + 1) / 2), 110 + 44 * digit, y + 28, 5)
    parts.append(
        f'<rect x="{107 + 44 * nearest}" y="{y + 25}" width="41" height="66" '
        'fill="none" stroke="#b83c18" stroke-width="2"/>'
    )
    height = y + 28 + 7 * 12 + 2
    return (
        f'<svg viewBox="0 0 548 {height:g}" width="548" height="{height:g}" '
        'role="img" fill="currentColor" aria-label="One digit in the '
        "LeNet-5 of 1998: what it reads, every map of every layer, orange "
        "above zero and blue below, and the 84 units of F6 as a bitmap "
        f'beside the ten that it is compared with">{"".join(parts)}</svg>'
    )


def _sheet(maps: np.ndarray, columns: int) -> np.ndarray:
    """All maps of a layer side by side, in colours, white between them."""
    count, side = len(maps), maps.shape[-1]
    gap = 1 if side > 1 else 0
    step = side + gap
    rows = math.ceil(count / columns)
    sheet = np.full((rows * step - gap, columns * step - gap, 3), 255, int)
    for number, plane in enumerate(maps):
        row, column = (n * step for n in divmod(number, columns))
        sheet[row : row + side, column : column + side] = _signed(plane)
    return sheet


def _signed(values: np.ndarray) -> np.ndarray:
    """Orange above zero, blue below: full at ±1.7159."""
    share = (np.abs(values) / 1.7159).clip(0, 1)[..., None]
    full = np.where(values[..., None] > 0, MORE, LESS)
    return (255 - (255 - full) * share).round().astype(int)


def _grey(share: np.ndarray) -> np.ndarray:
    """Ink on paper."""
    share = share.clip(0, 1)[..., None]
    return (255 - (255 - np.array(INK)) * share).round().astype(int)


def _png(colours: np.ndarray) -> str:
    from PIL import Image

    file = io.BytesIO()
    picture = Image.fromarray(colours.astype(np.uint8), "RGB")
    picture.quantize(64).save(file, "PNG", optimize=True)
    code = base64.b64encode(file.getvalue()).decode()
    return f"data:image/png;base64,{code}"
