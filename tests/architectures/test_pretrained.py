"""``--pretrained``: published weights are what a run gets, or it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from rbench_plugins.architectures.timm_models import TimmOptions, member
from safetensors.torch import save_file
from torch import Tensor, nn

from rbench import BuildContext, RunSpec, UserError
from rbench.plugin.catalog import Catalog
from rbench.spec.resolve import resolve


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("resnet_cifar", {}),
        ("resnet_lc", {}),
        ("resnet14", {}),
        ("convmixer", {}),
        ("vgg16_small", {}),
        ("random_cnn", {}),
        ("dip_skip", {}),
        ("rrvgg", {}),
        ("rwalexnet", {}),
        ("vgg_dcn", {"cnn": "random"}),
        ("basis_resnet_cifar_20_16", {}),
        ("supermask_resnet18", {}),
        ("lc_resnet18d", {}),
    ],
)
def test_models_without_published_weights_refuse(model: str, options: dict[str, Any]) -> None:
    spec = RunSpec(model=model, model_kwargs=options, dataset="digits", pretrained=True)
    catalog = Catalog.from_environment()
    with pytest.raises(UserError, match=f"no published weights for {model} with these options"):
        resolve(spec, catalog)
    resolve(spec.model_copy(update={"pretrained": False}), catalog)


@pytest.mark.parametrize("model", ["resnet18", "resnet50.a1_in1k", "vgg_dcn", "basis_resnet18"])
def test_models_with_published_weights_resolve(model: str) -> None:
    spec = RunSpec(model=model, dataset="digits", pretrained=True)
    assert resolve(spec, Catalog.from_environment()).identity["pretrained"] is True


def _published(tmp_path: Path) -> tuple[dict[str, Tensor], TimmOptions]:
    """Weights as a download would bring them, and the options by which timm loads the file."""
    state = timm.create_model("resnet18", num_classes=10).state_dict()
    save_file(state, tmp_path / "published.safetensors")
    source = {"file": str(tmp_path / "published.safetensors"), "num_classes": 10}
    return state, TimmOptions.model_validate({"pretrained_cfg_overlay": source})


def _built(options: TimmOptions, notes: list[str], pixels: int = 32) -> nn.Module:
    component = member("resnet18")
    assert component is not None
    size = (pixels, pixels)
    context = BuildContext(name="resnet18", img_size=size, pretrained=True, note=notes.append)
    return component.build(context, options)


def test_small_images_keep_the_published_stem(tmp_path: Path) -> None:
    state, options = _published(tmp_path)
    notes: list[str] = []
    network = _built(options, notes).state_dict()
    assert all(torch.equal(network[name], value) for name, value in state.items())
    assert any("keeps the stem of its published weights" in note for note in notes)


def test_a_low_resolution_stem_that_is_asked_for_is_said_to_be_random(tmp_path: Path) -> None:
    state, options = _published(tmp_path)
    notes: list[str] = []
    network = _built(options.model_copy(update={"low_res": True}), notes).state_dict()
    assert network["conv1.weight"].shape == (64, 3, 3, 3)
    assert torch.equal(network["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"])
    assert any("which is random: published weights do not fit it" in note for note in notes)
