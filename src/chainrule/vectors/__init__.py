"""Word vectors: read from files of every usual format, learned, compared, written."""

from chainrule.vectors.learning import WordTraining, learn_vectors
from chainrule.vectors.read import read_vectors
from chainrule.vectors.vectors import Coverage, Vectors
from chainrule.vectors.write import write_vectors

__all__ = ["Coverage", "Vectors", "WordTraining", "learn_vectors", "read_vectors", "write_vectors"]
