"""Where the runs of a sweep are executed: on this machine, a Slurm cluster or a Ray cluster.

An executor has one method, ``run(jobs, on_event)``: it makes sure that every job has a record in
the results folder, or reports why not, and returns when nothing is left to wait for. Slurm and Ray
give each machine a share of the jobs, where the local executor runs them; so limits, isolation,
locks and retries are the same everywhere.
"""

from __future__ import annotations

from rbench.errors import UnknownName
from rbench.sweep.executors.base import Event, Executor, OnEvent, Settings

NAMES = ("local", "slurm", "ray")


def executor(name: str, settings: Settings) -> Executor:
    """The executor of that name. UserError if its package is not installed."""
    if name == "local":
        from rbench.sweep.executors.local import Local  # only the one that is used

        return Local(settings)
    if name == "slurm":
        from rbench.sweep.executors.slurm import Slurm  # as above

        return Slurm(settings)
    if name == "ray":
        from rbench.sweep.executors.ray import Ray  # as above

        return Ray(settings)
    raise UnknownName("executor", name, NAMES)


__all__ = ["NAMES", "Event", "Executor", "OnEvent", "Settings", "executor"]
