"""Measures what ``metrics/style_distance.py`` describes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from pydantic import JsonValue

from rbench import MetricContext, MetricValue
from rbench_plugins.metrics.style_distance import StyleDistanceOptions
from rbench_plugins.stylization.evaluation import (
    ReferenceNetwork,
    by_pair,
    over_pairs,
    style_distances,
)
from rbench_plugins.stylization.outcome import StylizationOutcome


def measure(
    outcome: StylizationOutcome, context: MetricContext, options: StyleDistanceOptions
) -> Iterator[MetricValue]:
    """``style_gram`` and ``style_moment``: bounded relative distances, 0 for the style itself and
    1 for unrelated images.

    ``style_gram_content`` is the distance of the unchanged contents: a method with a larger one
    has moved away from the style. Uncertainty: standard error over pairs.
    """
    references = [ReferenceNetwork(number).to(context.device) for number in range(options.judges)]
    found: dict[str, list[float]] = {"gram": [], "moments": [], "content": []}
    spread: list[float] = []
    for _, pictures, contents, styles in by_pair(outcome, context.device):
        per_network = []
        for name, images, kind in (
            ("gram", pictures, "gram"),
            ("moments", pictures, "moments"),
            ("content", contents[:1], "gram"),
        ):
            against = styles[: len(images)]
            distances = torch.stack([style_distances(images, against, j, kind) for j in references])
            found[name].append(float(distances.mean()))
            if name == "gram":
                per_network = distances.mean(1).tolist()
        if len(references) > 1:
            spread.append(float(torch.tensor(per_network).std()))
    for name, key in (
        ("style_gram", "gram"),
        ("style_moment", "moments"),
        ("style_gram_content", "content"),
    ):
        values = found[key]
        details: dict[str, JsonValue] = {"by_pair": [round(v, 5) for v in values]}
        if key == "gram" and spread:
            details["std_over_judges"] = [round(v, 5) for v in spread]
        yield over_pairs(name, values, details, None if key == "content" else False)
