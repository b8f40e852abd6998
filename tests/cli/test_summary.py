"""chainrule summary, and the command line as a whole."""

import pytest

import chainrule


@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_summary(run, saved, name):
    result = run("summary", saved[name])
    assert (result.code, result.error) == (0, "")
    model = chainrule.TextClassifier.load(saved[name])
    lines = result.out.splitlines()
    assert lines[0].startswith(f"learner     {name} (lowercase=True, ngrams=2, ")
    assert lines[1] == f"vocabulary  {len(model.vocabulary):,} entries"
    assert lines[2] == "labels      'negative', 'positive'"
    assert result.out.endswith(model.summary() + "\n")


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
