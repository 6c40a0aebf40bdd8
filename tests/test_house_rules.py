"""Rules of the house: who imports whom, nothing heavy at start-up, small files, typed packages."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {
    "rbench": ROOT / "rbench",
    "rbench_plugins": ROOT / "plugins" / "rbench_plugins",
    "rbench_registry": ROOT / "registry" / "rbench_registry",
}
HEAVY = {"torch", "torchvision", "timm", "accelerate", "pandas", "sklearn", "skimage", "scipy"}
LEAVES = ("errors", "seeds", "hardware")
ROOMS = {
    # A room, or a file of the first level: what it may import besides itself and LEAVES.
    **dict.fromkeys(LEAVES, ""),
    "files": "",
    "records": "files",
    "plugin": "files records",
    "spec": "files records plugin",
    "network": "files records plugin spec",
    "report": "files records plugin spec",
    "runner": "files records plugin spec network report",
    "sweep": "files records plugin spec network report runner",
    "api": "files records plugin spec network report runner sweep",
    "testing": "files records plugin spec network report runner sweep",
    "cli": "files records plugin spec network report runner sweep api",
    "__init__": "",
    "__main__": "cli",
}


def files(package: str) -> list[Path]:
    return sorted(SOURCES[package].rglob("*.py"))


def imports(tree: ast.Module, everywhere: bool = True) -> Iterator[str]:
    """Modules that a file imports: anywhere, or when it is loaded."""
    for node in ast.walk(tree) if everywhere else _at_load(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module or ""


def _at_load(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run on import: neither in functions nor under TYPE_CHECKING."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _at_load(child)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def test_there_is_something_to_look_at() -> None:
    assert all(files(package) for package in SOURCES)


def test_the_engine_imports_no_plugin_and_no_registry() -> None:
    for path in files("rbench"):
        roots = {name.split(".")[0] for name in imports(parsed(path))}
        assert not roots & {"rbench_plugins", "rbench_registry"}, path


def test_the_engine_names_no_task_dataset_or_metric_but_the_default_task() -> None:
    from rbench.plugin.catalog import Catalog

    catalog = Catalog.from_environment()
    names = {name for kind in ("task", "dataset", "metric") for name in catalog.names(kind)}
    names -= {"forward", "top5"}  # also a module's method, and a field of the predictions' file
    found = [
        (path.relative_to(ROOT).as_posix(), node.value)
        for path in files("rbench")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.partition("@")[0] in names
    ]
    assert found == [("rbench/spec/run_spec.py", "classification")]


def test_built_ins_import_the_public_face_only() -> None:
    for path in files("rbench_plugins"):
        inner = [name for name in imports(parsed(path)) if name.startswith("rbench.")]
        assert not inner, f"{path}, {inner}: say `from rbench import ...`"


def test_the_registry_holds_no_code() -> None:
    assert [path.name for path in files("rbench_registry")] == ["__init__.py"]
    (path,) = files("rbench_registry")
    assert all(isinstance(node, ast.Expr) for node in parsed(path).body), "a docstring at most"


def test_a_room_imports_only_the_rooms_before_it() -> None:
    for path in files("rbench"):
        room = path.relative_to(SOURCES["rbench"]).with_suffix("").parts[0]
        assert room in ROOMS, f"{room} is new: give it a row in ROOMS and a line in CONTRIBUTING"
        allowed = {room, *LEAVES, *ROOMS[room].split()}
        found = {name.split(".")[1] for name in internal(parsed(path))}
        assert found <= allowed, f"{path} imports {sorted(found - allowed)}"


def internal(tree: ast.Module) -> Iterator[str]:
    """Modules of rbench that a file imports anywhere, ``from rbench import x`` resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("rbench."))
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "rbench":
                yield from (f"rbench.{a.name}" for a in node.names if a.name != "__version__")
            elif node.module.startswith("rbench."):
                yield node.module


def modules() -> dict[str, ast.Module]:
    """Every module of ours by its dotted name."""
    found: dict[str, ast.Module] = {}
    for package, folder in SOURCES.items():
        for path in files(package):
            parts = (package, *path.relative_to(folder).with_suffix("").parts)
            found[".".join(parts).removesuffix(".__init__")] = parsed(path)
    return found


def dependencies(found: dict[str, ast.Module]) -> dict[str, set[str]]:
    """For each module those of ours that it imports, anywhere but under TYPE_CHECKING."""
    graph: dict[str, set[str]] = {}
    for module, tree in found.items():
        graph[module] = set()
        typing = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if id(node) in typing:
                continue
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name if name in found else node.module for name in inner]
            else:
                continue
            graph[module] |= {name for name in names if name in found} - {module}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Every circle that a depth-first walk closes."""
    done: set[str] = set()
    found: list[list[str]] = []

    def walk(module: str, path: list[str]) -> None:
        if module in path:
            found.append([*path[path.index(module) :], module])
        elif module not in done:
            for other in sorted(graph[module]):
                walk(other, [*path, module])
            done.add(module)

    for module in sorted(graph):
        walk(module, [])
    return found


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c", "a"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = dependencies(modules())
    assert sum(map(len, graph.values())) > 300, "the imports were not read"
    assert circles(graph) == []


@pytest.mark.parametrize(
    "kind", ["architectures", "initializers", "freezing", "datasets", "tasks", "metrics"]
)
def test_describing_components_imports_nothing_heavy(kind: str) -> None:
    for path in sorted((SOURCES["rbench_plugins"] / kind).glob("*.py")):
        if "COMPONENT" in path.read_text(encoding="utf-8"):
            roots = {name.split(".")[0] for name in imports(parsed(path), everywhere=False)}
            assert not roots & (HEAVY | {"numpy", "matplotlib", "PIL"}), path


def test_built_ins_import_at_the_top() -> None:
    """What a component needs stands at the top of the file that its function's name names."""
    for path in files("rbench_plugins"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in local_imports(parsed(path)):
            assert "#" in lines[node.lineno - 1], (
                f"{path}:{node.lineno}: import it at the top, or say behind the import why not"
            )


def local_imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports inside functions."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield node


LIGHT = {"pydantic", "typer", "click", "pluggy", "msgspec", "filelock", "lazy_loader"}
"""Packages that start-up loads in any case; all others are slow."""


def slow_packages(
    module: str, found: dict[str, ast.Module], known: dict[str, set[str]]
) -> set[str]:
    """The slow packages that importing ``module`` loads, by way of others of ours as well."""
    if module not in found:
        root = module.split(".")[0]
        return set() if root in sys.stdlib_module_names or root in LIGHT else {root}
    if module not in known:
        known[module] = set()
        for node in _at_load(found[module]):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for name in imported(node, found):
                    known[module] |= slow_packages(name, found, known)
    return known[module]


def imported(node: ast.Import | ast.ImportFrom, found: dict[str, ast.Module]) -> set[str]:
    """The modules that an import names."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    inner = {f"{node.module}.{alias.name}" for alias in node.names}
    return {name if name in found else str(node.module) for name in inner}


def test_the_engine_imports_at_the_top_unless_that_is_slow() -> None:
    """Commands import what they run when they run, so that ``--help`` loads none of it."""
    found, known, wrong = modules(), dict[str, set[str]](), []
    for path in files("rbench"):
        parts = ("rbench", *path.relative_to(SOURCES["rbench"]).with_suffix("").parts)
        module = ".".join(parts).removesuffix(".__init__")
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in local_imports(found[module]):
            at_top = slow_packages(module, found, known)
            more = {p for n in imported(node, found) for p in slow_packages(n, found, known)}
            if not (more - at_top or parts[1] == "cli" or "#" in lines[node.lineno - 1]):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong, f"import these at the top, or say behind the import why not: {wrong}"


@pytest.mark.slow
def test_every_function_that_a_built_in_names_is_there() -> None:
    from rbench.plugin.catalog import Catalog
    from rbench.plugin.components import FAMILIES, KINDS, Component
    from rbench.plugin.function import functions

    catalog = Catalog.from_environment()
    components: list[Component] = []
    for kind in KINDS:
        for component in catalog.components(kind):
            if isinstance(component, FAMILIES):
                member = component.member(next(iter(component.names())))
                assert member is not None
                component = member
            components.append(component)
    named = [
        (component, field)
        for component in components
        for field, given in functions(component)
        if isinstance(given, str)
    ]
    assert len(named) > 60
    for component, field in named:
        assert callable(getattr(component, field))


@pytest.mark.parametrize(
    "code",
    [
        "import rbench",
        # Plans ask for these.
        "import importlib, pkgutil\nfrom rbench_plugins.datasets import identity\n"
        "for found in pkgutil.iter_modules(identity.__path__):\n"
        "    importlib.import_module(f'{identity.__name__}.{found.name}')",
        "from rbench.plugin.catalog import Catalog\nc = Catalog.from_environment()\n"
        "assert not c.failed, c.failed\n"
        "from rbench.plugin.components import KINDS\n[c.names(kind) for kind in KINDS]",
    ],
)
def test_start_up_loads_nothing_heavy(code: str) -> None:
    script = f"{code}\nimport sys\nprint(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_files_are_small_and_say_what_they_are() -> None:
    for path in (path for package in SOURCES for path in files(package)):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, f"{path}: one feature, one file"
        assert ast.get_docstring(parsed(path)), f"{path}: say in the first line what it is for"


def test_more_than_six_parameters_have_a_reason() -> None:
    """Ruff counts them (PLR0913, max-args in pyproject.toml); an exception says why."""
    for path in files("rbench"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if "PLR0913" in line:
                reason = line.partition("PLR0913")[2].split()
                assert len(reason) >= 3, f"{path}:{number}: say why behind noqa: PLR0913"


def test_all_packages_are_typed_and_licensed() -> None:
    assert (SOURCES["rbench"] / "py.typed").exists()
    assert (SOURCES["rbench_plugins"] / "py.typed").exists()
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")[:200]


def test_the_public_face_is_whole() -> None:
    import rbench

    missing = [name for name in rbench.__all__ if not hasattr(rbench, name)]
    assert not missing
