"""timm's optimizer and schedule for a recipe, and which of its options have no effect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from rbench.errors import UnknownName, UserError
from rbench.plugin.recipe import Training


def make_optimizer(
    module: nn.Module, training: Training, later: Iterable[nn.Parameter] = ()
) -> torch.optim.Optimizer:
    """timm's optimizer over the parameters that learn, now or ``later``.

    A parameter without a gradient is left alone by every optimizer, by weight decay as well.
    """
    waiting = list(later)
    for parameter in waiting:
        parameter.requires_grad_(True)
    try:
        return _make_optimizer(module, training)
    finally:
        for parameter in waiting:
            parameter.requires_grad_(False)


def _make_optimizer(module: nn.Module, training: Training) -> torch.optim.Optimizer:
    from timm.optim import create_optimizer_v2, list_optimizers

    if training.opt.lower() not in list_optimizers():
        raise UnknownName("optimizer", training.opt, list_optimizers())
    extra: dict[str, Any] = {}
    if training.momentum == 0 and "nesterov" in (_optimizer(training).defaults or {}):
        extra["nesterov"] = False  # torch refuses it without momentum, where it changes nothing
    if training.opt_eps is not None:
        extra["eps"] = training.opt_eps
    if training.opt_betas is not None:
        extra["betas"] = training.opt_betas
    try:
        return create_optimizer_v2(
            module,
            opt=training.opt,
            lr=training.lr,
            weight_decay=training.weight_decay,
            momentum=training.momentum,
            filter_bias_and_bn=training.filter_bias_and_bn,
            **extra,
        )
    except (TypeError, ValueError, ModuleNotFoundError) as error:
        raise UserError(f"--opt {training.opt}: {error}") from error


def _optimizer(training: Training) -> Any:
    """What timm knows of the recipe's optimizer."""
    from timm.optim import get_optimizer_info

    return get_optimizer_info(training.opt.lower())


def unused_options(module: nn.Module, training: Training) -> list[str]:
    """A sentence for each option that the optimizer or the network does not have.

    Options at their defaults are left out.
    """
    info = _optimizer(training)
    has = {"opt_eps": info.has_eps, "opt_betas": info.has_betas, "momentum": info.has_momentum}
    found = [
        f"{name} has no effect: the optimizer {training.opt} does not have it"
        for name, it_has in has.items()
        if not it_has and getattr(training, name) != Training.model_fields[name].default
    ]
    # Stochastic depth, by the names that timm and torchvision gave it.
    paths = any(type(m).__name__ in ("DropPath", "StochasticDepth") for m in module.modules())
    if training.drop_path and not paths:
        found.append(
            f"drop_path = {training.drop_path:g} has no effect: this network has no module "
            "DropPath or StochasticDepth"
        )
    return found


def make_scheduler(optimizer: torch.optim.Optimizer, training: Training, steps: int) -> Any:
    """timm's schedule, updated at every step."""
    from timm.scheduler import create_scheduler_v2

    if training.sched == "none":
        return _Constant()
    scheduler, _ = create_scheduler_v2(
        optimizer,
        sched=training.sched,
        num_epochs=training.epochs,
        warmup_epochs=training.warmup_epochs,
        warmup_lr=training.warmup_lr,
        warmup_prefix=False,
        min_lr=training.min_lr,
        decay_milestones=list(training.decay_milestones),
        decay_epochs=training.decay_epochs,
        decay_rate=training.decay_rate,
        cooldown_epochs=0,
        step_on_epochs=False,
        updates_per_epoch=steps,
    )
    if training.sched == "multistep":
        # timm lowers the rate one update before a milestone (its issues 2745 and 2806 say why).
        scheduler.decay_t = [milestone + 1 for milestone in scheduler.decay_t]
    return scheduler


class _Constant:
    def step_update(self, step: int) -> None:
        """The rate stays."""
