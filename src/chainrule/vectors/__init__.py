"""Word vectors: read from files of every usual format, learned, compared, written."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from chainrule.forks import LOADING

if TYPE_CHECKING:
    from chainrule.vectors.learning import WordTraining, learn_vectors
    from chainrule.vectors.read import read_vectors
    from chainrule.vectors.vectors import Coverage, Vectors
    from chainrule.vectors.write import write_vectors

__all__ = ["Coverage", "Vectors", "WordTraining", "learn_vectors", "read_vectors", "write_vectors"]

#: Where each name is; it loads when it is first used, as most trainings and models have no word vectors.
_ROOMS = {
    "Coverage": "vectors",
    "Vectors": "vectors",
    "WordTraining": "learning",
    "learn_vectors": "learning",
    "read_vectors": "read",
    "write_vectors": "write",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'chainrule.vectors' has no attribute {name!r}")
    with LOADING:
        globals()[name] = found = getattr(importlib.import_module(f"chainrule.vectors.{_ROOMS[name]}"), name)
    return found
