"""Spec -> record: the only place that knows the order of things.

data -> network (built, drawn, frozen) -> task -> metrics -> record. A run that fails leaves a
record that says so.
"""

from __future__ import annotations

import math
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from rbench.errors import UserError, printable
from rbench.network.build import Built, build, state_sha256
from rbench.network.freeze import fingerprint
from rbench.plugin.contexts import Artifacts, Clock, MetricContext, Progress, TaskContext, silent
from rbench.records.record import Failure, MetricValue, Phase, Record
from rbench.runner import environment, memory
from rbench.runner.load_data import described, open_data, sampled
from rbench.seeds import derive
from rbench.spec.resolve import Resolved
from rbench.spec.run_spec import PLACES

if TYPE_CHECKING:
    from rbench.plugin.data import ImageData
    from rbench.plugin.loading import Plugins
    from rbench.plugin.outcomes import Outcome


class FrozenWeightsMoved(RuntimeError):
    """A tensor that was frozen is not what it was."""


@dataclass
class Execution:
    """How to run, as against what: none of this can change a number."""

    folder: Path | None = None
    """Where pictures and checkpoints go; None keeps no file."""
    progress: Progress = silent
    say: Callable[[str], None] = field(default=lambda text: None)
    plugins: Plugins | None = None
    command: str = ""
    save_weights: bool = False
    test_images: int | None = None
    """Judge by the first so many test images only: for a pilot, which keeps no record."""
    checkpoint_every: int | None = None
    """Optimiser steps between checkpoints; None: now and then; 0: none."""

    def checkpoints(self, resolved: Resolved) -> Path | None:
        """Where the checkpoints of a run are, until it is done."""
        return None if self.folder is None else self.folder / ".checkpoints" / resolved.slug


def execute(resolved: Resolved, execution: Execution | None = None) -> Record:
    """Run one cell. UserError before anything was computed; afterwards failures are records.

    KeyboardInterrupt is a record too: status ``interrupted``.
    """
    execution = execution or Execution()
    record = Record(
        digest=resolved.digest,
        spec=resolved.spec.model_dump(mode="json", exclude_defaults=True, exclude=set(PLACES)),
        resolved=resolved.identity,
        protocol=resolved.protocol,
        protocol_name=resolved.protocol_name,
        comparable=resolved.spec.limit is None,
        seed=resolved.spec.seed,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        plugins=environment.plugin_versions(execution.plugins) if execution.plugins else {},
        git_commit=environment.git_commit(),
        command=execution.command,
    )

    def note(text: str) -> None:
        if text not in record.notes:
            record.notes.append(text)
            execution.say(text)

    clock, start = Clock(), perf_counter()
    smaller: Resolved | None = None
    try:
        accelerator = make_accelerator(resolved)
        record.environment = environment.describe(accelerator, precision(resolved))
        with clock.phase("data"):
            data, data_notes = open_data(resolved)
        for text in data_notes:
            note(text)
        if execution.test_images is not None:
            data = sampled(data, execution.test_images)
        record.data = described(data)
        with clock.phase("build"):
            built = build(resolved, data, note)
        record.freeze, record.network_sha256 = built.freeze, built.sha256
        artifacts = Artifacts(
            execution.folder / resolved.slug
            if execution.folder is not None and accelerator.is_main_process
            else None
        )
        memory.track(accelerator.device)
        try:
            outcome = _task(resolved, execution, accelerator, built, data, artifacts, clock, note)
        except torch.OutOfMemoryError:
            smaller = memory.halved(resolved)
            if smaller is None or accelerator.num_processes > 1:
                raise
        if smaller is not None:
            # Outside of the handler, whose traceback keeps the tensors of the first attempt.
            memory.release(built, accelerator)
            assert smaller.training is not None
            parts = smaller.training.grad_accum_steps
            record.environment["micro_batch"] = smaller.training.batch_size // parts
            note(
                f"out of GPU memory: run again with each batch in {parts} parts and accumulated "
                "gradients; batch norms saw the parts"
            )
            with clock.phase("build"):
                built = build(resolved, data, note)
            outcome = _task(smaller, execution, accelerator, built, data, artifacts, clock, note)
        built.network.cpu()
        record.history = {k: [_finite(v) for v in vs] for k, vs in outcome.history.items()}
        record.details = outcome.details
        record.result_sha256 = state_sha256(built.network)
        _check_frozen(built)
        built.freeze.sha256_after = built.freeze.frozen.sha256
        built.network.to(accelerator.device)
        record.metrics = _measure(resolved, execution, accelerator, outcome, artifacts, clock, note)
        record.artifacts = artifacts.files
        if execution.save_weights and artifacts.folder is not None:
            _save_weights(built, artifacts.folder)
        record.peak_memory_bytes = memory.peak_memory(accelerator.device)
    except UserError:
        raise
    except KeyboardInterrupt:
        record.status = "interrupted"
        record.error = Failure(kind="KeyboardInterrupt", message="interrupted by the user")
    except Exception as error:
        record.status = "failed"
        record.error = Failure(
            kind=type(error).__name__,
            message=printable(error, 500),
            traceback=traceback.format_exc(),
        )
    record.seconds = round(perf_counter() - start + clock.earlier, 3)
    record.timing = [_rate(phase) for phase in clock.phases.values()]
    return record


def make_accelerator(resolved: Resolved) -> Accelerator:
    """Accelerate for this run. Its state is a singleton with one precision: put off the last."""
    AcceleratorState._reset_state()
    mixed = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}[precision(resolved)]
    deterministic = resolved.spec.deterministic
    if deterministic:
        # cuBLAS reads this when it is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    lax = torch.is_deterministic_algorithms_warn_only_enabled()
    if lax or deterministic != torch.are_deterministic_algorithms_enabled():
        # Not without need: the call imports torch's compiler, which takes a second or two.
        torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = False
    if resolved.device.startswith("cuda:"):
        torch.cuda.set_device(resolved.device)
    return Accelerator(mixed_precision=mixed, cpu=resolved.device == "cpu")


def precision(resolved: Resolved) -> str:
    """The precision of training: float32, bfloat16 or float16."""
    training = resolved.training
    return training.amp_dtype if training is not None and training.amp else "float32"


def _task(
    resolved: Resolved,
    execution: Execution,
    accelerator: Accelerator,
    built: Built,
    data: ImageData,
    artifacts: Artifacts,
    clock: Clock,
    note: Callable[[str], None],
) -> Outcome:
    context = TaskContext(
        network=built.network,
        data=data,
        training=resolved.training,
        seed=resolved.spec.seed,
        accelerator=accelerator,
        workers=resolved.spec.workers,
        limit=resolved.spec.limit,
        clock=clock,
        progress=execution.progress,
        note=note,
        artifacts=artifacts,
        checkpoints=execution.checkpoints(resolved),
        checkpoint_every=execution.checkpoint_every,
    )
    outcome = resolved.task.run(context, resolved.task_options)
    outcome.network.eval()
    return outcome


def _measure(
    resolved: Resolved,
    execution: Execution,
    accelerator: Accelerator,
    outcome: Outcome,
    artifacts: Artifacts,
    clock: Clock,
    note: Callable[[str], None],
) -> list[MetricValue]:
    values: list[MetricValue] = []
    for metric in resolved.metrics:
        name = metric.component.name
        with clock.phase(name) as phase:
            context = MetricContext(
                seed=derive(resolved.spec.seed, "metric", name),
                device=accelerator.device,
                accelerator=accelerator,
                phase=phase,
                progress=execution.progress,
                note=note,
                artifacts=artifacts,
            )
            for value in metric.component.measure(outcome, context, metric.options):
                if value.value is not None and not math.isfinite(value.value):
                    note(f"{value.name} is {value.value}")
                    value.value = None
                values.append(value)
    return values


def _check_frozen(built: Built) -> None:
    names = set(built.freeze.frozen.names)
    now = fingerprint({n: p for n, p in built.network.named_parameters() if n in names})
    if now != built.freeze.frozen.sha256:
        raise FrozenWeightsMoved("frozen tensors changed during the task")


def _save_weights(built: Built, folder: Path) -> None:
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {
        name: tensor.contiguous().clone() for name, tensor in built.network.state_dict().items()
    }
    save_file(state, folder / "weights.safetensors")


def _rate(phase: Phase) -> Phase:
    seconds = round(phase.seconds, 4)
    rate = round(phase.images / phase.seconds, 1) if phase.images and phase.seconds else None
    return Phase(name=phase.name, seconds=seconds, images=phase.images, images_per_second=rate)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
