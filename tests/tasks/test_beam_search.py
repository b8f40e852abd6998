"""Beam search: against exhaustive search, the likeliest symbol of each step, and several texts against one."""

import itertools

import numpy as np
import pytest

from chainrule.tasks.beam_search import beam_search
from chainrule.text.symbols import END, UNKNOWN_SYMBOL

SYMBOLS, LONGEST, TEXTS = 5, 4, 3
WRITTEN = range(2, SYMBOLS)


class Model:
    """ln p of a symbol by the text and all symbols before it, drawn at random."""

    def __init__(self, seed):
        self.drawn = np.random.default_rng(seed).normal(size=(TEXTS, SYMBOLS**LONGEST + SYMBOLS, SYMBOLS)) * 2

    def after(self, text, prefix):
        place = sum(SYMBOLS**i * (symbol - 1) for i, symbol in enumerate(prefix))
        z = self.drawn[text, place]
        return z - np.log(np.exp(z).sum())

    def advance(self, last, offsets, states):
        text, before = states
        assert (np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)) == text - self.first).all()
        before = np.concatenate([before, last[:, None]], axis=1)
        found = [self.after(int(t), row[1:].tolist()) for t, row in zip(text, before, strict=True)]
        return np.array(found), [text, before]

    def search(self, texts=(0, 1, 2), **settings):
        self.first = texts[0]
        states = [np.array(texts), np.zeros((len(texts), 0), np.int64)]
        return beam_search(self.advance, states, longest=LONGEST, **{"normalization": 1.0, **settings})


@pytest.mark.parametrize("normalization", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_beam_that_holds_everything_finds_the_best_of_all(seed, normalization):
    model = Model(seed)
    found = model.search(width=200, normalization=normalization)
    for text in range(TEXTS):
        every = []
        for length in range(LONGEST + 1):
            for ids in itertools.product(WRITTEN, repeat=length):
                total = sum(model.after(text, ids[:i])[symbol] for i, symbol in enumerate([*ids, END]))
                every.append((total / (length + 1) ** normalization, total, ids))
        every.sort(reverse=True)
        assert [written.ids for written in found[text]] == [ids for _, _, ids in every]
        np.testing.assert_allclose([written.score for written in found[text]], [score for score, _, _ in every])
        np.testing.assert_allclose([written.log_probability for written in found[text]], [p for _, p, _ in every])


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_takes_the_likeliest_symbol_in_each_step(seed):
    model = Model(seed)
    for text, (found,) in enumerate(model.search(width=1)):
        ids = []
        while len(ids) < LONGEST:
            likely = model.after(text, ids)
            likely[UNKNOWN_SYMBOL] = -np.inf
            if likely.argmax() == END:
                break
            ids.append(int(likely.argmax()))
        assert list(found.ids) == ids


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_a_text_alone_is_found_as_among_others(width):
    for seed in range(10):
        model = Model(seed)
        together = model.search(width=width)
        assert [model.search((text,), width=width)[0] for text in range(TEXTS)] == together
        assert all(0 < len(found) <= width for found in together)
        assert all(found == sorted(found, key=lambda each: -each.score) for found in together)


def test_no_symbol_is_written_where_none_may_be():
    model = Model(0)
    model.first, states = 0, [np.arange(TEXTS), np.zeros((TEXTS, 0), np.int64)]
    found = beam_search(model.advance, states, width=3, longest=0, normalization=1.0)
    assert [[written.ids for written in each] for each in found] == [[()]] * TEXTS
