"""Fairness: whom a model treats how. Figures by group, swapped words, associations of word vectors, and what to do."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from chainrule.forks import LOADING

if TYPE_CHECKING:
    from chainrule.fairness.association import Association, AssociationTest, seat, weat
    from chainrule.fairness.changes import Change, change
    from chainrule.fairness.counterfactuals import Counterfactual, counterfactual
    from chainrule.fairness.directions import Direction, Projected, direction, projected
    from chainrule.fairness.group_bias import GroupBias, by_group
    from chainrule.fairness.groups import Groups
    from chainrule.fairness.lexicon import Lexicon
    from chainrule.fairness.pairs import Pair, Pairs, Swapped, filled, read_templates
    from chainrule.fairness.tables import Augmented, Reweighted, augmented, reweighted

#: Where each name is; it loads when it is first used.
_ROOMS = {
    "association": ("Association", "AssociationTest", "seat", "weat"),
    "changes": ("Change", "change"),
    "counterfactuals": ("Counterfactual", "counterfactual"),
    "directions": ("Direction", "Projected", "direction", "projected"),
    "group_bias": ("GroupBias", "by_group"),
    "groups": ("Groups",),
    "lexicon": ("Lexicon",),
    "pairs": ("Pair", "Pairs", "Swapped", "filled", "read_templates"),
    "tables": ("Augmented", "Reweighted", "augmented", "reweighted"),
}
_PLACES = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Association", "AssociationTest", "Augmented", "Change", "Counterfactual", "Direction", "GroupBias", "Groups",
    "Lexicon", "Pair", "Pairs", "Projected", "Reweighted", "Swapped", "augmented", "by_group", "change",
    "counterfactual", "direction", "filled", "projected", "read_templates", "reweighted", "seat", "weat",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'chainrule.fairness' has no attribute {name!r}")
    with LOADING:
        globals()[name] = found = getattr(importlib.import_module(f"chainrule.fairness.{_PLACES[name]}"), name)
    return found
