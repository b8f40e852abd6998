"""The learning-rate range test: what it suggests from a curve, from a table, and in a training."""

import json

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.train.range_test import Rising, suggestion
from tests import samples
from tests.samples import timeless
from tests.train.test_resume import FIT, KilledError

RATES = np.logspace(-7, 2, 450)


def curve(middle=0.01, noise=0.0, seed=0, start=1.0, floor=0.3, diverges=1.0):
    """A loss that falls around a rate and diverges at another, with noise of each step."""
    fall = (start - floor) / (1 + (middle / RATES) ** 1.5)
    losses = start - fall + (RATES / diverges) ** 2
    kept = losses < 2 * start
    draws = np.random.default_rng(seed)
    return RATES[kept], (losses + noise * draws.standard_normal(len(losses)))[kept]


@pytest.mark.parametrize("middle", [1e-5, 1e-3, 1e-2, 0.1])
def test_three_fifths_of_the_fall_are_suggested(middle):
    rate, reason = suggestion(*curve(middle))
    assert middle / 2 < rate < 2 * middle
    assert reason.startswith("three fifths of the fall of the loss from ")


@pytest.mark.parametrize("seed", range(20))
def test_noise_moves_it_by_two_times_at_most(seed):
    """Noise of each step a quarter as large as the whole fall."""
    rate, _ = suggestion(*curve(noise=0.18, seed=seed))
    assert 0.5 < rate / suggestion(*curve())[0] < 2


@pytest.mark.parametrize("place", [0, 5, 100, 200, 240, 260, 300, -1])
@pytest.mark.parametrize("height", [-1.0, 5.0, 1e9])
def test_a_spike_moves_it_by_two_times_at_most(place, height):
    rates, losses = curve(noise=0.05)
    before, _ = suggestion(rates, losses)
    losses[place : place + 3 if place >= 0 else None] += height
    after, _ = suggestion(rates, losses)
    assert 0.5 < after / before < 2


@pytest.mark.parametrize("seed", range(20))
def test_a_flat_curve_has_no_clear_range(seed):
    for noise in (0.0, 0.01, 0.3):
        rate, reason = suggestion(*curve(floor=1.0, noise=noise, seed=seed))
        assert rate is None
        assert "level" in reason


def test_a_curve_that_is_cut_has_no_clear_range():
    rates, losses = curve()
    assert "no curve can be read" in suggestion(rates[:20], losses[:20])[1]
    fallen = rates > 0.02
    assert "begin below a learning rate of 0.02" in suggestion(rates[fallen], losses[fallen])[1]
    rising = np.linspace(1, 3, 200)
    assert suggestion(RATES[:200], rising)[0] is None


def test_rates_rise_exponentially():
    rising = Rising(lowest=1e-4, highest=1.0, length=5)
    assert [rising.factor(step, 99) for step in range(1, 7)] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1, 1])


@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_a_table_gives_the_same_suggestion_again(two_classes, name):
    held = samples.setup(name, epochs=30)
    one, two = (chainrule.find_rate(held["learner"], two_classes, **_rest(held), seed=3) for _ in range(2))
    assert one.suggestion == two.suggestion
    assert one.losses == two.losses
    assert 1e-4 < one.suggestion < 1
    assert one.rates == pytest.approx(RATES[: len(one.rates)])
    assert one.ended in ("the loss diverged", "all rates were tried")


def test_it_ends_with_the_data(two_classes):
    """A training of three passes reads the rows three times, and so does the test."""
    held = samples.setup("bow", epochs=3)
    found = chainrule.find_rate(held["learner"], two_classes, **_rest(held))
    assert (len(found.rates), found.ended) == (45, "the data ended")
    few = chainrule.find_rate(held["learner"], two_classes, **_rest(samples.setup("bow", epochs=1)))
    assert few.suggestion is None
    assert "of 15 steps no curve can be read" in few.reason


def test_a_row_comes_back_as_late_as_it_can():
    """Each pass is in the order of the first, so that a row was last learned from at a rate as much lower as can be."""
    draws = np.random.default_rng(0)
    rows = [(" ".join(draws.choice(samples.FILLERS, 6)), str(draws.choice(["a", "b"]))) for _ in range(130)]
    training = chainrule.Training(epochs=3, batch_size=10)
    nothing = {"lowest": 1e-12, "highest": 1e-11}  # is learned at these rates
    learner = chainrule.FeedForward(dropout=0.0, word_dropout=0.0)
    found = chainrule.find_rate(learner, samples.as_table(rows), training=training, **nothing)
    passes = np.array(found.losses).reshape(3, 13)
    np.testing.assert_allclose(passes, passes[:1].repeat(3, axis=0), rtol=1e-5)
    assert passes[0].std() > 1e-3


def test_labels_by_chance_of_one_pass_have_no_clear_range():
    draws = np.random.default_rng(0)
    rows = [(" ".join(draws.choice(samples.FILLERS, 6)), str(draws.choice(["a", "b"]))) for _ in range(2000)]
    held = samples.setup("bow", epochs=1, batch_size=8)
    found = chainrule.find_rate(held["learner"], samples.as_table(rows), **_rest(held))
    assert found.suggestion is None
    assert str(found).startswith("no clear range of learning rates: the loss is level")


@pytest.mark.parametrize("arguments", [{"lowest": 0}, {"lowest": 2, "highest": 1}, {"highest": np.inf}, {"steps": 5}])
def test_a_range_that_is_none_is_refused(two_classes, arguments):
    with pytest.raises(ConfigurationError, match="find_rate: expected"):
        chainrule.find_rate(chainrule.BagOfWords(), two_classes, **arguments)


@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_a_training_that_finds_its_rate_has_the_bits_of_one_that_is_given_it(two_classes, held_out, name, tmp_path):
    found = samples.fit(name, two_classes, held_out, learning_rate="auto", epochs=30, folder=tmp_path / "found")
    rate = found.record[0]["range_test"]["suggestion"]
    assert found.record[0]["training"]["learning_rate"] == rate
    assert found.remarks[0].startswith(f"learning rate {rate:.2g}: three fifths of the fall of the loss")
    assert "steps, " in found.remarks[0]
    given = samples.fit(name, two_classes, held_out, learning_rate=rate, epochs=30, folder=tmp_path / "given")
    assert samples.weights(tmp_path / "found") == samples.weights(tmp_path / "given")
    assert timeless(found.record)[1:] == timeless(given.record)[1:]
    assert (tmp_path / "found" / "settings.toml").read_text() == (tmp_path / "given" / "settings.toml").read_text()
    lines = (tmp_path / "found" / "record.jsonl").read_text().splitlines()
    assert len(json.loads(lines[0])["range_test"]["losses"]) > 100


def test_without_a_clear_range_the_tuned_rate_is_kept(two_classes, held_out):
    training = chainrule.Training(learning_rate="auto", optimizer="adam", epochs=1)
    run = chainrule.fit(chainrule.BagOfWords(), two_classes, held_out, training=training)
    assert run.model.training["learning_rate"] == chainrule.BagOfWords.tuned["adam"]["learning_rate"]
    assert "no clear range" in run.remarks[0]
    assert "trained with 0.003" in run.remarks[0]


def test_rates_stay_where_weight_decay_leaves_something(two_classes):
    """Of few steps, the last ones would be at rates that AdamW refuses."""
    training = chainrule.Training(optimizer=chainrule.AdamW(weight_decay=0.1), epochs=1, batch_size=8)
    found = chainrule.find_rate(chainrule.BagOfWords(), two_classes, training=training)
    assert found.rates[-1] <= 5.0


def test_auto_goes_with_an_optimizer_of_ones_own():
    training = chainrule.Training(learning_rate="auto", optimizer=chainrule.SGD(0.5))
    assert training.learning_rate == "auto"
    assert training.resolved(chainrule.BagOfWords()).learning_rate == 0.5
    with pytest.raises(ConfigurationError, match="a number above 0 or 'auto' or None"):
        chainrule.Training(learning_rate="automatic")


def _rest(held):
    return {name: held[name] for name in ("task", "training")}


@pytest.mark.parametrize("ended", [False, True])
def test_a_training_that_goes_on_keeps_the_rate_it_found(monkeypatch, tmp_path, ended):
    table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 40, list("ppnn") * 40)
    training = chainrule.Training(learning_rate="auto", optimizer="adam", epochs=30, patience=30)
    given = {"training": training, "seed": 1}
    whole = chainrule.fit(chainrule.BagOfWords(), table, folder=tmp_path / "whole", **given)
    if ended:
        folder, stopped = tmp_path / "whole", whole.stopped
    else:
        folder = tmp_path / "killed"

        class Killing(FIT.Checkpointer):
            def batch_ended(self, trainer, batch, sums):
                if trainer.taken == 8:
                    self.write(trainer)
                    raise KilledError

        with monkeypatch.context() as patched:
            patched.setattr(FIT, "Checkpointer", Killing)
            with pytest.raises(KilledError):
                chainrule.fit(chainrule.BagOfWords(), table, folder=folder, **given)
    monkeypatch.setattr(FIT, "range_test", lambda *_, **__: pytest.fail("the rate is searched for again"))
    resumed = chainrule.fit(chainrule.BagOfWords(), table, folder=folder, resume=True, **given)
    assert samples.weights(folder) == samples.weights(tmp_path / "whole")
    assert "range_test" in resumed.record[0]
    if ended:
        assert resumed.stopped == stopped


def test_what_a_constant_answer_reaches_is_no_fall():
    """Of a loss that falls in two parts, that of biases and that of inputs, the second counts."""
    rates = 10 ** np.linspace(-7, 2, 450)
    biases, inputs = (1 / (1 + (rates / middle) ** 1.5) for middle in (1e-3, 0.1))
    noise = np.random.default_rng(0).normal(size=450) * 0.003
    losses = 0.05 + 0.5 * biases + 0.15 * inputs + noise
    assert suggestion(rates, losses)[0] < 0.003
    assert 0.05 < suggestion(rates, losses, 0.2)[0] < 0.2
    assert suggestion(rates, losses, 0.045)[0] == suggestion(rates, losses)[0]  # nothing is better than the constant
    assert suggestion(rates, losses, 3.0)[0] == suggestion(rates, losses)[0]


def test_rare_labels_get_a_rate_at_which_inputs_are_learned():
    draws = np.random.default_rng(0)
    words = [f"w{i}" for i in range(60)]
    chosen = [draws.choice(60, 5, replace=False) for _ in range(1500)]
    texts = [" ".join(words[i] for i in each) for each in chosen]
    table = chainrule.Table.from_lists(texts, [[f"l{i}" for i in each if i < 20] for each in chosen])
    task = chainrule.MultiLabel(threshold=0.5)
    found = chainrule.find_rate(chainrule.BagOfWords(), table, task=task)
    without, _ = suggestion(found.rates, found.losses)

    def f1(rate):
        training = chainrule.Training(learning_rate=rate, epochs=3)
        run = chainrule.fit(chainrule.BagOfWords(), table, task=task, training=training)
        return run.best.valid["micro_f1"]

    assert f1(found.suggestion) > 0.5 > 2 * f1(without)
