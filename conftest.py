"""Tests keep compiled kernels in a folder of their own, which every test run shares with the processes it starts."""

import os
import tempfile

from hypothesis import settings

FOLDER = tempfile.TemporaryDirectory(prefix="chainrule-kernels-")


#: A machine that is busy is no fault.
settings.register_profile("chainrule", deadline=None)


def pytest_configure():
    settings.load_profile("chainrule")
    os.environ["CHAINRULE_CACHE"] = FOLDER.name


def pytest_unconfigure():
    FOLDER.cleanup()
