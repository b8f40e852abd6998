"""Functions over tensors against NumPy, eager and compiled: special values, keys between brackets, and messages."""

import runpy
from pathlib import Path

import mpmath
import numpy as np
import pytest

import chainrule as cr
from chainrule import compile, grad, tensor
from chainrule.errors import ConfigurationError, DTypeError, IndexRangeError, ShapeError

ENGINES = {"eager": lambda function: function, "compiled": compile}
RNG = np.random.default_rng(0)
CUBE = RNG.normal(size=(3, 4, 5)).astype(np.float32)
INTEGERS = np.array([-(2**63), -7, -1, 0, 1, 7, 2**63 - 1])
both = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)


def run(engine, function, *arrays):
    """The value of a function of arrays; a list of them for several."""
    found = engine(function)(*[cr.Tensor(cr.Spec(x.shape, x.dtype), x) for x in arrays])
    return found.numpy() if isinstance(found, cr.Tensor) else [x.numpy() for x in found]


@both
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint32])
def test_integers_are_divided_as_in_numpy(engine, dtype):
    """Also by 0, and the lowest integer by -1, at which processors stop."""
    limits = np.iinfo(dtype)
    numbers = np.array([limits.min, limits.max, 0, 1, 2, 7, limits.max - 1] + [-1, -7] * (limits.min < 0), dtype)
    a, b = (x.ravel() for x in np.meshgrid(numbers, numbers))
    with np.errstate(all="ignore"):
        expected = np.floor_divide(a, b), np.remainder(a, b)
    for found, exact in zip(run(engine, lambda a, b: [a // b, a % b], a, b), expected, strict=True):
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, exact)


@both
def test_floats_are_divided_as_in_python(engine):
    numbers = np.array([1.0, -1.0, 0.1, -0.3, 5.5, np.inf, -np.inf, 0.0, -0.0, np.nan])
    a, b = (x.ravel() for x in np.meshgrid(numbers, numbers))
    with np.errstate(all="ignore"):
        expected = np.floor_divide(a, b), np.remainder(a, b)
    for found, exact in zip(run(engine, lambda a, b: [a // b, a % b], a, b), expected, strict=True):
        np.testing.assert_array_equal(found, exact)
        np.testing.assert_array_equal(np.signbit(found)[~np.isnan(exact)], np.signbit(exact)[~np.isnan(exact)])


@both
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_angles_of_all_sizes(engine, name, dtype):
    """A number has the same sine, to the bit, whatever stands beside it, and it is the right one."""
    sizes = np.float64(10) ** np.arange(-10, 38)
    x = np.concatenate([sizes, -sizes, RNG.uniform(-1e7, 1e7, 83)]).astype(dtype)
    function = getattr(cr, name)
    together = run(engine, function, x)
    np.testing.assert_array_equal(
        together, np.concatenate([run(engine, function, x[i : i + 1]) for i in range(len(x))])
    )
    wide = np.longdouble if dtype == "float64" else np.float64
    tolerance = 2 * np.finfo(dtype).eps
    np.testing.assert_allclose(together.astype(wide), getattr(np, name)(x.astype(wide)), rtol=tolerance)


@both
def test_erf_is_that_of_mpmath(engine):
    x = np.concatenate([RNG.uniform(-6, 6, 300), [0.0, -0.0, 1.0, -1.0, 1e-300, np.inf, -np.inf]])
    exact = np.array([float(mpmath.erf(float(v))) for v in x])
    np.testing.assert_allclose(run(engine, cr.erf, x), exact, rtol=4e-16)
    np.testing.assert_allclose(run(engine, cr.erf, x.astype("f4")), exact, rtol=3e-7, atol=1e-37)


KEYS = [
    [0, 2, -1],
    ([0, 2], [1, 3]),
    ([[0], [2]], [1, 3]),
    (slice(None), [0, -1]),
    ([0, 1], slice(1, None, 2), [-1, 0]),
    (0, slice(None), [1, 1, 2]),
    (slice(None), 1, [1, -2]),
    (..., [4, 0]),
    (None, [1, 2], ..., None),
    ([0, 1], None, [1, 2]),
    [],
    np.array(2),
    slice(None, None, -2),
    (1, -1),
]


@both
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_keys_select_and_replace_as_in_numpy(engine, key):
    theirs = np.array(key, np.int64) if isinstance(key, list) else key  # to NumPy, [] alone is of floats
    expected = CUBE[theirs]
    np.testing.assert_array_equal(run(engine, lambda x: x[key], CUBE), expected)
    added = np.zeros_like(CUBE)
    np.add.at(added, theirs, np.ones_like(expected))
    np.testing.assert_array_equal(run(engine, lambda x: grad(x[key].sum(), x), CUBE), added)
    value = RNG.normal(size=expected.shape).astype(np.float32)
    changed = CUBE.copy()
    changed[theirs] = value
    np.testing.assert_array_equal(run(engine, lambda x, v: cr.update_at(x, key, v), CUBE, value), changed)


@both
def test_positions_that_a_compiled_function_computes(engine):
    i, j = np.array([0, -3, 2]), np.array([-1, 0, 3], np.int32)
    np.testing.assert_array_equal(run(engine, lambda x, i, j: x[i, j], CUBE, i, j), CUBE[i, j])
    np.testing.assert_array_equal(run(engine, lambda x, i: x[:, i], CUBE, i), CUBE[:, i])
    for bad in (np.array([0, 3, 0]), np.array([0, -4, 0])):
        with pytest.raises(IndexRangeError, match=rf"index: {bad[1]} is out of range for axis 0 of size 3; .* -3 to 2"):
            run(engine, lambda x, i, j: x[i, j], CUBE, bad, j)


@both
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_one_element_along_an_axis_is_taken_as_in_numpy(engine, axis):
    x = np.asfortranarray(CUBE)
    for size, dtype in ((1, np.int64), (5, np.int32), (0, np.int64)):
        shape = [*x.shape]
        shape[axis] = size
        places = RNG.integers(-x.shape[axis], x.shape[axis], shape).astype(dtype)
        taken = run(engine, lambda x, i: cr.take_along_axis(x, i, axis), x, places)
        np.testing.assert_array_equal(taken, np.take_along_axis(x, places.astype(np.int64), axis))


@both
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint32", "bool"])
def test_sums_of_segments_keep_their_dtype(engine, dtype):
    x = np.array([1, 0, 1, 1], dtype)
    for offsets, expected in (([0, 2, 4], [1, 2]), ([0, 0, 4, 4], [0, 3, 0]), ([0, 4], [3])):
        y = run(engine, lambda x, offsets: cr.segment_sum(x, offsets), x, np.array(offsets))
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, np.array(expected).astype(dtype))


def test_masks_select_and_replace_as_in_numpy():
    for mask in (CUBE > 0, CUBE[..., 0] > 0, np.array([True, False, True])):
        found = tensor(CUBE)[mask]
        np.testing.assert_array_equal(found.numpy(), CUBE[mask])
        np.testing.assert_array_equal(tensor(CUBE)[tensor(mask)].numpy(), CUBE[mask])
        changed = CUBE.copy()
        changed[mask] = 7
        np.testing.assert_array_equal(cr.update_at(CUBE, mask, 7).numpy(), changed)
    x = tensor(CUBE)
    np.testing.assert_array_equal(grad(x[cr.greater(x, 0)].sum(), x).numpy(), CUBE > 0)
    mask = CUBE[:, 0, 0] > 0  # a mask that does not change is known to a compiled function, too
    np.testing.assert_array_equal(compile(lambda x: x[mask])(CUBE).numpy(), CUBE[mask])


@both
def test_of_several_values_for_one_element_the_last_stays_and_has_the_gradient(engine):
    x, values = np.zeros(4), np.array([1.0, 2.0, 3.0])

    def function(x, values):
        y = cr.update_at(x, [1, 3, 1], values)
        return [y, *grad((y * y).sum() + y.sum(), [x, values])]

    y, of_x, of_values = run(engine, function, x, values)
    np.testing.assert_array_equal(y, [0, 3, 0, 2])
    np.testing.assert_array_equal(of_x, [1, 0, 1, 0])
    np.testing.assert_array_equal(of_values, [0, 5, 7])


@both
def test_the_gradient_of_a_product_with_zeros_has_a_gradient(engine):
    """d²(xyz) / dx dy = z, also where x and y are 0."""
    x = np.array([0.0, 0.0, 3.0])
    np.testing.assert_array_equal(run(engine, lambda x: grad(x.prod(), x), x), [0, 0, 0])
    np.testing.assert_array_equal(run(engine, lambda x: grad(grad(x.prod(), x)[0], x), x), [0, 3, 0])


@both
def test_cumulative_sums_keep_their_digits(engine):
    x = np.full(100_000, 0.1, np.float32)
    exact = np.cumsum(x.astype(np.float64))
    np.testing.assert_allclose(run(engine, cr.cumsum, x), exact, rtol=1e-7)


@both
@pytest.mark.parametrize("descending", [False, True])
def test_sorting_keeps_equal_elements_in_their_order(engine, descending):
    x = RNG.integers(0, 5, (3, 1000)).astype(np.float32)
    x[:, ::97] = np.nan
    order = np.argsort(np.where(np.isnan(x), 9, x) * (-1 if descending else 1), axis=1, kind="stable")
    np.testing.assert_array_equal(run(engine, lambda x: cr.argsort(x, 1, descending), x), order)
    np.testing.assert_array_equal(run(engine, lambda x: x.sort(1, descending), x), np.take_along_axis(x, order, 1))


@both
def test_rounding_and_questions_about_special_numbers(engine):
    x = np.array([0.5, 1.5, -0.5, -0.2, 2.5, 1e30, np.inf, -np.inf, np.nan, -0.0], np.float32)
    for name in ("floor", "ceil", "rint", "isnan", "isfinite"):
        ours = {"rint": cr.round}.get(name) or getattr(cr, name)
        found, exact = run(engine, ours, x), getattr(np, name)(x)
        np.testing.assert_array_equal(found, exact)
        np.testing.assert_array_equal(np.signbit(found[:8]), np.signbit(exact[:8]))
    whole = np.array([3, -4])
    for function in (cr.floor, cr.ceil, cr.round):
        np.testing.assert_array_equal(run(engine, lambda x, f=function: f(x) + 0, whole), whole)


@both
@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]), ("ij,jk", [(2, 3), (3, 4)]), ("ii->i", [(3, 3)]), ("ii", [(3, 3)]),
        ("iji->j", [(3, 2, 3)]), ("ij->ji", [(2, 3)]), ("ij->", [(2, 3)]), ("i,j->ij", [(2,), (3,)]),
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]), ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]),
        ("...i,i->...", [(2, 3, 4), (4,)]), ("a...,b...->ab...", [(2, 3), (4, 3)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
        ("i,i,i->", [(3,), (3,), (3,)]), ("ij,ij->i", [(2, 3), (2, 1)]), ("ba,ca", [(2, 3), (4, 3)]), (",->", [(), ()]),
        ("...->...", [(2, 3)]), ("ij,jk->ik", [(2, 0), (0, 4)]), ("b i j, b j -> b i", [(2, 3, 4), (2, 4)]),
    ],
)  # fmt: skip
def test_einsum_is_that_of_numpy(engine, equation, shapes):
    arrays = [RNG.normal(size=shape) for shape in shapes]
    exact = np.einsum(equation, *arrays)
    np.testing.assert_allclose(run(engine, lambda *x: cr.einsum(equation, *x), *arrays), exact, rtol=1e-12, atol=1e-12)


@both
def test_limits_of_any_kind(engine):
    x, low, high = np.array([-2.0, 0.0, np.nan, 3.0, 1.0]), np.array([-1.0, 0.0, 0.0, np.nan, 2.0]), np.array(1.0)
    np.testing.assert_array_equal(run(engine, cr.clamp, x, low, high), np.clip(x, low, high))
    np.testing.assert_array_equal(run(engine, lambda x: grad(cr.clamp(x, 0, 3).sum(), x), x), [0, 1, 1, 1, 1])


@both
def test_the_spread_of_equal_numbers_has_no_slope(engine):
    x = np.array([2.0, 2.0, 2.0])
    np.testing.assert_array_equal(run(engine, lambda x: [cr.std(x), grad(cr.std(x), x)], x)[1], [0, 0, 0])
    assert np.isnan(run(engine, lambda x: cr.var(x, correction=1), x[:1]))


def test_made_from_nothing():
    for ours, theirs in [
        (cr.arange(5), np.arange(5)),
        (cr.arange(1, 8, 3), np.arange(1, 8, 3)),
        (cr.arange(5, 0, -2), np.arange(5, 0, -2)),
        (cr.arange(0, 1, 0.1), np.arange(0, 1, 0.1).astype(np.float32)),
        (cr.arange(0.5, 3), np.arange(0.5, 3).astype(np.float32)),
        (cr.arange(3, dtype="float64"), np.arange(3.0)),
        (cr.arange(3, 1), np.arange(3, 1)),
        (cr.zeros((2, 0)), np.zeros((2, 0), np.float32)),
        (cr.ones(2, "bool"), np.ones(2, bool)),
        (cr.full((2, 3), 0.1, "float64"), np.full((2, 3), 0.1)),
        (cr.full((), True), np.full((), True)),
    ]:
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours.numpy(), theirs)


def test_operators_and_methods():
    x, mask = tensor([1.0, -2.0]), tensor([True, False])
    assert (~mask & True | False ^ mask).numpy().tolist() == [True, True]
    assert (7 // tensor([2]) % 2).item() == 1
    assert x.min().item() == -2
    assert x.argmin().item() == 1
    assert x.any().item()
    assert [part.item() for part in x.split(1)] == [1, -2]
    assert cr.Tensor.sin.__doc__ == "See `chainrule.sin`."


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tensor([1.0]) & True, DTypeError, "&: expected booleans, got float32; .* chainrule.logical_and"),
        (lambda: ~tensor([1]), DTypeError, "~: expected booleans, got int64"),
        (lambda: cr.clamp([1.0]), ConfigurationError, "clamp: expected a limit, got none"),
        (lambda: cr.tril([1.0]), ShapeError, r"tril: expected a matrix or several, got shape \(1,\)"),
        (lambda: cr.min(np.zeros((2, 0)), 1), ShapeError, r"min: axis 1 of shape \(2, 0\) is empty, .* no minimum"),
        (lambda: cr.argmin(np.zeros((2, 0))), ShapeError, "argmin: axis 1 .* no minimum"),
        (lambda: cr.argsort(1.0), ShapeError, "argsort: there is no axis -1"),
        (lambda: cr.topk([1.0, 2.0], 3), ShapeError, "topk: expected k from 0 to 2"),
        (lambda: cr.pad([1.0], [(1, 2), (3, 4)]), ShapeError, r"pad: expected widths of 0 or more, \(before, after\)"),
        (lambda: cr.pad([1.0], -1), ShapeError, "pad: expected widths of 0 or more"),
        (lambda: cr.tile([1.0], -1), ShapeError, "tile: expected counts of 0 or more, got -1"),
        (lambda: cr.repeat([1.0, 2.0], [1]), ShapeError, r"repeat: expected a count .*, or 2 of them, .* got \[1\]"),
        (lambda: cr.split([1.0, 2.0], 0), ShapeError, "split: expected parts of at least one element, got a size of 0"),
        (lambda: cr.split([1.0, 2.0], [1, 2]), ShapeError, r"split: expected sizes .* sum to 2, .* got \[1, 2\]"),
        (lambda: cr.roll([[1.0]], [1], [0, 1]), ConfigurationError, "roll: expected one shift an axis, got 1 shifts"),
        (lambda: cr.zeros(-1), ShapeError, r"zeros: expected sizes of 0 or more, got \(-1,\)"),
        (lambda: cr.full(2, [1.0, 2.0]), ShapeError, r"full: expected one number, got an array of shape \(2,\)"),
        (lambda: cr.arange(0, 1, 0), ConfigurationError, "arange: expected finite numbers and a step other than 0"),
        (lambda: cr.arange(np.inf), ConfigurationError, "arange: expected finite numbers"),
        (lambda: cr.einsum("i?->i", [1.0]), ConfigurationError, r"einsum: cannot read 'i\?' of 'i\?->i'"),
        (lambda: cr.einsum("i,i->i", [1.0]), ConfigurationError, "einsum: 'i,i->i' is for 2 tensors, got 1"),
        (lambda: cr.einsum("i->ii", [1.0]), ConfigurationError, "names an axis of the result twice"),
        (lambda: cr.einsum("i->j", [1.0]), ConfigurationError, "no tensor of 'i->j' has an axis 'j'"),
        (lambda: cr.einsum("ij->i", [1.0]), ShapeError, r"'ij' of 'ij->i' names 2 axes, got a tensor of shape \(1,\)"),
        (lambda: cr.einsum("i,i->i", [1.0, 2.0], [1.0] * 3), ShapeError, "axis 'i' of 'i,i->i' has sizes 2 and 3"),
        (lambda: cr.einsum("ii->i", [[1.0, 2.0]]), ShapeError, "axis 'i' of 'ii->i' has sizes 1 and 2; expected"),
        (lambda: tensor([1.0])[[0.5]], DTypeError, "index: expected integer indices, got float32"),
        (lambda: tensor([1.0])["a"], DTypeError, "index: expected integers, slices, ..., None or integer tensors, got"),
        (lambda: tensor([1.0])[..., ...], ShapeError, "index: ... stands twice"),
        (lambda: tensor([1.0, 2.0])[[True]], ShapeError, r"a mask of shape \(1,\) does not fit a tensor of"),
        (lambda: tensor([1.0])[np.array(True)], ShapeError, "index: a mask of a single truth value has no axis"),
        (lambda: tensor([1.0, 2.0])[[0, -3]], IndexRangeError, "index: -3 is out of range for axis 0 of size 2"),
        (lambda: tensor([[1.0]])[[0, 0], [0, 0, 0]], ShapeError, "index: shapes .* do not fit together"),
        (lambda: cr.update_at([1.0, 2.0], [0], [1.0, 2.0]), ShapeError, "update_at"),
        (lambda: cr.take_along_axis([[1.0]], [[-2]]), IndexRangeError, "take_along_axis: index -2 is out of range"),
        (lambda: compile(lambda x: x[x > 0])(np.ones(3)), DTypeError, "a shape that depends on data, and a traced"),
    ],
)  # fmt: skip
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_page_of_functions_is_that_of_the_docstrings(monkeypatch):
    page = Path(__file__).parents[2] / "docs" / "functions.py"
    functions = runpy.run_path(str(page))
    assert page.with_suffix(".md").read_text(encoding="utf-8") == functions["text"](), "run make docs"
    monkeypatch.setattr(cr.blocks, "sin", lambda x: x)
    with pytest.raises(ValueError, match="sin: its docstring has no lines"):
        functions["facts"]("sin")
