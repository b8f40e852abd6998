"""chainrule: neural networks from building blocks, on one computational graph.

Everything loads when it is first used, as what a program does not need would keep it waiting: functions and autodiff
take NumPy, and tables, training and drawing further libraries.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from chainrule.forks import LOADING
from chainrule.version import __version__ as __version__

if TYPE_CHECKING:
    from chainrule.blocks import *  # noqa: F403
    from chainrule.cards.card import model_card as model_card
    from chainrule.data import Table as Table
    from chainrule.data import read_dataset as read_dataset
    from chainrule.data import read_table as read_table
    from chainrule.drawing.draw import draw as draw
    from chainrule.dynamic import cell as cell
    from chainrule.dynamic.batched import batched as batched
    from chainrule.encoders import load_pretrained as load_pretrained
    from chainrule.experiment import Division as Division
    from chainrule.experiment import Range as Range
    from chainrule.experiment import Searching as Searching
    from chainrule.experiment import compare as compare
    from chainrule.experiment import sweep as sweep
    from chainrule.explanation.best_ngrams import filters as filters
    from chainrule.explanation.contributions import explain as explain
    from chainrule.graph.accuracy import Accuracy as Accuracy
    from chainrule.graph.autodiff import backward as backward
    from chainrule.graph.autodiff import grad as grad
    from chainrule.graph.autodiff import gradients as gradients
    from chainrule.graph.block import Block as Block
    from chainrule.graph.block import Contraction as Contraction
    from chainrule.graph.block import Elementwise as Elementwise
    from chainrule.graph.block import Movement as Movement
    from chainrule.graph.block import Reduction as Reduction
    from chainrule.graph.block import Sample as Sample
    from chainrule.graph.block import Scatter as Scatter
    from chainrule.graph.conversion import tensor as tensor
    from chainrule.graph.derivatives import hessian as hessian
    from chainrule.graph.derivatives import hvp as hvp
    from chainrule.graph.derivatives import jacobian as jacobian
    from chainrule.graph.derivatives import jvp as jvp
    from chainrule.graph.derivatives import per_example as per_example
    from chainrule.graph.leaves import Constant as Constant
    from chainrule.graph.leaves import Mutable as Mutable
    from chainrule.graph.leaves import Parameter as Parameter
    from chainrule.graph.sparse import RowSparse as RowSparse
    from chainrule.graph.spec import Spec as Spec
    from chainrule.graph.tensor import Tensor as Tensor
    from chainrule.graph.trace import Graph as Graph
    from chainrule.graph.trace import assign as assign
    from chainrule.graph.trace import trace as trace
    from chainrule.models import BagOfWords as BagOfWords
    from chainrule.models import ConvolutionalNetwork as ConvolutionalNetwork
    from chainrule.models import FeedForward as FeedForward
    from chainrule.models import GatedRecurrentNetwork as GatedRecurrentNetwork
    from chainrule.models import LinearModel as LinearModel
    from chainrule.models import LongShortTermMemory as LongShortTermMemory
    from chainrule.models import Model as Model
    from chainrule.models import MultilayerPerceptron as MultilayerPerceptron
    from chainrule.models import PretrainedTransformer as PretrainedTransformer
    from chainrule.models import RecurrentNetwork as RecurrentNetwork
    from chainrule.models import SequenceToSequence as SequenceToSequence
    from chainrule.models import Transformer as Transformer
    from chainrule.models import evaluate as evaluate
    from chainrule.native.compile import compile as compile
    from chainrule.optim import LAMB as LAMB
    from chainrule.optim import SGD as SGD
    from chainrule.optim import Adadelta as Adadelta
    from chainrule.optim import Adagrad as Adagrad
    from chainrule.optim import Adam as Adam
    from chainrule.optim import Adamax as Adamax
    from chainrule.optim import AdamW as AdamW
    from chainrule.optim import AMSGrad as AMSGrad
    from chainrule.optim import Lion as Lion
    from chainrule.optim import Muon as Muon
    from chainrule.optim import NAdam as NAdam
    from chainrule.optim import RAdam as RAdam
    from chainrule.optim import RMSprop as RMSprop
    from chainrule.random import Key as Key
    from chainrule.report import read_study as read_study
    from chainrule.tasks import Classify as Classify
    from chainrule.tasks import Columns as Columns
    from chainrule.tasks import Continue as Continue
    from chainrule.tasks import MultiLabel as MultiLabel
    from chainrule.tasks import Pieces as Pieces
    from chainrule.tasks import Regress as Regress
    from chainrule.tasks import Source as Source
    from chainrule.tasks import Tag as Tag
    from chainrule.tasks import Text as Text
    from chainrule.tasks import Transduce as Transduce
    from chainrule.tasks import Units as Units
    from chainrule.train import Training as Training
    from chainrule.train.check import check as check
    from chainrule.train.fit import fit as fit
    from chainrule.train.range_test import find_rate as find_rate

#: The public names of modules; beside them, all functions over tensors (`chainrule.blocks`) are public.
_NAMES = {
    "cards.card": ("model_card",),
    "data": ("Table", "read_dataset", "read_table"),
    "drawing.draw": ("draw",),
    "dynamic": ("batched", "cell"),
    "encoders": ("load_pretrained",),
    "experiment": ("Division", "Range", "Searching", "compare", "sweep"),
    "explanation": ("explain", "filters"),
    "graph.accuracy": ("Accuracy",),
    "graph.autodiff": ("backward", "grad", "gradients"),
    "graph.block": ("Block", "Contraction", "Elementwise", "Movement", "Reduction", "Sample", "Scatter"),
    "graph.conversion": ("tensor",),
    "graph.derivatives": ("hessian", "hvp", "jacobian", "jvp", "per_example"),
    "graph.leaves": ("Constant", "Mutable", "Parameter"),
    "graph.sparse": ("RowSparse",),
    "graph.spec": ("Spec",),
    "graph.tensor": ("Tensor",),
    "graph.trace": ("Graph", "assign", "trace"),
    "models": (
        "BagOfWords",
        "ConvolutionalNetwork",
        "FeedForward",
        "GatedRecurrentNetwork",
        "LinearModel",
        "LongShortTermMemory",
        "Model",
        "MultilayerPerceptron",
        "PretrainedTransformer",
        "RecurrentNetwork",
        "SequenceToSequence",
        "Transformer",
        "evaluate",
    ),
    "native.compile": ("compile",),
    "optim": (
        "LAMB",
        "SGD",
        "AMSGrad",
        "Adadelta",
        "Adagrad",
        "Adam",
        "AdamW",
        "Adamax",
        "Lion",
        "Muon",
        "NAdam",
        "RAdam",
        "RMSprop",
    ),
    "random": ("Key",),
    "report": ("read_study",),
    "tasks": (
        "Classify",
        "Columns",
        "Continue",
        "MultiLabel",
        "Pieces",
        "Regress",
        "Source",
        "Tag",
        "Text",
        "Transduce",
        "Units",
    ),
    "train": ("Training", "check", "find_rate", "fit"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}

#: Packages that are public by themselves.
_PACKAGES = (
    "animate", "cards", "data", "encoders", "experiment", "explanation", "fairness", "models", "native", "nn", "onnx",
    "optim", "playground", "puzzles", "report", "serve", "tasks", "testing", "text", "train", "vectors",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load what a name stands for, when it is first used; from then on Python finds it at once."""
    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    with LOADING:
        if name in _PACKAGES:
            return importlib.import_module(f"chainrule.{name}")
        module = importlib.import_module(f"chainrule.{_MODULES.get(name, 'blocks')}")
        if name == "__all__":
            found: Any = ["__version__", *_MODULES, *_PACKAGES, *module.__all__]
        elif name in _MODULES or name in module.__all__:
            found = getattr(module, name)
        else:
            raise AttributeError(f"module 'chainrule' has no attribute {name!r}", name=name, obj=sys.modules[__name__])
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})
