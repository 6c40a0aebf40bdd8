"""Turns the forkserver of :mod:`multiprocessing` into the parent of workers.

That forkserver imports this module before it forks anything (``set_forkserver_preload``), so that
importing it is what has the effect; nothing else imports it. The forkserver computes nothing, so
it has no threads that a fork would miss. It ignores the signals that ask a job to end: workers
may need time to save, and they die with it. It dies with its own parent, also while it imports.
"""

from __future__ import annotations

import os
import signal

from rbench.sweep.process_death import die_with

PID = os.getpid()
"""The forkserver's own number; a worker compares it to tell that it is a fork."""

die_with(os.getppid())
for _signal in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(_signal, signal.SIG_IGN)

from rbench.sweep import preload  # noqa: E402 (after the signals are ignored)

FORK_SAFE = preload.FORK_SAFE
