"""What is asked of a model: from rows to examples, from outputs to a loss, to measures and to answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.lazy import loader
from chainrule.tasks.codec import Codec
from chainrule.tasks.decision import Decision
from chainrule.tasks.inputs import INPUTS, Inputs
from chainrule.tasks.task import TASKS, Answer, Evaluation, Task

if TYPE_CHECKING:
    from chainrule.tasks.classification import Classification
    from chainrule.tasks.classify import Classify
    from chainrule.tasks.column_inputs import Columns
    from chainrule.tasks.continuation import Continue
    from chainrule.tasks.multi_label import MultiLabel, MultiLabelEvaluation
    from chainrule.tasks.perplexity import Perplexity
    from chainrule.tasks.piece_inputs import Pieces
    from chainrule.tasks.regress import Regress, RegressionEvaluation
    from chainrule.tasks.source_inputs import Source
    from chainrule.tasks.tag import Tag
    from chainrule.tasks.tagging import Tagging
    from chainrule.tasks.text_inputs import Text
    from chainrule.tasks.transduce import Transduce
    from chainrule.tasks.transduction import Transduction
    from chainrule.tasks.unit_inputs import Units

__all__ = [
    "INPUTS", "TASKS", "Answer", "Classification", "Classify", "Codec", "Columns", "Continue", "Decision", "Evaluation",
    "Inputs", "MultiLabel", "MultiLabelEvaluation", "Perplexity", "Pieces", "Regress", "RegressionEvaluation", "Source",
    "Tag", "Tagging", "Task", "Text", "Transduce", "Transduction", "Units",
]  # fmt: skip

__getattr__ = loader(
    __name__,
    {
        "classification": ("Classification",),
        "classify": ("Classify",),
        "column_inputs": ("Columns",),
        "continuation": ("Continue",),
        "multi_label": ("MultiLabel", "MultiLabelEvaluation"),
        "perplexity": ("Perplexity",),
        "piece_inputs": ("Pieces",),
        "regress": ("Regress", "RegressionEvaluation"),
        "source_inputs": ("Source",),
        "tag": ("Tag",),
        "tagging": ("Tagging",),
        "text_inputs": ("Text",),
        "transduce": ("Transduce",),
        "transduction": ("Transduction",),
        "unit_inputs": ("Units",),
    },
)
