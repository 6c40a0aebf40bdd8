"""The suites of the methods around the papers: each expands to runs that can be asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbench.plugin.catalog import Catalog
from rbench.report.plot import figures
from rbench.spec import registry
from rbench.spec.parse import parse
from rbench.spec.resolve import resolve
from rbench.spec.suite_spec import read_suite

NAMES = [
    name
    for name in registry.names("suites")
    if name.removesuffix("_reduced")
    in {
        *("family_cifar10_jpeg", "supermask_cifar10", "supermask_imagenet", "only_norms_cifar10"),
        *("fraction_of_filters_cifar10", "random_filters", "fixed_bases_cifar10", "probes_digits"),
        *("deep_image_prior", "freezenet_cifar10", "criticality", "inversion", "harmonic_imagenet"),
    }
]
WITHOUT_FIGURE = ("probes_digits", "supermask_imagenet", "harmonic_imagenet")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.from_environment()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from PIL import Image

    root = tmp_path_factory.mktemp("images")
    for split in ("train", "test"):
        for label in "ab":
            folder = root / split / label
            folder.mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(folder / "0.png")
    return root


def test_all_are_there() -> None:
    assert len(NAMES) == 23
    for name in NAMES:
        if read_suite(name).protocol == "paper":
            assert name == "supermask_imagenet"


@pytest.mark.parametrize("name", NAMES)
def test_every_run_resolves(name: str, catalog: Catalog, images: Path) -> None:
    suite = read_suite(name)
    assert figures(suite.figure, name) or name in WITHOUT_FIGURE
    overrides: dict[str, object] = {"device": "cpu"}
    base = suite.base.get("dataset")
    if base in ("cifar10", "imagenet", "image_folder"):
        overrides |= {"data_dir": str(images), "dataset": "image_folder"}
    digests = set()
    runs = [spec for spec in suite.runs(overrides) if spec.seed == 0]
    for spec in runs:
        architecture = catalog.architecture(spec.model)
        parse(architecture.options, {**architecture.defaults, **spec.model_kwargs}, name)
        digests.add(resolve(spec, catalog).digest)
    assert len(digests) == len(runs)


def test_the_family_compares_one_network_under_one_recipe() -> None:
    for name in ("family_cifar10_jpeg", "family_cifar10_jpeg_reduced"):
        runs = read_suite(name).runs()
        assert {spec.recipe for spec in runs} == {"cifar_sgd"}
        assert {spec.dataset for spec in runs} == {"image_folder"}
        assert all(spec.model.endswith("20_16") for spec in runs)
        assert len({spec.model_dump_json(exclude={"seed"}) for spec in runs}) == 22
