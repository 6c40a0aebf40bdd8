"""Cells on a Slurm cluster, through submitit: an array of jobs that share the folder of records."""

from __future__ import annotations

import itertools
import math
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from rbench.errors import UserError, printable
from rbench.sweep.executors.base import Report, Settings
from rbench.sweep.executors.cluster import POLL_SECONDS, Follower, Share, split
from rbench.sweep.job import Ticket

KILL_SECONDS = 600.0
"""Slurm kills a job that it has asked to end after its KillWait or the partition's GraceTime."""
QUEUE_TURNS = 10
"""Looks at the folder for one at Slurm's queue."""
GONE_SECONDS = 40.0
"""Jobs that have not been in the queue for so long have ended; shared folders lag behind."""
TIMEOUTS = 10_000
"""How often submitit lets a job run out of time: :class:`Job` says when there is no use."""


class Job(Share):
    """A share that goes on where it was when its job is queued anew."""

    begun = math.inf

    def __call__(self) -> dict[str, int]:
        """See :class:`rbench.sweep.executors.cluster.Share`."""
        self.begun = time.time()
        signal.signal(signal.SIGTERM, self._taken)
        return super().__call__()

    def checkpoint(self) -> Any:
        """Called by submitit when the job is pre-empted or out of time: begin again, queued anew.

        What is done is passed over then. What is under way saves at its next step, and resumes
        from there. UserError where half a job's time and more brought nothing forward.
        """
        from submitit.helpers import DelayedSubmission

        self._leave()
        settings = Settings.model_validate_json(self.settings)
        if time.time() - self.begun > 30 * settings.job_minutes and not self._gained(settings):
            raise UserError(
                f"nothing was gained in {settings.job_minutes} minutes, the time of a job; "
                "raise --job-minutes"
            )
        return DelayedSubmission(self)

    def _gained(self, settings: Settings) -> bool:
        for pattern in ("*.json", ".checkpoints/*/*/*"):
            for path in settings.output.glob(pattern):
                with suppress(OSError):
                    if path.stat().st_mtime >= self.begun:
                        return True
        return False

    def _taken(self, number: int, frame: object) -> None:
        """Slurm takes the machine away: save, and wait for the end.

        A job that ended by itself would not be queued anew after a pre-emption.
        """
        self._leave()
        time.sleep(KILL_SECONDS)
        raise SystemExit(128 + number)

    def _leave(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.local is not None:
            self.local.leave()


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
                folder=str(settings.output / ".slurm" / "%j"),
                cluster=settings.cluster or "slurm",
                slurm_max_num_timeout=TIMEOUTS,
            )
        except (RuntimeError, ValueError) as error:
            raise UserError(f"--executor slurm: {printable(error)}") from error
        more: dict[str, Any] = {}
        if settings.partition is not None:
            more["slurm_partition"] = settings.partition
        if self.executor.cluster == "slurm":
            more["slurm_array_parallelism"] = settings.jobs
            # Pre-empted jobs come back by themselves; submitit asks for the warning signal.
            more["slurm_additional_parameters"] = {"requeue": True}
            more["slurm_signal_delay_s"] = 90
        self.executor.update_parameters(
            name="rbench",
            timeout_min=settings.job_minutes,
            mem_gb=settings.job_memory,
            cpus_per_task=settings.job_cpus,
            gpus_per_node=settings.job_gpus,
            **more,
        )

    def run(self, tickets: Sequence[Ticket], report: Report) -> None:
        """See :class:`rbench.sweep.executors.base.Executor`."""
        follower = Follower(self.settings, tickets, report)
        if not tickets:
            return
        jobs = self._submit(tickets)
        try:
            seen = time.monotonic()
            for turn in itertools.count(1):
                follower.look()
                if all(job.done() for job in jobs) or time.monotonic() - seen > GONE_SECONDS:
                    break
                time.sleep(POLL_SECONDS)
                if self.executor.cluster != "slurm" or (turn % QUEUE_TURNS == 0 and _queued(jobs)):
                    seen = time.monotonic()
        finally:
            for job in jobs:
                if not job.done():
                    job.cancel()
        follower.close(_why(jobs))

    def _submit(self, tickets: Sequence[Ticket]) -> list[Any]:
        from submitit.core.utils import FailedJobError

        parts = split(self.settings, tickets)
        try:
            with self.executor.batch():
                return [self.executor.submit(Job(self.settings, p)) for p in parts]
        except FailedJobError as error:
            last = str(error).strip().splitlines()[-1].removeprefix("sbatch: error: ")
            raise UserError(f"Slurm refuses the jobs: {printable(last)}") from error


def _queued(jobs: list[Any]) -> bool:
    """Whether one of the jobs is in Slurm's queue, which knows it long before its accounting."""
    numbers = ",".join(sorted({str(job.job_id).split("_")[0] for job in jobs}))
    answer = subprocess.run(
        ["squeue", "--noheader", "--jobs", numbers], capture_output=True, text=True, check=False
    )
    gone = "Invalid job id" in answer.stderr if answer.returncode else not answer.stdout.strip()
    return not gone


def _why(jobs: list[Any]) -> str:
    """What the first job that failed has to say."""
    for job in jobs:
        # Its folder may be on a disk that has vanished.
        with suppress(OSError):
            ended = job.paths.result_pickle.exists()
            error = job.exception() if ended else job.stderr() or ""
            if error is not None:
                last = (str(error).strip().splitlines() or ["it said nothing"])[-1]
                return f"job {job.job_id} failed: {printable(last)}; see {job.paths.stderr}"
    return "its job ended without it"
