"""A metric: how sure the classifier is of its own answers."""

import rbench


def measure(outcome, context, options):
    certainty = outcome.logits.softmax(1).amax(1)
    yield rbench.MetricValue(
        name="docs_confidence",
        value=100 * float(certainty.mean()),
        unit="%",
        n=len(certainty),
        uncertainty=100 * float(certainty.std()) / len(certainty) ** 0.5,
        uncertainty_kind="standard error over images",
    )


@rbench.hookimpl
def rbench_register_metrics():
    return [
        rbench.Metric(
            name="docs_confidence",
            summary="Mean probability of the predicted class.",
            measure=measure,
            reads=rbench.ClassificationOutcome,
        )
    ]
