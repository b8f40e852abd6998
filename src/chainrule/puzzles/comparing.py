"""Comparing an answer with what is wanted, and saying how they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.drawing.text import excerpt
from chainrule.errors import ChainruleError, shortened

#: How far an answer may be off, relative to the largest number that is wanted.
TOLERANCE = 1e-5
#: Inputs of so many numbers are repeated in a message.
FEW = 12


class SolutionError(ChainruleError):
    """What is wrong with a solution, in a sentence for whoever wrote it."""


def shown(value: object) -> str:
    """A value in a few words: an array by its shape."""
    shape = getattr(value, "shape", None)
    return f"an array of shape {shape}" if shape is not None else shortened(value)


def compare(what: str, answer: Any, wanted: Any, inputs: Mapping[str, Any], *, names: Sequence[str] = ()) -> None:
    """Hold an answer, an array or a tuple of arrays, against what is wanted.

    Raises:
        SolutionError: naming the first difference: how many arrays, the shape, a number that is not finite, or the
            place of the largest error, with the example that it was found at.
    """
    if isinstance(wanted, tuple):
        if not isinstance(answer, tuple | list) or len(answer) != len(wanted):
            got = f"{len(answer)} of them" if isinstance(answer, tuple | list) else shown(answer)
            raise SolutionError(f"{what}: expected {len(wanted)} arrays, {', '.join(names)}, got {got}")
        for name, one, other in zip(names, answer, wanted, strict=True):
            compare(name, one, other, inputs)
        return
    try:
        found, expected = np.asarray(answer, np.float64), np.asarray(wanted, np.float64)
    except (TypeError, ValueError):
        raise SolutionError(f"{what}: expected an array of shape {np.shape(wanted)}, got {shown(answer)}") from None
    if found.shape != expected.shape:
        raise SolutionError(f"{what}: expected shape {expected.shape}, got {found.shape}")
    if not np.isfinite(found).all():
        raise SolutionError(f"{what}: has numbers that are not finite{_at(inputs)}")
    error = np.abs(found - expected)
    if error.size and error.max() > TOLERANCE * max(1.0, float(np.abs(expected).max())):
        place = np.unravel_index(int(error.argmax()), error.shape)
        where = f" at {tuple(map(int, place))}" if found.ndim else ""
        raise SolutionError(f"{what}: expected {expected[place]:.6g}{where}, got {found[place]:.6g}{_at(inputs)}")


def _at(inputs: Mapping[str, Any]) -> str:
    """The example, where it is small."""
    if sum(np.size(x) for x in inputs.values()) > FEW:
        return ""
    return ", for " + ", ".join(f"{name} = {' '.join(excerpt(np.asarray(x)).split())}" for name, x in inputs.items())
