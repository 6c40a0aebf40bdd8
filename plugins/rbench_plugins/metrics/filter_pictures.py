"""Pictures of the combined filters of a layer (P2 Figs 7, 9, 10 and 11)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Metric, MetricContext, MetricValue, Options, Outcome, UserError, spatial_filters

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

NAME = "filter_pictures"


class PictureOptions(Options):
    """Options of ``filter_pictures``."""

    layer: str = Field("first", description="first, last, or a layer's name")
    at_most: int = Field(48, ge=1, le=4096, description="kernels to draw")
    scale: int = Field(8, ge=1, le=64, description="pixels a tap")


def measure(outcome: Outcome, context: MetricContext, options: PictureOptions) -> list[MetricValue]:
    """Save the picture; the value is the number of kernels in it."""
    filters = list(spatial_filters(outcome.network))
    if not filters:
        context.note(f"{NAME}: the network has no spatial filter")
        return []
    by_name = {"first": filters[0], "last": filters[-1], **{f.name: f for f in filters}}
    if options.layer not in by_name:
        raise UserError(f"{NAME}: no layer '{options.layer}'; there are {', '.join(by_name)}")
    found = by_name[options.layer]
    kernels = found.weight.detach().float().cpu().flatten(0, 1)[: options.at_most]
    caption = f"{len(kernels)} combined kernels of {found.name}, each over its largest magnitude"
    context.artifacts.save(f"filters-{found.name}.png", draw(kernels, options.scale), caption)
    return [
        MetricValue(
            name=f"{NAME}@{found.name}",
            value=float(len(kernels)),
            unit="kernels",
            n=len(kernels),
            details={"layer": found.name},
        )
    ]


def draw(kernels: Tensor, scale: int) -> Image:
    """(n, k, k) as a near-square grid; blue below zero, red above, white at zero."""
    import torch
    from PIL import Image

    n, height, width = kernels.shape
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    sheet = torch.full((rows * (height + 1) + 1, columns * (width + 1) + 1, 3), 0.8)
    for i, kernel in enumerate(kernels):
        y, x = (i // columns) * (height + 1) + 1, (i % columns) * (width + 1) + 1
        value = kernel / kernel.abs().max().clamp(min=1e-12)
        fade = 1 - value.abs()
        red, blue = torch.where(value < 0, fade, 1), torch.where(value > 0, fade, 1)
        sheet[y : y + height, x : x + width] = torch.stack([red, fade, blue], dim=-1)
    pixels = (sheet * 255).round().byte().numpy()
    image = Image.fromarray(pixels)
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


COMPONENT = Metric(
    name=NAME,
    summary="Picture of a layer's combined kernels (P2 Figs 7, 9-11).",
    measure=measure,
    options=PictureOptions,
)
