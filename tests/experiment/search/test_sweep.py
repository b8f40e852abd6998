"""Sweeps: the same trials at any number of workers and after kills; finalists, stopping, failures, what is refused."""

import json
import re
import subprocess
import sys
import time

import pytest

import chainrule
from chainrule.errors import ConfigurationError, ModelError
from chainrule.experiment import Range, Searching, StudyFolder
from chainrule.experiment.measure import Measure
from chainrule.experiment.search.space import Space
from chainrule.experiment.search.sweep import Sweep
from chainrule.report.study import read_study

SPACE = {"learner": ["bow", "ffnn"], "lr": Range(1e-6, 1.0, scale="log"), "dropout": [0.0, 0.5]}
FIXED = {"epochs": 4, "dim": 4, "hidden": [4], "schedule": "constant", "optimizer": "adam"}
SEARCHING = Searching(method="model", trials=8, batch=4, finalists=2, seeds=2, stopping="median:least=3")


def swept(table, folder, **options):
    """A small sweep."""
    options = {"fixed": FIXED, "searching": SEARCHING, "jobs": 2} | options
    return chainrule.sweep(table, options.pop("space", SPACE), folder=folder, **options)


def outcome(study):
    """What came out, but for times."""
    lines = [{k: v for k, v in line.items() if k not in ("time", "seconds", "memory")} for line in study.lines()]
    return sorted(lines, key=lambda line: (line["kind"], line["run"]))


def runs(study, stage):
    return sorted((x for x in study.ended().values() if x["stage"] == stage), key=lambda line: line["number"])


@pytest.fixture(scope="module")
def undisturbed(two_classes, tmp_path_factory):
    return swept(two_classes, tmp_path_factory.mktemp("sweeps") / "study", jobs=1)


@pytest.mark.parametrize(("workers", "jobs"), [("threads", 2), ("processes", 3)])
def test_workers_and_their_number_change_no_bit(two_classes, tmp_path, undisturbed, workers, jobs):
    assert outcome(swept(two_classes, tmp_path / "study", workers=workers, jobs=jobs)) == outcome(undisturbed)


KILLED = """
import sys
from tests import samples
from tests.experiment.search.test_sweep import swept
swept(samples.as_table(samples.make_rows(240), name="two.csv"), sys.argv[1], workers=sys.argv[2])
"""


@pytest.mark.parametrize(("workers", "kills"), [("threads", (2, 9)), ("processes", (6,))])
def test_a_sweep_that_was_killed_goes_on_to_the_same_bits(two_classes, tmp_path, undisturbed, workers, kills):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "study"), workers]
    path = tmp_path / "study" / "runs.jsonl"
    for lines in kills:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") >= lines):
            time.sleep(0.005)
        process.kill()
        process.wait()
    study = swept(two_classes, tmp_path / "study")
    assert outcome(study) == outcome(undisturbed)
    names = [line["run"] for line in study.lines() if line["kind"] == "run"]
    assert len(names) == len(set(names)) == 12


def test_finalists_have_several_seeds_and_are_tested(undisturbed):
    searched, final = runs(undisturbed, "search"), runs(undisturbed, "final")
    assert [line["number"] for line in searched] == list(range(8))
    assert {line["seed"] for line in searched} == {0}
    assert len({line["configuration"] for line in searched}) == 8
    measure = Measure(**undisturbed.header["measure"])
    finished = [line for line in searched if line["state"] == "finished"]
    best = sorted(finished, key=measure.value, reverse=True)[:2]
    assert [(x["configuration"], x["seed"]) for x in final] == [
        (x["configuration"], seed) for seed in (1, 2) for x in best
    ]
    assert undisturbed.tested().keys() == {line["run"] for line in final}
    assert {x.parent.name for x in undisturbed.place.glob("runs/*/test.json")} == undisturbed.tested().keys()
    winner = json.loads((undisturbed.place / "winner.json").read_text())
    assert winner["configuration"] in {x["configuration"] for x in best}


def test_the_report_counts_the_runs_of_finalists_after_the_search(undisturbed):
    """What made a finalist was good luck in part."""
    study = read_study(undisturbed.place)
    ranking = study.ranking()
    best = ranking[0]
    assert {run.stage for run in best.finished} == {"final"}
    assert len(best.values) == len(best.tested) == 2
    assert len(ranking.finalists) == 2
    assert len(ranking) == 8
    assert len(study.searched) == 8


def test_hopeless_runs_are_stopped_after_the_first_generation(undisturbed):
    states = [line["state"] for line in runs(undisturbed, "search")]
    assert states[:4] == ["finished"] * 4
    assert "stopped" in states[4:]
    stopped = next(x for x in runs(undisturbed, "search") if x["state"] == "stopped")
    assert re.fullmatch(r"hopeless: accuracy 0\.\d+ after \d\d% of the epochs, worse than 0.*runs", stopped["reason"])
    assert stopped["epochs"] < 4
    assert {line["state"] for line in runs(undisturbed, "final")} == {"finished"}


def test_what_a_study_says_of_its_search(undisturbed):
    header = undisturbed.header
    assert header["learners"] == ["bow", "ffnn"]
    assert header["seeds"] == [1, 2]
    assert header["search"] == {
        "method": "model", "trials": 8, "minutes": None, "batch": 4, "seed": 0, "stopping": "median:least=3",
        "finalists": 2, "seeds": 2,
        "space": {
            "learner": ["bow", "ffnn"], "training.learning_rate": {"low": 1e-06, "high": 1.0, "scale": "log"},
            "learner.dropout": [0.0, 0.5],
        },
        "fixed": {
            "training": {
                "epochs": 4, "schedule": {"name": "constant"}, "optimizer": {"name": "adam"},
            },
            "learner": {"dim": 4, "hidden": [4]},
        },
    }  # fmt: skip


def test_another_search_is_another_study(two_classes, tmp_path, undisturbed):
    place = undisturbed.place
    for options, what in (
        ({"searching": Searching(method="model", trials=9, batch=4)}, "stopping: median:least=3, and now none"),
        ({"space": {**SPACE, "dropout": [0.0, 0.4]}}, "space: learner.dropout"),
        ({"fixed": {**FIXED, "epochs": 5}}, "fixed: training: epochs: 4, and now 5"),
    ):
        with pytest.raises(ModelError, match=f"holds a study of another search: {what}"):
            swept(two_classes, place, **options)


@pytest.mark.parametrize(
    ("method", "stopping"),
    [("random", "none"), ("random", "halving:factor=2"), ("model", "median:least=3"), ("model", "halving:factor=2")],
)
def test_more_trials_go_on_with_a_search(two_classes, tmp_path, method, stopping):
    """Trials are to the bit those of a search that asked for as many at once, also after part of a generation."""

    def searching(trials):
        return Searching(method=method, trials=trials, batch=4, finalists=1, seeds=1, stopping=stopping)

    options = {"fixed": {**FIXED, "epochs": 3}}
    small = swept(two_classes, tmp_path / "study", searching=searching(6), **options)
    before = {line["run"]: line for line in small.ended().values()}
    study = swept(
        two_classes, tmp_path / "study", searching=searching(11), jobs=1, command=["sweep", "more"], **options
    )
    whole = swept(two_classes, tmp_path / "whole", searching=searching(11), **options)
    searched = [
        [{k: v for k, v in line.items() if k not in ("time", "seconds", "memory")} for line in runs(x, "search")]
        for x in (study, whole)
    ]
    assert searched[0] == searched[1]
    assert len(searched[0]) == 11
    assert all(study.ended()[name] == line for name, line in before.items()), "a trial was made again"
    first, last = ({line["run"] for line in runs(x, "final")} for x in (small, whole))
    assert {line["run"] for line in runs(study, "final")} == first | last
    assert study.header["search"]["trials"] == 11
    assert [again["command"] for again in study.header["again"]] == [["sweep", "more"]]
    assert read_study(study.place).wanted == 12
    assert "command line: sweep more" in read_study(study.place).report("markdown")
    with pytest.raises(ModelError, match="holds a search of trials: 11, and now 6 is asked for; give as many or more"):
        swept(two_classes, tmp_path / "study", searching=searching(6), **options)


def test_a_longer_budget_in_time_goes_on(two_classes, tmp_path):
    searching = [Searching(minutes=m, trials=t, batch=3, finalists=1, seeds=1) for m, t in ((1e-9, 6), (None, 6))]
    assert len(runs(swept(two_classes, tmp_path / "study", searching=searching[0]), "search")) == 3
    study = swept(two_classes, tmp_path / "study", searching=searching[1])
    assert len(runs(study, "search")) == 6
    with pytest.raises(ModelError, match="holds a search of minutes: None, and now 1e-09"):
        swept(two_classes, tmp_path / "study", searching=searching[0])


def test_grids_and_random_draws(two_classes, tmp_path):
    grid = swept(
        two_classes, tmp_path / "grid", space={"learner": ["bow", "ffnn"], "lr": [0.01, 0.1]},
        searching=Searching(method="grid", finalists=1, seeds=1),
    )  # fmt: skip
    assert [(x["learner"]["name"], x["training"]["learning_rate"]) for x in runs(grid, "search")] == [
        ("bow", 0.01), ("bow", 0.1), ("ffnn", 0.01), ("ffnn", 0.1),
    ]  # fmt: skip
    drawn = swept(two_classes, tmp_path / "random", searching=Searching(trials=3, finalists=1, seeds=1))
    longer = swept(two_classes, tmp_path / "longer", searching=Searching(trials=4, batch=1, finalists=1, seeds=1))
    names = [line["run"] for line in runs(longer, "search")]
    assert names[:3] == [line["run"] for line in runs(drawn, "search")]
    assert len(names) == 4


@pytest.mark.parametrize("method", ["random", "model"])
def test_trials_that_fail_are_no_finalists_and_the_others_go_on(two_classes, tmp_path, method):
    study = swept(
        two_classes, tmp_path / "study", space={"lr": [0.01, 0.1, 1e38], "ngrams": [1, 2]},
        fixed={"epochs": 2, "learner": "bow", "optimizer": "sgd", "schedule": "constant"},
        searching=Searching(method=method, trials=6, batch=2, finalists=5, seeds=1, stopping="halving"),
    )  # fmt: skip
    states = {(x["training"]["learning_rate"], x["state"]) for x in runs(study, "search")}
    assert (1e38, "failed") in states
    assert {rate for rate, state in states if state != "failed"} == {0.01, 0.1}
    assert {x["training"]["learning_rate"] for x in runs(study, "final")} <= {0.01, 0.1}
    assert len(study.tested()) == len(runs(study, "final")) >= 1


def test_a_study_whose_trials_all_fail_has_no_finalists(two_classes, tmp_path):
    study = swept(
        two_classes, tmp_path / "study", space={"ngrams": [1, 2]},
        fixed={"lr": 1e38, "epochs": 1, "learner": "bow", "optimizer": "sgd"}, searching=Searching(trials=2),
    )  # fmt: skip
    assert [x["state"] for x in study.ended().values()] == ["failed", "failed"]
    assert not (study.place / "winner.json").exists()


def test_a_budget_in_time_ends_with_a_generation(two_classes, tmp_path):
    searching = Searching(minutes=1e-9, batch=3, finalists=1, seeds=1)
    study = swept(two_classes, tmp_path / "study", searching=searching)
    assert (len(runs(study, "search")), len(runs(study, "final"))) == (3, 1)


def test_other_tasks_are_searched_by_their_measure(two_classes, tmp_path):
    texts = [f"{'good' if i % 2 else 'bad'} film {i % 5}" for i in range(60)]
    table = chainrule.Table.from_lists(texts, [float(i % 2) for i in range(60)], target="number")
    study = swept(
        table, tmp_path / "study", space={"loss": ["mse", "huber"], "learner": ["bow", "ffnn"]}, measure="mae",
        fixed={"task": "regress", "epochs": 2}, searching=Searching(method="grid", finalists=1, seeds=1),
    )  # fmt: skip
    searched = runs(study, "search")
    assert {(x["task"]["name"], x["task"]["criterion"]) for x in searched} == {("regress", "mse"), ("regress", "huber")}
    best = min(searched, key=lambda line: line["valid"]["mae"])
    assert [line["configuration"] for line in runs(study, "final")] == [best["configuration"]]


def test_what_is_refused(two_classes, tmp_path):
    measure = Measure.of(chainrule.Classify(), None)
    with pytest.raises(ConfigurationError, match="search without folds, and compare what it finds with folds"):
        swept(two_classes, tmp_path / "study", division=chainrule.Division(folds=3))
    with pytest.raises(ConfigurationError, match="measure: the task classify does not watch 'acuracy'"):
        swept(two_classes, tmp_path / "study", measure="acuracy")
    with pytest.raises(ConfigurationError, match="the search space is empty"):
        Sweep(Space({}), measure)
    with pytest.raises(ConfigurationError, match="a grid takes some numbers of a range; give their count"):
        Sweep(Space({"lr": Range(0.1, 1)}), measure, Searching(method="grid"))
    assert not (tmp_path / "study").exists()
    with pytest.raises(ModelError, match="is no study"):
        StudyFolder(tmp_path / "study")
