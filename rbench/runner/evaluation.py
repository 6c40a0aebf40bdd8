"""Measuring a network while it is trained, without a trace in what it learns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from torch import nn

from rbench.errors import UserError
from rbench.plugin.contexts import Probe, Split
from rbench.seeds import global_seed

if TYPE_CHECKING:
    from rbench.plugin.contexts import TaskContext
    from rbench.plugin.outcomes import Outcome
    from rbench.records.record import MetricValue

Evaluate = Callable[[Split], "Outcome"]
"""The outcome of the network as it is now, on the images of a split."""


class Evaluator:
    """Takes a context's probes after each epoch that they ask for."""

    def __init__(self, module: nn.Module, context: TaskContext, evaluate: Evaluate | None) -> None:
        self.module, self.context, self.evaluate = module, context, evaluate
        self.probes = context.probes
        training = context.training
        assert training is not None
        if training.keep == "best" and not any(probe.selects for probe in self.probes):
            raise UserError("--keep best: this task has no score by which to select an epoch")
        if self.probes and evaluate is None:
            if any(probe.selects for probe in self.probes):
                raise UserError("--keep best: this task does not evaluate while it trains")
            context.note("no curves: this task does not evaluate while it trains")
            self.probes = ()

    @property
    def curves(self) -> bool:
        """Whether somebody asked for curves, and so for seconds and images at each epoch."""
        return any(not probe.selects for probe in self.probes)

    def after_epoch(self, epoch: int) -> list[tuple[Probe, MetricValue]]:
        """What the probes that are due measure, in their order."""
        assert self.context.training is not None
        last = epoch + 1 == self.context.training.epochs
        due = [p for p in self.probes if last or (epoch + 1) % p.every == 0]
        if not due:
            return []
        assert self.evaluate is not None
        outcomes: dict[Split, Outcome] = {}
        found = []
        clock, start = self.context.clock, perf_counter()
        with unchanged(self.module, self.context.seed), clock.phase("curves"):
            for probe in due:
                if probe.split not in outcomes:
                    outcomes[probe.split] = self.evaluate(probe.split)
                found += [(probe, v) for v in probe.measure(outcomes[probe.split])]
        clock.exclude(perf_counter() - start)
        return found


@contextmanager
def unchanged(module: nn.Module, seed: int) -> Iterator[None]:
    """Have ``module`` evaluated in float32 inside the block, and leave no trace of it.

    Modes, gradients, the memory of the autocast wrapper and every global random state are as
    before. Between two epochs no parameter has a gradient, so none is kept.
    """
    modes = {inner: inner.training for inner in module.modules()}
    # Accelerate's autocast wrapper hides the class's own forward.
    wrapper = module.__dict__.pop("forward", None)
    try:
        with global_seed(seed, "curves"):
            yield
    finally:
        if wrapper is not None:
            module.__dict__["forward"] = wrapper
        for inner, mode in modes.items():
            inner.training = mode
        for parameter in module.parameters():
            parameter.grad = None


def series(value: MetricValue, split: Split) -> str:
    """The name of a curve in the history, such as ``top1@val``."""
    return f"{value.name}@{split}"


def better(value: MetricValue, best: float | None) -> bool:
    """Whether ``value`` beats ``best``; a number that is not finite never does."""
    if value.value is None or not math.isfinite(value.value):
        return False
    if best is None:
        return True
    return value.value > best if value.higher_is_better is not False else value.value < best


__all__ = ["Evaluate", "Evaluator", "better", "series", "unchanged"]
