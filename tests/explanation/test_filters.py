"""The n-grams that filters answer to most, against a search through all of them by hand."""

import numpy as np
import pytest

import chainrule
from chainrule.errors import ChainruleError
from tests.explanation.test_explain import TABLE, TEXTS, fit


def by_hand(model, layer, first, texts):
    """For each filter of a convolution, all distinct n-grams with their answers, the largest first."""
    network, vocabulary = model.network, model.codec.inputs.vocabulary.entries.to_list()
    table = network.embeddings.table.numpy()
    weight, bias = layer.weight.numpy(), layer.bias.numpy()
    found = [{} for _ in bias]
    for text in texts:
        words = [word if word in vocabulary else "<unk>" for word in model.codec.inputs.tokenizer.words(text)]
        for place in range(len(words)):
            window = range(place - layer.before, place - layer.before + layer.width)
            tokens = [words[i] if 0 <= i < len(words) else "·" for i in window]
            vectors = [np.zeros(table.shape[1]) if x == "·" else table[vocabulary.index(x)] for x in tokens]
            answers = bias + sum(x @ weight[:, k] for k, x in enumerate(vectors))
            for k, answer in enumerate(np.maximum(answers, 0)):
                found[k][" ".join(tokens)] = answer
    return {first + k: sorted(held.items(), key=lambda item: -item[1]) for k, held in enumerate(found)}


@pytest.mark.parametrize("batch", [2, 512])
def test_against_all_ngrams_by_hand(batch, monkeypatch):
    model = fit("cnn", widths=(1, 2, 3), filters=3)
    monkeypatch.setattr("chainrule.explanation.best_ngrams.BATCH", batch)
    texts = [*TEXTS, "", "never good", "fun"]
    found = chainrule.filters(model, texts, most=9, ngrams=4, engine="eager")
    expected, first = {}, 0
    for layer in model.network.encoder.convolutions:
        expected |= by_hand(model, layer, first, texts)
        first += 3
    assert found.count == 9
    assert list(found.filters) == ["n", "p"]
    weights = model.network.output.weight.numpy()
    for sign, listed in zip((1, -1), found.filters.values(), strict=True):
        own = sign * (weights[:, 0] - weights[:, 1])
        assert [x.number for x in listed] == np.argsort(-own, kind="stable").tolist()
        for each in listed:
            assert each.weight == pytest.approx(own[each.number])
            answers = [answer for _, answer in each.ngrams]
            np.testing.assert_allclose(answers, [x for _, x in expected[each.number][:4]], atol=1e-5)
            assert len({text for text, _ in each.ngrams}) == 4
            for text, answer in each.ngrams:
                assert dict(expected[each.number])[text] == pytest.approx(answer, abs=1e-5)


def test_engines_agree():
    model = fit("cnn", filters=2)
    eager, native = (chainrule.filters(model, TABLE, engine=engine) for engine in ("eager", "native"))
    for one, other in zip(eager.filters["p"], native.filters["p"], strict=True):
        assert one.number == other.number
        np.testing.assert_allclose(*([x for _, x in held.ngrams] for held in (one, other)), atol=1e-5)


def test_other_tasks_and_labels():
    texts, labels = ["red apple", "green pear", "blue car"] * 8, ["apple", "pear", "car"] * 8
    model = fit("cnn", table=chainrule.Table.from_lists(texts, labels))
    found = chainrule.filters(model, texts, most=1, engine="eager")
    assert list(found.filters) == ["apple", "car", "pear"]
    weights = model.network.output.weight.numpy()
    assert found.filters["car"][0].weight == pytest.approx((weights[:, 1] - weights[:, [0, 2]].mean(axis=1)).max())
    stars = chainrule.Table.from_lists(texts, [float(len(x)) for x in texts], target="number")
    model = fit("cnn", table=stars, task=chainrule.Regress())
    assert list(chainrule.filters(model, texts, engine="eager").filters) == ["number"]


def test_shown(tmp_path):
    table = chainrule.Table.from_lists([f"{text} <b>&" for text in TEXTS], [f"<i>{x}" for x in "pn" * 4])
    found = chainrule.filters(fit("cnn", table=table), table, most=2, ngrams=2, engine="eager")
    assert repr(found) == "FilterList(8 filters, 2 lists)"
    lines = str(found).splitlines()
    assert len(lines) == 6
    assert lines[0] == "for <i>n"
    page = found.save(tmp_path / "f.html").read_text()
    assert "<i>" not in page
    assert "<b>" not in page
    assert "for &lt;i&gt;n" in page


def test_what_is_refused(tmp_path):
    model = fit("cnn", epochs=1)
    with pytest.raises(ChainruleError, match="expected a model of the learner cnn, got lstm; `chainrule explain`"):
        chainrule.filters(fit("lstm", epochs=1), TEXTS)
    with pytest.raises(ChainruleError, match="most must be 1 or more, got 0"):
        chainrule.filters(model, TEXTS, most=0)
    for empty in ([], [""]):
        with pytest.raises(ChainruleError, match="the texts have no token"):
            chainrule.filters(model, empty, engine="eager")
    with pytest.raises(ChainruleError, match=r"expected a name that ends in \.html"):
        chainrule.filters(model, TEXTS, engine="eager").save(tmp_path / "f.png")
