"""Components of a file or a Python session: they run, are told apart, and are not submitted."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rbench as rb
from rbench.api import to_spec
from rbench.plugin.catalog import Catalog
from rbench.plugin.data import MemoryImages
from rbench.plugin.loose import with_files
from rbench.records.record import Record
from rbench.report.leaderboard import submission
from rbench.runner.load_data import open_data
from rbench.spec.resolve import resolve
from tests.conftest import Rbench

MINE = """
import rbench

def draw(weight, generator, options):
    weight.normal_(0, {std}, generator=generator)

@rbench.hookimpl
def rbench_register_initializers():
    yield rbench.Initializer(name="mine", summary="Mine.", draw=draw)
"""
TINY: dict[str, Any] = {"epochs": 1, "limit": 64, "metrics": ("top1",), "output": None}


class Net(nn.Module):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.conv(images).mean((2, 3)))


def identity(path: Path, **fields: Any) -> dict[str, Any]:
    spec = to_spec({"model": "resnet10t", "init": "mine", "plugin": str(path), **fields})
    return resolve(spec, Catalog.from_environment()).identity


@pytest.mark.slow
def test_a_file_s_components_run_from_the_command_line_and_in_a_sweep(
    tmp_path: Path, rbench: Rbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "my_init.py"
    file.write_text(MINE.format(std=0.1))
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'name = "mine"\nsummary = "Mine."\nbase = {model = "resnet10t", init = "mine", '
        'limit = 64, metrics = ["top1"], "training.epochs" = 1}\n'
    )
    out = tmp_path / "results"
    done = rbench("sweep", str(suite), "--plugin", str(file), "--output", str(out))
    assert done.returncode == 0, done
    (path,) = out.glob("*.json")
    record = json.loads(path.read_text())
    assert record["status"] == "done"
    assert list(record["resolved"]["loose"]) == ["my_init.py"]
    assert record["plugins"]["my_init.py"].startswith("sha256 ")
    assert str(tmp_path) not in path.read_text()
    words = ("run", "--model", "resnet10t", "--init", "mine", "--limit", "64", "--epochs", "1")
    again = rbench(*words, "--metrics", "top1", "--plugin", str(file), "--output", str(out))
    assert "already in" in again.stdout + again.stderr
    assert rbench("verify", str(path), "--plugin", str(file)).returncode == 0
    refused = rbench("submit", str(out), "--check")
    assert "rbench new-plugin NAME --from my_init.py" in refused.stdout + refused.stderr
    file.write_text(MINE.format(std=0.2))
    changed = rbench("verify", str(path), "--plugin", str(file))
    assert changed.returncode == 2
    assert "has changed since" in changed.stderr


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["slurm --cluster local", "ray"])
def test_jobs_of_a_cluster_are_given_the_file(
    tmp_path: Path, rbench: Rbench, executor: str
) -> None:
    package = {"slurm": "submitit", "ray": "ray"}[executor.split()[0]]
    pytest.importorskip(package, reason=f"the extra rbench[{executor.split()[0]}] is missing")
    file = tmp_path / "my_init.py"
    file.write_text(MINE.format(std=0.1))
    (tmp_path / "suite.toml").write_text(
        'summary = "Mine."\nbase = {model = "resnet_cifar_8_4", dataset = "digits", '
        'init = "mine", limit = 64, metrics = ["top1"], "training.epochs" = 1}\n'
    )
    out = tmp_path / "results"
    words = ["sweep", str(tmp_path / "suite.toml"), "--plugin", str(file), "--output", str(out)]
    limits = ["--jobs", "1", "--job-cpus", "1", "--slots", "1", "--threads", "1"]
    done = rbench(*words, "--executor", *executor.split(), *limits)
    assert done.returncode == 0, done
    (path,) = out.glob("*.json")
    record = json.loads(path.read_text())
    assert record["status"] == "done"
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert record["resolved"]["loose"] == {"my_init.py": sha256}


def test_the_digest_of_the_file_is_part_of_the_identity(tmp_path: Path) -> None:
    file = tmp_path / "my_init.py"
    file.write_text(MINE.format(std=0.1))
    one = identity(file)
    assert identity(file) == one
    file.write_text(MINE.format(std=0.2))
    assert identity(file) != one
    assert (
        "loose" not in resolve(to_spec({"model": "resnet10t"}), Catalog.from_environment()).identity
    )


TOY = """
import torch
from rbench import Dataset, ImageData, MemoryImages, hookimpl

def open_(context, options):
    pixels = torch.full((16, 1, 8, 8), {gray}, dtype=torch.uint8)
    images = MemoryImages(pixels, torch.arange(16) % 2)
    return ImageData(
        name="toy", revision="gray {gray}", in_chans=1, img_size=(8, 8), train=images, test=images,
        class_names=["a", "b"],
    )

@hookimpl
def rbench_register_datasets():
    yield Dataset(name="toy", summary="Toy.", open=open_, recipe="digits", needs_data_dir=False)
"""


def test_a_dataset_s_file_that_was_edited_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "toy.py"
    revisions = []
    for gray in (10, 10, 200):
        file.write_text(TOY.format(gray=gray))
        spec = to_spec({"model": "resnet10t", "dataset": "toy", "plugin": str(file)})
        data, _ = open_data(resolve(spec, Catalog.from_environment()))
        assert isinstance(data.train, MemoryImages)
        revisions.append((data.revision, int(data.train.pixels.amax())))
    assert revisions == [("gray 10", 10), ("gray 10", 10), ("gray 200", 200)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1 / 0", r"my_init.py, line 1: ZeroDivisionError: division by zero"),
        ("def f(:", r"my_init.py, line 1: SyntaxError"),
        ("x = 1", r"my_init.py: TypeError: it implements no rbench hook"),
        (MINE.replace('"mine"', '"normal"'), "initializer 'normal' is already registered by"),
        (MINE.replace("initializers", "initialisers"), "there is no hook"),
        (None, "cannot read the plugin file"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, text: str | None, complaint: str) -> None:
    file = tmp_path / "my_init.py"
    if text is not None:
        file.write_text(text.format(std=1) if "{std}" in text else text)
    with pytest.raises(rb.UserError, match=complaint) as caught:
        with_files(Catalog.from_environment(), [str(file)])
    assert "\n" not in str(caught.value)
    with pytest.raises(rb.UserError, match="a plugin file is Python source"):
        with_files(Catalog.from_environment(), [str(tmp_path / "my_init.txt")])


def test_modules_and_functions_of_a_session() -> None:
    seen: list[str] = []

    def draw(weight: Tensor, generator: torch.Generator) -> None:
        weight.fill_(0.25)

    def rule(network: nn.Module) -> list[str]:
        return ["conv.weight"]

    def worst(outcome: rb.ClassificationOutcome) -> float:
        seen.append(type(outcome.network).__name__)
        weight: Any = outcome.network.conv.weight  # type: ignore[union-attr]
        assert torch.equal(weight, torch.full_like(weight, 0.25))
        return float(outcome.logits.amax())

    net = Net()
    (record,) = rb.run(net, **{**TINY, "metrics": ["top1", worst]}, init=draw, freeze=rule)
    assert record.status == "done", record.error
    assert seen == ["Net"]
    assert record.freeze is not None
    assert record.freeze.frozen.names == ["conv.weight"]
    assert [m.name for m in record.metrics] == ["top1", "worst"]
    assert record.spec["model"] == "python:Net"
    assert not torch.equal(net.conv.weight, torch.full_like(net.conv.weight, 0.25)), "a copy ran"
    complaints = submission_complaints(record)
    assert any("python:draw is of a Python session" in line for line in complaints)


def test_different_functions_of_one_name_all_run() -> None:
    def constant(number: float) -> Any:
        def draw(weight: Tensor, generator: torch.Generator) -> None:
            weight.fill_(number)

        return draw

    def scale(network: nn.Module) -> float:
        weight: Any = network.norm.weight
        return float(weight.mean())

    def measured(number: float) -> Any:
        return lambda outcome: number + scale(outcome.network)

    class Normed(Net):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(4)

    small = constant(0.25)
    fields: dict[str, Any] = {"init": small, "init_norm": constant(0.5), "freeze": "norm.*"}
    metrics = [measured(1.0), measured(2.0), measured(1.0)]
    (record,) = rb.run(Normed(), **{**TINY, **fields, "metrics": metrics})
    assert record.status == "done", record.error
    assert record.spec["init"] == "python:draw"
    assert record.spec["init_norm"] == "python:draw-2"
    assert {m.name: m.value for m in record.metrics} == {"lambda": 1.5, "lambda-2": 2.5}
    (same,) = rb.run(Normed(), **{**TINY, **fields, "init_norm": small, "metrics": metrics[:1]})
    assert same.spec["init_norm"] == "python:draw", "one function has one name"


def submission_complaints(record: Record) -> list[str]:
    return list(submission._loose(record))


@pytest.mark.slow
def test_a_class_is_built_for_each_seed() -> None:
    one, other = rb.run(Net, **TINY, seeds=2)
    assert one.network_sha256 != other.network_sha256
    assert one.resolved["loose"] == other.resolved["loose"]


def test_what_cannot_be_compared_is_noted_and_its_records_are_not_reused(tmp_path: Path) -> None:
    class Scale:
        def __init__(self, number: float) -> None:
            self.number = number

        def __call__(self, weight: Tensor, generator: torch.Generator) -> None:
            weight.fill_(self.number)

    fields: dict[str, Any] = {**TINY, "output": tmp_path, "task_kwargs": {"train": False}}
    del fields["epochs"]
    one, same, other = (
        rb.run("test_resnet", **fields, init=Scale(number))[0] for number in (0.1, 0.1, 0.2)
    )
    assert one.status == "done", one.error
    assert one.started == same.started, "a callable object has the same digest again"
    assert one.digest != other.digest
    assert not any("no later call" in note for note in one.notes)

    with (tmp_path / "numbers.txt").open("w") as file:

        def draw(weight: Tensor, generator: torch.Generator) -> None:
            print(weight.fill_(0.1).sum(), file=file)

        again = [rb.run("test_resnet", **fields, init=draw)[0] for _ in range(2)]
    assert again[0].digest != again[1].digest
    (note,) = (note for note in again[0].notes if "no later call" in note)
    assert "whether draw.file (TextIOWrapper) is the same" in note


def test_a_package_is_made_of_a_file(tmp_path: Path, rbench: Rbench) -> None:
    file = tmp_path / "my_init.py"
    file.write_text(MINE.format(std=0.1))
    folder = tmp_path / "rbench-mine"
    done = rbench("new-plugin", "mine", "--output", str(folder), "--from", str(file))
    assert done.returncode == 0, done
    assert (folder / "rbench_mine" / "__init__.py").read_text() == file.read_text()
    assert 'mine = "rbench_mine"' in (folder / "pyproject.toml").read_text()
    missing = rbench("new-plugin", "yours", "--from", "gone.py")
    assert missing.returncode == 2


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "p.py" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_text("")
    with pytest.raises(rb.UserError, match=r"a/p.py .*b/p.py: two files of one name"):
        with_files(Catalog.from_environment(), [str(path) for path in paths])
    paths[0].write_text(MINE.format(std=1))
    with_files(Catalog.from_environment(), [str(paths[0])] * 2)
