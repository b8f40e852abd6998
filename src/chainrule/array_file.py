"""Arrays by name as a safetensors file, written and read a block at a time: there is never a second copy of them all.

The layout is that of the safetensors library, to the byte: eight bytes with the length of the header; the header, which
is JSON and holds dtype, shape and place of each array; the arrays one after another.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from chainrule.forks import once

#: The dtypes and their names in the header, in the order in which arrays lie in the file.
DTYPES = {
    "uint64": "U64", "int64": "I64", "float64": "F64", "float32": "F32", "uint32": "U32", "int32": "I32",
    "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
#: Floating-point numbers of half the size, as other toolkits write them: read as float32, and never written.
HALVES = ("F16", "BF16")
#: Bytes that are written, hashed or read at once: few enough to be still in the cache for the second of these.
BLOCK = 2**20
#: The name of the last array of a sealed file: the SHA-256 of all bytes before it.
SEAL = "seal"

Array = NDArray[Any]
#: A piece of a file.
Part = bytes | memoryview


def file_parts(
    arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None, *, sealed: bool = False
) -> Iterator[Part]:
    """The bytes of a safetensors file, part by part.

    Args:
        arrays: by name; each may be a view of any strides.
        metadata: text to keep in the header.
        sealed: whether the last array, named "seal", is the SHA-256 of all that comes before it.

    Example:
        >>> import safetensors.numpy
        >>> arrays = {"bias": np.zeros(2, "float32"), "weight": np.ones((2, 3), "float32")}
        >>> b"".join(map(bytes, file_parts(arrays))) == safetensors.numpy.save(arrays)
        True
    """
    order = list(DTYPES)
    names = sorted(arrays, key=lambda name: (order.index(arrays[name].dtype.name), name))
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    end = 0
    for name in names:
        array, begin = arrays[name], end
        end += array.nbytes
        header[name] = {"dtype": DTYPES[array.dtype.name], "shape": array.shape, "data_offsets": (begin, end)}
    digest = hashlib.sha256()
    if sealed:
        header[SEAL] = {"dtype": "U8", "shape": (digest.digest_size,), "data_offsets": (end, end + digest.digest_size)}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    blocks = itertools.chain.from_iterable(_blocks(arrays[name]) for name in names)
    start: list[Part] = [len(text).to_bytes(8, "little"), text]
    parts = itertools.chain(start, blocks)
    if sealed:
        yield from hashed(parts, digest)
        yield digest.digest()
    else:
        yield from parts


def hashed(parts: Iterable[Part], digest: hashlib._Hash) -> Iterator[Part]:
    """Parts as they are; each is added to a digest when it is taken."""
    for part in parts:
        digest.update(part)
        yield part


def _blocks(array: Array) -> Iterator[memoryview]:
    """The bytes of an array, row by row, in blocks."""
    array = np.atleast_1d(array)
    rows = _rows_of_a_block(array.shape, array.itemsize)
    for start in range(0, len(array) if array.size else 0, rows):
        block = np.ascontiguousarray(array[start : start + rows], array.dtype.newbyteorder("<"))
        yield block.reshape(-1).view(np.uint8).data


def _rows_of_a_block(shape: tuple[int, ...], itemsize: int) -> int:
    return max(1, BLOCK // max(1, itemsize * math.prod(shape[1:])))


def is_sealed(path: Path) -> bool:
    """Whether a sealed file is what was written.

    Raises:
        OSError: when it cannot be read.
    """
    digest = hashlib.sha256()
    left = path.stat().st_size - digest.digest_size
    with path.open("rb") as stream:
        while left > 0:
            block = stream.read(min(BLOCK, left))
            if not block:
                return False
            digest.update(block)
            left -= len(block)
        return stream.read() == digest.digest()


class ArrayFile:
    """A safetensors file to read from, one array at a time; use it in a `with` statement.

    Attributes:
        metadata: the text in its header.
        shapes: of its arrays, by name.

    Raises:
        SafetensorError: for something else.
        OSError: when it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        file: Any = safe_open(path, framework="numpy")
        self._file = file
        self._slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  (not a dictionary)
        self.metadata: dict[str, str] = file.metadata() or {}
        self.shapes = {name: tuple(x.get_shape()) for name, x in self._slices.items()}
        self._path = path

    def __enter__(self) -> ArrayFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._slices.clear()
        self._file.__exit__(*error)

    def kind(self, name: str) -> str:
        """What the file calls the dtype of an array."""
        return str(self._slices[name].get_dtype())

    def is_floating(self, name: str) -> bool:
        """Whether the numbers of an array are floating-point, of a size that can be read."""
        return self.kind(name) in ("F32", "F64", *HALVES)

    def dtype(self, name: str) -> np.dtype[Any]:
        """The dtype of an array as it is read: float32 for floating-point numbers of half the size.

        Raises:
            ValueError: for one that chainrule does not have.
        """
        found = self.kind(name)
        if found in HALVES:
            return np.dtype("float32")
        for known, short in DTYPES.items():
            if short == found:
                return np.dtype(known)
        raise ValueError(f"{name}: a dtype of {found}")

    def read(self, name: str) -> Array:
        """An array of its own."""
        array = np.empty(self.shapes[name], self.dtype(name))
        self.read_into(name, array)
        return array

    def rows(self, name: str, rows: slice) -> Array:
        """Some rows of an array."""
        if self.kind(name) == "BF16":
            return self._widened(name, rows)
        return np.asarray(self._slices[name][rows.start : rows.stop])

    @once
    def _begins(self) -> dict[str, int]:
        """Where in the file each array begins."""
        with self._path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(size))
        return {name: 8 + size + x["data_offsets"][0] for name, x in header.items() if name != "__metadata__"}

    def _widened(self, name: str, rows: slice) -> Array:
        """Rows of an array of bfloat16, which are the upper halves of float32, and which NumPy does not have."""
        shape = self.shapes[name] or (1,)
        start, stop, _ = rows.indices(shape[0])
        numbers = math.prod(shape[1:])
        halves = np.fromfile(
            self._path, "<u2", (stop - start) * numbers, offset=self._begins[name] + 2 * start * numbers
        )
        return (halves.astype(np.uint32) << 16).view(np.float32).reshape(-1, *shape[1:])

    def read_into(self, name: str, array: Array, *, convert: bool = False) -> None:
        """Read an array into the memory of one that is there, of any strides.

        Args:
            name: of an array in the file.
            array: the memory.
            convert: whether the file may have another dtype.

        Raises:
            KeyError: when the file has none of this name.
            ValueError: when it has another shape or dtype.
        """
        if self.shapes[name] != array.shape or (self.dtype(name) != array.dtype and not convert):
            raise ValueError(
                f"expected {name} as {array.dtype}{array.shape}, got {self.dtype(name)}{self.shapes[name]}"
            )
        if array.ndim == 0:
            brain = self.kind(name) == "BF16"
            array[()] = self._widened(name, slice(0, 1))[0] if brain else self._file.get_tensor(name)
            return
        rows = _rows_of_a_block(array.shape, array.itemsize)
        for start in range(0, len(array) if array.size else 0, rows):
            stop = min(start + rows, len(array))
            array[start:stop] = self.rows(name, slice(start, stop))
