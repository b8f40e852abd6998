"""Data classes as Python's own, a tenth of the time to import.

    from chainrule.dataclasses import dataclass

Python writes all methods of a data class as source text and compiles them, a millisecond a class; a command imports
nearly two hundred, and makes objects of few. Here the constructor is written when it is first asked for, and the other
methods read the fields.
"""

from __future__ import annotations

import dataclasses
import inspect
import reprlib
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

Method = Callable[..., Any]

_FIELDS, _PARAMETERS = "__dataclass_fields__", "__dataclass_params__"

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        cls: type | None = None, *, frozen: bool = False, repr: bool = True, eq: bool = True, kw_only: bool = False
    ) -> Any:
        """As `dataclasses.dataclass`, which has more parameters."""
        if cls is None:
            return lambda cls: dataclass(cls, frozen=frozen, repr=repr, eq=eq, kw_only=kw_only)
        own = set(vars(cls))
        _declare(cls, frozen=frozen, kw_only=kw_only)
        methods = {"__init__": _Constructor(cls)}
        if repr:
            methods |= _representation(cls)
        if eq:
            methods |= _comparison(cls, hashed=frozen)
        if frozen:
            methods |= _refusals(cls)
        for name in methods.keys() - own:
            setattr(cls, name, methods[name])
        return cls


def _declare(cls: Any, *, frozen: bool, kw_only: bool) -> None:
    """Keep the fields where Python looks for them; it finds those of the class itself in one that has no others."""
    annotations = inspect.get_annotations(cls)
    held = {name: value for name, value in vars(cls).items() if name in annotations}
    held |= {"__annotations__": annotations, "__module__": cls.__module__, "__doc__": "Not made from the signature."}
    found = type(cls.__name__, (), held)
    dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(found)
    for name in annotations:
        if isinstance(vars(cls).get(name), dataclasses.Field):
            if name in vars(found):
                setattr(cls, name, vars(found)[name])
            else:
                delattr(cls, name)
    fields: dict[str, Any] = {}
    for base in (*reversed(cls.__mro__), found):
        fields |= vars(base).get(_FIELDS, {})
    setattr(cls, _FIELDS, fields)
    setattr(cls, _PARAMETERS, vars(_Frozen if frozen else found)[_PARAMETERS])
    if "__match_args__" not in vars(cls):
        cls.__match_args__ = tuple(x.name for x in _fields(cls) if x.init and not x.kw_only)  # type: ignore[misc]


@dataclasses.dataclass(frozen=True, init=False, repr=False, eq=False)
class _Frozen:
    """Has what Python notes of frozen classes."""


def _fields(cls: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(cls)


class _Constructor:
    """Stands for the constructor of a class until it is asked for."""

    def __init__(self, cls: Any) -> None:
        self.cls: Any = cls

    def __get__(self, instance: object, owner: type) -> Any:
        method = _written_constructor(self.cls)
        self.cls.__init__ = method
        return method.__get__(instance, owner)


def _written_constructor(cls: Any) -> Method:
    """`def __init__(self, size, rate=_default_rate, *, name=_default_name)`, which keeps each of them."""
    missing = dataclasses.MISSING
    known: dict[str, Any] = {"_missing": missing, "_set": object.__setattr__}
    taken: dict[bool, list[str]] = {False: [], True: []}
    lines = []
    for field in _fields(cls):
        name, value = field.name, field.name
        parameter = name
        if field.default_factory is not missing:
            known[f"_make_{name}"] = field.default_factory
            value = f"_make_{name}() if {name} is _missing else {name}" if field.init else f"_make_{name}()"
            parameter = f"{name}=_missing"
        elif field.default is not missing:
            known[f"_default_{name}"] = field.default
            parameter = f"{name}=_default_{name}"
        if field.init:
            taken[bool(field.kw_only)].append(parameter)
        elif field.default_factory is missing:
            continue
        frozen = getattr(cls, _PARAMETERS).frozen
        lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    parameters = ", ".join(["self", *taken[False], *(["*", *taken[True]] if taken[True] else [])])
    exec("\n ".join([f"def __init__({parameters}):", *(lines or ["pass"])]), known)
    method: Any = known["__init__"]
    method.__qualname__ = f"{cls.__qualname__}.__init__"
    method.__annotations__ = {x.name: x.type for x in _fields(cls) if x.init} | {"return": None}
    return method  # type: ignore[no-any-return]


def _reader(names: list[str]) -> Callable[[object], tuple[Any, ...]]:
    """What gives the values of some fields."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda instance: tuple([getattr(instance, name) for name in names])


def _representation(cls: Any) -> dict[str, Method]:
    @reprlib.recursive_repr()
    def show(self: object) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in names]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    names = [x.name for x in _fields(cls) if x.repr]
    return {"__repr__": show}


def _comparison(cls: Any, *, hashed: bool) -> dict[str, Method | None]:
    def equal(self: object, other: object) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def number(self: object) -> int:
        return hash(hashable(self))

    fields = _fields(cls)
    compared = _reader([x.name for x in fields if x.compare])
    hashable = _reader([x.name for x in fields if (x.compare if x.hash is None else x.hash)])
    return {"__eq__": equal, "__hash__": number if hashed else None}


def _refusals(cls: Any) -> dict[str, Method]:
    """Nothing can be assigned to a frozen object; to one of a class derived from it, what it has no field for."""

    def assign(self: object, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def delete(self: object, name: str) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    names = {x.name for x in _fields(cls)}
    return {"__setattr__": assign, "__delattr__": delete}
