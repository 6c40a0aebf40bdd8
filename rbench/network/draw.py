"""Draw a network's weights by the run's initializers, and report what was drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rbench.errors import UserError
from rbench.network.residual import last_layers, residual_layers
from rbench.network.weights import Weight, weights
from rbench.plugin.blame import blamed_on
from rbench.plugin.layer import Layer, needs_layer, sees_layer
from rbench.records.record import DrawReport
from rbench.seeds import generator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rbench.plugin.components import Initializer
    from rbench.plugin.data import ImageData
    from rbench.spec.chosen import Chosen
    from rbench.spec.run_spec import RunSpec

FIT_BATCHES, FIT_BATCH = 2, 64
"""Batches of training images that an initializer's ``fit`` is offered, and images in each."""


class WeightSampler:
    """An initializer of the run: fills a weight in place from the stream of a name."""

    def __init__(self, init: Chosen[Initializer], seed: int) -> None:
        self.initializer, self.options, self.seed = init.component, init.options, seed
        self.names: dict[str, int] = {}
        """Streams drawn from, and how many numbers each gave."""
        self.fits_one_network = False

    def __call__(self, weight: Tensor, stream: str, layer: Layer | None = None) -> None:
        """Draw ``weight``; the same stream and shape give the same numbers in any run.

        UserError where the initializer raises ValueError, such as one that needs two dimensions.
        """
        name = self.initializer.name
        if self.fits_one_network:
            raise UserError(
                f"the initializer {name} adjusts the weights of one network to images; further "
                "networks of this kind cannot be drawn by it"
            )
        arguments: list[Any] = [weight, generator(self.seed, "init", stream), self.options]
        if sees_layer(self.initializer.draw):
            if layer is None and needs_layer(self.initializer.draw):
                raise UserError(
                    f"the initializer {name} looks at the layer that it draws, and the model does "
                    f"not say which layer {stream} is of"
                )
            arguments.append(layer)
        try:
            with torch.no_grad(), blamed_on(self.initializer):
                self.initializer.draw(*arguments)
        except ValueError as error:
            where = f"{stream} {tuple(weight.shape)}"
            raise UserError(f"the initializer {name} cannot draw {where}: {error}") from error
        self.names[stream] = weight.numel()

    def refuse_others(self, streams: set[str]) -> None:
        """For an initializer that adjusts what it drew: nothing may be drawn that it cannot reach.

        UserError if ``streams`` names anything, and at any later draw.
        """
        self.fits_one_network = True
        if streams:
            raise UserError(
                f"the initializer {self.initializer.name} adjusts what it has drawn to images, and "
                f"the filters {_layer_name(min(streams))} are the model's own to draw (as an "
                "LC-block does); choose another initializer or model"
            )


class Drawing:
    """The layers of ``network`` that ``init`` and ``init_norm`` draw."""

    def __init__(self, network: nn.Module, spec: RunSpec, shape: tuple[int, ...]) -> None:
        self.network, self.shape = network, shape
        scopes = set(spec.init_scope.split(","))
        every = list(weights(network))
        self.chosen = [w for w in every if _wanted(w, scopes) and spec.init is not None]
        if spec.init_norm is not None:
            self.chosen = [w for w in self.chosen if w.kind != "norm"]
        self.norms = [w for w in every if w.kind == "norm" and spec.init_norm is not None]

    def draw(self, sampler: WeightSampler, chosen: Sequence[Weight]) -> list[Layer]:
        """Draw ``chosen`` in their order; the layers as the initializer saw them."""
        layers = []
        for index, weight in enumerate(chosen):
            layer = self._layer(weight, index, len(chosen))
            weight.fill(lambda tensor, stream, layer=layer: sampler(tensor, stream, layer))  # type: ignore[misc]
            layers.append(layer)
        return layers

    def _layer(self, weight: Weight, index: int, count: int) -> Layer:
        fans = _fans(weight)
        stride = getattr(weight.module, "stride", 1)
        return Layer(
            name=weight.name,
            index=index,
            count=count,
            kind=weight.kind,
            fan_in=fans[0],
            fan_out=fans[1],
            stride=int(stride[0] if isinstance(stride, tuple | list) else stride)
            if weight.kind == "conv"
            else 1,
            groups=int(getattr(weight.module, "groups", 1)) if weight.kind == "conv" else 1,
            residual=lambda: weight.name in self._residual,
            last_of_branch=lambda: weight.name in self._last_of_branches,
        )

    @cached_property
    def _residual(self) -> set[str]:
        return residual_layers(self.network, _owners([*self.chosen, *self.norms]), self.shape)

    @cached_property
    def _last_of_branches(self) -> set[str]:
        layers = [w for w in weights(self.network) if w.kind in ("conv", "linear")]
        return last_layers(self.network, _owners(layers), self.shape)


def _owners(layers: Sequence[Weight]) -> dict[int, str]:
    """The layer that each parameter belongs to, by the parameter's ``id``."""
    owners = {}
    for weight in layers:
        if weight.kind == "other" or weight.name.endswith("]"):
            owners[id(weight.tensor)] = weight.name
        else:
            owners |= {id(p): weight.name for p in weight.module.parameters()}
    return owners


def report(network: nn.Module, names: dict[str, int]) -> DrawReport:
    """What was drawn of all that the network has."""
    parameters = list(network.parameters())
    return DrawReport(
        tensors=len(names),
        of=len(parameters),
        numbers=sum(names.values()),
        of_numbers=sum(p.numel() for p in parameters),
        names=[_layer_name(stream) for stream in names],
    )


def describe(drawn: DrawReport) -> str:
    """``drew 1 of 152 tensors: patch_embed.proj``, with a hint where that is little."""
    shown = ", ".join(drawn.names[:3])
    more = f" and {len(drawn.names) - 3} more" if len(drawn.names) > 3 else ""
    text = f"drew {drawn.tensors} of {drawn.of} tensors: {shown}{more}"
    if 2 * drawn.numbers < drawn.of_numbers:
        share = 100 * drawn.numbers / drawn.of_numbers
        text += f" ({share:.1f} % of the weights; --init-scope all draws every one)"
    return text


def fit(
    init: Chosen[Initializer], network: nn.Module, data: ImageData, layers: list[Layer], seed: int
) -> None:
    """Let a data-dependent initializer adjust what it drew; UserError without training images."""
    function = init.component.fit
    if function is None:
        return
    if data.train is None:
        raise UserError(
            f"the initializer {init.component.name} looks at training images, and "
            f"{data.name} has none"
        )
    training = network.training
    network.eval()
    with torch.no_grad(), blamed_on(init.component):
        function(network, list(_batches(data, seed)), init.options, layers)
    network.train(training)


def _batches(data: ImageData, seed: int) -> Iterator[Tensor]:
    """Normalized training images, not augmented, at random."""
    assert data.train is not None
    order = torch.randperm(len(data.train), generator=generator(seed, "init", "fit"))
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (data.mean, data.std))
    chosen = order[: FIT_BATCHES * FIT_BATCH]
    for batch in data.train.batches(FIT_BATCH, torch.device("cpu"), chosen):
        yield (batch.images - mean) / std


def _wanted(weight: Weight, scopes: set[str]) -> bool:
    return "all" in scopes or weight.kind in scopes or ("spatial" in scopes and weight.spatial)


def _fans(weight: Weight) -> tuple[int, int]:
    shape = weight.tensor.shape
    if weight.kind not in ("conv", "linear"):
        return 1, 1
    taps = math.prod(shape[2:])
    groups = int(getattr(weight.module, "groups", 1)) if weight.kind == "conv" else 1
    if getattr(weight.module, "transposed", False):
        # (c_in, c_out/groups, k, k)
        return shape[0] // groups * taps, shape[1] * taps
    return shape[1] * taps, shape[0] // groups * taps


def _layer_name(stream: str) -> str:
    return stream.removeprefix("lc/").removesuffix(".weight")
