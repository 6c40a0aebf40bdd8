"""Every wrong input is one line and exit code 2, before anything is computed or written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Rbench

RUN = ("run", "--model", "resnet10t")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("run",), "--model is missing"),
        (("run", "--model", "resnet5"), "unknown model 'resnet5'; did you mean resnet50"),
        ((*RUN, "--init", "nromal"), "unknown initializer 'nromal'; did you mean normal"),
        ((*RUN, "--metrics", "top2"), "unknown metric 'top2'; did you mean top"),
        ((*RUN, "--task", "classify"), "unknown task 'classify'; did you mean classification"),
        ((*RUN, "--dataset", "digit"), "unknown dataset 'digit'; did you mean digits"),
        ((*RUN, "--recipe", "digit"), "unknown recipe 'digit'; did you mean digits"),
        ((*RUN, "--recipe", "gone.toml"), "cannot read gone.toml: No such file"),
        ((*RUN, "--epoch", "3"), "no such option: --epoch"),
        ((*RUN, "--epochs", "0"), "epochs = 0"),
        ((*RUN, "--epochs", "many"), "invalid value for '--epochs'"),
        ((*RUN, "--smoothing", "1.5"), "smoothing = 1.5"),
        ((*RUN, "--sched", "cosin"), "sched = 'cosin'"),
        ((*RUN, "--warmup-epochs", "9"), "warmup_epochs = 9 leaves nothing of epochs = 6"),
        ((*RUN, "--seeds", "0"), "seeds = 0"),
        ((*RUN, "--seed", "-1"), "seed = -1"),
        ((*RUN, "--limit", "0"), "limit = 0"),
        ((*RUN, "--img-size", "0"), "at least 1 pixel"),
        ((*RUN, "--init-kwargs", "std=1"), "--init-kwargs needs --init"),
        ((*RUN, "--init", "normal", "--init-kwargs", "sdt=1"), "unknown option 'sdt'"),
        ((*RUN, "--init", "normal", "--init-kwargs", "std"), "expected name=value"),
        ((*RUN, "--model-kwargs", "low_res=7"), "low_res = 7"),
        ((*RUN, "--model-kwargs", "blokc=7"), "unknown option 'blokc'; did you mean block"),
        ((*RUN, "--task-kwargs", "trian=false"), "unknown option 'trian'; did you mean train"),
        ((*RUN, "--metric-kwargs", "fgms.epsilons=[0.1]"), "'fgms', which is not measured"),
        ((*RUN, "--task-kwargs", "train=false", "--epochs", "2"), "takes no recipe"),
        ((*RUN, "--freeze", "layer9.*"), "matches no parameter; did you mean layer"),
        ((*RUN, "--freeze", "spatail"), "'spatail' is not a freezing rule"),
        ((*RUN, "--freeze", "!"), "--freeze '!' names nothing"),
        ((*RUN, "--freeze", "!head"), "write all,!head"),
        ((*RUN, "--freeze", "all"), "nothing is left to learn"),
        ((*RUN, "--freeze", "depthwise"), "the network has nothing that it selects"),
        ((*RUN, "--freeze-kwargs", "fraction.p=0.9"), "--freeze-kwargs name 'fraction', which"),
        ((*RUN, "--freeze", "fraction", "--freeze-kwargs", "fraction.p=2"), "less than or equal"),
        ((*RUN, "--epochs", "1", "--unfreeze", "1:fc"), "has 1 epoch, so nothing would change"),
        ((*RUN, "--epochs", "2", "--unfreeze", "1:fc"), "nothing of fc is frozen then"),
        ((*RUN, "--opt", "sdg"), "unknown optimizer 'sdg'; did you mean sgd"),
        ((*RUN, "-b", "5000"), "--batch-size 5000 is larger than the training set (1437"),
        ((*RUN, "--num-classes", "3"), "--num-classes 3 is less than the 10 classes"),
        ((*RUN, "--dataset", "cifar10"), "the dataset cifar10 needs --data-dir"),
        ((*RUN, "--dataset", "cifar10", "--data-dir", "gone"), "gone"),
        ((*RUN, "--initial-checkpoint", "gone.safetensors"), "cannot read the checkpoint"),
        ((*RUN, "--output", "/proc/nowhere"), "cannot write to --output /proc/nowhere"),
        ((*RUN, "--device", "gpu"), "unknown device 'gpu'"),
        ((*RUN, "-c", "gone.toml"), "cannot read gone.toml"),
        ((*RUN, "--device", "mps"), "--device mps: only Macs have it"),
        ((*RUN, "--data-dir", "~nosuchuser/x"), "~nosuchuser/x: there is no such user"),
        ((*RUN, "--initial-checkpoint", "~nosuchuser/x"), "~nosuchuser/x: there is no such user"),
        ((*RUN, "--mixup", "0.2", "-b", "33"), "take an even --batch-size"),
        ((*RUN, "--amp", "--amp-dtype", "float16", "--device", "cpu"), "float16 needs a GPU"),
        ((*RUN, "--limit-test", "0"), "limit_test = 0"),
        (("sweep", "p2_fig"), "unknown suite 'p2_fig'"),
        (("verify", "gone.json"), "gone.json"),
        (("show", "metric", "fgs"), "unknown metric 'fgs'; did you mean fgsm"),
        (("list", "things"), "unknown kind 'things'"),
        (("runn",), "no such command 'runn'"),
    ],
)
def test_one_line_and_exit_code_2(
    rbench: Rbench, tmp_path: Path, words: tuple[str, ...], line: str
) -> None:
    done = rbench(*words)
    complaints = [text for text in done.stderr.splitlines() if not text.startswith("note: ")]
    assert done.returncode == 2, done
    assert len(complaints) == 1, complaints
    assert complaints[0].startswith("rbench: ")
    assert line in complaints[0]
    assert not list(tmp_path.rglob("*.json"))


def test_cuda_where_there_is_none(rbench: Rbench, monkeypatch: pytest.MonkeyPatch) -> None:
    from rbench import hardware

    monkeypatch.setattr(hardware, "has_cuda", lambda: False)
    done = rbench(*RUN, "--device", "cuda")
    assert done.returncode == 2
    assert "no CUDA device is visible here" in done.stderr


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("model = ", "not valid TOML"),
        ('model = "resnet18"\nepoch = 3', "unknown field 'epoch'; did you mean epochs"),
        ('model = "resnet18"\nseed = "one"', "seed = 'one'"),
        ('model = "resnet18"\nfreeze = 3', "freeze = 3"),
        ('model = "../../etc/passwd"', "unknown model '../../etc/passwd'"),
        ('model = "=cmd|calc"', "unknown model '=cmd|calc'"),
        ('model = "<script>"', "unknown model '<script>'"),
        ('model = "a\\u0007\\u202eb"', "unknown model 'a??b'"),
    ],
)
def test_broken_and_hostile_spec_files(
    rbench: Rbench, tmp_path: Path, text: str, line: str
) -> None:
    (tmp_path / "run.toml").write_text(text)
    done = rbench("run", "-c", "run.toml")
    assert done.returncode == 2, done
    assert len(done.stderr.splitlines()) == 1
    assert line in done.stderr


SUITE = 'summary = "x"\n[base]\nmodel = "test_resnet"\ndataset = "digits"\n[[grid]]\nseed = 0\n'
CURVE = '[[figure]]\nname = "f"\nkind = "curve"\nx = "seed"\ny = "top1"\n'


@pytest.mark.parametrize("command", ["sweep", "plan"])
@pytest.mark.parametrize(
    ("table", "line"),
    [
        (CURVE + "smooth = 5", "figure f: smooth has no meaning for a figure of kind curve"),
        (CURVE + 'xlable = "E"', "figure f: unknown field 'xlable'; did you mean xlabel"),
        ('[[compare]]\npaper = "p2"\nclaims = ["fig4/forzen-*"]', "claim of p2 'fig4/forzen-*'"),
        ('[[compare]]\npaper = "p9"', "compare: unknown paper 'p9'"),
    ],
)
def test_a_suite_that_could_not_be_reported_is_not_executed(
    rbench: Rbench, tmp_path: Path, command: str, table: str, line: str
) -> None:
    (tmp_path / "mine.toml").write_text(SUITE + table)
    done = rbench(command, "mine.toml")
    assert done.returncode == 2, done
    assert len(done.stderr.splitlines()) == 1
    assert line in done.stderr
    assert not list(tmp_path.rglob("*.json"))


def test_flags_win_over_the_file(rbench: Rbench, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(
        'model = "resnet10t"\nmetrics = ["top1"]\n[task_kwargs]\ntrain = true\n'
    )
    done = rbench("run", "-c", "run.toml", "--task-kwargs", "train=false", "--json")
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert record["spec"]["task_kwargs"] == {"train": False}
    assert "train" not in [phase["name"] for phase in record["timing"]]


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """The record is written by a process that may write no file larger than 100 bytes."""
    program = """
import resource, signal, sys
from pathlib import Path
from rbench.errors import UserError
from rbench.files import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write_atomically(Path(sys.argv[1]), "new " * 1000)
except UserError as error:
    print(error)
"""
    path = tmp_path / "record.json"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60
    )
    assert "cannot write" in done.stdout
    assert done.stderr == ""
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["record.json"]
