"""Which runs of a suite there are, and which of them are done, failed, running or missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.records.store import Store
from rbench.spec.protocol import digest
from rbench.spec.resolve import Contents, Resolved, resolve
from rbench.spec.run_spec import RunSpec
from rbench.spec.suite_spec import SuiteSpec
from rbench.sweep.job import RunJob
from rbench.sweep.locks import LEASE_SECONDS, Owner, RunLocks


@dataclass(frozen=True)
class Unresolvable:
    """A run that cannot be executed here, for example because its plugin is not installed."""

    spec: RunSpec
    error: UserError

    def job(self) -> RunJob:
        """A job whose record can only say why; its identity is the spec as it was written."""
        fields = self.spec.model_dump(mode="json", exclude_defaults=True)
        named = digest({"unresolved": fields})
        model = "".join(c if c.isalnum() or c in "._" else "_" for c in self.spec.model)[:60]
        return RunJob(
            slug=f"{model.strip('.')}-unresolved-s{self.spec.seed}-{named[:10]}",
            digest=named,
            seed=self.spec.seed,
            spec=fields,
        )


def resolve_suite(
    suite: SuiteSpec, catalog: Catalog, overrides: Mapping[str, Any] | None = None
) -> list[Resolved]:
    """Every run of a suite, resolved; UserError at the first that cannot be executed."""
    runs, bad = resolve_each(suite.runs(overrides), catalog)
    if bad:
        raise bad[0].error
    return runs


def resolve_each(
    specs: Sequence[RunSpec], catalog: Catalog, *, gpus_elsewhere: bool = False
) -> tuple[list[Resolved], list[Unresolvable]]:
    """Resolve what can be resolved. Runs that differ in their seed only are looked up once.

    For ``gpus_elsewhere`` see :func:`rbench.spec.resolve.resolve`.
    """
    alike: dict[str, Resolved | UserError] = {}
    contents: Contents = {}
    runs: dict[str, Resolved] = {}
    bad: list[Unresolvable] = []
    last: RunSpec | None = None
    key = ""
    for spec in specs:
        if last is None or spec.model_copy(update={"seed": last.seed}) != last:
            key = repr([value for name, value in spec if name != "seed"])
        last = spec
        if key not in alike:
            try:
                alike[key] = resolve(spec, catalog, contents, gpus_elsewhere=gpus_elsewhere)
            except UserError as error:
                alike[key] = error
        first = alike[key]
        if isinstance(first, UserError):
            bad.append(Unresolvable(spec, first))
            continue
        run = first
        if spec.seed != first.spec.seed:
            identity = {**first.identity, "seed": spec.seed}
            run = replace(first, spec=spec, identity=identity, digest=digest(identity))
        # Two specs may describe the same run, such as a default and the same value written out.
        runs.setdefault(run.digest, run)
    return list(runs.values()), bad


@dataclass(frozen=True)
class Survey:
    """The runs of a suite by their state in a results folder, each list in the suite's order."""

    done: list[Resolved]
    failed: list[Resolved]
    running: dict[str, Owner]
    """By slug: every run in the folder that a living process has locked."""
    missing: list[Resolved]
    """Neither done nor failed; those that are running now are among them."""

    def to_run(self, *, retry_failed: bool) -> list[Resolved]:
        """What a sweep executes: what is missing and, where asked, what failed."""
        return self.missing + self.failed if retry_failed else self.missing

    def jobs(self, store: Store, *, retry_failed: bool) -> list[RunJob]:
        """The jobs of :meth:`to_run`. A run that fails from now on is not executed again."""
        jobs = [RunJob.of(run) for run in self.missing]
        if retry_failed:
            jobs += [RunJob.of(run, store.record_sha256(run.slug)) for run in self.failed]
        return jobs


def survey(runs: Sequence[Resolved], store: Store, lease_seconds: float = LEASE_SECONDS) -> Survey:
    """Look up the records and locks of ``runs`` in a results folder."""
    found = Survey([], [], RunLocks(store, lease_seconds).owners(), [])
    for run in (run.named_in(store) for run in runs):
        ended = store.status(run.slug, run.digest)
        if ended == "done":
            found.done.append(run)
        elif ended == "failed":
            found.failed.append(run)
        else:
            found.missing.append(run)
    return found
