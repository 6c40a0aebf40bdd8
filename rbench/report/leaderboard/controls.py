"""What an entry is compared with: the same network learnable, and its plain form."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rbench.report.leaderboard.entries import key_without
from rbench.spec.conditions import matches

if TYPE_CHECKING:
    from rbench.report.leaderboard.entries import Entry

CONTROLS = ("learnable", "baseline")


@dataclass(frozen=True)
class Baseline:
    """Says which network is another's plain form.

    ``model`` and ``becomes`` are names or wildcards, as in conditions; in ``becomes`` the
    network's options (``{base}``) are filled in. The two must agree in the options ``same``, and
    in everything that is neither network nor freeze policy.
    """

    model: tuple[str, ...]
    becomes: tuple[str, ...]
    same: tuple[str, ...] = ()

    def wanted(self, model: Mapping[str, Any]) -> tuple[str, ...]:
        """The names, or wildcards, of the baselines of ``model``; empty where there are none."""
        if not matches(model.get("name"), list(self.model)):
            return ()
        options = model.get("options") or {}
        return tuple(
            re.sub(r"\{(\w+)\}", lambda m: str(options.get(m[1], m[0])), name)
            for name in self.becomes
        )

    def agreed(self, model: Mapping[str, Any]) -> tuple[str, ...]:
        """The values in which a network and its baseline agree."""
        options = model.get("options") or {}
        return tuple(repr(options.get(name)) for name in self.same)

    def index(
        self, wanted: tuple[str, ...], entries: Iterable[Entry]
    ) -> dict[tuple[str, ...], Entry]:
        """The first of ``entries`` whose name matches ``wanted``, by what must agree."""
        found: dict[tuple[str, ...], Entry] = {}
        for entry in entries:
            model = _model(entry)
            if matches(model.get("name"), list(wanted)):
                found.setdefault(self.agreed(model), entry)
        return found


def find_controls(entries: list[Entry], baselines: Sequence[Baseline]) -> None:
    """Give every entry its controls among ``entries``."""
    learnable = {
        key_without(entry, "freeze"): entry
        for entry in sorted(entries, key=lambda entry: entry.order)
        if entry.freeze == "none" and entry.rows
    }
    plain: dict[bytes, list[Entry]] = defaultdict(list)
    for entry in learnable.values():
        plain[key_without(entry, "freeze", "model")].append(entry)
    indexes: dict[tuple[bytes, tuple[str, ...], Baseline], dict[tuple[str, ...], Entry]] = {}
    for entry in entries:
        twin = learnable.get(key_without(entry, "freeze"))
        if twin is not None and twin is not entry:
            entry.controls["learnable"] = twin
        for baseline in baselines:
            wanted = baseline.wanted(_model(entry))
            if not wanted:
                continue
            rest = key_without(entry, "freeze", "model")
            key = (rest, wanted, baseline)
            if key not in indexes:
                indexes[key] = baseline.index(wanted, plain.get(rest, []))
            other = indexes[key].get(baseline.agreed(_model(entry)))
            if other is not None and other is not entry:
                entry.controls["baseline"] = other
                break


def _model(entry: Entry) -> Mapping[str, Any]:
    model = entry.first.identity.get("model")
    return model if isinstance(model, Mapping) else {"name": model}
