"""Costs are what one counts by hand from the loops and the sizes."""

import numpy as np
import pytest

import chainrule
from chainrule import Block, Parameter, gradients
from chainrule.errors import PerformanceWarning
from chainrule.graph.spec import FLOAT32, INT64, Spec
from chainrule.native.loops.cost import Certainty, Cost, cost_of
from chainrule.native.loops.kernel import Kernel
from chainrule.native.loops.steps import Loop
from chainrule.optim import SGD


def costs(function, *arrays):
    """Of the steps of a compiled function."""
    compiled = chainrule.compile(function)
    compiled(*arrays)
    return [cost_of(step) for step in compiled._last.steps]


def ones(*shape, dtype="f4"):
    return np.ones(shape, dtype)


def test_a_map():
    assert costs(lambda x: chainrule.relu(x * 2 + 1), ones(2, 3)) == [Cost(3 * 6, 24, 24)]


def test_what_is_broadcast_is_read_once():
    assert costs(lambda x, b: x + b, ones(2, 3), ones(3)) == [Cost(6, 24 + 12, 24)]


def test_an_expression_that_is_used_twice_is_computed_once():
    def function(x):
        y = x + 1
        return y * y

    assert costs(function, ones(5)) == [Cost(2 * 5, 20, 20)]


def test_doubles_and_whole_numbers():
    x = chainrule.tensor(ones(5, dtype="f8"), dtype="float64")
    assert costs(lambda x: x * x, x) == [Cost(5, 40, 40)]
    assert costs(lambda x: x * x + 1, np.arange(5)) == [Cost(0, 40, 40)]
    assert costs(lambda x: x > 0, ones(5)) == [Cost(0, 20, 5)]


def test_reductions():
    assert costs(lambda x: x.sum(1), ones(4, 5)) == [Cost(20, 80, 16)]
    # Down the columns the sums so far are in memory: they are read, too.
    assert costs(lambda x: x.sum(0), ones(4, 5)) == [Cost(20, 80 + 20, 20)]
    assert costs(lambda x: (x * x).sum(), ones(4, 5)) == [Cost(40, 80, 4)]


@pytest.mark.parametrize("batch", [(), (7,)])
def test_a_product(batch):
    left, right = ones(*batch, 4, 3), ones(*batch, 3, 5)
    many = 7 if batch else 1
    expected = Cost(many * 2 * 4 * 5 * 3, many * 4 * (12 + 15), many * 4 * 20)
    assert costs(lambda x, y: x @ y, left, right) == [expected]
    turned = ones(*batch, 3, 4)
    assert costs(lambda x, y: chainrule.transpose(x, (*range(len(batch)), -1, -2)) @ y, turned, right) == [expected]


def test_rows_of_a_table():
    check, gather = costs(chainrule.gather, ones(100, 4), np.array([5, 7, 9]))
    assert check == Cost(0, 3 * 8, 0)  # the search for a wrong one, after which the program ends, does not count
    assert gather == Cost(0, 3 * 4 * 4 + 3 * 8, 3 * 4 * 4)
    check, gather = costs(chainrule.gather, ones(2, 4), np.zeros(30, np.int64))
    assert gather == Cost(0, 2 * 4 * 4 + 30 * 8, 30 * 4 * 4)  # the table is no larger


def test_segments_are_taken_to_divide_the_values():
    (found,) = costs(chainrule.segment_sum, ones(6, 3), np.array([0, 2, 2, 6]))
    assert found == Cost(18, 72 + 4 * 8 + 36, 36, Certainty.AT_LEAST)
    _, found = costs(lambda t, i, o: chainrule.segment_sum(chainrule.gather(t, i), o), ones(50, 3), [4] * 6, [0, 2, 6])
    assert found == Cost(18, 6 * 3 * 4 + 6 * 8 + 3 * 8 + 24, 24, Certainty.AT_LEAST)


def test_rows_that_may_be_none_are_taken_to_be_written():
    table = Parameter.of(ones(50, 3))
    rule = SGD(0.1, lazy=True)
    state = rule.start([table])

    def step(ids, rows):
        loss = (chainrule.gather(table, ids) * rows).sum()
        rule.step([table], gradients(loss, [table]), state)

    compiled = chainrule.compile(lambda ids, rows: (step(ids, rows), rows.sum())[1])
    compiled(np.array([4, 2]), ones(2, 3))
    update = cost_of(compiled._last.steps[-2])  # the last one counts the step
    assert (update.operations, update.written, update.certainty) == (2 * 6, 2 * 3 * 4, Certainty.ABOUT)


def test_a_loop_of_a_length_that_only_data_knows():
    kernel = Kernel("repeat")
    out, counts = (kernel.buffer(name, Spec((4,), dtype)) for name, dtype in (("out", FLOAT32), ("counts", INT64)))

    def row(i):
        kernel.loop(counts((i,)), lambda _: out.store(kernel, (i,), 1.0, accumulate=True))
        out.store(kernel, (i,), out((i,)) * 2.0)

    kernel.loop(out.shape[0], row)
    assert cost_of(Loop(kernel, ())) == Cost(4, 16, 16, Certainty.AT_LEAST)


def test_loops_that_share_an_axis_run_for_each_of_the_others():
    kernel = Kernel("columns")
    out, x = kernel.buffer("out", Spec((3, 5), FLOAT32)), kernel.buffer("x", Spec((20, 5), FLOAT32))
    offsets = kernel.buffer("offsets", Spec((4,), INT64))

    def cell(index):
        s, j = index
        kernel.loop(offsets((s + 1,)), lambda i: out.store(kernel, index, x((i, j)), accumulate=True), offsets((s,)))

    kernel.nest(out.shape, cell)
    assert cost_of(Loop(kernel, ())).operations == 20 * 5


class Flipped(Block):
    """A block without a loop body."""

    def infer(self, x: Spec) -> Spec:
        return x

    def forward(self, xp, x):
        return xp.flip(x)

    def backward(self, gradient, output, x):
        return (Flipped()(gradient),)


@pytest.mark.filterwarnings(f"ignore::{PerformanceWarning.__module__}.{PerformanceWarning.__name__}")
def test_what_a_block_computes_in_numpy_is_not_known():
    first, last = costs(lambda x: Flipped()(x) + 1, ones(5))
    assert (first, last) == (Cost(0, 20, 20, Certainty.AT_LEAST), Cost(5, 20, 20))


def test_a_listing_shows_each_and_all():
    compiled = chainrule.compile(lambda x, w: chainrule.segment_sum(chainrule.exp(x @ w), [0, 1, 4]))
    compiled(ones(4, 300), ones(300, 2))
    product, total, _ = compiled.listing().split("\n\n")
    assert product.startswith("# step 0: 4,800 floating-point operations, 7,200 bytes read, 32 bytes written\nproduct ")
    assert total.startswith("# step 1: at least 16 floating-point operations, 72 bytes read, 16 bytes written\nkernel ")
    assert compiled.listing().endswith(
        "\n\n# all steps: at least 4,816 floating-point operations, 7,272 bytes read, 48 bytes written"
    )


def test_sums_of_costs_are_as_sure_as_the_least():
    held = [Cost(1, 2, 3), Cost(10, 20, 30, Certainty.ABOUT), Cost(100, 200, 300, Certainty.AT_LEAST)]
    assert held[0] + held[1] == Cost(11, 22, 33, Certainty.ABOUT)
    assert sum(reversed(held), Cost()) == Cost(111, 222, 333, Certainty.AT_LEAST)
