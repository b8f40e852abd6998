"""Constant folding: what becomes a constant, and what has to stay."""

import numpy as np
import pytest

import chainrule
from chainrule import Constant, Elementwise, Parameter, Spec, Tensor, tensor, trace
from chainrule.blocks.indexing import Gather
from chainrule.blocks.reduction import Size
from chainrule.errors import DTypeError, IndexRangeError
from chainrule.graph.spec import spec_of
from chainrule.passes import fold_constants
from tests.passes.graphs import assert_same_values, record, text

NINE = [float(i) for i in range(9)]


def fixed(value):
    value = np.asarray(value)
    return Constant(spec_of(value), value)


@pytest.mark.parametrize(
    ("function", "before", "after"),
    [
        (lambda x: x * (chainrule.exp(fixed(0.0)) + 1), "multiply(x, add(exp(0), 1))", "multiply(x, 2)"),
        (lambda x: x * -fixed(0.0), "multiply(x, negative(0))", "multiply(x, -0)"),
        (
            lambda x: x + chainrule.log(fixed([0.0, 1.0, -1.0])),
            "add(x, log([0.0, 1.0, -1.0]))",
            "add(x, [-inf, 0.0, nan])",
        ),
        (
            lambda x: x * fixed([1.0, 2.0]).sum(),
            "multiply(x, sum(axis=(0,), keepdims=False)([1.0, 2.0]))",
            "multiply(x, 3)",
        ),
        (
            lambda x: x * fixed(np.arange(9.0))[2:4].sum(),
            f"multiply(x, sum(axis=(0,), keepdims=False)(slice(start=(2,), step=(1,), size=(2,))({NINE})))",
            "multiply(x, 5)",
        ),
        (lambda x: chainrule.where(chainrule.equal(1, 2), x, 0), "where(equal(1, 2), x, 0)", "where(0, x, 0)"),
        (lambda x: x, "x", "x"),
    ],
)
def test_nodes_over_constants_are_computed(function, before, after):
    graph = record(function, "float64")
    changed = fold_constants(graph)
    assert text(graph) == before
    assert text(changed) == after
    assert_same_values(changed, graph)
    assert fold_constants(changed) is changed


def test_a_chain_over_constants_is_computed():
    def chain(x):
        held = fixed(np.float32(1))
        for _ in range(10_000):
            held = held + 1
        return x * held

    assert text(fold_constants(record(chain, "float32"))) == "multiply(x, 10001)"


def test_what_may_change_between_runs_stays():
    weight, state = Parameter.of([1.0]), tensor([1.0])
    graph = trace(lambda x: x * (weight * 2) + state * 2, Spec((1,)))
    assert fold_constants(graph) is graph
    weight.assign(np.array([5.0]))
    assert fold_constants(graph)([1.0])[0].tolist() == [12.0]


def test_sizes_stay():
    graph = record(lambda x: x + Size((0,))(fixed(np.ones(4, np.float32))), "float32")
    assert fold_constants(graph) is graph
    graph = record(lambda x: x + chainrule.mean([1.0, 2.0]), "float32")
    assert text(fold_constants(graph)) == "add(x, divide(3, size(axis=(0,))([1.0, 2.0])))"


@pytest.mark.parametrize(
    "function",
    [
        lambda: chainrule.broadcast_to(1.0, (3,)),
        lambda: chainrule.broadcast_to(1.0, (1,)),
        lambda: chainrule.reshape(1.0, (1, 1)),
        lambda: chainrule.iota((3,)),
        lambda: chainrule.iota(()),
        lambda: chainrule.add(np.ones((3, 1)), np.ones((1, 3))),
        lambda: chainrule.exp(np.ones(65)),
        lambda: chainrule.concatenate([np.ones(2), np.ones(2)]),
    ],
)
def test_what_is_larger_than_what_it_is_made_of_or_large_stays(function):
    graph = trace(function)
    assert fold_constants(graph) is graph


def test_up_to_64_elements_are_computed():
    (output,) = fold_constants(trace(lambda: chainrule.exp(np.zeros(64)))).outputs
    assert isinstance(output, Constant)
    assert output.value.tolist() == [1.0] * 64


def test_a_constant_owns_its_memory_in_row_order():
    data = np.arange(6, dtype=np.float32).reshape(2, 3)
    (output,) = fold_constants(trace(lambda: chainrule.transpose(data))).outputs
    assert output.value.flags.owndata
    assert output.value.flags.c_contiguous
    assert output.value.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_names_and_layers_are_kept():
    graph = trace(lambda: chainrule.exp(0.0))
    graph.outputs[0].name, graph.outputs[0].layers = "one", ("layer",)
    (output,) = fold_constants(graph).outputs
    assert (output.name, output.layers) == ("one", ("layer",))


def test_what_fails_fails_when_it_runs():
    table, indices = fixed(np.ones(3)), fixed([3])
    node = Tensor(Spec((1,), np.dtype(float)), block=Gather(), inputs=(table, indices))
    graph = fold_constants(chainrule.Graph((), (node,)))
    with pytest.raises(IndexRangeError, match="gather: index 3 is out of range"):
        graph()


class Widened(Elementwise):
    """Gives a value of another dtype than it says."""

    def forward(self, xp, x):
        return np.asarray(x, np.float64)

    def backward(self, gradient, output, x):
        return (gradient,)


def test_a_block_that_gives_another_spec_than_it_says_is_refused():
    with pytest.raises(DTypeError, match="block widened: infer says float32\\(\\), but forward gave float64"):
        trace(lambda: Widened()(fixed(np.float32(1))))
