"""Sides: the queries or the keys of a batch of texts, laid out by texts."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from chainrule.xla.forms.segments import ids_of


class Side(NamedTuple):
    """The queries or the keys of a batch, laid out by texts.

    Attributes:
        tokens: which token stands at each place, shape (texts, places).
        text: the text of each place; the number of texts where there is none.
        there: whether there is a token.
        before_end: how far each place is from the end of its text, below 0 inside.
        where: at which place each token stands, for those laid out one after another.
    """

    tokens: Any
    text: Any
    there: Any
    before_end: Any
    where: Any

    def rows(self, x: Any) -> Any:
        """Rows of tokens as (texts, places, columns); zeros where there is no token."""
        return jnp.where(self.there[:, :, None], jnp.take(x, self.tokens, axis=0, mode="clip"), 0)

    def tokens_of(self, rows: Any) -> Any:
        """The inverse: (tokens, columns), of an array that begins with axes of texts and places."""
        texts, places = self.tokens.shape
        return jnp.take(rows.reshape(texts * places, -1), self.where, axis=0, mode="clip")

    def apart(self, x: Any, groups: int, heads: int) -> Any:
        """Rows of tokens as (texts, groups, heads ÷ groups, places, columns); zeros where there is no token."""
        texts, places = self.tokens.shape
        return self.rows(x).reshape(texts, places, groups, heads // groups, -1).transpose(0, 2, 3, 1, 4)

    def together(self, x: Any) -> Any:
        """The inverse: (tokens, columns)."""
        return self.tokens_of(x.transpose(0, 3, 1, 2, 4))


def side(offsets: Any, count: int, longest: int | None) -> Side:
    """Tokens laid out by texts; in one row where no longest text is known."""
    texts, numbers = offsets.shape[0] - 1, jnp.arange(count)
    ids = ids_of(offsets, count)
    if longest is None:
        ends = jnp.take(offsets, ids + 1, mode="clip")
        return Side(numbers[None], ids[None], ids[None] < texts, (numbers - ends)[None], numbers)
    places, lengths = jnp.arange(longest), jnp.diff(offsets)[:, None]
    text = jnp.where(places < lengths, jnp.arange(texts)[:, None], texts)
    where = ids * longest + numbers - jnp.take(offsets, ids, mode="clip")
    return Side(offsets[:-1, None] + places, text, places < lengths, places - lengths, where)
