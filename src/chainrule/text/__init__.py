"""Texts → tokens → ids."""

from chainrule.text.entries import UNKNOWN
from chainrule.text.hashing import HashedNgrams
from chainrule.text.subwords import CharacterNgrams
from chainrule.text.tokenize import Tokenizer, Tokens
from chainrule.text.vocabulary import Vocabulary

__all__ = ["UNKNOWN", "CharacterNgrams", "HashedNgrams", "Tokenizer", "Tokens", "Vocabulary"]
