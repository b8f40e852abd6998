"""Operators that are read, beside ONNX Runtime, where ONNX's own suite has few cases; and their gradients."""

import numpy as np
import pytest
from onnx import TensorProto, helper

import chainrule
from chainrule.onnx import OnnxModel
from chainrule.testing import check_gradient
from tests.onnx.test_export import CLOSE, session

STEPS, BATCH, INPUTS, SIZE = 5, 3, 4, 2
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def made(operator, arrays, outputs=1, **attributes):
    """A graph of one node whose inputs are arrays, by their names; None for one that is left out."""
    names = [name if x is not None else "" for name, x in arrays.items()]
    node = helper.make_node(operator, names, [f"y{i}" for i in range(outputs)], **attributes)
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for name, x in arrays.items()
        if x is not None
    ]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output]
    graph = helper.make_graph([node], operator, infos, results)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def agrees(operator, arrays, outputs=1, engines=("eager",), **attributes):
    proto = made(operator, arrays, outputs, **attributes)
    given = {name: x for name, x in arrays.items() if x is not None}
    expected = session(proto).run(None, given)
    for engine in engines:
        found = OnnxModel(proto).run(*given.values(), engine=engine)
        for y, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(y, wanted, **CLOSE)


def recurrent(operator, directions, seed=0, dtype=np.float32):
    """Inputs of a recurrent layer."""
    generator, gates = np.random.default_rng(seed), GATES[operator]

    def drawn(*shape):
        return generator.normal(0, 0.5, shape).astype(dtype)

    arrays = {
        "x": drawn(STEPS, BATCH, INPUTS),
        "w": drawn(directions, gates * SIZE, INPUTS),
        "r": drawn(directions, gates * SIZE, SIZE),
        "b": drawn(directions, 2 * gates * SIZE),
        "lengths": np.array([5, 1, 3], np.int32),
        "h": drawn(directions, BATCH, SIZE),
    }
    if operator == "LSTM":
        arrays |= {"c": drawn(directions, BATCH, SIZE), "p": drawn(directions, 3 * SIZE)}
    return arrays


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_recurrent_layers(operator, direction):
    arrays = recurrent(operator, 2 if direction == "bidirectional" else 1)
    outputs = 3 if operator == "LSTM" else 2
    agrees(operator, arrays, outputs, ("eager", "native"), hidden_size=SIZE, direction=direction)
    less = {**arrays, **dict.fromkeys(["b", "lengths", "h", "c", "p"] if operator == "LSTM" else ["b", "lengths", "h"])}
    while list(less.values())[-1] is None:
        less.popitem()
    agrees(operator, less, outputs, hidden_size=SIZE, direction=direction)


@pytest.mark.parametrize("reset_after", [0, 1])
def test_gated_units_reset_before_or_after_the_product(reset_after):
    agrees("GRU", recurrent("GRU", 1), 2, hidden_size=SIZE, linear_before_reset=reset_after)


@pytest.mark.parametrize("settings", [
    {"clip": 0.3},
    {"activations": ["HardSigmoid", "Softsign", "LeakyRelu"], "activation_alpha": [0.3, 0.2],
     "activation_beta": [0.4]},
    {"activations": ["Sigmoid", "Relu", "Elu"], "activation_alpha": [0.7]},
    {"input_forget": 1},
], ids=str)  # fmt: skip
def test_settings_of_long_short_term_memory(settings):
    agrees("LSTM", recurrent("LSTM", 1), 3, hidden_size=SIZE, **settings)


@pytest.mark.parametrize("operator", GATES)
def test_gradients_of_recurrent_layers(operator):
    arrays = recurrent(operator, 1, dtype=np.float64)
    proto = made(operator, arrays, 1, hidden_size=SIZE)
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    layer = OnnxModel(proto)
    lengths = arrays.pop("lengths")

    def function(*given):
        held = dict(zip(arrays, given, strict=True)) | {"lengths": lengths}
        return layer(*[held[name] for name in layer.inputs])

    check_gradient(function, *arrays.values(), second=False)


@pytest.mark.parametrize("attributes", [
    {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 2, 1]},
    {"kernel_shape": [3, 2], "strides": [2, 1], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [3, 2], "group": 2},
], ids=str)  # fmt: skip
def test_convolutions(attributes):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(2, 4, 7, 6)).astype(np.float32)
    groups = attributes.get("group", 1)
    weights = generator.normal(size=(6, 4 // groups, 3, 2)).astype(np.float32)
    agrees("Conv", {"x": x, "w": weights, "b": generator.normal(size=6).astype(np.float32)}, **attributes)
    turned = np.swapaxes(weights.reshape(groups, 6 // groups, 4 // groups, 3, 2), 1, 2).reshape(4, 6 // groups, 3, 2)
    agrees("ConvTranspose", {"x": x, "w": np.ascontiguousarray(turned)}, **attributes)


@pytest.mark.parametrize("attributes", [
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [2, 3], "pads": [1, 1, 0, 1]},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_pooling(operator, attributes):
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 7)).astype(np.float32)
    agrees(operator, {"x": x}, **attributes)
    if operator == "AveragePool":
        agrees(operator, {"x": x}, count_include_pad=1, **attributes)


@pytest.mark.parametrize("reduction", ["none", "add", "max", "min"])
def test_scattering(reduction):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(4, 5)).astype(np.float32)
    rows = np.array([[3], [1], [-4]]) if reduction == "none" else np.array([[3], [1], [3]])
    agrees("ScatterND", {"x": x, "i": rows, "u": generator.normal(size=(3, 5)).astype(np.float32)}, reduction=reduction)
    places = np.array([[0, -1, 2], [1, 0, 3]]) if reduction == "none" else np.array([[0, 0, 2], [1, 4, 1]])
    updates = generator.normal(size=(2, 3)).astype(np.float32)
    agrees("ScatterElements", {"x": x, "i": places, "u": updates}, axis=1, reduction=reduction)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
def test_resizing(mode, coordinates):
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 6)).astype(np.float32)
    arrays = {"x": x, "roi": None, "scales": None, "sizes": np.array([1, 2, 8, 4])}
    agrees("Resize", arrays, mode=mode, coordinate_transformation_mode=coordinates)


@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("aligned", [0, 1])
def test_grids(mode, padding, aligned):
    generator = np.random.default_rng(0)
    arrays = {"x": generator.normal(size=(2, 3, 5, 4)), "grid": generator.uniform(-1.4, 1.4, (2, 3, 3, 2))}
    arrays = {name: x.astype(np.float32) for name, x in arrays.items()}
    agrees("GridSample", arrays, mode=mode, padding_mode=padding, align_corners=aligned)


def test_what_nothing_is_known_of_is_refused():
    layer = OnnxModel(made("NonZero", {"x": np.ones(3, np.float32)}))
    assert layer.run([0.0, 2.0, 3.0], engine="eager")[0].tolist() == [[1, 2]]
    assert layer.run([0.0, 2.0, 0.0])[0].tolist() == [[1]]
    with pytest.raises(chainrule.errors.UnsupportedError, match="NonZero 'y0': the shape depends on data"):
        chainrule.compile(layer)(np.ones(3, np.float32))
