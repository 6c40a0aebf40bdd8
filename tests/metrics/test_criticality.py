"""criticality and disabled_features against copies made and reset by hand."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest
import torch
from rbench_plugins.criticality.reset import layers, reset
from rbench_plugins.metrics import criticality, disabled_features
from torch import Tensor, nn

import rbench
from rbench import ClassificationOutcome, MetricContext, MetricValue, Outcome, UserError
from tests.helpers.digit_classifier import DigitClassifier, digits, outcome, trained

pytestmark = pytest.mark.slow  # each trains or attacks a network


def rebuild(seed: int | None = None) -> nn.Module:
    return DigitClassifier(0 if seed is None else seed % 2**31).eval()


@pytest.fixture(scope="module")
def result() -> ClassificationOutcome:
    _, test = digits()
    return outcome(trained(), test)


def measure(result: Outcome, **options: Any) -> list[MetricValue]:
    context = MetricContext(
        seed=0, device=torch.device("cpu"), accelerator=cast(Any, None), rebuild=rebuild
    )
    options = {"images": 300, **options}
    component = criticality.COMPONENT
    return list(component.measure(result, context, component.options(**options)))


def by_hand(result: ClassificationOutcome, name: str, other: nn.Module) -> tuple[float, float]:
    """Criticality and top-1 of a copy whose layer ``name`` comes from ``other``."""
    changed = copy.deepcopy(result.classifier)
    changed.get_submodule(name).load_state_dict(other.get_submodule(name).state_dict())
    (batch,) = result.test.batches(300, torch.device("cpu"))
    assert batch.labels is not None
    with torch.no_grad():
        p, q = (n(batch.images).double().softmax(1) for n in (result.classifier, changed))
    cosines = [float(a @ b / (a @ a).sqrt() / (b @ b).sqrt()) for a, b in zip(p, q, strict=True)]
    top1 = 100 * (q.argmax(1) == batch.labels).double().mean().item()
    return 1 - sum(cosines) / len(cosines), top1


def test_reinit_and_zero_against_a_copy(result: ClassificationOutcome) -> None:
    measured = {value.name: value for value in measure(result, modes="reinit,zero")}
    initial, zero = measured["criticality@reinit"], measured["criticality@zero"]
    zeros = copy.deepcopy(result.classifier)
    for parameter in zeros.parameters():
        nn.init.zeros_(parameter)
    for value, other in ((initial, rebuild()), (zero, zeros)):
        assert isinstance(value.details, dict)
        by_layer = cast(dict[str, dict[str, float]], value.details["layers"])
        assert set(by_layer) == {"conv", "head"}
        for name, numbers in by_layer.items():
            expected, top1 = by_hand(result, name, other)
            assert numbers["criticality"] == pytest.approx(expected, abs=2e-6)
            assert numbers["top1"] == pytest.approx(top1, abs=1e-5)
        mean = sum(numbers["criticality"] for numbers in by_layer.values()) / 2
        assert value.value == pytest.approx(mean, abs=2e-6)
        mode = value.name.partition("@")[2]
        for name in ("criticality", "recovered"):
            # The convolution is 3x3, the head is no filter.
            spatial = measured[f"spatial_{name}@{mode}"]
            assert spatial.value == pytest.approx(by_layer["conv"][name], abs=2e-6)
            assert spatial.n == 1
    assert isinstance(initial.details, dict)
    head = cast(Any, initial.details["layers"])["head"]
    assert head["top1"] < 35  # about chance without a trained classifier
    assert head["recovered"] == pytest.approx(head["top1"] / outcome_top1(result), abs=1e-5)


def outcome_top1(result: ClassificationOutcome) -> float:
    return 100 * (result.logits.argmax(1) == result.labels).double().mean().item()


def test_fresh_draws_are_averaged(result: ClassificationOutcome) -> None:
    one, *_ = measure(result, modes="rerand", trials=1)
    three, *_ = measure(result, modes="rerand", trials=3)
    assert one.value is not None
    assert three.value is not None
    assert 0.05 < three.value < 1
    assert one.value != three.value
    assert measure(result, modes="rerand", trials=3)[0] == three


def test_the_network_is_put_back_even_after_an_error(result: ClassificationOutcome) -> None:
    before = {k: v.clone() for k, v in result.network.state_dict().items()}
    measure(result, modes="reinit,rerand,zero")
    (layer, *_) = layers(result.network)

    def fail() -> None:
        with reset(result.network, layer, None):
            assert not result.network.get_parameter("conv.weight").any()
            raise RuntimeError("a measurement that fails")

    with pytest.raises(RuntimeError, match="that fails"):
        fail()
    for name, value in result.network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_without_a_run_the_initial_values_are_unknown(result: ClassificationOutcome) -> None:
    context = MetricContext(seed=0, device=torch.device("cpu"), accelerator=cast(Any, None))
    component = criticality.COMPONENT
    with pytest.raises(UserError, match="needs a run"):
        component.measure(result, context, component.options())
    assert component.measure(result, context, component.options(modes=("zero",)))


def test_frozen_layers_of_a_run_have_the_criticality_zero() -> None:
    (record,) = rbench.run(
        model="resnet_lc_8_4x2",
        dataset="digits",
        freeze="spatial",
        limit=256,
        epochs=1,
        metrics=["criticality"],
        metric_kwargs={"criticality": {"images": 50, "trials": 1, "filters_only": True}},
        model_kwargs={"execution": "unfolded"},
        amp=False,
        output=None,
    )
    assert record.status == "done", record.error
    initial, fresh = (record.metric(f"criticality@{mode}") for mode in ("reinit", "rerand"))
    of_initial = cast(Any, initial.details)["layers"]
    of_fresh = cast(Any, fresh.details)["layers"]
    blocks = [name for name in of_initial if name != "fc" and "downsample" not in name]
    assert len(blocks) == 7
    assert all(of_initial[name]["criticality"] == 0 for name in blocks)
    assert all(of_initial[name]["l1"] == 0 for name in blocks)
    assert all(of_fresh[name]["l1"] > 0 for name in blocks)
    assert of_initial["fc"]["criticality"] > 0
    assert record.result_sha256


class Norms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.batch = nn.BatchNorm2d(4)
        self.group = nn.GroupNorm(2, 6)
        self.plain = nn.BatchNorm2d(5, affine=False)
        self.conv = nn.Conv2d(1, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        return images


def test_disabled_features_are_counted_by_layer() -> None:
    network = Norms()
    with torch.no_grad():
        network.batch.weight.copy_(torch.tensor([0.5, -0.009, 0.0, 0.02]))
        network.group.weight.copy_(torch.tensor([1, 1, 1, 1, 1, 0.005]))
    component = disabled_features.COMPONENT
    context = MetricContext(seed=0, device=torch.device("cpu"), accelerator=cast(Any, None))
    (value,) = component.measure(Outcome(network=network), context, component.options())
    assert value.value == pytest.approx(30)
    assert value.n == 10
    assert value.details == {"batch": 50.0, "group": pytest.approx(100 / 6, abs=1e-3)}
    strict = component.options(threshold=0.03)
    (value,) = component.measure(Outcome(network=network), context, strict)
    assert value.value == pytest.approx(40)
    notes: list[str] = []
    context = MetricContext(
        seed=0, device=torch.device("cpu"), accelerator=cast(Any, None), note=notes.append
    )
    assert not component.measure(Outcome(network=nn.Linear(2, 2)), context, component.options())
    assert notes == ["disabled_features: the network has no norm layer with a scale"]
