"""Digests of files' contents and their cache."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from rbench import FoundFile, UserError, cache_folder, content_digests, content_revision
from rbench.plugin import contents

OLD = 1_600_000_000


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(contents, "RACY_NS", -(10**18))  # the files of a test are all new
    return tmp_path / "cache"


def make(folder: Path, **texts: str) -> list[FoundFile]:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
        os.utime(folder / name, (OLD, OLD))
    return listed(folder)


def listed(folder: Path) -> list[FoundFile]:
    return [FoundFile.of(str(path), path.stat()) for path in sorted(folder.iterdir())]


def expected(folder: Path) -> list[bytes]:
    return [hashlib.sha256(path.read_bytes()).digest() for path in sorted(folder.iterdir())]


def test_the_digests_are_those_of_the_contents(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    files = make(folder, a="one", b="", c="x" * (2 << 20))
    for _ in range(2):
        assert content_digests(folder, files) == expected(folder)
    assert content_digests(folder, files[1:]) == expected(folder)[1:]
    lines = b"\n".join(b"n" + digest for digest in expected(folder)[:0])
    assert content_revision([], []) == f"sha256:{hashlib.sha256(lines).hexdigest()[:32]}"


def test_an_unchanged_file_is_not_read_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    files = make(folder, a="one", b="two")
    content_digests(folder, files)
    read: list[str] = []
    original = contents._hash

    def counted(file: FoundFile) -> tuple[bytes, bool]:
        read.append(Path(file.path).name)
        return original(file)

    monkeypatch.setattr(contents, "_hash", counted)
    assert content_digests(folder, files) == expected(folder)
    assert read == []
    # One file changes, keeping its size and modification time; one is new.
    files = make(folder, b="TWO", c="new")
    assert content_digests(folder, files) == expected(folder)
    assert read == ["b", "c"]


def test_a_file_that_was_just_written_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writes within the resolution of the time stamps have the same stamp."""
    monkeypatch.setenv("RBENCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    files = make(folder, a="one")
    first = content_digests(folder, files)
    (folder / "a").write_text("two")
    same_stamp = files  # as if the file system's clock had not moved on
    assert content_digests(folder, same_stamp) == expected(folder) != first


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\x93\x90\x90\xc4\x00", b"\x93\x91\xc4\x00"])
def test_a_damaged_cache_is_made_again(cache: Path, tmp_path: Path, damage: bytes) -> None:
    folder = tmp_path / "data"
    files = make(folder, a="one")
    content_digests(folder, files)
    (place,) = (cache / "contents").iterdir()
    whole = place.read_bytes()
    place.write_bytes(damage)
    assert content_digests(folder, files) == expected(folder)
    assert place.read_bytes() == whole


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("RBENCH_CACHE", str(tmp_path / "file" / "cache"))
    folder = tmp_path / "data"
    assert content_digests(folder, make(folder, a="one")) == expected(folder)


def test_an_unreadable_file(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    files = make(folder, a="one", b="two")
    (folder / "a").unlink()
    with pytest.raises(UserError, match=r"cannot read .*data/a: No such file"):
        content_digests(folder, files)
    assert content_digests(folder, files, skip_bad=True) == [contents.UNREADABLE, *expected(folder)]


def test_several_threads_at_once(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    files = make(folder, **{f"f{index}": str(index) for index in range(300)})
    wanted, found = expected(folder), []
    threads = [
        threading.Thread(target=lambda: found.append(content_digests(folder, files)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one == [wanted[files.index(f)] for f in files] for one in found] == [True] * 4
    assert len(list((cache / "contents").iterdir())) == 1


def test_many_files_are_known_again_at_once(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    files = make(folder, **{f"f{index}": str(index) for index in range(3000)})
    content_digests(folder, files)
    start = time.process_time()
    content_digests(folder, files)
    assert time.process_time() - start < 0.5


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RBENCH_CACHE", "~/somewhere")
    assert cache_folder() == Path.home() / "somewhere"
    monkeypatch.delenv("RBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder().name == "rbench"


def test_options_that_are_paths_count_by_contents(tmp_path: Path) -> None:
    from pydantic import Field

    from rbench import Options
    from rbench.spec.chosen import options_identity

    class Files(Options):
        folder: Path | None = Field(None)
        steps: int = 3

    def identity(path: Path | None) -> dict[str, object]:
        return options_identity(Files(folder=path), "metric mine")

    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "a.npy").write_bytes(b"1234")
    assert identity(None) == {"folder": None, "steps": 3}
    assert identity(one) == identity(other)
    assert str(tmp_path) not in str(identity(one))
    file = identity(one / "inner" / "a.npy")
    assert file == identity(other / "inner" / "a.npy")
    (other / "inner" / "a.npy").write_bytes(b"4321")
    assert identity(one) != identity(other)
    assert file != identity(other / "inner" / "a.npy")
    with pytest.raises(UserError, match=r"metric mine: folder=.* cannot be read: No such file"):
        identity(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is an empty folder"):
        identity(tmp_path / "empty")


def test_no_option_of_a_built_in_component_is_a_path_in_disguise() -> None:
    """A field that may name a file is a ``Path``, so that its contents are looked at."""
    from rbench.plugin.catalog import Catalog
    from rbench.plugin.components import KINDS, DatasetFamily

    catalog = Catalog.from_environment()
    for kind in KINDS:
        for found in catalog.components(kind):
            if kind == "dataset" or isinstance(found, DatasetFamily):
                continue  # whose identity() reads the files
            component: Any = found
            if hasattr(found, "member"):
                component = found.member(next(iter(found.names())))
            for name, field in component.options.model_fields.items():
                said = (field.description or "").lower()
                if any(word in said for word in ("file", "folder", "safetensors")):
                    assert "Path" in str(field.annotation), f"{component.name}: {name}"
