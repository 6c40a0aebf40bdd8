"""How a network is trained: the fields of a recipe, under timm's names."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rbench.plugin.options import Flag, Options


class Training(Options):
    """A complete training recipe; its fields are flags of ``rbench run`` (``--weight-decay``)."""

    epochs: int = Field(ge=1, description="passes over the training images")
    batch_size: Annotated[int, Flag("Training", short="-b", shows_default=False)] = Field(
        ge=1, description="images in a step, over all processes"
    )
    opt: str = Field("sgd", description="timm optimizer; sgd has Nesterov momentum")
    lr: float = Field(
        gt=0, description="learning rate for the given batch size; it is never rescaled"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum, for optimizers that have it")
    weight_decay: float = Field(0.0, ge=0, description="weight decay; frozen tensors get none")
    opt_eps: float | None = Field(None, gt=0, description="the optimizer's epsilon")
    opt_betas: tuple[float, float] | None = Field(None, description="the optimizer's betas")
    filter_bias_and_bn: bool = Field(
        False, description="leave biases and norms without weight decay, as timm does"
    )
    sched: Literal["cosine", "multistep", "step", "poly", "tanh", "none"] = Field(
        "cosine", description="schedule of the learning rate, applied at every step"
    )
    warmup_epochs: float = Field(0, ge=0, description="epochs of linear warmup, part of --epochs")
    warmup_lr: float = Field(1e-6, ge=0, description="learning rate at the start of the warmup")
    min_lr: float = Field(0.0, ge=0, description="learning rate at the end of the schedule")
    decay_milestones: tuple[int, ...] = Field(
        (), description="epochs at which sched=multistep lowers the learning rate"
    )
    decay_epochs: float = Field(30, gt=0, description="epochs between two drops of sched=step")
    decay_rate: float = Field(
        0.1,
        gt=0,
        le=1,
        description="factor by which a drop multiplies the learning rate; with sched=poly the "
        "exponent of the remaining share of training",
    )
    smoothing: float = Field(0.0, ge=0, lt=1, description="label smoothing")
    bce_loss: bool = Field(False, description="binary cross-entropy for each class")
    bce_target_thresh: float | None = Field(
        None, ge=0, lt=1, description="with bce_loss: targets above it count as 1, others as 0"
    )
    mixup: float = Field(0.0, ge=0, description="mixup alpha")
    cutmix: float = Field(0.0, ge=0, description="CutMix alpha")
    hflip: float | None = Field(
        None, ge=0, le=1, description="flip probability; default: the dataset's"
    )
    crop_pad: int | None = Field(
        None, ge=0, description="zero padding of the random crop, pixels; default: the dataset's"
    )
    scale: tuple[float, float] | None = Field(
        None,
        exclude_if=lambda scale: scale is None,  # so that older recipes keep their digests
        description="range of the share of an image that random resized crops cover, in place of "
        "--crop-pad; streamed datasets only",
    )
    aa: str | None = Field(
        None, description="timm's RandAugment/AutoAugment string; streamed datasets only"
    )
    aug_repeats: int = Field(0, ge=0, description="repeated augmentation; streamed datasets only")
    reprob: float = Field(0.0, ge=0, le=1, description="random erasing; streamed datasets only")
    clip_grad: float | None = Field(None, gt=0, description="clip the gradient to this norm")
    amp: bool | None = Field(
        None, description="mixed precision; default: where this machine is faster with it"
    )
    amp_dtype: Literal["bfloat16", "float16"] = Field(
        "bfloat16", description="dtype of mixed precision"
    )
    channels_last: bool = Field(True, description="memory format of images and filters")
    torchcompile: bool = Field(False, description="compile the training step")
    grad_accum_steps: int = Field(
        1, ge=1, description="number of micro-batches that a batch is split into"
    )
    sync_bn: bool = Field(False, description="batch norm statistics over all processes")
    keep: Literal["last", "best"] = Field(
        "last",
        description="epoch whose weights are measured; best: the highest score on the validation "
        "split, or, without --val, on the test split",
    )
    drop_path: float | None = Field(
        None, ge=0, lt=1, description="drop_path_rate of the models that have it"
    )

    def identity(self) -> dict[str, Any]:
        """The fields as a run's digest has them: one that is newer is there only if it is set."""
        fields = self.model_dump(mode="json")
        if self.bce_target_thresh is None:
            del fields["bce_target_thresh"]
        if self.sched == "multistep":
            # Since revision 2 the rate drops at the milestone, before it dropped one step earlier.
            fields["multistep_revision"] = 2
        return fields

    @model_validator(mode="after")
    def _pairs(self) -> Training:
        if (self.mixup or self.cutmix) and (self.batch_size // self.grad_accum_steps) % 2:
            raise ValueError(
                f"mixup and cutmix pair images, which a batch of {self.batch_size} in "
                f"{self.grad_accum_steps} part(s) does not allow: take an even --batch-size"
            )
        return self

    @model_validator(mode="after")
    def _one_crop(self) -> Training:
        if self.scale is not None:
            if not 0 < self.scale[0] <= self.scale[1] <= 1:
                raise ValueError(f"scale = {self.scale}: expected 0 < least <= most <= 1")
            if self.crop_pad:
                raise ValueError("scale and crop_pad are two kinds of random crop: choose one")
        return self

    @model_validator(mode="after")
    def _drops(self) -> Training:
        if self.sched == "multistep" and not self.decay_milestones:
            raise ValueError("sched = multistep needs decay_milestones, the epochs of the drops")
        return self

    @model_validator(mode="after")
    def _warm_up_ends(self) -> Training:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs = {self.warmup_epochs:g} leaves nothing of epochs = {self.epochs}"
            )
        return self
