"""``theory``: P1's theorems against the network, image by image (section 5, appendix A.3)."""

from __future__ import annotations

from rbench import ImagesOutcome, Metric
from rbench_plugins.theory.options import TheoryOptions

COMPONENT = Metric(
    name="theory",
    summary="Convergence value, bounds and prediction of P1's theorems beside the measured angles.",
    measure="rbench_plugins.theory.values:values",
    reads=ImagesOutcome,
    options=TheoryOptions,
)
