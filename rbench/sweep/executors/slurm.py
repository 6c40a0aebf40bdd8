"""Runs on a Slurm cluster, through submitit: an array of jobs that share the results folder."""

from __future__ import annotations

import itertools
import math
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from rbench.errors import UserError, printable
from rbench.records.store import Store
from rbench.sweep.environment import applied, safe_path
from rbench.sweep.executors.base import OnEvent, Settings
from rbench.sweep.executors.cluster import POLL_SECONDS, ClusterTask, FolderWatcher, split
from rbench.sweep.executors.slurm_options import from_table, refusal
from rbench.sweep.job import RunJob

KILL_SECONDS = 600.0
"""Slurm kills a job that it asked to end after its KillWait or the partition's GraceTime."""
QUEUE_POLLS = 10
"""The folder is polled this many times between two queries of Slurm's queue."""
GONE_SECONDS = 40.0
"""Jobs that were not in the queue for so long have ended; shared folders lag behind."""
TIMEOUTS = 10_000
"""How often submitit lets a job run out of time: :class:`SlurmTask` notices a job in vain."""


class SlurmTask(ClusterTask):
    """A task that continues where it was when its job is requeued."""

    begun = math.inf

    def __call__(self) -> dict[str, int]:
        """See :class:`rbench.sweep.executors.cluster.ClusterTask`."""
        self.begun = time.time()
        signal.signal(signal.SIGTERM, self._terminated)
        return super().__call__()

    def checkpoint(self) -> Any:
        """Called by submitit when the job is preempted or out of time: requeue it.

        Runs that are done are skipped then; a run that is under way saves at its next step and
        resumes from there. UserError if more than half a job's time produced nothing.
        """
        from submitit.helpers import DelayedSubmission

        self._end()
        settings = Settings.model_validate_json(self.settings)
        if time.time() - self.begun > 30 * settings.job_minutes and not self._progressed(settings):
            raise UserError(
                f"no record or checkpoint was written in {settings.job_minutes} minutes, the time "
                "limit of a job; raise --job-minutes or lower --checkpoint-every"
            )
        return DelayedSubmission(self)

    def _progressed(self, settings: Settings) -> bool:
        store = Store(settings.output)
        paths: list[os.PathLike[str]] = [*store.record_files(), *store.checkpoint_files()]
        for path in paths:
            with suppress(OSError):
                if os.stat(path).st_mtime >= self.begun:
                    return True
        return False

    def _terminated(self, number: int, frame: object) -> None:
        """Slurm takes the machine away: save, then wait to be killed.

        A job that ended by itself would not be requeued after a preemption.
        """
        self._end()
        time.sleep(KILL_SECONDS)
        raise SystemExit(128 + number)

    def _end(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.local is not None:
            self.local.end()


class Slurm:
    """``--executor slurm``; with ``--cluster local`` the jobs are processes of this machine."""

    def __init__(self, settings: Settings) -> None:
        try:
            import submitit
        except ImportError as error:
            raise UserError(
                "--executor slurm needs submitit: pip install 'rbench[slurm]'"
            ) from error
        self.settings = settings
        try:
            self.executor: Any = submitit.AutoExecutor(
                folder=str(Store(settings.output).slurm_jobs),
                cluster=settings.cluster or "slurm",
                slurm_max_num_timeout=TIMEOUTS,
            )
        except (RuntimeError, ValueError) as error:
            raise UserError(f"--executor slurm: {printable(error)}") from error
        more: dict[str, Any] = {"mem_gb": settings.job_memory}
        if settings.partition is not None:
            more["slurm_partition"] = settings.partition
        if self.executor.cluster == "slurm":
            more["slurm_array_parallelism"] = settings.jobs
            # Preempted jobs come back by themselves; submitit asks for the warning signal.
            options = from_table(settings.slurm, "--slurm").options
            more["slurm_additional_parameters"] = {"requeue": True, **options}
            if any(name.startswith("mem-per-") for name in options):
                # sbatch takes one kind of memory limit only.
                del more["mem_gb"]
            more["slurm_setup"] = list(settings.slurm_setup)
            more["slurm_signal_delay_s"] = 90
        if settings.job_gpus:
            more["gpus_per_node"] = settings.job_gpus
        self.executor.update_parameters(
            name="rbench",
            timeout_min=settings.job_minutes,
            cpus_per_task=settings.job_cpus,
            **more,
        )

    def run(self, jobs: Sequence[RunJob], on_event: OnEvent) -> None:
        """See :class:`rbench.sweep.executors.base.Executor`."""
        watcher = FolderWatcher(self.settings, jobs, on_event)
        if not jobs:
            return
        submitted = self._submit(jobs)
        try:
            seen = time.monotonic()
            for turn in itertools.count(1):
                watcher.poll()
                if all(job.done() for job in submitted) or time.monotonic() - seen > GONE_SECONDS:
                    break
                time.sleep(POLL_SECONDS)
                in_turn = turn % QUEUE_POLLS == 0
                if self.executor.cluster != "slurm" or (in_turn and _queued(submitted)):
                    seen = time.monotonic()
        finally:
            for job in submitted:
                if not job.done():
                    job.cancel()
        watcher.close(_why(submitted))

    def job_file(self, jobs: Sequence[RunJob]) -> str:
        """The file that sbatch would be given, for ``--dry-run``."""
        from submitit.slurm.slurm import _make_sbatch_string

        inner = self.executor._executor
        if self.executor.cluster != "slurm":
            raise UserError("--dry-run shows the file of a Slurm job; --cluster local has none")
        tasks = len(split(self.settings, jobs))
        array = {"map_count": tasks} if tasks > 1 else {}
        return _make_sbatch_string(
            command=inner._submitit_command_str, folder=inner.folder, **inner.parameters, **array
        )

    def _submit(self, jobs: Sequence[RunJob]) -> list[Any]:
        from submitit.core.utils import FailedJobError

        tasks = [SlurmTask(self.settings, part) for part in split(self.settings, jobs)]
        try:
            # Jobs inherit the environment: they import what this process imports.
            with applied({**os.environ, **safe_path()}), self.executor.batch():
                return [self.executor.submit(task) for task in tasks]
        except FailedJobError as error:
            settings = self.settings
            flags = {
                "partition": settings.partition,
                "time": settings.job_minutes,
                "mem": settings.job_memory,
                "cpus-per-task": settings.job_cpus,
            }
            text = refusal(str(error), settings.slurm, flags)
            raise UserError(f"Slurm refuses the jobs: {text}") from error


def _queued(jobs: list[Any]) -> bool:
    """Whether one of the jobs is in Slurm's queue, which lists it long before its accounting."""
    numbers = ",".join(sorted({str(job.job_id).split("_")[0] for job in jobs}))
    answer = subprocess.run(
        ["squeue", "--noheader", "--jobs", numbers], capture_output=True, text=True, check=False
    )
    gone = "Invalid job id" in answer.stderr if answer.returncode else not answer.stdout.strip()
    return not gone


def _why(jobs: list[Any]) -> str:
    """What the first job that failed printed last."""
    for job in jobs:
        # Its folder may be on a disk that has vanished.
        with suppress(OSError):
            ended = job.paths.result_pickle.exists()
            error = job.exception() if ended else job.stderr() or ""
            if error is not None:
                last = (str(error).strip().splitlines() or ["it printed nothing"])[-1]
                return f"job {job.job_id} failed: {printable(last)}; see {job.paths.stderr}"
    return "its job ended without executing it"
