"""The built-in tasks, a file each."""

from __future__ import annotations

from rbench import Task

COMPONENTS: list[Task] = []
