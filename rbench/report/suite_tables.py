"""A suite's tables for figures and comparisons, checked before its runs begin."""

from __future__ import annotations

from rbench.report.compare.papers_of_suite import papers_of_suite
from rbench.report.plot.declaration import figures
from rbench.spec.suite_spec import SuiteSpec


def check_tables(suite: SuiteSpec) -> None:
    """UserError if a figure or a comparison that ``suite`` declares cannot be made.

    Otherwise it would be found after the runs, which may take days.
    """
    figures(suite.figure, f"suite {suite.name}")
    papers_of_suite(suite)
