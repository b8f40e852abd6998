"""Values as they are shown: nothing of them acts on a terminal or ends a line, and none is long."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import SHOWN, shortened
from chainrule.shown import json_line, listing, one_line, printable

ANYTHING = st.text(st.characters(codec=None, exclude_categories=()))
#: What acts on a terminal or ends a line for some reader, with the code it is shown by.
UNSAFE = {
    "\x00": "\\x00", "\x07": "\\x07", "\x08": "\\x08", "\t": "\\t", "\n": "\\n", "\x0b": "\\x0b", "\x0c": "\\x0c",
    "\r": "\\r", "\x1b": "\\x1b", "\x1c": "\\x1c", "\x7f": "\\x7f", "\x85": "\\x85", "\x9b": "\\x9b",
    "\u2028": "\\u2028", "\u2029": "\\u2029", "\u202e": "\\u202e", "\u2066": "\\u2066", "\udce9": "\\udce9",
}  # fmt: skip


@pytest.mark.parametrize(("character", "code"), UNSAFE.items(), ids=lambda x: ascii(x))
def test_unsafe_characters_are_shown_by_their_codes(character, code):
    assert printable(f"a{character}b") == one_line(f"a{character}b") == f"a{code}b"
    assert json.loads(json_line({"x": character})) == {"x": character}
    assert character not in json_line({"x": character})
    assert character not in shortened(character) + listing([character])


def test_other_characters_stay():
    """Also joiners and marks that scripts and emoji are written with."""
    text = "café 日本 👩\u200d👩\u200d👧 क्\u200dष \u200f مرحبا"
    assert printable(text) == text
    assert text in json_line({"x": text})
    assert json_line({"x": text}, ascii_only=True).isascii()


@given(ANYTHING)
def test_any_text_is_one_line_and_stays_what_it_is_when_shown_twice(text):
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert not set(shown) & set(UNSAFE)
    assert printable(shown) == shown
    line = json_line({text: text})
    assert len(line.splitlines()) == 1
    assert json.loads(line) == {text: text}


@given(ANYTHING, st.integers(2, 100))
def test_a_line_is_not_longer_than_it_may_be(text, limit):
    shown = one_line(text, limit)
    assert len(shown) <= limit
    assert shown == printable(text) or shown.endswith("…")


@pytest.mark.parametrize("value", ["x" * 10**6, b"x" * 10**6, [1] * 10**5, {"a": "x" * 10**6}, 10**4000, None, "", 1.5])
def test_a_value_is_shown_by_as_many_characters_as_a_message_may_have_of_it(value):
    shown = shortened(value)
    assert len(shown) <= SHOWN
    assert shown == repr(value) or "..." in shown


def test_lists_tell_how_many_more_there_are():
    assert listing(["a", "b", "c"], 2) == "'a', 'b' and 1 more"
    assert listing(["a", "b"], 2) == "'a', 'b'"
    assert listing([]) == "none"
    assert len(listing(["x" * 1000] * 5000)) < 11 * (SHOWN + 2)
