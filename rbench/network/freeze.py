"""Which parameters learn: rules and name patterns applied to a network, and the report of it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from rbench.errors import UserError, printable, suggest
from rbench.network.frozen import Fixed, Frozen, count_fixed, together, without
from rbench.network.modules import (
    classifier_parameters,
    is_convolution,
    norm_parameters,
    parents,
    spatial_parameters,
)
from rbench.network.represented import refuse_parts, represented
from rbench.plugin.blame import blamed_on
from rbench.records.record import FreezeReport, Tensors
from rbench.seeds import generator
from rbench.spec.freezing import Freezing, Term


def freeze(network: nn.Module, freezing: Freezing, seed: int = 0) -> Frozen:
    """Fix what ``freezing`` says. UserError where a term selects nothing, or nothing that can be.

    Random choices derive from ``seed`` and the rule's name.
    """
    chosen = [(term, select(network, term, seed, freezing.rules)) for term in freezing.terms]
    fixed: Fixed = {}
    for term, selection in chosen:
        if not term.learns:
            fixed = together(fixed, selection)
    for term, selection in chosen:
        if term.learns:
            fixed = without(fixed, selection)
    if not fixed and any(selection for term, selection in chosen if not term.learns):
        text = printable(",".join(term.text for term in freezing.terms))
        raise UserError(
            f"--freeze '{text}' fixes nothing: a term with ! takes back all that it selects; "
            "--freeze none lets everything learn"
        )
    stages: dict[int, Fixed] = {}
    left = fixed
    for stage in freezing.stages:
        selection = select(network, stage.term, seed, freezing.rules, "--unfreeze")
        rest = without(left, selection)
        if _same(rest, left):
            raise UserError(
                f"--unfreeze '{printable(stage.given)}': nothing of {printable(stage.term.name)} "
                "is frozen then"
            )
        left = rest
        stages[stage.epoch] = together(stages.get(stage.epoch, {}), selection)
    refuse_parts(network, [n for n, mask in fixed.items() if mask is not None], "--freeze")
    return Frozen(network, fixed, statistics=freezing.statistics, stages=stages)


def select(
    network: nn.Module, term: Term, seed: int, rules: Iterable[str] = (), flag: str = "--freeze"
) -> Fixed:
    """What one rule or pattern selects, checked against the network.

    A tensor that several layers share may be selected by any of its names.
    """
    parameters = {name for name, _ in network.named_parameters()}
    first = _first_names(network)
    tensors = dict([*network.named_parameters(), *network.named_buffers()])
    shapes = {name: tensors[known].shape for name, known in first.items()}
    if term.rule is None:
        return {first[name]: None for name in _matches(term.name, list(shapes), rules, flag)}
    where = f"{flag} {term.name}"
    try:
        with blamed_on(term.rule):
            draws = generator(seed, "freeze", term.name)
            selected = term.rule.select(network, draws, term.options)
    except ValueError as error:
        raise UserError(f"{where}: {printable(error)}") from error
    if isinstance(selected, str) or not isinstance(selected, Iterable):
        raise UserError(
            f"{where}: the rule returned {printable(repr(selected))}; a rule returns names of "
            "tensors, or a mapping of names to masks"
        )
    fixed: Fixed = {}
    entries: Mapping[str, Tensor | bool]
    entries = selected if isinstance(selected, Mapping) else dict.fromkeys(selected, True)
    for name, mask in entries.items():
        if name not in shapes:
            raise UserError(
                f"{where}: the network has no tensor '{printable(name)}'{suggest(name, shapes)}"
            )
        known = first[name]
        if isinstance(mask, Tensor):
            if mask.dtype != torch.bool or mask.shape != shapes[name]:
                raise UserError(
                    f"{where}: the mask of {name} is {mask.dtype} {tuple(mask.shape)}; it has to "
                    f"be torch.bool {tuple(shapes[name])}"
                )
            if known not in parameters and not mask.all():
                raise UserError(f"{where}: {name} is a buffer, which is fixed as a whole or not")
            if mask.any():
                fixed = together(fixed, {known: None if mask.all() else mask.cpu()})
        elif mask:
            fixed[known] = None
    if not fixed and not term.rule.may_be_empty:
        raise UserError(f"{where}: the network has nothing that it selects")
    return fixed


def _first_names(network: nn.Module) -> dict[str, str]:
    """Every name of every tensor -> the one that ``named_parameters`` gives."""
    every = [
        *network.named_parameters(remove_duplicate=False),
        *network.named_buffers(remove_duplicate=False),
    ]
    first: dict[int, str] = {}
    return {name: first.setdefault(id(tensor), name) for name, tensor in every}


def report(frozen: Frozen, freezing: Freezing, trained: bool) -> FreezeReport:
    """Count and name what learns and what is fixed to the end; hash what is fixed.

    ``trained`` says whether the run's task lets parameters learn at all.
    """
    network, end = frozen.network, frozen.at_the_end()
    stands_for, not_kept = represented(network)
    learnable, fixed = Tensors(count=0), Tensors(count=0)
    stored = {"learnable": 0, "fixed": 0}
    for name, parameter in network.named_parameters():
        size = parameter.numel()
        still = count_fixed(name, parameter, end)
        for part, key, count in ((fixed, "fixed", still), (learnable, "learnable", size - still)):
            if count:
                part.names.append(name)
                stored[key] += count
                part.count += stands_for.get(name, size) if count == size else count
    fixed.count += sum(not_kept.values())
    for part, key in ((learnable, "learnable"), (fixed, "fixed")):
        if stored[key] != part.count:
            part.stored = stored[key]
    tensors = frozen.tensors()
    fixed.sha256 = frozen.sha256
    return FreezeReport(
        policy=[term.text for term in freezing.terms],
        learnable=learnable,
        frozen=fixed,
        learns=learns(network, frozen) if trained else "",
        trained=trained,
        statistics=frozen.statistics,
        buffers=[name for name, _ in network.named_buffers() if name in tensors],
        unfreeze=[stage.text for stage in freezing.stages],
    )


GROUPS = (
    "spatial convolutions",
    "1x1 convolutions",
    "linear layers",
    "norms",
    "classifier",
    "other",
)


def learns(network: nn.Module, frozen: Frozen) -> str:
    """What learns at any time, by kinds of layer, such as ``norms, part of the classifier``."""
    end = frozen.at_the_end()
    kinds = _kinds(network)
    sizes, still = dict.fromkeys(GROUPS, 0), dict.fromkeys(GROUPS, 0)
    for name, parameter in network.named_parameters():
        sizes[kinds[name]] += parameter.numel()
        still[kinds[name]] += count_fixed(name, parameter, end)
    _, not_kept = represented(network)
    if not any(still.values()) and not not_kept:
        return "everything" if any(sizes.values()) else "nothing"
    words = [
        group if not still[group] else f"part of the {group}"
        for group in GROUPS
        if sizes[group] > still[group]
    ]
    return ", ".join(words) or "nothing"


def _kinds(network: nn.Module) -> dict[str, str]:
    """The group of every parameter."""
    spatial, norms = spatial_parameters(network), norm_parameters(network)
    classifier = classifier_parameters(network)
    stands_for, _ = represented(network)
    found: dict[str, str] = {}
    for prefix, module in network.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{prefix}.{name}" if prefix else name
            owner = prefix.split(".parametrizations")[0]
            holder = network.get_submodule(owner) if owner != prefix else module
            found[full] = (
                "classifier"
                if full in classifier
                else "norms"
                if full in norms
                else "spatial convolutions"
                if full in spatial
                else "1x1 convolutions"
                if is_convolution(holder)
                or full in stands_for
                or (parameter.ndim == 4 and parameter.shape[2:] == (1, 1))
                else "linear layers"
                if isinstance(holder, nn.Linear)
                else "other"
            )
    return found


def _matches(pattern: str, names: list[str], rules: Iterable[str], flag: str) -> set[str]:
    """Tensors that ``pattern`` names, by themselves or by a module that holds them."""
    matched = {
        name
        for name in names
        if fnmatch.fnmatchcase(name, pattern)
        or any(fnmatch.fnmatchcase(parent, pattern) for parent in parents(name))
    }
    if not matched:
        known = [*rules, *names, *{parent for name in names for parent in parents(name)}]
        raise UserError(
            f"{flag} '{printable(pattern)}' is not a freezing rule ({', '.join(rules)}) and "
            f"matches no parameter{suggest(pattern, known)}"
        )
    return matched


def _same(one: Fixed, other: Fixed) -> bool:
    if one.keys() != other.keys():
        return False
    pairs = [(one[name], other[name]) for name in one]
    return all(a is b or (a is not None and b is not None and torch.equal(a, b)) for a, b in pairs)
