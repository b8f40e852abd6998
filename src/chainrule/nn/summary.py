"""A table of a network's layers, shapes and parameters."""

from __future__ import annotations

from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import trace
from chainrule.nn.layer import Layer
from chainrule.random import Key


def summary(layer: Layer, *specs: Spec | Tensor, key: Key | None = None) -> str:
    """The layers in a layer: path, text, the shapes they return, and their own parameters with the total.

    The layer is traced, not run: it needs the specs of its inputs and no data. A layer that was called several times
    lists each shape; one that the output does not depend on lists none. A shared parameter counts once.

    Args:
        layer: what to describe.
        specs: what its inputs look like.
        key: given to the layer when it should be traced as in training.

    Raises:
        ShapeError: when the layer does not fit the specs.

    Example:
        >>> import numpy as np
        >>> import chainrule
        >>> from chainrule.nn import Linear, Sequential
        >>> generator = np.random.default_rng(0)
        >>> network = Sequential(Linear(4, 8, generator=generator), chainrule.relu, Linear(8, 2, generator=generator))
        >>> print(summary(network, chainrule.Spec((32, 4))))
        path      layer                                        output   parameters           count
                  Sequential(Linear(4 → 8), relu, Linear(...)  (32, 2)
        layers.0  Linear(4 → 8)                                (32, 8)  weight (4, 8)           32
                                                                        bias (8,)                8
        layers.1  relu                                         (32, 8)
        layers.2  Linear(8 → 2)                                (32, 2)  weight (8, 2)           16
                                                                        bias (2,)                2
        total                                                                                   58
    """
    graph = trace(lambda *leaves: layer(*leaves, key=key) if key is not None else layer(*leaves), *specs)
    shapes: dict[int, list[str]] = {}
    for node in graph.nodes():
        for caller in node.layers:
            seen = shapes.setdefault(id(caller), [])
            if str(node.shape) not in seen:
                seen.append(str(node.shape))
    parameters = layer.named_parameters()
    layers = layer.named_layers()
    rows = [["path", "layer", "output", "parameters", "count"]]
    for path, inner in layers.items():
        own = {name: p for name, p in parameters.items() if _owner(name, layers) == path}
        cells = [[name.removeprefix(f"{path}.") + f" {p.shape}", str(p.spec.size)] for name, p in own.items()]
        for i, cell in enumerate(cells or [["", ""]]):
            left = ["", "", ""] if i else [path, _short(repr(inner)), " ".join(shapes.get(id(inner), []))]
            rows.append([*left, *cell])
    rows.append(["total", "", "", "", str(sum(p.spec.size for p in parameters.values()))])
    return _aligned(rows)


def _owner(name: str, layers: dict[str, Layer]) -> str:
    """The path of the innermost layer that a parameter's path goes through."""
    return max((path for path in layers if not path or name.startswith(f"{path}.")), key=len)


def _short(text: str, length: int = 43) -> str:
    return text if len(text) <= length else text[: length - 4] + "...)"


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        lines.append("  ".join([*cells, row[-1].rjust(widths[-1])]).rstrip())
    return "\n".join(lines)
