"""The draw command: what it prints and writes, and what it refuses."""

import argparse
from xml.etree import ElementTree as ET

import pytest

from chainrule.cli.draw import add_parser
from chainrule.errors import ChainruleError, ConfigurationError, ShapeError


def draw(*words):
    """Run the command on the words of a command line."""
    parser = argparse.ArgumentParser(prog="chainrule")
    add_parser(parser.add_subparsers(required=True), ["draw", *map(str, words)])
    arguments = parser.parse_args(["draw", *map(str, words)])
    arguments.run(arguments)


def test_value_gradients_and_file(tmp_path, capsys):
    out = tmp_path / "graph.svg"
    draw("(x*a+b)**2", "--at", "x=2", "a=3", "b=1", "--out", out)
    assert capsys.readouterr().out.splitlines() == [
        "value: 49",
        "gradient of x: 42",
        "gradient of a: 28",
        "gradient of b: 14",
        f"drawing: {out} (7 nodes)",
    ]
    shown = {text.text for text in ET.parse(out).iter("{http://www.w3.org/2000/svg}text")}
    assert {"x", "multiply", "add", "power", "49", "42", "gradient"} <= shown


def test_without_out_it_only_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    draw("sum(x * [[1, 2], [3, 4]])", "--at", "x=[1, 10]")
    assert capsys.readouterr().out == "value: 64\ngradient of x: [4., 6.]\n"
    assert not list(tmp_path.iterdir())


def test_at_may_be_repeated_and_come_first(capsys):
    draw("--at", "x=2", "--at", "a = -3", "--", "-x*a")
    assert capsys.readouterr().out == "value: 6\ngradient of x: 3\ngradient of a: -2\n"


def test_gradients_need_a_scalar(tmp_path, capsys):
    draw("exp(x)", "--at", "x=[0, 0]", "--out", tmp_path / "graph.svg")
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first == "value: [1., 1.]"
    assert second == (
        "no gradients: they need a floating-point scalar, and the result is none: it has shape (2,): sum(...) makes one"
    )
    assert ">gradient<" not in (tmp_path / "graph.svg").read_text()


def test_a_truth_has_no_gradients(capsys):
    draw("x > 1", "--at", "x=2")
    assert capsys.readouterr().out == (
        "value: True\nno gradients: they need a floating-point scalar, and the result is none: it holds bool\n"
    )


def test_a_name_without_a_path_has_no_gradient(capsys):
    draw("where(x > 1, y, 0)", "--at", "x=2", "y=3")
    assert capsys.readouterr().out.splitlines()[1:] == [
        "gradient of x: none (no differentiable path leads from it to the result)",
        "gradient of y: 1",
    ]


def test_an_expression_without_names(capsys):
    draw("2 + 3")
    assert capsys.readouterr().out == "value: 5\n"


def test_existing_file_is_kept_unless_forced(tmp_path, capsys):
    out = tmp_path / "graph.svg"
    out.write_text("mine")
    with pytest.raises(ConfigurationError, match="the file exists; choose another name, or add --force"):
        draw("1 + 2", "--out", out)
    assert out.read_text() == "mine"
    assert capsys.readouterr().out == ""
    draw("1 + 2", "--out", out, "--force")
    assert out.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["x", "--at", "x"], "--at 'x': expected NAME=VALUE without spaces, such as x=2"),
        (["x", "--at", "x="], "--at 'x=': expected NAME=VALUE"),
        (["x", "--at", "=2"], "--at '=2': expected NAME=VALUE"),
        (["x", "--at", "x=two"], "--at 'x=two': .*expected a number such as 2"),
        (["x", "--at", "x=[1,2"], r"--at 'x=\[1,2': .*not an expression"),
        (["x", "--at", "x==2"], "--at 'x==2': .*not an expression"),
        (["x", "--at", "x=1", "x=2"], "--at 'x=2': x has a value already; give each name once"),
        (["x", "--at", "x=1", "y=2"], "a value is given for y"),
        (["x + y", "--at", "x=1"], "y has no value; give it one with --at y=value"),
        (
            ["x", "--at", "x=1", "--out", "graph.png"],
            r"--out graph\.png: drawings are SVG files; .* such as graph\.svg",
        ),
        (["x", "--at", "x=1", "--out", ""], r"--out '.': expected the name of a file, such as graph\.svg"),
        (["x", "--at", "x=1", "--out", "/"], r"--out '/': expected the name of a file, such as graph\.svg"),
        (
            ["x", "--at", "x=1", "--out", "missing/graph.svg"],
            "there is no folder missing; create it, or write elsewhere",
        ),
    ],
)
def test_what_cannot_be_used_is_explained(words, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ChainruleError, match=problem):
        draw(*words)


def test_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"matmul: shapes .* do not fit"):
        draw("x @ y", "--at", "x=[1,2]", "y=[1,2,3]")


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit):
        draw("--help")
    assert 'chainrule draw "(x*a+b)**2" --at x=2 a=3 b=1 --out graph.svg' in capsys.readouterr().out
