"""Open sizes: how numbers in a graph follow from the sizes of its inputs."""

import numpy as np
import pytest

import chainrule
from chainrule.blocks import reshape
from chainrule.blocks.recurrence import Scan
from chainrule.errors import ModelError
from chainrule.graph.order import topological_order
from chainrule.graph.spec import Spec
from chainrule.graph.trace import trace
from chainrule.onnx import model_proto
from chainrule.onnx.sizes import OpenGraph, Size, plus, times
from tests.onnx.models import model_of

TEXTS, TOKENS = Size(1, (("texts", 1),)), Size(0, (("tokens", 2),))


def test_sums_and_products():
    assert plus(2, 3) == 5
    assert plus(TEXTS, -1) == Size(0, (("texts", 1),))
    assert plus(TEXTS, TOKENS) == Size(1, (("texts", 1), ("tokens", 2)))
    assert plus(TEXTS, times(TEXTS, -1)) == 0
    assert times(3, 4) == 12
    assert times(TEXTS, 3) == times(3, TEXTS) == Size(3, (("texts", 3),))
    assert times(TEXTS, 0) == 0
    with pytest.raises(ModelError, match="the product of two open sizes is no size of a graph"):
        times(TEXTS, TOKENS)


def traced(function):
    return OpenGraph.traced(lambda sizes: trace(function, Spec((sizes["n"], 2)), Spec((sizes["m"] + 1,))), ["n", "m"])


def test_numbers_of_blocks_are_solved():
    graph = traced(lambda x, y: chainrule.concatenate([reshape(x, -1), y])[1:])
    (output,) = graph.graph.outputs
    assert graph.shape(output) == (Size(0, (("n", 2), ("m", 1))),)
    assert graph.settings(output) == {"start": (1,), "step": (1,), "size": (Size(0, (("n", 2), ("m", 1))),)}


def test_what_is_no_linear_function_is_refused():
    graph = traced(lambda x, y: x @ chainrule.ones((2, y.shape[0] ** 2)))
    with pytest.raises(ModelError, match="expected a network that does the same for all sizes of its inputs"):
        graph.shape(graph.graph.outputs[0])
    with pytest.raises(ModelError, match="but number of blocks is"):
        traced(lambda x, y: x + 1 if x.shape[0] > 12 else x)


def test_a_scan_is_read_whole():
    model, _ = model_of("rnn", "regress")
    inner = model.network

    def network(ids, offsets):
        (packed,) = [x for x in topological_order([inner(ids, offsets)]) if isinstance(x.block, Scan)][:1]
        return reshape(packed, (ids.shape[0], -1))

    network.named_parameters, network.reads = inner.named_parameters, inner.reads
    model.network = network
    with pytest.raises(ModelError, match="expected whole outputs of a scan to be read"):
        model_proto(model)
    assert np.isfinite(network(np.array([1]), np.array([0, 1])).value).all()
