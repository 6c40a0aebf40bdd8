"""How near to orthogonal a layer's filters are: cosines between all pairs of them.

Random filters of d taps have cosines of mean 0 and standard deviation 1/sqrt(d): nearly
orthogonal where d is large, which is what lets few of them span what a layer needs.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rbench import Metric, Options

NAME = "filter_cosine"


class CosineOptions(Options):
    """Options of ``filter_cosine``."""

    filters: Literal["drawn", "combined"] = Field(
        "drawn", description="an LC-block's k x k filters, or their combinations in effect"
    )
    at_most: int = Field(1024, ge=2, le=8192, description="filters of a layer to compare")


COMPONENT = Metric(
    name=NAME,
    summary="Near-orthogonality of filters: rms cosine of pairs, 1/sqrt(d) if they are i.i.d.",
    measure="rbench_plugins.metrics.functions.filter_cosine:measure",
    options=CosineOptions,
)
