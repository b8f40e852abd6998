"""Long sums keep their digits, on every engine, along every axis and in every layout; and no element is lost."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

import chainrule
from chainrule import compile, tensor
from chainrule.graph.block import Reduction
from chainrule.graph.sums import BLOCK, FAN
from chainrule.nn import Linear

ENGINES = {"eager": lambda function: function, "compiled": compile}
#: Relative, for float32.
PROMISED = 1e-6


def uniform(*shape):
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def assert_close(found, exact):
    np.testing.assert_allclose(found.numpy(), exact, rtol=PROMISED, atol=0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((1_000_000, 4), 0), ((1_000_000, 4), None), ((10_000_000,), None), ((4, 1_000_000), 1), ((3, 300_000, 3), 1),
        ((300, 3000, 4), (0, 1)), ((3000, 4, 300), (0, 2)), ((1_000_000, 1), 0), ((70_000, 3, 5), 0),
    ],
)  # fmt: skip
def test_sums_of_uniform_numbers(shape, axis, engine):
    x = uniform(*shape)
    assert_close(ENGINES[engine](lambda x: x.sum(axis))(tensor(x)), x.sum(axis, dtype=np.float64))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "layout", [np.asfortranarray, lambda x: x[::2], lambda x: x[:, ::3], lambda x: x[::-1, ::-1], np.transpose]
)
@pytest.mark.parametrize("axis", [0, 1, None])
def test_layouts(axis, layout, engine):
    x = layout(uniform(30_000, 9))
    held = chainrule.Tensor(chainrule.Spec(x.shape, x.dtype), x)
    assert_close(ENGINES[engine](lambda x: chainrule.sum(x, axis))(held), x.sum(axis, dtype=np.float64))


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_numbers_round_in_one_direction(engine):
    x = np.full(10_000_000, 0.1, np.float32)
    assert_close(ENGINES[engine](chainrule.mean)(tensor(x)), float(np.float32(0.1)))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sum_inside_of_other_loops(engine):
    x = uniform(200_000, 5)

    def function(x):
        return [((x * x) + 1).sum(0), (chainrule.exp(x) * 2).mean(0), (x * x).sum()]

    squares = x.astype(np.float64) ** 2
    expected = [(squares + 1).sum(0), 2 * np.exp(x.astype(np.float64)).mean(0), squares.sum()]
    for found, exact in zip(ENGINES[engine](function)(tensor(x)), expected, strict=True):
        assert_close(found, exact)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradient_of_a_bias(engine):
    layer = Linear(2, 3, generator=np.random.default_rng(0))
    inputs, weights = uniform(1_000_000, 2), uniform(1_000_000, 3)

    def gradient(inputs, weights):
        return chainrule.gradients((layer(inputs) * weights).sum(), [layer.bias])[0]

    assert_close(ENGINES[engine](gradient)(tensor(inputs), tensor(weights)), weights.sum(0, dtype=np.float64))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [(500_003,), (500_003, 3), (50_003, 2, 2)])
def test_segments(shape, engine):
    x, offsets = uniform(*shape), np.array([0, 1, 1, 300, 30_000, shape[0]])
    exact = [x[a:b].sum(0, dtype=np.float64) for a, b in itertools.pairwise(offsets)]
    assert_close(ENGINES[engine](chainrule.segment_sum)(tensor(x), offsets), np.stack(exact))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [(500_000,), (500_000, 3)])
def test_rows_that_are_added_to_a_small_table(shape, engine):
    x, rows = uniform(*shape), np.random.default_rng(1).integers(0, 5, shape[0])
    exact = np.zeros((5, *shape[1:]))
    np.add.at(exact, rows, x.astype(np.float64))
    scatter = ENGINES[engine](lambda x, rows: chainrule.scatter_add(x, rows, 4))
    assert_close(scatter(tensor(x), rows), exact[:4])  # the number 4 stands for no row


@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_that_are_put_along_an_axis(engine):
    x, places = uniform(300_000, 2), np.random.default_rng(1).integers(0, 3, (300_000, 2))
    exact = np.stack([[x[places[:, j] == i, j].sum(dtype=np.float64) for j in range(2)] for i in range(3)])

    def gradient(values, places, x):
        return chainrule.grad((chainrule.take_along_axis(values, places, 0) * x).sum(), values)

    assert_close(ENGINES[engine](gradient)(tensor(np.zeros((3, 2))), places, tensor(x)), exact)


#: Around the ends of blocks, and of blocks of blocks.
LENGTHS = (
    0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 7, 4095, 4096, 4097, BLOCK * FAN - 1, BLOCK * FAN,
    BLOCK * FAN + 1, 70_001, 2**18 + 1, 2**20 + 259,
)  # fmt: skip


@pytest.mark.parametrize("length", LENGTHS)
def test_no_element_is_lost_or_added_twice(length):
    x = (np.arange(2 * length) * 7 % 5).reshape(length, 2).astype(np.float32)  # whole numbers: sums are exact
    rows, offsets = np.arange(length) % 3, np.array([0, length // 3, length])

    def function(x, rows, offsets):
        line = chainrule.reshape(x, (-1,))
        return [
            x.sum(0), x.sum(1), x.sum(), line.sum(), x.T.sum(1), (x * 2).sum(0), chainrule.segment_sum(x, offsets),
            chainrule.segment_sum(line[:length], offsets), chainrule.scatter_add(x, rows, 3),
        ]  # fmt: skip

    segments = [np.add.reduce(part) for part in np.split(x.astype(np.float64), [length // 3])]
    line = [np.add.reduce(part) for part in np.split(x.ravel()[:length].astype(np.float64), [length // 3])]
    table = np.stack([x[rows == row].sum(0, dtype=np.float64) for row in range(3)])
    full = x.astype(np.float64)
    expected = [full.sum(0), full.sum(1), full.sum(), full.sum(), full.sum(0), 2 * full.sum(0), segments, line, table]
    for engine in ENGINES.values():
        for found, exact in zip(engine(function)(tensor(x), rows, offsets), expected, strict=True):
            np.testing.assert_array_equal(found.numpy(), exact)


@dataclass(frozen=True, repr=False)
class LargestSize(Reduction):
    """y = max |x|: it starts at 0 as a sum does, and adds nothing."""

    axis: tuple[int, ...] = (0,)
    keepdims: bool = False
    differentiable = False

    def forward(self, xp, x):
        return xp.max(xp.absolute(x), axis=self.axis, initial=0)

    def start(self, dtype):
        return dtype.type(0)

    def combine(self, xp, accumulated, element):
        return xp.maximum(accumulated, xp.absolute(element))


@dataclass(frozen=True, repr=False)
class SumOfSizes(LargestSize):
    """y = Σ |x|."""

    def forward(self, xp, x):
        return xp.sum(xp.absolute(x), axis=self.axis)

    def combine(self, xp, accumulated, element):
        return accumulated + xp.absolute(element)


@pytest.mark.parametrize("length", [3, BLOCK, 3 * BLOCK + 1])
@pytest.mark.parametrize("block", [LargestSize(), SumOfSizes()])
def test_reductions_of_users(block, length):
    x = ((np.arange(4 * length) * 7 % 11) - 5).reshape(length, 4).astype(np.float32)
    np.testing.assert_array_equal(compile(lambda x: block(x))(tensor(x)).numpy(), block(tensor(x)).numpy())


def test_a_program_serves_lengths_below_and_above_a_block():
    traces = []

    def total(x):
        traces.append(x.shape)
        return [x.sum(0), (x * x).sum()]

    ragged = compile(total, ragged=True)
    for length in (2000, 10, 700):
        ragged.trace_for(chainrule.Spec((length, 3), np.dtype("float32")))
    for length in (11, BLOCK, BLOCK + 1, 1999, 12):
        x = (np.arange(3 * length) % 5).reshape(length, 3).astype(np.float32)
        rows, squares = ragged(tensor(x))
        np.testing.assert_array_equal(rows.numpy(), x.sum(0))
        assert squares.item() == (x * x).sum()
    assert len(traces) == 3


def test_the_same_bits_at_any_number_of_threads():
    x, rows, offsets = uniform(30_000, 64), np.arange(30_000) % 7, np.array([0, 100, 20_000, 30_000])

    def function(x):
        scattered = chainrule.scatter_add(x, rows, 7)
        return [
            x.sum(0),
            x.sum(1),
            x.sum(),
            chainrule.segment_sum(x, offsets),
            scattered,
            x.reshape(30, 1000, 64).sum(1),
        ]

    expected = [found.numpy() for found in compile(function, threads=1)(tensor(x))]
    for threads in (2, 3):
        for found, exact in zip(compile(function, threads=threads)(tensor(x)), expected, strict=True):
            np.testing.assert_array_equal(found.numpy(), exact)
