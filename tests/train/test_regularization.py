"""Regularizers of a training, each against a step without it; what they choose, and what they refuse."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import chainrule
from chainrule import tensor
from chainrule.errors import ConfigurationError, SettingError
from chainrule.models.learner import MIXED
from chainrule.nn import Mixture
from chainrule.optim import SGD
from chainrule.random import Key
from chainrule.train.trainer import Observer, Trainer
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


@engines
def test_the_plain_mean_of_weights_from_an_epoch_on(two_classes, held_out, engine):
    settings = {"average": "mean", "average_from": 2, "optimizer": SGD(RATE), "epochs": 3, "patience": 3}
    trainer = make_trainer("ffnn", two_classes, held_out, engine=engine, **settings)
    seen = []

    class Watching(Observer):
        def batch_ended(self, trainer, batch, sums):
            seen.append(weights_of(trainer))

        def epoch_ended(self, trainer, epoch):
            trainer.keep_best()
            steps = [*seen] if trainer.position.passes > 1 else seen[-1:]
            for name, weights in trainer.best[1].items():
                mean = np.mean([each[name] for each in steps], axis=0)
                np.testing.assert_allclose(weights, mean, rtol=1e-4, atol=1e-6, err_msg=name)
            if trainer.position.passes == 1:
                seen.clear()

    trainer.observers = [Watching()]
    trainer.run()
    assert len(seen) == 2 * trainer.batches
    assert trainer.averages.count.item() == len(seen)


def test_an_average_that_never_begins_is_refused(two_classes, held_out):
    expected = r"^training: average_from must be one of the epochs, 3 at most, for there to be an average; got 4$"
    with pytest.raises(SettingError, match=expected):
        make_trainer("ffnn", two_classes, held_out, average="mean", average_from=4, epochs=3)


TEXTS = chainrule.Table.from_lists(
    ["so good", "good fun today", "so bad", "bad luck"] * 10, list("ppnn") * 10, weights=[1, 2, 3, 0.5] * 10
)
COLUMNS = chainrule.Table.from_frame(
    pl.DataFrame({"x": np.arange(40.0), "kind": list("pqrs") * 10, "y": np.sin(np.arange(40.0))}),
    numbers=["x"], categories=["kind"], label="y", target="number",
)  # fmt: skip
PLAIN = {"hidden": (5,), "dropout": 0.0, "mixup": True}
NETWORKS = {
    "ffnn": (chainrule.FeedForward(word_dropout=0.0, dim=6, **PLAIN), TEXTS, chainrule.Classify()),
    "mlp": (chainrule.MultilayerPerceptron(**PLAIN), COLUMNS, chainrule.Regress()),
}


def trainer_of(learner, table, task, **running):
    task = task.resolved(learner.reads, learner.name)
    model, examples = chainrule.models.Model.untrained(learner, task, table, seed=0)
    return Trainer(model, chainrule.Training(batch_size=40, optimizer=SGD(0.1)), examples, examples, seed=0, **running)


@pytest.mark.parametrize("name", NETWORKS)
def test_mixtures_of_examples_and_targets(name):
    """Of what enters the hidden layers, and of one-hot targets or numbers; the same compiled."""
    eager, native = (trainer_of(*NETWORKS[name], engine=engine) for engine in ("eager", "native"))
    network, key, seen = eager.model.network, Key.of(0, 0), []
    arrays = {field: tensor(x) for field, x in eager.train.arrays().items()}
    reads = [arrays[field] for field in eager.model.learner.reads.arrays]
    layers, network.layers = network.layers, lambda x, key: (seen.append(x), x)[1]
    network(*reads), network(*reads, key=key)
    network.layers = layers
    plain, mixed = (x.numpy() for x in seen)
    mixture = Mixture(40, key.at(MIXED))
    share, order = mixture.share.item(), mixture.order.numpy()
    assert 0 < share < 1
    assert sorted(order) == [*range(40)]
    np.testing.assert_allclose(mixed, share * plain + (1 - share) * plain[order], rtol=1e-5, atol=1e-6)
    outputs = layers(tensor(mixed)).numpy().astype(np.float64)
    if name == "ffnn":
        hot, weights = np.eye(2)[arrays["classes"].numpy()], arrays["weights"].numpy()
        soft = share * hot * weights[:, None] + (1 - share) * (hot * weights[:, None])[order]
        logarithms = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
        expected = -(soft * logarithms).sum() / weights.sum()
    else:
        targets, z = arrays["targets"].numpy(), outputs[:, 0]
        expected = share * np.mean((z - targets) ** 2) + (1 - share) * np.mean((z - targets[order]) ** 2)
    loss, _ = eager.loss(arrays, key)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    sums = [trainer.run_batch(trainer.train) for trainer in (eager, native)]
    assert sums[0] == pytest.approx(sums[1], rel=1e-5)
    for field, weights in weights_of(eager).items():
        np.testing.assert_allclose(weights_of(native)[field], weights, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("changes", [{"noise": 0.5}, {"embedding_dropout": 0.5}])
def test_noise_and_dropout_of_rows_are_of_training_alone(changes):
    learner = replace(NETWORKS["ffnn"][0], mixup=False)
    trainers = [trainer_of(each, TEXTS, chainrule.Classify()) for each in (learner, replace(learner, **changes))]
    assert trainers[0].validate() == trainers[1].validate()
    losses = [trainer.run_batch(trainer.train)["loss"] for trainer in trainers]
    assert losses[0] != losses[1]
