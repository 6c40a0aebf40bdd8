"""scikit-learn's digits: 1,797 scanned handwritten digits, 8x8, grey; no download.

They are the test set of UCI's "Optical Recognition of Handwritten Digits" (Alpaydin & Kaynak).
The split is fixed: the images sorted by class, the set's own order within a class; the first of
every five is a test image. So there are 360 test and 1,437 training images, and every class is
split 1 : 4 to within one image.
"""

from __future__ import annotations

from rbench import Dataset

COMPONENT = Dataset(
    name="digits",
    summary="1,797 scanned 8x8 digits that come with scikit-learn (1,437 train, 360 test).",
    open="rbench_plugins.datasets.functions.digits:open_digits",
    recipe="digits",
    needs_data_dir=False,
)
