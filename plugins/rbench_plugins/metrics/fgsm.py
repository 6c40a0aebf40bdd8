"""Robust accuracy under the fast gradient sign method (Goodfellow et al., arXiv 1412.6572).

P2 attacks with epsilon 1/255 in pixel space (section 4.2).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rbench import ClassificationOutcome, Metric
from rbench_plugins.attacks.options import OptionalImages


class FgsmOptions(OptionalImages):
    """Options of ``fgsm``."""

    engine: Literal["torchattacks", "foolbox"] = Field(
        "torchattacks", description="whose implementation; foolbox is the extra rbench[foolbox]"
    )


COMPONENT = Metric(
    name="fgsm",
    summary="Accuracy in percent under the fast gradient sign attack on [0, 1] pixels.",
    measure="rbench_plugins.metrics.functions.fgsm:measure",
    reads=ClassificationOutcome,
    options=FgsmOptions,
)
