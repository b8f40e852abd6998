"""Learners and the settings beside them: what they may be, and what they become."""

import json
from itertools import pairwise

import numpy as np
import pytest

import chainrule
from chainrule import nn
from chainrule.data import Examples, Ragged
from chainrule.data.layout import Sizes
from chainrule.errors import ConfigurationError
from chainrule.models import LEARNERS, BagOfWords, FeedForward, Learner
from chainrule.nn import INITIALIZERS
from chainrule.settings import SettingError
from chainrule.tasks import INPUTS, TASKS
from tests import samples

TEXT = ["ngrams", "minimum_count", "minimum_ngram_count"]
WHOLE_OR_NONE = "must be a whole number of 1 or more or None"
WHOLE = [(chainrule.Text, field) for field in TEXT]


def network(learner, entries, outputs, seed=0):
    return learner.network(Sizes(outputs=outputs, entries=entries), "row", np.random.default_rng(seed))


def message(make, **settings):
    """The refusal of a setting, which knows what it is a setting of."""
    with pytest.raises(SettingError) as caught:
        make(**settings)
    error = caught.value
    assert isinstance(error, ConfigurationError)
    assert error.field == next(iter(settings))
    assert str(error) == f"{error.kind}: {error.field} {error.reason}"
    return str(error)


@pytest.mark.parametrize(("make", "field"), WHOLE, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2", None])
def test_whole_numbers_of_one_or_more(make, field, value):
    kind = make.__name__.lower()
    assert message(make, **{field: value}) == f"{kind}: {field} must be a whole number of 1 or more, got {value!r}"


@pytest.mark.parametrize(
    ("make", "settings", "expected"),
    [
        (chainrule.Text, {"maximum_size": 1}, "text: maximum_size must be a whole number of 2 or more or None, got 1"),
        (chainrule.Text, {"lowercase": "no"}, "text: lowercase must be True or False, got 'no'"),
        (chainrule.Training, {"epochs": 0}, "training: epochs must be a whole number of 1 or more or None, got 0"),
        (
            chainrule.Training,
            {"learning_rate": 0},
            "training: learning_rate must be a number above 0 or 'auto' or None, got 0",
        ),
        (
            chainrule.Training,
            {"learning_rate": -0.1},
            "training: learning_rate must be a number above 0 or 'auto' or None, got -0.1",
        ),
        (
            chainrule.Training,
            {"learning_rate": float("nan")},
            "training: learning_rate must be a number above 0 or 'auto' or None, got nan",
        ),
        (
            chainrule.Training,
            {"learning_rate": float("inf")},
            "training: learning_rate must be a number above 0 or 'auto' or None, got inf",
        ),
        (
            chainrule.Training,
            {"learning_rate": "fast"},
            "training: learning_rate must be a number above 0 or 'auto' or None, got 'fast'",
        ),
        (
            chainrule.Training,
            {"learning_rate": True},
            "training: learning_rate must be a number above 0 or 'auto' or None, got True",
        ),
        (chainrule.Training, {"clip": 0}, "training: clip must be a number above 0 or None, got 0"),
        (chainrule.Training, {"clip": float("inf")}, "training: clip must be a number above 0 or None, got inf"),
        (chainrule.Training, {"l2": -1}, "training: l2 must be a number of 0 or more, got -1"),
        (chainrule.Training, {"l2": None}, "training: l2 must be a number of 0 or more, got None"),
        (chainrule.Training, {"patience": 0}, "training: patience must be a whole number of 1 or more or None, got 0"),
        (
            chainrule.Training,
            {"patience": True},
            "training: patience must be a whole number of 1 or more or None, got True",
        ),
        (
            chainrule.Training,
            {"patience": "2"},
            "training: patience must be a whole number of 1 or more or None, got '2'",
        ),
        (chainrule.Training, {"batch_size": 0}, f"training: batch_size {WHOLE_OR_NONE}, got 0"),
        (chainrule.Training, {"batch_size": 1.5}, f"training: batch_size {WHOLE_OR_NONE}, got 1.5"),
        (chainrule.Training, {"batch_size": True}, f"training: batch_size {WHOLE_OR_NONE}, got True"),
        (chainrule.Training, {"batch_size": "2"}, f"training: batch_size {WHOLE_OR_NONE}, got '2'"),
        (chainrule.Training, {"every": 0}, "training: every must be a whole number of 1 or more or None, got 0"),
        (chainrule.Training, {"every": 2.0}, "training: every must be a whole number of 1 or more or None, got 2.0"),
    ],
)
def test_what_every_training_refuses(make, settings, expected):
    assert message(make, **settings) == expected


@pytest.mark.parametrize("optimizer", ["newton", "Adam", "", 3, True, {"name": "newton"}, {}])
def test_an_optimizer_that_is_none(optimizer):
    with pytest.raises(
        ConfigurationError, match=r"there is no optimizer .*; (expected adadelta or|did you mean 'adam')"
    ):
        chainrule.Training(optimizer=optimizer)


@pytest.mark.parametrize(
    ("make", "field", "other"),
    [
        (chainrule.Training, "optimizer", BagOfWords()),
        (chainrule.Training, "optimizer", chainrule.Text()),
        (chainrule.Classify, "inputs", FeedForward()),
        (chainrule.Classify, "inputs", chainrule.SGD(0.1)),
    ],
    ids=lambda value: getattr(value, "name", value) or "training",
)
def test_settings_of_another_kind_are_refused(make, field, other):
    """A learner is no optimizer, and an optimizer no inputs."""
    with pytest.raises(ConfigurationError, match=field):
        make(**{field: other})


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"dim": 0}, "ffnn: dim must be a whole number of 1 or more, got 0"),
        ({"dropout": 1}, "ffnn: dropout must be a number of 0 or more and below 1, got 1"),
        ({"dropout": -0.1}, "ffnn: dropout must be a number of 0 or more and below 1, got -0.1"),
        ({"dropout": float("nan")}, "ffnn: dropout must be a number of 0 or more and below 1, got nan"),
        ({"dropout": "half"}, "ffnn: dropout must be a number of 0 or more and below 1, got 'half'"),
        ({"word_dropout": 1.0}, "ffnn: word_dropout must be a number of 0 or more and below 1 or None, got 1.0"),
        ({"hidden": (8, 0)}, "ffnn: hidden must be whole numbers of 1 or more, such as (128, 64), got (8, 0)"),
        ({"hidden": (8.0,)}, "ffnn: hidden must be whole numbers of 1 or more, such as (128, 64), got (8.0,)"),
        ({"hidden": (True,)}, "ffnn: hidden must be whole numbers of 1 or more, such as (128, 64), got (True,)"),
        ({"hidden": 8}, "ffnn: hidden must be whole numbers of 1 or more, such as (128, 64), got 8"),
        ({"hidden": "88"}, "ffnn: hidden must be whole numbers of 1 or more, such as (128, 64), got '88'"),
    ],
)
def test_what_the_feed_forward_learner_refuses(settings, expected):
    assert message(FeedForward, **settings) == expected


@pytest.mark.parametrize("kind", [*LEARNERS.values(), chainrule.Training, chainrule.Text, chainrule.Classify])
def test_settings_go_by_name_and_do_not_change(kind):
    with pytest.raises(TypeError):
        kind(2)
    with pytest.raises(AttributeError):
        kind().epochs = 5
    for declared in kind.declared():
        with pytest.raises(AttributeError):
            setattr(kind(), declared.name, 5)


@pytest.mark.parametrize("name", list(samples.LEARNERS))
def test_settings_make_the_same_again(name):
    """Through JSON, as files and records hold them."""
    held = samples.setup(name, epochs=7, maximum_size=50, output="sigmoid", optimizer="sgd", clip=2, l2=0.5, every=3)
    assert (held["training"].epochs, held["task"].inputs.maximum_size) == (7, 50)
    for registry, made in ((LEARNERS, held["learner"]), (TASKS, held["task"]), (INPUTS, held["task"].inputs)):
        settings = json.loads(json.dumps(made.settings()))
        assert settings["name"] == made.name
        assert registry.make(settings) == made
    assert chainrule.Training(**json.loads(json.dumps(held["training"].settings()))) == held["training"]


def test_the_settings_of_a_training_hold_the_learning_rate_of_its_optimizer():
    """Two trainings that differ have settings that differ."""
    settings = json.loads(json.dumps(chainrule.Training(optimizer=chainrule.SGD(0.25, momentum=0.5)).settings()))
    again = chainrule.Training(**settings).resolved(BagOfWords())
    assert again.optimizer == chainrule.SGD(0.25, momentum=0.5)
    assert again.learning_rate == 0.25


def test_settings_left_out_keep_their_defaults():
    assert LEARNERS.make({"name": "ffnn", "dim": 5}) == FeedForward(dim=5)
    assert LEARNERS.make("ffnn") == LEARNERS.make({"name": "ffnn"}) == FeedForward()


@pytest.mark.parametrize("name", ["svm", None, ["bow"], 3])
def test_an_unknown_learner(name):
    with pytest.raises(ConfigurationError) as caught:
        LEARNERS.make({"name": name})
    assert str(caught.value) == f"there is no learner {name!r}; expected {' or '.join(LEARNERS)}"
    assert list(LEARNERS)[:3] == ["bow", "cnn", "ffnn"]


def test_an_unknown_setting():
    with pytest.raises(ConfigurationError, match=r"^learner bow has no setting 'hidden'; it has scale$"):
        LEARNERS.make({"name": "bow", "hidden": [3]})
    listed = (
        "activation, combination, dim, dropout, embedding_dropout, hidden, initializer, mixup, noise, normalization, "
        "scale, unknown_words, vectors, vectors_training, window, word_dropout"
    )
    with pytest.raises(ConfigurationError, match=rf"^learner ffnn has no setting 'epochs'; it has {listed}$"):
        LEARNERS.make({"name": "ffnn", "epochs": 3})
    with pytest.raises(ConfigurationError, match=r"^learner ffnn has no setting 'hiden'; did you mean 'hidden'\?$"):
        LEARNERS.make({"name": "ffnn", "hiden": 3})


def weights(**settings):
    """The weights of the layers of a network over columns."""
    learner = LEARNERS.make("mlp") if not settings else chainrule.MultilayerPerceptron(**settings)
    made = learner.network(Sizes(outputs=3, features=4), "row", np.random.default_rng(0))
    return [x.value for x in made.layers.parameters() if len(x.shape) == 2]


@pytest.mark.parametrize(("activation", "gain"), [("relu", np.sqrt(2)), ("tanh", 5 / 3), ("selu", 1)])
@pytest.mark.parametrize("name", ["he_normal", "xavier_uniform", "orthogonal", "lecun_normal"])
def test_initializers_have_the_gain_of_the_activation(name, activation, gain):
    """The outputs, which no activation follows, have a gain of 1; a gain that is given is that of all."""
    found = weights(hidden=(5, 6), activation=activation, initializer=name)
    generator = np.random.default_rng(0)
    for w, gains in zip(found, (gain, gain, 1), strict=True):
        drawn = INITIALIZERS.make(name).with_gain(gains)(w.shape, generator, "float32")
        assert w.tobytes() == drawn.tobytes()
    if name != "lecun_normal":
        given = weights(hidden=(5, 6), activation=activation, initializer=f"{name}:gain=3")
        for w, x in zip(given, found, strict=True):
            np.testing.assert_allclose(w * (gain if w is not given[-1] else 1), 3 * x, rtol=1e-6)


def test_the_usual_initializer_is_xavier_with_a_gain_of_1():
    usual, spelled = weights(), weights(initializer=nn.XavierUniform(gain=1))
    assert [x.tobytes() for x in usual] == [x.tobytes() for x in spelled]
    bound = np.sqrt(6 / (4 + 100))
    assert 0.95 * bound < abs(usual[0]).max() <= bound


def test_an_initializer_is_spelled_in_the_settings():
    made = FeedForward(initializer=nn.HeNormal(gain=2))
    assert made.initializer == made.settings()["initializer"] == "he_normal:gain=2.0"
    assert FeedForward().settings()["initializer"] is None
    assert "initializer must be one of constant, " in message(FeedForward, initializer="he")
    assert "did you mean 'he_normal'" in message(FeedForward, initializer="he_norml")
    assert "gain must be a number above 0 or None" in message(FeedForward, initializer="he_normal:gain=-1")


@pytest.mark.parametrize("hidden", [(), (5,), (7, 3)])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "softplus", "identity"])
def test_the_network_has_the_layers_asked_for(hidden, activation):
    made = network(FeedForward(dim=4, hidden=hidden, activation=activation), 10, 3)
    sizes = [4, *hidden, 3]
    expected = [(10, 4)]
    for inputs, outputs in pairwise(sizes):
        expected += [(inputs, outputs), (outputs,)]
    assert [parameter.shape for parameter in made.parameters()] == expected
    assert made(np.array([1, 2]), np.array([0, 2])).shape == (1, 3)


BAGS = Ragged(np.array([1, 2, 1, 3], np.int32), np.array([0, 2, 2, 4]))
EXAMPLES = Examples({"ids": BAGS})


def term_weights(ids):
    """idf over the three texts of BAGS, scaled to length 1 over a text's."""
    idf = np.log((1 + 3) / (1 + np.array([0, 2, 1, 1]))) + 1
    return idf[ids] / np.sqrt((idf[ids] ** 2).sum())


@pytest.mark.parametrize("scale", [1.0, 16.0])
def test_bag_of_words_follows_its_equation(scale):
    """The outputs against a few lines of NumPy; a text without a known word has the bias."""
    draws = np.random.default_rng(0)
    made = network(BagOfWords(scale=scale), 4, 2)
    made.count(EXAMPLES)
    weight, bias = draws.normal(size=(4, 2)), draws.normal(size=2)
    made.bag.table.assign(weight)
    made.bias.assign(bias)
    sums = [scale * term_weights(ids) @ weight[ids] for ids in ([1, 2], [1, 3])]
    expected = [sums[0] + bias, bias, sums[1] + bias]
    np.testing.assert_allclose(made(BAGS.ids, BAGS.offsets).numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("tanh", np.tanh),
        ("relu", lambda x: np.maximum(x, 0)),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("softplus", lambda x: np.log1p(np.exp(x))),
        ("identity", lambda x: x),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_feed_forward_follows_its_equation(activation, function, scale):
    """Without dropout, the outputs against a few lines of NumPy; a text without a known word has h₀ = 0."""
    made = network(FeedForward(dim=3, hidden=(4,), activation=activation, scale=scale), 4, 2)
    made.count(EXAMPLES)
    table, weight, bias, last, last_bias = (parameter.numpy() for parameter in made.parameters())
    bags = np.stack([term_weights([1, 2]) @ table[[1, 2]], np.zeros(3), term_weights([1, 3]) @ table[[1, 3]]])
    expected = function(scale * bags @ weight + bias) @ last + last_bias
    np.testing.assert_allclose(made(BAGS.ids, BAGS.offsets).numpy(), expected, rtol=1e-4, atol=1e-6)


def test_dropout_is_for_training_only():
    made = network(FeedForward(dropout=0.5, word_dropout=0.5), 50, 2)
    ids, offsets = np.arange(40), np.array([0, 20, 40])
    calm = made(ids, offsets).numpy()
    one, again, other = (made(ids, offsets, key=chainrule.Key.of(0, step)).numpy() for step in (1, 1, 2))
    np.testing.assert_array_equal(made(ids, offsets).numpy(), calm)
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, calm)


@pytest.mark.parametrize("kind", LEARNERS.values(), ids=list(LEARNERS))
def test_each_optimizer_has_settings_that_suit_the_learner(kind):
    assert set(kind.tuned) == {"adam", "adamw", "sgd"}
    for name, tuned in kind.tuned.items():
        training = chainrule.Training(optimizer=name).resolved(kind())
        assert training.learning_rate == training.optimizer.learning_rate == tuned["learning_rate"]
        assert training.settings()["learning_rate"] == tuned["learning_rate"]
        assert training.optimizer.name == training.settings()["optimizer"]["name"] == name
        for key, value in tuned.items():
            assert getattr(training.optimizer, key) == value
        assert training.resolved(kind()) == training
        assert chainrule.Training(**training.settings()).resolved(kind()) == training
    given = chainrule.Training(optimizer="sgd", learning_rate=0.5).resolved(kind())
    momentum = kind.tuned["sgd"].get("momentum", 0.0)
    assert (given.learning_rate, given.optimizer) == (0.5, chainrule.SGD(0.5, momentum=momentum))


@pytest.mark.parametrize("kind", LEARNERS.values(), ids=list(LEARNERS))
def test_the_optimizer_suits_learner_and_task(kind):
    """SGD, whose steps are as large as gradients are, only where these have a known size."""
    for task in TASKS.values():
        resolved = chainrule.Training().resolved(kind(), task())
        known = task in (chainrule.Classify, chainrule.MultiLabel, chainrule.Tag, chainrule.Transduce)
        expected = kind.optimizer if known or kind is chainrule.PretrainedTransformer else "adam"
        assert resolved.optimizer.name == expected
    assert {name for name in LEARNERS if LEARNERS[name].optimizer == "sgd"} == {"bow", "ffnn"}
    assert {kind.optimizer for kind in LEARNERS.values()} == {"sgd", "adam", "adamw"}


@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_the_scale_suits_the_number_of_outputs(name):
    kind = LEARNERS[name]
    few, many = kind.scales
    found = [kind().scale_for(outputs) for outputs in (1, 2, 4, 8, 100)]
    np.testing.assert_allclose(found, [few, few, (few * many) ** 0.5, many, many])
    assert kind(scale=3.0).scale_for(2) == 3
    assert network(kind(), 4, 2).scale == few


@pytest.mark.parametrize("kind", LEARNERS.values(), ids=list(LEARNERS))
def test_patience_is_the_learners_unless_it_is_given(kind):
    assert chainrule.Training().patience is None
    resolved = chainrule.Training().resolved(kind())
    assert resolved.patience == resolved.settings()["patience"] == kind.patience >= 1
    assert chainrule.Training(patience=7).resolved(kind()).patience == 7
    assert {name: LEARNERS[name].patience for name in ("bow", "ffnn")} == {"bow": 3, "ffnn": 3}  # as it always was


def test_an_optimizer_that_is_given_keeps_its_settings():
    mine = chainrule.SGD(0.25, momentum=0.5)
    resolved = chainrule.Training(optimizer=mine).resolved(BagOfWords())
    assert (resolved.optimizer, resolved.learning_rate) == (mine, 0.25)
    resolved = chainrule.Training(optimizer=mine, learning_rate=0.1).resolved(BagOfWords())
    assert (resolved.optimizer, resolved.learning_rate) == (chainrule.SGD(0.1, momentum=0.5), 0.1)


def test_a_learner_without_the_answers_that_a_task_needs_is_refused():
    class Answerless(Learner):
        name = "answerless"
        gives = frozenset({"sequence"})

        def network(self, sizes, answers, generator):
            raise AssertionError

    message = r"^answerless gives one answer a sequence, and classify needs one a row: use bow or cnn or ffnn"
    with pytest.raises(ConfigurationError, match=message):
        Answerless().require("row", "classify")
    table = samples.as_table(samples.make_rows(20))
    with pytest.raises(ConfigurationError, match=message):
        chainrule.fit(Answerless(), table, table)
