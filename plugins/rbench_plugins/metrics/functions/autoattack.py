"""Measures what ``metrics/autoattack.py`` describes."""

from __future__ import annotations

from rbench import ClassificationOutcome, MetricContext, MetricValue, derive
from rbench_plugins.attacks.engines import SMALLEST, autoattack, fgsm, pgd
from rbench_plugins.attacks.evaluate import Ensemble, evaluate, percent, weaker_is_not_stronger
from rbench_plugins.attacks.options import label
from rbench_plugins.images.subset import evenly
from rbench_plugins.metrics.accuracy import accuracy
from rbench_plugins.metrics.autoattack import AutoAttackOptions

PGD_STEPS = 20


def measure(
    outcome: ClassificationOutcome, context: MetricContext, options: AutoAttackOptions
) -> list[MetricValue]:
    """Percentage of test images that resist APGD-CE, targeted APGD-DLR, targeted FAB and Square.

    One value per epsilon, over ``images`` evenly spaced test images. ``details`` has the clean
    accuracy and those under FGSM and PGD (20 steps) on the same images; a note says where a
    weaker attack succeeds more often than a stronger one.
    """
    classifier = outcome.classifier.eval()
    classes = outcome.logits.shape[1]
    seed = derive(context.seed, "attack", "autoattack")
    if classes < SMALLEST:
        context.note(f"autoattack: no targeted APGD, whose loss needs {SMALLEST} classes")
    ensembles: list[Ensemble] = []
    for epsilon in options.epsilons:
        parts = autoattack(classifier, epsilon, classes, options.steps, options.queries, seed)
        step = 2.5 * epsilon / PGD_STEPS
        ensembles += [
            Ensemble("fgsm", epsilon, [fgsm(classifier, epsilon)]),
            Ensemble("pgd", epsilon, [pgd(classifier, epsilon, step, PGD_STEPS)]),
            Ensemble("autoattack", epsilon, parts),
        ]
    chosen = evenly(len(outcome.test), options.images)
    clean, results = evaluate(outcome, context, ensembles, chosen, "autoattack")
    values = []
    for index, epsilon in enumerate(options.epsilons):
        found = {
            ensembles[at].name: percent(results[at].robust)
            for at in range(3 * index, 3 * index + 3)
        }
        weaker_is_not_stronger(context, label(epsilon), list(found.items()))
        details = {"clean": percent(clean), "fgsm": found["fgsm"], "pgd": found["pgd"]}
        robust = results[3 * index + 2].robust
        values.append(accuracy(f"autoattack@{label(epsilon)}", robust, details))
    return values
