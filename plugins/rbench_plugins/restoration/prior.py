"""Deep Image Prior (Ulyanov, Vedaldi, Lempitsky 2018): fit a network to one degraded image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from rbench import Diverged, StaysFrozen
from rbench_plugins.restoration.degrade import Observation, psnr
from rbench_plugins.restoration.outcome import Course

CHECKS = 100
"""How often an optimization is compared with the truth."""
DROP = 5.0
"""dB of the fit's PSNR between two checks at which the last weights are restored."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Adam's steps and rate, the input's noise, and the weight of the past in the average."""

    steps: int
    lr: float
    noise: float
    average: float
    backtrack: bool


@dataclass(frozen=True)
class Fitted:
    """The last output, the average of the outputs, and the best against the truth: (1, C, H, W)."""

    last: Tensor
    average: Tensor
    oracle: Tensor
    course: Course
    losses: list[float]


def fit(
    network: nn.Module,
    z: Tensor,
    observation: Observation,
    truth: Tensor,
    schedule: Schedule,
    draws: Generator,
    report: Callable[[int, float], None] = lambda step, value: None,
    frozen: StaysFrozen | None = None,
) -> Fitted:
    """Minimize |A f(z + noise) - y|^2 over what learns of the network f; ``z`` (1, C, H, W).

    The truth is only looked at: no step depends on it, and what is chosen by it (``oracle``)
    is kept apart. ``draws`` yields the noise, on the CPU; ``frozen`` keeps single entries of f's
    parameters where they are.
    """
    learning = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learning, schedule.lr) if learning else None
    average: Tensor | None = None
    output = oracle = truth
    course = Course([], [], [], psnr(observation.shown, truth))
    losses: list[float] = []
    kept: dict[str, Tensor] = {}
    kept_fit = -float("inf")
    every = max(1, schedule.steps // CHECKS)
    for step in range(1, schedule.steps + 1):
        noise = torch.randn(z.shape, generator=draws).to(z) * schedule.noise
        output = network(z + noise)[..., : truth.shape[-2], : truth.shape[-1]]
        loss = observation.loss(output)
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            if frozen is not None:
                frozen.before_step()
            optimizer.step()
            if frozen is not None:
                frozen.after_step()
        output = output.detach()
        past = schedule.average if average is not None else 0.0
        average = output if average is None else past * average + (1 - past) * output
        if step % every and step != schedule.steps:
            continue
        value = loss.item()
        losses.append(value)
        if value != value:
            raise Diverged(f"the loss of step {step} is not a number")
        course.steps.append(step)
        course.current.append(psnr(output, truth))
        course.average.append(psnr(average, truth))
        if course.current[-1] == max(course.current):
            oracle = output
        fit_db = -10 * torch.tensor(max(value, 1e-12)).log10().item()
        if schedule.backtrack and fit_db < kept_fit - DROP:
            network.load_state_dict(kept)
        elif schedule.backtrack:
            kept = {k: v.detach().clone() for k, v in network.state_dict().items()}
            kept_fit = fit_db
        report(step, course.current[-1])
    assert average is not None
    return Fitted(output, average, oracle, course, losses)
