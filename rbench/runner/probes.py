"""The probes of a run: the metrics that its spec asks to be measured between epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench.plugin.contexts import MetricContext, Note, Probe
from rbench.seeds import derive

if TYPE_CHECKING:
    from accelerate import Accelerator

    from rbench.plugin.outcomes import Outcome
    from rbench.records.record import MetricValue
    from rbench.spec.evaluation import ProbeSpec
    from rbench.spec.resolve import Resolved


def make_probes(resolved: Resolved, accelerator: Accelerator, note: Note) -> tuple[Probe, ...]:
    """What :func:`rbench.train` shall measure between epochs, each metric with its own seed."""

    def probe(spec: ProbeSpec) -> Probe:
        def measure(outcome: Outcome) -> list[MetricValue]:
            values: list[MetricValue] = []
            for metric in spec.metrics:
                context = MetricContext(
                    seed=derive(resolved.spec.seed, "metric", metric.component.name),
                    device=accelerator.device,
                    accelerator=accelerator,
                    note=note,
                )
                values += metric.component.measure(outcome, context, metric.options)
            return values

        return Probe(split=spec.split, every=spec.every, measure=measure, selects=spec.selects)

    return tuple(map(probe, resolved.probes))


__all__ = ["make_probes"]
