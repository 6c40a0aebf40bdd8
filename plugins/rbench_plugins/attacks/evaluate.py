"""Which test images survive which attack: one pass over the test images for all attacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn

from rbench import ClassificationOutcome, MetricContext, global_seed
from rbench_plugins.attacks.engines import Attack
from rbench_plugins.layers.lc.block import LCBlock
from rbench_plugins.metrics.accuracy import correct

TOLERANCE = 1e-6
"""float32 rounding that an adversarial image may exceed epsilon by."""


@dataclass(frozen=True)
class Ensemble:
    """Attacks of one epsilon, one after another on what the ones before left standing."""

    name: str
    epsilon: float
    attacks: Sequence[Attack]
    every_image: bool = False
    """Attack misclassified images too, to know which images an attack leaves unchanged."""


@dataclass
class Result:
    """Of one ensemble: which images are still classified correctly, and which were not changed."""

    robust: Tensor
    unmoved: Tensor


@dataclass
class _Lists:
    robust: list[Tensor] = field(default_factory=list)
    unmoved: list[Tensor] = field(default_factory=list)


def evaluate(
    outcome: ClassificationOutcome,
    context: MetricContext,
    ensembles: Sequence[Ensemble],
    chosen: Tensor | None,
    purpose: str,
) -> tuple[Tensor, list[Result]]:
    """Attack the test images ``chosen`` (indices; None: all) with every ensemble.

    Returns which of the images the classifier gets right unattacked, (N,) bool, and a result per
    ensemble. An image that is misclassified unattacked counts as not robust.
    """
    classifier = outcome.classifier.eval()
    clean: list[Tensor] = []
    found = [_Lists() for _ in ensembles]
    done, total = 0, len(outcome.test) if chosen is None else len(chosen)
    context.phase.images += total * len(ensembles)
    with (
        global_seed(context.seed, "attack", purpose),
        torch.autocast(context.device.type, enabled=False),
        _weights_stay(classifier),
    ):
        for batch in outcome.test.batches(context.batch_size, context.device, chosen):
            assert batch.labels is not None
            right = _correct(classifier, batch.images, batch.labels)
            clean.append(right.cpu())
            for ensemble, lists in zip(ensembles, found, strict=True):
                robust, unmoved = _attack(classifier, ensemble, batch.images, batch.labels, right)
                lists.robust.append(robust.cpu())
                lists.unmoved.append(unmoved.cpu())
            done += len(batch.images)
            context.progress(purpose, done, total)
    results = [Result(torch.cat(lists.robust), torch.cat(lists.unmoved)) for lists in found]
    return torch.cat(clean), results


@contextmanager
def _weights_stay(network: nn.Module) -> Iterator[None]:
    """Attacks ask for gradients in images alone, and folded filters are formed once."""
    learns = [parameter for parameter in network.parameters() if parameter.requires_grad]
    with ExitStack() as stack:
        for module in network.modules():
            if isinstance(module, LCBlock):
                stack.enter_context(module.formed_once())
        for parameter in learns:
            parameter.requires_grad_(False)
            stack.callback(parameter.requires_grad_, True)
        yield


def _attack(
    classifier: nn.Module, ensemble: Ensemble, images: Tensor, labels: Tensor, right: Tensor
) -> tuple[Tensor, Tensor]:
    """(robust (B,), unmoved (B,)) of one batch."""
    robust = right.clone()
    unmoved = torch.ones_like(right)
    for attack in ensemble.attacks:
        target = torch.ones_like(right) if ensemble.every_image else robust
        at = target.nonzero().flatten()
        if not len(at):
            break
        before = images[at]
        with torch.enable_grad():
            after = attack(before, labels[at]).detach()
        excess = float((after - before).abs().max()) - ensemble.epsilon
        assert excess <= TOLERANCE, f"{ensemble.name} left the ball of epsilon by {excess:g}"
        robust[at] &= _correct(classifier, after, labels[at])
        unmoved[at] &= (after == before).flatten(1).all(dim=1)
    return robust, unmoved


@torch.no_grad()
def _correct(classifier: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return correct(classifier(images), labels, 1)


def percent(flags: Tensor) -> float:
    """The share of a (N,) bool tensor that is true, in percent."""
    return 100 * float(flags.double().mean())


def weaker_is_not_stronger(
    context: MetricContext, epsilon: str, accuracies: Sequence[tuple[str, float]]
) -> None:
    """Note where an attack of ``accuracies``, weakest first, beats one that should be stronger.

    All of them are percentages of the same images.
    """
    for (weak, above), (strong, below) in pairwise(accuracies):
        if above < below - 1e-9:
            context.note(
                f"{strong}@{epsilon}: {below:.2f} % of the images resist {strong}, but only "
                f"{above:.2f} % resist the weaker {weak}; the gradients mislead {strong}, and "
                "the smaller number is the bound"
            )
