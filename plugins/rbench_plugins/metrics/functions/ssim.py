"""Measures what ``metrics/ssim.py`` describes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from rbench import ImagesOutcome, MetricContext, MetricValue
from rbench_plugins.images.grid import Tile, grid
from rbench_plugins.images.scores import ScoreInfo, metric_values, scores, value
from rbench_plugins.images.ssim import Ssim, grey
from rbench_plugins.metrics.ssim import SsimOptions


def measure(
    outcome: ImagesOutcome, context: MetricContext, options: SsimOptions
) -> Iterator[MetricValue]:
    """``ssim`` in [-1, 1], by image, its mean over images, then mean and std over networks.

    11x11 Gaussian window, sigma 1.5, data range 1. Where an image's SSIM is negative its
    luminosity is inverted first, as in P1; ``ssim_uninverted`` is the mean without that and
    ``ssim_inverted_share`` the share of images so treated. UserError below 11 pixels.
    """
    reference = Ssim(grey(outcome.inputs))
    plain: list[Tensor] = []

    def paper(image: Tensor, _: Tensor) -> Tensor:
        inverted_where_negative, as_it_is = reference.of_paper(grey(image))
        plain.append(as_it_is)
        return inverted_where_negative

    found = scores(outcome, paper)
    uninverted = torch.stack(plain)
    scale = ScoreInfo("ssim", "", True)
    yield from metric_values(outcome, paper, scale, context.seed, options.controls, found)
    yield value(scale, "_uninverted", uninverted)
    share = value(ScoreInfo("ssim_inverted", "share", False), "_share", (uninverted < 0).double())
    yield share.model_copy(update={"higher_is_better": None})
    _save_nearest(outcome, context, found, options.nearest)


def _save_nearest(
    outcome: ImagesOutcome, context: MetricContext, found: Tensor, count: int
) -> None:
    """Of each of the first images, the grey output whose SSIM is nearest to the networks' mean."""
    networks, images = found.shape
    if networks == 1:
        return
    outputs = outcome.outputs.unflatten(0, (networks, images))
    for index in range(min(count, images)):
        of_image = found[:, index]
        best = int((of_image - of_image.mean()).abs().argmin())
        tile = Tile(grey(outputs[best, index]), f"SSIM {float(of_image[best]):.3f}")
        context.artifacts.save(
            f"nearest_{index}.png",
            grid([[tile]]),
            f"{outcome.names[index]}: network {best} of {networks}, the nearest to the mean SSIM "
            f"{float(of_image.mean()):.3f}",
        )
