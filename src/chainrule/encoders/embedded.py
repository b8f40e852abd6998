"""Vectors of texts in files, and the texts nearest to a query."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

import chainrule.polars as pl
from chainrule.array_file import ArrayFile, Part, file_parts
from chainrule.data.helper import uses_polars
from chainrule.errors import ConfigurationError, DataError
from chainrule.files import write_file

#: Of a safetensors file: the name of the array, and in its header that of the texts' fingerprint.
VECTORS, FINGERPRINT = "vectors", "texts_sha256"


def write_embedded(path: str | os.PathLike[str], texts: Sequence[str], vectors: np.ndarray) -> None:
    """Write one vector a text: as `.safetensors`, with a fingerprint of the texts, as `.npy`, or as `.csv` with them.

    Raises:
        ConfigurationError: for another end of the name.
        StorageError: when the file cannot be written; an old one stays.
    """
    place = Path(path)
    require_embedded_format(place)
    write_file(place, WRITERS[place.suffix](texts, np.asarray(vectors, np.float32)))


def require_embedded_format(path: Path) -> None:
    """Refuse a name whose end says no format.

    Raises:
        ConfigurationError: naming those that there are.
    """
    if path.suffix not in WRITERS:
        raise ConfigurationError(f"{path}: expected a name that ends in {', '.join(WRITERS)}, got {path.name}")


def read_embedded(path: str | os.PathLike[str], texts: Sequence[str], size: int) -> np.ndarray:
    """The vectors of texts, float32 of shape (texts, size), from a `.safetensors` or `.npy` of `write_embedded`.

    Raises:
        DataError: for a file that cannot be read, or whose vectors are of other texts or of another encoder.
    """
    place = Path(path)
    if place.suffix not in (".npy", ".safetensors"):
        raise DataError(f"{place}: expected vectors as .safetensors or .npy, as chainrule vectors embed writes them")
    fingerprint = None
    try:
        if place.suffix == ".npy":
            found: np.ndarray = np.load(place, allow_pickle=False)
        else:
            with ArrayFile(place) as file:
                found, fingerprint = file.read(VECTORS), file.metadata.get(FINGERPRINT)
    except KeyError as error:
        raise DataError(f"{place}: expected an array called {VECTORS}; there is none") from error
    except (SafetensorError, OSError, ValueError, EOFError) as error:
        raise DataError(f"{place}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if found.dtype.kind != "f" or found.shape != (len(texts), size):
        raise DataError(
            f"{place}: expected vectors of these {len(texts):,} texts by this encoder, floating-point numbers of shape "
            f"({len(texts)}, {size}), got {found.dtype} of {found.shape}"
        )
    if fingerprint is not None and fingerprint != _fingerprint(texts):
        raise DataError(f"{place}: holds the vectors of other texts; make them again with chainrule vectors embed")
    return found.astype(np.float32, copy=False)


def nearest(query: np.ndarray, vectors: np.ndarray, count: int) -> list[tuple[int, float]]:
    """The rows whose vectors point most nearly in the direction of a query, with the cosines, the nearest first.

    Raises:
        ConfigurationError: for a count below 1.

    Example:
        >>> nearest(np.array([1.0, 0.0]), np.array([[0.0, 2.0], [3.0, 0.0], [1.0, 1.0]]), 2)
        [(1, 1.0), (2, 0.7071...)]
    """
    if count < 1:
        raise ConfigurationError(f"count: expected a whole number of 1 or more, got {count}")
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
    cosines = np.divide(vectors @ query, lengths, out=np.zeros(len(vectors), vectors.dtype), where=lengths > 0)
    return [(int(row), float(cosines[row])) for row in np.argsort(-cosines, kind="stable")[:count]]


def _fingerprint(texts: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        held = text.encode("utf-8", "surrogatepass")
        digest.update(len(held).to_bytes(8, "little") + held)
    return digest.hexdigest()


def _safetensors(texts: Sequence[str], vectors: np.ndarray) -> list[Part]:
    return list(file_parts({VECTORS: vectors}, {FINGERPRINT: _fingerprint(texts)}))


def _npy(texts: Sequence[str], vectors: np.ndarray) -> bytes:  # noqa: ARG001
    content = io.BytesIO()
    np.save(content, vectors)
    return content.getvalue()


@uses_polars
def _csv(texts: Sequence[str], vectors: np.ndarray) -> bytes:
    frame = pl.DataFrame({"text": list(texts), **{str(n): column for n, column in enumerate(vectors.T, 1)}})
    content = io.BytesIO()
    frame.write_csv(content)
    return content.getvalue()


#: Who writes each format, by the end of the file's name.
WRITERS: dict[str, Callable[[Sequence[str], np.ndarray], list[Part] | bytes]] = {
    ".safetensors": _safetensors, ".npy": _npy, ".csv": _csv,
}  # fmt: skip
