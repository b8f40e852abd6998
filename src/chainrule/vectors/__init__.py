"""Word vectors: read from files of every usual format, compared, written."""

from chainrule.vectors.read import read_vectors
from chainrule.vectors.vectors import Coverage, Vectors
from chainrule.vectors.write import write_vectors

__all__ = ["Coverage", "Vectors", "read_vectors", "write_vectors"]
