"""One row of each text put in the place of another, as what is kept of a text grows by a token."""

from __future__ import annotations

from typing import Any

from chainrule.blocks.comparison import equal, where
from chainrule.blocks.indexing import Gather
from chainrule.blocks.movement import iota, reshape
from chainrule.errors import ShapeError
from chainrule.graph.block import Contributions, Element, Index, Movement, Samples, integers, real, sample
from chainrule.graph.spec import INT64, Shape, Spec, require_integer
from chainrule.graph.tensor import Tensor


class PutAt(Movement):
    """y = x, but y[i, places[i]] = values[i]: `update_at` for one row of each text.

    A compiled function that assigns y to a leaf x, which nothing else in it reads, writes these rows alone, where x
    lies.

    Args:
        x: shape (texts, rows, ...).
        places: integers in 0 ... rows - 1, shape (texts,).
        values: shape (texts, ...).
    """

    index_input = 1

    def limit(self, shape: Shape, x: Shape, places: Shape, values: Shape) -> Any:
        return x[1]

    def infer(self, x: Spec, places: Spec, values: Spec) -> Spec:
        require_integer(self.name, "places", places)
        if x.rank < 2 or places.shape != x.shape[:1] or values.shape != x.shape[:1] + x.shape[2:]:
            raise ShapeError(
                f"{self.name}: expected x of shape (texts, rows, ...), a place for each text, and values of shape "
                f"(texts, ...), got {x.shape}, {places.shape} and {values.shape}"
            )
        return x

    def forward(self, xp: Any, x: Any, places: Any, values: Any) -> Any:
        y = xp.array(x, order="C")
        y[xp.arange(len(x)), places] = values
        return y

    def element(self, xp: Any, index: Index, shape: Shape, x: Element, places: Element, values: Element) -> Any:
        here = xp.astype(places(index[:1]), INT64) == index[1]
        return xp.where(here, values((index[0], *index[2:])), x(index))

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor, places: Tensor, values: Tensor) -> Contributions:
        texts, rows, *rest = x.shape
        here = equal(reshape(places, (texts, 1)), iota(rows).astype(places.dtype))
        kept = where(reshape(here, (texts, rows, *[1] * len(rest))), 0, gradient)
        flat = iota(texts).astype(INT64) * rows + places.astype(INT64)
        return kept, None, Gather()(reshape(gradient, (texts * rows, *rest)), flat)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(), real(3, 4, 2), integers(3, high=4), real(3, 2, low=-1)),
            sample(cls(), real(2, 3), integers(2, high=3), real(2, low=-1)),
            sample(cls(), real(1, 5, 2), integers(1, high=5), real(1, 2, low=-1)),
        )
