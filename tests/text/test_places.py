"""Where in a text entries of a vocabulary are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.text import CharacterNgrams, HashedNgrams, Tokenizer, Vocabulary

WORDS = st.lists(st.sampled_from(["so", "good", "bad", "film", "odd"]), max_size=9)


@pytest.mark.parametrize("hashed", [None, HashedNgrams(3, 7)])
@pytest.mark.parametrize("characters", [None, CharacterNgrams(2, 3)])
@settings(max_examples=40, deadline=None)
@given(words=WORDS)
def test_places_are_those_of_the_ids(words, hashed, characters):
    texts = ["so good so good film", "so bad film so bad", "good bad film"]
    kinds = {"ngrams": 1 if hashed else 3, "characters": characters, "hashed": hashed}
    vocabulary = Vocabulary.build(Tokenizer()(texts), minimum_ngram_count=2, **kinds)
    found = vocabulary.places(words)
    assert sorted(entry for entry, _, _ in found) == sorted(filter(None, vocabulary.ids(words)))
    entries = vocabulary.entries.to_list()
    for entry, start, stop in found:
        if entry >= len(entries):
            assert 2 <= stop - start <= 3
        elif entries[entry].startswith("##"):
            assert entries[entry] in characters.of(words[start])
            assert stop == start + 1
        else:
            assert " ".join(words[start:stop]) == entries[entry]
