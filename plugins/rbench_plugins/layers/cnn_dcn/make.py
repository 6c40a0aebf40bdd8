"""From options to a CNN-DCN: its plan, its two halves, and the distributions of their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import timm
import torch
import torchvision
from torch import Tensor, nn

from rbench import BuildContext, Initializer, Layer, UserError, generator
from rbench_plugins.layers.cnn_dcn.network import CnnDcn, Decoder, Encoder
from rbench_plugins.layers.cnn_dcn.plan import Step, alexnet, convs, vgg16
from rbench_plugins.layers.distribution import by_name, by_scale

if TYPE_CHECKING:
    from rbench_plugins.layers.cnn_dcn.options import CnnDcnOptions

MOMENTS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
}


def make(context: BuildContext, options: CnnDcnOptions, backbone: str) -> CnnDcn:
    """The CNN-DCN of ``options`` on ``backbone`` (``vgg16`` or ``alexnet``), drawn from the seed.

    Biases are zero; an untrained half has none. The CNN is frozen where the DCN is
    the half that learns.
    """
    steps = plan(options, backbone, context.in_chans)
    moments = None if options.normalize == "none" else MOMENTS[options.normalize]
    if moments is not None and context.in_chans != 3:
        raise UserError(f"normalize={options.normalize} needs color images")
    trained_cnn = options.cnn == "trained"
    encoder = Encoder(
        steps,
        _activation(options.cnn_activation, options.slope),
        bias=trained_cnn,
        pooling=options.pooling,
        moments=moments,
    )
    decoder = Decoder(
        steps,
        _activation(options.dcn_activation, options.slope),
        bias=options.dcn == "trained",
        upsampling=options.upsampling,
        last=options.last,
        last_relu=options.last_relu,
    )
    network = TrainedCnnDcn(encoder, decoder, Distributions(context, options))
    network.redraw(0)
    network.awaits_weights = trained_cnn
    network.redrawable = not trained_cnn
    if trained_cnn and context.pretrained:
        network.load_state_dict(network.adapt_checkpoint(published(backbone)))
    if options.dcn == "trained":
        encoder.requires_grad_(False)
    return network


def plan(options: CnnDcnOptions, backbone: str, channels: int) -> list[Step]:
    """The CNN's steps. UserError where depth, convolution or widths are out of range."""
    kernel = options.kernel_size
    if backbone == "alexnet":
        return alexnet(options.depth, options.conv, options.width, kernel, channels)
    return vgg16(options.depth, options.conv, options.width, kernel or 3, channels)


class Distributions:
    """Fills a weight: the run's --init where it names one, else each half's own distribution."""

    def __init__(self, context: BuildContext, options: CnnDcnOptions) -> None:
        self.seed, self.run = context.seed, context.draw
        rr = options.cnn == options.dcn == "random"
        self.of = {
            "encoder": distribution(options.cnn_law, options.cnn_scale, rr),
            "decoder": distribution(options.dcn_law, options.dcn_scale, rr, options.slope),
        }

    def __call__(self, weight: Tensor, layer: Layer, network: int) -> None:
        """Draw ``weight`` of network number ``network`` from a stream of its own."""
        name = f"{layer.name}.weight"
        # Random numbers fill a tensor in its order in memory: draw in the logical order, so that
        # a network does not depend on the memory format in which it is run.
        drawn = weight if weight.is_contiguous() else torch.empty_like(weight).contiguous()
        if self.run is not None and weight.shape[-1] > 1:
            # Number 0 is what the engine itself draws, from the stream of this name.
            self.run(drawn, name if network == 0 else f"network {network} {name}", layer)
        else:
            component, options = self.of[name.split(".")[0]]
            component.draw(drawn, generator(self.seed, "cnn-dcn", network, name), options)
        if drawn is not weight:
            with torch.no_grad():
                weight.copy_(drawn)


def distribution(
    name: str, scale: float | None, rr: bool, slope: float = 0.0
) -> tuple[Initializer, Any]:
    """The initializer ``name`` and its options, with ``scale`` as in :func:`by_scale`.

    ``scale`` None is P1's: 0.1 for ``normal`` in an rr network, the initializer's default
    otherwise.
    """
    if name == "normal" and scale is None and rr:
        scale = 0.1
    if scale is not None:
        return by_scale(name, scale)
    component = by_name(name)
    fields = {"negative_slope": slope} if name == "kaiming" else {}
    return component, component.options(**fields)


class TrainedCnnDcn(CnnDcn):
    """A CNN-DCN that can take over the CNN of a classifier's checkpoint."""

    def adapt_checkpoint(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """This network's state with the CNN of ``state``, which may be a classifier's.

        Taken are its own names, or the convolutions ``features.N`` of torchvision and timm in
        their order. UserError where they are not those of this CNN.
        """
        own = dict(self.state_dict())
        if any(name.startswith("encoder.") for name in state):
            self.awaits_weights = False
            return dict(state)
        if any("running_mean" in name for name in state):
            raise UserError("the checkpoint has batch norms; this CNN has none")
        found = sorted(
            {
                int(name.split(".")[1])
                for name, value in state.items()
                if name.startswith("features.") and value.ndim == 4
            }
        )
        steps = convs(self.encoder.steps)
        if len(found) < len(steps):
            raise UserError(
                f"the checkpoint has {len(found)} convolutions features.N; "
                f"this CNN needs {len(steps)} (to {steps[-1].name})"
            )
        for step, index in zip(steps, found, strict=False):
            for part in ("weight", "bias"):
                name, value = f"encoder.{step.name}.{part}", state.get(f"features.{index}.{part}")
                if name not in own:
                    raise UserError("a random CNN takes no classifier's weights; see vgg_dcn")
                if value is None or value.shape != own[name].shape:
                    given = "nothing" if value is None else f"{tuple(value.shape)}"
                    raise UserError(
                        f"the checkpoint has {given} for the {part} of {step.name}, "
                        f"which is {tuple(own[name].shape)} here (see the option width)"
                    )
                own[name] = value
        self.awaits_weights = False
        return own


def published(backbone: str) -> dict[str, Tensor]:
    """The published ImageNet weights of ``backbone``. UserError where they cannot be had."""
    try:
        if backbone == "vgg16":
            model: nn.Module = timm.create_model("vgg16", pretrained=True)
        else:
            model = torchvision.models.alexnet(weights="IMAGENET1K_V1")
    except Exception as error:  # whatever a download can raise
        raise UserError(
            f"cannot get the published weights of {backbone}: {str(error).splitlines()[0][:150]}; "
            "--initial-checkpoint takes a safetensors file"
        ) from error
    return dict(model.state_dict())


def _activation(name: str, slope: float) -> nn.Module:
    layers: dict[str, nn.Module] = {
        "relu": nn.ReLU(inplace=True),
        "leaky_relu": nn.LeakyReLU(slope, inplace=True),
        "none": nn.Identity(),
    }
    return layers[name]


__all__: Sequence[str] = [
    "MOMENTS",
    "Distributions",
    "TrainedCnnDcn",
    "distribution",
    "make",
    "plan",
    "published",
]
