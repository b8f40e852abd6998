"""What moved the answer of a pretrained encoder: the pieces of a text, against the network's own outputs."""

import numpy as np
import pytest

import chainrule
from chainrule import PretrainedTransformer
from chainrule.errors import ChainruleError
from chainrule.explanation import filters
from chainrule.models import Model
from tests.encoders.small import PIECES, encoder_folder

TEXT = "A clever films, zebra"
SHOWN = ("[CLS]", "a", "clever", "film", "##s", ",", "[UNK]", "[SEP]")
#: By task: a table to learn from, and the word that is asked for.
TASKS = {
    "classify": (chainrule.Classify(), chainrule.Table.from_lists(["good", "bad"] * 5, ["p", "n"] * 5), None, 0),
    "tag": (chainrule.Tag(), chainrule.Table.from_lists([["good"], ["bad"]] * 5, [["p"], ["n"]] * 5), "films", 2),
}


@pytest.fixture(scope="module", params=TASKS)
def subject(request, tmp_path_factory):
    task, table, word, row = TASKS[request.param]
    folder = encoder_folder(tmp_path_factory.mktemp("explained") / "encoder")
    return Model.untrained(PretrainedTransformer(folder=str(folder)), task, table, seed=0)[0], word, row


def outputs(model, row, ids=None):
    """Of the text, or with other ids in the place of its own."""
    name = "pieces" if "pieces" in model.reads.arrays else "ids"
    arrays = model.encode([TEXT]).arrays()
    arrays[name] = arrays[name] if ids is None else np.array(ids, np.int32)
    return model.network(*[arrays[x] for x in model.reads.arrays]).numpy()[row].astype(np.float64)


def test_pieces_share_the_score(subject):
    """All that is not the score of unknown pieces, of which those that begin and end the text have nothing."""
    model, word, row = subject
    found = chainrule.explain(model, TEXT, word=word, answer="p")
    assert found.words == SHOWN
    assert found.known == tuple(x != "[UNK]" for x in SHOWN)
    assert (found.place, found.question) == ((None, "p against n") if word is None else (3, "film: p against n"))
    unknown = [PIECES.index(x if x in ("[CLS]", "[SEP]") else "[UNK]") for x in SHOWN]
    weights, constant = found.decision.weights, found.decision.constant
    assert found.score == pytest.approx(outputs(model, row) @ weights + constant, abs=1e-5)
    assert found.rest == pytest.approx(outputs(model, row, unknown) @ weights + constant, abs=1e-3)
    assert found.contributions[[0, 6, 7]].tolist() == [0, 0, 0]
    assert abs(found.contributions[1:6]).min() > 0
    assert [x.shape for x in found.attention.values()] == [(2, 8, 8)] * 2
    np.testing.assert_allclose(found.attention["layer 2"].sum(axis=2), 1, atol=1e-5)


def test_gradient_times_input_is_the_slope_of_the_score(subject):
    """(1 + t) times the row of a piece, which comes once: the slope of the score at t = 0."""
    model, word, row = subject
    found = chainrule.explain(model, TEXT, word=word, steps=0)
    table, step = model.network.encoder.words.table, 1e-2
    before = table.numpy().copy()
    for piece, contribution in zip(SHOWN, found.contributions, strict=True):
        ends = []
        for t in (step, -step):
            changed = before.copy()
            changed[PIECES.index(piece)] *= 1 + t
            table.assign(changed)
            ends.append(outputs(model, row) @ found.decision.weights)
        table.assign(before)
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(contribution, abs=2e-3, rel=2e-2)


def test_what_needs_words_refuses_pieces(subject):
    model, word, _ = subject
    if word is None:
        with pytest.raises(ChainruleError, match="filters: the model reads pieces of words"):
            filters(model, [TEXT])
    else:
        with pytest.raises(ChainruleError, match="expected one of 'A', 'clever', 'films', ',', 'zebra', or its place"):
            chainrule.explain(model, TEXT, word="film")
