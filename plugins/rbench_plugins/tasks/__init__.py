"""The built-in tasks, a file each."""

from __future__ import annotations

from rbench import Task
from rbench_plugins.tasks import classification, forward

COMPONENTS: list[Task] = [classification.COMPONENT, forward.COMPONENT]
