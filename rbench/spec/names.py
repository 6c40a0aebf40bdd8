"""The file name of a run: what it says of the run for people to read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rbench.spec.protocol import changes

if TYPE_CHECKING:
    from rbench.spec.chosen import Chosen
    from rbench.spec.resolve import Resolved

PRECISION = frozenset({"amp", "amp_dtype"})
"""Fields of a recipe that follow from the machine."""
LONGEST = 100
"""Characters before the seed: with a suffix and a temporary file's prefix, a name stays below the
143 bytes that encrypted home folders allow."""


def slug(run: Resolved) -> str:
    """A file name for the record: readable, unique by the digest, safe on any system.

    It names the model, the initializers, the freezing rules, the dataset and the options that are
    not the defaults: ``resnet18-normal-std_0.1-spatial-digits-lr_0.1-s0-0123456789``. A run has
    one name, however its options were written, but other versions of rbench may give it another:
    only the digest at the end identifies it (``Store.name``).
    """
    identity, dataset = run.identity, run.dataset.component
    size = run.spec.img_size
    parts = [
        run.model.component.name,
        *_options(run.model, run.model.component.defaults),
        *(["pretrained"] if run.spec.pretrained else []),
        *(word for one in (run.init, run.init_norm) if one for word in _named(one)),
        *identity["freeze"],
        *(
            f"{name}_{_text(value)}"
            for rule in identity.get("freeze_rules", {}).values()
            for name, value in rule["options"].items()
            if value is not None
        ),
        dataset.name,
        *_options(run.task),
        *([run.recipe] if run.recipe and run.recipe != dataset.recipe else []),
        *(changes(run.recipe, identity["training"], PRECISION) if run.recipe else []),
        *([f"{size[0]}x{size[1]}"] if size else []),
        *(f"{key}_{identity[key]}" for key in ("limit", "limit_test") if identity.get(key)),
        *_options(run.dataset),
    ]
    text = "-".join(map(_safe, parts))[:LONGEST].strip(".-_")
    return f"{text}-s{run.spec.seed}-{run.digest[:10]}"


def _named(one: Chosen[Any]) -> list[str]:
    return [one.component.name, *_options(one)]


def _options(one: Chosen[Any], implied: Mapping[str, Any] | None = None) -> list[str]:
    """``std_0.1``: the options that differ from the defaults and from what the name implies."""
    found = []
    for name, field in type(one.options).model_fields.items():
        value = getattr(one.options, name)
        default = field.get_default(call_default_factory=True, validated_data={})
        if value != (implied or {}).get(name, default):
            found.append(f"{name}_{_text(value)}")
    return found


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "_".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


@lru_cache(maxsize=4096)
def _safe(part: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "_" for c in part)


__all__ = ["slug"]
