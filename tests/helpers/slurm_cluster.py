"""A real Slurm of one machine, private to a test: its controller, its daemon, its accounting."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from rbench.sweep.text import tail

PATH = f"{os.environ['PATH']}:/usr/sbin"
ACCOUNT, QOS = "abc", "long"
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
ACCOUNTING = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[2]}
AccountingStorageEnforce=associations,qos
"""
DATABASE_DAEMON = """
AuthType=auth/none
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={ports[2]}
SlurmUser={user}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[3]}
StorageUser=slurm
StoragePass=slurm
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""


def installed(*names: str) -> bool:
    """Whether all these programs are installed."""
    return all(shutil.which(name, path=PATH) for name in names)


def say(*words: str) -> str:
    """The output of a command that must succeed."""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def ask(*words: str) -> str:
    """The output of a command that may fail."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def until(what: Callable[[], object], seconds: float = 120) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def cluster(folder: Path, monkeypatch: pytest.MonkeyPatch, *, accounting: bool) -> Iterator[None]:
    """Inside, ``sbatch`` and the like find a cluster. Skips the test where it cannot be started.

    With ``accounting`` it knows the account :data:`ACCOUNT` and the QoS :data:`QOS`, and refuses
    others.
    """
    for part in ("state", "spool"):
        (folder / part).mkdir(parents=True)
    facts = {
        "host": socket.gethostname().split(".")[0],
        "user": getpass.getuser(),
        "ports": [free_port() for _ in range(4)],
        "folder": folder,
    }
    text = CONFIGURATION + (ACCOUNTING if accounting else "")
    (folder / "slurm.conf").write_text(text.format(**facts))
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    monkeypatch.setenv("PATH", PATH)
    with ExitStack() as stack:
        if accounting:
            _start_accounting(folder, facts, stack)
        for name in ("slurmctld", "slurmd"):
            _start(stack, name, "-D")
        deadline = time.monotonic() + 60
        while "idle" not in ask("sinfo", "-h"):
            if time.monotonic() > deadline:
                pytest.skip(f"Slurm does not run here: {tail(folder / 'slurmctld.log', 300)}")
            time.sleep(0.1)
        try:
            yield
        finally:
            ask("scancel", "--full", "--user", getpass.getuser())
            with suppress(AssertionError):
                until(lambda: not ask("squeue", "-h"), 30)


def _start_accounting(folder: Path, facts: dict[str, object], stack: ExitStack) -> None:
    socket_path, data = folder / "sql", folder / "data"
    user = str(facts["user"])
    say(
        *("mysql_install_db", "--no-defaults", f"--datadir={data}", f"--user={user}"),
        *("--auth-root-authentication-method=normal", "--skip-test-db"),
    )
    ports = facts["ports"]
    assert isinstance(ports, list)
    _start(
        *(stack, "mariadbd", "--no-defaults", f"--datadir={data}", f"--user={user}"),
        *(f"--socket={socket_path}", f"--port={ports[3]}", "--bind-address=127.0.0.1"),
        *(f"--pid-file={folder}/sql.pid", "--innodb-buffer-pool-size=16M"),
    )
    client = ("mariadb", "--no-defaults", f"--socket={socket_path}", "--user=root")
    until(lambda: "1" in ask(*client, "--execute", "select 1"), 60)
    for host in ("127.0.0.1", "localhost"):
        say(*client, "--execute", f"create user slurm@{host} identified by 'slurm'")
        say(*client, "--execute", f"grant all on *.* to slurm@{host}")
    configuration = folder / "slurmdbd.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(DATABASE_DAEMON.format(**facts))
    _start(stack, "slurmdbd", "-D")
    until(lambda: "test" in ask("sacctmgr", "-i", "add", "cluster", "test"), 60)
    say("sacctmgr", "-i", "add", "qos", QOS)
    say("sacctmgr", "-i", "add", "account", ACCOUNT)
    say("sacctmgr", "-i", "add", "user", user, f"account={ACCOUNT}", f"qos={QOS},normal")


def _start(stack: ExitStack, *words: str) -> None:
    quiet = subprocess.DEVNULL
    daemon = subprocess.Popen(words, stdout=quiet, stderr=quiet)
    stack.callback(daemon.wait)
    stack.callback(daemon.kill)
