"""Plugins load one by one, and a bad one leaves the others alone. Every hook is here."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

import rbench
from rbench.errors import UnknownName
from rbench.plugin import hookspecs
from rbench.plugin.catalog import Catalog
from rbench.plugin.components import KINDS, ArchitectureFamily
from rbench.plugin.loading import HOOKS, Plugins, load
from tests.helpers.fake_entry_points import entry_point

EVERY_HOOK = """
import rbench

def nothing(*given):
    raise AssertionError("describing a component must not run it")

@rbench.hookimpl
def rbench_register_architectures():
    yield rbench.Architecture(name="net", summary="A net.", build=nothing)
    yield rbench.ArchitectureFamily(
        name="nets",
        summary="Nets.",
        names=lambda: ["net_1", "net_2"],
        member=lambda name: rbench.Architecture(name=name, summary="One.", build=nothing)
        if name.startswith("net_")
        else None,
    )

@rbench.hookimpl
def rbench_register_initializers():
    return [rbench.Initializer(name="law", summary="A law.", draw=nothing)]

@rbench.hookimpl
def rbench_register_freezing_rules():
    return [rbench.FreezingRule(name="rule", summary="A rule.", select=nothing)]

@rbench.hookimpl
def rbench_register_datasets():
    return (rbench.Dataset(name="set", summary="A set.", open=nothing),)

@rbench.hookimpl
def rbench_register_tasks():
    return [
        rbench.Task(
            name="job", summary="A job.", run=nothing, produces=rbench.Outcome, dataset="digits"
        )
    ]

@rbench.hookimpl
def rbench_register_metrics():
    return [rbench.Metric(name="number", summary="A number.", measure=nothing)]
"""

LAW = """
import rbench

@rbench.hookimpl
def rbench_register_initializers():
    return [rbench.Initializer(name="{name}", summary="A law.", draw=print)]
"""


@pytest.fixture
def good(monkeypatch: pytest.MonkeyPatch) -> EntryPoint:
    return entry_point(monkeypatch, "good", EVERY_HOOK)


@pytest.fixture(autouse=True)
def no_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RBENCH_PLUGINS", raising=False)
    monkeypatch.delenv("RBENCH_DISABLE_PLUGINS", raising=False)


def status(plugins: Plugins) -> dict[str, tuple[str, str]]:
    return {plugin.name: (plugin.status, plugin.error) for plugin in plugins.plugins}


def test_every_hook_is_implemented_here_and_its_components_are_found(good: EntryPoint) -> None:
    specified = {name for name in dir(hookspecs) if name.startswith("rbench_register_")}
    assert specified == set(HOOKS)
    assert all(f"def {name}(" in EVERY_HOOK for name in specified)
    plugins = load([good])
    assert status(plugins) == {"good": ("loaded", "")}
    assert plugins.plugins[0].components == [
        "architecture net",
        "architecture nets",
        "initializer law",
        "freezing rule rule",
        "dataset set",
        "task job",
        "metric number",
    ]


def test_every_hook_is_documented() -> None:
    for name in HOOKS:
        assert (getattr(hookspecs, name).__doc__ or "").strip(), name


def test_catalog_finds_by_kind_and_name(good: EntryPoint) -> None:
    catalog = Catalog(load([good]))
    assert [catalog.names(kind) for kind in KINDS] == [
        ["net", "net_1", "net_2"],
        ["law"],
        ["rule"],
        ["set"],
        ["job"],
        ["number"],
    ]
    assert catalog.architecture("net").name == "net"
    assert catalog.architecture("net_2").name == "net_2"
    assert catalog.architecture("net_77").name == "net_77"  # not listed, known to the family
    assert catalog.initializer("law").name == "law"
    assert catalog.dataset("set").name == "set"
    assert catalog.task("job").name == "job"
    assert catalog.metric("number").name == "number"
    assert catalog.plugin_of("architecture", "net_77") == "good"
    assert catalog.plugin_of("metric", "number") == "good"
    assert any(isinstance(c, ArchitectureFamily) for c in catalog.components("architecture"))


@pytest.mark.parametrize(
    ("lookup", "complaint"),
    [
        (lambda c: c.architecture("nett"), "unknown model 'nett'; did you mean net"),
        (lambda c: c.initializer("lwa"), "unknown initializer 'lwa'; did you mean law?"),
        (lambda c: c.dataset("zzz"), "unknown dataset 'zzz'; there is set"),
        (lambda c: c.task("law"), "unknown task 'law'; there is job"),
        (lambda c: c.metric("\x1b[31mx\n"), "unknown metric '?[31mx?'"),
        (lambda c: list(c.components("model")), "unknown kind 'model'"),
        (lambda c: c.plugin_of("metric", "numbre"), "unknown metric 'numbre'; did you mean number"),
    ],
)
def test_unknown_names_suggest_the_nearest(lookup: Any, complaint: str, good: EntryPoint) -> None:
    with pytest.raises(UnknownName) as error:
        lookup(Catalog(load([good])))
    assert str(error.value).startswith(complaint)


def test_an_unknown_name_may_be_a_failed_plugins(good: EntryPoint) -> None:
    missing = EntryPoint("absent", "no_such_module_anywhere", "rbench")
    catalog = Catalog(load([good, missing]))
    with pytest.raises(UnknownName, match=r"plugins that failed to load: absent \(ModuleNotFound"):
        catalog.metric("bumper")


BAD = {
    "import": ("1 / 0", "division by zero"),
    "no hooks": ("x = 1", "it implements no rbench hook (is @rbench.hookimpl missing?)"),
    "unmarked": (
        "def rbench_register_metrics():\n    return []",
        "it implements no rbench hook (is @rbench.hookimpl missing?)",
    ),
    "misspelt": (
        "import rbench\n@rbench.hookimpl\ndef rbench_register_metric():\n    return []",
        "there is no hook rbench_register_metric; did you mean rbench_register_metrics",
    ),
    "none": (
        "import rbench\n@rbench.hookimpl\ndef rbench_register_metrics():\n    return None",
        "rbench_register_metrics returned NoneType, not components",
    ),
    "text": (
        "import rbench\n@rbench.hookimpl\ndef rbench_register_metrics():\n    return 'fgsm'",
        "rbench_register_metrics returned str, not components",
    ),
    "nonsense": (
        "import rbench\n@rbench.hookimpl\ndef rbench_register_metrics():\n    return [3]",
        "rbench_register_metrics returned int, not Metric",
    ),
    "wrong kind": (
        LAW.format(name="x").replace("initializers", "metrics"),
        "rbench_register_metrics returned Initializer, not Metric",
    ),
    "raises": (
        "import rbench\n@rbench.hookimpl\ndef rbench_register_metrics():\n    raise OSError('no')",
        "OSError: no",
    ),
    "arguments": (
        "import rbench\n@rbench.hookimpl\ndef rbench_register_metrics(more):\n    return []",
        "PluginValidationError",
    ),
    "nameless": (LAW.format(name=""), "returned a component with the name ''"),
    "newline": (LAW.format(name="a\\nb"), "returned a component with the name 'a\\nb'"),
    "options": (
        LAW.format(name="x").replace("draw=print", "draw=print, options=dict"),
        "the options of 'x' are not a subclass of rbench.Options",
    ),
    "twice": (
        LAW.format(name="x") + LAW.format(name="y").replace("[", "2 * [").replace("A", "A"),
        "it registers the initializer 'y' twice",
    ),
    "thief": (LAW.format(name="law"), "the initializer 'law' is already registered by the plugin"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_plugin_is_isolated_and_says_why(
    case: str, good: EntryPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, complaint = BAD[case]
    if case == "import":
        monkeypatch.syspath_prepend(_module_that_fails(monkeypatch))
        bad = EntryPoint("hazard", "rbench_test_fails_to_import", "rbench")
    else:
        bad = entry_point(monkeypatch, "hazard", source)
    later = entry_point(monkeypatch, "later", LAW.format(name="another_law"))
    plugins = load([good, bad, later])
    found = status(plugins)
    assert found["good"] == found["later"] == ("loaded", "")
    assert found["hazard"][0] == "failed"
    assert complaint in found["hazard"][1]
    assert "\n" not in found["hazard"][1]
    assert [p.name for p in plugins.failed] == ["hazard"]
    assert "Traceback" in plugins.failed[0].traceback
    assert "hazard" not in {entry.plugin for entry in plugins.registered}
    assert Catalog(plugins).initializer("another_law").name == "another_law"
    assert Catalog(plugins).plugin_of("initializer", "law") == "good"


def _module_that_fails(monkeypatch: pytest.MonkeyPatch) -> str:
    import tempfile
    from pathlib import Path

    folder = Path(tempfile.mkdtemp())
    (folder / "rbench_test_fails_to_import.py").write_text("1 / 0\n")
    return str(folder)


def test_two_entry_points_of_one_name(good: EntryPoint, monkeypatch: pytest.MonkeyPatch) -> None:
    second = entry_point(monkeypatch, "good", LAW.format(name="zzz"))
    plugins = load([good, second])
    assert [p.status for p in plugins.plugins] == ["loaded", "failed"]
    assert plugins.failed[0].error == "another plugin is already called 'good'"


def test_builtin_comes_first_so_nobody_steals_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    thief = entry_point(monkeypatch, "aaa", LAW.format(name="law"))
    builtin = entry_point(monkeypatch, "builtin", LAW.format(name="law"))
    plugins = load([thief, builtin])
    assert status(plugins)["builtin"][0] == "loaded"
    assert status(plugins)["aaa"][0] == "failed"


@pytest.mark.parametrize(
    ("allow", "block", "loaded"),
    [
        ("", "", {"builtin", "one", "two"}),
        ("one", "", {"builtin", "one"}),
        (" one , two ", "", {"builtin", "one", "two"}),
        ("", "two", {"builtin", "one"}),
        ("one,two", "two", {"builtin", "one"}),
        ("", "builtin,one", {"two"}),
        ("nobody", "", {"builtin"}),
    ],
)
def test_allow_and_block_lists(
    allow: str, block: str, loaded: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RBENCH_PLUGINS", allow)
    monkeypatch.setenv("RBENCH_DISABLE_PLUGINS", block)
    points = [
        entry_point(monkeypatch, name, LAW.format(name=f"law_of_{name}"))
        for name in ("builtin", "one", "two")
    ]
    plugins = load(points)
    assert {name for name, (state, _) in status(plugins).items() if state == "loaded"} == loaded
    assert {e.component.name for e in plugins.registered} == {f"law_of_{n}" for n in loaded}


def test_a_blocked_plugin_is_not_even_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RBENCH_DISABLE_PLUGINS", "absent")
    plugins = load([EntryPoint("absent", "no_such_module_anywhere", "rbench")])
    assert status(plugins) == {"absent": ("disabled", "")}


def test_built_ins_come_through_the_same_door() -> None:
    plugins = load()
    builtin = next(plugin for plugin in plugins.plugins if plugin.name == "builtin")
    assert builtin.status == "loaded"
    assert builtin.distribution == "rbench"
    assert builtin.version == rbench.__version__
    names = {entry.component.name for entry in plugins.registered}
    assert {"timm", "default", "digits", "classification", "fgsm"} <= names


def test_a_type_that_moved_to_a_plugin_keeps_its_public_name() -> None:
    from rbench.plugin import moved

    assert rbench.StylizationOutcome is Catalog.from_environment().task("stylization").produces
    assert issubclass(rbench.StylizationOutcome, rbench.Outcome)
    with pytest.raises(AttributeError, match="no installed task returns a type named NoOutcome"):
        _ = moved.NoOutcome
