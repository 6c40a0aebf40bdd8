"""The interface of executors: settings in, events out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from rbench.plugin.options import Options
from rbench.sweep.job import Ticket
from rbench.sweep.locks import PATIENCE

Kind = Literal[
    "started",  # a worker has the cell
    "progress",  # done of total units of the phase in text
    "note",  # text
    "done",  # its record is written
    "failed",  # its record is written and says why; text is the message
    "retry",  # its worker died; it will be tried again
    "elsewhere",  # a living process of somebody else has it; text says which
    "stopped",  # it was not run: too many failures, or the user's wish
]


@dataclass(frozen=True)
class Event:
    """Something happened to the cell ``slug``, in the executor's slot of that number."""

    kind: Kind
    slug: str
    slot: int = 0
    text: str = ""
    done: int = 0
    total: int = 0
    seconds: float = 0.0


Report = Callable[[Event], None]


class Settings(Options):
    """How a sweep runs. None of this can change a number, but ``threads`` rounds sums anew."""

    output: Path
    slots: int | None = Field(None, ge=1, description="cells at a time; none: as the machine has")
    threads: int | None = Field(None, ge=1, description="of a cell; none: a fair share")
    time_limit: float | None = Field(None, gt=0, description="seconds that a cell may take")
    memory_limit: float | None = Field(None, gt=0, description="GiB that a cell may use")
    checkpoint_every: int | None = Field(None, ge=0, description="steps between checkpoints")
    retries: int = Field(2, ge=0, description="new attempts for a cell whose process died")
    max_failures: int | None = Field(None, ge=1, description="stop after so many failed cells")
    patience: float = Field(PATIENCE, gt=0, description="seconds until a silent machine is dead")
    write_patience: float = Field(60.0, ge=0, description="seconds to wait for the folder")
    wait: bool = Field(True, description="wait for cells that run elsewhere")
    command: str = ""
    jobs: int = Field(4, ge=1, description="jobs or tasks at a time, on a cluster")
    job_minutes: int = Field(60, ge=1, description="time limit of a Slurm job, minutes")
    job_memory: float = Field(8.0, gt=0, description="memory of a job, GiB")
    job_cpus: int = Field(2, ge=1, description="CPUs of a job")
    job_gpus: int = Field(0, ge=0, description="GPUs of a job")
    partition: str | None = Field(None, description="Slurm partition")
    cluster: str | None = Field(None, description="Slurm: submitit's cluster; Ray: its address")


class Executor(Protocol):
    """Brings cells to records."""

    def run(self, tickets: Sequence[Ticket], report: Report) -> None:
        """Run every ticket. UserError where the folder cannot be written."""
