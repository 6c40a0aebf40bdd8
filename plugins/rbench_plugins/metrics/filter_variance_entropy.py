"""Filter variance entropy (Gavrikov & Keuper, arXiv 2203.15331; P2 section 4.3, figure 5).

How many independent directions do a layer's kernels spread over? Random kernels reach a known
threshold; learned ones stay below it. Measured on the filters in effect,
an LC-block's combined ones.
"""

from __future__ import annotations

from pydantic import Field, field_validator

from rbench import Metric, Options

NAME = "filter_variance_entropy"


class EntropyOptions(Options):
    """Options of ``filter_variance_entropy``."""

    layers: tuple[str, ...] = Field(
        ("first", "last"),
        min_length=1,
        description="first, last, all, or patterns of layer names such as 'layer3.*'",
    )

    @field_validator("layers", mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        return value.split(",") if isinstance(value, str) else value


COMPONENT = Metric(
    name=NAME,
    summary="Entropy of the kernels' principal variances; over its random threshold for 3x3.",
    measure="rbench_plugins.metrics.functions.filter_variance_entropy:measure",
    options=EntropyOptions,
)
