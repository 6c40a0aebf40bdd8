"""Cells on a Ray cluster: tasks that share the folder of records."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from rbench.errors import UserError, printable
from rbench.sweep.executors.base import Report, Settings
from rbench.sweep.executors.cluster import POLL_SECONDS, Follower, Share, split
from rbench.sweep.job import Ticket


class Ray:
    """``--executor ray``; without ``--cluster`` a cluster is started on this machine."""

    def __init__(self, settings: Settings) -> None:
        # Ray else warns about the GPUs that it hides from tasks which ask for none.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError as error:
            raise UserError("--executor ray needs Ray: pip install 'rbench[ray]'") from error
        self.settings, self.ray = settings, ray

    def run(self, tickets: Sequence[Ticket], report: Report) -> None:
        """See :class:`rbench.sweep.executors.base.Executor`."""
        settings, ray = self.settings, self.ray
        follower = Follower(settings, tickets, report)
        if not tickets:
            return
        mine = not ray.is_initialized()
        if mine:
            try:
                ray.init(address=settings.cluster, include_dashboard=False, log_to_driver=False)
            except (ConnectionError, ValueError) as error:
                raise UserError(f"--executor ray: {printable(error)}") from error
        task = ray.remote(_run_share).options(
            num_cpus=settings.job_cpus,
            num_gpus=settings.job_gpus,
            memory=int(settings.job_memory * 2**30),
            # A task whose process or machine died is run again; claims pass over what is done.
            max_retries=max(settings.retries, 1),
        )
        parts = split(settings, tickets)
        waiting: list[Any] = [task.remote(Share(settings, part)) for part in parts]
        why = "its task ended without it"
        try:
            while waiting:
                ended, waiting = ray.wait(waiting, timeout=POLL_SECONDS)
                follower.look()
                for reference in ended:
                    try:
                        ray.get(reference)
                    except ray.exceptions.RayError as error:
                        why = printable(str(error).strip().splitlines()[-1])
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)
            if mine:
                ray.shutdown()
        follower.close(why)


def _run_share(share: Share) -> dict[str, int]:
    return share()
