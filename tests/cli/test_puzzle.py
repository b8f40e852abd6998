"""`chainrule puzzle`: what it lists, shows, writes and says of solutions."""

from pathlib import Path

import pytest

from chainrule.cli.main import main
from chainrule.puzzles import PUZZLES
from tests.puzzles.solutions import RIGHT


def test_all_are_listed_here_and_on_the_page(capsys):
    assert main(["puzzle", "list"]) == 0
    listed = capsys.readouterr().out
    page = (Path(__file__).parents[2] / "docs" / "puzzles.md").read_text(encoding="utf-8")
    for puzzle in PUZZLES.values():
        assert f"  {puzzle.name} " in listed
        assert f"### `{puzzle.name}`: {puzzle.title}\n" in page


def test_show_writes_a_start_and_a_picture(tmp_path, capsys):
    start, picture = tmp_path / "start.py", tmp_path / "picture.svg"
    assert main(["puzzle", "show", "quotient", "--start", str(start), "--out", str(picture), "--hint"]) == 0
    said = capsys.readouterr().out
    assert "y = a / b" in said
    assert "Hint: ∂y/∂a" in said
    assert start.read_text(encoding="utf-8") == PUZZLES["quotient"].start
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    assert main(["puzzle", "show", "quotient"]) == 0
    assert "class Quotient" in capsys.readouterr().out


def test_check_tells_the_verdict_and_ends_with_it(tmp_path, capsys):
    path = tmp_path / "solution.py"
    path.write_text(RIGHT["mean-gradient"] + "print('tried')\n", encoding="utf-8")
    assert main(["puzzle", "check", "mean-gradient", str(path)]) == 0
    assert capsys.readouterr().out == "| tried\nmean-gradient is solved\n"
    path.write_text(PUZZLES["mean-gradient"].start, encoding="utf-8")
    assert main(["puzzle", "check", "mean-gradient", str(path)]) == 1
    assert capsys.readouterr().out.startswith("∂L/∂x: expected")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "sqare"], "did you mean 'square'"),
        (["check", "square", "none.py"], "there is no such file"),
        (["check", "square", "x.py", "--seconds", "soon"], "expected a number"),
        (["show", "square", "--start", "x.txt"], "expected a name that ends in .py"),
        (["show", "square", "--out", "x.png"], "expected a name that ends in .svg"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["puzzle", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_files_that_are_there_stay(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text("mine", encoding="utf-8")
    assert main(["puzzle", "show", "square", "--start", str(path)]) == 2
    assert "the file exists" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "mine"
