"""How much depends on each layer: reset one at a time (Zhang, Bengio and Singer, 1902.01996).

Measured as by Gavrikov et al. 2024: 1 - cos of the probabilities before and after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, JsonValue, field_validator

from rbench import (
    ClassificationOutcome,
    Metric,
    MetricContext,
    MetricValue,
    Options,
    UserError,
    derive,
)

if TYPE_CHECKING:
    from torch import nn

NAME = "criticality"
Mode = Literal["reinit", "rerand", "zero"]


class CriticalityOptions(Options):
    """Options of ``criticality``."""

    modes: tuple[Mode, ...] = Field(
        ("reinit", "rerand"),
        min_length=1,
        description="reinit: the layer's own initial values; rerand: a fresh draw; zero",
    )
    trials: int = Field(3, ge=1, le=100, description="fresh draws of rerand, averaged")
    images: int = Field(
        1000,
        ge=1,
        description="test images, evenly spaced in the dataset's order and the same for every "
        "run; all of them are classified once per layer and draw",
    )
    filters_only: bool = Field(
        False,
        description="of LC-blocks reset the random filters alone and keep the 1x1 weights "
        "(needs execution=unfolded or folded)",
    )

    @field_validator("modes", mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


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
    from rbench_plugins.criticality.compare import averaged, compared, predictions
    from rbench_plugins.criticality.picture import Results, draw
    from rbench_plugins.criticality.reset import layers, reset
    from rbench_plugins.images.subset import evenly

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
    from rbench_plugins.criticality.compare import averaged

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


COMPONENT = Metric(
    name=NAME,
    summary="What each layer is worth: predictions after it is reset to initial or fresh values.",
    measure=measure,
    reads=ClassificationOutcome,
    options=CriticalityOptions,
)
