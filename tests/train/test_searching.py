"""L-BFGS in the trainer: the minimum that `minimize` finds, resumed to the same bits; what does not go with it."""

import numpy as np
import polars as pl
import pytest

import chainrule
from chainrule.errors import ConfigurationError, SettingError
from chainrule.optim import LBFGS
from tests.samples import weights
from tests.train.test_resume import FIT, KilledError

DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(200, 4)) * [0.3, 1, 2, 5]
LABELS = (X @ [1.0, -2.0, 0.5, 0.2] + DRAWS.normal(size=200) > 0).astype(int)
TABLE = chainrule.Table.from_frame(
    pl.DataFrame({**{f"x{i}": X[:, i] for i in range(4)}, "label": [str(label) for label in LABELS]}), numbers="auto"
)
TEXTS = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 10, list("ppnn") * 10)


def training(**settings):
    return chainrule.Training(**{"optimizer": "lbfgs", "batch_size": None, "l2": 0.01, "patience": 100, **settings})


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_it_reaches_the_minimum(engine):
    run = chainrule.fit(chainrule.LinearModel(), TABLE, TABLE, training=training(), engine=engine)
    assert run.epochs[-1].step < 60
    assert run.stopped in (
        "no partial derivative is larger than the tolerance", "no step along the gradient makes the loss smaller"
    )  # fmt: skip
    x = (X - X.mean(axis=0)) / X.std(axis=0)
    data, weight = chainrule.tensor(x, "float64"), chainrule.Parameter.of(np.zeros((4, 2)), dtype="float64")
    bias = chainrule.Parameter.of(np.zeros(2), dtype="float64")

    def loss():
        return chainrule.nn.cross_entropy(data @ weight + bias, LABELS) + 0.005 * (weight * weight).sum()

    LBFGS(tolerance=1e-9).minimize(loss, [weight, bias])
    trained = {name: leaf.numpy() for name, leaf in run.model.network.named_parameters().items()}
    np.testing.assert_allclose(trained["numbers.weight"], weight.numpy(), atol=2e-3)


def test_a_killed_training_goes_on_to_the_same_bits(monkeypatch, tmp_path):
    given = {"training": training(epochs=15), "seed": 2}

    class Killing(FIT.Checkpointer):
        def batch_ended(self, trainer, batch, sums):
            if trainer.taken == 6:
                self.write(trainer)
                raise KilledError

    chainrule.fit(chainrule.LinearModel(), TABLE, TABLE, folder=tmp_path / "whole", **given)
    with monkeypatch.context() as patched:
        patched.setattr(FIT, "Checkpointer", Killing)
        with pytest.raises(KilledError):
            chainrule.fit(chainrule.LinearModel(), TABLE, TABLE, folder=tmp_path / "killed", **given)
    chainrule.fit(chainrule.LinearModel(), TABLE, TABLE, folder=tmp_path / "killed", resume=True, **given)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 64}, r"^training: batch_size must be all \(--batch-size all\) with lbfgs, as it compares the"),
        (
            {"clip": 1.0},
            "^training: clip does not go with lbfgs, which follows the loss alone; leave it out, or take another rule",
        ),
        ({"average": 0.9}, "^training: average does not go with lbfgs"),
        (
            {"learning_rate": "auto"},
            "^training: learning_rate auto does not go with lbfgs, which searches in each step",
        ),
        ({"groups": ("numbers=0.1x",)}, "^groups: lbfgs moves all parameters together; of groups it takes frozen"),
    ],
)
def test_what_does_not_go_with_it(settings, message):
    with pytest.raises((ConfigurationError, SettingError), match=message):
        chainrule.fit(chainrule.LinearModel(), TABLE, TABLE, training=training(**settings))


def test_a_loss_that_draws_numbers_is_refused():
    with pytest.raises(ConfigurationError, match=r"^lbfgs: the loss has two values for the same weights; leave out"):
        chainrule.fit(chainrule.FeedForward(dim=4), TEXTS, TEXTS, training=training())


def test_there_is_no_range_test_of_it():
    with pytest.raises(ConfigurationError, match=r"^find_rate: lbfgs searches for the length of each step itself"):
        chainrule.find_rate(chainrule.LinearModel(), TABLE, training=training())


def test_frozen_groups_and_rows_of_a_table():
    learner = chainrule.FeedForward(dim=4, hidden=(3,), dropout=0.0, word_dropout=0.0)
    run = chainrule.fit(learner, TEXTS, TEXTS, training=training(groups=("layers.layers.0=frozen",), epochs=20))
    assert run.model.predict(["good", "bad"]) == ["p", "n"]
    assert run.epochs[-1].train["loss"] < run.epochs[0].train["loss"] / 2


def test_steps_of_one_gradient_are_refused():
    weight = chainrule.Parameter.of([1.0])
    rule = LBFGS()
    with pytest.raises(ConfigurationError, match="LBFGS: needs the loss at several places a step: minimize"):
        rule.step([weight], [weight], rule.start([weight]))
    with pytest.raises(SettingError, match="lbfgs: lazy must be False: a step depends on all parameters"):
        LBFGS(lazy=True)
