"""SVHN, format 2: street view house numbers cropped to 32x32 (Netzer et al. 2011)."""

from __future__ import annotations

from rbench import Dataset

COMPONENT = Dataset(
    name="svhn",
    title="SVHN",
    summary="SVHN, cropped digits, the publisher's .mat files (73,257 train, 26,032 test).",
    open="rbench_plugins.datasets.functions.svhn:open_svhn",
    recipe="lowres",
)
