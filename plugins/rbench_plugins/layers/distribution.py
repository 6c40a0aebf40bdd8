"""The initializers as distributions of a given spread: by scale or by standard deviation."""

from __future__ import annotations

import importlib
import math
from typing import Any, Literal, TypeAlias

from rbench import Initializer, UserError

Distribution: TypeAlias = Literal["normal", "uniform", "laplace", "logistic"]
"""Those with mean 0 and a scale."""


def by_name(name: str) -> Initializer:
    """The built-in initializer ``name``."""
    component: Initializer = importlib.import_module(
        f"rbench_plugins.initializers.{name}"
    ).COMPONENT
    return component


def by_scale(name: str, scale: float) -> tuple[Initializer, Any]:
    """The initializer ``name`` and its options at ``scale``, with mean 0.

    ``scale`` is the standard deviation of ``normal``, the half-width of ``uniform``, the scale of
    ``logistic`` and ``laplace``. UserError for another name.
    """
    fields = {
        "normal": {"mean": 0.0, "std": scale},
        "uniform": {"low": -scale, "high": scale},
        "laplace": {"loc": 0.0, "scale": scale},
        "logistic": {"loc": 0.0, "scale": scale},
    }
    if name not in fields:
        raise UserError(f"the distribution {name} has no scale; {', '.join(fields)} have one")
    component = by_name(name)
    return component, component.options(**fields[name])


def by_std(name: Distribution, std: float) -> tuple[Initializer, Any]:
    """The initializer ``name`` and its options with mean 0 and standard deviation ``std``."""
    scales: dict[Distribution, float] = {
        "normal": std,
        "uniform": std * math.sqrt(3),
        "laplace": std / math.sqrt(2),
        "logistic": std * math.sqrt(3) / math.pi,
    }
    return by_scale(name, scales[name])
