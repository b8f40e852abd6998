"""Dynamic graphs: networks whose shape differs from example to example, written one example at a time."""

from __future__ import annotations

from chainrule.dynamic.batched import Batched, batched
from chainrule.graph.calls import Cell, cell

__all__ = ["Batched", "Cell", "batched", "cell"]
