"""How fast a run learned, from its loss curve (P1 section 3.2, Figs 2 and 10)."""

from __future__ import annotations

from rbench import Metric, MetricContext, MetricValue, NoOptions, Outcome

SHARE = 0.9


def measure(outcome: Outcome, context: MetricContext, options: NoOptions) -> list[MetricValue]:
    """Two numbers of the training loss's curve, both lower where a run converges faster.

    ``train_loss_mean``: the mean of the curve, which is the area under it over the run's length;
    it is lower for a run that gets low early, and compares runs of one loss and one recipe.
    ``train_share_to_90``: the share of the run, in (0, 1], after which the loss had made 90 % of
    its way from the first point to the lowest. It depends on where a run ends: of a loss that goes
    on falling, a longer run has another lowest point and another length, so that only runs of one
    length compare. None, with a note, where the loss never falls below its first point.
    The curve is ``history.step_loss`` where the task keeps one, else the loss of each epoch.
    Without a curve of two points there is neither.
    """
    curve = outcome.history.get("step_loss") or outcome.history.get("train_loss") or []
    if len(curve) < 2:
        context.note("convergence: the loss curve has fewer than two points")
        return []
    falls = min(curve) < curve[0]
    if not falls:
        context.note("convergence: the training loss never falls below its first point")
    goal = curve[0] - SHARE * (curve[0] - min(curve))
    reached = next((place for place, loss in enumerate(curve) if loss <= goal), 0)
    values: dict[str, float | None] = {
        "train_loss_mean": sum(curve) / len(curve),
        "train_share_to_90": (reached + 1) / len(curve) if falls else None,
    }
    return [
        MetricValue(name=name, value=value, higher_is_better=False, n=len(curve))
        for name, value in values.items()
    ]


COMPONENT = Metric(
    name="convergence",
    summary="Mean of the training loss's curve, and the share of the run to 90 % of its fall.",
    measure=measure,
)
