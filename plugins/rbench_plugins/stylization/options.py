"""Options of the task ``stylization``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from rbench import Options

LITERAL: dict[str, Any] = {
    "centred": False,
    "mapping": "minmax",
    "levels": (0,),
    "components": 0,
    "widths": (128, 256, 512, 512),
    "convs": (2, 3, 3, 3),
    "kernel": 3,
    "pooling": "max",
    "calibrate": False,
    "margin": 0,
}
"""What P1 says of FVT, or VGG16 implies: Conv2 to Conv5 as they are, every entry of the feature
vector free, the random decoder's own output."""


class StylizationOptions(Options):
    """Options of the task ``stylization``; the suite p1_fig9_17 explains the defaults."""

    method: Literal["fvt", "fvt_literal", "gatys", "adain", "wct"] = Field(
        "fvt",
        description="fvt_literal: optimize the feature vector as P1 describes it; fvt: rbench's "
        "tuned variant of that; gatys: optimize the image; adain, wct: match channel moments or "
        "the whole covariance in closed form",
    )
    ratio: float = Field(30.0, ge=0, description="beta / alpha: weight of style over content")
    steps: int = Field(100, ge=0, le=100_000, description="optimizer steps")
    opt: Literal["adam", "lbfgs"] = "adam"
    lr: float | None = Field(None, gt=0, description="learning rate; none: the method's own")
    style_loss: Literal["gram", "moments"] = Field(
        "gram", description="Gram matrices, or channel means and standard deviations"
    )
    centred: bool = Field(True, description="Gram matrices of centered features, means beside them")
    style_layers: tuple[int, ...] = Field(
        (2, 3, 4, 5), description="1: the feature vector, 2 to 5: first ReLU of Conv2 to Conv5"
    )
    content_layer: int = Field(4, ge=1, le=5, description="where the content loss is taken")
    start: Literal["content", "adain", "wct", "noise"] = Field(
        "wct",
        description="the feature vector that fvt starts from; fvt_literal starts from noise, if "
        "asked to, or else from the content's",
    )
    mapping: Literal["readout", "affine", "affine_style", "affine_content", "minmax"] = Field(
        "readout", description="how the random DCN's output becomes an image"
    )
    levels: tuple[int, ...] | None = Field(
        None, description="resolutions 1/2^l of the corrections; (0,): each value moves alone"
    )
    components: int = Field(
        6,
        ge=0,
        description="principal axes of the style that fvt moves along; 0: all channels",
    )
    widths: tuple[int, int, int, int] = Field(
        (48, 64, 96, 96), description="channels of the loss network's Conv2 to Conv5"
    )
    convs: tuple[int, int, int, int] = Field(
        (1, 1, 1, 1), description="convolutions in each of these blocks"
    )
    kernel: int = Field(5, ge=1, le=15, description="odd side of the loss network's kernels")
    pooling: Literal["average", "max"] = "average"
    calibrate: bool = Field(
        True, description="mean 0, std 1 on the style image in each of its channels before the ReLU"
    )
    loss_weights: Literal["random", "pretrained"] | Path = Field(
        "random", description="random, pretrained, or a .safetensors file of a VGG16 classifier"
    )
    margin: int = Field(8, ge=0, le=256, description="pixels of mirrored border, cropped after")
    networks: int = Field(
        1, ge=1, le=64, description="random networks; each makes a picture of every pair"
    )
    batch: int = Field(4, ge=1, le=256, description="pairs per batch, fewer if memory is short")

    @model_validator(mode="before")
    @classmethod
    def _literal(cls, given: Any) -> Any:
        """What ``fvt_literal`` fixes, so that a run's identity says what ran."""
        if not isinstance(given, dict) or given.get("method") != "fvt_literal":
            return given
        for name, value in LITERAL.items():
            if name in given and _plain(given[name]) != _plain(value):
                raise ValueError(
                    f"method=fvt_literal fixes {name} to {value}; method=fvt takes other values"
                )
        start = given.get("start", "content")
        if start not in ("noise", "content"):
            raise ValueError(f"method=fvt_literal starts from content or noise, not {start}")
        return {**given, **LITERAL, "start": start}

    @field_validator("loss_weights")
    @classmethod
    def _weights(cls, value: Path | str) -> Path | str:
        if isinstance(value, Path) and value.suffix != ".safetensors":
            raise ValueError("must be random, pretrained, or a .safetensors file")
        return value

    @field_validator("style_layers", "levels")
    @classmethod
    def _layers(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and (
            not value or len(set(value)) < len(value) or not all(0 <= n <= 8 for n in value)
        ):
            raise ValueError("needs different numbers from 0 to 8")
        return value

    @field_validator("style_layers")
    @classmethod
    def _named(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not all(1 <= n <= 5 for n in value):
            raise ValueError("layers are 1 to 5")
        return value

    @field_validator("kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("kernels have an odd side")
        return value

    @field_validator("widths", "convs")
    @classmethod
    def _positive(cls, value: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        if min(value) < 1 or max(value) > 4096:
            raise ValueError("each is from 1 to 4096")
        return value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
