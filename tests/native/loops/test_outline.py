"""Kernels have one key exactly when the same machine code serves them."""

import numpy as np
import pytest

from chainrule import Spec
from chainrule.native.loops.kernel import Kernel

FLOAT32, FLOAT64, INT32 = np.dtype("float32"), np.dtype("float64"), np.dtype("int32")


def kernel(
    size=5, dtype=FLOAT32, number=2.0, *, accumulate=False, parallel=False, pitched=False, condition=None, seldom=False
):
    """y[i] = (x[i] + number) ** 2, over arrays of a size."""
    made = Kernel("kernel")
    x, y = (made.buffer(name, Spec((3, size), dtype)) for name in ("b0", "b1"))
    made.pitched |= {"b0"} if pitched else set()

    def row(i):
        def element(j):
            shifted = x((i, j)) + made.number(number, dtype)

            def store():
                y.store(made, (i, j), shifted * shifted, accumulate=accumulate)

            if condition is None:
                store()
            else:
                made.when(shifted > made.number(condition, dtype), store, seldom=seldom)

        made.loop(y.shape[1], element, parallel=parallel)

    made.loop(y.shape[0], row)
    made.compact()
    return made


def test_sizes_are_no_part_of_it():
    assert kernel(5).key == kernel(6).key == kernel(2000).key


@pytest.mark.parametrize(
    "other",
    [
        {"size": 1},
        {"size": 0},
        {"dtype": FLOAT64},
        {"dtype": INT32, "number": 2},
        {"number": 3.0},
        {"number": -2.0},
        {"accumulate": True},
        {"parallel": True},
        {"pitched": True},
        {"condition": 0.5},
        {"condition": 0.25},
        {"condition": 0.5, "seldom": True},
    ],
    ids=str,
)
def test_all_else_is(other):
    others = [{}, {"condition": 0.5}] if other != {"condition": 0.5} else [{}]
    assert kernel(**other).key == kernel(**other).key
    assert all(kernel(**other).key != kernel(**one).key for one in others)


@pytest.mark.parametrize(("one", "other"), [(0.0, -0.0), (1.0, np.nextafter(1.0, 2.0)), (np.inf, -np.inf)])
def test_bits_of_constants_are(one, other):
    assert kernel(number=one, dtype=FLOAT64).key != kernel(number=other, dtype=FLOAT64).key


def test_a_part_that_is_used_many_times_is_written_once():
    """Of sums of a sum with itself, each twice the one before, the text without names would have a million parts."""
    made = Kernel("kernel")
    x, y = (made.buffer(name, Spec((5,), FLOAT32)) for name in ("b0", "b1"))

    def element(i):
        total = x((i,))
        for _ in range(20):
            total = total + total
        y.store(made, (i,), total)

    made.loop(y.shape[0], element)
    made.compact()
    assert len(made.key) == 64
