"""Conditional random fields: against a sum over all sequences of tags."""

import itertools

import numpy as np
import pytest

import chainrule
from chainrule.errors import ShapeError
from chainrule.nn.chain import best_paths, chain_log_likelihood, chain_scores, tags_of

TAGS = 3
OFFSETS = np.array([0, 3, 3, 4, 8])
DRAWS = np.random.default_rng(0)
SCORES = DRAWS.normal(size=(8, chain_scores(TAGS)))
TRUE = DRAWS.integers(0, TAGS, 8)


def score(rows, path):
    """s(y), token by token."""
    pairs = itertools.pairwise(path)
    each = [rows[t, tag] for t, tag in enumerate(path)]
    return sum(each) + sum(rows[t, TAGS + a * TAGS + b] for t, (a, b) in enumerate(pairs, start=1))


def enumerated(scores, tags, offsets):
    """The log-likelihood and the best path of each text, by all paths there are."""
    found = []
    for start, stop in itertools.pairwise(offsets.tolist()):
        rows = scores[start:stop]
        paths = list(itertools.product(range(TAGS), repeat=stop - start))
        values = np.array([score(rows, path) for path in paths])
        likelihood = score(rows, tags[start:stop].tolist()) - np.logaddexp.reduce(values)
        found.append((likelihood, paths[int(values.argmax())]))
    return found


def test_likelihoods_are_those_of_all_paths():
    expected = [likelihood for likelihood, _ in enumerated(SCORES, TRUE, OFFSETS)]
    found = chain_log_likelihood(chainrule.tensor(SCORES, "float64"), TRUE, OFFSETS)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)
    compiled = chainrule.compile(chain_log_likelihood, ragged=True)(SCORES.astype(np.float32), TRUE, OFFSETS)
    np.testing.assert_allclose(compiled.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_probabilities_of_all_sequences_sum_to_one():
    rows = SCORES[4:8]
    paths = np.array(list(itertools.product(range(TAGS), repeat=4)))
    texts = np.arange(0, 4 * len(paths) + 1, 4)
    found = chain_log_likelihood(np.tile(rows, (len(paths), 1)), paths.reshape(-1), texts).numpy()
    assert np.exp(found.astype(np.float64)).sum() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_are_those_of_all_paths(compiled):
    def gradient(scores, tags, offsets):
        return chainrule.grad(chain_log_likelihood(scores, tags, offsets).sum(), scores)

    function = chainrule.compile(gradient, ragged=True) if compiled else gradient
    found = function(chainrule.tensor(SCORES, "float64"), TRUE, OFFSETS).numpy()
    expected, step = np.zeros_like(SCORES), 1e-6
    for place in np.ndindex(SCORES.shape):
        moved = [SCORES.copy(), SCORES.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        above, below = (sum(x for x, _ in enumerated(scores, TRUE, OFFSETS)) for scores in moved)
        expected[place] = (above - below) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)
    assert not found[[0, 3, 4], TAGS:].any()  # the first token of a text has no tag before it


def test_best_paths_are_those_of_all_paths():
    for seed in range(20):
        scores = np.random.default_rng(seed).normal(size=SCORES.shape)
        expected = np.concatenate([path for _, path in enumerated(scores, TRUE, OFFSETS)]).astype(np.int64)
        np.testing.assert_array_equal(best_paths(scores, OFFSETS), expected)


def test_without_scores_of_pairs_each_tag_is_decided_by_itself():
    scores = SCORES.copy()
    scores[:, TAGS:] = 0
    np.testing.assert_array_equal(best_paths(scores, OFFSETS), scores[:, :TAGS].argmax(1))
    logarithms = scores[:, :TAGS] - np.logaddexp.reduce(scores[:, :TAGS], axis=1, keepdims=True)
    expected = np.add.reduceat(np.append(logarithms[np.arange(8), TRUE], 0), [0, 3, 4])
    found = chain_log_likelihood(chainrule.tensor(scores, "float64"), TRUE, OFFSETS).numpy()
    np.testing.assert_allclose(found[[0, 2, 3]], expected, rtol=1e-12)
    assert found[1] == 0


def test_no_text_and_no_token():
    nothing = np.zeros((0, chain_scores(TAGS)), np.float32)
    assert best_paths(nothing, np.array([0, 0])).shape == (0,)
    assert chain_log_likelihood(nothing, np.zeros(0, np.int64), [0, 0]).numpy().tolist() == [0]


def test_what_does_not_fit_is_refused():
    assert [tags_of((4, chain_scores(n))) for n in (1, 2, 12, 100)] == [1, 2, 12, 100]
    with pytest.raises(ShapeError, match=r"scores of shape \(tokens, K \+ K²\) for K tags, got \(8, 11\)"):
        chain_log_likelihood(SCORES[:, :11], TRUE, OFFSETS)
    with pytest.raises(ShapeError, match=r"expected a tag for each of 8 tokens, got \(7,\)"):
        chain_log_likelihood(SCORES, TRUE[:7], OFFSETS)
