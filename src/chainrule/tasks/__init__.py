"""What is asked of a model: from rows to examples, from outputs to a loss, to measures and to answers."""

from chainrule.tasks.classification import Classification
from chainrule.tasks.classify import Classify
from chainrule.tasks.codec import Codec
from chainrule.tasks.column_inputs import Columns
from chainrule.tasks.inputs import INPUTS, Inputs
from chainrule.tasks.multi_label import MultiLabel, MultiLabelEvaluation
from chainrule.tasks.regress import Regress, RegressionEvaluation
from chainrule.tasks.source_inputs import Source
from chainrule.tasks.task import TASKS, Answer, Evaluation, Task
from chainrule.tasks.text_inputs import Text
from chainrule.tasks.transduce import Transduce
from chainrule.tasks.transduction import Transduction

__all__ = [
    "INPUTS", "TASKS", "Answer", "Classification", "Classify", "Codec", "Columns", "Evaluation", "Inputs", "MultiLabel",
    "MultiLabelEvaluation", "Regress", "RegressionEvaluation", "Source", "Task", "Text", "Transduce", "Transduction",
]  # fmt: skip
