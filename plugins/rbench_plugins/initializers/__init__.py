"""The built-in initializers, a file each."""

from __future__ import annotations

from rbench import Initializer

COMPONENTS: list[Initializer] = []
