"""Normalisation: modes, running statistics, messages, and trainings that save and resume them."""

import importlib

import numpy as np
import pytest

import chainrule
from chainrule import Key, Spec
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.nn import BatchNorm, Dropout, GroupNorm, LayerNorm, Linear, RMSNorm, Sequential, WeightNorm, summary
from chainrule.settings import SettingError
from chainrule.train import fit
from chainrule.train.checkpoint import Checkpointer

X = np.random.default_rng(0).normal(size=(6, 4)) * 3 + 1
KEY = Key.of(seed=0)


def test_a_key_trains_and_none_evaluates():
    layer = BatchNorm(4)
    trained = layer(X, KEY).numpy()
    np.testing.assert_allclose(trained.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(trained.std(0), 1, rtol=1e-4)
    np.testing.assert_allclose(layer.mean.numpy(), 0.1 * X.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.variance.numpy(), 0.9 + 0.1 * X.var(0, ddof=1), rtol=1e-5)
    before = layer.mean.numpy().copy()
    each = [layer(X[i : i + 1]).numpy() for i in range(6)]
    np.testing.assert_allclose(np.concatenate(each), layer(X).numpy(), rtol=1e-6)
    np.testing.assert_array_equal(layer.mean.numpy(), before)
    assert list(layer.named_parameters()) == ["scale", "shift"]
    assert list(layer.named_tensors()) == ["scale", "shift", "mean", "variance"]


def test_a_compiled_step_updates_running_statistics_as_the_eager_one_does():
    eager, compiled = (Sequential(BatchNorm(4), Dropout(0.5)) for _ in range(2))
    step = chainrule.compile(lambda x: compiled(x, KEY))
    for scale in (1.0, 2.0, 3.0):
        np.testing.assert_allclose(step(X * scale).numpy(), eager(X * scale, KEY).numpy(), rtol=1e-5, atol=1e-6)
    for name, held in eager.named_tensors().items():
        np.testing.assert_allclose(compiled.named_tensors()[name].numpy(), held.numpy(), rtol=1e-5)


def test_layers_save_what_they_run_by(tmp_path):
    layer, other = BatchNorm(4), BatchNorm(4)
    layer(X, KEY)
    layer.save(tmp_path / "layer.safetensors")
    other.load(tmp_path / "layer.safetensors")
    np.testing.assert_array_equal(layer(X).numpy(), other(X).numpy())


def test_messages():
    with pytest.raises(ShapeError, match=r"^BatchNorm\(4\): expected two rows or more in training, .* choose"):
        BatchNorm(4)(X[:1], KEY)
    network = Sequential(Linear(4, 4, generator=np.random.default_rng(0)), BatchNorm(4))
    with pytest.raises(ShapeError, match=r"^layer 1 of Sequential, BatchNorm\(4\): expected two rows or more"):
        network(X[:1], KEY)
    for layer in (BatchNorm(3), LayerNorm(3), RMSNorm(3), GroupNorm(3, 3)):
        with pytest.raises(ShapeError, match=r"expected size 3 on axis .*, got shape \(6, 4\)"):
            layer(X)
        with pytest.raises(ShapeError, match=r"expected size 3 on axis .*, got shape \(3,\)"):
            layer(X[0, :3])
    with pytest.raises(ConfigurationError, match="LayerNorm: expected a size of at least 1, got 0"):
        LayerNorm(0)
    with pytest.raises(ConfigurationError, match="RMSNorm: expected an epsilon above 0, got 0"):
        RMSNorm(4, epsilon=0)
    with pytest.raises(ConfigurationError, match="BatchNorm: expected a momentum above 0 and at most 1, got 2"):
        BatchNorm(4, momentum=2)
    with pytest.raises(ConfigurationError, match="GroupNorm: expected groups of equal size of 4 features, got 3"):
        GroupNorm(3, 4)
    with pytest.raises(ShapeError, match=r"WeightNorm\(3 → 2\): expected size 3 on axis -1, got shape \(6, 4\)"):
        WeightNorm(Linear(3, 2, generator=np.random.default_rng(0)))(X)
    with pytest.raises(SettingError, match="must be one of batch, layer, group, rms or None, got 'bach'; did you mean"):
        chainrule.MultilayerPerceptron(normalization="bach")


def test_weight_norm_starts_where_the_linear_layer_was():
    linear = Linear(4, 3, generator=np.random.default_rng(0))
    layer = WeightNorm(linear)
    np.testing.assert_allclose(layer(X).numpy(), linear(X).numpy(), rtol=1e-5, atol=1e-6)
    assert repr(layer) == "WeightNorm(4 → 3)"
    assert list(layer.named_parameters()) == ["direction", "length", "bias"]
    assert "BatchNorm(4)" in summary(Sequential(BatchNorm(4)), Spec((6, 4)))


def table(rows=90):
    draw = np.random.default_rng(1)
    texts = [" ".join(draw.choice(["good", "fun"] if i % 2 else ["bad", "dull"], 3)) for i in range(rows)]
    return chainrule.Table.from_lists(texts, [str(i % 2) for i in range(rows)])


@pytest.mark.parametrize("engine", ["native", "eager"])
@pytest.mark.parametrize("normalization", ["batch", "batch:rate=0.3", "layer", "group:groups=2", "rms"])
def test_learners_learn_with_each(normalization, engine, tmp_path):
    learner = chainrule.FeedForward(dim=8, hidden=(8,), normalization=normalization)
    training = chainrule.Training(epochs=6, learning_rate=0.01, batch_size=30, optimizer="adam")
    run = fit(learner, table(), table(), training=training, folder=tmp_path / "model", engine=engine)
    assert run.best.valid["accuracy"] > 0.9
    loaded = chainrule.Model.load(tmp_path / "model")
    held = run.model.network.named_tensors()
    assert {name for name in held if "mean" in name or "variance" in name} or "batch" not in normalization
    for name, x in loaded.network.named_tensors().items():
        np.testing.assert_array_equal(x.numpy(), held[name].numpy())
    texts = ["good fun", "dull"]
    np.testing.assert_array_equal(loaded.predict(texts), run.model.predict(texts))


def test_the_best_epoch_has_the_statistics_of_its_time():
    """Validation of the model that is kept gives what the record says of that epoch."""
    learner = chainrule.FeedForward(dim=8, hidden=(8,), normalization="batch", dropout=0.0, word_dropout=0.0)
    training = chainrule.Training(epochs=8, learning_rate=0.3, batch_size=30, optimizer="adam", patience=8)
    run = fit(learner, table(), table(), training=training)
    assert chainrule.evaluate(run.model, table()).loss == pytest.approx(run.best.valid["loss"], rel=1e-6)


def test_one_row_left_over_is_refused_with_what_to_do():
    learner = chainrule.FeedForward(dim=8, hidden=(8,), normalization="batch")
    for size, other in ((30, 31), (1, 4), (45, 46)):  # before training starts
        expected = (
            rf"^batch_size: of 91 training rows, mini-batches of {size} leave a last one of 1, and BatchNorm\(8\) "
        )
        with pytest.raises(ConfigurationError, match=rf"{expected}.* as fewer have no variance; take .* as {other}$"):
            fit(learner, table(91), table(), training=chainrule.Training(epochs=1, batch_size=size))
    fit(learner, table(91), table(), training=chainrule.Training(epochs=1, batch_size=31))


class KilledError(BaseException):
    """Stands for the end of a process: nothing catches it."""


@pytest.mark.parametrize("engine", ["native", "eager"])
@pytest.mark.parametrize("step", [1, 7])
def test_a_training_that_was_killed_goes_on_to_the_same_bits(tmp_path, monkeypatch, engine, step):
    class Killing(Checkpointer):
        def batch_ended(self, trainer, batch, sums):
            if trainer.state.step == step:
                self.write(trainer)
                raise KilledError

    learner = chainrule.FeedForward(dim=8, hidden=(8,), normalization="batch")
    training = chainrule.Training(epochs=4, learning_rate=0.01, batch_size=30, optimizer="adam")
    whole = fit(learner, table(), table(), training=training, folder=tmp_path / "whole", engine=engine)
    with monkeypatch.context() as patch:
        patch.setattr(importlib.import_module("chainrule.train.fit"), "Checkpointer", Killing)
        with pytest.raises(KilledError):
            fit(learner, table(), table(), training=training, folder=tmp_path / "model", engine=engine)
    fit(learner, table(), table(), training=training, folder=tmp_path / "model", resume=True, engine=engine)
    resumed = chainrule.Model.load(tmp_path / "model")
    for name, x in whole.model.network.named_tensors().items():
        np.testing.assert_array_equal(resumed.network.named_tensors()[name].numpy(), x.numpy())
