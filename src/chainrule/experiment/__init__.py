"""Experiments: learners and settings with several seeds on one table, several at once, written down as a study."""

from chainrule.experiment.again import best as best
from chainrule.experiment.again import rerun as rerun
from chainrule.experiment.batches import Batch as Batch
from chainrule.experiment.batches import Plan as Plan
from chainrule.experiment.comparison import Comparison as Comparison
from chainrule.experiment.comparison import compare as compare
from chainrule.experiment.division import Division as Division
from chainrule.experiment.experiment import Experiment as Experiment
from chainrule.experiment.index import open_index as open_index
from chainrule.experiment.plan import StudyPlan as StudyPlan
from chainrule.experiment.search.domain import Range as Range
from chainrule.experiment.search.space import Space as Space
from chainrule.experiment.search.sweep import Searching as Searching
from chainrule.experiment.search.sweep import Sweep as Sweep
from chainrule.experiment.search.sweep import sweep as sweep
from chainrule.experiment.store import StudyFolder as StudyFolder
from chainrule.experiment.trial import Trial as Trial
