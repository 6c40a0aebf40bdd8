"""Spec -> record: the only place that knows the order of things.

data -> network (built, drawn, frozen) -> task -> metrics -> record. A run that fails leaves a
record that says so.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from accelerate import Accelerator

from rbench.errors import UserError
from rbench.network.build import build, state_sha256
from rbench.network.check import build_checked
from rbench.network.freeze import report
from rbench.plugin.blame import blamed_on, failure_of
from rbench.plugin.contexts import (
    Artifacts,
    Clock,
    MetricContext,
    Progress,
    TaskContext,
    silent,
)
from rbench.records.record import Failure, Record, Tuning
from rbench.records.store import Store
from rbench.runner import environment, memory
from rbench.runner.accelerator import make_accelerator, network_precision, slow_precision
from rbench.runner.batches import make_batches
from rbench.runner.finite import finite_json, finite_value
from rbench.runner.load_data import described, open_data, sampled
from rbench.runner.parent import Parent
from rbench.runner.probes import make_probes
from rbench.runner.process_failures import failed_elsewhere, tell
from rbench.runner.saved_files import save_predictions, save_weights
from rbench.runner.tracking import Tracking
from rbench.seeds import derive
from rbench.spec.chosen import Chosen
from rbench.spec.protocol import digest
from rbench.spec.resolve import Resolved
from rbench.spec.run_spec import LOCAL_FIELDS

if TYPE_CHECKING:
    from torch import nn

    from rbench.network.build import Built
    from rbench.plugin.components import Metric
    from rbench.plugin.data import ImageData
    from rbench.plugin.loading import Plugins
    from rbench.plugin.outcomes import Outcome


@dataclass
class Execution:
    """How to run; none of these fields can change a number."""

    folder: Path | None = None
    """The results folder, for pictures and checkpoints; None keeps no file."""
    progress: Progress = silent
    on_message: Callable[[str], None] = field(default=lambda text: None)
    plugins: Plugins | None = None
    command: str = ""
    save_weights: bool = False
    parent: Parent | None = None
    """A finished run whose weights are measured in place of a training."""
    test_images: int | None = None
    """Evaluate the first N test images only: for a pilot, whose record is not kept."""
    checkpoint_every: int | None = None
    """Optimizer steps between checkpoints. None: at the end of an epoch, at most once a minute;
    0: never."""
    notes: tuple[str, ...] = ()
    """Sentences that the record keeps, about how the run was asked for."""

    def checkpoints(self, resolved: Resolved) -> Path | None:
        """Where the checkpoints of a run are, until it is done."""
        return None if self.folder is None else Store(self.folder).checkpoints(resolved.slug)

    def trained(self, resolved: Resolved) -> Path | None:
        """Where an ended training is kept if a metric fails: the same for any metrics."""
        if self.folder is None:
            return None
        identity = {k: v for k, v in resolved.identity.items() if k != "metrics"}
        return Store(self.folder).trained(digest(identity))


def execute(resolved: Resolved, execution: Execution | None = None) -> Record:
    """Run one seed. UserError before anything is computed; later failures are records.

    KeyboardInterrupt is a record, too, with the status ``interrupted``.
    """
    run = _Run(resolved, execution or Execution())
    with run.failures_recorded():
        run.start()
        run.load_data()
        run.build()
        run.task()
        run.keep_outcome()
        run.measure()
        run.hear_others()
        run.keep_files()
    return run.record


class _Run:
    """One run in progress; its methods stand in the order in which they are called."""

    accelerator: Accelerator
    data: ImageData
    built: Built
    outcome: Outcome
    trained: list[Callable[[], None]]
    """What saves the trainings of the task, should a metric fail."""

    def __init__(self, resolved: Resolved, execution: Execution) -> None:
        self.resolved, self.execution = resolved, execution
        self.clock, self.artifacts = Clock(), Artifacts(None)
        self.tracking: Tracking | None = None
        spec, plugins = resolved.spec, execution.plugins
        loose = resolved.identity.get("loose", {})
        self.record = Record(
            digest=resolved.digest,
            spec=spec.model_dump(mode="json", exclude_defaults=True, exclude=set(LOCAL_FIELDS)),
            resolved=resolved.identity,
            protocol=resolved.protocol,
            protocol_name=resolved.protocol_name,
            comparable=spec.limit is None and spec.limit_test is None and spec.measure_on == "test",
            seed=spec.seed,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            plugins=environment.plugin_versions(plugins, loose) if plugins else {},
            sources=resolved.sources,
            releases=environment.releases(resolved.components, plugins) if plugins else {},
            git_commit=environment.git_commit(),
            command=execution.command,
            tuning=Tuning.model_validate(spec.tuning) if spec.tuning else None,
        )

    @contextmanager
    def failures_recorded(self) -> Iterator[None]:
        """Whatever ends the block, except a UserError, becomes the record's status."""
        record, start = self.record, perf_counter()
        try:
            yield
        except UserError:
            raise
        except KeyboardInterrupt:
            record.status = "interrupted"
            record.error = Failure(kind="KeyboardInterrupt", message="interrupted by the user")
        except Exception as error:
            self._fail(error)
        finally:
            tell(self.resolved.slug, record.error)
            if self.artifacts.folder is not None:
                shutil.rmtree(self.artifacts.folder, ignore_errors=True)
        if self.tracking is not None:
            self.tracking.finish(record, self.execution.folder)
        record.seconds = round(perf_counter() - start + self.clock.earlier, 3)
        record.timing = self.clock.timing()

    def _fail(self, error: Exception) -> None:
        """Make a failed record; of several failures the first is kept."""
        self.record.status = "failed"
        self.record.error = self.record.error or failure_of(error)

    def note(self, text: str) -> None:
        """Keep a sentence in the record and tell it the user, once."""
        if text not in self.record.notes:
            self.record.notes.append(text)
            self.execution.on_message(text)

    def start(self) -> None:
        """Set up the device and the precision."""
        self.accelerator = make_accelerator(self.resolved)
        self.record.environment = environment.describe(
            self.accelerator, network_precision(self.resolved), self.execution.plugins
        )
        slow = slow_precision(self.resolved)
        for text in (*self.execution.notes, *([slow] if slow else [])):
            self.note(text)
        folder = self.execution.folder if self.accelerator.is_main_process else None
        self.tracking = Tracking(self.resolved, folder, self.note)
        for name in () if self.record.tuning is None else self.record.tuning.at_edge:
            self.note(f"the tuned {name} is at the edge of the values that were tried")

    def load_data(self) -> None:
        """Open the dataset."""
        with self.clock.phase("data"), blamed_on(self.resolved.dataset.component):
            self.data, notes = open_data(self.resolved)
        for text in notes:
            self.note(text)
        if self.execution.test_images is not None:
            self.data = sampled(self.data, self.execution.test_images)
        self.record.data = described(self.data)

    def build(self) -> None:
        """Build, draw, freeze and fingerprint the network."""
        with self.clock.phase("build"), blamed_on(self.resolved.model.component):
            self.built = build_checked(self.resolved, self.data, self.note)
        if (parent := self.execution.parent) is not None:
            self.record.parent, self.record.tuning = parent.record.digest, parent.record.tuning
            if self.resolved.training is None:
                parent.load_into(self.built.network)
        self.record.freeze, self.record.network_sha256 = self.built.freeze, self.built.sha256
        self.record.draw = self.built.draw

    def task(self) -> None:
        """Run the task; where a GPU's memory does not suffice, again in micro-batches."""
        store = self._store()
        if store is not None:
            store.discard_unfinished(self.resolved.slug)
        folder = None if store is None else store.unfinished(self.resolved.slug)
        self.artifacts = Artifacts(folder)
        memory.reset_peak(self.accelerator.device)
        phases = deepcopy(self.clock.phases)
        try:
            self.outcome = self._attempt(self.resolved)
            return
        except torch.OutOfMemoryError:
            smaller = memory.halve_micro_batch(self.resolved)
            if smaller is None or self.accelerator.num_processes > 1:
                raise
        # Outside of the handler, whose traceback keeps the tensors of the first attempt.
        self._free_memory(smaller)
        self.clock.begin_again(phases)
        self.build()
        self.outcome = self._attempt(smaller)

    def _attempt(self, resolved: Resolved) -> Outcome:
        parent = self.execution.parent
        context = TaskContext(
            network=self.built.network,
            data=self.data,
            training=resolved.training,
            seed=resolved.spec.seed,
            accelerator=self.accelerator,
            workers=resolved.spec.workers,
            limit=resolved.spec.limit,
            make_batches=make_batches,
            clock=self.clock,
            progress=self.execution.progress,
            note=self.note,
            artifacts=self.artifacts,
            checkpoints=self.execution.checkpoints(resolved),
            checkpoint_every=self.execution.checkpoint_every,
            trained_folder=self.execution.trained(resolved),
            frozen=self.built.frozen,
            probes=make_probes(resolved, self.accelerator, self.note),
            tracking=self.tracking,
            earlier=partial(parent.load_into, self.built.network) if parent else None,
        )
        self.trained = context.trained
        with blamed_on(resolved.task.component):
            outcome = resolved.task.component.run(context, resolved.task.options)
        outcome.network.eval()
        outcome.fixed_entries = self.built.frozen.entries()
        self.record.selection = context.selection if parent is None else parent.record.selection
        if self.record.selected_on_test:
            self.note(
                "the epoch was selected on the test split, so its metrics are too good: --val 0.1 "
                "selects on training images that are set aside"
            )
        return outcome

    def _free_memory(self, smaller: Resolved) -> None:
        memory.free_gpu(self.built, self.accelerator)
        assert smaller.training is not None
        parts = smaller.training.grad_accum_steps
        self.record.environment["micro_batch"] = smaller.training.batch_size // parts
        self.note(
            f"out of GPU memory: run again with each batch in {parts} parts and accumulated "
            "gradients; batch norms saw the parts"
        )

    def keep_outcome(self) -> None:
        """Take over the task's history, and check that what was frozen has not changed."""
        record, built, history = self.record, self.built, self.outcome.history
        built.network.cpu()
        record.history = {
            k: [v if math.isfinite(v) else None for v in values] for k, values in history.items()
        }
        own = self.execution.parent is None
        if own and self.resolved.wants_curves and "seconds" not in history:
            record.impossible.append("curves")
        details = finite_json(self.outcome.details, "the task's details", self.note)
        assert isinstance(details, dict)
        record.details = details
        record.result_sha256 = state_sha256(built.network)
        built.frozen.check()
        freeze = built.freeze
        if built.frozen.chosen:
            freeze = report(built.frozen, self.resolved.freezing, self.resolved.trained)
        freeze.sha256_after = freeze.frozen.sha256
        record.freeze = freeze
        built.network.to(self.accelerator.device)

    def measure(self) -> None:
        """Let every metric read the outcome; one that fails costs the others nothing."""
        for metric in self.resolved.metrics:
            try:
                with blamed_on(metric.component):
                    self._measure_one(metric)
            except UserError as error:
                if self.resolved.training is None:
                    raise
                # After a training, the numbers measured so far are worth a record.
                self._fail(error)
            except Exception as error:
                self._fail(error)

    def _measure_one(self, metric: Chosen[Metric]) -> None:
        name = metric.component.name
        with self.clock.phase(name) as phase:
            context = MetricContext(
                seed=derive(self.resolved.spec.seed, "metric", name),
                device=self.accelerator.device,
                accelerator=self.accelerator,
                phase=phase,
                progress=self.execution.progress,
                note=self.note,
                artifacts=self.artifacts,
                rebuild=self.rebuild,
            )
            for value in metric.component.measure(self.outcome, context, metric.options):
                value.metric = name
                self.record.metrics.append(finite_value(value, self.note))

    def _keep_training(self) -> None:
        """Save what was trained, so that the repaired metric needs no training again."""
        for save in self.trained:
            save()
        if self.trained and self.execution.folder is not None:
            self.note(
                "the trained weights are kept: the same command measures them again without "
                "training"
            )

    def rebuild(self, seed: int | None = None) -> nn.Module:
        """See :class:`rbench.plugin.contexts.MetricContext`."""
        spec = self.resolved.spec
        if seed is not None:
            changes = {"seed": seed, "pretrained": False, "initial_checkpoint": None}
            spec = spec.model_copy(update=changes)
        return build(replace(self.resolved, spec=spec), self.data, lambda text: None).network

    def hear_others(self) -> None:
        """Fail where another process of the run has failed."""
        if self.record.error is None and (found := failed_elsewhere(self.resolved.slug)):
            rank, self.record.error = found
            self.record.status = "failed"
            self.note(f"process {rank} of {self.accelerator.num_processes} failed")

    def keep_files(self) -> None:
        """Name the pictures, write the weights where they are wanted, read the memory's peak."""
        if self.record.error is not None:
            self._keep_training()
        if (store := self._store()) is not None:
            self._move_files(store)
        self.record.peak_memory_bytes = memory.peak_memory(self.accelerator.device)
        kept = self.execution.trained(self.resolved)
        if kept is not None and self.record.error is None and self.accelerator.is_main_process:
            shutil.rmtree(kept, ignore_errors=True)

    def _store(self) -> Store | None:
        """The results folder where this process writes files; None where it keeps none."""
        folder = self.execution.folder
        return Store(folder) if folder is not None and self.accelerator.is_main_process else None

    def _move_files(self, store: Store) -> None:
        """Complete the run's files and move them where they stay, all together.

        Not those of a failed repetition: the files there belong to the record that is kept.
        """
        slug = self.resolved.slug
        if self.record.error is not None and store.status(slug, self.resolved.digest) == "done":
            return
        self.record.artifacts = self.artifacts.files
        if self.resolved.spec.save_predictions and not save_predictions(
            self.outcome, self.artifacts, self.note
        ):
            self.record.impossible.append("predictions")
        if self.execution.save_weights:
            save_weights(self.built, self.artifacts)
        store.keep_unfinished(slug)
