"""The interface of executors: settings in, events out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from rbench.plugin.options import Options
from rbench.sweep.job import RunJob
from rbench.sweep.locks import LEASE_SECONDS

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

    output: Path
    slots: int | None = Field(
        None, ge=1, description="runs at the same time on one machine; default: one per core or GPU"
    )
    threads: int | None = Field(
        None, ge=1, description="CPU threads per run; default: cores divided by slots"
    )
    time_limit: float | None = Field(None, gt=0, description="seconds that a run may take")
    memory_limit: float | None = Field(None, gt=0, description="GiB of memory that a run may use")
    retries: int = Field(2, ge=0, description="new attempts for a run whose process died")
    max_failures: int | None = Field(
        None, ge=1, description="stop after this many failed runs; default: never"
    )
    checkpoint_every: int | None = Field(
        None,
        ge=0,
        description="steps between checkpoints; 0: none; default: once a minute, between epochs",
    )
    lease_seconds: float = Field(
        LEASE_SECONDS,
        gt=0,
        description="seconds without a sign of life after which another machine counts as dead",
    )
    write_seconds: float = Field(
        60.0, ge=0, description="seconds to wait for a results folder that cannot be written"
    )
    wait: bool = Field(True, description="wait for runs that other processes are executing")
    command: str = ""
    jobs: int = Field(4, ge=1, description="cluster jobs at the same time")
    job_minutes: int = Field(60, ge=1, description="time limit of a job in minutes")
    job_memory: float = Field(8.0, gt=0, description="memory of a job in GiB")
    job_cpus: int = Field(2, ge=1, description="CPU cores of a job")
    job_gpus: int = Field(0, ge=0, description="GPUs of a job")
    partition: str | None = Field(None, description="Slurm partition")
    cluster: str | None = Field(
        None, description="Ray: the cluster's address; Slurm: slurm, or local to try it without"
    )
    slurm: dict[str, str | bool] = Field(
        {}, description="more options of sbatch as KEY=VALUE, such as account=abc gres=gpu:1"
    )
    slurm_setup: tuple[str, ...] = Field(
        (), description="shell commands at the start of each job, such as 'module load cuda'"
    )


class Executor(Protocol):
    """Executes the jobs of a sweep."""

    def run(self, jobs: Sequence[RunJob], on_event: OnEvent) -> None:
        """Execute every job. UserError if the folder cannot be written."""
