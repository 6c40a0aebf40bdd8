"""pgd and autoattack on a trained classifier: by hand, by foolbox, and in their order."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from rbench_plugins.attacks.engines import autoattack, pgd
from rbench_plugins.layers.lc.block import LCBlock
from rbench_plugins.layers.lc.draw import Filters, Source
from rbench_plugins.layers.lc.shape import ConvShape
from rbench_plugins.metrics import autoattack as autoattack_metric
from rbench_plugins.metrics import fgsm as fgsm_metric
from rbench_plugins.metrics import pgd as pgd_metric
from torch import Tensor, nn

from rbench import ClassificationOutcome, MemoryImages, global_seed
from tests.helpers.digit_classifier import digits, measure, outcome, trained

pytestmark = pytest.mark.slow  # each trains or attacks a network

EPSILON = 0.1


@pytest.fixture(scope="module")
def result() -> ClassificationOutcome:
    _, test = digits()
    assert test.labels is not None
    return outcome(trained(), MemoryImages(test.pixels[:120], test.labels[:120]))


def test_a_pgd_step_is_the_formula(result: ClassificationOutcome) -> None:
    (batch,) = result.test.batches(120, torch.device("cpu"))
    assert batch.labels is not None
    attack = pgd(result.classifier, EPSILON, 0.03, 5)
    with global_seed(1, "test"):
        moved = attack(batch.images, batch.labels)
    with global_seed(1, "test"):
        start = torch.empty_like(batch.images).uniform_(-EPSILON, EPSILON)
    x = (batch.images + start).clamp(0, 1)
    for _ in range(5):
        x = x.detach().requires_grad_()
        loss = nn.functional.cross_entropy(result.classifier(x), batch.labels)
        (gradient,) = torch.autograd.grad(loss, x)
        x = x.detach() + 0.03 * gradient.sign()
        x = (batch.images + (x - batch.images).clamp(-EPSILON, EPSILON)).clamp(0, 1)
    torch.testing.assert_close(moved, x, atol=1e-6, rtol=0)


def test_both_engines_find_the_same_robust_accuracy(result: ClassificationOutcome) -> None:
    (own,), _ = measure(pgd_metric.COMPONENT, result, epsilons=[0.06], steps=30)
    (other,), _ = measure(pgd_metric.COMPONENT, result, epsilons=[0.06], steps=30, engine="foolbox")
    assert 5 < own.value < 90  # neither trivial nor hopeless
    assert other.value == pytest.approx(own.value, abs=2.6)  # three images of 120
    assert (own.name, own.unit, own.n) == ("pgd@0.06", "%", 120)


def test_stronger_attacks_leave_fewer_images(result: ClassificationOutcome) -> None:
    options = {"epsilons": [0.06]}
    (single,), _ = measure(fgsm_metric.COMPONENT, result, **options)
    (iterated,), notes = measure(pgd_metric.COMPONENT, result, **options)
    (ensemble,), more = measure(
        autoattack_metric.COMPONENT, result, steps=20, queries=50, **options
    )
    assert not notes
    assert not more
    assert single.value > iterated.value > ensemble.value > 0
    assert iterated.details == {
        "clean": single.details["clean"],
        "fgsm": single.value,
        "at_half": 0.0,
    }
    assert ensemble.details["fgsm"] == single.value
    assert ensemble.details["pgd"] == pytest.approx(iterated.value, abs=1.7)  # another start


def test_autoattack_is_at_least_as_strong_as_each_of_its_parts(
    result: ClassificationOutcome,
) -> None:
    (batch,) = result.test.batches(120, torch.device("cpu"))
    assert batch.labels is not None
    right = result.classifier(batch.images).argmax(1) == batch.labels
    parts = autoattack(result.classifier, 0.06, 10, steps=20, queries=50, seed=3)
    assert [type(part).__name__ for part in parts] == ["APGD", "APGDT", "FAB", "Square"]
    by_name = {type(part).__name__: cast(Any, part) for part in parts}
    assert [by_name[name].steps for name in ("APGD", "APGDT", "FAB")] == [20] * 3
    assert [by_name[name].n_target_classes for name in ("APGDT", "FAB")] == [9] * 2
    assert by_name["Square"].n_queries == 50
    assert all(part.seed == 3 for part in by_name.values())
    left = []
    for part in parts:
        with global_seed(0, "test"):
            moved = part(batch.images, batch.labels)
        assert (moved - batch.images).abs().max() <= 0.06 + 1e-6
        assert moved.min() >= 0
        assert moved.max() <= 1
        still = right & (result.classifier(moved).argmax(1) == batch.labels)
        left.append(100 * still.double().mean().item())
    (value,), _ = measure(
        autoattack_metric.COMPONENT, result, epsilons=[0.06], steps=20, queries=50
    )
    assert value.value <= min(left) + 1.7
    assert value.value < max(left)


def test_restarts_only_lower_the_accuracy(result: ClassificationOutcome) -> None:
    (one,), _ = measure(pgd_metric.COMPONENT, result, epsilons=[0.06], steps=3, check_images=0)
    (many,), _ = measure(
        pgd_metric.COMPONENT, result, epsilons=[0.06], steps=3, restarts=10, check_images=0
    )
    assert many.value <= one.value
    assert "at_half" not in many.details


def test_a_weaker_attack_that_wins_is_a_note(result: ClassificationOutcome) -> None:
    (value,), notes = measure(
        pgd_metric.COMPONENT, result, epsilons=[0.06], steps=1, step_size=1e-6, check_images=0
    )
    assert value.value > value.details["fgsm"]
    (note,) = notes
    assert note.startswith("pgd@0.06: ")
    assert "resist the weaker fgsm" in note


class Quantized(nn.Module):
    """Hides the gradient: the pixels are rounded, and a faint copy leads astray."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier((images * 8).round() / 8) + 0 * images.sum((1, 2, 3))[:, None]


def test_masked_gradients_are_reported(result: ClassificationOutcome) -> None:
    masked = outcome(Quantized(result.classifier), result.test)  # type: ignore[arg-type]
    (value,), notes = measure(pgd_metric.COMPONENT, masked, epsilons=[0.02])
    assert value.details["at_half"] > 10
    assert any("resist even epsilon 0.5" in note and "masked" in note for note in notes)


def test_images_limits_the_attack_and_random_state_stays(result: ClassificationOutcome) -> None:
    result.classifier.zero_grad()
    before, numpy = torch.get_rng_state(), np.random.get_state()[1].copy()
    for component in (pgd_metric.COMPONENT, autoattack_metric.COMPONENT):
        options = {"steps": 2, "queries": 2} if component.name == "autoattack" else {"steps": 2}
        (value,), _ = measure(component, result, images=30, **options)
        assert value.n == 30
        assert measure(component, result, images=30, **options)[0] == [value]
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy).all()
    assert all(parameter.grad is None for parameter in result.classifier.parameters())


def test_folded_filters_are_formed_once_for_all_passes(
    result: ClassificationOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = trained()
    shape = ConvShape.of(classifier.conv)
    filters = Filters(classifier.conv.weight.detach(), torch.eye(16)[:, :, None, None])
    block = LCBlock(shape, 1, Source(seed=0, name="conv"), folded=True, filters=filters)
    assert block.bias is not None
    assert classifier.conv.bias is not None
    block.bias.data.copy_(classifier.conv.bias.data)
    classifier.conv = cast(Any, block)
    formed: list[Tensor] = []
    combine = LCBlock._combine

    def counted(self: LCBlock) -> Tensor:
        formed.append(combine(self))
        return formed[-1]

    monkeypatch.setattr(LCBlock, "_combine", counted)
    options = {"epsilons": [0.06], "images": 30, "steps": 3, "queries": 3}
    changed = outcome(classifier, result.test)
    formed.clear()
    found, _ = measure(autoattack_metric.COMPONENT, changed, **options)
    assert len(formed) == 1
    assert found == measure(autoattack_metric.COMPONENT, result, **options)[0]
    # And neither is kept: the weights may change, and they learn.
    assert block.formed is None
    assert all(parameter.requires_grad for parameter in classifier.parameters())
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_with_three_classes_the_targeted_attack_is_left_out(result: ClassificationOutcome) -> None:
    class Three(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classifier = result.classifier

        def forward(self, images: Tensor) -> Tensor:
            return self.classifier(images)[:, :3]

    assert isinstance(result.test, MemoryImages)
    few = result.labels < 3
    test = MemoryImages(result.test.pixels[few], result.labels[few])
    (value,), notes = measure(
        autoattack_metric.COMPONENT,
        outcome(Three(), test),
        epsilons=[0.06],
        steps=10,
        queries=20,
    )
    assert value.value <= value.details["fgsm"]
    assert notes == ["autoattack: no targeted APGD, whose loss needs 4 classes"]


def test_defaults_of_the_options() -> None:
    assert "images" not in pgd_metric.PgdOptions().model_dump(mode="json")
    assert pgd_metric.PgdOptions(steps=10).step(8 / 255) == pytest.approx(2 / 255)
    assert pgd_metric.PgdOptions(step_size=0.01).step(0.5) == 0.01
    assert autoattack_metric.AutoAttackOptions().images == 1000
