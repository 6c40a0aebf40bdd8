"""Runs on a Ray cluster: tasks that share the results folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from rbench.errors import UserError, printable
from rbench.sweep.executors.base import OnEvent, Settings
from rbench.sweep.executors.cluster import POLL_SECONDS, ClusterTask, FolderWatcher, split
from rbench.sweep.job import RunJob


class Ray:
    """``--executor ray``; without ``--cluster`` Ray is started on this machine."""

    def __init__(self, settings: Settings) -> None:
        # Without this Ray warns about the GPUs that it hides from tasks which ask for none.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError as error:
            raise UserError("--executor ray needs Ray: pip install 'rbench[ray]'") from error
        self.settings, self.ray = settings, ray

    def run(self, jobs: Sequence[RunJob], on_event: OnEvent) -> None:
        """See :class:`rbench.sweep.executors.base.Executor`."""
        settings, ray = self.settings, self.ray
        watcher = FolderWatcher(settings, jobs, on_event)
        if not jobs:
            return
        start = not ray.is_initialized()
        if start:
            try:
                ray.init(address=settings.cluster, include_dashboard=False, log_to_driver=False)
            except (ConnectionError, ValueError) as error:
                raise UserError(f"--executor ray: {printable(error)}") from error
        task = ray.remote(_run_task).options(
            num_cpus=settings.job_cpus,
            num_gpus=settings.job_gpus,
            memory=int(settings.job_memory * 2**30),
            # A task whose process or machine died is run again and skips the runs that are done.
            max_retries=max(settings.retries, 1),
        )
        parts = split(settings, jobs)
        waiting: list[Any] = [task.remote(ClusterTask(settings, part)) for part in parts]
        why = "its task ended without executing it"
        try:
            while waiting:
                ended, waiting = ray.wait(waiting, timeout=POLL_SECONDS)
                watcher.poll()
                for reference in ended:
                    try:
                        ray.get(reference)
                    except ray.exceptions.RayError as error:
                        why = printable(str(error).strip().splitlines()[-1])
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)
            if start:
                ray.shutdown()
        watcher.close(why)


def _run_task(task: ClusterTask) -> dict[str, int]:
    return task()
