"""Transduce: its loss and figures are the equations it states, on both engines, and it refuses what cannot be."""

from functools import lru_cache

import numpy as np
import polars as pl
import pytest
import sacrebleu

import chainrule
from chainrule import tensor
from chainrule.data import Examples, Ragged
from chainrule.errors import ConfigurationError, DataError, ModelError, SettingError
from chainrule.tasks import Transduce, Transduction
from chainrule.tasks.transduce import Targets
from chainrule.tasks.transduction import TeacherForced, edit_distance
from chainrule.text.symbols import Splitter, Symbols

DRAWS = np.random.default_rng(0)
#: Two texts, of 2 units and of none, each with its end; one of the units is unknown.
IDS, OFFSETS = np.array([3, 1, 0, 0], np.int32), np.array([0, 3, 4])
Z = DRAWS.normal(size=(4, 5))
LOG_P = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
EXAMPLES = Examples({"target_ids": Ragged(IDS, OFFSETS)})


def arrays(**further):
    return {**{name: tensor(x) for name, x in EXAMPLES.arrays().items()}, **further}


def run(function, compiled):
    return chainrule.compile(function)(tensor(Z, "float64")) if compiled else function(tensor(Z, "float64"))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_and_response_are_the_equations(smoothing, compiled):
    task = Transduce(label_smoothing=smoothing)
    losses = -(1 - smoothing) * LOG_P[np.arange(4), IDS] - smoothing * LOG_P.mean(axis=1)
    known = np.where(np.arange(5) == 1, -np.inf, Z).argmax(axis=1)
    hits = known == IDS
    loss, right = run(lambda z: [(found := task.loss(z, arrays(), None))[0], found[1]["token_accuracy"]], compiled)
    assert loss.item() == pytest.approx(losses.mean())
    assert right.item() == hits.sum()
    responses = run(lambda z: task.response(z, arrays()), compiled).numpy()
    np.testing.assert_allclose(responses[:, 0], LOG_P[np.arange(4), IDS])
    assert responses[:, 1].tolist() == hits.tolist()
    evaluation = task.evaluate(responses, EXAMPLES, None)
    assert evaluation.loss == pytest.approx(losses.mean())
    assert evaluation.token_accuracy == hits.mean()
    assert evaluation.exact_match == (hits[:3].all() + hits[3]) / 2
    weights = np.array([0.5, 1.5], np.float32)
    each = np.repeat(weights, [3, 1])
    weighted, total = task.loss(tensor(Z, "float64"), arrays(weights=tensor(weights, "float64")), None)
    assert weighted.item() == pytest.approx((losses * each).sum() / each.sum())
    assert total["loss_weight"].item() == each.sum()
    examples = Examples({**EXAMPLES.fields, "weights": weights})
    assert task.evaluate(responses, examples, None).loss == pytest.approx(weighted.item())


def test_the_mean_is_over_units_and_ends():
    assert Transduce().weight(EXAMPLES) == 4


def distance(a, b):
    @lru_cache
    def between(i, j):
        if not i or not j:
            return i + j
        changed = between(i - 1, j - 1) + (a[i - 1] != b[j - 1])
        return min(changed, between(i - 1, j) + 1, between(i, j - 1) + 1)

    return between(len(a), len(b))


def test_edit_distance():
    for _ in range(100):
        a, b = (tuple(DRAWS.integers(0, 4, DRAWS.integers(0, 8)).tolist()) for _ in range(2))
        assert edit_distance(a, b) == distance(a, b)


def transduction(truth, written, unit="symbols"):
    splitter = Splitter(unit)
    symbols, ids = Symbols.learned(pl.Series([*truth, *written]), splitter)
    rows = [ids.ids[start : end - 1] for start, end in zip(ids.offsets, ids.offsets[1:], strict=False)]
    forced = TeacherForced(0.25, np.array([1.0, 0.0]), np.array([0, 2]))
    return Transduction(symbols, truth, rows[: len(truth)], rows[len(truth) :], forced)


def test_figures_of_texts():
    truth, written = ["a b c", "b", "", "c c"], ["a b c", "b a", "", "a"]
    found = transduction(truth, written)
    assert found.exact_match == 0.5
    assert found.token_error_rate == 3 / 6
    assert found.distances.tolist() == [0, 1, 0, 2]
    ((title, rows),) = found.tables()
    assert title == "2 of 4 texts are not as expected; the first of them"
    assert rows == [["text", "expected", "written"], ["b", "b", "b a"], ["c c", "c c", "a"]]
    assert found.as_dict()["examples"] == 4
    assert transduction(truth, truth).tables() == []


def test_an_unknown_unit_is_never_right():
    forced = TeacherForced(0.25, np.array([1.0]), np.array([0, 1]))
    found = Transduction(Symbols(["a"], Splitter()), ["x"], [[1]], [[1]], forced)
    assert found.exact_match == 0
    assert np.isnan(Transduction(Symbols(["a"], Splitter()), ["x"], [[]], [[2]], forced).token_error_rate)


@pytest.mark.parametrize("unit", ["words", "symbols", "characters"])
def test_overlap_is_that_of_sacrebleu(unit):
    truth = ["the cat sat on the mat .", "a dog runs fast, very fast", "so it goes on and on"]
    written = ["the cat sat on a mat .", "a dog runs fast very fast", "so it goes and on"]
    found = transduction(truth, written, unit)
    split = Splitter(unit)
    held = [[split.joined(split.split(text)) for text in texts] for texts in (truth, written)]
    way = "13a" if unit == "characters" else "none"
    assert found.measures["bleu"] == pytest.approx(sacrebleu.corpus_bleu(held[1], [held[0]], tokenize=way).score)
    assert found.measures["chrf"] == pytest.approx(sacrebleu.corpus_chrf(held[1], [held[0]]).score)
    assert found.remarks == ()


def test_without_sacrebleu_it_is_left_out_and_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sacrebleu", None)
    found = transduction(["a"], ["a"])
    assert list(found.measures) == ["exact_match", "token_error_rate", "token_accuracy", "loss"]
    assert "pip install 'chainrule[bleu]'" in found.remarks[0]


@pytest.mark.parametrize(
    ("unit", "lowercase", "text", "units"),
    [
        ("words", True, "Don't stop!", ["don't", "stop", "!"]),
        ("words", False, "Don't stop!", ["Don't", "stop", "!"]),
        ("characters", False, "e\u0301 A", ["é", " ", "A"]),
        ("characters", True, "", []),
        ("symbols", False, "  HH\tAH0  <unk> ", ["HH", "AH0", "<unk>"]),
    ],
)
def test_texts_are_cut_alike_with_polars_and_without(unit, lowercase, text, units):
    splitter = Splitter(unit, lowercase)
    assert splitter.split(text) == units
    assert splitter(pl.Series([text, "b", text])).to_list() == [units, ["b"], units]
    symbols, ids = Symbols.learned(pl.Series([text, "b"]), splitter)
    few, many = symbols.encode_few([text, "new", ""]), symbols.encode(pl.Series([text, "new", ""]))
    assert (few.ids == many.ids).all()
    assert (few.offsets == many.offsets).all()
    assert (ids.take(np.array([0])).ids == few.take(np.array([0])).ids).all()
    assert symbols.units(few.ids[: len(units)]) == units
    assert few.ids[-1] == 0


def test_rare_units_are_unknown():
    symbols, ids = Symbols.learned(pl.Series(["a a b", "c c d"]), Splitter(), minimum_count=2, maximum_size=1)
    assert symbols.names == ("a",)
    assert ids.ids.tolist() == [2, 2, 1, 0, 1, 1, 1, 0]


TEXTS = ["a b", "b", "c a"]


@pytest.mark.parametrize(
    ("table", "task", "named"),
    [
        (chainrule.Table.from_lists(TEXTS, list("xyz")), Transduce(), "target='text'"),
        (chainrule.Table.from_lists(TEXTS), Transduce(), "no labels"),
        (chainrule.Table.from_lists(TEXTS, TEXTS, target="text"), Transduce(target_minimum_count=9), "occur 9 times"),
        (
            chainrule.Table.from_lists(TEXTS, TEXTS, target="text"),
            Transduce(inputs=chainrule.Source(minimum_count=9)),
            "occur 9 times",
        ),
    ],
)
def test_tables_that_cannot_be_learned_from(table, task, named):
    with pytest.raises(DataError, match=named):
        chainrule.fit(chainrule.SequenceToSequence(dim=2, size=2), table, table, task=task)


def test_blank_texts_are_left_out_where_they_are_to_be_written_and_kept_where_they_are_read():
    table = chainrule.Table.from_lists(["a", "b", "", "c"], ["A", " ", "B", None], target="text")
    assert table.texts.to_list() == ["a", ""]
    assert table.labels.to_list() == ["A", "B"]
    assert (table.report.unlabelled, table.report.empty) == (2, 1)
    with pytest.raises(DataError, match="none of the 1 rows has a text"):
        chainrule.Table.from_lists(["a"], [""], target="text")


def test_rows_with_texts_to_be_written_are_split_as_one():
    texts = [f"t{i}" for i in range(20)]
    train, valid = chainrule.Table.from_lists(texts, texts, target="text").split(3, 1, seed=0)
    assert (len(train), len(valid)) == (15, 5)
    assert train.label_names() == ()
    assert train.rare_labels(2) == ()
    assert valid.written


def test_what_a_model_folder_may_hold():
    task = Transduce(target_unit="symbols")
    held = Targets(Symbols(["a", "b"], Splitter("symbols")), 7)
    assert task.load_targets(held.describe()).describe() == held.describe()
    for changed in ({"longest": -1}, {"longest": "7"}, {"target": []}, {"target": ["a", "a"]}, {"target": ["a", 1]}):
        with pytest.raises(ModelError):
            task.load_targets({**held.describe(), **changed})


def test_a_beam_of_none_is_refused():
    with pytest.raises(SettingError, match="beam must be a whole number of 1 or more, got 0"):
        Transduce(beam=0)


def test_learners_and_tasks_that_do_not_fit():
    table = chainrule.Table.from_lists(TEXTS, TEXTS, target="text")
    with pytest.raises(ConfigurationError, match="use seq2seq"):
        chainrule.fit(chainrule.LongShortTermMemory(), table, table, task=Transduce())
    with pytest.raises(ConfigurationError, match="seq2seq gives one answer a token of another text"):
        chainrule.fit(chainrule.SequenceToSequence(), table, table)
