"""``freezenet``: train a classifier's most salient weights, the others stay random or become zero.

FreezeNet (Wimmer, Mehnert, Condurache, ACCV 2020, arXiv 2011.14087) lets the weights with the
largest |gradient x weight| on one batch learn and keeps all others at their random values. SNIP
(Lee, Ajanthan, Torr, ICLR 2019, arXiv 1810.02340), which that score is from, sets them to zero.
"""

from __future__ import annotations

from pydantic import Field

from rbench import ClassificationOutcome, Options, Task


class FreezeNetOptions(Options):
    """How many weights learn, and what the others are."""

    learn: float = Field(
        0.01, gt=0, le=1, description="share of the weights that learns, over the whole network"
    )
    pruned: bool = Field(False, description="the others are set to zero (SNIP), not kept as drawn")
    random: bool = Field(
        False, description="the control: as many weights that are drawn, not the most salient ones"
    )


COMPONENT = Task(
    name="freezenet",
    summary="Train the weights that are most salient on one batch; others stay (or are zero).",
    question="Classification",
    run="rbench_plugins.tasks.functions.freezenet:run",
    produces=ClassificationOutcome,
    options=FreezeNetOptions,
    dataset="digits",
    metrics=("top1",),
    compared=("learn", "pruned", "random"),
    revision=2,  # 1 scored and counted single entries that --freeze fixes
)
