"""Fashion-MNIST: 70,000 28x28 grey images of clothes in ten classes (Xiao et al. 2017)."""

from __future__ import annotations

from pydantic import Field

from rbench import Dataset, Options


class FashionOptions(Options):
    """Options of ``fashion_mnist``."""

    resize: int | None = Field(
        32, ge=8, description="side in pixels where --img-size names none (P2: 32); none: 28"
    )


COMPONENT = Dataset(
    name="fashion_mnist",
    title="Fashion-MNIST",
    summary="Fashion-MNIST, the publisher's IDX files (60,000 train, 10,000 test).",
    open="rbench_plugins.datasets.functions.fashion_mnist:open_fashion",
    options=FashionOptions,
    identity="rbench_plugins.datasets.identity.fashion_mnist:identity",
    recipe="lowres",
    revision=2,  # 1: resized by a bicubic filter
)
