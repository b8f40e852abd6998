"""Tensors of layers by name: files, all or nothing."""

import numpy as np
import pytest

import chainrule
from chainrule.errors import DataError, ShapeError, StorageError
from chainrule.nn import Embedding, Layer, Linear, Sequential, from_torch


def network(seed=0, hidden=3):
    generator = np.random.default_rng(seed)
    return Sequential(
        Linear(2, hidden, generator=generator), chainrule.relu, Linear(hidden, 1, with_bias=False, generator=generator)
    )


def held(layer):
    return {name: x.value.tolist() for name, x in layer.named_tensors().items()}


def test_save_and_load(tmp_path):
    first, second = network(0), network(1)
    first.save(tmp_path / "network.safetensors")
    assert held(second) != held(first)
    second.load(tmp_path / "network.safetensors")
    assert held(second) == held(first)
    assert second.layers[0].weight.value is not first.layers[0].weight.value


def test_load_all_or_nothing(tmp_path):
    target = network(0)
    before = held(target)
    network(1, hidden=4).save(tmp_path / "wide")
    with pytest.raises(ShapeError, match=r"wide: layers.0.weight of .*expected shape \(2, 3\), got \(2, 4\)"):
        target.load(tmp_path / "wide")
    Linear(2, 3, generator=np.random.default_rng(0)).save(tmp_path / "other")
    with pytest.raises(DataError, match=r"other: expected the tensors of .*; missing: layers.0.bias, .*: bias, w"):
        target.load(tmp_path / "other")
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(DataError, match=r"text: expected a safetensors file, as Layer.save writes it"):
        target.load(tmp_path / "text")
    with pytest.raises(DataError, match="nothing: cannot be read: No such file"):
        target.load(tmp_path / "nothing")
    with pytest.raises(StorageError, match="there is no folder"):
        target.save(tmp_path / "missing" / "file")
    assert held(target) == before


def test_assign_changes_what_compiled_functions_compute():
    linear = Linear(2, 1, generator=np.random.default_rng(0))
    function = chainrule.compile(lambda x: linear(x))
    function([[1.0, 1.0]])
    linear.assign({"weight": chainrule.tensor([[1.0], [2.0]]), "bias": np.array([3])})
    assert function([[1.0, 1.0]]).item() == 6
    with pytest.raises(ShapeError, match=r"bias of Linear\(2 → 1\): expected shape \(1,\), got \(2,\)"):
        linear.assign({"weight": [[5.0], [5.0]], "bias": [0.0, 0.0]})
    assert function([[1.0, 1.0]]).item() == 6


def test_from_torch_names_what_is_missing():
    class Tagger(Layer):
        def __init__(self):
            generator = np.random.default_rng(0)
            self.table = Embedding(5, 2, generator=generator)
            self.out = Linear(2, 3, generator=generator)

    with pytest.raises(DataError, match=r"from_torch: expected arrays for Tagger; missing: out.bias, table.weight"):
        from_torch(Tagger(), {"out.weight": np.zeros((3, 2))})
