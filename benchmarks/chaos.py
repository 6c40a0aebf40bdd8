"""Kill a sweep again and again, and compare its records to those of an undisturbed one.

    python benchmarks/chaos.py                       # 40 runs, 100 kills
    python benchmarks/chaos.py --runs 6 --kills 10   # the short form that the tests execute

Every run trains a small timm network on digits with a checkpoint at every step. The sweep is on a
small memory disk where this may be mounted (as root on Linux). The kills take turns: SIGKILL to
the sweep, to a worker, to a worker in the middle of a write, to the forkserver that all workers
are forked from; SIGTERM to the sweep; a disk that is full for two seconds; a folder that vanishes
for two seconds. If all runs are done before the kills are spent, the sweep starts again in a new
folder. At the end of each sweep: no run is lost, none was completed twice, every file can be read,
the numbers are the same, and leaderboards are equal to the byte once the fields of wall-clock time
(and the command, which names the folder) are emptied in the records. Exit code 1 otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

MODELS = ("test_resnet", "test_byobnet")
SUITE = """
summary = "Small runs that train."
seeds = {seeds}
[base]
dataset = "digits"
metrics = ["top1", "loss"]
limit = 64
training = {{ epochs = 2, batch_size = 16 }}
[[grid]]
model = {models}
freeze = [["none"], ["spatial"]]
"""
KINDS = (
    "worker",
    "sweep",
    "write",
    "forkserver",
    "full",
    "term",
    "worker",
    "write",
    "gone",
    "sweep",
)
WALL_CLOCK: dict[str, Any] = {
    "seconds": 0.0, "timing": [], "started": "", "peak_memory_bytes": None, "notes": [],
    "command": "",
}  # fmt: skip


class Chaos:
    """Starts sweeps and disturbs them."""

    def __init__(self, suite: Path, runs: int, slots: int, seed: int) -> None:
        self.suite, self.runs, self.slots = suite, runs, slots
        self.random = random.Random(seed)
        self.deadline = float("inf")
        self.unit = 1.0
        """Seconds from the start of a sweep to its first record, on this machine today."""
        self.run_seconds = 1.0
        """Seconds of a run, on this machine today."""
        self.kills: Counter[str] = Counter()
        self.endings: Counter[int] = Counter()

    def start(self, output: Path) -> subprocess.Popen[bytes]:
        """A sweep, as a user starts it."""
        words = ["sweep", str(self.suite), "--output", str(output), "--device", "cpu"]
        words += ["--slots", str(self.slots), "--threads", "1", "--checkpoint-every", "1"]
        words += ["--retries", "1000"]
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        return subprocess.Popen([sys.executable, "-m", "rbench", *words], stderr=self.log)

    def said(self) -> str:
        """What the last sweep printed."""
        self.log.seek(0)
        return self.log.read().decode()[-3000:]

    def undisturbed(self, output: Path) -> float:
        """Sweep in peace; the seconds it took."""
        begun = time.monotonic()
        sweep = self.start(output)
        while sweep.poll() is None and not list(output.glob("*.json")):
            time.sleep(0.05)
        self.unit = time.monotonic() - begun
        if sweep.wait():
            sys.exit(f"the undisturbed sweep failed:\n{self.said()}")
        whole = time.monotonic() - begun
        self.run_seconds = (whole - self.unit) * self.slots / max(1, self.runs - 1)
        return whole

    def disturbed(self, output: Path, kills: int, kinds: itertools.cycle[str]) -> list[str]:
        """Sweep into ``output`` under at most ``kills`` kills, then to the end."""
        watch = Watch(output)
        done = 0
        while True:
            sweep = self.start(output)
            while sweep.poll() is None and done < kills and time.monotonic() < self.deadline:
                kind = next(kinds)
                if self.strike(kind, sweep, output):
                    done += 1
                    self.kills[kind] += 1
            sweep.wait()
            self.endings[sweep.returncode] += 1
            if sweep.returncode == 0:
                break
            if (done >= kills or time.monotonic() > self.deadline) and sweep.returncode not in (
                2,
                -9,
                143,
            ):
                return [f"the sweep ended with {sweep.returncode}:\n{self.said()}"]
        return watch.end()

    def strike(self, kind: str, sweep: subprocess.Popen[bytes], output: Path) -> bool:
        """Do one bad thing; False if there was no occasion."""
        wait = self.random.uniform(0.0, 2.0) * self.run_seconds
        if kind in ("sweep", "term") and self.random.random() < 0.5:
            # While it starts, too.
            wait = self.random.uniform(0.0, 1.0) * self.unit
        else:
            while sweep.poll() is None and not workers(sweep.pid):
                time.sleep(0.02)
        try:
            sweep.wait(wait)
            return False
        except subprocess.TimeoutExpired:
            pass
        if kind == "sweep":
            sweep.kill()
            sweep.wait()
        elif kind == "term":
            sweep.terminate()
            sweep.wait(60)
        elif kind in ("worker", "forkserver"):
            found = workers(sweep.pid) if kind == "worker" else forkservers(sweep.pid)
            if not found:
                return False
            send(self.random.choice(found), signal.SIGKILL)
        elif kind == "write":
            return kill_in_a_write(output, sweep)
        elif kind == "full":
            if not fill(output.parent):
                return False
        elif kind == "gone":
            away = output.with_suffix(".away")
            # Not before the sweep is under way: where it begins it makes the folder.
            if not children(sweep.pid):
                return False
            output.rename(away)
            time.sleep(2)
            if output.exists():
                sys.exit("a folder that had vanished was made again in its place")
            away.rename(output)
        return True


class Watch:
    """Sees every record that is ever put into a folder."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.seen: dict[str, set[tuple[int, int]]] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()

    def _look(self) -> None:
        while not self.over.wait(0.01):
            self._once()

    def _once(self) -> None:
        with contextlib.suppress(OSError):
            for entry in os.scandir(self.output):
                if entry.name.endswith(".json") and not entry.name.startswith("."):
                    found = entry.stat()
                    key = (found.st_ino, found.st_mtime_ns)
                    self.seen.setdefault(entry.name, set()).add(key)

    def end(self) -> list[str]:
        """What was written more than once."""
        self.over.set()
        self.thread.join()
        self._once()
        return [f"{n} was written {len(s)} times" for n, s in self.seen.items() if len(s) > 1]


def compare(output: Path, undisturbed: Path, runs: int) -> list[str]:
    """What differs, and what is left over."""
    wrong: list[str] = []
    names = {path.name for path in undisturbed.glob("*.json")}
    found = {path.name for path in output.glob("*.json")}
    if len(names) != runs or found != names:
        wrong.append(f"{len(found)} records, {len(names)} undisturbed, {runs} runs")
    for path in output.rglob("*"):
        if path.is_file() and path.parent == output and path.suffix != ".json":
            wrong.append(f"left over: {path.name}")
    left = [p for p in (output / ".checkpoints").rglob("*") if p.is_file()]
    if left:
        wrong.append(f"left over: {len(left)} files of checkpoints")
    for name in sorted(names & found):
        one, other = (json.loads((folder / name).read_text()) for folder in (output, undisturbed))
        for key in ("status", "metrics", "result_sha256", "network_sha256", "history", "digest"):
            if one[key] != other[key]:
                wrong.append(f"{name}: {key} differs: {one[key]} / {other[key]}")
        if one["error"]:
            wrong.append(f"{name}: {one['error']}")
    boards = [leaderboard(folder) for folder in (output, undisturbed)]
    if boards[0] != boards[1]:
        files = [n for n in {**boards[0], **boards[1]} if boards[0].get(n) != boards[1].get(n)]
        wrong.append(f"the leaderboards differ: {files}")
    return wrong


def leaderboard(folder: Path) -> dict[str, bytes]:
    """All files of the leaderboard of a copy of ``folder`` without wall-clock fields."""
    with tempfile.TemporaryDirectory() as name:
        records, board = Path(name) / "records", Path(name) / "board"
        records.mkdir()
        for path in folder.glob("*.json"):
            content = {**json.loads(path.read_text()), **WALL_CLOCK}
            (records / path.name).write_text(json.dumps(content))
        command = [sys.executable, "-m", "rbench", "leaderboard", str(records)]
        subprocess.run([*command, "--output", str(board)], check=True, capture_output=True)
        files = {str(p.relative_to(board)): p.read_bytes() for p in board.rglob("*") if p.is_file()}
        assert files
        return files


def children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def forkservers(pid: int) -> list[int]:
    """The process that a sweep forks its workers from."""
    found = []
    for child in children(pid):
        with contextlib.suppress(OSError):
            if b"multiprocessing.forkserver" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def workers(pid: int) -> list[int]:
    """The processes of a sweep that execute runs."""
    return [worker for forkserver in forkservers(pid) for worker in children(forkserver)]


def send(pid: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)


def kill_in_a_write(output: Path, sweep: subprocess.Popen[bytes]) -> bool:
    """Stop all workers again and again until one has a temporary file open; kill them there."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and sweep.poll() is None:
        time.sleep(0.02)
        found = workers(sweep.pid)
        for pid in found:
            send(pid, signal.SIGSTOP)
        caught = [pid for pid in found if has_temporary(pid, output)]
        for pid in caught:
            send(pid, signal.SIGKILL)
        for pid in found:
            send(pid, signal.SIGCONT)
        if caught:
            return True
    return False


def has_temporary(pid: int, output: Path) -> bool:
    """Whether a process has a file of a checkpoint, record or lock open that has no name yet."""
    try:
        targets = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
    except OSError:
        return False
    return any(t.startswith(f"{output}/") and Path(t).name.startswith(".") for t in targets)


def fill(disk: Path) -> bool:
    """Leave no byte on the disk for two seconds, if it is one of our own."""
    if not disk.is_mount():
        return False
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(1 << 16))
            file.flush()
    time.sleep(2)
    ballast.unlink()
    return True


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=40, help="rounded up to what the grid gives")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=60, help="then no more kills")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    models = MODELS if options.runs >= 8 else MODELS[:1]
    seeds = -(-options.runs // (2 * len(models)))
    runs = seeds * 2 * len(models)
    work = Path(tempfile.mkdtemp(prefix="rbench-chaos-"))
    disk = work / "disk"
    disk.mkdir()
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(disk)], capture_output=True
    ).returncode
    problems: list[str] = []
    try:
        suite = work / "suite.toml"
        suite.write_text(SUITE.format(seeds=seeds, models=json.dumps(models)))
        chaos = Chaos(suite, runs, options.slots, options.seed)
        alone = chaos.undisturbed(work / "undisturbed")
        begun, rounds = time.monotonic(), 0
        kinds = itertools.cycle(KINDS)
        chaos.deadline = begun + 60 * options.minutes
        while chaos.kills.total() < options.kills and time.monotonic() < chaos.deadline:
            rounds += 1
            output = disk / f"round-{rounds}"
            left = options.kills - chaos.kills.total()
            wrong = chaos.disturbed(output, left, kinds)
            wrong += compare(output, work / "undisturbed", runs)
            problems += [f"round {rounds}: {text}" for text in wrong]
            print(f"round {rounds}: {dict(chaos.kills)} so far, {wrong or 'all holds'}", flush=True)
        summary = {
            "runs": runs,
            "rounds": rounds,
            "kills": chaos.kills.total(),
            "kinds": dict(chaos.kills),
            "sweeps by exit code": {str(k): v for k, v in chaos.endings.items()},
            "full disk tried": mounted,
            "seconds": round(time.monotonic() - begun, 1),
            "seconds of the undisturbed sweep": round(alone, 1),
            "problems": problems,
        }
        print(json.dumps(summary, indent=1))
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(disk)])
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
