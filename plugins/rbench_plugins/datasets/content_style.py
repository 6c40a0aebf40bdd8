"""Contents and styles: your files or folders, or photographs and textures of scikit-image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from rbench import Dataset, Options


class ContentStyleOptions(Options):
    """Options of ``content_style``. Files are known by their content, not by their path."""

    content: tuple[str, ...] = Field(
        (), exclude=True, description="files, folders, or names of scikit-image's photographs"
    )
    style: tuple[str, ...] = Field(
        (), exclude=True, description="files, folders, or names of scikit-image's textures"
    )
    style_scale: float = Field(
        1.0, ge=0.25, le=4, description="size of the style images, the contents' being 1"
    )

    @field_validator("content", "style", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        # A comma stands between two of them, unless it is part of a file's name.
        return (value,) if Path(value).exists() else tuple(filter(None, value.split(",")))


COMPONENT = Dataset(
    name="content_style",
    title="contents and styles",
    summary="Content and style images: files, folders, or scikit-image's own.",
    open="rbench_plugins.datasets.functions.content_style:open_pairs",
    options=ContentStyleOptions,
    needs_data_dir=False,
    identity="rbench_plugins.datasets.identity.content_style:identity",
)
