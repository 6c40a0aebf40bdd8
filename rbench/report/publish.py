"""Publish records: a branch with a pull request, or a dataset repository on the Hugging Face Hub.

Nothing is sent anywhere before the caller says so: :func:`branch_plan` lists the commands that
:func:`carry_out` executes, and :func:`upload` does nothing but list with ``dry_run``.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rbench.errors import UserError, printable


@dataclass(frozen=True)
class Command:
    """A program with its arguments, and the folder in which it runs."""

    words: tuple[str, ...]
    folder: Path

    def __str__(self) -> str:
        return shlex.join(self.words)


def branch_plan(
    records: Sequence[Path], repository: Path, branch: str, remote: str, pull_request: bool
) -> list[Command]:
    """What puts ``records`` on a new branch of ``repository``, rbench's checkout, and pushes it.

    The branch is made in a worktree of its own beside the repository, so that its files stay as
    they are. With ``pull_request`` GitHub's ``gh`` opens one. UserError where ``repository`` is
    not a checkout with leaderboards, the branch exists, or ``gh`` is missing.
    """
    if not (repository / ".git").exists() or not (repository / "leaderboards").is_dir():
        raise UserError(f"--repository {repository} is not a checkout of rbench")
    if _git(repository, "rev-parse", "--verify", "-q", f"refs/heads/{branch}") is not None:
        raise UserError(f"--branch {branch} exists in {repository} already; name another")
    if _git(repository, "remote", "get-url", remote) is None:
        raise UserError(f"--remote {remote}: {repository} has no remote of that name")
    if pull_request and shutil.which("gh") is None:
        raise UserError("--pull-request needs GitHub's command line program gh: cli.github.com")
    place = repository.resolve().parent / f"{repository.resolve().name}-{branch.replace('/', '-')}"
    rbench = (sys.executable, "-m", "rbench")
    where = "leaderboards/records"
    message = f"Records: {', '.join(path.name for path in records)}"
    files = [str(path.resolve()) for path in records]
    commands = [
        Command(("git", "worktree", "add", "-q", "-b", branch, str(place)), repository),
        Command((*rbench, "submit", *files), place),
        Command((*rbench, "leaderboard", where, "--output", "leaderboards"), place),
        Command(("git", "add", "leaderboards"), place),
        Command(("git", "commit", "-q", "-m", message), place),
        Command(("git", "push", "-q", "-u", remote, branch), place),
    ]
    if pull_request:
        commands.append(Command(("gh", "pr", "create", "--fill", "--head", branch), place))
    return [*commands, Command(("git", "worktree", "remove", "--force", str(place)), repository)]


def carry_out(commands: Iterable[Command], say: Callable[[str], None]) -> None:
    """Execute ``commands`` in order; UserError with the program's own words at the first failure.

    Where one fails, the worktree that the first command made is removed again.
    """
    commands = list(commands)
    for number, command in enumerate(commands):
        say(str(command))
        done = subprocess.run(command.words, cwd=command.folder, capture_output=True, text=True)
        if done.returncode:
            if 0 < number < len(commands) - 1:
                last = commands[-1]
                subprocess.run(last.words, cwd=last.folder, capture_output=True, check=False)
            lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
            raise UserError(f"{command.words[0]} failed: {printable(lines[-1], 300)}")


def upload(folder: Path, repository: str, kind: str, dry_run: bool) -> list[str]:
    """Upload the files of ``folder`` to the Hub repository ``user/name``; return their names.

    ``kind`` is ``dataset`` or ``model``. The repository is created where there is none. With
    ``dry_run`` nothing is sent. UserError without a network, a login, or the right to write.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if repository.count("/") != 1 or not all(repository.split("/")):
        raise UserError(f"'{printable(repository)}' is not a repository: write user/name")
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.parts[-3:])
    )
    if not names:
        raise UserError(f"there is nothing to upload in {folder}")
    if dry_run:
        return names
    api = HfApi(library_name="rbench")
    try:
        api.create_repo(repository, repo_type=kind, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            repo_type=kind,
            folder_path=folder,
            allow_patterns=names,
            commit_message="rbench records" if kind == "dataset" else "rbench export",
        )
    except OfflineModeIsEnabled as error:
        raise UserError(f"the Hub is off: HF_HUB_OFFLINE is set; {repository} not sent") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        first = printable(str(error).strip().splitlines()[0] if str(error) else repr(error), 200)
        raise UserError(f"the Hub did not take {repository}: {first} (hf auth login)") from error
    return names


def _git(folder: Path, *words: str) -> str | None:
    """What git says, or None where it fails."""
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
