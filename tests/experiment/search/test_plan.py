"""study.toml: what it says, that it comes back, and what is refused with the line."""

import re
import tomllib

import pytest

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.experiment import StudyPlan
from chainrule.experiment.search.domain import Choices, Range
from tests import samples

WHOLE = """\
measure = "macro_f1"
engine = "eager"

[search]
method = "model"
trials = 40
seed = 3
minutes = 30
stopping = "median:warmup=0.5"
finalists = 2
seeds = 4
batch = 5

[space]
learner = ["bow", "ffnn"]
training.batch_size = [16, "all"]
"learning_rate@bow" = {low = 0.01, high = 1.0, scale = "log"}
hidden = [[64], [128, 64]]

[space."learner.dropout"]
low = 0
high = 0.5
count = 3

[task]
label_smoothing = 0.1

[task.inputs]
ngrams = 1

[learner]
dim = 7

[training]
epochs = 4
patience = "none"

[training.optimizer]
name = "sgd"
momentum = 0.5

[division]
valid = 0.2
split_seed = 7

[data]
train = ["a.csv", "b.csv"]
test = "test.csv"
text = "review"
header = false
"""


def refused(folder, text, message):
    file = folder / "study.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        StudyPlan.read(file)


def test_all_that_it_says(tmp_path):
    (tmp_path / "study.toml").write_text(WHOLE, encoding="utf-8")
    plan = StudyPlan.read(tmp_path / "study.toml")
    assert (plan.measure, plan.engine) == ("macro_f1", "eager")
    asked = plan.searching
    assert (asked.method, asked.trials, asked.minutes, asked.batch, asked.seed) == ("model", 40, 30.0, 5, 3)
    assert (asked.stopping, asked.finalists, asked.seeds) == ("median:warmup=0.5", 2, 4)
    assert {x.key: x.domain for x in plan.space.dimensions} == {
        "learner": Choices(("bow", "ffnn")),
        "training.batch_size": Choices((16, None)),
        "training.learning_rate@bow": Range(0.01, 1.0, scale="log"),
        "learner.hidden": Choices(((64,), (128, 64))),
        "learner.dropout": Range(0.0, 0.5, count=3),
    }
    assert plan.division == chainrule.Division(valid=0.2, split_seed=7)
    assert plan.data == {"train": ["a.csv", "b.csv"], "test": "test.csv", "text": "review", "header": False}
    assert plan.space.task == chainrule.Classify(label_smoothing=0.1, inputs=chainrule.Text(ngrams=1))
    drawn = plan.space.walk(lambda x: x.domain.high if isinstance(x.domain, Range) else x.domain.values[-1])
    task, learner, training = plan.space.configuration(drawn)
    assert (task, learner) == (plan.space.task, chainrule.FeedForward(dim=7, hidden=(128, 64), dropout=0.5))
    assert (training.epochs, training.batch_size, training.optimizer.momentum) == (4, None, 0.5)


def test_its_text_says_the_same(tmp_path):
    (tmp_path / "study.toml").write_text(WHOLE, encoding="utf-8")
    plan = StudyPlan.read(tmp_path / "study.toml")
    (tmp_path / "again.toml").write_text(plan.toml_text(), encoding="utf-8")
    again = StudyPlan.read(tmp_path / "again.toml")
    assert again.content() == plan.content() == StudyPlan.of(tomllib.loads(plan.toml_text())).content()
    assert again.toml_text() == plan.toml_text()
    assert again.sweep().described() == plan.sweep().described()


SPACE = "[space]\nlearner = ['bow']\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{SPACE}[serach]\ntrials = 3\n", "line 3: serach: a study has no 'serach'; did you mean 'search'?"),
        (f"seed = 3\n{SPACE}", "line 1: seed: a study has no 'seed'; it has measure, engine, search, space, task, lea"),
        (f"search = 3\n{SPACE}", "line 1: search: expected a table, such as [search], got 3"),
        (f"{SPACE}[measure]\na = 3\n", "line 3: measure: expected a text, got {'a': 3}"),
        (f"measure = 'acuracy'\n{SPACE}", "line 1: measure: the task classify does not watch 'acuracy'; did you mean"),
        (f"engine = 'nativ'\n{SPACE}", "line 1: engine: there is no engine 'nativ'; did you mean 'native'?"),
        (f"{SPACE}[search]\ntrails = 3\n", "line 4: search.trails: [search] has no setting 'trails'; did you mean 'tr"),
        (f"{SPACE}[search]\nx = 3\n", "line 4: search.x: [search] has no setting 'x'; it has method, trials, minutes,"),
        (f"{SPACE}[search]\ntrials = 0\n", "line 4: search.trials: must be a whole number of 1 or more or none, got 0"),
        (f"{SPACE}[search]\nmethod = 'gird'\n", "line 4: search.method: must be one of random, grid, model"),
        (f"{SPACE}[search]\nmethod = 'gird'\n", "got 'gird'; did you mean 'grid'?"),
        (f"{SPACE}[search]\nstopping = 'medain'\n", "line 4: search.stopping: must be one of none, median, halving, g"),
        (f"{SPACE}[search]\nstopping = 'median:warmup=2'\n", "warmup must be a number of 0 or more and below 1, got"),
        (f"{SPACE}[division]\nvalid = 2\n", "line 4: division.valid: must be a number above 0 and below 1, got 2"),
        (f"{SPACE}[division]\nvalid = 0.5\ntest = 0.5\n", "line 5: division.test: must leave rows to learn from"),
        (f"{SPACE}[division]\nfold = 5\n", "line 4: division.fold: [division] has no setting 'fold'; did you mean 'fo"),
        (f"{SPACE}[data]\ntrian = 'a.csv'\n", "line 4: data.trian: [data] has no setting 'trian'; did you mean 'train"),
        (f"{SPACE}[data]\ntrain = 3\n", "line 4: data.train: must be a file, or a list of files, got 3"),
        (f"{SPACE}[data]\ntrain = []\n", "line 4: data.train: must be a file, or a list of files, got []"),
        (f"{SPACE}[data]\ntext = 3\n", "line 4: data.text: must be a text, got 3"),
        (f"{SPACE}[data]\nheader = 'no'\n", "line 4: data.header: must be true or false, got 'no'"),
        (f"{SPACE}[training]\nepochs = 0\n", "line 4: training.epochs: must be a whole number of 1 or more or none, g"),
        (f"{SPACE}[training]\nepocs = 1\n", "line 4: training.epocs: training has no setting 'epocs'; did you mean 'e"),
        (f"{SPACE}[learner]\nname = 'bow'\n", "line 2: space.learner: learner.name is fixed, as 'bow', and varies"),
        (f"{SPACE}[training.optimizer]\nname = 'sdg'\n", "line 4: training.optimizer.name: there is no optimizer 'sdg"),
        (f"{SPACE}training.learning_rate = {{low = 1, high = 0}}\n", "line 3: space.training.learning_rate: low must"),
        (f"{SPACE}\"training.epochs\" = []\n", "line 3: space.training.epochs: there is nothing to choose from"),
        (f"{SPACE}[space.\"lr\"]\nlow = 1\n", "line 3: space.lr: a range has low and high; high is missing"),
        ("[space]\nx = [\n", "study.toml: is not TOML"),
    ],
)  # fmt: skip
def test_what_is_no_plan(tmp_path, text, message):
    refused(tmp_path, text, message)


def test_what_cannot_be_done(tmp_path):
    plan = StudyPlan.of({"space": {"ngrams": [1, 2]}})
    with pytest.raises(ConfigurationError, match=r'data: the table is missing; name it, as in \[data\] train = "rev'):
        plan.experiment()
    with pytest.raises(ConfigurationError, match="space: the search space is empty: nothing varies"):
        StudyPlan.of({}).sweep()
    folds = StudyPlan.of({"space": {"ngrams": [1, 2]}, "division": {"folds": 5}})
    with pytest.raises(
        ConfigurationError, match=r"division\.folds: a search chooses settings by rows that are test rows"
    ):
        folds.sweep()


def test_rows_that_it_names(tmp_path):
    for name, seed in (("train", 0), ("valid", 1), ("test", 2)):
        samples.write_rows(tmp_path / f"{name}.csv", samples.make_rows(60, seed=seed), ("review", "stars"))
    data = {name: str(tmp_path / f"{name}.csv") for name in ("train", "valid", "test")}
    plan = StudyPlan.of({"space": {"ngrams": [1, 2]}, "data": {**data, "text": "review", "label": "stars"}})
    experiment = plan.experiment()
    (part,) = experiment.division.divided(experiment.table, experiment.valid, experiment.test)
    assert [x.name for x in (part.train, part.valid, part.test)] == list(data.values())
    given = chainrule.Table.from_lists(["good", "bad"], ["p", "n"])
    assert plan.experiment(given).table is given
    assert plan.experiment(given).valid is None
