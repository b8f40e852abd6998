"""What is said of how certain a study is: by what learners are compared, and when a winner is named."""

import json

import numpy as np
import pytest

from chainrule.report import read_study
from chainrule.report.statistics import compare, compare_over_seeds, crossed_interval, mean_interval
from chainrule.report.study.certainty import pairs, score_interval
from tests.report.study import folders


def scores(study, learner):
    runs = [run for run in study.runs if run.learner_name == learner and run.state == "finished"]
    return np.array([study.judgement(run.name)["scores"] for run in runs])


def test_by_scores_of_test_rows_over_seeds_and_rows(compared):
    study = read_study(compared)
    ranking = study.ranking()
    assert ranking.evidence.of == "the score of a test row (right)"
    assert {label: array.shape for label, array in ranking.evidence.results.items()} == {
        "bow": (5, 120), "ffnn": (5, 120), "cnn": (4, 120)
    }  # fmt: skip
    found = {(pair.first.label, pair.second.label): pair for pair in pairs(study, ranking.evidence)}
    assert list(found) == [("bow", "ffnn"), ("bow", "cnn"), ("ffnn", "cnn")]
    expected = compare(scores(study, "bow"), scores(study, "cnn"))
    assert found["bow", "cnn"].comparison == expected
    assert found["bow", "cnn"].corrected >= expected.p
    assert found["bow", "cnn"].order.better  # in validation it is better all along
    interval = score_interval(ranking, ranking[0])
    assert interval == crossed_interval(scores(study, "bow"))
    page = study.report()
    assert f"{interval.low:.4f} to {interval.high:.4f}" in page
    assert f"+{expected.difference:.4f}"[:7] in page or f"{expected.difference:.4f}" in page


def test_rows_of_folds_stand_one_after_another(made):
    ranking = read_study(made(folds=3, seeds=2)).ranking()
    assert ranking.evidence.results["bow"].shape == (2, 360)


def test_with_one_seed_over_rows_alone(made):
    study = read_study(made(seeds=1))
    ranking = study.ranking()
    assert ranking.verdict.over == "examples"
    assert score_interval(ranking, ranking[0]) == mean_interval(scores(study, "bow")[0])
    assert "It speaks of other examples." in study.report("markdown")


def test_before_the_test_by_validation_over_seeds(made):
    study = read_study(made(judged=False))
    ranking = study.ranking()
    assert ranking.evidence.of == "accuracy in validation"
    assert ranking.verdict.over == "seeds"
    assert ranking.verdict.comparisons["cnn"] == compare_over_seeds(ranking[0].values, ranking[2].values)
    assert score_interval(ranking, ranking[0]) is None


def test_where_less_is_better_it_is_turned_round(made):
    study = read_study(made(labels=(), judged=False))
    ranking = study.ranking()
    assert "turned round as less is better" in ranking.evidence.of
    assert all(found.difference > 0 for found in ranking.verdict.comparisons.values())


def test_one_run_of_each_is_too_few_to_tell(made):
    study = read_study(made(seeds=1, judged=False))
    assert study.ranking().verdict is None
    assert (
        "No winner can be named: bow is ahead in validation, but one run of each is too few to tell." in study.report()
    )


def test_a_winner_is_named_where_there_is_one(made, monkeypatch):
    monkeypatch.setitem(folders.SKILL, "bow", 0.97)
    monkeypatch.setitem(folders.SKILL, "cnn", 0.6)
    monkeypatch.setitem(folders.SKILL, "ffnn", 0.6)
    study = read_study(made(seeds=5, rows=400))
    assert study.ranking().verdict.named
    assert "bow is the winner: it is better than each of the 2 others by more than chance gives" in study.report()
    found = json.loads(study.report("json"))
    assert found["verdict"]["named"]


@pytest.mark.parametrize("change", [{"scores": None}, {"scores": [1.0]}, {"scores": [1.0] * 7}])
def test_scores_that_cannot_be_compared_are_left_out(made, change):
    folder = made(seeds=2)
    run = next(run for run in read_study(folder).runs if run.learner_name == "bow")
    path = folder / "runs" / run.name / "test.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    study = read_study(folder)
    assert study.report()
    assert len(study.ranking().evidence.results) in (2, 3)
