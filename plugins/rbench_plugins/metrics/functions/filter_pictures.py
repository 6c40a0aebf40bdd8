"""Measures what ``metrics/filter_pictures.py`` describes."""

from __future__ import annotations

import math

import torch
from PIL.Image import Image
from torch import Tensor

from rbench import MetricContext, MetricValue, Outcome, UserError, spatial_filters
from rbench_plugins.images.grid import Tile, grid
from rbench_plugins.metrics.filter_pictures import NAME, PictureOptions


def measure(outcome: Outcome, context: MetricContext, options: PictureOptions) -> list[MetricValue]:
    """Save the picture; the value is the number of kernels in it.

    A filter that reads three channels is one RGB picture: 0 is grey, and a filter's largest
    magnitude is full brightness. Other kernels are drawn one by one, red above zero, blue below.
    """
    filters = list(spatial_filters(outcome.network))
    if not filters:
        context.note(f"{NAME}: the network has no spatial filter")
        return []
    by_name = {"first": filters[0], "last": filters[-1], **{f.name: f for f in filters}}
    if options.layer not in by_name:
        raise UserError(f"{NAME}: no layer '{options.layer}'; there are {', '.join(by_name)}")
    found = by_name[options.layer]
    weight = found.weight.detach().float().cpu()
    kernels = weight.flatten(0, 1)[: options.at_most]
    if options.rgb and weight.shape[1] == 3 and len(kernels) >= 3:
        count = len(kernels) // 3
        images = [rgb(w) for w in weight[:count]]
        caption = f"{count} combined filters of {found.name} in RGB, grey is zero"
        drawn = 3 * count
    else:
        images = [signed(kernel) for kernel in kernels]
        caption = f"{len(kernels)} combined kernels of {found.name}, each over its largest value"
        drawn = len(kernels)
    context.artifacts.save(f"filters-{found.name}.png", draw(images, options.scale), caption)
    return [
        MetricValue(
            name=f"{NAME}@{found.name}",
            value=float(drawn),
            unit="kernels",
            n=drawn,
            details={"layer": found.name},
        )
    ]


def rgb(weight: Tensor) -> Tensor:
    """(3, k, k) -> an image in [0, 1]: 0.5 is zero, the largest magnitude is 0 or 1."""
    return 0.5 + 0.5 * weight / weight.abs().max().clamp(min=1e-12)


def signed(kernel: Tensor) -> Tensor:
    """(k, k) -> (3, k, k) in [0, 1]: blue below zero, red above, white at zero."""
    value = kernel / kernel.abs().max().clamp(min=1e-12)
    fade = 1 - value.abs()
    red, blue = torch.where(value < 0, fade, 1), torch.where(value > 0, fade, 1)
    return torch.stack([red, fade, blue])


def draw(images: list[Tensor], scale: int) -> Image:
    """A near-square grid of images (3, k, k), each tap ``scale`` pixels wide."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = [images[at : at + columns] for at in range(0, len(images), columns)]
    return grid(
        [[Tile(image) for image in row] for row in rows],
        at_least=scale * max(images[0].shape[-2:]),
        gap=scale,
        background="lightgrey",
    )
