"""The public names and where each lives."""

from .api import load as load
from .api import run as run
from .errors import UnknownName as UnknownName
from .errors import UserError as UserError
from .files import cache_folder as cache_folder
from .files import write_atomically as write_atomically
from .network.fold import folded as folded
from .network.frozen import FixedEntries as FixedEntries
from .network.modules import SpatialFilter as SpatialFilter
from .network.modules import SpatialModule as SpatialModule
from .network.modules import classifier_parameters as classifier_parameters
from .network.modules import is_spatial as is_spatial
from .network.modules import norm_parameters as norm_parameters
from .network.modules import spatial_filters as spatial_filters
from .network.modules import spatial_parameters as spatial_parameters
from .network.normalize import Normalized as Normalized
from .network.wrap import reparametrize as reparametrize
from .network.wrap import replace_layers as replace_layers
from .network.wrap import stored_weight as stored_weight
from .plugin.components import Architecture as Architecture
from .plugin.components import ArchitectureFamily as ArchitectureFamily
from .plugin.components import Curve as Curve
from .plugin.components import Dataset as Dataset
from .plugin.components import DatasetFamily as DatasetFamily
from .plugin.components import FreezingRule as FreezingRule
from .plugin.components import Initializer as Initializer
from .plugin.components import Metric as Metric
from .plugin.components import Selection as Selection
from .plugin.components import Task as Task
from .plugin.contents import FoundFile as FoundFile
from .plugin.contents import content_digests as content_digests
from .plugin.contents import content_revision as content_revision
from .plugin.contexts import BuildContext as BuildContext
from .plugin.contexts import DataContext as DataContext
from .plugin.contexts import MetricContext as MetricContext
from .plugin.contexts import Progress as Progress
from .plugin.contexts import Split as Split
from .plugin.contexts import StaysFrozen as StaysFrozen
from .plugin.contexts import TaskContext as TaskContext
from .plugin.crops import fit_image as fit_image
from .plugin.crops import largest_crop as largest_crop
from .plugin.data import Batch as Batch
from .plugin.data import FileImages as FileImages
from .plugin.data import ImageData as ImageData
from .plugin.data import MemoryImages as MemoryImages
from .plugin.hookspecs import hookimpl as hookimpl
from .plugin.layer import Layer as Layer
from .plugin.moved import StylizationOutcome as StylizationOutcome
from .plugin.options import NoOptions as NoOptions
from .plugin.options import Options as Options
from .plugin.outcomes import ClassificationOutcome as ClassificationOutcome
from .plugin.outcomes import ImagesOutcome as ImagesOutcome
from .plugin.outcomes import Outcome as Outcome
from .plugin.protocols import Redrawable as Redrawable
from .plugin.protocols import RegisteredWithTimm as RegisteredWithTimm
from .plugin.protocols import TimmExportable as TimmExportable
from .plugin.recipe import Training as Training
from .plugin.subset import Choice as Choice
from .records.record import MetricValue as MetricValue
from .records.record import Record as Record
from .runner.batches import training_batches as training_batches
from .runner.loss import ClassificationLoss as ClassificationLoss
from .runner.memory import peak_memory as peak_memory
from .runner.prediction import predict as predict
from .runner.training import Diverged as Diverged
from .runner.training import train as train
from .seeds import derive as derive
from .seeds import generator as generator
from .seeds import global_seed as global_seed
from .spec.registry import known_moments as known_moments
from .spec.run_spec import RunSpec as RunSpec
from .spec.suite_spec import SuiteSpec as SuiteSpec

__version__: str
__all__ = [
    "Architecture",
    "ArchitectureFamily",
    "Batch",
    "BuildContext",
    "Choice",
    "ClassificationLoss",
    "ClassificationOutcome",
    "Curve",
    "DataContext",
    "Dataset",
    "DatasetFamily",
    "Diverged",
    "FileImages",
    "FixedEntries",
    "FoundFile",
    "FreezingRule",
    "ImageData",
    "ImagesOutcome",
    "Initializer",
    "Layer",
    "MemoryImages",
    "Metric",
    "MetricContext",
    "MetricValue",
    "NoOptions",
    "Normalized",
    "Options",
    "Outcome",
    "Progress",
    "Record",
    "Redrawable",
    "RegisteredWithTimm",
    "RunSpec",
    "Selection",
    "SpatialFilter",
    "SpatialModule",
    "Split",
    "StaysFrozen",
    "StylizationOutcome",
    "SuiteSpec",
    "Task",
    "TaskContext",
    "TimmExportable",
    "Training",
    "UnknownName",
    "UserError",
    "cache_folder",
    "classifier_parameters",
    "content_digests",
    "content_revision",
    "derive",
    "fit_image",
    "folded",
    "generator",
    "global_seed",
    "hookimpl",
    "is_spatial",
    "known_moments",
    "largest_crop",
    "load",
    "norm_parameters",
    "peak_memory",
    "predict",
    "reparametrize",
    "replace_layers",
    "run",
    "spatial_filters",
    "spatial_parameters",
    "stored_weight",
    "train",
    "training_batches",
    "write_atomically",
]
