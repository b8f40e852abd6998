"""Sampling: probabilities are what they are said to be, and tokens are drawn by them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from chainrule.errors import ConfigurationError
from chainrule.models import Sampling
from chainrule.random import generator

OUTPUTS = np.log(np.array([0.05, 0.4, 0.25, 0.2, 0.1], np.float32))


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


@pytest.mark.parametrize("temperature", [0.3, 1, 2.5])
def test_temperature_divides_outputs(temperature):
    found = Sampling(temperature=temperature).probabilities(OUTPUTS)
    np.testing.assert_allclose(found, softmax(OUTPUTS.astype(np.float64) / temperature), rtol=1e-12)


def test_at_0_the_likeliest_alone():
    outputs = np.array([1, 3, 3, 2], np.float32)
    assert Sampling(temperature=0).probabilities(outputs).tolist() == [0, 1, 0, 0]
    assert Sampling(temperature=0).draw(outputs, generator(0)) == 1
    assert Sampling(temperature=1e-300).probabilities(outputs).tolist() == [0, 0.5, 0.5, 0]


@pytest.mark.parametrize("k", [1, 2, 4, 5, 9])
def test_top_k(k):
    p = softmax(OUTPUTS.astype(np.float64))
    kept = np.where(p >= np.sort(p)[::-1][min(k, 5) - 1], p, 0)
    np.testing.assert_allclose(Sampling(top_k=k).probabilities(OUTPUTS), kept / kept.sum(), rtol=1e-12)


@pytest.mark.parametrize(
    ("p", "kept"), [(0.01, [1]), (0.4, [1]), (0.41, [1, 2]), (0.65, [1, 2]), (0.9, [1, 2, 3, 4]), (1, [0, 1, 2, 3, 4])]
)
def test_top_p(p, kept):
    """The fewest tokens that have so much together; a sum that is just that is enough, whatever rounding made of it."""
    exact = np.log(np.array([0.05, 0.4, 0.25, 0.2, 0.1]))
    found = Sampling(top_p=p).probabilities(exact)
    assert np.flatnonzero(found).tolist() == kept
    np.testing.assert_allclose(found[kept], softmax(exact[kept]), rtol=1e-12)


def test_top_p_is_of_what_top_k_and_temperature_leave():
    exact = np.log(np.array([0.05, 0.4, 0.25, 0.2, 0.1]))
    assert np.flatnonzero(Sampling(top_k=3, top_p=0.7).probabilities(exact)).tolist() == [1, 2]
    assert np.flatnonzero(Sampling(top_p=0.7).probabilities(exact)).tolist() == [1, 2, 3]
    assert np.flatnonzero(Sampling(temperature=0.2, top_p=0.7).probabilities(exact)).tolist() == [1]


@given(
    st.lists(st.floats(-40, 40, width=32) | st.just(-np.inf), min_size=1).filter(lambda z: max(z) > -np.inf),
    st.floats(0, 5), st.none() | st.integers(1, 40), st.none() | st.floats(0, 1, exclude_min=True), st.integers(0, 99),
)  # fmt: skip
def test_what_is_drawn_may_be_drawn(outputs, temperature, k, p, seed):
    sampling = Sampling(temperature=temperature, top_k=k, top_p=p)
    z = np.array(outputs, np.float32)
    found = sampling.probabilities(z)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()
    assert (found[np.isneginf(z)] == 0).all()
    assert k is None or np.count_nonzero(found) <= k
    assert found[z.argmax()] == found.max()
    assert found[sampling.draw(z, generator(seed))] > 0


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.8}], ids=str)
def test_draws_come_as_often_as_they_should(settings):
    """Pearson's chi-square of 20,000 draws with a fixed seed."""
    sampling, draws = Sampling(**settings), generator(1)
    counts = np.bincount([sampling.draw(OUTPUTS, draws) for _ in range(20_000)], minlength=5)
    p = sampling.probabilities(OUTPUTS)
    assert (counts[p == 0] == 0).all()
    assert stats.chisquare(counts[p > 0], 20_000 * p[p > 0]).pvalue > 0.01


def test_the_last_draw_is_of_a_token_that_has_a_probability():
    class Last:
        def random(self):
            return 1.0

    assert Sampling().draw(np.array([0, 0, -np.inf], np.float32), Last()) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1}, "temperature: expected a finite number of 0 or more, got -1"),
        ({"temperature": np.inf}, "temperature: expected a finite"),
        ({"temperature": np.nan}, "temperature: expected a finite"),
        ({"temperature": True}, "temperature: expected a finite"),
        ({"temperature": "1"}, "temperature: expected a finite"),
        ({"top_k": 0}, "top_k: expected a whole number of 1 or more, got 0"),
        ({"top_k": 1.5}, "top_k: expected a whole"),
        ({"top_p": 0}, "top_p: expected a number above 0 and up to 1, got 0"),
        ({"top_p": 1.1}, "top_p: expected a number above 0"),
        ({"top_p": np.nan}, "top_p: expected a number above 0"),
    ],
)
def test_figures_outside_their_ranges(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        Sampling(**settings)
