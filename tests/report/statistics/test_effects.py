"""Main effects of settings: their means, their shares, and what counts as a level."""

import numpy as np
import pytest

from chainrule.errors import DataError
from chainrule.report.statistics import main_effects
from tests.report.statistics import simulations as of


def test_means_and_their_differences():
    settings = [{"pooling": x, "frozen": True} for x in ("max", "mean", "max", None, "mean", None)]
    (effect,) = main_effects(settings, [3.0, 1.0, 5.0, 6.0, 2.0, 7.0])  # what is the same in all runs has no effect
    found = [(x.name, x.place, x.count, x.mean, x.effect) for x in effect.levels]
    assert found == [("max", None, 2, 4.0, 0.0), ("mean", None, 2, 1.5, -2.5), ("none", None, 2, 6.5, 2.5)]
    assert (effect.setting, effect.runs, effect.logarithmic) == ("pooling", 6, False)
    within, total = (2 + 0.5 + 0.5) / 3, 28 / 5
    assert effect.share == pytest.approx(1 - within / total)
    assert all(x.effect in x.interval for x in effect.levels)


def test_the_strongest_is_first(draws):
    settings = [{"weak": int(a), "strong": int(b), "none": int(c)} for a, b, c in draws.integers(0, 2, (200, 3))]
    values = [each["weak"] + 5 * each["strong"] + draws.normal() for each in settings]
    found = main_effects(settings, values)
    assert [effect.setting for effect in found] == ["strong", "weak", "none"]
    assert found[0].share > 0.7 > found[1].share > found[2].share
    assert found[2].share < 0.02


def test_a_setting_without_effect_explains_nothing_on_average(draws):
    shares = []
    for _ in range(300):
        settings = [{"kind": int(x)} for x in draws.integers(0, 4, 20)]
        shares.append(main_effects(settings, draws.normal(size=20))[0].share)
    assert np.mean(shares) < 0.06  # and without the correction 0.16
    assert np.mean(np.array(shares) == 0) > 0.4


def test_many_numbers_become_ranges_with_as_many_runs(draws):
    rates = 10.0 ** np.linspace(-4, 0, 40)
    settings = [{"rate": float(x)} for x in draws.permutation(rates)]
    values = [np.log10(each["rate"]) for each in settings]
    (effect,) = main_effects(settings, values, logarithmic={"rate"})
    assert [x.count for x in effect.levels] == [10] * 4
    assert effect.levels[0].name == "0.0001 to 0.000838"
    assert effect.levels[0].place == pytest.approx(10 ** np.mean(np.log10([rates[0], rates[9]])))
    assert effect.logarithmic
    (straight,) = main_effects(settings, values)
    assert straight.levels[0].place == pytest.approx((rates[0] + rates[9]) / 2)


def test_up_to_eight_numbers_are_levels_of_their_own(draws):
    settings = [{"size": n} for n in (8, 16, 32, 64, 128, 256, 512, 1024)] * 3
    (effect,) = main_effects(settings, draws.normal(size=24))
    assert [x.name for x in effect.levels] == ["8", "16", "32", "64", "128", "256", "512", "1024"]
    assert [x.place for x in effect.levels] == [8, 16, 32, 64, 128, 256, 512, 1024]


def test_numbers_beside_none_and_truths():
    settings = [{"clip": x, "on": y} for x, y in [(None, True), (1.0, False), (5.0, True), (None, False)] * 2]
    found = {effect.setting: [x.name for x in effect.levels] for effect in main_effects(settings, range(8))}
    assert found == {"clip": ["1", "5", "none"], "on": ["False", "True"]}


def test_runs_without_a_setting_are_left_out_of_its_effect():
    settings = [{"learner": "bow"}, {"learner": "cnn", "filters": 8}, {"learner": "cnn", "filters": 16}] * 3
    found = {effect.setting: effect for effect in main_effects(settings, [0, 5, 6] * 3)}
    assert (found["filters"].runs, found["learner"].runs) == (6, 9)
    assert [x.effect for x in found["filters"].levels] == [-0.5, 0.5]


def test_a_level_of_one_run_has_no_interval():
    (effect,) = main_effects([{"a": 1}, {"a": 2}, {"a": 2}], [1.0, 2.0, 3.0])
    assert effect.levels[0].interval is None
    assert main_effects([{"a": 1}, {"a": 2}], [1.0, 2.0])[0].share == 0  # nothing is left to compare with
    assert main_effects([{"a": 1}], [1.0]) == []


@pytest.mark.parametrize("runs", [15, 30])
def test_intervals_hold_the_truth(runs):
    assert 0.93 <= of.coverage_of_effects(runs, 300) <= 0.97


def test_refused():
    with pytest.raises(DataError, match="expected as many results as runs, got 1 of 2 runs"):
        main_effects([{}, {}], [0.5])
