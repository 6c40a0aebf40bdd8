"""The built-in metrics, a file each."""

from __future__ import annotations

from rbench import Metric

COMPONENTS: list[Metric] = []
