"""Ways to search: what is drawn depends on numbers, seeds and earlier generations alone; no trial comes twice."""

import math
import re
import statistics
import sys

import pytest

from chainrule.errors import ConfigurationError
from chainrule.experiment.search.domain import Range
from chainrule.experiment.search.grid import GridSearch
from chainrule.experiment.search.model_based import ModelSearch
from chainrule.experiment.search.random import RandomSearch
from chainrule.experiment.search.search import Result
from chainrule.experiment.search.space import Space, identity

VARY = {"learner": ["bow", "ffnn"], "lr": Range(0.001, 10, scale="log"), "dropout": Range(0.0, 0.9)}


def loss(configuration):
    """What a search is to make small: the best rate is 0.1, the best dropout 0.2, and ffnn is better."""
    _, learner, training = configuration
    return (math.log10(training.learning_rate) + 1) ** 2 + (
        0.3 if learner.name == "bow" else abs(learner.dropout - 0.2)
    )


def found(search, *, value=loss, shuffled=False):
    """All trials of a search, each judged when its generation has been drawn."""
    trials, results = [], []
    while new := search.generation(len(trials) // search.batch, results[::-1] if shuffled else results):
        results += [Result(len(trials) + i, value(configuration)) for i, configuration in enumerate(new)]
        trials += new
        if len(new) < search.batch:
            break
    return trials, results


def keys(trials):
    return [identity(trial) for trial in trials]


def random_search(vary=VARY, fixed=None, **settings):
    return RandomSearch(Space(vary, fixed), **{"trials": 20, **settings})


def model_search(vary=VARY, **settings):
    return ModelSearch(Space(vary), **{"trials": 30, "higher": False, **settings})


def test_random_trials_depend_on_their_numbers_alone():
    whole = keys(found(random_search(trials=20, batch=8))[0])
    assert len(whole) == 20
    assert keys(found(random_search(trials=7, batch=3))[0]) == whole[:7]
    assert keys(found(random_search(trials=30, batch=1))[0])[:20] == whole
    assert keys(random_search(trials=20, batch=8).generation(2)) == whole[16:]
    assert keys(found(random_search(seed=1))[0]) != whole


def test_a_setting_that_is_added_changes_no_other():
    before = found(random_search())[0]
    after = found(random_search({**VARY, "l2": Range(0.0, 0.1), "ngrams": [1, 2]}))[0]
    assert [x.training.learning_rate for x in after] == [x.training.learning_rate for x in before]
    assert [x.learner for x in after] == [x.learner for x in before]


def test_no_trial_comes_twice_and_a_space_that_is_used_up_ends_the_search():
    space = {"learner": ["bow", "ffnn"], "ngrams": [1, 2, 3]}
    for search in (random_search(space, batch=4), model_search(space, batch=4)):
        trials, _ = found(search)
        assert len(trials) == len(set(keys(trials))) == 6
        assert search.generation(5, []) == []


def test_settings_that_do_not_go_together_are_drawn_anew():
    trials, _ = found(random_search({"proximal": [True, False], "l1": [0.0, 0.1, 0.2]}))
    assert {(x.training.proximal, x.training.l1) for x in trials} == {
        (False, 0.0), (False, 0.1), (False, 0.2), (True, 0.1), (True, 0.2)
    }  # fmt: skip
    trials, _ = found(model_search({"proximal": [True, False], "l1": [0.0, 0.1, 0.2]}, batch=2))
    assert len(trials) == 5


def test_a_space_without_any_that_go_together():
    for search in (random_search({"l1": [0.0]}, {"proximal": True}),):
        with pytest.raises(ConfigurationError, match=r"no settings of this space go together .* needs an l1 above 0"):
            search.generation(0)
    with pytest.raises(ConfigurationError, match=r"space: no combination can be trained: .* needs an l1 above 0"):
        GridSearch(Space({"l1": [0.0]}, {"proximal": True}))


def test_a_grid_has_all_combinations_in_order():
    space = Space({"dropout": {"low": 0.1, "high": 0.3, "count": 3}, "learner": ["bow", "ffnn"], "epochs": Range(1, 2)})
    search = GridSearch(space, batch=3)
    trials, _ = found(search)
    assert [(x.learner.name, getattr(x.learner, "dropout", None), x.training.epochs) for x in trials] == [
        ("bow", None, 1), ("bow", None, 2),
        ("ffnn", 0.1, 1), ("ffnn", 0.1, 2), ("ffnn", 0.2, 1), ("ffnn", 0.2, 2), ("ffnn", 0.3, 1), ("ffnn", 0.3, 2),
    ]  # fmt: skip
    assert search.trials == 8
    assert search.generation(3, []) == []


def test_a_grid_leaves_out_what_does_not_go_together_and_what_says_the_same():
    search = GridSearch(Space({"proximal": [False, True], "l1": [0.0, 0.1]}))
    assert [(x.training.proximal, x.training.l1) for x in search.generation(0)] == [
        (False, 0.0),
        (False, 0.1),
        (True, 0.1),
    ]
    assert search.left_out == {"training: proximal needs an l1 above 0": 1}
    same = GridSearch(Space({"dropout": [0.0, 0.5], "learner": ["bow", "ffnn"], "dim": [3, 4]}, {"ngrams": 1}))
    assert same.trials == 5


@pytest.mark.parametrize(
    ("vary", "trials", "message"),
    [
        ({"lr": Range(0.1, 1)}, None, "space.lr: a grid takes some numbers of a range; give their count, as in {low ="),
        (
            {"ngrams": [1, 2, 3]},
            2,
            "search.trials: the grid has more than 2 combinations; leave the limit out, or draw",
        ),
        ({"epochs": Range(1, 200), "batch_size": Range(1, 200)}, None, "the grid has more than 10,000 combinations"),
        ({}, None, "space: the search space is empty: nothing varies; give choices or ranges, such as dropout ="),
    ],
)
def test_what_is_no_grid(vary, trials, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        GridSearch(Space(vary), trials=trials)


def test_a_search_of_nothing():
    for search in (random_search, model_search):
        with pytest.raises(ConfigurationError, match="the search space is empty"):
            search({})


def test_a_model_finds_better_trials_than_chance():
    best, late = {}, {}
    for kind in (random_search, model_search):
        results = [found(kind(trials=48, seed=seed))[1] for seed in range(4)]
        best[kind] = statistics.fmean(min(x.value for x in held) for held in results)
        late[kind] = statistics.fmean(x.value for held in results for x in held[-16:])
    assert best[model_search] < best[random_search]
    assert late[model_search] < late[random_search] / 2


def test_a_model_searches_for_high_values_too():
    results = found(model_search(trials=40, higher=True), value=lambda x: -loss(x))[1]
    assert statistics.fmean(x.value for x in results[-8:]) > statistics.fmean(x.value for x in results[:8])


def test_trials_of_a_model_depend_on_the_results_of_earlier_generations_alone():
    trials, results = found(model_search(batch=8))
    assert len(trials) == 30
    assert keys(found(model_search(batch=8), shuffled=True)[0]) == keys(trials)
    for generation in (1, 3):  # from records, as after a kill
        new = model_search(batch=8).generation(generation, results)
        assert keys(new) == keys(trials)[8 * generation : 8 * generation + 8]
        known = [result for result in results if result.number < 8 * generation]
        assert keys(model_search(batch=8).generation(generation, known)) == keys(new)
    others = [Result(x.number, -x.value) for x in results]
    assert keys(model_search(batch=8).generation(3, others)) != keys(trials)[24:]


def test_failed_trials_count_as_the_worst():
    """Where high rates fail, they are not drawn more often than others."""

    _, results = found(model_search({"lr": Range(0.001, 1000, scale="log")}, trials=48), value=_failing)
    failed = [x.value is None for x in results]
    assert sum(failed[-16:]) < sum(failed[:16])


def _failing(configuration):
    rate = configuration.training.learning_rate
    return None if rate > 1 else abs(math.log10(rate) + 1)


def test_all_failed():
    trials, _ = found(model_search(trials=20), value=lambda x: math.nan)
    assert len(set(keys(trials))) == 20


def test_a_model_without_optuna(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        ConfigurationError, match=r"needs Optuna: pip install 'chainrule\[search\]'; or take method random"
    ):
        model_search()
