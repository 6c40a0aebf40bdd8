"""What a paper's TOML file may hold; the package's docstring explains each field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeVar

from pydantic import Field, model_validator

from rbench.errors import UnknownName, UserError, suggest
from rbench.plugin.options import Options
from rbench.report.kinds import refuse_unread
from rbench.report.leaderboard.controls import Baseline
from rbench.spec import registry
from rbench.spec.conditions import Condition, Where
from rbench.spec.parse import parse


class Declared(Options):
    """What values and claims share."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9/._-]*$")
    source: str = Field(description="table, figure or section of the paper")
    metric: str
    protocol: str | Where = Field("", description="conditions of the paper's protocol, or a name")
    paper: Where = Field(default_factory=dict, description="more of these conditions")


class Value(Declared):
    """A number that the paper prints; with ``minus``, a difference between two of them."""

    value: float
    error: float | None = None
    n: int = Field(1, ge=1)
    tolerance: float | None = Field(None, ge=0)
    at_most: float | None = Field(None, description="with value as its lower end: a range")
    where: Where
    minus: Where = Field(default_factory=dict)
    decides: Literal["", "highest"] = Field(
        "", description="of several configurations: the one with the highest value, as for a limit"
    )


class Requirement(Options):
    """What runs must show before a claim is judged on them.

    Without it a claim about trained networks would be judged on runs of a few steps.
    """

    metric: str
    chance: float = Field(description="the metric's value for a guess")
    above_chance: float = Field(ge=0, description="every arm's mean must exceed chance by this")
    floor: float = Field(description="the best arm's mean must reach this: it has learned")
    source: str = Field(description="where the floor comes from")


_ALL = "id source metric protocol paper text kind minus each free holds requires seeds"
_ARMS = f"{_ALL} above below below_metric"
_FIELDS = {
    "order": f"{_ARMS} at_least exact",
    "ratio": f"{_ARMS} at_least at_most",
    "equivalence": f"{_ARMS} margin at_most",
    "trend": f"{_ALL} where x direction points exact",
    "slopes": f"{_ALL} above below x points at_least",
}
"""The fields that each kind of claim reads."""


class Claim(Declared):
    """An ordering, a ratio, an equivalence or a trend that the paper states."""

    text: str
    kind: Literal["order", "ratio", "equivalence", "trend", "slopes"]
    above: Where = Field(default_factory=dict)
    below: Where = Field(default_factory=dict)
    below_metric: str = Field("", description="of the same runs, in place of below")
    at_least: float | None = None
    at_most: float | None = None
    margin: float | None = Field(None, gt=0)
    where: Where = Field(default_factory=dict)
    x: str | None = None
    direction: Literal["rises", "falls"] = "rises"
    minus: Where = Field(default_factory=dict)
    each: list[str] = Field(default_factory=list)
    free: list[str] = Field(default_factory=list)
    holds: Literal["everywhere", "somewhere"] = "everywhere"
    requires: str = ""
    seeds: int = Field(2, ge=1, description="values that each arm needs")
    points: int = Field(3, ge=2, description="places of x that a trend needs")
    exact: bool = Field(False, description="the metric has no spread: one value decides")

    @model_validator(mode="after")
    def _complete(self) -> Claim:
        if self.kind == "trend" and (not self.where or self.x is None):
            raise ValueError("a trend needs where and x")
        if self.kind == "slopes" and self.x is None:
            raise ValueError("a comparison of slopes needs x")
        if self.kind != "trend" and (not self.above or not (self.below or self.below_metric)):
            raise ValueError(f"a claim of kind {self.kind} needs above and below")
        limits = self.at_least is not None, self.at_most is not None
        if self.kind == "ratio" and (not any(limits) or (self.at_least or 1) <= 0):
            raise ValueError("a ratio needs at_least or at_most, above 0")
        if self.kind == "equivalence":
            if (self.margin is None) == (self.at_most is None) or (self.at_most or 2) <= 1:
                raise ValueError("an equivalence needs margin, or at_most (a ratio above 1)")
            if self.seeds < 3:
                raise ValueError("an equivalence needs seeds = 3 or more")
        refuse_unread("claim", self.kind, self, _FIELDS)
        return self

    @property
    def sides(self) -> list[Where]:
        """The conditions of every arm, those of ``minus`` too."""
        given = [self.where] if self.kind == "trend" else [self.above, self.below]
        plain = [side for side in given if side]
        return plain + ([{**side, **self.minus} for side in plain] if self.minus else [])


class _Baseline(Options):
    model: Condition
    becomes: Condition
    same: tuple[str, ...] = ()


class Paper(Options):
    """A paper's declarations."""

    name: str
    title: str
    summary: str = ""
    baseline: list[_Baseline] = Field(default_factory=list)
    protocols: dict[str, Where] = Field(default_factory=dict)
    requires: dict[str, Requirement] = Field(default_factory=dict)
    free: list[str] = Field(default_factory=list)
    value: list[Value] = Field(default_factory=list)
    claim: list[Claim] = Field(default_factory=list)

    @model_validator(mode="after")
    def _sound(self) -> Paper:
        ids = [entry.id for entry in (*self.value, *self.claim)]
        for one in ids:
            if ids.count(one) > 1:
                raise ValueError(f"the id {one} is used twice")
        for entry in (*self.value, *self.claim):
            if isinstance(entry.protocol, str) and entry.protocol not in {"", *self.protocols}:
                raise ValueError(
                    f"{entry.id}: there is no protocol {entry.protocol}"
                    f"{suggest(entry.protocol, self.protocols)}"
                )
        for claim in self.claim:
            if claim.requires not in {"", *self.requires}:
                raise ValueError(
                    f"{claim.id}: there is no requirement {claim.requires}"
                    f"{suggest(claim.requires, self.requires)}"
                )
        return self

    def conditions(self, entry: Declared) -> Where:
        """What a record must satisfy to be of the paper's own protocol."""
        protocol = entry.protocol
        named = self.protocols.get(protocol, {}) if isinstance(protocol, str) else protocol
        return {**named, **entry.paper}

    def requirement(self, claim: Claim) -> Requirement | None:
        """What runs must show before ``claim`` is judged on them."""
        return self.requires.get(claim.requires)


def papers(names: list[str] | None = None) -> list[Paper]:
    """The declared papers, or those of these names."""
    return [read_paper(name) for name in (registry.names("papers") if names is None else names)]


def read_paper(name: str) -> Paper:
    """One paper; UserError in one line where its declaration is wrong."""
    return parse(Paper, registry.find("papers", name), f"paper {name}")


def baselines() -> list[Baseline]:
    """Which network is which one's plain form, from all papers."""
    return [
        Baseline(_tuple(b.model), _tuple(b.becomes), b.same)
        for paper in papers()
        for b in paper.baseline
    ]


def _tuple(condition: Condition) -> tuple[str, ...]:
    return tuple(map(str, condition)) if isinstance(condition, list) else (str(condition),)


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


Either = TypeVar("Either", Value, Claim)


def chosen(paper: Paper, patterns: Mapping[str, Any]) -> Paper:
    """The paper with only the values and claims that ``patterns`` name (lists of wildcards).

    UserError for a pattern that names none.
    """

    def keep(kind: str, known: Sequence[Either]) -> list[Either]:
        wanted = patterns.get(f"{kind}s", [])
        wanted = [str(one) for one in ([wanted] if isinstance(wanted, str) else wanted)]
        names = [one.id for one in known]
        for pattern in wanted:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise UnknownName(f"{kind} of {paper.name}", pattern, names)
        return [one for one in known if any(fnmatchcase(one.id, pattern) for pattern in wanted)]

    update = {"value": keep("value", paper.value), "claim": keep("claim", paper.claim)}
    return paper.model_copy(update=update)
