"""What a user asks for in one run: parsed and validated, nothing resolved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator

from rbench.errors import suggest
from rbench.plugin.layer import SCOPES
from rbench.plugin.options import NO_FLAG, Flag, Options

Kwargs = dict[str, JsonValue]

_NETWORK, _FREEZING, _DATA = Flag("Network"), Flag("Freezing"), Flag("Data")
_TRAINING, _MEASURING = Flag("Training"), Flag("Measuring")
_MACHINE = Flag("Seed and machine")


class RunSpec(Options):
    """One run. Every field but ``model`` has a default; None leaves the choice to the others.

    Each field is also a flag of ``rbench run``: its name with dashes, in the panel that its
    ``Flag`` names.
    """

    model: Annotated[str, Flag("Network", names="models")] = Field(
        min_length=1, description="architecture: a timm model, or a plugin's"
    )
    model_kwargs: Annotated[Kwargs, _NETWORK] = Field({}, description="options of the model")
    pretrained: Annotated[bool, _NETWORK] = Field(False, description="start from published weights")
    initial_checkpoint: Annotated[str | None, _NETWORK] = Field(
        None, description="start from the weights in this .safetensors file"
    )
    num_classes: Annotated[int | None, _NETWORK] = Field(
        None, ge=1, description="number of outputs; default: the dataset's classes"
    )
    in_chans: Annotated[int | None, _NETWORK] = Field(
        None, ge=1, le=16, description="input channels; default: the dataset's"
    )
    img_size: Annotated[tuple[int, int] | None, _NETWORK] = Field(
        None, description="image size in pixels, N or H W; default: the dataset's"
    )
    init: Annotated[str | None, Flag("Network", names="initializers")] = Field(
        None, description="initializer of the weights; default: the model's own"
    )
    init_kwargs: Annotated[Kwargs, _NETWORK] = Field({}, description="options of the initializer")
    init_scope: Annotated[str, _NETWORK] = Field(
        "spatial",
        description="layers that --init draws, joined by commas: spatial (convolutions with a "
        "kernel above 1x1), conv, linear, norm, other (embeddings and the like), or all",
    )
    init_norm: Annotated[str | None, Flag("Network", names="initializers")] = Field(
        None, description="initializer of the scales of normalization layers"
    )
    init_norm_kwargs: Annotated[Kwargs, _NETWORK] = Field(
        {}, description="options of the initializer of normalization layers"
    )
    freeze: Annotated[tuple[str, ...], _FREEZING] = Field(
        ("none",),
        description="tensors that stay as initialized: freezing rules, name patterns such as "
        "layer1.*, and exceptions such as !head in all,!head (see: rbench list freezing-rules)",
    )
    freeze_kwargs: Annotated[dict[str, Kwargs], _FREEZING] = Field(
        {}, description="options of freezing rules, by rule"
    )
    freeze_stats: Annotated[bool, _FREEZING] = Field(
        True, description="frozen normalization layers keep their running statistics"
    )
    unfreeze: Annotated[tuple[str, ...], _FREEZING] = Field(
        (), description="EPOCH:RULE, such as 5:layer4: what learns from that epoch on"
    )
    dataset: Annotated[str | None, Flag("Data", names="datasets")] = Field(
        None, description="dataset; default: the task's"
    )
    dataset_kwargs: Annotated[Kwargs, _DATA] = Field({}, description="options of the dataset")
    data_dir: Annotated[str | None, _DATA] = Field(
        None, description="folder that holds the dataset's files"
    )
    download: Annotated[bool, _DATA] = Field(
        False, description="download the dataset into --data-dir if it is missing there"
    )
    skip_bad: Annotated[bool, _DATA] = Field(
        False, description="leave out images that cannot be read, instead of stopping"
    )
    limit: Annotated[int | None, _DATA] = Field(
        None, ge=1, description="train on N images only, a fixed subset of the training set"
    )
    limit_test: Annotated[int | None, _DATA] = Field(
        None,
        ge=1,
        description="evaluate on N test images only, the same ones for every run, evenly by class",
    )
    task: Annotated[str, Flag("Training", names="tasks")] = Field(
        "classification", description="what the network is trained for or used for"
    )
    task_kwargs: Annotated[Kwargs, _TRAINING] = Field({}, description="options of the task")
    recipe: Annotated[str | None, Flag("Training", names="recipes")] = Field(
        None, description="training recipe, or a .toml file; default: the dataset's"
    )
    save_predictions: Annotated[bool, Flag("Output")] = Field(
        False,
        description="write each image's label, predicted class and five best classes beside the "
        "record",
    )
    track: Annotated[tuple[str, ...], Flag("Output")] = Field(
        (),
        description="log to these trackers: tensorboard, wandb, trackio, mlflow, comet_ml, aim, "
        "clearml, dvclive or swanlab",
    )
    tuning: Annotated[Kwargs, NO_FLAG] = Field(
        {}, description="how rbench tune chose values of this run, for its record"
    )
    training: Annotated[Kwargs, NO_FLAG] = Field({}, description="fields of the recipe to replace")
    metrics: Annotated[tuple[str, ...] | None, Flag("Measuring", names="metrics")] = Field(
        None, description="what is measured after training; default: the task's metrics"
    )
    metric_kwargs: Annotated[dict[str, Kwargs], _MEASURING] = Field(
        {}, description="options of the metrics, by metric"
    )
    seed: Annotated[int, _MACHINE] = Field(
        0, ge=0, lt=2**31, description="seed of weights, data order and augmentation"
    )
    deterministic: Annotated[bool, _MACHINE] = Field(
        False, description="use deterministic kernels only"
    )
    plugin: Annotated[tuple[str, ...], Flag("Seed and machine")] = Field(
        (), description="files with rbench hooks, whose components this run may name"
    )
    device: Annotated[str, _MACHINE] = Field("auto", description="auto, cpu, cuda, cuda:N, or mps")
    workers: Annotated[int, Flag("Seed and machine", short="-j")] = Field(
        2, ge=0, description="processes that read and decode streamed images"
    )
    val: Annotated[float | Literal["own"] | None, _DATA] = Field(
        None,
        description="validation split, never trained on: a fraction of the training images, a "
        "number of them, or own, the dataset's",
    )
    measure_on: Annotated[Literal["test", "val"], _MEASURING] = Field(
        "test", description="split that the metrics are measured on: test or val"
    )
    eval_every: Annotated[int | None, _MEASURING] = Field(
        None, ge=1, description="measure while training, too, every N epochs: curves in the history"
    )
    eval_metrics: Annotated[tuple[str, ...], Flag("Measuring", names="metrics")] = Field(
        (), description="metrics of the curves; default: the task's score, or its first metric"
    )
    eval_split: Annotated[Literal["val", "test"] | None, _MEASURING] = Field(
        None, description="split that the curves are measured on; default: val where there is one"
    )

    @field_validator("plugin", mode="before")
    @classmethod
    def _absolute(cls, value: Any) -> Any:
        """Paths that hold in a worker's folder as well."""
        paths = [value] if isinstance(value, str | Path) else value
        if not isinstance(paths, list | tuple):
            return value
        return tuple(str(Path(path).expanduser().absolute()) for path in paths)

    @field_validator("init_scope")
    @classmethod
    def _scopes(cls, value: str) -> str:
        """The scopes in their order, without those that others contain."""
        asked = {part.strip() for part in value.split(",") if part.strip()}
        for part in sorted(asked):
            if part not in SCOPES:
                raise ValueError(f"'{part}' is not a scope{suggest(part, SCOPES)}")
        if not asked:
            raise ValueError(f"names no scope{suggest('', SCOPES)}")
        if "all" in asked:
            return "all"
        inside = {"spatial"} if "conv" in asked else set()
        return ",".join(scope for scope in SCOPES if scope in asked - inside)

    @field_validator("img_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        if isinstance(value, int):
            return (value, value)
        # ``--img-size 32`` is a list of one number.
        return (*value, *value) if isinstance(value, list) and len(value) == 1 else value

    @field_validator("img_size")
    @classmethod
    def _positive(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and min(value) < 1:
            raise ValueError("must be at least 1 pixel")
        return value

    @field_validator("val", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        try:
            return float(value) if isinstance(value, str) else value
        except ValueError:
            return value

    @field_validator("val")
    @classmethod
    def _split(cls, value: float | str | None) -> float | str | None:
        if isinstance(value, float) and not (0 < value < 1 or (value >= 1 and value.is_integer())):
            raise ValueError("must be a fraction below 1, a number of images, or own")
        return value

    @field_validator("freeze", "unfreeze", "metrics", "eval_metrics", "track", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value


LOCAL_FIELDS = (
    *("data_dir", "download", "device", "workers", "plugin"),
    *("eval_every", "eval_metrics", "eval_split", "save_predictions", "track", "tuning"),
)
"""Fields about the machine and about what is logged, which cannot change a number; records do
not keep them."""
