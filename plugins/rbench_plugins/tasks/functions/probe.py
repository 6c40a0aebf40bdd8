"""Runs the task that ``tasks/probe.py`` describes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rbench import MemoryImages, Normalized, TaskContext, UserError, predict
from rbench_plugins.metrics.accuracy import correct
from rbench_plugins.probing import fit as probes
from rbench_plugins.probing.features import Features, Probed, chosen
from rbench_plugins.probing.outcome import LayerProbe, ProbeOutcome
from rbench_plugins.tasks.probe import ProbeOptions


def run(context: TaskContext, options: ProbeOptions) -> ProbeOutcome:
    """Compute the features of each image once; fit a probe to each layer; classify the test set.

    The network is used as it was built, in eval mode and float32; the probes are fitted and
    judged in float64. With ``--limit N`` the probes see N training images.
    """
    data, accelerator = context.data, context.accelerator
    if data.train is None or data.train.labels is None:
        raise UserError(f"the dataset {data.name} has no labeled training images to probe with")
    if data.test is None or data.test.labels is None:
        raise UserError(f"the dataset {data.name} has no labeled test images")
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
            right = int(correct(logits, truth, 1).sum())
            layers.append(
                LayerProbe(columns.layer, columns.stop - columns.start, right, len(truth))
            )
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
