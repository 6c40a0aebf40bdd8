"""rbench: how much of a vision network has to be learned?

This is the public face: what a plugin imports and what Python users call. Importing it loads
no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rbench.api import load, run
    from rbench.components import (
        Architecture,
        ArchitectureFamily,
        Dataset,
        Initializer,
        Metric,
        NoOptions,
        Options,
        Task,
    )
    from rbench.contexts import BuildContext, DataContext, MetricContext, TaskContext
    from rbench.data import Batch, FileImages, ImageData, MemoryImages
    from rbench.errors import UnknownName, UserError
    from rbench.fold import folded
    from rbench.freeze import SpatialFilter, SpatialModule, spatial_filters
    from rbench.hookspecs import hookimpl
    from rbench.loaders import training_batches
    from rbench.memory import peak_memory
    from rbench.outcomes import ClassificationOutcome, ImagesOutcome, Outcome, StylizationOutcome
    from rbench.prediction import predict
    from rbench.recipe import Training
    from rbench.record import MetricValue, Record
    from rbench.seeds import derive, generator, global_seed
    from rbench.spec import RunSpec, SuiteSpec
    from rbench.training import Diverged, train

_WHERE = {
    "api": ("load", "run"),
    "components": (
        "Architecture",
        "ArchitectureFamily",
        "Dataset",
        "Initializer",
        "Metric",
        "NoOptions",
        "Options",
        "Task",
    ),
    "contexts": ("BuildContext", "DataContext", "MetricContext", "TaskContext"),
    "data": ("Batch", "FileImages", "ImageData", "MemoryImages"),
    "errors": ("UnknownName", "UserError"),
    "fold": ("folded",),
    "freeze": ("SpatialFilter", "SpatialModule", "spatial_filters"),
    "hookspecs": ("hookimpl",),
    "loaders": ("training_batches",),
    "memory": ("peak_memory",),
    "outcomes": ("ClassificationOutcome", "ImagesOutcome", "Outcome", "StylizationOutcome"),
    "prediction": ("predict",),
    "recipe": ("Training",),
    "record": ("MetricValue", "Record"),
    "seeds": ("derive", "generator", "global_seed"),
    "spec": ("RunSpec", "SuiteSpec"),
    "training": ("Diverged", "train"),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__version__ = "0.1.0"
__all__ = [
    "Architecture",
    "ArchitectureFamily",
    "Batch",
    "BuildContext",
    "ClassificationOutcome",
    "DataContext",
    "Dataset",
    "Diverged",
    "FileImages",
    "ImageData",
    "ImagesOutcome",
    "Initializer",
    "MemoryImages",
    "Metric",
    "MetricContext",
    "MetricValue",
    "NoOptions",
    "Options",
    "Outcome",
    "Record",
    "RunSpec",
    "SpatialFilter",
    "SpatialModule",
    "StylizationOutcome",
    "SuiteSpec",
    "Task",
    "TaskContext",
    "Training",
    "UnknownName",
    "UserError",
    "derive",
    "folded",
    "generator",
    "global_seed",
    "hookimpl",
    "load",
    "peak_memory",
    "predict",
    "run",
    "spatial_filters",
    "train",
    "training_batches",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"rbench.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'rbench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
