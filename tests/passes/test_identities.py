"""Algebraic identities: each rule by its graph and its values, and what looks like a rule and is none."""

import numpy as np
import pytest

import chainrule
from chainrule import Spec, negative
from chainrule.blocks.arithmetic import Identity, Negative
from chainrule.blocks.casting import Cast
from chainrule.blocks.movement import Broadcast, Reshape, Transpose
from chainrule.blocks.reduction import Max, Sum
from chainrule.blocks.slicing import Concatenate, Slice, Unslice
from chainrule.passes import simplify
from tests.passes.graphs import assert_same_values, record, text

FLOATS = ("float32", "float64")
INTEGERS = ("int32", "int64", "uint32")
NUMBERS = FLOATS + INTEGERS
ALL = (*NUMBERS, "bool")
SIGNED = (*FLOATS, "int32", "int64")


def ones(x, shape=(2, 3)):
    """1 in the dtype of x, repeated."""
    return chainrule.broadcast_to(np.ones((1, 1), x.dtype), shape)


def chosen_from_itself(condition, x):
    return chainrule.where(condition, x, x)


#: The first row and the first element, as they are printed.
ROW = "reshape(shape=(3,))(slice(start=(0, 0), step=(1, 1), size=(1, 3))({}))"
CORNER = "reshape(shape=())(slice(start=(0, 0), step=(1, 1), size=(1, 1))(x))"

ARITHMETIC = [
    (ALL, lambda x, y: Identity()(x), "identity(x)", "x"),
    (ALL, lambda x, y: chainrule.stop_gradient(x), "stop_gradient(x)", "x"),
    (INTEGERS, lambda x, y: x + 0, "add(x, 0)", "x"),
    (FLOATS, lambda x, y: x + -0.0, "add(x, -0)", "x"),
    (FLOATS, lambda x, y: -0.0 + x, "add(-0, x)", "x"),
    (("bool",), lambda x, y: x + np.bool_(False), "add(x, 0)", "x"),
    (NUMBERS, lambda x, y: x + -y, "add(x, negative(y))", "subtract(x, y)"),
    (NUMBERS, lambda x, y: -x + y, "add(negative(x), y)", "subtract(y, x)"),
    (NUMBERS, lambda x, y: -x + -y, "add(negative(x), negative(y))", "subtract(negative(x), y)"),
    (NUMBERS, lambda x, y: x - 0, "subtract(x, 0)", "x"),
    (NUMBERS, lambda x, y: x - (-y), "subtract(x, negative(y))", "add(x, y)"),
    (NUMBERS, lambda x, y: x * 1, "multiply(x, 1)", "x"),
    (NUMBERS, lambda x, y: 1 * x, "multiply(1, x)", "x"),
    (("bool",), lambda x, y: x * np.bool_(True), "multiply(x, 1)", "x"),
    (SIGNED, lambda x, y: x * -1, "multiply(x, -1)", "negative(x)"),
    (FLOATS, lambda x, y: x / 1, "divide(x, 1)", "x"),
    (FLOATS, lambda x, y: x / -1, "divide(x, -1)", "negative(x)"),
    (NUMBERS, lambda x, y: negative(negative(x)), "negative(negative(x))", "x"),
    (NUMBERS, lambda x, y: negative(negative(negative(x))), "negative(negative(negative(x)))", "negative(x)"),
    (ALL, lambda x, y: abs(abs(x)), "absolute(absolute(x))", "absolute(x)"),
    (SIGNED, lambda x, y: abs(-x), "absolute(negative(x))", "absolute(x)"),
    (FLOATS, lambda x, y: x**1, "power(x, 1)", "x"),
    (INTEGERS, lambda x, y: x**1, "integer_power(x, 1)", "x"),
    (FLOATS, lambda x, y: x**2, "power(x, 2)", "multiply(x, x)"),
    (INTEGERS, lambda x, y: x**2, "integer_power(x, 2)", "multiply(x, x)"),
    (ALL, lambda x, y: chainrule.maximum(x, x), "maximum(x, x)", "x"),
    (ALL, lambda x, y: chainrule.minimum(x, x), "minimum(x, x)", "x"),
    (NUMBERS, lambda x, y: chainrule.where(x > y, y, y), "where(greater(x, y), y, y)", "y"),
    (ALL, lambda x, y: chainrule.where(True, x, y), "where(1, x, y)", "x"),
    (ALL, lambda x, y: chainrule.where(False, x, y), "where(0, x, y)", "y"),
    (ALL, lambda x, y: Max(())(x), "max(axis=(), keepdims=False)(x)", "x"),
    (("int64",), lambda x, y: Sum(())(x), "sum(axis=(), keepdims=False)(x)", "x"),
    (("int32", "uint32", "bool"), lambda x, y: Sum((), keepdims=True)(x),
     "sum(axis=(), keepdims=True)(x)", "cast(dtype=int64)(x)"),
    # A number that is repeated, and one that repeats x.
    (("float32",), lambda x, y: x * ones(x), "multiply(x, broadcast(shape=(2, 3))(1))", "x"),
    (("float32",), lambda x, y: x * ones(x, (4, 2, 3)),
     "multiply(x, broadcast(shape=(4, 2, 3))(1))", "broadcast(shape=(4, 2, 3))(x)"),
    (("float32",), lambda x, y: x[0] * ones(x).T.reshape(2, 3),
     f"multiply({ROW.format('x')}, reshape(shape=(2, 3))(transpose(axes=(1, 0))(broadcast(shape=(2, 3))(1))))",
     f"broadcast(shape=(2, 3))({ROW.format('x')})"),
    (("float32",), lambda x, y: chainrule.where(True, x[0, 0], y), f"where(1, {CORNER}, y)",
     f"broadcast(shape=(2, 3))({CORNER})"),
    (("float32",), lambda x, y: chosen_from_itself(x > y, y[0]),
     f"where(greater(x, y), {ROW.format('y')}, {ROW.format('y')})", f"broadcast(shape=(2, 3))({ROW.format('y')})"),
]  # fmt: skip

MOVEMENT = [
    (lambda x: Reshape((2, 3))(x), "x"),
    (lambda x: Reshape((3, 2))(Reshape((6,))(x)), "reshape(shape=(3, 2))(x)"),
    (lambda x: Reshape((2, 3))(Reshape((6,))(x)), "x"),
    (lambda x: Transpose((0, 1))(x), "x"),
    (lambda x: x.T.T, "x"),
    (lambda x: chainrule.expand(x, 0).transpose(2, 0, 1).transpose(2, 0, 1),
     "transpose(axes=(1, 2, 0))(reshape(shape=(1, 2, 3))(x))"),
    (lambda x: chainrule.expand(x, 0).transpose(2, 0, 1).transpose(1, 2, 0), "reshape(shape=(1, 2, 3))(x)"),
    (lambda x: Broadcast((2, 3))(x), "x"),
    (lambda x: Broadcast((5, 4, 2, 3))(Broadcast((4, 2, 3))(x)), "broadcast(shape=(5, 4, 2, 3))(x)"),
    (lambda x: Broadcast((4, 2, 3))(Reshape((1, 2, 3))(x)), "broadcast(shape=(4, 2, 3))(x)"),
    (lambda x: x[:][...], "x"),
    (lambda x: Slice((0, 0), (1, 1), (2, 3))(x), "x"),
    (lambda x: x[1:][:, 1:], "slice(start=(1, 1), step=(1, 1), size=(1, 2))(x)"),
    (lambda x: x[:, ::-1][:, ::2], "slice(start=(0, 2), step=(1, -2), size=(2, 2))(x)"),
    (lambda x: x[::-1][::-1], "x"),
    (lambda x: x[1:][1:], "slice(start=(1, 0), step=(1, 1), size=(0, 3))(x)"),
    (lambda x: Unslice((0, 0), (1, 1), (2, 3))(x), "x"),
    (lambda x: Slice((0, 0), (-1, 5), (1, 1))(x[1:, 2:]), "slice(start=(1, 2), step=(1, 1), size=(1, 1))(x)"),
    (lambda x: x[:, ::-2][:, ::-1], "slice(start=(0, 0), step=(1, 2), size=(2, 2))(x)"),
    (lambda x: Concatenate(1)(x), "x"),
    (lambda x: Concatenate(1)(x[:, :1], x[:, 1:]), "x"),
    (lambda x: Concatenate(0)(x[:1], x[1:2]), "x"),
]  # fmt: skip

#: Exact for some numbers, or of some dtypes, and so not done for others.
LEFT = [
    (FLOATS, lambda x, y: x + 0.0),
    (FLOATS, lambda x, y: x - -0.0),
    (FLOATS, lambda x, y: 0.0 - x),
    (NUMBERS, lambda x, y: x * 0),
    (NUMBERS, lambda x, y: x - x),
    (FLOATS, lambda x, y: x / x),
    (FLOATS, lambda x, y: 1 / x),
    (NUMBERS, lambda x, y: -(x - y)),
    (FLOATS, lambda x, y: x / 3),
    (NUMBERS, lambda x, y: x + 1 + 1),
    (FLOATS, lambda x, y: chainrule.log(chainrule.exp(x))),
    (FLOATS, lambda x, y: chainrule.log(x + 1)),
    (FLOATS, lambda x, y: x**0.5),
    (FLOATS, lambda x, y: x**3),
    (FLOATS, lambda x, y: x**0),
    (FLOATS, lambda x, y: x**-1.0),
    (("float32",), lambda x, y: x ** Broadcast((4, 2, 3))(chainrule.Constant(Spec(()), np.float32(2)))),
    (FLOATS, lambda x, y: x**y),
    (FLOATS, lambda x, y: chainrule.maximum(x, y)),
    (FLOATS, lambda x, y: Sum(())(x)),
    (ALL, lambda x, y: x.sum(axis=1, keepdims=True)),
    (ALL, lambda x, y: x.max(axis=0)),
    (("uint32",), lambda x, y: abs(-x)),
    (("uint32",), lambda x, y: x * np.uint32(2**32 - 1)),
    (("bool",), lambda x, y: chainrule.where(x, x, y)),
    (FLOATS, lambda x, y: x * np.array([1.0, 1.0, 1.0])),
    (FLOATS, lambda x, y: x * chainrule.Parameter.of(1.0, dtype=x.dtype)),
    (FLOATS, lambda x, y: x * chainrule.tensor(1.0, dtype=x.dtype)),
    (FLOATS, lambda x, y: x[::-1]),
    (FLOATS, lambda x, y: x[1:]),
    (FLOATS, lambda x, y: x.T),
    (FLOATS, lambda x, y: x.T.reshape(2, 3)),
    (FLOATS, lambda x, y: Unslice((0, 2), (1, -1), (2, 3))(x)),
    (FLOATS, lambda x, y: Unslice((0, 0), (1, 1), (2, 4))(x)),
    (FLOATS, lambda x, y: Broadcast((2, 3, 3))(Reshape((2, 1, 3))(x))),
    (FLOATS, lambda x, y: chainrule.concatenate([x, x])),
]


@pytest.mark.parametrize(
    ("dtype", "function", "before", "after"),
    [(dtype, function, before, after) for dtypes, function, before, after in ARITHMETIC for dtype in dtypes],
)
def test_an_identity_of_arithmetic(dtype, function, before, after):
    graph = record(function, dtype, dtype)
    changed = simplify(graph)
    assert before is None or text(graph) == before
    assert text(changed) == after
    assert len(changed.nodes()) < len(graph.nodes()) or "multiply(x, x)" in after or "cast" in after
    assert_same_values(changed, graph)
    assert simplify(changed) is changed


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
@pytest.mark.parametrize(("function", "after"), MOVEMENT)
def test_an_identity_of_movement(dtype, function, after):
    graph = record(function, dtype)
    changed = simplify(graph)
    assert text(changed) == after
    assert_same_values(changed, graph)
    assert simplify(changed) is changed


@pytest.mark.parametrize(("dtype", "function"), [(dtype, function) for dtypes, function in LEFT for dtype in dtypes])
def test_what_is_no_identity_is_left_alone(dtype, function):
    graph = record(function, dtype, dtype)
    assert simplify(graph) is graph


CASTS = {
    # first dtype, then what it is cast to; what is left.
    ("float32", "float64", "float32"): "x",
    ("float32", "float64", "bool"): "cast(dtype=bool)(x)",
    ("int32", "int64", "int32"): "x",
    ("int32", "float64", "int32"): "x",
    ("int32", "float64", "float32"): "cast(dtype=float32)(x)",
    ("int32", "float64", "int64"): "cast(dtype=int64)(x)",
    ("int32", "int64", "uint32"): "cast(dtype=uint32)(x)",
    ("uint32", "int64", "int32"): "cast(dtype=int32)(x)",
    ("uint32", "float64", "int64"): "cast(dtype=int64)(x)",
    ("bool", "float32", "bool"): "x",
    ("bool", "float32", "int64"): "cast(dtype=int64)(x)",
    ("bool", "int32", "int64", "float64"): "cast(dtype=float64)(x)",
    ("float32", "float32"): "x",
    # A way over a dtype that does not hold every number, or past the range of integers, stays.
    ("float64", "float32", "float64"): None,
    ("int64", "float64", "int64"): None,
    ("int64", "int32", "int64"): None,
    ("int32", "uint32", "int32"): None,
    ("int32", "float32", "int32"): None,
    ("int32", "bool", "int32"): None,
    ("float32", "float64", "int64"): "cast(dtype=int64)(x)",
    ("float32", "float64", "uint32"): "cast(dtype=uint32)(x)",
    ("int32", "float64", "uint32"): None,
    ("uint32", "float64", "int32"): None,
}  # fmt: skip


@pytest.mark.parametrize("dtypes", CASTS, ids=" ".join)
def test_casts(dtypes):
    def function(x):
        for dtype in dtypes[1:]:
            x = Cast(np.dtype(dtype))(x)
        return x

    graph = record(function, dtypes[0])
    changed = simplify(graph)
    if CASTS[dtypes] is None:
        assert changed is graph
    else:
        assert text(changed) == CASTS[dtypes]
        assert_same_values(changed, graph)


def test_empty_and_single_axes():
    graph = record(lambda x: Slice((0, 0), (-1, 3), (1, 0))(x), Spec((1, 0)))
    assert text(simplify(graph)) == "x"
    graph = record(lambda x: Broadcast((5, 0))(Reshape((5, 0))(x)) + Broadcast((5, 0))(x), Spec((0,)))
    assert text(simplify(graph)) == "add(reshape(shape=(5, 0))(x), broadcast(shape=(5, 0))(x))"


class Opposite(Negative):
    """A block derived from one that has rules."""

    def forward(self, xp, x):
        return x - 1


def test_a_derived_block_has_no_rules():
    graph = record(lambda x: (Opposite()(Opposite()(x)), -Opposite()(x), x + Opposite()(x)), "float32")
    assert simplify(graph) is graph


def test_names_and_layers_go_to_what_takes_the_place():
    graph = record(lambda x: x**2, "float32")
    graph.outputs[0].name, graph.outputs[0].layers = "square", ("layer",)
    (output,) = simplify(graph).outputs
    assert (output.name, output.layers, output.value) == ("square", ("layer",), None)


def test_values_of_parameters_are_not_computed():
    weight = chainrule.Parameter.of(np.ones((2, 3)))
    (output,) = simplify(record(lambda x: weight**2, "float32")).outputs
    assert output.block.name == "multiply"
    assert output.value is None


@pytest.mark.parametrize(
    ("step", "after"),
    [
        (lambda x: -x, "x"),
        (lambda x: x * 1, "x"),
        (lambda x: x.T, "x"),
        (lambda x: x.reshape(6).reshape(3, 2), "reshape(shape=(3, 2))(x)"),
        (chainrule.stop_gradient, "x"),
        (lambda x: chainrule.where(chainrule.equal(x, x), x, x), "x"),
    ],
)
def test_long_chains(step, after):
    def chain(x):
        for _ in range(10_000):
            x = step(x)
        return x

    assert text(simplify(record(chain, "float32"))) == after
