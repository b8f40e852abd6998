"""chainrule sweep: from a settings file, from options, and both; what it refuses, with the option or the line."""

import re

import pytest

import chainrule
from chainrule.experiment import Range, Searching, StudyFolder
from tests import samples

FILE = """\
measure = "macro_f1"
[search]
trials = 3
finalists = 1
seeds = 1
[space]
learner = ["bow", "ffnn"]
"lr@ffnn" = {low = 0.001, high = 0.1, scale = "log"}
dropout = [0.0, 0.5]
[training]
epochs = 2
[learner]
dim = 4
[data]
train = "TABLE"
"""


@pytest.fixture
def plan(tmp_path, csv_file):
    path = tmp_path / "study.toml"
    path.write_text(FILE.replace("TABLE", str(csv_file)), encoding="utf-8")
    return path


def names(folder, stage="search"):
    found = [x for x in StudyFolder(folder).ended().values() if x["stage"] == stage]
    return [x["run"] for x in sorted(found, key=lambda line: line["number"])]


def test_a_settings_file_and_options_that_go_before_it(run, plan, tmp_path):
    result = run("sweep", plan, "--trials", "4", "--dim", "5", "--jobs", "1", "--out", tmp_path / "study")
    assert result.code == 0, result.error
    study = StudyFolder(tmp_path / "study")
    assert study.header["measure"]["name"] == "macro_f1"
    assert study.header["search"]["trials"] == 4
    lines = list(study.ended().values())
    assert len(lines) == 5
    assert {x["learner"].get("dim") for x in lines if x["learner"]["name"] == "ffnn"} == {5}
    assert {x["training"]["epochs"] for x in lines} == {2}
    again = run("sweep", plan, "--trials", "4", "--dim", "5", "--jobs", "1", "--out", tmp_path / "study")
    assert again.code == 0
    assert len(study.lines()) == 6  # nothing was repeated
    first = names(tmp_path / "study")
    more = run("sweep", plan, "--trials", "6", "--dim", "5", "--jobs", "1", "--out", tmp_path / "study")
    assert more.code == 0, more.error
    assert names(tmp_path / "study")[:4] == first
    assert len(names(tmp_path / "study")) == 6
    less = run("sweep", plan, "--trials", "5", "--dim", "5", "--jobs", "1", "--out", tmp_path / "study")
    assert less.code == 2
    assert "holds a search of trials: 6, and now 5 is asked for; give as many or more" in less.error


def test_options_and_python_say_the_same(run, csv_file, tmp_path):
    words = ["--vary", "lr=0.001..0.1:log", "--vary", "hidden=4,6|3", "--epochs", "1", "--dim", "4"]
    search = [
        "--learners",
        "bow,ffnn",
        "--trials",
        "5",
        "--batch",
        "2",
        "--seed",
        "3",
        "--finalists",
        "1",
        "--seeds",
        "1",
    ]
    result = run("sweep", csv_file, *words, *search, "--quiet", "--out", tmp_path / "options")
    assert result.code == 0, result.error
    chainrule.sweep(
        chainrule.read_table(csv_file),
        {"learner": ["bow", "ffnn"], "lr": Range(0.001, 0.1, scale="log"), "hidden": [[4], [6, 3]]},
        fixed={"epochs": 1, "dim": 4}, folder=tmp_path / "python",
        searching=Searching(trials=5, batch=2, seed=3, finalists=1, seeds=1),
    )  # fmt: skip
    for stage in ("search", "final"):
        assert names(tmp_path / "options", stage) == names(tmp_path / "python", stage) != []
    options, python = (StudyFolder(tmp_path / x).header["search"] for x in ("options", "python"))
    assert options == python


def test_a_grid_says_what_it_leaves_out(run, csv_file, tmp_path):
    result = run(
        "sweep", csv_file, "--vary", "proximal=true,false", "--vary", "l1=0,0.1", "--method", "grid", "--epochs", "1",
        "--finalists", "1", "--seeds", "1", "--out", tmp_path / "study",
    )  # fmt: skip
    assert result.code == 0
    assert "1 of 4 combinations is left out: training: proximal needs an l1 above 0" in result.error
    assert len(names(tmp_path / "study")) == 3


def test_when_nothing_finished(run, csv_file, tmp_path):
    result = run(
        "sweep", csv_file, "--vary", "ngrams=1,2", "--lr", "1e38", "--optimizer", "sgd", "--schedule", "constant",
        "--epochs", "2", "--out", tmp_path / "study",
    )  # fmt: skip
    assert result.code == 0
    assert "no trial has finished, so that there are no finalists" in result.error


def test_columns_and_numbers(run, tmp_path):
    from tests.cli.tables import column_rows

    table, options = column_rows(tmp_path, "regress")
    result = run(
        "sweep", table, *options, "--learners", "linear,mlp", "--vary", "hidden=3,4", "--trials", "2", "--epochs", "1",
        "--finalists", "1", "--seeds", "1", "--out", tmp_path / "study",
    )  # fmt: skip
    assert result.code == 0, result.error
    assert {x["state"] for x in StudyFolder(tmp_path / "study").ended().values()} == {"finished"}


def test_help_has_the_options_of_all_that_may_be_chosen(run):
    result = run("sweep", "--learners", "bow,ffnn", "--vary", "optimizer=sgd,adam", "--help")
    assert result.code == 0
    for option in ("--hidden", "--momentum", "--beta1", "--stopping", "--valid-share", "--vary", "--measure"):
        assert option in result.out
    assert "learner bow, ffnn" in result.out
    assert "--hidden" not in run("sweep", "--help").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--vary: the search space is empty: nothing varies; give choices or ranges, such as dropout = [0.0, 0.5]"),
        (["--vary", "lr"], "--vary: expected NAME=VALUES, such as dropout=0,0.5, got 'lr'"),
        (["--vary", "=1"], "--vary: expected NAME=VALUES, such as dropout=0,0.5, got '=1'"),
        (["--vary", "lr=1", "--vary", "lr=2"], "--vary lr: is given twice; give all its values once"),
        (["--vary", "lr=1", "--vary", "training.learning_rate=2"], "--vary training.learning_rate: training.learning_"),
        (["--vary", "lr="], "--vary lr: there is nothing to choose from"),
        (["--vary", "lr=1..0.5"], "--vary lr: low must be below high, got low 1 and high 0.5"),
        (["--vary", "lr=0,x"], "--vary lr: must be a number above 0 or 'auto' or none, got 0.0"),
        (["--vary", "lr=0.1..1:cubic"], "--vary lr: scale must be linear or log, got 'cubic'"),
        (["--vary", "hiden=3"], "--vary hiden: no setting is called 'hiden'; did you mean 'hidden'?"),
        (["--vary", "hidden=3"], "--vary hidden: hidden belongs to learner ffnn, mlp; here the learner is bow"),
        (["--vary", "lr@adam=0.1..1"], "--vary lr@adam: 'adam' is no learner and no optimizer of this study; there is"),
        (["--vary", "learner=bow,fnn"], "--vary learner: there is no learner 'fnn'; did you mean 'ffnn' or 'rnn'?"),
        (["--learners", "bow,fnn"], "--learners: there is no learner 'fnn'; did you mean 'ffnn' or 'rnn'?"),
        (["--learners", "bow", "--vary", "learner=bow"], "--vary learner: is given twice; give all its values once"),
        (["--learners", "bow,lstm", "--task", "tag"], "--learners: bow gives one answer a row, and tag needs one a to"),
        (["--vary", "epochs=1,2", "--epochs", "3"], "--vary epochs: training.epochs is fixed, as 3, and varies"),
        (["--vary", "optimizer=sgd", "--optimizer", "adam"], "--vary optimizer: training.optimizer.name is fixed, as"),
        (["--vary", "ngrams=1,2", "--epochs", "0"], "--epochs: must be a whole number of 1 or more or none, got 0"),
        (["--vary", "ngrams=1,2", "--task", "clasify"], "--task: there is no task 'clasify'; did you mean 'classify'?"),
        (["--vary", "ngrams=1,2", "--optimizer", "sdg"], "--optimizer: there is no optimizer 'sdg'; did you mean 'sgd"),
        (["--vary", "ngrams=1,2", "--schedule", "liner"], "--schedule: there is no schedule 'liner'; did you mean 'li"),
        (["--vary", "ngrams=1,2", "--loss", "crossentropy"], "--loss: must be one of "),
        (["--vary", "ngrams=1,2", "--trials", "0"], "--trials: must be a whole number of 1 or more or none, got 0"),
        (["--vary", "ngrams=1,2", "--trials", "x"], "--trials: must be a whole number of 1 or more or none, got 'x'"),
        (["--vary", "ngrams=1,2", "--method", "gird"], "got 'gird'; did you mean 'grid'?"),
        (["--vary", "ngrams=1,2", "--stopping", "medain"], "--stopping: must be one of none, median, halving, got 'me"),
        (["--vary", "ngrams=1,2", "--measure", "f1"], "--measure: the task classify does not watch 'f1'"),
        (["--vary", "ngrams=1,2", "--folds", "5"], "--folds: a search chooses settings by rows that are test rows of"),
        (["--vary", "ngrams=1,2", "--valid-share", "2"], "--valid-share: must be a number above 0 and below 1, got 2."),
        (["--vary", "ngrams=1,2", "--method", "grid", "--trials", "1"], "--trials: the grid has more than 1 combinati"),
        (["--vary", "lr=0.1..1", "--method", "grid"], "--vary lr: a grid takes some numbers of a range; give their co"),
        (["--vary", "ngrams=1,2", "--momentm", "1"], "unrecognized arguments: --momentm 1; did you mean '--momentum'?"),
    ],
)  # fmt: skip
def test_what_is_refused(refused, csv_file, tmp_path, words, message):
    assert message in refused("sweep", csv_file, *words, "--out", tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_what_is_missing(refused, csv_file, plan):
    assert "--out: expected a folder for the study; add --out FOLDER" in refused("sweep", plan)
    assert "the table is missing" in refused("sweep", "--vary", "ngrams=1,2", "--out", "study")


def test_faults_of_the_file_have_its_line(refused, plan, tmp_path):
    good = plan.read_text(encoding="utf-8")
    for old, new, message in (
        ("trials = 3", "trails = 3", "line 3: search.trails: [search] has no setting 'trails'; did you mean 'trials'?"),
        ('"bow", "ffnn"', '"bow", "fnn"', "line 7: space.learner: there is no learner 'fnn'; did you mean"),
        ("low = 0.001", "low = 1", "line 8: space.lr@ffnn: low must be below high, got low 1 and high 0.1"),
        (
            "dropout",
            "dropuot",
            "line 9: space.dropuot: no setting is called 'dropuot'; did you mean 'dropout' or 'word",
        ),
        ("epochs = 2", "epochs = 0", "line 11: training.epochs: must be a whole number of 1 or more or none, got 0"),
        ("train = ", "trian = ", "line 15: data.trian: [data] has no setting 'trian'; did you mean 'train'?"),
        ("[data]", "[data", "study.toml: is not TOML"),
    ):
        plan.write_text(good.replace(old, new), encoding="utf-8")
        assert message in refused("sweep", plan, "--out", tmp_path / "study")
    assert "cannot be read" in refused("sweep", tmp_path / "none.toml", "--out", tmp_path / "study")


def test_a_file_is_read_for_what_it_is(refused, plan, tmp_path):
    """A fault that an option brings names the option, also where there is a file."""
    assert "--trials: must be a whole number" in refused("sweep", plan, "--trials", "0", "--out", tmp_path / "study")
    message = refused("sweep", plan, "--vary", "learner.dropout=0.1", "--out", tmp_path / "study")
    assert re.search(r"--vary learner\.dropout: learner\.dropout has values for ffnn with \w+ already", message)


def test_optuna_is_an_extra(refused, csv_file, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    words = ["sweep", csv_file, "--vary", "ngrams=1,2", "--method", "model", "--out", tmp_path / "study"]
    assert "model-based search needs Optuna: pip install 'chainrule[search]'" in refused(*words)


def test_rows_of_their_own_to_stop_by_and_to_test_on(run, tmp_path, csv_file):
    valid, test = (
        samples.write_rows(tmp_path / f"{name}.csv", samples.make_rows(40, seed=seed))
        for name, seed in (("valid", 5), ("test", 6))
    )
    result = run(
        "sweep", csv_file, "--valid", valid, "--test", test, "--vary", "ngrams=1,2", "--epochs", "1", "--trials", "2",
        "--finalists", "1", "--seeds", "1", "--out", tmp_path / "study",
    )  # fmt: skip
    assert result.code == 0, result.error
    (rows,) = StudyFolder(tmp_path / "study").header["parts"]["rows"]
    assert (rows["train"], rows["valid"], rows["test"]) == (60, 40, 40)
