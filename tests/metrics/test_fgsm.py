"""fgsm against foolbox and against the formula written by hand."""

from __future__ import annotations

import builtins
from typing import Any, cast

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from rbench_plugins.attacks.engines import fgsm as _attack
from rbench_plugins.attacks.options import label as _written
from rbench_plugins.metrics.fgsm import COMPONENT, FgsmOptions
from torch import Tensor, nn

from rbench import ClassificationOutcome, MemoryImages, MetricContext, MetricValue, UserError

CPU = torch.device("cpu")


class Classifier(nn.Module):
    """A small network that normalizes inside and behaves differently in train mode."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.body = nn.Sequential(
                nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten()
            )
            self.head = nn.Linear(8 * 36, 4)
        self.scale = scale

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body((images - 0.5) / 0.25)) * self.scale


@pytest.fixture
def images() -> MemoryImages:
    generator = torch.Generator().manual_seed(7)
    pixels = torch.randint(256, (50, 3, 6, 6), generator=generator, dtype=torch.uint8)
    pixels[:5] = 0
    pixels[5:10] = 255
    network = Classifier().eval()
    with torch.no_grad():
        labels = network(pixels / 255).argmax(1)
    labels[::5] = (labels[::5] + 1) % 4  # ten images that are misclassified clean
    return MemoryImages(pixels, labels)


def measure(
    test: MemoryImages, classifier: nn.Module | None = None, batch_size: int = 16, **options: Any
) -> tuple[list[MetricValue], list[str]]:
    notes: list[str] = []
    classifier = classifier or Classifier().eval()
    assert test.labels is not None
    with torch.no_grad():
        logits = classifier(test.pixels / 255)
    result = ClassificationOutcome(
        network=classifier, classifier=classifier, test=test, logits=logits, labels=test.labels
    )
    context = MetricContext(
        seed=0,
        device=CPU,
        accelerator=cast(Any, None),
        batch_size=batch_size,
        note=notes.append,
    )
    return list(COMPONENT.measure(result, context, FgsmOptions(**options))), notes


def by_hand(classifier: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    images = images.clone().requires_grad_()
    nn.functional.cross_entropy(classifier(images), labels).backward()
    assert images.grad is not None
    return (images.detach() + epsilon * images.grad.sign()).clamp(0, 1)


@pytest.mark.parametrize("epsilon", [1 / 255, 8 / 255, 0.1])
def test_both_engines_give_the_bits_of_the_formula(images: MemoryImages, epsilon: float) -> None:
    classifier = Classifier().eval()
    (batch,) = images.batches(50, CPU)
    assert batch.labels is not None
    expected = by_hand(classifier, batch.images, batch.labels, epsilon)
    for engine in ("torchattacks", "foolbox"):
        moved = _attack(classifier, epsilon, engine)(batch.images, batch.labels)
        assert torch.equal(moved, expected), engine
    assert (expected - batch.images).abs().max() <= epsilon + 1e-7


@pytest.mark.parametrize("engine", ["torchattacks", "foolbox"])
def test_robust_accuracy_counts_clean_mistakes_as_not_robust(
    images: MemoryImages, engine: str
) -> None:
    classifier = Classifier().eval()
    (batch,) = images.batches(50, CPU)
    assert batch.labels is not None
    moved = by_hand(classifier, batch.images, batch.labels, 4 / 255)
    right = classifier(batch.images).argmax(1) == batch.labels
    still = classifier(moved).argmax(1) == batch.labels
    assert right.sum() == 40
    assert 0 < (right & still).sum() < 40  # the case is neither trivial nor hopeless
    (value,), _ = measure(images, epsilons=["4/255"], engine=engine)
    assert value.name == "fgsm@4/255"
    assert value.value == pytest.approx(100 * (right & still).double().mean().item())
    assert (value.unit, value.higher_is_better, value.n) == ("%", True, 50)
    assert value.details == {"clean": 80.0, "unmoved": 0.0}


def test_part_of_the_images_is_evenly_spaced(images: MemoryImages) -> None:
    assert images.labels is not None
    part = MemoryImages(images.pixels[::5], images.labels[::5])  # ten that are misclassified clean
    (value,), _ = measure(images, images=10)
    (alone,), _ = measure(part)
    assert (value.n, value.value) == (10, alone.value)
    assert value.details is not None
    assert value.details["clean"] == 0.0
    (everything,), _ = measure(images, images=51)
    assert everything.n == 50


def test_an_attack_on_all_images_keeps_its_identity() -> None:
    assert set(FgsmOptions().model_dump(mode="json")) == {"epsilons", "engine"}
    assert FgsmOptions(images=10).model_dump(mode="json")["images"] == 10


def test_default_is_one_grey_level_and_several_epsilons_are_several_values(
    images: MemoryImages,
) -> None:
    (value,), _ = measure(images)
    assert value.name == "fgsm@1/255"
    values, _ = measure(images, epsilons="1/255,2/255,0.05")
    assert [value.name for value in values] == ["fgsm@1/255", "fgsm@2/255", "fgsm@0.05"]
    numbers = [value.value for value in values if value.value is not None]
    assert numbers == sorted(numbers, reverse=True)


def test_batch_size_and_train_mode_do_not_matter(images: MemoryImages) -> None:
    reference, _ = measure(images, batch_size=50)
    assert measure(images, batch_size=7)[0] == reference
    network = Classifier().train()
    network.eval()
    with torch.no_grad():  # the caller may well be under no_grad
        assert measure(images, network)[0] == reference


def test_network_in_train_mode_is_attacked_in_eval_mode(images: MemoryImages) -> None:
    reference, _ = measure(images)
    network = Classifier()
    network.train()
    statistics = [buffer.clone() for buffer in network.buffers()]
    assert images.labels is not None
    result = ClassificationOutcome(
        network=network,
        classifier=network,
        test=images,
        logits=torch.zeros(50, 4),
        labels=images.labels,
    )
    context = MetricContext(seed=0, device=CPU, accelerator=cast(Any, None))
    assert list(COMPONENT.measure(result, context, FgsmOptions())) == reference
    for before, after in zip(statistics, network.buffers(), strict=True):
        assert torch.equal(before, after)


def test_no_parameter_collects_a_gradient_and_global_random_state_stays(
    images: MemoryImages,
) -> None:
    network = Classifier().eval()
    before, numpy = torch.get_rng_state(), np.random.get_state()[1].copy()
    measure(images, network)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy).all()


def test_saturated_logits_are_reported(images: MemoryImages) -> None:
    (value,), notes = measure(images, Classifier(scale=1e6).eval())
    assert isinstance(value.details, dict)
    assert cast(float, value.details["unmoved"]) > 50
    assert len(notes) == 1
    assert "the gradient of" in notes[0]
    assert "is zero" in notes[0]


def test_under_autocast_the_attack_stays_in_float32(images: MemoryImages) -> None:
    reference, _ = measure(images, epsilons=["4/255"])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert measure(images, epsilons=["4/255"])[0] == reference


def test_missing_foolbox_is_one_line_with_the_command(
    images: MemoryImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "foolbox":
            raise ModuleNotFoundError("No module named 'foolbox'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install 'rbench\[foolbox\]'"):
        measure(images, engine="foolbox")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("8/255", (8 / 255,)),
        ("1/255, 2/255", (1 / 255, 2 / 255)),
        (0.5, (0.5,)),
        ([0.1, "2/255"], (0.1, 2 / 255)),
    ],
)
def test_ways_to_write_epsilons(given: object, expected: tuple[float, ...]) -> None:
    options = FgsmOptions(epsilons=given)  # type: ignore[arg-type]
    assert options.epsilons == expected
    assert FgsmOptions.model_validate_json(options.model_dump_json()) == options


@pytest.mark.parametrize("given", [0, -0.1, 8, "8", [], "1/0", "a/b", [0.1, 0.1], float("nan")])
def test_wrong_epsilons(given: object) -> None:
    with pytest.raises(ValidationError):
        FgsmOptions(epsilons=given)  # type: ignore[arg-type]


def test_names_of_epsilons() -> None:
    assert [_written(e) for e in (1 / 255, 1.0, 0.03, 0.001)] == [
        "1/255",
        "255/255",
        "0.03",
        "0.001",
    ]
