"""The report of a study, from its records alone."""

from chainrule.report.study.runs import Run
from chainrule.report.study.study import Study, read_study

__all__ = ["Run", "Study", "read_study"]
