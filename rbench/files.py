"""Files that are written whole or not at all, and the folder for what can be made again."""

from __future__ import annotations

import os
import tempfile
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


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write ``content`` so that ``path`` holds either what it held or all of it; text as UTF-8."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:160]}.", dir=path.parent)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UserError(f"cannot write {path}: {error.strerror}") from error
        raise
