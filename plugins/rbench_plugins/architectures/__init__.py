"""The built-in architectures, a file each."""

from __future__ import annotations

from rbench import Architecture

COMPONENTS: list[Architecture] = []
