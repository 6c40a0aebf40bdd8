"""What an entry is held against: the same network learnable, and its plain form."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rbench.report.leaderboard.entries import key_without

if TYPE_CHECKING:
    from rbench.report.leaderboard.entries import Entry

CONTROLS = ("learnable", "baseline")


@dataclass(frozen=True)
class Baseline:
    """Says which network is another's plain form.

    ``model`` and ``becomes`` are regular expressions for names; in ``becomes`` a group of the
    first (``\\1``) and the network's options (``{base}``) are filled in. The two must agree in
    the options ``same``, and in all that is neither network nor freeze policy.
    """

    model: str
    becomes: str
    same: tuple[str, ...] = ()

    def wanted(self, model: Mapping[str, Any]) -> str | None:
        """The pattern for the names of the baselines of ``model``, or None."""
        found = re.fullmatch(self.model, str(model.get("name")))
        if found is None:
            return None
        options = model.get("options") or {}
        filled = re.sub(
            r"\{(\w+)\}", lambda m: re.escape(str(options.get(m[1], m[0]))), self.becomes
        )
        return found.expand(filled) if "\\" in self.becomes else filled

    def agreed(self, model: Mapping[str, Any]) -> tuple[str, ...]:
        """The values in which a network and its baseline agree."""
        options = model.get("options") or {}
        return tuple(repr(options.get(name)) for name in self.same)

    def index(self, wanted: str, entries: Iterable[Entry]) -> dict[tuple[str, ...], Entry]:
        """The first of ``entries`` whose name fits ``wanted``, by what must agree."""
        found: dict[tuple[str, ...], Entry] = {}
        for entry in entries:
            model = _model(entry)
            if re.fullmatch(wanted, str(model.get("name"))):
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
    indexes: dict[tuple[bytes, str, Baseline], dict[tuple[str, ...], Entry]] = {}
    for entry in entries:
        twin = learnable.get(key_without(entry, "freeze"))
        if twin is not None and twin is not entry:
            entry.controls["learnable"] = twin
        for baseline in baselines:
            wanted = baseline.wanted(_model(entry))
            if wanted is None:
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
