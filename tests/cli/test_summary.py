"""chainrule summary, and the command line as a whole."""

import pytest

import chainrule


@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_summary(run, saved, name):
    result = run("summary", saved[name])
    assert (result.code, result.error) == (0, "")
    model = chainrule.Model.load(saved[name])
    lines = result.out.splitlines()
    network = {
        "bow": "scale=1.0",
        "ffnn": "hidden=[6], activation=relu, dropout=0.2, noise=0.0, mixup=False, normalization=None, "
        "initializer=None, scale=10.0, vectors=None, vectors_training=tuned, unknown_words=zero, dim=8, "
        "word_dropout=0.1, embedding_dropout=0.0, combination=tfidf, window=None",
    }
    assert lines[:4] == [
        "task        classify (output=softmax, class_weights=None, label_smoothing=0.0, criterion=None)",
        "inputs      text (lowercase=True, ngrams=2, minimum_count=1, minimum_ngram_count=2, maximum_size=None, "
        "hashed_ngrams=None, characters=auto, minimum_character_count=2, term_frequency=binary)",
        f"learner     {name} ({network[name]})",
        "training    optimizer=adam (lazy=False, beta1=0.9, beta2=0.999, epsilon=1e-08), learning_rate=0.03, "
        "schedule=constant, clip=None, clip_value=None, l1=0.0, l2=0.0, proximal=False, max_norm=None, average=None, "
        "average_from=1, penalize=[], groups=[], batch_size=16, accumulate=1, epochs=3, patience=3, every=None, "
        "precision=float32",
    ]
    assert lines[4] == f"vocabulary  {len(model.codec.inputs.vocabulary):,} entries"
    assert lines[5] == "labels      'negative', 'positive'"
    assert result.out.endswith(model.summary() + "\n")


def test_rows_of_hashed_ngrams_are_told(run, csv_file, tmp_path):
    words = ["train", csv_file, "--out", tmp_path / "model", "--hashed-ngrams", 700, "--epochs", 1, "--quiet"]
    assert run(*words).code == 0
    entries = len(chainrule.Model.load(tmp_path / "model").codec.inputs.vocabulary)
    found = run("summary", tmp_path / "model").out
    assert "hashed_ngrams=700" in found
    assert f"\nvocabulary  {entries:,} entries, 700 rows of hashed n-grams\n" in found
    assert f"EmbeddingBag({entries + 700} × 2, sum)" in found


def test_version(run):
    assert run("--version").out == f"chainrule {chainrule.__version__}\n"


@pytest.mark.parametrize("command", ["train", "evaluate", "predict", "summary", "draw"])
def test_help(run, command):
    result = run(command, "--help")
    assert result.code == 0
    assert result.out.startswith(f"usage: chainrule {command} ")
    assert "example" in result.out
    assert command in run("--help").out


def test_no_command_and_an_unknown_one(refused):
    assert "the following arguments are required: COMMAND" in refused()
    assert "invalid choice: 'trian'" in refused("trian")
