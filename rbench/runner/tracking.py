"""Experiment trackers, through Accelerate's: TensorBoard, Weights & Biases and their like.

Each tracker lives in a thread of its own and is fed by a queue, so that one that is slow, raises,
hangs or has no network costs a note and never the run. Nothing a tracker does can reach a number:
it gets copies, and draws no random number in the run's thread.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any

from rbench.errors import UnknownName, printable

if TYPE_CHECKING:
    from rbench.plugin.contexts import Note
    from rbench.records.record import Record
    from rbench.spec.resolve import Resolved

PATIENCE = 20.0
"""Seconds that a run waits at its end for trackers that are not done."""
Job = Callable[[Any], None]


class Tracking:
    """All trackers of a run. Without any, every method returns at once."""

    def __init__(
        self,
        resolved: Resolved,
        folder: Path | None,
        note: Note,
        every: float = 1.0,
        patience: float = PATIENCE,
    ) -> None:
        self.note, self.every, self.patience = note, every, patience
        self.threads: list[_Thread] = []
        self.last, self.images_before = monotonic(), 0
        self.step = 0
        names = resolved.spec.track
        if names:
            check_names(names)
            if folder is None:
                note("--track: this run keeps no files, so nothing is tracked")
            else:
                self.threads = [_Thread(name, resolved, folder) for name in names]

    def training(self, step: int, loss: Any, rate: float, images: int) -> None:
        """Log a step of training, at most once in ``every`` seconds; ``loss`` is a tensor."""
        if not self.threads:
            return
        self.step, now = step, monotonic()
        passed = now - self.last
        if passed < self.every:
            return
        seen, loss = images - self.images_before, loss.detach().clone()
        self.last, self.images_before = now, images
        speed = seen / passed

        def job(tracker: Any) -> None:
            values = {"train/loss": loss.item(), "lr": rate, "images_per_second": speed}
            tracker.log(values, step=step)

        self._put(job)

    def values(self, values: Mapping[str, float | None], step: int | None = None) -> None:
        """Log ``values`` at a step, the last one where none is given."""
        at = self.step if step is None else step
        known = {name: value for name, value in values.items() if value is not None}
        if known:
            self._put(lambda tracker: tracker.log(known, step=at))

    def finish(self, record: Record, folder: Path | None) -> None:
        """Log the record's metrics and pictures, and wait a while for trackers to end."""
        if not self.threads:
            return
        if record.status == "done":
            self.values({f"metrics/{m.name}": m.value for m in record.metrics})
            files = [] if folder is None else [folder / a.file for a in record.artifacts]
            self._put(lambda tracker: _log_pictures(tracker, files, self.step))
        deadline = monotonic() + self.patience
        for thread in self.threads:
            thread.jobs.put(None)
        for thread in self.threads:
            thread.join(max(0.0, deadline - monotonic()))
            if thread.error:
                self.note(f"--track {thread.tracker_name}: {thread.error}")
            elif thread.is_alive():
                self.note(f"--track {thread.tracker_name}: no answer in {self.patience:g} s; left")
        self.threads = []

    def _put(self, job: Job) -> None:
        for thread in self.threads:
            if not thread.error:
                thread.jobs.put(job)


def check_names(names: Sequence[str]) -> None:
    """UnknownName where Accelerate has no tracker of a name."""
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    known = [str(getattr(name, "value", name)) for name in LOGGER_TYPE_TO_CLASS]
    for name in names:
        if name not in known:
            raise UnknownName("tracker", name, known)


class _Thread(threading.Thread):
    """One tracker, from its start to its end. A daemon: a tracker that hangs ends with rbench."""

    def __init__(self, name: str, resolved: Resolved, folder: Path) -> None:
        super().__init__(name=f"track-{name}", daemon=True)
        self.tracker_name, self.resolved, self.folder = name, resolved, folder
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.error = ""
        self.start()

    def run(self) -> None:
        """Open the tracker and do one job after another."""
        try:
            tracker = self._open()
            while (job := self.jobs.get()) is not None:
                job(tracker)
            tracker.finish()
        except (Exception, SystemExit) as error:
            self.error = printable(f"{type(error).__name__}: {error}", 200)
            with suppress(Empty):
                while True:
                    self.jobs.get_nowait()

    def _open(self) -> Any:
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS

        kind: Any = LOGGER_TYPE_TO_CLASS[self.tracker_name]
        slug, files = self.resolved.slug, self.folder / ".trackers" / self.tracker_name
        files.mkdir(parents=True, exist_ok=True)
        options = _options(self.tracker_name, self.resolved, files)
        name = slug if self.tracker_name == "tensorboard" else "rbench"
        if kind.requires_logging_directory:
            tracker = kind(name, str(files), **options)
        else:
            tracker = kind(name, **options)
        tracker.start()
        config = {"digest": self.resolved.digest, **self.resolved.identity}
        if self.tracker_name == "tensorboard":
            # Its own form for configurations opens a run of its own at each start.
            tracker.log({"config": json.dumps(config, indent=1)}, step=0)
        else:
            tracker.store_init_configuration(config)
        return tracker


def _options(name: str, resolved: Resolved, files: Path) -> dict[str, Any]:
    """What makes a tracker's run this run, so that one that is resumed goes on in it."""
    digest, slug = resolved.digest, resolved.slug
    options: dict[str, dict[str, Any]] = {
        "wandb": {"id": digest[:32], "name": slug, "resume": "allow", "dir": str(files)},
        "trackio": {"name": digest[:32], "resume": "allow"},
        "mlflow": {"run_name": slug, "tags": {"rbench.digest": digest}},
        "comet_ml": {"experiment_key": digest[:50]},
        "clearml": {"task_name": slug, "reuse_last_task_id": digest[:32]},
        "swanlab": {"experiment_name": slug, "id": digest[:21], "resume": "allow"},
        "dvclive": {"dir": str(files / slug), "resume": True},
    }
    return options.get(name, {})


def _log_pictures(tracker: Any, files: Sequence[Path], step: int) -> None:
    if not files or not hasattr(tracker, "log_images"):
        return
    import numpy as np
    from PIL import Image

    for file in files:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("RGB"))[None]
        extra = {"dataformats": "NHWC"} if tracker.name == "tensorboard" else {}
        tracker.log_images({f"pictures/{file.stem}": pixels}, step=step, **extra)


__all__ = ["PATIENCE", "Tracking", "check_names"]
