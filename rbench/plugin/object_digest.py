"""A digest of a Python object: of its state, of its code, and of all that this code reads.

What an installed package has under its own name counts by that name. All else is followed: the
bytecode of functions with the global variables, closures and defaults that it reads, classes, the
attributes of objects, tensors and arrays by their bytes. Bytecode, not source: two lambdas may
share a line, and a file may have been edited since it was imported. It is another for another
version of Python, and so is the digest.
"""

from __future__ import annotations

import copyreg
import dis
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from types import (
    BuiltinFunctionType,
    CodeType,
    EllipsisType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
    NoneType,
)
from typing import Any

from rbench.plugin.source import is_installed

MOST_OBJECTS = 100_000
"""An object that leads to more than these is not read to the end."""
_ATOMS = frozenset({int, float, complex, bool, str, bytes, NoneType, EllipsisType})
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_NOT_CODE = frozenset(
    {
        "__dict__",
        "__weakref__",
        "__module__",
        "__doc__",
        "__annotations__",
        "__annotate_func__",
        "__annotations_cache__",
        "__abstractmethods__",
        "_abc_impl",
        "__orig_bases__",
        "__parameters__",
        "__type_params__",
        "__firstlineno__",
        "__static_attributes__",
    }
)
"""Entries of a class that do not change what it does, or that follow from others."""


@dataclass(frozen=True)
class ObjectDigest:
    """``sha256`` of an object.

    ``unread`` names the parts that it says nothing of, such as ``draw.file (TextIOWrapper)``: two
    objects with one digest may still differ in these.
    """

    sha256: str
    unread: tuple[str, ...] = ()


def object_digest(value: object, name: str) -> ObjectDigest:
    """The digest of ``value``, which is called ``name``. It is not called; modules that it imports
    when it is called are imported."""
    reader = _Reader()
    try:
        reader.read(value, name)
    except (RecursionError, _TooMuch):
        reader.unread.append(f"{name} (it leads to too many objects)")
    return ObjectDigest(reader.hash.hexdigest(), tuple(dict.fromkeys(reader.unread)))


class _TooMuch(Exception):
    """More than MOST_OBJECTS."""


class _Reader:
    """Feeds one object after another into a hash, each with its length in front."""

    def __init__(self, seen: dict[int, tuple[int, object]] | None = None) -> None:
        self.hash = hashlib.sha256()
        self.seen = {} if seen is None else seen
        """By id: which object it was, counted from 0, and the object, so that it stays alive."""
        self.unread: list[str] = []

    def put(self, *words: str | bytes | memoryview) -> None:
        for word in words:
            data = word.encode() if isinstance(word, str) else word
            self.hash.update(f"{len(data)}:".encode())
            self.hash.update(data)

    def read(self, value: Any, where: str) -> None:
        """Feed ``value``; ``where`` it was found is for the list of what cannot be read."""
        kind = type(value)
        # Constants count by value: which of them are one object is up to the interpreter.
        if kind in _ATOMS:
            self.put(kind.__name__, hex(value) if kind is int else repr(value))
        elif kind is tuple:
            self.put("tuple", str(len(value)))
            self.read_all(value, where)
        elif kind is frozenset:
            self.read_unordered(value, where)
        elif kind is CodeType:
            self.read_code(value, where)
        elif id(value) in self.seen:
            self.put("again", str(self.seen[id(value)][0]))
        elif len(self.seen) >= MOST_OBJECTS:
            raise _TooMuch
        else:
            self.seen[id(value)] = len(self.seen), value
            try:
                self.read_new(value, where)
            except (RecursionError, _TooMuch):
                raise
            except Exception:  # whatever the object's own methods raise
                self.unread.append(f"{where} ({kind.__name__})")

    def read_all(self, values: Iterable[Any], where: str) -> None:
        for value in values:
            self.read(value, where)

    def read_unordered(self, values: Set[Any], where: str) -> None:
        """The elements by their digests, since their order differs between processes."""
        found = []
        for value in values:
            one = _Reader(dict(self.seen))
            one.read(value, where)
            self.unread += one.unread
            found.append(one.hash.digest())
        self.put(type(values).__name__, *sorted(found))

    def read_new(self, value: Any, where: str) -> None:
        if isinstance(value, ModuleType):
            self.read_module(value, frozenset(), where)
        elif name := _installed_name(value):
            self.put("installed", name)
        elif isinstance(value, FunctionType):
            self.read_function(value, where)
        elif isinstance(value, type):
            self.read_class(value, where)
        elif isinstance(value, MethodType):
            self.put("method")
            self.read_all((value.__func__, value.__self__), where)
        elif isinstance(value, staticmethod | classmethod):
            self.put(type(value).__name__)
            self.read(value.__func__, where)
        elif isinstance(value, property):
            self.put("property")
            self.read_all((value.fget, value.fset, value.fdel), where)
        elif isinstance(value, cached_property):  # pickle would refuse its lock
            self.put("cached property")
            self.read(value.func, where)
        elif isinstance(value, BuiltinFunctionType):
            self.put("builtin", value.__qualname__)
            if not isinstance(value.__self__, ModuleType):
                self.read(value.__self__, where)
        elif hasattr(type(value), "__get__") and hasattr(value, "__objclass__"):
            self.put("slot", value.__qualname__)  # written in C, or made by __slots__
        elif isinstance(value, MappingProxyType) or type(value) is dict:
            self.read_dict(value, where)
        elif type(value) is list:
            self.put("list", str(len(value)))
            self.read_all(value, where)
        elif type(value) is set:
            self.read_unordered(value, where)
        elif _is_of_torch(value, "Tensor"):
            self.read_tensor(value, where)
        else:
            self.read_object(value, where)

    def read_dict(self, value: Any, where: str) -> None:
        self.put("dict", str(len(value)))
        for key, item in value.items():
            self.read(key, where)
            self.read(item, f"{where}.{key}" if isinstance(key, str) else where)

    def read_code(self, code: CodeType, where: str) -> None:
        shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        self.put("code", code.co_name, code.co_code, code.co_exceptiontable, repr((shape, names)))
        self.read(code.co_consts, where)

    def read_function(self, function: FunctionType, where: str) -> None:
        self.put("function")
        self.read_code(function.__code__, where)
        self.read_all((function.__defaults__, function.__kwdefaults__), where)
        used: dict[str, object] = {}
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                used[name] = cell.cell_contents
            except ValueError:  # not assigned yet
                self.put("empty", name)
        instructions = list(_instructions(function.__code__))
        read = {step.argval for step in instructions if step.opname in _GLOBAL}
        used |= {n: function.__globals__[n] for n in sorted(read & function.__globals__.keys())}
        used |= {module.__name__: module for module in _imported(function, instructions)}
        names = frozenset(name for code in _codes(function.__code__) for name in code.co_names)
        for name, value in used.items():
            self.put(name)
            if isinstance(value, ModuleType):
                self.read_module(value, names, f"{where}.{name}")
            else:
                self.read(value, f"{where}.{name}")
        self.read({k: v for k, v in vars(function).items() if k != "__wrapped__"}, where)

    def read_module(
        self, module: ModuleType, names: frozenset[str], where: str, inside: tuple[str, ...] = ()
    ) -> None:
        """The module's name; of one that is not installed, what code reads by ``names`` of it."""
        self.put("module", module.__name__)
        if is_installed(module.__name__) or module.__name__ in inside:
            return
        if not names:
            self.unread.append(f"{where} (module)")
        for name in sorted(names & vars(module).keys()):
            self.put(name)
            value = vars(module)[name]
            if isinstance(value, ModuleType):
                self.read_module(value, names, f"{where}.{name}", (*inside, module.__name__))
            else:
                self.read(value, f"{where}.{name}")

    def read_class(self, kind: type, where: str) -> None:
        self.put("class", kind.__qualname__)
        if not kind.__flags__ & 1 << 9:  # not made by Python code: Py_TPFLAGS_HEAPTYPE
            return
        self.read_all((*kind.__bases__, type(kind)), where)
        for name, value in sorted(vars(kind).items()):
            if name not in _NOT_CODE:
                self.put(name)
                self.read(value, f"{where}.{name}")

    def read_object(self, value: Any, where: str) -> None:
        """The class and what pickle would keep."""
        registered = copyreg.dispatch_table.get(type(value))
        reduced = registered(value) if registered else value.__reduce_ex__(2)
        self.put("object")
        self.read(type(value), where)
        if isinstance(reduced, str):
            self.put(reduced)
            if hasattr(value, "__wrapped__"):  # functools.lru_cache
                self.read(value.__wrapped__, where)
            return
        made_by, given, state, items, pairs = (*reduced, None, None, None)[:5]
        if _is_of_torch(value, "nn.Module") and isinstance(state, dict):
            # Hooks are kept under numbers that count those of the whole session.
            state = {k: list(v.values()) if "_hooks" in k else v for k, v in state.items()}
        self.read_all((made_by, given, state), where)
        self.read_all(items or (), where)
        self.read_all(pairs or (), where)

    def read_tensor(self, tensor: Any, where: str) -> None:
        torch = sys.modules["torch"]
        self.put("tensor", str(tensor.dtype), str((*tensor.shape,)), str(tensor.requires_grad))
        content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        self.put(content.data)
        self.read(type(tensor), where)
        self.read(vars(tensor), where)


def _is_of_torch(value: object, name: str) -> bool:
    """Whether it is a ``Tensor`` or ``nn.Module``; where torch is not imported, there are none."""
    found: Any = sys.modules.get("torch")
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is not None and isinstance(value, found)


def _installed_name(value: object) -> str | None:
    """The full name under which an installed package has this very object."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not (isinstance(module, str) and isinstance(name, str) and is_installed(module)):
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}.{name}" if found is value else None


def _codes(code: CodeType) -> Iterator[CodeType]:
    """``code`` and those of the functions and classes inside."""
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


def _instructions(code: CodeType) -> Iterator[dis.Instruction]:
    for one in _codes(code):
        yield from dis.get_instructions(one)


def _imported(function: FunctionType, steps: list[dis.Instruction]) -> Iterator[ModuleType]:
    """The modules, not of an installed package, that ``function`` imports when it runs."""
    package = function.__globals__.get("__package__")
    for index, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            level = steps[index - 2].argval  # dots before the name
            name = importlib.util.resolve_name("." * level + step.argval, package)
            if not is_installed(name):
                with suppress(ImportError):
                    yield importlib.import_module(name)


__all__ = ["MOST_OBJECTS", "ObjectDigest", "object_digest"]
