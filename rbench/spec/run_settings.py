"""How a run is carried out, as against what is run: seeds, folder, checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from rbench.plugin.options import Flag, Options

_OUTPUT = Flag("Output")


class RunSettings(Options):
    """How ``rbench run`` and :func:`run` go about it; nothing here changes a number."""

    seeds: Annotated[int, Flag("Seed and machine")] = Field(
        1, ge=1, description="number of seeds: --seed, --seed + 1, ..."
    )
    output: Annotated[Path, _OUTPUT] = Field(
        Path("results"), description="results folder, where records are written"
    )
    force: Annotated[bool, _OUTPUT] = Field(
        False, description="run again even if the results folder has the record"
    )
    save_weights: Annotated[bool, _OUTPUT] = Field(
        False, description="write the trained weights beside the record"
    )
    checkpoint_every: Annotated[int | None, _OUTPUT] = Field(
        None,
        ge=0,
        description="optimizer steps between checkpoints, 0 for none; default: at the end of an "
        "epoch, at most once a minute",
    )
