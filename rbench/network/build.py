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
from torch.nn.parameter import is_lazy

from rbench.errors import UserError, printable
from rbench.files import user_path
from rbench.network.draw import Drawing, WeightSampler, describe, fit
from rbench.network.draw import report as report_draws
from rbench.network.freeze import freeze, report
from rbench.network.frozen import Frozen, fingerprint
from rbench.network.kernels import mark_kernels
from rbench.plugin.contexts import BuildContext, Note
from rbench.records.record import DrawReport, FreezeReport
from rbench.seeds import global_seed

if TYPE_CHECKING:
    from rbench.plugin.data import ImageData
    from rbench.spec.resolve import Resolved


@dataclass(frozen=True)
class Built:
    """A network ready for its task, and what is known of it."""

    network: nn.Module
    freeze: FreezeReport
    sha256: str | None
    frozen: Frozen
    draw: DrawReport | None


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
    sampler = None if resolved.init is None else WeightSampler(resolved.init, spec.seed)
    context = BuildContext(
        name=resolved.model.component.name,
        in_chans=data.in_chans,
        img_size=data.img_size,
        num_classes=classes,
        pretrained=spec.pretrained,
        seed=spec.seed,
        freeze=tuple(term.text for term in resolved.freezing.terms),
        unfreeze=tuple(stage.text for stage in resolved.freezing.stages),
        training=resolved.training,
        draw=sampler,
        note=note,
    )
    shape = (data.in_chans, *data.img_size)
    with global_seed(spec.seed, "weights"):
        network = resolved.model.component.build(context, resolved.model.options)
        if isinstance(network, nn.Module):
            materialize(network, shape)
    if not isinstance(network, nn.Module):
        raise UserError(f"the model {spec.model} built a {type(network).__name__}, not a network")
    if (
        resolved.init
        or resolved.init_norm
        or any(term.name != "none" for term in resolved.freezing.terms)
    ):
        mark_kernels(network, shape, note)
    drawn = _draw(resolved, network, data, sampler, note)
    if spec.initial_checkpoint is not None:
        load_weights(network, user_path(spec.initial_checkpoint))
    for term in resolved.freezing.renamed:
        note(f"--freeze {term.given} is called {term.name} now")
    trainable = any(parameter.requires_grad for parameter in network.parameters())
    frozen = freeze(network, resolved.freezing, spec.seed)
    found = report(frozen, resolved.freezing, resolved.trained)
    if resolved.training is not None and trainable and not found.learnable.count:
        raise UserError(
            f"--freeze {','.join(found.policy)}: nothing is left to learn, and the task "
            f"{spec.task} trains; all,!head lets the classifier learn"
        )
    return Built(network, found, state_sha256(network), frozen, drawn)


def materialize(network: nn.Module, shape: tuple[int, int, int]) -> None:
    """Give lazy layers (``nn.LazyConv2d``) their shapes, by one forward pass of a gray image."""
    if not any(map(is_lazy, (*network.parameters(), *network.buffers()))):
        return
    was_training = network.training
    network.eval()
    with torch.no_grad():
        network(torch.full((1, *shape), 0.5))
    network.train(was_training)


@runtime_checkable
class AdaptsCheckpoints(Protocol):
    """A network that takes foreign checkpoints, such as a decoder that wants a trained encoder."""

    def adapt_checkpoint(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The network's own full state with what it takes from ``state``; UserError if nothing."""


def _draw(
    resolved: Resolved,
    network: nn.Module,
    data: ImageData,
    sampler: WeightSampler | None,
    note: Note,
) -> DrawReport | None:
    """Draw what the run's initializers draw; UserError where that is nothing."""
    spec, chosen = resolved.spec, Drawing(network, resolved.spec, (data.in_chans, *data.img_size))
    names: dict[str, int] = {}
    if sampler is not None and resolved.init is not None:
        by_itself = set(sampler.names)
        layers = chosen.draw(sampler, chosen.chosen)
        if not sampler.names:
            raise UserError(
                f"--init {spec.init}: {spec.model} has no weight of the scope {spec.init_scope}"
            )
        if resolved.init.component.fit is not None:
            sampler.refuse_others(by_itself - {weight.stream for weight in chosen.chosen})
        fit(resolved.init, network, data, layers, spec.seed)
        names |= sampler.names
    if resolved.init_norm is not None:
        of_norms = WeightSampler(resolved.init_norm, spec.seed)
        layers = chosen.draw(of_norms, chosen.norms)
        if not layers:
            raise UserError(f"--init-norm {spec.init_norm}: {spec.model} has no norms with scales")
        fit(resolved.init_norm, network, data, layers, spec.seed)
        names |= of_norms.names
    if not names:
        return None
    drawn = report_draws(network, names)
    note(describe(drawn))
    return drawn


def load_weights(network: nn.Module, path: Path) -> None:
    """Load a safetensors file into ``network``; every name and shape must fit.

    Only ``num_batches_tracked``, a counter that older checkpoints of torch lack, may be missing.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix != ".safetensors":
        raise UserError(
            f"the checkpoint {path} is not a .safetensors file; pickles are not opened, since they "
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
        if name not in state and name.endswith("num_batches_tracked"):
            state[name] = own[name]
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
