"""`chainrule schedule`: plots of all schedules, their settings, and what is refused."""

import re

import pytest

from chainrule.cli.schedule import HEIGHT, plotted
from chainrule.optim import SCHEDULES


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 7, 500])
def test_every_schedule_is_plotted(run, name, steps):
    result = run("schedule", name, "--steps", steps, "--lr", 0.5)
    assert result.code == 0
    assert len(result.out.splitlines()) == HEIGHT + 2 + (name == "plateau")
    assert " 0.5 │" in result.out or name == "product"


def test_columns_are_as_high_as_the_values():
    lines = plotted([0.0, 0.5, 1.0])
    assert [line.split("│")[1] for line in lines[:HEIGHT]] == ["  █"] * 5 + [" ██"] * 5


def test_settings_of_the_schedule_are_options(run):
    one, other = (run("schedule", "cosine", *words).out for words in ([], ["--restarts", "3"]))
    assert one != other


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cosin"], "there is no schedule 'cosin'; did you mean 'cosine'?"),
        (["cosine", "--restarts", "x"], "--restarts must be a whole number of 0 or more, got 'x'"),
        (["product", "--schedules", "linear,one-cycle"], "--schedules contradict each other: linear and one-cycle"),
        (["cosine", "--steps", "0"], "--steps must be a whole number above 0, and at most 10,000,000, got '0'"),
        (["cosine", "--lr", "nan"], "--lr must be a number above 0, and at most 10,000,000, got 'nan'"),
    ],
)
def test_what_is_refused(refused, words, message):
    assert message in refused("schedule", *words)


def test_a_picture_of_a_schedule(run, refused, tmp_path):
    """Its line bends where the rates do; long ones have fewer points than steps."""
    done = run("schedule", "cosine", "--steps", 4000, "--lr", 0.5, "--out", tmp_path / "cosine.svg")
    assert done.error == f"chainrule: the learning rate by step is drawn in {tmp_path / 'cosine.svg'}\n"
    text = (tmp_path / "cosine.svg").read_text()
    assert "Schedule cosine, 4,000 steps" in text
    assert "Learning rate" in text
    line = max((path for paths in re.findall(r'points="([^"]*)"|d="([^"]*)"', text) for path in paths), key=len)
    assert 10 < len(re.findall(r"[\d.]+[ ,][\d.]+", line)) < 400
    assert "expected a name that ends in .svg" in refused("schedule", "linear", "--out", tmp_path / "linear.png")
