"""Measures what ``metrics/pgd.py`` describes."""

from __future__ import annotations

from torch import Tensor

from rbench import ClassificationOutcome, MetricContext, MetricValue
from rbench_plugins.attacks.engines import fgsm, pgd
from rbench_plugins.attacks.evaluate import Ensemble, evaluate, percent, weaker_is_not_stronger
from rbench_plugins.attacks.options import label
from rbench_plugins.images.subset import evenly
from rbench_plugins.metrics.accuracy import accuracy
from rbench_plugins.metrics.pgd import PgdOptions

LARGE = 0.5
"""At this epsilon every image can be made uniformly grey, so that nothing can be robust."""


def measure(
    outcome: ClassificationOutcome, context: MetricContext, options: PgdOptions
) -> list[MetricValue]:
    """Percentage of test images that are classified correctly clean and after every restart.

    One value per epsilon. ``details`` has the clean accuracy and FGSM's on the same images, and
    ``at_half``, the percentage that resists epsilon 0.5: gradients are masked (Carlini et al.
    2019, section 5.2) where that is not 0, and a note says so. A note as well where FGSM is the
    stronger attack.
    """
    classifier = outcome.classifier.eval()

    def ensemble(epsilon: float) -> Ensemble:
        attack = pgd(classifier, epsilon, options.step(epsilon), options.steps, options.engine)
        return Ensemble("pgd", epsilon, [attack] * options.restarts)

    strong = [ensemble(epsilon) for epsilon in options.epsilons]
    weak = [
        Ensemble("fgsm", epsilon, [fgsm(classifier, epsilon, options.engine)])
        for epsilon in options.epsilons
    ]
    chosen = evenly(len(outcome.test), options.images)
    clean, results = evaluate(outcome, context, strong + weak, chosen, "pgd")
    large = options.model_copy(update={"step_size": None})
    at_half: Tensor | None = None
    if options.check_images:
        check = evenly(len(outcome.test), options.check_images)
        attack = pgd(classifier, LARGE, large.step(LARGE), options.steps, options.engine)
        _, (found,) = evaluate(
            outcome, context, [Ensemble("pgd", LARGE, [attack])], check, "pgd at 0.5"
        )
        at_half = found.robust
        if at_half.any():
            context.note(
                f"pgd: {percent(at_half):.1f} % of {len(at_half)} images resist even epsilon 0.5, "
                "where every image can be made grey: the gradients are masked (or the classifier "
                "is constant), and robust accuracies say little"
            )
    values = []
    for epsilon, result, single in zip(
        options.epsilons, results, results[len(strong) :], strict=False
    ):
        at = label(epsilon)
        details = {"clean": percent(clean), "fgsm": percent(single.robust)}
        if at_half is not None:
            details["at_half"] = percent(at_half)
        value = accuracy(f"pgd@{at}", result.robust, details)
        weaker_is_not_stronger(
            context, at, [("fgsm", percent(single.robust)), ("pgd", percent(result.robust))]
        )
        values.append(value)
    return values
