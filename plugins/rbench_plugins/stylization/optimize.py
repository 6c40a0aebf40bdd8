"""Iterative optimization of a feature vector (P1's FVT) or of an image (Gatys): one loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from rbench_plugins.stylization.loss_network import Calibration, LossNetwork
from rbench_plugins.stylization.losses import Statistics, content_loss, statistics, style_loss
from rbench_plugins.stylization.parametrization import Corrections

Watch = Callable[[int, Tensor, Tensor], None]
"""``watch(step, content_losses, style_losses)``, each (P,), before that step is taken."""


@dataclass(frozen=True)
class Objective:
    """alpha L_c + beta L_s of features V (P, N, h, w), with beta / alpha = ``ratio``.

    Layer 1 is V itself, 2 to 5 are the first ReLUs of the loss network's blocks.
    """

    network: LossNetwork
    kind: str
    centered: bool
    style_layers: tuple[int, ...]
    content_layer: int
    ratio: float

    def layers(self, features: Tensor, calibration: Calibration | None) -> list[Tensor]:
        """V and the four maps above it."""
        return [features, *self.network(features, calibration)]

    def measure(self, layers: Sequence[Tensor]) -> list[Statistics]:
        """The style of these maps."""
        return [statistics(layers[n - 1], self.kind, self.centered) for n in self.style_layers]

    @torch.no_grad()
    def target(self, content: Tensor, style: Tensor, calibrated: bool) -> Target:
        """What the pairs of V_c and V_s (P, N, h, w) are held to."""
        calibration = self.network.calibrate(style) if calibrated else None
        wanted = self.measure(self.layers(style, calibration))
        at = self.layers(content, calibration)[self.content_layer - 1]
        return Target(at, wanted, calibration)

    def losses(self, features: Tensor, target: Target) -> tuple[Tensor, Tensor]:
        """Content and style loss, (P,) each."""
        layers = self.layers(features, target.calibration)
        content = content_loss(layers[self.content_layer - 1], target.content)
        return content, style_loss(self.measure(layers), target.style)

    def total(self, content: Tensor, style: Tensor) -> Tensor:
        """Their sum, scaled so that the weights add to one at any ratio."""
        return (content + self.ratio * style) / (1 + self.ratio)


@dataclass(frozen=True)
class Target:
    """The content's map, the style's statistics, and how the pair's layers are calibrated."""

    content: Tensor
    style: list[Statistics]
    calibration: Calibration | None


@dataclass
class Trace:
    """Mean losses over the pairs before each step, seconds since the start, passes so far."""

    content: list[float] = field(default_factory=list)
    style: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    passes: int = 0
    """Forward and backward passes through the loss network, a pair."""


class Losses(Protocol):
    """What is minimized: :class:`Objective` or P1's literal one."""

    def losses(self, features: Tensor, target: Any) -> tuple[Tensor, Tensor]:
        """Content and style loss, (P,) each."""

    def total(self, content: Tensor, style: Tensor) -> Tensor:
        """Their weighted sum, (P,)."""


def optimize(
    variable: Corrections,
    features: Callable[[Tensor], Tensor],
    objective: Losses,
    target: Any,
    *,
    steps: int,
    optimizer: Literal["adam", "lbfgs"],
    lr: float,
    watch: Watch | None = None,
) -> tuple[Tensor, Trace]:
    """Minimize the objective of ``features(variable())``; returns the value and the trace.

    Adam with the step size falling along a cosine to a tenth: each pair of a batch goes its own
    way, as if alone. L-BFGS (strong Wolfe) shares its history and step over the batch: give it
    one pair at a time.
    """
    trace, start = Trace(), perf_counter()
    parameters = list(variable.parameters())

    def evaluate() -> Tensor:
        content, style = objective.losses(features(variable()), target)
        trace.passes += 1
        last[:] = [content.detach(), style.detach()]
        return objective.total(content, style).sum()

    last: list[Tensor] = []

    def note(step: int) -> None:
        trace.content.append(float(last[0].mean()))
        trace.style.append(float(last[1].mean()))
        trace.seconds.append(perf_counter() - start)
        if watch is not None:
            watch(step, *last)

    engine: Any
    if optimizer == "adam":
        engine = torch.optim.Adam(parameters, lr=lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(engine, max(steps, 1), lr * 0.1)
        for step in range(steps):
            engine.zero_grad()
            loss = evaluate()
            note(step)
            loss.backward()
            engine.step()
            schedule.step()
    else:
        engine = torch.optim.LBFGS(
            parameters,
            lr=lr,
            max_iter=1,
            max_eval=25,  # its default, 5/4 of max_iter, leaves the line search no trial at all
            history_size=10,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            engine.zero_grad()
            loss = evaluate()
            loss.backward()
            return loss

        for step in range(steps):
            engine.step(closure)
            note(step)
    with torch.no_grad():
        evaluate()
        trace.passes -= 1
        note(steps)
        return variable().detach(), trace
