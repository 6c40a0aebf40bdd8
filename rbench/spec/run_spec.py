"""What a user asks for: a run, or a suite of runs. Parsed and validated, nothing resolved."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, JsonValue, field_validator

from rbench.plugin.options import Options

Kwargs = dict[str, JsonValue]


class RunSpec(Options):
    """One run. Every field but ``model`` has a default; None means: what the others imply."""

    model: str = Field(min_length=1, description="architecture: a timm model or a plugin's")
    model_kwargs: Kwargs = Field({}, description="options of the architecture")
    pretrained: bool = Field(False, description="start from published weights")
    initial_checkpoint: str | None = Field(None, description="start from this safetensors file")
    num_classes: int | None = Field(None, ge=1, description="outputs; none: the data set's")
    in_chans: int | None = Field(None, ge=1, le=16, description="channels; none: the data set's")
    img_size: tuple[int, int] | None = Field(None, description="pixels; none: the data set's")
    init: str | None = Field(None, description="initializer; none: the architecture's own")
    init_kwargs: Kwargs = Field({}, description="options of the initializer")
    init_scope: Literal["spatial", "all"] = Field(
        "spatial", description="convolutions that the initializer draws: spatial ones or all"
    )
    freeze: tuple[str, ...] = Field(
        ("none",), description="what stays as drawn: none, spatial, batchnorm, all, or patterns"
    )
    task: str = Field("classification", description="what is asked of the network")
    task_kwargs: Kwargs = Field({}, description="options of the task")
    dataset: str | None = Field(None, description="images; none: the task's")
    dataset_kwargs: Kwargs = Field({}, description="options of the data set")
    data_dir: str | None = Field(None, description="where the data set's files are")
    download: bool = Field(False, description="fetch the data set into data_dir if missing")
    skip_bad: bool = Field(False, description="go on without unreadable images")
    recipe: str | None = Field(None, description="training recipe; none: the data set's")
    training: Kwargs = Field({}, description="fields of the recipe to replace")
    metrics: tuple[str, ...] | None = Field(None, description="what is measured")
    metric_kwargs: dict[str, Kwargs] = Field({}, description="options of metrics, by metric")
    limit: int | None = Field(None, ge=1, description="train on so many images only")
    seed: int = Field(0, ge=0, lt=2**31, description="of every random choice")
    deterministic: bool = Field(False, description="only deterministic kernels")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    workers: int = Field(2, ge=0, description="processes that read streamed images")

    @field_validator("img_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) else value

    @field_validator("img_size")
    @classmethod
    def _positive(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and min(value) < 1:
            raise ValueError("must be at least 1 pixel")
        return value

    @field_validator("freeze", "metrics", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value


PLACES = ("data_dir", "download", "device", "workers")
"""Fields that say where and how, and cannot change a number."""
