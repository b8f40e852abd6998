"""Groups by columns and by words."""

import polars as pl
import pytest

import chainrule
from chainrule.errors import ConfigurationError, DataError
from chainrule.fairness import Groups, Lexicon


def test_values_make_groups_in_order_and_missing_ones_a_group_of_their_own():
    found = Groups.of(["m", " f ", None, float("nan"), "", 3])
    assert found.names == ("(none)", "3", "f", "m")
    assert found.codes.tolist() == [3, 2, 0, 0, 0, 1]
    assert found.sizes.tolist() == [3, 1, 1, 1]
    assert found.rows(0).tolist() == [2, 3, 4]


@pytest.mark.parametrize("values", [["a"] * 5, list(range(60)), []])
def test_too_few_and_too_many_groups_are_refused(values):
    with pytest.raises(DataError, match="expected 2 to 50 groups, got"):
        Groups.of(values, "column age")


def test_columns_make_groups_together():
    frame = pl.DataFrame({"text": list("abc"), "label": list("xyx"), "age": [1, 2, None], "sex": ["f", "m", "f"]})
    table = chainrule.Table.from_frame(frame, label="label", keep=["age", "sex"])
    found = Groups.by_columns(table, ["sex", "age"])
    assert found.names == ("f / (none)", "f / 1", "m / 2")
    assert found.by == "columns sex, age"
    with pytest.raises(DataError, match="keeps no column 'size' to group by; it keeps 'age', 'sex': read it with keep"):
        Groups.by_columns(table, ["size"])
    with pytest.raises(ConfigurationError, match="expected the name of a column or more, got none"):
        Groups.by_columns(table, [])


def test_words_make_groups_and_a_text_of_both_is_of_neither():
    texts = ["He left.", "SHE left", "he and she", "theme of a person", "Mary's", "her-story"]
    found = Groups.by_words(texts, "en")
    assert [found.names[code] for code in found.codes] == [
        "men", "women", "men and women", "no such word", "women", "no such word"
    ]  # fmt: skip
    assert found.compared == (0, 1)
    assert found.by == "words of en"


def test_a_lexicon_of_ones_own(tmp_path):
    path = tmp_path / "ages.txt"
    path.write_text("# ages\n[old]\nretired, grand father\nold  # as an adjective\n[young]\nyoung\n", "utf-8")
    lexicon = Lexicon.read(path)
    assert lexicon.groups == {"old": ("retired", "grand father", "old"), "young": ("young",)}
    assert lexicon.found(["A grand  father", "young and OLD"]).tolist() == [[True, False], [True, True]]
    with pytest.raises(DataError, match="expected texts of two groups or more, got those of 'old'"):
        Groups.by_words(["old", "retired"], lexicon)


def test_composed_letters_and_apostrophes_are_the_same_words():
    lexicon = Lexicon("mine", {"a": ("fiancé", "l'homme"), "b": ("x",)})
    assert lexicon.found(["fiance\u0301", "l’homme", "fiance"])[:, 0].tolist() == [True, True, False]


def test_words_that_begin_with_another_sign_are_found():
    lexicon = Lexicon("mine", {"a": ("'em",), "b": ("x",)})
    assert lexicon.found(["I told 'em.", "them", "Gem"])[:, 0].tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("he, she\n", "line 1: 'he, she' stands before the first"),
        ("[a]\nx\n", "expected two groups or more with a word each, got 'a'"),
        ("\n# nothing\n", "a list of words holds none"),
        (b"\xff\xfe\x00", "cannot be read: is no text in UTF-8"),
        (None, "cannot be read: No such file or directory; with the library come en and fr"),
    ],
)
def test_lists_that_are_none_are_refused(tmp_path, content, message):
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        Lexicon.read(path)
