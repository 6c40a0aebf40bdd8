"""Whether a network takes the images of a run, asked before anything is trained.

Where it does not because of their size, the error names the smallest size that works.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rbench.errors import UserError, printable
from rbench.network.build import Built, build
from rbench.plugin.contexts import BuildContext, Note
from rbench.seeds import global_seed

if TYPE_CHECKING:
    from rbench.plugin.data import ImageData
    from rbench.spec.resolve import Resolved

SIDES = (
    *(16, 24, 28, 32, 48, 56, 64, 96, 112, 128, 160, 192, 224, 240, 256),
    *(288, 299, 320, 384, 448, 512),
)
"""Square sizes, in pixels, that are tried where a model does not take the dataset's."""


def build_checked(resolved: Resolved, data: ImageData, note: Note) -> Built:
    """The run's network, which takes the run's images; UserError where their size is wrong."""
    checks = resolved.training is not None or resolved.task.component.labels
    try:
        built = build(resolved, data, note)
    except Exception as error:
        if checks:
            raise_for_size(error, resolved, data)
        raise
    if checks:
        check_network(built.network, resolved, data)
        check_single_images(built.network, resolved, data)
    return built


_passed: set[str] = set()
"""Networks that this process has checked: other seeds of them need no look."""


def check_network(network: nn.Module, resolved: Resolved, data: ImageData) -> None:
    """Pass two gray images through ``network``; UserError where their size does not suit it.

    A classifier must return logits (2, num_classes). An error that no other size mends is the
    model's own and is raised as it is. Weights, buffers and random states stay as they are.
    """
    key = repr((resolved.identity["model"], data.in_chans, data.img_size, data.num_classes))
    if key in _passed:
        return
    try:
        outputs = _forward(network, data.in_chans, data.img_size)
    except Exception as error:
        raise_for_size(error, resolved, data)
    if resolved.training is not None and resolved.task.component.labels:
        classes = resolved.spec.num_classes or data.num_classes
        shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        if shape != (2, classes):
            raise UserError(
                f"the model {resolved.spec.model} returns {shape} for two images, not logits of "
                f"the shape (2, {classes}); it is not a classifier in this form"
            )
    _passed.add(key)


def check_single_images(network: nn.Module, resolved: Resolved, data: ImageData) -> None:
    """UserError where batches of one image leave a batch norm a single value per channel."""
    training = resolved.training
    if training is None or training.batch_size // training.grad_accum_steps > 1:
        return
    trained = copy.deepcopy(network).train()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            trained(torch.full((1, data.in_chans, *data.img_size), 0.5))
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise UserError(
            f"--batch-size {training.batch_size}: a batch norm of {resolved.spec.model} would see "
            "one value per channel; take at least 2 images in a step, or larger images (--img-size)"
        ) from error


def raise_for_size(error: Exception, resolved: Resolved, data: ImageData) -> None:
    """Raise a UserError where the model works on images of another size, else ``error``."""
    if _takes(resolved, data, data.img_size):
        raise error
    own = _own_side(resolved.spec.model)
    side = _smallest_side(resolved, data)
    if side is None and own is not None and _takes(resolved, data, own, "cpu"):
        side = own
    if side is None:
        raise error
    height, width = data.img_size
    reason = printable(" ".join(str(error).split()) or type(error).__name__, 100)
    raise UserError(
        f"the model {resolved.spec.model} does not take images of {height}x{width} pixels "
        f"({reason}); try --img-size {side}"
        + (f" (timm's own size is {own})" if own is not None else "")
    ) from error


def _forward(network: nn.Module, in_chans: int, img_size: tuple[int, int]) -> object:
    was_training = network.training
    parameter = next(network.parameters(), None)
    device = "cpu" if parameter is None else parameter.device
    images = torch.full((2, in_chans, *img_size), 0.5, device=device)
    network.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            return network(images)
    finally:
        network.train(was_training)


def _smallest_side(resolved: Resolved, data: ImageData) -> int | None:
    """The smallest of :data:`SIDES` above the data's that the model takes.

    None where the model takes none of them, so that the size is not what is wrong. Networks are
    built on the meta device, which computes shapes only.
    """
    tried = [side for side in SIDES if side > max(data.img_size)]
    if not any(_takes(resolved, data, side) for side in (224, tried[-1] if tried else 0) if side):
        return None
    return next((side for side in tried if _takes(resolved, data, side)), None)


def _takes(
    resolved: Resolved, data: ImageData, size: int | tuple[int, int], device: str = "meta"
) -> bool:
    size = (size, size) if isinstance(size, int) else size
    context = BuildContext(
        name=resolved.model.component.name,
        in_chans=data.in_chans,
        img_size=size,
        num_classes=resolved.spec.num_classes or max(1, data.num_classes),
        seed=resolved.spec.seed,
        training=resolved.training,
    )
    try:
        with global_seed(resolved.spec.seed, "size"), torch.device(device):
            network = resolved.model.component.build(context, resolved.model.options)
            _forward(network, data.in_chans, size)
    except Exception:
        return False
    return True


def _own_side(model: str) -> int | None:
    """The side of the images that timm's published weights expect; None for other models."""
    import timm

    try:
        config = timm.get_pretrained_cfg(model, allow_unregistered=False)
    except (RuntimeError, KeyError, AttributeError):
        return None
    return None if config is None else int(config.input_size[-1])
