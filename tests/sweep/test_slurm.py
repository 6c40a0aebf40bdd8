"""Sweeps on a real Slurm, of one machine, that this file starts and ends."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rbench.records.record import read
from rbench.sweep.text import tail

DAEMONS = ("slurmctld", "slurmd")
PATH = f"{os.environ['PATH']}:/usr/sbin"
pytestmark = pytest.mark.skipif(
    any(shutil.which(name, path=PATH) is None for name in DAEMONS),
    reason="Slurm is not installed on this machine (Debian: slurm-wlm)",
)
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1
KillWait=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=9000 Features=a100 Gres=gpu:1
PartitionName=short Nodes=ALL Default=YES State=UP
"""
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


def say(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def ask(*words: str) -> str:
    """The answer of a command that may fail."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def until(what: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a suite in it, where ``sbatch`` and the like find a cluster."""
    folder = tmp_path / "slurm"
    for part in ("state", "spool"):
        (folder / part).mkdir(parents=True)
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            host=socket.gethostname().split(".")[0],
            user=getpass.getuser(),
            ports=(free_port(), free_port()),
            folder=folder,
        )
    )
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    monkeypatch.setenv("SLURM_CONF", str(configuration))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", PATH)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suite.toml").write_text(SUITE)
    daemons = [subprocess.Popen([name, "-D"], stderr=subprocess.DEVNULL) for name in DAEMONS]
    try:
        deadline = time.monotonic() + 60
        while "idle" not in ask("sinfo", "-h"):
            if time.monotonic() > deadline:
                pytest.skip(f"Slurm does not run here: {tail(folder / 'slurmctld.log', 300)}")
            time.sleep(0.1)
        yield tmp_path
    finally:
        ask("scancel", "--full", "--user", getpass.getuser())
        with suppress(AssertionError):
            until(lambda: not ask("squeue", "-h"), 30)
        for daemon in daemons:
            daemon.kill()
            daemon.wait()


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
    assert "not executed: resnet18-none-digits-s0" in said
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
