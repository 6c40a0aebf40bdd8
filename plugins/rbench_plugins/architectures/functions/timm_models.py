"""Builds the network that ``architectures/timm_models.py`` describes."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Any

import timm
from torch import nn

from rbench import BuildContext, UnknownName, UserError
from rbench_plugins.architectures.timm_models import TimmOptions
from rbench_plugins.layers.low_resolution import low_resolution

LOW_RESOLUTION = 64
"""Images smaller than this, in pixels, get the low-resolution stem where there is one."""


def build(context: BuildContext, options: TimmOptions) -> nn.Module:
    """timm's model of the context's name, channels and classes; random or published weights."""
    name = context.name
    kwargs: dict[str, Any] = dict(options.model_extra or {})
    if context.training is not None and context.training.drop_path is not None:
        kwargs = {"drop_path_rate": context.training.drop_path, **kwargs}
    try:
        network = timm.create_model(
            name,
            pretrained=context.pretrained,
            num_classes=context.num_classes,
            in_chans=context.in_chans,
            **{**_size(name, context), **kwargs},
        )
    except (TypeError, RuntimeError, OSError, AssertionError) as error:
        message = _unknown_option(name, error) or " ".join(str(error).split())
        raise UserError(f"timm cannot build {name} with these options: {message}") from error
    if context.training is None and _has_silent_branch(network):
        context.note(
            f"timm starts the last norm of each block of {name} at zero, so that untrained its "
            "residual branches yield nothing; --model-kwargs zero_init_last=false draws them"
        )
    if _wants_low_resolution(context, options):
        form: dict[str, Any] = {"keep_pool": options.stem_pool}
        if options.second_stride is not None:
            form["second_stride"] = options.second_stride
        if low_resolution(network, **form):
            drawn = ", which is random: published weights do not fit it"
            context.note(
                f"{name} in its low-resolution form: stem 3x3 of stride 1"
                f"{drawn if context.pretrained else ''}"
            )
            _say_form(network, {"base": name, **form, **kwargs})
            return network
        if options.low_res:
            raise UserError(f"rbench knows no low-resolution form of {name}")
    for field, unused in (("second_stride", None), ("stem_pool", True)):
        if getattr(options, field) != unused:
            raise UserError(
                f"{field} changes the low-resolution form only, and {name} is built in its own at "
                f"{min(context.img_size)} pixels; add low_res=true or leave {field} out"
            )
    return network


def _wants_low_resolution(context: BuildContext, options: TimmOptions) -> bool:
    """As ``low_res`` says; else for small images, unless that would discard published filters."""
    if options.low_res is not None:
        return options.low_res
    if min(context.img_size) >= LOW_RESOLUTION:
        return False
    if context.pretrained:
        context.note(
            f"{context.name} keeps the stem of its published weights, which was made for larger "
            "images; --model-kwargs low_res=true takes a random 3x3 stem of stride 1"
        )
    return not context.pretrained


def _say_form(network: nn.Module, arguments: dict[str, Any]) -> None:
    """Under which name and arguments timm builds the changed network, for ``rbench export``."""
    network.pretrained_cfg = {  # type: ignore[assignment]
        **network.pretrained_cfg,  # type: ignore[dict-item]
        "architecture": "rbench_low_resolution",
    }
    network.timm_arguments = arguments  # type: ignore[assignment]
    network.timm_module = "rbench_plugins.layers.timm_entry"  # type: ignore[assignment]


def _unknown_option(name: str, error: Exception) -> str:
    """What is wrong with an option that the model's constructor does not take, else nothing.

    timm's own words name the class and the option, not what would have been right.
    """
    said = re.search(r"(\w+)\.__init__\(\) got .*?unexpected keyword .*?'(\w+)'", str(error))
    if said is None:
        return ""
    module = sys.modules[timm.models.model_entrypoint(name).__module__]
    constructor = getattr(module, said[1], None)
    taken = set(inspect.signature(constructor).parameters) if constructor else set()
    own = TimmOptions.model_fields
    return str(UnknownName("option", said[2], taken.union(own) - {"cfg", "kwargs"}))


def _has_silent_branch(network: nn.Module) -> bool:
    """Whether a norm layer multiplies by zero all over."""
    norms = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
    return any(
        isinstance(module, norms) and module.weight is not None and not module.weight.any()
        for module in network.modules()
    )


def _size(name: str, context: BuildContext) -> dict[str, Any]:
    """``img_size`` for the models whose weights depend on it, such as ViTs."""
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return {"img_size": context.img_size} if config and config.fixed_input_size else {}
