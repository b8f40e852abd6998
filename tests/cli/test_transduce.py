"""`--task transduce` the whole way: train, resume, evaluate, predict, summary, and what is refused."""

import csv
import json

import numpy as np
import pytest

from chainrule.report import read_record
from tests.samples import weights

DRAWS = np.random.default_rng(0)
ROWS = [("".join(DRAWS.choice(list("abc"), DRAWS.integers(1, 5))),) for _ in range(80)]
ROWS = [(word, " ".join(word.upper())) for (word,) in ROWS]
OPTIONS = [
    "--task", "transduce", "--source-unit", "characters", "--target-unit", "symbols",
    "--dim", "8", "--state-size", "16",
    "--dropout", "0", "--lr", "0.02", "--batch-size", "16", "--epochs", "12", "--patience", "12", "--quiet",
]  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs") / "pairs.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("word", "said"), *ROWS, ("lost", ""), ("", "A")])
    return path


COLUMNS = ["--text", "word", "--label", "said"]


@pytest.fixture
def model(run, table, tmp_path):
    result = run("train", table, *COLUMNS, *OPTIONS, "--out", tmp_path / "model")
    assert result.code == 0
    assert "1 unlabelled rows left out, 1 empty texts kept" in result.error
    return tmp_path / "model"


def test_the_whole_way(run, table, model, tmp_path):
    first, *_, last = read_record(model / "record.jsonl")
    assert first["learner"]["name"] == "seq2seq"
    assert first["task"]["inputs"]["source_unit"] == "characters"
    assert "labels" not in first["data"]["train"] or first["data"]["train"]["labels"] == {}
    assert last["kind"] == "end"
    result = run("evaluate", model, table, *COLUMNS, "--json", "--beam", "2")
    assert result.code == 0
    content = json.loads(result.out)
    assert content["examples"] == 81
    assert content["unlabelled"] == 1
    assert content["exact_match"] > 0.8
    assert content["token_error_rate"] < 0.15
    shown = run("evaluate", model, table, *COLUMNS)
    assert "token error rate" in shown.out
    lines = run("predict", model, "ab", "cab").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["A B", "C A B"]
    assert [line.split("\t")[-1] for line in lines] == ["ab", "cab"]
    top = json.loads(run("predict", model, "ab", "--json", "--top", "6").out)
    assert top["prediction"] == top["alternatives"][0]["text"] == "A B"
    assert len(top["alternatives"]) == 6
    assert 0 < top["probability"] <= 1
    scores = [each["score"] for each in top["alternatives"]]
    assert scores == sorted(scores, reverse=True)
    assert run("predict", model, "--file", table, "--text", "word", "--out", tmp_path / "out.csv").code == 0
    with (tmp_path / "out.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 82
    assert list(rows[0]) == ["word", "said", "prediction", "score", "probability"]
    assert sum(row["prediction"] == row["said"] for row in rows[:80]) > 64
    assert "EncoderDecoder" in run("summary", model).out


def test_a_settings_file_repeats_it(run, table, model, tmp_path):
    words = ["--config", model / "settings.toml", "--out", tmp_path / "again", "--quiet"]
    assert run("train", table, *COLUMNS, *words).code == 0
    assert weights(tmp_path / "again") == weights(model)


def test_before_training(run, table):
    dry = run("train", table, *COLUMNS, *OPTIONS, "--dry-run")
    assert dry.code == 0
    assert "texts to write" in dry.out
    assert run("check", table, *COLUMNS, *OPTIONS[:10]).code == 0
    assert "learning rate" in run("find-rate", table, *COLUMNS, *OPTIONS[:10], "--steps", "30").out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["predict", "--beam", "0", "ab"], "--beam must be a whole number of 1 or more"),
        (["predict", "--beam", "two", "ab"], "--beam must be a whole number of 1 or more"),
        (["predict", "--top", "0", "ab"], "--top must be a whole number of 1 or more"),
    ],
)
def test_beams_that_cannot_be(refused, model, words, named):
    command, *rest = words
    assert named in refused(command, model, *rest)


def test_what_training_refuses(refused, table, tmp_path):
    out = ["--out", tmp_path / "other"]
    assert "--beam must be a whole number of 1 or more" in refused(
        "train", table, *COLUMNS, *OPTIONS, "--beam", 0, *out
    )
    assert "use seq2seq or transformer" in refused(
        "train", table, *COLUMNS, "--task", "transduce", "--learner", "lstm", *out
    )
    assert "target='label'" not in refused("train", table, "--text", "word", "--label", "no", *OPTIONS, *out)


def test_labels_have_no_beam(run, refused, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "good,p\nbad,n\n" * 30)
    assert run("train", path, "--out", tmp_path / "model", "--epochs", 1, "--quiet").code == 0
    assert "the task classify writes no texts" in refused("predict", tmp_path / "model", "good", "--beam", "3")
