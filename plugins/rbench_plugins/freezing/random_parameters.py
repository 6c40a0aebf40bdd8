"""As many random entries as the norms have: the control of training norms alone."""

from __future__ import annotations

from pydantic import Field

from rbench import FreezingRule, Options


class RandomParametersOptions(Options):
    """Options of ``random_parameters``."""

    count: int | None = Field(
        None, ge=1, description="how many entries; none: as many as the norms have"
    )


COMPONENT = FreezingRule(
    name="random_parameters",
    summary="As many random entries as the norms have; all,!random_parameters trains them alone.",
    select="rbench_plugins.freezing.functions.random_parameters:select",
    options=RandomParametersOptions,
)
