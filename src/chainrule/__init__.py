"""chainrule: neural networks from building blocks, on one computational graph.

Blocks and autodiff are here at once; everything that needs a heavier library (tables, training, drawing) loads when it is
first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from chainrule.blocks import *  # noqa: F403
from chainrule.blocks import __all__ as _functions
from chainrule.graph.autodiff import backward, evaluate, grad, gradients
from chainrule.graph.block import Block, Contraction, Elementwise, Movement, Reduction, Sample, Scatter
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Constant, Parameter, Tensor, tensor
from chainrule.graph.trace import Graph, trace
from chainrule.random import Key

if TYPE_CHECKING:
    from chainrule.graph.draw import draw

__version__ = "0.1.0"

#: Public names that load a module when first used.
_LAZY = {
    "draw": "chainrule.graph.draw",
}

__all__ = [
    "Block", "Constant", "Contraction", "Elementwise", "Graph", "Key", "Movement", "Parameter", "Reduction", "RowSparse",
    "Sample", "Scatter", "Spec", "Tensor", "backward", "draw", "evaluate", "grad", "gradients", "tensor", "trace",
    *_functions,
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'chainrule' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
