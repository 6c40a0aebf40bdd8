"""The task stylization from beginning to end: check, estimate, stylize, draw the sheet."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from rbench import MemoryImages, Redrawable, TaskContext, UserError
from rbench_plugins.images.grid import to_pil
from rbench_plugins.layers.cnn_dcn.make import published
from rbench_plugins.stylization.decoding import encoder_decoder
from rbench_plugins.stylization.loss_network import LossNetwork
from rbench_plugins.stylization.memory import Cost, batch_size, free_bytes
from rbench_plugins.stylization.methods import Pictures, stylize
from rbench_plugins.stylization.optimize import Trace
from rbench_plugins.stylization.outcome import StylizationOutcome
from rbench_plugins.stylization.sheets import contact_sheet, plain_sheet

if TYPE_CHECKING:
    from rbench import ImageData
    from rbench_plugins.stylization.options import StylizationOptions

ITERATIVE = ("fvt", "fvt_literal", "gatys")
SMALLEST = 16
"""Pixels a side: below, Conv5 sees a single position and SSIM has hardly a window."""


def run(context: TaskContext, options: StylizationOptions) -> StylizationOutcome:
    """Every content in every style; ``networks`` of them where asked, and a contact sheet."""
    data, device = context.data, context.device
    contents, content_names = images_of(data, "test")
    styles, style_names = images_of(data, "train")
    network = context.network.to(device).eval()
    encoder_decoder(network)
    size, style_size = _size(contents), _size(styles)
    if min(*size, *style_size) < SMALLEST:
        raise UserError(
            f"images of {size[1]}x{size[0]} (contents) and {style_size[1]}x{style_size[0]} pixels "
            f"(styles) are too small: {SMALLEST} a side at least; --img-size enlarges them"
        )
    features, stride = probe(network, size)
    losses = LossNetwork(
        features,
        options.widths,
        options.convs,
        options.kernel,
        options.pooling,
        context.seed,
        zero_padding=options.method == "fvt_literal",
    )
    if options.loss_weights != "random":
        losses.load_vgg16(vgg16_weights(options.loss_weights))
    losses.to(device)
    iterative = options.method in ITERATIVE
    cost = Cost(features, stride, options.widths, options.convs, iterative, options.margin)
    batch = batch_size(cost, size, style_size, free_bytes(device), options.batch)
    if iterative and options.opt == "lbfgs":
        batch = 1  # it shares its step among all that it optimizes
    pairs = [(c, s) for c in range(len(contents)) for s in range(len(styles))]
    contents_on, styles_on = contents.to(device), styles.to(device)
    made: list[Pictures] = []
    try:
        for number in range(options.networks):
            if number:
                _redraw(network, number)
            with context.clock.phase("stylize", len(pairs)):
                made.append(
                    stylize(
                        network,
                        losses,
                        contents_on,
                        styles_on,
                        pairs,
                        options,
                        batch=batch,
                        report=_Report(context, options, number, len(pairs), batch),
                    )
                )
    finally:
        if options.networks > 1:
            _redraw(network, 0)
    outcome = StylizationOutcome(
        network=network,
        history=history([trace for pictures in made for trace in pictures.traces]),
        contents=contents,
        styles=styles,
        pairs=pairs,
        outputs=torch.stack([pictures.images for pictures in made]),
        content_names=content_names,
        style_names=style_names,
        seconds_per_image=sum(p.seconds for p in made) / (len(pairs) * len(made)),
        passes_per_image=sum(p.passes for p in made) / len(made),
    )
    sheet = contact_sheet(outcome, title(options))
    context.artifacts.save("stylization.jpg", sheet, f"contents x styles, {title(options)}")
    context.artifacts.save(
        "outputs.jpg", plain_sheet(outcome), f"a row a pair, a column a network, {title(options)}"
    )
    if len(pairs) * options.networks == 1:
        context.artifacts.save("picture.png", to_pil(outcome.outputs[0, 0]), "the picture alone")
    return outcome


def title(options: StylizationOptions) -> str:
    """The method and what matters of it, for captions."""
    if options.method not in ITERATIVE:
        return options.method
    return f"{options.method}, style/content {options.ratio:g}, {options.steps} steps"


def images_of(data: ImageData, split: str) -> tuple[Tensor, list[str]]:
    """(N, 3, H, W) float32 in [0, 1] of a split and their names. UserError if there are none."""
    images = data.test if split == "test" else data.train
    what = "contents" if split == "test" else "styles"
    if images is None or not len(images):
        raise UserError(f"the dataset {data.name} has no {what}; see rbench show content_style")
    if not isinstance(images, MemoryImages):
        raise UserError(f"stylization reads images in memory, which {data.name} does not offer")
    pixels = images.pixels.float() / 255
    if pixels.shape[1] == 1:
        pixels = pixels.expand(-1, 3, -1, -1)
    if pixels.shape[1] != 3:
        raise UserError(f"stylization needs color images, not {pixels.shape[1]} channels")
    names = list(images.names) or [f"{what[:-1]} {n}" for n in range(len(pixels))]
    return pixels, names


@torch.no_grad()
def probe(network: torch.nn.Module, size: tuple[int, int]) -> tuple[int, int]:
    """Channels of the features and the encoder's stride, found on an empty image."""
    side = min(64, *size)
    device = next(network.parameters()).device
    features = encoder_decoder(network).encode(torch.zeros(1, 3, side, side, device=device))
    if features.ndim != 4:
        raise UserError("stylization needs an encoder whose features are maps (B, N, h, w)")
    return features.shape[1], max(1, round(side / features.shape[-1]))


def vgg16_weights(source: Path | Literal["pretrained"]) -> dict[str, Tensor]:
    """A VGG16 classifier's state: ``pretrained`` (a download), or a safetensors file."""
    if source == "pretrained":
        return published("vgg16")
    try:
        return load_file(source.expanduser())
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"loss_weights={source} cannot be read: {str(error)[:150]}") from error


def history(traces: list[Trace]) -> dict[str, list[float]]:
    """The losses of every step, averaged over batches of pairs and networks."""
    if not traces:
        return {}
    count = len(traces)
    return {
        "content_loss": [sum(v) / count for v in zip(*(t.content for t in traces), strict=True)],
        "style_loss": [sum(v) / count for v in zip(*(t.style for t in traces), strict=True)],
        "step_seconds": [sum(v) / count for v in zip(*(t.seconds for t in traces), strict=True)],
    }


class _Report:
    """Progress over all pairs and networks, with the loss and the time that is left."""

    def __init__(
        self, context: TaskContext, options: StylizationOptions, number: int, pairs: int, batch: int
    ) -> None:
        self.context, self.number, self.steps = context, number, options.steps
        self.batches = -(-pairs // batch)
        self.batch, self.total = batch, options.networks * self.batches * max(1, options.steps)
        self.often = max(1, options.steps // 5)
        self.start, self.first = perf_counter(), number * self.batches * self.steps

    def __call__(self, done: int, step: int, loss: float) -> None:
        at = min((self.number * self.batches + done // self.batch) * self.steps + step, self.total)
        text = ""
        if at > self.first and (step == 3 or step % self.often == 0):
            seconds = (perf_counter() - self.start) / (at - self.first) * (self.total - at)
            text = f"loss {loss:.4g}, about {duration(seconds)} left"
        self.context.progress("stylize", at, self.total, text)


def duration(seconds: float) -> str:
    """``40 s`` or ``5 min``."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _redraw(network: torch.nn.Module, number: int) -> None:
    if not isinstance(network, Redrawable):
        raise UserError("networks above 1 need a model that can be drawn anew, such as rrvgg")
    network.redraw(number)


def _size(images: Tensor) -> tuple[int, int]:
    return images.shape[-2], images.shape[-1]
