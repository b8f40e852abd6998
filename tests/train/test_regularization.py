"""Regularizers of a training, each against a step without it; what they choose, and what they refuse."""

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError, SettingError
from chainrule.optim import SGD
from tests.train.test_trainer import make_trainer, weights_of

RATE = 0.5
engines = pytest.mark.parametrize("engine", ["native", "eager"])


def after_a_step(two_classes, held_out, engine="native", name="ffnn", **settings):
    given = {"optimizer": SGD(RATE), "learning_rate": RATE, "batch_size": 16, "schedule": "constant", **settings}
    trainer = make_trainer(name, two_classes, held_out, engine=engine, **given)
    before = weights_of(trainer)
    trainer.run_batch(trainer._next_batch())
    return before, weights_of(trainer)


@engines
def test_penalties_of_chosen_parameters(two_classes, held_out, engine):
    before, plain = after_a_step(two_classes, held_out, engine)
    settings = {"l1": 0.01, "l2": 0.1, "penalize": ("embeddings", "*.bias")}
    _, found = after_a_step(two_classes, held_out, engine, **settings)
    for name, weights in found.items():
        start = before[name]
        chosen = name.startswith("embeddings") or name.endswith("bias")
        expected = plain[name] - RATE * (0.01 * np.sign(start) + 0.1 * start) * chosen
        np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-6, err_msg=name)


@engines
def test_all_but_biases_are_chosen_unless_told_otherwise(two_classes, held_out, engine):
    before, plain = after_a_step(two_classes, held_out, engine)
    _, found = after_a_step(two_classes, held_out, engine, l1=0.01)
    for name, weights in found.items():
        expected = plain[name] - RATE * 0.01 * np.sign(before[name]) * (before[name].ndim > 1)
        np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-6, err_msg=name)


@engines
def test_the_proximal_step_makes_small_weights_zero(two_classes, held_out, engine):
    settings = {"groups": ("embeddings=0.5x", "layers.layers.3.weight=frozen")}
    _, plain = after_a_step(two_classes, held_out, engine, **settings)
    _, found = after_a_step(two_classes, held_out, engine, l1=0.1, proximal=True, **settings)
    for name, weights in found.items():
        share = 0.5 if name.startswith("embeddings") else float(weights.ndim > 1)
        threshold = RATE * 0.1 * share * (name != "layers.layers.3.weight")
        expected = np.sign(plain[name]) * np.maximum(np.abs(plain[name]) - threshold, 0)
        np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-6, err_msg=name)
        np.testing.assert_array_equal(weights == 0, expected == 0)
    assert (found["embeddings.table"] == 0).mean() > 0.1


@engines
def test_no_unit_and_no_row_is_longer_than_the_largest_norm(two_classes, held_out, engine):
    _, plain = after_a_step(two_classes, held_out, engine)
    _, found = after_a_step(two_classes, held_out, engine, max_norm=0.2)
    for name, weights in found.items():
        if weights.ndim == 1:
            np.testing.assert_array_equal(weights, plain[name])
            continue
        norms = np.linalg.norm(plain[name], axis=1 if name.startswith("embeddings") else 0, keepdims=True)
        np.testing.assert_allclose(weights, plain[name] * np.minimum(1, 0.2 / norms), rtol=1e-4, atol=1e-7)
    assert norms.max() > 0.2


@engines
def test_gradients_are_cut_by_value(two_classes, held_out, engine):
    before, plain = after_a_step(two_classes, held_out, engine)
    _, found = after_a_step(two_classes, held_out, engine, clip_value=1e-3)
    for name, weights in found.items():
        gradient = (before[name] - plain[name]) / RATE
        np.testing.assert_allclose(
            before[name] - weights, RATE * np.clip(gradient, -1e-3, 1e-3), rtol=1e-2, atol=2e-7, err_msg=name
        )


def test_lasso_finds_the_features_that_matter():
    """With the proximal step all weights of features that are noise become exactly 0; with the penalty alone, few."""
    draws = np.random.default_rng(0)
    x = draws.normal(size=(300, 20))
    y = x[:, 0] * 3 - x[:, 1] * 2 + 0.1 * draws.normal(size=300)
    weight, rule = chainrule.Parameter.of(np.zeros(20), dtype="float64"), SGD(0.1)
    state, data = rule.start([weight]), chainrule.tensor(x, "float64")
    for _ in range(300):
        loss = ((data @ weight - chainrule.tensor(y, "float64")) ** 2).mean() / 2
        rule.step([weight], chainrule.gradients(loss, [weight]), state)
        weight.assign(chainrule.optim.shrunk(weight, 0.1 * 0.1).numpy())
    from sklearn.linear_model import Lasso

    theirs = Lasso(alpha=0.1, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(x, y)
    np.testing.assert_allclose(weight.numpy(), theirs.coef_, atol=1e-6)
    assert np.flatnonzero(weight.numpy()).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"proximal": True}, "training: proximal needs an l1 above 0"),
        ({"max_norm": 0}, "training: max_norm must be a number above 0 or None, got 0"),
        ({"l1": -1}, "training: l1 must be a number of 0 or more, got -1"),
        ({"clip_value": -1}, "training: clip_value must be a number above 0 or None, got -1"),
    ],
)
def test_settings_that_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        chainrule.Training(**settings)


def test_a_pattern_that_fits_nothing_is_refused(two_classes, held_out):
    message = "penalize: no parameter is called 'embedings', or below it; there are embeddings.table, .* did you mean"
    with pytest.raises(ConfigurationError, match=message):
        make_trainer("ffnn", two_classes, held_out, l2=0.1, penalize=("embedings",))


def test_penalties_of_nothing_are_refused():
    with pytest.raises(ConfigurationError, match="penalty: expected at least one parameter, got none"):
        chainrule.optim.penalty([], l1=1.0)
    with pytest.raises(ConfigurationError, match="bounded: expected a length above 0, got 0"):
        chainrule.optim.bounded(chainrule.tensor([1.0]), 0)


@engines
def test_averages_of_weights_are_validated_and_kept(two_classes, held_out, engine):
    trainer = make_trainer("ffnn", two_classes, held_out, engine=engine, average=0.5, optimizer=SGD(RATE), epochs=1)
    expected, total = dict.fromkeys(trainer.named_parameters, 0.0), 0.0
    for batch in trainer.task.batches(trainer.train, trainer.batch_size, np.random.default_rng(0)):
        trainer.run_batch(batch)
        total = 0.5 * total + 0.5
        expected = {name: 0.5 * expected[name] + 0.5 * weights for name, weights in weights_of(trainer).items()}
    last, measures = weights_of(trainer), trainer.validate()
    same = weights_of(trainer)
    trainer.history.append(None)
    trainer.keep_best()
    for name, weights in trainer.best[1].items():
        np.testing.assert_array_equal(same[name], last[name])
        np.testing.assert_allclose(weights, expected[name] / total, rtol=1e-4, atol=1e-6)
    trainer.averages = None
    assert trainer.validate() != measures
    trainer.restore_best()
    assert trainer.validate() == measures
