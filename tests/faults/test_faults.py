"""A few faults of each kind; `make faults` runs many."""

import pytest

from tests.faults.expressions import run_expressions
from tests.faults.folders import run_folders
from tests.faults.processes import Trainings, run_kills, run_signals
from tests.faults.tables import run_tables

SEED = 1


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    return Trainings(tmp_path_factory.mktemp("trainings"))


def test_kills(trainings):
    run_kills(trainings, 3, SEED)


def test_signals(trainings):
    run_signals(trainings, 5, SEED)


def test_altered_folders(tmp_path):
    run_folders(tmp_path, 48, SEED)


def test_altered_tables(tmp_path):
    run_tables(tmp_path, 40, SEED)


def test_drawn_expressions(tmp_path):
    run_expressions(tmp_path, 60, SEED)
