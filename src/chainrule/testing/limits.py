"""The test of elementwise blocks at the limits of integers and booleans: compiled code gives NumPy's numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from chainrule.errors import BlockError, ChainruleError
from chainrule.graph.block import Elementwise, Sample
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import BOOL, INT32, INT64, UINT32, Array
from chainrule.graph.tensor import Tensor
from chainrule.native.compile import compile

#: Small numbers, and those around the widths of the dtypes: a shift by 32 or 64 bits is a case of its own.
SMALL = (0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 65)


def limits_of(dtype: DTypeLike) -> Array:
    """Numbers of an integer dtype at which operators differ: small ones, the ends of its range, and around 2³¹.

    Example:
        >>> limits_of("bool").tolist(), limits_of("int32").tolist()[0]
        ([False, True], -2147483648)
    """
    dtype = np.dtype(dtype)
    if dtype == BOOL:
        return np.array([False, True])
    ends = np.iinfo(dtype)
    numbers = {*SMALL, *(-x for x in SMALL), ends.min, ends.min + 1, ends.max - 1, ends.max, 2**31 - 1, 2**31}
    return np.array(sorted(x for x in numbers if ends.min <= x <= ends.max), dtype)


def check_limits(sample: Sample) -> None:
    """Check an elementwise block on integers and booleans: compiled, it gives what it gives eagerly, or refuses.

    Floating-point inputs of the sample are replaced by all combinations of `limits_of` each dtype. Other blocks pass.

    Raises:
        AssertionError: for another number, and for one where it refuses eagerly.

    Example:
        >>> from chainrule.blocks.arithmetic import Add
        >>> check_limits(Add.samples()[0])
    """
    block = sample.block
    if not isinstance(block, Elementwise):
        return
    for dtype in (INT32, INT64, UINT32, BOOL):
        kinds = [dtype if x.dtype.kind == "f" else x.dtype for x in sample.inputs]
        if len(kinds) > 3 or dtype not in kinds:
            continue
        grids = np.meshgrid(*map(limits_of, kinds), indexing="ij")
        inputs = [tensor(grid.ravel(), dtype=grid.dtype) for grid in grids]
        text = f"{block!r} of {', '.join(kind.name for kind in kinds)}"
        try:
            found = compile(lambda *x: block(*x))(*inputs).numpy()
        except ChainruleError as error:
            if not isinstance(error, BlockError):
                _require_refusal(block, inputs, f"{text}: compiled, it says: {error}")
            continue
        try:
            expected = block(*inputs).numpy()
        except ChainruleError as error:
            raise AssertionError(f"{text}: compiled, it gives numbers; eagerly it says: {error}") from error
        tolerance = 8 * float(np.finfo(expected.dtype).eps) if expected.dtype.kind == "f" else 0.0
        np.testing.assert_allclose(
            found, expected, rtol=tolerance, atol=0, err_msg=f"{text}: compiled and eager differ at the limits"
        )


def _require_refusal(block: Elementwise, inputs: list[Tensor], text: str) -> None:
    """Require that a block refuses its inputs eagerly, too."""
    try:
        block(*inputs)
    except ChainruleError:
        return
    raise AssertionError(f"{text}; eagerly it gives numbers")
