"""chainrule: neural networks from building blocks, on one computational graph.

Blocks and autodiff are here at once; everything that needs a heavier library (tables, training, drawing) loads when it
is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from chainrule.blocks import *  # noqa: F403
from chainrule.blocks import __all__ as _functions
from chainrule.forks import LOADING
from chainrule.graph.accuracy import Accuracy
from chainrule.graph.autodiff import backward, grad, gradients
from chainrule.graph.block import Block, Contraction, Elementwise, Movement, Reduction, Sample, Scatter
from chainrule.graph.conversion import tensor
from chainrule.graph.derivatives import hessian, hvp, jacobian, jvp, per_example
from chainrule.graph.leaves import Constant, Mutable, Parameter
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, assign, trace
from chainrule.random import Key
from chainrule.version import __version__

if TYPE_CHECKING:
    from chainrule.data import Table as Table
    from chainrule.data import read_dataset as read_dataset
    from chainrule.data import read_table as read_table
    from chainrule.drawing.draw import draw as draw
    from chainrule.models import BagOfWords as BagOfWords
    from chainrule.models import FeedForward as FeedForward
    from chainrule.models import LinearModel as LinearModel
    from chainrule.models import Model as Model
    from chainrule.models import MultilayerPerceptron as MultilayerPerceptron
    from chainrule.models import evaluate as evaluate
    from chainrule.native.compile import compile as compile
    from chainrule.optim import SGD as SGD
    from chainrule.optim import Adam as Adam
    from chainrule.optim import AdamW as AdamW
    from chainrule.tasks import Classify as Classify
    from chainrule.tasks import Columns as Columns
    from chainrule.tasks import MultiLabel as MultiLabel
    from chainrule.tasks import Regress as Regress
    from chainrule.tasks import Text as Text
    from chainrule.train import Training as Training
    from chainrule.train.fit import fit as fit

#: Public names that load a module when first used.
_LAZY = {
    "BagOfWords": "chainrule.models",
    "FeedForward": "chainrule.models",
    "SGD": "chainrule.optim",
    "Adam": "chainrule.optim",
    "AdamW": "chainrule.optim",
    "Table": "chainrule.data",
    "Classify": "chainrule.tasks",
    "Columns": "chainrule.tasks",
    "LinearModel": "chainrule.models",
    "Model": "chainrule.models",
    "MultiLabel": "chainrule.tasks",
    "MultilayerPerceptron": "chainrule.models",
    "Regress": "chainrule.tasks",
    "Text": "chainrule.tasks",
    "Training": "chainrule.train",
    "compile": "chainrule.native.compile",
    "draw": "chainrule.drawing.draw",
    "evaluate": "chainrule.models",
    "fit": "chainrule.train",
    "read_dataset": "chainrule.data",
    "read_table": "chainrule.data",
}

#: Packages that load when first used.
_PACKAGES = ("data", "models", "native", "nn", "optim", "report", "tasks", "testing", "text", "train")

__all__ = [
    "Accuracy", "Block", "Constant", "Contraction", "Elementwise", "Graph", "Key", "Movement", "Mutable", "Parameter",
    "Reduction", "RowSparse", "Sample", "Scatter", "Spec", "Tensor", "assign", "backward", "grad", "gradients",
    "hessian", "hvp", "jacobian", "jvp", "per_example", "tensor", "trace", "__version__",
    *_functions, *_LAZY, *_PACKAGES,
]  # fmt: skip


def __getattr__(name: str) -> Any:
    with LOADING:
        if name in _LAZY:
            return getattr(importlib.import_module(_LAZY[name]), name)
        if name in _PACKAGES:
            return importlib.import_module(f"chainrule.{name}")
    raise AttributeError(f"module 'chainrule' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_PACKAGES})


def _svg(tensor: Tensor) -> str | None:
    """What a notebook shows of a tensor: its graph, or None (the text) where that is too large to draw."""
    from chainrule.drawing.draw import draw  # loads a layout library
    from chainrule.errors import ConfigurationError

    try:
        return str(draw(tensor))
    except ConfigurationError:
        return None


Tensor._repr_svg_ = _svg  # type: ignore[attr-defined]
