"""Cells on a Slurm cluster, through submitit: an array of jobs that share the folder of records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rbench.errors import UserError, printable
from rbench.executors.base import Report, Settings
from rbench.executors.remote import POLL_SECONDS, Follower, shares
from rbench.tickets import Ticket


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
                folder=str(settings.output / ".slurm" / "%j"), cluster=settings.cluster or "slurm"
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
        """See :class:`rbench.executors.base.Executor`."""
        follower = Follower(self.settings, tickets, report)
        if not tickets:
            return
        jobs: list[Any] = []
        try:
            with self.executor.batch():
                jobs += [self.executor.submit(share) for share in shares(self.settings, tickets)]
            while not all(job.done() for job in jobs):
                follower.look()
                time.sleep(POLL_SECONDS)
        finally:
            for job in jobs:
                if not job.done():
                    job.cancel()
        follower.close(_why(jobs))


def _why(jobs: list[Any]) -> str:
    """What the first job that failed has to say."""
    for job in jobs:
        error = job.exception()
        if error is not None:
            last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            return f"job {job.job_id} failed: {printable(last)}; see {job.paths.stderr}"
    return "its job ended without it"
