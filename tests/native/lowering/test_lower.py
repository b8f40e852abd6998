"""Which kernels a graph becomes: what is computed once, what is not written at all, and what programs share."""

import importlib
import sys

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, Spec, gradients, trace
from chainrule.errors import IndexRangeError
from chainrule.graph.trace import Update, current_recording
from chainrule.native.loops.steps import Loop
from chainrule.native.lowering.lower import lower, with_copies
from chainrule.native.running import blas
from chainrule.optim import Adam

F4, F8, I8 = (np.dtype(name) for name in ("float32", "float64", "int64"))


def steps(function, *specs):
    return [step for step in lower(with_copies(trace(function, *specs))) if isinstance(step, Loop)]


def names(function, *specs):
    return [step.kernel.name for step in steps(function, *specs)]


def set_to(target, value):
    current_recording().update([Update(target, value)])


def matrix(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_a_kernel_has_the_arguments_that_it_reads_and_writes():
    (step,) = steps(lambda x, y: chainrule.relu((x * 2 + 1) - y), Spec((4, 3)), Spec((3,)))
    assert list(step.kernel.buffers) == ["b0", "b1", "b2"]
    assert [node.shape for node in step.arguments] == [(4, 3), (4, 3), (3,)]


def test_an_array_of_which_only_a_size_is_read_is_an_argument():
    *_, step = steps(lambda x: (x * x).mean(), Spec((5,)))
    assert "size(b2, 0)" in str(step.kernel)
    assert [node.shape for node in step.arguments] == [(), (), (5,)]


@pytest.mark.parametrize(("rows", "expected"), [(3, ["check", "map", "map"]), (90, ["check", "map"])])
def test_rows_that_are_read_many_times_are_computed_once(rows, expected):
    def function(table, ids):
        return chainrule.gather(table / 3, ids) * 2

    assert sorted(names(function, Spec((rows, 2)), Spec((20,), I8))) == expected
    table, ids = matrix(rows, 2), np.arange(20) % 3
    found = chainrule.compile(function)(table, ids).value
    assert found.tolist() == (table[ids] / np.float32(3) * 2).tolist()


def test_updates_of_every_shape_share_a_kernel():
    shapes = [(5, 7), (35,), (1, 6), (2, 3, 4)]
    leaves = [Parameter.of(matrix(*shape)) for shape in shapes]

    def step():
        for leaf in leaves:
            set_to(leaf, leaf * 2 + 1)
        return leaves[0].sum()

    assert len({x.kernel.key for x in steps(step) if x.kernel.name == "update"}) == 1
    chainrule.compile(step)()
    assert [leaf.value.tolist() for leaf in leaves] == [(matrix(*shape) * 2 + 1).tolist() for shape in shapes]


def test_an_update_from_rows_and_columns():
    square, row, column = (Parameter.of(matrix(*shape)) for shape in [(4, 4), (1, 4), (4, 1)])

    def step():
        set_to(square, square + row * column)
        return square.sum()

    chainrule.compile(step)()
    assert square.value.tolist() == (matrix(4, 4) + matrix(1, 4) * matrix(4, 1)).tolist()


def test_positions_are_checked_once_whatever_reads_by_them():
    def function(x, ids):
        flat = chainrule.reshape(ids, (-1,))
        return chainrule.gather(x, ids).sum() + chainrule.gather(x, flat).sum(), chainrule.gather(x * 2, ids)

    checks = [step for step in steps(function, Spec((4, 2)), Spec((3, 5), I8)) if step.kernel.name == "check"]
    assert len(checks) == 1


@pytest.mark.parametrize("bound", [1, 3, 9])
def test_positions_up_to_a_number(bound):
    x = matrix(4, 2)
    run = chainrule.compile(lambda x, i: chainrule.gather(x, chainrule.minimum(i, bound)))
    good = np.array([0, 2, 1, 3])
    assert run(x, good).value.tolist() == x[np.minimum(good, bound)].tolist()
    with pytest.raises(IndexRangeError, match=r"index -2 is out of range; expected 0 to 3"):
        run(x, np.array([0, 5, -2, 1]) if bound < 4 else np.array([0, -2]))
    beyond = np.array([0, 7, 1, 2])
    if bound < 4:
        assert run(x, beyond).value.tolist() == x[np.minimum(beyond, bound)].tolist()
    else:
        with pytest.raises(IndexRangeError, match=r"index 7 is out of range"):
            run(x, beyond)


def test_checks_of_any_array_and_limit_share_a_kernel():
    def keys(function, *specs):
        return {step.kernel.key for step in steps(function, *specs) if step.kernel.name == "check"}

    ids = Spec((6,), I8)
    found = keys(chainrule.gather, Spec((9, 2)), ids) | keys(chainrule.gather, Spec((4,), F8), ids)
    found |= keys(lambda i: chainrule.first_slots(i, 11), ids)
    found |= keys(lambda x, i: chainrule.scatter_add(x, i, 4), Spec((6, 3)), ids)
    assert len(found) == 1


IDS = [[5, 1, 5, 5, 0, 2], [3, 3, 3, 3, 3, 3], [0, 1, 2, 3, 4, 5], [4, 4, 1, 1, 4, 1]]


def coalesced(table, ids):
    (gradient,) = gradients((chainrule.gather(table, ids) * matrix(6, 5)).sum(), [table])
    return gradient.coalesce()


def test_rows_of_slots_that_nothing_has_are_zero_where_they_are_read():
    table = Parameter.of(matrix(6, 5))
    run = chainrule.compile(lambda ids: [coalesced(table, ids).rows, (coalesced(table, ids).rows ** 2).sum() * 1])
    for ids in IDS:
        expected = np.zeros((6, 5), np.float32)
        for slot, row in zip(chainrule.first_slots(ids, 6).value, matrix(6, 5), strict=True):
            expected[slot] += row
        rows, square = run(np.array(ids))
        assert rows.value.tolist() == expected.tolist()
        assert square.value == pytest.approx((expected**2).sum())


def test_rows_of_slots_that_nothing_has_are_not_written_where_nobody_reads_them():
    def step(ids):
        loss = (chainrule.gather(table, ids) * matrix(6, 5)).sum()
        rule.step([table], gradients(loss, [table]), state)
        return loss

    tables = []
    for make in (lambda function: function, chainrule.compile):
        table, rule = Parameter.of(matrix(6, 5)), Adam(0.1, lazy=True)
        state = rule.start([table])
        run = make(step)
        for ids in IDS:
            run(chainrule.tensor(ids))
        tables.append(table.value)
    assert np.allclose(*tables, rtol=1e-6)
    (scatter,) = [part for part in run.listing().split("\n\n") if "kernel scatter" in part]
    assert "] = 0" not in scatter


@pytest.mark.parametrize("shape", [(), (1,), (5,), (33,), (2, 3)])
def test_segments_of_every_length(shape):
    offsets = np.cumsum([0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0])
    x = np.random.default_rng(0).normal(size=(offsets[-1], *shape)).astype(np.float32)
    found = chainrule.compile(chainrule.segment_sum)(x, offsets).value
    for row, start, end in zip(found, offsets, offsets[1:], strict=False):
        expected = np.zeros(shape, np.float32)
        for value in x[start:end]:
            expected = expected + value
        assert row.tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("size", [1, 2, 7, 8, 15, 16, 17, 31, 33, 100])
def test_long_loop_bodies_end_where_their_arrays_end(size, dtype):
    def function(x):
        y = chainrule.tanh(chainrule.exp(chainrule.sigmoid(x)) * chainrule.softplus(x))
        return y * chainrule.log(y * y + 1), x + 1, (chainrule.exp(x) * chainrule.tanh(x)).max()

    held = chainrule.tensor(np.random.default_rng(size).normal(size=(3, size)), dtype)
    for found, expected in zip(chainrule.compile(function)(held), function(held), strict=True):
        assert found.dtype == dtype
        assert np.allclose(found.value, expected.value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1, 5, 16, 40, 1000])
@pytest.mark.parametrize("dtype", [F4, F8])
def test_extremes_of_nan_and_infinity(size, dtype):
    run = chainrule.compile(lambda x: [x.max(1), -(-x).max(1), chainrule.maximum(x, 1), chainrule.minimum(1, x)])
    x = np.random.default_rng(size).normal(size=(4, size)).astype(dtype)
    x[1, size // 2], x[2, -1], x[3, 0] = np.nan, np.inf, -np.inf
    expected = [x.max(1), x.min(1), np.maximum(x, 1), np.minimum(1, x)]
    for found, wanted in zip(run(chainrule.tensor(x, dtype)), expected, strict=True):
        assert np.array_equal(found.value, wanted, equal_nan=True)


@pytest.mark.parametrize("found", [None, ImportError("no library")])
def test_blas_is_imported_where_its_module_cannot_be_loaded_alone(found, monkeypatch):
    def alone(_):
        if found is not None:
            raise found

    importlib.import_module("scipy.linalg.cython_blas")
    monkeypatch.delitem(sys.modules, "scipy.linalg.cython_blas")
    monkeypatch.setattr(blas, "_alone", alone)
    assert "sgemm" in blas._routines.__wrapped__()


@pytest.mark.parametrize(("first", "second"), [((8,), (1, 8)), ((4, 2), (4, 1, 2)), ((2, 4, 1), (2, 4))])
def test_a_reshape_that_only_adds_or_drops_axes_of_size_1_after_one_that_does_more(first, second):
    x = np.arange(8.0).reshape(4, 2)
    function = lambda x: chainrule.reshape(chainrule.reshape(x * 2, first), second) + 1  # noqa: E731
    np.testing.assert_array_equal(chainrule.compile(function)(x).numpy(), function(chainrule.tensor(x)).numpy())
