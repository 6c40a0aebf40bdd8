"""``probe``: how much of the classes can be read off the features of a network that stays fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from rbench import Options, Task, UserError
from rbench_plugins.probing.outcome import LayerProbe, ProbeOutcome

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rbench import TaskContext


class ProbeOptions(Options):
    """The probe, and where in the network it reads."""

    probe: Literal["ridge", "logistic", "knn"] = Field(
        "ridge", description="ridge regression in closed form, logistic regression, k neighbors"
    )
    layers: tuple[str, ...] = Field(
        ("last",),
        description="last: the classifier's input; all: every block, then last; or patterns of "
        "module names. Pictures and attacks see the last one named",
    )
    pool: int = Field(1, ge=1, le=32, description="maps are averaged to pool x pool pixels")
    alpha: float = Field(1.0, gt=0, description="ridge: penalty on the squared weights")
    strength: float = Field(
        1.0, gt=0, description="logistic: weight of the loss against the penalty, scikit-learn's C"
    )
    k: int = Field(20, ge=1, description="knn: neighbors that vote")
    cosine: bool = Field(False, description="knn: by angle, not by Euclidean distance")
    standardize: bool = Field(
        True, description="features with mean 0 and standard deviation 1 on the training images"
    )

    @field_validator("layers", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

    @field_validator("layers")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("needs at least one layer, such as last")
        return value


def run(context: TaskContext, options: ProbeOptions) -> ProbeOutcome:
    """Compute the features of each image once; fit a probe to each layer; classify the test set.

    The network is used as it was built, in eval mode and float32; the probes are fitted and
    judged in float64. With ``--limit N`` the probes see N training images.
    """
    import torch

    from rbench import MemoryImages, Normalized, predict
    from rbench_plugins.metrics.accuracy import correct
    from rbench_plugins.probing.features import Features, Probed, chosen

    data, accelerator = context.data, context.accelerator
    if data.train is None or data.train.labels is None:
        raise UserError(f"the data set {data.name} has no labeled training images to probe with")
    if data.test is None or data.test.labels is None:
        raise UserError(f"the data set {data.name} has no labeled test images")
    train = data.train
    test = data.test.to(context.device) if isinstance(data.test, MemoryImages) else data.test
    network = Normalized(context.network, data.mean, data.std).to(context.device).eval()
    features = Features(network, chosen(context.network, options.layers), options.pool)
    with context.clock.phase("features", len(train) + len(test)):
        known = predict(features, train, accelerator, progress=context.progress, phase="features")
        unknown = predict(features, test, accelerator, progress=context.progress, phase="features")
    double = torch.float32 if context.device.type == "mps" else torch.float64
    known, unknown = known.to(context.device, double), unknown.to(context.device, double)
    labels, truth = train.labels, test.labels
    assert labels is not None
    assert truth is not None
    labels, truth = labels.to(context.device), truth.cpu()
    layers: list[LayerProbe] = []
    with context.clock.phase("probe", len(train) * len(features.columns)):
        for number, columns in enumerate(features.columns):
            at = slice(columns.start, columns.stop)
            scorer = fit(known[:, at], labels, data.num_classes, options)
            logits = scorer(unknown[:, at]).float().cpu()
            hits = int(correct(logits, truth, 1).sum())
            layers.append(LayerProbe(columns.layer, columns.stop - columns.start, hits, len(truth)))
            context.progress("probe", number + 1, len(features.columns), columns.layer)
    last = Features(network, [layers[-1].layer], options.pool)
    return ProbeOutcome(
        network=context.network,
        classifier=Probed(last, scorer).eval(),
        test=test,
        logits=logits,
        labels=truth,
        layers=layers,
        details={
            "probe": [
                {
                    "layer": one.layer,
                    "features": one.features,
                    "top1": round(100 * one.correct / one.images, 4),
                }
                for one in layers
            ]
        },
    )


def fit(features: Tensor, labels: Tensor, classes: int, options: ProbeOptions) -> nn.Module:
    """A module from features (B, d) to logits (B, classes), fitted to ``features`` (N, d)."""
    from torch import nn

    from rbench_plugins.probing import fit as probes

    prepare: list[nn.Module] = [probes.Standardize(features)] if options.standardize else []
    if options.probe == "knn" and options.cosine:
        prepare.append(probes.Unit())
    for step in prepare:
        features = step(features)
    if options.probe == "ridge":
        scorer: nn.Module = probes.ridge(features, labels, classes, options.alpha)
    elif options.probe == "logistic":
        scorer = probes.logistic(features, labels, classes, options.strength)
    else:
        scorer = probes.Neighbors(features, labels, classes, options.k)
    return nn.Sequential(*prepare, scorer)


COMPONENT = Task(
    name="probe",
    summary="A linear or k-NN classifier on the fixed features of a network, layer by layer.",
    question="Probes of fixed features",
    run=run,
    produces=ProbeOutcome,
    options=ProbeOptions,
    dataset="digits",
    metrics=("top1", "probe_layers"),
    trains=lambda options: False,
)
