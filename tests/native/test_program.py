"""Programs write what the graph says and nothing else: updates in place, bad positions, odd arrays, no elements."""

import ctypes
import threading

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import chainrule
from chainrule import Block, Parameter, Tensor, gradients, tensor
from chainrule.blocks.putting import PutAt
from chainrule.blocks.slicing import Unslice
from chainrule.engines import engine_named
from chainrule.errors import IndexRangeError, PerformanceWarning, ShapeError
from chainrule.graph.spec import Spec
from chainrule.graph.trace import Update, current_recording
from chainrule.native.running import blas
from chainrule.native.running.kernels import KERNELS
from chainrule.nn import Dropout, EmbeddingBag, Linear, Sequential, cross_entropy
from chainrule.optim import Adam

IDS = ["int32", "int64"]


def update(target, value, rows=None):
    """What an optimizer records of its step."""
    recording = current_recording()
    recording.unchanged = True  # the updates of a trace here are made together, each from what was there before
    recording.updates[target] = Update(target, value, rows)


def parameters(*arrays):
    return [Parameter.of(np.array(x, np.float32)) for x in arrays]


def matrix(size=17):
    return np.arange(size * size, dtype=np.float32).reshape(size, size)


def test_two_parameters_swap():
    a, b = parameters([1, 2], [3, 4])

    def step():
        update(a, b)
        update(b, a)
        return a + b

    run = chainrule.compile(step)
    assert run().value.tolist() == [4, 6]
    assert (a.value.tolist(), b.value.tolist()) == ([3, 4], [1, 2])
    run()
    assert (a.value.tolist(), b.value.tolist()) == ([1, 2], [3, 4])


def test_parameters_swap_around_an_update_of_another_shape():
    a, other, b = parameters([1, 2], [5, 6, 7], [3, 4])

    def step():
        update(a, b)
        update(other, other * 2)
        update(b, a)
        return other

    assert chainrule.compile(step)().value.tolist() == [5, 6, 7]
    assert [x.value.tolist() for x in (a, other, b)] == [[3, 4], [10, 12, 14], [1, 2]]


def test_updates_read_what_was_there_before_all_of_them():
    mean, weight, total = parameters([1, 2], [10, 20], 100)

    def step(g):
        faster = mean * 0.5 + g
        update(mean, faster)
        update(weight, weight - mean - faster * weight.sum())  # the mean before and after, and the whole weight
        update(total, total + (weight * mean).sum() + weight.max())
        return weight * 1

    assert chainrule.compile(step)([1.0, 1.0]).value.tolist() == [10, 20]
    assert mean.value.tolist() == [1.5, 2]
    assert weight.value.tolist() == [10 - 1 - 1.5 * 30, 20 - 2 - 2 * 30]
    assert total.value.item() == 100 + 50 + 20


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (lambda w: w.T, lambda x: x.T),
        (lambda w: w.T * 2 + w, lambda x: x.T * 2 + x),
        (lambda w: w[::-1] + 1, lambda x: x[::-1] + 1),
        (lambda w: chainrule.concatenate([w[1:], w[:1]]), lambda x: np.roll(x, -1, 0)),
        (lambda w: w + w[0], lambda x: x + x[0]),
        (lambda w: w - w.mean(1, keepdims=True), lambda x: x - x.mean(1, keepdims=True)),
        (lambda w: chainrule.gather(w, np.arange(17)[::-1].copy()), lambda x: x[::-1]),
        (lambda w: chainrule.reshape(chainrule.reshape(w, -1)[::-1], w.shape), lambda x: x[::-1, ::-1]),
        (lambda w: w @ w, lambda x: x @ x),
        (lambda w: chainrule.broadcast_to(w[:1], w.shape), lambda x: np.broadcast_to(x[:1], x.shape)),
    ],
)
def test_a_parameter_is_updated_from_its_own_elements_elsewhere(value, expected):
    (w,) = parameters(matrix())

    def step():
        update(w, value(w))
        return w.sum()

    chainrule.compile(step)()
    with np.errstate(all="ignore"):  # on Arm, NumPy's own product may warn of numbers that there are not
        right = expected(matrix())
    np.testing.assert_allclose(w.value, right, rtol=1e-5)


def test_an_update_reads_a_row_that_it_is_added_to_a_broadcast_of():
    w, bias = parameters(matrix(5), np.arange(5))

    def step():
        update(w, w + bias)
        update(bias, bias + w[0])
        return bias

    chainrule.compile(step)()
    np.testing.assert_array_equal(w.value, matrix(5) + np.arange(5))
    np.testing.assert_array_equal(bias.value, np.arange(5) + matrix(5)[0])


def test_rows_of_tables_of_different_lengths():
    long, short = parameters(np.zeros((7, 2)), np.zeros((5, 2)))
    rows = tensor([5, 0, 6, 7])  # 5 and 7 stand for no row of one table each

    def step(x, only):
        update(long, x, rows)
        update(short, x[:2], only)
        return x.sum()

    chainrule.compile(step)(np.ones((4, 2)), np.array([5, 0]))
    assert long.value.sum(1).tolist() == [2, 0, 0, 0, 0, 2, 2]
    assert short.value.sum(1).tolist() == [2, 0, 0, 0, 0]


def test_rows_past_the_end_of_a_shorter_table_are_not_written():
    long, short = parameters(np.zeros((70, 2)), np.zeros((5, 2)))
    rows = tensor([5, 0])

    def step(x):
        update(long, x, rows)
        update(short, x, rows)
        return x.sum()

    chainrule.compile(step)(np.ones((2, 2)))
    assert np.flatnonzero(long.value.sum(1)).tolist() == [0, 5]
    assert short.value.sum(1).tolist() == [2, 0, 0, 0, 0]


def test_rows_updated_from_other_rows():
    (table,) = parameters(np.arange(10).reshape(5, 2))
    rows = tensor([0, 1, 2])

    def step(x):
        update(table, chainrule.gather(table, rows + 1) + chainrule.gather(table, chainrule.minimum(rows, 1)) * x, rows)
        return x

    chainrule.compile(step)(10.0)
    assert table.value.tolist() == [[2, 13], [24, 35], [26, 37], [6, 7], [8, 9]]


@pytest.mark.parametrize("view", [lambda w: w, lambda w: w[1:], lambda w: w[:, ::-1]])
def test_an_argument_in_memory_that_is_written(view):
    (w,) = parameters(matrix(6))
    before = matrix(6)

    def step(x):
        turned = chainrule.reshape(chainrule.reshape(x, -1)[::-1], x.shape)
        update(w, chainrule.concatenate([turned, w])[:6])
        return x + 0

    found = chainrule.compile(step)(view(w.value))
    np.testing.assert_array_equal(found.value, view(before))
    np.testing.assert_array_equal(w.value, np.concatenate([view(before)[::-1, ::-1], before])[:6])


def test_a_parameter_that_is_not_to_be_written_is_replaced():
    (w,) = parameters([1, 2])
    fixed = np.array([5, 6], np.float32)
    fixed.flags.writeable = False
    w.value = fixed

    def step():
        update(w, w * 2)
        return w

    chainrule.compile(step)()
    assert (w.value.tolist(), fixed.tolist()) == ([10, 12], [5, 6])


def table_step(rows=50):
    """A training step on a bag of embeddings, and everything that it changes."""
    bag = EmbeddingBag(rows, 3, generator=np.random.default_rng(0))
    rule = Adam(0.1, lazy=True)
    state = rule.start([bag.table])

    def step(ids, offsets):
        loss = (bag(ids, offsets) ** 2).sum()
        rule.step([bag.table], gradients(loss, [bag.table]), state)
        return loss

    return chainrule.compile(step), lambda: [bag.table.value.copy(), *state.arrays().values()]


@pytest.mark.parametrize("dtype", IDS)
@pytest.mark.parametrize(
    "ids",
    [[0, 50, 1], [0, -1, 1], [49, 50, -1], [-7, 0, 99], [2**31 - 1, 0, 0], [-(2**31), 0, 0], [0, 0, 10**6]],
)
def test_a_bad_id_is_refused_as_eagerly_and_changes_nothing(ids, dtype):
    step, held = table_step()
    step(np.array([1, 2, 3, 4], dtype), np.array([0, 2, 4]))
    before = held()
    ids = np.array(ids, dtype)
    with pytest.raises(IndexRangeError) as eager:
        chainrule.gather(np.zeros((50, 3)), ids)
    with pytest.raises(IndexRangeError) as compiled:
        step(ids, np.array([0, 3]))
    assert str(compiled.value) == str(eager.value)
    for a, b in zip(held(), before, strict=True):
        assert a.tobytes() == b.tobytes()
    step(np.array([1, 2, 3, 4], dtype), np.array([0, 2, 4]))  # and the function lives on


@pytest.mark.parametrize("id", [2**62, -(2**62), 2**63 - 1, -(2**63) + 1])
def test_a_huge_id_is_refused(id):
    with pytest.raises(IndexRangeError, match=f"index {id} is out of range; expected 0 to 49"):
        table_step()[0](np.array([0, id, 0]), np.array([0, 3]))


def test_the_smallest_id_is_refused():
    with pytest.raises(IndexRangeError, match=r"index -92233720368547758\d\d is out of range; expected 0 to 49"):
        table_step()[0](np.array([0, -(2**63), 0]), np.array([0, 3]))


@pytest.mark.parametrize("function", ["scatter_add", "first_slots", "argmax"])
def test_every_block_with_positions_refuses_as_eagerly(function):
    calls = {
        "scatter_add": lambda x, i: chainrule.scatter_add(x, i, 2),
        "first_slots": lambda x, i: chainrule.first_slots(i, 2),
        "argmax": lambda x, i: chainrule.gather(x, chainrule.argmax(x, 1) + i),
    }
    x = np.arange(6).reshape(3, 2)
    for ids in ([1, 3, 0], [0, 0, -2], [0, 7, -9]):
        with pytest.raises(IndexRangeError) as eager:
            calls[function](tensor(x), tensor(ids))
        with pytest.raises(IndexRangeError) as compiled:
            chainrule.compile(calls[function])(x, np.array(ids))
        assert str(compiled.value) == str(eager.value)


def test_positions_from_numbers_that_are_none():
    look = chainrule.compile(lambda t, x: chainrule.gather(t, (x * 2).astype("int64")))
    assert look(np.arange(5.0), [0.5, 2.0]).value.tolist() == [1, 4]
    assert look(np.arange(5.0), [np.nan, 2.0]).value.tolist() == [0, 4]  # NaN becomes the integer 0
    for wrong in (np.inf, -np.inf, 1e30, 2.5, -0.5):
        with pytest.raises(IndexRangeError, match=r"index -?\d+ is out of range; expected 0 to 4"):
            look(np.arange(5.0), [0.5, wrong])


@pytest.mark.parametrize("dtype", IDS)
@pytest.mark.parametrize(
    "offsets",
    [
        [0, 3, 2, 4], [1, 2, 3, 4], [0, 1, 2, 3], [0, 1, 2, 5], [-1, 1, 2, 4], [0, 10**9, 2, 4], [0, -5, 2, 4],
        [0, 0, 0, 0],
    ],
)  # fmt: skip
def test_offsets_that_do_not_divide_the_values_are_refused_and_change_nothing(offsets, dtype):
    step, held = table_step()
    before = held()
    with pytest.raises(ShapeError, match=r"segment_(sum|ids): offsets must rise from 0 to the number of values"):
        step(np.array([1, 2, 3, 4]), np.array(offsets, dtype))
    for a, b in zip(held(), before, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("dtype", IDS)
@pytest.mark.parametrize("lengths", [[0, 0, 0], [0, 3, 0], [1], [0]])
def test_empty_bags(lengths, dtype):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(dtype)
    ids = np.arange(offsets[-1], dtype=dtype)
    found, eager = table_step()[0](ids, offsets), chainrule.segment_mean(np.zeros((len(ids), 2)), offsets)
    assert np.isfinite(found.item())
    compiled = chainrule.compile(chainrule.segment_mean)(np.zeros((len(ids), 2)), offsets)
    np.testing.assert_array_equal(compiled.value, eager.value)


EMPTY = {
    "concatenate": (lambda x, i: chainrule.concatenate([x, x]), (0, 3)),
    "concatenate integers": (lambda x, i: chainrule.concatenate([i, i]), (0, 3)),
    "index": (lambda x, i: x[:0], (4, 3)),
    "reshape": (lambda x, i: chainrule.reshape(x, (3, 0, 2)), (0, 3)),
    "gather of no rows": (lambda x, i: chainrule.gather(x, i), (0, 3)),
    "gather of no numbers": (lambda x, i: chainrule.gather(x, i), (3, 0)),
    "matmul": (lambda x, i: x @ x.T, (4, 0)),
    "matmul of no rows": (lambda x, i: x.T @ x, (0, 3)),
    "sum": (lambda x, i: x.sum(0), (0, 3)),
    "mean": (lambda x, i: x.mean(), (0, 3)),
    "max": (lambda x, i: x.max(1), (0, 3)),
    "softmax": (lambda x, i: chainrule.softmax(x), (0, 3)),
    "scatter_add": (lambda x, i: chainrule.scatter_add(x, i, 5), (0, 3)),
    "transpose": (lambda x, i: x.T * 2, (0, 3)),
    "one_hot": (lambda x, i: chainrule.one_hot(i, 4), (0, 3)),
    "first_slots": (lambda x, i: chainrule.first_slots(i, 4), (0, 3)),
}


@pytest.mark.parametrize(("function", "shape"), EMPTY.values(), ids=EMPTY)
def test_arrays_without_elements(function, shape):
    x, ids = np.ones(shape, np.float32), np.zeros(0, np.int64)
    found, expected = chainrule.compile(function)(x, ids), function(tensor(x), tensor(ids))
    assert found.spec == expected.spec
    np.testing.assert_array_equal(found.value, expected.value)


def test_nothing_is_read_by_positions_that_are_not_there():
    def placed(table, ids):
        return Unslice((0, 0), (1, 1), (4, 2))(chainrule.gather(table, ids))

    held = np.full(100, 10**15)[50:50]  # no elements, between numbers that are no positions
    assert chainrule.compile(placed)(np.ones((3, 2)), held).value.tolist() == np.zeros((4, 2)).tolist()


def odd_arrays(x):
    """The same array in every kind of memory."""
    fixed = x.copy()
    fixed.flags.writeable = False
    strided = np.zeros((*x.shape, 3), x.dtype)
    strided[..., 1] = x
    unaligned = np.frombuffer(b"\0" + x.tobytes(), x.dtype, x.size, offset=1).reshape(x.shape)
    return {
        "Fortran": np.asfortranarray(x), "reversed": x[::-1, ::-1].copy()[::-1, ::-1], "read-only": fixed,
        "strided": strided[..., 1], "unaligned": unaligned, "big-endian": x.astype(x.dtype.newbyteorder(">")),
        "broadcast": np.broadcast_to(x[:1], x.shape),
    }  # fmt: skip


@pytest.mark.parametrize("kind", odd_arrays(np.zeros((2, 2))))
def test_arrays_in_every_kind_of_memory(kind):
    x = odd_arrays(np.arange(12, dtype=np.float32).reshape(3, 4))[kind]
    ids = odd_arrays(np.array([[0, 2], [1, 1], [2, 0]]))[kind]
    held = tensor(x)

    def function(x, ids):
        return [chainrule.gather(x, ids), x @ held.T, held * 2, x + np.asarray(held.value)]

    compiled, eager = chainrule.compile(function)(x, ids), function(tensor(x), tensor(ids))
    for a, b in zip(compiled, eager, strict=True):
        np.testing.assert_allclose(a.value, b.value, rtol=1e-6)


def test_a_parameter_in_the_other_order_of_memory():
    w = Parameter.of(matrix(4))
    w.value = np.asfortranarray(w.value)
    assert not w.value.flags.c_contiguous

    def step():
        update(w, w + w.T)
        return w * 1

    np.testing.assert_array_equal(chainrule.compile(step)().value, matrix(4))
    np.testing.assert_array_equal(w.value, matrix(4) + matrix(4).T)


def test_many_elements():
    x = np.ones((3, 5_000_000), np.float32)
    assert chainrule.compile(lambda x: (x * 2).sum(1))(x).value.tolist() == [1e7, 1e7, 1e7]


def test_sizes_that_blas_cannot_count_are_refused():
    many = 2**31
    with pytest.raises(ShapeError, match=r"matmul: .*2147483648.* have a size above 2147483647"):
        chainrule.compile(lambda a, b: a @ b)(np.ones((0, many), np.float32), np.ones((many, 0), np.float32))


@pytest.mark.parametrize(
    "shapes", [((4, 3), (3, 5)), ((2, 4, 3), (2, 3, 5)), ((2, 1, 4, 3), (7, 3, 1)), ((1, 3), (3, 1))]
)
@pytest.mark.parametrize("turned", ["", "left", "right", "left right"])
def test_products_of_turned_matrices(shapes, turned):
    draws = np.random.default_rng(0)
    arrays = [draws.normal(size=shape) for shape in shapes]
    for i, side in enumerate(("left", "right")):
        if side in turned:
            arrays[i] = arrays[i].swapaxes(-1, -2).copy()

    def product(*held):
        flipped = [
            chainrule.transpose(x, (*range(x.spec.rank - 2), -1, -2)) if side in turned else x
            for x, side in zip(held, ("left", "right"), strict=True)
        ]
        return flipped[0] @ flipped[1]

    inputs = [tensor(x, dtype="float64") for x in arrays]
    np.testing.assert_allclose(chainrule.compile(product)(*inputs).value, product(*inputs).value, rtol=1e-12)


def block_in_numpy():
    """A new class of blocks without a loop body."""

    class Sorted(Block):
        def infer(self, x: Spec) -> Spec:
            return x

        def forward(self, xp, x):
            return xp.sort(x, axis=0)

        def backward(self, gradient, output, x):
            return (gradient,)

    return Sorted


def test_blocks_that_run_in_numpy_stand_between_loops():
    kind = block_in_numpy()

    def function(x):
        y = kind()(x * 2) + 1
        return [y, kind()(-y).sum(), x]

    compiled = chainrule.compile(function)
    with pytest.warns(PerformanceWarning):
        compiled(np.zeros((2, 2)))
    for size in (5, 3, 1, 0, 5):
        x = np.cos(np.arange(size * 2.0)).reshape(size, 2)
        for a, b in zip(compiled(x), function(tensor(x)), strict=True):
            np.testing.assert_allclose(a.value, b.value, rtol=1e-6)
    assert "call NumPy: float32(5, 2) = sorted" in compiled.listing()


def test_a_block_that_runs_in_numpy_is_named_once():
    first, second = block_in_numpy(), block_in_numpy()
    message = (
        r"compile: block tests\.native\.test_program\.block_in_numpy\.<locals>\.Sorted has no loop body, so compiled "
        r"programs stop for its NumPy forward; to have it compiled, derive it from Elementwise, Reduction, Movement or "
        r"Scatter, or declare its loops"
    )
    for kind in (first, second):
        compiled = chainrule.compile(lambda x, kind=kind: kind()(kind()(x)))
        with pytest.warns(PerformanceWarning, match=message) as found:
            compiled([2.0, 1.0])
        assert len(found) == 1
        compiled([3.0, 2.0, 1.0])  # traced anew, with warnings as errors
        chainrule.compile(lambda x, kind=kind: kind()(x) + 1)([1.0])


def test_a_block_in_numpy_may_be_refused():
    kind = block_in_numpy()
    compiled = chainrule.compile(lambda x: kind()(x))
    for _ in range(2):
        with pytest.raises(PerformanceWarning):  # warnings are errors here
            compiled([2.0, 1.0])
    with pytest.warns(PerformanceWarning):
        assert compiled([2.0, 1.0]).value.tolist() == [1, 2]


def test_booleans_and_whole_numbers():
    a, b = np.array([True, True, False]), np.array([True, False, False])
    assert chainrule.compile(lambda a, b: a + b)(a, b).value.tolist() == [True, True, False]
    assert chainrule.compile(lambda a, b: a * b)(a, b).value.tolist() == [True, False, False]
    assert chainrule.compile(lambda a: chainrule.max(a, 0))(a).value.tolist() is True
    for dtype in (np.int64, np.int32, np.uint32):
        x = np.array([0, 1, 3, 7], dtype)
        for exponent in (0, 1, 2, 5):
            held = np.full(4, exponent, dtype)
            found = chainrule.compile(chainrule.power)(x, held).value
            assert (found.dtype, found.tolist()) == (dtype, (x**held).tolist())


def test_arithmetic_keeps_its_order():
    x = np.array([1e-30, 3.0], np.float32)
    for function in (lambda x: x * 1e30 * 1e30, lambda x: (x + 1e8) - 1e8, lambda x: x * x - x * 3 + x):
        found, expected = chainrule.compile(function)(x).value, function(tensor(x)).value
        assert found.tobytes() == expected.tobytes()


def test_a_number_computed_twice_is_the_same():
    draws = np.random.default_rng(0)
    a, b, c, d = (tensor(draws.normal(size=(40, 9))) for _ in range(4))

    def gradient(a, b, c, d):
        x = a * b + c * d
        loss = x.max(1).sum() + (a * b * c).sum()
        return chainrule.grad(loss, [a, b, c, d])

    for x, y in zip(chainrule.compile(gradient)(a, b, c, d), gradient(a, b, c, d), strict=True):
        np.testing.assert_allclose(x.value, y.value, rtol=1e-6)


def test_the_memory_of_nodes_that_do_not_meet_is_shared():
    def chain(x):
        for _ in range(20):
            x = x @ x
        return x

    compiled = chainrule.compile(chain)
    compiled(np.eye(16))
    assert compiled.stats()["steps"] == 20
    assert compiled.stats()["arena_bytes"] == 2 * 16 * 16 * 4


@pytest.mark.parametrize("lazy", [False, True])
def test_the_arena_is_little_larger_than_what_lives_in_it(lazy):
    draws = np.random.default_rng(0)
    bag, first, second = (
        EmbeddingBag(500, 30, generator=draws),
        Linear(30, 40, generator=draws),
        Linear(40, 5, generator=draws),
    )
    network = Sequential(first, chainrule.relu, Dropout(0.3), second)
    parameters = [bag.table, *network.parameters()]
    optimizer = chainrule.Adam(0.01, lazy=lazy)
    state = optimizer.start(parameters)

    @chainrule.compile
    def step(ids, offsets, classes, words):
        loss = cross_entropy(network(bag(ids, offsets), key=chainrule.Key(words)), classes)
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        return loss

    ids, offsets = draws.integers(0, 500, 600), np.arange(0, 601, 20)
    step(ids, offsets, draws.integers(0, 5, 30), chainrule.Key.of(0, 0).words)
    stats = step.stats()
    assert 30 * 40 * 4 < stats["live_bytes"] <= stats["arena_bytes"] <= 1.3 * stats["live_bytes"]


def test_an_argument_that_is_returned_is_copied():
    x = np.ones(3, np.float32)
    found = chainrule.compile(lambda x: x)(x)
    x[:] = 7
    assert isinstance(found, Tensor)
    assert found.value.tolist() == [1, 1, 1]


@pytest.fixture
def scipys_blas():
    """The controller of SciPy's BLAS, set to two threads."""
    blas.address("sgemm")
    libraries = [x for x in ThreadpoolController().lib_controllers if x.user_api == "blas"]
    (own,) = [x for x in libraries if "scipy.libs" in x.filepath] or libraries
    before = own.get_num_threads()
    own.set_num_threads(2)
    yield own
    own.set_num_threads(before)


def test_blas_keeps_to_one_thread_while_products_run_and_is_left_as_it_was(scipys_blas):
    seen = []

    @ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    def look(depth, a, b):
        seen.append(scipys_blas.get_num_threads())
        if depth:
            assert limited(depth - 1, a, b, products=True) == depth - 1 + a + b
        seen.append(scipys_blas.get_num_threads())
        return depth + a + b

    def limited(*arguments, products):
        table = blas.limited(ctypes.cast(look, ctypes.c_void_p).value, arguments, products=products)
        return KERNELS.limited(table.ctypes.data)

    assert limited(2, 30, 400, products=True) == 432
    assert seen == [1] * 6
    assert limited(0, 30, 400, products=False) == 430
    assert seen == [1] * 6 + [2] * 2
    scipys_blas.set_num_threads(1)
    assert limited(1, 0, 0, products=True) == 1
    assert scipys_blas.get_num_threads() == 1


def test_blas_is_left_as_it_was_after_programs_of_several_threads(scipys_blas):
    def work():
        run = chainrule.compile(lambda x: x @ x)
        for _ in range(300):
            run(np.eye(8))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scipys_blas.get_num_threads() == 2


def test_blas_is_left_as_it_was_after_a_refusal(scipys_blas):
    look = chainrule.compile(lambda x, i: chainrule.gather(x @ x, i))
    with pytest.raises(IndexRangeError):
        look(np.eye(3), np.array([3]))
    assert scipys_blas.get_num_threads() == 2


def test_threads_of_another_blas_are_set_by_its_controller():
    class Library:
        def __getitem__(self, name):
            raise AttributeError(name)

    class Controller:
        dynlib = Library()
        threads = 7

        def get_num_threads(self):
            return self.threads

        def set_num_threads(self, number):
            self.threads = number

    controller = Controller()
    get_threads, set_threads = blas._functions(controller)
    assert get_threads() == 7
    set_threads(3)
    assert controller.threads == 3


def put_row(*, read_before=False, engine="native"):
    """A step that puts a row into what is kept of each of two texts, and gives the sums of what is kept then."""
    kept = chainrule.Mutable.of(np.arange(24, dtype=np.float32).reshape(2, 4, 3))

    def step(places, row):
        total = kept.sum() if read_before else 0
        after = PutAt()(kept, places, row * 2)
        chainrule.assign(kept, after)
        return [after.sum(axis=2) + total, after[:, 1] * 1]

    return kept, engine_named(engine).compile(step)


@pytest.mark.parametrize("read_before", [False, True])
def test_rows_are_put_where_a_leaf_lies(read_before):
    """They are copied only where the leaf is read, too."""
    (kept, step), (expected, eagerly) = (put_row(read_before=read_before, engine=x) for x in ("native", "eager"))
    array = kept.array
    for places in ([1, 3], [0, 0], [2, 1]):
        row = np.cos(np.arange(6, dtype=np.float32)).reshape(2, 3) + sum(places)
        found, wanted = (run(np.array(places), row) for run in (step, eagerly))
        for x, y in zip(found, wanted, strict=True):
            np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-6)
        np.testing.assert_allclose(kept.numpy(), expected.numpy(), rtol=1e-6)
    assert kept.array is array
    copied = any(x.shape == (2, 4, 3) and x.block is not None for x in step._last.offsets)
    assert copied == read_before


def test_no_row_is_put_at_a_place_that_is_none():
    kept, step = put_row()
    before = kept.numpy().copy()
    with pytest.raises(IndexRangeError, match="put_at: index 4 is out of range"):
        step(np.array([0, 4]), np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(kept.numpy(), before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("inner", [0, 1, 16, 37])
def test_products_of_few_rows(dtype, inner):
    """Some go through BLAS, others do not: as many rows and columns as one time takes, more, and fewer."""
    draws = np.random.default_rng(inner)
    run = chainrule.compile(lambda x, w: x @ w)
    for rows in (1, 2, 5, 6, 8, 13, 32, 33):
        for columns in (1, 7, 8, 16, 19, 70):
            x, w = (tensor(draws.normal(size=shape), dtype) for shape in ((rows, inner), (inner, columns)))
            found = run(x, w).numpy()
            exact = x.numpy().astype("float64") @ w.numpy().astype("float64")
            assert found.dtype == dtype
            np.testing.assert_allclose(found, exact, rtol=0, atol=1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("inner", [127, 128, 301])
def test_products_of_a_transposed_matrix_and_few_columns(dtype, inner):
    """Some go through BLAS, others do not: as many rows and columns as one time takes, more, and fewer."""
    draws = np.random.default_rng(inner)
    run = chainrule.compile(lambda x, w: x.T @ w)
    for rows in (1, 3, 17, 128, 131, 300):
        for columns in (1, 2, 5, 16, 32, 33):
            x, w = (tensor(draws.normal(size=shape), dtype) for shape in ((inner, rows), (inner, columns)))
            exact = x.numpy().astype("float64").T @ w.numpy().astype("float64")
            np.testing.assert_allclose(run(x, w).numpy(), exact, rtol=0, atol=1e-4 if dtype == "float32" else 1e-12)


def test_products_of_few_columns_on_several_threads():
    draws = np.random.default_rng(0)
    x, w = draws.normal(size=(9000, 133)).astype("float32"), draws.normal(size=(9000, 5)).astype("float32")
    one, two = (chainrule.compile(lambda x, w: x.T @ w, threads=threads)(x, w).numpy() for threads in (1, 2))
    assert (one == two).all()
    np.testing.assert_allclose(one, x.T.astype("float64") @ w, atol=1e-3)


def test_products_of_few_rows_on_several_threads():
    draws = np.random.default_rng(0)
    x, w = draws.normal(size=(12, 700)).astype("float32"), draws.normal(size=(700, 3000)).astype("float32")
    one, two = (chainrule.compile(lambda x, w: x @ w, threads=threads)(x, w).numpy() for threads in (1, 2))
    assert (one == two).all()
    np.testing.assert_allclose(one, x.astype("float64") @ w, atol=1e-3)
