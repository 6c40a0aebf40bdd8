"""The locks of rbench against filelock's SoftFileLease, on a folder of your choice.

    python benchmarks/lock_takeover.py /mnt/shared    # such as an NFS mount
    bindfs /tmp/a /tmp/b && python benchmarks/lock_takeover.py /tmp/b   # a FUSE file system

A process takes a lock and dies without releasing it. How long until another process has it? And
what happens to a lock's folder that has vanished: is it created anew? Both leases are two seconds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LEASE = 2.0
DIE = """
import os, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from benchmarks.lock_takeover import {kind}
lock = {kind}(Path(sys.argv[1]), 1.0)
assert lock
os._exit(9)
"""


def rbench_lock(folder: Path, seconds: float) -> Any:
    """The lock of rbench, or None if it was not acquired in so many seconds."""
    from rbench.records.store import Store
    from rbench.sweep.locks import RunLocks

    locks = RunLocks(Store(folder), LEASE)
    if not folder.with_suffix(".away").exists():
        locks.prepare()
    deadline = time.monotonic() + seconds
    while (lock := locks.acquire("run")) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return lock


def filelock_lease(folder: Path, seconds: float) -> Any:
    """The lease of filelock, or None if it was not acquired in so many seconds."""
    from filelock import SoftFileLease, Timeout

    lease = SoftFileLease(folder / ".leases" / "run", lease_duration=LEASE)
    try:
        lease.acquire(timeout=seconds)
    except Timeout:
        return None
    return lease


def try_out(kind: str, parent: Path, seconds: float) -> dict[str, Any]:
    """What one kind of lock does in a new folder of ``parent``."""
    take = globals()[kind]
    folder = Path(tempfile.mkdtemp(dir=parent))
    away = folder.with_suffix(".away")
    root = str(Path(__file__).parents[1])
    try:
        command = [sys.executable, "-c", DIE.format(kind=kind), str(folder), root]
        dead = subprocess.run(command, capture_output=True, text=True)
        assert dead.returncode == 9, dead.stderr
        begun = time.monotonic()
        lock = take(folder, seconds)
        taken = round(time.monotonic() - begun, 3)
        if lock is not None:
            lock.release()
        folder.rename(away)
        try:
            again = take(folder, 0.2)
            refused = "no" if again is not None else "not acquired"
        except OSError as error:
            refused = error.strerror or str(error)
        return {
            "seconds until the lock of a dead owner was taken over": taken if lock else None,
            "a vanished folder is refused": refused,
            "a vanished folder was created anew": folder.exists(),
        }
    finally:
        for path in (folder, away):
            shutil.rmtree(path, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(tempfile.gettempdir()))
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="then a takeover counts as never"
    )
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1]))
    kinds = ("rbench_lock", "filelock_lease")
    print(json.dumps({k: try_out(k, options.folder, options.seconds) for k in kinds}, indent=1))


if __name__ == "__main__":
    main()
