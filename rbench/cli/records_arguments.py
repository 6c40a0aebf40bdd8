"""Records as every command takes them: folders, or files, in place of an option."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from rbench.errors import UserError

DEFAULT = Path("results")


def old_records_option(command: str) -> Any:
    """The option ``--records`` of earlier versions: it answers with what to type instead."""

    def refuse(value: str | None) -> None:
        if value is not None:
            raise UserError(f"records are arguments now: rbench {command} {value}")

    return typer.Option("--records", hidden=True, callback=refuse)


def name_and_folders(words: Sequence[str] | None) -> tuple[str | None, list[Path]]:
    """``[SUITE] [RECORDS ...]``: a first word that is not a folder names a suite or a paper."""
    given = list(words or [])
    name = given.pop(0) if given and not Path(given[0]).is_dir() else None
    return name, [Path(word) for word in given] or [DEFAULT]
