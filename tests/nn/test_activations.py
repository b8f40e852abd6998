"""Activations by name, by class and with settings, as layers and in networks."""

import json
import pickle
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.models import LEARNERS
from chainrule.nn import ACTIVATIONS, Activation, LeakyReLU, LearnedSlope, Linear, Sequential, Softplus, activation
from chainrule.settings import SettingError

X = np.array([[-2.0, 0.5, 3.0, -0.1], [0.0, 1.0, -7.0, 2.0]])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_is_the_function_of_its_name(name):
    layer = activation(name)
    function = getattr(chainrule, name)
    expected = function(X, 0.25) if name == "prelu" else function(X)
    np.testing.assert_array_equal(layer(X).numpy(), expected.numpy())
    if name != "prelu":
        assert layer == ACTIVATIONS[name]()
        assert repr(layer) == name
        assert not layer.parameters()
    kind = ACTIVATIONS[name]
    assert activation(kind(), 4)(X).shape == layer(X).shape
    assert layer(X).shape[1] * kind().reads == 4
    assert pickle.loads(pickle.dumps(kind())) == kind()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_networks_with_each_learn(name):
    """Gradients reach every parameter, and a step down them lowers the loss."""
    generator = np.random.default_rng(0)
    kind = ACTIVATIONS[name]()
    network = Sequential(
        Linear(4, 6 * kind.reads, generator=generator), kind.layer(6), Linear(6, 1, generator=generator)
    )
    x = chainrule.tensor(generator.normal(size=(20, 4)))

    def loss():
        return ((network(x) - 1) ** 2).mean()

    parameters = network.parameters()
    assert len(parameters) == 4 + (name == "prelu")
    before = loss()
    for parameter, gradient in zip(parameters, chainrule.gradients(before, parameters), strict=True):
        assert np.abs(gradient.numpy()).max() > 0
        parameter.assign(parameter.numpy() - 0.01 * gradient.numpy())
    assert loss().item() < before.item()


def test_settings_are_spelled_beside_the_name():
    layer = activation("leaky_relu:slope=0.25")
    assert layer == LeakyReLU(slope=0.25)
    assert repr(layer) == "leaky_relu:slope=0.25"
    assert layer([-2.0]).item() == -0.5
    assert activation("leaky_relu:slope=0.01") == LeakyReLU()
    both = activation("softplus: beta=2, threshold=20")
    assert both == Softplus(beta=2, threshold=20)
    assert both.spelled() == "softplus:beta=2.0,threshold=20.0"
    assert activation("softplus:threshold=none") == Softplus()
    assert activation({"name": "elu", "alpha": 2}).settings() == {"name": "elu", "alpha": 2.0}


@pytest.mark.parametrize("learner", ["ffnn", "mlp"])
def test_learners_take_a_name_a_spelling_or_a_class(learner):
    kind = LEARNERS[learner]
    for given in ("leaky_relu:slope=0.02", LeakyReLU(slope=0.02), "leaky_relu: slope = 2e-2"):
        made = kind(activation=given)
        assert made.activation == "leaky_relu:slope=0.02"
        assert LEARNERS.make(json.loads(json.dumps(made.settings()))) == made
    assert kind(activation=LeakyReLU()).activation == "leaky_relu"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("swisch", r"^ffnn: activation must be one of identity, relu, relu6, .*, got 'swisch'; did you mean 'swish'"),
        (None, "^ffnn: activation must be one of identity, .*, got None$"),
        (["relu"], r"^ffnn: activation must be one of identity, .*, got \['relu'\]$"),
        (LEARNERS["mlp"](), "^ffnn: activation must be one of identity"),
        ("elu:alpha=0", "^ffnn: activation 'elu:alpha=0': elu: alpha must be a number above 0, got 0.0$"),
        ("elu:alpha=x", "'elu:alpha=x': elu: alpha must be a number above 0, got 'x'$"),
        ("elu:alfa=2", "'elu:alfa=2': activation elu has no setting 'alfa'; did you mean 'alpha'"),
        ("elu:2", "'elu:2': activation elu: expected settings: elu:alpha=..., each once; got '2'$"),
        ("elu:", "'elu:': activation elu: expected settings: elu:alpha=..., each once; got ''$"),
        ("elu:alpha=1,alpha=2", "expected settings: elu:alpha=..., each once; got 'alpha=2'$"),
        ("relu:0.1", "'relu:0.1': activation relu: expected settings: none; got '0.1'$"),
        ("gelu:approximate=sin", "approximate must be one of none, tanh, got 'sin'"),
        ("hard_tanh:low=2", "hard_tanh: expected low of at most high, got 2 and 1$"),
        ("maxout:pieces=0", "maxout: pieces must be a whole number of 1 or more, got 0$"),
    ],
)
def test_what_is_no_activation_is_refused(given, message):
    with pytest.raises(SettingError, match=message):
        LEARNERS["ffnn"](activation=given)


def test_one_that_is_not_registered_is_refused():
    """A model folder holds its name, by which it would not be found."""

    @dataclass(frozen=True, kw_only=True, repr=False)
    class Own(Activation):
        name: ClassVar[str] = "own"

    with pytest.raises(SettingError, match=r"must be one of identity, .*, got own$"):
        LEARNERS["ffnn"](activation=Own())


def test_messages_of_functions():
    with pytest.raises(ConfigurationError, match="there is no activation 'swisch'; did you mean 'swish'"):
        activation("swisch")
    with pytest.raises(ShapeError, match=r"^glu: glu: expected an even size on axis 1, .*, got shape \(2, 3\)"):
        activation("glu")(X[:, :3])
    with pytest.raises(ShapeError, match=r"expected a last axis of a multiple of 3, got shape \(2, 4\)"):
        activation("maxout:pieces=3")(X)
    with pytest.raises(ConfigurationError, match="softplus: expected a beta above 0, got -1"):
        chainrule.softplus(X, -1)
    with pytest.raises(ConfigurationError, match="celu: expected an alpha above 0, got 0"):
        chainrule.celu(X, 0)
    with pytest.raises(ConfigurationError, match="gelu: expected approximate to be none or tanh, got 'no'"):
        chainrule.gelu(X, "no")
    with pytest.raises(ConfigurationError, match="maxout: expected a whole number of 1 piece or more, got 0"):
        chainrule.maxout(X, 0)
    with pytest.raises(ConfigurationError, match="hard_tanh: expected low of at most high, got 2 and 1"):
        chainrule.hard_tanh(X, 2, 1)
    with pytest.raises(ConfigurationError, match="LearnedSlope: expected a size of at least 1, got 0"):
        LearnedSlope(0)


def test_gated_networks_have_twice_the_weights():
    wide = LEARNERS["mlp"](hidden=(6,), activation="swiglu")
    layers = wide.layers(4, 2, np.random.default_rng(0))
    assert [parameter.shape for parameter in layers.parameters()] == [(4, 12), (12,), (6, 2), (2,)]
    assert wide.layers(4, 2, np.random.default_rng(0))(X).shape == (2, 2)


def test_learned_slopes_are_parameters_of_each_layer():
    layers = LEARNERS["mlp"](hidden=(6, 5), activation="prelu:slope=0.5").layers(4, 2, np.random.default_rng(0))
    named = layers.named_parameters()
    assert {name: x.shape for name, x in named.items() if "slope" in name} == {
        "layers.1.slope": (6,),
        "layers.4.slope": (5,),
    }
    assert set(named["layers.1.slope"].numpy()) == {0.5}
