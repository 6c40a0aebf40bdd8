"""Runs the task that ``tasks/freezenet.py`` describes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rbench import ClassificationOutcome, Normalized, TaskContext, generator
from rbench_plugins.layers.masks import largest
from rbench_plugins.tasks.classification import ClassificationOptions
from rbench_plugins.tasks.freezenet import FreezeNetOptions
from rbench_plugins.tasks.functions import classification


def run(context: TaskContext, options: FreezeNetOptions) -> ClassificationOutcome:
    """Score every weight on the first training batch, choose, then train as ``classification``.

    Norms, biases and whatever has one dimension learn throughout. What ``--freeze`` fixes is
    neither scored nor counted.
    """
    scores = saliencies(context)
    if options.random:
        stream = generator(context.seed, "freezenet")
        scores = {name: torch.rand(s.shape, generator=stream) for name, s in scores.items()}
    assert context.frozen is not None
    frozen = context.frozen.fixed_entries()
    free = {
        n: ~frozen[n] if n in frozen else torch.ones_like(s, dtype=torch.bool)
        for n, s in scores.items()
    }
    masks = choose(scores, options.learn, free)
    if options.pruned:
        parameters = dict(context.network.named_parameters())
        for name, mask in masks.items():
            weight = parameters[name].detach()
            weight.masked_fill_(mask.to(weight.device), 0)
    context.frozen.fix(masks)
    total = sum(int(mask.sum()) for mask in free.values())
    kept = total - sum(int(mask.sum()) for mask in masks.values())
    context.note(f"{kept:,} of {total:,} weights learn, chosen on one batch")
    outcome = classification.run(context, ClassificationOptions(train=True))
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
