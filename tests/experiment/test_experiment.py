"""Experiments: the same bits whatever does the runs, failures, kills, and what is kept."""

import inspect
import json
import os
import pickle
import signal
import subprocess
import sys
import time

import pytest

import chainrule
from chainrule.errors import ConfigurationError, DivergenceError, ModelError
from chainrule.experiment import Comparison, Experiment, StudyFolder, Trial, best, rerun
from chainrule.experiment import runner as running
from chainrule.experiment.measure import Measure
from chainrule.files import Lock
from chainrule.train.run_folder import LOCK, partial_of
from tests import samples

TRAINING = chainrule.Training(epochs=2)
LEARNERS = [chainrule.BagOfWords(), chainrule.FeedForward(dim=4, hidden=(4,))]


def compared(table, folder, **options):
    """A small study."""
    options = {"seeds": 2, "training": TRAINING, "jobs": 2} | options
    return StudyFolder(chainrule.compare(table, options.pop("learners", LEARNERS), folder=folder, **options).folder)


def outcome(study):
    """What came out, but for times."""
    lines = [{k: v for k, v in line.items() if k not in ("time", "seconds")} for line in study.lines()]
    return sorted(lines, key=lambda line: (line["kind"], line["run"]))


@pytest.fixture(scope="module")
def undisturbed(two_classes, tmp_path_factory):
    return compared(two_classes, tmp_path_factory.mktemp("studies") / "study")


@pytest.mark.parametrize(("workers", "jobs"), [("threads", 1), ("threads", 3), ("processes", 1), ("processes", 2)])
def test_workers_and_their_number_change_no_bit(two_classes, tmp_path, undisturbed, workers, jobs):
    study = compared(two_classes, tmp_path / "study", workers=workers, jobs=jobs)
    assert outcome(study) == outcome(undisturbed)


def test_a_run_is_what_fit_gives(two_classes, undisturbed):
    (part,) = chainrule.Division().divided(two_classes)
    alone = chainrule.fit(LEARNERS[0], part.train, part.valid, training=TRAINING, seed=1)
    name = Trial(chainrule.Classify(), LEARNERS[0], TRAINING, 1).name
    line = undisturbed.ended()[name]
    assert line["valid"] == alone.best.valid
    test = alone.model.evaluate(part.test)
    assert undisturbed.tested()[name]["test"] == test.measures
    judged = json.loads((undisturbed.folder(name) / "test.json").read_text())
    assert (judged["score"], judged["rows"]) == ("right", len(part.test))
    assert judged["scores"] == test.scores.tolist()


def test_runs_that_ended_are_not_repeated(two_classes, tmp_path, undisturbed, monkeypatch):
    folder = tmp_path / "study"
    first = compared(two_classes, folder, seeds=1)
    times = {line["run"]: line["time"] for line in first.lines() if line["kind"] == "run"}
    done = []
    whole = running.Runner.__call__
    monkeypatch.setattr(
        running.Runner,
        "__call__",
        lambda self, job, *rest: (done.append((job.does, job.trial.seed)), whole(self, job, *rest))[1],
    )
    study = compared(two_classes, folder)
    assert sorted(done) == [("test", 1), ("test", 1), ("train", 1), ("train", 1)]
    assert all(study.ended()[run]["time"] == time for run, time in times.items())
    assert [x["weights"] for x in outcome(study) if "weights" in x] == [
        x["weights"] for x in outcome(undisturbed) if "weights" in x
    ]


def test_a_run_without_its_line_is_not_trained_again(two_classes, tmp_path):
    study = compared(two_classes, tmp_path / "study", keep="all")
    before = outcome(study)
    path = study.place / "runs.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:3]))
    records = {x.parent.name: x.stat().st_mtime_ns for x in study.place.glob("runs/*/record.jsonl")}
    again = compared(two_classes, tmp_path / "study", keep="all")
    assert records == {x.parent.name: x.stat().st_mtime_ns for x in study.place.glob("runs/*/record.jsonl")}
    assert outcome(again) == before


def test_the_models_of_the_winner_are_kept_or_all(two_classes, tmp_path, undisturbed):
    def models(study):
        return {x.parent.name.partition("-")[0] for x in study.place.glob("runs/*/model.safetensors")}

    winner = json.loads((undisturbed.place / "winner.json").read_text())
    assert models(undisturbed) == {winner["learner"]}
    assert models(compared(two_classes, tmp_path / "all", keep="all")) == {"bow", "ffnn"}


@pytest.mark.parametrize("workers", ["threads", "processes"])
def test_a_run_that_fails_is_written_down_and_the_others_go_on(two_classes, tmp_path, workers):
    bad = chainrule.Training(epochs=2, optimizer="sgd", learning_rate=1e38)
    task = chainrule.Classify()
    plan = Comparison([(task, LEARNERS[0], TRAINING), (task, LEARNERS[0], bad)], seeds=(0, 1))
    study = Experiment(two_classes, plan, task).run(tmp_path / "study", workers=workers, jobs=2)
    states = {(line["training"]["learning_rate"], line["state"]) for line in study.ended().values()}
    assert states == {(None, "finished"), (1e38, "failed")}
    failed = next(line for line in study.ended().values() if line["state"] == "failed")
    assert failed["valid"] is None
    assert "lower the learning rate, which is 1e+38" in failed["reason"]
    assert len(study.tested()) == 2


def test_a_learner_that_cannot_read_the_table_fails_alone(two_classes, tmp_path):
    task = chainrule.Classify()
    far = chainrule.Classify(inputs=chainrule.Text(minimum_count=10**6, ngrams=1))
    plan = Comparison([(task, LEARNERS[0], TRAINING), (far, LEARNERS[0], TRAINING)], seeds=(0,))
    study = Experiment(two_classes, plan, task).run(tmp_path / "study")
    assert sorted(line["state"] for line in study.ended().values()) == ["failed", "finished"]


def test_a_process_that_is_killed_takes_its_run_alone(two_classes, tmp_path, monkeypatch):
    whole = running.fit
    seed_to_kill = 1

    def killing(*args, **options):
        if options["seed"] == seed_to_kill:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*args, **options)

    monkeypatch.setattr(running, "fit", killing)
    study = compared(two_classes, tmp_path / "study", workers="processes", learners=LEARNERS[:1], seeds=3)
    states = {line["seed"]: line["state"] for line in study.ended().values()}
    assert states == {0: "finished", 1: "failed", 2: "finished"}
    reason = next(line["reason"] for line in study.ended().values() if line["seed"] == 1)
    assert reason == "its process was killed by SIGKILL, as the system does where memory is short"
    monkeypatch.undo()
    study = compared(two_classes, tmp_path / "study", learners=LEARNERS[:1], seeds=3)  # it is tried again
    assert {line["state"] for line in study.ended().values()} == {"finished"}


def test_a_run_that_another_process_has_in_hand_is_waited_for(two_classes, tmp_path, undisturbed, monkeypatch):
    trial = Trial(chainrule.Classify(), LEARNERS[0], TRAINING, 0)
    folder = tmp_path / "study" / "runs" / trial.name
    partial_of(folder).mkdir(parents=True)
    lock = Lock(partial_of(folder) / LOCK)
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        lock.release()

    monkeypatch.setattr("chainrule.experiment.experiment.time.sleep", sleep)
    study = compared(two_classes, tmp_path / "study")
    assert slept
    assert outcome(study) == outcome(undisturbed)


KILLED = """
import sys, chainrule
from tests.experiment.test_experiment import LEARNERS, compared
from tests import samples
compared(samples.as_table(samples.make_rows(240), name="two.csv"), sys.argv[1], workers=sys.argv[2])
"""


@pytest.mark.parametrize("workers", ["threads", "processes"])
def test_a_study_that_was_killed_goes_on_to_the_same_bits(two_classes, tmp_path, undisturbed, workers):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "study"), workers]
    for lines in (1, 2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        path = tmp_path / "study" / "runs.jsonl"
        while process.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") >= lines):
            time.sleep(0.005)
        process.kill()
        process.wait()
    study = compared(two_classes, tmp_path / "study")
    assert outcome(study) == outcome(undisturbed)
    names = [line["run"] for line in study.lines() if line["kind"] == "run"]
    assert len(names) == len(set(names)) == 4


def test_rerun_gives_the_same_bits_and_best_the_model(two_classes, tmp_path, undisturbed):
    lost = next(run for run in undisturbed.ended() if not (undisturbed.folder(run) / "model.json").exists())
    again = rerun(undisturbed, lost, table=two_classes)
    assert again.same is True
    assert rerun(undisturbed, "bow-*-seed1", table=two_classes).same is True
    line = best(undisturbed, tmp_path / "model")
    measure = Measure(**undisturbed.header["measure"])
    assert measure.value(line) == max(map(measure.value, undisturbed.ended().values()))
    assert chainrule.Model.load(tmp_path / "model").learner.name == line["learner"]["name"]
    assert not (tmp_path / "model" / "test.json").exists()


def test_rerun_says_where_the_bits_are_others(two_classes, tmp_path):
    study = compared(two_classes, tmp_path / "study", seeds=1, learners=LEARNERS[:1])
    path = study.place / "runs.jsonl"
    path.write_text(path.read_text().replace('"weights": "', '"weights": "0'))
    assert rerun(StudyFolder(study.place), "bow", table=two_classes).same is False


def test_what_rerun_and_best_refuse(two_classes, held_out, tmp_path, undisturbed):
    with pytest.raises(ConfigurationError, match="has no run 'lstm'; it has 'bow-"):
        rerun(undisturbed, "lstm", table=two_classes)
    with pytest.raises(ConfigurationError, match=r"'bow' may be 'bow-.*', 'bow-.*'; give more of the"):
        rerun(undisturbed, "bow", table=two_classes)
    with pytest.raises(ModelError, match="its rows were made in Python and came from no file; give them again"):
        rerun(undisturbed, next(iter(undisturbed.ended())))
    with pytest.raises(ConfigurationError, match="no run of 'lstm' has ended; it has 'bow', 'ffnn'"):
        best(undisturbed, tmp_path / "model", learner="lstm")
    header = json.loads((undisturbed.place / "study.json").read_text())
    empty = StudyFolder.begin(tmp_path / "empty", header)
    with pytest.raises(ConfigurationError, match="no run has ended yet; go on with the study by the command"):
        best(empty, tmp_path / "model")


def test_what_compare_refuses(two_classes, tmp_path):
    place = tmp_path / "study"
    for options, message in (
        ({"learners": []}, r"compare: expected learners, such as \['bow', 'ffnn'\], got \[\]"),
        ({"learners": ["bowl"]}, "there is no learner 'bowl'; did you mean 'bow'?"),
        ({"seeds": 0}, "seeds: expected how many, 1 or more, or different whole numbers of 0 or more; got 0"),
        ({"seeds": (1, 1)}, "seeds: expected how many"),
        ({"seeds": True}, "seeds: expected how many"),
        ({"measure": "acuracy"}, "measure: the task classify does not watch 'acuracy'; did you mean 'accuracy'?"),
        ({"workers": "thread"}, "workers: there are none called 'thread'; did you mean 'threads'?"),
        ({"keep": "some"}, "keep: expected winner or all, got 'some'"),
        ({"jobs": 0}, "threads"),
        ({"task": chainrule.Tag()}, "bow gives one answer"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            compared(two_classes, place, **options)
    assert not place.exists()


def test_the_measure_decides(two_classes, tmp_path):
    study = compared(two_classes, tmp_path / "study", measure="loss", keep="all")
    measure = Measure(**study.header["measure"])
    assert (measure.higher, measure.name) == (False, "loss")
    ranked = measure.ranked(study.ended().values())
    assert ranked[0][1] < ranked[1][1]
    assert json.loads((study.place / "winner.json").read_text())["configuration"] == ranked[0][0]


def test_folds_judge_each_row_once(two_classes, tmp_path):
    study = compared(
        two_classes, tmp_path / "study", learners=LEARNERS[:1], seeds=1, division=chainrule.Division(folds=3)
    )
    assert sorted(line["part"] for line in study.ended().values()) == [0, 1, 2]
    rows = [json.loads(path.read_text())["rows"] for path in study.place.glob("runs/*/test.json")]
    assert sum(rows) == 240


def test_rows_almost_the_same_are_counted(tmp_path):
    rows = samples.make_rows(120)
    long = "the plot is thin but the jokes are good and many of them are new to me"
    rows = [(f"{text} {long}" if number % 2 else text, label) for number, (text, label) in enumerate(rows)]
    table = samples.as_table(rows, name="twins.csv")
    study = compared(table, tmp_path / "study", learners=LEARNERS[:1], seeds=1)
    assert study.header["parts"]["rows"][0]["near_duplicates"] > 0


def test_trials_are_settings_that_can_be_pickled():
    trial = Trial(chainrule.Classify(), LEARNERS[1], TRAINING, 3, 1)
    assert pickle.loads(pickle.dumps(trial)) == trial == Trial.of(json.loads(json.dumps(trial.settings())))
    assert trial.name == f"ffnn-{trial.configuration}-seed3-part1"
    assert (
        Trial(chainrule.Classify(inputs=chainrule.Text()), LEARNERS[1], TRAINING).name
        == Trial(chainrule.Classify(), LEARNERS[1], TRAINING).name
    )
    assert Trial(chainrule.Classify(), LEARNERS[1], chainrule.Training(epochs=3)).configuration != trial.configuration


def test_errors_of_every_kind_have_a_reason():
    assert running.reason_of(MemoryError()) == "not enough memory"
    assert running.reason_of(ZeroDivisionError("by 0")) == "ZeroDivisionError: by 0"
    assert running.reason_of(DivergenceError("it grew")) == "it grew"


def test_what_compare_and_sweep_share_is_that_of_the_experiment():
    """Names, defaults and types are those of the one place where they are described."""
    fields = dict(inspect.signature(Experiment).parameters)
    run = {name: x for name, x in inspect.signature(Experiment.run).parameters.items() if name != "self"}
    for function in (chainrule.compare, chainrule.sweep):
        given = inspect.signature(function).parameters
        assert [name for name in given if name in run] == list(run)
        for name, parameter in run.items():
            assert (given[name].default, given[name].annotation) == (parameter.default, parameter.annotation), name
        for name in ("measure", "valid", "test"):
            assert (given[name].default, given[name].annotation) == (fields[name].default, fields[name].annotation)
        told = function.__doc__
        assert "division, measure, valid, test: " in told
        assert f"{', '.join(run)}: see `Experiment.run`" in told
