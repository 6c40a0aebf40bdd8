"""Measures what ``metrics/filter_reconstruction.py`` describes."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from rbench import MetricContext, MetricValue, Outcome, UserError
from rbench_plugins.layers.lc.block import LCBlock
from rbench_plugins.layers.lc.gram import LCGram
from rbench_plugins.metrics.filter_reconstruction import NAME, ReconstructionOptions


def measure(
    outcome: Outcome, context: MetricContext, options: ReconstructionOptions
) -> list[MetricValue]:
    """Mean relative residual over layers, and mean coefficient length |P|/|W|."""
    try:
        reference = load_file(options.weights.expanduser())
    except (OSError, SafetensorError) as error:
        raise UserError(f"{NAME}: cannot read {options.weights}: {error}") from error
    residuals: dict[str, float] = {}
    lengths: dict[str, float] = {}
    for name, module in outcome.network.named_modules():
        if not isinstance(module, LCBlock | LCGram):
            continue
        wanted = reference.get(f"{name}.weight")
        if wanted is None or tuple(wanted.shape) != module.shape.weight:
            raise UserError(
                f"{NAME}: {options.weights} has no {name}.weight of shape {module.shape.weight}"
            )
        residuals[name], lengths[name] = reconstruct(wanted, module.gram_matrix().cpu())
    if not residuals:
        context.note(f"{NAME}: the network has no LC-block")
        return []
    n = len(residuals)
    return [
        MetricValue(
            name=NAME,
            value=sum(residuals.values()) / n,
            unit="of |W|",
            higher_is_better=False,
            n=n,
            details=dict(residuals),
        ),
        MetricValue(
            name=f"{NAME}_length",
            value=sum(lengths.values()) / n,
            unit="|P|/|W|",
            higher_is_better=False,
            n=n,
            details=dict(lengths),
        ),
    ]


def reconstruct(wanted: Tensor, gram: Tensor) -> tuple[float, float]:
    """Relative residual and |P|/|W| of the shortest P with P R nearest to W.

    ``wanted`` (c_out, c_in/groups, k, k) is W, ``gram`` (groups, d, d) is R^T R. The projection
    on the row space of R is V V^T with V the eigenvectors of R^T R whose eigenvalue s^2 is not
    zero, and |P|^2 = |W V / s|^2.
    """
    groups, taps, _ = gram.shape
    rows = wanted.double().reshape(groups, -1, taps)
    eigenvalues, vectors = torch.linalg.eigh(gram.double())
    kept = eigenvalues > 1e-12 * eigenvalues[:, -1:]
    along = rows @ vectors
    total = rows.square().sum()
    missing = (along.square() * ~kept[:, None]).sum()
    squared = torch.where(kept[:, None], along.square() / eigenvalues[:, None], 0).sum()
    return (missing / total).sqrt().item(), (squared / total).sqrt().item()
