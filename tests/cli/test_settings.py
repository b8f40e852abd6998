"""Settings from options, from a file, and from what a finished training wrote: the same settings give the same bits."""

import json
import math
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import chainrule
from chainrule.cli.configuration import Choice
from chainrule.cli.main import make_parser
from chainrule.cli.options import given_settings
from chainrule.errors import ConfigurationError
from chainrule.models import LEARNERS
from chainrule.optim import OPTIMIZERS
from chainrule.report import read_record
from chainrule.settings.file import read_settings_file, toml_text
from chainrule.tasks import INPUTS, TASKS
from chainrule.train import Training
from tests.cli.kinds import CHOICES, choosing, chosen, options
from tests.samples import command_line, make_rows, timeless, weights, write_rows

# Random settings make the round trip


def values(x):
    """Any value that a setting may take."""
    declared = x.declaration
    if x.name == "class_weights":  # items in a form of their own
        weights = st.dictionaries(st.text(max_size=4), st.floats(1e-3, 1e3), max_size=3)
        return st.sampled_from([None, ("balanced",)]) | weights.map(lambda x: tuple(f"{k}={v}" for k, v in x.items()))
    if x.type is bool:
        item = st.booleans()
    elif declared.spelled is not None:
        item = st.sampled_from(list(declared.spelled.values())).flatmap(built).map(lambda made: made.spelled())
    elif declared.choices is not None:
        item = st.sampled_from(list(declared.choices))
    elif x.type is str:
        item = st.text(max_size=8)
    elif x.type is int:
        item = st.integers(
            declared.least if declared.least is not None else -100,
            10**6 if declared.below is None else math.ceil(declared.below) - 1,
        )
    else:
        least = declared.least if declared.least is not None else declared.above
        most = declared.below if declared.below is not None else 1e6
        item = st.floats(
            least, most, exclude_min=declared.above is not None, exclude_max=declared.below is not None,
            allow_nan=False, allow_infinity=False,
        )  # fmt: skip
    if x.listed:
        item = st.lists(item, max_size=4).map(tuple)
    return st.none() | item if x.optional else item


@st.composite
def built(draw, kind, **further):
    """A kind with any settings."""
    drawn = {x.name: draw(values(x), label=x.option) for x in options(kind)}
    made = None
    with suppress(ConfigurationError):  # values that do not go together, such as Nesterov's form without a momentum
        made = kind(**drawn, **further)
    assume(made is not None)
    return made


@st.composite
def trainings(draw, names):
    """Task, learner and training of a choice, with any settings."""
    task, inputs, learner, _, optimizer, schedule = chosen(*names)
    return (
        draw(built(task, inputs=draw(built(inputs)))),
        draw(built(learner)),
        draw(built(Training, optimizer=draw(built(optimizer)), schedule=draw(built(schedule)))),
    )


def words_of(*kinds):
    """The options that stand for these settings."""
    words = []
    for made in kinds:
        for x in options(type(made)):
            value = getattr(made, x.name)
            if not x.switch:
                words.append(f"{x.option}={x.text(value)}")
            elif value != x.default:
                words.append(x.option)
        words += words_of(*(getattr(made, x.name) for x in made.declared() if x.kinds is not None))
    return words


def from_options(words):
    """Task, learner and training of a command line."""
    parsed = make_parser(["train", *words]).parse_args(["train", *words])
    return parsed.choice.built(given_settings(parsed))


def from_file(content):
    """Task, learner and training of a settings file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "settings.toml")
        path.write_text(toml_text(content), encoding="utf-8", newline="")
        return Choice.of(["--config", str(path)]).built({})


# Many drawn settings contradict each other, and are drawn again.
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.sampled_from(CHOICES).flatmap(lambda names: st.tuples(st.just(names), trainings(names))))
def test_any_settings_make_the_round_trip(chosen_and_made):
    """Through JSON, through TOML, and through the command line: equal objects come out."""
    names, (task, learner, training) = chosen_and_made
    content = {"task": task.settings(), "learner": learner.settings(), "training": training.settings()}
    held = json.loads(json.dumps(content))
    assert held == content
    assert TASKS.make(held["task"]) == task
    assert INPUTS.make(held["task"]["inputs"]) == task.inputs
    assert LEARNERS.make(held["learner"]) == learner
    rate = held["training"]["learning_rate"]
    assert OPTIMIZERS.make(held["training"]["optimizer"], learning_rate=rate) == training.optimizer
    assert Training(**held["training"]) == training
    assert from_file(content) == (task, learner, training)
    assert from_options([*choosing(*names), *words_of(task, learner, training)]) == (task, learner, training)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet=st.sampled_from("ab ,\"\n\r\t'none"), max_size=5), max_size=3).map(tuple))
def test_any_names_of_columns_make_the_round_trip(names):
    """Whatever stands in a header: blanks around a name, commas, quotes and line breaks in it."""
    (numbers,) = (x for x in INPUTS["columns"].declared() if x.name == "numbers")
    assert numbers.parsed("columns", numbers.text(names)) == names


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.text(max_size=4), st.text() | st.integers() | st.booleans() | st.lists(st.text(), max_size=3))
)
def test_any_content_makes_the_round_trip_through_a_file(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "settings.toml")
        path.write_text(toml_text({"table": content, **content}), encoding="utf-8", newline="")
        assert read_settings_file(path) == {"table": content, **content}


# A file says what options say


OPTIONS = [
    "--learner", "ffnn", "--dim", "6", "--hidden", "5,4", "--activation", "tanh", "--keep-case", "--ngrams", "1",
    "--max-vocabulary", "90", "--optimizer", "sgd", "--momentum", "0.5", "--lr", "0.01", "--epochs", "2", "--clip", "1",
    "--output", "sigmoid", "--seed", "7",
]  # fmt: skip
FILE = """\
# What OPTIONS say.
seed = 7
[task]
output = "sigmoid"
[task.inputs]
lowercase = false
ngrams = 1
maximum_size = 90
[learner]
name = "ffnn"
dim = 6
hidden = [5, 4]
activation = "tanh"
[training]
learning_rate = 0.01
epochs = 2
clip = 1
[training.optimizer]
name = "sgd"
momentum = 0.5
"""


@pytest.fixture
def config(tmp_path):
    """A settings file with this content."""

    def call(content):
        path = tmp_path / "settings.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return call


def test_a_file_gives_what_options_give(run, csv_file, config, tmp_path):
    assert run("train", csv_file, "--out", tmp_path / "options", *OPTIONS).code == 0
    assert run("train", csv_file, "--out", tmp_path / "file", "--config", config(FILE)).code == 0
    assert weights(tmp_path / "options") == weights(tmp_path / "file")
    records = [read_record(tmp_path / name / "record.jsonl") for name in ("options", "file")]
    assert timeless(records[0]) == timeless(records[1])


def test_columns_in_a_file_choose_what_they_choose_as_options(run, tmp_path, config):
    """A learner of columns, where none is named."""
    table = column_table(tmp_path)
    more = ["--epochs", 1, "--quiet"]
    words = ["--numbers", "a,b", "--categories", "kind"]
    assert run("train", table, "--out", tmp_path / "options", *words, *more).code == 0
    path = config('[task.inputs]\nnumbers = ["a", "b"]\ncategories = ["kind"]\n')
    result = run("train", table, "--out", tmp_path / "file", "--config", path, *more)
    assert (result.code, result.error) == (0, "")
    assert weights(tmp_path / "options") == weights(tmp_path / "file")


def test_options_go_before_the_file(run, csv_file, config, tmp_path):
    words = ["--dim", "3", "--hidden", "", "--seed", "1", "--momentum", "0.25", "--output", "softmax", "--clip", "none"]
    result = run("train", csv_file, "--out", tmp_path / "model", "--config", config(FILE), *words, "--epochs", 1)
    assert result.code == 0
    first = read_record(tmp_path / "model" / "record.jsonl")[0]
    assert first["seed"] == 1
    assert (first["learner"]["dim"], first["learner"]["hidden"], first["learner"]["activation"]) == (3, [], "tanh")
    assert first["training"]["optimizer"]["momentum"] == 0.25
    assert first["training"]["clip"] is None
    assert first["task"]["output"] == "softmax"
    assert first["task"]["inputs"]["ngrams"] == 1


def test_an_option_goes_before_a_value_that_the_file_may_not_have(run, csv_file, config, tmp_path):
    path = config("[training]\nepochs = 0\n")
    words = ["--config", path, "--learner", "bow", "--epochs", 1]
    assert run("train", csv_file, "--out", tmp_path / "model", *words).code == 0


def test_a_switch_goes_before_the_file(run, csv_file, config, tmp_path):
    path = config("[task.inputs]\nlowercase = true\n[training.optimizer]\nlazy = false\n")
    words = ["--config", path, "--learner", "bow", "--epochs", 1, "--keep-case", "--lazy"]
    assert run("train", csv_file, "--out", tmp_path / "model", *words).code == 0
    first = read_record(tmp_path / "model" / "record.jsonl")[0]
    assert first["task"]["inputs"]["lowercase"] is False
    assert first["training"]["optimizer"]["lazy"] is True


def test_another_learner_than_that_of_the_file(run, refused, csv_file, config, tmp_path):
    """What the file says of the one it names is of no use to another, which is said with the line."""
    path = config('[learner]\nname = "ffnn"\ndim = 5\n')
    message = refused("train", csv_file, "--out", tmp_path / "model", "--config", path, "--learner", "bow")
    assert message.startswith(
        f"chainrule: error: {path}, line 2: the file has settings of learner ffnn, and --learner bow"
    )
    path = config('[learner]\nname = "ffnn"\n')
    words = ["--config", path, "--learner", "bow", "--epochs", 1]
    assert run("train", csv_file, "--out", tmp_path / "model", *words).code == 0
    assert chainrule.Model.load(tmp_path / "model").learner.name == "bow"


def test_an_empty_file_changes_nothing(run, csv_file, config, tmp_path):
    more = ["--learner", "bow", "--epochs", 1, "--eager"]
    assert run("train", csv_file, "--out", tmp_path / "plain", *more).code == 0
    for i, content in enumerate(("", "\n\n# nothing\n", "[learner]\n[task]\n[training]\n[data]\n")):
        assert run("train", csv_file, "--out", tmp_path / str(i), "--config", config(content), *more).code == 0
        assert weights(tmp_path / str(i)) == weights(tmp_path / "plain")


def test_the_engine_and_the_data_of_a_file(run, tmp_path, config):
    rows = [(f"{text} café", label) for text, label in make_rows(60)]
    for name, part in (("train.csv", rows[:40]), ("valid.csv", rows[40:])):
        path = write_rows(tmp_path / name, part, columns=("review", "stars"))
        path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    content = (
        f'engine = "eager"\n[data]\ntrain = "{tmp_path}/train.csv"\nvalid = "{tmp_path}/valid.csv"\n'
        'text = "review"\nlabel = "stars"\nencoding = "latin-1"\n[learner]\nname = "bow"\n[training]\nepochs = 2\n'
    )
    assert run("train", "--config", config(content), "--out", tmp_path / "model").code == 0
    first = read_record(tmp_path / "model" / "record.jsonl")[0]
    assert first["engine"] == "eager"
    assert [first["data"][part]["rows"] for part in ("train", "valid")] == [40, 20]
    words = ["--out", tmp_path / "native", "--engine", "native"]
    assert run("train", "--config", config(content), *words).code == 0
    assert read_record(tmp_path / "native" / "record.jsonl")[0]["engine"] == "native"


# What is wrong with a file is said with its line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[training]\nepohcs = 3\n", "line 2: training has no setting 'epohcs'; did you mean 'epochs'?"),
        ("seed = 1\n\n[trainig]\n", "line 3: a settings file has no setting 'trainig'; did you mean 'training'?"),
        ("threads = 2\n", "line 1: a settings file has no setting 'threads'; it has data, engine, learner, seed, task"),
        ('[learner]\nname = "bow"\nhidden = [3]\n', "line 3: learner bow has no setting 'hidden'; it has scale"),
        ('[learner]\nname = "bw"\n', "line 2: there is no learner 'bw'; did you mean 'bow'?"),
        (
            '[learner]\nname = "svm"\n',
            "line 2: there is no learner 'svm'; expected bow or cnn or ffnn or linear or mlp or pretrained or rnn or "
            "gru or lstm or seq2seq or transformer",
        ),
        (
            "[learner]\nname = 3\n",
            "line 2: there is no learner 3; expected bow or cnn or ffnn or linear or mlp or pretrained or rnn or "
            "gru or lstm or seq2seq or transformer",
        ),
        ('[learner]\nname = "linaer"\n[task.inputs]\nmissing = "mean"\n', "line 2: there is no learner 'linaer'; did"),
        ('[task]\nname = "regres"\ncriterion = "mae"\n', "line 2: there is no task 'regres'; did you mean 'reg"),
        ('[training.optimizer]\nmomentum = 0.5\nname = "sgdd"\n', "line 3: there is no optimizer 'sgdd'; did you mean"),
        ('[training.optimizer]\nname = "sgd"\nmomentun = 0.5\n', "line 3: training.optimizer sgd has no setting 'mome"),
        ("[training.optimizer]\nbeta1 = 0.5\n", "line 2: training.optimizer sgd has no setting 'beta1'; it has"),
        ("[training.schedule]\nwarm = 0.5\n", "line 2: training.schedule linear has no setting 'warm'"),
        ('[training]\nschedule = "linear"\n', "line 2: training.schedule: expected a table, [training.schedule], got"),
        ('[training.schedule]\nname = "lineer"\n', "line 2: there is no schedule 'lineer'; did you mean 'linear'?"),
        (
            "[training.optimizer]\nlearning_rate = 0.5\n",
            "line 2: training.optimizer sgd has no setting 'learning_rate",
        ),
        (
            '[task.inputs]\nname = "columns"\n[learner]\nname = "bow"\n',
            "line 2: the learner bow reads text, not columns",
        ),
        ('[task.inputs]\nname = "text"\nmissing = "mean"\n', "line 3: task.inputs text has no setting 'missing'; it h"),
        ('[data]\nlabl = "x"\n', "line 2: data has no setting 'labl'; did you mean 'label'?"),
        ("[data]\nlabel = 3\n", "line 2: data.label must be a text, got 3"),
        ('learner = "bow"\n', "line 1: learner: expected a table, [learner], got 'bow'"),
        ('[training]\noptimizer = "sgd"\n', "line 2: training.optimizer: expected a table, [training.optimizer], got"),
        ("[seed]\nx = 1\n", "line 1: seed: expected a value, got {'x': 1}"),
        ("[[learner]]\ndim = 5\n", "line 1: learner: expected a table, [learner], got [{'dim': 5}]"),
        ('[training]\nepochs = "3"\n', "line 2: epochs must be a whole number of 1 or more or none, got '3'"),
        ("[training]\nepochs = 3.5\n", "line 2: epochs must be a whole number of 1 or more or none, got 3.5"),
        ("[training]\nepochs = true\n", "line 2: epochs must be a whole number of 1 or more or none, got True"),
        ("[training]\n# none\n\nepochs = 0\n", "line 4: epochs must be a whole number of 1 or more or none, got 0"),
        ("training.epochs = 0\n", "line 1: epochs must be a whole number of 1 or more or none, got 0"),
        ("training = {epochs = 0}\n", "line 1: epochs must be a whole number of 1 or more or none, got 0"),
        ('["training"]\n"epochs" = 0\n', "line 2: epochs must be a whole number of 1 or more or none, got 0"),
        ("[training]\nlearning_rate = nan\n", "line 2: learning_rate must be a number above 0"),
        (
            '[learner]\nname = "ffnn"\ndropout = "none"\n',
            "line 3: dropout must be a number of 0 or more and below 1, got 'none'",
        ),
        ('[learner]\nname = "ffnn"\nhidden = 3\n', "line 3: hidden must be whole numbers of 1 or more, such as"),
        ('[learner]\nname = "ffnn"\nhidden = [3, "x"]\n', "line 3: hidden must be whole numbers of 1 or more, such as"),
        (
            '[learner]\nname = "ffnn"\nhidden = [\n  3,\n  0,\n]\n',
            "line 3: hidden must be whole numbers of 1 or more, such as",
        ),
        (
            '[learner]\nname = "ffnn"\ndim = 1979-05-27\n',
            "line 3: dim must be a whole number of 1 or more, got datetime.date(1979",
        ),
        (
            '[learner]\nname = "ffnn"\nactivation = "rellu"\n',
            "line 3: activation must be one of identity, relu, relu6, ",
        ),
        ('[task.inputs]\nlowercase = "no"\n', "line 2: lowercase must be True or False, got 'no'"),
        ("seed = -3\n", "line 1: seed must be a whole number of 0 or more, got -3"),
        ("seed = 1.5\n", "line 1: seed must be a whole number"),
        ("seed = true\n", "line 1: seed must be a whole number"),
        ("\nengine = 3\n", "line 2: engine must be a text, got 3"),
        ('\nengine = "natve"\n', "line 2: there is no engine 'natve'; did you mean 'native'?"),
        ('[task]\nname = "multi-label"\nlabel_separator = ""\n', "line 3: label_separator"),
    ],
)
def test_what_a_file_may_not_have(refused, csv_file, config, tmp_path, content, message):
    path = config(content)
    found = refused("train", csv_file, "--out", tmp_path / "model", "--config", path)
    assert found.startswith(f"chainrule: error: {path}, {message}")
    assert not (tmp_path / "model").exists()
    assert not (tmp_path / "model.partial").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[training]\nepochs = = 3\n", "is not TOML: Invalid value (at line 2, column 10)"),
        ("[training]\nepochs = 3\nepochs = 4\n", "is not TOML: Cannot overwrite a value (at line 3, column "),
        ("[training\n", "is not TOML: "),
        ("epochs: 3\n", "is not TOML: "),
        ('{"learner": {"name": "bow"}}', "is not TOML: "),
        ("# café\n".encode("latin-1"), "is not UTF-8 at offset 5; save it as UTF-8"),
        ("seed = 1\n".encode("utf-16"), "is not UTF-8 at offset 0; save it as UTF-8"),
        (b"seed = 1\x00\n", "is not TOML: "),
    ],
)
def test_a_file_that_is_no_toml(refused, csv_file, config, tmp_path, content, message):
    path = config(content)
    found = refused("train", csv_file, "--out", tmp_path / "model", "--config", path)
    assert found.startswith(f"chainrule: error: {path}: {message}")


def test_a_file_that_begins_with_a_mark(run, csv_file, config, tmp_path):
    """As editors on Windows write it."""
    path = config("\ufeffseed = 3\n")
    words = ["--config", path, "--learner", "bow", "--epochs", 1]
    result = run("train", csv_file, "--out", tmp_path / "model", *words)
    assert (result.code, read_record(tmp_path / "model" / "record.jsonl")[0]["seed"]) == (0, 3)


def test_a_file_that_is_not_there(refused, csv_file, tmp_path):
    words = ["train", csv_file, "--out", tmp_path / "model", "--config"]
    missing = tmp_path / "missing.toml"
    assert refused(*words, missing) == f"chainrule: error: {missing}: cannot be read: No such file or directory"
    assert refused(*words, tmp_path) == f"chainrule: error: {tmp_path}: cannot be read: Is a directory"
    assert "argument --config: expected one argument" in refused(*words)


# What a training wrote repeats it


def column_table(tmp_path):
    """A table of columns that any task has something to learn from."""
    rows = [
        (i % 7, (i * 5 % 11) / 10, "pqr"[i % 3], "yes" if i % 7 > 3 else "no", (i % 7) - (i * 5 % 11) / 20)
        for i in range(60)
    ]
    return write_rows(tmp_path / "columns.csv", rows, columns=("a", "b", "kind", "label", "price"))


def text_words(tmp_path):
    path = write_rows(tmp_path / "reviews.csv", make_rows(60), columns=("review", "stars"))
    return [path, "--text", "review", "--label", "stars", "--seed", 4, *command_line("ffnn", clip=1, every=2)]


def valid_words(tmp_path):
    train = write_rows(tmp_path / "train.jsonl", make_rows(60))
    valid = write_rows(tmp_path / "valid.tsv", make_rows(30, seed=1))
    return [train, "--valid", valid, *command_line("bow"), "--optimizer", "sgd", "--eager", "--output", "tanh"]


def column_words(tmp_path):
    words = ["--numbers", "auto", "--categories", "kind", "--label", "label", "--learner", "mlp", "--epochs", 3]
    return [column_table(tmp_path), *words, "--dropout", 0.2, "--l2", 0.01, "--optimizer", "adamw", "--batch-size", 8]


def number_words(tmp_path):
    words = ["--task", "regress", "--numbers", "a,b", "--categories", "", "--label", "price", "--learner", "linear"]
    return [column_table(tmp_path), *words, "--loss", "mae", "--epochs", 3, "--seed", 2]


@pytest.mark.parametrize("words", [text_words, valid_words, column_words, number_words])
def test_what_a_training_wrote_repeats_it(run, tmp_path, monkeypatch, words):
    """To the same bits, from anywhere; the file and the record say the same, and so do those of the repeated one."""
    assert run("train", *words(tmp_path), "--out", tmp_path / "model", "--quiet").code == 0
    written = tmp_path / "model" / "settings.toml"
    record = read_record(tmp_path / "model" / "record.jsonl")
    assert record[0]["settings"] == written.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path / "model")
    result = run("train", "--config", written, "--out", tmp_path / "again", "--quiet")
    assert (result.code, result.error) == (0, "")
    assert weights(tmp_path / "again") == weights(tmp_path / "model")
    again = read_record(tmp_path / "again" / "record.jsonl")
    assert timeless(again) == timeless(record)
    for name in ("model.json", "settings.toml"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "model" / name).read_bytes()


def test_what_a_training_wrote_is_all_of_its_settings(run, tmp_path):
    assert run("train", *column_words(tmp_path), "--out", tmp_path / "model", "--quiet").code == 0
    content = read_settings_file(tmp_path / "model" / "settings.toml")
    for section, kind in zip(
        ("task", "task.inputs", "learner", "training", "training.optimizer", "training.schedule"),
        chosen("classify", "mlp", "adamw"),
        strict=True,
    ):
        table = content
        for part in section.split("."):
            table = table[part]
        assert {x.name for x in options(kind)} <= table.keys()
    assert content["task"]["inputs"]["numbers"] == ["a", "b", "price"]
    assert content["seed"] == 0
    assert content["engine"] == "native"
    assert content["data"] == {
        "train": str(tmp_path / "columns.csv"), "label": "label", "encoding": "utf-8", "separator": "auto",
        "quoting": "auto", "header": True,
    }  # fmt: skip


def test_what_a_training_wrote_goes_with_another_table_and_other_options(run, csv_file, tmp_path):
    assert run("train", *text_words(tmp_path), "--out", tmp_path / "model", "--quiet").code == 0
    words = ["--config", tmp_path / "model" / "settings.toml", "--text", "text", "--label", "label", "--dim", 3]
    assert run("train", csv_file, *words, "--out", tmp_path / "other", "--quiet").code == 0
    first = read_record(tmp_path / "other" / "record.jsonl")[0]
    assert first["data"]["train"]["name"] == str(csv_file)
    assert (first["seed"], first["learner"]["dim"], first["learner"]["hidden"]) == (4, 3, [6])


STRANGE = [
    'say "x".csv',
    "back\\slash.csv",
    "new\nline.csv",
    "🎉.csv",
    "tab\there.csv",
    "a#b=c.csv",
    "\x7f.csv",
    "'.csv",
]


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names_of_files_survive(run, tmp_path, name):
    path = write_rows(tmp_path / "texts.csv", make_rows(30)).rename(tmp_path / name)
    assert run("train", path, "--out", tmp_path / "model", *command_line("bow", epochs=1), "--eager").code == 0
    assert read_settings_file(tmp_path / "model" / "settings.toml")["data"]["train"] == str(path)
    again = run("train", "--config", tmp_path / "model" / "settings.toml", "--out", tmp_path / "again", "--quiet")
    assert (again.code, again.error) == (0, "")
    assert weights(tmp_path / "again") == weights(tmp_path / "model")


@pytest.mark.parametrize("name", [" blank around ", "a,b", 'say "x"', "two\nlines", "none", "-x", "", "#"])
def test_strange_names_of_columns_survive(run, tmp_path, name):
    """Given as options, found in the table, and written down."""
    rows = [(i, i % 5, "yn"[i % 2]) for i in range(40)]
    path = write_rows(tmp_path / "columns.csv", rows, columns=(name, "other", "label"))
    (numbers,) = (x for x in INPUTS["columns"].declared() if x.name == "numbers")
    words = ["--learner", "linear", f"--numbers={numbers.text((name,))}", "--categories", "", "--epochs", 1, "--eager"]
    result = run("train", path, "--out", tmp_path / "model", *words, "--quiet")
    assert (result.code, result.error) == (0, "")
    assert chainrule.Model.load(tmp_path / "model").task.inputs.numbers == (name,)
    again = run("train", "--config", tmp_path / "model" / "settings.toml", "--out", tmp_path / "again", "--quiet")
    assert (again.code, again.error) == (0, "")
    assert weights(tmp_path / "again") == weights(tmp_path / "model")
