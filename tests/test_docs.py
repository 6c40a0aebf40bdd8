"""The documentation: reference pages made from the code are whole, and links lead somewhere."""

from __future__ import annotations

import importlib.util
import json
import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import rbench as face
from rbench import testing
from rbench.plugin import hookspecs, loading
from rbench.plugin.catalog import Catalog
from rbench.plugin.components import FAMILIES, KINDS
from rbench.report.leaderboard.table_csv import COLUMNS
from tests.conftest import Rbench
from tests.helpers.fake_entry_points import entry_point

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    made: dict[str, str] = generate.pages()
    return made


def test_every_component_column_and_public_name_has_its_place(pages: dict[str, str]) -> None:
    catalog = Catalog.from_environment()
    for kind in KINDS:
        for component in catalog.components(kind):
            if catalog.plugin_of(kind, component.name) == "builtin":
                assert f"### `{component.name}`" in pages["reference/components.md"]
    assert all(f"| `{name}` |" in pages["reference/tables.md"] for name in COLUMNS)
    for name in face.__all__:
        assert re.search(
            rf"^::: rbench(_plugins)?\.[\w.]+\.{name}$", pages["reference/python.md"], re.M
        ), name
    assert json.loads(pages["reference/record.schema.json"])["title"] == "Record"


def test_every_hook_has_a_page_with_an_example() -> None:
    for hook in vars(hookspecs):
        if hook.startswith("rbench_register_"):
            page = DOCS / "plugins" / "hooks" / f"{hook.removeprefix('rbench_register_')}.md"
            assert page.is_file(), f"{hook} is documented nowhere"
            text = page.read_text(encoding="utf-8")
            assert hook in text
            # Not a block of the language python, which ruff would format.
            assert f'```{{ .python }}\n--8<-- "docs/plugins/examples/{page.stem}.py"\n```' in text


def test_the_picture_of_imports_has_nothing_above_its_diagonal(pages: dict[str, str]) -> None:
    import imports  # docs/imports.py, which docs/generate.py finds beside it

    found = imports.imports()
    order = {room: place for place, room in enumerate(imports.ROOMS)}
    assert all(order[importer] > order[imported] for importer, imported in found)
    # By another route: the lines of the source.
    lines = [
        line.split()
        for path in (ROOT / "rbench" / "sweep").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    names = [words[1] for words in lines if words[:1] in (["from"], ["import"])]
    assert found["sweep", "records"] == sum(n.startswith("rbench.records") for n in names) > 0
    assert pages["reference/imports.svg"].count(">sweep<") == 2


def test_links_between_pages_lead_somewhere(pages: dict[str, str]) -> None:
    for page in [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            made = (
                path.relative_to(DOCS).as_posix() in pages if path.is_relative_to(DOCS) else False
            )
            assert made or path.exists(), f"{page.relative_to(ROOT)} links to {target}"


@pytest.mark.slow
def test_every_component_is_shown_as_json_too(rbench: Rbench) -> None:
    catalog = Catalog.from_environment()
    for kind in KINDS:
        for component in catalog.components(kind):
            if not isinstance(component, FAMILIES):
                done = rbench("show", kind, component.name, "--json")
                assert done.returncode == 0, done.stderr
                assert json.loads(done.stdout)["name"] == component.name


@pytest.mark.parametrize("example", sorted((DOCS / "plugins" / "examples").glob("*.py")), ids=str)
def test_examples_of_hooks_pass_the_conformance_kit(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = entry_point(monkeypatch, "docs-example", example.read_text(encoding="utf-8"))
    monkeypatch.setattr(loading, "entry_points", lambda group: [*builtin, point])
    builtin = [p for p in entry_points(group="rbench") if p.name == "builtin"]
    monkeypatch.setattr(testing, "_heavy_imports", lambda name: iter(()))
    testing.check_plugin("docs-example")


def test_figures_of_pages_are_those_of_the_leaderboards() -> None:
    figures = ROOT / "leaderboards/figures"
    copies = [path for path in (DOCS / "assets").glob("*.svg") if (figures / path.name).exists()]
    assert len(copies) >= 3
    for path in copies:
        assert path.read_bytes() == (figures / path.name).read_bytes(), path.name


def test_files_that_pages_name_exist() -> None:
    for page in [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]:
        if "reference" in page.parts or page.name == "CHANGELOG.md":
            continue
        text = page.read_text(encoding="utf-8")
        for name in re.findall(
            r"`((?:rbench|plugins|registry|tests|benchmarks|docs)/[\w./-]+)`", text
        ):
            assert "NAME" in name or (ROOT / name).exists(), (
                f"{page.relative_to(ROOT)} names {name}"
            )
