"""Cards: what is to be known of a model before it is used; see docs/model_cards.md."""

from chainrule.cards.card import Card, model_card
from chainrule.cards.notes import NOTES, read_notes

__all__ = ["NOTES", "Card", "model_card", "read_notes"]
