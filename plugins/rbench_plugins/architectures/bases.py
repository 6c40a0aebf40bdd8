"""The networks that ``supermask_NAME`` and ``basis_NAME`` change: timm's and some of rbench's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rbench import Architecture, ArchitectureFamily, BuildContext, UserError
from rbench_plugins.architectures import convmixer, resnet14, resnet_cifar, small_cnns, timm_models

if TYPE_CHECKING:
    from torch import nn

SOURCES: tuple[Architecture | ArchitectureFamily, ...] = (
    resnet_cifar.COMPONENT,
    resnet_cifar.FAMILY,
    resnet14.COMPONENT,
    convmixer.COMPONENT,
    *small_cnns.COMPONENTS.values(),
    timm_models.COMPONENT,
)
BaseKwargs = dict[str, bool | int | float | str | None]


def find(name: str) -> Architecture | None:
    """The plain network called ``name``, or None: without loading torch."""
    for source in SOURCES:
        found = source.member(name) if isinstance(source, ArchitectureFamily) else source
        if found is not None and found.name == name:
            return found
    return None


def takes_pretrained(name: str) -> bool:
    """Whether the plain network ``name`` starts from published weights if asked to.

    True of a name that nobody knows: :func:`build` says what is wrong with it.
    """
    base = find(name)
    return base is None or base.pretrained is True


def build(name: str, kwargs: Mapping[str, Any], context: BuildContext) -> nn.Module:
    """Build the plain network ``name``. UserError where the options ``kwargs`` do not fit."""
    base = find(name)
    if base is None:
        raise UserError(f"base={name}: neither timm nor rbench has a plain model of this name")
    try:
        options = base.options.model_validate({**base.defaults, **kwargs})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"base_kwargs of {name}: {where}: {first['msg']}") from error
    return base.build(replace(context, name=name), options)


def prefixed(prefix: str, name: str) -> str | None:
    """``resnet18`` for ``supermask_resnet18``, where there is such a base; else None."""
    base = name.removeprefix(prefix)
    return None if base == name or find(base) is None else base
