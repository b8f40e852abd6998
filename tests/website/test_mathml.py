"""Mathematics in pages: the names of functions stand apart from what they are of."""

import importlib
import sys
from pathlib import Path

from latex2mathml.converter import convert

EXTENSIONS = Path(__file__).parents[2] / "docs" / "extensions"


def test_functions_stand_apart(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(EXTENSIONS), *sys.path])
    spaced = importlib.import_module("mathml").spaced
    assert '<mi>y</mi><mo lspace="0.17em" rspace="0.17em">log</mo><mi>p</mi>' in spaced(convert(r"y \log p"))
    assert 'rspace="0">ln</mo><mo>(</mo>' in spaced("<mi>ln</mi><mo>(</mo>")
    assert spaced("<mi>logit</mi>") == "<mi>logit</mi>"
