"""Common subexpressions: what is merged, and what only looks equal."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import Constant, Elementwise, Key, Parameter, Spec, tensor, trace
from chainrule.graph.spec import spec_of
from chainrule.graph.trace import Graph
from chainrule.passes import merge_common
from tests.passes.graphs import assert_same_values, record, text


def count(graph, name):
    return sum(node.block is not None and node.block.name == name for node in graph.nodes())


def constants(graph):
    return [node for node in graph.nodes() if isinstance(node, Constant)]


@dataclass(frozen=True, repr=False)
class Scale(Elementwise):
    factor: Any

    def forward(self, xp, x):
        return x * 3

    def backward(self, gradient, output, x):
        return (gradient * 3,)


class Unfielded(Elementwise):
    """A block whose setting is no field of a dataclass."""

    def __init__(self, factor):
        object.__setattr__(self, "factor", factor)

    def forward(self, xp, x):
        return x * self.factor

    def backward(self, gradient, output, x):
        return (gradient * self.factor,)


class Plus(type(chainrule.add)):
    """A block derived from another, which it equals in all settings."""

    def forward(self, xp, a, b):
        return a + b + 1


def test_equal_nodes_become_one():
    graph = record(lambda x: chainrule.exp(-x) / (chainrule.exp(-x) + 1), "float32")
    merged = merge_common(graph)
    assert (count(graph, "exp"), count(graph, "negative")) == (2, 2)
    assert (count(merged, "exp"), count(merged, "negative")) == (1, 1)
    assert text(merged) == text(graph)
    assert_same_values(merged, graph)
    assert merge_common(merged) is merged


def test_the_first_node_stays_and_keeps_its_name():
    graph = record(lambda x: (chainrule.exp(x), chainrule.exp(x)), "float32")
    graph.outputs[0].name = "first"
    merged = merge_common(graph)
    assert merged.outputs == (graph.outputs[0], graph.outputs[0])
    assert merged.outputs[0].name == "first"


@pytest.mark.parametrize("function", [chainrule.add, chainrule.multiply, chainrule.equal, chainrule.not_equal])
def test_inputs_of_commutative_blocks_are_exchanged(function):
    graph = record(lambda x, y: (function(x, y), function(y, x)), "float32", "float32")
    merged = merge_common(graph)
    assert merged.outputs == (graph.outputs[0], graph.outputs[0])
    assert_same_values(merged, graph)


@pytest.mark.parametrize("function", [chainrule.subtract, chainrule.divide, chainrule.power, chainrule.less])
def test_inputs_of_other_blocks_are_not(function):
    graph = record(lambda x, y: (function(x, y), function(y, x)), "float32", "float32")
    assert merge_common(graph) is graph


@pytest.mark.parametrize("function", [chainrule.maximum, chainrule.minimum])
def test_the_larger_of_two_zeros_depends_on_the_order(function):
    graph = record(lambda x, y: (function(x, y), function(y, x)), "float32", "float32")
    assert merge_common(graph) is graph
    graph = record(lambda x, y: (function(x, y), function(y, x)), "int64", "int64")
    assert len(set(merge_common(graph).outputs)) == 1


def test_the_same_input_twice_is_not_a_pair():
    graph = record(lambda x, y: (x + x, x + y), "float32", "float32")
    assert merge_common(graph) is graph


def test_parameters_and_data_are_not_merged():
    a, b = Parameter.of([1.0]), Parameter.of([1.0])
    c, d = tensor([1.0]), tensor([1.0])
    graph = trace(lambda x: (x * a, x * b, x * c, x * d), Spec((1,)))
    assert merge_common(graph) is graph


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        (1.0, 1.0, True),
        (0.0, -0.0, False),
        (np.nan, np.nan, True),
        (np.nan, -np.nan, False),
        (np.float32(1), np.float64(1), False),
        (1, 1.0, False),
        (True, 1, False),
        ([1.0, 2.0], [1.0, 2.0], True),
        ([1.0, 2.0], [[1.0, 2.0]], False),
        (np.zeros(64), np.zeros(64), True),
        (np.zeros(65), np.zeros(65), False),
    ],
)
def test_constants_are_compared_by_dtype_shape_and_bits(first, second, equal):
    leaves = [Constant(spec_of(value), value) for value in map(np.array, (first, second))]
    merged = merge_common(Graph((), tuple(chainrule.equal(leaf, leaf) for leaf in leaves)))
    assert len(constants(merged)) == (1 if equal else 2)
    assert len(set(merged.outputs)) == (1 if equal else 2)


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        (2.0, 2.0, True),
        (0.0, -0.0, False),
        (float("nan"), float("nan"), True),
        (1, 1.0, False),
        (True, 1, False),
        ((1, 2), (1, 2), True),
        ((1, (0.0,)), (1, (-0.0,)), False),
        ([1], [1], True),
        ([1], (1,), False),
        (np.float32(1), np.float64(1), False),
        (np.array([1, 2]), np.array([1, 2]), True),
        (np.array([1, 2]), np.array([1, 3]), False),
        (np.dtype("float32"), np.dtype("float32"), True),
        (np.float32, np.float64, False),
        (None, None, True),
        ("a", "a", True),
        ({}, {}, False),
        (np.array([None]), np.array([None]), False),
    ],
)
@pytest.mark.parametrize("block", [Scale, Unfielded])
def test_settings_are_compared_by_type_and_bits(block, first, second, equal):
    graph = record(lambda x: (block(first)(x), block(second)(x)), "float32")
    assert len(set(merge_common(graph).outputs)) == (1 if equal else 2)


def test_a_shared_block_with_settings_of_no_known_kind_equals_itself():
    block = Scale({})
    graph = record(lambda x: (block(x), block(x), Scale(block.factor)(x)), "float32")
    assert len(set(merge_common(graph).outputs)) == 1


def test_a_class_is_equal_to_itself_only():
    graph = record(lambda x, y: (chainrule.add(x, y), Plus()(x, y)), "float32", "float32")
    assert merge_common(graph) is graph


def test_random_numbers_of_one_key_are_drawn_once():
    key = Key.of(seed=0)

    def function(x):
        return [chainrule.dropout(x, 0.5, k) for k in (key, key, key.at(1))]

    graph = record(function, "float32")
    merged = merge_common(graph)
    assert_same_values(merged, graph)
    assert merged.outputs[0] is merged.outputs[1]
    assert merged.outputs[0] is not merged.outputs[2]
    assert count(merged, "threefry") == 2


def test_long_chains_that_are_equal_merge():
    def function(x):
        a, b = x, x
        for _ in range(10_000):
            a, b = chainrule.tanh(a * 2), chainrule.tanh(2 * b)
        return a - b

    assert len(merge_common(record(function, "float32")).nodes()) == 20_003
