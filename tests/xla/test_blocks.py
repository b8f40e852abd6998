"""Every block on XLA: the values that it has eagerly."""

import contextlib

import jax
import numpy as np
import pytest

import chainrule
from chainrule.errors import PerformanceWarning
from chainrule.graph.block import Elementwise
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import Spec
from chainrule.graph.trace import trace
from chainrule.testing import all_blocks
from chainrule.testing.blocks import in_both_precisions, with_distinct_settings
from chainrule.xla.compile import compile
from chainrule.xla.device import wide
from chainrule.xla.lowering import lowered

TOLERANCE = {8: 1e-12, 4: 1e-5}


def close(found, exact, text):
    assert (found.shape, found.dtype) == (exact.shape, exact.dtype), text
    if exact.dtype.kind != "f":
        np.testing.assert_array_equal(found, exact, err_msg=text)
        return
    finite = np.abs(exact[np.isfinite(exact)])
    tolerance = TOLERANCE[exact.dtype.itemsize]
    np.testing.assert_allclose(found, exact, rtol=tolerance, atol=tolerance * finite.max(initial=0.0), err_msg=text)


#: What takes rows of other rows in an order that data decides.
ON_HOST = {"collect", "levels"}


@pytest.mark.parametrize("block", all_blocks(), ids=lambda block: block.name)
def test_block(block, capsys):
    """All samples of a block in one compiled function, in float64 and float32."""
    with pytest.warns(PerformanceWarning) if block.name in ON_HOST else contextlib.nullcontext():
        check(block)
    capsys.readouterr()  # what a block that prints has shown


def check(block):
    cases = [(sample.block, arrays) for sample in block.samples() for arrays in in_both_precisions(sample)]
    graphs = [trace(lambda *xs, b=b: b(*xs), *[Spec(x.shape, x.dtype) for x in arrays]) for b, arrays in cases]
    runs = [lowered(graph) for graph in graphs]
    with wide():
        found = jax.jit(lambda given: [run(xs)[0] for run, xs in zip(runs, given, strict=True)])([a for _, a in cases])
    for y, (own, arrays) in zip(found, cases, strict=True):
        exact = own(*[tensor(x, dtype=x.dtype) for x in arrays]).numpy()
        close(np.asarray(y), exact, f"{own!r} of {[x.shape for x in arrays]} {exact.dtype}")


#: At numbers that XLA computes in another way: below the normal ones, which it takes for 0, and remainders of infinity.
OTHERWISE = {"remainder", "floor_divide"}


def extremes(sample):
    """The numbers that a block is tried at, in all combinations, without those below the normal ones."""
    count = len(sample.inputs)
    kind = type(sample.block)
    each = kind.extremes if isinstance(kind.extremes[0], tuple) else (kind.extremes,) * count
    kept = [[v for v in values if v == 0 or not abs(v) < 1e-30] for values in each[:count]]
    grid = np.meshgrid(*kept, indexing="ij")
    return [x.reshape(-1).astype("float32") for x in grid]


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(sample, id=repr(sample.block))
        for block in all_blocks(Elementwise)
        if block.name not in OTHERWISE
        for sample in with_distinct_settings(block.samples())
        if all(x.dtype.kind == "f" for x in sample.inputs)
    ],
)
def test_extremes(sample):
    """Infinities, NaN, zeros and the largest numbers."""
    arrays = extremes(sample)
    exact = sample.block(*[tensor(x) for x in arrays]).numpy()
    found = compile(lambda *xs: sample.block(*xs))(*arrays).numpy()
    if exact.dtype.kind == "f":
        tiny = np.abs(exact) < 1e-30  # XLA takes such results for 0, too
        np.testing.assert_allclose(found[tiny], 0, atol=2e-30)
        found, exact = found[~tiny], exact[~tiny]
    np.testing.assert_allclose(found, exact, rtol=2e-5, err_msg=repr(sample.block))


class Rolled(chainrule.graph.block.Block):
    """A block of a user, of no kind, written in NumPy."""

    def infer(self, x):
        return x

    def forward(self, xp, x):
        return np.roll(x, 1)

    def backward(self, gradient, output, x):
        return (gradient,)


def test_a_block_in_numpy_runs_on_the_host_and_says_so():
    run = compile(lambda x: Rolled()(x) * 2)
    with pytest.warns(PerformanceWarning, match="block rolled runs on the host"):
        assert run([1.0, 2.0, 3.0]).numpy().tolist() == [6.0, 2.0, 4.0]
