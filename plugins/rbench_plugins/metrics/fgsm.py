"""Robust accuracy under the fast gradient sign method (Goodfellow et al., arXiv 1412.6572).

P2 attacks with epsilon 1/255 in pixel space (section 4.2; facts C16).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from rbench import (
    ClassificationOutcome,
    Metric,
    MetricContext,
    MetricValue,
    Options,
    UserError,
    global_seed,
)
from rbench_plugins.metrics.counting import accuracy, hits

if TYPE_CHECKING:
    from torch import Tensor, nn

    Attack = Callable[[Tensor, Tensor], Tensor]


class FgsmOptions(Options):
    """Options of ``fgsm``."""

    epsilons: tuple[float, ...] = Field(
        (1 / 255,),
        min_length=1,
        description="sizes of the step per pixel, images being in [0, 1]; fractions such as "
        "1/255 and comma-separated lists will do",
    )
    engine: Literal["torchattacks", "foolbox"] = Field(
        "torchattacks", description="whose implementation; foolbox is the extra rbench[foolbox]"
    )

    images: int | None = Field(
        None,
        ge=1,
        description="attack so many test images, evenly spaced in the set's order and the same "
        "for every run; none: all",
    )

    @model_serializer(mode="wrap")
    def _without_unused(self, rest: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Runs on all images keep the identity that they had before ``images`` was an option."""
        fields: dict[str, Any] = rest(self)
        if self.images is None:
            fields.pop("images", None)
        return fields

    @field_validator("epsilons", mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        if isinstance(value, str):
            value = value.split(",")
        if isinstance(value, int | float):
            value = [value]
        return [_number(item) for item in value] if isinstance(value, list | tuple) else value

    @field_validator("epsilons")
    @classmethod
    def _in_range(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        for epsilon in value:
            if not 0 < epsilon <= 1:
                raise ValueError(f"epsilon {epsilon} is not in (0, 1]; did you mean {epsilon}/255?")
        if len(set(value)) < len(value):
            raise ValueError("an epsilon is given twice")
        return value


def measure(
    outcome: ClassificationOutcome, context: MetricContext, options: FgsmOptions
) -> list[MetricValue]:
    """Percentage of test images classified rightly both clean and attacked, for each epsilon.

    Of all of them, or of the ``images`` evenly spaced ones; ``n`` says how many.

    The classifier takes [0, 1] images and normalises inside, so that epsilon is in pixel units;
    it is in eval mode and the whole attack runs in float32. ``details`` tells the clean accuracy
    and the share of images that the attack could not move because their gradient vanished.
    """
    import torch

    classifier = outcome.classifier.eval()
    attacks = [_attack(classifier, epsilon, options.engine) for epsilon in options.epsilons]
    clean: list[Tensor] = []
    robust: list[list[Tensor]] = [[] for _ in attacks]
    stuck: list[list[Tensor]] = [[] for _ in attacks]
    chosen = _evenly(len(outcome.test), options.images)
    done, total = 0, len(outcome.test) if chosen is None else len(chosen)
    context.phase.images = total * len(attacks)
    with (
        global_seed(context.seed, "attack", "fgsm"),
        torch.autocast(context.device.type, enabled=False),
    ):
        for batch in outcome.test.batches(context.batch_size, context.device, chosen):
            assert batch.labels is not None
            with torch.no_grad():
                right = hits(classifier(batch.images), batch.labels, 1)
            clean.append(right.cpu())
            for index, attack in enumerate(attacks):
                with torch.enable_grad():
                    moved = attack(batch.images, batch.labels)
                with torch.no_grad():
                    still = hits(classifier(moved), batch.labels, 1)
                robust[index].append((right & still).cpu())
                stuck[index].append((moved == batch.images).flatten(1).all(dim=1).cpu())
            done += len(batch.images)
            context.progress("fgsm", done, total)
    before = 100 * float(torch.cat(clean).double().mean())
    values = []
    for epsilon, survivors, fixed in zip(options.epsilons, robust, stuck, strict=True):
        unmoved = 100 * float(torch.cat(fixed).double().mean())
        name = f"fgsm@{_written(epsilon)}"
        if unmoved > 1:
            context.note(
                f"{name}: the gradient of {unmoved:.1f} % of the images vanished (saturated "
                "logits?), so the attack left them as they are and their robustness says nothing"
            )
        details = {"clean": before, "unmoved": unmoved}
        values.append(accuracy(name, torch.cat(survivors), details))
    return values


def _evenly(total: int, wanted: int | None) -> Tensor | None:
    """Indices of ``wanted`` of ``total`` images, of each class its share in sorted folders."""
    import torch

    if wanted is None or wanted >= total:
        return None
    return torch.arange(wanted) * total // wanted


def _attack(classifier: nn.Module, epsilon: float, engine: str) -> Attack:
    if engine == "torchattacks":
        import torchattacks

        return torchattacks.FGSM(classifier, eps=epsilon)
    try:
        import foolbox
    except ImportError as error:
        raise UserError(
            "fgsm's engine foolbox is not installed; try: pip install 'rbench[foolbox]'"
        ) from error
    attack = foolbox.attacks.LinfFastGradientAttack()

    def with_foolbox(images: Tensor, labels: Tensor) -> Tensor:
        model = foolbox.PyTorchModel(classifier, bounds=(0, 1), device=images.device)
        _, clipped, _ = attack(model, images, labels, epsilons=epsilon)
        return clipped

    return with_foolbox


def _number(item: object) -> object:
    """A fraction of text as a number; anything else as it is, for pydantic to judge."""
    if isinstance(item, str) and "/" in item:
        above, _, below = item.partition("/")
        try:
            return float(above) / float(below)
        except (ValueError, ZeroDivisionError):
            return item
    return item


def _written(epsilon: float) -> str:
    """``1/255`` for whole numbers of grey levels, else plain decimals."""
    levels = round(epsilon * 255)
    return f"{levels}/255" if levels and abs(epsilon - levels / 255) < 1e-9 else f"{epsilon:g}"


COMPONENT = Metric(
    name="fgsm",
    summary="Accuracy in percent under the fast gradient sign attack on [0, 1] pixels.",
    measure=measure,
    reads=ClassificationOutcome,
    options=FgsmOptions,
)
