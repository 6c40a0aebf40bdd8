"""Measures what ``metrics/criticality.py`` describes."""

from __future__ import annotations

from pydantic import JsonValue
from torch import nn

from rbench import ClassificationOutcome, MetricContext, MetricValue, UserError, derive
from rbench_plugins.criticality.compare import averaged, compared, predictions
from rbench_plugins.criticality.picture import Results, draw
from rbench_plugins.criticality.reset import layers, reset
from rbench_plugins.images.subset import evenly
from rbench_plugins.metrics.criticality import NAME, CriticalityOptions, Mode


def measure(
    outcome: ClassificationOutcome, context: MetricContext, options: CriticalityOptions
) -> list[MetricValue]:
    """``criticality@MODE`` in [0, 1] and ``recovered@MODE``, means over layers.

    Every convolution, linear layer and LC-block is reset by itself, with its bias. ``recovered``
    is the accuracy that is left, as a share of the trained network's. ``spatial_criticality@MODE``
    and ``spatial_recovered@MODE`` are the means over layers with filters of more than one tap.
    ``details.layers`` has both by layer with top-1 and the L1, L2 and cross-entropy distances of
    the probabilities. A layer that did not learn has the criticality 0 under reinit.
    """
    network, classifier = outcome.network, outcome.classifier.eval()
    chosen = evenly(len(outcome.test), options.images)
    batches = list(outcome.test.batches(context.batch_size, context.device, chosen))
    trained = predictions(classifier, batches)
    found = layers(network, options.filters_only)
    if not found:
        raise UserError(f"{NAME}: the network keeps no weights that can be reset")
    sources: dict[Mode, list[nn.Module | None]] = {
        mode: _sources(mode, context, options.trials) for mode in options.modes
    }
    done, total = 0, len(found) * sum(map(len, sources.values()))
    context.phase.images += total * len(trained.labels)
    results: Results = {}
    for mode, others in sources.items():
        results[mode] = {}
        for layer in found:
            trials = []
            for other in others:
                with reset(network, layer, other):
                    trials.append(compared(trained, predictions(classifier, batches)))
                done += 1
                context.progress(NAME, done, total)
            results[mode][layer.name] = averaged(trials)
    spatial = {layer.name for layer in found if layer.spatial}
    caption = (
        f"criticality of each layer on {len(trained.labels)} test images; dark: filters of more "
        "than one tap"
    )
    context.artifacts.save("criticality.png", draw(results, spatial), caption)
    values = []
    for name_of_mode, by_layer in results.items():
        of_spatial = [by_layer[name] for name in by_layer if name in spatial]
        details: dict[str, JsonValue] = {
            "layers": {
                name: {key: round(number, 6) for key, number in numbers.items()}
                for name, numbers in by_layer.items()
            },
            "spatial": dict(averaged(of_spatial)) if of_spatial else None,
            "trained_top1": trained.top1,
            "images": len(trained.labels),
        }
        for prefix, part in (("", list(by_layer.values())), ("spatial_", of_spatial)):
            if part:
                values += _means(prefix, name_of_mode, part, details if not prefix else None)
    return values


def _means(
    prefix: str, mode: str, layers: list[dict[str, float]], details: dict[str, JsonValue] | None
) -> list[MetricValue]:
    """Criticality, with ``details``, and the share of the accuracy that is left."""
    mean, n = averaged(layers), len(layers)
    name, left = f"{prefix}{NAME}@{mode}", f"{prefix}recovered@{mode}"
    return [
        MetricValue(name=name, value=mean["criticality"], n=n, details=details),
        MetricValue(name=left, value=mean["recovered"], unit="of the accuracy", n=n),
    ]


def _sources(mode: Mode, context: MetricContext, trials: int) -> list[nn.Module | None]:
    """The networks whose values a layer takes, one per trial; None stands for zeros."""
    if mode == "zero":
        return [None]
    if context.rebuild is None:
        raise UserError(f"{NAME}: the mode {mode} needs a run, which can build its network again")
    if mode == "reinit":
        return [context.rebuild()]
    return [context.rebuild(derive(context.seed, NAME, number)) for number in range(trials)]
