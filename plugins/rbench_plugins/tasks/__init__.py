"""The built-in tasks, a file each."""

from __future__ import annotations

from rbench import Task
from rbench_plugins.tasks import (
    classification,
    deep_image_prior,
    forward,
    freezenet,
    inversion,
    probe,
    reconstruction,
    stylization,
)

COMPONENTS: list[Task] = [
    classification.COMPONENT,
    deep_image_prior.COMPONENT,
    forward.COMPONENT,
    freezenet.COMPONENT,
    inversion.COMPONENT,
    probe.COMPONENT,
    reconstruction.COMPONENT,
    stylization.COMPONENT,
]
