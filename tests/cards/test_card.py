"""Model cards: what they tell is what is, and what they cannot know is marked."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.cards import NOTES, model_card, read_notes
from chainrule.cards.measured import measured
from chainrule.errors import DataError, ModelError
from chainrule.models import Model
from chainrule.tasks.measures import confidence_interval
from tests import samples
from tests.models.make_saved import COLUMNS, PRICES, ROWS, TAGS

SAVED = Path(__file__).parents[1] / "models" / "saved"
FOLDERS = sorted(path for path in SAVED.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder that training wrote."""
    place = tmp_path_factory.mktemp("card") / "films"
    train, valid = samples.as_table(samples.make_rows(120)), samples.as_table(samples.make_rows(40, seed=1))
    samples.fit("bow", train, valid, folder=place)
    return place


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_saved_model_has_one(folder):
    card = model_card(folder)
    assert card.content["name"] == folder.name
    assert len(card.content["model"]["sha256"]["model.safetensors"]) == 64
    assert "There is no record of its training" in card.markdown()
    assert json.loads(card.json()) == card.content
    page = card.html()
    for key, (title, asks) in NOTES.items():
        assert card.content["notes"][key] is None
        assert f"{title} – To be filled in: {asks}." in page


def test_what_the_record_says(trained):
    card = model_card(trained, notes={"intended_use": "letters\n\nof friends"}, license="CC BY 4.0")
    training = card.content["training"]
    assert training["data"]["train"]["rows"] == 120
    assert training["data"]["valid"]["fingerprint"] == samples.as_table(samples.make_rows(40, seed=1)).fingerprint()
    assert training["best_epoch"] in (1, 2, 3)
    accuracy = training["validation"]["accuracy"]
    low, high = confidence_interval(round(accuracy["value"] * 40), 40)
    assert (accuracy["low"], accuracy["high"]) == (low, high)
    text = card.markdown()
    assert text.startswith("# Model card: films\n\n**classify by bow: accuracy ")
    assert "on 40 validation rows, which training was stopped by" in text
    assert "Intended use: letters\n\nof friends" in text
    assert "Licence: CC BY 4.0" in text
    assert "[training.optimizer]" in text
    assert "measure it on rows of a test" in text


def test_measures_are_those_of_evaluate_and_lie_in_their_intervals(trained):
    table = samples.as_table(samples.make_rows(90, seed=2), name="/home/me/test.csv")
    card = model_card(trained, table)
    (found,) = card.content["measured"]
    evaluation = Model.load(trained).evaluate(table)
    for name, value in evaluation.measures.items():
        figures = found["measures"][name]
        assert figures["value"] == pytest.approx(value)
        assert figures["low"] <= value <= figures["high"] or name == "calibration_error", name
    right = round(evaluation.accuracy * 90)
    assert (found["measures"]["accuracy"]["low"], found["measures"]["accuracy"]["high"]) == confidence_interval(
        right, 90
    )
    assert found["classes"]["positive"]["support"] == 44 or found["classes"]["positive"]["support"] > 30
    assert card.json() == model_card(trained, table).json()  # whatever is drawn
    assert "/home/me" not in card.markdown()
    assert "test.csv has 90 rows: its intervals are wide." in card.markdown()


def test_rows_of_the_training_are_recognised(trained):
    table = samples.as_table(samples.make_rows(120))
    assert "has the rows of its training (train): measures on it say little" in model_card(trained, table).markdown()
    table = samples.as_table([("good fun", "positive"), ("odd", "unheard-of"), ("bad", "negative")])
    assert (
        "has labels that the model does not know, which count as wrong: 'unheard-of'"
        in (model_card(trained, table).content["limits"][-1])
    )


def test_every_task_is_measured():
    frame = chainrule.polars.DataFrame({**COLUMNS, "price": PRICES, "tags": TAGS})
    columns = {"numbers": ["rooms, all", "m²"], "categories": ["where", "kind"]}
    texts = [text for text, _ in ROWS]
    lists = chainrule.Table.from_lists([x.split() for x in texts], [["N"] * len(x.split()) for x in texts])
    given = {
        "linear": (chainrule.Table.from_frame(frame, **columns, text=None, label="price", target="number"), "rmse"),
        "mlp": (chainrule.Table.from_frame(frame, **columns, text=None, label="tags", target="labels"), "micro_f1"),
        "continue-gru": (chainrule.Table.from_lists(texts), "perplexity"),
        "tag-gru": (lists, "mean of: share of tokens right"),
        "transduce-seq2seq": (chainrule.Table.from_lists(texts, texts, target="text"), "exact_match"),
    }
    for name, (table, measure) in given.items():
        (found,) = model_card(SAVED / f"0.2.0-{name}", table).content["measured"]
        assert found["rows"] == len(table)
        assert measure in found["measures"], (name, list(found["measures"]))
        assert any(x["low"] is not None for x in found["measures"].values()), name


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of tables of one source, the measure on very many rows is in about 95 of 100 intervals of its mean."""
    model = Model.load(SAVED / "0.2.0-bow")
    whole = chainrule.Table.from_lists([text for text, _ in ROWS] * 40, [label for _, label in ROWS[::-1]] * 40)
    truth = model.evaluate(whole).measures
    inside = {"accuracy": 0, "macro_f1": 0, "log_loss": 0}
    draws = np.random.default_rng(0)
    for _ in range(30):
        figures = measured(model, whole.take(draws.integers(0, len(whole), 100)))["measures"]
        for name in inside:
            inside[name] += figures[name]["low"] <= truth[name] <= figures[name]["high"]
    assert min(inside.values()) >= 24, inside


def test_nothing_of_a_name_or_a_note_is_markup():
    evil = "<script>alert(1)</script>"
    table = chainrule.Table.from_lists(["a", "b"], ["1", evil], name=evil)
    page = model_card(SAVED / "0.2.0-bow", table, name=evil, notes=dict.fromkeys(NOTES, evil)).html()
    assert evil not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "To be filled in" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|<link|<img", page)


def test_what_is_refused(tmp_path, trained):
    with pytest.raises(ModelError, match="there is no such folder"):
        model_card(tmp_path / "none")
    with pytest.raises(DataError, match="'use' is no note of a card"):
        model_card(trained, notes={"use": "all"})
    with pytest.raises(DataError, match="expected a text as ethics, got 5"):
        model_card(trained, notes={"ethics": 5})
    notes = tmp_path / "notes.toml"
    for content, message in {"a": "cannot be read", 'ethic = "x"': "is no note of a card; did you mean"}.items():
        notes.write_text(content)
        with pytest.raises(DataError, match=message):
            read_notes(notes)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_notes(tmp_path / "none.toml")
    with pytest.raises(DataError, match="has no rows to evaluate on"):
        model_card(trained, chainrule.Table.from_lists([], [], name="empty"))
    with pytest.raises(DataError, match="the record of the training is not one that chainrule writes"):
        model_card(Model.load(trained), record=[{"kind": "run", "data": {}}, {"kind": "epoch"}])


def test_the_command(run, refused, tmp_path, trained):
    test = samples.write_rows(tmp_path / "test.csv", samples.make_rows(30, seed=3))
    out = tmp_path / "card.html"
    result = run("card", trained, test, "--out", out, "--license", "MIT")
    assert (result.code, result.out, result.error) == (0, f"model card: {out}\n", "")
    assert "Licence: MIT" in out.read_text()
    assert "30 test rows" in out.read_text()
    assert run("card", trained).out.startswith("# Model card: films\n")
    held = json.loads(run("card", trained, test, test, "--format", "json").out)
    assert [x["rows"] for x in held["measured"]] == [30, 30]
    notes = tmp_path / "notes.toml"
    notes.write_text('contact = "me"\n')
    assert "Contact: me" in run("card", trained, "--notes", notes, "--format", "markdown").out
    assert "--format: expected one of html, markdown, json, got 'pdf'" in refused("card", trained, "--format", "pdf")
    assert "expected a name that ends in .html, .htm, .md, .json" in refused("card", trained, "--out", "card.pdf")
    assert "card.html" in refused("card", trained, "--out", out)
    assert "no such file" in refused("card", trained, tmp_path / "none.csv")
