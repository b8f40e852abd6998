"""The node cases of ONNX's own backend suite, as graphs that are read: how each one comes out."""

import warnings
from functools import cache

import numpy as np
import onnx

from chainrule.errors import UnsupportedError
from chainrule.onnx import OnnxModel


@cache
def cases():
    """All node cases; some warn of what they compute on the way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        return load_model_tests(kind="node")


def outcome(case, engine):
    """None where an engine gives what the case expects, or the message by which it is refused; all else is an error."""
    try:
        model = OnnxModel(case.model)
        for inputs, expected in case.data_sets:
            given = [_declared(x, info) for x, info in zip(inputs, case.model.graph.input, strict=False)]
            found = model.run(*given, engine=engine)
            assert len(found) == len(expected), case.name
            for y, x, info in zip(found, expected, case.model.graph.output, strict=True):
                wanted = _declared(x, info)
                assert (y.dtype, y.shape) == (wanted.dtype, wanted.shape), case.name
                np.testing.assert_allclose(y, wanted, case.rtol, case.atol, err_msg=case.name)
    except UnsupportedError as error:
        return str(error)
    return None


def operators(case):
    """The operators of a case, those of graphs inside of it too."""
    nodes = list(case.model.graph.node)
    for node in nodes:
        nodes += [x for attribute in node.attribute for x in attribute.g.node]
    return {node.op_type for node in nodes}


def _declared(array, info):
    """An array in the dtype that the graph declares, which a few cases come without."""
    array = onnx.numpy_helper.to_array(array) if isinstance(array, onnx.TensorProto) else array
    kind = info.type.tensor_type.elem_type
    if isinstance(array, list | dict) or array is None or kind in (0, onnx.TensorProto.STRING):
        return array
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    return np.asarray(array) if np.asarray(array).dtype == dtype else np.asarray(array).astype(dtype)
