"""Runs the task that ``tasks/freezenet.py`` describes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from rbench import (
    ClassificationOutcome,
    FixedEntries,
    Normalized,
    StaysFrozen,
    TaskContext,
    generator,
)
from rbench_plugins.layers.masks import largest
from rbench_plugins.tasks.classification import ClassificationOptions
from rbench_plugins.tasks.freezenet import FreezeNetOptions
from rbench_plugins.tasks.functions import classification


class KeepEntries:
    """Keeps entries of parameters, beside what the engine has frozen (``rbench.StaysFrozen``)."""

    def __init__(
        self, network: nn.Module, engine: StaysFrozen | None, fixed: list[FixedEntries]
    ) -> None:
        self.network, self.engine, self.fixed = network, engine, fixed

    def begin_epoch(self, epoch: int) -> bool:
        """As the engine says."""
        return self.engine is not None and self.engine.begin_epoch(epoch)

    def ever_learning(self) -> list[nn.Parameter]:
        """As the engine says."""
        return [] if self.engine is None else self.engine.ever_learning()

    def fixed_entries(self) -> dict[str, Tensor]:
        """The engine's and these."""
        names = {id(p): n for n, p in self.network.named_parameters()}
        masks = {} if self.engine is None else dict(self.engine.fixed_entries())
        for one in self.fixed:
            name, mask = names[id(one.parameter)], one.mask.cpu()
            masks[name] = masks[name] | mask if name in masks else mask
        return masks

    def before_step(self) -> None:
        """Zero the gradients of what stays."""
        if self.engine is not None:
            self.engine.before_step()
        for one in self.fixed:
            one.zero_gradient()

    def after_step(self) -> None:
        """Put back what stays: momentum and weight decay have moved it."""
        if self.engine is not None:
            self.engine.after_step()
        for one in self.fixed:
            one.restore()


def run(context: TaskContext, options: FreezeNetOptions) -> ClassificationOutcome:
    """Score every weight on the first training batch, choose, then train as ``classification``.

    Norms, biases and whatever has one dimension learn throughout. What ``--freeze`` fixes is
    neither scored nor counted.
    """
    scores = saliencies(context)
    if options.random:
        stream = generator(context.seed, "freezenet")
        scores = {name: torch.rand(s.shape, generator=stream) for name, s in scores.items()}
    frozen = {} if context.frozen is None else context.frozen.fixed_entries()
    free = {
        n: ~frozen[n] if n in frozen else torch.ones_like(s, dtype=torch.bool)
        for n, s in scores.items()
    }
    masks = choose(scores, options.learn, free)
    parameters = dict(context.network.named_parameters())
    fixed = []
    for name, mask in masks.items():
        weight = parameters[name].detach()
        if options.pruned:
            weight.masked_fill_(mask.to(weight.device), 0)
        fixed.append(FixedEntries(parameters[name], mask, weight))
    total = sum(int(mask.sum()) for mask in free.values())
    kept = total - sum(int(mask.sum()) for mask in masks.values())
    context.note(f"{kept:,} of {total:,} weights learn, chosen on one batch")
    outcome = classification.run(
        replace(context, frozen=KeepEntries(context.network, context.frozen, fixed)),
        ClassificationOptions(train=True),
    )
    for one in fixed:
        same = torch.equal(one.parameter.detach()[one.mask], one.values[one.mask])
        assert same, "entries that stay have moved"
    outcome.fixed_entries = masks
    outcome.details = {**outcome.details, "weights_that_learn": kept, "weights": total}
    return outcome


def saliencies(context: TaskContext) -> dict[str, Tensor]:
    """|gradient x weight| of every weight that learns, by name, on the first training batch.

    The network comes back on its device as it was: norms' statistics and gradients included.
    """
    network = context.network.to(context.device)
    module = Normalized(network, context.data.mean, context.data.std).to(context.device)
    if context.training is not None and context.training.channels_last:
        module.to(memory_format=torch.channels_last)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    weights = {n: p for n, p in network.named_parameters() if p.requires_grad and p.ndim > 1}
    batch = next(iter(context.training_batches().epoch(0)))
    assert batch.labels is not None
    module.train()
    loss = nn.functional.cross_entropy(module(batch.images), batch.labels)
    gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    network.load_state_dict(before)
    return {
        name: torch.zeros_like(weight).cpu()
        if gradient is None
        else (gradient * weight).detach().abs().cpu()
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }


def choose(
    scores: dict[str, Tensor], learn: float, free: dict[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Masks of what stays: all but the ``learn`` largest of all scores, over the network.

    ``free`` (boolean, of the scores' shapes) says which entries there are to choose from; the
    others are in no mask.
    """
    if free is None:
        free = {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
    flat = torch.cat([score[free[name]] for name, score in scores.items()])
    stays = ~largest(flat, max(1, round(learn * len(flat))))
    parts = stays.split([int(free[name].sum()) for name in scores])
    masks = {name: torch.zeros_like(mask) for name, mask in free.items()}
    for name, part in zip(scores, parts, strict=True):
        masks[name][free[name]] = part
    return masks
