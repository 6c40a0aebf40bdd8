"""Where in the kernel the weights vary (P2 section 4.3, Fig 8b).

Each layer's filters in effect are divided by the standard deviation of that layer's weight and
stacked over all layers of one kernel size to (k, k, N); the heatmap is the variance over N.
Learned 9 x 9 filters vary in the center, combinations of i.i.d. filters equally everywhere.
"""

from __future__ import annotations

from rbench import Metric

NAME = "spatial_variance_heatmap"


COMPONENT = Metric(
    name=NAME,
    summary="Variance of each kernel tap over all layers (P2 Fig 8b); center over mean.",
    measure="rbench_plugins.metrics.functions.spatial_variance_heatmap:measure",
)
