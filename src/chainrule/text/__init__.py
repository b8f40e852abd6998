"""Texts → tokens → ids."""

from chainrule.text.tokenize import Tokenizer, Tokens
from chainrule.text.vocabulary import UNKNOWN, Vocabulary

__all__ = ["UNKNOWN", "Tokenizer", "Tokens", "Vocabulary"]
