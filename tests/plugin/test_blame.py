from __future__ import annotations

from rbench.plugin.blame import failure_of


def test_a_message_of_several_lines_becomes_one() -> None:
    failure = failure_of(ValueError("no compiler\n\n  Set CXX\t(or not)\n"))
    assert failure.message == "no compiler Set CXX (or not)"
    assert "no compiler\n" in failure.traceback
