"""One step of training against a few lines of NumPy: the loss, the penalty on weights, and clipped gradients."""

import numpy as np
import pytest

import chainrule
from chainrule.data import Table
from chainrule.models import Model
from chainrule.train import Trainer, Training
from tests import samples

RATE = 0.25
#: "odd" is in one text alone, which is in no mini-batch here.
TABLE = Table.from_lists(
    ["good fun", "bad luck", "so good", "so bad", "", "dull bad bad luck", "odd"],
    ["good", "bad", "good", "bad", "so-so", "bad", "so-so"],
)
BATCH = np.array([5, 0, 4, 2, 1])

engines = pytest.mark.parametrize("engine", ["native", "eager"])


def make_trainer(name, *, engine, momentum=0.0, seed=3, **changes):
    """A trainer whose weights are anything but zero."""
    training = {key: changes.pop(key) for key in ("clip", "l2") if key in changes}
    held = samples.setup(name, ngrams=1, term_frequency="log", **changes)
    model, examples = Model.untrained(held["learner"], held["task"], TABLE, seed=seed)
    draws = np.random.default_rng(seed)
    for parameter in model.network.parameters():
        parameter.assign(draws.normal(size=parameter.shape).astype(np.float32))
    optimizer = chainrule.SGD(RATE, momentum=momentum)
    rule = Training(optimizer=optimizer, schedule="constant", batch_size=len(BATCH), **training)
    return Trainer(model, rule, examples, examples, seed=seed, engine=engine)


def weights_of(trainer):
    return {name: parameter.numpy().astype(np.float64) for name, parameter in trainer.named_parameters.items()}


def term_weights(batch, network):
    """The matrix that the bag of words multiplies its weights by, shape (texts, entries)."""
    idf = network.weights.idf.numpy().astype(np.float64)
    held = np.zeros((batch.rows, len(idf)))
    bags = batch.fields["ids"]
    for row, (start, stop) in enumerate(zip(bags.offsets, bags.offsets[1:], strict=False)):
        ids = bags.ids[start:stop]
        length = np.sqrt((idf[ids] ** 2).sum())
        np.add.at(held[row], ids, idf[ids] / length)  # a bag has several times what a text repeats
    return held


def by_hand(trainer, batch, l2, clip):
    """The loss and the weights after a step of the bag of words, from the equations.

    p = softmax(X W + b),    L = mean -ln p[y],    ∂L/∂W = Xᵀ (p - y) / n + λ W,    ∂L/∂b = Σ (p - y) / n
    """
    before = weights_of(trainer)
    x, classes = term_weights(batch, trainer.model.network), batch.array("classes")
    outputs = x @ before["bag.table"] + before["bias"]
    p = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(p)), classes]).mean()
    error = (p - np.eye(3)[classes]) / len(p)
    found = {"bag.table": x.T @ error + l2 * before["bag.table"], "bias": error.sum(axis=0)}
    norm = np.sqrt(sum((each**2).sum() for each in found.values()))
    scale = clip / norm if clip is not None and norm > clip else 1
    return loss, {name: before[name] - RATE * scale * found[name] for name in before}, norm


@engines
@pytest.mark.parametrize("l2", [0, 0.01, 0.5])
@pytest.mark.parametrize("clip", [None, 0.05, 100.0])
def test_a_step_follows_its_equations(engine, l2, clip):
    """The loss that is told is without the penalty; the norm that is clipped is of both together."""
    trainer = make_trainer("bow", engine=engine, l2=l2, clip=clip)
    batch = trainer.train.take(BATCH)
    before = weights_of(trainer)
    loss, expected, norm = by_hand(trainer, batch, l2, clip)
    assert norm > 0.1  # which 0.05 clips and 100 does not
    sums = trainer.run_batch(batch)
    assert sums["weight"] == len(BATCH)
    assert sums["loss"] / len(BATCH) == pytest.approx(loss, rel=1e-6)
    after = weights_of(trainer)
    assert list(after) == ["bag.table", "bias"]
    for name, weights in after.items():
        np.testing.assert_allclose(weights - before[name], expected[name] - before[name], rtol=2e-5, atol=2e-7)
        assert (weights != before[name]).any()


@engines
@pytest.mark.parametrize("l2", [0, 0.5])
def test_rows_that_no_text_reads_shrink_by_the_penalty_alone(engine, l2):
    trainer = make_trainer("bow", engine=engine, l2=l2)
    batch = trainer.train.take(BATCH)
    unread = np.setdiff1d(np.arange(len(trainer.model.codec.inputs.vocabulary)), batch.fields["ids"].ids)
    assert len(unread) >= 2  # the unknown token and "odd"
    before = weights_of(trainer)["bag.table"][unread]
    trainer.run_batch(batch)
    np.testing.assert_allclose(weights_of(trainer)["bag.table"][unread], before * (1 - RATE * l2), rtol=1e-6)


@engines
def test_the_penalty_is_on_all_weights_and_on_no_bias(engine):
    """Of a network with dropout: two steps that differ in the penalty alone differ by η λ W."""
    plain, penalized = (make_trainer("ffnn", engine=engine, l2=l2) for l2 in (0, 0.5))
    before = weights_of(plain)
    batch = plain.train.take(BATCH)
    sums = plain.run_batch(batch), penalized.run_batch(batch)
    assert sums[0] == sums[1]
    names = {"embeddings.table", "layers.layers.0.weight", "layers.layers.3.weight"}
    assert set(before) == {*names, "layers.layers.0.bias", "layers.layers.3.bias"}
    one, other = weights_of(plain), weights_of(penalized)
    for name in before:
        shrunk = RATE * 0.5 * before[name] if name in names else 0
        np.testing.assert_allclose(one[name] - other[name], shrunk + np.zeros_like(one[name]), rtol=1e-4, atol=1e-6)


@engines
@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_clipped_gradients_keep_their_direction_and_have_the_length_asked_for(engine, name):
    plain, clipped, loose = (make_trainer(name, engine=engine, clip=clip) for clip in (None, 0.01, 1e6))
    before = weights_of(plain)
    batch = plain.train.take(BATCH)
    steps = {}
    for trainer in (plain, clipped, loose):
        trainer.run_batch(batch)
        after = weights_of(trainer)
        steps[trainer] = np.concatenate([(before[key] - after[key]).ravel() / RATE for key in before])
    norm = np.linalg.norm(steps[plain])
    assert norm > 0.1
    assert np.linalg.norm(steps[clipped]) == pytest.approx(0.01, rel=1e-3)
    np.testing.assert_allclose(steps[clipped], steps[plain] * 0.01 / norm, atol=1e-6)
    np.testing.assert_allclose(steps[loose], steps[plain], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["bow", "ffnn"])
@pytest.mark.parametrize("settings", [{"l2": 0.1}, {"clip": 0.1}, {"l2": 0.1, "clip": 0.1, "momentum": 0.9}])
def test_native_steps_are_eager_steps(name, settings):
    trainers = [make_trainer(name, engine=engine, **settings) for engine in ("native", "eager")]
    for rows in (BATCH, BATCH[:3], np.array([4]), np.array([6, 6, 0])):
        sums = [trainer.run_batch(trainer.train.take(rows)) for trainer in trainers]
        assert sums[0] == pytest.approx(sums[1], rel=1e-5)
    for one, other in zip(*(trainer.parameters for trainer in trainers), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-6)


def test_a_penalty_keeps_weights_small_and_clipping_keeps_a_steep_training_whole(two_classes, held_out):
    """In whole trainings, as `fit` takes them."""
    changes = {"epochs": 5, "patience": 5, "optimizer": "sgd", "learning_rate": 0.5}
    norms = [
        np.linalg.norm(samples.fit("bow", two_classes, held_out, l2=l2, **changes).model.network.bag.table.numpy())
        for l2 in (0, 0.05, 0.5)
    ]
    assert norms[0] > 1.2 * norms[1] > 1.2 * norms[2] > 0
    steep = {**changes, "learning_rate": 2000.0}
    losses = [
        samples.fit("bow", two_classes, held_out, clip=clip, **steep).epochs[-1].train["loss"] for clip in (None, 0.001)
    ]
    assert losses[1] < 1 < losses[0]
