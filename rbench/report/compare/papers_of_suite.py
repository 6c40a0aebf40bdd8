"""Which papers, values and claims a suite is about."""

from __future__ import annotations

from rbench.errors import UnknownName, UserError
from rbench.report.compare.declaration import Paper, chosen, papers, read_paper
from rbench.spec import registry
from rbench.spec.suite_spec import SuiteSpec, read_suite


def papers_of(name: str | None) -> list[Paper]:
    """The papers to compare with: all, one by its name, or what a suite's ``compare`` names.

    A suite says ``[[compare]] paper = "p2", values = ["table1/*"], claims = ["frozen-*"]``.
    """
    if name is None:
        return papers()
    if name in registry.names("papers"):
        return [read_paper(name)]
    if not name.endswith(".toml") and name not in registry.names("suites"):
        raise UnknownName(
            "suite or paper", name, [*registry.names("suites"), *registry.names("papers")]
        )
    suite = read_suite(name)
    if not suite.compare:
        raise UserError(f"the suite {suite.name} names no reported values; see rbench compare")
    return papers_of_suite(suite)


def papers_of_suite(suite: SuiteSpec) -> list[Paper]:
    """The papers of a suite's ``compare`` tables with what these name; UserError for a bad one."""
    found = []
    for table in suite.compare:
        unknown = set(table) - {"paper", "values", "claims"}
        if unknown or "paper" not in table:
            raise UserError(
                f"suite {suite.name}, compare: it takes paper, values and claims, and needs paper"
            )
        try:
            found.append(chosen(read_paper(str(table["paper"])), table))
        except UserError as error:
            raise UserError(f"suite {suite.name}, compare: {error}") from error
    return found
