"""Whether timm knows an augmentation, asked before anything starts."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from rbench.errors import UserError, printable


@lru_cache(maxsize=64)
def check_augmentation(text: str) -> None:
    """UserError where ``text`` is not a RandAugment, AutoAugment or AugMix string of timm's."""
    module = _timm_auto_augment()
    kind = next((name for name in ("rand", "augmix") if text.startswith(name)), "auto")
    make = {
        "rand": module.rand_augment_transform,
        "augmix": module.augment_and_mix_transform,
        "auto": module.auto_augment_transform,
    }[kind]
    try:
        make(text, {"translate_const": 100, "img_mean": (128, 128, 128)})
    except (AssertionError, ValueError, KeyError, IndexError) as error:
        raise UserError(
            f"--aa {printable(text)}: timm does not know this augmentation; it takes "
            "such as rand-m9-mstd0.5-inc1, original, v0, 3a or augmix-m5"
        ) from error


@lru_cache(maxsize=1)
def _timm_auto_augment() -> ModuleType:
    """timm's ``data/auto_augment.py`` by itself: it needs no torch, its package does."""
    package = importlib.util.find_spec("timm")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).parent / "data" / "auto_augment.py"
    spec = importlib.util.spec_from_file_location("rbench_timm_auto_augment", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


__all__ = ["check_augmentation"]
