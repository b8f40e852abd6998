"""The machinery of passes: what is replaced, and what stays the same object."""

import numpy as np
import pytest

import chainrule
from chainrule import Constant, Parameter, Spec, Tensor, tensor, trace
from chainrule.blocks.arithmetic import Negative
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.trace import Graph, Update
from chainrule.passes.rewrite import apply, in_turn, rebuild, with_inputs
from tests.passes.graphs import record, text


def exp_to_tanh(node, inputs):
    if node.block is not None and node.block.name == "exp":
        return apply(chainrule.tanh, inputs, node)
    return with_inputs(node, inputs)


def test_a_graph_in_which_nothing_is_replaced_is_returned_as_it_is():
    graph = record(lambda x, y: (chainrule.exp(x) * 2 + y, x), "float32", "float32")
    assert rebuild(graph, with_inputs) is graph


def test_what_reads_a_replaced_node_is_rebuilt_and_the_rest_kept():
    graph = record(lambda x, y: (-chainrule.exp(x), -y, x), "float32", "float32")
    changed = rebuild(graph, exp_to_tanh)
    assert text(graph) == "negative(exp(x)); negative(y); x"
    assert text(changed) == "negative(tanh(x)); negative(y); x"
    assert changed.inputs == graph.inputs
    assert changed.outputs[0] is not graph.outputs[0]
    assert changed.outputs[1:] == graph.outputs[1:]


def test_leaves_stay_the_same_objects_and_keep_their_values():
    weight, state = Parameter.of([[1.0, 2.0]], name="weight"), tensor([3.0, 4.0], name="state")
    graph = trace(lambda x: chainrule.exp(x * weight) + state, Spec((1, 2)))
    before = {leaf: leaf.value for leaf in graph.nodes() if leaf.block is None}
    changed = rebuild(graph, exp_to_tanh)
    leaves = {leaf for leaf in changed.nodes() if leaf.block is None}
    assert leaves == set(before)
    assert all(leaf.value is before[leaf] for leaf in leaves)


def test_rebuilt_nodes_have_names_and_layers_but_no_values():
    weight = Parameter.of([1.0, 2.0])
    exponential = chainrule.exp(weight)
    output = exponential + 1
    exponential.name, exponential.layers = "inner", ("layer a",)
    output.name, output.layers = "outer", ("layer b", "layer c")
    assert output.value is not None
    (changed,) = rebuild(Graph((), (output,)), exp_to_tanh).outputs
    assert (changed.name, changed.layers, changed.value) == ("outer", ("layer b", "layer c"), None)
    inner = changed.inputs[0]
    assert (inner.block.name, inner.name, inner.layers, inner.value) == ("tanh", "inner", ("layer a",), None)


def test_constants_are_replaced_too():
    graph = record(lambda x: x * 2, "float32")

    def to_three(node, inputs):
        return Constant(node.spec, np.float32(3)) if node.block is None else with_inputs(node, inputs)

    assert text(rebuild(graph, to_three)) == "multiply(x, 3)"


def test_replacements_in_turn_see_what_the_one_before_gave():
    def negated(node, inputs):
        return apply(Negative(), inputs, node) if node.block.name == "tanh" else with_inputs(node, inputs)

    graph = record(chainrule.exp, "float32")
    assert text(rebuild(graph, in_turn(exp_to_tanh, negated))) == "negative(x)"
    assert text(rebuild(graph, in_turn(negated, exp_to_tanh))) == "tanh(x)"


def test_a_replacement_of_another_spec_is_refused():
    graph = record(lambda x: x.sum(), "float32")
    with pytest.raises(ShapeError, match=r"sum float32\(\) was replaced by a tensor of float32\(2, 3\)"):
        rebuild(graph, lambda node, inputs: inputs[0])


@pytest.mark.parametrize("leaf", [Constant(Spec(()), np.float32(1)), -Tensor(Spec(()))])
def test_inputs_that_are_part_of_the_program_are_refused(leaf):
    message = (
        r"(leaf|negative) float32\(\) is an input of the graph or changed by it; expected a leaf that is no constant"
    )
    with pytest.raises(ConfigurationError, match=message):
        rebuild(Graph((leaf,), (-leaf,)), with_inputs)
    with pytest.raises(ConfigurationError, match=message):
        rebuild(Graph((), (), (Update(leaf, leaf),)), with_inputs)


def test_updates_are_rebuilt_and_what_the_host_does_is_kept():
    def nothing():
        pass

    x, table = Tensor(Spec((2,)), name="x"), Parameter.of([1.0, 2.0, 3.0], name="table")
    rows = Tensor(Spec((2,), np.dtype("int64")), name="rows")
    updates = (Update(table, chainrule.exp(x), chainrule.maximum(rows, 0)), Update(x, chainrule.exp(x)))
    graph = Graph((x, rows), (), updates, (nothing,), (bool,), frozenset([table]))
    assert rebuild(graph, with_inputs) is graph
    changed = rebuild(graph, exp_to_tanh)
    assert [update.target for update in changed.updates] == [table, x]
    assert [update.value.block.name for update in changed.updates] == ["tanh", "tanh"]
    assert changed.updates[0].rows is updates[0].rows
    assert changed.updates[1].rows is None
    assert (changed.before, changed.still_valid, changed.behind) == ((nothing,), (bool,), {table})


def test_depth_has_no_limit():
    def chain(x):
        for _ in range(10_000):
            x = chainrule.exp(x)
        return x

    changed = rebuild(record(chain, "float32"), exp_to_tanh)
    assert [node.block.name for node in changed.nodes()[1:]] == ["tanh"] * 10_000
