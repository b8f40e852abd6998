"""From records to tables and figures; reports know records and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.lazy import loader

if TYPE_CHECKING:
    from chainrule.report.curve import draw_curve
    from chainrule.report.diagnosis import draw_diagnosis
    from chainrule.report.range_test import draw_range_test
    from chainrule.report.record import read_record
    from chainrule.report.schedule import draw_schedule
    from chainrule.report.study import Study, read_study

__all__ = [
    "Study", "draw_curve", "draw_diagnosis", "draw_range_test", "draw_schedule", "read_record", "read_study",
]  # fmt: skip

__getattr__ = loader(
    __name__,
    {
        "curve": ("draw_curve",),
        "diagnosis": ("draw_diagnosis",),
        "range_test": ("draw_range_test",),
        "record": ("read_record",),
        "schedule": ("draw_schedule",),
        "study": ("Study", "read_study"),
    },
)
