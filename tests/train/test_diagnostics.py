"""Diagnostics: what they see and say, that they change nothing, and that a record says the same afterwards."""

import copy
import json

import numpy as np
import polars as pl
import pytest

import chainrule
from chainrule.errors import DivergenceError
from chainrule.train.diagnostics import Course, findings, illness
from chainrule.train.diagnostics.contract import ILLNESSES
from tests import samples
from tests.samples import at_step, timeless


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_they_change_no_bit(two_classes, held_out, name, optimizer, tmp_path):
    for said in (True, False):
        folder = tmp_path / str(said)
        samples.fit(name, two_classes, held_out, optimizer=optimizer, epochs=5, folder=folder, diagnostics=said)
    assert samples.weights(tmp_path / "True") == samples.weights(tmp_path / "False")


def test_without_them_the_record_is_as_it_was(two_classes, held_out):
    lines = samples.fit("ffnn", two_classes, held_out, epochs=2, diagnostics=False).record
    assert not {"observed", "findings", "repeated"} & {key for line in lines for key in line}


def test_what_is_looked_at(two_classes, held_out):
    run = samples.fit("ffnn", two_classes, held_out, epochs=8, patience=8)
    first, second, third, *rest = (epoch.observed for epoch in run.epochs)
    assert first["start"] == pytest.approx(np.log(2), abs=0.1)
    assert set(first["gradients"]) == {"layers.layers.0.weight", "layers.layers.3.weight"}
    assert set(first["updates"]) == set(first["gradients"])
    assert 0 <= first["layers"]["layers.layers.1 (relu)"]["dead"] <= 1
    assert ["labels" in seen for seen in (first, second, third, *rest)] == [True, *7 * [False]]
    assert {"labels", "updates", "layers"} <= set(run.record[-1]["observed"])
    assert all(len(seen["losses"]) == 7 for seen in (first, second, third, *rest))
    assert np.mean(second["losses"]) == pytest.approx(run.epochs[1].train["loss"], rel=0.2)  # but for the last step


def test_updates_are_those_of_the_next_step(two_classes, held_out):
    """What a look says of an update is what SGD does with the gradients that it saw."""
    run = samples.fit("ffnn", two_classes, held_out, epochs=1, optimizer="sgd", learning_rate=0.5, dropout=0.0)
    seen = run.epochs[0].observed
    assert all(0 < ratio < 1 for ratio in seen["updates"].values())


def test_many_steps_leave_few_losses(two_classes, held_out):
    run = samples.fit("bow", two_classes, held_out, batch_size=1, epochs=1)
    kept = run.epochs[0].observed["losses"]
    assert len(kept) == 8  # of 30 steps each
    assert np.mean(kept[:3]) > np.mean(kept[-3:])


def test_a_record_says_the_same_afterwards(tmp_path):
    draws = np.random.default_rng(0)
    rows = [(" ".join(draws.choice(samples.FILLERS, 6)), str(draws.choice(["a", "b"]))) for _ in range(400)]
    training = chainrule.Training(epochs=4)
    run = chainrule.fit(chainrule.BagOfWords(), samples.as_table(rows), training=training, folder=tmp_path / "m")
    assert "loss not decreasing" in {found.name for found in run.findings}
    lines = [json.loads(line) for line in (tmp_path / "m" / "record.jsonl").read_text().splitlines()]
    assert tuple(findings(lines)) == run.findings
    older = [{key: value for key, value in line.items() if key not in ("observed", "findings")} for line in lines]
    assert "loss not decreasing" in {found.name for found in findings(older)}


def test_a_resumed_training_has_the_same_record(two_classes, held_out, monkeypatch, tmp_path):
    whole = samples.fit("ffnn", two_classes, held_out, epochs=4)
    monkeypatch.setattr("chainrule.train.checkpoint.INTERVAL", 0.0)
    monkeypatch.setattr("chainrule.train.checkpoint.SHARE", np.inf)
    settings = {"epochs": 4, "folder": tmp_path / "m"}
    for number in (5, 40):  # in the middle of the first and the third epoch
        with monkeypatch.context() as patch:
            at_step(patch, number, _fail)
            with pytest.raises(OSError, match="killed"):
                samples.fit("ffnn", two_classes, held_out, resume=number > 5, **settings)
    again = samples.fit("ffnn", two_classes, held_out, resume=True, **settings)
    assert timeless(again.record) == timeless(whole.record)


def _fail(_):
    raise OSError("killed")


def test_a_number_that_is_none_is_traced_to_its_block(two_classes, held_out):
    with pytest.raises(DivergenceError) as caught:
        samples.fit("ffnn", two_classes, held_out, optimizer="sgd", learning_rate=1e38)
    message = str(caught.value)
    assert "the first block that made one, forward, is " in message
    assert "float32(" in message
    assert "whose rows are " in message


def test_where_it_does_not_come_again_that_is_said(two_classes, held_out, monkeypatch):
    at_step(monkeypatch, 3, _poison_once())
    with pytest.raises(DivergenceError, match="did not come again"):
        samples.fit("bow", two_classes, held_out)


def _poison_once():
    done = []

    def act(trainer):
        if not done:
            done.append(trainer)
            samples.poison(trainer)

    return act


def test_a_diagnostic_of_ones_own(two_classes, held_out):
    @illness("too good")
    def too_good(course):
        return "validation is better than training" if course.valid[-1] < course.train[-1] else None

    try:
        run = samples.fit("bow", two_classes, held_out, epochs=1)
        assert [found.name for found in run.findings] == ["too good"]
    finally:
        del ILLNESSES["too good"]


def test_repeated_rows_of_few_categories_are_no_finding():
    frame = {"a": [0.0, 0.0, 1.0, 1.0] * 40, "b": [0.0, 1.0, 0.0, 1.0] * 40, "xor": list("nyyn") * 40}
    table = chainrule.Table.from_frame(pl.DataFrame(frame), numbers=["a", "b"], label="xor")
    run = chainrule.fit(chainrule.MultilayerPerceptron(), table, training=chainrule.Training(epochs=2))
    assert run.record[0]["repeated"] is None


def test_a_course_of_an_older_record_has_epochs_alone():
    lines = [{"kind": "run"}, {"kind": "epoch", "epoch": 1, "train_loss": 1.0, "valid_loss": 2.0, "learning_rate": 0.1}]
    course = Course(copy.deepcopy(lines))
    assert (course.losses, course.start, course.level, course.rate) == ([1.0], None, None, 0.1)
    assert findings(lines) == []
    assert findings(lines[:1]) == []
