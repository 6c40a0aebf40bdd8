"""Runs the task that ``tasks/reconstruction.py`` describes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from rbench import Batch, FileImages, MemoryImages, TaskContext, UserError, train
from rbench_plugins.images.grid import Tile, grid
from rbench_plugins.images.mappings import FITTED, mapping
from rbench_plugins.images.outcome import ReconstructionOutcome
from rbench_plugins.images.ssim import WINDOW, Ssim, grey
from rbench_plugins.images.subset import evenly
from rbench_plugins.layers.cnn_dcn.network import CnnDcn
from rbench_plugins.layers.cnn_dcn.reconstruct import is_redrawable, reconstruct
from rbench_plugins.tasks.reconstruction import Mapping, ReconstructionOptions

EVERY: tuple[Mapping, ...] = ("minmax", "grey_matched", "relu_minmax", "sigmoid", "affine_fit")
CURVE = 200


def run(context: TaskContext, options: ReconstructionOptions) -> ReconstructionOutcome:
    """Train (or not), reconstruct, map to images; save the picture of before and after."""
    network, data = context.network, context.data
    if isinstance(network, CnnDcn) and network.awaits_weights:
        raise UserError("this CNN is to be a trained one: --pretrained or --initial-checkpoint")
    if options.networks > 1 and (options.train or not is_redrawable(network)):
        raise UserError(
            f"networks={options.networks} is for networks that are random throughout, not trained"
        )
    if data.test is None:
        raise UserError(f"the dataset {data.name} has no test images")
    inputs, names = load(data.test, evenly(len(data.test), options.images))
    name: Mapping = options.mapping or ("clamp" if options.train else "grey_matched")
    others = options.compare
    if others is None:
        others = () if options.train else EVERY
    history: dict[str, list[float]] = {}
    trained_on: Tensor | None = None
    if options.train:
        history, trained_on = learn(context)
    total = options.networks * len(inputs)
    with context.clock.phase("reconstruct", total):
        raw = joined(
            reconstruct(
                network,
                inputs,
                networks=options.networks,
                device=context.device,
                dtype=cast("torch.dtype", getattr(torch, options.dtype)),
                progress=lambda done: context.progress("reconstruct", done, total),
            ),
            options.networks,
        )
    change = mapping(name)
    outputs = joined((change(part, inputs) for part in raw.split(len(inputs))), options.networks)
    outcome = ReconstructionOutcome(
        network=network,
        history=history,
        inputs=inputs,
        outputs=outputs,
        names=names,
        networks=options.networks,
        raw=raw,
        mapping=name,
        compare=tuple(other for other in others if other != name),
    )
    if options.train:
        outcome.losses["validation"] = squared_errors(raw, inputs)
        if data.train is not None and trained_on is not None:
            some = evenly(len(trained_on), options.images or len(inputs))
            seen, _ = load(data.train, trained_on if some is None else trained_on[some])
            again = next(reconstruct(network, seen, device=context.device))
            outcome.losses["train"] = squared_errors(again, seen)
    _picture(context, outcome)
    return outcome


def learn(context: TaskContext) -> tuple[dict[str, list[float]], Tensor]:
    """Train by the recipe on the sum of squared errors per image.

    Returns the loss curve, and the indices of the images that were trained on.
    """
    training = context.training
    assert training is not None
    batches = context.training_batches()
    module = context.network.to(context.device)
    steps = len(batches) * training.epochs
    loss = SumOfSquares(every=max(1, steps * training.grad_accum_steps // CURVE))
    with context.clock.phase("train", len(batches) * training.batch_size * training.epochs):
        history = train(module, batches, loss, context)
    module.eval()
    if len(history.get("train_loss", [])) == training.epochs and loss.calls == steps:
        # A resumed run has only the rest of this finer curve, so it leaves it out.
        history["step_loss"] = loss.curve
        context.note(f"history.step_loss has one value for every {loss.every} steps")
    return history, batches.chosen


class SumOfSquares:
    """Mean over a batch of the squared error summed over an image's pixels (P1 equation 1)."""

    def __init__(self, every: int) -> None:
        self.every, self.calls, self.curve = every, 0, list[float]()
        self._window: list[Tensor] = []

    def __call__(self, module: nn.Module, batch: Batch) -> Tensor:
        """The loss; what is seen of it is kept, averaged over ``every`` steps."""
        output = module(batch.images)
        if output.shape[-2:] != batch.images.shape[-2:]:
            raise UserError("the task reconstruction needs a model that gives images for images")
        value = (output.float() - batch.images).square().sum((1, 2, 3)).mean()
        self.calls += 1
        self._window.append(value.detach())
        if len(self._window) == self.every:
            self.curve.append(float(torch.stack(self._window).mean()))
            self._window.clear()
        return value


def load(images: MemoryImages | FileImages, chosen: Tensor | None) -> tuple[Tensor, list[str]]:
    """The images (N, C, H, W) in [0, 1] on the CPU and their names: ``chosen``, or all."""
    indices = torch.arange(len(images)) if chosen is None else chosen
    parts = images.batches(64, torch.device("cpu"), indices)
    tensors = torch.cat([batch.images for batch in parts])
    names = [images.names[i] if len(images.names) else str(i) for i in indices.tolist()]
    return tensors, names


def joined(parts: Iterable[Tensor], count: int) -> Tensor:
    """``count`` tensors of one shape after another, in memory once, unlike cat of a list."""
    whole: Tensor | None = None
    for number, part in enumerate(parts):
        if whole is None:
            whole = part.new_empty(count, *part.shape)
        whole[number] = part
    assert whole is not None
    return whole.flatten(0, 1)


def squared_errors(outputs: Tensor, inputs: Tensor) -> Tensor:
    """Sum over an image's pixels of the squared error, (N,)."""
    return (outputs - inputs).square().sum((1, 2, 3))


def _picture(context: TaskContext, outcome: ReconstructionOutcome) -> None:
    """The first images, and what the first network makes of them under three mappings."""
    count = min(4, len(outcome.inputs))
    inputs, raw = outcome.inputs[:count], outcome.raw[:count]
    shown = [outcome.mapping]
    shown += [name for name in ("minmax", "affine_fit") if name in outcome.compare]
    reference = Ssim(grey(inputs)) if min(inputs.shape[-2:]) >= WINDOW else None
    rows: list[list[Tile]] = [[Tile(inputs[i], outcome.names[i][:24])] for i in range(count)]
    for name in shown:
        images = mapping(name)(raw, inputs)
        values = reference(grey(images))[0].tolist() if reference else [None] * count
        for row, image, value in zip(rows, images, values, strict=True):
            text = name + (" (fitted)" if name in FITTED else "")
            row.append(Tile(image, text + ("" if value is None else f" {value:.2f}")))
    caption = "input, and its reconstruction under each mapping with its SSIM"
    context.artifacts.save("before_after.png", grid(rows), caption)
