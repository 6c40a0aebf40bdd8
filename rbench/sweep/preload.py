"""What every worker process imports: torch, timm, the engine and all plugins.

:mod:`rbench.sweep.forkserver` imports this module once for all workers that are forked; a worker
that is started as a new interpreter imports it itself.
"""

from __future__ import annotations

import gc

import psutil
import timm  # noqa: F401 (imported so that forks have it)
import torch

import rbench.runner.execute  # noqa: F401 (likewise)
from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.runner.quiet import quiet_libraries

THREADS = torch.get_num_threads()
"""The number that the environment asks for."""

# numpy's BLAS has threads too, but stops them during a fork, so threads are compared.
torch.set_num_threads(1)
_before = psutil.Process().num_threads()
CATALOG: Catalog | None
"""All components, or None if they cannot be listed; a worker then raises the error itself."""
try:
    CATALOG = Catalog.from_environment()
except UserError:
    CATALOG = None
FORK_SAFE = psutil.Process().num_threads() == _before and not torch.cuda.is_initialized()
"""False if importing a plugin started a thread, which a fork would not have, or used the GPU."""

quiet_libraries()
# Everything imported so far stays: without scans by the garbage collector, forks go on sharing it.
gc.collect()
gc.freeze()
