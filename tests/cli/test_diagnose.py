"""`chainrule diagnose`, and what `chainrule train` says of a training."""

import json

import numpy as np
import pytest

from tests.samples import FILLERS, make_rows, write_rows


@pytest.fixture
def ill(run, tmp_path):
    """The folder of a model of labels by chance."""
    draws = np.random.default_rng(0)
    rows = [(" ".join(draws.choice(FILLERS, 6)), str(draws.choice(["a", "b"]))) for _ in range(400)]
    done = run(
        "train", write_rows(tmp_path / "t.csv", rows), "--learner", "bow", "--epochs", "4", "--out", tmp_path / "ill"
    )
    assert "chainrule: the loss does not decrease" in done.error
    return tmp_path / "ill"


def test_what_is_wrong_is_said_again(run, ill, tmp_path):
    done = run("diagnose", ill, "--picture", tmp_path / "d.svg")
    assert done.code == 1
    assert "loss not decreasing" in done.out
    assert (tmp_path / "d.svg").read_bytes().startswith(b"<svg")
    found = json.loads(run("diagnose", ill / "record.jsonl", "--json").out)
    assert found["findings"][0]["name"] == "loss not decreasing"
    assert set(found) == {"findings", "labels"}


def test_a_healthy_training(run, tmp_path):
    rows = write_rows(tmp_path / "t.csv", make_rows(600))
    run("train", rows, "--learner", "bow", "--epochs", "2", "--lr", "0.3", "--out", tmp_path / "m", "--quiet")
    assert run("diagnose", tmp_path / "m").out == "nothing was found to be wrong\n"
    assert run("diagnose", tmp_path / "m").code == 0


def test_they_can_be_turned_off(run, tmp_path):
    rows = write_rows(tmp_path / "t.csv", make_rows(60))
    run("train", rows, "--learner", "bow", "--epochs", "2", "--out", tmp_path / "m", "--quiet", "--no-diagnostics")
    assert "observed" not in (tmp_path / "m" / "record.jsonl").read_text()


def test_what_is_refused(refused, tmp_path):
    assert "cannot be read" in refused("diagnose", tmp_path)
    (tmp_path / "record.jsonl").write_text('{"kind": "run"}\n')
    assert "the record has no epoch" in refused("diagnose", tmp_path)
    (tmp_path / "record.jsonl").write_text('{"kind": "run"}\n{"kind": "epoch"}\n')
    assert "is not that of a training" in refused("diagnose", tmp_path)
