"""Names of a package whose modules load when they are first used, as most programs need few of them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from chainrule.forks import LOADING


def loader(package: str, rooms: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """The function `__getattr__` of a package: what Python calls for a name that the package does not hold yet.

    `dir` of the package lists these names, too, for those who look for one by a part of it.

    Args:
        package: its name.
        rooms: the names of its modules, and what is public of each.

    Example:
        >>> import chainrule.vectors
        >>> chainrule.vectors.read_vectors.__module__
        'chainrule.vectors.read'
    """
    places = {name: room for room, names in rooms.items() for name in names}
    module = sys.modules[package]
    module.__dict__["__dir__"] = lambda: sorted({*module.__dict__, *places})

    def load(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=module)
        with LOADING:
            found = getattr(importlib.import_module(f"{package}.{places[name]}"), name)
            setattr(module, name, found)
        return found

    return load
