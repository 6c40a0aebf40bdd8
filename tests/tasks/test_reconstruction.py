from __future__ import annotations

from pathlib import Path

import pytest
import torch
from rbench_plugins.architectures.cnn_dcn import COMPONENTS
from rbench_plugins.images.subset import evenly
from rbench_plugins.layers.cnn_dcn.reconstruct import chunk_size, reconstruct
from rbench_plugins.tasks.functions.reconstruction import load

from rbench import BuildContext, MemoryImages, Record, RunSpec, UserError
from rbench.plugin.catalog import Catalog
from rbench.runner.execute import Execution, execute
from rbench.spec.resolve import resolve

RRVGG = COMPONENTS["rrvgg"]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.from_environment()


def _run(catalog: Catalog, folder: Path | None = None, **fields: object) -> Record:
    spec = RunSpec.model_validate(
        {
            "model": "rrvgg",
            "model_kwargs": {"width": 4},
            "task": "reconstruction",
            "img_size": 24,
            "dataset_kwargs": {"images": 3, "crops": 32},
            "device": "cpu",
            **fields,
        }
    )
    record = execute(resolve(spec, catalog), Execution(folder=folder))
    assert record.status == "done", record.error
    return record


def test_many_networks_are_judged_in_one_run(catalog: Catalog, tmp_path: Path) -> None:
    record = _run(catalog, tmp_path, task_kwargs={"networks": 5})
    ssim = record.metric("ssim")
    assert ssim.n == 5
    assert ssim.uncertainty_kind == "standard deviation over networks"
    per_network = torch.tensor(ssim.details["per_network"])  # type: ignore[index,call-overload]
    assert ssim.value == pytest.approx(per_network.mean().item(), abs=1e-5)
    assert ssim.uncertainty == pytest.approx(per_network.std().item(), abs=1e-5)
    assert len(set(per_network.tolist())) == 5
    names = {value.name for value in record.metrics}
    assert {"ssim_minmax", "ssim_affine_fit", "ssim_blur", "ssim_mean_image"} <= names
    assert {"ssim_permutation", "ssim_uninverted", "ssim_inverted_share"} <= names
    files = [artifact.file.split("/")[1] for artifact in record.artifacts]
    assert files == ["before_after.png", "nearest_0.png", "nearest_1.png", "nearest_2.png"]
    assert all((tmp_path / artifact.file).is_file() for artifact in record.artifacts)
    fitted = record.metric("ssim_affine_fit").details
    assert isinstance(fitted, dict)
    assert fitted["fitted"] is True


def test_the_first_network_is_the_one_of_a_single_run(catalog: Catalog) -> None:
    one = _run(catalog)
    many = _run(catalog, task_kwargs={"networks": 2})
    per_network = many.metric("ssim").details["per_network"]  # type: ignore[index,call-overload]
    assert one.metric("ssim").value == pytest.approx(per_network[0], abs=1e-6)  # type: ignore[index]
    assert one.network_sha256 == many.network_sha256 == many.result_sha256


def test_bfloat16_is_named_as_the_precision_and_moves_ssim_by_little(catalog: Catalog) -> None:
    exact, rounded = (
        _run(catalog, task_kwargs={"networks": 8, "dtype": dtype})
        for dtype in ("float32", "bfloat16")
    )
    assert exact.environment["precision"] == "float32"
    assert rounded.environment["precision"] == "bfloat16"
    first, second = exact.metric("ssim").value, rounded.metric("ssim").value
    assert first is not None
    assert first != second
    assert second == pytest.approx(first, abs=0.02)


@pytest.mark.slow
def test_an_initializer_draws_every_network(catalog: Catalog) -> None:
    task = {"networks": 3}
    own = _run(catalog, task_kwargs=task)
    drawn = _run(catalog, task_kwargs=task, init="laplace")
    again = _run(catalog, task_kwargs=task, init="laplace")
    assert drawn.metric("ssim").value == again.metric("ssim").value
    assert drawn.metric("ssim").value != own.metric("ssim").value
    one = _run(catalog, init="laplace")
    per_network = drawn.metric("ssim").details["per_network"]  # type: ignore[index,call-overload]
    assert one.metric("ssim").value == pytest.approx(per_network[0], abs=1e-6)  # type: ignore[index]


@pytest.mark.slow
def test_the_dcn_learns_to_invert_a_random_cnn(catalog: Catalog) -> None:
    record = _run(
        catalog,
        model="rwvgg",
        model_kwargs={"width": 8, "cnn_law": "kaiming"},
        task_kwargs={"train": True},
        img_size=16,
        dataset_kwargs={"images": 3, "crops": 64},
        training={"epochs": 5, "batch_size": 16, "lr": 5e-3, "decay_milestones": [4], "amp": False},
    )
    losses = record.history["train_loss"]
    assert len(losses) == 5
    assert losses[-1] < losses[0] / 2  # type: ignore[operator]
    assert len(record.history["step_loss"]) == 20
    validation = record.metric("squared_error_validation")
    assert validation.value == pytest.approx(record.metric("mse").value * 3 * 16 * 16, rel=0.2)  # type: ignore[operator]
    assert record.metric("squared_error_train").n == 3
    assert record.freeze is not None
    assert record.freeze.frozen.names == ["encoder.conv1_1.weight", "encoder.conv1_2.weight"]
    assert record.freeze.sha256_after == record.freeze.frozen.sha256


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"img_size": 10}, "11 pixels or more"),
        ({"model": "vgg_dcn"}, "--pretrained or --initial-checkpoint"),
        ({"model": "rwvgg", "task_kwargs": {"train": True, "networks": 2}}, "not trained"),
        ({"model": "resnet_cifar", "model_kwargs": {}}, "gives images for images"),
        ({"task_kwargs": {"mapping": "minmx"}}, "mapping"),
        ({"model_kwargs": {"depth": 7}}, "depth"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_line(
    catalog: Catalog, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        _run(catalog, **fields)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("network", "classifier", "first"),
    [("vgg_dcn", "vgg16_small", "conv1_1"), ("alexnet_dcn", "alexnet_small", "conv1")],
)
def test_a_trained_classifiers_cnn_is_inverted(
    catalog: Catalog, tmp_path: Path, network: str, classifier: str, first: str
) -> None:
    from rbench_plugins.architectures.small_cnns import COMPONENTS as SMALL
    from safetensors.torch import save_file

    component = SMALL[classifier]
    trained = component.build(BuildContext(), component.options(width=4))
    assert trained(torch.rand(2, 3, 32, 32)).shape == (2, BuildContext().num_classes)
    checkpoint = tmp_path / "trained.safetensors"
    save_file(trained.state_dict(), checkpoint)
    record = _run(
        catalog,
        model=network,
        model_kwargs={"width": 4, "depth": 3},
        initial_checkpoint=str(checkpoint),
    )
    assert record.metric("ssim").value is not None
    with pytest.raises(UserError, match=rf"{first}.*width"):
        _run(catalog, model=network, model_kwargs={"width": 5}, initial_checkpoint=str(checkpoint))


def test_chunks_do_not_change_the_outputs() -> None:
    options = RRVGG.options(width=4, depth=2, cnn_scale=0.1, dcn_scale=0.1)
    network = RRVGG.build(BuildContext(), options)
    images = torch.rand(5, 3, 20, 22)
    whole = list(reconstruct(network, images, networks=2))
    one_by_one = list(reconstruct(network, images, networks=2, budget=1))
    for a, b in zip(whole, one_by_one, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(a.abs().max()))
    assert not torch.equal(whole[0], whole[1])
    with torch.no_grad():
        torch.testing.assert_close(network(images), whole[0], rtol=1e-4, atol=1e-4)


def test_a_wide_network_goes_image_by_image() -> None:
    def size(width: int, dtype: torch.dtype = torch.float32) -> int:
        options = RRVGG.options(width=width)
        network = RRVGG.build(BuildContext(), options)
        return chunk_size(network, (224, 224), dtype)

    per_image = 224 * 224 * 2 * 64 * 4
    assert size(64) == 256 * 1024**2 // per_image
    assert size(64, torch.bfloat16) == 256 * 1024**2 // (per_image // 2)
    assert size(700) == 1


def test_images_are_of_every_class_and_the_train_side_was_trained_on() -> None:
    """``images=N`` of a set that is sorted by class; ``limit`` is a subset of the train split."""
    pixels = torch.arange(40, dtype=torch.uint8).view(40, 1, 1, 1).expand(40, 3, 16, 16)
    split = MemoryImages(pixels.contiguous(), torch.arange(40) // 4, [str(i) for i in range(40)])
    inputs, names = load(split, evenly(len(split), 10))
    assert names == [str(i) for i in range(0, 40, 4)]
    assert {int(name) // 4 for name in names} == set(range(10))
    torch.testing.assert_close(inputs[:, 0, 0, 0], torch.arange(0, 40, 4) / 255)
    assert load(split, evenly(len(split), None))[1] == [str(i) for i in range(40)]


def test_networks_do_not_depend_on_the_memory_format() -> None:
    component = RRVGG
    options = component.options(**{**component.defaults, "width": 8})
    one = component.build(BuildContext(img_size=(24, 24)), options)
    other = component.build(BuildContext(img_size=(24, 24)), options)
    other = other.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for number in (0, 1, 2):
        one.redraw(number)  # type: ignore[operator]
        other.redraw(number)  # type: ignore[operator]
        for (name, a), b in zip(one.named_parameters(), other.parameters(), strict=True):
            assert torch.equal(a, b), (number, name)
