"""Words with numbers, and heat maps."""

from xml.etree import ElementTree as ET

import numpy as np

from chainrule.drawing.page import page, scoped
from chainrule.drawing.plot import WIDTH
from chainrule.drawing.words import Word, draw_heat_map, draw_words, words_html


def test_words_flow_within_the_width():
    root = ET.Element("svg")
    words = [Word(f"word{i}", "+1.00", 1.0 if i % 2 else -0.5) for i in range(40)] + [Word("x" * 500, "-9", -1.0)]
    bottom = draw_words(root, words, 10.0)
    rects = root.findall("rect")
    assert len(rects) == 41
    assert max(float(x.get("x")) + float(x.get("width")) for x in rects) <= WIDTH
    assert max(float(x.get("y")) + float(x.get("height")) for x in rects) <= bottom
    assert {x.get("class") for x in rects} == {"for", "against"}
    assert draw_words(root, [], 10.0) == 10.0


def test_a_heat_map_has_a_number_in_each_cell_that_is_not_0():
    root = ET.Element("svg")
    values = np.array([[1.0, 0.004, 0.0], [0.25, 0.5, 0.25]])
    draw_heat_map(root, values, ["a", "b"], ["x", "y", "<z>"], "title", 0.0)
    texts = [x.text for x in root.findall("text")]
    assert texts == ["title", "x", "y", "<z>", "a", "100", "b", "25", "50", "25"]
    shades = [float(x.get("fill-opacity")) for x in root.findall("rect") if x.get("fill-opacity")]
    assert len(shades) == 4
    assert max(shades) < 0.6  # what is written upon it can be read
    assert "&lt;z&gt;" in ET.tostring(root, encoding="unicode")
    draw_heat_map(root, np.zeros((0, 0)), [], [], "nothing", 0.0)


def test_words_are_escaped_and_have_their_numbers():
    text = words_html([Word("<b>", '"1"', 0.5, known=False), Word("\x00\u202e", "2", -0.5)])
    assert "<b>" not in text
    assert "&lt;b&gt; ?" in text
    assert "&quot;1&quot;" in text
    assert "\x00" not in text
    assert "\u202e" not in text
    assert "var(--for)" in text
    assert "var(--against)" in text


def test_a_page_is_escaped_and_rules_are_scoped():
    assert "<title>a &lt;b&gt;</title>" in page("a <b>", "")
    assert scoped(".a,.b{c:d}@media x{.e{f:g}}", "#i") == "#i .a,#i .b{c:d}@media x{#i .e{f:g}}"
