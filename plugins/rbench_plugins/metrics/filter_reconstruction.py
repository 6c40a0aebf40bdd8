"""How well an LC-block's drawn filters could reconstruct given filters (P2 section 4.3).

Let R be the drawn filters of a layer and W the filters of a reference network's layer of the same
name. The nearest combination P R has the residual |W - P R|, zero once R spans all d taps; how
large the coefficients |P| have to be says how hard it is from there on: with weight decay on P,
long P are what training does not reach.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from rbench import Metric, Options

NAME = "filter_reconstruction"


class ReconstructionOptions(Options):
    """Options of ``filter_reconstruction``."""

    weights: Path = Field(
        Path("weights.safetensors"),
        description="safetensors of a trained plain network whose layers have the same names, as "
        "--save-weights of a resnet_cifar run writes",
    )


COMPONENT = Metric(
    name=NAME,
    summary="Least-squares residual of given filters in the span of an LC-block's drawn ones.",
    measure="rbench_plugins.metrics.functions.filter_reconstruction:measure",
    options=ReconstructionOptions,
)
