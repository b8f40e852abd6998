"""Tests keep compiled kernels in a folder of their own, which every test run shares with the processes it starts."""

import os
import tempfile

FOLDER = tempfile.TemporaryDirectory(prefix="chainrule-kernels-")


def pytest_configure():
    os.environ["CHAINRULE_CACHE"] = FOLDER.name


def pytest_unconfigure():
    FOLDER.cleanup()
