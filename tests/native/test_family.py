"""One program serves many sizes: never where that would be wrong, and with few traces."""

import itertools

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, Spec, gradients, tensor
from chainrule.errors import IndexRangeError, ShapeError
from chainrule.nn import EmbeddingBag, Linear, cross_entropy
from chainrule.optim import Adam


class Counted:
    """A function that counts how often it is traced."""

    def __init__(self, function):
        self.function, self.count = function, 0
        self.compiled = chainrule.compile(self.traced, ragged=True)

    def traced(self, *arguments):
        self.count += 1
        return self.function(*arguments)

    def check(self, *shapes):
        """Compare with the function itself on arrays of these shapes: the value, or the error."""
        arrays = [np.random.default_rng(i).uniform(1, 2, shape).astype("f4") for i, shape in enumerate(shapes)]
        refused = None
        try:
            expected = self.function(*map(tensor, arrays))
        except (ShapeError, IndexRangeError) as error:
            refused = error
        if refused is not None:
            with pytest.raises(type(refused)) as raised:
                self.compiled(*arrays)
            assert str(raised.value) == str(refused)
            return
        found = self.compiled(*arrays)
        assert found.spec == expected.spec, shapes
        np.testing.assert_allclose(found.value, expected.value, rtol=1e-5, err_msg=str(shapes))


LINES = {
    "truncated": lambda x: x[:512] * 2,
    "at most eight": lambda x: x[: min(x.shape[0], 8)] * 2,
    "at least eight": lambda x: chainrule.concatenate([x, np.zeros(max(8 - x.shape[0], 0), "f4")]) * 2,
    "shorter": lambda x: chainrule.concatenate([x[2:], x[:-2]]) * 2,
    "gradient of shorter": lambda x: chainrule.grad((x[2:] * x[:-2]).sum(), x),
    "last": lambda x: x[-3:] * 2,
    "backwards": lambda x: x[::-1] * 2,
    "every other": lambda x: x[::2] * 2,
    "doubled": lambda x: chainrule.concatenate([x, x]) * 2,
    "table": lambda x: chainrule.reshape(x, (-1, 1)) * x,
    "pairs": lambda x: chainrule.reshape(chainrule.concatenate([x, x]), (-1, 2)).sum(1),
    "mean": lambda x: x.mean() * x,
    "by a number": lambda x: x * (1 / max(x.shape[0], 1)),
    "by a tensor": lambda x: x * tensor(1 / max(x.shape[0], 1)),
    "by many numbers": lambda x: x * np.linspace(0, 1, x.shape[0]),
    "softmax": chainrule.softmax,
    "positions": lambda x: chainrule.gather(x, np.array([0, 5])),
    "iota": lambda x: x * chainrule.iota(x.shape[0]).astype("float32"),
    "cut or not": lambda x: x if x.shape[0] < 12 else x[:12] * 3,
}


@pytest.mark.parametrize("function", LINES.values(), ids=LINES)
@pytest.mark.parametrize("traced", [(3, 9, 20), (20, 3, 9), (2, 8, 30), (11, 12, 13)])
def test_functions_of_one_size(function, traced):
    counted = Counted(function)
    for size in (*traced, *range(2, 35), 0, 1, *traced):
        counted.check((size,))


def test_a_truncation_far_beyond_what_was_traced():
    counted = Counted(LINES["truncated"])
    for size in (100, 200, 400, 300, 511, 512, 513, 1000, 400, 700, 2, 600):
        counted.check((size,))


TWO = {
    "flat": lambda x, y: chainrule.reshape(x, -1) * 2,
    "outer": lambda x, y: chainrule.reshape(x[:, :1] * y[:1], -1) + 1,
    "product": lambda x, y: (x @ y.T) @ x,
    "joined": lambda x, y: chainrule.concatenate([x, y[:, : x.shape[1]]]) * 2,
    "sum": lambda x, y: x.sum(0) + y.sum(0),
    "shorter": lambda x, y: x[:-1] * y[1:],
}
PAIRS = list(itertools.product(range(1, 6), range(1, 6)))


@pytest.mark.parametrize("function", TWO.values(), ids=TWO)
@pytest.mark.parametrize(
    "traced", [[(2, 5), (5, 2), (5, 5)], [(2, 2), (3, 3), (5, 5)], [(3, 5), (4, 5), (5, 5)], [(2, 3), (3, 2), (5, 5)]]
)
def test_functions_of_two_sizes(function, traced):
    counted = Counted(function)
    for shape in (*traced, *PAIRS, *traced):
        counted.check(shape, shape)


@pytest.mark.parametrize(
    "traced", [[(2, 6), (3, 4), (4, 3)], [(4, 3), (3, 4), (2, 6), (4, 6)], [(2, 6), (6, 2), (6, 6)]]
)
def test_products_of_sizes_that_are_equal_where_they_were_traced(traced):
    counted = Counted(lambda x: chainrule.reshape(x, -1) * 2)
    for shape in (*traced, *itertools.product(range(2, 7), range(2, 7))):
        counted.check(shape)


def test_sizes_that_happened_to_be_equal():
    counted = Counted(lambda x, y: x.sum() + y)
    for size in (3, 9, 20, 5, 12):
        counted.check((size,), (size,))
    for first, second in itertools.product((3, 5, 9), (3, 7, 20)):
        counted.check((first,), (second,))


def test_arrays_of_two_sizes_side_by_side():
    """Their sizes, and where each begins, are sums of two products."""

    def both(x, y):
        packed = chainrule.concatenate([chainrule.reshape(x, (-1,)), chainrule.reshape(y, (-1,)) * 2], 0)
        return packed[x.shape[0] * 3 :].sum() * packed

    counted = Counted(both)
    for sizes in ((4, 5), (40, 60), (10, 9), (17, 33), (33, 17), (39, 59)):
        counted.check((sizes[0], 3), (sizes[1], 2))
    assert counted.count == 3


def test_arguments_that_are_as_large_as_each_other_are_a_family_of_their_own():
    """What is computed once for both is computed twice where their sizes differ."""

    def ones(x, y):
        return (x + chainrule.ones(x.shape[:1])).sum() + (y + chainrule.ones(y.shape[:1])).sum()

    counted = Counted(ones)
    for sizes in ((4, 4), (40, 60), (5, 7), (10, 9), (17, 33), (33, 17), (39, 59), (20, 20)):
        counted.check((sizes[0],), (sizes[1],))
    assert counted.count <= 5


def test_shapes_that_do_not_fit_are_refused_between_sizes_that_were_traced():
    counted = Counted(lambda x, y: x[:-2] + y)
    for size in (4, 9, 19, 12):
        counted.check((size,), (size - 2,))
    for first, second in itertools.product(range(3, 20), range(2, 18)):
        counted.check((first,), (second,))


def test_an_index_is_refused_with_the_range_for_these_sizes():
    look = chainrule.compile(chainrule.gather, ragged=True)
    for size in (4, 30, 20, 10):
        assert look(np.arange(float(size)), np.array([size - 1])).item() == size - 1
    for size in (7, 10, 23):
        with pytest.raises(IndexRangeError, match=f"index {size} is out of range; expected 0 to {size - 1}$"):
            look(np.arange(float(size)), np.array([size]))
        assert look(np.arange(float(size)), np.array([size - 1])).item() == size - 1


def test_roles_of_arguments_that_change_with_the_size():
    counted = Counted(lambda x, y: x - y if x.shape[0] < 10 else y - x)
    for size in (2, 30, 9, 10, *range(2, 30)):
        counted.check((size,), (size,))


def test_parameters_that_change_with_the_size():
    weights = [Parameter.of(2.0), Parameter.of(3.0)]
    counted = Counted(lambda x: x * weights[int(x.shape[0] > 10)])
    for size in (2, 30, 9, 10, *range(2, 30)):
        counted.check((size,))


def test_a_batch_in_between_needs_no_trace():
    counted = Counted(lambda x: (x * 2).sum(0))
    for size in (2, 50, 20):
        counted.check((size, 3))
    for size in range(3, 50):
        counted.check((size, 3))
    assert counted.count == 3
    assert counted.compiled.stats()["programs"] == 3


def ragged(draws, bags):
    lengths = draws.integers(0, 12, bags)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return draws.integers(0, 40, offsets[-1]), offsets, draws.integers(0, 3, bags)


def training(compiled):
    draws = np.random.default_rng(0)
    bag, last = EmbeddingBag(40, 4, generator=draws, dtype="float64"), Linear(4, 3, generator=draws, dtype="float64")
    parameters = [*bag.parameters(), *last.parameters()]
    rule = Adam(0.01, lazy=True)
    state = rule.start(parameters)
    counted = Counted(lambda *batch: step(*batch))

    def step(ids, offsets, labels):
        loss = cross_entropy(last(bag(ids, offsets)), labels)
        rule.step(parameters, gradients(loss, parameters), state)
        return loss

    return (counted.compiled if compiled else step), counted, parameters, state


@pytest.mark.parametrize(("random_bags", "most"), [(False, 20), (True, 45)])
def test_200_ragged_batches_train_as_eagerly_with_few_traces(random_bags, most):
    compiled, counted, weights, state = training(compiled=True)
    eager, _, expected, _ = training(compiled=False)
    draws = np.random.default_rng(1)
    for _ in range(200):
        batch = ragged(draws, int(draws.integers(1, 30)) if random_bags else 16)
        np.testing.assert_allclose(compiled(*batch).item(), eager(*map(tensor, batch)).item(), rtol=1e-9)
    assert state.step == 200
    assert counted.count <= most
    for a, b in zip(weights, expected, strict=True):
        np.testing.assert_allclose(a.value, b.value, rtol=1e-8, atol=1e-12)


def test_sizes_that_are_one_inside_are_a_family_of_their_own():
    """One bag, whose number of offsets is 2, and several: each kind is predicted after its first few."""
    counted = Counted(lambda ids, offsets: chainrule.segment_sum(ids * 2, offsets).sum())
    draws = np.random.default_rng(0)
    for bags in (1, 3, 1, 9, 5):
        for size in (4, 60, 30, *range(5, 60)):
            offsets = np.sort(np.append(draws.integers(0, size + 1, bags - 1), [0, size]))
            assert counted.compiled(np.arange(size), offsets).item() == size * (size - 1)
    assert counted.count <= 12


def test_sizes_that_were_traced_beforehand_need_no_trace_later():
    """Not even the first call; and the function has not run."""
    counted, seen = Counted(lambda x: (x * 2).sum(0)), []
    for size in (2, 50, 20):
        counted.compiled.trace_for(Spec((size, 3), np.dtype(np.float32)))
        seen.append(counted.count)
    for size in (7, 2, 50, 33):
        np.testing.assert_array_equal(counted.compiled(np.ones((size, 3), np.float32)).value, [2 * size] * 3)
    assert seen == [1, 2, 3]
    assert counted.count == 3


def test_predictions_that_are_kept_are_right(monkeypatch):
    """Also more than are kept, again, and of sizes that were asked for before they could be predicted."""
    monkeypatch.setattr("chainrule.native.compile.PREDICTIONS_KEPT", 3)
    counted = Counted(lambda x: x[1:] * x.mean())
    for size in (4, 30, 17, 40, 30, 35):  # 35 cannot be predicted before 40 was traced
        counted.check((size,))
    traces = counted.count
    for size in (*range(5, 40), *range(5, 40), 40, 4):
        counted.check((size,))
    assert counted.count == traces


def test_only_some_programs_are_kept():
    counted = Counted(lambda x: x * (1 / x.shape[0]))  # every size is a program of its own
    for size in range(2, 60):
        counted.check((size,))
    assert counted.compiled.stats()["programs"] == 32
    counted.check((2,))


def test_sizes_are_exact_unless_a_function_promises_that_they_are_ragged():
    pairs = chainrule.compile(lambda x: x[: x.shape[0] // 2 * 2] * 2)
    for size in (4, 8, 16, 7, 5, 15):
        assert pairs(np.ones(size)).shape == (size // 2 * 2,)
