"""The interface of executors: settings in, events out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import Field, JsonValue

from rbench.plugin.options import NO_FLAG, Flag, Options
from rbench.sweep.job import RunJob
from rbench.sweep.locks import LEASE_SECONDS

_RUNS, _PARALLEL = Flag("Runs"), Flag("Parallel runs")
_LIMITS, _CLUSTER, _OUTPUT = Flag("Limits"), Flag("Cluster"), Flag("Output")

EventKind = Literal[
    "started",  # a worker has started the run
    "progress",  # done of total units of the phase in text
    "note",  # text
    "done",  # its record is written; text has its first metrics
    "failed",  # its record is written and says why; text is the message
    "retry",  # its worker died; it will be tried again
    "elsewhere",  # another living process has it; text says which
    "stopped",  # it was not run: too many failures, or the user's wish
]


@dataclass(frozen=True)
class Event:
    """Something happened to the run ``slug``, in the executor's slot of that number."""

    kind: EventKind
    slug: str
    slot: int = 0
    text: str = ""
    done: int = 0
    total: int = 0
    seconds: float = 0.0


OnEvent = Callable[[Event], None]


class Settings(Options):
    """How a sweep runs. Nothing here changes a number, but ``threads`` changes rounding."""

    output: Annotated[Path, NO_FLAG]
    command: Annotated[str, NO_FLAG] = ""
    max_failures: Annotated[int | None, _RUNS] = Field(
        None,
        ge=1,
        description="stop after this many failed runs, those of the other jobs of a cluster "
        "included; default: never",
    )
    slots: Annotated[int | None, _PARALLEL] = Field(
        None,
        ge=1,
        description="runs at the same time on one machine; default: one per CPU core, or per GPU",
    )
    threads: Annotated[int | None, _PARALLEL] = Field(
        None, ge=1, description="CPU threads per run; default: cores divided by slots"
    )
    wait: Annotated[bool, _PARALLEL] = Field(
        True, description="wait for runs that another sweep of this folder is executing"
    )
    lease_seconds: Annotated[float, _PARALLEL] = Field(
        LEASE_SECONDS,
        gt=0,
        description="seconds without a sign of life after which another machine counts as dead",
    )
    write_seconds: Annotated[float, _PARALLEL] = Field(
        60.0, ge=0, description="seconds to wait while the results folder cannot be written"
    )
    time_limit: Annotated[float | None, _LIMITS] = Field(
        None, gt=0, description="seconds that a run may take; default: no limit"
    )
    memory_limit: Annotated[float | None, _LIMITS] = Field(
        None, gt=0, description="GiB of memory that a run may use; default: no limit"
    )
    retries: Annotated[int, _LIMITS] = Field(
        2, ge=0, description="further attempts for a run whose process died"
    )
    checkpoint_every: Annotated[int | None, _LIMITS] = Field(
        None,
        ge=0,
        description="optimizer steps between checkpoints, 0 for none; default: at the end of an "
        "epoch, at most once a minute",
    )
    save_weights: Annotated[bool, _OUTPUT] = Field(
        False,
        description="write the trained weights beside each record that this sweep makes, for "
        "`rbench measure` and `rbench export`",
    )
    jobs: Annotated[int, _CLUSTER] = Field(4, ge=1, description="jobs at the same time")
    job_minutes: Annotated[int, _CLUSTER] = Field(60, ge=1, description="time limit of a job")
    job_memory: Annotated[float, _CLUSTER] = Field(8.0, gt=0, description="memory of a job in GiB")
    job_cpus: Annotated[int, _CLUSTER] = Field(2, ge=1, description="CPU cores of a job")
    job_gpus: Annotated[int, _CLUSTER] = Field(0, ge=0, description="GPUs of a job")
    partition: Annotated[str | None, _CLUSTER] = Field(None, description="Slurm partition")
    cluster: Annotated[str | None, _CLUSTER] = Field(
        None, description="Ray: the cluster's address; Slurm: slurm, or local to try it without"
    )
    slurm: Annotated[dict[str, JsonValue], _CLUSTER] = Field(
        {}, description="further options of sbatch, such as account=abc qos=long gres=gpu:1"
    )
    slurm_setup: Annotated[list[str], _CLUSTER] = Field(
        [], description="shell commands at the start of each job, such as 'module load cuda'"
    )


def asks_for_gpus(settings: Settings) -> bool:
    """Whether each job of a cluster gets a GPU, by ``job_gpus`` or an option of sbatch.

    Such as ``gres=gpu:1``, ``gpus-per-node=1`` or ``tres-per-task=gres/gpu:1``.
    """
    kinds = ("gpus", "gres", "tres")
    options = [f"{k}={v}" for k, v in settings.slurm.items() if k.startswith(kinds)]
    return settings.job_gpus > 0 or any("gpu" in option for option in options)


class Executor(Protocol):
    """Executes the jobs of a sweep."""

    def run(self, jobs: Sequence[RunJob], on_event: OnEvent) -> None:
        """Execute every job. UserError if the folder cannot be written."""
