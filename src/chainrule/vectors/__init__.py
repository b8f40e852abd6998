"""Word vectors: read from files of every usual format, learned, compared, written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.lazy import loader

if TYPE_CHECKING:
    from chainrule.vectors.learning import WordTraining, learn_vectors
    from chainrule.vectors.read import read_vectors
    from chainrule.vectors.vectors import Coverage, Vectors
    from chainrule.vectors.write import write_vectors

__all__ = ["Coverage", "Vectors", "WordTraining", "learn_vectors", "read_vectors", "write_vectors"]

#: They load when they are first used, as most trainings and models have no word vectors.
__getattr__ = loader(
    __name__,
    {
        "learning": ("WordTraining", "learn_vectors"),
        "read": ("read_vectors",),
        "vectors": ("Coverage", "Vectors"),
        "write": ("write_vectors",),
    },
)
