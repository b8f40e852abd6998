"""chainrule generate, and a model of language the whole way through the command line."""

import json
import signal

import pytest

import chainrule
from chainrule.report import read_record
from tests.samples import timeless, weights

TEXT = "so it is, and so it was.\n\tAnd then?\n" * 30
OPTIONS = [
    "--task", "continue", "--learner", "gru", "--dim", "8", "--state-size", "12", "--dropout", "0", "--lr", "0.03",
    "--context", "16", "--batch-size", "8", "--epochs", "4",
]  # fmt: skip


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    path = tmp_path_factory.mktemp("books") / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(book):
    """The folder of a model that learned the book."""
    from chainrule.cli.main import main

    folder = book.with_name("model")
    assert main(["train", str(book), *OPTIONS, "--out", str(folder), "--quiet"]) == 0
    return folder


def test_a_book_the_whole_way(run, book, model):
    lines = read_record(model / "record.jsonl")
    assert lines[0]["task"]["inputs"]["unit"] == "characters"
    assert lines[0]["data"]["train"]["name"] == str(book)
    assert lines[0]["remarks"] == [f"{book}: the last 10% of each text are kept to validate on"]
    losses = [line["valid_loss"] for line in lines if line["kind"] == "epoch"]
    assert losses[-1] < losses[0]
    assert lines[-1]["baseline"]["loss"] > losses[-1]
    result = run("evaluate", model, book, "--json")
    content = json.loads(result.out)
    assert (content["tokens"], content["unseen_tokens"]) == (len(TEXT) + 1, 0)
    shown = run("evaluate", model, book)
    assert f"perplexity     {content['perplexity']:.4f}" in shown.out
    assert f"bits per byte  {content['bits_per_byte']:.4f}" in shown.out
    likely, unlikely = (
        json.loads(line) for line in run("predict", model, "so it is", "xxxx", "--json").out.splitlines()
    )
    assert likely["perplexity"] < unlikely["perplexity"]
    assert run("predict", model, "so it is").out.startswith("perplexity=")
    assert "gru" in run("summary", model).out


def test_what_it_writes_goes_to_the_output(run, model):
    result = run("generate", model, "so\t", "--length", 30, "--seed", 2)
    assert (result.code, result.error) == (0, "")
    expected = chainrule.Model.load(model).generate("so\t", length=30, seed=2)
    assert result.out == f"so\t{expected}\n"
    found = json.loads(run("generate", model, "so\t", "--length", 30, "--seed", 2, "--json").out)
    assert found == {"prompt": "so\t", "text": expected}
    again = run("generate", model, "--length", 9, "--temperature", 0, "--top-k", 3, "--top-p", 0.5, "--engine", "eager")
    assert again.out == chainrule.Model.load(model).generate(length=9, temperature=0) + "\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--temperature", "-1"], "temperature: expected a finite number of 0 or more, got -1.0"),
        (["--temperature", "warm"], "--temperature: expected a number, got 'warm'"),
        (["--top-p", "0"], "top_p: expected a number above 0 and up to 1"),
        (["--top-k", "0"], "top_k: expected a whole number of 1 or more"),
        (["--top-k", "1.5"], "--top-k: expected a whole number of 0 or more, got '1.5'"),
        (["--length", "-3"], "--length: expected a whole number of 0 or more, got '-3'"),
        (["--seed", "x"], "--seed: expected a whole number"),
        (["--engine", "eagre"], "there is no engine 'eagre'"),
        (["Xylophone"], "the prompt holds 'X', 'y', 'l', 'p', which the model has not learned"),
    ],
)
def test_what_is_refused(refused, model, words, message):
    assert message in refused("generate", model, *words)


def test_models_of_other_tasks_are_refused(refused, saved):
    assert "trained to classify does not write; train one with --task continue" in refused("generate", saved["bow"])
    assert "there is no such folder" in refused("generate", "nowhere")


def test_columns_of_labels_and_weights_are_refused(refused, book, tmp_path):
    for option in ("--label", "--weight"):
        message = refused("train", book, *OPTIONS, "--out", tmp_path / "new", option, "stars")
        assert f"{option} stars: the task continue learns from texts alone; leave it out" in message


def test_the_learner_is_one_that_can(run, refused, book, tmp_path):
    words = [word for word in OPTIONS if word not in ("--learner", "gru")]
    assert run("train", book, *words, "--out", tmp_path / "new", "--epochs", 1).code == 0
    assert chainrule.Model.load(tmp_path / "new").learner.name == "lstm"
    message = refused("train", book, "--task", "continue", "--learner", "bow", "--out", tmp_path / "bow")
    assert "bow gives one answer a row, and continue needs one a next token: use cnn or rnn or gru or lstm" in message


def test_units_are_chosen_for_other_tasks(run, csv_file, tmp_path):
    words = ["--learner", "gru", "--state-size", 4, "--epochs", 1, "--unit", "bytes"]
    assert run("train", csv_file, "--out", tmp_path / "model", *words).code == 0
    model = chainrule.Model.load(tmp_path / "model")
    assert (model.task.name, model.task.inputs) == ("classify", chainrule.Units(unit="bytes"))
    settings = ["--config", tmp_path / "model" / "settings.toml"]
    assert run("train", *settings, "--out", tmp_path / "again").code == 0
    assert weights(tmp_path / "again") == weights(tmp_path / "model")


def test_killed_and_resumed(start, run, book, model, tmp_path):
    """The same bits as without the kill."""
    words = ["train", book, *OPTIONS, "--out", tmp_path / "model"]
    process = start(*words, often=True)
    for line in process.stderr:
        if line.startswith(b"epoch 2"):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run(*words, "--resume").code == 0
    assert weights(tmp_path / "model") == weights(model)
    resumed, straight = (read_record(x / "record.jsonl") for x in (tmp_path / "model", model))
    assert timeless(resumed) == timeless(straight)
