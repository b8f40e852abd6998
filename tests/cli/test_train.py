"""chainrule train: every kind of table, every option, and every refusal leaving nothing behind."""

import json
import re

import pytest

import chainrule
from chainrule.models import LEARNERS
from chainrule.optim import OPTIMIZERS, SCHEDULES
from chainrule.report import read_record
from chainrule.tasks import INPUTS, TASKS
from tests.cli.kinds import CHOICES
from tests.encoders.small import encoder_folder
from tests.samples import FullDisk, at_step, command_line, fit, make_rows, poison, weights, write_rows


def names(folder):
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".CSV"])
def test_every_kind_of_table(run, tmp_path, kind):
    table = write_rows(tmp_path / f"texts{kind}", make_rows(60)) if kind != ".ndjson" else None
    if table is None:
        table = write_rows(tmp_path / "texts.jsonl", make_rows(60)).rename(tmp_path / "texts.ndjson")
    result = run("train", table, "--out", tmp_path / "model", *command_line("bow"), "--quiet")
    assert (result.code, result.error) == (0, "")
    best, model, record, curve = result.out.splitlines()
    assert re.fullmatch(r"best epoch      \d of 3: validation accuracy [01]\.\d{4}", best)
    assert model == f"model           {tmp_path / 'model'}"
    assert record == f"record          {tmp_path / 'model' / 'record.jsonl'}"
    assert curve == f"learning curve  {tmp_path / 'model' / 'curve.svg'}"
    files = ["curve.svg", "model.json", "model.safetensors", "record.jsonl", "settings.toml", "vocabulary.txt"]
    assert names(tmp_path / "model") == files
    assert names(tmp_path) == sorted(["model", table.name])


@pytest.mark.parametrize("model", ["bow", "ffnn"])
@pytest.mark.parametrize("with_valid", [False, True])
def test_it_is_what_fit_does(run, tmp_path, model, with_valid):
    train = write_rows(tmp_path / "train.csv", make_rows(80))
    valid = write_rows(tmp_path / "valid.tsv", make_rows(40, seed=1))
    options = ["--valid", valid, "--threads", 1] if with_valid else []
    result = run("train", train, "--out", tmp_path / "model", "--seed", 5, *options, *command_line(model))
    assert result.code == 0
    tables = [chainrule.read_table(train), *([chainrule.read_table(valid)] if with_valid else [])]
    expected = fit(model, *tables, seed=5, folder=tmp_path / "expected")
    assert weights(tmp_path / "model") == weights(tmp_path / "expected")
    record = read_record(tmp_path / "model" / "record.jsonl")
    assert record[0]["data"] == json.loads(json.dumps(expected.record[0]["data"]))
    assert f"best epoch      {expected.best.epoch} of 3" in result.out
    lines = result.error.splitlines()
    lines, remarks = lines[:5], lines[5:]
    assert remarks == [f"chainrule: {remark}" for remark in expected.remarks]
    assert [line.split(":")[0] for line in lines] == [
        "memory",
        "epoch 1",
        "epoch 2",
        "epoch 3",
        "stopped after epoch 3",
    ]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_defaults_are_those_of_fit(run, csv_file, tmp_path, optimizer):
    """The learning rate and the momentum that a learner was tuned with, without an option that says so."""
    words = ["train", csv_file, "--learner", "bow", "--optimizer", optimizer, "--epochs", 2, "--quiet"]
    assert run(*words, "--out", tmp_path / "model").code == 0
    training = chainrule.Training(optimizer=optimizer, epochs=2)
    chainrule.fit(
        chainrule.BagOfWords(), chainrule.read_table(csv_file), training=training, folder=tmp_path / "expected"
    )
    assert weights(tmp_path / "model") == weights(tmp_path / "expected")
    records = [read_record(tmp_path / name / "record.jsonl")[0] for name in ("model", "expected")]
    assert records[0]["training"] == records[1]["training"]


@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_model_is_another_word_for_learner(run, csv_file, tmp_path, name):
    for option in ("--model", "--learner"):
        words = [option if word == "--learner" else word for word in command_line(name)]
        assert run("train", csv_file, "--out", tmp_path / option, *words).code == 0
    assert chainrule.Model.load(tmp_path / "--model").learner.name == name
    assert weights(tmp_path / "--model") == weights(tmp_path / "--learner")


@pytest.mark.parametrize("words", [["--learner", "ffnn", "--model", "bow"], ["--model", "ffnn", "--learner", "bow"]])
def test_the_last_of_both_words_counts(run, csv_file, tmp_path, words):
    """As of any option that is given twice."""
    assert run("train", csv_file, "--out", tmp_path / "model", *words, "--epochs", 1, "--eager").code == 0
    assert chainrule.Model.load(tmp_path / "model").learner.name == "bow"


def test_eager_is_another_word_for_the_engine(run, csv_file, tmp_path):
    for folder, words in (("a", ["--eager"]), ("b", ["--engine", "eager"]), ("c", [])):
        assert run("train", csv_file, "--out", tmp_path / folder, *command_line("bow"), *words).code == 0
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    engines = [read_record(tmp_path / folder / "record.jsonl")[0]["engine"] for folder in "abc"]
    assert engines == ["eager", "eager", "native"]


#: A value for every option, unlike the default, and what the setting is then.
VALUES = {
    "--context": ("9", 9),
    "--unit": ("words", "words"),
    "--output": ("sigmoid", "sigmoid"),
    "--class-weights": ("positive=2,negative=1", ["positive=2.0", "negative=1.0"]),
    "--label-smoothing": ("0.1", 0.1),
    "--source-unit": ("words", "words"),
    "--fold-case": (None, True),
    "--target-unit": ("symbols", "symbols"),
    "--target-min-count": ("2", 2),
    "--target-max-vocabulary": ("9", 9),
    "--beam": ("2", 2),
    "--length-normalization": ("0.5", 0.5),
    "--longest": ("9", 9),
    "--truncate": ("8", 8),
    "--from": ("encoder", "encoder"),
    "--tune": ("low_rank", "low_rank"),
    "--lora-rank": ("2", 2),
    "--lora-scale": ("4", 4.0),
    "--layer-decay": ("0.9", 0.9),
    "--cell": ("gru", "gru"),
    "--attention": ("none", "none"),
    "--variational": (None, True),
    "--recurrent-dropout": ("0.3", 0.3),
    "--tie-embeddings": (None, True),
    "--label-separator": (";", ";"),
    "--threshold": ("0.4", 0.4),
    "--term-frequency": ("binary", "binary"),
    "--loss": ("mae", "mae"),
    "--normalization": ("layer", "layer"),
    "--initializer": ("orthogonal:gain=2", "orthogonal:gain=2.0"),
    "--numbers": ("a,b", ["a", "b"]),
    "--categories": ("kind", ["kind"]),
    "--missing": ("mean", "mean"),
    "--min-category-count": ("2", 2),
    "--category-encoding": ("one-hot", "one-hot"),
    "--dim": ("7", 7),
    "--vectors": ("words.txt", "words.txt"),
    "--vectors-training": ("frozen", "frozen"),
    "--unknown-words": ("random", "random"),
    "--combination": ("window", "window"),
    "--window": ("3", 3),
    "--pooling": ("last", "last"),
    "--state-size": ("6", 6),
    "--layers": ("3", 3),
    "--forward-only": (None, False),
    "--character-filters": ("5", 5),
    "--crf": (None, True),
    "--model-size": ("12", 12),
    "--heads": ("3", 3),
    "--inner-size": ("20", 20),
    "--inner-dropout": ("0.05", 0.05),
    "--positions": ("learned", "learned"),
    "--most-positions": ("40", 40),
    "--norm-last": (None, False),
    "--causal": (None, True),
    "--widths": ("2,3", [2, 3]),
    "--filters": ("4", 4),
    "--hidden": ("5,4", [5, 4]),
    "--activation": ("sigmoid", "sigmoid"),
    "--dropout": ("0.15", 0.15),
    "--word-dropout": ("0.05", 0.05),
    "--ngrams": ("3", 3),
    "--min-count": ("2", 2),
    "--min-ngram-count": ("4", 4),
    "--max-vocabulary": ("77", 77),
    "--hashed-ngrams": ("99", 99),
    "--keep-case": (None, False),
    "--characters": ("2-4", "2-4"),
    "--min-character-count": ("3", 3),
    "--lr": ("0.0625", 0.0625),
    "--clip": ("2.5", 2.5),
    "--l2": ("0.001", 0.001),
    "--l1": ("0.002", 0.002),
    "--clip-value": ("1.5", 1.5),
    "--proximal": (None, True),
    "--average": ("0.9", 0.9),
    "--average-from": ("2", 2),
    "--noise": ("0.1", 0.1),
    "--mixup": (None, True),
    "--embedding-dropout": ("0.2", 0.2),
    "--accumulate": ("3", 3),
    "--max-norm": ("3", 3.0),
    "--penalize": ("*bias*", ["*bias*"]),
    "--groups": ("*bias=0.5x", ["*bias=0.5x"]),
    "--precision": ("bfloat16", "bfloat16"),
    "--batch-size": ("11", 11),
    "--attention-dropout": ("0.2", 0.2),
    "--carry-state": (None, True),
    "--epochs": ("2", 2),
    "--patience": ("6", 6),
    "--every": ("3", 3),
    "--lazy": (None, True),
    "--beta1": ("0.8", 0.8),
    "--beta2": ("0.98", 0.98),
    "--epsilon": ("1e-05", 1e-05),
    "--weight-decay": ("0.02", 0.02),
    "--momentum": ("0.3", 0.3),
    "--nesterov": (None, True),
    "--initial": ("0.5", 0.5),
    "--decay": ("0.8", 0.8),
    "--centered": (None, True),
    "--momentum-decay": ("0.1", 0.1),
    "--plain": (None, True),
    "--history": ("5", 5),
    "--tolerance": ("1e-05", 1e-05),
    "--iterations": ("3", 3),
    "--length": ("shape", "shape"),
    "--warmup": ("0.2", 0.2),
    "--scale": ("3", 3.0),
    "--drops": ("3", 3),
    "--drop": ("0.2", 0.2),
    "--last": ("0.2", 0.2),
    "--power": ("3", 3.0),
    "--final": ("0.2", 0.2),
    "--restarts": ("3", 3),
    "--rise": ("0.2", 0.2),
    "--first": ("0.2", 0.2),
    "--reduction": ("0.2", 0.2),
    "--wait": ("2", 2),
    "--schedules": ("constant,linear", ["constant", "linear"]),
    "--shares": ("0.2,0.8", [0.2, 0.8]),
}


#: The loss of tasks that take no other.
LOSSES = {"classify": "cross_entropy", "multi-label": "focal", "regress": "mae"}


def test_every_setting_has_a_value_for_the_next_test():
    kinds = [
        *TASKS.values(),
        *INPUTS.values(),
        *LEARNERS.values(),
        *OPTIMIZERS.values(),
        *SCHEDULES.values(),
        chainrule.Training,
    ]
    declared = [x for kind in kinds for x in kind.declared() if x.kinds is None]
    assert set(VALUES) == {x.option for x in declared}
    for x in declared:
        assert VALUES[x.option][1] != x.default


@pytest.mark.parametrize(("task", "learner", "optimizer"), CHOICES)
def test_every_option_reaches_the_training(run, tmp_path, monkeypatch, task, learner, optimizer):
    table = write_rows(tmp_path / "rows.csv", rows_of_everything(), columns=tuple(COLUMNS))
    inputs = type(TASKS[task].inputs_for(LEARNERS[learner].reads))
    sections = {
        "task": TASKS[task],
        "inputs": inputs,
        "learner": LEARNERS[learner],
        "training": chainrule.Training,
        "optimizer": OPTIMIZERS[optimizer],
        "schedule": SCHEDULES["linear"],
    }
    declared = {name: [x for x in kind.declared() if x.kinds is None] for name, kind in sections.items()}
    values = {**VALUES, "--loss": (LOSSES.get(task), LOSSES.get(task))}
    if OPTIMIZERS[optimizer].searches:  # then the loss is of all rows, and nothing is drawn
        values |= {"--batch-size": ("all", "all"), "--dropout": ("0", 0.0), "--word-dropout": ("0", 0.0)}
        values["--groups"] = ("*bias=frozen", ["*bias=frozen"])
    (tmp_path / "words.txt").write_text("good 1 0 0 0 0 0 0\nbad 0 1 0 0 0 0 0\n")
    encoder_folder(tmp_path / "encoder")
    monkeypatch.chdir(tmp_path)
    left_out = {
        {"bow": "--min-ngram-count"}.get(learner, "--hashed-ngrams"),  # n-grams are counted or hashed
        "--vectors-training",  # what is penalized cannot be frozen
        "--precision",  # which the engine of these trainings has but one of
    }
    if inputs.name in ("units", "source"):
        left_out |= {"--vectors", "--character-filters"}  # which are of words alone
    if OPTIMIZERS[optimizer].searches:
        left_out |= {"--clip", "--clip-value", "--proximal", "--max-norm", "--average"}
        left_out |= {"--noise", "--mixup", "--embedding-dropout", "--recurrent-dropout", "--variational"}
    if learner in ("cnn", "transformer") or OPTIMIZERS[optimizer].searches:
        left_out.add("--carry-state")  # which recurrent learners have, and mini-batches
    if OPTIMIZERS[optimizer].rowwise:  # lazy updates are of one mini-batch
        left_out.add("--accumulate")
    else:  # then it refuses to be lazy
        declared["optimizer"] = [x for x in declared["optimizer"] if x.name != "lazy"]
    words = [
        word
        for held in declared.values()
        for x in held
        if x.option not in left_out
        for word in (x.option, values[x.option][0])
        if word is not None
    ]
    expected_values = {option: value for option, (_, value) in values.items() if option not in left_out}
    label = {
        "classify": "label", "multi-label": "tags", "regress": "price", "tag": "label", "continue": None,
        "transduce": "label",
    }[task]  # fmt: skip
    if task == "tag":
        table = write_rows(tmp_path / "rows.jsonl", [(x.split(), x.split()) for x, _ in make_rows(60)])
    names = ["--task", task, "--learner", learner, "--optimizer", optimizer, *(["--label", label] if label else [])]
    names += ["--schedule", "linear"]
    if task != "classify":  # steps with everything in them take long to compile
        names += ["--engine", "eager"]
    assert run("train", table, "--out", tmp_path / "model", *names, *words, "--quiet").code == 0
    first = read_record(tmp_path / "model" / "record.jsonl")[0]
    expected = {
        name: {
            **({"name": kind.name} if kind.name else {}),
            **{x.name: expected_values.get(x.option, x.default) for x in declared[name]},
        }
        for name, kind in sections.items()
    }
    expected["optimizer"].setdefault("lazy", False)
    assert first["learner"] == expected["learner"]
    assert first["task"] == {**expected["task"], "inputs": expected["inputs"]}
    assert first["training"] == {
        **expected["training"], "optimizer": expected["optimizer"], "schedule": expected["schedule"]
    }  # fmt: skip


COLUMNS = ("text", "a", "b", "kind", "label", "tags", "price")


def rows_of_everything():
    """Rows of which any task has something to learn, for any learner."""
    rows = []
    for i, (text, label) in enumerate(make_rows(60)):
        tags = ";".join(tag for tag in ("x", "y") if (i % 3 == 0 or tag == "y") and i % 5)
        rows.append((text, i % 7, i / 10, "pqr"[i % 3], label, tags, (i % 7) - i / 20))
    return rows


def test_the_decay_of_weights_is_held_against_the_learning_rate_that_is_given(refused, csv_file, tmp_path):
    """Of which each step takes so much that something of the weights is left."""
    words = ["train", csv_file, "--learner", "bow", "--optimizer", "adamw", "--epochs", 1, "--quiet"]
    message = refused(*words, "--weight-decay", 20, "--lr", 0.1, "--out", tmp_path / "model")
    assert "0.1 × 20.0, which leaves nothing of the weights" in message
    assert not (tmp_path / "model").exists()


def test_hidden_may_be_empty(run, csv_file, tmp_path):
    options = command_line("ffnn", hidden="", epochs=1)
    assert run("train", csv_file, "--out", tmp_path / "model", *options).code == 0
    assert chainrule.Model.load(tmp_path / "model").learner.hidden == ()


def test_the_default_learner_of_texts_is_the_linear_one(run, csv_file, tmp_path):
    assert run("train", csv_file, "--out", tmp_path / "model", "--epochs", 1).code == 0
    assert chainrule.Model.load(tmp_path / "model").learner.name == "bow"


def test_columns_and_encoding(run, tmp_path):
    rows = [(f"{text} café", label, "x") for text, label in make_rows(60)]
    path = write_rows(tmp_path / "texts.csv", rows, columns=("review", "stars", "other"))
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    options = ["--text", "review", "--label", "stars", "--encoding", "latin-1"]
    assert run("train", path, "--out", tmp_path / "model", *options, *command_line("bow")).code == 0
    assert "café" in chainrule.Model.load(tmp_path / "model").codec.inputs.vocabulary.entries.to_list()


def test_unlabelled_rows_and_empty_texts_are_counted(run, tmp_path):
    rows = [*make_rows(60), ("no label", ""), ("none either", "  "), ("", "positive"), ("  ", "negative"), ("", "")]
    train = write_rows(tmp_path / "train.csv", rows)
    valid = write_rows(tmp_path / "valid.csv", [*make_rows(20), ("lost", "")])
    result = run("train", train, "--valid", valid, "--out", tmp_path / "model", *command_line("bow"), "--quiet")
    assert result.code == 0
    assert result.error.splitlines() == [
        f"chainrule: {train}: 3 unlabelled rows left out, 2 empty texts kept",
        f"chainrule: {valid}: 1 unlabelled rows left out, 0 empty texts kept",
    ]


def test_control_characters_are_counted_once(run, tmp_path):
    """They are no part of a token; the line says how many there are, of training and of validation rows."""
    rows = [
        (text.replace(" ", " \x1b[1m\x07", 1) if i % 10 == 0 else text, x) for i, (text, x) in enumerate(make_rows(60))
    ]
    train = write_rows(tmp_path / "train.jsonl", rows)
    valid = write_rows(tmp_path / "valid.jsonl", make_rows(20))
    result = run("train", train, "--valid", valid, "--out", tmp_path / "model", *command_line("bow"), "--quiet")
    assert result.code == 0
    what = "12 control characters (such as NUL) in 6 texts are no part of any token"
    assert result.error.splitlines() == [f"chainrule: {train}: {what}"]
    entries = chainrule.Model.load(tmp_path / "model").codec.inputs.vocabulary.entries
    assert not entries.str.contains(r"\p{Cc}").any()


def test_character_ngrams(run, refused, csv_file, tmp_path):
    """Named, they are there; by themselves they are where a script has no spaces; what is no length is refused."""
    words = ["train", csv_file, "--learner", "bow", "--epochs", 1, "--quiet"]
    assert run(*words, "--characters", "3", "--out", tmp_path / "named").code == 0
    assert chainrule.Model.load(tmp_path / "named").codec.describe()["characters"] == "3-3"
    thai = write_rows(tmp_path / "thai.csv", [("ดีมากสนุก" if i % 2 else "แย่มากน่าเบื่อ", str(i % 2)) for i in range(40)])
    trained = run("train", thai, *words[2:-1], "--out", tmp_path / "thai")
    assert trained.code == 0
    said = f"{thai}: its script writes words without spaces, so pieces of 2-4 characters stand for them"
    assert said in trained.error
    assert said in json.loads((tmp_path / "thai" / "record.jsonl").read_text().splitlines()[0])["remarks"][-1]
    model = chainrule.Model.load(tmp_path / "thai")
    assert model.codec.describe()["characters"] == "2-4"
    assert model.predict(["สนุกดี", "เบื่อแย่"]) == ["1", "0"]  # words that no training text holds
    dry = run("train", thai, *words[2:], "--dry-run").out
    assert any(line.split() == ["character", "n-grams", "2-4"] for line in dry.splitlines())
    message = refused(*words, "--characters", "5-3", "--out", tmp_path / "model")
    assert "--characters must be auto, none or lengths such as 3-5, got '5-3'" in message
    assert not (tmp_path / "model").exists()


def test_a_full_disk(run, refused, csv_file, tmp_path, monkeypatch):
    """For the record, the weights, description, settings, the whole record; the curve can wait."""
    words = ["train", csv_file, *command_line("bow", epochs=1), "--quiet"]
    run(*words, "--out", tmp_path / "first")  # which also keeps the kernels that it compiles
    with monkeypatch.context() as patch:
        disk = FullDisk(patch)
        run(*words, "--out", tmp_path / "whole")
    assert disk.writes == 13
    for write in (1, 3, 5, 9, 10, 11, 12):
        with monkeypatch.context() as patch:
            FullDisk(patch, full_at=write)
            message = refused(*words, "--out", tmp_path / f"model{write}")
        assert message.startswith("chainrule: error: cannot write ")
        assert "No space left on device" in message
        assert not list(tmp_path.glob(f"model{write}*"))  # as there was no checkpoint
        assert run(*words, "--out", tmp_path / f"model{write}", "--resume").code == 0
        assert weights(tmp_path / f"model{write}") == weights(tmp_path / "whole")
    with monkeypatch.context() as patch:
        FullDisk(patch, full_at=disk.writes)
        result = run(*words, "--out", tmp_path / "model")
    assert result.code == 0
    assert "learning curve  none: cannot write" in result.out
    chainrule.Model.load(tmp_path / "model")
    assert run(*words, "--out", tmp_path / "model", "--resume").code == 0
    assert (tmp_path / "model" / "curve.svg").read_bytes() == (tmp_path / "whole" / "curve.svg").read_bytes()


# Refusals: each says one thing, and leaves nothing.


@pytest.fixture
def train_refused(refused, tmp_path):
    """Refused, and nothing new in the folder."""

    def call(*words, out=None):
        before = names(tmp_path)
        message = refused("train", *words, "--out", tmp_path / "model" if out is None else out)
        assert names(tmp_path) == before
        return message

    return call


def write(tmp_path, data, name="texts.csv"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


TWO = "text,label\ngood,a\nbad,b\n"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("missing.csv", None, "missing.csv: no such file (looked in "),
        ("texts.csv", "", "texts.csv: is empty; expected a table with a row for each text"),
        ("texts.jsonl", "\n\n", "texts.jsonl: is empty"),
        ("texts.csv", "text,label\n", "texts.csv: has a header but no rows"),
        ("texts.csv", "review,stars\na,1\n", "no column 'text'; the columns are 'review', 'stars'. Name the one"),
        ("texts.csv", "text,stars\na,1\n", "no column 'label'; the columns are 'text', 'stars'. Name the one that"),
        ("texts.csv", "text,label\na,x\nb,x\n", "only the label 'x'; a classifier needs examples of at least two"),
        ("texts.csv", "text,label\na,\nb,\n", "none of the 2 rows has a label in column 'label'"),
        ("texts.csv", "text,label\n,a\n,a\n,b\n,b\n", "texts hold no token"),
        (
            "texts.csv",
            bytes(64),
            "texts.csv: holds control characters more than text; expected text. Is it a binary file?",
        ),
        ("texts.csv", b"text,label\ncaf\xe9,a\n", "byte 0xE9 at offset 14 (line 2) is not valid utf-8"),
        ("texts.csv", TWO.encode("utf-16"), "It looks like UTF-16: --encoding utf-16"),
        ("texts.csv", TWO + "torn\n", "line 4 (row 3): expected 2 fields, got 1"),
        ("texts.csv", TWO + "a,b,c\n", "line 4 (row 3): expected 2 fields, got 3"),
        ("texts.csv", TWO + '"open,b\n', "line 4 (row 3): a double quote opens a field and nothing closes it"),
        ("texts.doc", TWO, "unknown kind of file '.doc'; expected one of .csv, .tsv, .jsonl, .ndjson, .json"),
        ("texts.txt", TWO, "texts.txt, line 1: expected __label__ and a label first, as in fastText's format; a ta"),
        ("texts", "review\nbad\n", "texts: no column 'text'; the columns are 'review'. Name the one that holds"),
        ("texts.jsonl", '{"text": "a"\n', "texts.jsonl, line 1: not valid JSON"),
        ("texts.parquet", "PAR1 not really", "texts.parquet: not a whole Parquet file"),
    ],
)
def test_tables_that_cannot_be_learned_from(train_refused, tmp_path, name, data, message):
    path = tmp_path / name if data is None else write(tmp_path, data, name)
    assert message in train_refused(path, *command_line("bow"))


def test_a_folder_is_no_table(train_refused, tmp_path):
    (tmp_path / "texts.csv").mkdir()
    assert "is a directory; name a file inside it" in train_refused(tmp_path / "texts.csv")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "valid.csv: no such file"),
        ("text,label\n", "valid.csv: has a header but no rows"),
        ("text,label\ngood,odd\nso,so-so\n", "valid.csv: none of the labels is known: they are 'odd', 'so-so', and"),
        ("text,label\ngood,\n", "valid.csv: none of the 1 rows has a label"),
    ],
)
def test_validation_tables_that_cannot_be_used(train_refused, csv_file, tmp_path, data, message):
    path = tmp_path / "valid.csv" if data is None else write(tmp_path, data, "valid.csv")
    assert message in train_refused(csv_file, "--valid", path, *command_line("bow"))


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_what_is_at_out_stays(train_refused, csv_file, tmp_path, kind):
    out = tmp_path / "model"
    if kind == "file":
        out.write_text("mine")
    elif kind == "folder":
        out.mkdir()
        (out / "mine").write_text("mine")
    else:
        out.symlink_to("nowhere")
    assert f"{out} exists already and is left as it is; choose another name" in train_refused(csv_file)
    if kind == "file":
        assert out.read_text() == "mine"
    elif kind == "folder":
        assert names(out) == ["mine"]
    else:
        assert out.is_symlink()


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("missing/model", "there is no folder"),
        ("texts.csv/model", "there is no folder"),
        ("x" * 300, "File name too long"),
        (".", "exists already"),
        ("..", "exists already"),
        ("", "--out is empty; give the name of a file or folder"),
    ],
)
def test_a_place_that_cannot_be(train_refused, csv_file, tmp_path, monkeypatch, out, message):
    monkeypatch.chdir(tmp_path)
    for more in ([], ["--resume"]):
        assert message in train_refused(csv_file, *command_line("bow"), *more, out=out)


#: The learner that has the options of a network.
FFNN = ("--learner", "ffnn")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*FFNN, "--dim", "0"], "--dim must be a whole number of 1 or more, got 0"),
        ([*FFNN, "--dim", "many"], "--dim must be a whole number of 1 or more, got 'many'"),
        ([*FFNN, "--hidden", "8,0"], "--hidden must be whole numbers of 1 or more, such as 128,64, got (8, 0)"),
        ([*FFNN, "--hidden", "8;4"], "--hidden must be whole numbers of 1 or more, such as 128,64, got '8;4'"),
        ([*FFNN, "--activation", "swisch"], "--activation must be one of identity, relu, "),
        ([*FFNN, "--activation", "swisch"], ", got 'swisch'; did you mean 'swish'"),
        (
            [*FFNN, "--activation", "elu:alpha=0"],
            "--activation 'elu:alpha=0': elu: alpha must be a number above 0, got 0.0",
        ),
        ([*FFNN, "--dropout", "1"], "--dropout must be a number of 0 or more and below 1, got 1.0"),
        ([*FFNN, "--dropout", "nan"], "--dropout must be a number of 0 or more and below 1, got nan"),
        ([*FFNN, "--dropout", "x"], "--dropout must be a number of 0 or more and below 1, got 'x'"),
        (
            [*FFNN, "--word-dropout", "-0.5"],
            "--word-dropout must be a number of 0 or more and below 1 or none, got -0.5",
        ),
        (["--ngrams", "0"], "--ngrams must be a whole number of 1 or more, got 0"),
        (["--min-count", "0"], "--min-count must be a whole number of 1 or more, got 0"),
        (["--min-count", "1000"], "texts.csv: no vocabulary: no token occurs 1000 times, at most "),
        (["--min-ngram-count", "-1"], "--min-ngram-count must be a whole number of 1 or more, got -1"),
        (
            ["--hashed-ngrams", "0"],
            "--hashed-ngrams must be a whole number of 1 or more and below 1,000,000,000 or none, got 0",
        ),
        (
            ["--hashed-ngrams", "9", "--ngrams", "1"],
            "--hashed-ngrams must go with ngrams of 2 or more, got 9 and ",
        ),
        (
            ["--hashed-ngrams", "9", "--min-ngram-count", "3"],
            "--min-ngram-count must be left at 2 where n-grams are hashed",
        ),
        (["--max-vocabulary", "1"], "--max-vocabulary must be a whole number of 2 or more or none, got 1"),
        (
            ["--optimizer", "newton"],
            "--optimizer: there is no optimizer 'newton'; expected adadelta or adagrad or adam or ",
        ),
        (["--lr", "0"], "--lr must be a number above 0 or 'auto' or none, got 0.0"),
        (["--lr", "inf"], "--lr must be a number above 0 or 'auto' or none, got inf"),
        (["--lr", "fast"], "--lr must be a number above 0 or 'auto' or none, got 'fast'"),
        (["--batch-size", "0"], "--batch-size must be a whole number of 1 or more or all, got 0"),
        (["--batch-size", "1.5"], "--batch-size must be a whole number of 1 or more or all, got '1.5'"),
        (["--epochs", "0"], "--epochs must be a whole number of 1 or more or none, got 0"),
        (["--patience", "0"], "--patience must be a whole number of 1 or more or none, got 0"),
        (["--threads", "0"], "threads: expected a whole number of 1 or more, got 0"),
        (["--threads", "two"], "argument --threads: invalid int value: 'two'"),
        (["--seed", "-1"], "--seed must be a whole number of 0 or more, got '-1'"),
        (["--seed", "x"], "--seed must be a whole number of 0 or more, got 'x'"),
        (
            ["--model", "svm"],
            "there is no learner 'svm'; expected bow or cnn or ffnn or linear or mlp or pretrained or rnn or gru or "
            "lstm or seq2seq or transformer",
        ),
        (["--model", "bow", "--hidden", "8"], "--hidden 8; --hidden belongs to --learner ffnn or mlp"),
        (
            ["--model", "bow", "--dim", "8"],
            "--dim 8; --dim belongs to --learner cnn or ffnn or mlp or rnn or gru or lstm or seq2seq or transformer",
        ),
        (["--encoding", "klingon"], "unknown encoding 'klingon'; expected a name such as utf-8"),
        (["--text", "nope"], "no column 'nope'; the columns are 'text', 'label'"),
        (["--label", "nope"], "no column 'nope'; the columns are 'text', 'label'"),
        (["--colour", "red"], "unrecognized arguments: --colour red"),
        (["--engine", "jit"], "there is no engine 'jit'; expected native or eager"),
        ([*FFNN, "--dim", str(10**15)], "the network takes more memory than is free"),
        ([*FFNN, "--dim", "9" * 18], "are more than any memory holds; choose smaller sizes"),
        (
            [*FFNN, "--dim", "9" * 20],
            "--dim must be a whole number of 1 or more, and at most 9223372036854775807, got 99999",
        ),
        ([*FFNN, "--dim", "9" * 5000], "--dim must be a whole number of 1 or more, got '99999"),
        ([*FFNN, "--hidden", ",".join(["1"] * 2000)], "--hidden must have up to 100 items, got 2,000"),
        (["--config", ""], "the name of the settings file is empty; give one such as settings.toml"),
        (["--config", "/dev/zero"], "/dev/zero: is larger than a settings file can be (1,048,576 bytes)"),
        (["--valid", ""], "--valid is empty; give the name of a file or folder"),
        (["--text=--"], "no column '--'; the columns are 'text', 'label'"),
        (["--text", ""], "no column ''; the columns are 'text', 'label'"),
        (["--seed", "9" * 5000], "--seed must be a whole number of 0 or more, got '99999"),
        (["--seed", ""], "--seed must be a whole number of 0 or more, got ''"),
        (["--threads", "9" * 20], "threads: expected 4,096 or fewer, got 99999999999999999999"),
        (["--threads", "9" * 5000], "argument --threads: invalid int value: '99999"),
        (["--colour" * 100], "unrecognized arguments: --colour--colour"),
    ],
)
def test_options_that_cannot_be(train_refused, csv_file, words, message):
    found = train_refused(csv_file, *words)
    assert message in found
    assert len(found) < 400


def test_a_table_and_a_place_are_needed(refused, csv_file):
    """Both are told at once, as is a place that is not named before a table, which may be large, is read."""
    message = refused("train")
    assert "the table is missing" in message
    assert "--out" in message
    assert "--out: expected a new folder for the model; add --out FOLDER" in refused("train", csv_file)
    assert "--out: expected a new folder for the model" in refused("train", csv_file.with_name("missing.csv"))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_in_the_first_epoch(train_refused, csv_file):
    message = train_refused(csv_file, *command_line("ffnn", optimizer="sgd", lr="1e30"), "--quiet")
    assert re.search(r"became (nan|inf|-inf) (at|after) step \d+ \(epoch 1\); lower the learning rate", message)
    assert message.endswith("no epoch had ended, so there is no model to keep")


def test_divergence_later(run, csv_file, tmp_path, monkeypatch):
    at_step(monkeypatch, 6, poison)
    out = tmp_path / "model"
    result = run("train", csv_file, "--out", out, *command_line("bow"), "--quiet")
    assert result.code == 2
    assert result.out == ""
    assert result.error == (
        "chainrule: error: the loss became nan at step 6 (epoch 2); lower the learning rate, which is 0.03; it did "
        "not come again when the steps were taken again, so its block is not known; "
        f"the model of epoch 1 is kept in {out}\n"
    )
    assert chainrule.Model.load(out).learner.name == "bow"
    assert names(tmp_path) == ["model", "texts.csv"]


def test_resuming(run, refused, csv_file, tmp_path, monkeypatch):
    out = tmp_path / "model"
    (tmp_path / "model.partial").mkdir()
    (tmp_path / "model.partial" / "record.jsonl").write_text("")
    words = ["train", csv_file, "--out", out, *command_line("bow"), "--quiet"]
    message = refused(*words)
    assert f"{out}.partial holds a training that did not end; go on with it by --resume" in message
    assert run(*words, "--resume").code == 0
    assert f"{out} holds this training already, which ended: all epochs done" in run(*words, "--resume").error
    assert "exists already" in refused(*words)
    assert "had another seed: 0, and now 1" in refused(*words, "--resume", "--seed", 1)


def test_remarks_on_what_may_be_a_mistake(run, csv_file, tmp_path):
    result = run("train", csv_file, "--valid", csv_file, "--resume", "--out", tmp_path / "model", *command_line("bow"))
    assert result.code == 0
    assert "validation tells nothing" in result.error
    assert "model.partial to go on with: training starts from the beginning" in result.error
