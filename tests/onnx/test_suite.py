"""ONNX's own node cases: eagerly all of them, natively some; `python -m tests.onnx` runs all on both engines."""

import re
from pathlib import Path

import pytest

from chainrule.onnx.reading import RULES
from tests.onnx.suite import cases, operators, outcome

#: Of so many cases, one is compiled.
SAMPLE = 30
#: How many cases are to be equal, and how many operators these have together.
EQUAL, OPERATORS = 1500, 155


@pytest.fixture(scope="module")
def outcomes():
    return {case.name: (case, outcome(case, "eager")) for case in cases()}


def test_a_thousand_cases_are_equal(outcomes):
    equal = [case for case, refusal in outcomes.values() if refusal is None]
    assert len(equal) >= EQUAL
    assert len(set().union(*map(operators, equal))) >= OPERATORS


def test_each_other_case_is_refused_by_the_name_of_an_operator(outcomes):
    from chainrule.onnx.library import library

    known = {schema.name for schema in library("defs").get_all_schemas()}
    for case, refusal in outcomes.values():
        assert refusal is None or any(name in refusal for name in operators(case) | known), (case.name, refusal)


def test_compiled_cases_come_out_as_eager_ones(outcomes):
    for case, refusal in list(outcomes.values())[::SAMPLE]:
        assert outcome(case, "native") == refusal, case.name


def test_the_page_lists_the_operators_that_are_there():
    page = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text(encoding="utf-8")
    listed = re.search(r"^\| (Abs, .*) \|$", page, flags=re.MULTILINE)[1].split(", ")
    assert listed == sorted(name for domain, name in RULES if domain == "")
