"""timm's model names without importing timm: they stand behind ``@register_model``."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_REGISTERED = re.compile(r"^@register_model\s*\ndef (\w+)\(", re.MULTILINE)


@cache
def timm_names() -> frozenset[str]:
    """Every architecture name of the installed timm."""
    spec = find_spec("timm")
    assert spec is not None
    assert spec.origin is not None
    names: set[str] = set()
    for source in (Path(spec.origin).parent / "models").glob("*.py"):
        names.update(_REGISTERED.findall(source.read_text(encoding="utf-8")))
    return frozenset(names)
