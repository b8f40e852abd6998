"""What a setting may be: draws of ranges and choices, the numbers of a grid, and what is refused."""

import re

import numpy as np
import pytest

from chainrule.errors import ConfigurationError
from chainrule.experiment.search.domain import Choices, Range, domain_of


def draws(domain, count=2000):
    generator = np.random.default_rng(0)
    return [domain.draw(generator) for _ in range(count)]


def test_a_linear_range_is_drawn_evenly():
    found = np.array(draws(Range(-1.0, 3.0)))
    assert found.min() >= -1
    assert found.max() <= 3
    assert np.histogram(found, 4, (-1, 3))[0] == pytest.approx([500] * 4, rel=0.15)


def test_the_logarithms_of_a_logarithmic_range_are_drawn_evenly():
    found = np.array(draws(Range(1e-4, 1.0, scale="log")))
    assert found.min() >= 1e-4
    assert found.max() <= 1
    assert np.histogram(np.log10(found), 4, (-4, 0))[0] == pytest.approx([500] * 4, rel=0.15)


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_whole_numbers_come_with_both_ends(scale):
    found = draws(Range(1, 5, scale=scale, whole=True))
    assert set(found) == {1, 2, 3, 4, 5}
    assert all(isinstance(x, int) for x in found)
    shares = [found.count(x) / len(found) for x in range(1, 6)]
    widths = [np.log((x + 0.5) / (x - 0.5)) if scale == "log" else 1 for x in range(1, 6)]
    assert shares == pytest.approx(np.array(widths) / sum(widths), abs=0.03)


def test_numbers_have_four_digits_and_stay_within_the_ends():
    found = draws(Range(0.123456, 0.123789))
    assert all(0.123456 <= x <= 0.123789 for x in found)
    assert {x for x in found if 0.123456 < x < 0.123789} <= {0.1235, 0.1236, 0.1237}


def test_choices_are_drawn_evenly():
    found = draws(Choices(("a", "b", None)))
    assert [found.count(x) / 2000 for x in ("a", "b", None)] == pytest.approx([1 / 3] * 3, abs=0.04)


@pytest.mark.parametrize(
    ("range", "listed"),
    [
        (Range(0, 1, count=5), (0, 0.25, 0.5, 0.75, 1)),
        (Range(1, 1000, scale="log", count=4), (1, 10, 100, 1000)),
        (Range(2, 5, whole=True), (2, 3, 4, 5)),
        (Range(1, 9, count=3, whole=True), (1, 5, 9)),
        (Range(1, 2, count=5, whole=True), (1, 2)),
        (Range(0, 1), None),
        (Range(1, 100, scale="log", whole=True), None),
    ],
)
def test_the_numbers_that_a_grid_takes(range, listed):
    assert range.listed() == listed


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Range(2, 1), "low must be below high, got low 2 and high 1"),
        (lambda: Range(1, 1), "low must be below high"),
        (lambda: Range("1", 2), "low must be a number, got '1'"),
        (lambda: Range(0, float("nan")), "high must be a number, got nan"),
        (lambda: Range(0, float("inf")), "high must be a number, got inf"),
        (lambda: Range(0, 10**400), "high must be a number, got 1000"),
        (lambda: Range(False, 2), "low must be a number, got False"),
        (lambda: Range(0, 1, scale="log"), "a logarithmic range begins above 0, got low 0"),
        (lambda: Range(0, 1, scale="cubic"), "scale must be linear or log, got 'cubic'"),
        (lambda: Range(0, 1, count=1), "count must be a whole number from 2 to 10,000, got 1"),
        (lambda: Range(0, 1, count=2.5), "count must be a whole number from 2 to 10,000, got 2.5"),
        (lambda: Choices(()), "there is nothing to choose from; list values"),
        (lambda: Choices((1, 2, 1)), "1 is listed twice"),
        (lambda: domain_of("0.1"), "expected choices such as [0.0, 0.5], or a range such as {low = 0.0, high = 0.5}"),
        (lambda: domain_of({"low": 0}), "a range has low and high; high is missing"),
        (lambda: domain_of({"low": 0, "hihg": 1}), "a range has no 'hihg'; did you mean 'high'?"),
        (lambda: domain_of({"low": 0, "high": 1, "q": 1}), "a range has no 'q'; it has low, high, scale, count"),
    ],
)
def test_what_is_no_domain(make, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        make()
