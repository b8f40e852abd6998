"""Traces: a function recorded on specs, printed, run, and refused where shapes do not fit."""

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, Spec, tensor, trace
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.order import evaluate


def test_a_traced_function_gives_what_the_eager_one_gives():
    weight = Parameter.of(np.arange(6.0).reshape(3, 2), name="weight")

    def function(x):
        return chainrule.log_softmax(chainrule.tanh(x @ weight)), x.sum()

    data = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
    graph = trace(function, Spec((4, 3)))
    for found, expected in zip(graph(data), function(tensor(data)), strict=True):
        np.testing.assert_array_equal(found, expected.numpy())


def test_a_gradient_can_be_traced():
    graph = trace(lambda x: chainrule.grad((x**3).sum(), x), Spec((2,)))
    assert graph([1.0, 2.0])[0].tolist() == [3.0, 12.0]


def test_dropout_gives_the_same_mask_traced_and_eager():
    key = chainrule.Key.of(seed=3, step=5)

    def function(x, words):
        return chainrule.dropout(x, 0.5, chainrule.Key(words))

    data = np.ones((20, 10), np.float32)
    graph = trace(function, Spec((20, 10)), Spec((2,), np.dtype("uint32")))
    np.testing.assert_array_equal(graph(data, key.words)[0], chainrule.dropout(data, 0.5, key).numpy())


def test_shapes_that_do_not_fit_are_found_without_data():
    with pytest.raises(ShapeError, match="matmul: shapes"):
        trace(lambda x: x @ np.zeros((4, 2)), Spec((8, 3)))


def test_a_graph_refuses_other_inputs_than_it_was_traced_with():
    graph = trace(lambda x: x * 2, Spec((2,)))
    with pytest.raises(ShapeError, match=r"input 0 was traced as float32\(2,\), got shape \(3,\)"):
        graph([1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match="expected 1 inputs, got 2"):
        graph([1.0, 2.0], [1.0])


def test_evaluate_fills_in_values():
    x = chainrule.Tensor(Spec(()), name="x")
    y = (x + 1) * 2
    evaluate([y])
    assert y.value is None
    x.value = np.float32(3)
    evaluate([y])
    assert y.item() == 8


def test_what_is_no_spec_and_what_is_no_tensor():
    with pytest.raises(ConfigurationError, match=r"trace: expected a Spec or a tensor for input 0, got \(2,\)"):
        trace(lambda x: x, (2,))
    with pytest.raises(ConfigurationError, match="trace: expected at most 1 names, one an input, got 2"):
        trace(lambda x: x, Spec((2,)), names=["a", "b"])
    for result in (None, 3, [None]):
        with pytest.raises(ConfigurationError, match=r"trace: the function returned .*; expected a tensor, or a list"):
            trace(lambda x, result=result: result, Spec((2,)))
