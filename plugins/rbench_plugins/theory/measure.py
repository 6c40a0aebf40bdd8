"""Theory and measurement of one network on some images, side by side."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from rbench import UserError
from rbench_plugins.layers.random_cnn import RandomCNN
from rbench_plugins.theory import bounds, covariance_limit, prediction
from rbench_plugins.theory.angles import angle
from rbench_plugins.theory.l2_limit import Limit, l2_limit, squared_norms
from rbench_plugins.theory.stack import Stack

LimitKind: TypeAlias = Literal["auto", "l2", "average"]


@dataclass(frozen=True)
class ImageTheory:
    """What the theory says of one image. Angles in radians; None where it says nothing.

    ``cos_bound`` is Theorem 9's lower bound of cos Phi, ``sin2`` the predicted E sin^2 Theta.
    ``by_pool`` has z* under Theorem 4 (``l2``) and Theorem 10 (``average``) for networks with
    pools, as far as they can be had.
    """

    name: str
    limit: Limit
    bound: bounds.MultiLayerBound
    sin2: float | None
    input_angle: float | None
    cos_bound: float | None
    by_pool: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Angles:
    """Of some networks on some images: radians, (networks, images) float64.

    ``to_input`` is None where output and image differ in size; ``norms`` (images,) is |f| / |f*|
    of the first network and ``outputs`` (images, H', W') its f. ``by_pool`` has the angles with
    each of the limits that :class:`ImageTheory` has under that name.
    """

    to_limit: Tensor
    to_input: Tensor | None
    norms: Tensor
    outputs: Tensor
    by_pool: dict[str, Tensor] = field(default_factory=dict)


def uses_recursion(stack: Stack, kind: LimitKind) -> bool:
    """Whether f* is Theorem 10's: by default, where there are average pools and no others."""
    return stack.pools == {"average"} if kind == "auto" else kind == "average"


def image_theory(
    stack: Stack, image: Tensor, name: str, kind: LimitKind, note: Callable[[str], None]
) -> ImageTheory:
    """The theory of one ``image`` (C, H, W) under ``stack``; ``note`` gets what is missing."""
    if uses_recursion(stack, kind):
        limit = covariance_limit.covariance_limit(stack, image)
    else:
        limit = l2_limit(stack, image)
    sin2 = input_angle = cos_bound = None
    try:
        sin2 = sum(prediction.predicted_sin2(stack, image))
    except UserError as error:
        note(f"no first-order prediction: {error}")
    try:
        cos_bound = bounds.angle_bound(stack, image)
        input_angle = float(angle(squared_norms(image).sqrt(), limit.z))
    except UserError as error:
        note(f"no angle between image and f*: {error}")
    bound = bounds.multi_layer_bound(stack, image)
    by_pool = _by_pool(stack, image, note) if stack.pools else {}
    return ImageTheory(name, limit, bound, sin2, input_angle, cos_bound, by_pool)


def _by_pool(stack: Stack, image: Tensor, note: Callable[[str], None]) -> dict[str, Tensor]:
    found = {"l2": l2_limit(stack, image).z}
    if "l2" not in stack.pools:
        try:
            found["average"] = covariance_limit.covariance_limit(stack, image).z
        except UserError as error:
            note(f"no angle with the limit of average pooling: {error}")
    return found


def networks(first: nn.Module) -> Iterator[nn.Module]:
    """``first`` and, for a random_cnn with ``draws``, further networks of its distribution."""
    yield first
    if not isinstance(first, RandomCNN) or first.draws == 1:
        return
    if not first.as_drawn:
        raise UserError(
            "random_cnn draws further networks from its own distribution only, and these filters "
            "are others: use --model-kwargs law=... instead of --init, or draws=1 and several seeds"
        )
    other = copy.deepcopy(first)
    for draw in range(1, first.draws):
        other.redraw(draw)
        yield other


@torch.no_grad()
def measure(
    drawn: Iterator[nn.Module], images: Tensor, theories: list[ImageTheory], batch_size: int
) -> Angles:
    """Angles of each network's output f with f* and with the image, on ``images`` (B, C, H, W).

    The networks run in their own precision and device; angles are taken in float64. Against a
    float64 network, float32 moves the sine of an angle by less than 1e-6
    (test_theory_metric.py::test_float32_is_harmless); what is measured is above 1e-3.
    """
    limits = torch.stack([theory.limit.z for theory in theories])
    inputs = squared_norms(images).sqrt()
    scales = torch.tensor([theory.limit.k for theory in theories], dtype=torch.float64)
    to_limit, to_input = list[Tensor](), list[Tensor]()
    kinds = set[str].intersection(*(set(theory.by_pool) for theory in theories))
    pool_limits = {k: torch.stack([theory.by_pool[k] for theory in theories]) for k in kinds}
    by_pool: dict[str, list[Tensor]] = {kind: [] for kind in sorted(kinds)}
    first: Tensor | None = None
    for network in drawn:
        parameter = next(network.parameters())
        f = torch.cat(
            [
                network(part.to(parameter.device, parameter.dtype)).cpu().double().squeeze(1)
                for part in images.split(batch_size)
            ]
        )
        first = f if first is None else first
        to_limit.append(angle(f, limits))
        for kind, kept in by_pool.items():
            kept.append(angle(f, pool_limits[kind]))
        if f.shape == inputs.shape:
            to_input.append(angle(f, inputs))
    assert first is not None
    norms = first.norm(dim=(-2, -1)) / (scales * limits.norm(dim=(-2, -1)))
    inputs_too = torch.stack(to_input) if to_input else None
    pools = {kind: torch.stack(kept) for kind, kept in by_pool.items()}
    return Angles(torch.stack(to_limit), inputs_too, norms, first, pools)


__all__ = [
    "Angles",
    "ImageTheory",
    "LimitKind",
    "image_theory",
    "measure",
    "networks",
    "uses_recursion",
]
