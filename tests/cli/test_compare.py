"""chainrule compare, best and rerun: what they write and print, every task, and what they refuse."""

import json

import numpy as np
import pytest

import chainrule
from chainrule.cli.compare import spelled_learners
from chainrule.errors import ConfigurationError
from chainrule.experiment import StudyFolder
from tests.cli import tables
from tests.samples import make_rows, write_rows

SMALL = ("--epochs", "2", "--seeds", "2", "--jobs", "2")


@pytest.fixture
def compared(run, csv_file, tmp_path):
    """A study of two learners, by the command line."""
    result = run("compare", csv_file, "--learners", "bow,ffnn:hidden=4,dim=4", *SMALL, "--out", tmp_path / "study")
    assert result.code == 0, result.error
    return tmp_path / "study", result


def test_a_study_by_the_command_line(run, compared, tmp_path):
    place, result = compared
    study = StudyFolder(place)
    lines = study.ended().values()
    assert sorted((x["learner"]["name"], x["seed"], x["state"]) for x in lines) == [
        (name, seed, "finished") for name in ("bow", "ffnn") for seed in (0, 1)
    ]
    assert {tuple(x["learner"].get("hidden", ())) for x in lines} == {(), (4,)}
    assert {x["learner"].get("dim") for x in lines} == {None, 4}
    assert study.header["command"][:2] == ["chainrule", "compare"]
    assert study.header["learners"] == ["bow", "ffnn"]
    assert result.error.count(" of 4: ") == 4
    assert "accuracy 0." in result.error or "accuracy 1." in result.error
    assert len(study.tested()) == 4

    result = run("best", place, "--out", tmp_path / "model")
    assert result.code == 0
    assert f"model                {tmp_path / 'model'}" in result.out
    assert run("predict", tmp_path / "model", "a good film").code == 0

    name = next(x["run"] for x in lines if not (study.folder(x["run"]) / "model.json").exists())
    result = run("rerun", place, name, "--quiet", "--out", tmp_path / "again")
    assert (result.code, result.error) == (0, "")
    assert "bits                 the same" in result.out
    assert chainrule.Model.load(tmp_path / "again").learner.name == name.partition("-")[0]


def test_the_same_command_goes_on(run, compared, csv_file):
    place, _ = compared
    before = (place / "runs.jsonl").read_text()
    result = run("compare", csv_file, "--learners", "bow,ffnn:hidden=4,dim=4", *SMALL, "--out", place)
    assert (result.code, (place / "runs.jsonl").read_text()) == (0, before)
    result = run("compare", csv_file, "--learners", "bow", *SMALL, "--seeds", "0,7", "--out", place, "--quiet")
    assert (result.code, result.error.count(" of ")) == (0, 0)
    assert {x["seed"] for x in StudyFolder(place).ended().values()} == {0, 1, 7}


def test_a_changed_file_is_noticed(run, compared, csv_file, tmp_path):
    place, _ = compared
    write_rows(csv_file, make_rows(61))
    result = run("compare", csv_file, "--learners", "bow", *SMALL, "--out", place)
    assert result.code == 2
    assert "holds a study of another data set" in result.error
    name = next(iter(StudyFolder(place).ended()))
    result = run("rerun", place, name, "--quiet")
    assert result.code == 2
    assert "holds something else than when the study read it; bring back what it was" in result.error
    csv_file.unlink()
    assert "no such file" in run("rerun", place, name, "--quiet").error


def test_a_kept_model_is_copied_without_the_table_and_others_are_trained_again(run, compared, csv_file, tmp_path):
    place, _ = compared
    lost = json.loads((place / "winner.json").read_text())["learner"]
    other = "ffnn" if lost == "bow" else "bow"
    result = run("best", place, "--learner", other, "--out", tmp_path / "other")
    assert (result.code, result.error) == (0, "")
    assert chainrule.Model.load(tmp_path / "other").learner.name == other
    csv_file.unlink()
    assert run("best", place, "--out", tmp_path / "model").code == 0


def test_files_for_validation_and_test(run, csv_file, tmp_path):
    valid, test = (write_rows(tmp_path / f"{name}.csv", make_rows(30, seed=seed)) for seed, name in enumerate("vt", 1))
    result = run(
        "compare", csv_file, "--valid", valid, "--test", test, "--learners", "bow", *SMALL, "--out", tmp_path / "study"
    )
    assert result.code == 0, result.error
    (rows,) = StudyFolder(tmp_path / "study").header["parts"]["rows"]
    assert (rows["train"], rows["valid"], rows["test"]) == (60, 30, 30)
    name = next(iter(StudyFolder(tmp_path / "study").ended()))
    assert run("rerun", tmp_path / "study", name, "--quiet").code == 0
    write_rows(test, make_rows(31, seed=9))
    assert "t.csv'" in run("rerun", tmp_path / "study", name, "--quiet").error


def texts(folder, *rows):
    return write_rows(folder / "texts.csv", [*rows] * 20)


def test_every_task(run, tmp_path):
    draws = np.random.default_rng(0)
    numbers = write_rows(tmp_path / "n.csv", [(f"good {'very ' * i}film", str(i)) for i in draws.integers(0, 5, 80)])
    several = tables.write_lists(tmp_path / "several.csv", tables.text_rows(80))
    tagged = tmp_path / "tags.txt"
    tagged.write_text("a\tDET\ngood\tADJ\nfilm\tNOUN\n\nit\tPRON\nends\tVERB\n\n" * 20)
    plain = tmp_path / "plain.txt"
    plain.write_text("the film is good\nthe film is dull\n" * 40)
    pairs = write_rows(tmp_path / "pairs.csv", [("ab", "b a"), ("ba", "a b"), ("aab", "b a a")] * 20)
    columns, options = tables.column_rows(tmp_path, "classify")
    for task, words in {
        "regress": [numbers, "--task", "regress", "--learners", "bow"],
        "multi-label": [several, "--task", "multi-label", "--label-separator", "|", "--learners", "bow"],
        "tag": [tagged, "--task", "tag", "--learners", "gru:size=4", "--dim", "4"],
        "continue": [plain, "--task", "continue", "--learners", "gru:size=4", "--dim", "4"],
        "transduce": [pairs, "--task", "transduce", "--learners", "seq2seq:size=4", "--dim", "4"],
        "columns": [columns, *options],
    }.items():
        result = run("compare", *words, "--epochs", "1", "--seeds", "1", "--jobs", "2", "--out", tmp_path / task)
        assert result.code == 0, (task, result.error)
        study = StudyFolder(tmp_path / task)
        assert {x["state"] for x in study.ended().values()} == {"finished"}, task
        assert len(study.tested()) == len(study.ended()) == (2 if task == "columns" else 1)
        judged = json.loads((study.folder(next(iter(study.tested()))) / "test.json").read_text())
        assert len(judged["scores"]) > 0, task


def test_lists_of_learners():
    assert spelled_learners("bow, ffnn:hidden=128|64,dropout=0.3,cnn") == [
        "bow",
        "ffnn:hidden=128|64,dropout=0.3",
        "cnn",
    ]
    assert spelled_learners("ffnn:dim=4,ffnn:dim=8") == ["ffnn:dim=4", "ffnn:dim=8"]
    for text, message in (
        ("bow,dim=4", "--learners: 'dim=4' belongs to no learner; write settings as in ffnn:hidden=128,dropout=0.3"),
        ("bow,,ffnn", "--learners: expected names such as bow,ffnn, got 'bow,,ffnn'"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            spelled_learners(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--learners", "bowl"], "there is no learner 'bowl'; did you mean 'bow'?"),
        (["--learners", "ffnn:dimm=4"], "--learners: learner ffnn has no setting 'dimm'; did you mean 'dim'?"),
        (["--learners", "ffnn:dim=x"], "--learners: ffnn: dim must be"),
        (["--task", "tag", "--learners", "bow"], "bow gives one answer a row"),
        (["--seeds", "0"], "seeds: expected how many, 1 or more"),
        (["--seeds", "x"], "--seeds: expected how many, such as 5, or which, such as 1,2,3; got 'x'"),
        (["--folds", "1"], "--folds must be a whole number of 2 or more or none, got"),
        (["--test-share", "2"], "--test-share must be a number above 0 and below 1, got"),
        (["--test-share", "0.95"], "--test-share must leave rows to learn from beside valid 0.1"),
        (["--measure", "f1"], "measure: the task classify does not watch 'f1'"),
        (["--workers", "robots"], "workers: there are none called 'robots'"),
        (["--keep", "none"], "keep: expected winner or all"),
        (["--jobs", "0"], "threads: expected"),
        (["--hiden", "4"], "unrecognized arguments: --hiden"),
    ],
)
def test_what_compare_refuses(run, csv_file, tmp_path, options, message):
    result = run("compare", csv_file, *options, "--out", tmp_path / "study")
    assert result.code == 2
    assert message in result.error
    assert not (tmp_path / "study").exists()


def test_what_is_missing(run, csv_file, tmp_path):
    assert "--out: expected a folder for the study; add --out FOLDER" in run("compare", csv_file).error
    assert "the table is missing" in run("compare", "--out", tmp_path / "study").error
    assert "is a file; give the name of a folder" in run("compare", csv_file, "--out", csv_file).error
    for command in (["best", tmp_path, "--out", tmp_path / "model"], ["rerun", tmp_path, "bow"]):
        result = run(*command)
        assert result.code == 2
        assert "is no study: there is no study.json in it; chainrule compare makes one" in result.error
    assert "--out: expected a new folder for the model" in run("best", tmp_path).error
