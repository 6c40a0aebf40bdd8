"""Measures what ``metrics/fgsm.py`` describes."""

from __future__ import annotations

from rbench import ClassificationOutcome, MetricContext, MetricValue
from rbench_plugins.attacks.engines import fgsm
from rbench_plugins.attacks.evaluate import Ensemble, evaluate, percent
from rbench_plugins.attacks.options import label
from rbench_plugins.images.subset import evenly
from rbench_plugins.metrics.accuracy import accuracy
from rbench_plugins.metrics.fgsm import FgsmOptions


def measure(
    outcome: ClassificationOutcome, context: MetricContext, options: FgsmOptions
) -> list[MetricValue]:
    """Percentage of test images that are classified correctly both clean and attacked.

    One value per epsilon, over all test images or the ``images`` evenly spaced ones; ``n`` says
    how many. ``details`` has the clean accuracy and the share of images that the attack could not
    change because their gradient is zero.
    """
    classifier = outcome.classifier.eval()
    ensembles = [
        Ensemble("fgsm", epsilon, [fgsm(classifier, epsilon, options.engine)], every_image=True)
        for epsilon in options.epsilons
    ]
    chosen = evenly(len(outcome.test), options.images)
    clean, results = evaluate(outcome, context, ensembles, chosen, "fgsm")
    values = []
    for epsilon, result in zip(options.epsilons, results, strict=True):
        unmoved = percent(result.unmoved)
        name = f"fgsm@{label(epsilon)}"
        if unmoved > 1:
            context.note(
                f"{name}: the gradient of {unmoved:.1f} % of the images is zero (saturated "
                "logits?), so the attack left them unchanged and their robustness says nothing"
            )
        details = {"clean": percent(clean), "unmoved": unmoved}
        values.append(accuracy(name, result.robust, details))
    return values
