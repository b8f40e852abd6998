"""From records to tables and figures; reports know records and nothing else."""

from chainrule.report.curve import draw_curve
from chainrule.report.diagnosis import draw_diagnosis
from chainrule.report.range_test import draw_range_test
from chainrule.report.record import read_record
from chainrule.report.schedule import draw_schedule
from chainrule.report.study import Study, read_study

__all__ = [
    "Study", "draw_curve", "draw_diagnosis", "draw_range_test", "draw_schedule", "read_record", "read_study",
]  # fmt: skip
