"""Publishing: a branch on a real git remote; the Hub in its offline mode. Nothing without --yes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import rbench
from rbench.records.record import to_json
from rbench.report.publish import upload
from tests.conftest import Rbench
from tests.helpers.synthetic_records import record

ROOT = Path(__file__).parents[2]


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository with leaderboards, and a bare remote."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "A")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@example.org")
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(tmp_path, "init", "-q", "-b", "main", "checkout")
    folder = tmp_path / "checkout"
    (folder / "leaderboards" / "records").mkdir(parents=True)
    (folder / "leaderboards" / "records" / "README").write_text("records\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "start")
    git(folder, "remote", "add", "origin", str(tmp_path / "remote.git"))
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "results"
    rbench.run(model="test_resnet", img_size=32, epochs=2, metrics=["top1"], output=str(folder))
    return folder


@pytest.fixture
def records(tmp_path: Path) -> Path:
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / "one.json").write_text(to_json(record("one")))
    return folder


@pytest.mark.slow
def test_a_branch_reaches_the_remote_and_the_checkout_stays_as_it_was(
    rbench: Rbench, checkout: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    words = ("publish", str(results), "--repository", str(checkout), "--branch", "rows")
    planned = rbench(*words)
    assert planned.returncode == 0, planned.stderr
    assert "git push -q -u origin rows" in planned.stdout
    assert "nothing was sent" in planned.stdout
    assert git(checkout, "branch", "--list", "rows") == ""

    done = rbench(*words, "--yes")
    assert done.returncode == 0, done.stderr
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "branch", "--show-current") == "main"
    sent = git(checkout, "ls-tree", "-r", "--name-only", "origin/rows").splitlines()
    assert any(name.startswith("leaderboards/records/") and ".json" in name for name in sent)
    assert "leaderboards/index.html" in sent
    assert [path.name for path in checkout.parent.glob("checkout-*")] == []

    again = rbench(*words, "--yes")
    assert again.returncode == 2
    assert "--branch rows exists" in again.stderr


@pytest.mark.slow
def test_a_refused_push_is_one_line_and_leaves_no_worktree(
    rbench: Rbench, checkout: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    git(checkout, "remote", "set-url", "origin", str(checkout.parent / "nowhere.git"))
    done = rbench(
        "publish", str(results), "--repository", str(checkout), "--branch", "rows", "--yes"
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "git failed" in done.stderr
    assert [path.name for path in checkout.parent.glob("checkout-*")] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--branch NAME, or --hub user/name"),
        (["--pull-request", "--hub", "a/b"], "--pull-request needs --branch"),
        (["--branch", "x", "--repository", "/"], "is not a checkout of rbench"),
        (["--hub", "no-slash"], "write user/name"),
    ],
)
def test_bad_input_is_one_line(words: list[str], said: str, rbench: Rbench, records: Path) -> None:
    done = rbench("publish", str(records), *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_hub_gets_nothing_without_yes_and_says_when_it_is_off(records: Path) -> None:
    names = upload(records, "user/records", "dataset", dry_run=True)
    assert any(name.endswith(".json") for name in names)
    script = (
        "import sys; from pathlib import Path; from rbench.report.publish import upload\n"
        "from rbench.errors import UserError\n"
        "try: upload(Path(sys.argv[1]), 'user/records', 'dataset', dry_run=False)\n"
        "except UserError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(records)],
        env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "HF_HUB_OFFLINE is set" in done.stdout
