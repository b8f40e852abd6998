"""Tagging the whole way on the command line: train, evaluate, predict, resume, and what is refused."""

import csv
import json
import math

import numpy as np
import pytest

import chainrule
from chainrule.report import read_record
from chainrule.train import checkpoint
from tests.samples import timeless, weights
from tests.train.test_resume import KilledError, kill_after

SMALL = [
    "--task", "tag", "--dim", "6", "--character-filters", "4", "--state-size", "6", "--lr", "0.02",
    "--batch-size", "10", "--epochs", "6", "--threads", "1", "--quiet",
]  # fmt: skip


def sentences(count, seed=0):
    """Names of people and places among other words."""
    draws = np.random.default_rng(seed)
    for _ in range(count):
        person = [(str(draws.choice(["Ada", "Omar", "Li"])), "B-PER"), ("Smith", "I-PER")][: draws.integers(1, 3)]
        place = [(str(draws.choice(["Rome", "Oslo"])), "B-LOC")]
        yield [*person, (str(draws.choice(["likes", "leaves"])), "O"), *place, (".", "O")]


def write(path, rows, separator=" "):
    lines = ("".join(f"{word}{separator}{tag}\n" for word, tag in row) for row in rows)
    path.write_text("-DOCSTART- O\n\n" + "\n".join(lines))
    return path


@pytest.fixture
def files(tmp_path):
    return write(tmp_path / "eng.train", sentences(80)), write(tmp_path / "eng.test", sentences(30, seed=1), "\t")


@pytest.mark.parametrize("further", [[], ["--crf"], ["--learner", "gru", "--forward-only"]])
def test_the_whole_way(run, tmp_path, files, further):
    train, test = files
    model = tmp_path / "model"
    result = run("train", train, "--out", model, *SMALL, *further)
    assert result.code == 0, result.error
    assert result.out.startswith("best epoch      ")
    assert chainrule.Model.load(model).learner.name == ("gru" if "gru" in further else "lstm")
    found = json.loads(run("evaluate", model, test, "--json").out)
    assert found["accuracy"] > 0.9
    assert {"entity_f1", "strict_entity_f1", "sentence_accuracy", "broken", "entities"} <= found.keys()
    assert (found["examples"], found["tokens"]) == (30, sum(map(len, sentences(30, seed=1))))
    shown = run("evaluate", model, test).out
    assert "entities by the definition of CoNLL (conlleval)" in shown
    assert "confusion matrix (rows: true tag, columns: predicted tag)" in shown
    answers = [json.loads(line) for line in run("predict", model, "--file", test, "--json").out.splitlines()]
    assert [answer["tokens"] for answer in answers] == [[word for word, _ in row] for row in sentences(30, seed=1)]
    right = [a == b for x, row in zip(answers, sentences(30, seed=1), strict=True)
             for a, (_, b) in zip(x["prediction"], row, strict=True)]  # fmt: skip
    assert np.mean(right) == pytest.approx(found["accuracy"])


def test_schemes_that_mark_ends(run, tmp_path):
    ends = {"B-PER": "S-PER", "B-LOC": "S-LOC", "I-PER": "E-PER"}
    rows = [
        [(word, tag if tag == "B-PER" and next_ == "I-PER" else ends.get(tag, tag))
         for (word, tag), next_ in zip(row, [*(tag for _, tag in row[1:]), ""], strict=True)]
        for row in sentences(60)
    ]  # fmt: skip
    assert {tag for row in rows for _, tag in row} == {"B-PER", "E-PER", "S-PER", "S-LOC", "O"}
    train = write(tmp_path / "train", rows)
    assert run("train", train, "--out", tmp_path / "model", *SMALL).code == 0
    found = json.loads(run("evaluate", tmp_path / "model", train, "--json").out)
    assert found["scheme"] == "IOBES"
    assert found["broken"]["true"] == 0
    assert found["entity_f1"] > 0.9
    assert "none by the strict one (seqeval, IOBES)" in run("evaluate", tmp_path / "model", train).out


def test_texts_of_all_kinds_are_tagged(run, tmp_path, files):
    model = tmp_path / "model"
    assert run("train", files[0], "--out", model, *SMALL, "--epochs", 1).code == 0
    (line,) = run("predict", model, "Ada leaves Rome.").out.splitlines()
    tagged, text = line.split("\t")
    assert [pair.rpartition("/")[0] for pair in tagged.split()] == ["Ada", "leaves", "Rome", "."]
    assert text == "Ada leaves Rome."
    (tmp_path / "lines.txt").write_text("Ada leaves Rome.\nOmar likes Oslo very much.\n")
    assert run("predict", model, "--file", tmp_path / "lines.txt").out.splitlines()[0] == line
    (tmp_path / "rows.csv").write_text("text,id\nAda leaves Rome.,7\n")
    result = run("predict", model, "--file", tmp_path / "rows.csv", "--out", tmp_path / "answers.csv")
    assert result.code == 0, result.error
    with (tmp_path / "answers.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert (row["id"], json.loads(row["tokens"])) == ("7", ["Ada", "leaves", "Rome", "."])
    assert len(json.loads(row["prediction"])) == 4
    (tmp_path / "rows.jsonl").write_text('{"text": ["Ada", "leaves Rome"], "id": 8}\n')
    found = json.loads(run("predict", model, "--file", tmp_path / "rows.jsonl", "--json").out)
    assert (found["tokens"], len(found["prediction"]), found["id"]) == (["Ada", "leaves Rome"], 2, 8)


def test_a_training_that_was_killed_goes_on_to_the_same_bits(run, tmp_path, files, monkeypatch):
    words = ["train", files[0], *SMALL, "--crf"]
    assert run(*words, "--out", tmp_path / "whole").code == 0
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", math.inf)
    with monkeypatch.context() as patched:
        kill_after(patched, 12)  # in the middle of an epoch
        with pytest.raises(KilledError):
            run(*words, "--out", tmp_path / "model")
    assert run(*words, "--out", tmp_path / "model", "--resume").code == 0
    assert weights(tmp_path / "model") == weights(tmp_path / "whole")
    records = [timeless(read_record(tmp_path / name / "record.jsonl")) for name in ("model", "whole")]
    assert [x for x in records[0] if x["kind"] == "epoch"] == [x for x in records[1] if x["kind"] == "epoch"]


def test_unseen_tags_are_named(run, tmp_path, files):
    model = tmp_path / "model"
    assert run("train", files[0], "--out", model, *SMALL, "--epochs", 1).code == 0
    other = write(tmp_path / "other.conll", [[("Ada", "B-PER"), ("x", "B-NEW")]])
    assert json.loads(run("evaluate", model, other, "--json").out)["unseen"] == {"B-NEW": 1}
    assert "counted as wrong" in run("evaluate", model, other).out
    valid = run("train", files[0], "--valid", other, "--out", tmp_path / "again", *SMALL, "--epochs", 1)
    assert "rows with labels that no training row has are wrong in validation: B-NEW" in valid.error


@pytest.mark.parametrize(
    ("further", "message"),
    [
        (["--learner", "bow"], "bow gives one answer a row, and tag needs one a token"),
        (["--label", "5"], "line 3: no column '5'"),
        (["--crf", "--learner", "ffnn"], "ffnn gives one answer a row"),
    ],
)
def test_refused(refused, tmp_path, files, further, message):
    assert message in refused("train", files[0], "--out", tmp_path / "model", "--task", "tag", *further)
    assert not (tmp_path / "model").exists()


def test_what_other_commands_say(run, refused, tmp_path, files):
    words = [files[0], *SMALL]
    dry = run("train", *words, "--dry-run")
    assert dry.code == 0, dry.error
    assert "Speller(" in dry.out
    checked = run("check", files[0], "--task", "tag", "--dim", 6, "--state-size", 6)
    assert all(line.startswith(("ok", "no")) for line in checked.out.splitlines())
    assert run("train", *words, "--epochs", 1, "--out", tmp_path / "model").code == 0
    assert "tag (crf=False)" in run("summary", tmp_path / "model").out
    message = refused("predict", tmp_path / "model", "Ada", "--top", 2)
    assert "--top: the task tag answers by something else than a label a row" in message
