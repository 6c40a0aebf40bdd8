"""A run as it is sent to another process.

Everything is JSON: a job can be piped, put into a Slurm job's file, or sent to another machine.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import JsonValue

from rbench import hardware
from rbench.plugin.options import Options
from rbench.records.record import Failure, Record
from rbench.records.store import Store
from rbench.spec.run_spec import LOCAL_FIELDS, RunSpec

if TYPE_CHECKING:
    from rbench.spec.resolve import Resolved


class RunJob(Options):
    """What another process needs to execute a run, and to write a record if it cannot."""

    slug: str
    digest: str
    protocol: str = ""
    protocol_name: str = ""
    seed: int = 0
    spec: dict[str, JsonValue]
    identity: dict[str, JsonValue] = {}
    failed_before: str = ""
    """The SHA-256 of the failed record that is to be replaced; "" for none."""

    @classmethod
    def of(cls, resolved: Resolved, failed_before: str = "") -> RunJob:
        """The job of a resolved run."""
        return cls(
            slug=resolved.slug,
            digest=resolved.digest,
            protocol=resolved.protocol,
            protocol_name=resolved.protocol_name,
            seed=resolved.spec.seed,
            spec=resolved.spec.model_dump(mode="json", exclude_defaults=True),
            identity=resolved.identity,
            failed_before=failed_before,
        )

    def has_failed(self, store: Store) -> bool:
        """Whether any process has recorded that the run failed since the job was made."""
        return store.failed_since(self.slug, self.digest, self.failed_before)

    @property
    def device(self) -> str:
        """Where this machine would execute it: ``auto`` may be another device elsewhere."""
        return hardware.resolve_device(str(self.spec.get("device", "auto")))

    def run_spec(self) -> RunSpec:
        """The spec of the run."""
        return RunSpec.model_validate(self.spec)

    def failed(
        self, kind: str, message: str, traceback: str = "", log: str = "", seconds: float = 0.0
    ) -> Record:
        """A record that says why the run failed, where the run did not write one itself."""
        return Record(
            digest=self.digest,
            status="failed",
            spec={k: v for k, v in self.spec.items() if k not in LOCAL_FIELDS},
            resolved=self.identity,
            protocol=self.protocol,
            protocol_name=self.protocol_name,
            comparable=self.spec.get("limit") is None,
            seed=self.seed,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(seconds, 3),
            error=Failure(kind=kind, message=message, traceback=traceback, log=log),
        )
