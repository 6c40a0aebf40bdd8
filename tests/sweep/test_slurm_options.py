"""Options of sbatch: where they come from, what wins, and what cannot be one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rbench.errors import UserError
from rbench.sweep.executors.slurm_options import from_table, refusal, slurm_options, user_file


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_the_command_line_wins_over_the_suite_and_the_suite_over_the_file() -> None:
    user_file().write_text(
        '[slurm]\naccount = "file"\nqos = "file"\nnice = 3\nsetup = ["from the file"]\n'
    )
    suite = {"account": "suite", "qos": "suite", "exclusive": True, "setup": ["from the suite"]}
    found = slurm_options({"account": "abc", "nodelist": ["n1", "n2"]}, (), suite)
    assert found.options == {
        "account": "abc",
        "qos": "suite",
        "nice": "3",
        "exclusive": True,
        "nodelist": "n1,n2",
    }
    assert found.setup == ("from the suite",)
    assert slurm_options({}, ["typed"], suite).setup == ("typed",)
    assert "exclusive" not in slurm_options({"exclusive": False}, (), suite).options


def test_without_a_file_nothing_is_read() -> None:
    assert slurm_options({}, (), {}).options == {}


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"time": 30}, "--slurm time: use --job-minutes instead"),
        ({"cpus_per_task": 3}, "--slurm cpus-per-task: use --job-cpus instead"),
        ({"array": "0-3"}, "rbench sets this option of sbatch itself"),
        ({"a b": "c"}, "expected KEY=VALUE"),
        ({"comment": "one\ntwo"}, "expected one line of text"),
        ({"account": ""}, "expected one line of text"),
        ({"setup": 3}, "expected a list of shell commands"),
    ],
)
def test_what_cannot_be_an_option(table: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=text):
        from_table(table, "--slurm")


def test_a_file_that_is_wrong_is_named() -> None:
    user_file().write_text("slurm = 3\n")
    with pytest.raises(UserError, match=r"rbench\.toml: \[slurm\] is not a table"):
        slurm_options({}, (), {})


def test_a_refusal_is_slurms_own_line_with_the_option() -> None:
    """Messages of Slurm 22.05."""
    said = (
        "sbatch: error: Batch job submission failed: Invalid account or account/partition "
        "combination specified"
    )
    options = {"account": "abc", "qos": "long"}
    expected = said.removeprefix("sbatch: error: ") + " (--slurm account=abc)"
    assert refusal(said, options, {"partition": None}) == expected
    both = refusal(said, options, {"partition": "short"})
    assert both.endswith("(--slurm account=abc, --partition short)")
    unknown = (
        "sbatch: unrecognized option '--nonsense=1'\nTry \"sbatch --help\" for more information"
    )
    assert refusal(unknown, {"nonsense": "1"}, {}) == (
        "unrecognized option '--nonsense=1' (--slurm nonsense=1)"
    )
    assert refusal("sbatch: error: Unable to contact slurm controller", options, {}) == (
        "Unable to contact slurm controller"
    )
