"""How a network is trained: the fields of a recipe, under timm's names."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rbench.plugin.options import Options


class Training(Options):
    """A complete training recipe; its fields are flags of ``rbench run`` (``--weight-decay``)."""

    epochs: int = Field(ge=1, description="passes over the training images")
    batch_size: int = Field(ge=1, description="images in a step, over all processes")
    opt: str = Field("sgd", description="timm optimiser; sgd has Nesterov momentum")
    lr: float = Field(gt=0, description="learning rate of a whole batch; nothing scales it")
    momentum: float = Field(0.9, ge=0, lt=1, description="for optimisers that have it")
    weight_decay: float = Field(0.0, ge=0, description="not applied to frozen tensors")
    opt_eps: float | None = Field(None, gt=0, description="the optimiser's epsilon")
    opt_betas: tuple[float, float] | None = Field(None, description="the optimiser's betas")
    filter_bias_and_bn: bool = Field(
        False, description="leave biases and norms without weight decay, as timm does"
    )
    sched: Literal["cosine", "multistep", "step", "poly", "tanh", "none"] = Field(
        "cosine", description="schedule of the learning rate, applied at every step"
    )
    warmup_epochs: float = Field(0, ge=0, description="linear warm-up, inside the epochs")
    warmup_lr: float = Field(1e-6, ge=0, description="learning rate at the start of the warm-up")
    min_lr: float = Field(0.0, ge=0, description="where the schedule ends")
    decay_milestones: tuple[int, ...] = Field((), description="epochs at which multistep drops")
    decay_epochs: float = Field(30, gt=0, description="epochs between two drops of step")
    decay_rate: float = Field(0.1, gt=0, le=1, description="factor of a drop")
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing")
    bce_loss: bool = Field(False, description="binary cross entropy on each class")
    mixup: float = Field(0.0, ge=0, description="mixup alpha")
    cutmix: float = Field(0.0, ge=0, description="CutMix alpha")
    hflip: float | None = Field(None, ge=0, le=1, description="flip probability; none: the set's")
    crop_pad: int | None = Field(
        None, ge=0, description="zero padding of the random crop, pixels; none: the set's"
    )
    aa: str | None = Field(None, description="timm's RandAugment/AutoAugment string; streamed sets")
    aug_repeats: int = Field(0, ge=0, description="repeated augmentation; streamed sets")
    reprob: float = Field(0.0, ge=0, le=1, description="random erasing; streamed sets")
    clip_grad: float | None = Field(None, gt=0, description="largest norm of the gradient")
    amp: bool | None = Field(
        None, description="mixed precision; none: where this machine is faster with it"
    )
    amp_dtype: Literal["bfloat16", "float16"] = Field("bfloat16", description="of autocast")
    channels_last: bool = Field(True, description="memory format of images and filters")
    torchcompile: bool = Field(False, description="compile the training step")
    grad_accum_steps: int = Field(1, ge=1, description="micro-batches in a step")
    sync_bn: bool = Field(False, description="norm statistics over all processes")
    keep: Literal["last", "best"] = Field(
        "last", description="which epoch's weights are measured; best: highest test top-1"
    )
    drop_path: float | None = Field(None, ge=0, lt=1, description="timm models' drop_path_rate")

    @model_validator(mode="after")
    def _warm_up_ends(self) -> Training:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs = {self.warmup_epochs:g} leaves nothing of epochs = {self.epochs}"
            )
        return self
