"""The generated pages are what the code says, and say all of it."""

from __future__ import annotations

import json
from pathlib import Path

from rbench.plugin.catalog import Catalog
from rbench.plugin.components import KINDS, ArchitectureFamily
from rbench.report.leaderboard.table_csv import COLUMNS
from rbench.report.reference import pages, stale
from tests.conftest import Rbench

ROOT = Path(__file__).parents[2]


def test_the_pages_in_the_repository_are_current() -> None:
    assert stale(ROOT) == [], "rbench reference --write"


def test_nothing_is_left_out() -> None:
    text = pages()["plugins/README.md"]
    catalog = Catalog.from_environment()
    for kind in KINDS:
        assert f"`rbench_register_{kind}s() -> " in text
        for component in catalog.components(kind):
            if catalog.plugin_of(kind, component.name) == "builtin":
                assert f"### `{component.name}`" in text
    assert all(f"| `{name}` |" in pages()["leaderboards/README.md"] for name in COLUMNS)


def test_every_component_is_shown_as_json_too(rbench: Rbench) -> None:
    catalog = Catalog.from_environment()
    for kind in KINDS:
        for component in catalog.components(kind):
            if not isinstance(component, ArchitectureFamily):
                done = rbench("show", kind, component.name, "--json")
                assert done.returncode == 0, done.stderr
                assert json.loads(done.stdout)["name"] == component.name


def test_check_names_the_stale_page_and_write_mends_it(rbench: Rbench, tmp_path: Path) -> None:
    assert rbench("reference", "--write").returncode == 0
    assert rbench("reference", "--check").returncode == 0
    with (tmp_path / "plugins" / "README.md").open("a") as page:
        page.write("by hand")
    done = rbench("reference", "--check")
    assert done.returncode == 1
    assert done.stderr == "stale: plugins/README.md; make it again: rbench reference --write\n"
    assert rbench("reference", "--write").stdout == "plugins/README.md\n"
    assert rbench("reference", "--check").returncode == 0
