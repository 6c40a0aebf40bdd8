"""Probes against scikit-learn and a brute-force search; features against plain forward passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from rbench_plugins.probing import fit as probes
from rbench_plugins.probing.features import Features, blocks, chosen
from rbench_plugins.tasks.functions.probe import fit
from rbench_plugins.tasks.probe import ProbeOptions
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from rbench import UserError, generator
from tests.conftest import Rbench


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    data = load_digits()
    x, y = torch.as_tensor(data.data), torch.as_tensor(data.target)
    return x[:1200], y[:1200], x[1200:], y[1200:]


@pytest.mark.parametrize("images", [1200, 40])
@pytest.mark.parametrize("alpha", [0.1, 10.0])
def test_ridge_is_scikit_learns(
    digits: tuple[Tensor, Tensor, Tensor, Tensor], images: int, alpha: float
) -> None:
    """More images than features, and fewer (64), where the dual form is solved."""
    x, y, test, _ = digits
    x, y = x[:images], y[:images]
    scorer = fit(x, y, 10, ProbeOptions(alpha=alpha))
    scaler = StandardScaler().fit(x)
    reference = RidgeClassifier(alpha=alpha, solver="svd").fit(scaler.transform(x), y)
    expected = reference.decision_function(scaler.transform(test))
    torch.testing.assert_close(scorer(test), torch.as_tensor(expected), rtol=0, atol=1e-6)


def test_logistic_regression_is_scikit_learns(
    digits: tuple[Tensor, Tensor, Tensor, Tensor],
) -> None:
    x, y, test, truth = digits
    scorer = fit(x, y, 10, ProbeOptions(probe="logistic", strength=0.1))
    scaler = StandardScaler().fit(x)
    reference = LogisticRegression(C=0.1, max_iter=5000, tol=1e-10).fit(scaler.transform(x), y)
    expected = torch.as_tensor(reference.predict_log_proba(scaler.transform(test)))
    found = scorer(test).log_softmax(1)
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-3)
    assert (found.argmax(1) == truth).double().mean() > 0.9


def test_logistic_regression_of_two_classes_out_of_three() -> None:
    draws = generator(0, "two")
    x = torch.randn(60, 4, dtype=torch.float64, generator=draws)
    y = (x[:, 0] > 0).long() * 2
    scorer = probes.logistic(x, y, 3, 1.0)
    reference = LogisticRegression(C=1.0, tol=1e-10).fit(x, y)
    found = scorer(x).softmax(1)
    expected = torch.as_tensor(reference.predict_proba(x))
    torch.testing.assert_close(found[:, [0, 2]], expected, rtol=0, atol=1e-3)
    assert found[:, 1].max() < 1e-20


@pytest.mark.parametrize("cosine", [False, True])
def test_neighbors_are_a_brute_force_search(
    digits: tuple[Tensor, Tensor, Tensor, Tensor], cosine: bool
) -> None:
    x, y, test, _ = digits
    options = ProbeOptions(probe="knn", k=7, cosine=cosine, standardize=False)
    votes = fit(x, y, 10, options)(test)
    counted = np.zeros((len(test), 10))
    for row, query in enumerate(test.numpy()):
        if cosine:
            lengths = np.linalg.norm(x.numpy(), axis=1) * np.linalg.norm(query)
            distance = 1 - x.numpy() @ query / lengths
        else:
            distance = np.square(x.numpy() - query).sum(1)
        for neighbor in np.argsort(distance, kind="stable")[:7]:
            counted[row, y[neighbor]] += 1 / 7
    counted -= np.arange(10) / 20 / 7  # half a vote in all settles ties
    # Two neighbors at the same distance may be taken in either order.
    assert (np.abs(votes.numpy() - counted).max(1) > 1e-9).mean() < 0.01
    reference = KNeighborsClassifier(
        7, metric="cosine" if cosine else "euclidean", algorithm="brute"
    )
    agree = reference.fit(x, y).predict(test) == votes.argmax(1).numpy()
    assert agree.mean() > 0.998


def test_standardizing_keeps_features_that_do_not_vary() -> None:
    x = torch.tensor([[1.0, 2, 3], [1, 4, 3], [1, 9, 3]], dtype=torch.float64)
    expected = StandardScaler().fit_transform(x)
    torch.testing.assert_close(probes.Standardize(x)(x), torch.as_tensor(expected))


def test_features_are_those_of_the_layers_in_one_pass() -> None:
    network = timm.create_model("resnet18", num_classes=10).eval()
    names = chosen(network, ["conv1", "all"])
    assert names == ["conv1", *(f"layer{s}.{b}" for s in (1, 2, 3, 4) for b in (0, 1)), "last"]
    x = torch.rand(3, 3, 32, 32, generator=generator(0, "x"))
    passes = 0

    def count(*_: Any) -> None:
        nonlocal passes
        passes += 1

    network.conv1.register_forward_hook(count)
    features = Features(network, names, 1)
    with torch.no_grad():
        rows = features(x)
        assert passes == 1
        maps = network.forward_features(x)
        conv1 = network.conv1(x)
    assert [c.stop - c.start for c in features.columns] == [64] * 3 + [128] * 2 + [256] * 2 + [
        512
    ] * 3
    torch.testing.assert_close(rows[:, :64], conv1.mean((2, 3)))
    torch.testing.assert_close(rows[:, -512:], maps.mean((2, 3)))
    torch.testing.assert_close(rows[:, -1024:-512], maps.mean((2, 3)))
    grid = Features(network, ["layer1.0"], 2)
    with torch.no_grad():
        assert grid(x).shape == (3, 256)


def test_transformers_and_networks_without_a_classifier() -> None:
    vit = timm.create_model("test_vit", num_classes=5).eval()
    names = blocks(vit)
    assert names[0] == "blocks.0"
    assert names[-1] == "last"
    size = vit.patch_embed.img_size
    x = torch.rand(2, 3, *size, generator=generator(0, "x"))
    with torch.no_grad():
        rows = Features(vit, names, 1)(x)
        last = vit.forward_head(vit.forward_features(x), pre_logits=True)
    torch.testing.assert_close(rows[:, -last.shape[1] :], last)
    bare = timm.create_model("resnet18", num_classes=0).eval()
    with torch.no_grad():
        torch.testing.assert_close(
            Features(bare, ["last"], 1)(x[:, :, :64, :64]), bare(x[:, :, :64, :64])
        )
    with pytest.raises(UserError, match="layers=nothing: the network has no such module"):
        chosen(vit, ["nothing"])


@pytest.mark.slow
def test_layer_by_layer_on_digits(rbench: Rbench) -> None:
    words = ["run", "--task", "probe", "--model", "resnet18", "--device", "cpu"]
    words += ["--model-kwargs", "zero_init_last=false", "--task-kwargs", "layers=conv1,all"]
    done = rbench(*words, "--output", "results", "--metrics", "top1", "probe_layers", "fgsm")
    assert done.returncode == 0, done.stderr
    (path,) = Path.cwd().joinpath("results").glob("*.json")
    record = json.loads(path.read_text())
    values = {m["name"]: m for m in record["metrics"]}
    assert len(record["details"]["probe"]) == 10
    assert values["probe_top1@last"]["value"] == values["top1"]["value"]
    assert values["probe_top1@layer1.0"]["value"] > 70
    assert record["freeze"]["policy"] == ["none"]
    assert record["network_sha256"] == record["result_sha256"]
    phases = {p["name"]: p for p in record["timing"]}
    assert phases["features"]["images"] == 1797
