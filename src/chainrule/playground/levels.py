"""Functions over the plane as small pictures: levels of two colours, with nothing at the middle, as PNG."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np

from chainrule.graph.spec import Array

Colour = tuple[int, int, int, int]

#: Levels on either side of the middle.
SIDE = 7
#: Colours of classes, which light and dark paper both let be seen; the first is that of numbers below the middle, and
#: the second of those above it.
CLASS_COLOURS = ("#2a84c6", "#e8721c", "#23a77c", "#b65fa0", "#a58a12", "#7d7d7d")
#: Of a place where there is no finite number, and shades of a class by how likely it is.
NOTHING, SHADES = (120, 120, 120, 120), 5


def rgb(colour: str) -> tuple[int, int, int]:
    """The parts of a colour such as "#2a84c6"."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def shade(index: int) -> tuple[str, float]:
    """The colour of a level, from -7 to 7, and how much it covers."""
    return CLASS_COLOURS[index > 0], round(abs(index) / SIDE * 0.85, 3)


def level_of(values: Array, middle: float, reach: float) -> Array:
    """The levels of numbers, from -7 to 7: those `reach` away from the middle, or farther, have the last ones.

    Example:
        >>> level_of(np.array([0.0, 0.5, 0.99, 1.0]), 0.5, 0.5).tolist()
        [-7, 0, 7, 7]
    """
    share = np.clip((values - middle) / (reach or 1.0), -1, 1)
    levels: Array = np.rint(np.where(np.isnan(share), 0, share) * SIDE).astype(int)
    return levels


def signed_picture(values: Array, middle: float, reach: float) -> str:
    """Numbers over a grid, rows from the lowest y on, as a picture: one colour below the middle, the other above."""
    palette = [(*rgb(colour), round(255 * cover)) for colour, cover in map(shade, range(-SIDE, SIDE + 1))]
    levels = level_of(values, middle, reach) + SIDE
    levels[~np.isfinite(values)] = len(palette)
    return _picture(levels, [*palette, NOTHING])


def class_picture(probabilities: Array, index: int) -> str:
    """How likely a class is over a grid: its colour, from none of it to the full one."""
    shades = range(2 * SIDE + 1)
    palette = [(*rgb(CLASS_COLOURS[index]), round(255 * 0.85 * level / shades[-1])) for level in shades]
    levels = np.rint(np.nan_to_num(probabilities) * shades[-1]).astype(int)
    levels[~np.isfinite(probabilities)] = len(palette)
    return _picture(levels, [*palette, NOTHING])


def classes_picture(probabilities: Array) -> str:
    """Probabilities over a grid, shape (m, n, classes), as a picture: the likeliest class, darker where it is surer."""
    count = probabilities.shape[-1]
    likeliest, largest = probabilities.argmax(axis=-1), probabilities.max(axis=-1)
    sure = np.clip((largest - 1 / count) / (1 - 1 / count), 0, 1)
    shades = np.minimum((np.nan_to_num(sure) * SHADES).astype(int), SHADES - 1)
    palette = [
        (*rgb(CLASS_COLOURS[k]), round(255 * 0.85 * (i + 1) / SHADES)) for k in range(count) for i in range(SHADES)
    ]
    levels = likeliest * SHADES + shades
    levels[~np.isfinite(largest)] = len(palette)
    return _picture(levels, [*palette, NOTHING])


def _picture(levels: Array, palette: Sequence[Colour]) -> str:
    """A picture whose first row is at the bottom, as the address of an image."""
    return "data:image/png;base64," + base64.b64encode(png(levels[::-1].astype(np.uint8), palette)).decode()


def png(pixels: Array, palette: Sequence[Colour]) -> bytes:
    """A PNG of numbers of colours.

    Args:
        pixels: uint8, shape (height, width), from the top.
        palette: up to 256 colours: red, green, blue, and how much they cover.

    Source: Portable Network Graphics (PNG) Specification, third edition (W3C, 2025).
    """
    height, width = pixels.shape
    deep = len(palette) > 16
    if not deep:  # two pixels in a byte
        even = np.pad(pixels, ((0, 0), (0, width % 2)))
        pixels = even[:, ::2] << 4 | even[:, 1::2]
    rows = np.pad(pixels, ((0, 0), (1, 0)))  # each begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8 if deep else 4, 3, 0, 0, 0)
    colours, covers = bytes(x for colour in palette for x in colour[:3]), bytes(colour[3] for colour in palette)
    parts = {
        b"IHDR": header,
        b"PLTE": colours,
        b"tRNS": covers,
        b"IDAT": zlib.compress(rows.tobytes(), 9),
        b"IEND": b"",
    }
    chunks = (
        struct.pack(">I", len(held)) + name + held + struct.pack(">I", zlib.crc32(name + held))
        for name, held in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
