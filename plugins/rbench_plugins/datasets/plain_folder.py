"""Any folder of images without labels, such as those of a reconstruction or stylization."""

from __future__ import annotations

from pydantic import Field

from rbench import Dataset, Options


class PlainFolderOptions(Options):
    """Options of ``plain_folder``."""

    images: int | None = Field(
        None, ge=1, description="number of test images, evenly spaced by name; default: all"
    )


COMPONENT = Dataset(
    name="plain_folder",
    title="a folder of images",
    summary="Your own images without labels: any folder, or train/ beside test/ or val/.",
    open="rbench_plugins.datasets.functions.plain_folder:open_plain_folder",
    options=PlainFolderOptions,
    identity="rbench_plugins.datasets.identity.plain_folder:identity",
    recipe="p1_dcn",
)
