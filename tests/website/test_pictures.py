"""Pictures in pages: their rules are their own, stand once a page, and follow the switch between light and dark."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from chainrule.drawing.plot import Panel, Series, plot

EXTENSIONS = Path(__file__).parents[2] / "docs" / "extensions"


@pytest.fixture(scope="module")
def pictures():
    """The extension."""
    sys.path.insert(0, str(EXTENSIONS))
    try:
        yield importlib.import_module("pictures")
    finally:
        sys.path.remove(str(EXTENSIONS))


def test_rules_of_a_picture_hold_for_it_alone_and_stand_once(pictures):
    svg, sheets = plot([Panel("Loss", [Series("a", [0, 1], [1, 2])])]), set()
    first, second = (pictures.in_page(svg, f"picture-{k}-", sheets) for k in range(2))
    assert first.count("<style>") == 1
    assert second.count("<style>") == 0
    assert first.startswith('<svg class="own-dark" ')
    assert second.startswith('<svg class="own-dark" ')
    sheet = re.search(r"<style>(.*?)</style>", first, re.DOTALL)[1]
    rules = re.findall(r"([^{}@]+)\{[^{}]*\}", sheet)
    assert len(rules) > 10
    assert all(".own-dark" in part for rule in rules for part in rule.split(","))


def test_dark_rules_follow_the_switch_of_the_page(pictures):
    themed = pictures.themed(".a{fill:white}\n@media (prefers-color-scheme:dark){.a{fill:black}.b{stroke:red}}\n")
    assert themed.startswith(".a{fill:white}")
    assert 'body[data-theme="dark"] .a{fill:black}' in themed
    asked = themed[themed.index("@media") :]
    assert 'body:not([data-theme="light"]) .b{stroke:red}' in asked


def test_a_drawing_made_for_paper_is_as_it_was_but_for_its_names(pictures):
    drawing = '<?xml version="1.0"?>\n<svg><g id="x"/><use href="#x"/></svg>'
    assert pictures.in_page(drawing, "p-", set()) == '<svg><g id="p-x"/><use href="#p-x"/></svg>'
