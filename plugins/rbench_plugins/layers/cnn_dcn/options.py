"""The options that all CNN-DCNs of P1 share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from rbench import Options

Law = Literal["normal", "uniform", "logistic", "laplace", "kaiming", "orthogonal"]
Activation = Literal["relu", "leaky_relu", "none"]


class CnnDcnOptions(Options):
    """Options of ``rrvgg``, ``rwvgg``, ``vgg_dcn`` and the other CNN-DCNs."""

    depth: int = Field(1, ge=1, le=5, description="CD_k: the CNN's blocks 1 to k and their mirror")
    conv: str | None = Field(
        None, description="a convolution to end the CNN at instead, such as conv1_1"
    )
    width: int | tuple[int, ...] | None = Field(
        None,
        description="channels of all layers, or one number per block; none: the CNN's own",
    )
    kernel_size: int | None = Field(
        None, ge=1, le=63, description="odd side of all kernels; none: the CNN's own"
    )
    cnn_law: Law = Field("normal", description="distribution of the CNN's weights")
    cnn_scale: float | None = Field(None, gt=0, description="its scale; none: P1's")
    dcn_law: Law = Field("normal", description="distribution of the DCN's weights")
    dcn_scale: float | None = Field(None, gt=0, description="its scale; none: P1's")
    cnn_activation: Activation = Field("relu", description="after each convolution of the CNN")
    dcn_activation: Activation = Field(
        "relu", description="after all convolutions of the DCN but the last"
    )
    slope: float = Field(0.2, ge=0, le=1, description="slope of leaky_relu below 0")
    pooling: Literal["max", "average", "l2"] = Field(
        "max", description="l2 and average are what P1's theorems cover"
    )
    upsampling: Literal["zero", "nearest", "unpool"] = Field(
        "zero",
        description="zero: values at the top left of zero blocks; unpool: at the maxima",
    )
    last: Literal["conv", "mean"] = Field(
        "conv", description="mean: of the channels, in place of the DCN's last convolution"
    )
    last_relu: bool = Field(False, description="a ReLU after the last layer")
    normalize: Literal["none", "imagenet", "cifar10"] = Field(
        "none", description="the CNN's input: in [0, 1], or normalized by that set's moments"
    )
    cnn: Literal["random", "trained"] = Field(
        "random", description="trained: with the weights of --pretrained or --initial-checkpoint"
    )
    dcn: Literal["random", "trained"] = Field(
        "random", description="trained: it has biases, and the CNN is frozen"
    )

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, value: int | None) -> int | None:
        if value is not None and value % 2 == 0:
            raise ValueError("kernels have an odd side, so that the maps keep their size")
        return value
