"""Pictures that are drawn and not collected: printed glyphs, and stripes.

They stand in where a chapter needs another data set beside the handwritten
digits: as many as you like, from the fonts that come with matplotlib, the
same for the same seed, and nothing to download.  Like `data.load("digits")`,
they are 20 by 20 pixels in [0, 1], ink 1 on paper 0.
"""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

SIDE, FINER = 20, 4  # drawn four times finer, then averaged
STYLES = ("", "-Bold", "-Oblique", "-BoldOblique")
FACES = (
    *(f"DejaVuSans{style}" for style in STYLES),
    *(f"DejaVuSansMono{style}" for style in STYLES),
    *(f"DejaVuSerif{s.replace('Oblique', 'Italic')}" for s in STYLES),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *(f"cm{style}10" for style in ("r", "b", "ti", "ss", "tt")),
)

OLDER = {"cmti10": "STIXGeneralItalic"}
"""What stands in for a face that Colab's matplotlib, before 3.11, lacks."""


# of 32 bits, whatever the default is
_uniform = partial(torch.rand, dtype=torch.float32)


def printed(
    characters: str = "0123456789",
    count: int = 200,
    seed: int = 0,
    faces: Sequence[str] = FACES,
) -> tuple[Tensor, Tensor]:
    """*count* pictures of each character, and their labels, its places.

    Every picture has a face at random and is turned, sheared, stretched,
    shifted, made thinner or thicker at random.
    """
    if unknown := set(faces) - set(FACES):
        raise ValueError(
            f"There is no face called {min(unknown)!r} here; try some of "
            f"{', '.join(FACES[:3])} and the others in glyphs.FACES."
        )
    generator = torch.Generator().manual_seed(seed)
    plates = torch.stack(
        [_plate(c, face) for c in characters for face in faces]
    )
    labels = torch.arange(len(characters)).repeat_interleave(count)
    chosen = torch.randint(len(faces), (len(labels),), generator=generator)
    images = _thicken(plates[labels * len(faces) + chosen], generator)
    return _bend(images, generator), labels


def stripes(count: int = 200, seed: int = 0) -> tuple[Tensor, Tensor]:
    """*count* pictures of each of ten kinds of stripes, and their labels.

    Five directions, each fine and coarse: class 2d is direction d with fine
    stripes, class 2d + 1 with coarse ones.  Direction, width, place and
    contrast waver at random, and there is noise.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(10).repeat_interleave(count)

    def between(low: float, high: float) -> Tensor:
        shape = len(labels), 1, 1
        return low + (high - low) * _uniform(*shape, generator=generator)

    kinds = labels[:, None, None].float()
    angle = math.pi / 5 * (kinds // 2) + between(-0.2, 0.2)
    width = (3 + 3 * (kinds % 2)) * between(-0.2, 0.2).exp()
    right = torch.arange(SIDE)[None, None, :]
    down = torch.arange(SIDE)[None, :, None]
    along = right * angle.cos() + down * angle.sin()
    wave = torch.sin(2 * math.pi * (along / width + between(0, 1)))
    noise = torch.randn(wave.shape, generator=generator, dtype=torch.float32)
    images = 0.5 + between(0.2, 0.5) * wave + 0.1 * noise
    return images.clamp(0, 1)[:, None], labels


def _plate(character: str, face: str) -> Tensor:
    """One glyph, drawn large, its longer side 15 of the 20 pixels."""
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    file = folder / f"{face}.ttf"
    if not file.is_file():
        file = folder / f"{OLDER[face]}.ttf"
    font = ImageFont.truetype(file, 96, layout_engine=ImageFont.Layout.BASIC)
    box = font.getbbox(character)
    ink = Image.new("L", (box[2] - box[0], box[3] - box[1]))
    ImageDraw.Draw(ink).text((-box[0], -box[1]), character, 255, font)
    ink = ink.crop(ink.getbbox())
    scale = 15 * FINER / max(ink.size)
    ink = ink.resize([max(1, round(side * scale)) for side in ink.size])
    plate = Image.new("L", (SIDE * FINER, SIDE * FINER))
    plate.paste(ink, [(SIDE * FINER - side) // 2 for side in ink.size])
    return torch.from_numpy(np.asarray(plate, np.float32) / 255)[None]


def _thicken(images: Tensor, generator: torch.Generator) -> Tensor:
    """Take off a quarter of a pixel all around, or add up to two."""
    steps = torch.randint(-1, 3, (len(images),), generator=generator)
    images = images.clone()
    for step in (-1, 1, 2):
        some, sign = images[steps == step], 1 if step > 0 else -1
        images[steps == step] = sign * F.max_pool2d(
            sign * some, 2 * abs(step) + 1, stride=1, padding=abs(step)
        )
    return images


def _bend(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turn, shear, stretch and shift at random, and average to 20 by 20."""

    def between(limit: float) -> Tensor:
        shares = _uniform(len(images), generator=generator)
        return limit * (2 * shares - 1)

    angle, shear = between(math.radians(10)), between(0.15)
    width, height = between(0.12).exp(), between(0.12).exp()
    rows = [
        torch.stack([angle.cos() * width, shear - angle.sin(), between(0.08)]),
        torch.stack([angle.sin(), angle.cos() * height, between(0.08)]),
    ]
    affine = torch.stack(rows).permute(2, 0, 1)
    places = F.affine_grid(affine, list(images.shape), align_corners=False)
    return F.avg_pool2d(
        F.grid_sample(images, places, align_corners=False), FINER
    )
