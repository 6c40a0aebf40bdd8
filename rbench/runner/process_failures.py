"""Several processes that share a run tell the main one whether they failed, before it keeps files.

By the key-value store of the process group, not by a collective call: the process that failed may
be elsewhere in the sequence of those.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from torch import distributed

from rbench.records.record import Failure

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

PATIENCE = timedelta(minutes=10)
"""How long the main process waits for the others to end their part."""


def _store(run: str) -> Store | None:
    """None where a single process executes the run."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return None
    from torch.distributed.distributed_c10d import (  # not in every build of torch
        PrefixStore,
        _get_default_store,
    )

    return PrefixStore(f"rbench/{run}", _get_default_store())


def tell(run: str, error: Failure | None) -> None:
    """Say that this process has ended its part of an execution of ``run``, and how."""
    if (store := _store(run)) is None:
        return
    # Where the process that holds the store is gone, nobody listens.
    with suppress(RuntimeError):
        rank = distributed.get_rank()
        execution = store.add(f"{rank}/executions", 1)
        store.set(f"{execution}/{rank}", "" if error is None else error.model_dump_json())


def failed_elsewhere(run: str) -> tuple[int, Failure] | None:
    """The first other process that failed in this execution of ``run``, and how.

    Call it in the main process, before :func:`tell`. Waits for all of them; RuntimeError where one
    has not ended its part within :data:`PATIENCE`.
    """
    if (store := _store(run)) is None or distributed.get_rank() > 0:
        return None
    execution = store.add("0/executions", 0) + 1
    others = range(1, distributed.get_world_size())
    store.wait([f"{execution}/{rank}" for rank in others], PATIENCE)
    for rank in others:
        if said := store.get(f"{execution}/{rank}"):
            return rank, Failure.model_validate_json(said)
    return None
