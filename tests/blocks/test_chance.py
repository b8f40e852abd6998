"""Counter-based randomness: known answers, independence of the sites, and honest frequencies."""

import numpy as np
import pytest

import chainrule
from chainrule import Key, tensor
from chainrule.errors import ConfigurationError, DTypeError
from chainrule.random import generator


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0), (0, 0), 0x6B200159),
        ((2**32 - 1, 2**32 - 1), (2**32 - 1, 2**32 - 1), 0x1CB996FC),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), 0xC4923A9C),
    ],
)
def test_threefry_gives_the_known_answers_of_its_authors(counter, key, expected):
    words = [np.array([word], np.uint32) for word in (*counter, *key)]
    assert chainrule.threefry(*words).numpy().tolist() == [expected]


def test_threefry_refuses_other_words():
    with pytest.raises(DTypeError, match="threefry: expected uint32 words, got int64"):
        chainrule.threefry([1], [2], [3], [4])


def test_uniform_numbers_are_uniform():
    draws = chainrule.random_uniform(Key.of(seed=0), (100_000,)).numpy()
    assert draws.dtype == np.float32
    assert draws.min() >= 0
    assert draws.max() < 1
    counts, _ = np.histogram(draws, bins=20, range=(0, 1))
    chi_square = ((counts - 5000) ** 2 / 5000).sum()
    assert chi_square < 43.8  # 0.999 quantile with 19 degrees of freedom


def test_draws_depend_on_seed_step_and_site_and_on_nothing_else():
    base = Key.of(seed=1, step=2).at(3)
    shape = (50,)
    draws = chainrule.random_uniform(base, shape).numpy()
    np.testing.assert_array_equal(draws, chainrule.random_uniform(Key.of(seed=1, step=2).at(3), shape).numpy())
    for other in (Key.of(2, 2).at(3), Key.of(1, 3).at(3), Key.of(1, 2).at(4), Key.of(1, 2).at(3).at(0)):
        assert abs(np.corrcoef(draws, chainrule.random_uniform(other, shape).numpy())[0, 1]) < 0.5


def test_dropout_keeps_the_mean_and_drops_at_the_rate():
    x = tensor(np.ones((300, 300)))
    y = chainrule.dropout(x, 0.3, Key.of(seed=0))
    assert (y.numpy() == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert y.numpy().mean() == pytest.approx(1, abs=0.02)
    gradient = chainrule.grad(y.sum(), x).numpy()
    np.testing.assert_array_equal(gradient, y.numpy())
    assert chainrule.dropout(x, 0.0, Key.of(seed=0)) is x


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_dropout_refuses_rates_that_are_not_probabilities(rate):
    with pytest.raises(ConfigurationError, match=f"expected a rate of at least 0 and below 1, got {rate}"):
        chainrule.dropout([1.0], rate, Key.of(seed=0))


def test_generators_of_different_purposes_are_independent():
    first = generator(0, "shuffle", 1).random(1000)
    np.testing.assert_array_equal(first, generator(0, "shuffle", 1).random(1000))
    for other in (generator(0, "shuffle", 2), generator(1, "shuffle", 1), generator(0, "weights", 1)):
        assert abs(np.corrcoef(first, other.random(1000))[0, 1]) < 0.15


@pytest.mark.parametrize("draw", [Key.of, generator])
def test_a_negative_seed_is_refused(draw):
    with pytest.raises(ConfigurationError, match="seed: expected a whole number of 0 or more, got -1"):
        draw(-1)
