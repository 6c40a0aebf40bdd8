"""These tests read many records and install nothing."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="module")
def _installed_once(installed_once: None) -> None:
    """The plugins are looked for once a module."""
