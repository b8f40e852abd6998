"""Paths: where in the outermost layer the layers and parameters of a graph are."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.graph.tensor import Tensor


def paths_in_layers(nodes: Sequence[Tensor]) -> dict[object, str]:
    """The path of each layer that returned one of the nodes, and of each tensor in it; "" for an outermost layer."""
    layers = dict.fromkeys(layer for node in nodes for layer in node.layers)
    paths: dict[object, str] = {}
    for outer in layers:  # any may be the outermost one, and from there the path is the longest
        for named in (outer.named_layers(), outer.named_tensors()):
            for path, found in named.items():
                if len(path) >= len(paths.get(found, "")):
                    paths[found] = path
    return paths
