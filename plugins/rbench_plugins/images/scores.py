"""Scores of images against images, per network and image, as metric values with their controls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from rbench import ImagesOutcome, MetricValue
from rbench_plugins.images.controls import controls
from rbench_plugins.images.mappings import FITTED, mapping
from rbench_plugins.images.outcome import ReconstructionOutcome
from rbench_plugins.images.ssim import grey

Score = Callable[[Tensor, Tensor], Tensor]
"""(outputs (M, c, H, W), inputs (M, c, H, W)) -> (M,)."""


@dataclass(frozen=True)
class ScoreInfo:
    """What a score is called, and which way is better."""

    name: str
    unit: str
    higher_is_better: bool


def scores(outcome: ImagesOutcome, score: Score, name: str | None = None) -> Tensor:
    """``score`` of each network and image, (networks, M); under the mapping ``name`` if given."""
    parts = outcome.outputs.split(len(outcome.inputs))
    change = None
    if name is not None:
        assert isinstance(outcome, ReconstructionOutcome)
        parts, change = outcome.raw.split(len(outcome.inputs)), mapping(name)
    return torch.stack(
        [
            score(
                *to_same_channels(
                    part if change is None else change(part, outcome.inputs), outcome.inputs
                )
            )
            for part in parts
        ]
    )


def to_same_channels(outputs: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Both grey where they differ in channels."""
    if outputs.shape[-3] == inputs.shape[-3]:
        return outputs, inputs
    return grey(outputs), grey(inputs)


def metric_values(
    outcome: ImagesOutcome,
    score: Score,
    scale: ScoreInfo,
    seed: int,
    with_controls: bool,
    found: Tensor | None = None,
) -> Iterator[MetricValue]:
    """The score of the outputs (``found`` if known), of each mapping to compare, of controls."""
    mapped = outcome if isinstance(outcome, ReconstructionOutcome) else None
    name = None if mapped is None else mapped.mapping
    yield value(scale, "", scores(outcome, score) if found is None else found, mapping=name)
    for other in () if mapped is None else mapped.compare:
        yield value(scale, f"_{other}", scores(outcome, score, other), mapping=other)
    if with_controls:
        for control, images in controls(outcome.inputs, seed).items():
            yield value(scale, f"_{control}", score(images, outcome.inputs)[None], control=True)


def value(
    scale: ScoreInfo,
    suffix: str,
    found: Tensor,
    *,
    mapping: str | None = None,
    control: bool = False,
) -> MetricValue:
    """Mean over images, then over networks, of ``found`` (networks, M), with its spread.

    The spread is the standard deviation (ddof 1) over networks where there are several (P1
    section 4.2), else the standard error over images.
    """
    found = found.double()
    of_networks = found.mean(1)
    networks, images = found.shape
    details: dict[str, object] = {
        "per_image": _rounded(found.mean(0)),
        "per_network": _rounded(of_networks),
    }
    if mapping is not None:
        details |= {"mapping": mapping, "fitted": mapping in FITTED}
    if control:
        details["control"] = True
    spread, kind = None, None
    if networks > 1:
        spread, kind = float(of_networks.std()), "standard deviation over networks"
    elif images > 1:
        spread, kind = float(found[0].std()) / images**0.5, "standard error over images"
    return MetricValue(
        name=scale.name + suffix,
        value=float(of_networks.mean()),
        unit=scale.unit,
        higher_is_better=scale.higher_is_better,
        n=networks if networks > 1 else images,
        uncertainty=spread,
        uncertainty_kind=kind,
        over="networks" if networks > 1 else None,
        details=details,  # type: ignore[arg-type]
    )


def _rounded(values: Tensor) -> list[float | None]:
    return [round(v, 6) if abs(v) < float("inf") else None for v in values.tolist()]
