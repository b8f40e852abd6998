"""The board of an experiment: what a terminal shows, what a file gets, and how long the rest takes."""

import io
import re

import pytest

import chainrule
from chainrule.experiment.measure import Measure
from chainrule.experiment.progress import Board
from chainrule.experiment.runner import Job
from chainrule.experiment.trial import Trial

ACCURACY = Measure("accuracy", True, "accuracy")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def jobs(*learners, seeds=2):
    task, training = chainrule.Classify(), chainrule.Training(epochs=4)
    trials = [Trial(task, learner, training, seed) for seed in range(seeds) for learner in learners]
    return [Job(trial, number) for number, trial in enumerate(trials)]


def ended(job, accuracy, seconds=2.0):
    trial = job.trial
    named = {"run": trial.name, "configuration": trial.configuration}
    if accuracy is None:
        return {**named, "state": "failed", "reason": "the loss became nan", "valid": None}
    valid = {"accuracy": accuracy, "loss": 1 - accuracy}
    return {**named, "state": "finished", "valid": valid, "epochs": 4, "seconds": seconds}


@pytest.fixture
def asked():
    return jobs(chainrule.BagOfWords(), chainrule.FeedForward())


def screen(text):
    """What a terminal shows after all that was written to it."""
    lines, place = [], 0
    for piece in re.findall(r"\x1b\[(\d+)A|\x1b\[2K([^\n\x1b]*)\n|(\x1b\[0J)", text):
        up, line, rest = piece
        if up:
            place -= int(up)
        elif rest:
            del lines[place:]
        else:
            lines[place : place + 1] = [line]
            place += 1
    return lines


def test_a_terminal_shows_one_table_at_one_place(asked):
    stream = Terminal()
    board = Board(ACCURACY, stream, clock=iter(range(1000)).__next__)
    board.at_once(2)
    board.planned(asked, {}, "final")
    board.told({"run": asked[0].trial.name, "epoch": 1.0, "epochs": 4})
    board.ended(ended(asked[1], 0.75, seconds=3.0))
    board.ended(ended(asked[0], 0.5))
    board.told({"run": asked[2].trial.name, "epoch": 2.0, "epochs": 4, "valid": {"accuracy": 0.6}})
    shown = screen(stream.getvalue())
    assert len(shown) == 4
    assert re.split(r"\s{2,}", shown[0]) == ["learner", "configuration", "runs", "accuracy, mean", "best", "now"]
    assert re.split(r"\s{2,}", shown[1])[2:] == ["1/2", "0.7500", "0.7500"]
    assert shown[1].startswith("ffnn")
    assert re.split(r"\s{2,}", shown[2])[2:] == ["1/2", "0.5000", "0.5000", "epoch 2 of 4"]
    assert shown[3] == "2 of 4 runs, about 2 s left"  # two runs of 2.5 s on average, two at a time
    board.at_once(1)  # a worker of a cluster has gone
    assert board.left() == 5.0
    board.ended(ended(asked[2], 0.9))
    board.ended(ended(asked[3], None))
    assert screen(stream.getvalue())[1].startswith("ffnn")
    assert "2/2, 1 failed" in screen(stream.getvalue())[1]
    assert screen(stream.getvalue())[3] == "4 of 4 runs"


def test_it_is_drawn_seldom_while_little_happens(asked):
    stream = Terminal()
    board = Board(ACCURACY, stream, clock=lambda: 5.0)
    board.planned(asked, {}, "final")
    size = len(stream.getvalue())
    for _ in range(100):
        board.told({"run": asked[0].trial.name, "epoch": 1.0, "epochs": 4})
    assert len(stream.getvalue()) == size


def test_a_file_gets_a_line_a_run(asked):
    stream = io.StringIO()
    board = Board(ACCURACY, stream)
    board.planned(asked, {asked[0].trial.name: ended(asked[0], 0.5)}, "final")
    board.told({"run": asked[1].trial.name, "epoch": 1.0, "epochs": 4})
    board.ended(ended(asked[1], 0.75))
    board.ended(ended(asked[2], None))
    assert stream.getvalue().splitlines() == [
        f"2 of 4: {asked[1].trial.name}: accuracy 0.7500, 4 epochs, 2.0 s",
        f"3 of 4: {asked[2].trial.name}: failed: the loss became nan",
    ]


def test_lower_may_be_better_and_many_configurations_are_cut():
    learners = [chainrule.FeedForward(dim=dim) for dim in range(1, 30)]
    asked = jobs(*learners, seeds=1)
    stream = Terminal()
    board = Board(Measure("loss", False, "loss"), stream)
    board.planned(asked, {}, "final")
    for number, job in enumerate(asked):
        board.ended(ended(job, number / 100))
    shown = screen(stream.getvalue())
    assert "0.7200" in shown[1]
    assert shown[-2] == "and 9 more configurations"


def test_what_learners_and_reasons_hold_does_not_act_on_the_terminal(asked):
    stream = io.StringIO()
    board = Board(ACCURACY, stream)
    board.planned(asked, {}, "final")
    board.ended({**ended(asked[0], None), "reason": "red \x1b[31m\nline"})
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_a_stream_that_is_gone_ends_nothing(asked):
    class Gone(Terminal):
        def write(self, text):
            raise BrokenPipeError

    board = Board(ACCURACY, Gone())
    board.planned(asked, {}, "final")
    board.ended(ended(asked[0], 0.5))
