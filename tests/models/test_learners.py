"""Learners: what their hyper-parameters may be, and what they become."""

import json
from itertools import pairwise

import numpy as np
import pytest

import chainrule
from chainrule.data import Ragged
from chainrule.errors import ConfigurationError
from chainrule.models import LEARNERS, BagOfWords, FeedForward
from chainrule.models.feed_forward import EMBEDDING_SCALE
from chainrule.models.learner import learner_from
from tests.samples import bag_of_words, feed_forward

WHOLE = ["ngrams", "minimum_count", "minimum_ngram_count", "batch_size", "epochs", "patience"]


@pytest.mark.parametrize("make", [bag_of_words, feed_forward])
@pytest.mark.parametrize("field", WHOLE)
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2", None])
def test_whole_numbers_of_one_or_more(make, field, value):
    name = make().name
    with pytest.raises(ConfigurationError) as caught:
        make(**{field: value})
    assert str(caught.value) == f"{name}: {field} must be a whole number of 1 or more, got {value!r}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"maximum_size": 1}, "bow: maximum_size must be a whole number of 2 or more, got 1"),
        ({"learning_rate": 0}, "bow: learning_rate must be a number above 0, got 0"),
        ({"learning_rate": -0.1}, "bow: learning_rate must be a number above 0, got -0.1"),
        ({"learning_rate": float("nan")}, "bow: learning_rate must be a number above 0, got nan"),
        ({"learning_rate": float("inf")}, "bow: learning_rate must be a number above 0, got inf"),
        ({"learning_rate": "fast"}, "bow: learning_rate must be a number above 0, got 'fast'"),
        ({"learning_rate": True}, "bow: learning_rate must be a number above 0, got True"),
        ({"optimizer": "lbfgs"}, "bow: optimizer must be adam or sgd, got 'lbfgs'"),
        ({"lowercase": "no"}, "bow: lowercase must be True or False, got 'no'"),
    ],
)
def test_what_every_learner_refuses(settings, message):
    with pytest.raises(ConfigurationError) as caught:
        bag_of_words(**settings)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dim": 0}, "ffnn: dim must be a whole number of 1 or more, got 0"),
        ({"dropout": 1}, "ffnn: dropout must be at least 0 and below 1, got 1"),
        ({"dropout": -0.1}, "ffnn: dropout must be at least 0 and below 1, got -0.1"),
        ({"dropout": float("nan")}, "ffnn: dropout must be at least 0 and below 1, got nan"),
        ({"dropout": "half"}, "ffnn: dropout must be at least 0 and below 1, got 'half'"),
        ({"word_dropout": 1.0}, "ffnn: word_dropout must be at least 0 and below 1, got 1.0"),
        ({"hidden": (8, 0)}, "ffnn: hidden must be whole numbers of 1 or more, such as (128, 64), got (8, 0)"),
        ({"hidden": (8.0,)}, "ffnn: hidden must be whole numbers of 1 or more, such as (128, 64), got (8.0,)"),
        ({"hidden": (True,)}, "ffnn: hidden must be whole numbers of 1 or more, such as (128, 64), got (True,)"),
        ({"hidden": 8}, "ffnn: hidden must be whole numbers of 1 or more, such as (128, 64), got 8"),
        ({"hidden": "88"}, "ffnn: hidden must be whole numbers of 1 or more, such as (128, 64), got '88'"),
        (
            {"activation": "swish"},
            "ffnn: activation must be one of identity, relu, sigmoid, softplus, tanh, got 'swish'",
        ),
        ({"activation": None}, "ffnn: activation must be one of identity, relu, sigmoid, softplus, tanh, got None"),
    ],
)
def test_what_the_feed_forward_learner_refuses(settings, message):
    with pytest.raises(ConfigurationError) as caught:
        feed_forward(**settings)
    assert str(caught.value) == message


def test_hyperparameters_go_by_name_and_do_not_change():
    with pytest.raises(TypeError):
        BagOfWords(2)
    with pytest.raises(AttributeError):
        bag_of_words().epochs = 5


@pytest.mark.parametrize("make", [bag_of_words, feed_forward])
def test_settings_make_the_same_learner_again(make):
    learner = make(epochs=7, maximum_size=50)
    settings = json.loads(json.dumps(learner.settings()))
    assert settings["name"] == learner.name
    assert learner_from(LEARNERS, settings) == learner


def test_settings_left_out_keep_their_defaults():
    assert learner_from(LEARNERS, {"name": "ffnn", "dim": 5}) == FeedForward(dim=5)


@pytest.mark.parametrize("name", ["svm", None, ["bow"], 3])
def test_an_unknown_learner(name):
    with pytest.raises(ConfigurationError, match=r"is not known; expected bow or ffnn"):
        learner_from(LEARNERS, {"name": name})


def test_an_unknown_hyperparameter():
    with pytest.raises(ConfigurationError, match=r"learner bow has no hyper-parameter 'hidden'; it has batch_size, .*"):
        learner_from(LEARNERS, {"name": "bow", "hidden": [3]})


@pytest.mark.parametrize("hidden", [(), (5,), (7, 3)])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "softplus", "identity"])
def test_the_network_has_the_layers_asked_for(hidden, activation):
    network = feed_forward(dim=4, hidden=hidden, activation=activation).network(10, 3, np.random.default_rng(0))
    sizes = [4, *hidden, 3]
    expected = [(10, 4)]
    for inputs, outputs in pairwise(sizes):
        expected += [(inputs, outputs), (outputs,)]
    assert [parameter.shape for parameter in network.parameters()] == expected
    assert network(np.array([1, 2]), np.array([0, 2])).shape == (1, 3)


BAGS = Ragged(np.array([1, 2, 1, 3], np.int32), np.array([0, 2, 2, 4]))


def term_weights(ids):
    """idf over the three texts of BAGS, scaled to length 1 over a text's."""
    idf = np.log((1 + 3) / (1 + np.array([0, 2, 1, 1]))) + 1
    return idf[ids] / np.sqrt((idf[ids] ** 2).sum())


def test_bag_of_words_follows_its_equation():
    """The logits against a few lines of NumPy; a text without a known word has the bias."""
    draws = np.random.default_rng(0)
    network = bag_of_words().network(4, 2, draws)
    network.prepare(BAGS)
    weight, bias = draws.normal(size=(4, 2)), draws.normal(size=2)
    network.bag.table.assign(weight)
    network.bias.assign(bias)
    expected = [term_weights([1, 2]) @ weight[[1, 2]] + bias, bias, term_weights([1, 3]) @ weight[[1, 3]] + bias]
    np.testing.assert_allclose(network(BAGS.ids, BAGS.offsets).numpy(), expected, rtol=1e-5)


def test_feed_forward_follows_its_equation():
    """Without dropout, the logits against a few lines of NumPy; a text without a known word has h₀ = 0."""
    network = feed_forward(dim=3, hidden=(4,), activation="tanh").network(4, 2, np.random.default_rng(0))
    network.prepare(BAGS)
    table, weight, bias, last, last_bias = (parameter.numpy() for parameter in network.parameters())
    bags = np.stack([term_weights([1, 2]) @ table[[1, 2]], np.zeros(3), term_weights([1, 3]) @ table[[1, 3]]])
    expected = np.tanh(EMBEDDING_SCALE * bags @ weight + bias) @ last + last_bias
    np.testing.assert_allclose(network(BAGS.ids, BAGS.offsets).numpy(), expected, rtol=1e-4, atol=1e-6)


def test_dropout_is_for_training_only():
    network = feed_forward(dropout=0.5, word_dropout=0.5).network(50, 2, np.random.default_rng(0))
    ids, offsets = np.arange(40), np.array([0, 20, 40])
    calm = network(ids, offsets).numpy()
    one, again, other = (network(ids, offsets, key=chainrule.Key.of(0, step)).numpy() for step in (1, 1, 2))
    np.testing.assert_array_equal(network(ids, offsets).numpy(), calm)
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, calm)


@pytest.mark.parametrize("kind", [BagOfWords, FeedForward])
def test_each_optimizer_has_a_default_learning_rate(kind):
    for optimizer, rate in kind.learning_rates.items():
        learner = kind(optimizer=optimizer)
        assert learner.rate == learner.settings()["learning_rate"] == learner.make_optimizer().learning_rate == rate
    assert kind(learning_rate=0.5).rate == 0.5
