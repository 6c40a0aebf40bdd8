"""Declarations that packages ship: recipes, suites and what papers report, as TOML files.

A package takes part by naming itself under the entry-point group ``rbench.registry``; its
folders ``recipes/``, ``suites/``, ``papers/`` and ``data/`` are read. Nothing in it is executed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from rbench.errors import UnknownName, UserError, printable, suggest
from rbench.plugin.recipe import Training

GROUP = "rbench.registry"
Table = dict[str, Any]


def names(folder: str) -> list[str]:
    """The names of all declarations in ``folder``, sorted."""
    return sorted(name for name, _ in _files(folder))


def read(folder: str, name: str) -> Table:
    """The declaration ``name`` of ``folder``; UnknownName where there is none."""
    for found, file in _files(folder):
        if found == name:
            return parse(file.read_text(encoding="utf-8"), f"{folder}/{name}.toml")
    raise UnknownName(folder.removesuffix("s"), name, names(folder))


def read_file(path: Path) -> Table:
    """A declaration from a file of the user's."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"cannot read {path}: it is not UTF-8 text") from error
    return parse(text, str(path))


def find(folder: str, name_or_path: str) -> Table:
    """A declaration by its registered name, or from a ``.toml`` file where a path is given."""
    if name_or_path.endswith(".toml"):
        return {"name": Path(name_or_path).stem, **read_file(Path(name_or_path))}
    return {"name": name_or_path, **read(folder, name_or_path)}


def recipe_fields(table: Table) -> Table:
    """The training fields of a recipe: at the top, as in a run file, or in a table ``training``.

    UserError names the recipe and the key where there is another.
    """
    fields = {key: value for key, value in table.items() if key in Training.model_fields}
    known = ("name", "summary", "training", *fields)
    for key in table:
        if key not in known:
            more = suggest(key, [*Training.model_fields, "summary"])
            raise UserError(f"recipe {table['name']}: unknown field '{printable(key)}'{more}")
    inner = table.get("training", {})
    if not isinstance(inner, dict):
        raise UserError(f"recipe {table['name']}: training is not a table")
    return fields | inner


def parse(text: str, where: str) -> Table:
    """TOML, or one line that says what is wrong with it."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{where} is not valid TOML: {printable(error)}") from error


@cache
def known_data() -> dict[str, str]:
    """The names of known datasets by their contents.

    A file of ``data/`` holds a ``summary`` and ``contents``, as records give them under
    ``data.revision`` and under ``resolved.dataset.content``.
    """
    return {
        str(revision): name
        for name in names("data")
        for revision in read("data", name).get("contents", ())
    }


def known_name(dataset: Mapping[str, Any]) -> str | None:
    """The name of a record's images (``resolved.dataset``) where their contents are known."""
    return known_data().get(str(dataset.get("content") or ""))


def recorded_content(dataset: str, content: str) -> str:
    """The form in which records of ``dataset`` name ``content``.

    Records that were made while folders of images were identified by names and sizes stay
    comparable with new ones where the contents behind them are known: a file of ``data/`` then
    has a table ``recorded_as`` with, by dataset, what those records hold. Whoever asks has made
    sure of the contents, so that another folder with the same names and sizes is another one.
    """
    return _recorded().get((dataset, content), content)


def unlike(name: str, dataset: str) -> str:
    """Why results on the known images ``name`` cannot equal those on ``dataset``, or nothing.

    The images' file of ``data/`` has a table ``unlike`` with a reason for each such dataset.
    """
    return str(read("data", name).get("unlike", {}).get(dataset, ""))


Moments = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation by channel, of values in [0, 1]."""


def known_moments(content: str, in_chans: int, img_size: tuple[int, int]) -> Moments | None:
    """Those of a known dataset's training images in this form, if its file of ``data/`` has them.

    There they are a table ``moments."3x32x32"`` (channels, height, width) with ``mean`` and
    ``std``. A run on a few images is then normalized as one on all of them.
    """
    name = known_data().get(content)
    if name is None:
        return None
    form = "x".join(map(str, (in_chans, *img_size)))
    table = read("data", name).get("moments", {}).get(form)
    return None if table is None else (tuple(table["mean"]), tuple(table["std"]))


@cache
def recorded_contents() -> frozenset[str]:
    """What :func:`recorded_content` can return for known datasets."""
    return frozenset(_recorded().values())


@cache
def _recorded() -> dict[tuple[str, str], str]:
    tables = [read("data", name) for name in names("data")]
    return {
        (dataset, str(revision)): str(recorded)
        for table in tables
        for revision in table.get("contents", ())
        for dataset, recorded in table.get("recorded_as", {}).items()
    }


@cache
def _packages() -> tuple[str, ...]:
    return tuple(sorted({point.value for point in entry_points(group=GROUP)}))


def _files(folder: str) -> Iterator[tuple[str, Traversable]]:
    for package in _packages():
        try:
            entries = list((files(package) / folder).iterdir())
        except (ModuleNotFoundError, FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            if entry.name.endswith(".toml"):
                yield entry.name.removesuffix(".toml"), entry
