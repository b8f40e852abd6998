"""Made-up studies for the tests of reports, not to be changed."""

import pytest

from tests.report.study.folders import Folder


@pytest.fixture(scope="session")
def compared(tmp_path_factory):
    """Three learners with five seeds, of which the last run of cnn failed."""
    return Folder(tmp_path_factory.mktemp("studies") / "compared", seeds=5, failing=("cnn",)).write()


@pytest.fixture(scope="session")
def searched(tmp_path_factory):
    """A search of 40 trials, and a finalist of each of three learners."""
    return Folder(tmp_path_factory.mktemp("studies") / "searched", seeds=5, trials=40).write()


@pytest.fixture
def made(tmp_path):
    """Make a study for one test: its folder."""

    def call(*arguments, **settings):
        return Folder(tmp_path / "study", *arguments, **settings).write()

    return call
