"""Text in boxes: numbers in few words, and how wide a line is."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Arrays of up to this many numbers are shown in full.
SHOWN_NUMBERS = 6
#: Characters of one line in a box.
MAXIMUM_TEXT = 36


def number(x: Any) -> str:
    """One number with four significant digits."""
    if isinstance(x, bool | np.bool_):
        return str(bool(x)).lower()
    return f"{x + 0.0:.4g}" if isinstance(x, float | np.floating) else str(x)


def numbers(array: Array) -> list[str]:
    """An array in a few short lines: all its numbers, or what they are like."""
    if array.size == 0:
        return ["no elements"]
    if array.size <= SHOWN_NUMBERS:
        text = np.array2string(array, separator=", ", formatter={"all": number})
        rows = text.split("\n") if array.ndim == 2 and array.shape[1] > 1 else [" ".join(text.split())]
        return [line for row in rows for line in textwrap.wrap(row.strip(), MAXIMUM_TEXT)]
    if array.dtype.kind == "b":
        return [f"{int(array.sum())} of {array.size} true"]
    finite = array[np.isfinite(array)].astype(np.float64) if array.dtype.kind == "f" else array.ravel()
    if finite.size == array.size and finite.min() == finite.max():
        return [f"all {number(finite[0])}"]
    lines = []
    if finite.size:
        if array.dtype.kind == "f":
            lines.append(f"mean {finite.mean():.3g} ± {finite.std():.3g}")
        lines.append(f"min {number(finite.min())}, max {number(finite.max())}")
    if finite.size < array.size:
        missing = int(np.isnan(array).sum())
        infinite = array.size - finite.size - missing
        lines.append(", ".join([f"{missing} NaN"] * bool(missing) + [f"{infinite} inf"] * bool(infinite)))
    return lines


def excerpt(array: Array) -> str:
    """The numbers of an array, those at the ends of a large one."""
    return np.array2string(array, separator=", ", threshold=64, edgeitems=3, formatter={"all": number})


def shortened(text: str) -> str:
    """As much of a text as a line in a box holds."""
    return text if len(text) <= MAXIMUM_TEXT else text[: MAXIMUM_TEXT - 1] + "…"


def printable(text: str) -> str:
    """The text without the characters that XML does not allow."""
    return re.sub("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]", "\N{REPLACEMENT CHARACTER}", text)


def text_width(text: str, size: float) -> float:
    """About how wide a text is in a sans-serif font: there is no font to measure here."""
    wide = sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.86 if c in "mwMW@±×…" else 0.0 for c in text)
    plain = [c for c in text if unicodedata.east_asian_width(c) not in "WF" and c not in "mwMW@±×…"]
    return size * (wide + sum(0.3 if c in " .,:;'il|()[]" else 0.7 if c.isupper() else 0.575 for c in plain))
