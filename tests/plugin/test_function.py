"""Components name their functions by strings, which are imported at first use and no earlier."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from rbench import Architecture, Dataset, Initializer, Metric, NoOptions, UserError
from rbench.plugin.function import functions
from rbench.plugin.source import source_digest, sources


def named(function: object) -> Metric:
    return Metric(name="mine", summary="Mine.", measure=function)  # type: ignore[arg-type]


def test_a_name_and_the_function_are_the_same() -> None:
    def measure(outcome: object, context: object, options: object) -> list[object]:
        return []

    assert named(measure).measure is measure
    assert named("statistics:fmean").measure([1, 2], *[]) == 1.5  # type: ignore[call-arg,arg-type,comparison-overlap]
    assert named("statistics:fmean").measure is named("statistics:fmean").measure


def test_fields_without_a_default_are_required_and_others_are_not() -> None:
    with pytest.raises(TypeError, match="draw"):
        Initializer(name="mine", summary="Mine.")
    assert Initializer(name="mine", summary="Mine.", draw="math:sqrt").fit is None
    dataset = Dataset(name="mine", summary="Mine.", open="math:sqrt", identity="math:isqrt")
    assert [field for field, _ in functions(dataset)] == ["open", "identity"]
    assert pickle.loads(pickle.dumps(dataset)).open(4, *[]) == 2  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("no_colon", "neither a function nor of the form 'package.module:function'"),
        ("math:", "neither a function nor of the form 'package.module:function'"),
        ("rbench.nowhere:f", "there is no module rbench.nowhere"),
        ("rbench_nowhere.sub:f", "there is no module rbench_nowhere"),
        ("rbench.plugin.catalgo:f", "did you mean rbench.plugin.catalog"),
        ("math:sqr", "there is no such name; did you mean sqrt"),
        ("math:pi", "that cannot be called"),
    ],
)
def test_what_does_not_resolve_is_told_in_one_line(given: str, said: str) -> None:
    component = Architecture(name="mine", summary="Mine.", build=given)
    with pytest.raises(UserError) as caught:
        _ = component.build
    line = str(caught.value)
    assert line.startswith(f"architecture mine: build is '{given}'")
    assert said in line
    assert line.isprintable()


def test_an_error_on_import_is_told_with_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rbench_wants.py").write_text("import rbench_absent\ndef measure(*a): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match="raises ModuleNotFoundError: No module named 'rbench_abs"):
        _ = named("rbench_wants:measure").measure


def test_a_malformed_name_fails_the_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rbench.plugin.loading import load
    from tests.helpers import fake_entry_points

    code = (
        "from rbench import Metric, hookimpl\n@hookimpl\ndef rbench_register_metrics():\n"
        "    return [Metric(name='mine', summary='Mine.', measure='my.module.measure')]\n"
    )
    fake_entry_points.install(tmp_path, "mine", {"mine": "rbench_mine"}, rbench_mine=code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("RBENCH_PLUGINS", "builtin,mine")
    sys.modules.pop("rbench_mine", None)
    (failed,) = load().failed
    assert failed.error.endswith(
        "metric mine: measure is 'my.module.measure', neither a function nor of the form "
        "'package.module:function'"
    )


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "rbench_named"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "heavy.py").write_text("def measure(*a): return []\n")
    (folder / "constants.py").write_text("ONE = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    yield folder  # type: ignore[misc]
    forget()


def forget() -> None:
    for name in [n for n in sys.modules if n.split(".")[0] == "rbench_named"]:
        sys.modules.pop(name)
    importlib.invalidate_caches()


def test_the_digest_covers_the_file_that_is_named_and_imports_it_not(package: Path) -> None:
    component = named("rbench_named.heavy:measure")
    first = source_digest(component)
    assert first is not None
    assert "rbench_named.heavy" not in sys.modules
    assert [source.file for source in sources(component)] == [package / "heavy.py"]
    _ = component.measure
    assert source_digest(component) == first, "resolved or not, it is the same source"
    for file in ("heavy.py", "constants.py"):  # of a package that is edited in place, all files
        path = package / file
        path.write_text(path.read_text() + "\nTWO = 2\n")
        forget()
        assert source_digest(component) != first, file
        first = source_digest(component)


def test_start_up_imports_no_function_that_is_named(package: Path) -> None:
    (package / "heavy.py").write_text("raise SystemExit('imported')\n")
    script = (
        f"import sys; sys.path.insert(0, {str(package.parent)!r})\n"
        "from rbench import Metric\nfrom rbench.plugin.source import unreleased_source\n"
        "m = Metric(name='mine', summary='Mine.', measure='rbench_named.heavy:measure')\n"
        "print(len(unreleased_source(m)), 'rbench_named.heavy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["64", "False"], done.stderr


def test_the_options_file_counts() -> None:
    from rbench_plugins.initializers.kaiming import KaimingOptions

    plain = Metric(name="m", summary="M.", measure="math:sqrt")
    with_options = Metric(name="m", summary="M.", measure="math:sqrt", options=KaimingOptions)
    assert plain.options is NoOptions
    assert {source.name for source in sources(with_options)} == {"math", KaimingOptions.__module__}


def test_the_contract_refuses_a_name_that_does_not_resolve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import rbench
    from rbench import testing
    from rbench.plugin import loading
    from tests.helpers.fake_entry_points import entry_point

    def rbench_register_datasets() -> list[Dataset]:
        return [Dataset(name="mine", summary="Mine.", open="rbench.nowhere:open_mine")]

    hooks = {"rbench_register_datasets": rbench.hookimpl(rbench_register_datasets)}
    points = [entry_point(monkeypatch, "mine", **hooks)]
    monkeypatch.setattr(loading, "entry_points", lambda group: points)
    monkeypatch.setattr(testing, "_heavy_imports", lambda name: iter(()))
    with pytest.raises(AssertionError, match=r"dataset mine: .*there is no module rbench\.nowhere"):
        testing.check_plugin("mine")
