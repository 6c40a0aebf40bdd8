"""Robust accuracy under projected gradient descent (Madry et al., arXiv 1706.06083)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rbench import ClassificationOutcome, Metric, MetricContext, MetricValue
from rbench_plugins.attacks.options import OptionalImages, label
from rbench_plugins.metrics.accuracy import accuracy

if TYPE_CHECKING:
    from torch import Tensor

LARGE = 0.5
"""At this epsilon every image can be made uniformly grey, so that nothing can be robust."""


class PgdOptions(OptionalImages):
    """Options of ``pgd``."""

    steps: int = Field(20, ge=1, le=10_000, description="gradient steps of each restart")
    restarts: int = Field(
        1, ge=1, le=1000, description="random starts; an image is robust if it resists all"
    )
    step_size: float | None = Field(
        None, gt=0, le=1, description="change of a pixel per step; none: 2.5 epsilon / steps"
    )
    engine: Literal["torchattacks", "foolbox"] = Field(
        "torchattacks", description="whose implementation; foolbox is the extra rbench[foolbox]"
    )
    check_images: int = Field(
        100,
        ge=0,
        description="attack this many evenly spaced images with epsilon 0.5 as well, which only "
        "masked gradients resist; 0: no check",
    )

    def step(self, epsilon: float) -> float:
        """The step size for ``epsilon``."""
        return 2.5 * epsilon / self.steps if self.step_size is None else self.step_size


def measure(
    outcome: ClassificationOutcome, context: MetricContext, options: PgdOptions
) -> list[MetricValue]:
    """Percentage of test images that are classified correctly clean and after every restart.

    One value per epsilon. ``details`` has the clean accuracy and FGSM's on the same images, and
    ``at_half``, the percentage that resists epsilon 0.5: gradients are masked (Carlini et al.
    2019, section 5.2) where that is not 0, and a note says so. A note as well where FGSM is the
    stronger attack.
    """
    from rbench_plugins.attacks.engines import fgsm, pgd
    from rbench_plugins.attacks.evaluate import (
        Ensemble,
        evaluate,
        percent,
        weaker_is_not_stronger,
    )
    from rbench_plugins.images.subset import evenly

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


COMPONENT = Metric(
    name="pgd",
    summary="Accuracy in percent under projected gradient descent on [0, 1] pixels.",
    measure=measure,
    reads=ClassificationOutcome,
    options=PgdOptions,
)
