"""What the metric ``theory`` reports, from what :mod:`measure` found."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from rbench import ImagesOutcome, MetricContext, MetricValue, UserError
from rbench_plugins.images.grid import Tile, grid, stretch
from rbench_plugins.images.mappings import MAPPINGS
from rbench_plugins.images.ssim import WINDOW, Ssim, grey
from rbench_plugins.theory import assumptions
from rbench_plugins.theory.angles import wilson
from rbench_plugins.theory.l2_limit import squared_norms
from rbench_plugins.theory.measure import (
    Angles,
    ImageTheory,
    image_theory,
    measure,
    networks,
    uses_recursion,
)
from rbench_plugins.theory.read_network import read_stack
from rbench_plugins.theory.stack import Stack

if TYPE_CHECKING:
    from rbench_plugins.theory.options import TheoryOptions


@dataclass(frozen=True)
class Found:
    """Everything that the values are computed from. ``sines`` is (networks, images)."""

    stack: Stack
    recursion: bool
    theories: list[ImageTheory]
    angles: Angles
    options: TheoryOptions

    @property
    def sines(self) -> Tensor:
        """sin Theta."""
        return self.angles.to_limit.sin()

    @property
    def rms(self) -> Tensor:
        """Root of E sin^2 Theta over the networks, (images,)."""
        return self.sines.square().mean(0).sqrt()

    def bounds(self, delta: float) -> Tensor:
        """The bound on sin Theta of each image."""
        return torch.tensor([t.bound.at(delta) for t in self.theories], dtype=torch.float64)


def values(
    outcome: ImagesOutcome, context: MetricContext, options: TheoryOptions
) -> list[MetricValue]:
    """The theory and the measurement of ``outcome``'s network on its inputs.

    Where a theorem's assumption fails, its values carry ``details["assumption"]`` and the record
    a note; where a value cannot be had at all, a note says why and the value is left out.
    """
    network, images = outcome.network.to(context.device), outcome.inputs
    stack = read_stack(network, images[:1])
    if min(conv.width for conv in stack.convs) < 2:
        raise UserError(
            "the theory needs a mean over filters: width 1 leaves one, whose output may be zero "
            "everywhere; take width 2 or more"
        )
    recursion = uses_recursion(stack, options.limit)
    note = once(context.note)
    theories = list[ImageTheory]()
    for place, (image, name) in enumerate(zip(images, outcome.names, strict=True)):
        context.progress("theory", place, len(images))
        theories.append(image_theory(stack, image, name, options.limit, note))
    pixels = images.shape[-2] * images.shape[-1] * max(conv.width for conv in stack.convs)
    batch = max(1, min(context.batch_size, 2**26 // pixels))
    angles = measure(networks(network), images, theories, batch)
    found = Found(stack, recursion, theories, angles, options)
    _picture(found, images, context)
    result = [
        *_distance(found),
        *_pools(found),
        *_ssim(found, images, note),
        *_bound(found),
        *_prediction(found),
        *_input(found),
    ]
    for value in result:
        broken = cast("dict[str, Any]", value.details or {}).get("assumption", [])
        for assumption in broken:
            note(f"an assumption of the theory does not hold: {assumption}")
    return result


def once(note: Callable[[str], None]) -> Callable[[str], None]:
    """``note`` without repetitions, which every image would give."""
    said = set[str]()

    def say(text: str) -> None:
        if text not in said:
            said.add(text)
            note(text)

    return say


def _picture(found: Found, images: Tensor, context: MetricContext) -> None:
    some = slice(found.options.pictures)
    if found.options.pictures == 0:
        return
    limits = torch.stack([theory.limit.z for theory in found.theories[some]])
    columns = (squared_norms(images[some]).sqrt(), limits, found.angles.outputs[some])
    rows = zip(*(stretch(column.float()) for column in columns), strict=True)
    sheet = grid([[Tile(image) for image in row] for row in rows], at_least=96)
    names = ", ".join(theory.name for theory in found.theories[some])
    context.artifacts.save("theory.png", sheet, f"image, limit f*, output f: {names}")


def _distance(found: Found) -> list[MetricValue]:
    broken = assumptions.of_limit(found.stack, found.recursion)
    per_network = found.sines.mean(1)
    bounds = found.bounds(found.options.delta)
    rows = [
        {
            "image": theory.name,
            "sin_rms": _short(found.rms[i]),
            "sin_max": _short(found.sines[:, i].max()),
            "bound": _short(bounds[i]),
            "predicted_rms": None if theory.sin2 is None else _short(math.sqrt(theory.sin2)),
            "input_to_limit_degrees": _short_degrees(theory.input_angle),
            "input_to_limit_at_most_degrees": _short_degrees(_upper(theory)),
        }
        for i, theory in enumerate(found.theories)
    ]
    widths: list[Any] = [conv.width for conv in found.stack.convs]
    details: dict[str, Any] = {
        "images": rows,
        "per_network": [_short(value) for value in per_network],
        "widths": widths,
        "depth": found.stack.depth,
    }
    norm = found.angles.norms.mean()
    printed = found.theories[0].limit
    return [
        _value(
            "theory_sin",
            found.sines.mean(),
            found.sines.numel(),
            broken,
            details,
            **_spread_over_networks(per_network),
        ),
        _value("theory_sin_rms", found.rms.square().mean().sqrt(), found.sines.numel(), broken),
        _value(
            "theory_norm_ratio",
            norm,
            len(found.theories),
            broken,
            {"with_printed_constant": float(norm * printed.k / printed.printed_k)},
        ),
    ]


def _pools(found: Found) -> list[MetricValue]:
    """The angle with the limit of either theorem, for networks with pools."""
    return [
        _value(
            f"theory_sin_to_{kind}_rms",
            angles.sin().square().mean().sqrt(),
            angles.numel(),
            assumptions.of_limit(found.stack, recursion=kind == "average"),
        )
        for kind, angles in found.angles.by_pool.items()
    ]


def _ssim(found: Found, images: Tensor, note: Callable[[str], None]) -> list[MetricValue]:
    """SSIM of f* as an image under two mappings: what infinite width would reach.

    As in P1: grey, and where it is negative the luminosity is inverted first.
    """
    limits = torch.stack([theory.limit.z for theory in found.theories])[:, None]
    inputs = grey(images.double())
    if limits.shape != inputs.shape or min(limits.shape[-2:]) < WINDOW:
        note(f"no SSIM of f*: it needs one size of at least {WINDOW} pixels")
        return []
    similarity, broken = Ssim(inputs), assumptions.of_limit(found.stack, found.recursion)
    result = []
    for name in ("minmax", "grey_matched"):
        plain, inverted = similarity(MAPPINGS[name](limits, inputs))
        value = torch.where(plain < 0, inverted, plain)
        result.append(
            _value(
                f"theory_limit_ssim@{name}",
                value.mean(),
                len(value),
                broken,
                {"uninverted": float(plain.mean())},
                higher_is_better=True,
            )
        )
    return result


def _bound(found: Found) -> list[MetricValue]:
    broken = assumptions.of_bound(found.stack, found.recursion)
    n = found.sines.numel()
    bound = found.bounds(found.options.delta)
    rates = [_rate(found, delta) for delta in found.options.deltas]
    here = _rate(found, found.options.delta)
    return [
        _value(
            "theory_bound",
            bound.mean(),
            len(bound),
            broken,
            {
                "delta": found.options.delta,
                "says_nothing": int((bound >= 1).sum()),
                "lambdas": [round(value, 5) for value in found.theories[0].bound.lambdas],
            },
        ),
        _value(
            "theory_violations",
            here["rate"],
            n,
            broken,
            {"networks": len(found.sines), "at": here, "by_delta": rates},
        ),
        _value("theory_tightness", (bound / found.rms).mean(), n, broken),
    ]


def _rate(found: Found, delta: float) -> dict[str, float]:
    """Share of (network, image) pairs over the bound; the interval counts networks only.

    Images of one network are not independent, so n is the number of networks: conservative.
    """
    rate = float((found.sines > found.bounds(delta)).double().mean())
    interval = wilson(rate * len(found.sines), len(found.sines))
    return {"delta": delta, "rate": rate, "low": interval.low, "high": interval.high}


def _prediction(found: Found) -> list[MetricValue]:
    pairs = [
        (theory.sin2, float(found.rms[i]) ** 2)
        for i, theory in enumerate(found.theories)
        if theory.sin2 is not None
    ]
    if not pairs:
        return []
    broken = assumptions.of_prediction(found.stack)
    predicted = math.sqrt(sum(p for p, _ in pairs) / len(pairs))
    measured = math.sqrt(sum(m for _, m in pairs) / len(pairs))
    # By the delta method from the spread of the networks' mean squares.
    squares = found.sines.square().mean(1)
    spread = _standard_error(squares)
    ratio = predicted / measured
    relative = None if spread is None else ratio * spread / (2 * float(squares.mean()))
    return [
        _value("theory_predicted_sin_rms", predicted, len(pairs), broken),
        _value(
            "theory_prediction_over_measurement",
            ratio,
            found.sines.numel(),
            broken,
            uncertainty=relative,
            uncertainty_kind=None if relative is None else "standard error over networks",
        ),
    ]


def _input(found: Found) -> list[MetricValue]:
    theories = [t for t in found.theories if t.input_angle is not None]
    if not theories:
        return []
    limit_broken = assumptions.of_limit(found.stack, found.recursion)
    broken = assumptions.of_angle(found.stack, found.recursion)
    angles = [math.degrees(cast("float", t.input_angle)) for t in theories]
    bounds = [math.degrees(cast("float", _upper(t))) for t in theories]
    over = sum(a > b + 1e-9 for a, b in zip(angles, bounds, strict=True))
    n = len(theories)
    result = [
        _value("theory_input_to_limit", _mean(angles), n, limit_broken, unit="degrees"),
        _value("theory_input_to_limit_bound", _mean(bounds), n, broken, unit="degrees"),
        _value("theory_input_to_limit_violations", over / n, n, broken),
    ]
    if found.angles.to_input is not None:
        degrees = found.angles.to_input.rad2deg()
        result.append(
            _value(
                "theory_input_to_output",
                degrees.mean(),
                degrees.numel(),
                unit="degrees",
                **_spread_over_networks(degrees.mean(1)),
            )
        )
    return result


def _upper(theory: ImageTheory) -> float | None:
    """The largest Phi that Theorem 9 allows, in radians."""
    return None if theory.cos_bound is None else math.acos(max(-1.0, min(1.0, theory.cos_bound)))


def _value(
    name: str,
    value: Tensor | float,
    n: int,
    broken: Sequence[str] = (),
    details: dict[str, Any] | None = None,
    **rest: Any,
) -> MetricValue:
    marked = {**(details or {}), **({"assumption": list(broken)} if broken else {})}
    return MetricValue(name=name, value=float(value), n=n, details=marked or None, **rest)


def _spread_over_networks(per_network: Tensor) -> dict[str, Any]:
    error = _standard_error(per_network)
    if error is None:
        return {}
    return {"uncertainty": error, "uncertainty_kind": "standard error over networks"}


def _standard_error(per_network: Tensor) -> float | None:
    if len(per_network) < 2:
        return None
    return float(per_network.std()) / math.sqrt(len(per_network))


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _short(value: Tensor | float) -> float:
    """Five digits: what a picture needs, without filling the record."""
    return float(f"{float(value):.5g}")


def _short_degrees(radians: float | None) -> float | None:
    return None if radians is None else _short(math.degrees(radians))


__all__ = ["Found", "once", "values"]
