"""The built-in tasks, a file each."""

from __future__ import annotations

from rbench import Task
from rbench_plugins.tasks import classification, forward, probe, reconstruction, stylization

COMPONENTS: list[Task] = [
    classification.COMPONENT,
    forward.COMPONENT,
    probe.COMPONENT,
    reconstruction.COMPONENT,
    stylization.COMPONENT,
]
