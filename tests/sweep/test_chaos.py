from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import faulty_plugin

CHAOS = Path(__file__).parents[2] / "benchmarks" / "chaos.py"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_ten_kills_leave_no_trace() -> None:
    """The short form of benchmarks/chaos.py; see there what it holds."""
    command = [sys.executable, str(CHAOS), "--runs", "6", "--kills", "10", "--slots", "1"]
    done = subprocess.run(command, capture_output=True, text=True, env=faulty_plugin.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout[done.stdout.index("{\n") :])
    assert summary["kills"] == 10
    assert summary["problems"] == []
