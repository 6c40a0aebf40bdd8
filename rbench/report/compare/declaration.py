"""What a paper's TOML file may hold; the package's docstring explains each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from rbench.errors import UnknownName, UserError
from rbench.plugin.options import Options
from rbench.report.leaderboard.controls import Baseline
from rbench.spec import registry
from rbench.spec.parse import parse

Condition = str | int | float | bool | list[str | int | float | bool]
Where = dict[str, Condition]


class Declared(Options):
    """What values and claims share."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9/._-]*$")
    source: str = Field(description="table, figure or section of the paper")
    metric: str
    protocol: str | Where = Field("", description="conditions of the paper's protocol, or a name")
    paper: Where = Field(default_factory=dict, description="more of these conditions")


class Value(Declared):
    """A number that the paper prints."""

    value: float
    error: float | None = None
    n: int = Field(1, ge=1)
    tolerance: float | None = Field(None, ge=0)
    where: Where


class Claim(Declared):
    """An ordering or a trend that the paper states."""

    text: str
    kind: Literal["order", "tie", "trend"]
    above: Where = Field(default_factory=dict)
    below: Where = Field(default_factory=dict)
    at_least: float = 0.0
    where: Where = Field(default_factory=dict)
    x: str | None = None
    direction: Literal["rises", "falls"] = "rises"
    minus: Where = Field(default_factory=dict)
    each: list[str] = Field(default_factory=list)
    holds: Literal["everywhere", "somewhere"] = "everywhere"

    @model_validator(mode="after")
    def _complete(self) -> Claim:
        if self.kind == "trend" and (not self.where or self.x is None):
            raise ValueError("a trend needs where and x")
        if self.kind != "trend" and (not self.above or not self.below):
            raise ValueError(f"a claim of kind {self.kind} needs above and below")
        return self


class _Baseline(Options):
    model: str
    becomes: str
    same: tuple[str, ...] = ()


class Paper(Options):
    """A paper's declarations."""

    name: str
    title: str
    summary: str = ""
    baseline: list[_Baseline] = Field(default_factory=list)
    protocols: dict[str, Where] = Field(default_factory=dict)
    value: list[Value] = Field(default_factory=list)
    claim: list[Claim] = Field(default_factory=list)

    @model_validator(mode="after")
    def _sound(self) -> Paper:
        ids = [entry.id for entry in (*self.value, *self.claim)]
        for one in ids:
            if ids.count(one) > 1:
                raise ValueError(f"the id {one} stands twice")
        for entry in (*self.value, *self.claim):
            if isinstance(entry.protocol, str) and entry.protocol not in {"", *self.protocols}:
                raise ValueError(f"{entry.id}: there is no protocol {entry.protocol}")
        return self

    def conditions(self, entry: Declared) -> Where:
        """What a record must satisfy to be of the paper's own protocol."""
        named = self.protocols.get(entry.protocol, {}) if isinstance(entry.protocol, str) else None
        return {**(entry.protocol if named is None else named), **entry.paper}  # type: ignore[dict-item]


def papers(names: list[str] | None = None) -> list[Paper]:
    """The declared papers, or those of these names."""
    return [read_paper(name) for name in (registry.names("papers") if names is None else names)]


def read_paper(name: str) -> Paper:
    """One paper; UserError in one line where its declaration is wrong."""
    return parse(Paper, registry.find("papers", name), f"paper {name}")


def baselines() -> list[Baseline]:
    """Which network is which one's plain form, from all papers."""
    return [Baseline(b.model, b.becomes, b.same) for paper in papers() for b in paper.baseline]


def reported_value(reference: str) -> tuple[float, float | None]:
    """The value and error of ``paper:id``."""
    name, colon, wanted = reference.partition(":")
    if not colon:
        raise UserError(f"a reported value is named paper:id, not '{reference}'")
    paper = read_paper(name)
    for value in paper.value:
        if value.id == wanted:
            return value.value, value.error
    raise UnknownName(f"reported value of {name}", wanted, [value.id for value in paper.value])


def chosen(paper: Paper, patterns: Mapping[str, Any]) -> Paper:
    """The paper with only the values and claims that ``patterns`` name (lists of wildcards)."""
    from fnmatch import fnmatchcase

    def keep(kind: str, name: str) -> bool:
        wanted = patterns.get(kind, [])
        wanted = [wanted] if isinstance(wanted, str) else wanted
        return any(fnmatchcase(name, str(pattern)) for pattern in wanted)

    return paper.model_copy(
        update={
            "value": [value for value in paper.value if keep("values", value.id)],
            "claim": [claim for claim in paper.claim if keep("claims", claim.id)],
        }
    )
