"""Puzzles: right solutions are accepted, wrong ones refused with what is wrong, and none hangs the one who checks."""

from xml.etree import ElementTree as ET

import pytest

from chainrule.errors import ConfigurationError, DataError
from chainrule.puzzles import PUZZLES, check
from chainrule.puzzles.judge import judged
from tests.puzzles.solutions import RIGHT, WRONG


def written(folder, text):
    path = folder / "solution.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_there_are_at_least_twenty_of_five_kinds_each_with_a_solution():
    assert len(PUZZLES) >= 20
    assert {puzzle.kind for puzzle in PUZZLES.values()} == {"block", "gradient", "function", "wrong gradient"}
    assert set(RIGHT) == set(PUZZLES)


@pytest.mark.parametrize("name", PUZZLES)
def test_a_right_solution_is_accepted(name, tmp_path):
    assert judged(PUZZLES[name], str(written(tmp_path, RIGHT[name]))) == (True, f"{name} is solved")


@pytest.mark.parametrize("name", PUZZLES)
def test_the_starting_file_runs_and_is_refused(name, tmp_path):
    solved, message = judged(PUZZLES[name], str(written(tmp_path, PUZZLES[name].start)))
    assert not solved
    assert "line" not in message, message  # nothing in it fails: it only computes something else


@pytest.mark.parametrize(("name", "text", "said"), WRONG)
def test_a_wrong_solution_is_refused_and_told_why(name, text, said, tmp_path):
    solved, message = judged(PUZZLES[name], str(written(tmp_path, text)))
    assert not solved
    assert said in message


@pytest.mark.parametrize("name", PUZZLES)
def test_the_picture_has_shapes_and_numbers(name):
    puzzle = PUZZLES[name]
    texts = [text.text for text in ET.fromstring(puzzle.picture).iter("{http://www.w3.org/2000/svg}text")]
    arrays = puzzle.arrays(puzzle.example(0))
    for array in arrays:
        assert array in texts
    assert sum(text.startswith("(") or text == "scalar" for text in texts) == len(arrays)


def test_hidden_examples_differ_in_their_sizes():
    sizes = {PUZZLES["linear-gradient"].example(number)["W"].shape for number in range(5)}
    assert len(sizes) > 1


def test_what_it_printed_is_told(tmp_path):
    verdict = check("square", written(tmp_path, RIGHT["square"] + "print('here')\n"))
    assert (verdict.solved, verdict.printed) == (True, "here\n")


def test_a_loop_without_end_is_ended(tmp_path):
    verdict = check("square", written(tmp_path, "while True: pass\n"), seconds=3)
    assert not verdict.solved
    assert "longer than 3 seconds" in verdict.message


def test_what_ends_python_is_told(tmp_path):
    verdict = check("square", written(tmp_path, "import os\nos._exit(7)\n"))
    assert verdict.message == "it ended Python (exit code 7) before it could be judged"


def test_unknown_puzzles_and_files_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"no puzzle 'sqare'.*square"):
        check("sqare", tmp_path / "x.py")
    with pytest.raises(DataError, match="there is no such file"):
        check("square", tmp_path / "x.py")
    with pytest.raises(ConfigurationError, match="above 0"):
        check("square", written(tmp_path, ""), seconds=0)
