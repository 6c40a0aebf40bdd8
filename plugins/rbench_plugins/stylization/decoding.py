"""From a feature vector through the random DCN to an image in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from rbench import UserError
from rbench_plugins.images.mappings import minmax

MappingName = Literal["readout", "affine", "affine_style", "affine_content", "minmax"]


class EncoderDecoder(Protocol):
    """What a network has to offer: rrVGG and its sisters do."""

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] -> features (B, N, h, w)."""

    def decode(self, features: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Features -> outputs (B, C, H, W), unbounded."""


@dataclass(frozen=True)
class Linear:
    """Maps (P, K, h, w) -> images: weights (P, 3, K) and offsets (P, 3, 1)."""

    weight: Tensor
    offset: Tensor

    def __call__(self, maps: Tensor) -> Tensor:
        """Clamped to [0, 1]."""
        image = (self.weight @ maps.flatten(2) + self.offset).unflatten(-1, maps.shape[-2:])
        return image.clamp(0, 1)


def fit_linear(maps: list[Tensor], images: list[Tensor], ridge: float = 1e-3) -> Linear:
    """The least-squares affine map from ``maps`` to ``images`` over all positions of all of them.

    Lists of (P, K, h, w) and (P, 3, h, w), sizes may differ from entry to entry. ``ridge`` is in
    units of the mean variance of a map.
    """
    x = torch.cat([m.flatten(2) for m in maps], -1).double()
    y = torch.cat([i.flatten(2) for i in images], -1).double()
    mean, center = x.mean(-1, keepdim=True), y.mean(-1, keepdim=True)
    x = x - mean
    size = x.square().mean((-2, -1), keepdim=True).sqrt().clamp_min(1e-30)
    x = x / size  # outputs of deep random networks may be of any magnitude
    eye = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    weight = torch.linalg.solve(x @ x.mT / x.shape[-1] + ridge * eye, x @ (y - center).mT)
    weight = weight.mT / x.shape[-1] / size
    return Linear(weight.float(), (center - weight @ mean).float())


class Decode:
    """V -> images in [0, 1], by a mapping that is fixed before anything is stylized.

    ``minmax``: the output's smallest value to 0, its largest to 1. ``affine_content``,
    ``affine_style``, ``affine``: the 3x4 color map that takes the DCN's own reconstruction of the
    content, the style, or both nearest to those images. ``readout``: the same from the maps before
    the DCN's last convolution, which it replaces: a wide random DCN tends to a grey image
    (Theorem 1), and no map of its three outputs can bring back colors that are not there.
    """

    def __init__(self, network: nn.Module, mapping: MappingName) -> None:
        self.network: EncoderDecoder = encoder_decoder(network)
        self.mapping = mapping
        self.linear: Linear | None = None
        self.last = _last_convolution(network) if mapping == "readout" else None

    @torch.no_grad()
    def fit(self, contents: tuple[Tensor, Tensor], styles: tuple[Tensor, Tensor]) -> None:
        """Learn the mapping from (features, images) of each pair's content and style."""
        chosen = {
            "affine_content": [contents],
            "affine_style": [styles],
            "minmax": [],
        }.get(self.mapping, [contents, styles])
        if chosen:
            maps = [self._maps(features, _size(images)) for features, images in chosen]
            self.linear = fit_linear(maps, [images for _, images in chosen])

    @torch.no_grad()
    def __call__(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """(P, N, h, w) -> (P, 3, *size)."""
        maps = self._maps(features, size)
        return minmax(maps, maps) if self.linear is None else self.linear(maps)

    def _maps(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        if self.last is None:
            maps = self.network.decode(features, size)
            if maps.shape[1] == 1:
                maps = maps.expand(-1, 3, -1, -1)
            return maps
        kept: list[Tensor] = []
        hook = self.last.register_forward_pre_hook(lambda module, given: kept.append(given[0]))
        try:
            self.network.decode(features, size)
        finally:
            hook.remove()
        return kept[0][..., : size[0], : size[1]]


def encoder_decoder(network: nn.Module) -> EncoderDecoder:
    """``network`` if it has both halves. UserError if it has not."""
    missing = [n for n in ("encode", "decode") if not callable(getattr(network, n, None))]
    if missing:
        raise UserError(
            f"the task stylization needs an encoder-decoder: this model, a "
            f"{type(network).__name__}, has no {' and no '.join(missing)}; rrvgg has both"
        )
    found: EncoderDecoder = network  # type: ignore[assignment]
    return found


def _last_convolution(network: nn.Module) -> nn.Conv2d:
    decoder = getattr(network, "decoder", None)
    layers = [m for m in decoder.modules() if isinstance(m, nn.Conv2d)] if decoder else []
    if not layers:
        raise UserError(
            "mapping=readout needs a network with a decoder that ends in a convolution; "
            "mapping=affine needs none"
        )
    return layers[-1]


def _size(images: Tensor) -> tuple[int, int]:
    return images.shape[-2], images.shape[-1]


__all__: list[str] = ["Decode", "EncoderDecoder", "Linear", "encoder_decoder", "fit_linear"]
