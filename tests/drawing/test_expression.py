"""Expressions: what they mean, and that nothing else is accepted."""

import re

import numpy as np
import pytest

import chainrule
from chainrule.drawing.expression import FUNCTIONS, parse, parse_number
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.autodiff import backward
from chainrule.graph.leaves import Constant
from chainrule.graph.order import topological_order

X = [[1.0, -2.0], [0.5, 3.0]]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(x*a + b)**2", 49),
        ("x + a*b - x/a", 2 + 3 - 2 / 3),
        ("-x**2", -4),
        ("(-x)**2", 4),
        ("2**-1", 0.5),
        ("2**3**2", 512),
        ("--x", 2),
        (".5 + 1e-3 + 0x10", 16.501),
        ("x\n  + a", 5),
        ("x < a", True),
        ("x <= a", True),
        ("x > a", False),
        ("x >= a", False),
        ("x == a", False),
        ("x != a", True),
        ("where(x > a, x, -a)", -3),
        ("[1, 2] @ [3, 4]", 11),
        ("[[1, -2], [3, 4]] @ [1, 1]", [-1, 7]),
        ("exp(x) + log(a) + log1p(b) + sqrt(x)", np.exp(2) + np.log(3) + np.log(2) + np.sqrt(2)),
        ("abs(-x) + absolute(x)", 4),
        ("sigmoid(x) + tanh(a) + relu(-b) + softplus(b)", sigmoid(2) + np.tanh(3) + np.log1p(np.e)),
        ("maximum(x, a) - minimum(x, a)", 1),
        ("matmul([1, 2], [3, 4])", 11),
    ],
)
def test_meaning(text, expected):
    values = {"x": 2, "a": 3, "b": 1}
    found = parse(text, {name: value for name, value in values.items() if re.search(rf"\b{name}\b", text)})
    np.testing.assert_allclose(found.value, expected, rtol=1e-6)
    assert found.dtype == (bool if isinstance(expected, bool) else np.float32)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(x)", 2.5),
        ("sum(x, axis=0)", [1.5, 1]),
        ("sum(x, axis=-1, keepdims=True)", [[-1], [3.5]]),
        ("sum(x, axis=[0, 1], keepdims=True)", [[2.5]]),
        ("sum(x, axis=(0, 1))", 2.5),
        ("mean(x, axis=1)", [-0.5, 1.75]),
        ("max(x, axis=0, keepdims=False)", [1, 3]),
        ("softmax(x, axis=0)", np.exp(X) / np.exp(X).sum(0)),
        ("log_softmax(x)", np.log(np.exp(X) / np.exp(X).sum(1, keepdims=True))),
        ("logsumexp(x, axis=1, keepdims=True)", np.log(np.exp(X).sum(1, keepdims=True))),
    ],
)
def test_settings(text, expected):
    found = parse(text, {"x": X})
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found.value, expected, rtol=1e-5)


def test_every_function_can_be_called():
    for name, function in FUNCTIONS.items():
        arguments = ["x > 0" if name == "where" and k == 0 else "x" for k in range(function.inputs)]
        assert np.isfinite(parse(f"{name}({', '.join(arguments)})", {"x": np.full((2, 2), 0.5)}).value).all()


def test_a_name_is_one_leaf_and_a_number_has_no_gradient():
    y = parse("x*x + 3*x + -1", {"x": 2})
    leaves = [node for node in topological_order([y]) if node.block is None]
    assert [(leaf.name, type(leaf) is Constant) for leaf in leaves] == [("x", False), (None, True), (None, True)]
    backward(y)
    assert leaves[0].gradient.item() == 7
    assert leaves[1].gradient is None


def test_values_may_be_arrays_and_names_of_functions():
    assert parse("exp(exp)", {"exp": 0.0}).item() == 1
    assert parse("größe", {"größe": np.ones((2, 3), np.int64)}).spec == chainrule.Spec((2, 3))
    assert np.isinf(parse("x", {"x": np.inf}).item())


def test_powers_are_floating_point_and_never_hang():
    assert parse("2**99999999", {}).item() == np.inf
    assert parse("9**9**9**9", {}).item() == np.inf


@pytest.mark.parametrize(
    ("text", "caret", "problem"),
    [
        ("x.real", "^^^^^^", "not part of the language"),
        ("1 + x[0]", "    ^^^^", "not part of the language"),
        ("lambda: x", "^^^^^^^^^", "not part of the language"),
        ("[y for y in x]", "^^^^^^^^^^^^^^", "not part of the language"),
        ("x if x else 2", "^^^^^^^^^^^^^", "not part of the language"),
        ("x and 1", "^^^^^^^", "not part of the language"),
        ("not x", "^^^^^", "not part of the language"),
        ("x // 2", "^^^^^^", "not part of the language"),
        ("x % 2", "^^^^^", "not part of the language"),
        ("x is 2", "^^^^^^", "not part of the language"),
        ("f'{x}'", "^^^^^^", "not part of the language"),
        ("{x: 1}", "^^^^^^", "not part of the language"),
        ("(x, 1)", "^^^^^^", "not part of the language"),
        ("(y := 2)", " ^^^^^^", "not part of the language"),
        ("+x", "^^", "not part of the language"),
        ("relu(*x)", "     ^^", "not part of the language"),
        ("1 < x < 3", "^^^^^^^^^", "one comparison at a time"),
        ("x + 'a'", "    ^^^", "not a number"),
        ("2j", "^^", "not a number"),
        ("...", "^^^", "not a number"),
        ("None", "^^^^", "not a number"),
        ("True", "^^^^", "write 1 and 0"),
        ("[1, x]", "    ^", "not a number"),
        ("[1, [2]]", "    ^^^", r"shape \(\) first, and here one of \(1,\)"),
        ("__import__('os')", "^^^^^^^^^^", "no function __import__"),
        ("__name__ + 1", "^^^^^^^^", "__name__ is not a name here"),
        ("x.sum()", "^^^^^", "only the functions of the language"),
        ("x(2)", "^", "no function x"),
        ("1 + expp(x)", "    ^^^^", r"no function expp \(did you mean exp\?\)"),
        ("exp + 1", "^^^", r"exp is a function: call it, as in exp\(\.\.\.\)"),
        ("exp(x, x)", "^^^^^^^^^", "exp takes 1 argument, got 2"),
        ("where(x)", "^^^^^^^^", "where takes 3 arguments, got 1"),
        ("exp(x, axis=0)", "       ^^^^^^", "exp has no setting axis=; it has: none"),
        ("sum(x, axes=0)", "       ^^^^^^", "sum has no setting axes=; it has: axis=, keepdims="),
        ("sum(x, **x)", "       ^^^", r"sum has no setting \*\*"),
        ("sum(x, axis=0, axis=0)", "               ^^^^^^", "axis is set twice"),
        ("sum(x, axis=x)", "            ^", "axis is an integer or a list of integers"),
        ("sum(x, axis=1.5)", "            ^^^", "axis is an integer or a list of integers"),
        ("sum(x, axis=True)", "            ^^^^", "axis is an integer or a list of integers"),
        ("sum(x, axis=9**999)", "            ^^^^^^", "axis is an integer or a list of integers"),
        ("softmax(x, axis=[0])", "                ^^^", "axis is an integer;"),
        ("sum(x, keepdims=1)", "                ^", "keepdims is True or False"),
        ("1e39", "^^^^", "larger than float32 holds"),
        ("1e999", "^^^^^", "larger than float32 holds"),
        ("x + )", "    ^", r"not an expression \(unmatched '\)'\)"),
        ("x +", "   ^", r"not an expression \(invalid syntax\)"),
        ("2 x", "^", "not an expression"),
        ("x = 2", "^", "not an expression"),
        ("import os", "^", "not an expression"),
        ("日本 + 'ä'", "     ^^^", "not a number"),
    ],
)
def test_everything_else_is_refused_with_its_place(text, caret, problem):
    with pytest.raises(ConfigurationError, match=problem) as caught:
        parse(text, {"x": 2.0, "日本": 1.0} if "日本" in text else {"x": 2.0})
    message, shown, below = str(caught.value).split("\n")
    assert "allowed are numbers, names, lists of numbers, + - * / ** @" in message
    assert shown == f"  {text}"
    assert below.lstrip(" ").rstrip("^") == ""
    if caret != "^":  # one character: where Python's own parser gave up
        assert below == f"  {caret}"


def test_unknown_name_suggests_a_value_for_it():
    with pytest.raises(
        ConfigurationError, match=r"^expression: y has no value; give it one with --at y=value\n  x \+ y\n      \^$"
    ):
        parse("x + y", {"x": 1})
    with pytest.raises(
        ConfigurationError, match=r"weigth has no value; did you mean weight\? If not, give it one with --at"
    ):
        parse("weigth * 2", {"weight": 1})


def test_the_place_in_a_long_expression_is_shown_with_what_is_around_it():
    with pytest.raises(ConfigurationError) as caught:
        parse(" + ".join(["x"] * 40) + " + missing + " + " + ".join(["x"] * 40), {"x": 1})
    _, shown, below = str(caught.value).split("\n")
    assert shown[below.index("^") : below.rindex("^") + 1] == "missing"
    assert len(shown) < 120


def test_unused_value_is_an_error():
    with pytest.raises(
        ConfigurationError, match=r"a value is given for a, b, which 'x \* 2' does not use; leave it out"
    ):
        parse("x * 2", {"a": 1, "x": 1, "b": 1})
    with pytest.raises(ConfigurationError, match="a value is given for exp"):
        parse("exp(x)", {"exp": 1, "x": 1})


@pytest.mark.parametrize("name", ["", "2x", "a b", "lambda", "__class__", "x.y"])
def test_names_of_values_are_identifiers(name):
    with pytest.raises(ConfigurationError, match="cannot be a name; expected letters, digits and _"):
        parse("1", {name: 1})


@pytest.mark.parametrize("value", ["two", None, [[1], [2, 3]], {"a": 1}, 10**400])
def test_values_are_numbers(value):
    with pytest.raises(ConfigurationError, match="value of x: expected a number or a regular array of numbers, got"):
        parse("x", {"x": value})


def test_values_fit_float32():
    with pytest.raises(ConfigurationError, match="value of x is larger than float32 holds"):
        parse("x", {"x": [1.0, 1e300]})


@pytest.mark.parametrize("text", ["", "  \n "])
def test_no_text(text):
    with pytest.raises(ConfigurationError, match="there is no text; allowed are numbers"):
        parse(text, {})


def test_nul_character():
    with pytest.raises(ConfigurationError, match="this is not an expression"):
        parse("1\x00", {})


@pytest.mark.parametrize(
    "text", ["(" * 900 + "1" + ")" * 900, "-" * 1900 + "1", "+".join(["1"] * 900), "[" * 150 + "]" * 150]
)
def test_deep_expressions_are_refused(text):
    with pytest.raises(ConfigurationError, match="nested more than 100 levels deep"):
        parse(text, {})


def test_long_expressions_are_refused():
    with pytest.raises(ConfigurationError, match="2,001 characters are too many; expected up to 2,000"):
        parse("1" * 2001, {})
    with pytest.raises(ConfigurationError, match="larger than float32 holds"):
        parse("1" * 2000, {})


def test_deep_lists_are_refused():
    assert parse("[" * 32 + "1" + "]" * 32, {}).spec.rank == 32
    with pytest.raises(ConfigurationError, match="lists are nested up to 32 deep"):
        parse("[" * 33 + "1" + "]" * 33, {})


def test_shapes_that_do_not_fit_show_the_place():
    with pytest.raises(ShapeError, match=r"expression: add: shapes \(2,\) and \(3,\) do not fit") as caught:
        parse("2 * (x + [1, 2, 3])", {"x": [1, 2]})
    assert str(caught.value).endswith("\n  2 * (x + [1, 2, 3])\n       ^^^^^^^^^^^^^")


def test_numbers_and_lists():
    assert parse_number("-2.5").tolist() == -2.5
    assert parse_number("[[1, 2], [3, -4]]").tolist() == [[1, 2], [3, -4]]
    assert parse_number("[]").shape == (0,)
    for text in ("x", "1 + 1", "[1, 'a']", "exp(1)", "--1", "inf"):
        with pytest.raises(ConfigurationError, match=r"expected a number such as 2 or -0.5, or a bracketed list"):
            parse_number(text)
