"""The built-in datasets, a file each."""

from __future__ import annotations

from rbench import Dataset

COMPONENTS: list[Dataset] = []
