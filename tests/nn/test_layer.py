"""Layer: what its fields hold, how errors say where they were raised, and which layers returned a tensor."""

import dataclasses

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, Spec, tensor, trace
from chainrule.errors import ConfigurationError, DTypeError, IndexRangeError, ShapeError
from chainrule.nn import Dropout, Embedding, Function, Layer, Linear, Sequential


def linear(inputs, outputs):
    return Linear(inputs, outputs, generator=np.random.default_rng(0))


class Network(Layer):
    def __init__(self):
        self.name = "network"
        self.first = linear(4, 3)
        self.blocks = [linear(3, 3), {"deep": (linear(3, 3),)}]
        self.scale = Parameter.of(1.0)
        self.buffer = tensor([1.0])
        self.tied = self.first.weight
        self.again = self.first

    def __call__(self, x):
        return self.blocks[1]["deep"][0](self.blocks[0](self.first(x))) * self.scale


def test_parameters_are_found_through_fields_lists_tuples_and_dictionaries_each_once():
    network = Network()
    assert list(network.named_parameters()) == [
        "first.weight", "first.bias", "blocks.0.weight", "blocks.0.bias", "blocks.1.deep.0.weight",
        "blocks.1.deep.0.bias", "scale",
    ]  # fmt: skip
    assert network.parameters() == list(network.named_parameters().values())
    assert network.named_parameters()["first.weight"] is network.first.weight


def test_fixed_tensors_are_found_among_all_tensors_and_not_among_the_parameters():
    network = Network()
    assert set(network.named_tensors()) - set(network.named_parameters()) == {"buffer"}
    assert network.named_tensors()["buffer"] is network.buffer


def test_layers_are_found_with_their_paths_each_once():
    network = Network()
    assert list(network.named_layers()) == ["", "first", "blocks.0", "blocks.1.deep.0"]
    assert network.named_layers()[""] is network


def test_a_layer_that_holds_itself_is_walked_once():
    network = Network()
    network.itself = network
    assert list(network.named_layers()) == ["", "first", "blocks.0", "blocks.1.deep.0"]


def test_a_layer_with_slots_is_refused():
    with pytest.raises(TypeError, match="layer Slotted has slots, where its parameters would not be found"):

        @dataclasses.dataclass(slots=True)
        class Slotted(Layer):
            weight: Parameter


def test_an_error_names_the_layer():
    with pytest.raises(ShapeError) as caught:
        linear(100, 128)(np.zeros((64, 99)))
    assert str(caught.value) == "Linear(100 → 128): expected size 100 on axis -1, got 99 (shape (64, 99))"


def test_an_error_says_where_in_each_container_it_was_raised():
    inner = Sequential(Function(chainrule.relu), linear(3, 2))
    network = Sequential(linear(4, 5), inner)
    with pytest.raises(ShapeError) as caught:
        network(np.zeros((1, 4)))
    assert str(caught.value) == (
        "layer 1 of Sequential, layer 1 of Sequential, Linear(3 → 2): expected size 3 on axis -1, got 5 (shape (1, 5))"
    )


def test_an_error_says_the_path_through_the_fields_of_an_own_layer():
    network = Network()
    network.blocks[1]["deep"] = (linear(2, 2),)
    with pytest.raises(ShapeError, match=r"^blocks.1.deep.0 of Network, Linear\(2 → 2\): expected size 2 on axis -1"):
        network(np.zeros((1, 4)))


def test_an_error_of_a_layer_that_is_not_a_field_is_placed_too():
    class Hidden(Layer):
        def __call__(self, x):
            return linear(2, 2)(x)

    with pytest.raises(ShapeError, match=r"^a layer of Hidden, Linear\(2 → 2\): expected"):
        Hidden()([[1.0]])
    extended = Sequential(Hidden())
    assert extended.path_of(linear(1, 1)) == "a layer of Sequential"


def test_an_error_of_a_layer_itself_keeps_its_type_and_is_named_once():
    class Base(Layer):
        def __call__(self, x):
            raise DTypeError(f"wrong {x}")

    class Derived(Base):
        def __call__(self, x):
            return super().__call__(x)

    with pytest.raises(DTypeError) as caught:
        Derived()("number")
    assert str(caught.value) == "Derived: wrong number"
    with pytest.raises(IndexRangeError, match=r"^Embedding\(2 × 1\): gather: index 2 is out of range"):
        Embedding(2, 1, generator=np.random.default_rng(0))([2])


def test_a_traced_network_names_the_layer_before_there_is_data():
    with pytest.raises(ShapeError, match=r"^layer 0 of Sequential, Linear\(4 → 5\): expected size 4 on axis -1, got 3"):
        trace(Sequential(linear(4, 5)), Spec((2, 3)))


def test_a_tensor_knows_the_layers_that_returned_it():
    layer, network = linear(2, 2), None
    network = Sequential(chainrule.relu, layer, Dropout(0.5))
    y = network([[1.0, 2.0]])
    assert [repr(x) for x in y.layers] == ["Linear(2 → 2)", "Dropout(0.5)", repr(network)]
    assert y.layers[0] is layer


def test_a_tensor_that_passes_through_the_same_layer_again_lists_it_once():
    dropout, x = Dropout(0.5), tensor([1.0])
    for _ in range(3):
        assert dropout(x) is x
    assert x.layers == (dropout,)


def test_a_layer_may_return_several_tensors():
    class Both(Layer):
        def __call__(self, x):
            return x, x * 2

    first, second = Both()(tensor([1.0]))
    assert (first.item(), second.item()) == (1.0, 2.0)


def test_a_layer_is_called_with_its_own_docstring_and_name():
    assert Linear.__call__.__doc__.startswith("y = x W + b.")


def test_sequential_refuses_what_is_not_a_function():
    with pytest.raises(ConfigurationError, match="Sequential: expected layers or functions, got 'relu' at position 1"):
        Sequential(chainrule.relu, "relu")


def test_sequential_without_layers_is_the_identity():
    assert Sequential()([1.0]).item() == 1.0


def test_functions_show_their_names():
    def double(x):
        return x * 2

    assert [repr(Function(f)) for f in (chainrule.relu, double, chainrule.softmax)] == ["relu", "double", "softmax"]
