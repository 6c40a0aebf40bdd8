"""The layout of a results folder, which other tests and users rely on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rbench.errors import UserError
from rbench.files import write_atomically
from rbench.records.store import Store

ROOT = Path(__file__).parents[2] / "rbench"


def test_the_layout(tmp_path: Path) -> None:
    store = Store(tmp_path)
    slug = "vgg1.0-none-digits-s0-0123456789"
    relative = [
        str(path.relative_to(tmp_path))
        for path in (
            store.record(slug),
            store.other_record(slug, "failed"),
            store.weights(slug),
            store.unfinished(slug),
            store.checkpoints(slug),
            store.log(slug),
            store.locks,
        )
    ]
    assert relative == [
        f"{slug}.json",
        f"{slug}.failed.json",
        f"{slug}/weights.safetensors",
        f".unfinished/{slug}",
        f".checkpoints/{slug}",
        f".logs/{slug}.log",
        ".locks",
    ]


def test_nobody_else_spells_its_paths() -> None:
    for path in ROOT.rglob("*.py"):
        if path.name != "store.py":
            text = path.read_text(encoding="utf-8")
            code = "\n".join(line for line in text.splitlines() if '"""' not in line)
            for name in ('".checkpoints', '".logs', '".locks', '".slurm', '".unfinished'):
                assert name not in code, f"{path} spells {name}"


def test_leftovers_of_a_process_that_died_after_its_record(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for slug in ("done", "other"):
        (store.checkpoints(slug) / "0").mkdir(parents=True)
        (store.checkpoints(slug) / "0" / "step-00000001.facts").touch()
        write_atomically(store.log(slug), "printed")
    store.discard_leftovers(["done", "absent"])
    assert [path.name for path in store.checkpoint_files()] == ["step-00000001.facts"]
    assert not store.log("done").exists()
    assert store.log("other").exists()
    store.discard_leftovers(["other"])
    assert not (tmp_path / ".checkpoints").exists()


def test_only_records_are_listed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("a.json", ".b.json.x1", "c.txt"):
        (tmp_path / name).touch()
    assert [entry.name for entry in store.record_files()] == ["a.json"]
    assert list(Store(tmp_path / "absent").record_files()) == []


def test_a_folder_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to --output .*file"):
        Store(tmp_path / "file" / "results").check_writable()
    Store(tmp_path / "new").check_writable()
    assert list((tmp_path / "new").iterdir()) == []


def test_files_have_the_permissions_of_the_users_umask(tmp_path: Path) -> None:
    """Folders may be shared by a group; checkpoints and records alike."""
    umask = os.umask(0)
    os.umask(umask)
    write_atomically(tmp_path / "record.json", "{}")
    assert (tmp_path / "record.json").stat().st_mode & 0o777 == 0o666 & ~umask


def test_saved_weights_can_be_read_by_the_group_too(tmp_path: Path) -> None:
    import rbench

    umask = os.umask(0)
    os.umask(umask)
    made = rbench.run(
        "test_resnet",
        dataset="digits",
        device="cpu",
        task_kwargs={"train": False},
        metrics=("top1",),
        save_weights=True,
        output=tmp_path,
    )
    (weights,) = tmp_path.glob("*/weights.safetensors")
    assert weights.parent.name == next(tmp_path.glob("*.json")).name.removesuffix(".json")
    assert weights.stat().st_mode & 0o777 == 0o666 & ~umask
    assert made[0].status == "done"


def test_a_run_is_found_by_the_digest_that_ends_its_name(tmp_path: Path) -> None:
    old, new = "resnet18-none-digits-s0-0123456789", "resnet18-lr_0.1-digits-s0-0123456789"
    other = "resnet18-none-digits-s0-9876543210"
    assert Store(tmp_path).name(new) == new
    for part in (f"{old}.json", f".checkpoints/{old}/0", f".locks/{old}.2"):
        folder = tmp_path / part.split("/")[0]
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part).touch()
        store = Store(tmp_path)
        assert (store.name(new), store.name(old), store.name(other)) == (old, old, other)
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    for name in (old, new):
        (tmp_path / f"{name}.json").touch()
    assert (Store(tmp_path).name(new), Store(tmp_path).name(old)) == (new, old)
    assert Store(tmp_path).name("any-name") == "any-name"
