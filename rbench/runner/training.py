"""The one training loop, on Accelerate. It reads top to bottom.

A task gives a module, batches, a loss and a way to evaluate; the loop returns the history. What
is measured, and by which score an epoch is selected, is the task's and the metrics' business.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rbench.errors import UserError
from rbench.plugin.data import Batch
from rbench.records.record import Selection
from rbench.runner import cpu_bfloat16, preemption
from rbench.runner.compiled import compile_errors
from rbench.runner.distributed import broadcast_buffers, sync_batch_norms
from rbench.runner.evaluation import Evaluate, Evaluator, better, series
from rbench.runner.optimizer import make_optimizer, make_scheduler, unused_options
from rbench.runner.resume import Checkpointer, State
from rbench.seeds import derive, global_seed, seed_globally

if TYPE_CHECKING:
    from rbench.plugin.contexts import TaskContext
    from rbench.plugin.data import TrainingBatches

Loss = Callable[[nn.Module, Batch], Tensor]
"""(module, batch) -> scalar mean loss of the batch."""


class Diverged(RuntimeError):
    """The loss is no longer a finite number."""


def train(
    module: nn.Module,
    batches: TrainingBatches,
    loss: Loss,
    context: TaskContext,
    evaluate: Evaluate | None = None,
) -> dict[str, list[float]]:
    """Train ``module`` in place by ``context.training``; return series of one value per epoch.

    ``train_loss`` is the mean loss of each epoch. ``evaluate(split)`` returns the outcome of the
    network as it is at that moment on the images of ``val`` or ``test``; the loop calls it where
    the recipe says ``keep = "best"`` or the user asked for curves, and adds a series for each
    value, such as ``top1@val`` (NaN for epochs without one). With curves ``seconds`` and
    ``images`` say how long the training took until the end of each epoch, without the time for
    evaluation, and how many images it took. UserError for ``keep = "best"`` without
    ``evaluate``.

    Only parameters that require a gradient are given to the optimizer, so that neither a step
    nor weight decay touches what is frozen. Raises Diverged when the mean loss of an epoch is not
    finite.

    Where the context has a folder for checkpoints, training continues from the last one there. A
    step draws its random numbers from (seed, step) and an epoch its order from (seed, epoch), so
    that weights, optimizer and position are all there is to keep.
    """
    training = context.training
    assert training is not None
    accelerator = context.accelerator
    if context.earlier is not None:
        history = context.earlier()
        # As after a training: the memory format is part of what rounds sums.
        if training.channels_last:
            module.to(memory_format=torch.channels_last)
        return history
    frozen = context.frozen
    later = [] if frozen is None else frozen.ever_learning()
    if not later and not any(parameter.requires_grad for parameter in module.parameters()):
        context.note("nothing learns: training was skipped")
        return {}
    if later and accelerator.num_processes > 1:
        raise UserError("--unfreeze runs in one process only; leave out torchrun")
    module.train()
    if accelerator.num_processes > 1:
        module = sync_batch_norms(module, context)
    if training.channels_last:
        module = module.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(module, training, later)
    for text in unused_options(module, training):
        context.note(text)
    scheduler = make_scheduler(optimizer, training, len(batches))
    runner, optimizer = accelerator.prepare(module, optimizer)
    if training.torchcompile:
        runner = torch.compile(runner)

    steps = len(batches) * training.epochs
    evaluator = Evaluator(module, context, evaluate)
    checkpointer = Checkpointer(context, module, optimizer, steps)
    state = checkpointer.restore(curves=evaluator.curves) or State(
        total=torch.zeros((), device=context.device)
    )
    history, tracking = state.history, context.tracking
    with (
        global_seed(context.seed, "training"),
        preemption.deferred(checkpointer.folder is not None),
        cpu_bfloat16.in_float32(module),
        compile_errors(),
    ):
        for epoch in range(state.step // len(batches), training.epochs):
            if frozen is not None:
                frozen.begin_epoch(epoch)
            start = perf_counter()
            runner.train()
            for batch in batches.epoch(epoch, state.step % len(batches)):
                seed_globally(derive(context.seed, "step", state.step, accelerator.process_index))
                scheduler.step_update(state.step)
                step_loss = _step(runner, optimizer, loss, batch, context)
                state.total += step_loss
                state.step += 1
                if tracking is not None:
                    rate, seen = optimizer.param_groups[0]["lr"], state.step * training.batch_size
                    tracking.training(state.step, step_loss, rate, seen)
                context.progress("train", state.step, steps)
                if state.step % len(batches):
                    state.seconds += perf_counter() - start
                    start = perf_counter()
                    checkpointer.maybe_save(state)
            mean = accelerator.reduce(state.total, "mean").item() / len(batches)
            state.total.zero_()
            state.seconds += perf_counter() - start
            history.setdefault("train_loss", []).append(mean)
            if not math.isfinite(mean):
                raise Diverged(f"the training loss of epoch {epoch + 1} is {mean}")
            broadcast_buffers(module, accelerator)
            if evaluator.curves:
                _put(history, "seconds", epoch, round(state.seconds, 4))
                _put(history, "images", epoch, float(state.step * training.batch_size))
            for probe, value in evaluator.after_epoch(epoch):
                name, number = series(value, probe.split), value.value
                _put(history, name, epoch, math.nan if number is None else number)
                if probe.selects and better(value, state.best):
                    assert number is not None
                    state.best, state.best_epoch, state.best_metric = number, epoch, name
                    state.best_weights = {
                        k: v.detach().clone() for k, v in module.state_dict().items()
                    }
            if tracking is not None:
                tracking.values(_latest(history, epoch), state.step)
            context.progress("train", state.step, steps, f"loss {mean:.3f}")
            checkpointer.maybe_save(state, epoch_ended=True)
    # Take off Accelerate's autocast wrapper: what is measured is measured in float32.
    accelerator.unwrap_model(runner, keep_fp32_wrapper=False, keep_torch_compile=False)
    accelerator.free_memory()
    if state.best is not None:
        module.load_state_dict(state.best_weights)
        context.selection = _selection(state)
    for values in history.values():
        values += [math.nan] * (training.epochs - len(values))
    context.trained.append(checkpointer.ended(state))
    return history


def _put(history: dict[str, list[float]], name: str, epoch: int, value: float) -> None:
    """Set a series' value of an epoch; epochs that were not evaluated are NaN."""
    values = history.setdefault(name, [])
    values += [math.nan] * (epoch + 1 - len(values))
    values[epoch] = value


def _latest(history: dict[str, list[float]], epoch: int) -> dict[str, float | None]:
    """The series' values of an epoch, for trackers."""
    found: dict[str, float | None] = {"epoch": epoch + 1}
    for name, values in history.items():
        if epoch < len(values) and math.isfinite(values[epoch]):
            found[f"epoch/{name}"] = values[epoch]
    return found


def _selection(state: State) -> Selection:
    assert state.best is not None
    metric, _, split = state.best_metric.rpartition("@")
    assert split in ("val", "test")
    return Selection(
        split="val" if split == "val" else "test",
        metric=metric,
        epoch=state.best_epoch + 1,
        value=state.best,
    )


def _step(
    runner: nn.Module,
    optimizer: Any,
    loss: Loss,
    batch: Batch,
    context: TaskContext,
) -> Tensor:
    training, accelerator, frozen = context.training, context.accelerator, context.frozen
    assert training is not None
    parts = _micro_batches(batch, training.grad_accum_steps)
    total = torch.zeros((), device=batch.images.device)
    for part in parts:
        if training.channels_last:
            images = part.images.contiguous(memory_format=torch.channels_last)
            part = Batch(images, part.labels)
        value = loss(runner, part) / len(parts)
        if value.requires_grad:  # before the first stage of --unfreeze, maybe nothing learns
            accelerator.backward(value)
        total += value.detach()
    if frozen is not None:
        frozen.before_step()
    if training.clip_grad is not None:
        accelerator.clip_grad_norm_(runner.parameters(), training.clip_grad)
    optimizer.step()
    if frozen is not None:
        frozen.after_step()
    optimizer.zero_grad(set_to_none=True)
    return total


def _micro_batches(batch: Batch, parts: int) -> list[Batch]:
    if parts == 1:
        return [batch]
    if len(batch.images) % parts:
        raise UserError(f"--grad-accum-steps {parts} does not divide {len(batch.images)} images")
    images = batch.images.chunk(parts)
    labels = [None] * parts if batch.labels is None else batch.labels.chunk(parts)
    return [Batch(i, t) for i, t in zip(images, labels, strict=True)]
