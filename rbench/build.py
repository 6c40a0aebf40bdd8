"""Spec -> network: built, drawn from its seed, frozen, fingerprinted.

Every process of a run builds the same weights itself: draws derive from the seed, never from
the rank, so nothing has to be broadcast.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from rbench.contexts import BuildContext, Note
from rbench.errors import UserError, printable
from rbench.freeze import fingerprint, freeze, is_spatial
from rbench.record import FreezeReport
from rbench.seeds import generator, global_seed

if TYPE_CHECKING:
    from rbench.data import ImageData
    from rbench.resolve import Resolved


@dataclass(frozen=True)
class Built:
    """A network ready for its task, and what is known of it."""

    network: nn.Module
    freeze: FreezeReport
    sha256: str | None


def build(resolved: Resolved, data: ImageData, note: Note) -> Built:
    """Build the network of a run for ``data``. UserError where its options do not fit."""
    spec = resolved.spec
    classes = data.num_classes if resolved.task.labels else 0
    if spec.num_classes is not None:
        if spec.num_classes < classes:
            raise UserError(
                f"--num-classes {spec.num_classes} is less than the {classes} classes "
                f"of {data.name}"
            )
        classes = spec.num_classes
    context = BuildContext(
        in_chans=data.in_chans,
        img_size=data.img_size,
        num_classes=classes,
        pretrained=spec.pretrained,
        seed=spec.seed,
        note=note,
    )
    with global_seed(spec.seed, "weights"):
        network = resolved.architecture.build(context, resolved.model_options)
    if not isinstance(network, nn.Module):
        raise UserError(f"the model {spec.model} built a {type(network).__name__}, not a network")
    if resolved.initializer is not None:
        draw(network, resolved)
    if spec.initial_checkpoint is not None:
        load_weights(network, Path(spec.initial_checkpoint).expanduser())
    frozen = freeze(network, spec.freeze)
    prepare = getattr(network, "prepare_training", None)
    if callable(prepare):
        # Layers whose execution depends on what learns and how, such as LC-blocks.
        prepare(frozen, resolved.training)
        frozen = freeze(network, spec.freeze)
    return Built(network, frozen, state_sha256(network))


def draw(network: nn.Module, resolved: Resolved) -> None:
    """Draw convolution weights by the run's initializer, each from a stream of its own."""
    assert resolved.initializer is not None
    spec, drawn = resolved.spec, 0
    for name, module in network.named_modules():
        convolution = isinstance(module, nn.modules.conv._ConvNd)
        if not convolution or (spec.init_scope == "spatial" and not is_spatial(module)):
            continue
        weight = module.weight
        assert isinstance(weight, torch.Tensor)
        with torch.no_grad():
            resolved.initializer.draw(
                weight, generator(spec.seed, "init", f"{name}.weight"), resolved.init_options
            )
        drawn += 1
    if not drawn:
        raise UserError(f"--init {spec.init}: {spec.model} has no {spec.init_scope} convolution")


def load_weights(network: nn.Module, path: Path) -> None:
    """Load a safetensors file into ``network``; every name and shape must fit."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix != ".safetensors":
        raise UserError(
            f"the checkpoint {path} is no .safetensors file; pickles are not opened, since they "
            "can run code (safetensors.torch.save_file converts one)"
        )
    try:
        state = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"the checkpoint {path} is broken: {printable(error)}") from error
    own = network.state_dict()
    for name in sorted(own.keys() | state.keys()):
        if name not in state:
            raise UserError(f"the checkpoint {path} lacks '{name}' of this model")
        if name not in own:
            raise UserError(f"the checkpoint {path} has '{printable(name)}', this model does not")
        if own[name].shape != state[name].shape:
            raise UserError(
                f"the checkpoint {path} has {name} as {tuple(state[name].shape)}, "
                f"this model as {tuple(own[name].shape)}"
            )
    network.load_state_dict(state)


def state_sha256(network: nn.Module) -> str | None:
    """SHA-256 over all parameters and buffers."""
    return fingerprint(dict(network.state_dict()))
