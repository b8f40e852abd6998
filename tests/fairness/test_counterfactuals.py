"""Counterfactuals: what swapped words change, and how sure that is."""

import json

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError, DataError
from chainrule.fairness import Pairs, counterfactual, filled, read_templates
from chainrule.report.statistics import crossed_interval, mean_interval

TEXTS = ["he is good", "she is bad", "he was fine", "she was dull"] * 20
LABELS = list("pnpn") * 20


@pytest.fixture(scope="module")
def biased():
    """Two models, one a seed, that learned that he is good and she is bad."""
    table = chainrule.Table.from_lists(TEXTS, LABELS)
    return [chainrule.fit(chainrule.BagOfWords(), table, table, seed=s, engine="eager").model for s in (0, 1)]


@pytest.fixture(scope="module")
def sentences():
    pairs = Pairs.read("en")
    return filled(read_templates("en"), pairs)


def test_what_was_learned_is_found_with_the_words_that_moved_it(biased, sentences):
    found = counterfactual(biased[0], sentences, "en", told=3, engine="eager")
    (shift,) = found.shifts
    assert shift.of == "p"
    assert shift.difference < -0.3
    assert shift.interval.high < 0
    assert shift.named
    assert found.flips > 10
    assert len(found.changes) == 3
    first = found.changes[0]
    assert first.flips
    assert {first.moved[0][0][0].lower(), first.moved[1][0][0].lower()} == {"he", "she"}
    scores = [biased[0].predict_probabilities([text], engine="eager")[0, 1] for text in (first.text, first.swapped)]
    assert first.scores == pytest.approx(scores)


def test_the_difference_is_that_of_texts_with_words_of_one_side(biased):
    texts = ["He is here.", "She was there.", "He and she.", "They."]
    found = counterfactual(biased[0], texts, "en", engine="eager", told=0)
    assert (found.texts, found.swapped, found.one_sided) == (4, 3, 2)
    given = biased[0].predict_probabilities(["She is here.", "He is here.", "She was there.", "He was there."],
                                            engine="eager")[:, 1].astype(float)  # fmt: skip
    differences = given[::2] - given[1::2]
    (shift,) = found.shifts
    assert shift.difference == pytest.approx(differences.mean())
    assert (shift.before, shift.after) == pytest.approx((given[1::2].mean(), given[::2].mean()))
    known = mean_interval(differences)
    assert (shift.interval.low, shift.interval.high) == pytest.approx((known.low, known.high))


def test_several_models_are_a_sample_of_seeds(biased, sentences):
    few = [text for text in sentences if text.startswith(("James", "John"))]
    found = counterfactual(biased, few, "en", engine="eager", told=1)
    pairs = Pairs.read("en")
    swapped = [pairs.swapped(text).text for text in few]
    differences = np.array([
        model.predict_probabilities(swapped, engine="eager")[:, 1].astype(float)
        - model.predict_probabilities(few, engine="eager")[:, 1]
        for model in biased
    ])  # fmt: skip
    known = crossed_interval(differences)
    (shift,) = found.shifts
    assert (shift.interval.low, shift.interval.high) == pytest.approx((known.low, known.high))
    assert "2 models" in str(found)


def test_sentences_of_one_template_count_as_one(biased):
    """Ten times the same sentences make nothing more certain."""
    texts = ["He is here.", "She was there.", "The man left.", "Is he a nurse?"]
    once = counterfactual(biased[0], texts, engine="eager", told=0)
    often = counterfactual(biased[0], texts * 10, alike=[0, 1, 2, 3] * 10, engine="eager", told=0)
    alone = counterfactual(biased[0], texts * 10, engine="eager", told=0)
    one, many, narrow = (x.shifts[0] for x in (once, often, alone))
    assert many.difference == pytest.approx(one.difference)
    assert (many.interval.low, many.interval.high) == pytest.approx((one.interval.low, one.interval.high))
    assert many.p == one.p > narrow.p
    assert narrow.interval.high - narrow.interval.low < (one.interval.high - one.interval.low) / 2
    assert often.templates == 4
    assert "are over other templates, of which there are 4." in str(often)
    several = counterfactual(biased, texts * 2, alike=[0, 1, 2, 3] * 2, engine="eager", told=0)
    assert "over other templates, of which there are 4, and other seeds." in str(several)
    with pytest.raises(DataError, match="alike: expected the template of each of 4 texts, got 2 numbers"):
        counterfactual(biased[0], texts, alike=[0, 1])


def test_a_model_that_reads_no_such_word_changes_nothing():
    table = chainrule.Table.from_lists(["good", "bad"] * 20, list("pn") * 20)
    model = chainrule.fit(chainrule.BagOfWords(), table, table, engine="eager").model
    found = counterfactual(model, ["He is good.", "She is good.", "He is bad."], engine="eager")
    (shift,) = found.shifts
    assert (shift.difference, shift.size, found.flips) == (0.0, 0.0, 0.0)
    assert not shift.named
    assert "can be named on these texts, which does not say that there is none" in str(found)


def test_a_text_alone_has_no_interval(biased):
    found = counterfactual(biased[0], ["He is here."], engine="eager")
    assert found.shifts[0].interval is None
    assert not found.named
    both = counterfactual(biased[0], ["He and she."], engine="eager")
    assert "No text has words of one side alone" in str(both)
    assert json.dumps(both.as_dict())


def test_numbers_have_scores_and_no_answers_that_change():
    table = chainrule.Table.from_lists(["he is", "she is"] * 20, [1.0, 2.0] * 20, target="number")
    model = chainrule.fit(chainrule.BagOfWords(), table, table, task=chainrule.Regress(), engine="eager").model
    found = counterfactual(model, ["he is", "she is"] * 3, engine="eager", told=1)
    assert found.flips is None
    assert found.shifts[0].difference > 0.3
    assert "The answer changes" not in str(found)
    with pytest.raises(ConfigurationError, match="--positive: the task regress answers by a number"):
        counterfactual(model, ["he is"], positive="x")


def test_a_page_and_json_take_texts_as_texts(biased, tmp_path):
    attack = 'He <script>alert(1)</script> & "she"'
    found = counterfactual(biased[0], [attack, "She is here."], engine="eager")
    page = found.save(tmp_path / "page.html").read_text("utf-8")
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;" in page
    assert "src=" not in page
    held = json.loads(found.save(tmp_path / "page.json").read_text("utf-8"))
    assert held["kind"] == "counterfactual bias"
    assert held["swapped"] == 2
    with pytest.raises(ConfigurationError, match=r"expected a name that ends in \.html \(a page\) or \.json"):
        found.save(tmp_path / "page.pdf")


def test_what_cannot_be_asked_is_refused(biased):
    with pytest.raises(DataError, match="texts: no text has a word of the pairs en; take another list"):
        counterfactual(biased[0], ["Nobody came."])
    with pytest.raises(ConfigurationError, match="told: expected a whole number of 0 or more, got -1"):
        counterfactual(biased[0], ["He came."], told=-1)
    import polars as pl

    frame = pl.DataFrame({"a": [1.0, 2.0] * 8, "label": list("pn") * 8})
    columns = chainrule.Table.from_frame(frame, numbers=["a"], label="label")
    model = chainrule.fit(chainrule.LinearModel(), columns, columns, engine="eager").model
    with pytest.raises(ConfigurationError, match="counterfactuals: the model reads columns of numbers and categories"):
        counterfactual(model, ["He came."])
    tags = chainrule.Table.from_lists([["he", "left"], ["she", "left"]] * 10, [["A", "B"], ["A", "B"]] * 10)
    training = chainrule.Training(epochs=1)
    learner = chainrule.LongShortTermMemory(dim=2, size=2)
    model = chainrule.fit(learner, tags, tags, task=chainrule.Tag(), training=training, engine="eager").model
    with pytest.raises(ConfigurationError, match="expected models with an answer for each text, and the task tag"):
        counterfactual(model, ["He came."])
