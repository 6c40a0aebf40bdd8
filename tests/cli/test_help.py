"""Help pages, versions, completion, and what an unknown flag is answered with."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import Rbench

PANELS = ("Network", "Freezing", "Data", "Training", "Measuring", "Seed and machine", "Output")


def test_the_flags_of_a_run_stand_in_panels_with_whole_names(rbench: Rbench) -> None:
    from rbench import RunSpec
    from rbench.plugin.options import NO_FLAG
    from rbench.spec.run_settings import RunSettings

    text = rbench("run", "-h").stdout
    places = [text.index(f"\n{panel}:\n") for panel in PANELS]
    assert places == sorted(places)
    for model in (RunSpec, RunSettings):
        for name, info in model.model_fields.items():
            flag = f"--{name.replace('_', '-')}"
            assert (f"{flag} " in text) == (NO_FLAG not in info.metadata), name


def test_choices_are_written_or_said_where_to_find(rbench: Rbench) -> None:
    text = " ".join(rbench("run", "--help").stdout.split())
    for kind in ("models", "initializers", "datasets", "tasks", "recipes", "metrics"):
        assert f"(see: rbench list {kind})" in text
    assert "--sched cosine|multistep|step|poly|tanh|none" in text
    assert "(default: classification)" in text


def test_the_examples_of_the_help_are_valid(
    rbench: Rbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every example parses and resolves; the one with a folder fails for the folder alone."""
    import shlex

    from rbench.cli.run import EPILOG

    monkeypatch.setattr("rbench.api.run_seeds", lambda *_: [])
    lines = [line.strip() for line in EPILOG.splitlines() if line.startswith("  rbench ")]
    assert len(lines) == 4
    for line in lines:
        done = rbench(*shlex.split(line)[1:])
        assert done.returncode == 0 or "pets" in done.stderr, (line, done)


def test_version(rbench: Rbench) -> None:
    import rbench as package

    done = rbench("--version")
    assert (done.returncode, done.stdout) == (0, f"rbench {package.__version__}\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("rbench run --model resnet18d", "resnet18d"),
        ("rbench run --metrics fgs", "fgsm"),
        ("rbench run --recipe low", "lowres"),
        ("rbench show met", "metrics"),
        ("rbench show metric fgs", "fgsm"),
        ("rbench sweep p2_fig4", "p2_fig4"),
    ],
)
def test_names_are_completed_without_torch(typed: str, offered: str) -> None:
    program = (
        "import sys; sys.argv = ['rbench']\n"
        "from rbench.cli import main\n"
        "try:\n    main()\nfinally:\n    assert 'torch' not in sys.modules"
    )
    words = typed.split()
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={
            "_RBENCH_COMPLETE": "complete_bash",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(words) - 1),
            "PATH": "",
        },
    )
    assert offered in done.stdout.split(), done
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("run", "--epoch", "3"), "no such option: --epoch; did you mean --epochs"),
        (("run", "--style", "a.jpg"), "dataset content_style: --dataset-kwargs style=..."),
        (("run", "--expansion", "8"), "--model-kwargs expansion=..."),
        (("run", "--deltas", "8"), "--metric-kwargs theory.deltas=..."),
        (("list", "--jsn"), "no such option: --jsn; did you mean --json"),
    ],
)
def test_an_unknown_flag_is_answered_with_the_right_one(
    rbench: Rbench, words: tuple[str, ...], answer: str
) -> None:
    done = rbench(*words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert answer in done.stderr


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """A command line in bash, where ``rbench`` is this environment's."""
    line = f'rbench() {{ "{sys.executable}" -m rbench "$@"; }}; set -o pipefail; {command}'
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_closed_pipe_is_no_failure() -> None:
    done = shell("rbench list models | head -1")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_full_disk_under_the_output_is_one_line() -> None:
    done = shell("rbench list models > /dev/full")
    assert done.returncode == 1
    assert done.stderr == "rbench: cannot write the output: No space left on device\n"


@pytest.mark.slow
@pytest.mark.parametrize("words", ["list", "show suite p2_fig4", "run -h", "--help"])
def test_a_terminal_without_unicode(words: str) -> None:
    done = shell(f"PYTHONIOENCODING=latin-1 rbench {words} > /dev/null")
    assert (done.returncode, done.stderr) == (0, "")
