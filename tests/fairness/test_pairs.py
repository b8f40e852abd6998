"""Pairs of words and templates: how texts are swapped."""

import pytest

from chainrule.errors import ConfigurationError, DataError
from chainrule.fairness import Pair, Pairs, filled, read_templates


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("He saw HER; she saw Him.", "She saw HIM; he saw Her."),
        ("her book, and it is hers", "his book, and it is his"),
        ("his book, and it is his", "her book, and it is hers"),
        ("I saw her.", "I saw him."),
        ("Therefore the person hid a history lesson", "Therefore the person hid a history lesson"),
        ("James's mother-in-law met Emma", "Emma's father-in-law met James"),
        ("Anne-Mary, she-wolf", "Anne-Mary, she-wolf"),
        ("A GENTLEMAN and two ladies", "A LADY and two gentlemen"),
        ("", ""),
    ],
)
def test_english(text, swapped):
    assert Pairs.read("en").swapped(text).text == swapped


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("L'homme dit qu'il part.", "La femme dit qu'elle part."),
        ("L’homme et la fille de Ine\u0300s", "La femme et le garçon de Lucas"),
        ("Un homme, cet homme", "Une femme, cette femme"),
        ("Elles disent que mon oncle vient", "Ils disent que ma tante vient"),
    ],
)
def test_french(text, swapped):
    assert Pairs.read("fr").swapped(text).text == swapped


@pytest.mark.parametrize("name", ["en", "fr"])
def test_what_no_word_is_ambiguous_in_comes_back_when_it_is_swapped_twice(name):
    pairs = Pairs.read(name)
    ambiguous = pairs.ambiguous
    plain = [p for p in pairs.pairs if not any(word.lower() in ambiguous for word in p.words)]
    assert len(plain) > 60
    for pair in plain:
        for word, other in (pair.words, pair.words[::-1]):
            assert pairs.swapped(f"x {word}, y").text == f"x {other}, y"


def test_words_that_mean_two_things_are_said():
    pairs = Pairs.read("en")
    assert set(pairs.ambiguous["her"]) == {"his", "him"}
    assert set(pairs.ambiguous["his"]) == {"her", "hers"}
    found, guessed = pairs.all_swapped(["her dog", "her.", "HER dog", "he"])
    assert guessed == {"her as his": 2, "her as him": 1}
    assert [x.sides for x in found] == [(0, 1), (0, 1), (0, 1), (1, 0)]


def test_a_list_of_ones_own_and_two_lists_as_one(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("[sides]\nold, young\n[names]\nGreta, Zoe  # names\n[words]\nold  age, youth\n", "utf-8")
    pairs = Pairs.read(path)
    assert pairs.sides == ("old", "young")
    assert pairs.swapped("GRETA in old age; she").text == "ZOE in youth; she"
    both = pairs + Pairs.read("en")
    assert both.swapped("Greta in old age; she").text == "Zoe in youth; he"
    assert both.sides == ("old", "young")
    assert both.name == f"{path} and en"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("he\n", "line 1: expected two words with a comma between them"),
        ("\nhe, she, they\n", "line 2: expected two words with a comma between them"),
        ("he,\n", "line 1: expected two words"),
        ("he, He\n", "expected two words, got 'he' twice"),
        ("[sides]\na, b\n", "expected a pair of words or more, such as the line: he, she; got none"),
    ],
)
def test_lists_that_are_none_are_refused(tmp_path, content, message):
    path = tmp_path / "pairs.txt"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError, match=message):
        Pairs.read(path)


def test_no_list_is_refused():
    with pytest.raises(ConfigurationError, match="expected the name of a list of words, en or fr or a file, got none"):
        Pairs.read("")


@pytest.mark.parametrize("name", ["en", "fr"])
def test_every_sentence_of_the_templates_has_words_of_one_side_or_both(name):
    pairs = Pairs.read(name)
    sentences = filled(read_templates(name), pairs)
    assert len(sentences) > 100
    assert len(set(sentences)) == len(sentences)
    sides = [pairs.swapped(sentence).sides for sentence in sentences]
    assert all(first and not second for first, second in sides)


def test_a_template_of_a_title_that_there_is_not():
    with pytest.raises(DataError, match=r"there are no pairs under \[cats\] in mine; there are 'names'"):
        filled(["{cats} sleep"], Pairs("mine", (Pair(("Max", "Mia"), "names"),)))
