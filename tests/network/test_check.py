"""Networks are asked whether they take the images before anything is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import rbench as rb
from rbench.api import to_spec
from rbench.errors import UserError
from rbench.network.check import check_network
from rbench.plugin.catalog import Catalog
from rbench.plugin.data import ImageData
from rbench.spec.chosen import Chosen
from rbench.spec.resolve import Resolved, resolve
from tests.conftest import Rbench


@pytest.mark.parametrize(
    ("model", "side", "own"),
    [
        pytest.param("test_convnext", 32, 160, marks=pytest.mark.slow),
        pytest.param("vit_tiny_patch16_224", 16, 224, marks=pytest.mark.slow),
        pytest.param("test_maxvit", 32, 160, marks=pytest.mark.slow),
        ("nest_tiny", 16, 224),
        pytest.param("inception_v3", 96, 299, marks=pytest.mark.slow),
    ],
)
def test_a_size_that_is_too_small_is_one_line_with_the_right_one(
    rbench: Rbench, tmp_path: Path, model: str, side: int, own: int
) -> None:
    done = rbench("run", "--model", model, "--freeze-spatial")
    assert done.returncode == 2
    (line,) = [text for text in done.stderr.splitlines() if not text.startswith("note: ")]
    assert f"{model} does not take images of 8x8 pixels" in line
    assert f"try --img-size {side} (timm's own size is {own})" in line
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.slow
def test_the_size_that_is_named_works(rbench: Rbench) -> None:
    words = ("--img-size", "32", "--limit", "64", "-b", "32", "--epochs", "1", "--metrics", "top1")
    assert rbench("run", "--model", "test_convnext", *words).returncode == 0


def resolved(**fields: object) -> Resolved:
    spec = to_spec({"model": "test_resnet", "dataset": "digits", **fields})
    return resolve(spec, Catalog.from_environment())


DATA = ImageData(name="x", revision="1", in_chans=1, img_size=(8, 8), class_names=list("ab"))


def test_what_no_size_mends_is_raised_as_it_is() -> None:
    class Broken(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise ZeroDivisionError("mine")

    component = rb.Architecture(
        name="broken", summary="Fails.", build=lambda context, options: Broken()
    )
    run = replace(resolved(), model=Chosen(component, rb.NoOptions()), identity={"model": "broken"})
    with pytest.raises(ZeroDivisionError, match="mine"):
        check_network(Broken(), run, DATA)


def test_outputs_that_are_no_logits_are_refused() -> None:
    network = nn.Conv2d(1, 2, 3, padding=1)
    with pytest.raises(rb.UserError, match=r"returns \(2, 2, 8, 8\) for two images, not logits"):
        check_network(network, replace(resolved(), identity={"model": "no logits"}), DATA)


def test_looking_changes_nothing() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.LazyLinear(2)
    )
    network(torch.zeros(2, 1, 8, 8))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    state = torch.get_rng_state()
    network.train()
    check_network(network, replace(resolved(), identity={"model": "looked at"}), DATA)
    assert network.training
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


@pytest.mark.slow
def test_one_image_in_a_step_and_batch_norm() -> None:
    fields = {"epochs": 1, "limit": 20, "limit_test": 20, "metrics": ("top1",), "output": None}
    with pytest.raises(UserError, match="--batch-size 1: a batch norm of resnet18 would see one"):
        rb.run("resnet18", batch_size=1, progress=False, **fields)
    with pytest.raises(UserError, match="--batch-size 2: a batch norm"):
        rb.run("resnet18", batch_size=2, grad_accum_steps=2, progress=False, **fields)
    (record,) = rb.run("resnet10t", batch_size=1, img_size=64, progress=False, **fields)
    assert record.status == "done"
