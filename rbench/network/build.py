"""Spec -> network: built, drawn from its seed, frozen, fingerprinted.

Every process of a run builds the same weights itself: draws derive from the seed, never from
the rank, so nothing has to be broadcast.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from rbench.errors import UserError, printable
from rbench.network.freeze import freeze, report
from rbench.network.frozen import Frozen, fingerprint
from rbench.network.modules import SpatialModule, is_spatial
from rbench.network.wrap import stored_weight
from rbench.plugin.contexts import BuildContext, Note
from rbench.records.record import FreezeReport
from rbench.seeds import generator, global_seed

if TYPE_CHECKING:
    from rbench.plugin.components import Initializer
    from rbench.plugin.data import ImageData
    from rbench.spec.resolve import Chosen, Resolved
    from rbench.spec.run_spec import RunSpec


@dataclass(frozen=True)
class Built:
    """A network ready for its task, and what is known of it."""

    network: nn.Module
    freeze: FreezeReport
    sha256: str | None
    frozen: Frozen


def build(resolved: Resolved, data: ImageData, note: Note) -> Built:
    """Build the network of a run for ``data``. UserError where its options do not fit."""
    spec = resolved.spec
    classes = data.num_classes if resolved.task.component.labels else 0
    if spec.num_classes is not None:
        if spec.num_classes < classes:
            raise UserError(
                f"--num-classes {spec.num_classes} is less than the {classes} classes "
                f"of {data.name}"
            )
        classes = spec.num_classes
    law = None if resolved.init is None else Law(resolved.init, spec)
    context = BuildContext(
        in_chans=data.in_chans,
        img_size=data.img_size,
        num_classes=classes,
        pretrained=spec.pretrained,
        seed=spec.seed,
        freeze=tuple(term.text for term in resolved.freezing.terms),
        unfreeze=tuple(stage.text for stage in resolved.freezing.stages),
        training=resolved.training,
        draw=law,
        note=note,
    )
    with global_seed(spec.seed, "weights"):
        network = resolved.model.component.build(context, resolved.model.options)
    if not isinstance(network, nn.Module):
        raise UserError(f"the model {spec.model} built a {type(network).__name__}, not a network")
    if law is not None:
        draw(network, law)
    if spec.initial_checkpoint is not None:
        load_weights(network, Path(spec.initial_checkpoint).expanduser())
    for term in resolved.freezing.renamed:
        note(f"--freeze {term.given} is called {term.name} now")
    trainable = any(parameter.requires_grad for parameter in network.parameters())
    frozen = freeze(network, resolved.freezing, spec.seed)
    found = report(frozen, resolved.freezing)
    if resolved.training is not None and trainable and not found.learnable.count:
        raise UserError(
            f"--freeze {','.join(found.policy)}: nothing is left to learn, and the task "
            f"{spec.task} trains; all,!head lets the classifier learn"
        )
    return Built(network, found, state_sha256(network), frozen)


@runtime_checkable
class AdaptsCheckpoints(Protocol):
    """A network that takes foreign checkpoints, such as a decoder that wants a trained encoder."""

    def adapt_checkpoint(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The network's own full state with what it takes from ``state``; UserError if nothing."""


class Law:
    """The run's initializer: fills a weight in place from the stream of a name."""

    def __init__(self, init: Chosen[Initializer], spec: RunSpec) -> None:
        self.initializer, self.options = init.component, init.options
        self.spec, self.drawn = spec, 0

    def __call__(self, weight: Tensor, stream: str) -> None:
        """Draw ``weight``; the same stream and shape give the same numbers in any run."""
        with torch.no_grad():
            self.initializer.draw(weight, generator(self.spec.seed, "init", stream), self.options)
        self.drawn += 1


def draw(network: nn.Module, law: Law) -> None:
    """Draw the convolutions that the spec names; those of a SpatialModule have drawn already."""
    own: set[str] = set()
    for name, module in network.named_modules():
        if isinstance(module, SpatialModule):
            own.add(f"{name}.")
        convolution = isinstance(module, nn.modules.conv._ConvNd)
        if not convolution or (law.spec.init_scope == "spatial" and not is_spatial(module)):
            continue
        if any(name.startswith(prefix) for prefix in own):
            continue
        law(stored_weight(module), f"{name}.weight")
    if not law.drawn:
        spec = law.spec
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
    if isinstance(network, AdaptsCheckpoints):
        state = network.adapt_checkpoint(state)
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
