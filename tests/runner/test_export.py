"""Exported networks open in timm and answer as the run's network did."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.runner.execute import Execution, open_data
from rbench.runner.export import export
from rbench.spec.resolve import resolve
from rbench.spec.run_spec import RunSpec
from rbench.sweep.run_or_load import RunResult, run_or_load


def run(folder: Path, catalog: Catalog, **fields: Any) -> RunResult:
    spec = RunSpec(device="cpu", training={"epochs": 1}, limit=256, metrics=("top1",), **fields)
    execution = Execution(folder=folder, save_weights=True)
    return run_or_load(resolve(spec, catalog), folder, execution)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.from_environment()


@pytest.mark.slow
@pytest.mark.parametrize("freeze", ["none", "spatial"])
def test_a_resnet_lc_is_exported_as_the_plain_network(
    tmp_path: Path, catalog: Catalog, freeze: str
) -> None:
    options = {"depth": 8, "width": 4, "expansion": 16}
    cell = run(tmp_path, catalog, model="resnet_lc", model_kwargs=options, freeze=(freeze,))
    done = export(cell.path, tmp_path / "out", catalog)
    assert done.architecture == "rbench_resnet_cifar"
    assert done.moved <= 1e-5
    card = (tmp_path / "out" / "README.md").read_text()
    top1 = cell.record.metric("top1").value
    assert f"| top1 | {top1:.6g} |" in card
    # The lines that the command prints, where nothing is imported yet.
    subprocess.run([sys.executable, "-c", done.opening], check=True, capture_output=True)
    opened = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
    data, _ = open_data(resolve(RunSpec.model_validate(cell.record.spec), catalog))
    assert data.test is not None
    labels = data.test.labels
    assert labels is not None
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (data.mean, data.std))
    batch = next(iter(data.test.batches(len(data.test), torch.device("cpu"))))
    with torch.no_grad():
        hits = (opened((batch.images - mean) / std).argmax(1) == labels).double().mean().item()
    assert 100 * hits == pytest.approx(top1)
    assert opened.pretrained_cfg["mean"] == pytest.approx(data.mean)
    with pytest.raises(UserError, match="is not empty"):
        export(cell.path, tmp_path / "out", catalog)


def test_what_cannot_be_exported_is_said_in_one_line(tmp_path: Path, catalog: Catalog) -> None:
    options = {"depth": 8, "width": 4, "between": "bn_relu"}
    cell = run(tmp_path, catalog, model="resnet_lc", model_kwargs=options)
    with pytest.raises(UserError, match="does not fold"):
        export(cell.path, tmp_path / "out", catalog)
    weights = cell.path.with_suffix("") / "weights.safetensors"
    weights.rename(weights.with_suffix(".elsewhere"))
    with pytest.raises(UserError, match="--save-weights"):
        export(cell.path, tmp_path / "out", catalog)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "options"),
    [("test_resnet", {"stem_pool": False}), ("lc_test_resnet", {"expansion": 2})],
)
def test_a_low_resolution_form_opens_under_a_name_of_its_own(
    tmp_path: Path, catalog: Catalog, model: str, options: dict[str, Any]
) -> None:
    cell = run(tmp_path, catalog, model=model, model_kwargs=options)
    done = export(cell.path, tmp_path / "out", catalog)
    assert done.architecture == "rbench_low_resolution"
    assert done.moved <= 1e-5
    opened = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True)
    assert opened.conv1[0].stride == (1, 1)
    assert isinstance(opened.maxpool, torch.nn.Identity) == ("stem_pool" in options)
    assert "rbench_plugins.layers.timm_entry" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.slow
def test_the_command_makes_the_form_known_to_timm(tmp_path: Path, catalog: Catalog) -> None:
    cell = run(tmp_path, catalog, model="test_resnet")
    words = ("export", str(cell.path), "--output", str(tmp_path / "out"))
    done = subprocess.run(
        [sys.executable, "-m", "rbench", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "rbench_low_resolution, logits within" in done.stdout


def test_a_network_that_timm_does_not_build_is_refused(tmp_path: Path, catalog: Catalog) -> None:
    cell = run(tmp_path, catalog, model="vgg16_small", model_kwargs={"width": [4, 4, 4, 4, 4]})
    with pytest.raises(UserError, match="vgg16_small is not a timm model"):
        export(cell.path, tmp_path / "out", catalog)
    assert not (tmp_path / "out").exists()


def test_a_timm_model_opens_in_timm(tmp_path: Path, catalog: Catalog) -> None:
    options = {"base_kwargs": {"low_res": False}, "expansion": 2}
    cell = run(tmp_path, catalog, model="lc_test_resnet", model_kwargs=options)
    done = export(cell.path, tmp_path / "out", catalog)
    assert done.architecture == "test_resnet"
