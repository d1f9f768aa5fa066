"""What VGG needs of a machine's memory: where it goes, whether it fits."""

from __future__ import annotations

from typing import Any, NamedTuple

import traitlets

from cnnbook.geometry import conv_parameters, dense_parameters
from cnnbook.nets.vgg import TABLE
from cnnbook.widgets.base import BookWidget

COLUMNS = {name: column for name, column in TABLE.items() if len(name) == 1}
"""The columns of the paper's Table 1 that are drawn, A to E."""

CHOICES = {
    "network": {
        name: f"{name}: {len(column.replace(',', ' ').split()) + 3} layers"
        for name, column in COLUMNS.items()
    },
    "head": {"dense": "dense layers", "mean": "mean of each map"},
    "use": {"training": "training", "inference": "inference"},
    "precision": {"fp32": "fp32", "half": "fp16 or bf16"},
    "optimiser": {"sgd": "SGD", "momentum": "momentum", "adam": "Adam"},
    "checkpoints": {"none": "none", "block": "one a block"},
}
"""What can be chosen, and how it is called."""

RANGES = {"size": (32, 512, 32), "batch": (1, 1024, 1), "limit": (1, 80, 1)}
"""The least and the most that is drawn, and the step between."""

HIDDEN, CLASSES = 4096, 1000
STATE = {"sgd": 0, "momentum": 1, "adam": 2}


class Settings(NamedTuple):
    """What the reader sets, as the paper trained D, and a T4's 16 GB."""

    network: str = "D"
    size: int = 224
    batch: int = 256
    head: str = "dense"
    use: str = "training"
    precision: str = "fp32"
    optimiser: str = "momentum"
    checkpoints: str = "none"
    limit: int = 16


class Budget(NamedTuple):
    """Bytes by what they are for: whatever the batch, and for each image."""

    parameters: int
    fixed: dict[str, int]
    each: dict[str, int]

    def total(self, batch: int) -> int:
        """The bytes of everything."""
        return sum(self.fixed.values()) + batch * sum(self.each.values())

    def largest(self, limit: int) -> int:
        """The largest batch that fits into so many bytes, or 0."""
        left = limit - sum(self.fixed.values())
        return max(0, left // sum(self.each.values()))

    def parts(self, batch: int) -> dict[str, int]:
        """The bytes of each part."""
        images = {name: batch * size for name, size in self.each.items()}
        return self.fixed | images


def budget(settings: Settings) -> Budget:
    """Account for the moment at which most is held.

    Without checkpoints the backward pass is about to begin, with them it is
    back in block 1; in inference a layer of block 1 works. ReLUs work in
    place; a dropout's mask is of the maps' precision. Half precision halves
    all for inference. In training it is mixed: weights, gradients and state
    stay in four bytes, and a copy of the weights is made in two.
    """
    column, size = COLUMNS[settings.network], settings.size
    weights = parameters(column, size, settings.head)
    half = settings.precision == "half"
    value = 2 if half else 4
    if settings.use == "inference":
        fixed = [weights * value, 0, 0, 0]
        each = _in_inference(column, size, value)
    else:
        state = 4 * STATE[settings.optimiser]
        fixed = [4 * weights, 2 * half * weights, 4 * weights, state * weights]
        if settings.checkpoints == "block":
            each = _back_in_block_1(column, size, value)
        else:
            each = _kept(column, size, value, settings.head)
        # Mixed, the images as they came stay beside their copy.
        each["images"] += 3 * size**2 * 4 * half
    names = ("weights", "half copies", "gradients", "optimiser")
    usual = ["images", *(f"block {b}" for b in range(1, 6)), "head"]
    usual += ["places of maxima", "gradients of maps"]
    return Budget(
        weights,
        dict(zip(names, fixed, strict=True)),
        {name: each.get(name, 0) for name in usual},
    )


def parameters(column: str, size: int, head: str) -> int:
    """The network's weights and biases; fc6 has more for a larger input."""
    total, maps = 0, 3
    for entry in column.replace(",", " ").split():
        width = int(entry.removeprefix("1x"))
        total += conv_parameters(maps, width, 1 if "x" in entry else 3)
        maps = width
    if head == "mean":
        return total + dense_parameters(maps, CLASSES)
    total += dense_parameters(maps * (size // 32) ** 2, HIDDEN)
    total += dense_parameters(HIDDEN, HIDDEN)
    return total + dense_parameters(HIDDEN, CLASSES)


def values(column: str, size: int) -> list[tuple[int, int]]:
    """What each block's convolutions give in all, and what its pooling."""
    found = []
    for block in column.split():
        widths = [int(e.removeprefix("1x")) for e in block.split(",")]
        found.append((sum(widths) * size**2, widths[-1] * (size // 2) ** 2))
        size //= 2
    return found


def _kept(column: str, size: int, value: int, head: str) -> dict[str, int]:
    blocks = values(column, size)
    each = {"images": 3 * size**2 * value}
    for b, (maps, pooled) in enumerate(blocks, start=1):
        # What pool5 gives only dense layers ask for again; a mean does not.
        asked = b < len(blocks) or head == "dense"
        each[f"block {b}"] = (maps + pooled * asked) * value
    # A dense layer's values, the mask, and their product, twice.
    each["head"] = (6 * HIDDEN if head == "dense" else 512) * value
    each["places of maxima"] = 8 * sum(pooled for _, pooled in blocks)
    return each


def _back_in_block_1(column: str, size: int, value: int) -> dict[str, int]:
    (maps, pooled), *_ = values(column, size)
    one = 4 * pooled  # what one convolution of the block gives
    moments = [
        (2 * one * value, 0),  # the last ReLU: its gradient in and out
        ((pooled + one) * value, 8 * pooled),  # the pooling: the same
    ]
    gradients, places = max(moments, key=sum)
    return {
        "images": 3 * size**2 * value,
        "block 1": maps * value,
        "places of maxima": places,
        "gradients of maps": gradients,
    }


def _in_inference(column: str, size: int, value: int) -> dict[str, int]:
    (maps, pooled), *_ = values(column, size)
    one = 4 * pooled
    moments = [
        (maps * value, 0),  # the last convolution: input and output
        ((one + pooled) * value, 8 * pooled),  # the pooling
    ]
    block, places = max(moments, key=sum)
    return {
        "images": 3 * size**2 * value,
        "block 1": block,
        "places of maxima": places,
    }


# ---- In words ----


def gigabytes(count: int) -> str:
    """Write bytes in GB and in GiB: 1.07 GB = 1.00 GiB."""
    gb, gib = _rounded(100 * count, 10**9), _rounded(100 * count, 2**30)
    return (
        f"{gb // 100:,}.{gb % 100:02} GB = {gib // 100:,}.{gib % 100:02} GiB"
    )


def short(count: int) -> str:
    """Write bytes in the unit that suits them: 12.8 MB."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            tenths = _rounded(10 * count, unit)
            return f"{tenths // 10:,}.{tenths % 10} {name}"
    return f"{count} B"


def share(part: int, whole: int) -> str:
    """Write a part in per cent: 41.3 %."""
    tenths = _rounded(1000 * part, whole)
    if part and not tenths:
        return "< 0.1 %"
    return f"{tenths // 10}.{tenths % 10} %"


def words(settings: Settings) -> str:
    """Say how much it is, whether that fits, and where most of it goes."""
    found, limit = budget(settings), settings.limit
    total = found.total(settings.batch)
    largest = found.largest(limit * 10**9)
    fits = "It fits" if total <= limit * 10**9 else "It does not fit"
    said = f"{gigabytes(total)}. {fits} into {limit} GB; "
    if largest:
        said += f"the largest batch that would is {largest:,}."
    else:
        said += f"one image alone needs {short(found.total(1))}."
    parts = found.parts(settings.batch)
    most = max(parts, key=parts.__getitem__)
    said += f" The largest part: {most}, {share(parts[most], total)}."
    if settings.head == "mean":
        return said + (
            f" The network has {found.parameters:,} parameters, whatever "
            "the input size."
        )
    side = settings.size // 32
    fc6 = dense_parameters(512 * side**2, HIDDEN)
    return said + (
        f" fc6 looks at {side} × {side} places: {fc6:,} of the "
        f"{found.parameters:,} parameters."
    )


def note(settings: Settings) -> str:
    """Say which moment is counted, in how many bytes, and what is not."""
    half = settings.precision == "half"
    if settings.use == "inference":
        said = (
            "Counted: the weights, the images, and the layer of block 1 that "
            f"holds most while it works, {2 if half else 4} bytes a value."
        )
    elif settings.checkpoints == "block":
        said = (
            "Counted when the backward pass is back in block 1: its maps "
            "are computed anew, their gradients are on their way, and the "
            "other blocks are done."
        )
    else:
        said = (
            "Counted when the backward pass begins: all that the layers have "
            "kept for it. Gradients of maps come as kept maps go."
        )
    if settings.use == "training":
        said += (
            " Mixed precision: 2 bytes a value for maps and for a copy of "
            "the weights, 4 for weights, gradients and optimiser."
            if half
            else " 4 bytes a value."
        )
    return said + (
        " The place of a maximum takes 8. Not counted: the loss, the "
        "libraries' workspaces, the driver. A T4's 16 GB are those of its "
        "data sheet; lower the limit to leave room."
    )


# ---- The widget ----


class MemoryBudget(BookWidget):
    """Set a VGG, its input, its batch; see where the memory goes.

    The settings are those of ``Settings``, by name; ``limit`` is in GB of
    10⁹ bytes. ``budget`` has the bytes, ``largest_batch`` the largest batch
    that fits into the limit.
    """

    _name = "memory_budget"

    network = traitlets.Unicode("D").tag(sync=True)
    size = traitlets.Int(224).tag(sync=True)
    batch = traitlets.Int(256).tag(sync=True)
    head = traitlets.Unicode("dense").tag(sync=True)
    use = traitlets.Unicode("training").tag(sync=True)
    precision = traitlets.Unicode("fp32").tag(sync=True)
    optimiser = traitlets.Unicode("momentum").tag(sync=True)
    checkpoints = traitlets.Unicode("none").tag(sync=True)
    limit = traitlets.Int(16).tag(sync=True)
    columns = traitlets.Dict(COLUMNS, read_only=True).tag(sync=True)
    choices = traitlets.Dict(CHOICES, read_only=True).tag(sync=True)
    ranges = traitlets.Dict(
        {name: list(span) for name, span in RANGES.items()}, read_only=True
    ).tag(sync=True)

    @traitlets.validate(*CHOICES)
    def _known(self, proposal: dict[str, Any]) -> str:
        name, value = proposal["trait"].name, proposal["value"]
        if value not in CHOICES[name]:
            raise ValueError(
                f"MemoryBudget has no {name} {value!r}; "
                f"try {', '.join(map(repr, CHOICES[name]))}."
            )
        return value

    @traitlets.validate(*RANGES)
    def _in_range(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        least, most, step = RANGES[name]
        if not least <= value <= most or value % step:
            raise ValueError(
                f"MemoryBudget takes a {name} from {least} to {most}"
                f"{f' in steps of {step}' * (step > 1)}, not {value}."
            )
        return value

    @property
    def budget(self) -> Budget:
        """The bytes of each part."""
        return budget(self._settings)

    @property
    def largest_batch(self) -> int:
        """The largest batch that fits into the limit."""
        return self.budget.largest(self.limit * 10**9)

    @property
    def _settings(self) -> Settings:
        return Settings(*(getattr(self, name) for name in Settings._fields))

    def __repr__(self) -> str:
        settings = ", ".join(
            f"{name}={value!r}"
            for name, value in self._settings._asdict().items()
        )
        return f"MemoryBudget({settings})"

    def _static(self) -> str:
        settings = self._settings
        verdict, rest = words(settings).split("; ", 1)
        return (
            '<figure class="mb"><p class="mb-words">'
            f"<strong>{verdict}</strong>; {rest}</p>"
            f"{picture(settings)}{table(settings)}"
            f"<figcaption>{note(settings)}</figcaption></figure>"
        )


def picture(settings: Settings) -> str:
    """Draw the parts as one bar, with the limit across it."""
    found, limit = budget(settings), settings.limit * 10**9
    total = found.total(settings.batch)
    end = max(total, limit)
    start, bars = 0, []
    for place, (name, part) in enumerate(found.parts(settings.batch).items()):
        x, width = 100 * start / end, 100 * part / end
        start += part
        bars.append(
            f'<rect class="mb-part {_kind(place, part)}" x="{x:.3f}%" '
            f'width="{width:.3f}%" height="40" fill="currentColor" '
            'fill-opacity="0.2" stroke="currentColor"/>'
        )
        if fits := _fits(name, width):
            bars.append(
                f'<text class="mb-{fits}" x="{x + width / 2:.3f}%" '
                'y="20" dy=".36em" text-anchor="middle" font-size="12" '
                f'fill="currentColor">{name}</text>'
            )
    at = 100 * limit / end
    return (
        '<svg class="mb-bar" width="600" height="62" overflow="visible" '
        'role="img" aria-label="The parts of the memory as one bar beside '
        f'the limit of {settings.limit} GB; the numbers are in the table">'
        f'<rect class="mb-room" width="{at:.3f}%" height="40" fill="none"/>'
        f"{''.join(bars)}"
        f'<rect class="mb-over" x="{at:.3f}%" width="{100 - at:.3f}%" '
        'height="40" fill="none"/>'
        f'<line class="mb-limit" x1="{at:.3f}%" x2="{at:.3f}%" y1="-4" '
        'y2="46" stroke="#b83c18" stroke-width="2"/>'
        f'<text class="mb-limit" x="{at:.3f}%" y="58" font-size="12" '
        f'text-anchor="{"end" if at > 50 else "start"}" '
        f'fill="currentColor">{settings.limit} GB</text></svg>'
    )


def table(settings: Settings) -> str:
    """Write each part for one image, for the batch, and as a share."""
    found = budget(settings)
    total = found.total(settings.batch)
    rows = "".join(
        f'<tr class="{_kind(place, part)}">'
        f'<th scope="row">{name}</th>'
        f"<td>{short(found.each[name]) if name in found.each else '–'}"
        f"</td><td>{short(part)}</td><td>{share(part, total)}</td></tr>"
        for place, (name, part) in enumerate(
            found.parts(settings.batch).items()
        )
    )
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in ("Part", "An image", "In all", "Share")
    )
    return (
        f'<table class="mb-table"><thead><tr>{heads}</tr></thead>'
        f'<tbody>{rows}</tbody><tfoot><tr><th scope="row">together</th>'
        f"<td>{short(sum(found.each.values()))}</td><td>{short(total)}</td>"
        f"<td>{share(total, total)}</td></tr></tfoot></table>"
    )


def _kind(place: int, part: int) -> str:
    family = "mb-fixed" if place < 4 else "mb-each"
    if place > 10:
        family = "mb-other"
    return family + " mb-even" * (place % 2) + " mb-zero" * (not part)


def _fits(name: str, width: float) -> str:
    """Say where a name fits into a part of the bar: "", "wide" or "all"."""
    room = 6.5 * len(name)
    return (
        "all" if 3.2 * width > room else "wide" if 5.4 * width > room else ""
    )


def _rounded(count: int, unit: int) -> int:
    return (2 * count + unit) // (2 * unit)
