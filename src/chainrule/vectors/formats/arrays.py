"""Arrays: NumPy's `.npy` and `.npz`, and safetensors, with the words in the file or in a text file beside it.

Nothing is ever unpickled.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError

from chainrule.array_file import ArrayFile
from chainrule.errors import DataError
from chainrule.shown import listing
from chainrule.vectors.rows import Rows, require_finite
from chainrule.vectors.vectors import Vectors

#: The ends of the names of files of words, beside that of the arrays.
WORD_FILES = (".words", ".vocab", ".txt")
#: The names of an array of words, in files that hold several.
WORD_NAMES = ("words", "vocab", "vocabulary")
#: Numbers that are read at once where only some rows are wanted.
BLOCK = 1 << 22


def read_npy(name: str, path: Path, words: frozenset[str] | None, encoding: str) -> Vectors:
    """The rows of a matrix, which is mapped into memory where all of them are wanted.

    Raises:
        DataError: for pickled objects, another shape, and words that are missing or do not fit.
    """
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # whatever NumPy makes of a damaged header
        raise DataError(f"{name}: {_fault(error)}") from error
    return _made(name, _words_beside(name, path, encoding), matrix, words)


def read_npz(name: str, path: Path, words: frozenset[str] | None, encoding: str) -> Vectors:
    """The one matrix of an archive, and its array of words if it has one.

    Raises:
        DataError: as `read_npy`, and for an archive of several matrices.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                with archive.open(info) as member:
                    _require_room(info.file_size, member)  # type: ignore[arg-type]
        with np.load(path, allow_pickle=False) as held:
            arrays = {key: held[key] for key in held.files}
    except Exception as error:
        raise DataError(f"{name}: {_fault(error)}") from error
    texts = next((arrays[key] for key in WORD_NAMES if key in arrays and arrays[key].dtype.kind == "U"), None)
    chosen = _one_matrix(name, {key: x.shape for key, x in arrays.items() if x.dtype.kind == "f"})
    listed = _words_beside(name, path, encoding) if texts is None else [str(x) for x in texts.tolist()]
    return _made(name, listed, arrays[chosen], words)


def read_safetensors(name: str, path: Path, words: frozenset[str] | None, encoding: str) -> Vectors:
    """The one matrix of a file, whose words are beside it or in it: as an array of their UTF-8 bytes, a line each.

    Raises:
        DataError: for one that is damaged or holds several matrices, and words that are missing or do not fit.
    """
    try:
        with ArrayFile(path) as file:
            chosen = _one_matrix(name, {key: shape for key, shape in file.shapes.items() if len(shape) == 2})
            inside = next((key for key in WORD_NAMES if key in file.shapes and file.dtype(key) == np.uint8), None)
            if inside is None:
                texts = _words_beside(name, path, encoding)
            else:
                texts = file.read(inside).tobytes().decode(encoding).split("\n")
            return _made(name, texts, _Slices(file, chosen), words)
    except (SafetensorError, ValueError, OSError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name}: cannot be read: {error}. Copy it again") from error


class _Slices:
    """A matrix in a safetensors file, whose rows are read when they are asked for."""

    def __init__(self, file: ArrayFile, key: str) -> None:
        self._file, self._key = file, key
        self.shape, self.dtype = file.shapes[key], file.dtype(key)
        self.ndim = len(self.shape)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._file.rows(self._key, rows)


def _made(name: str, listed: list[str], matrix: Any, words: frozenset[str] | None) -> Vectors:
    """The rows of a matrix that are wanted."""
    if matrix.ndim != 2 or matrix.dtype.kind != "f" or not matrix.shape[1]:
        raise DataError(
            f"{name}: expected floating-point numbers of shape (words, size), got {matrix.dtype} of {matrix.shape}"
        )
    if len(listed) != matrix.shape[0]:
        raise DataError(f"{name}: holds {matrix.shape[0]:,} vectors, and there are {len(listed):,} words to them")
    if words is None and isinstance(matrix, np.memmap) and len(set(listed)) == len(listed):
        return Vectors(listed, matrix)
    rows, step = Rows(matrix.shape[1], words), max(1, BLOCK // matrix.shape[1])
    for start in range(0, len(listed), step):
        texts = listed[start : start + step]
        chosen = rows.chosen(texts)
        if len(chosen):
            vectors = np.asarray(matrix[start : start + len(texts)][chosen], np.float32)
            require_finite(name, [texts[place] for place in chosen.tolist()], vectors)
            rows.add(vectors)
    return Vectors(rows.words, rows.matrix(), remarks=rows.remarks())


def _one_matrix(name: str, shapes: dict[str, tuple[int, ...]]) -> str:
    matrices = [key for key, shape in shapes.items() if len(shape) == 2]
    for key in ("vectors", "matrix", "embeddings"):
        if key in matrices:
            return key
    if len(matrices) != 1:
        raise DataError(f"{name}: expected one matrix, or one that is called vectors, got {listing(matrices)}")
    return matrices[0]


def _words_beside(name: str, path: Path, encoding: str) -> list[str]:
    """The words of a file beside the one with the vectors: a line each."""
    places = [path.with_suffix(end) for end in WORD_FILES]
    place = next((place for place in places if place.is_file()), None)
    if place is None:
        raise DataError(
            f"{name}: holds vectors without words; expected them beside it, a line each, in "
            f"{' or '.join(x.name for x in places)}"
        )
    try:
        text = place.read_text(encoding=encoding)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{place}: cannot be read: {error}") from error
    return text.removesuffix("\n").split("\n") if text else []


def _require_room(size: int, member: BinaryIO) -> None:
    """Refuse an array that promises more than its file holds, before it takes memory."""
    version = np.lib.format.read_magic(member)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(member)
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > size:
        raise ValueError("an array is larger than the file")


def _fault(error: Exception) -> str:
    """What is wrong, in our words where it is a pickle."""
    if "allow_pickle" in str(error) or "Python objects" in str(error):
        return (
            "holds pickled objects, which are never read, as reading them can run any program. Save the vectors alone: "
            "numpy.save(file, matrix), and the words in a text file beside it"
        )
    return f"cannot be read: {' '.join(str(error).split())[:200] or type(error).__name__}. Copy it again"
