"""Where the boxes of a layered drawing stand, and how the lines between them run.

After K. Sugiyama, S. Tagawa and M. Toda, Methods for visual understanding of hierarchical system structures (1981): a
box stands just above the first that uses it, igraph orders each layer for few crossings, and boxes then move towards
their neighbours as far as their widths allow. A value that is used further down runs there on one line of its own, past
the boxes between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import igraph
import numpy as np

MARGIN, HEAD = 20.0, 44.0  # around the drawing; above it, with room for the legend
BOX_GAP, TRACK_GAP = 26.0, 14.0  # between neighbours in a layer: two boxes; a box or line and a line
LAYER_GAP = 44.0


class Layout:
    """Positions of boxes of known sizes, and the points that edges run through.

    Vertices are the boxes and, in every layer that a value only passes, one bend of its line. All edges that leave a
    box share that line, so that a value used in many places is one trunk with branches and not a bundle.

    Args:
        widths: the width of each box.
        heights: the height of each box.
        sources: for each box, the boxes its edges come from, all of which stand before it in the list.

    Attributes:
        x: the middle of each vertex, boxes first.
        y: likewise.
        layer: the layer of each vertex, from the top.
        top: the upper border of each layer.
        bottom: the lower border of each layer.
        segments: the lines from a vertex to a bend in the next layer.
        arrivals: for each box and each of its sources, the vertex in the layer above that the edge comes from.
        width: the width of the whole.
        height: the height of the whole.
    """

    def __init__(self, widths: Sequence[float], heights: Sequence[float], sources: Sequence[Sequence[int]]) -> None:
        self.sources = sources
        self.widths = list(widths)
        self.layer = self._layers(sources)
        self.segments: list[tuple[int, int]] = []
        trunks = [[v] for v in range(len(sources))]  # the vertex of each value in its own layer and those below it
        reach = list(self.layer)
        for target, given in enumerate(sources):
            for source in given:
                reach[source] = max(reach[source], self.layer[target] - 1)
        for v in range(len(sources)):
            for layer in range(self.layer[v] + 1, reach[v] + 1):
                self.segments.append((trunks[v][-1], len(self.layer)))
                trunks[v].append(len(self.layer))
                self.layer.append(layer)
                self.widths.append(0.0)
        self.arrivals = [
            [trunks[s][self.layer[v] - 1 - self.layer[s]] for s in given] for v, given in enumerate(sources)
        ]
        edges = self.segments + sorted({(s, v) for v, given in enumerate(self.arrivals) for s in given})
        order = igraph.Graph(len(self.layer), edges, directed=True).layout_sugiyama(layers=self.layer)
        self.x = [float(order[v][0]) for v in range(len(self.layer))]
        rows: list[list[int]] = [[] for _ in range(max(self.layer) + 1)]
        for v in sorted(range(len(self.layer)), key=lambda v: (self.x[v], v)):
            rows[self.layer[v]].append(v)
        self._settle(rows, edges, trunks)
        self._stack(rows, heights, edges)

    @staticmethod
    def _layers(sources: Sequence[Sequence[int]]) -> list[int]:
        """The layer of each box: one above the first box that uses it."""
        height = [0] * len(sources)
        for v in range(len(sources) - 1, -1, -1):  # sources come before what uses them
            for s in sources[v]:
                height[s] = max(height[s], height[v] + 1)
        lowest = max(height)
        return [lowest - h for h in height]

    def _settle(
        self, rows: Sequence[Sequence[int]], edges: Sequence[tuple[int, int]], trunks: Sequence[Sequence[int]]
    ) -> None:
        """Move every vertex towards its neighbours. Leaves pull with a small weight, so that they stand aside."""
        boxes = len(trunks)
        above: list[list[tuple[int, float]]] = [[] for _ in self.layer]
        below: list[list[tuple[int, float]]] = [[] for _ in self.layer]
        for s, t in edges:
            weight = 0.03 if s < boxes and not self.sources[s] else 1.0
            below[s].append((t, weight))
            above[t].append((s, weight))
        both = [a + b for a, b in zip(above, below, strict=True)]
        for row in rows:
            self._spread(row, [self.x[v] for v in row], [1.0] * len(row))
        sweeps = [(rows, above), (rows[::-1], below)] * 8 + [(rows, both), (rows[::-1], both)] * 4
        for ordered, neighbours in sweeps:
            for row in ordered:
                force = [sum(weight for _, weight in neighbours[v]) for v in row]
                pulled = [sum(self.x[u] * weight for u, weight in neighbours[v]) for v in row]
                wanted = [p / f if f else self.x[v] for v, p, f in zip(row, pulled, force, strict=True)]
                self._spread(row, wanted, force)
        self._straighten(rows, trunks)
        left = min(self.x[v] - self.widths[v] / 2 for v in range(len(self.layer)))
        self.x = [x - left + MARGIN for x in self.x]
        self.width = max(self.x[v] + self.widths[v] / 2 for v in range(len(self.layer))) + MARGIN

    def _straighten(self, rows: Sequence[Sequence[int]], trunks: Sequence[Sequence[int]]) -> None:
        """Run the bends of a line straight down for as long as their neighbours leave room for it."""
        room = {}
        for row in rows:
            for u, v, w in zip([None, *row], row, [*row[1:], None], strict=False):
                room[v] = (u, w)
        for trunk in sorted(trunks, key=len, reverse=True):
            run: list[int] = []
            low, high = -np.inf, np.inf
            for v in trunk[1:]:
                left, right = room[v]
                least = -np.inf if left is None else self.x[left] + self._apart(left, v)
                most = np.inf if right is None else self.x[right] - self._apart(v, right)
                if max(low, least) > min(high, most):
                    self._align(run, low, high)
                    run, low, high = [], least, most
                run, low, high = [*run, v], max(low, least), min(high, most)
            self._align(run, low, high)

    def _align(self, run: Sequence[int], low: float, high: float) -> None:
        if run:
            x = min(max(sum(self.x[v] for v in run) / len(run), low), high)
            for v in run:
                self.x[v] = x

    def _apart(self, u: int, v: int) -> float:
        """The distance that the middles of two neighbours in a layer must keep."""
        return (self.widths[u] + self.widths[v]) / 2 + (BOX_GAP if self.widths[u] and self.widths[v] else TRACK_GAP)

    def _spread(self, row: Sequence[int], wanted: Sequence[float], force: Sequence[float]) -> None:
        """Place a layer as near as can be (weighted least squares) to where it wants to be, in order and apart.

        Once the room that boxes need to their left is subtracted, positions only must not decrease. That is isotonic
        regression, which pools neighbours that are in the wrong order.
        """
        room = [0.0]
        for u, v in pairwise(row):
            room.append(room[-1] + self._apart(u, v))
        pools: list[tuple[float, float, int]] = []  # mean, weight and count
        for x, taken, weight in zip(wanted, room, force, strict=True):
            pool = (x - taken, max(weight, 0.01), 1)
            while pools and pools[-1][0] > pool[0]:
                (a, m, i), (b, n, k) = pools.pop(), pool
                pool = ((a * m + b * n) / (m + n), m + n, i + k)
            pools.append(pool)
        placed = [mean for mean, _, count in pools for _ in range(count)]
        for v, x, taken in zip(row, placed, room, strict=True):
            self.x[v] = x + taken

    def _stack(self, rows: Sequence[Sequence[int]], heights: Sequence[float], edges: Iterable[tuple[int, int]]) -> None:
        """Give every layer its band; where edges run far to the side, the gap above is higher."""
        far = [0.0] * len(rows)
        for s, t in edges:
            far[self.layer[t]] = max(far[self.layer[t]], abs(self.x[s] - self.x[t]))
        self.top, self.bottom = [], []
        y = HEAD
        for i, row in enumerate(rows):
            y += min(LAYER_GAP + far[i] * 0.08, 2.5 * LAYER_GAP) if i else 0.0
            self.top.append(y)
            y += max(heights[v] if v < len(heights) else 0.0 for v in row)
            self.bottom.append(y)
        self.height = y + MARGIN
        self.y = [(self.top[i] + self.bottom[i]) / 2 for i in self.layer]
