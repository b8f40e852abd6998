"""Rankings: what comes before what, and what configurations are called."""

import statistics

import pytest

from chainrule.report import read_study


def test_by_the_mean_over_seeds(compared):
    study = read_study(compared)
    ranking = study.ranking()
    assert [(x.rank, x.label) for x in ranking] == [(1, "bow"), (2, "ffnn"), (3, "cnn")]
    assert repr(ranking[0]) == f"Ranked(1, bow, {ranking[0].mean:.4f})"
    for entry in ranking:
        values = [run.valid["accuracy"] for run in study.runs if run.learner_name == entry.label and run.valid]
        assert entry.values == tuple(values)
        assert entry.mean == pytest.approx(statistics.fmean(values))
    assert [len(x.values) for x in ranking] == [5, 5, 4]
    assert [x.state for x in ranking] == ["", "", "1 run failed"]
    assert ranking[0].parameters == 40_000
    assert ranking[0].seconds == pytest.approx(3, abs=0.4)
    assert ranking[0].tested == pytest.approx([x - 0.01 for x in ranking[0].values])


def test_of_a_measure_of_which_less_is_better(made):
    ranking = read_study(made(labels=())).ranking()
    assert [x.label for x in ranking] == ["bow", "ffnn", "cnn"]
    assert [x.mean for x in ranking] == sorted(x.mean for x in ranking)


def test_over_parts_too(made):
    ranking = read_study(made(folds=3, seeds=2)).ranking()
    assert [len(x.values) for x in ranking] == [6, 6, 6]
    assert {run.part for run in ranking[0].runs} == {0, 1, 2}


def test_a_search_has_its_finalists_first(searched):
    ranking = read_study(searched).ranking()
    assert len(ranking) == 40
    assert len(ranking.finalists) == 3
    assert list(ranking[:3]) == list(ranking.finalists)
    assert [x.learner for x in ranking.best] == ["bow", "ffnn", "cnn"]
    others = [x.mean for x in ranking[3:] if x.rank is not None]
    assert others == sorted(others, reverse=True)
    assert any(x.rank is None and x.state == "1 run stopped" for x in ranking)
    assert len({x.label for x in ranking}) == 40
    assert set(ranking[0].varied) == {"learner.dim", "learner.activation", "training.learning_rate"}


def test_two_configurations_of_a_learner_are_told_by_what_they_differ_in(made):
    learners = [{"name": "bow", "dim": 100, "scale": None}, {"name": "bow", "dim": 50, "scale": None}, "ffnn"]
    ranking = read_study(made(learners)).ranking()
    assert {x.label for x in ranking} == {"bow (dim 100)", "bow (dim 50)", "ffnn"}
    assert "| bow (dim 50) |" in str(ranking)


def test_labels_that_come_to_the_same_have_the_digits_of_their_configurations(made):
    learners = [{"name": "bow", "word": "x" * 90}, {"name": "bow", "word": "x" * 91}]
    labels = [x.label for x in read_study(made(learners)).ranking()]
    assert len(set(labels)) == 2
    assert all(label.startswith("bow (word xxx") for label in labels)


def test_all_runs_failed(made):
    study = read_study(made(seeds=1, failing=("bow", "ffnn", "cnn")))
    assert [x.rank for x in study.ranking()] == [None] * 3
    assert "3 runs failed, and none has finished: the loss is NaN at step 12 of epoch 1." in study.report()


def test_what_varies_may_lie_deep_or_be_missing(made):
    learners = [
        {"name": "bow", "pooling": {"name": "max"}, "sizes": [1, 2]},
        {"name": "bow", "pooling": {"name": "k_max", "k": 3}, "sizes": [1, 2]},
        {"name": "bow", "pooling": None, "sizes": [1, 2], "window": 2},
    ]
    varied = [dict(entry.varied) for entry in read_study(made(learners)).ranking()]
    wanted = [
        {"learner.pooling.name": "max"},
        {"learner.pooling.name": "k_max", "learner.pooling.k": 3},
        {"learner.pooling": None, "learner.window": 2},
    ]
    assert sorted(varied, key=str) == sorted(wanted, key=str)
