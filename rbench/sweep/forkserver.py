"""The process that workers are forked from: it has imported everything once and computes nothing.

``python -m rbench.sweep.forkserver FD`` is started by the local executor, on Linux and for cells
on the CPU. FD is a socket. ``fork``, which brings three descriptors, is answered by the number of
a new worker that has these as standard input, output and error; ``poll PID`` by the exit code of a
worker, or null while it runs. A worker stays a zombie until somebody asks, so that its number
cannot become another process's. All of them die with the zygote, and it dies with its parent.

A fork takes over no thread but its own. So nothing is computed here (torch would start its
threads), and where importing plugins has started a thread, workers are started from scratch.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress

from rbench.plugin.catalog import Catalog
from rbench.sweep import worker


def main() -> None:
    """Serve until the other end of the socket is closed; in a forked worker, be that."""
    me = os.getpid()
    worker.die_with(os.getppid())
    # They are for the workers, which may need their time, and die with this process.
    for wish in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(wish, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    count, safe, catalog = preload()
    spawned: dict[int, subprocess.Popen[bytes]] = {}
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 64, 3)
        if not message:
            return
        word, _, number = message.decode().partition(" ")
        if word == "poll":
            process = spawned.get(int(number))
            code = process.poll() if process else reap(int(number))
            control.sendall(json.dumps(code).encode())
            continue
        if safe:
            pid = os.fork()
            if pid == 0:
                control.close()
                become(descriptors, count)
                break
        else:
            process = spawn(descriptors)
            pid = process.pid
            spawned[pid] = process
        for descriptor in descriptors:
            os.close(descriptor)
        control.sendall(json.dumps(pid).encode())
    work(catalog, me)


def work(catalog: Catalog, zygote: int) -> None:
    """Be a worker to the end, and end the process."""
    code = 1
    try:
        worker.main(catalog, parent=zygote)
        code = 0
    except SystemExit as wish:
        code = wish.code if isinstance(wish.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    if not multiprocessing.active_children():
        # To take the interpreter down would be to copy all pages that it shares.
        os._exit(code)
    sys.exit(code)


def preload() -> tuple[int, bool, Catalog]:
    """Import what every cell needs.

    Returns how many threads torch shall use, whether a fork is safe, and the catalogue.
    """
    import timm
    import torch

    import rbench.runner.execute

    assert timm
    assert rbench.runner.execute
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    # numpy's BLAS has threads of its own, and stops them for the moment of a fork.
    before = threads()
    catalog = Catalog.from_environment()
    safe = threads() == before and not torch.cuda.is_initialized()
    # What is here stays: keep the garbage collector, and so the writing to pages, off it.
    gc.collect()
    gc.freeze()
    return count, safe, catalog


def threads() -> int:
    """How many threads this process has, Python's and others."""
    return len(os.listdir("/proc/self/task"))


def become(descriptors: list[int], count: int) -> None:
    """Turn this fork into a worker with those descriptors."""
    os.setsid()
    for standard, descriptor in enumerate(descriptors):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    import torch

    torch.set_num_threads(count)


def spawn(descriptors: list[int]) -> subprocess.Popen[bytes]:
    """A worker that is no fork."""
    given, events, printed = descriptors
    return subprocess.Popen(
        [sys.executable, "-m", "rbench.sweep.worker"],
        stdin=given,
        stdout=events,
        stderr=printed,
        start_new_session=True,
    )


def reap(pid: int) -> int | None:
    """The exit code of a fork, as subprocess counts; None while it runs."""
    with suppress(ChildProcessError):
        ended, status = os.waitpid(pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if ended else None
    return -1


if __name__ == "__main__":
    main()
