"""Integers and booleans in every block: at their limits eager and compiled agree, in results and in refusals."""

import inspect
import itertools
import operator

import numpy as np
import pytest

import chainrule
from chainrule import Elementwise
from chainrule.errors import BlockError, ChainruleError, DTypeError, ShapeError
from chainrule.graph.block import Block
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import spec_of
from chainrule.graph.tensor import OPERATIONS
from chainrule.graph.trace import Update, current_recording
from chainrule.testing import all_blocks

INTEGERS = [np.dtype(name) for name in ("int32", "int64", "uint32")]
BOOL = np.dtype("bool")


def extremes(dtype):
    """Small and large numbers of a dtype, and those around its width."""
    if dtype == BOOL:
        return [False, True]
    limits = np.iinfo(dtype)
    numbers = [0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 65, limits.max, limits.max - 1, limits.min]
    return numbers if dtype.kind == "u" else [*numbers, -1, -2, -7, -64, limits.min + 1]


def combinations(*dtypes):
    grids = np.meshgrid(*[np.array(extremes(dtype), dtype) for dtype in dtypes])
    return [grid.ravel() for grid in grids]


def outcome(function, arrays):
    """The results, or the error of ours."""
    try:
        found = function(*[tensor(x, dtype=x.dtype) for x in arrays])
    except ChainruleError as error:
        return type(error), str(error)
    assert found.spec == spec_of(found.numpy())
    return found.numpy()


def both(function, *arrays):
    """What a function gives eagerly; compiled it gives the same, or the same error."""
    eager, compiled = outcome(function, arrays), outcome(chainrule.compile(function), arrays)
    assert type(eager) is type(compiled), (eager, compiled)
    if isinstance(eager, tuple):
        assert eager == compiled
    else:
        assert eager.dtype == compiled.dtype
        np.testing.assert_allclose(compiled, eager, rtol=1e-6 if eager.dtype.kind == "f" else 0, atol=0)
    return eager


def exact(x, dtype):
    """A number as an integer of a dtype, by Python's own whole numbers."""
    limits = np.iinfo(dtype)
    if x != x:
        return 0
    return int(max(limits.min, min(limits.max, int(x) if np.isfinite(x) else np.sign(x) * 2**70)))


SETTLED = {block.name for block in all_blocks(Elementwise)} & {
    name for name, function in OPERATIONS.items() if isinstance(function, Block)
} | {"power"}


@pytest.mark.parametrize("dtype", [*INTEGERS, BOOL], ids=str)
@pytest.mark.parametrize("name", sorted(SETTLED))
def test_every_elementwise_function(name, dtype):
    function = OPERATIONS[name]
    count = len(inspect.signature(getattr(function, "forward", lambda _, a, b: None)).parameters) - 1
    inputs = [BOOL, dtype, dtype] if name == "where" else [dtype] * count
    result = both(function, *combinations(*inputs))
    refused = (
        {"negative", "subtract", "sign", "power", "relu"}
        if dtype == BOOL
        else {"power"}
        if dtype.kind == "i"
        else set()
    )
    assert isinstance(result, tuple) == (name in refused) or name == "threefry", result


@pytest.mark.parametrize("target", INTEGERS, ids=str)
@pytest.mark.parametrize("source", ["float32", "float64"])
@pytest.mark.parametrize("repeats", [1, 13])
def test_floats_become_the_nearest_integer(source, target, repeats):
    """Alone, which is no vector, and in vectors and what remains of them."""
    limits = np.iinfo(target)
    edges = [float(x) for x in (limits.min, limits.max, 2**31, 2**32, 2**63)]
    around = [np.nextafter(x, y) for x in edges for y in (-np.inf, np.inf)]
    x = np.array([0.0, -0.0, 0.5, -0.9, 2.7, -2.7, 1e30, -1e30, np.inf, -np.inf, np.nan, *edges, *around], source)
    for part in [np.tile(x, repeats)] if repeats > 1 else x.reshape(-1, 1):
        assert both(lambda x: x.astype(target), part).tolist() == [exact(v, target) for v in part.tolist()]
        assert tensor(part, dtype=target).numpy().tolist() == [exact(v, target) for v in part.tolist()]
    assert both(lambda x: x.astype("float64").astype(target), x).tolist() == [exact(v, target) for v in x.tolist()]


@pytest.mark.parametrize("source", INTEGERS, ids=str)
@pytest.mark.parametrize("target", INTEGERS, ids=str)
def test_integers_keep_their_low_bits(source, target):
    (x,) = combinations(source)
    assert both(lambda x: x.astype(target), x).tolist() == x.astype(target).tolist()
    through = both(lambda x: x.astype("float64").astype(target), x)
    assert through.tolist() == [exact(v, target) for v in x.astype(np.float64).tolist()]


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_powers(dtype):
    base, exponent = combinations(dtype, dtype)
    base, exponent = (x[(exponent >= 0) & (exponent < np.iinfo(np.int64).max)] for x in (base, exponent))
    bits = 8 * dtype.itemsize
    expected = [pow(a, b, 2**bits) for a, b in zip(base.tolist(), exponent.tolist(), strict=True)]
    found = both(chainrule.power, base, exponent)
    assert found.dtype == dtype
    assert [x % 2**bits for x in found.tolist()] == expected
    for constant in (0, 1, 2, 3, 10):
        assert both(lambda x: x**constant, base).tolist() == np.power(base, dtype.type(constant)).tolist()  # noqa: B023


NEGATIVE = r"power: exponent -3 of an integer; expected 0 or more, .*; convert the base with .astype\('float32'\)"


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("engine", [lambda f: f, chainrule.compile], ids=["eager", "compiled"])
def test_an_integer_has_no_negative_power(engine, dtype):
    x, exponents = tensor([2, 3], dtype=dtype), tensor([[4, 1], [-3, -1]], dtype=dtype)
    for function in (lambda x, _: x**-3, lambda x, y: x**y, lambda x, y: chainrule.where(y > 0, x**y, 0).sum()):
        with pytest.raises(DTypeError, match=NEGATIVE):
            engine(function)(x, exponents)


def test_a_refused_power_changes_no_parameter():
    weight = chainrule.Parameter.of(np.ones(2, np.float32))

    @chainrule.compile
    def train(exponent):
        power = (tensor([2, 2]) ** exponent).astype("float32")
        current_recording().update([Update(weight, weight + power)])
        return power.sum()

    assert train(2).item() == 8
    with pytest.raises(DTypeError, match=NEGATIVE):
        train(-3)
    assert weight.numpy().tolist() == [5, 5]


@pytest.mark.parametrize("name", ["negative", "subtract", "sign", "relu", "power", "matmul"])
def test_booleans_are_refused(name):
    truth = np.array([True, False])
    count = 1 if name in ("negative", "sign", "relu") else 2
    result = both(OPERATIONS[name], *[truth] * count)
    assert result == (DTypeError, f"{name}: expected numbers, got bool; convert with .astype('int64')")


@pytest.mark.parametrize("function", [operator.add, operator.mul, operator.gt, operator.pow], ids=lambda f: f.__name__)
@pytest.mark.parametrize(("dtype", "number"), [("uint32", -1), ("uint32", 2**32), ("int32", -(2**31) - 1)])
def test_a_number_beyond_the_dtype_beside_it(function, dtype, number):
    kind, message = both(lambda x: function(x, number), np.array([1, 2], dtype))
    assert kind is DTypeError
    assert f": {number} is no number of the {dtype} tensor beside it; convert that with .astype('int64')" in message


@pytest.mark.parametrize("data", [2**63, np.array([2**64 - 1], np.uint64)])
def test_a_number_beyond_int64(data):
    with pytest.raises(DTypeError, match=r"\d+ is no number of int64, the widest integer dtype; use a float"):
        tensor(data)


def test_a_number_beyond_the_dtype_asked_for():
    with pytest.raises(DTypeError, match=r"tensor: a number does not fit its dtype: .*-1.*; choose a wider one"):
        tensor([-1], dtype="uint32")
    assert tensor(np.array([2, 3], np.uint64)).dtype == np.int64


# Own blocks: the operators of the loop language.


class Own(Elementwise):
    """y = function(a, b)."""

    differentiable = False

    def __init__(self, function):
        self.__dict__["function"] = function

    def forward(self, xp, a, b):
        return self.function(a, b)


OPERATORS = [operator.floordiv, operator.mod, operator.lshift, operator.rshift]


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("function", OPERATORS, ids=lambda f: f.__name__)
def test_division_and_shifts_are_numpys(function, dtype):
    """For all operands: divisors of 0 and -1, shifts beyond the width, and negative ones; also where one is constant.

    All are one program, as compiling takes most of the time.
    """
    a, b = combinations(dtype, dtype)
    constants = extremes(dtype)
    blocks = [Own(function)]
    blocks += [Own(lambda a, b, right=right: function(a, right) + 0 * b) for right in constants]
    blocks += [Own(lambda a, b, left=left: function(left, b)) for left in constants]

    def every(a, b):
        return [block(a, b) for block in blocks]

    with np.errstate(all="ignore"):
        expected = [function(a, b), *(function(a, dtype.type(x)) for x in constants)]
        expected += [function(dtype.type(x), b) for x in constants]
        for run in (every, chainrule.compile(every)):
            for found, wanted in zip(run(tensor(a, dtype), tensor(b, dtype)), expected, strict=True):
                assert found.numpy().tolist() == wanted.tolist()


UNDEFINED = {
    "bool": [*OPERATORS, operator.sub, operator.truediv, lambda a, b: -a | b],
    "float32": [operator.lshift, operator.rshift, operator.and_, lambda a, b: ~a + b],
    "int64": [operator.truediv],
}


@pytest.mark.parametrize(("dtype", "function"), [(dtype, f) for dtype, all in UNDEFINED.items() for f in all])
def test_operators_that_a_dtype_does_not_have(dtype, function):
    x = tensor(np.ones(3, dtype))
    with pytest.raises(BlockError, match=rf"^block own: .* cannot apply \S+ to {dtype}; convert with xp.astype"):
        chainrule.compile(lambda x: Own(function)(x, x))(x)


# Matrix products.


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_products_of_integers_are_exact(dtype):
    """Float32 holds whole numbers up to 2²⁴ only, float64 up to 2⁵³."""
    limits = np.iinfo(dtype)
    a = np.array([[2**24 + 1, 1, limits.max], [limits.min, 3, 5]], dtype)
    b = np.array([[1, 3], [limits.max, 7], [limits.max, 0]], dtype)
    found = both(chainrule.matmul, a, b)
    assert found.dtype == dtype
    bits = 8 * dtype.itemsize
    wide = a.astype(object) @ b.astype(object)
    assert [[x % 2**bits for x in row] for row in found.tolist()] == (wide % 2**bits).tolist()


@pytest.mark.parametrize(
    ("left", "right"),
    [((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,)), ((5, 2, 3), (3, 4)), ((5, 1, 2, 3), (4, 3, 2)), ((2, 3), (5, 3, 1))],
)
def test_products_of_integers_in_batches(left, right):
    generator = np.random.default_rng(0)
    a, b = (generator.integers(-(2**40), 2**40, shape) for shape in (left, right))
    assert both(chainrule.matmul, a, b).tolist() == (a @ b).tolist()
    rows = a.reshape(-1, a.shape[-1])
    assert both(lambda a: chainrule.matmul(a.T, a), rows).tolist() == (rows.T @ rows).tolist()


SHAPES = [(0,), (2,), (0, 0), (0, 2), (2, 0), (2, 2), (0, 2, 2), (2, 0, 2), (2, 2, 0), (1, 2, 2, 0), (3, 1, 0, 2)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_empty_products(dtype):
    """All shapes that NumPy multiplies are multiplied, and the others refused, with the gradients."""
    tried = 0
    for left, right in [*itertools.product(SHAPES, SHAPES), ((2, 3, 0), (0, 4))]:
        a, b = np.ones(left, dtype), np.ones(right, dtype)
        try:
            expected = a @ b
        except ValueError:
            with pytest.raises(ShapeError, match="matmul"):
                chainrule.matmul(a, b)
            continue
        tried += 1
        found = both(chainrule.matmul, a, b)
        assert (found.shape, found.dtype, found.tolist()) == (expected.shape, expected.dtype, expected.tolist())
        if dtype == "int64":
            continue

        def gradients(x, y):
            return chainrule.grad(chainrule.matmul(x, y).sum(), [x, y])

        tensors = [tensor(x, dtype=dtype) for x in (a, b)]
        for eager, compiled, x in zip(gradients(*tensors), chainrule.compile(gradients)(*tensors), (a, b), strict=True):
            other = expected.size * a.shape[-1] / x.size if x.size else 0
            assert eager.shape == compiled.shape == x.shape
            assert (eager.numpy() == other).all()
            assert (compiled.numpy() == other).all()
    assert tried > 40
