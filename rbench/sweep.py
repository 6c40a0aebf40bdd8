"""Suite -> records: run the cells whose record is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rbench import registry
from rbench.catalog import Catalog
from rbench.cells import Cell, finished, run_cell
from rbench.execute import Execution
from rbench.resolve import Resolved, resolve
from rbench.spec import SuiteSpec, parse


def load_suite(name_or_path: str) -> SuiteSpec:
    """A registered suite, or one from a ``.toml`` file."""
    return parse(SuiteSpec, registry.find("suites", name_or_path), f"suite {name_or_path}")


def resolve_suite(
    suite: SuiteSpec, catalog: Catalog, overrides: Mapping[str, Any] | None = None
) -> list[Resolved]:
    """Every cell of a suite, checked."""
    return [resolve(spec, catalog) for spec in suite.cells(overrides)]


def missing(cells: list[Resolved], output: Path) -> list[Resolved]:
    """The cells that ``output`` has no finished record of."""
    return [cell for cell in cells if finished(output, cell) is None]


def sweep(cells: list[Resolved], output: Path, execution: Execution) -> Iterator[Cell]:
    """Run ``cells`` one after another in this process; a failed one does not stop the others."""
    for cell in cells:
        yield run_cell(cell, output, execution)
