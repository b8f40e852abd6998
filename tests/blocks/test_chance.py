"""Counter-based randomness: known answers, independence of the sites, and honest frequencies."""

import collections

import numpy as np
import pytest
from scipy import stats

import chainrule
from chainrule import Key, tensor
from chainrule.blocks.chance import BoxMuller, MultiplyShift
from chainrule.errors import ConfigurationError, DTypeError, ShapeError
from chainrule.random import generator

#: The 0.999 quantile of χ² with 19 degrees of freedom.
CHI_SQUARE = 43.8


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
    assert chi_square < CHI_SQUARE


def test_draws_depend_on_seed_step_and_site_and_on_nothing_else():
    base = Key.of(seed=1, step=2).at(3)
    shape = (50,)
    draws = chainrule.random_uniform(base, shape).numpy()
    np.testing.assert_array_equal(draws, chainrule.random_uniform(Key.of(seed=1, step=2).at(3), shape).numpy())
    for other in (Key.of(2, 2).at(3), Key.of(1, 3).at(3), Key.of(1, 2).at(4), Key.of(1, 2).at(3).at(0)):
        assert abs(np.corrcoef(draws, chainrule.random_uniform(other, shape).numpy())[0, 1]) < 0.5


def test_normal_numbers_are_normal_in_the_middle_and_in_the_tails():
    count = 2_000_000
    draws = chainrule.random_normal(Key.of(seed=0), (count,)).numpy()
    assert draws.dtype == np.float32
    for power, expected, spread in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)]:
        moment = (draws.astype(np.float64) ** power).mean()
        assert abs(moment - expected) < 4 * np.sqrt(spread / count)
    bounds = stats.norm.ppf(np.arange(1, 20) / 20)
    counts = np.bincount(np.searchsorted(bounds, draws), minlength=20)
    assert ((counts - count / 20) ** 2 / (count / 20)).sum() < CHI_SQUARE
    for bound in (3.0, 4.0, 4.5):
        for tail in (draws > bound, draws < -bound):
            expected = count * stats.norm.sf(bound)
            assert abs(tail.sum() - expected) < 4 * np.sqrt(expected)
    assert len(np.unique(draws)) > 0.8 * count  # no lattice of few numbers
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 4 / np.sqrt(count)


def test_normal_numbers_of_the_smallest_and_largest_words():
    words = np.array([0, 2**31, 2**32 - 1], np.uint32)
    largest, middle, smallest = BoxMuller()(words, np.zeros(3, np.uint32)).numpy().tolist()
    assert largest == np.float32(np.sqrt(66 * np.log(2)))
    assert middle == np.float32(np.sqrt(-2 * np.log(0.5 + 2**-33)))
    assert smallest == pytest.approx(np.sqrt(2) * 2**-16.5, rel=1e-6)


@pytest.mark.parametrize(("low", "high"), [(0, 20), (-7, 13), (10**12, 10**12 + 20)])
def test_integers_are_as_likely_as_each_other(low, high):
    draws = chainrule.random_integers(Key.of(seed=0), (200_000,), low, high).numpy()
    assert draws.dtype == np.int64
    counts = np.bincount(draws - low, minlength=20)
    assert len(counts) == 20
    assert ((counts - 10_000) ** 2 / 10_000).sum() < CHI_SQUARE


def test_integers_of_a_large_range_have_no_bias():
    """Of 3 · 2²⁹ numbers, 32 bits alone would give a third of them twice as often as the others."""
    count = 3 * 2**29
    draws = chainrule.random_integers(Key.of(seed=0), (300_000,), 0, count).numpy()
    assert (draws % 3 == 0).mean() == pytest.approx(1 / 3, abs=0.004)
    words = [np.array([word], np.uint32) for word in (2**32 - 1, 2**32 - 1)]
    assert MultiplyShift(2**31)(*words).item() == 2**31 - 1
    assert chainrule.random_integers(Key.of(seed=0), (3,), 5, 6).value.tolist() == [5, 5, 5]


@pytest.mark.parametrize(("low", "high"), [(0, 0), (3, 2), (0, 2**31 + 1)])
def test_integers_refuse_other_ranges(low, high):
    with pytest.raises(ConfigurationError, match=rf"expected a high of 1 to 2³¹ above low = {low}, got {high}"):
        chainrule.random_integers(Key.of(seed=0), (2,), low, high)


def test_shuffle_gives_each_order_as_often():
    orders = collections.Counter(
        tuple(chainrule.shuffle([0, 1, 2], Key.of(seed=0, step=step)).value.tolist()) for step in range(3000)
    )
    assert len(orders) == 6
    assert sum((count - 500) ** 2 / 500 for count in orders.values()) < 20.5  # 0.999 quantile, 5 degrees of freedom


def test_shuffle_moves_whole_rows_and_their_gradients():
    key = Key.of(seed=3)
    x = tensor(np.arange(2000.0).reshape(1000, 2))
    shuffled, order = chainrule.shuffle(x, key), chainrule.shuffle(np.arange(1000), key).value
    assert sorted(order.tolist()) == list(range(1000))
    assert abs(np.corrcoef(order, np.arange(1000))[0, 1]) < 0.1
    np.testing.assert_array_equal(shuffled.value, x.value[order])
    weights = np.arange(2000, dtype=np.float32).reshape(1000, 2)
    gradient = chainrule.grad((shuffled * weights).sum(), x).value
    np.testing.assert_array_equal(gradient[order], weights)
    with pytest.raises(ShapeError, match="shuffle: expected rows to shuffle, got a scalar"):
        chainrule.shuffle(1.0, key)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_draws_are_the_same_bits_compiled_at_any_number_of_threads(threads):
    def draw(key):
        size = (300, 200)
        rows = chainrule.iota((60_000,))
        return [
            chainrule.random_normal(key, size),
            chainrule.random_uniform(key, size),
            chainrule.random_integers(key, size, -5, 1000),
            chainrule.shuffle(rows, key),
        ]

    compiled = chainrule.compile(draw, threads=threads)
    for step in range(2):
        key = Key.of(seed=4, step=step).at(1)
        for found, expected in zip(compiled(key), draw(key), strict=True):
            np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_draws_of_one_key_are_unrelated():
    key, shape = Key.of(seed=0), (100_000,)
    normal = chainrule.random_normal(key, shape).numpy()
    uniform = chainrule.random_uniform(key.at(1), shape).numpy()
    assert abs(np.corrcoef(normal, uniform)[0, 1]) < 0.015
    assert abs(np.corrcoef(abs(normal), uniform)[0, 1]) < 0.015


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
