"""Read a declared suite; loads no torch."""

from __future__ import annotations

from rbench import registry
from rbench.spec import SuiteSpec, parse


def read_suite(name_or_path: str) -> SuiteSpec:
    """A registered suite, or one from a ``.toml`` file."""
    return parse(SuiteSpec, registry.find("suites", name_or_path), f"suite {name_or_path}")
