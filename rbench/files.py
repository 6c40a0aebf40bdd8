"""Files that are written whole or not at all, and the folder for what can be made again."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from rbench.errors import UserError


def cache_folder() -> Path:
    """Where rbench keeps what it can make again: ``RBENCH_CACHE``, or the user's cache folder.

    On Linux that is ``~/.cache/rbench``. The folder need not exist.
    """
    named = os.environ.get("RBENCH_CACHE")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("rbench", appauthor=False)


def user_path(text: str) -> Path:
    """A path that the user typed, ``~`` expanded; UserError where there is no such user."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{text}: there is no such user, or the user has no home folder") from error


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write ``content`` so that ``path`` holds either what it held or all of it; text as UTF-8.

    Missing parent folders are created. UserError if the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in an existing folder atomically and durably. OSError if that fails.

    Its permissions are those of a new file under the user's umask, since folders may be shared.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:160]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        share(Path(temporary))
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def share(path: Path) -> None:
    """Give a file the permissions of a new one; temporary files are private at first."""
    os.chmod(path, 0o666 & ~_umask())


@cache
def _umask() -> int:
    """This process's umask, which can only be read by setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
