"""Sweeps on a real Slurm, of one machine, that the tests start and end."""

from __future__ import annotations

import getpass
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rbench.records.record import read
from tests.helpers.slurm_cluster import ACCOUNT, QOS, ask, cluster, installed, say, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not installed("slurmctld", "slurmd"),
        reason="Slurm is not installed on this machine (Debian: slurm-wlm)",
    ),
]
SUITE = """
summary = "A training of 30 steps, each long enough for two signals."
[base]
dataset = "digits"
model = "resnet18"
device = "cpu"
limit = 320
metrics = ["top1"]
"training.epochs" = 15
"training.batch_size" = 160
"""


def prepare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with a suite and without the user's own configuration."""
    (folder / "suite.toml").write_text(SUITE)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.chdir(folder)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory where ``sbatch`` and the like find a cluster."""
    prepare(tmp_path, monkeypatch)
    with cluster(tmp_path / "slurm", monkeypatch, accounting=False):
        yield tmp_path


@pytest.fixture
def accounting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same, of a cluster that keeps accounts."""
    if not installed("slurmdbd", "mariadbd", "mysql_install_db"):
        pytest.skip("accounting is not installed (Debian: slurmdbd, mariadb-server)")
    prepare(tmp_path, monkeypatch)
    with cluster(tmp_path / "slurm", monkeypatch, accounting=True):
        yield tmp_path


def started(job: str) -> bool:
    """Whether a job that was taken away runs again: Slurm would let it wait for two minutes."""
    ask("scontrol", "update", f"jobid={job}", "starttime=now")
    return say("squeue", "-h", "-o", "%t").strip() == "R"


def sweep(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rbench", "sweep", "suite.toml", "--executor", "slurm"]
    command += ["--jobs", "1", "--job-cpus", "1", "--slots", "1", "--threads", "1", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_job_that_slurm_takes_away_goes_on_where_it_was(slurm: Path) -> None:
    """With its warning to all processes of the job, as before a pre-emption or the time limit."""
    running = sweep()
    until(lambda: running.poll() is not None or list(slurm.glob("results/.checkpoints/*")))
    (job,) = say("squeue", "-h", "-o", "%A").split()
    say("scancel", "--signal=USR2", job)
    until(lambda: "Restarts=1" in say("scontrol", "show", "job", job))
    saved = list(slurm.glob("results/.checkpoints/*/0/step-*.facts"))
    assert len(saved) == 1
    step = int(saved[0].stem.removeprefix("step-"))
    assert 0 < step < 30
    # A job that begins again in the second in which it ended is refused.
    time.sleep(3)
    until(lambda: running.poll() is not None or started(job))
    _, said = running.communicate(timeout=120)
    assert running.returncode == 0, said
    assert "1 done" in said
    (path,) = slurm.glob("results/*.json")
    assert f"resumed from a checkpoint after step {step} of 30" in read(path).notes
    assert not list(slurm.glob("results/.locks/*"))


def test_jobs_are_given_a_plugin_file(slurm: Path) -> None:
    (slurm / "my_init.py").write_text(
        "import rbench\n"
        "def draw(weight, generator, options):\n"
        "    weight.zero_()\n"
        "@rbench.hookimpl\n"
        "def rbench_register_initializers():\n"
        "    yield rbench.Initializer(name='mine', summary='Zeros.', draw=draw)\n"
    )
    suite = SUITE.replace('epochs" = 15', 'epochs" = 1') + 'init = "mine"\n'
    (slurm / "suite.toml").write_text(suite)
    _, said = (running := sweep("--plugin", "./my_init.py")).communicate(timeout=240)
    assert running.returncode == 0, said
    (path,) = slurm.glob("results/*.json")
    assert list(read(path).resolved["loose"]) == ["my_init.py"]


def test_options_of_sbatch_reach_slurm(slurm: Path) -> None:
    """From the user's file, the suite and the command line, each overriding the one before."""
    (slurm / "config").mkdir()
    (slurm / "config" / "rbench.toml").write_text(
        '[slurm]\naccount = "file"\nqos = "long"\ncomment = "of the file"\n'
        'setup = ["echo of the file"]\n'
    )
    with (slurm / "suite.toml").open("a") as suite:
        suite.write('[slurm]\naccount = "suite"\nnice = 7\n')
    options = ["--slurm", "account=abc", "constraint=a100", "gres=gpu:1", "exclusive=true"]
    setup = ["--slurm-setup", "touch set-up", "export RBENCH_TEST_SETUP=1"]
    printed = sweep(*options, *setup, "--dry-run")
    text, said = printed.communicate(timeout=120)
    assert printed.returncode == 0, said
    for line in ("account=abc", "qos=long", "constraint=a100", "gres=gpu:1", "nice=7", "exclusive"):
        assert f"#SBATCH --{line}\n" in text, (line, text)
    assert text.index("touch set-up\nexport RBENCH_TEST_SETUP=1\n") < text.index("srun ")
    assert "of the file" not in text.replace("comment='of the file'", "")
    assert not list(slurm.glob("results/*"))

    running = sweep(*options, *setup)
    until(lambda: running.poll() is not None or say("squeue", "-h", "-o", "%A").split())
    (job,) = say("squeue", "-h", "-o", "%A").split()
    shown = say("scontrol", "show", "job", job)
    for fact in ("Account=abc", "Features=a100", "gres:gpu:1", "Nice=7"):
        assert fact in shown, (fact, shown)
    until(lambda: (slurm / "set-up").exists())
    say("scancel", job)
    running.communicate(timeout=120)


def test_account_and_qos_reach_a_slurm_that_keeps_accounts(accounting: Path) -> None:
    running = sweep("--slurm", f"account={ACCOUNT}", f"qos={QOS}", "constraint=a100")
    until(lambda: running.poll() is not None or say("squeue", "-h", "-o", "%A").split())
    (job,) = say("squeue", "-h", "-o", "%A").split()
    shown = say("scontrol", "show", "job", job)
    assert f"Account={ACCOUNT} QOS={QOS}" in shown
    assert "Features=a100" in shown
    say("scancel", job)
    running.communicate(timeout=120)
    for wrong, reason in (("account=xyz", "Invalid account"), ("qos=short", "Invalid qos")):
        refused = sweep("--slurm", wrong)
        _, said = refused.communicate(timeout=120)
        last = said.strip().splitlines()[-1]
        assert refused.returncode == 2
        assert reason in last
        assert last.endswith(f"(--slurm {wrong})")


@pytest.mark.parametrize(
    ("words", "reason", "option"),
    [
        (["--slurm", "constraint=h100"], "Invalid feature specification", "constraint=h100"),
        (["--slurm", "gres=tpu:1"], "Invalid generic resource (gres) specification", "gres=tpu:1"),
        (["--slurm", "nonsense=1"], "unrecognized option", "nonsense=1"),
        (["--job-memory", "9999"], "node configuration is not available", "--job-memory 9999"),
    ],
)
def test_a_refusal_names_the_option(
    slurm: Path, words: list[str], reason: str, option: str
) -> None:
    running = sweep(*words)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 2, said
    last = said.strip().splitlines()[-1]
    assert last.startswith("rbench: Slurm refuses the jobs: ")
    assert reason in last
    assert option in last.rpartition("(")[2], last
    assert "Traceback" not in said


def test_cancelled_jobs_end_the_sweep(slurm: Path) -> None:
    running = sweep("--jobs", "2", "--job-memory", "3")
    until(lambda: running.poll() is not None or list(slurm.glob("results/.logs/*")))
    say("scancel", "--user", getpass.getuser())
    _, said = running.communicate(timeout=120)
    assert running.returncode == 1
    assert "not executed: resnet18-none-digits-batch_size_160-epochs_15-limit_320-s0" in said
    assert "1 not executed" in said
    assert "Traceback" not in said
    assert not list(slurm.glob("results/.locks/*"))


def test_a_refusal_is_one_line(slurm: Path) -> None:
    running = sweep("--partition", "shrot")
    _, said = running.communicate(timeout=120)
    assert running.returncode == 2
    assert said.endswith(
        "rbench: Slurm refuses the jobs: Batch job submission failed: "
        "Invalid partition name specified (--partition shrot)\n"
    )
    assert "Traceback" not in said
