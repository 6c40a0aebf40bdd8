"""The conformance kit: it passes what keeps the contract and catches each way of breaking it."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rbench
from rbench import testing
from rbench.plugin import loading
from rbench.testing import check_plugin
from tests.helpers.fake_entry_points import entry_point, install

EXAMPLE = Path(__file__).parents[1] / "example_plugin"


@pytest.fixture(autouse=True)
def no_subprocess(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins made on the spot exist in this process alone."""
    if "on_the_spot" in request.fixturenames:
        monkeypatch.setattr(testing, "_heavy_imports", lambda name: iter(()))


@pytest.fixture
def on_the_spot(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the plugin ``mine`` with the given components."""

    def make(*components: Any) -> None:
        kinds: dict[str, list[Any]] = {}
        for component in components:
            kind = component.kind.replace(" ", "_")
            kinds.setdefault(f"rbench_register_{kind}s", []).append(component)
        hooks = {name: hook(name, found) for name, found in kinds.items()}
        points: list[EntryPoint] = [entry_point(monkeypatch, "mine", **hooks)]
        monkeypatch.setattr(loading, "entry_points", lambda group: points)

    return make


def hook(name: str, components: list[Any]) -> Any:
    def register() -> list[Any]:
        return components

    register.__name__ = name
    return rbench.hookimpl(register)


def architecture(build: Callable[..., Any], **given: Any) -> rbench.Architecture:
    return rbench.Architecture(**{"name": "net", "summary": "A net.", "build": build, **given})


def initializer(draw: Callable[..., Any], **given: Any) -> rbench.Initializer:
    return rbench.Initializer(name="law", summary="A law.", draw=draw, **given)


def metric(measure: Callable[..., Any]) -> rbench.Metric:
    return rbench.Metric(
        name="number", summary="A number.", measure=measure, reads=rbench.ClassificationOutcome
    )


def linear(context: rbench.BuildContext, options: object) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, context.num_classes))


def value(number: float | None = 1.0) -> rbench.MetricValue:
    return rbench.MetricValue(name="number", value=number)


@pytest.mark.slow
def test_the_built_in_plugin_keeps_the_contract() -> None:
    check_plugin(
        "builtin",
        models=["resnet18"],
        options={"dip_skip": {"input_channels": 3, "scales": 3}},
    )


@pytest.mark.slow
def test_the_example_plugin_is_found_and_passes_its_own_test(tmp_path: Path) -> None:
    install(
        tmp_path,
        "rbench-example",
        {"example": "rbench_example"},
    )
    shutil.copytree(EXAMPLE / "rbench_example", tmp_path / "rbench_example")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", EXAMPLE, EXAMPLE],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.slow
def test_a_plugin_that_loads_torch_is_told_so(tmp_path: Path) -> None:
    install(tmp_path, "heavy", {"heavy": "rbench_example"})
    shutil.copytree(EXAMPLE / "rbench_example", tmp_path / "rbench_example")
    module = tmp_path / "rbench_example" / "__init__.py"
    module.write_text(
        module.read_text().replace("import rbench\n", "import torch\nimport rbench\n", 1)
    )
    done = subprocess.run(
        [sys.executable, "-c", "from rbench.testing import check_plugin; check_plugin('heavy')"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "loading it imports torch: move the functions that need them to another" in done.stderr


def test_unknown_and_failed_plugins() -> None:
    with pytest.raises(AssertionError, match=r"no plugin is called 'bultin'; did you mean builtin"):
        check_plugin("bultin")


def test_a_failed_plugin_shows_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("mine", "no_such_module_anywhere", "rbench")
    monkeypatch.setattr(loading, "entry_points", lambda group: [broken])
    with pytest.raises(AssertionError, match=r"(?s)mine failed: ModuleNotFoundError.*Traceback"):
        check_plugin("mine")


def test_good_components_pass(on_the_spot: Callable[..., None]) -> None:
    def draw(weight: Tensor, generator: torch.Generator, options: object) -> None:
        weight.normal_(generator=generator)

    on_the_spot(architecture(linear), initializer(draw), metric(lambda *_: [value()]))
    check_plugin("mine")


def rule(select: Callable[..., Any], **given: Any) -> rbench.FreezingRule:
    return rbench.FreezingRule(name="rule", summary="A rule.", select=select, **given)


def task(run: Callable[..., Any], **given: Any) -> rbench.Task:
    return rbench.Task(
        name="job",
        summary="A job.",
        run=run,
        produces=rbench.ClassificationOutcome,
        dataset="digits",
        **given,
    )


def _moves(context: rbench.TaskContext, *_: Any) -> None:
    with torch.no_grad():
        next(context.network.parameters()).add_(1)


def _coin(network: nn.Module, *_: Any) -> list[str]:
    fresh = torch.Generator()
    fresh.seed()
    names = [name for name, _ in network.named_parameters()]
    return [names[i] for i in torch.randperm(len(names), generator=fresh)[:3]]


def _sets(network: nn.Module, *_: Any) -> list[str]:
    network.requires_grad_(False)
    return [name for name, _ in network.named_parameters()]


def _adds(network: nn.Module, *_: Any) -> list[str]:
    with torch.no_grad():
        next(network.parameters()).add_(1)
    return ["0.weight"]


def _blind(weight: Tensor, generator: torch.Generator, options: Any, layer: rbench.Layer) -> None:
    weight[: layer.index].normal_(generator=generator)


def _half(weight: Tensor, generator: torch.Generator, options: object) -> None:
    weight[: len(weight) // 2].normal_(generator=generator)


def _global(weight: Tensor, generator: torch.Generator, options: object) -> None:
    weight.normal_()


def _infinite(weight: Tensor, generator: torch.Generator, options: object) -> None:
    weight.fill_(float("inf"))


def _unseeded(context: rbench.BuildContext, options: object) -> nn.Module:
    network = linear(context, options)
    fresh = torch.Generator()
    fresh.seed()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(generator=fresh)
    return network


def _constant(context: rbench.BuildContext, options: object) -> nn.Module:
    network = linear(context, options)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.5)
    return network


def _fixed_classes(context: rbench.BuildContext, options: object) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 7))


class _Restless(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))

    def forward(self, images: Tensor) -> Tensor:
        return torch.nn.functional.dropout(images, training=True)


def _twice(*_: Any) -> Iterable[rbench.MetricValue]:
    return [value(), value()]


def _touches(outcome: rbench.ClassificationOutcome, *_: Any) -> Iterable[rbench.MetricValue]:
    with torch.no_grad():
        next(outcome.network.parameters()).add_(1)
    return [value()]


def _draws(*_: Any) -> Iterable[rbench.MetricValue]:
    return [value(float(torch.rand(())))]


class _Required(rbench.Options):
    width: int


@pytest.mark.parametrize(
    ("component", "complaint"),
    [
        (architecture(linear, summary=" "), "architecture net: it needs a summary of one line"),
        (architecture(linear, summary="x" * 121), "its summary has 121 characters"),
        (architecture(linear, options=_Required), "options are not valid as they are: Field req"),
        (architecture(lambda *_: 3), "build returns a int, not a torch.nn.Module"),
        (architecture(_unseeded), "the same seed builds another network"),
        (architecture(_constant), "another seed builds the same network"),
        (architecture(_fixed_classes), "asked for 10 classes it gives 7"),
        (
            architecture(_constant, title="Net-{depth}"),
            "its title names 'depth', which is no option",
        ),
        (architecture(lambda *_: _Restless()), "the same images give different outputs"),
        (architecture(lambda *_: _Restless()), "it moves the global random state of torch"),
        (architecture(lambda *_: 1 / 0), "architecture net: ZeroDivisionError: division by zero"),
        (initializer(_half), "draws other weights of shape (8, 4, 3, 3), or not all of them"),
        (initializer(_global), "it moves the global random state of torch"),
        (initializer(_infinite), "weights of shape (8, 4, 3, 3) are not finite"),
        (initializer(_blind), "draws other weights of shape (8, 4, 3, 3), or not all of them"),
        (rule(lambda *_: []), "the network has nothing that it selects"),
        (rule(lambda *_: ["x"]), "the network has no tensor 'x'"),
        (rule(_coin), "the same seed selects something else"),
        (rule(_sets), "it sets requires_grad itself"),
        (rule(_adds), "it changes the network"),
        (rule(lambda *_: [str(torch.rand(()))]), "no tensor"),
        (task(lambda *_: 1 / 0), "its run raises ZeroDivisionError: division by zero"),
        (task(lambda *_: 3), "its run returns a int, not a ClassificationOutcome"),
        (task(lambda *_: 3), "says that parameters learn, and its run leaves them alone"),
        (
            task(lambda *_: 3, trains=lambda _: False, learns=lambda _: True),
            "says that parameters learn, and its run leaves them alone",
        ),
        (
            task(_moves, trains=lambda _: False),
            "its run changes the network, and neither trains nor learns says so",
        ),
        (metric(lambda *_: [3]), "measure returns something other than MetricValues"),
        (metric(_twice), "two of its values have one name"),
        (metric(_touches), "it changes the network"),
        (metric(_draws), "it moves the global random state of torch"),
        (metric(_draws), "the same outcome and seed give other values"),
        (metric(lambda *_: [value(float("nan"))]), "number is nan; None stands for"),
        (
            metric(lambda *_: [value().model_copy(update={"uncertainty": float("inf")})]),
            "the uncertainty of number is inf; None stands for",
        ),
        (
            metric(lambda *_: [value().model_copy(update={"details": {"layer": [1.0, math.nan]}})]),
            "the details of number have 1 number that is not finite; None stands for",
        ),
    ],
)
def test_broken_components_are_named(
    component: Any, complaint: str, on_the_spot: Callable[..., None]
) -> None:
    on_the_spot(component)
    with pytest.raises(AssertionError) as error:
        check_plugin("mine")
    assert str(error.value).startswith("the plugin mine breaks its contract:\n")
    assert complaint in str(error.value)


def test_all_complaints_come_at_once(on_the_spot: Callable[..., None]) -> None:
    on_the_spot(architecture(_constant), initializer(_half), metric(_twice))
    with pytest.raises(AssertionError) as error:
        check_plugin("mine")
    assert len(str(error.value).splitlines()) >= 4


def test_options_other_than_the_defaults(on_the_spot: Callable[..., None]) -> None:
    on_the_spot(architecture(linear, options=_Required))
    check_plugin("mine", options={"net": {"width": 3}})


def test_data_sets(on_the_spot: Callable[..., None]) -> None:
    def data(**given: Any) -> rbench.ImageData:
        images = rbench.MemoryImages(
            torch.zeros(4, 1, 5, 6, dtype=torch.uint8), torch.tensor([0, 1, 2, 0])
        )
        fields = {"name": "set", "revision": "1", "in_chans": 1, "img_size": (5, 6)}
        return rbench.ImageData(
            **{**fields, "train": images, "class_names": ["a", "b", "c"], **given}
        )

    def dataset(needs: bool = False, **given: Any) -> rbench.Dataset:
        return rbench.Dataset(
            name="set",
            summary="A set.",
            open=lambda context, options: data(**given),
            needs_data_dir=needs,
        )

    on_the_spot(dataset())
    check_plugin("mine")
    for wrong, complaint in [
        (dataset(class_names=["a", "b"]), "a label has no class name"),
        (dataset(img_size=(6, 5)), "its pixels are not of the size"),
        (dataset(in_chans=3), "mean and std are not of 3 channels"),
        (dataset(needs=True), "it needs a data_dir and opens without one"),
    ]:
        on_the_spot(wrong)
        with pytest.raises(AssertionError, match=complaint):
            check_plugin("mine")


def test_a_tasks_metrics_must_read_its_outcome(on_the_spot: Callable[..., None]) -> None:
    class Mine(rbench.Outcome):
        pass

    task = rbench.Task(
        name="job",
        summary="A job.",
        run=lambda *_: None,  # type: ignore[arg-type, return-value]
        produces=Mine,
        dataset="set",
        metrics=("number",),
    )
    images = rbench.Dataset(name="set", summary="A set.", open=lambda *_: 1 / 0)  # type: ignore[arg-type, return-value]
    on_the_spot(task, images, metric(lambda *_: [value()]))
    with pytest.raises(AssertionError, match="its metric number cannot read a Mine"):
        check_plugin("mine")


def test_a_task_keeps_what_it_fixed(on_the_spot: Callable[..., None]) -> None:
    def run(context: rbench.TaskContext, options: rbench.Options) -> rbench.Outcome:
        assert context.frozen is not None
        first = next(context.network.parameters())
        context.frozen.fix({"0.weight": torch.ones_like(first, dtype=torch.bool)})
        first.data += 1
        return rbench.Outcome(network=context.network)

    task = rbench.Task(
        name="job",
        summary="A job.",
        run=run,
        produces=rbench.Outcome,
        dataset="set",
        metrics=(),
    )
    images = rbench.Dataset(name="set", summary="A set.", open=lambda *_: 1 / 0)  # type: ignore[arg-type, return-value]
    on_the_spot(task, images)
    with pytest.raises(AssertionError, match="its run moves entries that it fixed"):
        check_plugin("mine")
