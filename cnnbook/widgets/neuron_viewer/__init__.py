"""What did this neuron see?  Digits, patches, deconvnet, occlusion.

Everything is computed beforehand by `look`; what the book's own net saw
stands in ``digits.json`` (``benchmarks/zfnet_digits.py`` makes it).  A picture
is a text with a sign for each pixel, row after row: a hexadecimal digit from
0 to e, of which 7 is the middle.  In the file its runs are packed.
"""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from cnnbook.widgets.base import BookWidget

if TYPE_CHECKING:
    from torch import Tensor, nn

DIGITS_FILE = Path(__file__).parent / "digits.json"
TOP = 14
"""The highest level of a pixel."""

PAPER, INK = -0.1, 1.175
"""What `cnnbook.training.prepare` makes of white and of black."""

FULL = 0.6
"""The share of a picture's strongest signal that has the full colour."""

COVER, STEP = 7, 2
"""The side of the square that covers, and how far it moves at a time."""

MORE, LESS = (84, 39, 136), (179, 88, 6)
"""Purple where ink would raise the unit's answer, orange where lower it."""

TIMES = "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}"
PER_CENT = "\N{NO-BREAK SPACE}%"
HEADS = ("digit", "patch", "deconvnet", "covered")


# ---- Looking into a network ----


def look(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    channels: Mapping[str, Sequence[int]],
    count: int = 3,
) -> dict[str, Any]:
    """What some maps of *net* answer to most, as the viewer shows it.

    *images* are prepared ones, (N, 1, H, W); *channels* names maps by layer.
    """
    from cnnbook import deconvnet

    digits: dict[str, str] = {}
    layers = []
    for name, chosen in channels.items():
        units = []
        for channel in chosen:
            seen = []
            best = deconvnet.strongest(net, images, name, channel, count)
            if best[-1].value <= 0:
                raise ValueError(
                    f"Fewer than {count} of the images make map {channel} of "
                    f"{name} answer; choose another map."
                )
            for found in best:
                image = images[found.image]
                digits[str(found.image)] = pack(encode(image[0], PAPER, INK))
                seen.append(
                    {
                        "digit": str(found.image),
                        "label": int(labels[found.image]),
                        **_unit(net, image, name, channel, found),
                    }
                )
            units.append({"channel": channel, "seen": seen})
        field = deconvnet.window(net, name, 0, 0)[2]
        layers.append({"name": name, "field": field, "units": units})
    return {
        "side": images.shape[3],
        "cover": COVER,
        "step": STEP,
        "digits": digits,
        "layers": layers,
    }


def _unit(
    net: nn.Module, image: Tensor, name: str, channel: int, found: Any
) -> dict[str, Any]:
    """What one unit saw in one image."""
    from cnnbook import deconvnet

    row, column, field = deconvnet.window(net, name, found.row, found.column)
    box = [
        max(row, 0),
        max(column, 0),
        min(row + field, image.shape[1]) - max(row, 0),
        min(column + field, image.shape[2]) - max(column, 0),
    ]
    picture = deconvnet.reconstruct(net, image[None], name, channel)[0, 0]
    picture = picture[box[0] : box[0] + box[2], box[1] : box[1] + box[3]]
    reach = FULL * float(picture.abs().max()) or 1.0

    def answer(batch: Tensor) -> Tensor:
        maps, _ = deconvnet.climb(net, batch, name)
        return maps[:, channel, found.row, found.column]

    left = deconvnet.occlusion(answer, image, COVER, STEP, PAPER)
    left = (left / found.value).clamp(0, 1)
    worst, place = left.flatten().min(dim=0)
    at = [STEP * n for n in divmod(int(place), left.shape[1])]
    return {
        "value": f"{found.value:.2f}",
        "box": box,
        "picture": pack(encode(picture, -reach, reach)),
        "left": pack(encode(left, 0, 1)),
        "worst": [*at, 100 - round(100 * worst.item())],
    }


def encode(picture: Tensor, low: float, high: float) -> str:
    """A picture as a text: levels from 0 at *low* to 14 at *high*."""
    levels = (TOP * (picture - low) / (high - low)).round().clamp(0, TOP)
    return "".join(f"{int(level):x}" for level in levels.flatten().tolist())


def pack(text: str) -> str:
    """Write runs shorter: "0000" as "0g", for f is three, g four, z 23."""
    return re.sub(
        r"(.)\1{2,22}",
        lambda run: run[1] + chr(ord("f") + len(run[0]) - 3),
        text,
    )


# ---- What Python and the page's script both compute ----


def unpack(text: str) -> str:
    """Undo `pack`."""
    return re.sub(
        r"(.)([f-z])",
        lambda run: run[1] * (ord(run[2]) - ord("f") + 3),
        text,
    )


def cut(text: str, side: int, box: Sequence[int]) -> str:
    """The part of a square picture inside a box."""
    row, column, height, width = box
    starts = [side * r + column for r in range(row, row + height)]
    return "".join(text[start : start + width] for start in starts)


def grey(text: str) -> list[int]:
    """Ink is dark: white for level 0, black for the highest."""
    return [255 - 255 * int(sign, 16) // TOP for sign in text]


def signed(picture: str, digit: str) -> list[list[int]]:
    """Colours for what the deconvnet makes, over the faint digit.

    The stronger the signal, the fuller its colour; level 7 is no signal.
    """
    middle = TOP // 2
    colours = []
    for sign, ink in zip(picture, digit, strict=True):
        level = int(sign, 16) - middle
        paper = 255 - 5 * int(ink, 16)
        colours.append(
            [
                paper - (paper - full) * abs(level) // middle
                for full in (MORE if level > 0 else LESS)
            ]
        )
    return colours


def heat(left: str, digit: str, side: int, step: int) -> list[list[int]]:
    """Colours for what is left of an answer, with the digit shown through.

    White where covering leaves all, orange where it leaves nothing; the ink
    darkens by half.
    """
    across = side // step
    colours = []
    for at, sign in enumerate(digit):
        place = across * (at // side // step) + at % side // step
        lost = TOP - int(left[place], 16)
        shade = 2 * TOP - int(sign, 16)
        colours.append(
            [
                (255 - (255 - full) * lost // TOP) * shade // (2 * TOP)
                for full in (222, 104, 20)
            ]
        )
    return colours


def sentence(data: Mapping[str, Any], unit: str) -> str:
    """Say in words what a unit answers to, and what covering costs it."""
    layer, chosen = find(data, unit)
    seen = chosen["seen"]
    said = [f"{named(one['label'])} ({one['value']})" for one in seen]
    row, column, lost = seen[0]["worst"]
    many = f"{', '.join(said[:-1])} and {said[-1]}" if said[1:] else said[0]
    return (
        f"{layer['name']}, map {chosen['channel']}: a unit can see "
        f"{layer['field']}{TIMES}{layer['field']} pixels. Of the test digits, "
        f"this map answers most to {many}. Cover {data['cover']}{TIMES}"
        f"{data['cover']} pixels of the first around row {row}, column "
        f"{column}, and the unit's answer falls by {lost}{PER_CENT}."
    )


def named(label: int) -> str:
    """A digit with its article."""
    return f"an {label}" if label == 8 else f"a {label}"


def find(data: Mapping[str, Any], unit: str) -> tuple[dict, dict]:
    """The layer and the entry of a unit such as "conv3.17"."""
    name, _, channel = unit.partition(".")
    for layer in data["layers"]:
        for entry in layer["units"]:
            if layer["name"] == name and str(entry["channel"]) == channel:
                return layer, entry
    raise ValueError(
        f"The viewer has no unit {unit!r}; it has {', '.join(units(data))}."
    )


def units(data: Mapping[str, Any]) -> list[str]:
    """The names of all units, in order."""
    return [
        f"{layer['name']}.{entry['channel']}"
        for layer in data["layers"]
        for entry in layer["units"]
    ]


# ---- The widget ----


class NeuronViewer(BookWidget):
    """What some maps of a trained network answer to most.

    Without *data* it shows the small ZFNet that the book trained on the
    digits; `look` makes data of another network.  ``unit`` names the layer
    and the map that is shown: ``"conv3.17"``.
    """

    _name = "neuron_viewer"

    data = traitlets.Dict().tag(sync=True)
    unit = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self, data: dict[str, Any] | None = None, unit: str = ""
    ) -> None:
        if data is None:
            data = json.loads(DIGITS_FILE.read_text(encoding="utf-8"))
        super().__init__(data=data, unit=unit or units(data)[0])

    @traitlets.validate("unit")
    def _known(self, proposal: dict) -> str:
        find(self.data, proposal["value"])
        return proposal["value"]

    def __repr__(self) -> str:
        names = units(self.data)
        return f"NeuronViewer({len(names)} units, {self.unit})"

    def _static(self) -> str:
        words = sentence(self.data, self.unit)
        _, chosen = find(self.data, self.unit)
        heads = "".join(f'<th scope="col">{head}</th>' for head in HEADS)
        rows = "".join(_row(self.data, one) for one in chosen["seen"])
        return (
            '<figure class="nv"><table class="nv-table"><thead><tr>'
            f'<th scope="col">answer</th>{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table>"
            f"<figcaption>{html.escape(words)}</figcaption></figure>"
        )


def labels(one: Mapping[str, Any]) -> list[str]:
    """What each picture of a row shows, for those who do not see it."""
    row, column, height, width = one["box"]
    at, across, lost = one["worst"]
    return [
        f"test digit {one['digit']}, {named(one['label'])}, with the window "
        f"of the unit: {height} by {width} pixels from row {row}, column "
        f"{column}",
        "the pixels inside the window",
        "what the deconvnet makes of the unit's answer: purple where ink "
        "says more, orange where it says less",
        f"how much covering takes: most, {lost} %, around row {at}, column "
        f"{across}",
    ]


def _row(data: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    side, box = data["side"], one["box"]
    digit = unpack(data["digits"][one["digit"]])
    row, column, height, width = box
    at, across, _ = one["worst"]
    before = (data["cover"] - 1) // 2
    patch = cut(digit, side, box)
    pictures = [
        _png([[g] * 3 for g in grey(digit)], side),
        _png([[g] * 3 for g in grey(patch)], width),
        _png(signed(unpack(one["picture"]), patch), width),
        _png(heat(unpack(one["left"]), digit, side, data["step"]), side),
    ]
    frames = [
        (column, row, width, height),
        None,
        None,
        (across - before, at - before, data["cover"], data["cover"]),
    ]
    cells = "".join(
        f'<td><div class="nv-cell"><img src="{picture}" width="96" '
        f'height="96" alt="{label}">{_frame(frame, side)}</div></td>'
        for picture, frame, label in zip(
            pictures, frames, labels(one), strict=True
        )
    )
    return (
        f'<tr><th scope="row">{one["value"]} '
        f"<small>{named(one['label'])}</small></th>{cells}</tr>"
    )


def _frame(frame: tuple[int, int, int, int] | None, side: int) -> str:
    if frame is None:
        return ""
    x, y, width, height = frame
    return (
        f'<svg viewBox="0 0 {side} {side}" aria-hidden="true"><rect '
        f'x="{x}" y="{y}" width="{width}" height="{height}" fill="none" '
        'stroke="#b83c18"/></svg>'
    )


def _png(colours: list[list[int]], width: int) -> str:
    from PIL import Image

    height = len(colours) // width
    flat = bytes(value for colour in colours for value in colour)
    picture = Image.frombytes("RGB", (width, height), flat)
    if all(r == g == b for r, g, b in colours):
        picture = picture.convert("L")
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    code = base64.b64encode(file.getvalue()).decode()
    return f"data:image/png;base64,{code}"
