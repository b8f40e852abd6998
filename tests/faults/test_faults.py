"""A few faults of each kind; `make faults` runs many."""

from tests.faults.expressions import run_expressions
from tests.faults.folders import run_folders
from tests.faults.processes import run_kills, run_signals
from tests.faults.studies import Studies, run_study_kills, run_together
from tests.faults.tables import run_tables

SEED = 1


def test_kills(tmp_path):
    run_kills(tmp_path, 2, SEED)


def test_signals(tmp_path):
    run_signals(tmp_path, 3, SEED)


def test_kills_of_studies(tmp_path):
    run_study_kills(tmp_path, 1, SEED)


def test_several_processes_make_a_study(tmp_path):
    run_together(tmp_path, 2, SEED)


def test_altered_folders(tmp_path):
    run_folders(tmp_path, 48, SEED)


def test_altered_tables(tmp_path):
    run_tables(tmp_path, 40, SEED)


def test_drawn_expressions(tmp_path):
    run_expressions(tmp_path, 60, SEED)


def test_a_worker_that_dies_when_its_run_has_its_folder(tmp_path):
    """The study goes on and ends without the run, which the next command takes from its folder."""
    studies = Studies(tmp_path, "processes", often=False)
    studies.kill(67, 0)
