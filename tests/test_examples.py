"""The examples of papers: each learns what it says, in 60 lines, the same eagerly and compiled.

`test_examples_torch.py` compares them with PyTorch.
"""

import ast
import importlib
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.testing import check_block

ROOT = Path(__file__).parents[1]
PAPERS = ROOT / "examples" / "papers"
#: What the last line that an example prints looks like, if it has learned.
LEARNED = {
    "attention": r"loss 2\.\d+ to 0\.00\d; (100|9\d)% of new symbols right",
    "gan": r"losses 1\.3\d+ and 0\.\d+; drawn numbers: mean (2\.[89]|3\.[01])\d, deviation 0\.[456]\d",
    "language_model": r"loss 2\.7\d+ to 0\.1\d+; the cat sat on the mat\. the dog .*",
    "lstm": r"loss: 1\.39\d, .*, 0\.00\d",
    "newton": r"step 7: loss 0\.\d{8}, length of the gradient \de-1\d",
    "own_block": r"two spirals, loss: 0\.6\d+, .*, 0\.000\d",
    "own_optimizer": r"loss 5\d\d\.\d to 1\d\.\d+; nearest to cat:( (dog|cow|eats|sees|hears),?){5}",
    "policy_gradient": r"chance of going right, place by place:( 0\.[6-9]\d| 1\.00){5}",
    "regressions": r" +by hand and by autodiff differ by [1-9]e-0[78] at most",
    "siamese": r"step 240: loss 0\.00\d, (100|9\d)% of the pairs told apart",
    "vae": r"reconstruction [12]\.\d\d, divergence [34]\.\d\d, together [45]\.\d\d",
}
#: Runs of the examples: the name of one, and which of its functions it is given.
RUNS = [
    *((name, {}) for name in LEARNED if name != "regressions"),
    ("regressions", {"equations": "linear"}),
    ("regressions", {"equations": "logistic"}),
]
#: What is not counted as the code of a paper: data, initial weights, and their copies in PyTorch.
GIVEN = {"data", "start", "same_weights"}


def train(module, chosen, steps):
    """What a run of an example gives after some steps, by name, as arrays."""
    found = module.train(steps, **{key: getattr(module, name) for key, name in chosen.items()})
    return {name: np.asarray(value.detach() if hasattr(value, "detach") else value) for name, value in found.items()}


def assert_same(found, expected):
    """Two runs agree to the rounding of float32."""
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-4, atol=2e-5, err_msg=name)


def code_lines(path):
    """The lines of a program that are neither imports, data, printing, docstrings, comments nor empty."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    counted = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.If | ast.Expr) or getattr(node, "name", "") in GIVEN:
            continue
        first = min([node.lineno, *(x.lineno for x in getattr(node, "decorator_list", []))])
        spans = set(range(first, node.end_lineno + 1))
        for inner in ast.walk(node):
            if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant):
                spans -= set(range(inner.lineno, inner.end_lineno + 1))
        counted |= {line for line in spans if lines[line - 1].strip() and not lines[line - 1].strip().startswith("#")}
    return len(counted)


def table():
    """The rows of the README of the examples: the numbers of lines by the name of an example."""
    text = (PAPERS / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .*\[`(\w+)\.py`\].* \| (\d+) \| (\d+) \| (\d+) \|$", text, flags=re.MULTILINE)
    return {name: tuple(map(int, counts)) for name, *counts in rows}


def test_there_is_a_result_for_each_example():
    assert {path.stem for path in PAPERS.glob("*.py")} == LEARNED.keys()


@pytest.mark.parametrize("name", LEARNED)
def test_an_example_learns_what_it_says(name, capsys):
    runpy.run_path(str(PAPERS / f"{name}.py"), run_name="__main__")
    *_, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(LEARNED[name], last)


@pytest.mark.parametrize(("name", "chosen"), RUNS, ids=lambda value: value if isinstance(value, str) else None)
def test_eager_and_compiled_agree(name, chosen, monkeypatch):
    module = importlib.import_module(f"examples.papers.{name}")
    compiled = train(module, chosen, 8)
    monkeypatch.setattr(chainrule, "compile", lambda function: function)
    assert_same(train(module, chosen, 8), compiled)


@pytest.mark.parametrize("name", LEARNED)
def test_the_page_counts_the_lines_that_there_are(name):
    path = PAPERS / f"{name}.py"
    whole = len(path.read_text(encoding="utf-8").splitlines())
    assert whole <= 60
    assert table()[name] == (whole, code_lines(path), code_lines(ROOT / "tests" / "papers" / f"{name}.py"))


def test_the_own_block_passes_the_test_of_blocks():
    check_block(importlib.import_module("examples.papers.own_block").Gate)


def test_the_own_optimizer_gets_rows(monkeypatch):
    """Of tables with 12 rows it updates the 8 that a batch reads, eagerly and compiled."""
    module = importlib.import_module("examples.papers.own_optimizer")
    shapes, update = set(), module.Adagrad.update

    def noted(self, parameter, gradient, state, scalars):
        shapes.add(gradient.shape)
        return update(self, parameter, gradient, state, scalars)

    monkeypatch.setattr(module.Adagrad, "update", noted)
    module.train(1)
    assert shapes == {(8, 4), (8, 1)}
    shapes.clear()
    monkeypatch.setattr(chainrule, "compile", lambda function: function)
    module.train(1)
    assert shapes == {(8, 4), (8, 1)}
