"""What stays fixed, as a user writes it: rules and name patterns, exceptions, and times.

``all,!head`` fixes all but the classifier: what the rules and patterns select together, less what
those with an exclamation mark select. The order does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rbench.errors import UserError, printable, suggest
from rbench.plugin.options import Options
from rbench.plugin.source import unreleased_source
from rbench.spec.chosen import options_identity
from rbench.spec.parse import parse

if TYPE_CHECKING:
    from rbench.plugin.catalog import Catalog
    from rbench.plugin.components import FreezingRule, Task
    from rbench.plugin.recipe import Training
    from rbench.spec.run_spec import Kwargs, RunSpec


@dataclass(frozen=True)
class Term:
    """One rule with its options, or where ``rule`` is None a pattern of names."""

    name: str
    learns: bool = False
    """Written with an exclamation mark: what it selects learns."""
    rule: FreezingRule | None = None
    options: Options | None = None
    given: str = ""
    """As the user wrote it, with an earlier name of a rule."""

    @property
    def text(self) -> str:
        """``head`` or ``!head``, by the rule's present name."""
        return f"!{self.name}" if self.learns else self.name


@dataclass(frozen=True)
class Stage:
    """From ``epoch`` on (counted from 0), ``term`` learns."""

    epoch: int
    term: Term
    given: str

    @property
    def text(self) -> str:
        """``5:layer4``."""
        return f"{self.epoch}:{self.term.name}"


@dataclass(frozen=True)
class Freezing:
    """All of what a run says about freezing."""

    terms: tuple[Term, ...] = ()
    stages: tuple[Stage, ...] = ()
    """By epoch."""
    statistics: bool = True
    """Whether norms of which all parameters are fixed keep their running statistics."""
    rules: tuple[str, ...] = ()
    """The names of all rules there are, for complaints."""

    def identity(self) -> dict[str, Any]:
        """What of it can change a number.

        Rules of revision 1 without options are their names alone, as in the records of before
        there were others; of rules that are not of a released package, the source is part of it,
        since an edit of it leaves the revision as it is. In those records, a name pattern without
        ``freeze_stats`` means that the statistics of frozen norms moved.
        """
        patterns = any(term.rule is None for term in self.terms)
        rules = {}
        for term in self._every_term():
            if term.rule is None or term.options is None:
                continue
            source = unreleased_source(term.rule)
            if term.rule.revision > 1 or type(term.options).model_fields or source is not None:
                rules[term.name] = {
                    "revision": term.rule.revision,
                    "options": options_identity(term.options, f"--freeze-kwargs of {term.name}"),
                    **({} if source is None else {"source": source}),
                }
        return {
            "freeze": sorted(term.text for term in self.terms),
            **({"freeze_rules": rules} if rules else {}),
            **({"freeze_stats": self.statistics} if self.statistics == patterns else {}),
            **({"unfreeze": [stage.text for stage in self.stages]} if self.stages else {}),
        }

    @property
    def components(self) -> list[FreezingRule]:
        """The rules that take part, stages included."""
        return [term.rule for term in self._every_term() if term.rule is not None]

    def _every_term(self) -> list[Term]:
        return [*self.terms, *(stage.term for stage in self.stages)]

    @property
    def renamed(self) -> list[Term]:
        """Rules that the user called by an earlier name."""
        return [term for term in self.terms if term.rule and term.given != term.name]


def freezing(spec: RunSpec, catalog: Catalog) -> Freezing:
    """Parse ``freeze``, ``freeze_kwargs`` and ``unfreeze``; UserError where they make no sense."""
    kwargs = dict(spec.freeze_kwargs)
    terms = read_terms(spec.freeze, kwargs, catalog)
    stages = tuple(sorted(_stages(spec.unfreeze, kwargs, catalog), key=lambda stage: stage.epoch))
    named = {term.name for term in (*terms, *(stage.term for stage in stages))}
    for name in kwargs:
        rule = catalog.freezing_rule(name)
        if rule.name not in named:
            raise UserError(
                f"--freeze-kwargs name '{printable(name)}', which --freeze does not"
                f"{suggest(name, named)}"
            )
    return Freezing(
        terms=terms,
        stages=stages,
        statistics=spec.freeze_stats,
        rules=tuple(catalog.names("freezing rule")),
    )


def read_terms(
    texts: Iterable[str], kwargs: Mapping[str, Kwargs], catalog: Catalog
) -> tuple[Term, ...]:
    """The terms of a ``--freeze``; UserError where they make no sense."""
    terms = [_term(text.strip(), kwargs, catalog, "--freeze") for text in texts if text.strip()]
    if not terms:
        raise UserError("--freeze names nothing; --freeze none lets everything learn")
    if all(term.learns for term in terms):
        raise UserError(
            f"--freeze '{printable(','.join(term.text for term in terms))}' says what learns and "
            f"not what is frozen; write all,{terms[0].text} to freeze all else"
        )
    return tuple(dict.fromkeys(terms))


def _term(text: str, kwargs: Mapping[str, Kwargs], catalog: Catalog, flag: str) -> Term:
    learns, name = text.startswith("!"), text.removeprefix("!").strip()
    if not name or name.startswith("!"):
        raise UserError(
            f"{flag} '{printable(text)}' names nothing; all,!head freezes all but the classifier"
        )
    rule = catalog.find_freezing_rule(name)
    if rule is None:
        return Term(name=name, learns=learns, given=name)
    given = next((kwargs[known] for known in (rule.name, *rule.formerly) if known in kwargs), {})
    options = parse(rule.options, given, f"--freeze-kwargs of {rule.name}")
    return Term(name=rule.name, learns=learns, rule=rule, options=options, given=name)


def check_stages(frozen: Freezing, task: Task, training: Training | None) -> None:
    """UserError where the training ends before a stage, or there is none."""
    for stage in frozen.stages:
        if training is None:
            raise UserError(f"--unfreeze: the task {task.name} does not train here")
        if stage.epoch >= training.epochs:
            raise UserError(
                f"--unfreeze {stage.given}: the training has {training.epochs} "
                f"epoch{'s' if training.epochs > 1 else ''}, so nothing would change"
            )


def _stages(texts: Iterable[str], kwargs: Mapping[str, Kwargs], catalog: Catalog) -> list[Stage]:
    stages: list[Stage] = []
    for text in texts:
        epoch, colon, name = text.partition(":")
        if not (colon and epoch.strip().isdecimal() and name.strip()):
            raise UserError(
                f"--unfreeze '{printable(text)}' is not EPOCH:RULE, such as 5:layer4, which lets "
                "layer4 learn after 5 epochs"
            )
        if int(epoch) < 1:
            raise UserError(
                f"--unfreeze '{printable(text)}': what learns from the start is not frozen; "
                "the first epoch that can change it is 1"
            )
        term = _term(name.strip(), kwargs, catalog, "--unfreeze")
        if term.learns:
            raise UserError(
                f"--unfreeze '{printable(text)}': name what learns, without an exclamation mark"
            )
        stages.append(Stage(int(epoch), term, text))
    return stages
