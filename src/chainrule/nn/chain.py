"""Conditional random field over the tags of a text: each tag's score depends on the tag before it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.blocks import (
    expand,
    iota,
    logsumexp,
    reshape,
    scan,
    segment_shift,
    segment_sum,
    squeeze,
    take_along_axis,
    where,
)
from chainrule.errors import ShapeError
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor, TensorLike

#: The score of what cannot be.
NEVER = -1e4


def chain_scores(tags: int) -> int:
    """How many numbers a token has for so many tags: a score of each tag, and of each pair of tags."""
    return tags + tags * tags


def chain_log_likelihood(scores: TensorLike, tags: TensorLike, offsets: TensorLike) -> Tensor:
    """The log-likelihood of the tags of each text under a linear-chain conditional random field.

        s(y) = Σₜ aₜ[yₜ] + Σ_{t > 1} Bₜ[yₜ₋₁, yₜ],    ln p(y) = s(y) - ln Σ_{y'} e^{s(y')}

    The sum over all sequences of tags is a recurrence over the tokens, in logarithms: α₁ = a₁ and

        αₜ[y] = aₜ[y] + ln Σ_{y'} e^{αₜ₋₁[y'] + Bₜ[y', y]},    ln Σ_{y'} e^{s(y')} = ln Σ_y e^{αₙ[y]}

    Args:
        scores: of each token a, and B row by row: shape (tokens, K + K²) for K tags.
        tags: y, shape (tokens,), integers in 0 ... K - 1.
        offsets: where each text begins, and the last one ends: shape (texts + 1,).

    Returns:
        shape (texts,); 0 for an empty text.

    Raises:
        ShapeError: for another number of scores, or of tags.

    Example (two tags, which may not differ within a text):
        >>> scores = np.array([[0, 0, 0, 0, 0, 0], [1, 0, 0, -1e4, -1e4, 0]])
        >>> chain_log_likelihood(scores, [0, 0], [0, 2]).value.round(4)
        array([-0.3133], dtype=float32)

    Sources: Lafferty, McCallum and Pereira, Conditional Random Fields (2001); Ma and Hovy, End-to-end Sequence Labeling
    via Bi-directional LSTM-CNNs-CRF (2016), for scores of pairs that depend on the token.
    """
    scores, tags, offsets = as_tensors([scores, tags, offsets])
    count = tags_of(scores.shape)
    if tags.shape != scores.shape[:1]:
        raise ShapeError(f"chain_log_likelihood: expected a tag for each of {scores.shape[0]} tokens, got {tags.shape}")
    single, pairs = scores[:, :count], scores[:, count:]
    one = expand(tags.astype("int64"), 1)
    before = segment_shift(one, offsets, -1)
    follows = squeeze(segment_shift(one * 0 + 1, offsets, -1), 1).astype(scores.dtype)  # whether a token is before it
    chosen = squeeze(take_along_axis(single, one, 1), 1)
    chosen = chosen + follows * squeeze(take_along_axis(pairs, before * count + one, 1), 1)
    texts = offsets.shape[0] - 1

    def step(before: Tensor, single: Tensor, pairs: Tensor) -> tuple[Tensor, list[Tensor]]:
        after = single + logsumexp(expand(before, 2) + reshape(pairs, (pairs.shape[0], count, count)), 1)
        return after, []

    # Before the first token stands one tag, from which all are reached alike.
    start = reshape(where(iota(texts * count) % count > 0, NEVER, 0.0), (texts, count)).astype(scores.dtype)
    last, _ = scan(step, start, single, pairs * expand(follows, 1), offsets=offsets)
    return segment_sum(chosen, offsets) - logsumexp(last, 1)


def best_paths(scores: Array, offsets: Array) -> Array:
    """The likeliest tags of each text (Viterbi), int64 of shape (tokens,); the first of those that are equally likely.

    All texts go side by side, the longest first, and then back from their last tokens.

    Args:
        scores: as of `chain_log_likelihood`.
        offsets: the same.

    Example:
        >>> best_paths(np.array([[0, 0, 0, 0, 0, 0], [1, 0, 0, -1e4, -1e4, 0]], np.float32), np.array([0, 2]))
        array([0, 0])

    Source: Viterbi, Error Bounds for Convolutional Codes (1967).
    """
    count = tags_of(scores.shape)
    pairs = scores[:, count:].reshape(-1, count, count)
    steps = list(_steps(offsets))
    paths, came_from = np.zeros(len(scores), np.int64), np.zeros((len(scores), count), np.int64)
    best = np.zeros((len(offsets) - 1, count), scores.dtype)
    for number, rows in enumerate(steps):
        active = best[: len(rows)]
        if number:
            reached = active[:, :, None] + pairs[rows]
            came_from[rows] = reached.argmax(axis=1)
            active[:] = reached.max(axis=1)
        active += scores[rows, :count]
    tags = best.argmax(axis=1)
    for rows in reversed(steps):
        paths[rows] = tags[: len(rows)]
        tags[: len(rows)] = came_from[rows, tags[: len(rows)]]
    return paths


def _steps(offsets: Array) -> Iterator[Array]:
    """For each step, the tokens of the texts that have it, the longest text first."""
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    starts, lengths = offsets[:-1][order], lengths[order]
    for step in range(int(lengths.max(initial=0))):
        yield starts[: np.searchsorted(-lengths, -step)] + step


def tags_of(shape: tuple[int, ...]) -> int:
    """How many tags there are, where a token has so many scores.

    Raises:
        ShapeError: for a number that is none of K + K².
    """
    tags = int((np.sqrt(1 + 4 * shape[-1]) - 1) / 2 + 0.5) if len(shape) == 2 else 0
    if tags < 1 or chain_scores(tags) != shape[-1]:
        raise ShapeError(f"expected scores of shape (tokens, K + K²) for K tags, got {shape}")
    return tags
