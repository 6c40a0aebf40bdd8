"""Contact sheets: pictures in rows and columns, each with its label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

    from rbench import StylizationOutcome

GAP, LINE = 4, 16
MOST_ROWS = 40


@dataclass(frozen=True)
class Cell:
    """A picture (3, H, W) in [0, 1] or a PIL image, and the line beneath it."""

    picture: Tensor | Image | None
    label: str = ""


def contact_sheet(outcome: StylizationOutcome, title: str) -> Image:
    """One network: contents down, styles across. Several: a row a pair, a column a network."""
    contents, styles, pairs = outcome.contents, outcome.styles, outcome.pairs
    networks = len(outcome.outputs)
    rows: list[list[Cell]] = []
    if networks == 1:
        rows.append([Cell(None, title)])
        rows[0] += [Cell(p, n) for p, n in zip(styles, outcome.style_names, strict=True)]
        of = dict(zip(pairs, outcome.outputs[0], strict=True))
        for c, (content, name) in enumerate(zip(contents, outcome.content_names, strict=True)):
            rows.append([Cell(content, name)])
            rows[-1] += [
                Cell(of[(c, s)], f"{name} + {outcome.style_names[s]}") for s in range(len(styles))
            ]
        return sheet(rows[: MOST_ROWS + 1])
    for p, (c, s) in enumerate(pairs):
        rows.append(
            [Cell(contents[c], outcome.content_names[c]), Cell(styles[s], outcome.style_names[s])]
        )
        rows[-1] += [
            Cell(
                outcome.outputs[k, p], f"network {k + 1}, {title}" if k == 0 else f"network {k + 1}"
            )
            for k in range(networks)
        ]
    return sheet(rows[:MOST_ROWS])


def plain_sheet(outcome: StylizationOutcome) -> Image:
    """The pictures alone, a row a pair and a column a network: for figures over many records."""
    rows = [torch.cat(list(row), 2) for row in outcome.outputs.transpose(0, 1)[:MOST_ROWS]]
    return to_pil(torch.cat(rows, 1))


def sheet(rows: Sequence[Sequence[Cell]]) -> Image:
    """All cells at the size of the first picture, on white."""
    from PIL import Image, ImageDraw, ImageFont

    pictures = [[_pil(cell.picture) for cell in row] for row in rows]
    first = next(p for row in pictures for p in row if p is not None)
    width, height = first.size
    columns = max(len(row) for row in rows)
    out = Image.new(
        "RGB", (columns * (width + GAP) + GAP, len(rows) * (height + LINE + GAP) + GAP), "white"
    )
    pen, font = ImageDraw.Draw(out), ImageFont.load_default(size=11)
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            x, y = GAP + j * (width + GAP), GAP + i * (height + LINE + GAP)
            picture = pictures[i][j]
            if picture is not None:
                if picture.size != (width, height):
                    picture = _within(picture, (width, height))
                out.paste(picture, (x, y))
            text = cell.label
            while len(text) > 1 and pen.textlength(text, font=font) > width:
                text = text[:-2] + "…"
            pen.text((x, y + height + 1), text, fill="black", font=font)
    return out


def to_pil(image: Tensor) -> Image:
    """(3, H, W) in [0, 1] -> 8-bit RGB."""
    from PIL import Image

    pixels = image.mul(255).round().clamp(0, 255).byte().permute(1, 2, 0)
    return Image.fromarray(pixels.contiguous().numpy())


def _pil(picture: Tensor | Image | None) -> Image | None:
    return to_pil(picture.cpu()) if isinstance(picture, Tensor) else picture


def _within(picture: Image, size: tuple[int, int]) -> Image:
    """The whole picture inside ``size``, centred on white."""
    from PIL import Image, ImageOps

    small = ImageOps.contain(picture, size, Image.Resampling.BICUBIC)
    out = Image.new("RGB", size, "white")
    out.paste(small, ((size[0] - small.width) // 2, (size[1] - small.height) // 2))
    return out
