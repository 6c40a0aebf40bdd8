"""Pictures of the combined filters of a layer (P2 Figs 7, 9, 10 and 11)."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from rbench import Metric, Options

NAME = "filter_pictures"


class PictureOptions(Options):
    """Options of ``filter_pictures``."""

    layer: str = Field("first", description="first, last, or a layer's name")
    at_most: int = Field(48, ge=1, le=4096, description="kernels to draw")
    scale: int = Field(8, ge=1, le=64, description="pixels per tap")
    rgb: bool = Field(
        True,
        description="draw the three kernels of a filter that reads RGB as one colored picture",
    )

    @model_serializer(mode="wrap")
    def _numbers_only(self, rest: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """``rgb`` changes no number, and so no run's identity."""
        fields: dict[str, Any] = rest(self)
        fields.pop("rgb")
        return fields


COMPONENT = Metric(
    name=NAME,
    summary="Picture of a layer's combined filters, in RGB where they read RGB (P2 Figs 7, 9-11).",
    measure="rbench_plugins.metrics.functions.filter_pictures:measure",
    options=PictureOptions,
)
