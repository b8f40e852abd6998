"""Experiments: learners and settings with several seeds on one table, several at once, written down as a study."""

from chainrule.experiment.comparison import Batch as Batch
from chainrule.experiment.comparison import Comparison as Comparison
from chainrule.experiment.comparison import Plan as Plan
from chainrule.experiment.division import Division as Division
from chainrule.experiment.experiment import Experiment as Experiment
from chainrule.experiment.store import StudyFolder as StudyFolder
from chainrule.experiment.trial import Trial as Trial
