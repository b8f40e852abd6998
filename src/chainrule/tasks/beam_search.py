"""Beam search: the likeliest texts that a model can write, symbol by symbol, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.graph.spec import Array
from chainrule.text.symbols import END, UNKNOWN_SYMBOL

#: One step of what is written: from the last symbol of each row (0 before the first), where the rows of each text begin
#: and the last ones end, and the states of rows, to ln p of every symbol, shape (rows, symbols), and the new states.
Advance = Callable[[Array, Array, list[Array]], tuple[Array, list[Array]]]


@dataclass(frozen=True)
class Written:
    """A text that was written.

    Attributes:
        ids: of its symbols, without the end.
        log_probability: ln p of all of them and of the end.
        score: that, divided by the number of symbols with the end to a power.
    """

    ids: tuple[int, ...]
    log_probability: float
    score: float


def beam_search(
    advance: Advance, states: Sequence[Array], *, width: int, longest: int, normalization: float
) -> list[list[Written]]:
    """The best texts that were found for each of several sources, the best first.

        score = ln p(y₁ … yₙ) / n^α,    yₙ the end

    In each step every row of a source is followed by every symbol, and the likeliest are kept, `width` of them less
    those that have ended before; one that ends now is finished. A search is over when no row is left to follow; at the
    longest texts, all have to end. With a width of 1 it takes the likeliest symbol in each step (greedy search). An
    unknown symbol is never written.

    Args:
        advance: a step of what is written.
        states: of the sources before the first symbol, each with a row a source.
        width: rows of a source that are followed, at most.
        longest: symbols that a text may have, without the end.
        normalization: α; 0 compares probabilities themselves, which prefers short texts.

    Source: Sutskever, Vinyals and Le, Sequence to Sequence Learning with Neural Networks (2014); the division by
    a power of the length: Wu et al., Google's Neural Machine Translation System (2016), there with (5 + n) / 6.
    """
    texts = len(states[0])
    finished: list[list[Written]] = [[] for _ in range(texts)]
    text_of, scores = np.arange(texts), np.zeros(texts)
    written, last, held = np.zeros((texts, 0), np.int64), np.full(texts, END, np.int64), list(states)
    for step in range(longest + 1):
        offsets = np.searchsorted(text_of, np.arange(texts + 1))
        log_probabilities, held = advance(last, offsets, held)
        totals = scores[:, None] + log_probabilities
        totals[:, UNKNOWN_SYMBOL] = -np.inf
        if step == longest:
            totals[:, END + 1 :] = -np.inf
        text, row, symbol, value = _likeliest(totals, text_of, offsets, width)
        left = width - np.array([len(found) for found in finished])
        kept = np.arange(len(text)) - np.searchsorted(text, text) < left[text]  # of the candidates of each text
        for i in np.flatnonzero(kept & (symbol == END)):
            ids, score = tuple(written[row[i]].tolist()), float(value[i])
            finished[text[i]].append(Written(ids, score, score / float(step + 1) ** normalization))
        going = np.flatnonzero(kept & (symbol != END))
        if not len(going):
            break
        row, last, scores, text_of = row[going], symbol[going], value[going], text[going]
        written = np.concatenate([written[row], last[:, None]], axis=1)
        held = [state[row] for state in held]
    return [sorted(found, key=lambda each: -each.score) for found in finished]


def _likeliest(totals: Array, text_of: Array, offsets: Array, count: int) -> tuple[Array, Array, Array, Array]:
    """So many of the likeliest continuations of each text, its likeliest first: text, row, symbol and ln p.

    Args:
        totals: ln p of each row with each symbol after it.
        text_of: of each row, ascending.
        offsets: where the rows of each text begin.
        count: how many; fewer where there are not so many that are possible.
    """
    rows, symbols = totals.shape
    kept = min(count, symbols)
    chosen = np.argpartition(-totals, kept - 1, axis=1)[:, :kept] if kept < symbols else np.arange(symbols)[None]
    chosen = np.sort(np.broadcast_to(chosen, (rows, kept)), axis=1)
    values = np.take_along_axis(totals, chosen, 1).reshape(-1)
    text, row = np.repeat(text_of, kept), np.repeat(np.arange(rows), kept)
    order = np.lexsort((-values, text))
    place = np.arange(len(order)) - (offsets[:-1] * kept)[text[order]]
    order = order[(place < count) & np.isfinite(values[order])]
    return text[order], row[order], chosen.reshape(-1)[order], values[order]
