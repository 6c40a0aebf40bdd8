"""Which runs of a suite are meant, as ``rbench sweep`` and ``rbench plan`` are told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, JsonValue

from rbench.plugin.catalog import Catalog
from rbench.plugin.options import NO_FLAG, Flag, Options
from rbench.records.store import Store
from rbench.spec.resolve import Resolved
from rbench.spec.run_spec import RunSpec
from rbench.spec.select import select
from rbench.spec.suite_spec import SuiteSpec, dotted, full_name, read_suite
from rbench.sweep.survey import Unresolvable, resolve_each
from rbench.sweep.tune import tuned_specs

_MACHINE, _RUNS = Flag("Data and machine"), Flag("Runs")


class MachineSettings(Options):
    """Where the data is and which device computes, for runs that are described elsewhere."""

    data_dir: Annotated[str | None, _MACHINE] = Field(
        None, description="folder of the dataset's files"
    )
    device: Annotated[str, _MACHINE] = Field("auto", description="auto, cpu, cuda, cuda:N, or mps")
    deterministic: Annotated[bool, _MACHINE] = Field(
        False, description="use deterministic kernels only; another identity of the run"
    )

    plugin: Annotated[tuple[str, ...], _MACHINE] = Field(
        (), description="files with rbench hooks, whose components the runs may name"
    )

    def overrides(self) -> dict[str, Any]:
        """The fields of a run that these settings replace."""
        found: dict[str, Any] = {"device": self.device}
        found |= {"data_dir": self.data_dir} if self.data_dir else {}
        found |= {"plugin": self.plugin} if self.plugin else {}
        return found | ({"deterministic": True} if self.deterministic else {})


class SuiteSettings(MachineSettings):
    """The runs of a suite that are meant, and the results folder."""

    only: Annotated[tuple[str, ...], _RUNS] = Field(
        (), description="only runs that meet these conditions, such as model=resnet50,seed<2"
    )
    set: Annotated[dict[str, JsonValue], _RUNS] = Field(
        {}, description="replace fields in every run, such as epochs=3 model_kwargs.width=32"
    )
    tuned: Annotated[bool, _RUNS] = Field(
        False, description="with the values that rbench tune found for each configuration"
    )
    trials: Annotated[bool, NO_FLAG] = Field(False, description="the runs that tune the suite")
    gpus_elsewhere: Annotated[bool, NO_FLAG] = Field(
        False, description="the runs are for other machines, which have GPUs"
    )
    retry_failed: Annotated[bool, _RUNS] = Field(False, description="include runs that failed")
    output: Annotated[Path, Flag("Output")] = Field(
        Path("results"), description="results folder, where records are read and written"
    )

    def overrides(self) -> dict[str, Any]:
        """See :meth:`MachineSettings.overrides`; ``set`` too. UserError for unknown fields."""
        return super().overrides() | {
            full_name(key, "--set"): value for key, value in dotted(self.set).items()
        }


@dataclass(frozen=True)
class SuiteRuns:
    """The runs of a suite that were selected, and those that cannot be executed here."""

    suite: SuiteSpec
    runs: list[Resolved]
    bad: list[Unresolvable]

    @property
    def total(self) -> int:
        """How many runs were selected."""
        return len(self.runs) + len(self.bad)


def suite_runs(name_or_path: str, settings: SuiteSettings, catalog: Catalog) -> SuiteRuns:
    """The selected runs of a suite. UserError if none can be executed, or none is selected."""
    suite = read_suite(name_or_path)
    specs, elsewhere = _specs(suite, settings, catalog), settings.gpus_elsewhere
    runs, bad = resolve_each(specs, catalog, gpus_elsewhere=elsewhere)
    if bad and not runs:
        raise bad[0].error
    if settings.only:
        # Conditions are about resolved runs, so they leave out what cannot be resolved.
        runs, bad = select(runs, settings.only), []
    return SuiteRuns(suite, runs, bad)


def _specs(suite: SuiteSpec, settings: SuiteSettings, catalog: Catalog) -> list[RunSpec]:
    overrides = settings.overrides()
    if settings.trials:
        return [trial.spec for trial in suite.trials(overrides)]
    if settings.tuned:
        store, elsewhere = Store(settings.output), settings.gpus_elsewhere
        return tuned_specs(suite, overrides, store, catalog, gpus_elsewhere=elsewhere)
    return suite.runs(overrides)
